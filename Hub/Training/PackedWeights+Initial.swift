package import Forecasting

extension PackedWeights {
    /// Where training starts: kernels as Glorot and Bengio (2010) draw them, recurrent ones with orthonormal columns
    /// (Saxe et al. 2014), biases 0 but for the gates that keep the state (the LSTM's forget gate, the GRU's update
    /// gate, FastGRNN's only one), which begin open (Jozefowicz et al. 2015). FastGRNN's ζ begins near 1 and ν near 0,
    /// where its step is that of a GRU without reset (Kusupati et al. 2018), within 0...1 so that both can move.
    /// - Parameter silentInputs: of so many of the last inputs the kernel begins with 0, so that one which is hardly ever
    ///   seen in training says nothing rather than anything.
    /// - Returns: the same weights for the same shape, inputs and seed, everywhere.
    package static func initial(
        _ shape: NetworkShape, seed: UInt64, silentInputs: Int = 0
    ) -> PackedWeights {
        var random = SeededRandom(seed: seed, stream: 0)
        let (I, H, R) = (shape.inputWidth, shape.units, shape.kernelRows)
        var flat = [Float](repeating: 0, count: shape.parameterCount)
        let inputLimit = (6 / Float(I + R)).squareRoot()
        for k in 0..<shape.recurrentOffset where k % I < I - silentInputs {
            flat[k] = (2 * random.unit() - 1) * inputLimit
        }
        for (j, column) in orthonormal(count: H, length: R, &random).enumerated() {
            for row in 0..<R { flat[shape.recurrentOffset + row * H + j] = column[row] }
        }
        let bias = shape.biasOffset
        switch shape.cell {
        case .lstm:
            for h in 0..<H { flat[bias + Gate.forget.rawValue * H + h] = 1 }
        case .gru:
            for h in 0..<H { flat[bias + GRUGate.update.rawValue * H + h] = 1 }
        case .fastGRNN:
            for h in 0..<H { flat[bias + FastGRNNBias.gate.rawValue * H + h] = 1 }
            flat[shape.scalarOffset] = 0.99
            flat[shape.scalarOffset + 1] = 0.01
        }
        let denseLimit = (6 / Float(H + 1)).squareRoot()
        for h in 0..<H { flat[shape.denseOffset + h] = (2 * random.unit() - 1) * denseLimit }
        return PackedWeights(NetworkParameters(shape: shape, flattened: flat))
    }

    /// Gram and Schmidt, on normal columns.
    private static func orthonormal(
        count: Int, length: Int, _ random: inout SeededRandom
    ) -> [[Float]] {
        // As many columns as rows leave little of the last ones; a second pass makes that little orthogonal.
        let passes = 2 * count <= length ? 1 : 2
        var columns: [[Float]] = []
        for _ in 0..<count {
            var column = (0..<length).map { _ in random.normal() }
            for _ in 0..<passes {
                for other in columns {
                    let along = zip(column, other).reduce(Float(0)) { $0 + $1.0 * $1.1 }
                    for k in 0..<length { column[k] -= along * other[k] }
                }
            }
            let norm = column.reduce(Float(0)) { $0 + $1 * $1 }.squareRoot()
            columns.append(column.map { $0 / max(norm, 1e-6) })
        }
        return columns
    }
}
