import Foundation
import TestSupport
import Testing

/// A second package of a family, with the real programs: one device first, taken back, and at once.
@Suite("Rolling a second package out") struct RolloutTests {
    private static func states(_ hub: HubUnderTest) throws -> [String] {
        try hub.json("rollout", "show").list(of: "devices").map { try $0["state"].string }
    }

    @Test("comes to one device first, is taken back from it, and comes to all when that is wanted")
    func secondPackage() throws {
        let hub = try HubUnderTest()
        try hub.stock()
        try hub.serve()
        let devices = try (0..<2).map { _ in try DeviceUnderTest(.ordinary, store: "1") }
        for device in devices { try device.join(try hub.token(store: "1")) }
        func releases() throws -> [Double] {
            try devices.map { try Double($0.status()["running"]["release"].number) }
        }
        func sync() throws { for device in devices { try device.command(["sync"]) } }

        // Nothing runs yet: there is nothing to wait for.
        #expect(try hub.command("push", "f", "--all").contains("run nothing yet"))
        try sync()
        #expect(try releases() == [1, 1])
        #expect(try hub.command("push", "f", "--all").contains("nothing was changed: rollout 1"))

        // What is built moves nobody; what is pushed is one device's first.
        try hub.command("package", "build", "f")
        try sync()
        #expect(try releases() == [1, 1])
        let plan = try hub.json("push", "f", "--all", "--dry-run")
        #expect(try plan.list(of: "waves").map { try $0.number } == [1, 1])
        #expect(try hub.json("rollout", "list").list.count == 1)
        #expect(try hub.command("push", "f", "--all").contains("trial 7 business days"))
        try sync()
        try sync()
        let states = try Self.states(hub)
        #expect(states.filter { $0 == "trial" || $0 == "assigned" }.count == 1, "\(states)")
        #expect(states.filter { $0 == "waiting" }.count == 1, "\(states)")
        #expect(try releases() == [1, 1])

        try hub.command("rollout", "abort", "2", "--why", "far off")
        try sync()
        try sync()
        let after = try Self.states(hub)
        #expect(!after.contains("trial") && !after.contains("assigned"), "\(after)")
        #expect(try releases() == [1, 1])
        #expect(try hub.command("rollout", "show").contains("aborted: far off"))

        try hub.command("package", "build", "f")
        try hub.command("push", "f", "--all", "--at-once")
        try sync()
        #expect(try releases() == [3, 3])
        let audit = try hub.json("audit").list.map {
            "\(try $0["action"].string) \(try $0["object"].string)"
        }
        #expect(
            audit.filter { $0.contains("rollout") && !$0.hasPrefix("complete") }
                == ["push rollout 3", "abort rollout 2", "push rollout 2", "push rollout 1"])
    }

    /// What ten items sell in a store: on weekends five times as much as on other days, or the other way round.
    fileprivate static func sales(
        from first: String, days: Int, reversed: Bool, _ line: (String, Int, Int) -> Void
    ) throws {
        let format = Date.ISO8601FormatStyle(timeZone: .gmt).year().month().day()
        let start = try format.parse(first)
        var calendar = Calendar(identifier: .gregorian)
        calendar.timeZone = .gmt
        var random = SeededGenerator(seed: 11)
        for offset in 0..<days {
            let date = start.addingTimeInterval(Double(offset) * 86_400)
            let isBusy = calendar.isDateInWeekend(date) != reversed
            for item in 1...10 {
                let usual = (isBusy ? 50 : 10) + item
                line(
                    date.formatted(format), item,
                    usual + Int.random(in: -usual / 5...usual / 5, using: &random))
            }
        }
    }

    /// Two stores with a device each that run a family which knows its week, and another family, `bad`, that learnt the week
    /// the wrong way round.
    private final class Chain {
        let hub: HubUnderTest
        let devices: [DeviceUnderTest]
        /// A day's sales by its date, as the tills will tell them.
        private var days: [String: String] = [:]
        private var comingDays: ArraySlice<String> = []

        init() throws {
            hub = try HubUnderTest()
            for (family, reversed) in [("bad", true), ("good", false)] {
                var csv = "date,store,item,sales\n"
                try RolloutTests.sales(from: "2023-07-01", days: 366, reversed: reversed) {
                    day, item, units in
                    for store in 1...2 { csv += "\(day),\(store),\(item),\(units)\n" }
                }
                try hub.folder.write("\(family).csv", csv)
                try hub.command("sales", "import", hub.folder.path + "/\(family).csv")
                try hub.command(
                    "train", "--form", "profile", "--units", "2", "--epochs", "1", "--name", family)
            }
            try hub.command("package", "build", "good")
            try hub.serve()
            devices = try (1...2).map { try DeviceUnderTest(.ordinary, store: "\($0)") }
            for device in devices { try device.join(try hub.token(store: device.store)) }
            try hub.command("push", "good", "--all")
            for device in devices { try device.command(["sync"]) }
            try RolloutTests.sales(from: "2024-07-01", days: 40, reversed: false) {
                day, item, units in
                days[day, default: "day,item,units\n"] += "\(day),\(item),\(units)\n"
            }
            comingDays = days.keys.sorted()[...]
        }

        func push(_ family: String) throws {
            try hub.command("package", "build", family)
            try hub.command(
                "push", family, "--all", "--waves", "1,all", "--trial-days", "5",
                "--soak", "0")
        }

        /// Does business until the newest rollout is in one of `states`, within two weeks.
        func trade(until states: String...) throws -> String {
            for _ in 0..<14 {
                guard let day = comingDays.popFirst() else { break }
                for device in devices {
                    try device.command(["sale", "--csv"], input: days[day])
                    try device.command(["close-day", day])
                    for _ in 0..<2 { try device.command(["sync"]) }
                }
                // The hub looks at its rollouts once a second.
                for _ in 0..<3 {
                    let state = try hub.json("rollout", "show")["state"].string
                    if states.contains(state) { return state }
                    usleep(500_000)
                }
            }
            return try hub.command("rollout", "show")
        }

        func families() throws -> [String] {
            try devices.map { try $0.status()["running"]["family"].string }
        }

        /// What an operator reads who follows the newest rollout to its end.
        func watch() throws -> ChildProcess {
            try Program(path: Binaries.hub).start([
                "rollout", "watch", "--timeout", "10m", "--data", hub.data,
            ])
        }
    }

    @Test("ends by itself where it forecasts worse, and a good one comes to everybody")
    func badModel() throws {
        let chain = try Chain()
        let hub = chain.hub
        try chain.push("bad")
        let bad = try chain.watch()
        #expect(try chain.trade(until: "paused", "complete") == "paused")
        #expect(bad.wait().status == 3)
        let shown = try hub.json("rollout", "show")
        let store = try #require(
            try shown.list(of: "stores").first { (try? $0["rolledBackAt"].string) != nil })
        // The device hears of its store's verdict at its next visit, unless it came to the same by itself.
        for device in chain.devices { for _ in 0..<2 { try device.command(["sync"]) } }
        #expect(try chain.families() == ["good", "good"])
        let states = Set(try Self.states(hub))
        #expect(states == ["refused", "waiting"] || states == ["rolled-back", "waiting"])
        try hub.command("rollout", "abort", "2", "--why", "its week is the wrong way round")

        try chain.push("good")
        let good = try chain.watch()
        #expect(try chain.trade(until: "paused", "complete") == "complete")
        #expect(good.wait().status == 0)
        #expect(try chain.devices.map { try $0.status()["running"]["release"].number } == [3, 3])
        let log = try hub.json("audit").list.map {
            "\(try $0["author"].string) \(try $0["action"].string)"
        }
        #expect(log.contains("hub pause") && log.contains("hub open-wave"))

        // The operator's screen has told it all, in this order.
        Self.expect(
            try bad.output(),
            [
                "rollout 2: bad (release 2) to all", "waiting  its wave is not open yet",
                "wave 1 of 2", "  trial  ",
                "store \(try store["store"].string)  rolled-back  WAPE ",
                "significantly worse", "paused: wave 1: 1 ",
            ])
        Self.expect(
            try good.output(),
            [
                "rollout 3: good (release 3) to all", "wave 1 of 2", "  trial  ",
                "  in trial  WAPE ",
                // Whoever looks when the device is there already reads of it before its wave.
                "  active  no worse on 5 compared days", "  trial  ", "wave 2 of 2",
                "  active  no worse on 5 compared days", "2 active",
            ])
    }

    private static func expect(
        _ story: String, _ words: [String], sourceLocation: SourceLocation = #_sourceLocation
    ) {
        var rest = story[...]
        for word in words {
            guard let range = rest.firstRange(of: word) else {
                Issue.record(
                    "no '\(word)' where it belongs:\n\(story)", sourceLocation: sourceLocation)
                return
            }
            rest = rest[range.upperBound...]
        }
        print(story)
    }
}

extension JSON {
    fileprivate func list(of key: String) throws -> [JSON] { try self[key].list }
}
