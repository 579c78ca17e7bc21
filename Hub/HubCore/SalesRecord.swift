package import Forecasting

/// One row of an import: a whole day's total of one series.
package struct SalesRow: Equatable, Sendable {
    /// As given by the sink for (store, item).
    package var series: Int32
    package var daysSince1970: Int32
    package var units: Int32

    package init(series: Int32, daysSince1970: Int32, units: Int32) {
        self.series = series
        self.daysSince1970 = daysSince1970
        self.units = units
    }
}

/// What one series holds in the ledger.
package struct SeriesSummary: Equatable, Sendable {
    package var store: StoreID
    package var item: ItemID
    package var first: BusinessDay
    package var last: BusinessDay
    /// Days with a total; as many as from first to last means no gap.
    package var knownDays: Int
    package var zeroDays: Int
    package var units: Int64

    package init(
        store: StoreID, item: ItemID, first: BusinessDay, last: BusinessDay, knownDays: Int,
        zeroDays: Int, units: Int64
    ) {
        self.store = store
        self.item = item
        self.first = first
        self.last = last
        self.knownDays = knownDays
        self.zeroDays = zeroDays
        self.units = units
    }

    package var missingDays: Int { last - first + 1 - knownDays }
}

/// One series day by day: index 0 is `firstDay`. A day without a total has nil units; a day on
/// which the whole store sold nothing, or every device said so, is closed.
package struct SeriesHistory: Equatable, Sendable {
    package var store: StoreID
    package var item: ItemID
    package var firstDay: BusinessDay
    package var days: [DemandDay]

    package init(store: StoreID, item: ItemID, firstDay: BusinessDay, days: [DemandDay]) {
        self.store = store
        self.item = item
        self.firstDay = firstDay
        self.days = days
    }
}

/// A store of the chain.
package struct StoreRecord: Hashable, Sendable {
    package var id: StoreID
    /// An IANA name.
    package var timeZone: String
    /// Grows with each change of a day's total that devices may see.
    package var revision: UInt64

    package init(id: StoreID, timeZone: String, revision: UInt64) {
        self.id = id
        self.timeZone = timeZone
        self.revision = revision
    }
}

/// What an import changed.
package struct ImportOutcome: Equatable, Sendable {
    /// Rows written, new or replaced.
    package var rows: Int
    package var stores: Int
    package var series: Int

    package init(rows: Int, stores: Int, series: Int) {
        self.rows = rows
        self.stores = stores
        self.series = series
    }
}
