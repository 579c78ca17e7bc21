import Forecasting
import HubCore
import Testing

@Suite("Calendar") struct CalendarTests {
    private static func read(_ text: String) throws -> [CalendarEntry] {
        try CalendarCSVReader.entries(of: Array(text.utf8))
    }

    private static func day(_ text: String) throws -> BusinessDay {
        try #require(BusinessDay(iso8601: Array(text.utf8)))
    }

    @Test("Rows in any order of columns, quoted or not, with or without names")
    func reads() throws {
        let entries = try Self.read(
            "\u{FEFF}Kind,NAME,item,store,date,note\r\n"
                + "holiday,\"Easter, Monday\",*,*,2025-04-21,x\r\n\r\n"
                + "Stock-Out,,milk,7,2025-04-22,\n"
                + "closed, moving ,*,7,2025-04-23,\n"
                + "promotion,spring,milk,*,2025-04-22,\n"
                // The same again says nothing new.
                + "Stock-Out,,milk,7,2025-04-22,again")
        #expect(
            entries == [
                CalendarEntry(
                    day: try Self.day("2025-04-21"), store: nil, item: nil, kind: .holiday,
                    name: "Easter, Monday"),
                CalendarEntry(
                    day: try Self.day("2025-04-22"), store: try StoreID("7"),
                    item: try ItemID("milk"), kind: .stockOut),
                CalendarEntry(
                    day: try Self.day("2025-04-23"), store: try StoreID("7"), item: nil,
                    kind: .closed, name: "moving"),
                CalendarEntry(
                    day: try Self.day("2025-04-22"), store: nil, item: try ItemID("milk"),
                    kind: .promotion, name: "spring"),
            ])
        #expect(try Self.read("date,store,item,kind\n") == [])
    }

    @Test(
        "What is wrong is said with its line and column, and nothing of the file is taken",
        arguments: [
            (
                "",
                "line 1: the file is empty; its first line must be a header: date,store,item,kind,name"
            ),
            (
                "day,store,item,kind\n",
                "line 1: it must be a header with date, store, item and kind; missing: date"
            ),
            ("date,store,item,kind,Date\n", "line 1, column date: it occurs twice"),
            (
                "date,store,item,kind\n2025-02-29,*,*,holiday\n",
                "line 2, column date: '2025-02-29' is no day as YYYY-MM-DD from 1970 to 2199"
            ),
            (
                "date,store,item,kind\n\n2025-02-28,*,*,hollyday\n",
                "line 3, column kind: 'hollyday' is none of holiday, promotion, closed, stock-out"
            ),
            (
                "date,store,item,kind\n2025-02-28,a b,*,holiday\n",
                "line 2, column store: 'a b' is neither * nor 1 to 32 printable ASCII characters without"
                    + " space, comma, quote or backslash"
            ),
            (
                "date,store,item,kind\n2025-02-28,*,,promotion\n",
                "line 2, column item: '' is neither * nor 1 to 32 printable ASCII characters without"
                    + " space, comma, quote or backslash"
            ),
            (
                "date,store,item,kind\n2025-02-28,*,3,closed\n",
                "line 2, column item: a store is closed for all of its items: put * here"
            ),
            ("date,store,item,kind\n2025-02-28,*,3\n", "line 2: 3 fields instead of 4"),
            (
                "date,store,item,kind\n2025-02-28,\"*,3,closed\n",
                "line 2: field 2 begins with a quote and does not end with one"
            ),
            (
                "date,store,item,kind,name\n2025-02-28,*,*,holiday,a\n2025-02-28,*,*,holiday,b\n",
                "line 3, column name: 'b' is 'a' on line 2"
            ),
            (
                "date,store,item,kind,name\n2025-02-28,*,*,holiday,\u{1}\n",
                "line 2, column name: it has more than 64 bytes, or is not printable"
            ),
        ])
    func refuses(text: String, message: String) throws {
        let error = #expect(throws: CalendarCSVError.self) { try Self.read(text) }
        #expect(error?.description == message)
    }

    @Test(
        "Closed days and stock-outs say nothing of demand, holidays and promotions leave it alone")
    func excluded() throws {
        let (store, milk, bread) = (try StoreID("1"), try ItemID("milk"), try ItemID("bread"))
        let day = try Self.day("2025-04-21")
        func entry(
            _ offset: Int, _ kind: CalendarEntry.Kind, _ item: ItemID?, _ store: StoreID?
        ) -> CalendarEntry {
            CalendarEntry(day: day.advanced(by: offset), store: store, item: item, kind: kind)
        }
        let calendar = StoreCalendar(
            [
                entry(0, .closed, nil, store), entry(1, .stockOut, milk, nil),
                entry(2, .stockOut, nil, store), entry(3, .holiday, nil, nil),
                entry(3, .promotion, milk, nil), entry(4, .closed, nil, try StoreID("2")),
            ], store: store)
        let sold = DemandDay(units: 5)
        func demand(_ offset: Int, _ item: ItemID) -> DemandDay {
            calendar.demand(sold, of: item, on: day.advanced(by: offset))
        }
        let (festive, promoted) = (
            DemandDay(units: 5, marks: .holiday),
            DemandDay(units: 5, marks: [.holiday, .promotion])
        )
        #expect((0...4).map { demand($0, milk) } == [.closed, .unknown, .unknown, promoted, sold])
        #expect((0...4).map { demand($0, bread) } == [.closed, sold, .unknown, festive, sold])
        #expect(!calendar.isEmpty)
        #expect(StoreCalendar([entry(4, .closed, nil, try StoreID("2"))], store: store).isEmpty)
    }

    @Test("A sample's calendar names exactly the days that are closed, out of stock and promoted")
    func sample() throws {
        let sample = SalesSample(
            storeCount: 3, itemCount: 4, firstDay: try Self.day("2024-01-01"), dayCount: 400,
            seed: 2)
        var bytes: [UInt8] = []
        sample.writeCalendar { bytes += $0 }
        let entries = Set(try CalendarCSVReader.entries(of: bytes))
        var counts: [CalendarEntry.Kind: Int] = [:]
        for entry in entries { counts[entry.kind, default: 0] += 1 }
        for store in 1...3 {
            let storeID = try StoreID("\(store)")
            for item in 1...4 {
                let itemID = try ItemID("\(item)")
                for row in sample.rows(store: store, item: item) {
                    func has(
                        _ store: StoreID?, _ item: ItemID?, _ kind: CalendarEntry.Kind
                    ) -> Bool {
                        entries.contains(
                            CalendarEntry(day: row.day, store: store, item: item, kind: kind))
                    }
                    #expect(has(storeID, nil, .closed) == row.isClosed)
                    #expect(has(nil, itemID, .promotion) == row.isPromoted)
                    #expect(
                        has(storeID, itemID, .stockOut) == (row.isOutOfStock && !row.isClosed))
                }
            }
        }
        #expect(counts[.closed] ?? 0 > 50 && counts[.stockOut] ?? 0 > 5)
        #expect(counts[.promotion] ?? 0 > 20 && counts[.holiday] == nil)
    }
}
