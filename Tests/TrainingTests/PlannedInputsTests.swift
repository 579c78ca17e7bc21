import Forecasting
import Testing
import Training

@Suite("Holidays and promotions as inputs")
struct PlannedInputsTests {
    private static let testFrom = 1000

    /// The fixture with promotions of three days that double demand and holidays that halve it, on days that come by chance.
    /// - Parameter marked: whether the days say so.
    private static func series(marked: Bool) -> [TrainingSeries] {
        var series = SalesFixture(days: 1200, stores: 2, items: 3).series
        var noise = Noise(state: 3)
        let holidays = (0..<1200).map { _ in noise.uniform() < 0.03 }
        for index in series.indices {
            var left = 0
            for offset in series[index].days.indices {
                if left > 0 { left -= 1 } else if noise.uniform() < 0.03 { left = 3 }
                var marks: DayMarks = []
                var factor = 1.0
                if left > 0 {
                    marks.insert(.promotion)
                    factor *= 2
                }
                if holidays[offset] {
                    marks.insert(.holiday)
                    factor *= 0.5
                }
                let units = Double(series[index].days[offset].units ?? 0) * factor
                series[index].days[offset].units = Int32(units + noise.uniform())
                if marked { series[index].days[offset].marks = marks }
            }
        }
        return series
    }

    private static func family(
        _ series: [TrainingSeries], _ form: ModelForm
    ) throws -> TrainedFamily {
        var plan = TrainingPlan(
            form: form, units: [4], testFrom: SalesFixture.day(testFrom))
        plan.epochs = 8
        return try train(series: series, plan: plan)
    }

    @Test(
        "A model that is told of them forecasts them, and one that is not does not",
        arguments: [ModelForm.calendar, .profile])
    func worth(form: ModelForm) throws {
        let told = try Self.family(Self.series(marked: true), form)
        let untold = try Self.family(Self.series(marked: false), form)
        #expect(told.spec.inputs == untold.spec.inputs.union(.planned))
        let (with, without) = (
            try #require(told.variants[0].test?.wape), try #require(untold.variants[0].test?.wape)
        )
        #expect(with < without - 5, "\(with) % with, \(without) % without")
    }

    @Test("What the training days have not is no input, whatever comes later")
    func later() throws {
        var series = Self.series(marked: false)
        for index in series.indices {
            series[index].days[Self.testFrom + 1].marks = .planned
            series[index].days[Self.testFrom - 1].marks = .promotion
        }
        let family = try Self.family(series, .profile)
        #expect(family.spec.inputs == .promotion)
        // The only ones are among the days that decide when to stop: nothing was learnt of them, and so they say nothing.
        let model = family.model(variant: 0)
        func forecast(_ marks: DayMarks) -> Float {
            model.forecast(
                state: SeriesState(level: 20), profile: 0,
                recentDays: (0..<14).map { DemandDay(units: 15 + Int32($0), marks: marks) },
                target: SalesFixture.day(Self.testFrom), targetMarks: marks)
        }
        #expect(forecast(.promotion) == forecast([]))
        // The plain form sees sales alone.
        #expect(try Self.family(Self.series(marked: true), .plain).spec.inputs.isEmpty)
    }

    @Test("The figures are those of forecasts made one by one with the device's float path")
    func figures() throws {
        let series = Self.series(marked: true)
        let family = try Self.family(series, .calendar)
        try expectFiguresOfFloatPath(of: family, series)
    }

    @Test(
        "A network with inputs it pays no attention to forecasts what it did",
        arguments: CellKind.allCases)
    func extended(cell: CellKind) {
        let shape = NetworkShape(cell: cell, inputWidth: 3, units: 2)
        var noise = Noise(state: 9)
        let network = NetworkParameters(
            shape: shape,
            flattened: (0..<shape.parameterCount).map { _ in Float(noise.uniform() - 0.5) })
        let window = (0..<12).map { _ in Float(noise.uniform()) }
        let wider = network.withInputs([0, 1, nil, 2, nil])
        var wide: [Float] = []
        for row in stride(from: 0, to: 12, by: 3) {
            wide += [window[row], window[row + 1], 1, window[row + 2], 1]
        }
        #expect(wider.output(window: wide) == network.output(window: window))
        #expect(wider.withInputs([0, 1, 3]) == network)
    }
}
