package import Forecasting
import Kernels

/// Post-training quantisation: from a trained float network to the integer network of INTEGER.md. Ranges of inputs and
/// states come from calibration windows.
package struct Quantizer: Equatable, Sendable {
    /// How many calibration windows may be given.
    package static let windowsRange = 100...500

    package var inputKernel: WeightScheme
    package var recurrentKernel: WeightScheme
    /// Of one row, whatever its scheme says of sharing.
    package var dense: WeightScheme
    package var range: RangeRule
    /// Headroom of the cell state over the largest one seen: it saturates only beyond, or where the cell cannot reach.
    package var cellHeadroom: Double
    /// Who shares the codebooks of a network of shared weights. Equal weights then become equal integers, within a gate,
    /// within a kernel or in both: kernels have a scale for each codebook, and all inputs the same steps.
    package var codebook: Codebook.Sharing?

    /// - Parameters:
    ///   - kernels: of the input and the recurrent kernel.
    ///   - dense: H weights that all forecasts pass: they stay int8 unless told otherwise.
    ///   - cellHeadroom: at least 1.
    package init(
        kernels: WeightScheme = .int8, dense: WeightScheme = .int8, range: RangeRule = .largest,
        cellHeadroom: Double = 1.5, codebook: Codebook.Sharing? = nil
    ) {
        if case .share(let share) = range { precondition(share > 0.5 && share <= 1) }
        precondition(cellHeadroom >= 1)
        inputKernel = kernels
        recurrentKernel = kernels
        self.dense = dense
        self.range = range
        self.cellHeadroom = cellHeadroom
        self.codebook = codebook
    }

    /// What a recipe's step asks for, of a network whose weights share codebooks or not.
    package init(_ quantization: RecipeStep.Quantization, codebook: Codebook.Sharing? = nil) {
        self.init(
            kernels: WeightScheme(bits: quantization.bits, sharing: quantization.scale),
            range: RangeRule(quantization.range), codebook: codebook)
    }

    /// - Parameters:
    ///   - windows: 100 to 500, each `[window, I]` time-major as `FeatureWindow` writes them.
    ///   - factored: the ranks of kernels that are products: they become the product of two int8 factors, which a package
    ///     has in their place. Nil: there are none.
    /// - Throws: `CompressionError`.
    /// - Complexity: two runs of the float and one of the integer network per window.
    package func quantize(
        _ parameters: NetworkParameters, spec: FeatureSpec, windows: [[Float]],
        factored: FactoredWeights? = nil
    ) throws(CompressionError) -> IntegerNetwork {
        let frozen = try frozen(parameters, spec: spec, windows: windows)
        var network = try frozen.integers(of: parameters)
        if let factored {
            frozen.factor(
                &network, like: parameters, inputRank: factored.inputRank,
                recurrentRank: factored.recurrentRank)
        }
        try correctBias(of: &network, like: parameters, spec: spec, windows: windows)
        return network
    }

    /// Decides all ranges, for training to go on with.
    /// - Parameters: as `quantize` has them.
    package func frozen(
        _ parameters: NetworkParameters, spec: FeatureSpec, windows: [[Float]]
    ) throws(CompressionError) -> FrozenQuantizer {
        try check(parameters, spec: spec, windows: windows)
        let ranges = CalibrationRanges(parameters, windows: windows, rule: range)
        let cellFractionBits = CalibrationRanges.fractionBits(
            holding: cellReach(parameters, seen: ranges.cell, days: spec.window),
            within: IntegerNetwork.cellFractionBitsRange, largest: 32_767)
        return FrozenQuantizer(
            self, inputSteps: inputSteps(ranges.inputs), cellFractionBits: cellFractionBits,
            hiddenFractionBits: ranges.hiddenFractionBits(
                within: IntegerNetwork.hiddenFractionBitsRange(
                    parameters.shape.cell, cellFractionBits: cellFractionBits)),
            fittedTo: parameters)
    }

    /// How a kernel's weights share scales: as its scheme says, or its codebooks.
    func scheme(_ kernel: WeightScheme) -> WeightScheme {
        var scheme = kernel
        switch codebook {
        case nil: break
        case .gate: scheme.sharing = .gate
        case .tensor, .network: scheme.sharing = .tensor
        }
        return scheme
    }

    /// Steps of 8 significant bits: what a file holds in two bytes.
    private func inputSteps(_ ranges: [Double]) -> [Float] {
        let grid = ScaleGrid(mantissaBits: 7)
        let steps = ranges.map { grid.atMost(127 / $0) }
        guard let codebook, let least = steps.min() else { return steps.map { Float($0) } }
        // Whole steps, so that a one-hot column stays exact; for one codebook in both kernels a power of two. There 32
        // reach to 3.97, which is near enough to the end of `FeatureSpec.demandRange`.
        let common =
            codebook == .network
            ? ScaleGrid(mantissaBits: 0).atMost(least * 1.01) : max(least.rounded(.down), 1)
        return [Float](repeating: Float(common), count: steps.count)
    }

    private func check(
        _ parameters: NetworkParameters, spec: FeatureSpec, windows: [[Float]]
    ) throws(CompressionError) {
        guard Self.windowsRange.contains(windows.count) else {
            throw .calibrationWindows(count: windows.count)
        }
        for (index, window) in windows.enumerated() {
            guard window.count == spec.windowValues, window.allSatisfy(\.isFinite) else {
                throw .calibrationWindow(index: index)
            }
        }
        try parameters.checkFinite()
    }

    /// How large the cell state may become: what was seen and headroom over it, but no more than the cell can reach.
    private func cellReach(_ parameters: NetworkParameters, seen: Double, days: Int) -> Double {
        let reach = seen * cellHeadroom
        switch parameters.shape.cell {
        case .lstm: return reach
        // A mean of candidates, each within ±1.
        case .gru: return min(reach, 1)
        // A day adds at most ν once the state is beyond ζ.
        case .fastGRNN:
            let (zeta, nu) = (Double(parameters.scalars[0]), Double(parameters.scalars[1]))
            return min(reach, zeta + nu * Double(days))
        }
    }

    /// Rounding weights shifts the outputs by a little on the mean; the dense bias takes that back, so that the integer
    /// network is as unbiased as the float one.
    private func correctBias(
        of network: inout IntegerNetwork, like parameters: NetworkParameters, spec: FeatureSpec,
        windows: [[Float]]
    ) throws(CompressionError) {
        let counts = ArenaLayout.Counts(
            shape: network.shape, window: spec.window, profiles: 0, starts: 0, identifierBytes: 0)
        let recurrence = IntegerRecurrence(network, in: Arena(ArenaLayout(counts)))
        var error = 0.0
        for window in windows {
            recurrence.load(window: window)
            error +=
                Double(recurrence.run()) * Double(network.outputScale)
                - Double(parameters.output(window: window))
        }
        let bias = Double(network.denseBias) * Double(network.outputScale)
        try FrozenQuantizer.setDenseBias(
            of: &network, to: bias - error / Double(windows.count))
    }
}
