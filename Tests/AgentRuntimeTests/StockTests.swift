import AgentCore
import AgentRuntime
import Forecasting
import JSONText
import ModelPackage
import SyncProtocol
import Testing

@Suite("Goods on the shelf and goods that come back")
struct StockTests {
    let folder = TemporaryFolder()
    let hub = TestHub()
    let service: AgentService
    /// The first day that nobody has closed.
    let day = TestPackage.day(1)

    init() throws {
        hub.enrol(folder)
        service = try AgentService.start(folder)
        try hub.offer(try TestPackage.model(release: 1).encode(), release: 1)
        try hub.visit(service)
        _ = try service.currentShelves()
        _ = service.takeNews()
    }

    @discardableResult
    func ask(_ line: String) throws -> JSONValue { try reply(service, line) }

    func reply(_ service: AgentService, _ line: String) throws -> JSONValue {
        service.reply(to: try LocalRequest(line: [UInt8](line.utf8)))
    }

    func give(_ verb: String, _ units: Int, of item: String = "1", ref: String = "") throws
        -> JSONValue
    {
        try ask(
            #"{"do":"\#(verb)","day":"\#(day.iso8601)","item":"\#(item)","units":\#(units),"ref":"\#(ref)"}"#
        )
    }

    func onHand(_ item: String = "1") throws -> JSONValue? {
        try ask(#"{"do":"stock","item":"\#(item)"}"#)["onHand"]
    }

    @Test(
        "What comes back is off the day's sales, here and on the hub, and never more than was sold")
    func returns() throws {
        _ = try give("sale", 5)
        let first = try give("return", 2)
        #expect(first["recorded"] == .integer(1) && first["uncounted"] == .integer(0))
        #expect(
            try service.store.book(from: day, through: day).ownUnits(of: ItemID("1"), on: day) == 3)
        let second = try give("return", 7)
        #expect(second["recorded"] == .integer(1) && second["uncounted"] == .integer(4))
        #expect(try give("return", 1)["uncounted"] == .integer(1))
        #expect(try give("return", 1, of: "unheard-of")["uncounted"] == .integer(1))
        try hub.visit(service)
        #expect(
            hub.records == [
                .sale(SaleRecord(day: day.daysSince1970, item: "1", units: 5)),
                .returned(SaleRecord(day: day.daysSince1970, item: "1", units: 2)),
                .returned(SaleRecord(day: day.daysSince1970, item: "1", units: 3)),
            ])
        #expect(try service.store.unsentCount() == 0)
        // Nothing is left of the day: it may have been one without business.
        #expect(try service.close(day, isClosedAllDay: true).wasClosedBefore == false)
    }

    @Test("A return with a reference counts once, and is not the sale of that name")
    func references() throws {
        _ = try give("sale", 5, ref: "a")
        #expect(try give("return", 2, ref: "b")["recorded"] == .integer(1))
        #expect(try give("return", 2, ref: "b")["repeated"] == .integer(1))
        #expect(try give("return", 5, ref: "a")["ok"] == .bool(false))
        #expect(try give("sale", 2, ref: "b")["ok"] == .bool(false))
        #expect(
            try service.store.book(from: day, through: day).ownUnits(of: ItemID("1"), on: day) == 3)
    }

    @Test("Stock falls with sales, and rises with returns")
    func onHand() throws {
        _ = try give("sale", 5)
        let stated = try ask(
            #"{"do":"stock","item":"1","units":100,"day":"\#(day.iso8601)","leadDays":3,"multiple":12}"#
        )
        #expect(stated["onHand"] == .integer(100))
        _ = try give("sale", 7)
        #expect(try onHand() == .integer(93))
        // 12 were sold: all of these are off the day, the last only on the shelf.
        _ = try give("return", 13)
        #expect(try onHand() == .integer(106))
        _ = try give("sale", 10)
        #expect(try onHand() == .integer(96))
    }

    @Test("A count outlives a restart, with what has been sold since")
    func restart() throws {
        let other = TemporaryFolder()
        hub.enrol(other)
        do {
            let before = try AgentService.start(other)
            try before.sell(3, of: "1", on: day)
            _ = try reply(
                before,
                #"{"do":"stock","item":"1","units":100,"day":"\#(day.iso8601)","leadDays":3,"multiple":12}"#
            )
            try before.sell(4, of: "1", on: day)
        }
        let asked = try reply(AgentService.start(other), #"{"do":"stock","item":"1"}"#)
        #expect(asked["onHand"] == .integer(96))
        #expect(asked["leadDays"] == .integer(3) && asked["servicePercent"] == .integer(95))
        #expect(asked["multiple"] == .integer(12))
    }

    @Test("The store's totals say what the other devices took from the shelf")
    func storeTotals() throws {
        try ask(#"{"do":"stock","item":"1","units":100,"day":"\#(day.iso8601)"}"#)
        _ = try give("sale", 4)
        _ = try service.close(day, isClosedAllDay: false)
        hub.contexts = [
            Context(
                revision: 5, items: ["1"],
                days: [
                    StoreDay(
                        day: day.daysSince1970, final: true,
                        sold: [ItemDay(itemIndex: 0, units: 30)])
                ])
        ]
        try hub.visit(service)
        #expect(try onHand() == .integer(70))
    }

    @Test("An alert comes once, is in every answer while it stands, and goes when goods come")
    func alerts() throws {
        try ask(#"{"do":"stock","item":"1","units":100,"day":"\#(day.iso8601)"}"#)
        #expect(service.takeNews().isEmpty)
        var said: [Shelf] = []
        for _ in 0..<60 {
            _ = try give("sale", 1)
            for news in service.takeNews() {
                if case .alert(let shelf) = news { said.append(shelf) }
            }
        }
        #expect(said.map { $0.alert?.reason } == [.order])
        let alert = try #require(said.first?.alert)
        #expect(alert.by == TestPackage.day(3))
        // 2016-07-21.
        #expect(
            AgentService.text(try #require(said.first))
                == "order \(alert.units) of item 1 by Thursday, 2016-07-21")
        let shown = try ask(#"{"do":"forecast","item":"1"}"#)["alerts"]
        #expect(try ask(#"{"do":"status"}"#)["alerts"] == shown)
        guard case .array(let list)? = shown, list.count == 1 else {
            Issue.record("no alert is shown: \(String(describing: shown))")
            return
        }
        #expect(list[0]["item"] == .string("1") && list[0]["by"] != nil && list[0]["order"] != nil)
        #expect(try ask(#"{"do":"forecast","item":"2"}"#)["alerts"] == .array([]))
        // A new day with the same shortage is no news.
        _ = try service.close(day, isClosedAllDay: false)
        _ = try service.currentShelves()
        #expect(
            !service.takeNews().contains {
                if case .alert(let shelf) = $0 { shelf.alert?.reason == .order } else { false }
            })
        try ask(#"{"do":"stock","item":"1","units":500,"day":"\#(TestPackage.day(2).iso8601)"}"#)
        let news = service.takeNews()
        #expect(news.count == 1)
        guard case .alert(let well)? = news.first else {
            Issue.record("the end is not said: \(news)")
            return
        }
        #expect(well.alert == nil)
        #expect(try ask(#"{"do":"status"}"#)["alerts"] == .array([]))
    }

    @Test("What has been ordered is not said to be ordered again, and comes on its day")
    func ordered() throws {
        func order(_ units: Int, due: Int? = nil) throws -> JSONValue {
            let due = due.map { #","due":"\#(TestPackage.day($0).iso8601)""# } ?? ""
            return try ask(#"{"do":"ordered","item":"1","units":\#(units)\#(due)}"#)
        }
        func told() -> [String] {
            service.takeNews().compactMap {
                if case .alert(let shelf) = $0 { AgentService.text(shelf) } else { nil }
            }
        }
        try ask(#"{"do":"stock","item":"1","units":40,"day":"\#(day.iso8601)"}"#)
        #expect(told().count == 1)
        let expected = JSONValue.array([
            .object([.init("units", .integer(240)), .init("due", .string("2016-07-21"))])
        ])
        // Two days is the lead time where nobody says another.
        for due in [3, nil] {
            let answer = try order(240, due: due)
            #expect(answer["ok"] == .bool(true) && answer["onOrder"] == expected)
            #expect(answer["onHand"] == .integer(40) && answer["order"] == nil)
        }
        #expect(told() == ["item 1 has enough on its way"])
        #expect(try ask(#"{"do":"status"}"#)["alerts"] == .array([]))
        #expect(try order(0, due: 3)["order"] != nil)
        #expect(told().count == 1)
        _ = try order(240, due: 3)
        for offset in 1...2 {
            _ = try service.close(TestPackage.day(offset), isClosedAllDay: false)
        }
        let there = try ask(#"{"do":"stock","item":"1"}"#)
        #expect(there["onHand"] == .integer(280) && there["onOrder"] == nil)
        // Counted on that day, it is part of the count; what comes later is not.
        _ = try order(24, due: 5)
        let counted = try ask(
            #"{"do":"stock","item":"1","units":250,"day":"\#(TestPackage.day(3).iso8601)"}"#)
        #expect(counted["onHand"] == .integer(250))
        guard case .array(let left)? = counted["onOrder"] else {
            Issue.record("nothing is on order: \(counted)")
            return
        }
        #expect(left.count == 1 && left.first?["units"] == .integer(24))
    }

    @Test("An order that cannot be followed is refused with why, and changes nothing")
    func refusedOrders() throws {
        func refused(_ line: String) throws -> String {
            let answer = try ask(line)
            #expect(answer["ok"] == .bool(false))
            return String(decoding: answer["error"]?.utf8 ?? [], as: UTF8.self)
        }
        #expect(
            try refused(#"{"do":"ordered","item":"1","units":5}"#)
                == "the stock of item 1 has not been counted in the last 60 days: say how many units there are"
        )
        try ask(#"{"do":"stock","item":"1","units":40,"day":"\#(day.iso8601)"}"#)
        let before = try ask(#"{"do":"stock","item":"1"}"#)
        #expect(
            try refused(#"{"do":"ordered","item":"1","units":5,"due":"\#(day.iso8601)"}"#)
                == "the count of \(day.iso8601) has in it what was due by then: count again, or name a later day"
        )
        #expect(
            try refused(#"{"do":"ordered","item":"1","units":5,"due":"2199-12-31"}"#)
                == "2199-12-31 is more than 60 days ahead: say so when it is nearer")
        for offset in 2...9 {
            try ask(
                #"{"do":"ordered","item":"1","units":1,"due":"\#(TestPackage.day(offset).iso8601)"}"#
            )
        }
        #expect(
            try refused(
                #"{"do":"ordered","item":"1","units":1,"due":"\#(TestPackage.day(10).iso8601)"}"#)
                == "deliveries of item 1 on 8 days are followed: count what has come, or put orders together"
        )
        for offset in 2...9 {
            try ask(
                #"{"do":"ordered","item":"1","units":0,"due":"\#(TestPackage.day(offset).iso8601)"}"#
            )
        }
        #expect(try ask(#"{"do":"stock","item":"1"}"#) == before)
    }

    @Test("Orders outlive a restart, and are forgotten with the count")
    func ordersKept() throws {
        let other = TemporaryFolder()
        hub.enrol(other)
        func count(on day: BusinessDay) -> String {
            #"{"do":"stock","item":"1","units":40,"day":"\#(day.iso8601)"}"#
        }
        let late = TestPackage.day(75)
        do {
            let before = try AgentService.start(other)
            _ = try reply(before, count(on: day))
            for offset in 1...20 {
                _ = try before.close(TestPackage.day(offset), isClosedAllDay: false)
            }
            _ = try reply(
                before, #"{"do":"ordered","item":"1","units":24,"due":"\#(late.iso8601)"}"#)
        }
        let after = try AgentService.start(other)
        #expect(
            try reply(after, #"{"do":"stock","item":"1"}"#)["onOrder"]
                == .array([
                    .object([.init("units", .integer(24)), .init("due", .string(late.iso8601))])
                ]))
        for offset in 21...62 {
            _ = try after.close(TestPackage.day(offset), isClosedAllDay: false)
        }
        let anew = try reply(after, count(on: TestPackage.day(62)))
        #expect(anew["ok"] == .bool(true) && anew["onOrder"] == nil)
    }

    @Test(
        "A stock line that says nothing useful is refused with what is wrong",
        arguments: [
            (#"{"do":"stock"}"#, "'item' is missing"),
            (
                #"{"do":"stock","item":"1","leadDays":3}"#,
                "'units' is missing: how many there are on the shelf"
            ),
            (
                #"{"do":"stock","item":"1","units":-1}"#,
                "'units' must be a whole number from 0 to 100000000"
            ),
            (
                #"{"do":"stock","item":"1","units":1,"leadDays":11}"#,
                "'leadDays' must be a whole number from 0 to 10"
            ),
            (
                #"{"do":"stock","item":"1","units":1,"servicePercent":100}"#,
                "'servicePercent' must be a whole number from 50 to 99"
            ),
            (
                #"{"do":"stock","item":"1","units":1,"multiple":0}"#,
                "'multiple' must be a whole number from 1 to 100000"
            ),
            (#"{"do":"ordered","units":1}"#, "'item' is missing"),
            (
                #"{"do":"ordered","item":"1"}"#,
                "'units' is missing: how many have been ordered"
            ),
            (
                #"{"do":"ordered","item":"1","units":1,"due":7}"#,
                "'due' must be a text, YYYY-MM-DD"
            ),
        ])
    func malformed(_ line: String, _ text: String) {
        #expect(throws: LocalRequestError(text)) {
            try LocalRequest(line: [UInt8](line.utf8))
        }
    }

    @Test("An item that nobody has counted has no stock, and a count is forgotten after two months")
    func forgotten() throws {
        #expect(try ask(#"{"do":"stock","item":"1"}"#)["ok"] == .bool(false))
        try ask(#"{"do":"stock","item":"1","units":100,"day":"\#(day.iso8601)"}"#)
        for offset in 1...62 {
            _ = try service.close(TestPackage.day(offset), isClosedAllDay: false)
        }
        #expect(try ask(#"{"do":"stock","item":"1"}"#)["ok"] == .bool(false))
    }
}
