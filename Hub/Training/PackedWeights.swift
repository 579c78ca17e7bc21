package import Forecasting

/// The network's weights as the products of `BatchedNetwork` want them: those that meet the same rows of its operand
/// side by side. A reordering of `NetworkParameters.flattened`, no more and no less.
///
/// With I inputs and H units, matrices row-major, row blocks as in `Gate` and `GRUGate`:
/// - LSTM: `[4H, H + I + 1]`, the columns that meet the hidden state, the inputs, and the constant 1 (the bias).
/// - GRU: `[3H, I + 1]` for candidate, update and reset: inputs and bias; `[3H, H]` for update, reset and
///   candidate: the hidden state; `[H]`, the bias inside the reset gate. What meets the inputs and what meets the
///   hidden state is apart, because the reset gate weighs only the latter of the candidate's sums.
/// - FastGRNN: `[H, H + I]`, hidden state and inputs; `[2, H]` biases; ζ and ν.
///
/// Then, for each, the dense layer's `[H]` and its bias. Scalars and dense layer lie where they lie among the flattened
/// parameters.
package struct PackedWeights: Sendable {
    package let shape: NetworkShape
    /// `[shape.parameterCount]`
    package var values: [Float]
    /// Where each packed value lies among the flattened parameters.
    private let order: [Int]

    package init(_ parameters: NetworkParameters) {
        shape = parameters.shape
        order = Self.order(shape)
        let flat = parameters.flattened
        values = order.map { flat[$0] }
    }

    package var unpacked: NetworkParameters {
        NetworkParameters(shape: shape, flattened: flattened(values))
    }

    /// - Parameter packed: laid out as `values`, as `BatchedNetwork.gradient` is too.
    /// - Returns: in the order of `NetworkParameters.flattened`.
    package func flattened(_ packed: some Collection<Float>) -> [Float] {
        precondition(packed.count == order.count)
        var flat = [Float](repeating: 0, count: order.count)
        for (index, value) in zip(order, packed) { flat[index] = value }
        return flat
    }

    /// Replaces every weight.
    /// - Parameter flat: in the order of `NetworkParameters.flattened`.
    package mutating func pack(_ flat: [Float]) {
        precondition(flat.count == order.count)
        for k in order.indices { values[k] = flat[order[k]] }
    }

    /// Puts FastGRNN's ζ and ν back into the 0...1 they mean something in, as after every step of training; nothing
    /// for other cells. A NaN stays one.
    /// - Parameter values: `[shape.parameterCount]`, packed or flattened.
    package static func holdScalars(_ values: inout [Float], of shape: NetworkShape) {
        precondition(values.count == shape.parameterCount)
        for k in shape.scalarOffset..<shape.denseOffset {
            if values[k] < 0 { values[k] = 0 }
            if values[k] > 1 { values[k] = 1 }
        }
    }

    private static func order(_ shape: NetworkShape) -> [Int] {
        let (I, H) = (shape.inputWidth, shape.units)
        func input(row: Int) -> Range<Int> { row * I..<(row + 1) * I }
        func recurrent(row: Int) -> Range<Int> {
            shape.recurrentOffset + row * H..<shape.recurrentOffset + (row + 1) * H
        }
        var order: [Int] = []
        order.reserveCapacity(shape.parameterCount)
        switch shape.cell {
        case .lstm:
            for row in 0..<4 * H {
                order += recurrent(row: row)
                order += input(row: row)
                order.append(shape.biasOffset + row)
            }
        case .gru:
            for block in [GRUGate.candidate, .update, .reset] {
                for row in block.rawValue * H..<(block.rawValue + 1) * H {
                    order += input(row: row)
                    order.append(shape.biasOffset + row)
                }
            }
            order += shape.recurrentOffset..<shape.biasOffset
            order += shape.biasOffset + 3 * H..<shape.scalarOffset
        case .fastGRNN:
            for row in 0..<H {
                order += recurrent(row: row)
                order += input(row: row)
            }
            order += shape.biasOffset..<shape.denseOffset
        }
        order += shape.denseOffset..<shape.parameterCount
        return order
    }
}
