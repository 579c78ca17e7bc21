/// The recurrent cell between a network's inputs and its dense output. The raw values are those of the package format.
package enum CellKind: UInt8, CaseIterable, Sendable {
    /// Long short-term memory with a forget gate (Gers, Schmidhuber, Cummins 2000).
    case lstm = 1
    /// Gated recurrent unit (Cho et al. 2014), its reset gate applied after the recurrent product.
    case gru = 2
    /// FastGRNN (Kusupati et al. 2018): gate and candidate share one kernel, two scalars weigh them.
    case fastGRNN = 3

    package var name: String {
        switch self {
        case .lstm: "lstm"
        case .gru: "gru"
        case .fastGRNN: "fastgrnn"
        }
    }

    package init?(name: String) {
        for cell in Self.allCases where cell.name.utf8.elementsEqual(name.utf8) {
            self = cell
            return
        }
        return nil
    }

    /// Blocks of H rows in the input and in the recurrent kernel.
    package var kernelBlocks: Int {
        switch self {
        case .lstm: 4
        case .gru: 3
        case .fastGRNN: 1
        }
    }

    /// Blocks of H biases.
    package var biasBlocks: Int {
        switch self {
        case .lstm, .gru: 4
        case .fastGRNN: 2
        }
    }

    /// Blocks of H sums that an integer step needs, as many as biases: the GRU keeps its candidate's recurrent product
    /// apart, because the reset gate weighs it; FastGRNN's gate and candidate have the same products but not the same bias.
    package var sumBlocks: Int { biasBlocks }

    /// Blocks at the beginning of kernels and biases whose sums are made alike, so that their rows lie close together;
    /// each later block begins anew.
    package var joinedBlocks: Int {
        switch self {
        case .lstm: 4
        case .gru: 2
        case .fastGRNN: 1
        }
    }

    /// Parameters that belong to no unit.
    package var scalarCount: Int { self == .fastGRNN ? 2 : 0 }
}

/// The order of the LSTM's blocks in every kernel of ours, float or integer. (ONNX has i o f c, Keras
/// i f c o, PyTorch i f g o.)
package enum Gate: Int, CaseIterable, Sendable {
    case input = 0
    case forget = 1
    /// The new content, through tanh; the others go through the sigmoid.
    case candidate = 2
    case output = 3
}

/// The order of the GRU's blocks in every kernel of ours. (ONNX and Keras have z r h, PyTorch r z n.)
///
/// `h' = (1 − z) · n + z · h` with `n = tanh(Wₙ x + bₙ + r · (Rₙ h + bᵣₙ))`. Its biases have a fourth block, `bᵣₙ`.
package enum GRUGate: Int, CaseIterable, Sendable {
    case update = 0
    case reset = 1
    case candidate = 2
}

/// What FastGRNN's blocks and scalars mean: `z = σ(W x + U h + b₀)`, `c = tanh(W x + U h + b₁)`,
/// `h' = (ζ · (1 − z) + ν) · c + z · h`, with ζ and ν within 0...1 the scalars, in this order.
package enum FastGRNNBias: Int, CaseIterable, Sendable {
    case gate = 0
    case candidate = 1
}
