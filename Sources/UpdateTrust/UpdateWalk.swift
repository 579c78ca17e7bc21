/// A metadata file to be had from a repository.
package struct MetadataRequest: Equatable, Sendable {
    package let role: RoleName
    /// nil: whatever is there under the plain name.
    package let version: UInt64?
    /// Not a byte more is to be taken in.
    package let bytesMax: Int

    /// `ROLE.json` or `VERSION.ROLE.json`, the role's name escaped.
    package var fileName: [UInt8] {
        let name = role.escaped + [UInt8](".json".utf8)
        guard let version else { return name }
        return [UInt8]("\(version).".utf8) + name
    }
}

/// One update, step by step (specification 1.0.34, section 5): it says what to read, to fetch and to keep, and
/// the caller does it and comes back with what it got. Nothing here waits, reads or writes; the agent and the
/// conformance client walk the same way.
///
/// An error ends the walk. What was kept until then was right and stays.
package struct UpdateWalk<Cryptography: TrustCryptography> {
    package enum Step: Equatable, Sendable {
        /// Bring what is kept of this role, or nil.
        case read(RoleName)
        /// Bring it from the repository; nil when the repository says that it does not have it. Whatever else goes
        /// wrong on the way ends the update.
        case fetch(MetadataRequest)
        /// Keep these bytes under this role's name, in place of what was there, before going on.
        case keep(RoleName, [UInt8])
        /// The four top-level roles are current: `find(_:)` may be asked.
        case current
        case found(TargetFile)
        /// No role that may speak for this path knows it.
        case absent
    }

    private enum Waiting {
        case begin
        case root(rotationsLeft: Int)
        case rootKept(rotationsLeft: Int)
        case keptTimestamp
        case timestamp
        case timestampKept
        case keptSnapshot
        case snapshot
        case snapshotKept
        case keptTargets(Visit)
        case targets(Visit)
        case targetsKept(TargetsMetadata)
        case current
        case failed
    }

    private struct Search {
        let path: [UInt8]
        let digest: [UInt8]
        var visited: [RoleName] = []
        /// The next one last.
        var ahead: [Visit] = []
    }

    private var trusted: TrustedMetadata<Cryptography>
    private var waiting = Waiting.begin
    private var search: Search?

    /// - Parameters:
    ///   - root: the root metadata kept from the last update, or the first one, which came with the device.
    ///   - now: seconds since 1970 UTC; one moment for the whole update.
    /// - Throws: when `root` cannot be read or is not signed by itself. Nothing is to be fetched then.
    package init(
        root: [UInt8], now: Int64, limits: MetadataLimits, cryptography: Cryptography
    ) throws(MetadataError) {
        trusted = try TrustedMetadata(
            root: root, now: now, limits: limits, cryptography: cryptography)
    }

    /// Whether files of this repository carry versions and digests in their names.
    package var isConsistent: Bool { trusted.root.isConsistent }
    package var rootVersion: UInt64 { trusted.root.version }
    /// Seconds since 1970 UTC.
    package var rootExpires: Int64 { trusted.root.expires }
    /// Of what is trusted by now, also where it has expired or is not the newest; 0: nothing of this role is.
    package var timestampVersion: UInt64 { trusted.timestamp?.version ?? 0 }
    package var timestampExpires: Int64 { trusted.timestamp?.expires ?? 0 }
    package var snapshotVersion: UInt64 { trusted.snapshot?.version ?? 0 }
    package var targetsVersion: UInt64 { trusted.targets?.version ?? 0 }

    /// The next step.
    /// - Parameter answer: what the step before asked for; nil for the first step and after `keep`.
    package mutating func next(_ answer: [UInt8]?) throws(MetadataError) -> Step {
        let was = waiting
        waiting = .failed
        switch was {
        case .begin:
            return nextRoot(rotationsLeft: trusted.limits.rootRotationsMax)
        case .root(let rotationsLeft):
            guard let answer else { return try rootIsLast() }
            try trusted.updateRoot(answer)
            waiting = .rootKept(rotationsLeft: rotationsLeft - 1)
            return .keep(.root, answer)
        case .rootKept(let rotationsLeft):
            if rotationsLeft == 0 { return try rootIsLast() }
            return nextRoot(rotationsLeft: rotationsLeft)

        case .keptTimestamp:
            if let answer { believeKeptTimestamp(answer) }
            return fetch(.timestamp, nil, trusted.limits.timestampBytesMax, then: .timestamp)
        case .timestamp:
            guard let answer else { throw .notFound(.timestamp) }
            guard try trusted.updateTimestamp(answer) else { return try timestampIsCurrent() }
            waiting = .timestampKept
            return .keep(.timestamp, answer)
        case .timestampKept:
            return try timestampIsCurrent()

        case .keptSnapshot:
            if let answer, believeKeptSnapshot(answer) {
                return try visit(Visit(role: .targets, keys: trusted.root.targetsKeys))
            }
            guard let announced = trusted.timestamp?.snapshot else { throw .outOfTurn }
            return try fetch(.snapshot, announced, then: .snapshot)
        case .snapshot:
            guard let answer else { throw .notFound(.snapshot) }
            try trusted.updateSnapshot(answer, isKept: false)
            waiting = .snapshotKept
            return .keep(.snapshot, answer)
        case .snapshotKept:
            return try visit(Visit(role: .targets, keys: trusted.root.targetsKeys))

        case .keptTargets(let visit):
            if let answer, let targets = believeKeptTargets(answer, visit) {
                return try look(into: targets)
            }
            return try fetch(visit.role, try trusted.announced(visit.role), then: .targets(visit))
        case .targets(let visit):
            guard let answer else { throw .notFound(visit.role) }
            let targets = try trusted.updateTargets(answer, visit)
            waiting = .targetsKept(targets)
            return .keep(visit.role, answer)
        case .targetsKept(let targets):
            return try look(into: targets)

        case .current, .failed:
            throw .outOfTurn
        }
    }

    /// Begins the search for a target, once the walk is `current`, and again after each answer.
    /// - Parameter path: as the metadata writes it.
    package mutating func find(_ path: [UInt8]) throws(MetadataError) -> Step {
        guard case .current = waiting, let targets = trusted.targets else { throw .outOfTurn }
        guard let digest = trusted.cryptography.digest(.sha256, of: path) else { throw .outOfTurn }
        search = Search(path: path, digest: digest)
        return try look(into: targets)
    }

    // What was kept need not be good any more: then the repository has better, or the update fails there. What
    // has merely expired, or is not the newest, still keeps anything older from being accepted.
    private mutating func believeKeptTimestamp(_ bytes: [UInt8]) {
        do throws(MetadataError) { _ = try trusted.updateTimestamp(bytes) } catch {}
    }

    private mutating func believeKeptSnapshot(_ bytes: [UInt8]) -> Bool {
        do throws(MetadataError) {
            try trusted.updateSnapshot(bytes, isKept: true)
            return true
        } catch {
            return false
        }
    }

    private mutating func believeKeptTargets(_ bytes: [UInt8], _ visit: Visit) -> TargetsMetadata? {
        do throws(MetadataError) { return try trusted.updateTargets(bytes, visit) } catch {
            return nil
        }
    }

    // 5.3.3 to 5.3.9
    private mutating func nextRoot(rotationsLeft: Int) -> Step {
        fetch(
            .root, trusted.root.version + 1, trusted.limits.rootBytesMax,
            then: .root(rotationsLeft: rotationsLeft))
    }

    // 5.3.10
    private mutating func rootIsLast() throws(MetadataError) -> Step {
        try trusted.checkRootIsCurrent()
        waiting = .keptTimestamp
        return .read(.timestamp)
    }

    private mutating func timestampIsCurrent() throws(MetadataError) -> Step {
        try trusted.checkTimestampIsCurrent()
        waiting = .keptSnapshot
        return .read(.snapshot)
    }

    private mutating func visit(_ visit: Visit) throws(MetadataError) -> Step {
        waiting = .keptTargets(visit)
        return .read(visit.role)
    }

    private mutating func fetch(
        _ role: RoleName, _ version: UInt64?, _ bytesMax: Int, then: Waiting
    ) -> Step {
        waiting = then
        return .fetch(MetadataRequest(role: role, version: version, bytesMax: bytesMax))
    }

    private mutating func fetch(
        _ role: RoleName, _ announced: FileMetadata, then: Waiting
    ) throws(MetadataError) -> Step {
        let bytesMax = trusted.limits.bytesMax(role)
        let length = announced.length ?? UInt64(bytesMax)
        guard length <= UInt64(bytesMax) else {
            throw .tooLarge(role, bytes: length, bytesMax: bytesMax)
        }
        return fetch(role, isConsistent ? announced.version : nil, Int(length), then: then)
    }

    /// 5.6.7: first the role itself, then those it delegates to, in their order and each with all of its own
    /// before the next; none twice; a terminating one ends what waits further up.
    private mutating func look(into targets: TargetsMetadata) throws(MetadataError) -> Step {
        guard var search else {
            waiting = .current
            return .current
        }
        if let file = try targets.file(search.path) { return finish(.found(file)) }
        search.visited.append(targets.role)
        let delegated = targets.delegations.visits(for: search.path, digest: search.digest)
        if delegated.isFinal { search.ahead = [] }
        search.ahead += delegated.visits.reversed()
        while let ahead = search.ahead.popLast() {
            if search.visited.contains(ahead.role) { continue }
            guard search.visited.count <= trusted.limits.delegationsMax,
                search.ahead.count <= Delegations.rolesMax
            else { throw .tooManyDelegations(max: trusted.limits.delegationsMax) }
            self.search = search
            return try visit(ahead)
        }
        return finish(.absent)
    }

    private mutating func finish(_ step: Step) -> Step {
        search = nil
        waiting = .current
        return step
    }
}
