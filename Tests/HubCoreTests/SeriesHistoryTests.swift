import Forecasting
import HubCore
import Testing

@Suite("Series histories")
struct SeriesHistoryTests {
    private static func assemble(
        _ series: [(String, [(Int32, Int32)])], known: [(Int32, Bool)]
    ) throws -> [SeriesHistory] {
        SeriesHistory.assemble(
            store: try StoreID("1"),
            series: try series.map { item, sold in
                var rows = SeriesHistory.Rows(item: try ItemID(item))
                rows.sold = sold.map { .init(daysSince1970: $0.0, units: $0.1) }
                return rows
            }, knownDays: known.map { .init(daysSince1970: $0.0, closedByDevices: $0.1) })
    }

    @Test("A series runs from its first row to the store's last known day")
    func span() throws {
        let histories = try Self.assemble(
            [("10", [(12, 3)]), ("2", [(10, 1), (11, 2)])],
            known: [(10, false), (11, false), (12, false), (13, false)])
        #expect(histories.map(\.item.text) == ["2", "10"])
        #expect(histories.map(\.firstDay.daysSince1970) == [10, 12])
        // Imported days: a row that is not there is not known, but a day without any sale is
        // closed.
        #expect(
            histories[0].days == [
                DemandDay(units: 1), DemandDay(units: 2), .unknown, .closed,
            ])
    }

    @Test("On a day that devices closed, an item without a row sold nothing")
    func closedByDevices() throws {
        let histories = try Self.assemble(
            [("1", [(10, 4)]), ("2", [(10, 1), (11, 5)])], known: [(10, true), (11, true)])
        #expect(histories[0].days == [DemandDay(units: 4), DemandDay(units: 0)])
    }

    @Test("A known day on which the whole store sold nothing is closed, rows of 0 or not")
    func closedStore() throws {
        let histories = try Self.assemble(
            [("1", [(10, 4), (11, 0)]), ("2", [(10, 0), (11, 0)])],
            known: [(10, false), (11, false)])
        #expect(histories[0].days.map(\.isOpen) == [true, false])
        #expect(histories[1].days == [DemandDay(units: 0), DemandDay(units: 0, isOpen: false)])
    }

    @Test("A day that is still open everywhere is left out, whatever was sold on it so far")
    func openDay() throws {
        let histories = try Self.assemble(
            [("1", [(10, 4), (11, 9)]), ("2", [(11, 1)])], known: [(10, true)])
        #expect(histories.count == 1)
        #expect(histories[0].days == [DemandDay(units: 4)])
        #expect(try Self.assemble([("1", [(11, 9)])], known: []).isEmpty)
    }

    @Test("The summary counts what is missing inside series, late starts and early ends")
    func summary() throws {
        func series(_ item: String, _ first: Int32, _ last: Int32, known: Int) throws
            -> SeriesSummary
        {
            SeriesSummary(
                store: try StoreID("1"), item: try ItemID(item),
                first: BusinessDay(daysSince1970: first), last: BusinessDay(daysSince1970: last),
                knownDays: known, zeroDays: 1, units: 100)
        }
        let summary = SalesSummary([
            try series("1", 0, 99, known: 100), try series("2", 10, 99, known: 85),
            try series("3", 0, 49, known: 48),
        ])
        let store = try #require(summary.stores.first)
        #expect(store.items == 3 && store.rows == 233 && store.missingDays == 7)
        #expect(store.lateStarts == 1 && store.earlyEnds == 1 && store.zeroDays == 3)
        #expect(summary.gaps.map(\.item.text) == ["2", "3"])
        #expect(summary.units == 300 && summary.itemCount == 3)
    }
}
