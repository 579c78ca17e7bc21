import Forecasting
import Foundation
import Kernels
import Testing
import Training

@Suite("The batched integer pass")
struct BatchedIntegerTests {
    /// Of the states' and sums' scales of a random network.
    struct Scales {
        var cellFractionBits: Int
        var hiddenFractionBits: Int
        /// Largest contribution of one input and of the hidden state to a gate's sum, about.
        var input: Double
        var recurrent: Double
        var bias: Double
    }

    /// Random weights, quantised as the device has them: a multiplier for each row.
    private static func network(
        _ shape: NetworkShape, _ scales: Scales, _ noise: inout Noise
    ) -> IntegerNetwork {
        var network = IntegerNetwork(shape: shape)
        func byte() -> Int8 { Int8(((noise.uniform() - 0.5) * 254).rounded()) }
        func multiplier(_ scale: Double, width: Int) -> RowMultiplier {
            let products = 127.0 * 127 * Double(width).squareRoot()
            return RowMultiplier(
                atLeast: scale * 4096 * (0.5 + noise.uniform()) / products)!
        }
        network.inputKernel = network.inputKernel.map { _ in byte() }
        network.recurrentKernel = network.recurrentKernel.map { _ in byte() }
        network.denseKernel = network.denseKernel.map { _ in byte() }
        network.inputMultipliers = network.inputMultipliers.map { _ in
            multiplier(scales.input, width: shape.inputWidth)
        }
        network.recurrentMultipliers = network.recurrentMultipliers.map { _ in
            multiplier(scales.recurrent, width: shape.units)
        }
        network.bias = network.bias.map { _ in
            Int32((noise.uniform() - 0.5) * 2 * scales.bias * 4096)
        }
        network.scalars = network.scalars.map { _ in UInt16(noise.uniform() * 32_767) }
        network.inputSteps = network.inputSteps.map { _ in Float(20 + 100 * noise.uniform()) }
        network.denseBias = Int32((noise.uniform() - 0.5) * 100_000)
        network.outputScale = 1 / 3000
        network.cellFractionBits = scales.cellFractionBits
        network.hiddenFractionBits = scales.hiddenFractionBits
        return network
    }

    private static func fill(_ network: BatchedNetwork, _ windows: [[Float]]) {
        let width = network.shape.inputWidth
        for (b, window) in windows.enumerated() {
            for (k, value) in window.enumerated() {
                let (t, i) = (k / width, k % width)
                network.inputs[i * network.inputStride + t * network.columns + b] = value
            }
        }
    }

    /// One, odd, more than a vector, the largest.
    static let sizes: [(inputs: Int, units: Int, days: Int)] = [
        (1, 1, 1), (1, 5, 14), (3, 33, 9), (20, 4, 14), (64, 128, 3),
    ]

    @Test(
        "Output and last hidden state are the device's, bit for bit",
        arguments: CellKind.allCases, sizes)
    func equalsDevice(cell: CellKind, size: (inputs: Int, units: Int, days: Int)) throws {
        let shape = NetworkShape(cell: cell, inputWidth: size.inputs, units: size.units)
        let batched = BatchedNetwork(shape: shape, window: size.days, columns: 16)
        for seed in 1...12 as ClosedRange<UInt64> {
            var noise = Noise(state: 77 * seed)
            // From sums that stay small to sums that are nearly always saturated; every number of fraction bits.
            let cellBits = 8 + Int(seed) % 7
            let hiddenBits = IntegerNetwork.hiddenFractionBitsRange(
                cell, cellFractionBits: cellBits)
            let scales = Scales(
                cellFractionBits: cellBits,
                hiddenFractionBits: hiddenBits.lowerBound + Int(seed) % hiddenBits.count,
                input: 0.3 * Double(seed), recurrent: 0.25 * Double(seed), bias: Double(seed))
            let network = Self.network(shape, scales, &noise)
            try network.validate()
            let extremes: [Float] = [
                .nan, .infinity, -.infinity, 0, -0, .greatestFiniteMagnitude,
                .leastNonzeroMagnitude,
            ]
            let windows = (0..<batched.columns).map { _ in
                (0..<size.days * size.inputs).map { k in
                    let value = Float((noise.uniform() - 0.5) * 6)
                    switch Int(noise.uniform() * 12) {
                    case 0: return extremes[Int(noise.uniform() * 7)]
                    // Half a step: where rounding decides.
                    case 1:
                        return ((value * 8).rounded() + 0.5) / network.inputSteps[k % size.inputs]
                    default: return value
                    }
                }
            }
            Self.fill(batched, windows)
            batched.forward(integer: PackedIntegers(network))
            let counts = ArenaLayout.Counts(
                shape: shape, window: size.days, profiles: 0, starts: 0, identifierBytes: 0)
            let device = IntegerRecurrence(network, in: Arena(ArenaLayout(counts)))
            for (b, window) in windows.enumerated() {
                device.load(window: window)
                let output = Float(device.run()) * network.outputScale
                #expect(batched.output[b] == output, "seed \(seed), window \(b)")
                let hidden = (0..<size.units).map { j in
                    batched.lastHidden[j * batched.inputStride + b]
                        * Float(1 << network.hiddenFractionBits)
                }
                #expect(hidden == device.hidden.map(Float.init), "seed \(seed), window \(b)")
            }
            // The inputs are now the quantised ones, which quantise to themselves.
            let outputs = Array(batched.output)
            batched.forward(integer: PackedIntegers(network))
            #expect(Array(batched.output) == outputs)
        }
    }

    /// What the integers stand for, in the order of `NetworkParameters.flattened`.
    private static func dequantized(_ network: IntegerNetwork) -> [Double] {
        let shape = network.shape
        let hiddenUnit = Double(1 << network.hiddenFractionBits)
        let input = network.inputKernel.enumerated().map { k, weight in
            Double(weight) * network.inputMultipliers[k / shape.inputWidth].value / 4096
                * Double(network.inputSteps[k % shape.inputWidth])
        }
        let recurrent = network.recurrentKernel.enumerated().map { k, weight in
            Double(weight) * network.recurrentMultipliers[k / shape.units].value / 4096 * hiddenUnit
        }
        let bias = network.bias.map { Double($0) / 4096 }
        let scalars = network.scalars.map { Double($0) / 32_768 }
        let scale = Double(network.outputScale)
        let dense = network.denseKernel.map { Double($0) * scale * hiddenUnit }
        return input + recurrent + bias + scalars + dense + [Double(network.denseBias) * scale]
    }

    /// What the integer network computes, but for rounding: its sums and states are held where integers saturate.
    private static func unrounded(
        _ network: IntegerNetwork, _ flat: [Double], window: [Double]
    ) -> Double {
        let shape = network.shape
        let (I, H) = (shape.inputWidth, shape.units)
        let hiddenMax = 127 / Double(1 << network.hiddenFractionBits)
        let stateMax = 32_767 / Double(1 << network.cellFractionBits)
        func within(_ value: Double, _ bound: Double) -> Double { max(-bound, min(bound, value)) }
        func squash(_ sum: Double) -> Double { tanh(within(sum, 8)) }
        func open(_ sum: Double) -> Double { 1 / (1 + exp(-within(sum, 8))) }
        var state = [Double](repeating: 0, count: H)
        var hidden = state
        for t in 0..<window.count / I {
            let before = hidden
            func input(_ row: Int) -> Double {
                (0..<I).reduce(0) { $0 + flat[row * I + $1] * window[t * I + $1] }
            }
            func recurrent(_ row: Int) -> Double {
                (0..<H).reduce(0) { $0 + flat[shape.recurrentOffset + row * H + $1] * before[$1] }
            }
            func bias(_ row: Int) -> Double { flat[shape.biasOffset + row] }
            func sum(_ row: Int) -> Double { input(row) + recurrent(row) + bias(row) }
            for h in 0..<H {
                switch shape.cell {
                case .lstm:
                    let (i, f) = (open(sum(h)), open(sum(H + h)))
                    let (g, o) = (squash(sum(2 * H + h)), open(sum(3 * H + h)))
                    state[h] = within(f * state[h] + i * g, stateMax)
                    hidden[h] = within(o * tanh(state[h]), hiddenMax)
                case .gru:
                    let (z, r) = (open(sum(h)), open(sum(H + h)))
                    let weighed = within(recurrent(2 * H + h) + bias(3 * H + h), 8)
                    let n = squash(input(2 * H + h) + bias(2 * H + h) + r * weighed)
                    state[h] = within((1 - z) * n + z * state[h], stateMax)
                    hidden[h] = within(state[h], hiddenMax)
                case .fastGRNN:
                    let (zeta, nu) = (flat[shape.scalarOffset], flat[shape.scalarOffset + 1])
                    let products = input(h) + recurrent(h)
                    let (z, c) = (open(products + bias(h)), squash(products + bias(H + h)))
                    state[h] = within((zeta * (1 - z) + nu) * c + z * state[h], stateMax)
                    hidden[h] = within(state[h], hiddenMax)
                }
            }
        }
        return (0..<H).reduce(flat[shape.denseBiasOffset]) {
            $0 + flat[shape.denseOffset + $1] * hidden[$1]
        }
    }

    /// Distance of two vectors, by the length of the second.
    private static func distance(_ a: some Sequence<Double>, _ b: some Sequence<Double>) -> Double {
        let squares = zip(a, b).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
        return (squares / b.reduce(0) { $0 + $1 * $1 }).squareRoot()
    }

    @Test(
        "The straight-through gradient is that of the network without rounding, saturation included",
        arguments: CellKind.allCases, [false, true])
    func straightThrough(cell: CellKind, saturates: Bool) throws {
        let shape = NetworkShape(cell: cell, inputWidth: 3, units: 6)
        let (days, columns) = (6, 8)
        let fine =
            switch cell {
            case .lstm: (cell: 13, hidden: 8)
            case .gru: (cell: 13, hidden: 7)
            case .fastGRNN: (cell: 12, hidden: 6)
            }
        let scales =
            saturates
            ? Scales(
                cellFractionBits: 14, hiddenFractionBits: 8, input: 4, recurrent: 3, bias: 3)
            : Scales(
                cellFractionBits: fine.cell, hiddenFractionBits: fine.hidden, input: 1,
                recurrent: 0.7, bias: 1)
        // Networks of which none has a sum just at the end, where rounding decides.
        var noise = Noise(state: saturates ? 4 : 2)
        let network = Self.network(shape, scales, &noise)
        try network.validate()
        let batched = BatchedNetwork(shape: shape, window: days, columns: columns)
        let windows = (0..<columns).map { _ in
            (0..<days * 3).map { _ in Float((noise.uniform() - 0.5) * 2) }
        }
        Self.fill(batched, windows)
        let slopes = (0..<columns).map { _ in Float(noise.uniform() - 0.5) }
        let flat = Self.dequantized(network)
        let weights = PackedWeights(
            NetworkParameters(shape: shape, flattened: flat.map(Float.init)))
        batched.forward(integer: PackedIntegers(network))
        for b in 0..<columns { batched.outputGradient[b] = slopes[b] }
        batched.backward(weights.values)
        let gradient = weights.flattened(batched.gradient).map(Double.init)

        // The buffers hold the quantised inputs.
        let seen = (0..<columns).map { b in
            (0..<days * 3).map { k in
                Double(batched.inputs[k % 3 * batched.inputStride + k / 3 * columns + b])
            }
        }
        func loss(_ flat: [Double]) -> Double {
            (0..<columns).reduce(0) {
                $0 + Double(slopes[$1]) * Self.unrounded(network, flat, window: seen[$1])
            }
        }
        let exact = flat.indices.map { k in
            var (low, high) = (flat, flat)
            low[k] -= 1e-5
            high[k] += 1e-5
            return (loss(high) - loss(low)) / 2e-5
        }
        let reference = RecurrentReference(shape: shape)
        var unheld = [Double](repeating: 0, count: flat.count)
        for b in 0..<columns {
            let trace = reference.forward(parameters: flat, window: seen[b])
            reference.backward(
                parameters: flat, window: seen[b], trace: trace, outputGradient: Double(slopes[b]),
                gradient: &unheld)
        }
        let bounds = [
            0, shape.recurrentOffset, shape.biasOffset, shape.scalarOffset, shape.denseOffset,
            flat.count,
        ]
        // Tensor by tensor.
        for (low, high) in zip(bounds, bounds.dropFirst()) where low < high {
            let part = low..<high
            #expect(
                Self.distance(gradient[part], exact[part]) < (saturates ? 0.1 : 0.03),
                "parameters \(part)")
        }
        // Without regard to saturation it would be another, and where nothing saturates it is the float network's.
        let recurrent = shape.recurrentOffset..<shape.biasOffset
        let difference = Self.distance(unheld[recurrent], exact[recurrent])
        #expect(saturates ? difference > 0.3 : difference < 1e-6)
    }

    @Test(
        "A float pass after an integer one is as if there had been none",
        arguments: CellKind.allCases)
    func leavesNothingBehind(cell: CellKind) {
        let shape = NetworkShape(cell: cell, inputWidth: 2, units: 5)
        var noise = Noise(state: 8)
        let scales = Scales(
            cellFractionBits: 14, hiddenFractionBits: 8, input: 6, recurrent: 6, bias: 6)
        let network = Self.network(shape, scales, &noise)
        let weights = PackedWeights(
            NetworkParameters(shape: shape, flattened: Self.dequantized(network).map(Float.init)))
        let windows = (0..<8).map { _ in (0..<12).map { _ in Float(noise.uniform() - 0.5) } }
        func pass(_ batched: BatchedNetwork) -> [Float] {
            Self.fill(batched, windows)
            batched.outputGradient.update(repeating: 0.5)
            batched.forward(weights.values)
            batched.backward(weights.values)
            return Array(batched.output) + Array(batched.gradient)
        }
        let batched = BatchedNetwork(shape: shape, window: 6, columns: 8)
        let first = pass(batched)
        batched.forward(integer: PackedIntegers(network))
        batched.backward(weights.values)
        #expect(Array(batched.output) + Array(batched.gradient) != first)
        #expect(pass(batched) == first)
    }

    @Test("Dropping hidden units out changes the output by what they weigh")
    func dropout() {
        let shape = NetworkShape(inputWidth: 1, units: 4)
        var noise = Noise(state: 3)
        let scales = Scales(
            cellFractionBits: 12, hiddenFractionBits: 7, input: 2, recurrent: 2, bias: 1)
        let network = Self.network(shape, scales, &noise)
        let batched = BatchedNetwork(shape: shape, window: 5, columns: 8)
        for k in 0..<batched.inputStride { batched.inputs[k] = Float(noise.uniform()) }
        for b in 0..<8 { batched.hiddenScale[b] = b.isMultiple(of: 2) ? 0 : 1.25 }
        batched.forward(integer: PackedIntegers(network))
        for b in 0..<8 {
            var sum = Double(network.denseBias)
            for j in 0..<4 {
                let hidden = batched.lastHidden[j * batched.inputStride + b] * 128
                let scale = batched.hiddenScale[j * 8 + b]
                sum += Double(hidden * scale) * Double(network.denseKernel[j])
            }
            let output = Double(batched.output[b])
            #expect(abs(output - sum * Double(network.outputScale)) < Double(network.outputScale))
        }
    }
}
