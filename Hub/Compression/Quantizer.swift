package import Forecasting
import Kernels

/// Post-training quantisation: from a trained float network to the integer network of INTEGER.md.
///
/// Weights are scaled per row by their largest value. Ranges of inputs and states come from calibration windows.
package struct Quantizer: Sendable {
    /// How many calibration windows may be given.
    package static let windowsRange = 100...500

    /// Of an input column's calibration values, the share (by size) that must not saturate. 1 is minimum and
    /// maximum.
    package var inputShareKept: Double
    /// Headroom of the cell state over the largest one seen: it saturates only beyond, or where the cell cannot reach.
    package var cellHeadroom: Double

    package init(inputShareKept: Double = 1, cellHeadroom: Double = 1.5) {
        precondition(inputShareKept > 0.5 && inputShareKept <= 1 && cellHeadroom >= 1)
        self.inputShareKept = inputShareKept
        self.cellHeadroom = cellHeadroom
    }

    /// - Parameter windows: 100 to 500, each `[window, I]` time-major as `FeatureWindow` writes them.
    /// - Throws: `CompressionError`.
    /// - Complexity: two runs of the float and two of the integer network per window.
    package func quantize(
        _ parameters: NetworkParameters, spec: FeatureSpec, windows: [[Float]]
    ) throws(CompressionError) -> IntegerNetwork {
        try check(parameters, spec: spec, windows: windows)
        let (I, H) = (parameters.inputWidth, parameters.units)
        var network = IntegerNetwork(shape: parameters.shape)
        let ranges = CalibrationRanges(parameters, windows: windows, inputShareKept: inputShareKept)
        network.inputSteps = ranges.inputs.map { Float(127 / $0) }
        network.cellFractionBits = Self.fractionBits(
            holding: cellReach(parameters, seen: ranges.cell, days: spec.window),
            within: IntegerNetwork.cellFractionBitsRange, largest: 32_767)
        network.hiddenFractionBits = Self.fractionBits(
            holding: ranges.hidden,
            within: IntegerNetwork.hiddenFractionBitsRange(parameters.shape.cell), largest: 127)

        let gateUnit = 4096.0
        let hiddenUnit = Double(1 << network.hiddenFractionBits)
        for row in 0..<parameters.shape.kernelRows {
            // What one step of the int8 input weighs.
            let fromInput = (0..<I).map {
                Double(parameters.inputKernel[row * I + $0]) * gateUnit
                    / Double(network.inputSteps[$0])
            }
            let fromState = (0..<H).map {
                Double(parameters.recurrentKernel[row * H + $0]) * gateUnit / hiddenUnit
            }
            guard let input = Self.row(fromInput) else {
                throw .parameterTooLarge(.inputKernel, row: row)
            }
            guard let state = Self.row(fromState) else {
                throw .parameterTooLarge(.recurrentKernel, row: row)
            }
            network.inputKernel.replaceSubrange(row * I..<(row + 1) * I, with: input.weights)
            network.inputMultipliers[row] = input.multiplier
            network.recurrentKernel.replaceSubrange(row * H..<(row + 1) * H, with: state.weights)
            network.recurrentMultipliers[row] = state.multiplier
        }
        for index in parameters.bias.indices {
            let bias = (Double(parameters.bias[index]) * gateUnit).rounded()
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
        try setDense(of: &network, from: parameters)
        try correctBias(of: &network, like: parameters, spec: spec, windows: windows)
        return network
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
        if let index = parameters.flattened.firstIndex(where: { !$0.isFinite }) {
            throw .parameterNotFinite(index: index)
        }
    }

    /// How large the cell state may become: what was seen and headroom over it, but no more than the cell can reach.
    private func cellReach(_ parameters: NetworkParameters, seen: Double, days: Int) -> Double {
        let reach = seen * cellHeadroom
        switch parameters.shape.cell {
        case .lstm: return reach
        // A mean of candidates, each within ±1; the largest int16 is 1 at 15 bits.
        case .gru: return min(reach, 32_767.0 / 32_768)
        // A day adds at most ν once the state is beyond ζ.
        case .fastGRNN:
            let (zeta, nu) = (Double(parameters.scalars[0]), Double(parameters.scalars[1]))
            return min(reach, zeta + nu * Double(days))
        }
    }

    /// The most fraction bits with which `value` is at most `largest` units.
    private static func fractionBits(
        holding value: Double, within range: ClosedRange<Int>, largest: Double
    ) -> Int {
        range.last { value * Double(1 << $0) <= largest } ?? range.lowerBound
    }

    /// - Parameter exact: weights in Q3.12 per input step.
    private static func row(_ exact: [Double]) -> (weights: [Int8], multiplier: RowMultiplier)? {
        let largest = exact.map(abs).max() ?? 0
        guard let multiplier = RowMultiplier(atLeast: largest / 127) else { return nil }
        return (exact.map { Int8(($0 / multiplier.value).rounded()) }, multiplier)
    }

    private func setDense(
        of network: inout IntegerNetwork, from parameters: NetworkParameters
    ) throws(CompressionError) {
        let largest = parameters.denseWeight.map { Double(abs($0)) }.max() ?? 0
        // A dense layer of zeros has no scale of its own.
        let weightScale = largest > 0 ? largest / 127 : 1.0 / 127
        network.denseKernel = parameters.denseWeight.map {
            Int8((Double($0) / weightScale).rounded())
        }
        network.outputScale = Float(weightScale / Double(1 << network.hiddenFractionBits))
        try setDenseBias(of: &network, to: Double(parameters.denseBias))
    }

    private func setDenseBias(
        of network: inout IntegerNetwork, to bias: Double
    ) throws(CompressionError) {
        let steps = (bias / Double(network.outputScale)).rounded()
        guard abs(steps) <= Double(IntegerNetwork.denseBiasMax) else {
            throw .parameterTooLarge(.denseBias, row: 0)
        }
        network.denseBias = Int32(steps)
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
            for i in window.indices { recurrence.window[i] = window[i] }
            error +=
                Double(recurrence.run()) * Double(network.outputScale)
                - Double(parameters.output(window: window))
        }
        let bias = Double(network.denseBias) * Double(network.outputScale)
        try setDenseBias(of: &network, to: bias - error / Double(windows.count))
    }
}
