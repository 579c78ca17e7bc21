import Forecasting
import Testing

@Suite("Feature windows")
struct FeatureWindowTests {
    /// 2017-03-01, a Wednesday; the three days before it are Sunday to Tuesday in February.
    private static let target = BusinessDay(year: 2017, month: 3, day: 1)!

    private static let profile = SeasonalProfile(
        weekday: [1, 2, 0.5, 1, 1, 1, 0.25], month: [1, 2, 0.5] + [Float](repeating: 1, count: 9))

    private static func spec(
        _ form: ModelForm, _ output: OutputKind, inputs: FeatureInputs = []
    ) -> FeatureSpec {
        FeatureSpec(form: form, window: 3, levelRate: 0.5, inputs: inputs, output: output)
    }

    private static func values(
        _ spec: FeatureSpec, _ state: SeriesState, _ days: [DemandDay]
    ) -> [Float] {
        var values = [Float](repeating: .nan, count: spec.windowValues)
        var span = values.mutableSpan
        FeatureWindow(spec: spec, state: state, profile: profile, target: target)
            .write(days.span, into: &span)
        return values
    }

    private static let days = [DemandDay(units: 6), DemandDay(units: 12), DemandDay(units: 20)]

    private static let demandRows: [(spec: FeatureSpec, scale: Float, expected: [Float])] = [
        // (units − 10) / 4
        (spec(.plain, .zScore), 4, [-1, 0.5, 2.5]),
        // units / 10 − 1
        (spec(.calendar, .relative), 1, [-0.4, 0.2, 1]),
        // Factors ¼ · 2, 1 · 2, 2 · 2 of Sunday, Monday and Tuesday in February
        (spec(.profile, .logResidual), 1, [0.2, -0.4, -0.5]),
    ]

    @Test("Demand enters as each form says", arguments: demandRows)
    func demand(spec: FeatureSpec, scale: Float, expected: [Float]) {
        let values = Self.values(spec, SeriesState(level: 10, scale: scale), Self.days)
        for (value, wanted) in zip(values, expected) { #expect(abs(value - wanted) < 1e-6) }
    }

    @Test(
        "An unknown or closed day enters as expected, whatever was recorded for it",
        arguments: [.unknown, .closed, DemandDay(units: 0, isOpen: false)] as [DemandDay])
    func neutral(day: DemandDay) {
        for spec in [
            Self.spec(.plain, .zScore), Self.spec(.calendar, .relative),
            Self.spec(.profile, .logResidual),
        ] {
            #expect(Self.values(spec, SeriesState(level: 3), [day, day, day]) == [0, 0, 0])
        }
    }

    @Test("One odd day stays within the range the integer network was made for")
    func held() {
        let days = [DemandDay(units: .max), DemandDay(units: 0), .unknown]
        #expect(
            Self.values(Self.spec(.plain, .zScore), SeriesState(level: 500, scale: 10), days)
                == [4, -4, 0])
    }

    @Test("Context columns describe the day after their row, in the stated order")
    func context() {
        let spec = Self.spec(
            .calendar, .relative,
            inputs: [.weekday, .month, .yearCircle, .levelLogarithm, .persistence])
        #expect(spec.inputWidth == 24)
        let values = Self.values(spec, SeriesState(level: 1, persistence: -0.75), Self.days)
        let weekdays = [0, 1, 2]  // Monday, Tuesday, and Wednesday the target
        let months = [2, 2, 3]
        for row in 0..<3 {
            let columns = Array(values[row * 24 + 1..<(row + 1) * 24])
            #expect(columns[..<7].elementsEqual((0..<7).map { $0 == weekdays[row] ? 1 : 0 }))
            #expect(columns[7..<19].elementsEqual((1...12).map { $0 == months[row] ? 1 : 0 }))
            #expect(abs(columns[19] * columns[19] + columns[20] * columns[20] - 1) < 1e-6)
            #expect(columns[21] == 0)  // ln 1
            #expect(columns[22] == -0.75)
        }
    }

    @Test("Holidays and promotions are flags of the day after their row, the target's at the end")
    func planned() {
        let spec = Self.spec(.profile, .logResidual, inputs: [.persistence, .planned])
        #expect(spec.inputWidth == 4)
        var days = Self.days
        days[0].marks = [.holiday, .promotion]  // describes nothing
        days[1].marks = .holiday
        days[2] = .unknown
        days[2].marks = .promotion
        func columns(_ spec: FeatureSpec, _ marks: DayMarks) -> [[Float]] {
            var values = [Float](repeating: .nan, count: spec.windowValues)
            var span = values.mutableSpan
            FeatureWindow(
                spec: spec, state: SeriesState(level: 2, persistence: 0.5), profile: Self.profile,
                target: Self.target, targetMarks: marks
            ).write(days.span, into: &span)
            return (0..<3).map {
                Array(values[$0 * spec.inputWidth + 1..<($0 + 1) * spec.inputWidth])
            }
        }
        #expect(columns(spec, .planned) == [[0.5, 1, 0], [0.5, 0, 1], [0.5, 1, 1]])
        #expect(columns(spec, []) == [[0.5, 1, 0], [0.5, 0, 1], [0.5, 0, 0]])
        let promotion = Self.spec(.profile, .logResidual, inputs: .promotion)
        #expect(columns(promotion, .planned) == [[0], [1], [1]])
    }

    private static let unitsRows: [(spec: FeatureSpec, output: Float, expected: Float)] = [
        (spec(.plain, .zScore), 0.5, 12),
        (spec(.calendar, .relative), 0.5, 15),
        // 10 · ½ (Wednesday) · ½ (March)
        (spec(.profile, .logResidual), 0, 2.5),
        (spec(.plain, .zScore), -100, 0),
        (spec(.calendar, .relative), -3, 0),
        (spec(.plain, .zScore), .nan, 0),
        (spec(.calendar, .relative), .nan, 0),
        (spec(.plain, .zScore), .infinity, 10_000_000),
    ]

    @Test("The network's output becomes units as each form says", arguments: unitsRows)
    func units(spec: FeatureSpec, output: Float, expected: Float) {
        let window = FeatureWindow(
            spec: spec, state: SeriesState(level: 10, scale: 4), profile: Self.profile,
            target: Self.target)
        #expect(window.units(networkOutput: output) == expected)
    }

    @Test("No output of the network makes a profile forecast infinite or negative")
    func boundedProfile() {
        let window = FeatureWindow(
            spec: Self.spec(.profile, .logResidual), state: SeriesState(level: 1e9),
            profile: Self.profile, target: Self.target)
        for output: Float in [-.infinity, -1e30, 0, 1e30, .infinity, .nan] {
            let units = window.units(networkOutput: output)
            #expect(units >= 0 && units <= 10_000_000)
        }
    }

    private static let refusals: [(spec: FeatureSpec, error: FeatureSpecError)] = {
        let plain = FeatureSpec(
            form: .plain, window: 14, levelRate: 0, inputs: [], output: .zScore)
        func changed(_ change: (inout FeatureSpec) -> Void) -> FeatureSpec {
            var spec = plain
            change(&spec)
            return spec
        }
        return [
            (changed { $0.window = 0 }, .window(0)),
            (changed { $0.window = 65 }, .window(65)),
            (changed { $0.levelRate = .nan }, .levelRate),
            (changed { $0.levelRate = 1.5 }, .levelRate),
            (changed { $0.levelRate = -0.1 }, .levelRate),
            (
                changed { $0.inputs = FeatureInputs(rawValue: 256) },
                .unknownInputs(rawValue: 256)
            ),
            (changed { $0.output = .relative }, .output(.relative, form: .plain)),
            (changed { $0.form = .profile }, .output(.zScore, form: .profile)),
        ]
    }()

    @Test("A specification from outside is checked", arguments: refusals)
    func validation(spec: FeatureSpec, error: FeatureSpecError) {
        #expect(throws: error) { try spec.validate() }
    }
}

@Suite("Levels")
struct SeriesStateTests {
    private static let monday = BusinessDay(year: 2017, month: 1, day: 2)!
    private static let spec = FeatureSpec(
        form: .profile, window: 14, levelRate: 0.25, inputs: [], output: .logResidual)

    @Test("A day moves the level by the rate, its season divided out")
    func step() {
        var profile = SeasonalProfile.flat
        profile.weekday[0] = 2
        var state = SeriesState(level: 8)
        state.close(
            day: Self.monday, demand: DemandDay(units: 24), profile: profile, spec: Self.spec)
        #expect(state.level == 9)  // 8 + ¼ (12 − 8)
    }

    @Test(
        "A day that says nothing about demand leaves the level",
        arguments: [.unknown, .closed, DemandDay(units: 50, isOpen: false)] as [DemandDay])
    func silent(day: DemandDay) {
        var state = SeriesState(level: 8)
        state.close(day: Self.monday, demand: day, profile: .flat, spec: Self.spec)
        #expect(state.level == 8)
    }

    @Test("The plain form's level is a constant of its training days")
    func plain() {
        let spec = FeatureSpec(
            form: .plain, window: 14, levelRate: 0.25, inputs: [], output: .zScore)
        var state = SeriesState(level: 8, scale: 3)
        state.close(day: Self.monday, demand: DemandDay(units: 24), profile: .flat, spec: spec)
        #expect(state.level == 8)
    }

    @Test(
        "A level or scale that could break a division is brought into range",
        arguments: [
            (0 as Float, 1.0 / 64 as Float), (-5, 1.0 / 64), (.nan, 1.0 / 64),
            (.infinity, 1_000_000), (1e9, 1_000_000), (3, 3),
        ])
    func range(given: Float, kept: Float) {
        #expect(SeriesState(level: given).level == kept)
        #expect(SeriesState(level: 1, scale: given).scale == kept)
    }

    @Test("A thousand empty days leave a level that still divides")
    func empty() {
        var state = SeriesState(level: 100)
        for offset in 0..<1000 {
            state.close(
                day: Self.monday.advanced(by: offset), demand: DemandDay(units: 0),
                profile: .flat, spec: Self.spec)
        }
        #expect(state.level == SeriesState.levelMin)
    }
}
