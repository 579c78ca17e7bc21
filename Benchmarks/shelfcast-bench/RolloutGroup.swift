import Forecasting
import HubCore

/// What a push to 10,000 devices of 2,000 stores computes before it is stored: which of a family's packages each device
/// gets, and in which wave.
enum RolloutGroup {
    private static let stores = 2_000
    private static let devicesPerStore = 5
    private static let runs = 5

    static func run(_ report: inout BenchReport) throws {
        let devices = try fleet()
        let packages = try packages()
        let release = packages.map(\.release).max() ?? 1
        var milliseconds: [Double] = []
        for _ in 0..<runs {
            let started = ContinuousClock.now
            let plan = RolloutPlan(
                .careful,
                devices: devices.map {
                    .init(id: $0.id, store: $0.store, isRunning: $0.running != nil)
                }, key: RolloutPlan.key(family: "f", release: release, selector: .all))
            let fit = FleetFit(family: "f", devices: devices, among: packages)
            milliseconds.append((ContinuousClock.now - started) / .milliseconds(1))
            precondition(
                plan.waves.map(\.count) == [100, 900, 4_000, 5_000] && fit.without.isEmpty)
        }
        report.add("rollout.plan10k.ms", milliseconds.sorted()[runs / 2], "ms")
    }

    private static func fleet() throws -> [DeviceRecord] {
        let now = Timestamp(millisecondsSince1970: 0)
        return try (0..<stores).flatMap { store in
            try (0..<devicesPerStore).map { number in
                var device = DeviceRecord(
                    id: try DeviceID("device-\(store)-\(number)"), store: try StoreID("\(store)"),
                    status: .approved, labels: [], token: 1, joinedAt: now)
                var capabilities = DeviceCapabilities()
                capabilities.modelMemoryBudgetBytes = UInt64(1_000 << number)
                device.capabilities = capabilities
                return device
            }
        }
    }

    /// Four sizes for each store, the larger the better.
    private static func packages() throws -> [PackageRecord] {
        try (0..<stores * 4).map { number in
            let size = number % 4
            return PackageRecord(
                digest: [UInt8(number >> 8), UInt8(number & 255)]
                    + [UInt8](repeating: 0, count: 30), family: "f",
                variant: "v\(size)", store: try StoreID("\(number / 4)"), release: 1,
                packageBytes: 300 << size,
                arenaBytes: 500 << size, parameterCount: 10, requiredFeatures: [],
                wape: 14 - Double(size) / 10, mape: 14, bias: 0, floatWAPE: 14, floatMAPE: 14,
                createdAt: Timestamp(millisecondsSince1970: 0))
        }
    }
}
