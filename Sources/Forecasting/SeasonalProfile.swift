/// How demand differs by weekday, month and date: factors around 1, multiplied together.
package struct SeasonalProfile: Equatable, Sendable {
    package static let weekdays = 7
    package static let months = 12
    /// A profile's numbers: its weekdays', then its months'.
    package static let factors = weekdays + months
    /// Bounds of one factor: a slow item's empty weekday must not make a division explode.
    package static let factorRange: ClosedRange<Float> = 0.125...8

    /// Monday first.
    package var weekday: [Float]
    /// January first.
    package var month: [Float]
    /// The same for all profiles of a model.
    package var calendar: DemandCalendar

    /// - Precondition: 7 and 12 factors.
    package init(weekday: [Float], month: [Float], calendar: DemandCalendar = .flat) {
        precondition(weekday.count == Self.weekdays && month.count == Self.months)
        self.weekday = weekday
        self.month = month
        self.calendar = calendar
    }

    /// No season at all.
    package static var flat: SeasonalProfile {
        SeasonalProfile(
            weekday: [Float](repeating: 1, count: weekdays),
            month: [Float](repeating: 1, count: months))
    }

    /// The season's share of a day's demand; 0 where the calendar has the shops closed, else above 0.
    package func factor(on day: BusinessDay) -> Float {
        weekday[day.weekday] * month[day.month - 1] * calendar.factor(on: day)
    }
}
