import Forecasting
import Foundation
import ModelExchange
import TestSupport
import Testing

@Suite("An exported network")
struct NetworkExportTests {
    struct Sample: CustomTestStringConvertible, Sendable {
        var parameters: NetworkParameters
        var spec: FeatureSpec
        var testDescription: String { "\(parameters.shape.cell.name), \(spec.form.name)" }

        var model: ONNXModel {
            NetworkExport.model(parameters, spec: spec, family: "spring", variant: testDescription)
        }

        init(
            _ cell: CellKind, _ form: ModelForm, units: Int, window: Int, inputs: FeatureInputs = []
        ) {
            let output: OutputKind =
                switch form {
                case .plain: .zScore
                case .calendar: .relative
                case .profile: .logResidual
                }
            spec = FeatureSpec(
                form: form, window: window, levelRate: 0.03, inputs: inputs, output: output)
            let shape = NetworkShape(cell: cell, inputWidth: spec.inputWidth, units: units)
            var random = SeededGenerator(seed: UInt64(units))
            parameters = NetworkParameters(
                shape: shape,
                flattened: (0..<shape.parameterCount).map { _ in
                    .random(in: -0.9...0.9, using: &random)
                })
            parameters.scalars = parameters.scalars.map { abs($0) }
        }

        func windows(_ count: Int) -> [[Float]] {
            var random = SeededGenerator(seed: 5)
            return (0..<count).map { _ in
                (0..<spec.windowValues).map { _ in .random(in: -2...2, using: &random) }
            }
        }
    }

    static let samples = CellKind.allCases.flatMap { cell in
        [
            Sample(cell, .plain, units: 5, window: 14),
            Sample(
                cell, .calendar, units: 3, window: 7, inputs: [.weekday, .month, .levelLogarithm]),
            Sample(cell, .profile, units: 1, window: 1, inputs: .all),
        ]
    }

    @Test("comes back bit for bit, with its form, window and columns", arguments: samples)
    func roundTrip(sample: Sample) throws {
        let model = try ONNXModel(decoding: sample.model.encoded())
        #expect(model == sample.model)
        #expect(model.spec == sample.spec)
        let imported = try NetworkImport.network(in: model, window: sample.spec.window)
        #expect(imported.parameters == sample.parameters)
        #expect(imported.window == sample.spec.window)
        let columns = try #require(model.metadata("shelfcast.columns")).split(separator: ",")
        #expect(columns.count == sample.spec.inputWidth && Set(columns).count == columns.count)
    }

    @Test(
        "is correct to the stock checker and gives the same in ONNX Runtime",
        .enabled(if: StockONNX.isThere, StockONNX.missing), arguments: samples)
    func stock(sample: Sample) async throws {
        let folder = try TemporaryFolder()
        let path = folder.path + "/model.onnx"
        try Data(sample.model.encoded()).write(to: URL(filePath: path))
        _ = try await StockONNX.run(["check", path])
        let windows = sample.windows(10)
        let lines = windows.map { $0.map { "\($0)" }.joined(separator: " ") + "\n" }
        let outputs = try await StockONNX.run(["run", path], input: lines.joined())
            .split(separator: "\n").map { try #require(Float($0)) }
        #expect(outputs.count == 10)
        for (window, output) in zip(windows, outputs) {
            #expect(abs(sample.parameters.output(window: window) - output) < 1e-5)
        }
    }

    @Test("says what a user of the file has to know")
    func documentation() throws {
        let sample = Sample(.gru, .profile, units: 4, window: 14)
        let text = sample.model.documentation
        for word in [
            "last 14 days, oldest first", "units / (level * season) - 1", "level * season * exp(y)",
        ] {
            #expect(text.contains(word), "\(text)")
        }
        #expect(sample.model.graph.inputs[0].documentation == "demand")
    }

    @Test(
        "with a description that is damaged is a model without one",
        arguments: ["form", "window", "inputs"])
    func damagedDescription(key: String) {
        var model = Self.samples[0].model
        #expect(model.spec != nil)
        model.metadata = model.metadata.map {
            $0.key == "shelfcast.\(key)" ? ONNXModel.Entry(key: $0.key, value: "99,x") : $0
        }
        #expect(model.spec == nil)
    }

    @Test("of the widest and longest kind stays within what is read again")
    func largest() throws {
        let spec = FeatureSpec(
            form: .calendar, window: 64, levelRate: 0, inputs: .all, output: .relative)
        let shape = NetworkShape(cell: .fastGRNN, inputWidth: spec.inputWidth, units: 128)
        let parameters = NetworkParameters(
            shape: shape, flattened: [Float](repeating: 0.01, count: shape.parameterCount))
        let model = NetworkExport.model(parameters, spec: spec, family: "f", variant: "v")
        let imported = try NetworkImport.network(
            in: ONNXModel(decoding: model.encoded()), window: 64)
        #expect(imported.parameters == parameters)
    }
}
