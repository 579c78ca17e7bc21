package import Forecasting

/// One item's history in one store: consecutive calendar days from `firstDay` on.
package struct TrainingSeries: Sendable {
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

    /// The day after the last one.
    var endDay: BusinessDay { firstDay.advanced(by: days.count) }
}

/// Why a training run gave no family.
package enum TrainingError: Error, Equatable, Sendable {
    /// No series, or none in which anything was ever sold before the test days.
    case noSales
    case duplicateSeries(store: StoreID, item: ItemID)
    /// More than 50 years between the first day and the last: a date must be wrong.
    case daysApart(Int)
    /// Fewer usable training windows than one batch.
    case tooFewWindows(Int, needed: Int)
    /// A field of the plan is out of its range.
    case plan(field: String)
    /// A field of a request for one network is out of its range, or does not fit the session.
    case request(field: String)
    /// The teacher at `index` cannot teach: it learnt other series, or up to another day, or its output is not
    /// finite.
    case teacher(index: Int)
    /// The loss became infinite or no number: the learning rate is too high for this data.
    case diverged(units: Int, epoch: Int)
    case cancelled
}
