import Forecasting

/// Names of what an exported FastGRNN is made of: it has no operator of its own.
enum FastGRNNName {
    static let cell = "shelfcast.cell"
    /// `[I, H]`
    static let inputKernel = "recurrent.W"
    /// `[H, H]`, transposed
    static let recurrentKernel = "recurrent.U"
    /// `[H]`
    static let gateBias = "recurrent.gateBias"
    static let candidateBias = "recurrent.candidateBias"
    static let zeta = "recurrent.zeta"
    static let nu = "recurrent.nu"
}

// Graphs whose cell is written out in products, in a Loop or day by day. Its kernels are among the constants; which
// they are is guessed from their shapes and proved by computing, so a wrong guess costs time and nothing else.
extension NetworkImport {
    private static let constantsMax = 4

    /// The networks that the graph's constants could be.
    /// - Parameter width: I
    func unrolledCandidates(_ dense: Dense, width: Int) -> [NetworkParameters] {
        if model.metadata(FastGRNNName.cell) == CellKind.fastGRNN.name {
            return [fastGRNN(dense, width: width)].compactMap(\.self)
        }
        return keras(.lstm, dense, width: width) + keras(.gru, dense, width: width)
    }

    private func constants(_ shape: [Int]) -> [[Float]] {
        let found = model.graph.initializers.lazy.compactMap { initializer in
            initializer.tensor.shape == shape ? initializer.tensor.floats : nil
        }
        return Array(found.prefix(Self.constantsMax))
    }

    /// Keras: `[I, G·H]`, `[H, G·H]` and `[G·H]`, or `[2, G·H]` for the GRU; LSTM i f c o, GRU z r h. A converter drops
    /// biases of zero and may cut the GRU's two apart.
    private func keras(_ cell: CellKind, _ dense: Dense, width: Int) -> [NetworkParameters] {
        let (I, H) = (width, dense.weight.count)
        let rows = cell.kernelBlocks * H
        let none = [Float](repeating: 0, count: rows)
        let single = constants([rows]) + [none]
        let biases: [[Float]]
        if cell == .lstm {
            biases = single
        } else {
            let pairs =
                constants([2, rows]).map { ($0[..<rows], $0[rows...]) }
                + single.flatMap { first in single.map { (first[...], $0[...]) } }
            biases = pairs.map { fromInput, fromHidden in
                zip(fromInput, fromHidden).prefix(2 * H).map(+) + fromInput.suffix(H)
                    + fromHidden.suffix(H)
            }
        }
        var candidates: [NetworkParameters] = []
        for (index, kernel) in constants([I, rows]).enumerated() {
            for (other, recurrent) in constants([H, rows]).enumerated()
            where I != H || index != other {
                for bias in biases {
                    candidates.append(
                        NetworkParameters(
                            shape: NetworkShape(cell: cell, inputWidth: I, units: H),
                            flattened: Self.transposed(kernel, rows: I)
                                + Self.transposed(recurrent, rows: H) + bias + dense.weight
                                + [dense.bias]))
                }
            }
        }
        return candidates
    }

    private func fastGRNN(_ dense: Dense, width: Int) -> NetworkParameters? {
        let (I, H) = (width, dense.weight.count)
        func constant(_ name: String, count: Int) -> [Float]? {
            let tensor = model.graph.initializers.first { $0.name == name }?.tensor
            return tensor?.count == count ? tensor?.floats : nil
        }
        guard let kernel = constant(FastGRNNName.inputKernel, count: I * H),
            let recurrent = constant(FastGRNNName.recurrentKernel, count: H * H),
            let gate = constant(FastGRNNName.gateBias, count: H),
            let candidate = constant(FastGRNNName.candidateBias, count: H),
            let zeta = constant(FastGRNNName.zeta, count: 1),
            let nu = constant(FastGRNNName.nu, count: 1)
        else { return nil }
        return NetworkParameters(
            shape: NetworkShape(cell: .fastGRNN, inputWidth: I, units: H),
            flattened: Self.transposed(kernel, rows: I) + Self.transposed(recurrent, rows: H) + gate
                + candidate + zeta + nu + dense.weight + [dense.bias])
    }

    /// `[rows, columns]` as `[columns, rows]`.
    static func transposed(_ values: [Float], rows: Int) -> [Float] {
        let columns = values.count / rows
        return Tensor.walk(shape: [columns, rows], steps: [1, columns]).map { values[$0] }
    }
}
