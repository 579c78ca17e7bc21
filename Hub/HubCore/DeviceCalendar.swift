package import Forecasting

/// The part of a store's calendar that its devices are told (SPEC 10.8).
package struct DeviceCalendar: Equatable, Sendable {
    /// As far back as a device that was away is told of totals: its levels follow from the days since its package was made,
    /// or from a checkpoint that is a good deal younger than that.
    package static let excludedDaysBack = StoreContext.catchUpDays
    /// Of holidays and promotions no window of a package reaches further.
    package static let plannedDaysBack = FeatureSpec.windowRange.upperBound
    package static let daysAhead = 28
    /// The bounds move by so many days at once: what leaves it is not told every day.
    package static let blockDays = 28

    package let firstDay: BusinessDay
    package let lastDay: BusinessDay
    /// Ascending by day; at most as many as were allowed.
    package let entries: [StoreCalendar.Entry]

    /// The days that may be spoken of.
    /// - Parameter last: the store's last known day.
    package static func days(
        around last: BusinessDay
    ) -> (first: BusinessDay, firstPlanned: BusinessDay, last: BusinessDay) {
        func block(_ day: BusinessDay) -> BusinessDay {
            BusinessDay(
                daysSince1970: max(0, day.daysSince1970 / Int32(blockDays) * Int32(blockDays)))
        }
        let end = block(last).advanced(by: blockDays + daysAhead - 1)
        return (
            block(last.advanced(by: -excludedDaysBack)),
            block(last.advanced(by: -plannedDaysBack)),
            BusinessDay(
                daysSince1970: min(end.daysSince1970, BusinessDay.storable.upperBound))
        )
    }

    /// - Parameters:
    ///   - calendar: of this store, of these days at least.
    ///   - items: that the store has; nothing is said of others.
    ///   - countMax: where there are more entries, those that take days out stand before others, and then those nearest to
    ///     `last`.
    package init(
        _ calendar: StoreCalendar, items: some Sequence<ItemID>, around last: BusinessDay,
        countMax: Int
    ) {
        let days = Self.days(around: last)
        let known = Set(items)
        (firstDay, lastDay) = (days.first, days.last)
        var chosen: [StoreCalendar.Entry] = []
        for var entry in calendar.entries
        where entry.day >= days.first && entry.day <= days.last
            && entry.item.map(known.contains) != false
        {
            if entry.day < days.firstPlanned { entry.marks.formIntersection(.excluded) }
            if !entry.marks.isEmpty { chosen.append(entry) }
        }
        if chosen.count > countMax {
            func isKept(_ one: StoreCalendar.Entry) -> Int {
                one.marks.isDisjoint(with: .excluded) ? 1 : 0
            }
            // A stable order: the same calendar gives the same choice.
            let order = chosen.indices.sorted { a, b in
                let (one, other) = (chosen[a], chosen[b])
                return (isKept(one), abs(one.day - last), a)
                    < (isKept(other), abs(other.day - last), b)
            }
            chosen = order.prefix(countMax).sorted().map { chosen[$0] }
        }
        entries = chosen
    }
}
