import Forecasting
import Foundation
import HubCore
import HubStore
import HubSync

/// A push of a family to who a selector selects: drawn, and then vouched for and kept.
struct FamilyPush {
    let rollout: RolloutRecord
    let plan: RolloutPlan
    /// Whom it selects now.
    let devices: [DeviceRecord]
    let release: UInt64

    /// - Parameter packages: of the family, of which there are some.
    init(
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
    static func devices(
        of selector: Selector, in hub: some HubStore
    ) async throws -> [DeviceRecord] {
        try await hub.devices(store: nil).filter {
            $0.status != .revoked && selector.matches($0)
        }
    }

    func push(
        in hub: any HubStore, _ repository: HubRepository
    ) async throws -> (rollout: RolloutRecord, isNew: Bool) {
        // What is pushed is vouched for before the first device hears of it.
        try await repository.refresh(
            at: rollout.createdAt, listing: (rollout.family, release))
        return try await hub.push(rollout, plan: plan.waves)
    }
}
