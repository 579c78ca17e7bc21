package import HubCore

/// A push of a family to who a selector selects: drawn, and then vouched for and kept. Commands, the autopilot and the API
/// push by it alike.
package struct FamilyPush: Sendable {
    package let rollout: RolloutRecord
    package let plan: RolloutPlan
    /// Whom it selects now.
    package let devices: [DeviceRecord]
    package let release: UInt64

    /// - Parameter packages: of the family, of which there are some.
    package init(
        _ family: String, to selector: Selector, packages: [PackageRecord],
        devices: [DeviceRecord], policy: RolloutPolicy, nanosecondsMax: Int?, at now: Timestamp
    ) {
        release = packages.map(\.release).max() ?? 1
        self.devices = devices
        plan = RolloutPlan(
            policy.waves,
            devices: devices.filter { $0.status == .approved }.map {
                RolloutPlan.Device(id: $0.id, store: $0.store, isRunning: $0.running != nil)
            }, key: RolloutPlan.key(family: family, release: release, selector: selector))
        rollout = RolloutRecord(
            family: family, release: release, selector: selector, nanosecondsMax: nanosecondsMax,
            policy: policy, waveSizes: plan.waves.map(\.count), createdAt: now)
    }

    /// Those that a push reaches, of everybody's devices.
    package static func devices(
        of selector: Selector, in hub: any HubStore
    ) async throws -> [DeviceRecord] {
        try await hub.devices(store: nil).filter {
            $0.status != .revoked && selector.matches($0)
        }
    }

    /// The packages of a family, of which there are some.
    /// - Throws: `HubStoreError.refused` where there are none, with what to do.
    package static func packages(
        of family: String, in hub: any HubStore
    ) async throws -> [PackageRecord] {
        let packages = try await hub.packages(family: family)
        guard packages.isEmpty else { return packages }
        if try await hub.family(family) != nil {
            throw HubStoreError.refused(
                why: "family \(family) has no packages yet: shelfcast-hub package build \(family)")
        }
        let names = try await hub.families().prefix(10).map(\.name)
        throw HubStoreError.refused(
            why: "there is no family '\(family)'; "
                + (names.isEmpty
                    ? "train one first: shelfcast-hub train --help"
                    : "the latest are: \(names.joined(separator: ", "))"))
    }

    /// How a push comes to its devices where nobody has said: as the same push did before, and to a fleet that runs nothing
    /// yet, at once.
    /// - Returns: the policy, and why it is this one, to be said after it.
    package static func standardPolicy(
        _ family: String, release: UInt64, to selector: Selector, devices: [DeviceRecord],
        nanosecondsMax: Int?, in hub: any HubStore
    ) async throws -> (policy: RolloutPolicy, why: String) {
        if let newest = try await hub.rollouts().first(where: { $0.state != .aborted }),
            newest.family == family, newest.release == release, newest.selector == selector,
            newest.nanosecondsMax == nanosecondsMax
        {
            return (newest.policy, "")
        }
        if devices.allSatisfy({ $0.running == nil }) {
            return (.atOnce, ": these devices run nothing yet that it could be compared with")
        }
        return (RolloutPolicy(), "; everyone now would be --at-once")
    }

    /// - Parameter vouch: makes the hub's repository list the release, before the first device hears of it.
    package func push(
        in hub: any HubStore,
        vouch: (_ family: String, _ release: UInt64, _ at: Timestamp) async throws -> Void
    ) async throws -> (rollout: RolloutRecord, isNew: Bool) {
        try await vouch(rollout.family, release, rollout.createdAt)
        return try await hub.push(rollout, plan: plan.waves)
    }
}
