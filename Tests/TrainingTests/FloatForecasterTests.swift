import Forecasting
import Testing
import Training

@Suite("Float forecasts of many days at once")
struct FloatForecasterTests {
    private static func model(_ cell: CellKind, _ form: ModelForm) -> ForecastModel {
        let spec = FeatureSpec(
            form: form, window: 9, levelRate: 0.1, inputs: [.weekday, .yearCircle, .planned],
            output: form == .plain ? .zScore : form == .calendar ? .relative : .logResidual)
        let shape = NetworkShape(cell: cell, inputWidth: spec.inputWidth, units: 5)
        var random = SeededRandom(seed: 3)
        return ForecastModel(
            spec: spec,
            parameters: NetworkParameters(
                shape: shape,
                flattened: (0..<shape.parameterCount).map { k -> Float in
                    let value = Float(random.next() % 2_001) / 1_000 - 1
                    let isScalar = k >= shape.scalarOffset && k < shape.denseOffset
                    return isScalar ? abs(value) : value
                }),
            profiles: [
                .flat,
                SeasonalProfile(
                    weekday: [0.5, 1, 1, 1, 1.5, 2, 0.25], month: (1...12).map { Float($0) / 6 }),
            ])
    }

    private static func eves(_ count: Int) -> [FloatForecaster.Eve] {
        (0..<count).map { k -> FloatForecaster.Eve in
            let recentDays = (0..<9).map { day in
                var demand = Self.demand((k + day) % 7, k * 5 + day * 3)
                demand.marks = Self.marks(k + day / 3)
                return demand
            }
            return FloatForecaster.Eve(
                state: SeriesState(level: Float(1 + k % 17), scale: Float(1 + k % 3)),
                profile: UInt16(k % 3), recentDays: recentDays,
                target: BusinessDay(daysSince1970: Int32(19_000 + k)),
                targetMarks: Self.marks(k / 2))
        }
    }

    private static func marks(_ number: Int) -> DayMarks {
        [[], .holiday, .promotion, .planned][number % 4]
    }

    private static func demand(_ kind: Int, _ number: Int) -> DemandDay {
        switch kind {
        case 0: .closed
        case 1: .unknown
        default: DemandDay(units: Int32(number % 23))
        }
    }

    @Test("They are those of one at a time", arguments: CellKind.allCases, ModelForm.allCases)
    func equal(cell: CellKind, form: ModelForm) {
        let model = Self.model(cell, form)
        let eves = Self.eves(75)
        let units = FloatForecaster(model).units(eves)
        #expect(units.count == eves.count)
        for (eve, found) in zip(eves, units) {
            let wanted = model.forecast(
                state: eve.state, profile: eve.profile, recentDays: eve.recentDays,
                target: eve.target, targetMarks: eve.targetMarks)
            #expect(abs(found - wanted) <= 1e-4 * max(1, wanted), "\(eve)")
        }
    }

    @Test("The same days in the same order give the same bits, whatever went before")
    func repeatable() {
        let forecaster = FloatForecaster(Self.model(.lstm, .profile))
        let eves = Self.eves(40)
        let first = forecaster.units(eves)
        _ = forecaster.units(Self.eves(64))
        #expect(forecaster.units(eves).map(\.bitPattern) == first.map(\.bitPattern))
        #expect(forecaster.units([]) == [])
    }
}
