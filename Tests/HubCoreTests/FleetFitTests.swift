import Forecasting
import HubCore
import Testing

@Suite("What a family would come to")
struct FleetFitTests {
    private static func package(
        _ variant: String, store: String, arena: Int, wape: Double
    ) throws -> PackageRecord {
        PackageRecord(
            digest: Array(repeating: UInt8(truncatingIfNeeded: arena &+ Int(wape)), count: 32),
            family: "f", variant: variant, store: try StoreID(store), release: 1,
            packageBytes: 1000, arenaBytes: arena, parameterCount: 10, requiredFeatures: ["lstm"],
            wape: wape, mape: wape + 1, bias: 0.5, floatWAPE: wape, floatMAPE: wape,
            createdAt: Timestamp(millisecondsSince1970: 0))
    }

    /// - Parameter budget: in bytes; nil: it has not registered.
    private static func device(
        _ id: String, store: String, budget: UInt64?, features: [String] = ["lstm"]
    ) throws -> DeviceRecord {
        var device = DeviceRecord(
            id: try DeviceID(id), store: try StoreID(store), status: .approved, labels: [],
            token: 1, joinedAt: Timestamp(millisecondsSince1970: 0))
        device.capabilities = budget.map {
            var can = DeviceCapabilities()
            can.modelMemoryBudgetBytes = $0
            can.runtimeFeatures = features
            can.int8Microseconds = 3
            return can
        }
        return device
    }

    private static func fit() throws -> FleetFit {
        let packages = [
            try package("big", store: "1", arena: 9000, wape: 10),
            try package("small", store: "1", arena: 1000, wape: 12),
            try package("big", store: "2", arena: 9000, wape: 20),
            try package("small", store: "2", arena: 1000, wape: 25),
        ]
        let devices = [
            try device("a", store: "2", budget: 20_000), try device("b", store: "1", budget: 4000),
            try device("c", store: "1", budget: 9000), try device("d", store: "1", budget: 999),
            try device("e", store: "1", budget: 9000),
            try device("f", store: "2", budget: nil),
            try device("g", store: "2", budget: 9000, features: ["gru"]),
        ]
        return FleetFit(family: "f", devices: devices, among: packages)
    }

    @Test("Every device is answered in its place, with the package of its own store")
    func devices() throws {
        let fit = try Self.fit()
        let got = fit.devices.map { line in
            guard case .run(let package, _) = line.choice else { return "\(line.device.id.text) -" }
            return "\(line.device.id.text) \(package.variant) \(package.store?.text ?? "any")"
        }
        #expect(got == ["a big 2", "b small 1", "c big 1", "d -", "e big 1", "f -", "g -"])
        #expect(fit.devices[0].time == .assumed(nanoseconds: 3000))
        #expect(fit.devices[3].time == nil)
    }

    @Test("Devices that nothing fits are named with the reason")
    func without() throws {
        let without = try Self.fit().without
        #expect(without.map(\.device.id.text) == ["d", "f", "g"])
        #expect(without[0].choice.reason.contains("the smallest arena is 1000 bytes"))
        #expect(without[1].choice.reason.contains("has not registered"))
        #expect(without[2].choice.reason.contains("lacks: lstm"))
    }

    @Test("A store's shares carry that store's figures, the best first and the unserved last")
    func shares() throws {
        let shares = try Self.fit().shares.map { share in
            "\(share.store.text) \(share.package?.variant ?? "-") \(share.devices)"
                + (share.package.map { " \(Int($0.wape)) \(Int($0.mape))" } ?? "")
        }
        #expect(
            shares == ["1 big 2 10 11", "1 small 1 12 13", "1 - 1", "2 big 1 20 21", "2 - 2"])
    }

    @Test("A limit on time passes packages over, as a push does")
    func latency() throws {
        let packages = [try Self.package("big", store: "1", arena: 900, wape: 10)]
        let devices = [try Self.device("a", store: "1", budget: 9000)]
        let fit = FleetFit(family: "f", devices: devices, nanosecondsMax: 2999, among: packages)
        #expect(fit.without.first?.choice.reason.contains("fast enough") == true)
        #expect(
            FleetFit(family: "f", devices: devices, nanosecondsMax: 3000, among: packages)
                .without.isEmpty)
    }
}
