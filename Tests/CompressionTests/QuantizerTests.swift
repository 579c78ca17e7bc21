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

    /// Gate by gate: a row's sum from one input row against the float product it stands for.
    @Test("Every gate's sum is within what rounding weights and inputs can do", arguments: shapes)
    func gates(inputs: FeatureInputs, units: Int) throws {
        let example = try Example(inputs: inputs, units: units)
        let (network, parameters) = (example.network, example.parameters)
        let (I, H) = (parameters.inputWidth, parameters.units)
        for window in example.windows.prefix(20) {
            let x = window.prefix(I)
            let q = zip(x, network.inputSteps).map { FixedPoint.quantize($0, stepsPerUnit: $1) }
            for row in 0..<4 * H {
                var (sum, exact, bound) = (0, 0.0, 1.0)
                for i in 0..<I {
                    let weight = Double(parameters.inputKernel[row * I + i])
                    sum += Int(network.inputKernel[row * I + i]) * Int(q[i])
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

    @Test("Step by step the states stay close to the float network's", arguments: shapes)
    func steps(inputs: FeatureInputs, units: Int) throws {
        let example = try Example(inputs: inputs, units: units)
        let (network, parameters) = (example.network, example.parameters)
        let (I, H) = (parameters.inputWidth, parameters.units)
        let integer = Self.recurrence(network, window: 1)
        let cellUnit = Double(1 << network.cellFractionBits)
        let hiddenUnit = Double(1 << network.hiddenFractionBits)
        var worst = (cell: 0.0, hidden: 0.0)
        for window in example.windows.prefix(20) {
            var reference = FloatStates(parameters)
            integer.reset()
            for t in 0..<window.count / I {
                let x = [Float](window[t * I..<(t + 1) * I])
                reference.step(x)
                integer.step(
                    zip(x, network.inputSteps).map { FixedPoint.quantize($0, stepsPerUnit: $1) })
                for j in 0..<H {
                    worst.cell = max(
                        worst.cell, abs(Double(integer.cell[j]) / cellUnit - reference.c[j]))
                    worst.hidden = max(
                        worst.hidden, abs(Double(integer.hidden[j]) / hiddenUnit - reference.h[j]))
                }
            }
        }
        #expect(worst.cell <= 0.05 && worst.hidden <= 0.03, "\(worst)")
        #expect(worst.hidden > 0, "an int8 network cannot equal the float one")
    }

    @Test(
        "Over whole windows the output is close, and on the mean it is the float network's",
        arguments: shapes)
    func sequences(inputs: FeatureInputs, units: Int) throws {
        let example = try Example(inputs: inputs, units: units)
        let integer = Self.recurrence(example.network, window: example.spec.window)
        var (error, worst, largest) = (0.0, 0.0, 0.0)
        for window in example.windows {
            for i in window.indices { integer.window[i] = window[i] }
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

    @Test("Ranges are as fine as the calibration allows: no state seen there saturates")
    func ranges() throws {
        let example = try Example(inputs: [], units: 6)
        let network = example.network
        let largest = example.windows.joined().map(abs).max()!
        #expect(abs(network.inputSteps[0] * largest - 127) < 0.01)
        let integer = Self.recurrence(network, window: example.spec.window)
        var (cell, hidden) = (0, 0)
        for window in example.windows {
            for i in window.indices { integer.window[i] = window[i] }
            _ = integer.run()
            cell = max(cell, integer.cell.map { abs(Int($0)) }.max()!)
            hidden = max(hidden, integer.hidden.map { abs(Int($0)) }.max()!)
        }
        #expect(cell < 32_767 && cell > 32_768 / 5)
        #expect(hidden <= 127 && hidden > 127 / 3)
    }

    @Test("A share of the largest inputs may be given up for finer steps")
    func clipping() throws {
        let example = try Example(inputs: [], units: 2)
        let clipped = try Quantizer(inputShareKept: 0.9).quantize(
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

    static func recurrence(_ network: IntegerNetwork, window: Int) -> IntegerRecurrence {
        let counts = ArenaLayout.Counts(
            shape: network.shape, window: window, profiles: 0, starts: 0, identifierBytes: 0)
        return IntegerRecurrence(network, in: Arena(ArenaLayout(counts)))
    }
}

/// A seeded float network of the size training gives, windows it might see, and its integer form.
private struct Example {
    var spec: FeatureSpec
    var parameters: NetworkParameters
    var windows: [[Float]]
    var network: IntegerNetwork

    init(inputs: FeatureInputs, units: Int) throws {
        var numbers = SeededGenerator(seed: UInt64(units) + UInt64(inputs.rawValue) * 1000)
        let spec = FeatureSpec(
            form: .calendar, window: 14, levelRate: 0.1, inputs: inputs, output: .relative)
        self.spec = spec
        let shape = NetworkShape(inputWidth: spec.inputWidth, units: units)
        let reach = 1.5 / Float(units).squareRoot()
        let flat = (0..<shape.parameterCount).map { _ in
            Float.random(in: -reach...reach, using: &numbers)
        }
        parameters = NetworkParameters(shape: shape, flattened: flat)
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
        network = try Quantizer().quantize(parameters, spec: spec, windows: windows)
        try network.validate()
    }
}

/// The float network's states, in double precision and with the C library's functions.
private struct FloatStates {
    let parameters: NetworkParameters
    var h: [Double]
    var c: [Double]

    init(_ parameters: NetworkParameters) {
        self.parameters = parameters
        h = [Double](repeating: 0, count: parameters.units)
        c = h
    }

    mutating func step(_ x: [Float]) {
        let (I, H) = (parameters.inputWidth, parameters.units)
        let sums = (0..<4 * H).map { row in
            var sum = Double(parameters.bias[row])
            for i in 0..<I { sum += Double(parameters.inputKernel[row * I + i]) * Double(x[i]) }
            for j in 0..<H { sum += Double(parameters.recurrentKernel[row * H + j]) * h[j] }
            return sum
        }
        func sigmoid(_ x: Double) -> Double { 1 / (1 + exp(-x)) }
        for j in 0..<H {
            c[j] = sigmoid(sums[H + j]) * c[j] + sigmoid(sums[j]) * tanh(sums[2 * H + j])
            h[j] = sigmoid(sums[3 * H + j]) * tanh(c[j])
        }
    }
}
