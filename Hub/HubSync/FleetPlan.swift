import HubCore
import HubStore

/// The rollouts and the packages of the families rolled out: what every device's assignment is decided
/// from. Kept in memory until another process changes the database, so that a fleet that comes back
/// all at once does not read the same rows thousands of times.
actor FleetPlan {
    /// Families kept; more are read again each time.
    private static let familiesMax = 64

    private let store: any HubStore
    private var counter: Int64?
    private var rolloutsKept: [RolloutRecord]?
    private var packagesKept: [String: [PackageRecord]] = [:]

    init(store: any HubStore) { self.store = store }

    /// What `device` should run by the newest rollout that selects it, or nil: nothing is assigned.
    func decide(
        for device: DeviceRecord
    ) async throws -> (rollout: RolloutRecord, choice: VariantChoice)? {
        try await refresh()
        guard let rollout = VariantChoice.rollout(for: device, among: try await rollouts()) else {
            return nil
        }
        let choice = VariantChoice.choose(
            family: rollout.family, store: device.store, capabilities: device.capabilities,
            nanosecondsMax: rollout.nanosecondsMax,
            among: try await packages(of: rollout.family))
        return (rollout, choice)
    }

    /// Forgets what may be out of date. Packages and rollouts are made by other processes only, and
    /// their commits move the counter.
    private func refresh() async throws {
        let counter = try await store.changeCounter()
        guard counter != self.counter else { return }
        self.counter = counter
        rolloutsKept = nil
        packagesKept = [:]
    }

    private func rollouts() async throws -> [RolloutRecord] {
        if let rolloutsKept { return rolloutsKept }
        let read = try await store.rollouts()
        rolloutsKept = read
        return read
    }

    private func packages(of family: String) async throws -> [PackageRecord] {
        if let kept = packagesKept[family] { return kept }
        let read = try await store.packages(family: family)
        if packagesKept.count < Self.familiesMax { packagesKept[family] = read }
        return read
    }
}
