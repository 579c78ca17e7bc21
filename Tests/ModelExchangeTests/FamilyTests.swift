import Forecasting
import ModelExchange
import TestSupport
import Testing
import Training

@Suite("An imported network's family")
struct FamilyTests {
    /// Two items over two years, with weekdays.
    static let series: [TrainingSeries] = {
        var random = SeededGenerator(seed: 3)
        guard let first = BusinessDay(year: 2022, month: 1, day: 1), let store = try? StoreID("1")
        else { return [] }
        return ["a", "b"].compactMap { name in
            guard let item = try? ItemID(name) else { return nil }
            return TrainingSeries(
                store: store, item: item, firstDay: first,
                days: (0..<730).map { index in
                    let base: Float = first.advanced(by: index).weekday > 4 ? 30 : 20
                    return DemandDay(units: Int32(base * .random(in: 0.7...1.3, using: &random)))
                })
        }
    }()

    static func session(
        _ form: ModelForm, of series: [TrainingSeries] = FamilyTests.series
    ) throws -> TrainingSession {
        var plan = TrainingPlan(
            form: form, units: [3], testFrom: BusinessDay(year: 2023, month: 10, day: 1))
        plan.epochs = 2
        plan.window = 7
        return try TrainingSession(series: series, plan: plan)
    }

    @Test(
        "is as accurate as the network was where it was trained, whatever its cell",
        arguments: CellKind.allCases)
    func sameAccuracy(cell: CellKind) throws {
        let session = try Self.session(.plain)
        let fitted = try session.fit(
            FitRequest(shape: session.shape(cell: cell, units: 3), plan: session.plan))
        let file = NetworkExport.model(
            fitted.parameters, spec: session.spec, family: "f", variant: "v"
        ).encoded()
        let model = try ONNXModel(decoding: file)
        #expect(model.spec == session.spec)
        let imported = try NetworkImport.network(in: model)
        try imported.check(form: .plain, inputs: [])
        let family = imported.family(session)
        let variant = try #require(family.variants.first)
        #expect(variant.parameters == fitted.parameters)
        #expect(variant.test == fitted.test && variant.validation == fitted.validation)
        #expect(variant.test?.wape != nil)
        #expect(family.starts.first?.starts.count == 2)
        #expect(variant.name == (cell == .lstm ? "plain-3" : "plain-\(cell.name)3"))
        #expect(try TrainedFamily(encoded: family.encoded()) == family)
    }

    @Test(
        "goes without the column of persistence where items do not differ in it, and computes the same",
        arguments: [CellKind.lstm, .gru], [[], .promotion] as [FeatureInputs])
    func alikeItems(cell: CellKind, others: FeatureInputs) throws {
        // One item differs from nothing.
        var series = Array(Self.series.prefix(1))
        for day in stride(from: 0, to: 730, by: 9) { series[0].days[day].marks = others.marks }
        let session = try Self.session(.profile, of: series)
        try #require(session.spec.inputs == others)
        let spec = FeatureSpec(
            form: .profile, window: 7, levelRate: 0.1, inputs: others.union(.persistence),
            output: .logResidual)
        let shape = NetworkShape(cell: cell, inputWidth: spec.inputWidth, units: 3)
        var random = SeededGenerator(seed: 9)
        let own = NetworkParameters(
            shape: shape,
            flattened: (0..<shape.parameterCount).map { _ in .random(in: -0.5...0.5, using: &random)
            })
        let file = NetworkExport.model(own, spec: spec, family: "f", variant: "v").encoded()
        let imported = try NetworkImport.network(in: ONNXModel(decoding: file))
        #expect(imported.parameters == own)
        try imported.check(form: .profile, inputs: spec.inputs)
        let fitted = imported.fitted(to: session, inputs: spec.inputs)
        #expect(fitted.parameters.inputWidth == spec.inputWidth - 1)
        let demand = (0..<7).map { _ in Float.random(in: -1...1, using: &random) }
        let flags = (0..<7).map { others.isEmpty ? [] : [Float($0 % 2)] }
        #expect(
            fitted.parameters.output(window: zip(demand, flags).flatMap { [$0] + $1 })
                == own.output(window: zip(demand, flags).flatMap { [$0, 0] + $1 }))
        let family = fitted.family(session)
        #expect(family.spec.inputs == others)
        #expect(family.variants[0].parameters == fitted.parameters)
        #expect(try TrainedFamily(encoded: family.encoded()) == family)
        // One that the session's inputs suit stays as it is.
        #expect(fitted.fitted(to: session, inputs: others) == fitted)
    }

    @Test("is refused where the form has other inputs, naming both")
    func width() throws {
        let imported = try NetworkImport.network(in: ONNXCase(fixture: "torch-lstm").model())
        let error = #expect(throws: ExchangeError.self) {
            try imported.check(form: .calendar, inputs: [.weekday, .month])
        }
        #expect(
            error?.explanation.contains(
                "the network has 3 inputs a day, the form calendar has 20: demand, weekday, month")
                == true)
    }
}
