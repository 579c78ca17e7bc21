import Forecasting
import Testing

@Suite("Special days and days of the month")
struct DemandCalendarTests {
    private static func day(_ year: Int, _ month: Int, _ day: Int) -> BusinessDay {
        BusinessDay(year: year, month: month, day: day)!
    }

    private static let named: [(day: BusinessDay, rule: AnnualRule)] = [
        (day(2014, 12, 25), AnnualRule(month: 12, dayOfMonth: 25)),
        (day(2016, 2, 29), AnnualRule(month: 2, dayOfMonth: 29)),
        // The first Monday in September, the fourth Thursday in November, the last Monday in May
        (day(2015, 9, 7), AnnualRule(month: 9, weekday: 0, place: 0)),
        (day(2015, 11, 26), AnnualRule(month: 11, weekday: 3, place: 3)),
        (day(2015, 5, 25), AnnualRule(month: 5, weekday: 0, place: 5)),
        (day(2016, 5, 30), AnnualRule(month: 5, weekday: 0, place: 5)),
        // A fifth one is also the last
        (day(2016, 5, 30), AnnualRule(month: 5, weekday: 0, place: 4)),
        (day(2015, 12, 31), AnnualRule(month: 12, weekday: 3, place: 5)),
    ]

    @Test("A rule names its day in every year", arguments: named.indices)
    func rules(row: Int) {
        let (day, rule) = Self.named[row]
        let calendar = DemandCalendar(specialDays: [SpecialDay(rule: rule, factor: 2)])
        #expect(calendar.factor(on: day) == 2)
        #expect(calendar.factor(on: day.advanced(by: 1)) == 1)
        #expect(calendar.factor(on: day.advanced(by: -7)) == 1)
        #expect(AnnualRule(code: rule.code) == rule)
    }

    @Test("In every year each rule names at most one day, and each day two rules or three")
    func oncePerYear() {
        var days: [AnnualRule: Int] = [:]
        for offset in 0..<366 {
            let rules = AnnualRule.matching(Self.day(2016, 1, 1).advanced(by: offset))
            for rule in [rules.date, rules.place, rules.last].compactMap({ $0 }) {
                days[rule, default: 0] += 1
                #expect(AnnualRule.codes.contains(rule.code))
            }
        }
        #expect(days.values.allSatisfy { $0 == 1 })
        #expect(days.count == 366 + 366 + 84)
        #expect(AnnualRule(code: AnnualRule.codes.upperBound + 1) == nil)
    }

    @Test("Factors of a day multiply")
    func factors() {
        let calendar = DemandCalendar(
            dayOfMonth: (1...31).map { $0 == 25 ? 0.5 : 1 },
            specialDays: [
                SpecialDay(rule: AnnualRule(month: 12, dayOfMonth: 25), factor: 3),
                SpecialDay(rule: AnnualRule(month: 12, weekday: 3, place: 5), factor: 7),
            ])
        #expect(calendar.factor(on: Self.day(2014, 12, 25)) == 10.5)  // a Thursday, the last
        #expect(calendar.factor(on: Self.day(2015, 12, 25)) == 1.5)
        #expect(calendar.factor(on: Self.day(2015, 11, 25)) == 0.5)
        #expect(calendar.factor(on: Self.day(2015, 11, 24)) == 1)
        #expect(DemandCalendar.flat.isFlat && !calendar.isFlat)
    }

    @Test("On a day that is closed every year nothing is forecast and nothing learnt")
    func closed() {
        let christmas = Self.day(2016, 12, 25)
        let profile = SeasonalProfile(
            weekday: SeasonalProfile.flat.weekday, month: SeasonalProfile.flat.month,
            calendar: DemandCalendar(specialDays: [
                SpecialDay(rule: AnnualRule(month: 12, dayOfMonth: 25), factor: 0)
            ]))
        let spec = FeatureSpec(
            form: .profile, window: 2, levelRate: 0.5, inputs: [], output: .logResidual)
        var state = SeriesState(level: 8)
        for units: Int32 in [0, 3] {
            state.close(
                day: christmas, demand: DemandDay(units: units), profile: profile, spec: spec)
            #expect(state.level == 8)
            var values: [Float] = [.nan, .nan]
            var span = values.mutableSpan
            FeatureWindow(
                spec: spec, state: state, profile: profile, target: christmas.advanced(by: 1)
            ).write([DemandDay(units: 12), DemandDay(units: units)].span, into: &span)
            #expect(values == [0.5, 0])
        }
        let window = FeatureWindow(spec: spec, state: state, profile: profile, target: christmas)
        for output: Float in [-5, 0, 5, .infinity, .nan] {
            #expect(window.units(networkOutput: output) == 0)
        }
    }
}

@Suite("Demand classes")
struct DemandClassTests {
    private static let rows: [(history: [Double], expected: DemandClass?)] = [
        ([3, 4, 5, 4], .smooth),
        // 4 days, 3 with sales: 1.333 days each, so seldom; 5 and 4 are often
        ([3, 0, 3, 3], .intermittent),
        ([3, 0, 3, 3, 3], .smooth),
        // Mean 4, variance 14.7: 0.92
        ([1, 1, 9, 5], .erratic),
        ([1, 0, 9, 0], .lumpy),
        // Mean 2, variance 2: 0.5; and 0.36
        ([1, 3], .erratic), ([1.15, 2.85], .smooth),
        ([0, 7], .intermittent), ([7], .smooth),
        ([0, 0], nil), ([], nil),
    ]

    @Test("A series is classed by how often and how evenly it sells", arguments: rows.indices)
    func classes(row: Int) {
        #expect(DemandClass(history: Self.rows[row].history) == Self.rows[row].expected)
    }
}
