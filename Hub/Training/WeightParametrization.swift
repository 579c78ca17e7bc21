package import Forecasting

/// What training moves, when that is not every weight by itself: the values behind the weights. Pruned weights stay
/// away, shared weights move together, factors move instead of their product.
///
/// Vectors of weights and of their gradients are laid out as `NetworkParameters.flattened`.
package protocol WeightParametrization: Sendable {
    /// How many values training moves.
    var latentCount: Int { get }

    /// The values nearest to the given weights: where training starts.
    /// - Returns: `[latentCount]`
    func latent(nearest weights: [Float]) -> [Float]

    /// - Parameter latent: `[latentCount]`
    /// - Returns: every weight, `[parameterCount]`
    func weights(_ latent: [Float]) -> [Float]

    /// The chain rule: from dLoss / dWeights to dLoss / dLatent.
    /// - Parameters:
    ///   - gradient: `[parameterCount]`
    ///   - latent: `[latentCount]`, where `weights` was called with it.
    /// - Returns: `[latentCount]`
    func latentGradient(_ gradient: [Float], latent: [Float]) -> [Float]
}

/// How quantization-aware training makes integers of the weights of the moment, its ranges frozen beforehand.
package protocol WeightQuantization: Sendable {
    /// - Returns: nil when the weights have left what integers can say: training has diverged.
    func quantized(_ parameters: NetworkParameters) -> IntegerNetwork?

    /// The weights the integers stand for: what the straight-through gradient is taken at.
    func dequantized(_ network: IntegerNetwork) -> NetworkParameters
}
