import Forecasting
import HubCore
import Testing

@Suite("Which package a device should run")
struct VariantChoiceTests {
    private static func package(
        _ variant: String, store: String? = nil, release: UInt64 = 1, arena: Int, wape: Double,
        features: [String] = ["lstm-int8-v2"], family: String = "f", parameters: Int = 10
    ) throws -> PackageRecord {
        PackageRecord(
            digest: Array(repeating: UInt8(truncatingIfNeeded: arena), count: 32), family: family,
            variant: variant, store: try store.map { try StoreID($0) }, release: release,
            packageBytes: 1000, arenaBytes: arena, parameterCount: parameters,
            requiredFeatures: features,
            wape: wape, mape: wape, bias: 0, floatWAPE: wape, floatMAPE: wape,
            createdAt: Timestamp(millisecondsSince1970: 0))
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
                == .noFit(
                    reason:
                        "every package of f needs what the device lacks: gru-int8-v2; a newer agent may have it"
                ))
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

    /// "big" of 16,961 parameters and "small" of 1,169, as the reference networks.
    private static func timed(
        measured: DeviceMeasurement?, int8Microseconds: Int = 0, nanosecondsMax: Int?
    ) throws -> VariantChoice {
        var capabilities = capabilities(budget: 20_000)
        capabilities.measured = measured
        capabilities.int8Microseconds = int8Microseconds
        return VariantChoice.choose(
            family: "f", store: try StoreID("1"), capabilities: capabilities,
            nanosecondsMax: nanosecondsMax,
            among: [
                try package("big", arena: 9000, wape: 10, parameters: 16_961),
                try package("small", arena: 1001, wape: 12, parameters: 1_169),
            ])
    }

    private static func variant(_ choice: VariantChoice) -> String {
        guard case .run(let package, _) = choice else { return choice.reason }
        return package.variant
    }

    private static func measurement(_ packages: [(arena: Int, nanoseconds: Int)])
        -> DeviceMeasurement
    {
        var measured = DeviceMeasurement()
        measured.smallNanoseconds = 2_000
        measured.largeNanoseconds = 20_000
        measured.packages = packages.map { one in
            let digest = [UInt8](repeating: UInt8(truncatingIfNeeded: one.arena), count: 32)
            return .init(
                digest: DeviceMeasurement.text(digest: digest), nanoseconds: one.nanoseconds,
                batchNanoseconds: 0, arenaBytes: 0, nanojoules: nil)
        }
        return measured
    }

    @Test(
        "A package that takes too long is passed over, and what was measured counts before what is assumed",
        arguments: [
            (nil, [], "big"), (20_000, [], "big"), (19_999, [], "small"), (2_000, [], "small"),
            // Faster, and slower, than the reference networks make believe.
            (19_999, [(9000, 15_000)], "big"), (14_999, [(9000, 15_000)], "small"),
            (20_000, [(9000, 20_001)], "small"),
            (20_000, [(9000, 30_000), (1001, 9_000)], "small"),
        ] as [(Int?, [(arena: Int, nanoseconds: Int)], String)])
    func time(
        nanosecondsMax: Int?, measured: [(arena: Int, nanoseconds: Int)], expected: String
    ) throws {
        let choice = try Self.timed(
            measured: Self.measurement(measured), nanosecondsMax: nanosecondsMax)
        #expect(Self.variant(choice) == expected)
    }

    @Test("The reason says how long it takes, and how that is known")
    func timeReasons() throws {
        #expect(
            try Self.timed(measured: Self.measurement([]), nanosecondsMax: 50_000).reason
                == "big is the most accurate (WAPE 10.00 %) of 2 of 2 packages that fit: arena 9000 of "
                + "20000 bytes; at most 50.00 µs a forecast: assumed, not measured yet")
        let both = Self.measurement([(9000, 3_070), (1001, 850)])
        #expect(
            try Self.timed(measured: both, nanosecondsMax: 50_000).reason.hasSuffix(
                "; at most 50.00 µs a forecast: measured on the device"))
        #expect(
            try Self.timed(measured: both, nanosecondsMax: 849)
                == .noFit(
                    reason: "no package of f that fits is fast enough: small takes 850 ns, as the "
                        + "device measured; at most 849 ns a forecast is allowed"))
    }

    @Test(
        "An older agent's one figure is enough to assume; without any nothing is held against a package"
    )
    func timeOfOldAgents() throws {
        #expect(
            Self.variant(
                try Self.timed(measured: nil, int8Microseconds: 85, nanosecondsMax: 85_000))
                == "small")
        #expect(
            Self.variant(
                try Self.timed(measured: nil, int8Microseconds: 85, nanosecondsMax: 84_999)
            ).hasPrefix("no package of f that fits is fast enough"))
        let unknown = try Self.timed(measured: nil, nanosecondsMax: 1)
        #expect(Self.variant(unknown) == "big")
        #expect(unknown.reason.hasSuffix("not known, the device has measured nothing"))
    }
}
