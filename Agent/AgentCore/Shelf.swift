package import Forecasting

/// How an item is ordered.
package struct OrderRule: Equatable, Sendable {
    package static let leadDaysRange = 0...10
    package static let servicePercentRange = 50...99
    package static let multipleRange = 1...100_000

    /// From the order to the goods on the shelf: what is ordered on a day is there that many days later, before business.
    package var leadDays: Int
    /// How probably the stock is to last until they come.
    package var servicePercent: Int
    /// Units in one package of the supplier's.
    package var multiple: Int

    package init(leadDays: Int = 2, servicePercent: Int = 95, multiple: Int = 1) {
        self.leadDays = leadDays
        self.servicePercent = servicePercent
        self.multiple = multiple
    }
}

/// What to do about an item whose stock runs low.
package struct RestockAlert: Equatable, Sendable {
    package enum Reason: Equatable, Sendable {
        /// There is time: goods ordered by that day come early enough.
        case order
        /// Goods ordered at once may come too late.
        case runOut

        package var name: String { self == .order ? "order" : "run-out" }
    }

    package var reason: Reason
    package var units: Int32
    /// The last day on which the order comes early enough; the first day not closed where none does.
    package var by: BusinessDay
}

/// Goods that have been ordered.
package struct Delivery: Equatable, Sendable {
    /// On the shelf before business on that day.
    package var due: BusinessDay
    package var units: Int64

    package init(due: BusinessDay, units: Int64) {
        self.due = due
        self.units = units
    }
}

/// The stock of one item on the shelf, and the demand that awaits it.
package struct Shelf: Equatable, Sendable {
    /// An alert comes when the order must be made within so many days of the first day not closed, and stays until
    /// there is a day more: forecasts that change from day to day are not to ring twice.
    package static let noticeDays = 2
    /// What is ordered is to last so long from its arrival, as far as forecasts reach.
    package static let orderedDays = 7

    package let item: ItemID
    package var rule: OrderRule
    /// When it was counted.
    package let counted: BusinessDay
    /// The first day that nobody has closed.
    package let today: BusinessDay
    /// Of the days that the store's totals account for.
    package var base: Int64
    /// Sold by this device since, where no total of the store is known yet.
    package var own: Int64
    /// Of it, on the first day not closed.
    package var ownToday: Int64
    /// Of the store's units, what this device usually sees; 0 when unknown.
    package var ownShare: Float
    /// On its way, due after `today`; by day.
    package private(set) var onOrder: [Delivery] = []
    /// Element n − 1: units that the demand of n days from the first one not closed stays within at the service level.
    /// Empty: there is no forecast.
    package private(set) var needs: [Int32] = []
    /// Expected on the first of them.
    private var expectedToday: Int64 = 0
    package private(set) var alert: RestockAlert?

    package init(
        item: ItemID, rule: OrderRule, counted: BusinessDay, today: BusinessDay, base: Int64,
        own: Int64 = 0, ownToday: Int64 = 0, ownShare: Float = 0
    ) {
        self.item = item
        self.rule = rule
        self.counted = counted
        self.today = today
        self.base = base
        self.own = own
        self.ownToday = ownToday
        self.ownShare = ownShare
    }

    /// Units that this device sold, or took back where negative.
    /// - Returns: false for a day that the store's total may account for: then everything is to be made anew.
    package mutating func sell(_ units: Int64, on day: BusinessDay) -> Bool {
        guard day >= counted else { return true }
        guard day >= today else { return false }
        own += units
        if day == today { ownToday += units }
        return true
    }

    /// Takes what has been ordered since the count: from its day on it counts as being there, until the next count.
    /// To be called in the order of days.
    package mutating func expect(_ delivery: Delivery) {
        guard delivery.due > counted else { return }
        if delivery.due > today { onOrder.append(delivery) } else { base += delivery.units }
    }

    /// What was said of the item before this was made anew, so that it is not said again.
    package mutating func carry(_ alert: RestockAlert?) { self.alert = alert }

    /// Never negative: what was sold beyond the stock stated was there after all.
    package var onHand: Int64 { max(0, base - scaledUp(own)) }

    private func scaledUp(_ units: Int64) -> Int64 {
        let scaled = DayBook.scaledUp(Int32(clamping: abs(units)), by: ownShare)
        return units < 0 ? -Int64(scaled) : Int64(scaled)
    }

    /// - Parameters:
    ///   - means: forecasts of the days from `today` on, in units.
    ///   - rate: `DemandSpread.rate`.
    package mutating func expect(
        _ means: [Float], spread: DemandSpread, rate: Double
    ) {
        expectedToday = Int64((means.first ?? 0) + 0.5)
        needs = []
        var sum = 0.0
        for days in 1...max(1, means.count) where days <= means.count {
            sum += Double(means[days - 1])
            needs.append(
                DemandQuantile.units(
                    Double(rule.servicePercent) / 100, mean: sum,
                    variance: spread.variance(ofSum: means[..<days], rate: rate)))
        }
    }

    /// What has to be done now; to be called after anything has changed.
    /// - Returns: whether an alert came, went or has another reason.
    package mutating func decide() -> Bool {
        let before = alert
        alert = nil
        if let reach = reach() {
            let latest = reach - rule.leadDays
            if latest <= (before == nil ? Self.noticeDays : Self.noticeDays + 1),
                reach < needs.count
            {
                let order = max(0, latest)
                let last = min(needs.count, max(1, order + rule.leadDays + Self.orderedDays))
                let first = min(order + rule.leadDays, last - 1)
                let missing = (first..<last).reduce(0) { max($0, lack(on: $1)) }
                let multiple = Int64(rule.multiple)
                // Where only what is on its way can help in time there is nothing to order.
                if missing > 0 {
                    alert = RestockAlert(
                        reason: latest < 0 ? .runOut : .order,
                        units: Int32(clamping: (missing + multiple - 1) / multiple * multiple),
                        by: today.advanced(by: order))
                }
            }
        }
        return before?.reason != alert?.reason
    }

    /// Stock beside the whole first day's demand: of that, what was sold already counts, as far as it was expected.
    private var available: Int64 {
        onHand + min(max(0, scaledUp(ownToday)), expectedToday)
    }

    /// Units that the demand through the day `place` days after the first one not closed exceeds stock and deliveries by;
    /// negative where some are left.
    private func lack(on place: Int) -> Int64 {
        let day = today.advanced(by: place)
        var supply = available
        for delivery in onOrder where delivery.due <= day { supply += delivery.units }
        return Int64(needs[place]) - supply
    }

    /// For how many days the stock lasts at the service level; nil without forecasts.
    private func reach() -> Int? {
        guard !needs.isEmpty else { return nil }
        return needs.indices.first { lack(on: $0) > 0 } ?? needs.count
    }

    /// Where an item's shelf is among shelves that are ascending by item; nil where it is not.
    package static func place(of item: ItemID, in shelves: [Shelf]) -> Int? {
        var (low, high) = (0, shelves.count)
        while low < high {
            let middle = (low + high) / 2
            if shelves[middle].item < item { low = middle + 1 } else { high = middle }
        }
        return low < shelves.count && shelves[low].item == item ? low : nil
    }
}
