import AgentCore
import AgentRuntime
import Forecasting
import JSONText
import ModelPackage
import SyncProtocol
import Testing

@Suite("The store's calendar on a device")
struct CalendarTests {
    let folder = TemporaryFolder()
    let hub = TestHub()

    init() { hub.enrol(folder) }

    /// Of item 1 and every item, by days after the package's as-of day.
    private static func calendar(
        closed: [Int] = [], stockOuts: [Int] = [], promotions: [Int] = []
    ) -> CalendarOfStore {
        let first = TestPackage.asOf.daysSince1970 - 100
        func entries(_ offsets: [Int], _ place: UInt32, _ marks: DayMarks) -> [CalendarOfStore
            .Entry]
        {
            offsets.map {
                CalendarOfStore.Entry(
                    day: TestPackage.day($0).daysSince1970, place: place, marks: marks.rawValue)
            }
        }
        return CalendarOfStore(
            firstDay: first, days: 200, items: ["1"],
            entries: entries(closed, 0, .closed) + entries(stockOuts, 1, .stockOut)
                + entries(promotions, 1, .promotion))
    }

    private func start() throws -> AgentService {
        let service = try AgentService.start(folder)
        try hub.offer(try TestPackage.model(release: 1).encode(), release: 1)
        try hub.visit(service)
        return service
    }

    /// The stored forecasts of a day, by item.
    private func units(_ service: AgentService, _ offset: Int) throws -> [Float] {
        try service.store.storedForecasts(of: TestPackage.day(offset))
            .map { $0.forecast.prediction.units }
    }

    @Test("keeps a level over a stock-out; without it the level follows the zeros")
    func stockOut() throws {
        let before: [Float]
        do {
            let service = try start()
            for offset in 1...3 {
                try service.sell(2, of: "2", on: TestPackage.day(offset))
                _ = try service.close(TestPackage.day(offset), isClosedAllDay: false)
            }
            before = try units(service, 4)
            #expect(before[0] < 6)
            hub.calendar = Self.calendar(stockOuts: [1, 2, 3])
            try hub.visit(service)
            let told = try units(service, 4)
            // Item 1 is as it was on the first day; the others are as they were.
            #expect(told[0] > 9 && told[1] == before[1] && told[2] == before[2])
            let stored = try service.store.storedForecasts(of: TestPackage.day(4))
            #expect(stored[0].forecast.basis?.level == 10)
            // Once: it is the same from now on.
            let sent = hub.calendarsSent
            for _ in 0..<3 { try hub.visit(service) }
            #expect(sent == 1 && hub.calendarsSent == 1)
        }
        // It is kept over a restart, until the hub says otherwise.
        let again = try AgentService.start(folder)
        #expect(try again.store.calendar().entries.count == 3)
        hub.calendar = CalendarOfStore()
        try hub.visit(again)
        #expect(try again.store.calendar().isEmpty)
        #expect(try units(again, 4) == before)
    }

    @Test("a hub that knows none leaves everything as it was")
    func oldHub() throws {
        let service = try start()
        hub.isOld = true
        hub.calendar = Self.calendar(closed: [1])
        try hub.visit(service)
        #expect(hub.calendarsSent == 0)
        #expect(try service.store.calendar().isEmpty)
        #expect(try units(service, 1).count == 3)
    }

    @Test("forecasts nothing for a closed day, and the next open one instead")
    func closedAhead() throws {
        hub.calendar = Self.calendar(closed: [2, 3, 6])
        let service = try start()
        try service.sell(4, of: "1", on: TestPackage.day(1))
        let closing = try service.close(TestPackage.day(1), isClosedAllDay: false)
        #expect(closing.next == TestPackage.day(4) && closing.nextForecasts == 3)
        #expect(try units(service, 2).isEmpty)
        func ask(_ line: String) throws -> JSONValue {
            service.reply(to: try LocalRequest(line: [UInt8](line.utf8)))
        }
        func days(_ reply: JSONValue) -> [JSONValue?] {
            if case .array(let list)? = reply["forecasts"] { list.map { $0["day"] } } else { [] }
        }
        func closed(_ reply: JSONValue) -> [JSONValue] {
            if case .array(let list)? = reply["closedDays"] { list } else { [] }
        }
        func text(_ offset: Int) -> JSONValue { .string(TestPackage.day(offset).iso8601) }
        var reply = try ask(#"{"do":"forecast","item":"1"}"#)
        #expect(days(reply) == [text(4)] && closed(reply) == [text(2), text(3)])
        reply = try ask(#"{"do":"forecast","item":"1","days":7}"#)
        #expect(days(reply) == [4, 5, 7, 8].map { text($0) })
        #expect(closed(reply) == [text(2), text(3), text(6)])
        if case .array(let list)? = reply["forecasts"] {
            #expect(list.map { $0["daysAhead"] } == [1, 2, 3, 4].map { .integer($0) })
        }
        // Nobody closes the days on which the store is closed: the next close is of day 4.
        #expect(try service.close(TestPackage.day(4), isClosedAllDay: false).forecastsCompared == 3)
        try hub.visit(service)
        #expect(hub.forecasts.map { $0.day } == [1, 1, 1, 4, 4, 4].map { 17_000 + $0 })
        let level = try #require(hub.forecasts.first { $0.day == 17_004 && $0.item == "1" })
        let package = Crypto.sha256(try TestPackage.model(release: 1).encode())
        #expect(level.levelUnits == 10 + 0.25 * (4 - 10))
        #expect(
            level.inputsDigest
                == ForecastInputs.digest(
                    package: package, level: level.levelUnits,
                    recentDays: [DemandDay](repeating: .unknown, count: 11)
                        + [DemandDay(units: 4), .closed, .closed], targetMarks: [],
                    planned: []))
    }

    @Test("what is sold on a day that is taken out goes up, and comes off the shelf, all the same")
    func sales() throws {
        hub.calendar = Self.calendar(closed: [1], stockOuts: [2])
        let service = try start()
        for offset in 1...2 {
            try service.sell(7, of: "1", on: TestPackage.day(offset))
            _ = try service.close(TestPackage.day(offset), isClosedAllDay: false)
        }
        hub.contexts = [
            Context(
                revision: 5, items: ["1"],
                days: (1...2).map {
                    StoreDay(
                        day: TestPackage.day($0).daysSince1970, final: true,
                        sold: [ItemDay(itemIndex: 0, units: 9)])
                })
        ]
        try hub.visit(service)
        #expect(hub.sold == ["17001 1": 7, "17002 1": 7])
        #expect(
            hub.forecasts.map { "\($0.day) \($0.item) \($0.actualUnits)" } == [
                "17002 1 7", "17002 2 0", "17002 3 0",
            ])
        let book = try service.store.book(from: TestPackage.day(1), through: TestPackage.day(2))
        #expect(book.total(of: try ItemID("1"), on: TestPackage.day(2)) == DemandDay(units: 9))
        #expect(
            try service.store.storedForecasts(of: TestPackage.day(3))[0].forecast.basis?.level == 10
        )
    }

    @Test("is told by status and doctor, and forgotten with the hub")
    func told() throws {
        let service = try start()
        #expect(try service.status()["calendar"] == .null)
        hub.calendar = Self.calendar(closed: [2], stockOuts: [1, 3], promotions: [4])
        try hub.visit(service)
        let shown = try service.status()["calendar"]
        let text =
            "closed days 1, stock-outs 2, holidays 0, promotions 1; from "
            + TestPackage.day(1).iso8601 + " through " + TestPackage.day(4).iso8601
        #expect(shown?["text"] == .string(text))
        #expect(shown?["stockOuts"] == .integer(2))
        try service.store.forgetHub()
        #expect(try service.store.calendar().isEmpty)
    }

    @Test("costs one row, and none while it stays the same")
    func writes() throws {
        let service = try start()
        hub.calendar = Self.calendar(closed: [2], stockOuts: Array(10...60), promotions: [70])
        try hub.visit(service)
        let rows = try service.store.database.first(
            "SELECT count(*), length(value) FROM setting WHERE name = 'calendar'", columns: 2)
        #expect(rows?[0].integer == 1)
        #expect((rows?[1].integer ?? .max) < 80)
        // What cannot be read any more is asked for again.
        try service.store.set(.calendar, .blob([0xFF]))
        #expect(try service.store.calendar().isEmpty)
        try hub.visit(service)
        #expect(hub.calendarsSent == 2)
        #expect(try service.store.calendar().entries.count == 53)
    }
}
