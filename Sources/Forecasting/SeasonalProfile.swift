/// How demand differs by weekday and month: factors around 1, multiplied together.
package struct SeasonalProfile: Equatable, Sendable {
    package static let weekdays = 7
    package static let months = 12
    /// Bounds of one factor: a slow item's empty weekday must not make a division explode.
    package static let factorRange: ClosedRange<Float> = 0.125...8

    /// Monday first.
    package var weekday: [Float]
    /// January first.
    package var month: [Float]

    /// - Precondition: 7 and 12 factors.
    package init(weekday: [Float], month: [Float]) {
        precondition(weekday.count == Self.weekdays && month.count == Self.months)
        self.weekday = weekday
        self.month = month
    }

    /// No season at all.
    package static var flat: SeasonalProfile {
        SeasonalProfile(
            weekday: [Float](repeating: 1, count: weekdays),
            month: [Float](repeating: 1, count: months))
    }

    package func factor(on day: BusinessDay) -> Float {
        weekday[day.weekday] * month[day.month - 1]
    }
}
