import HubCore
import HubStore

/// The rollouts and the packages of the families rolled out: what every device's assignment is decided
/// from. Kept in memory until another process changes the database or this one a rollout, so that a fleet that comes
/// back all at once does not read the same rows thousands of times.
actor FleetPlan {
    /// Families kept; more are read again each time.
    private static let familiesMax = 64

    private let store: any HubStore
    private var counter: Int64?
    /// Counts how often what is kept was forgotten: what was read before that is not kept after it.
    private var generation = 0
    /// The latest question, answered or not.
    private var asking: Task<Void, any Error>?
    /// That one, while it is not put yet.
    private var following: Task<Void, any Error>?
    private var rolloutsKept: [RolloutRecord]?
    private var packagesKept: [String: PackageShelf] = [:]

    init(store: any HubStore) { self.store = store }

    /// What `device` should run by the newest rollout that admits it, from `facts` that were read after a `refresh`.
    func decide(for device: DeviceRecord, _ facts: Admission.Facts) async throws -> Admission {
        let rollouts = try await rollouts()
        // Read before: a decision asks for them in between.
        var packages: [String: [PackageRecord]] = [:]
        for rollout in rollouts
        where packages[rollout.family] == nil && rollout.selector.matches(device) {
            packages[rollout.family] = try await shelf(of: rollout.family)
                .packages(for: device.store)
        }
        return Admission.decide(for: device, facts, rollouts: rollouts) { packages[$0] ?? [] }
    }

    /// A rollout was changed by this process.
    func forget() {
        generation += 1
        rolloutsKept = nil
    }

    /// Forgets what may be out of date. Packages are made by other processes only, and their commits move the counter.
    ///
    /// The counter is asked of the one connection that writes, so all who come while a question is on its way share the
    /// next: the answer to that one may be older than they are.
    func refresh() async throws {
        if let following { return try await following.value }
        let before = asking
        let task = Task { try await ask(after: before) }
        (asking, following) = (task, task)
        try await task.value
    }

    private func ask(after before: Task<Void, any Error>?) async throws {
        _ = await before?.result
        following = nil
        let counter = try await store.changeCounter()
        guard counter != self.counter else { return }
        self.counter = counter
        forget()
        packagesKept = [:]
    }

    private func rollouts() async throws -> [RolloutRecord] {
        if let rolloutsKept { return rolloutsKept }
        let asked = generation
        let read = try await store.rollouts()
        if asked == generation { rolloutsKept = read }
        return read
    }

    private func shelf(of family: String) async throws -> PackageShelf {
        if let kept = packagesKept[family] { return kept }
        let asked = generation
        let read = PackageShelf(try await store.packages(family: family))
        if asked == generation, packagesKept.count < Self.familiesMax {
            packagesKept[family] = read
        }
        return read
    }
}
