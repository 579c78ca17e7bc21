package import Forecasting
import Kernels
import Training

/// From weights to integers and back, the ranges of inputs and states decided beforehand: what quantization-aware
/// training sees its weights through (Jacob et al., "Quantization and Training of Neural Networks for Efficient
/// Integer-Arithmetic-Only Inference", 2018).
///
/// Scales follow the weights as they move, but for those that were fitted by least squares: these stay.
/// `quantized(dequantized(network))` is `network`, bit for bit, for every network that `quantized` made.
package struct FrozenQuantizer: WeightQuantization, Equatable {
    /// Of single precision: a dense bias of so many steps can be told from its neighbours.
    private static let denseBiasMax = 4_194_304.0
    /// One unit of a gate's sum.
    private static let gateUnit = 4096.0

    let quantizer: Quantizer
    let inputSteps: [Float]
    let cellFractionBits: Int
    let hiddenFractionBits: Int
    /// `[R]`, and of the dense layer: where they stay.
    private var inputScales: [Double]?
    private var recurrentScales: [Double]?
    private var denseScale: Double?

    /// - Parameter parameters: what fitted scales are fitted to.
    init(
        _ quantizer: Quantizer, inputSteps: [Float], cellFractionBits: Int,
        hiddenFractionBits: Int, fittedTo parameters: NetworkParameters
    ) {
        self.quantizer = quantizer
        self.inputSteps = inputSteps
        self.cellFractionBits = cellFractionBits
        self.hiddenFractionBits = hiddenFractionBits
        let exact = exactWeights(parameters)
        let scales = scales(exact, shape: parameters.shape)
        func staysFitted(_ scheme: WeightScheme) -> Bool {
            guard case .integer = scheme.levels else { return false }
            return scheme.fit == .leastSquares
        }
        if staysFitted(quantizer.inputKernel) { inputScales = scales.input }
        if staysFitted(quantizer.recurrentKernel) { recurrentScales = scales.recurrent }
        if staysFitted(quantizer.dense) { denseScale = scales.dense }
    }

    package func quantized(_ parameters: NetworkParameters) -> IntegerNetwork? {
        guard parameters.flattened.allSatisfy(\.isFinite) else { return nil }
        // Which row it was matters to whoever quantizes a finished network, not to training that has diverged.
        return try? integers(of: parameters)
    }

    /// - Precondition: finite.
    func integers(of parameters: NetworkParameters) throws(CompressionError) -> IntegerNetwork {
        let (shape, I, H) = (parameters.shape, parameters.inputWidth, parameters.units)
        var network = IntegerNetwork(shape: shape)
        network.inputSteps = inputSteps
        network.cellFractionBits = cellFractionBits
        network.hiddenFractionBits = hiddenFractionBits
        let exact = exactWeights(parameters)
        let scales = scales(exact, shape: shape)
        for row in 0..<shape.kernelRows {
            let input = try Self.row(
                exact.input[row * I..<(row + 1) * I], scale: scales.input[row],
                quantizer.inputKernel.levels, .inputKernel, row)
            network.inputKernel.replaceSubrange(row * I..<(row + 1) * I, with: input.weights)
            network.inputMultipliers[row] = input.multiplier
            let state = try Self.row(
                exact.recurrent[row * H..<(row + 1) * H], scale: scales.recurrent[row],
                quantizer.recurrentKernel.levels, .recurrentKernel, row)
            network.recurrentKernel.replaceSubrange(row * H..<(row + 1) * H, with: state.weights)
            network.recurrentMultipliers[row] = state.multiplier
        }
        for index in parameters.bias.indices {
            let bias = (Double(parameters.bias[index]) * Self.gateUnit).rounded()
            guard abs(bias) <= Double(IntegerNetwork.biasMax) else {
                throw .parameterTooLarge(.bias, row: index)
            }
            network.bias[index] = Int32(bias)
        }
        for index in parameters.scalars.indices {
            guard (0...1).contains(parameters.scalars[index]) else {
                throw .parameterTooLarge(.scalars, row: index)
            }
            let scalar = (Double(parameters.scalars[index]) * 32_768).rounded()
            network.scalars[index] = UInt16(min(scalar, Double(IntegerNetwork.scalarMax)))
        }
        // A dense layer of zeros has no scale of its own.
        let denseScale = scales.dense > 0 ? scales.dense : 0x1p-7
        network.denseKernel = exact.dense.map {
            Int8(quantizer.dense.levels.rounded($0, scale: denseScale))
        }
        network.outputScale = Float(denseScale / hiddenUnit)
        try Self.setDenseBias(of: &network, to: Double(parameters.denseBias))
        return network
    }

    /// The kernels that are products, as the product of integer factors: what `integers` made of them is replaced. The
    /// rows keep their multipliers.
    func factor(
        _ network: inout IntegerNetwork, like parameters: NetworkParameters, inputRank: Int?,
        recurrentRank: Int?
    ) {
        let (shape, exact) = (parameters.shape, exactWeights(parameters))
        func factors(
            _ weights: [Double], _ multipliers: [RowMultiplier], rank: Int
        ) -> (factors: KernelFactors, kernel: [Int8]) {
            let width = weights.count / shape.kernelRows
            let kernel = Matrix(
                rows: shape.kernelRows, columns: width,
                values: weights.enumerated().map { $1 / multipliers[$0 / width].value })
            let factors = KernelFactors(nearest: kernel, rank: rank)
            return (factors, factors.expanded(rows: shape.kernelRows, columns: width)!)
        }
        if let inputRank {
            let found = factors(exact.input, network.inputMultipliers, rank: inputRank)
            network.inputKernel = found.kernel
            network.inputFactors = found.factors
        }
        if let recurrentRank {
            let found = factors(exact.recurrent, network.recurrentMultipliers, rank: recurrentRank)
            network.recurrentKernel = found.kernel
            network.recurrentFactors = found.factors
        }
    }

    package func dequantized(_ network: IntegerNetwork) -> NetworkParameters {
        let (shape, I, H) = (network.shape, network.shape.inputWidth, network.shape.units)
        var flat = [Float](repeating: 0, count: shape.parameterCount)
        for row in 0..<shape.kernelRows {
            let input = network.inputMultipliers[row].value / Self.gateUnit
            for i in 0..<I {
                let weight = Double(network.inputKernel[row * I + i]) * input
                flat[row * I + i] = Float(weight * Double(network.inputSteps[i]))
            }
            let state = network.recurrentMultipliers[row].value / Self.gateUnit * hiddenUnit
            for j in 0..<H {
                let weight = Double(network.recurrentKernel[row * H + j]) * state
                flat[shape.recurrentOffset + row * H + j] = Float(weight)
            }
        }
        for (k, bias) in network.bias.enumerated() {
            flat[shape.biasOffset + k] = Float(Double(bias) / Self.gateUnit)
        }
        for (k, scalar) in network.scalars.enumerated() {
            flat[shape.scalarOffset + k] = Float(scalar) / 32_768
        }
        let output = Double(network.outputScale)
        for (j, weight) in network.denseKernel.enumerated() {
            flat[shape.denseOffset + j] = Float(Double(weight) * output * hiddenUnit)
        }
        flat[shape.denseBiasOffset] = Float(Double(network.denseBias) * output)
        return NetworkParameters(shape: shape, flattened: flat)
    }

    static func setDenseBias(
        of network: inout IntegerNetwork, to bias: Double
    ) throws(CompressionError) {
        let steps = (bias / Double(network.outputScale)).rounded()
        guard abs(steps) <= denseBiasMax else { throw .parameterTooLarge(.denseBias, row: 0) }
        network.denseBias = Int32(steps)
    }

    private var hiddenUnit: Double { Double(1 << hiddenFractionBits) }

    /// Weights as multiples of what one step of their int8 input adds to a sum: `[R, I]`, `[R, H]`, and the dense
    /// layer's `[H]` as they are.
    private typealias Exact = (input: [Double], recurrent: [Double], dense: [Double])

    private func exactWeights(_ parameters: NetworkParameters) -> Exact {
        let width = parameters.inputWidth
        return (
            parameters.inputKernel.enumerated().map { index, weight in
                Double(weight) * Self.gateUnit / Double(inputSteps[index % width])
            },
            parameters.recurrentKernel.map { Double($0) * Self.gateUnit / hiddenUnit },
            parameters.denseWeight.map(Double.init)
        )
    }

    /// Of a kernel's rows and of the dense layer: what one level stands for, 0 where all weights are.
    private func scales(
        _ exact: Exact, shape: NetworkShape
    ) -> (input: [Double], recurrent: [Double], dense: Double) {
        let dense = denseScale ?? quantizer.dense.coarser(mantissaBits: 7).scale(exact.dense[...])
        if quantizer.codebook == .network {
            // In the input's unit; the recurrent one is a power of two away, so both have the same mantissa.
            let ratio = Double(inputSteps[0]) / hiddenUnit
            let scale = quantizer.inputKernel.scale(
                (exact.input + exact.recurrent.map { $0 / ratio })[...])
            return (
                [Double](repeating: scale, count: shape.kernelRows),
                [Double](repeating: scale * ratio, count: shape.kernelRows), dense
            )
        }
        return (
            inputScales
                ?? Self.scales(exact.input, shape, quantizer.scheme(quantizer.inputKernel)),
            recurrentScales
                ?? Self.scales(exact.recurrent, shape, quantizer.scheme(quantizer.recurrentKernel)),
            dense
        )
    }

    /// - Returns: `[R]`
    private static func scales(
        _ kernel: [Double], _ shape: NetworkShape, _ scheme: WeightScheme
    ) -> [Double] {
        let groupRows =
            switch scheme.sharing {
            case .row: 1
            case .gate: shape.units
            case .tensor: shape.kernelRows
            }
        let width = kernel.count / shape.kernelRows
        return stride(from: 0, to: shape.kernelRows, by: groupRows).flatMap { row in
            let scale = scheme.scale(kernel[row * width..<(row + groupRows) * width])
            return [Double](repeating: scale, count: groupRows)
        }
    }

    private static func row(
        _ exact: ArraySlice<Double>, scale: Double, _ levels: WeightScheme.Levels,
        _ tensor: IntegerTensor, _ row: Int
    ) throws(CompressionError) -> (weights: [Int8], multiplier: RowMultiplier) {
        // Multipliers end at 255.5: beyond, few levels may stand further apart.
        var apart = 1
        while scale / Double(apart) > 255.5, 2 * apart * levels.largest <= 127 { apart *= 2 }
        guard let multiplier = RowMultiplier(atLeast: scale / Double(apart)) else {
            throw .parameterTooLarge(tensor, row: row)
        }
        let level = multiplier.value * Double(apart)
        return (
            exact.map { Int8(apart * levels.rounded($0, scale: level)) }, multiplier
        )
    }
}
