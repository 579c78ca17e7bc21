import Forecasting
import HubCore
import Testing

@Suite("Which package a device should run")
struct VariantChoiceTests {
    private static func package(
        _ variant: String, store: String? = nil, release: UInt64 = 1, arena: Int, wape: Double,
        features: [String] = ["lstm-int8-v2"], family: String = "f"
    ) throws -> PackageRecord {
        PackageRecord(
            digest: Array(repeating: UInt8(truncatingIfNeeded: arena), count: 32), family: family,
            variant: variant, store: try store.map { try StoreID($0) }, release: release,
            packageBytes: 1000, arenaBytes: arena, parameterCount: 10, requiredFeatures: features,
            wape: wape, mape: wape, bias: 0, floatWAPE: wape, floatMAPE: wape, statement: [],
            signature: [], createdAt: Timestamp(millisecondsSince1970: 0))
    }

    private static func capabilities(
        budget: UInt64, features: [String] = ["lstm-int8-v2"]
    ) -> DeviceCapabilities {
        var capabilities = DeviceCapabilities()
        capabilities.modelMemoryBudgetBytes = budget
        capabilities.runtimeFeatures = features
        return capabilities
    }

    private static func choose(
        _ packages: [PackageRecord], store: String = "1", budget: UInt64,
        features: [String] = ["lstm-int8-v2"]
    ) throws -> VariantChoice {
        VariantChoice.choose(
            family: "f", store: try StoreID(store),
            capabilities: capabilities(budget: budget, features: features), among: packages)
    }

    private static func sizes() throws -> [PackageRecord] {
        [
            try package("big", arena: 9000, wape: 10), try package("middle", arena: 4000, wape: 11),
            try package("small", arena: 1000, wape: 12.345),
        ]
    }

    @Test(
        "The most accurate variant that fits the budget is chosen, to the byte",
        arguments: [
            (UInt64(20_000), "big"), (9000, "big"), (8999, "middle"), (4000, "middle"),
            (3999, "small"), (1000, "small"),
        ])
    func budget(bytes: UInt64, expected: String) throws {
        guard case .run(let package, _) = try Self.choose(Self.sizes(), budget: bytes) else {
            Issue.record("nothing was chosen")
            return
        }
        #expect(package.variant == expected)
    }

    @Test("Accuracy decides, not size")
    func accuracy() throws {
        let packages = [
            try Self.package("big", arena: 9000, wape: 12),
            try Self.package("small", arena: 1000, wape: 11),
        ]
        guard case .run(let package, let reason) = try Self.choose(packages, budget: 9000) else {
            Issue.record("nothing was chosen")
            return
        }
        #expect(package.variant == "small")
        #expect(
            reason
                == "small is the most accurate (WAPE 11.00 %) of 2 of 2 packages that fit: "
                + "arena 1000 of 9000 bytes")
    }

    @Test("Equal accuracy goes to the smaller arena")
    func tie() throws {
        let packages = [
            try Self.package("a", arena: 2000, wape: 11),
            try Self.package("b", arena: 1000, wape: 11),
        ]
        guard case .run(let package, _) = try Self.choose(packages, budget: 9000) else {
            Issue.record("nothing was chosen")
            return
        }
        #expect(package.variant == "b")
    }

    @Test("No fit names the smallest arena and the budget")
    func noFit() throws {
        #expect(
            try Self.choose(Self.sizes(), budget: 999)
                == .noFit(
                    reason: "no package of f fits: the smallest arena is 1000 bytes, the device's "
                        + "model memory budget is 999 bytes"))
    }

    @Test(
        "A package whose features the device lacks is not chosen, and alone is named in the reason")
    func features() throws {
        let old = try Self.package("old", arena: 1000, wape: 12)
        let new = try Self.package(
            "new", arena: 1000, wape: 10, features: ["lstm-int8-v2", "gru-int8-v2"])
        guard case .run(let package, _) = try Self.choose([old, new], budget: 5000) else {
            Issue.record("nothing was chosen")
            return
        }
        #expect(package.variant == "old")
        #expect(
            try Self.choose([new], budget: 5000)
                == .noFit(reason: "every package of f needs what the device lacks: gru-int8-v2"))
    }

    @Test(
        "A store's own packages go before those for any store, which serve stores without",
        arguments: [("1", "own"), ("2", "any")])
    func scope(store: String, expected: String) throws {
        let packages = [
            try Self.package("own", store: "1", arena: 1000, wape: 20),
            try Self.package("any", arena: 1000, wape: 10),
        ]
        guard case .run(let package, _) = try Self.choose(packages, store: store, budget: 5000)
        else {
            Issue.record("nothing was chosen")
            return
        }
        #expect(package.variant == expected)
    }

    @Test("Only the family's newest release counts: a device never goes back")
    func newestRelease() throws {
        let packages = [
            try Self.package("old", release: 3, arena: 1000, wape: 5),
            try Self.package("new", release: 4, arena: 1000, wape: 10),
            try Self.package("other", release: 9, arena: 1000, wape: 1, family: "g"),
        ]
        guard case .run(let package, _) = try Self.choose(packages, budget: 5000) else {
            Issue.record("nothing was chosen")
            return
        }
        #expect(package.variant == "new")
    }

    @Test("A family without packages, and a device that has not registered, say so")
    func nothing() throws {
        #expect(
            try Self.choose([], budget: 1)
                == .noFit(reason: "family f has no package for store 1"))
        #expect(
            VariantChoice.choose(
                family: "f", store: try StoreID("1"), capabilities: nil, among: try Self.sizes())
                == .noFit(reason: "the device has not registered yet: its memory budget is unknown")
        )
    }

    @Test("The newest rollout that selects the device decides")
    func rollouts() throws {
        var device = DeviceRecord(
            id: try DeviceID("d"), store: try StoreID("1"), status: .approved, labels: [], token: 1,
            joinedAt: Timestamp(millisecondsSince1970: 0))
        device.capabilities = Self.capabilities(budget: 5000)
        func rollout(_ id: UInt64, _ family: String, _ selector: String) throws -> RolloutRecord {
            var rollout = RolloutRecord(
                family: family, selector: try Selector(selector),
                createdAt: Timestamp(millisecondsSince1970: 0))
            rollout.id = id
            return rollout
        }
        let rollouts = [
            try rollout(1, "f", "all"), try rollout(3, "g", "store=1"),
            try rollout(4, "h", "store=2"),
        ]
        #expect(VariantChoice.rollout(for: device, among: rollouts)?.family == "g")
        #expect(VariantChoice.rollout(for: device, among: rollouts.dropFirst(2)) == nil)
        let decided = try VariantChoice.decide(for: device, rollouts: rollouts) { family in
            [try Self.package("v-\(family)", arena: 1000, wape: 10, family: family)]
        }
        guard case .run(let package, _) = decided?.choice else {
            Issue.record("nothing was chosen")
            return
        }
        #expect(package.variant == "v-g")
    }
}
