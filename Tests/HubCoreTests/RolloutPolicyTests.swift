import Forecasting
import Foundation
import HubCore
import Testing

@Suite("A rollout's policy")
struct RolloutPolicyTests {
    @Test(
        "has amounts that are counts or shares, rounded up",
        arguments: [
            ("1", 1, 1), ("3", 10, 3), ("3", 2, 2), ("1000000", 5, 5), ("10%", 50, 5),
            ("10%", 51, 6), ("1%", 3, 1), ("2.5%", 1_000, 25), ("0.01%", 10_000, 1),
            ("0.25%", 401, 2), ("100%", 7, 7), ("all", 7, 7), ("5%", 0, 0),
        ])
    func amounts(text: String, total: Int, expected: Int) throws {
        let amount = try RolloutAmount(text)
        #expect(amount.of(total) == expected)
        #expect(try RolloutAmount(amount.text) == amount)
        #expect(amount.text == (text == "all" ? "100%" : text))
    }

    @Test(
        "refuses what is no amount",
        arguments: [
            "", "0", "-1", "1000001", "0%", "101%", "100.01%", "1.234%", "1.%", ".5%", "+5%", "%",
            "5 %", "half", "ALL", "1e2", "-0.5%",
        ])
    func noAmount(text: String) {
        #expect(throws: RolloutTextError.amount(text)) { try RolloutAmount(text) }
    }

    @Test(
        "has waves, of which a small fleet has fewer",
        arguments: [
            ("3,10%,50%,100%", 100, [3, 7, 40, 50]), ("3,10%,50%,100%", 2, [2]),
            ("3,10%,50%,100%", 20, [3, 7, 10]), ("1%,10%,50%,100%", 5, [1, 2, 2]),
            ("1%,10%,50%,100%", 10_000, [100, 900, 4_000, 5_000]), ("all", 9, [9]),
            ("1,all", 1, [1]), ("all", 0, []), ("5,10,100%", 8, [5, 3]),
        ])
    func waves(text: String, devices: Int, sizes: [Int]) throws {
        let waves = try RolloutWaves(text)
        #expect(waves.sizes(devices: devices) == sizes)
        #expect(try RolloutWaves(waves.text) == waves)
    }

    @Test("has careful waves by itself")
    func careful() throws {
        #expect(try RolloutWaves("1%,10%,50%,100%") == .careful)
        #expect(try RolloutWaves("100%") == .atOnce)
    }

    @Test(
        "refuses waves that leave devices out, do not grow, or are too many",
        arguments: [
            "", ",", "3", "50%", "10%,5%,100%", "3,3,100%", "100%,100%", "3,,100%", "3;100%",
            "5,2,100%", String(repeating: "1,", count: 16) + "100%",
        ])
    func noWaves(text: String) {
        #expect(throws: RolloutTextError.self) { try RolloutWaves(text) }
    }

    @Test(
        "has a window that may pass midnight",
        arguments: [
            ("22:00-05:30", [1_320, 1_439, 0, 329], [330, 1_319, 720]),
            ("09:00-17:00", [540, 1_019], [1_020, 539, 0]),
            ("0:00-23:59", [0, 1_438], [1_439]),
        ])
    func window(text: String, inside: [Int], outside: [Int]) throws {
        let window = try OpeningWindow(text)
        for minute in inside { #expect(window.contains(minute: minute)) }
        for minute in outside { #expect(!window.contains(minute: minute)) }
        #expect(try OpeningWindow(window.text) == window)
    }

    @Test(
        "refuses what is no window",
        arguments: ["", "22:00", "22:00-22:00", "24:00-01:00", "22-05", "22:60-01:00", "1:1-2:2"])
    func noWindow(text: String) {
        #expect(throws: RolloutTextError.window(text)) { try OpeningWindow(text) }
    }

    @Test(
        "fails a wave at its limit, and never at no failure",
        arguments: [
            ("1,2%", 0, 4, 3, 1), ("1,2%", 1, 4, 10, 1), ("1,2%", 3, 4, 500, 10),
            // The only wave is no canary.
            ("1,2%", 0, 1, 500, 10), ("5%", 0, 4, 100, 5), ("5%", 2, 4, 100, 5),
            ("all", 0, 1, 5, 5), ("all", 0, 1, 0, 1),
        ])
    func failures(text: String, wave: Int, of waves: Int, devices: Int, limit: Int) throws {
        let failures = try FailureLimit(text)
        #expect(failures.limit(wave: wave, of: waves, devices: devices) == limit)
        #expect(try FailureLimit(failures.text) == failures)
    }

    @Test("refuses what is no limit", arguments: ["", "1,2%,3%", "0", "1,"])
    func noLimit(text: String) {
        #expect(throws: RolloutTextError.self) { try FailureLimit(text) }
    }

    @Test("is read back as it was kept")
    func coding() throws {
        var policy = RolloutPolicy()
        policy.waves = try RolloutWaves("3,10%,100%")
        policy.failures = try FailureLimit("2,2.5%")
        policy.window = try OpeningWindow("22:00-05:30")
        policy.bytesMax = 65_536
        policy.storeBudget = nil
        let kept = try JSONEncoder().encode(policy)
        #expect(try JSONDecoder().decode(RolloutPolicy.self, from: kept) == policy)
    }

    @Test("says in a line what it does")
    func summary() throws {
        #expect(
            RolloutPolicy().summary
                == "waves 1%,10%,50%,100%; soak 1 business day; trial 7 business days;"
                + " fails at 1,2%; 1 of a store at once")
        #expect(
            RolloutPolicy.atOnce.summary
                == "all devices in one wave; no trial; fails at 100%")
    }
}

@Suite("A rollout's plan")
struct RolloutPlanTests {
    private static func fleet(
        stores: Int, devices: Int, isRunning: (Int) -> Bool = { _ in true }
    ) throws -> [RolloutPlan.Device] {
        try (0..<stores).flatMap { store in
            try (0..<devices).map { device in
                RolloutPlan.Device(
                    id: try DeviceID("d-\(store)-\(device)"), store: try StoreID("\(store)"),
                    isRunning: isRunning(device))
            }
        }
    }

    @Test("is the same whatever order the devices come in, and another for another push")
    func deterministic() throws {
        let fleet = try Self.fleet(stores: 20, devices: 5)
        let plan = RolloutPlan(.careful, devices: fleet, key: 1)
        #expect(RolloutPlan(.careful, devices: fleet.reversed(), key: 1) == plan)
        #expect(RolloutPlan(.careful, devices: fleet, key: 2) != plan)
        #expect(plan.waves.map(\.count) == [1, 9, 40, 50])
        #expect(Set(plan.waves.joined()) == Set(fleet.map(\.id)))
    }

    /// As the hashes of `RolloutPlan`, computed by a few lines of Python, order them.
    @Test("gives the same draw on every machine")
    func golden() throws {
        let plan = RolloutPlan(
            try RolloutWaves("2,4,all"), devices: try Self.fleet(stores: 3, devices: 2),
            key: RolloutPlan.key(family: "f", release: 7, selector: try Selector("store=0,1,2")))
        #expect(
            plan.waves.map { $0.map(\.text) }
                == [["d-0-1", "d-2-0"], ["d-1-1", "d-0-0"], ["d-2-1", "d-1-0"]])
    }

    @Test("takes one device of each store before a second of any")
    func spread() throws {
        let fleet = try Self.fleet(stores: 40, devices: 5)
        let stores = Dictionary(uniqueKeysWithValues: fleet.map { ($0.id, $0.store) })
        let plan = RolloutPlan(try RolloutWaves("40,80,all"), devices: fleet, key: 9)
        for wave in plan.waves.prefix(2) {
            #expect(Set(wave.compactMap { stores[$0] }).count == 40)
        }
    }

    @Test("has canaries that run something to be compared with")
    func comparable() throws {
        let fleet = try Self.fleet(stores: 10, devices: 4) { $0 == 3 }
        let plan = RolloutPlan(try RolloutWaves("10,all"), devices: fleet, key: 3)
        #expect(plan.waves[0].allSatisfy { $0.text.hasSuffix("-3") })
    }

    @Test("draws every device about as often into the first wave")
    func fair() throws {
        let fleet = try Self.fleet(stores: 10, devices: 1)
        var times: [DeviceID: Int] = [:]
        for key in 0..<2_000 {
            let plan = RolloutPlan(
                try RolloutWaves("1,all"), devices: fleet, key: UInt64(key) &* 0x9E37_79B9_7F4A_7C15
            )
            times[plan.waves[0][0], default: 0] += 1
        }
        // 200 expected, standard deviation 13.4.
        for device in fleet { #expect((140...260).contains(times[device.id] ?? 0)) }
    }

    @Test("of nobody has no wave")
    func empty() {
        #expect(RolloutPlan(.careful, devices: [], key: 1).waves.isEmpty)
    }
}
