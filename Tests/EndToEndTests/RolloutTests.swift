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
        let folder = try TemporaryFolder()
        try Program(path: Binaries.hub).run([
            "sales", "sample", "--out", folder.path + "/sales.csv", "--stores", "1", "--items", "3",
            "--seed", "5", "--from", "2023-06-01", "--to", "2024-06-30",
        ])
        let hub = try HubUnderTest()
        try hub.command("sales", "import", folder.path + "/sales.csv", "--strict")
        try hub.command(
            "train", "--form", "profile", "--units", "2", "--epochs", "1", "--name", "f")
        try hub.command("package", "build", "f")
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
    private static func sales(
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

    @Test("ends by itself where it forecasts worse, and a good one comes to everybody")
    func badModel() throws {
        let folder = try TemporaryFolder()
        let hub = try HubUnderTest()
        // A family that learnt the week the wrong way round, and one that knows better.
        for (family, reversed) in [("bad", true), ("good", false)] {
            var csv = "date,store,item,sales\n"
            try Self.sales(from: "2023-07-01", days: 366, reversed: reversed) { day, item, units in
                for store in 1...2 { csv += "\(day),\(store),\(item),\(units)\n" }
            }
            try folder.write("\(family).csv", csv)
            try hub.command("sales", "import", folder.path + "/\(family).csv")
            try hub.command(
                "train", "--form", "profile", "--units", "2", "--epochs", "1", "--name", family)
        }
        try hub.command("package", "build", "good")
        try hub.serve()
        let devices = try (1...2).map { try DeviceUnderTest(.ordinary, store: "\($0)") }
        for device in devices { try device.join(try hub.token(store: device.store)) }
        try hub.command("push", "good", "--all")
        for device in devices { try device.command(["sync"]) }

        var days: [String: String] = [:]
        try Self.sales(from: "2024-07-01", days: 40, reversed: false) { day, item, units in
            days[day, default: "day,item,units\n"] += "\(day),\(item),\(units)\n"
        }
        var comingDays = days.keys.sorted()[...]
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

        try hub.command("package", "build", "bad")
        let careful = ["--waves", "1,all", "--trial-days", "5", "--soak", "0"]
        func push(_ family: String) throws {
            try Program(path: Binaries.hub).run(
                ["push", family, "--all"] + careful + ["--data", hub.data])
        }
        try push("bad")
        #expect(try trade(until: "paused", "complete") == "paused")
        #expect(try families() == ["good", "good"])
        let story = try hub.command("rollout", "show")
        #expect(story.contains("1 refused of 1 device"), "\(story)")
        #expect(try Self.states(hub).filter { $0 == "waiting" }.count == 1, "\(story)")
        try hub.command("rollout", "abort", "2", "--why", "its week is the wrong way round")

        try hub.command("package", "build", "good")
        try push("good")
        let end = try trade(until: "paused", "complete")
        #expect(end == "complete", "\(end)")
        #expect(try devices.map { try $0.status()["running"]["release"].number } == [3, 3])
        let log = try hub.json("audit").list.map {
            "\(try $0["author"].string) \(try $0["action"].string)"
        }
        #expect(log.contains("hub pause") && log.contains("hub open-wave"))
    }
}

extension JSON {
    fileprivate func list(of key: String) throws -> [JSON] { try self[key].list }
}
