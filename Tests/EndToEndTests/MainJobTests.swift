import Foundation
import TestSupport
import Testing

/// Sales in, model trained, packed, pushed, run on devices, sales and error back, report: with the real programs,
/// over TLS on loopback.
@Suite struct MainJobTests {
    @Test(
        "The report equals a calculation made from the CSV alone",
        arguments: Binaries.Agent.native)
    func mainJob(agent: Binaries.Agent) throws {
        try Self.mainJob(agent: agent, replayDays: 12)
    }

    /// - Parameter replayDays: days of business; the first three may go by before every device forecasts.
    static func mainJob(agent: Binaries.Agent, replayDays: Int) throws {
        let folder = try TemporaryFolder()
        let sample = folder.path + "/sales.csv"
        try Program(path: Binaries.hub).run([
            "sales", "sample", "--out", sample, "--stores", "2", "--items", "5", "--seed", "11",
            "--from", "2023-06-01", "--to", "2024-12-31",
        ])
        let ledger = Ledger(csv: try folder.read("sales.csv"))
        let replayed = Array(ledger.days.suffix(replayDays))
        try folder.write("history.csv", ledger.csv(days: ledger.days.dropLast(replayDays)))

        let hub = try HubUnderTest()
        try hub.command("sales", "import", folder.path + "/history.csv", "--strict")
        try hub.command(
            "train", "--form", "profile", "--units", "6,4,2", "--epochs", "3", "--name", "e2e")
        try hub.command("package", "build", "e2e")
        let pages = try hub.servePages()

        // Store 1: three devices, one of them with room for no model. Store 2: one. Two of them are of a region each.
        let devices = [
            try DeviceUnderTest(agent, store: "1"),
            try DeviceUnderTest(agent, store: "1", budget: "900"),
            try DeviceUnderTest(agent, store: "1", budget: "200"),
            try DeviceUnderTest(agent, store: "2"),
        ]
        for (device, region) in zip(devices, ["north", nil, nil, "south"]) {
            try device.join(try hub.token(store: device.store, region: region))
        }
        for device in devices { try device.command(["sync"]) }
        try hub.command("push", "e2e", "--all")
        for device in devices { try device.command(["sync"]) }

        try proof(of: devices[0], on: hub)

        let smallBudget = try devices[1].status()
        #expect(try smallBudget["running"]["arenaBytes"].number <= 900)
        let starved = try devices[2].status()
        #expect(try starved["running"].isNull)
        #expect(try starved["desire"].string == "no-fit")
        #expect(
            try starved["desireReason"].string.contains("200 bytes"), "the reason names the budget")
        let refusal = try devices[2].command(["forecast"], expecting: 3)
        #expect(refusal.errors.contains("the smallest arena is"), "the device says why too")

        var promises: [Promise] = []
        for day in replayed {
            for device in devices where device !== devices[2] {
                let name = try device.status()["device"].string
                for forecast in try device.forecasts()["forecasts"].list {
                    let target = try forecast["day"].string
                    guard target == day else { continue }
                    promises.append(
                        Promise(
                            device: name,
                            cell: .init(
                                day: target, store: device.store, item: try forecast["item"].string),
                            units: try forecast["units"].number))
                }
            }
            // Every unit is sold at exactly one device of its store.
            for store in ledger.stores {
                let counters = devices.filter { $0.store == store }
                let open = ledger.items.contains {
                    (ledger.sales[.init(day: day, store: store, item: $0)] ?? 0) > 0
                }
                for (number, device) in counters.enumerated() {
                    var csv = "day,item,units,ref\n"
                    for item in ledger.items {
                        let units = ledger.sales[.init(day: day, store: store, item: item)] ?? 0
                        let mine =
                            units / counters.count + (number < units % counters.count ? 1 : 0)
                        if mine > 0 { csv += "\(day),\(item),\(mine),\(day)-\(item)\n" }
                    }
                    try device.command(["sale", "--csv"], input: csv)
                    try device.command(["close-day", day] + (open ? [] : ["--closed"]))
                }
            }
            for _ in 0..<2 { for device in devices { try device.command(["sync"]) } }
        }

        // A store without business on a day has no actual: its forecasts are not compared.
        let closed = replayed.flatMap { day in
            ledger.stores.filter { store in
                ledger.items.allSatisfy {
                    (ledger.sales[.init(day: day, store: store, item: $0)] ?? 0) == 0
                }
            }.map { "\($0)/\(day)" }
        }
        let counted = promises.filter { !closed.contains("\($0.cell.store)/\($0.cell.day)") }
        #expect(counted.count >= 3 * 5 * (replayDays - 3))

        let report = try hub.json("report")
        let table = try hub.command("report")
        for line in try report["stores"].list {
            let store = try line["store"].string
            try compare(
                line, name: store,
                Figures(counted.filter { $0.cell.store == store }, ledger: ledger), table)
        }
        try compare(report["chain"], name: "chain", Figures(counted, ledger: ledger), table)
        try everyView(of: hub, pages: pages)
        try compression(on: hub, forecasts: counted.count)
        try replay(on: hub, forecasts: promises.count)
    }

    /// The package at work is proved and timed on demand, and the hub knows what it takes there.
    private static func proof(of device: DeviceUnderTest, on hub: HubUnderTest) throws {
        let running = try device.status()["running"]
        let proved = try JSON(
            try device.command(["selftest", "--kernels", "all", "--json"]).output)
        #expect(try proved["package"]["digest"].string == running["digest"].string)
        #expect(try proved["package"]["goldenVectors"].number > 0)
        #expect(try device.command(["selftest"]).output.contains("golden vectors"))

        let timed = try JSON(try device.command(["benchmark", "--json"]).output)["package"]
        #expect(try timed["digest"].string == running["digest"].string)
        #expect(try timed["arenaBytes"].number == running["arenaBytes"].number)
        #expect(try device.command(["benchmark"]).output.contains("a forecast, "))

        let name = try device.status()["device"].string
        let measured = try hub.json("device", "show", name)["device"]["capabilities"]["measured"]
        let known = try #require(try measured["packages"].list.first)
        #expect(try known["digest"].string == running["digest"].string)
        #expect(try known["nanoseconds"].number > 0 && known["batchNanoseconds"].number > 0)
        #expect(try known["arenaBytes"].number == running["arenaBytes"].number)
        #expect(try measured["peakMemoryBytes"].number > 1_048_576)
        // What it measured counts when time is limited.
        func push(_ limit: String) throws -> JSON {
            try #require(
                try hub.json(
                    "push", "e2e", "--to", "device=\(name)", "--max-latency", limit, "--dry-run")[
                        "devices"
                    ].list.first)
        }
        let enough = try push("\(Int(try known["nanoseconds"].number))ns")
        #expect(try enough["digest"].string == running["digest"].string)
        #expect(try enough["reason"].string.hasSuffix("a forecast: measured on the device"))
        #expect(try push("1ns")["reason"].string.hasSuffix("at most 1 ns a forecast is allowed"))
        let shown = try hub.command("device", "show", name)
        #expect(shown.contains("LSTM-64") && shown.contains("its package"), "\(shown)")
    }

    /// Every view of several selections, in every form and on the pages, is what a plain calculation makes of the raw tables,
    /// and so it stays when the sums are made anew.
    private static func everyView(of hub: HubUnderTest, pages: String) throws {
        let password = "correct horse battery"
        try hub.command("user", "add", "manager", "--role", "operator")
        try Program(path: Binaries.hub).run(
            ["user", "password", "manager", "--data", hub.data], input: password + "\n")
        let script = URL(filePath: #filePath).deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent()
            .appending(path: "Scripts/check_report.py").path
        func check() throws {
            let told = try Program(path: "/usr/bin/python3").run(
                [script, Binaries.hub, hub.data, pages, "manager", password], expecting: nil,
                secondsMax: 600)
            #expect(told.status == 0, "\(told.output)\(told.errors)")
            #expect(told.output.contains(" pages), from "), "\(told.output)")
        }
        try check()
        let before = try hub.command("report", "--by", "item", "--json")
        let rebuilt = try hub.json("report", "rebuild")
        #expect(try rebuilt["forecasts"].number > 0)
        #expect(try rebuilt["replayedForecasts"].number > 0)
        #expect(try hub.command("report", "--by", "item", "--json") == before)

        // The same figures as CSV, and on the page.
        let csv = try hub.command("report", "--by", "store", "--csv").split(separator: "\r\n")
        let line = try #require(try hub.json("report")["stores"].list.first)
        #expect(csv[0].hasPrefix("store,firstDay,lastDay,forecasts,wapePercent,"))
        // Reading JSON may round the last digit.
        let fields = csv[1].split(separator: ",", omittingEmptySubsequences: false)
        let shown = try #require(Double(fields[4]))
        #expect(abs(shown - (try line["wapePercent"].number)) < 1e-9)
        let page = try hub.command("report", "--html", "-")
        let wape = String(format: "%.2f", try hub.json("report")["chain"]["wapePercent"].number)
        #expect(page.contains("<dd>\(wape) %</dd>") && page.contains("of sales days received"))
        #expect(
            !page.contains("http://") && !page.contains("https://") && !page.contains("<script"))
    }

    /// Every forecast that is compared has been replayed by the uncompressed model, and INT8 costs little.
    private static func compression(on hub: HubUnderTest, forecasts: Int) throws {
        let report = try hub.json("report")
        let chain = try report["chain"]
        #expect(try Int(chain["replayedForecasts"].number) == forecasts)
        #expect(try abs(chain["replayedWapePercent"].number - chain["wapePercent"].number) < 1e-9)
        let cost = try chain["compressionCostPoints"].number
        #expect(abs(cost) < 0.5)
        // What rounds to nothing has no sign.
        let points = String(format: "%.2f", abs(cost) < 0.005 ? 0 : cost)
        let said = "uncompressed: compression costs \(points) points"
        #expect(try report["compression"].string.hasSuffix(said))
        #expect(try hub.command("report").contains(said))
        #expect(try hub.json("report", "replay")["forecasts"].number == 0)
    }

    /// The hub makes every uploaded forecast again and gets the same integer; of one that was changed it says so.
    private static func replay(on hub: HubUnderTest, forecasts: Int) throws {
        let honest = try hub.json("replay")
        let told = try hub.command("replay")
        #expect(try Int(honest["same"].number) == forecasts, "\(told)")
        #expect(try honest["different"].number == 0 && honest["impossible"].number == 0)
        for forecast in try honest["forecasts"].list {
            #expect(try forecast["result"].string == "same")
            #expect(try forecast["levelFollows"].number == 1, "of \(forecast.value)")
        }
        let changed = try honest["forecasts"].list[7]
        try Program(path: "/usr/bin/python3").run([
            "-c",
            """
            import sqlite3, sys
            hub = sqlite3.connect(sys.argv[1])
            hub.execute(\"""
                UPDATE forecast SET networkOutput = networkOutput + 1
                WHERE deviceID = (SELECT id FROM device WHERE name = ?)
                    AND itemID = (SELECT id FROM item WHERE name = ?)
                    AND day = unixepoch(?) / 86400\""", sys.argv[2:])
            assert hub.total_changes == 1
            hub.commit()
            """, hub.data + "/hub.sqlite", try changed["device"].string,
            try changed["item"].string, try changed["day"].string,
        ])
        let table = try hub.command("replay", expecting: 1)
        let line = try #require(table.split(separator: "\n").dropFirst().first)
        let found = try "\(Int(changed["networkOutput"].number)) here"
        #expect(line.hasPrefix(try changed["device"].string) && line.contains(" different "))
        #expect(line.contains(found))
        #expect(table.contains("\(forecasts) forecasts: \(forecasts - 1) the same, 1 different"))
    }

    /// - Parameter table: the report as a person reads it; its line for `name` shows the same figures.
    private static func compare(_ line: JSON, name: String, _ expected: Figures, _ table: String)
        throws
    {
        #expect(try Int(line["forecasts"].number) == expected.forecasts, "forecasts of \(name)")
        #expect(try Int(line["excludedZeroActuals"].number) == expected.excludedZeros)
        #expect(try abs(line["coveragePercent"].number - 100) < 1e-9)
        for (figure, value) in [
            ("wapePercent", expected.wape), ("biasPercent", expected.bias),
            ("mapePercent", expected.mape),
        ] {
            #expect(try abs(line[figure].number - value) < 1e-4, "\(figure) of \(name): \(value)")
        }
        #expect(try abs(line["valueAdded"].number * 100 - expected.valueAdded) < 1e-4)
        let row = try #require(table.split(separator: "\n").first { $0.hasPrefix(name + " ") })
        let shown = row.split(separator: " ").map(String.init)
        let digits = [expected.wape, expected.bias, expected.mape].map {
            String(format: "%.2f", $0)
        }
        #expect(Array(shown[2...4]) == digits, "store \(name) as shown")
        #expect(shown[5] == "\(expected.excludedZeros)")
        #expect(shown[6] == String(format: "%.2f", expected.valueAdded))
    }
}
