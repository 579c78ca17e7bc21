package import Forecasting

/// Sizes as the published comparison counts them, so that its rows can be set beside ours. They are not what a device
/// receives: no biases of another width, no positions of the weights that are left, no features, no frame.
/// What a device receives is `BuiltPackage.bytes`.
package enum ArticleSize {
    /// Every parameter as a 4-byte float: 16,961 parameters of LSTM-64 are 66.25.
    /// - Returns: KB of 1,024 bytes.
    package static func dense(_ shape: NetworkShape) -> Double {
        Double(shape.parameterCount) * 4 / 1024
    }

    /// The parameters that are not zero, 4 bytes each, and nothing to say which they are.
    /// - Returns: KB of 1,024 bytes.
    package static func pruned(_ parameters: NetworkParameters) -> Double {
        Double(nonZeros(parameters)) * 4 / 1024
    }

    /// Every parameter as one byte, biases too.
    /// - Returns: KB of 1,024 bytes.
    package static func int8(_ shape: NetworkShape) -> Double {
        Double(shape.parameterCount) / 1024
    }

    package static func nonZeros(_ parameters: NetworkParameters) -> Int {
        parameters.flattened.count { $0 != 0 }
    }

    /// The sparsity of the kernels at which only `share` of all parameters are left. As biases are never pruned, that
    /// is a little more than `1 − share`, which is what the published rows are named after.
    /// - Parameter share: above 0 and below 1.
    /// - Throws: `CompressionError.sparsity` when the biases alone are more.
    package static func sparsity(
        leaving share: Double, of shape: NetworkShape
    ) throws(CompressionError) -> Double {
        guard share > 0, share < 1 else { throw .sparsity(1 - share) }
        let prunable = shape.kernels.map(\.range.count).reduce(0, +)
        let gone = Double(shape.parameterCount) * (1 - share)
        let sparsity = gone / Double(prunable)
        guard sparsity < 1 else { throw .sparsity(sparsity) }
        return sparsity
    }
}
