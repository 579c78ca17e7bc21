import Compression
import Forecasting
import Foundation
import Kernels
import TestSupport
import Testing

@Suite("Quantisation")
struct QuantizerTests {
    static let shapes = [
        (FeatureInputs(), 1), (FeatureInputs(), 32), ([.weekday, .month], 4), (.all, 7),
    ]
    static let cases = CellKind.allCases.flatMap { cell in
        shapes.flatMap { shape in
            [false, true].map {
                Case(cell: cell, inputs: shape.0, units: shape.1, remembers: $0)
            }
        }
    }

    /// Which example: of random weights, or with gates that keep most of a state from day to day, as trained ones do.
    struct Case: Sendable, CustomTestStringConvertible {
        var cell: CellKind
        var inputs: FeatureInputs
        var units: Int
        var remembers: Bool

        var testDescription: String {
            "\(cell.name), inputs \(inputs.rawValue), \(units) units, \(remembers ? "slow" : "random")"
        }

        func example() throws -> Example {
            try Example(cell: cell, inputs: inputs, units: units, remembers: remembers)
        }
    }

    /// Gate by gate: a row's sum from one input row against the float product it stands for.
    @Test("Every gate's sum is within what rounding weights and inputs can do", arguments: cases)
    func gates(row: Case) throws {
        let example = try row.example()
        let (network, parameters) = (example.network, example.parameters)
        let width = parameters.inputWidth
        for window in example.windows.prefix(20) {
            let x = window.prefix(width)
            let q = zip(x, network.inputSteps).map { FixedPoint.quantize($0, stepsPerUnit: $1) }
            for row in 0..<parameters.shape.kernelRows {
                var (sum, exact, bound) = (0, 0.0, 1.0)
                for i in 0..<width {
                    let weight = Double(parameters.inputKernel[row * width + i])
                    sum += Int(network.inputKernel[row * width + i]) * Int(q[i])
                    exact += weight * Double(x[i]) * 4096
                    // Half a step of the weight times the input, half a step of the input times the weight.
                    let multiplier = network.inputMultipliers[row].value
                    bound += 0.5 * multiplier * abs(Double(q[i]))
                    bound += 0.501 * abs(weight) * 4096 / Double(network.inputSteps[i])
                }
                let rescaled = Double(network.inputMultipliers[row].rescale(Int32(sum)))
                #expect(abs(rescaled - exact) <= bound, "row \(row)")
            }
        }
    }

    @Test("Step by step the states stay close to the float network's", arguments: cases)
    func steps(row: Case) throws {
        let example = try row.example()
        let (network, parameters) = (example.network, example.parameters)
        let (I, H) = (parameters.inputWidth, parameters.units)
        let integer = Self.recurrence(network, window: 1)
        let cellUnit = Double(1 << network.cellFractionBits)
        let hiddenUnit = Double(1 << network.hiddenFractionBits)
        var worst = (cell: 0.0, hidden: 0.0)
        for window in example.windows.prefix(20) {
            var exact = FloatRecurrence(parameters)
            integer.reset()
            for t in 0..<window.count / I {
                exact.step(day: t, of: window)
                integer.step(
                    zip(window[t * I..<(t + 1) * I], network.inputSteps)
                        .map { FixedPoint.quantize($0, stepsPerUnit: $1) })
                for j in 0..<H {
                    worst.cell = max(
                        worst.cell,
                        abs(Double(integer.cell[j]) / cellUnit - Double(exact.cell[j])))
                    worst.hidden = max(
                        worst.hidden,
                        abs(Double(integer.hidden[j]) / hiddenUnit - Double(exact.hidden[j])))
                }
            }
        }
        #expect(worst.cell <= 0.05 && worst.hidden <= 0.03, "\(worst)")
        #expect(worst.hidden > 0, "an int8 network cannot equal the float one")
    }

    @Test(
        "Over whole windows the output is close, and on the mean it is the float network's",
        arguments: cases)
    func sequences(row: Case) throws {
        let example = try row.example()
        let integer = Self.recurrence(example.network, window: example.spec.window)
        var (error, worst, largest) = (0.0, 0.0, 0.0)
        for window in example.windows {
            integer.load(window: window)
            let output = Double(integer.run()) * Double(example.network.outputScale)
            let reference = Double(example.parameters.output(window: window))
            error += output - reference
            worst = max(worst, abs(output - reference))
            largest = max(largest, abs(reference))
        }
        #expect(worst <= 0.05 * max(largest, 1), "\(worst) of \(largest)")
        #expect(abs(error / Double(example.windows.count)) <= Double(example.network.outputScale))
    }

    @Test("One-hot inputs are exact: a one is 127 steps, and 127 steps weigh what one weighs")
    func oneHot() throws {
        let example = try Example(inputs: [.weekday, .month], units: 3)
        let network = example.network
        let width = example.spec.inputWidth
        for column in 1..<width { #expect(network.inputSteps[column] == 127) }
        #expect(FixedPoint.quantize(1, stepsPerUnit: 127) == 127)
        #expect(FixedPoint.quantize(0, stepsPerUnit: 127) == 0)
        for row in 0..<example.parameters.shape.kernelRows {
            for column in 1..<width {
                let exact = Double(example.parameters.inputKernel[row * width + column]) * 4096
                let multiplier = network.inputMultipliers[row].value
                let weight = Double(network.inputKernel[row * width + column]) * 127 * multiplier
                #expect(abs(weight - exact) <= 127 * multiplier / 2 + 1e-9)
            }
        }
    }

    @Test(
        "Ranges are as fine as the calibration allows: no state seen there saturates",
        arguments: CellKind.allCases)
    func ranges(cell: CellKind) throws {
        let example = try Example(cell: cell, inputs: [], units: 6)
        let network = example.network
        let largest = example.windows.joined().map(abs).max()!
        #expect(network.inputSteps[0] * largest <= 127 && network.inputSteps[0] * largest > 126)
        let integer = Self.recurrence(network, window: example.spec.window)
        var (state, hidden) = (0, 0)
        for window in example.windows {
            integer.load(window: window)
            _ = integer.run()
            state = max(state, integer.cell.map { abs(Int($0)) }.max()!)
            hidden = max(hidden, integer.hidden.map { abs(Int($0)) }.max()!)
        }
        #expect(state < 32_767 && state > 32_768 / 5)
        #expect(hidden <= 127 && hidden > 127 / 3)
    }

    @Test("A GRU's state has all fraction bits: it cannot reach 1")
    func gruState() throws {
        for row in Self.cases where row.cell == .gru {
            #expect(try row.example().network.cellFractionBits == 14)
        }
    }

    @Test("A FastGRNN that counts beyond 1 is given the range, and one that cannot is not")
    func fastGRNNState() throws {
        var example = try Example(cell: .fastGRNN, inputs: [], units: 2)
        example.parameters.inputKernel = [0, 0]
        example.parameters.recurrentKernel = [0, 0, 0, 0]
        example.parameters.bias = [6, 6, 6, 6]  // keep nearly everything, add all of ν every day
        example.parameters.scalars = [0.25, 0.25]
        var network = try example.quantized()
        // 14 days of a quarter: 3.5, and half as much again would be beyond what a window can add.
        #expect(network.cellFractionBits == 13 && network.hiddenFractionBits == 5)
        let integer = Self.recurrence(network, window: example.spec.window)
        integer.load(window: example.windows[0])
        _ = integer.run()
        #expect(integer.cell[0] > 3 << 13 && integer.hidden[0] > 3 << 5)
        example.parameters.scalars = [0.5, 0.0078125]
        network = try example.quantized()
        #expect(network.cellFractionBits == 14)
    }

    @Test("A share of the largest inputs may be given up for finer steps")
    func clipping() throws {
        let example = try Example(inputs: [], units: 2)
        let clipped = try Quantizer(range: .share(0.9)).quantize(
            example.parameters, spec: example.spec, windows: example.windows)
        #expect(clipped.inputSteps[0] > example.network.inputSteps[0] * 1.05)
    }

    @Test("A network of zeros, and one that only has a bias, are quantised too")
    func degenerate() throws {
        let example = try Example(inputs: [], units: 2)
        var flat = [Float](repeating: 0, count: example.parameters.shape.parameterCount)
        flat[flat.count - 1] = 0.25
        let parameters = NetworkParameters(shape: example.parameters.shape, flattened: flat)
        let network = try Quantizer().quantize(
            parameters, spec: example.spec, windows: example.windows)
        try network.validate()
        let integer = Self.recurrence(network, window: example.spec.window)
        #expect(
            abs(Double(integer.run()) * Double(network.outputScale) - 0.25)
                <= Double(network.outputScale))
    }

    @Test(
        "Too few, too many and unusable calibration windows are refused", arguments: [0, 99, 501])
    func windowCount(count: Int) throws {
        let example = try Example(inputs: [], units: 2)
        let windows = [[Float]](repeating: example.windows[0], count: count)
        #expect(throws: CompressionError.calibrationWindows(count: count)) {
            try Quantizer().quantize(example.parameters, spec: example.spec, windows: windows)
        }
    }

    @Test("What cannot be quantised is named")
    func refusals() throws {
        let example = try Example(inputs: [], units: 2)
        func quantize(_ change: (inout NetworkParameters, inout [[Float]]) -> Void) throws {
            var (parameters, windows) = (example.parameters, example.windows)
            change(&parameters, &windows)
            _ = try Quantizer().quantize(parameters, spec: example.spec, windows: windows)
        }
        #expect(throws: CompressionError.calibrationWindow(index: 3)) {
            try quantize { $1[3].removeLast() }
        }
        #expect(throws: CompressionError.calibrationWindow(index: 5)) {
            try quantize { $1[5][0] = .nan }
        }
        #expect(throws: CompressionError.parameterNotFinite(index: 2)) {
            try quantize { parameters, _ in parameters.inputKernel[2] = .infinity }
        }
        #expect(throws: CompressionError.parameterTooLarge(.inputKernel, row: 1)) {
            try quantize { parameters, _ in parameters.inputKernel[1] = 1e9 }
        }
        #expect(throws: CompressionError.parameterTooLarge(.recurrentKernel, row: 7)) {
            try quantize { parameters, _ in parameters.recurrentKernel[15] = -1e9 }
        }
        #expect(throws: CompressionError.parameterTooLarge(.bias, row: 4)) {
            try quantize { parameters, _ in parameters.bias[4] = -300 }
        }
        #expect(throws: CompressionError.parameterTooLarge(.denseBias, row: 0)) {
            try quantize { parameters, _ in parameters.denseBias = 1e9 }
        }
    }

    @Test("A FastGRNN's scalars must be shares", arguments: [-0.001, 1.001] as [Float])
    func scalars(value: Float) throws {
        var example = try Example(cell: .fastGRNN, inputs: [], units: 2)
        example.parameters.scalars = [1, 0]
        #expect(try example.quantized().scalars == [32_767, 0])
        example.parameters.scalars[1] = value
        #expect(throws: CompressionError.parameterTooLarge(.scalars, row: 1)) {
            try example.quantized()
        }
    }

    static func recurrence(_ network: IntegerNetwork, window: Int) -> IntegerRecurrence {
        let counts = ArenaLayout.Counts(
            shape: network.shape, window: window, profiles: 0, starts: 0, identifierBytes: 0)
        return IntegerRecurrence(network, in: Arena(ArenaLayout(counts)))
    }
}

/// A seeded float network of the size training gives, windows it might see, and its integer form.
struct Example {
    var spec: FeatureSpec
    var parameters: NetworkParameters
    var windows: [[Float]]
    var network: IntegerNetwork

    /// - Parameter remembers: whether the gates keep some 95 % of a state from one day to the next.
    init(
        cell: CellKind = .lstm, inputs: FeatureInputs, units: Int, remembers: Bool = false
    ) throws {
        var numbers = SeededGenerator(seed: UInt64(units) + UInt64(inputs.rawValue) * 1000)
        let spec = FeatureSpec(
            form: .calendar, window: 14, levelRate: 0.1, inputs: inputs, output: .relative)
        self.spec = spec
        let shape = NetworkShape(cell: cell, inputWidth: spec.inputWidth, units: units)
        let reach = 1.5 / Float(units).squareRoot()
        let flat = (0..<shape.parameterCount).map { _ in
            Float.random(in: -reach...reach, using: &numbers)
        }
        parameters = NetworkParameters(shape: shape, flattened: flat)
        if cell == .fastGRNN {
            parameters.scalars = [
                .random(in: 0.3...0.9, using: &numbers), .random(in: 0.01...0.1, using: &numbers),
            ]
        }
        if remembers {
            let keeping =
                switch cell {
                case .lstm: Gate.forget.rawValue
                case .gru: GRUGate.update.rawValue
                case .fastGRNN: FastGRNNBias.gate.rawValue
                }
            for j in 0..<units { parameters.bias[keeping * units + j] = 3 }
            parameters.inputKernel = parameters.inputKernel.map { $0 / 2 }
            parameters.recurrentKernel = parameters.recurrentKernel.map { $0 / 2 }
        }
        windows = (0..<100).map { _ in
            let target = BusinessDay(daysSince1970: .random(in: 15_000...18_000, using: &numbers))
            let level = Float.random(in: 2...50, using: &numbers)
            let days = (0..<14).map { _ in
                DemandDay(units: Int32(level * .random(in: 0...2.5, using: &numbers)))
            }
            let window = FeatureWindow(
                spec: spec, state: SeriesState(level: level), profile: .flat, target: target)
            var values = [Float](repeating: 0, count: spec.windowValues)
            var span = values.mutableSpan
            window.write(days.span, into: &span)
            return values
        }
        network = IntegerNetwork(shape: shape)
        network = try quantized()
    }

    func quantized() throws -> IntegerNetwork {
        let network = try Quantizer().quantize(parameters, spec: spec, windows: windows)
        try network.validate()
        return network
    }
}
