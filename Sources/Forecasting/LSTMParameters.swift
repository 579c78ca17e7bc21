/// The order of the gates' blocks in every kernel of ours, float or integer. (ONNX has i o f c, Keras
/// i f c o, PyTorch i f g o.)
package enum Gate: Int, CaseIterable, Sendable {
    case input = 0
    case forget = 1
    /// The new content, through tanh; the others go through the sigmoid.
    case candidate = 2
    case output = 3
}

/// Sizes of one LSTM layer followed by one dense output, and where each tensor lies when all parameters
/// are laid one after the other: input kernel, recurrent kernel, bias, dense weight, dense bias.
package struct LSTMShape: Hashable, Sendable {
    package static let unitsMax = 128
    package static let inputWidthMax = 64

    /// I
    package var inputWidth: Int
    /// H
    package var units: Int

    /// - Precondition: within `inputWidthMax` and `unitsMax`.
    package init(inputWidth: Int, units: Int) {
        precondition((1...Self.inputWidthMax).contains(inputWidth))
        precondition((1...Self.unitsMax).contains(units))
        self.inputWidth = inputWidth
        self.units = units
    }

    /// 4H
    package var gateRows: Int { 4 * units }
    package var recurrentOffset: Int { gateRows * inputWidth }
    package var biasOffset: Int { recurrentOffset + gateRows * units }
    package var denseOffset: Int { biasOffset + gateRows }
    package var denseBiasOffset: Int { denseOffset + units }
    package var parameterCount: Int { denseBiasOffset + 1 }
}

/// The network's weights. Row `gate · H + h` of a kernel belongs to unit `h` of that gate.
package struct LSTMParameters: Equatable, Sendable {
    package let shape: LSTMShape
    /// `[4H, I]` row-major
    package var inputKernel: [Float]
    /// `[4H, H]` row-major
    package var recurrentKernel: [Float]
    /// `[4H]`
    package var bias: [Float]
    /// `[H]`
    package var denseWeight: [Float]
    package var denseBias: Float

    package var inputWidth: Int { shape.inputWidth }
    package var units: Int { shape.units }

    /// All parameters in the order of `LSTMShape`.
    package var flattened: [Float] {
        inputKernel + recurrentKernel + bias + denseWeight + [denseBias]
    }

    /// - Precondition: `flattened.count == shape.parameterCount`.
    package init(shape: LSTMShape, flattened: [Float]) {
        precondition(flattened.count == shape.parameterCount)
        self.shape = shape
        inputKernel = [Float](flattened[..<shape.recurrentOffset])
        recurrentKernel = [Float](flattened[shape.recurrentOffset..<shape.biasOffset])
        bias = [Float](flattened[shape.biasOffset..<shape.denseOffset])
        denseWeight = [Float](flattened[shape.denseOffset..<shape.denseBiasOffset])
        denseBias = flattened[shape.denseBiasOffset]
    }
}
