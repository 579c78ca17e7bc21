import Forecasting
import Foundation
import Testing
import Training

@Suite("The batched network")
struct BatchedNetworkTests {
    private static func values(_ count: Int, seed: UInt64, scale: Double) -> [Float] {
        var noise = Noise(state: seed)
        return (0..<count).map { _ in Float((noise.uniform() - 0.5) * 2 * scale) }
    }

    /// - Parameter windows: `[T, I]` each, time-major, for the first columns.
    private static func fill(_ network: BatchedNetwork, _ windows: [[Float]]) {
        let width = network.shape.inputWidth
        for (b, window) in windows.enumerated() {
            for (k, value) in window.enumerated() {
                let (t, i) = (k / width, k % width)
                network.inputs[i * network.inputStride + t * network.columns + b] = value
            }
        }
    }

    private static let sizes: [(inputs: Int, units: Int, days: Int)] = [
        (1, 1, 3), (1, 3, 14), (1, 64, 14), (20, 4, 14), (3, 7, 1),
    ]

    @Test(
        "Outputs, last hidden state and the gradient of every parameter equal the reference's",
        arguments: CellKind.allCases, sizes)
    func equalsReference(cell: CellKind, size: (inputs: Int, units: Int, days: Int)) {
        for dropsOut in [false, true] {
            for matchesHidden in [false, true] {
                compare(cell, size, dropsOut: dropsOut, matchesHidden: matchesHidden)
            }
        }
    }

    /// - Parameters:
    ///   - dropsOut: whether some of the last hidden state is dropped before the output.
    ///   - matchesHidden: whether the loss looks at the last hidden state beside the output.
    private func compare(
        _ cell: CellKind, _ size: (inputs: Int, units: Int, days: Int), dropsOut: Bool,
        matchesHidden: Bool
    ) {
        let shape = NetworkShape(cell: cell, inputWidth: size.inputs, units: size.units)
        let (columns, used) = (16, 11)
        var flat = Self.values(shape.parameterCount, seed: 3, scale: 0.5)
        for k in shape.scalarOffset..<shape.denseOffset { flat[k] = 0.3 + abs(flat[k]) }
        let weights = PackedWeights(NetworkParameters(shape: shape, flattened: flat))
        let network = BatchedNetwork(shape: shape, window: size.days, columns: columns)
        let windows = (0..<used).map {
            Self.values(size.days * size.inputs, seed: 100 + UInt64($0), scale: 1.5)
        }
        Self.fill(network, windows)
        let slopes = Self.values(used, seed: 9, scale: 1)
        for b in 0..<used { network.outputGradient[b] = slopes[b] }
        func kept(_ unit: Int, _ column: Int) -> Float {
            dropsOut && (unit + column).isMultiple(of: 3) ? 0 : 1.25
        }
        var pull = [Float](repeating: 0, count: size.units * columns)
        for j in 0..<size.units {
            let some = Self.values(used, seed: 30 + UInt64(j), scale: 1)
            for b in 0..<columns {
                network.hiddenScale[j * columns + b] = kept(j, b)
                if b < used, matchesHidden { pull[j * columns + b] = some[b] }
            }
        }
        // Twice with the same buffers: nothing of one pass may reach the next.
        for _ in 0..<2 {
            weights.values.withUnsafeBufferPointer { weights in
                pull.withUnsafeBufferPointer { pull in
                    network.forward(weights.baseAddress!)
                    network.backward(
                        weights.baseAddress!,
                        addingToHidden: matchesHidden ? pull.baseAddress! : nil)
                }
            }
        }

        let reference = RecurrentReference(shape: shape)
        let exactParameters = flat.map(Double.init)
        var exact = [Double](repeating: 0, count: shape.parameterCount)
        for b in 0..<used {
            let window = windows[b].map(Double.init)
            let scale = (0..<size.units).map { Double(kept($0, b)) }
            let trace = reference.forward(
                parameters: exactParameters, window: window, hiddenScale: scale)
            #expect(abs(Double(network.output[b]) - trace.output) < 1e-5)
            for (j, hidden) in trace.lastHidden.enumerated() {
                let found = network.lastHidden[j * network.inputStride + b]
                #expect(abs(Double(found) - hidden) < 1e-5)
            }
            reference.backward(
                parameters: exactParameters, window: window, trace: trace,
                outputGradient: Double(slopes[b]),
                lastHiddenGradient: (0..<size.units).map { Double(pull[$0 * columns + b]) },
                hiddenScale: scale, gradient: &exact)
        }
        // A small gradient is the difference of large ones, whose rounding it keeps.
        let tolerance = 2e-5 * max(1, exact.reduce(0) { max($0, abs($1)) })
        for (k, gradient) in weights.flattened(network.gradient).enumerated() {
            #expect(
                abs(Double(gradient) - exact[k]) <= tolerance + 1e-4 * abs(exact[k]),
                "parameter \(k)")
        }
    }

    @Test(
        "The gradient of a loss that looks at the last hidden state is that of finite differences",
        arguments: CellKind.allCases)
    func finiteDifferences(cell: CellKind) {
        let shape = NetworkShape(cell: cell, inputWidth: 2, units: 4)
        let columns = 8
        var flat = Self.values(shape.parameterCount, seed: 5, scale: 0.8)
        for k in shape.scalarOffset..<shape.denseOffset { flat[k] = 0.3 + abs(flat[k]) / 2 }
        let network = BatchedNetwork(shape: shape, window: 5, columns: columns)
        let windows = (0..<columns).map { Self.values(10, seed: 40 + UInt64($0), scale: 1.5) }
        Self.fill(network, windows)
        let pull = Self.values(4 * columns, seed: 11, scale: 1)
        func loss(_ flat: [Float]) -> Double {
            let weights = PackedWeights(NetworkParameters(shape: shape, flattened: flat))
            network.forward(weights.values)
            var sum = 0.0
            for j in 0..<4 {
                for b in 0..<columns {
                    let hidden = network.lastHidden[j * network.inputStride + b]
                    sum += Double(pull[j * columns + b]) * Double(hidden)
                }
            }
            return sum
        }
        for k in flat.indices {
            var (low, high) = (flat, flat)
            low[k] -= 0.01
            high[k] += 0.01
            let slope = (loss(high) - loss(low)) / Double(high[k] - low[k])
            _ = loss(flat)
            let weights = PackedWeights(NetworkParameters(shape: shape, flattened: flat))
            network.backward(weights.values, addingToHidden: pull)
            let gradient = weights.flattened(network.gradient)[k]
            #expect(abs(Double(gradient) - slope) < 2e-3, "parameter \(k)")
        }
    }

    @Test("Packed weights come back as they were", arguments: CellKind.allCases)
    func packing(cell: CellKind) {
        let shape = NetworkShape(cell: cell, inputWidth: 3, units: 5)
        let parameters = NetworkParameters(
            shape: shape, flattened: (0..<shape.parameterCount).map(Float.init))
        var packed = PackedWeights(parameters)
        #expect(packed.unpacked == parameters)
        #expect(packed.values != parameters.flattened)
        packed.pack([Float](repeating: 0, count: shape.parameterCount))
        packed.pack(parameters.flattened)
        #expect(packed.flattened(packed.values) == parameters.flattened)
    }

    @Test(
        "FastGRNN's two scalars are held within 0...1 in either order of weights, and nothing else")
    func scalarsHeld() {
        for cell in CellKind.allCases {
            let shape = NetworkShape(cell: cell, inputWidth: 2, units: 3)
            var flat = [Float](repeating: -3, count: shape.parameterCount)
            var expected = flat
            if cell == .fastGRNN {
                flat[shape.scalarOffset + 1] = 1.5
                (expected[shape.scalarOffset], expected[shape.scalarOffset + 1]) = (0, 1)
            }
            var packed = PackedWeights(NetworkParameters(shape: shape, flattened: flat))
            PackedWeights.holdScalars(&flat, of: shape)
            #expect(flat == expected)
            PackedWeights.holdScalars(&packed.values, of: shape)
            #expect(packed.unpacked.flattened == expected)
        }
    }

    @Test(
        "Training starts from orthonormal recurrent columns, and the same for the same seed",
        arguments: CellKind.allCases, [1, 7, 32])
    func initialWeights(cell: CellKind, units: Int) {
        let shape = NetworkShape(cell: cell, inputWidth: 4, units: units)
        let initial = PackedWeights.initial(shape, seed: 21)
        #expect(initial.values == PackedWeights.initial(shape, seed: 21).values)
        #expect(initial.values != PackedWeights.initial(shape, seed: 22).values)
        let kernel = initial.unpacked.recurrentKernel
        for a in 0..<units {
            for b in 0...a {
                let product = (0..<shape.kernelRows).reduce(Float(0)) {
                    $0 + kernel[$1 * units + a] * kernel[$1 * units + b]
                }
                #expect(abs(product - (a == b ? 1 : 0)) < 1e-4)
            }
        }
        #expect(initial.unpacked.scalars.allSatisfy { $0 > 0 && $0 < 1 })
        let silent = PackedWeights.initial(shape, seed: 21, silentInputs: 2).unpacked.inputKernel
        #expect(silent.indices.allSatisfy { (silent[$0] == 0) == ($0 % 4 >= 2) })
    }

    @Test("The fast activations keep their stated error and bounds, everywhere")
    func activations() {
        for k in -12_000...12_000 {
            let x = Float(k) / 1000
            let lanes = SIMD8<Float>(repeating: x)
            let fast = fastTanh(lanes)[5]
            #expect(abs(Double(fast) - tanh(Double(x))) <= 4e-7 && abs(fast) <= 1)
            let gate = fastSigmoid(lanes)[2]
            #expect(abs(Double(gate) - 1 / (1 + exp(-Double(x)))) <= 2e-7)
            #expect(gate >= 0 && gate <= 1)
        }
        #expect(fastTanh(SIMD8(repeating: .infinity))[0] <= 1)
        #expect(fastTanh(SIMD8(repeating: .nan))[0].isNaN)
    }
}
