import Forecasting
import Testing

@Suite("The reference network")
struct LSTMReferenceTests {
    /// Repeatable values in −1...1.
    private static func values(_ count: Int, seed: UInt64) -> [Double] {
        var state = seed
        return (0..<count).map { _ in
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Double(Int64(bitPattern: state) >> 11) / Double(1 << 52)
        }
    }

    @Test(
        "The gradient of every parameter equals its finite difference",
        arguments: [(1, 1, 1), (1, 3, 14), (3, 2, 5), (20, 4, 4)], [false, true])
    func gradients(size: (inputs: Int, units: Int, days: Int), dropsOut: Bool) {
        let shape = NetworkShape(inputWidth: size.inputs, units: size.units)
        let reference = LSTMReference(shape: shape)
        let parameters = Self.values(shape.parameterCount, seed: 7)
        let window = Self.values(size.days * size.inputs, seed: 11)
        let scale = dropsOut ? (0..<size.units).map { $0.isMultiple(of: 2) ? 1.25 : 0 } : nil
        let target = 0.3
        func loss(_ parameters: [Double]) -> Double {
            let y = reference.forward(parameters: parameters, window: window, hiddenScale: scale)
                .output
            return (y - target) * (y - target)
        }

        let trace = reference.forward(parameters: parameters, window: window, hiddenScale: scale)
        var gradient = [Double](repeating: 0, count: shape.parameterCount)
        reference.backward(
            parameters: parameters, window: window, trace: trace,
            outputGradient: 2 * (trace.output - target), hiddenScale: scale, gradient: &gradient)

        let step = 1e-5
        for k in 0..<shape.parameterCount {
            var moved = parameters
            moved[k] += step
            let above = loss(moved)
            moved[k] -= 2 * step
            let difference = (above - loss(moved)) / (2 * step)
            #expect(
                abs(gradient[k] - difference) <= 1e-8 + 1e-6 * abs(difference), "parameter \(k)")
        }
        #expect(gradient.contains { abs($0) > 1e-3 })
    }

    @Test("One step by hand: a network of one unit that has seen one day")
    func byHand() {
        // Kernel rows i, f, g, o; then recurrent kernel, biases, dense weight, dense bias.
        let parameters = [0.5, -0.25, 1.0, 2.0, 9, 9, 9, 9, 0.1, 0.2, -0.3, 0.4, 3.0, -0.5]
        let input = sigmoid(0.5 * 0.8 + 0.1)
        let candidate = hyperbolicTangent(1.0 * 0.8 - 0.3)
        let output = sigmoid(2.0 * 0.8 + 0.4)
        let expected = 3.0 * output * hyperbolicTangent(input * candidate) - 0.5
        let trace = LSTMReference(shape: NetworkShape(inputWidth: 1, units: 1))
            .forward(parameters: parameters, window: [0.8])
        #expect(abs(trace.output - expected) < 1e-15)
    }

    @Test("The float network gives what the reference gives")
    func floatNetwork() {
        let shape = NetworkShape(inputWidth: 3, units: 5)
        let flat = Self.values(shape.parameterCount, seed: 3).map(Float.init)
        let window = Self.values(14 * 3, seed: 5).map(Float.init)
        let exact = LSTMReference(shape: shape)
            .forward(parameters: flat.map(Double.init), window: window.map(Double.init)).output
        let output = NetworkParameters(shape: shape, flattened: flat).output(window: window)
        #expect(abs(Double(output) - exact) < 1e-6)
    }

    @Test("Parameters laid out flat come back the same")
    func flattened() {
        let shape = NetworkShape(inputWidth: 2, units: 3)
        let flat = (0..<shape.parameterCount).map(Float.init)
        let parameters = NetworkParameters(shape: shape, flattened: flat)
        #expect(parameters.flattened == flat)
        #expect(shape.parameterCount == 4 * 3 * (2 + 3 + 1) + 3 + 1)
    }
}
