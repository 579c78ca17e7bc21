import Forecasting

/// What a push comes to: who gets what in which wave, and what runs there now.
package struct PushView: Sendable {
    package struct Line: Sendable {
        package var device: DeviceRecord
        /// From 0 up; nil: not drawn, it comes with the wave that is open then.
        package var wave: Int?
        /// nil: nothing fits.
        package var package: PackageRecord?
        /// What runs there now, as far as the hub knows it.
        package var running: PackageRecord?
        package var reason: String
    }

    package let lines: [Line]

    /// - Parameter all: packages of every family, for what runs now.
    package init(
        rollout: RolloutRecord, plan: RolloutPlan, devices: [DeviceRecord],
        packages: [PackageRecord], all: [PackageRecord]
    ) {
        var waves: [DeviceID: Int] = [:]
        for (wave, drawn) in plan.waves.enumerated() { for id in drawn { waves[id] = wave } }
        let known = Dictionary(all.map { ($0.digest, $0) }, uniquingKeysWith: { first, _ in first })
        let shelf = PackageShelf(packages)
        lines = devices.map { device in
            let choice = VariantChoice.choose(
                family: rollout.family, releaseMax: rollout.release, store: device.store,
                capabilities: device.capabilities, nanosecondsMax: rollout.nanosecondsMax,
                among: shelf.packages(for: device.store))
            var line = Line(
                device: device, wave: waves[device.id],
                running: device.running.flatMap { known[$0.digest] }, reason: choice.reason)
            if case .run(let package, _) = choice { line.package = package }
            return line
        }
    }
}
