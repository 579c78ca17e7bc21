package import Forecasting
package import HubCore

/// Whether a store's weekly accuracy got worse, two weeks in a row, than it has been since its model changed last.
package struct AccuracyWatch: Equatable, Sendable {
    package struct Limits: Equatable, Sendable {
        /// Weeks to compare with.
        package var weeksMin = 4
        package var weeksMax = 26
        /// A week with fewer days that have figures says nothing.
        package var daysMin = 4
        /// So many robust deviations worse than the median week.
        package var deviations = 3.0
        /// And by so much of the median WAPE.
        package var wapeShare = 0.1
        /// And by so much value added, a fraction.
        package var valueAdded = 0.05

        package init() {}
    }

    package struct Decline: Equatable, Sendable {
        /// Monday of the first of the two weeks.
        package var since: BusinessDay
        /// Of the week before last and of the last.
        package var weeks: [Double]
        /// Of the weeks before, their median.
        package var usual: Double
    }

    /// WAPE as a fraction, higher than usual.
    package private(set) var wape: Decline?
    /// Value added over the seasonal naive as a fraction, lower than usual.
    package private(set) var valueAdded: Decline?

    private struct Week {
        var monday: Int32
        var days = 0
        var actual = 0.0
        var error = 0.0
        var comparableError = 0.0
        var naiveError = 0.0
    }

    /// - Parameter days: of one model, ascending.
    package init(_ days: [WatchedDay], limits: Limits = Limits()) {
        var weeks: [Week] = []
        for day in days where day.z != nil {
            // Day 0 was a Thursday.
            let monday = (day.day.daysSince1970 + 3) / 7 * 7 - 3
            if weeks.last?.monday != monday { weeks.append(Week(monday: monday)) }
            let last = weeks.count - 1
            weeks[last].days += 1
            weeks[last].actual += day.actualUnits
            weeks[last].error += day.absoluteErrorUnits
            weeks[last].comparableError += day.comparableErrorUnits
            weeks[last].naiveError += day.naiveErrorUnits
        }
        // The last one is over when the next has begun.
        let whole = weeks.dropLast().filter { $0.days >= limits.daysMin }
        wape = Self.decline(
            whole.map { ($0.monday, $0.actual > 0 ? $0.error / $0.actual : nil) },
            limits: limits, sign: 1
        ) { usual in limits.wapeShare * usual }
        valueAdded = Self.decline(
            whole.map {
                ($0.monday, $0.naiveError > 0 ? 1 - $0.comparableError / $0.naiveError : nil)
            }, limits: limits, sign: -1
        ) { _ in limits.valueAdded }
    }

    /// - Parameter sign: 1: higher is worse, −1: lower is.
    private static func decline(
        _ weeks: [(monday: Int32, figure: Double?)], limits: Limits, sign: Double,
        least: (_ usual: Double) -> Double
    ) -> Decline? {
        let known = weeks.compactMap { week in week.figure.map { (week.monday, $0) } }
        guard known.count >= limits.weeksMin + 2 else { return nil }
        let recent = known.suffix(2)
        let before = known.dropLast(2).suffix(limits.weeksMax).map(\.1)
        let usual = DemandReference.median(before)
        let deviation = DemandReference.median(before.map { abs($0 - usual) }) * 1.4826
        // Of few weeks the deviation itself is uncertain.
        let bound = max(
            limits.deviations * deviation * (1 + 2 / Double(before.count)), least(usual))
        guard recent.allSatisfy({ sign * ($0.1 - usual) > bound }) else { return nil }
        return Decline(
            since: BusinessDay(daysSince1970: recent[recent.startIndex].0),
            weeks: recent.map(\.1), usual: usual)
    }
}
