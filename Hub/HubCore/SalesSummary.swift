package import Forecasting

/// What is there: the whole ledger at a glance.
package struct SalesSummary: Equatable, Sendable {
    package struct Store: Equatable, Sendable {
        package var store: StoreID
        package var items: Int
        package var first: BusinessDay
        package var last: BusinessDay
        package var rows: Int
        package var zeroDays: Int
        package var units: Int64
        /// Days missing inside series, between each one's first and last.
        package var missingDays: Int
        /// Series that begin after the store's first day.
        package var lateStarts: Int
        /// Series that end before the store's last day.
        package var earlyEnds: Int
    }

    /// By id.
    package var stores: [Store]
    package var itemCount: Int
    /// Of the series, the ones with days missing inside, most first, then by store and item.
    package var gaps: [SeriesSummary]

    package init(_ series: [SeriesSummary]) {
        var stores: [StoreID: Store] = [:]
        for one in series {
            var store =
                stores[one.store]
                ?? Store(
                    store: one.store, items: 0, first: one.first, last: one.last, rows: 0,
                    zeroDays: 0, units: 0, missingDays: 0, lateStarts: 0, earlyEnds: 0)
            store.items += 1
            store.first = min(store.first, one.first)
            store.last = max(store.last, one.last)
            store.rows += one.knownDays
            store.zeroDays += one.zeroDays
            store.units += one.units
            store.missingDays += one.missingDays
            stores[one.store] = store
        }
        for one in series {
            guard let store = stores[one.store] else { continue }
            if one.first > store.first { stores[one.store]?.lateStarts += 1 }
            if one.last < store.last { stores[one.store]?.earlyEnds += 1 }
        }
        self.stores = stores.values.sorted { $0.store < $1.store }
        itemCount = Set(series.map(\.item)).count
        gaps = series.filter { $0.missingDays > 0 }.sorted {
            if $0.missingDays != $1.missingDays { return $0.missingDays > $1.missingDays }
            return ($0.store, $0.item) < ($1.store, $1.item)
        }
    }

    package var rows: Int { stores.reduce(0) { $0 + $1.rows } }
    package var units: Int64 { stores.reduce(0) { $0 + $1.units } }
    package var missingDays: Int { stores.reduce(0) { $0 + $1.missingDays } }
}
