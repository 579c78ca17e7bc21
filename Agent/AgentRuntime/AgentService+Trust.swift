import AgentCore
import Forecasting
import JSONText
import SyncProtocol
import UpdateTrust

/// Whom this device believes about packages (SPEC 8.1): a walk over what the hub sent ahead of a DesiredState and what
/// is kept here. Nothing is asked for on the way, and nothing of it stays in memory.
extension AgentService {
    /// The root metadata: what joining gave, or what followed it. A file, so that a damaged database does not cost it.
    package static let rootFile = "root.json"

    /// How a walk ended.
    enum Belief {
        case found(TargetFile)
        /// What came is believed; no package was asked for.
        case current
        /// For the operator: who is not believed, and why.
        case none(String)
    }

    /// Keeps one file until the DesiredState comes that it is for.
    func take(_ metadata: Metadata) throws(AgentError) {
        var bytes = metadata.content.count
        for file in arrivedMetadata { bytes += file.content.count }
        guard arrivedMetadata.count < Limit.metadataFilesCount, bytes <= Limit.metadataFilesBytes
        else {
            arrivedMetadata = []
            throw .failed("the hub sends more update metadata than anybody needs")
        }
        arrivedMetadata.append(metadata)
    }

    /// The connection is over: nothing that came on it is waited for any more.
    func forgetArrivedMetadata() { arrivedMetadata = [] }

    /// Seconds since 1970 UTC by which metadata expires.
    var trustedNow: Int64 { clock.secondsForTrust(proven: trust.proven) }

    /// Believes what came, if anything did.
    func refreshTrust() throws(AgentError) {
        guard !arrivedMetadata.isEmpty else { return }
        switch try walk(to: nil) {
        case .none(let problem): try noteTrust(problem: problem)
        case .found, .current: try noteTrust(problem: nil)
        }
    }

    /// Walks over what came and what is kept, and keeps what is believed.
    /// - Parameter target: a package's path in the repository; nil: only what came.
    func walk(to target: String?) throws(AgentError) -> Belief {
        let arrived = arrivedMetadata
        arrivedMetadata = []
        let now = trustedNow
        guard
            let root = Files.read(
                store.directory + "/" + Self.rootFile, bytesMax: Limit.rootBytes)
        else {
            return .none(
                "this device has no root metadata of its hub; join again: shelfcast-agent join TOKEN --again"
            )
        }
        var walk: UpdateWalk<DeviceVerifier>
        do throws(MetadataError) {
            walk = try UpdateWalk(
                root: root, now: now, limits: .device, cryptography: DeviceVerifier())
        } catch { return .none(error.explanation) }
        var kept: [(role: RoleName, content: [UInt8])] = []
        var belief: Belief?
        var (hasTimestamp, isCurrent) = (false, false)
        var answer: [UInt8]?
        var path: [UInt8]?
        // The walk bounds its own steps.
        while belief == nil {
            let step: UpdateWalk<DeviceVerifier>.Step
            do throws(MetadataError) {
                if let wanted = path {
                    path = nil
                    step = try walk.find(wanted)
                } else {
                    step = try walk.next(answer)
                }
            } catch {
                belief = Self.belief(error, after: walk, to: target)
                break
            }
            answer = nil
            switch step {
            case .read(let role):
                if role == .timestamp { hasTimestamp = true }
                if role == .snapshot { isCurrent = true }
                answer = try stored { () throws(StoreError) in try store.metadata(role) }
            case .fetch(let request):
                for file in arrived
                where request.role.utf8.elementsEqual(file.role.utf8)
                    && (request.version ?? file.version) == file.version
                    && file.content.count <= request.bytesMax
                {
                    answer = file.content
                }
                // The hub sends no timestamp that is here already.
                if answer == nil, request.role == .timestamp {
                    answer = try stored { () throws(StoreError) in try store.metadata(.timestamp) }
                }
            case .keep(let role, let content): kept.append((role, content))
            case .current:
                if let target { path = [UInt8](target.utf8) } else { belief = .current }
            case .found(let file): belief = .found(file)
            case .absent: belief = .none("no metadata that this device trusts lists this package")
            }
        }
        var state = trust
        (state.root, state.rootExpires) = (walk.rootVersion, walk.rootExpires)
        if hasTimestamp {
            if walk.timestampVersion != trust.timestamp { state.timestampSince = now }
            state.timestamp = walk.timestampVersion
            state.timestampExpires = walk.timestampExpires
        }
        if isCurrent {
            if now >= trust.proven + 86_400 { state.proven = now }
            state.snapshot = walk.snapshotVersion
            // Where no package was asked for, a walk need not have come to targets.
            state.targets =
                target == nil && state.snapshot > 0 ? trust.targets : walk.targetsVersion
        }
        try keep(kept, state)
        return belief ?? .current
    }

    private static func belief(
        _ error: MetadataError, after walk: UpdateWalk<DeviceVerifier>, to target: String?
    ) -> Belief {
        switch error {
        // A timestamp came by itself: what it announces comes with the package that needs it.
        case .notFound(.snapshot) where target == nil, .notFound(.targets) where target == nil:
            return .current
        case .expired(.root): return .none(expiredText(walk.rootExpires))
        case .expired(.timestamp): return .none(expiredText(walk.timestampExpires))
        default: return .none(error.explanation)
        }
    }

    /// All of a walk in one transaction; root's file first, whose keys the others are checked with.
    private func keep(
        _ kept: [(role: RoleName, content: [UInt8])], _ state: TrustState
    ) throws(AgentError) {
        guard !kept.isEmpty || state != trust else { return }
        if let root = kept.last(where: { $0.role == .root }),
            let problem = Files.replace(store.directory + "/" + Self.rootFile, by: root.content)
        {
            throw .failed(problem)
        }
        try stored { () throws(StoreError) in
            try store.transaction { () throws(StoreError) in
                for file in kept where file.role != .root {
                    try store.keep(file.content, of: file.role)
                }
                try store.save(state)
            }
        }
        trust = state
    }

    /// For `status`, and told to the hub where `digest` is wanted: once for each reason.
    func noteTrust(problem: String?, wanting digest: [UInt8]? = nil) throws(AgentError) {
        try stored { () throws(StoreError) in
            let former = try store.text(.trustProblem)
            guard let problem else {
                if former != nil { try store.clear(.trustProblem) }
                return
            }
            if former?.elementsEqual(problem.utf8) == true { return }
            try store.transaction { () throws(StoreError) in
                try store.set(.trustProblem, problem)
                guard let digest else { return }
                try store.queueReport(
                    digest: digest, outcome: .untrusted, reason: problem, arenaBytes: 0)
            }
        }
    }

    static func expiredText(_ expires: Int64) -> String {
        "update metadata expired on " + date(expires)
            + ": the hub shows nothing newer, or this device's clock is ahead; no new package is taken until then"
    }

    static func date(_ seconds: Int64) -> String {
        BusinessDay(daysSince1970: Int32(clamping: seconds / 86_400)).iso8601
    }

    /// For Register.
    var heldMetadata: HeldMetadata {
        HeldMetadata(
            root: trust.root, timestamp: trust.timestamp, snapshot: trust.snapshot,
            targets: trust.targets, wantsTimestamp: trust.wantsTimestamp(at: trustedNow))
    }

    /// What the repository's first file gave: who is believed from now on.
    /// - Throws: `refused` when it is no root metadata that signs for itself.
    static func rootState(_ root: [UInt8]) throws(AgentError) -> TrustState {
        var state = TrustState()
        do throws(MetadataError) {
            let walk = try UpdateWalk(
                root: root, now: 0, limits: .device, cryptography: DeviceVerifier())
            (state.root, state.rootExpires) = (walk.rootVersion, walk.rootExpires)
        } catch { throw .refused("the hub's root metadata: " + error.explanation) }
        return state
    }

    /// What is kept; a new database learns what root's file beside it says.
    func restoreTrust() throws(StoreError) {
        trust = try store.trustState()
        guard identity != nil, trust.root == 0,
            let root = Files.read(
                store.directory + "/" + Self.rootFile, bytesMax: Limit.rootBytes),
            let state = try? Self.rootState(root)  // damaged: said when a package is wanted
        else { return }
        try store.save(state)
        trust = state
    }

    /// For `status` and `doctor`.
    static func trustReply(
        _ state: TrustState, at now: Int64, problem: [UInt8]?
    ) -> JSONValue {
        let isExpired = state.isExpired(at: now)
        let text = isExpired ? [UInt8](expiredText(state.expires).utf8) : problem
        return .object([
            .init("root", .integer(state.root)), .init("timestamp", .integer(state.timestamp)),
            .init("snapshot", .integer(state.snapshot)), .init("targets", .integer(state.targets)),
            .init("expires", state.root == 0 ? .null : .string(date(state.expires))),
            .init("expired", .bool(isExpired)),
            .init("problem", text.map { .text($0) } ?? .null),
        ])
    }
}
