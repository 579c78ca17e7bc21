import Foundation
import TestSupport
import Testing

/// Models that are trained anew, with the real programs: nothing to gain is refused, a store that shifts is repaired by
/// canary, and what is cut off is not used.
@Suite("Autopilot") struct AutopilotTests {
    /// Two stores with a device each that run the family `first`.
    private final class Chain {
        let hub: HubUnderTest
        private(set) var devices: [DeviceUnderTest] = []
        private var random = SeededGenerator(seed: 17)
        private static let firstDay = Date(timeIntervalSince1970: 1_688_169_600)  // 2023-07-01
        private static let importedDays = 366
        private static let format = Date.ISO8601FormatStyle(timeZone: .gmt).year().month().day()
        /// Days traded so far.
        private(set) var traded = 0

        init() throws {
            hub = try HubUnderTest()
            var csv = "date,store,item,sales\n"
            for offset in 0..<Self.importedDays {
                for store in 1...2 {
                    for item in 1...10 {
                        csv += "\(Self.day(offset)),\(store),\(item),\(units(offset, item))\n"
                    }
                }
            }
            try hub.folder.write("sales.csv", csv)
            try hub.command("sales", "import", hub.folder.path + "/sales.csv")
            try hub.command(
                "train", "--form", "profile", "--units", "2", "--epochs", "3", "--name", "first")
            try hub.command("package", "build", "first")
            try hub.serve()
            devices = try (1...2).map { try DeviceUnderTest(.ordinary, store: "\($0)") }
            for device in devices { try device.join(try hub.token(store: device.store)) }
            try hub.command("push", "first", "--all")
            for device in devices { try device.command(["sync"]) }
        }

        static func day(_ offset: Int) -> String {
            firstDay.addingTimeInterval(Double(offset) * 86_400).formatted(format)
        }

        /// The day that is traded as the `offset`th.
        func tradedDay(_ offset: Int) -> String { Self.day(Self.importedDays + offset) }

        /// On weekends five times as much as on other days. 2023-07-01 was a Saturday.
        private func units(_ offset: Int, _ item: Int, times factor: Double = 1) -> Int {
            let usual = Double((offset % 7 < 2 ? 50 : 10) + item) * factor
            return Int((usual * Double.random(in: 0.8...1.2, using: &random)).rounded())
        }

        func trade(days: Int, factors: [Double] = [1, 1]) throws {
            for _ in 0..<days {
                let day = tradedDay(traded)
                for (device, factor) in zip(devices, factors) {
                    var csv = "day,item,units\n"
                    for item in 1...10 {
                        let sold = units(Self.importedDays + traded, item, times: factor)
                        csv += "\(day),\(item),\(sold)\n"
                    }
                    try device.command(["sale", "--csv"], input: csv)
                    try device.command(["close-day", day])
                    for _ in 0..<2 { try device.command(["sync"]) }
                }
                traded += 1
            }
        }

        func families() throws -> [String] {
            try devices.map { try $0.status()["running"]["family"].string }
        }

        /// WAPE of store 2 on one traded day.
        func wape(onDay offset: Int) throws -> Double {
            let day = tradedDay(offset)
            return try hub.json(
                "report", "--by", "day", "--store", "2", "--from", day, "--to", day
            )["lines"].list[0]["wapePercent"].number
        }
    }

    @Test(
        "Nothing to gain is refused; a store that shifts is repaired by canary, and the other keeps its accuracy"
    )
    func repairs() throws {
        let chain = try Chain()
        let hub = chain.hub
        try chain.trade(days: 7)

        // Trained on the same demand: no better, and nothing is changed.
        let refused = try hub.command("autopilot", "run", "--mode", "on")
        #expect(refused.contains("verdict: refused: WAPE"))
        #expect(refused.contains("not better by 1 %"))
        // A network that hardly learns is worse, and the figures say where.
        let worse = try hub.command(
            "autopilot", "run", "--mode", "on", "--recipe", "lstm1 form=plain epochs=1")
        #expect(worse.contains("outcome: refused") && worse.contains("worse in 2 of 2 stores"))
        #expect(try hub.json("rollout", "list").list.count == 1)
        #expect(try hub.json("autopilot", "list").list.count == 2)

        // Store 2 sells nearly twice as much from now on.
        let since = chain.tradedDay(chain.traded)
        try chain.trade(days: 14, factors: [1, 1.8])
        let drifting = try chain.wape(onDay: chain.traded - 1)
        let advised = try hub.json("autopilot", "run", "--drift", "2=\(since)")
        #expect(try advised["outcome"].string == "advised")
        #expect(try advised["why"].string.contains("shelfcast-hub push auto-3 --all"))
        #expect(try hub.json("rollout", "list").list.count == 1)

        try hub.command(
            "autopilot", "mode", "on", "--waves", "1,all", "--trial-days", "4", "--soak", "0")
        let begun = try hub.json("autopilot", "run", "--drift", "2=\(since)")
        #expect(try begun["stage"].string == "rollingOut")
        #expect(try begun["rollout"].number == 2)
        let stores = try begun["stores"].list
        #expect(try stores[1]["finding"].string == "better")
        #expect(try stores[1]["driftsSince"].string == since)
        #expect(try begun["data"]["uploadedTotals"].number == 2 * 10 * 21)
        // One at a time.
        let second = try hub.command("autopilot", "run", expecting: 3)
        #expect(second.isEmpty)

        var outcome = ""
        for _ in 0..<14 where outcome.isEmpty {
            try chain.trade(days: 1, factors: [1, 1.8])
            // The hub looks at its rollouts once a second.
            for _ in 0..<3 where outcome.isEmpty {
                usleep(500_000)
                let run = try hub.json("autopilot", "show", "4")
                if !(try run["outcome"].isNull) { outcome = try run["outcome"].string }
            }
        }
        #expect(outcome == "kept")
        #expect(try chain.families() == ["auto-4", "auto-4"])
        try chain.trade(days: 2, factors: [1, 1.8])
        let repaired = try chain.wape(onDay: chain.traded - 1)
        #expect(drifting > 30 && repaired < 20, "WAPE \(drifting) before, \(repaired) after")

        let shown = try hub.command("autopilot", "show", "4")
        #expect(shown.contains("store 2: kept, WAPE "))
        let audit = try hub.json("audit").list.map {
            "\(try $0["author"].string) \(try $0["action"].string) \(try $0["object"].string)"
        }
        #expect(audit.contains("autopilot push rollout 2"))
        #expect(audit.contains("autopilot kept autopilot run 4"))

        // From sale to package.
        let lineage = try hub.json("model", "lineage", "auto-4")
        #expect(try lineage["origin"].string == "autopilot")
        #expect(try lineage["ancestors"].list.map { try $0.string } == ["first"])
        #expect(try lineage["data"]["lastDay"].string == chain.tradedDay(20))
        #expect(try lineage["networks"].list[0]["parent"].string == "first profile-2")
        #expect(try lineage["autopilotRun"]["run"].number == 4)
        #expect(try lineage["rollouts"].list[0]["state"].string == "complete")
        let digest = try lineage["packages"].list[0]["digest"].string
        let package = try hub.command("model", "lineage", String(digest.prefix(12)))
        #expect(package.contains("package \(digest): profile-2 for any store, release 3"))
        #expect(try hub.json("model", "lineage", "first")["origin"].string == "train")
    }

    @Test("A run that is killed is shown as cut off, and nothing of it is used")
    func cutOff() throws {
        let chain = try Chain()
        let hub = chain.hub
        try chain.trade(days: 2)
        let run = try Program(path: Binaries.hub).start([
            "autopilot", "run", "--recipe", "lstm128 epochs=1000", "--data", hub.data,
        ])
        var stage = ""
        for _ in 0..<600 where stage != "backTesting" {
            usleep(100_000)
            stage = try hub.json("autopilot", "list").list.first?["stage"].string ?? ""
        }
        #expect(stage == "backTesting")
        // One at a time: whoever comes meanwhile is told so, or goes away quietly.
        try hub.command("autopilot", "run", expecting: 75)
        #expect(try hub.command("autopilot", "run", "--if-due").isEmpty)
        run.kill()
        run.wait()
        let shown = try hub.json("autopilot", "list").list
        #expect(try shown[0]["outcome"].string == "cutOff")
        #expect(try shown[0]["why"].string.contains("while it was back-testing"))
        let families = try hub.json("package", "list").list.map { try $0["family"].string }
        #expect(Set(families) == ["first"])
        // The next one runs as if nothing had been.
        #expect(try hub.command("autopilot", "run").contains("run 2, "))
    }

    @Test(
        "A shift that the hub sees by itself makes a run due, for the store that shifted since the day it did"
    )
    func byDrift() throws {
        let chain = try Chain()
        let hub = chain.hub
        try chain.trade(days: 30)
        let since = chain.tradedDay(chain.traded)
        try chain.trade(days: 12, factors: [1, 1.8])
        try hub.command("autopilot", "mode", "advise")
        // Nobody has looked yet.
        #expect(try hub.command("alerts", "check", expecting: nil).contains("store 2"))
        let run = try hub.json("autopilot", "run", "--if-due")
        #expect(try run["trigger"].string == "drift")
        #expect(try run["drifts"].list.map { try $0["store"].string } == ["2"])
        #expect(try run["drifts"].list.map { try $0["since"].string } == [since])
        #expect(try run["outcome"].string == "advised")
        #expect(try hub.command("autopilot", "run", "--if-due").isEmpty)
    }

    @Test("In mode advise the server begins a run that is due, once, and pushes nothing")
    func bySchedule() throws {
        let chain = try Chain()
        let hub = chain.hub
        try chain.trade(days: 2)
        try hub.command("autopilot", "mode", "advise", "--every", "1d")
        // It looks right after its start, and then once a minute.
        hub.kill()
        try hub.serve()
        var runs: [JSON] = []
        for _ in 0..<600 {
            runs = try hub.json("autopilot", "list").list
            if let run = runs.first, !(try run["outcome"].isNull) { break }
            usleep(100_000)
        }
        #expect(runs.count == 1)
        let run = try #require(runs.first)
        #expect(try run["trigger"].string == "schedule")
        #expect(try run["reason"].string.contains("2 days ago; every 1 days is asked for"))
        #expect(try ["refused", "advised"].contains(run["outcome"].string))
        #expect(try hub.json("rollout", "list").list.count == 1)
        // What was decided today is not asked again today.
        #expect(try hub.command("autopilot", "run", "--if-due").isEmpty)
        #expect(try hub.json("autopilot", "list").list.count == 1)
    }

    @Test(
        "What the calendar takes out is in no error and no training, and comes back when it is removed"
    )
    func calendar() throws {
        let chain = try Chain()
        let hub = chain.hub
        try chain.trade(days: 9)
        func forecasts() throws -> (counted: Double, pending: Double) {
            let line = try hub.json("report", "--by", "chain")["lines"].list[0]
            return (try line["forecasts"].number, try line["pendingForecasts"].number)
        }
        let before = try forecasts()
        let (closed, out) = (chain.tradedDay(4), chain.tradedDay(5))
        try hub.folder.write(
            "calendar.csv",
            "date,store,item,kind,name\n\(closed),2,*,closed,stocktaking\n\(out),*,3,stock-out,\n"
                + "\(out),*,*,holiday,Easter\n")
        let file = hub.folder.path + "/calendar.csv"
        #expect(
            try hub.command("calendar", "import", file)
                .contains("3 entries added, 0 renamed, 0 known already"))
        #expect(
            try hub.command("calendar", "import", file)
                .contains("0 entries added, 0 renamed, 3 known already"))
        #expect(try hub.json("calendar", "show", "--store", "1").list.count == 2)
        let after = try forecasts()
        // Ten items of store 2, and one item of both stores.
        #expect(after.pending == before.pending + 12)
        #expect(after.counted == before.counted - 12)
        let run = try hub.json("autopilot", "run", "--recipe", "lstm1 epochs=1")
        #expect(try run["data"]["closedDays"].number == 10)
        #expect(try run["data"]["outOfStockDays"].number == 2)
        let last = try run["folds"].list[3]["errors"]["forecasts"].number
        #expect(last == Double(7 * 20 - 12))

        try hub.folder.write("bad.csv", "date,store,item,kind\n\(closed),2,*,shut\n")
        try hub.command("calendar", "import", hub.folder.path + "/bad.csv", expecting: 3)
        try hub.command("calendar", "remove", "--from", closed, "--to", out)
        #expect(try forecasts() == before)
    }
}
