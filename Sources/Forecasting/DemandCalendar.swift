/// What the date does to the demand of every series alike: days of the month, and days that come once a year.
package struct DemandCalendar: Equatable, Sendable {
    package static let daysOfMonth = 31
    package static let specialDaysMax = 24
    /// Bounds of one factor; a special day's may also be 0: the shops are closed.
    package static let factorRange: ClosedRange<Float> = 0.125...8

    /// Factors around 1 from the first on, or none: then one day of the month is like another.
    package var dayOfMonth: [Float]
    /// Where several meet on one day, their factors multiply.
    package var specialDays: [SpecialDay]

    /// - Precondition: 31 factors or none, and no more special days than there may be.
    package init(dayOfMonth: [Float] = [], specialDays: [SpecialDay] = []) {
        precondition(dayOfMonth.isEmpty || dayOfMonth.count == Self.daysOfMonth)
        precondition(specialDays.count <= Self.specialDaysMax)
        self.dayOfMonth = dayOfMonth
        self.specialDays = specialDays
    }

    /// Every day is like another.
    package static var flat: DemandCalendar { DemandCalendar() }

    package var isFlat: Bool { dayOfMonth.isEmpty && specialDays.isEmpty }

    /// 0 on a day on which the shops are closed every year.
    package func factor(on day: BusinessDay) -> Float {
        Self.factor(
            on: day, dayOfMonth: dayOfMonth.isEmpty ? nil : dayOfMonth[day.dayOfMonth - 1],
            specialDays: specialDays.count
        ) { (specialDays[$0].rule.code, specialDays[$0].factor) }
    }

    /// The factor wherever a calendar lies.
    /// - Parameters:
    ///   - dayOfMonth: that day's; nil without such factors.
    ///   - special: by index, in the calendar's order: products of floats depend on it.
    package static func factor(
        on day: BusinessDay, dayOfMonth: Float?, specialDays: Int,
        special: (Int) -> (rule: UInt16, factor: Float)
    ) -> Float {
        var factor = dayOfMonth ?? 1
        guard specialDays > 0 else { return factor }
        let rules = AnnualRule.matching(day)
        for index in 0..<specialDays {
            let (rule, own) = special(index)
            if rule == rules.date.code || rule == rules.place.code || rule == rules.last?.code {
                factor *= own
            }
        }
        return factor
    }
}

/// A day that comes once a year and on which demand is another.
package struct SpecialDay: Equatable, Sendable {
    package var rule: AnnualRule
    package var factor: Float

    package init(rule: AnnualRule, factor: Float) {
        self.rule = rule
        self.factor = factor
    }
}

/// Which day of the year: a date, or a weekday counted within its month.
package struct AnnualRule: Hashable, Comparable, Sendable {
    package static let codes: ClosedRange<UInt16> = 0...875
    /// Of the last such weekday of a month; 0...4 count from the first one on.
    package static let lastPlace = 5
    private static let firstWeekdayCode = 372

    /// 0...371 are dates, `31 · (month − 1) + day of the month − 1`; 372...875 are weekdays,
    /// `372 + 42 · (month − 1) + 6 · weekday + place`, Monday being 0.
    package let code: UInt16

    /// Nil unless `code` is within `codes`.
    package init?(code: UInt16) {
        guard Self.codes.contains(code) else { return nil }
        self.code = code
    }

    /// - Precondition: `month` 1...12, `dayOfMonth` 1...31.
    package init(month: Int, dayOfMonth: Int) {
        precondition((1...12).contains(month) && (1...31).contains(dayOfMonth))
        code = UInt16(31 * (month - 1) + dayOfMonth - 1)
    }

    /// - Precondition: `month` 1...12, `weekday` 0...6, `place` 0...`lastPlace`.
    package init(month: Int, weekday: Int, place: Int) {
        precondition(
            (1...12).contains(month) && (0...6).contains(weekday)
                && (0...Self.lastPlace).contains(place))
        code = UInt16(Self.firstWeekdayCode + 42 * (month - 1) + 6 * weekday + place)
    }

    /// Every rule that names `day`; the last one is nil while another such weekday follows in the month.
    package static func matching(
        _ day: BusinessDay
    ) -> (date: AnnualRule, place: AnnualRule, last: AnnualRule?) {
        let (month, dayOfMonth, weekday) = (day.month, day.dayOfMonth, day.weekday)
        let isLast = day.advanced(by: 7).month != month
        return (
            AnnualRule(month: month, dayOfMonth: dayOfMonth),
            AnnualRule(month: month, weekday: weekday, place: (dayOfMonth - 1) / 7),
            isLast ? AnnualRule(month: month, weekday: weekday, place: lastPlace) : nil
        )
    }

    package static func < (a: AnnualRule, b: AnnualRule) -> Bool { a.code < b.code }
}
