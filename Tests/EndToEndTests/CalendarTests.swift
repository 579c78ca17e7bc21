import Foundation
import TestSupport
import Testing

/// The hub's calendar on a device, with the real programs.
@Suite("The calendar on devices") struct CalendarTests {
    /// The sample ends the day before.
    private static let firstDay = Date(timeIntervalSince1970: 1_719_792_000)  // 2024-07-01
    private static let format = Date.ISO8601FormatStyle(timeZone: .gmt).year().month().day()

    private static func day(_ offset: Int) -> String {
        firstDay.addingTimeInterval(Double(offset - 1) * 86_400).formatted(format)
    }

    /// Every item sells 30 units a day, and item 1 nothing on days 4 to 8.
    private static func trade(_ devices: [DeviceUnderTest], days: some Sequence<Int>) throws {
        for offset in days {
            for device in devices {
                var csv = "day,item,units\n"
                for item in 1...3 where item != 1 || !(4...8).contains(offset) {
                    csv += "\(day(offset)),\(item),30\n"
                }
                try device.command(["sale", "--csv"], input: csv)
                try device.command(["close-day", day(offset)])
                for _ in 0..<2 { try device.command(["sync"]) }
            }
        }
    }

    private struct Forecast: Equatable {
        var day: String
        var units: Double
    }

    private static func forecast(_ item: Int, of device: DeviceUnderTest) throws -> Forecast {
        let line = try #require(
            try device.forecasts()["forecasts"].list.first { try $0["item"].string == "\(item)" })
        return Forecast(day: try line["day"].string, units: try line["units"].number)
    }

    @Test(
        "A stock-out leaves a device's level alone, a closed day ahead is not forecast, and the hub makes every forecast again",
        arguments: Binaries.Agent.native)
    func heeds(agent: Binaries.Agent) throws {
        let hub = try HubUnderTest()
        try hub.stock(stores: 2)
        try hub.serve()
        let devices = try (1...2).map { try DeviceUnderTest(agent, store: "\($0)") }
        for device in devices { try device.join(try hub.token(store: device.store)) }
        try hub.command("push", "f", "--all")
        for device in devices { try device.command(["sync"]) }
        try Self.trade(devices, days: 1...9)
        let (told, untold) = (devices[0], devices[1])
        let before = try (1...3).map { try Self.forecast($0, of: told) }
        #expect(before[0].day == Self.day(10))
        #expect(try told.status()["calendar"].isNull)
        let other = try (1...3).map { try Self.forecast($0, of: untold) }

        var calendar = "date,store,item,kind,name\n"
        for offset in 4...8 { calendar += "\(Self.day(offset)),1,1,stock-out,\n" }
        calendar +=
            "\(Self.day(10)),1,*,closed,stocktaking\n\(Self.day(11)),1,*,closed,stocktaking\n"
        calendar += "\(Self.day(12)),1,2,promotion,summer\n"
        try hub.folder.write("calendar.csv", calendar)
        try hub.command("calendar", "import", hub.folder.path + "/calendar.csv")
        for device in devices { try device.command(["sync"]) }

        let after = try (1...3).map { try Self.forecast($0, of: told) }
        #expect(after.allSatisfy { $0.day == Self.day(12) })
        // Zeros that say nothing lie in its level and in its window no more.
        #expect(after[0].units > before[0].units * 1.1, "\(before) before, \(after) after")
        #expect(try (1...3).map { try Self.forecast($0, of: untold) } == other)
        let shown = try told.status()["calendar"]
        #expect(try shown["closedDays"].number == 2 && shown["stockOuts"].number == 5)
        #expect(try shown["promotions"].number == 1 && shown["through"].string == Self.day(12))
        #expect(try untold.status()["calendar"].isNull)
        #expect(
            try told.forecasts()["closedDays"].list.map { try $0.string }
                == [Self.day(10), Self.day(11)])
        let text = try told.command(["forecast"]).output
        #expect(text.contains("\(Self.day(10))   closed, by the hub's calendar"))
        #expect(try told.command(["status"]).output.contains("closed days 2, stock-outs 5"))
        #expect(
            try told.command(["doctor"], expecting: nil).output.contains(
                "closed days 2, stock-outs 5, holidays 0, promotions 1"))

        // Nobody closes a day on which nobody is there.
        try Self.trade([told], days: 12...13)
        try Self.trade([untold], days: 10...13)
        let replay = try hub.json("replay")
        #expect(try replay["different"].number == 0 && replay["impossible"].number == 0)
        #expect(try replay["same"].number == 3.0 * (11 + 13))
        #expect(
            try replay["forecasts"].list.allSatisfy {
                try $0["levelFollows"].isNull || $0["levelFollows"].number == 1
            })

        // Taken away again, the days are what they were.
        try hub.command(
            "calendar", "remove", "--from", Self.day(1), "--to", Self.day(20), "--store", "1")
        try told.command(["sync"])
        #expect(try told.status()["calendar"].isNull)
        #expect(try Self.forecast(1, of: told).units < after[0].units)
    }

    @Test(
        "A model trained with promotions forecasts them on the device that was told, and the hub makes every forecast again"
    )
    func promotions() throws {
        let hub = try HubUnderTest()
        let files = hub.folder.path
        try Program(path: Binaries.hub).run([
            "sales", "sample", "--out", files + "/sales.csv", "--calendar", files + "/calendar.csv",
            "--stores", "2", "--items", "6", "--seed", "5", "--from", "2023-01-01", "--to",
            "2024-06-30",
        ])
        try hub.command("sales", "import", files + "/sales.csv", "--strict")
        try hub.command("calendar", "import", files + "/calendar.csv")
        try hub.command(
            "train", "--form", "profile", "--units", "4", "--epochs", "8", "--name", "told")
        try hub.command("package", "build", "told")
        try hub.serve()
        let device = try DeviceUnderTest(.ordinary, store: "1")
        try device.join(try hub.token(store: "1"))
        try hub.command("push", "told", "--all")
        for _ in 0..<2 { try device.command(["sync"]) }
        #expect(try device.status()["running"]["family"].string == "told")
        let plain = try (1...3).map { try Self.forecast($0, of: device) }
        /// Item 2 on the first three days.
        func ahead() throws -> [Forecast] {
            let reply = try JSON(
                try device.command(["forecast", "2", "--days", "3", "--json"]).output)
            return try reply["forecasts"].list.map {
                Forecast(day: try $0["day"].string, units: try $0["units"].number)
            }
        }
        let plainAhead = try ahead()

        try hub.folder.write(
            "ahead.csv",
            "date,store,item,kind\n\(Self.day(1)),1,1,promotion\n\(Self.day(3)),*,2,promotion\n")
        try hub.command("calendar", "import", files + "/ahead.csv")
        try device.command(["sync"])
        let promoted = try (1...3).map { try Self.forecast($0, of: device) }
        #expect(promoted[0].units > 1.15 * plain[0].units, "\(plain) plain, \(promoted) promoted")
        #expect(promoted[1...] == plain[1...])
        // What is planned for the day after tomorrow is known too.
        let promotedAhead = try ahead()
        #expect(promotedAhead.map(\.day) == (1...3).map(Self.day))
        #expect(promotedAhead[..<2] == plainAhead[..<2])
        #expect(promotedAhead[2].units > 1.15 * plainAhead[2].units)

        try Self.trade([device], days: 1...4)
        let replay = try hub.json("replay")
        #expect(try replay["different"].number == 0 && replay["impossible"].number == 0)
        #expect(try replay["same"].number == 6.0 * 4)
        // The uncompressed network sees the same promotions.
        try hub.command("report", "replay")
        let chain = try hub.json("report")["chain"]
        #expect(try chain["replayedForecasts"].number == 6.0 * 4)
        #expect(try abs(chain["compressionCostPoints"].number) < 1)

        // Its networks cannot be compressed on sales of which nobody says any more which were promoted.
        try hub.command(
            "calendar", "remove", "--kind", "promotion", "--from", "2023-01-01", "--to",
            "2024-12-31")
        let refused = try Program(path: Binaries.hub).run(
            ["compress", "run", "told", "--recipe", "finetune epochs=1", "--data", hub.data],
            expecting: 3)
        #expect(refused.errors.contains("the networks of told see promotion, of which"))
    }
}
