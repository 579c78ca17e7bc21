import Forecasting
import HubCore
package import HubStore
package import Logging
import SyncProtocol
import Synchronization

/// Answers what device sessions ask, out of the store, the identity and the package files. Shared by
/// all connections; it keeps nothing that a restart would lose.
package struct DeviceDesk: Sendable {
    let store: any HubStore
    let identity: HubIdentity
    let packageFiles: PackageFiles
    package let repository: HubRepository
    let limits: HubServerLimits
    package let clock: HubClock
    let logger: Logger
    let plan: FleetPlan
    let joins: JoinGate
    let changedStores: ChangedStores
    let deltas: DeltaShelf

    package init(
        store: any HubStore, identity: HubIdentity, dataDirectory: String,
        limits: HubServerLimits = .init(), clock: HubClock = .system, logger: Logger
    ) {
        self.store = store
        self.identity = identity
        packageFiles = PackageFiles(dataDirectory: dataDirectory)
        repository = HubRepository(dataDirectory: dataDirectory, store: store)
        self.limits = limits
        self.clock = clock
        self.logger = logger
        plan = FleetPlan(store: store)
        joins = JoinGate(
            JoinRateLimit(burstMax: limits.joinsBurstMax, perSecond: limits.joinsPerSecond))
        changedStores = ChangedStores()
        deltas = DeltaShelf(packageFiles)
    }

    /// Never throws: what fails on our side is logged, and refused in words that tell the device to
    /// come back.
    package func answer(_ ask: DeviceSession.Ask) async -> DeviceSession.Answer {
        do {
            switch ask {
            case .admit(let device): return try await admit(device)
            case .join(let request): return try await join(request)
            case .register(let device, let register):
                return try await self.register(device, register)
            case .store(let device, let upload): return try await storeUpload(upload, of: device)
            case .context(let device, let request):
                return try await context(of: device, request)
            case .chunk(let device, let fetch): return try await chunk(fetch, for: device)
            case .note(let device, let report): return try await note(report, of: device)
            case .renew(let device, let request): return try await renew(request, of: device)
            case .look(let device, let held): return try await look(at: device, holding: held)
            case .nextContact(let device): return try await nextContact(of: device)
            }
        } catch HubStoreError.busy {
            return .refused(
                Refusal(.busy, "the hub's database is busy; come back shortly"))
        } catch {
            logger.error(
                "a device was turned away by a failure of the hub", metadata: ["error": "\(error)"])
            return .refused(
                Refusal(.internal, "the hub failed, not the device; its log says why"))
        }
    }

    /// Whom TLS let in still has to be somebody the database knows and has not revoked.
    private func admit(_ device: DeviceID) async throws -> DeviceSession.Answer {
        guard let home = try await store.home(of: device) else { return .refused(.unknown(device)) }
        guard home.status != .revoked else { return .refused(.revoked(device)) }
        return .admitted
    }

    private func register(
        _ device: DeviceID, _ register: Register
    ) async throws -> DeviceSession.Answer {
        guard let before = try await store.device(device) else { return .refused(.unknown(device)) }
        let now = clock.now()
        // Before anything it says is taken for the device's word.
        let number: UInt64
        switch try await store.meetDevice(
            device, number: register.contactNumber, hardware: register.hardware, at: now)
        {
        case nil: return .refused(.unknown(device))
        case .copy(let isNew)?:
            if isNew {
                logger.warning(
                    "another device has the same identity", metadata: ["device": "\(device.text)"])
            }
            return .refused(.copy(device))
        case .welcome(let given, _)?: number = given
        }
        let (labels, badLabels) = DeviceCapabilities.labels(of: register)
        let capabilities = DeviceCapabilities(register)
        guard
            let record = try await store.registerDevice(
                device, capabilities: capabilities, labels: labels,
                running: register.running.map(HubCore.RunningPackage.init), at: now)
        else { return .refused(.unknown(device)) }
        var changes = capabilities.changes(since: before.capabilities)
        changes += badLabels.map { "label ignored: \($0)" }
        if !changes.isEmpty {
            let text = changes.joined(separator: "; ")
            logger.info("registered", metadata: ["device": "\(device.text)", "changed": "\(text)"])
            try await store.addEvent(
                DeviceEvent(
                    at: now, kind: "registered",
                    text: cut(text, bytesMax: DeviceEvent.textBytesMax)),
                of: device)
        }
        let standing = try await standing(of: record, holding: register.held ?? HeldMetadata())
        guard case .standing(var desired, let revision, let metadata) = standing else {
            return standing
        }
        desired.contactNumber = number
        return .standing(desired, contextRevision: revision, metadata: metadata)
    }

    private func look(
        at device: DeviceID, holding held: HeldMetadata
    ) async throws -> DeviceSession.Answer {
        guard let record = try await store.device(device) else { return .refused(.unknown(device)) }
        return try await standing(of: record, holding: held)
    }

    /// What the device should run, decided now and noted where it differs from what was noted before.
    private func standing(
        of device: DeviceRecord, holding held: HeldMetadata
    ) async throws -> DeviceSession.Answer {
        switch device.status {
        case .revoked: return .refused(.revoked(device.id))
        case .pending: return .refused(.pending(device.id))
        case .approved: break
        }
        var desired = DesiredState()
        desired.storedThroughSequence = device.throughSequence
        // Others decide at the same time: what one of them was quicker with is decided anew.
        for _ in 0..<Self.decisionsMax {
            var decided = desired
            try await plan.refresh()
            let standing = try await store.standing(of: device.id, at: clock.now())
            if try await decide(for: device, standing, into: &decided) {
                return .standing(
                    decided, contextRevision: standing.contextRevision,
                    metadata: try await metadata(
                        aheadOf: decided, for: device, holding: held))
            }
            await plan.forget()
        }
        return .refused(Refusal(.busy, "its rollout is just being changed; come back shortly"))
    }

    /// How often a decision is tried that another one overtakes.
    private static let decisionsMax = 5

    /// What the device should run, noted where it differs from what was noted before.
    /// - Returns: false when something of it changed meanwhile.
    private func decide(
        for device: DeviceRecord, _ standing: DeviceStanding, into desired: inout DesiredState
    ) async throws -> Bool {
        let admission = try await plan.decide(for: device, standing.facts)
        if !admission.yields.isEmpty {
            try await store.yield(device.id, from: admission.yields, at: clock.now())
        }
        desired.reason = cut(admission.wish.reason, bytesMax: Limit.textBytes)
        guard let rollout = admission.rollout else {
            desired.desire = .stayAsYouAre
            return true
        }
        desired.rollout = rollout.id
        var digest: [UInt8]?
        switch admission.wish {
        case .nothing: return true
        case .goBack(let taken, _):
            desired.desire = .goBack
            desired.digest = taken
            try await store.sendBack(
                device.id, from: rollout.id, digest: taken, reason: desired.reason, at: clock.now())
            // Who runs nothing has nothing to leave, and is told at once what it is to run instead.
            return device.running != nil
        case .run(let package, _):
            digest = package.digest
            desired.desire = .run
            desired.digest = package.digest
            desired.target = try await repository.target(for: package, at: clock.now())
            desired.say(rollout)
            // In trial it is there.
            let isInTrial = standing.facts.memberships.contains {
                $0.rollout == rollout.id && $0.state == .trial
            }
            if !isInTrial {
                desired.delta = await deltaOffer(to: package, for: device)
            }
        case .noFit:
            desired.desire = .noFit
        }
        let noted = standing.assignment
        let member = standing.facts.memberships.first { $0.rollout == rollout.id }
        guard
            noted?.rollout != rollout.id || noted?.digest != digest
                || noted?.reason != desired.reason
                || member?.isStale(digest: digest, running: device.running?.digest) != false
        else { return true }
        let isKept = try await store.assign(
            AssignmentRecord(
                device: device.id, rollout: rollout.id, digest: digest, reason: desired.reason,
                decidedAt: clock.now()),
            ifStill: rollout, wave: admission.wave)
        guard isKept else { return false }
        logger.info(
            "assigned",
            metadata: [
                "device": "\(device.id.text)", "rollout": "\(rollout.id)",
                "why": "\(desired.reason)",
            ])
        return true
    }

    /// What the device needs to believe `desired`, and a newer timestamp when half of its own one's life is over (SPEC 8.1).
    private func metadata(
        aheadOf desired: DesiredState, for device: DeviceRecord, holding held: HeldMetadata
    ) async throws -> [Metadata] {
        let isNew = desired.desire == .run && desired.digest != device.running?.digest
        let never = UInt64(Int64.max)
        let wanted = HeldVersions(
            root: held.root, timestamp: isNew || held.wantsTimestamp ? held.timestamp : never,
            snapshot: isNew ? held.snapshot : never, targets: isNew ? held.targets : never)
        let files = try await store.metadata(
            newerThan: wanted, target: isNew ? desired.digest : nil, rootsMax: Self.rootsMax)
        return files.map { Metadata(role: $0.role, version: $0.version, content: $0.bytes) }
    }

    /// So many roots at once; who is further behind gets the next at the next contact. The others and a bin are four.
    private static let rootsMax = Limit.metadataFilesCount - 4

    /// The device's store; nil when the device or the database is gone, and then no push can reach it.
    func home(of device: DeviceID) async -> StoreID? {
        do {
            return try await store.home(of: device)?.store
        } catch {
            logger.error("a device gets no pushes", metadata: ["error": "\(error)"])
            return nil
        }
    }

    /// Notes that the device is there. What a failure here would cost is a figure a little too old.
    func touch(_ device: DeviceID) async {
        do {
            try await store.touchDevice(device, at: clock.now())
        } catch {
            logger.warning("cannot note a contact", metadata: ["error": "\(error)"])
        }
    }

    private func nextContact(of device: DeviceID) async throws -> DeviceSession.Answer {
        try await store.touchDevice(device, at: clock.now())
        let every = limits.visitEverySeconds
        let spread = every / 10
        return .nextContact(seconds: clock.random((every - spread)...(every + spread)))
    }
}

extension DesiredState {
    /// How the package becomes the active one (SPEC 8.4).
    fileprivate mutating func say(_ rollout: RolloutRecord) {
        trialDays = UInt32(clamping: min(rollout.policy.trialDays, Int(Limit.trialDays)))
        latencyMaxNs = UInt64(clamping: rollout.nanosecondsMax ?? 0)
        bytesMax = rollout.policy.bytesMax ?? 0
        meteredBytesMax = rollout.meteredBytesMax
        windowFrom = UInt32(clamping: rollout.policy.window?.fromMinute ?? 0)
        windowTo = UInt32(clamping: rollout.policy.window?.toMinute ?? 0)
    }
}

extension Refusal {
    static func unknown(_ device: DeviceID) -> Refusal {
        Refusal(
            .revoked,
            "this hub does not know device \(device.text): join again with a new token")
    }

    static func revoked(_ device: DeviceID) -> Refusal {
        Refusal(
            .revoked,
            "device \(device.text) was revoked: if that was a mistake, join again with a new token")
    }

    static func copy(_ device: DeviceID) -> Refusal {
        Refusal(
            .copy,
            "another device has the identity of \(device.text), as after cloning a disk: let this one join as"
                + " its own (shelfcast-agent join TOKEN --again)")
    }

    static func pending(_ device: DeviceID) -> Refusal {
        Refusal(
            .notApproved,
            "device \(device.text) waits for the operator: shelfcast-hub device approve \(device.text)"
        )
    }
}

/// The join rate limit, shared by all connections.
final class JoinGate: Sendable {
    private let limit: Mutex<JoinRateLimit>

    init(_ limit: JoinRateLimit) { self.limit = Mutex(limit) }

    /// Nil: go on. Else how many seconds to wait.
    func admit(at now: Timestamp) -> UInt32? {
        limit.withLock { limit in
            limit.admit(atMilliseconds: now.millisecondsSince1970) ? nil : limit.retryAfterSeconds
        }
    }
}

/// Stores whose day totals this process has changed since the change watch last asked.
final class ChangedStores: Sendable {
    private let stores = Mutex<Set<StoreID>>([])

    func insert(_ store: StoreID) { _ = stores.withLock { $0.insert(store) } }

    /// Gives back what was taken and could not be acted on.
    func formUnion(_ taken: Set<StoreID>) { stores.withLock { $0.formUnion(taken) } }

    func take() -> Set<StoreID> {
        stores.withLock { stores in
            let taken = stores
            stores = []
            return taken
        }
    }
}
