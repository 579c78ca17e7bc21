package import Forecasting

/// Which forecasts are summed up, and by what.
package struct ReportQuery: Sendable {
    package enum Part: Hashable, Sendable, CaseIterable {
        case store, device, item, release, weekday, day
    }

    package var store: StoreID?
    package var device: DeviceID?
    package var item: ItemID?
    /// Nil: from the first, or to the last.
    package var first: BusinessDay?
    package var last: BusinessDay?
    /// What rows differ in; none: one row for all.
    package var by: Set<Part>

    package init(
        store: StoreID? = nil, device: DeviceID? = nil, item: ItemID? = nil,
        first: BusinessDay? = nil, last: BusinessDay? = nil, by: Set<Part> = []
    ) {
        self.store = store
        self.device = device
        self.item = item
        self.first = first
        self.last = last
        self.by = by
    }
}

/// What a row of sums is of: the parts asked for.
package struct ReportKey: Hashable, Sendable {
    package var store: StoreID?
    package var device: DeviceID?
    package var item: ItemID?
    /// Of the package that forecast.
    package var release: UInt64?
    /// 0 is Monday.
    package var weekday: Int?
    package var day: BusinessDay?

    package init() {}

    /// Nothing but these parts.
    package func of(_ parts: Set<ReportQuery.Part>) -> ReportKey {
        var key = ReportKey()
        for part in parts {
            switch part {
            case .store: key.store = store
            case .device: key.device = device
            case .item: key.item = item
            case .release: key.release = release
            case .weekday: key.weekday = weekday
            case .day: key.day = day
            }
        }
        return key
    }
}

/// The sums of the forecasts of one key.
package struct ReportRow: Equatable, Sendable {
    package var key: ReportKey
    package var sums: ForecastSums
    /// The days of these forecasts, pending or not.
    package var firstDay: BusinessDay
    package var lastDay: BusinessDay

    package init(
        key: ReportKey, sums: ForecastSums, firstDay: BusinessDay, lastDay: BusinessDay
    ) {
        self.key = key
        self.sums = sums
        self.firstDay = firstDay
        self.lastDay = lastDay
    }
}

/// The absolute errors of one item in one store over the days that have a seasonal naive: who was better.
package struct SeriesErrors: Equatable, Sendable {
    package var store: StoreID
    package var item: ItemID
    /// Σ |forecast − actual|, in units.
    package var own: Double
    /// Σ |naive − actual|
    package var naive: Double

    package init(store: StoreID, item: ItemID, own: Double, naive: Double) {
        self.store = store
        self.item = item
        self.own = own
        self.naive = naive
    }

    package var beatsNaive: Bool { own < naive }
}
