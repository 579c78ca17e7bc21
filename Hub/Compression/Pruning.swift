package import Forecasting

/// Unstructured pruning: single weights become zero.
///
/// By magnitude (Han, Pool, Tran, Dally, "Learning both Weights and Connections", 2015) or by |weight × gradient|, the
/// first-order change of the loss (Molchanov, Tyree, Karras, Aila, Kautz 2017; at the start of training: SNIP, Lee,
/// Ajanthan, Torr 2019). Biases, scalars and the dense
/// layer stay.
package enum Pruning {
    /// - Returns: `[parameterCount]`, the size of every parameter.
    package static func magnitudes(_ parameters: NetworkParameters) -> [Float] {
        parameters.flattened.map(abs)
    }

    /// dOutput / dWeights, one for each window. Where training has ended the gradients of the loss cancel; these
    /// do not, they need no sales to compare with, and the square error grows by the square of what a removed weight
    /// moves the output.
    /// - Parameter windows: `[T, I]` each, time-major.
    /// - Returns: `[parameterCount]` each, laid out as `flattened`.
    package static func outputGradients(
        _ parameters: NetworkParameters, windows: [[Float]]
    ) -> [[Float]] {
        let reference = RecurrentReference(shape: parameters.shape)
        let weights = parameters.flattened.map(Double.init)
        return windows.map { window in
            let window = window.map(Double.init)
            var gradient = [Double](repeating: 0, count: weights.count)
            reference.backward(
                parameters: weights, window: window,
                trace: reference.forward(parameters: weights, window: window), outputGradient: 1,
                gradient: &gradient)
            return gradient.map { Float($0) }
        }
    }

    /// - Parameter gradients: dLoss / dWeights over one batch each, or `outputGradients`, laid out as `flattened`.
    /// - Returns: `[parameterCount]`, the mean of |weight × gradient|.
    package static func saliencies(
        _ parameters: NetworkParameters, gradients: [[Float]]
    ) throws(CompressionError) -> [Float] {
        let weights = parameters.flattened
        var sums = [Float](repeating: 0, count: weights.count)
        for gradient in gradients {
            guard gradient.count == weights.count else {
                throw .scores(found: gradient.count, expected: weights.count)
            }
            for k in weights.indices { sums[k] += abs(weights[k] * gradient[k]) }
        }
        return sums.map { $0 / Float(max(gradients.count, 1)) }
    }

    /// The weights that stay: all but those of the lowest scores.
    ///
    /// With one threshold for the whole network a tensor whose weights happen to be small loses most of them, which is
    /// why each tensor has its own unless told otherwise.
    /// - Parameters:
    ///   - scores: `[parameterCount]`; only those of `NetworkShape.kernels` count. A weight that is zero goes first:
    ///     what was pruned stays pruned.
    ///   - sparsity: the share of weights that are zero afterwards, above 0 and below 1; to the nearest whole weight,
    ///     but never the last one.
    ///   - scope: `.tensor` takes the same share of every tensor, `.network` of all weights together.
    package static func mask(
        _ parameters: NetworkParameters, scores: [Float], sparsity: Double,
        scope: RecipeStep.Scope = .tensor
    ) throws(CompressionError) -> MaskedWeights {
        guard sparsity > 0, sparsity < 1 else { throw .sparsity(sparsity) }
        try parameters.checkFinite()
        let (shape, weights) = (parameters.shape, parameters.flattened)
        guard scores.count == weights.count else {
            throw .scores(found: scores.count, expected: weights.count)
        }
        let tensors = shape.kernels.map { Array($0.range) }
        for index in tensors.joined() where !scores[index].isFinite {
            throw .scoreNotFinite(index: index)
        }
        var keeps = [Bool](repeating: true, count: weights.count)
        for group in scope == .tensor ? tensors : [Array(tensors.joined())] {
            let gone = min(Int((sparsity * Double(group.count)).rounded()), group.count - 1)
            // Equal scores go in the order of the layout, so that the mask depends on nothing else.
            let order = group.sorted {
                let (a, b) = (
                    weights[$0] == 0 ? -1 : scores[$0], weights[$1] == 0 ? -1 : scores[$1]
                )
                return a != b ? a < b : $0 < $1
            }
            for index in order.prefix(gone) { keeps[index] = false }
        }
        return MaskedWeights(shape: shape, keeps: keeps)
    }

    /// The sparsity to reach after each round of pruning and fine-tuning: fast while there is much to take, slower as
    /// it becomes dear (Zhu and Gupta, "To prune, or not to prune", 2017).
    /// - Parameters:
    ///   - final: above 0 and below 1.
    ///   - rounds: at least 1.
    /// - Returns: `[rounds]`, rising to `final`.
    package static func schedule(
        to final: Double, rounds: Int
    ) throws(CompressionError) -> [Double] {
        guard final > 0, final < 1 else { throw .sparsity(final) }
        precondition(rounds >= 1)
        return (1...rounds).map { round in
            let left = 1 - Double(round) / Double(rounds)
            return final * (1 - left * left * left)
        }
    }
}
