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

    @Test(
        "Outputs and the gradient of every parameter equal the reference's",
        arguments: [
            (inputs: 1, units: 1, days: 3), (1, 3, 14), (1, 64, 14), (20, 4, 14), (3, 7, 1),
        ], [false, true])
    func equalsReference(size: (inputs: Int, units: Int, days: Int), dropsOut: Bool) {
        let shape = NetworkShape(inputWidth: size.inputs, units: size.units)
        let (columns, used) = (16, 11)
        let flat = Self.values(shape.parameterCount, seed: 3, scale: 0.5)
        let weights = PackedWeights(NetworkParameters(shape: shape, flattened: flat))
        let network = BatchedNetwork(shape: shape, window: size.days, columns: columns)
        let windows = (0..<used).map {
            Self.values(size.days * size.inputs, seed: 100 + UInt64($0), scale: 1.5)
        }
        for (b, window) in windows.enumerated() {
            for t in 0..<size.days {
                for i in 0..<size.inputs {
                    network.inputs[i * network.inputStride + t * columns + b] =
                        window[t * size.inputs + i]
                }
            }
        }
        let slopes = Self.values(used, seed: 9, scale: 1)
        for b in 0..<used { network.outputGradient[b] = slopes[b] }
        func kept(_ unit: Int, _ column: Int) -> Float {
            dropsOut && (unit + column).isMultiple(of: 3) ? 0 : 1.25
        }
        for j in 0..<size.units {
            for b in 0..<columns { network.hiddenScale[j * columns + b] = kept(j, b) }
        }
        weights.values.withUnsafeBufferPointer {
            network.forward($0.baseAddress!)
            network.backward($0.baseAddress!)
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
            reference.backward(
                parameters: exactParameters, window: window, trace: trace,
                outputGradient: Double(slopes[b]), hiddenScale: scale, gradient: &exact)
        }
        var packed = weights
        packed.values = Array(network.gradient.prefix(packed.values.count))
        for (k, gradient) in packed.unpacked.flattened.enumerated() {
            #expect(
                abs(Double(gradient) - exact[k]) <= 2e-5 + 1e-4 * abs(exact[k]), "parameter \(k)")
        }
    }

    @Test("Packed weights come back as they were")
    func packing() {
        let shape = NetworkShape(inputWidth: 3, units: 5)
        let parameters = NetworkParameters(
            shape: shape, flattened: (0..<shape.parameterCount).map(Float.init))
        #expect(PackedWeights(parameters).unpacked == parameters)
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
