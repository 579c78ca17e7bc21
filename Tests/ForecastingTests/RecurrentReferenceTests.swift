import Forecasting
import Testing

@Suite("The reference network")
struct RecurrentReferenceTests {
    /// Repeatable values in −1...1.
    private static func values(_ count: Int, seed: UInt64) -> [Double] {
        var state = seed
        return (0..<count).map { _ in
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Double(Int64(bitPattern: state) >> 11) / Double(1 << 52)
        }
    }

    /// Parameters in −1...1, the scalars in 0...1.
    private static func parameters(_ shape: NetworkShape) -> [Double] {
        var parameters = values(shape.parameterCount, seed: 7)
        for k in shape.scalarOffset..<shape.denseOffset { parameters[k] = abs(parameters[k]) }
        return parameters
    }

    static let sizes = [(1, 1, 1), (1, 3, 14), (3, 2, 5), (20, 4, 4)]

    /// The loss has three parts, as a distilled network's has: the output, and two of the last hidden state.
    @Test(
        "The gradient of every parameter equals its finite difference",
        arguments: CellKind.allCases, sizes)
    func gradients(cell: CellKind, size: (inputs: Int, units: Int, days: Int)) {
        let shape = NetworkShape(cell: cell, inputWidth: size.inputs, units: size.units)
        let reference = RecurrentReference(shape: shape)
        let parameters = Self.parameters(shape)
        let window = Self.values(size.days * size.inputs, seed: 11)
        let wanted = Self.values(size.units, seed: 13)
        for (dropsOut, distills) in [(false, false), (true, false), (false, true), (true, true)] {
            let scale = dropsOut ? (0..<size.units).map { $0.isMultiple(of: 2) ? 1.25 : 0 } : nil
            func forward(_ parameters: [Double]) -> RecurrentReference.Trace {
                reference.forward(parameters: parameters, window: window, hiddenScale: scale)
            }
            func loss(_ parameters: [Double]) -> Double {
                let trace = forward(parameters)
                var loss = (trace.output - 0.3) * (trace.output - 0.3)
                guard distills else { return loss }
                for j in 0..<size.units {
                    loss += (trace.lastHidden[j] - wanted[j]) * (trace.lastHidden[j] - wanted[j])
                }
                return loss
            }

            let trace = forward(parameters)
            var gradient = [Double](repeating: 0, count: shape.parameterCount)
            reference.backward(
                parameters: parameters, window: window, trace: trace,
                outputGradient: 2 * (trace.output - 0.3),
                lastHiddenGradient: distills
                    ? (0..<size.units).map { 2 * (trace.lastHidden[$0] - wanted[$0]) } : nil,
                hiddenScale: scale, gradient: &gradient)

            let step = 1e-5
            for k in 0..<shape.parameterCount {
                var moved = parameters
                moved[k] += step
                let above = loss(moved)
                moved[k] -= 2 * step
                let difference = (above - loss(moved)) / (2 * step)
                #expect(
                    abs(gradient[k] - difference) <= 1e-8 + 1e-6 * abs(difference),
                    "parameter \(k), dropout \(dropsOut), distillation \(distills)")
            }
            #expect(gradient.contains { abs($0) > 1e-3 })
        }
    }

    @Test("One step by hand: a network of one unit that has seen one day")
    func byHand() {
        // Kernel rows i, f, g, o; then recurrent kernel, biases, dense weight, dense bias.
        let parameters = [0.5, -0.25, 1.0, 2.0, 9, 9, 9, 9, 0.1, 0.2, -0.3, 0.4, 3.0, -0.5]
        let input = sigmoid(0.5 * 0.8 + 0.1)
        let candidate = hyperbolicTangent(1.0 * 0.8 - 0.3)
        let output = sigmoid(2.0 * 0.8 + 0.4)
        let expected = 3.0 * output * hyperbolicTangent(input * candidate) - 0.5
        let trace = RecurrentReference(shape: NetworkShape(inputWidth: 1, units: 1))
            .forward(parameters: parameters, window: [0.8])
        #expect(abs(trace.output - expected) < 1e-15)
    }

    @Test("Two steps by hand: a GRU of one unit, its reset gate after the recurrent product")
    func gruByHand() {
        // Kernel rows z, r, n; then the recurrent kernel, four biases, dense weight, dense bias.
        let parameters = [0.5, -0.25, 1.0, 0.7, 2.0, -1.5, 0.1, 0.2, -0.3, 0.4, 3.0, -0.5]
        var h = 0.0
        for x in [0.8, -0.6] {
            let z = sigmoid(0.5 * x + 0.7 * h + 0.1)
            let r = sigmoid(-0.25 * x + 2.0 * h + 0.2)
            let n = hyperbolicTangent(1.0 * x - 0.3 + r * (-1.5 * h + 0.4))
            h = (1 - z) * n + z * h
        }
        let trace = RecurrentReference(shape: NetworkShape(cell: .gru, inputWidth: 1, units: 1))
            .forward(parameters: parameters, window: [0.8, -0.6])
        #expect(abs(trace.output - (3.0 * h - 0.5)) < 1e-15)
        #expect(abs(trace.lastHidden[0] - h) < 1e-15)
    }

    @Test("Two steps by hand: a FastGRNN of one unit")
    func fastGRNNByHand() {
        // Input weight, recurrent weight, biases of gate and candidate, ζ, ν, dense weight, dense bias.
        let parameters = [0.5, -1.25, 0.1, -0.3, 0.75, 0.0625, 3.0, -0.5]
        var h = 0.0
        for x in [0.8, -0.6] {
            let z = sigmoid(0.5 * x - 1.25 * h + 0.1)
            let c = hyperbolicTangent(0.5 * x - 1.25 * h - 0.3)
            h = (0.75 * (1 - z) + 0.0625) * c + z * h
        }
        let shape = NetworkShape(cell: .fastGRNN, inputWidth: 1, units: 1)
        let trace = RecurrentReference(shape: shape)
            .forward(parameters: parameters, window: [0.8, -0.6])
        #expect(abs(trace.output - (3.0 * h - 0.5)) < 1e-15)
    }

    @Test("The float network gives what the reference gives", arguments: CellKind.allCases)
    func floatNetwork(cell: CellKind) {
        let shape = NetworkShape(cell: cell, inputWidth: 3, units: 5)
        let flat = Self.parameters(shape).map(Float.init)
        let window = Self.values(14 * 3, seed: 5).map(Float.init)
        let trace = RecurrentReference(shape: shape)
            .forward(parameters: flat.map(Double.init), window: window.map(Double.init))
        let parameters = NetworkParameters(shape: shape, flattened: flat)
        #expect(abs(Double(parameters.output(window: window)) - trace.output) < 2e-6)
        var recurrence = FloatRecurrence(parameters)
        for day in 0..<14 { recurrence.step(day: day, of: window) }
        for j in 0..<5 {
            #expect(abs(Double(recurrence.hidden[j]) - trace.lastHidden[j]) < 1e-6)
        }
    }

    @Test("Parameters laid out flat come back the same")
    func flattened() {
        let shape = NetworkShape(inputWidth: 2, units: 3)
        let flat = (0..<shape.parameterCount).map(Float.init)
        let parameters = NetworkParameters(shape: shape, flattened: flat)
        #expect(parameters.flattened == flat)
        #expect(shape.parameterCount == 4 * 3 * (2 + 3 + 1) + 3 + 1)
    }

    @Test("A GRU has three blocks of weights and four of biases, FastGRNN one, two and two scalars")
    func counts() {
        let gru = NetworkShape(cell: .gru, inputWidth: 2, units: 3)
        #expect(gru.parameterCount == 3 * 3 * (2 + 3) + 4 * 3 + 3 + 1)
        let fast = NetworkShape(cell: .fastGRNN, inputWidth: 2, units: 3)
        #expect(fast.parameterCount == 3 * (2 + 3) + 2 * 3 + 2 + 3 + 1)
    }
}
