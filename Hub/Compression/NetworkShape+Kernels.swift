package import Forecasting

extension NetworkShape {
    /// The tensors whose weights are pruned and shared, and where each lies in `NetworkParameters.flattened`. Biases,
    /// scalars and the dense layer are few and weigh much: a dense weight is a unit's only way out, and to prune 30 %
    /// of them costs more than 70 % of these.
    package var kernels: [(tensor: IntegerTensor, range: Range<Int>)] {
        [(.inputKernel, 0..<recurrentOffset), (.recurrentKernel, recurrentOffset..<biasOffset)]
    }

    /// The biases, as indices of `NetworkParameters.bias`, that see what row `row` of the input kernel sees: a
    /// constant in that row's sum can move there.
    func biases(ofInputRow row: Int) -> [Int] { cell == .fastGRNN ? [row, row + units] : [row] }

    /// Likewise for a row of the recurrent kernel. The GRU's candidate has a recurrent bias of its own, inside the
    /// reset gate's reach.
    func biases(ofRecurrentRow row: Int) -> [Int] {
        switch cell {
        case .lstm: [row]
        case .gru: [row < GRUGate.candidate.rawValue * units ? row : row + units]
        case .fastGRNN: [row, row + units]
        }
    }
}

extension NetworkParameters {
    /// The index of the first parameter that is no finite number is an error.
    func checkFinite() throws(CompressionError) {
        if let index = flattened.firstIndex(where: { !$0.isFinite }) {
            throw .parameterNotFinite(index: index)
        }
    }
}
