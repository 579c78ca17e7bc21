package import Forecasting
import Training

/// Weights of which some are zero and stay so: training moves the others (Han et al. 2015).
package struct MaskedWeights: WeightParametrization, Equatable {
    package let shape: NetworkShape
    /// `[parameterCount]`, laid out as `NetworkParameters.flattened`.
    package let keeps: [Bool]
    /// Where the latent values lie.
    private let kept: [Int]

    /// - Precondition: one value for each parameter.
    package init(shape: NetworkShape, keeps: [Bool]) {
        precondition(keeps.count == shape.parameterCount)
        self.shape = shape
        self.keeps = keeps
        kept = keeps.indices.filter { keeps[$0] }
    }

    /// Keeps a network's pruned weights away, whoever pruned them: every weight of a kernel that is zero.
    package init(zerosOf parameters: NetworkParameters) {
        let weights = parameters.flattened
        var keeps = [Bool](repeating: true, count: weights.count)
        for index in parameters.shape.kernels.map(\.range).joined() {
            keeps[index] = weights[index] != 0
        }
        self.init(shape: parameters.shape, keeps: keeps)
    }

    /// Of the kernels' weights, the share that is away.
    package var sparsity: Double {
        let indices = shape.kernels.map(\.range).joined()
        return Double(indices.count { !keeps[$0] }) / Double(indices.count)
    }

    package func applied(to parameters: NetworkParameters) -> NetworkParameters {
        precondition(parameters.shape == shape)
        return NetworkParameters(
            shape: shape, flattened: zip(parameters.flattened, keeps).map { $1 ? $0 : 0 })
    }

    package var latentCount: Int { kept.count }

    package func latent(nearest weights: [Float]) -> [Float] { kept.map { weights[$0] } }

    package func weights(_ latent: [Float]) -> [Float] {
        var weights = [Float](repeating: 0, count: keeps.count)
        for (k, index) in kept.enumerated() { weights[index] = latent[k] }
        return weights
    }

    package func latentGradient(_ gradient: [Float], latent: [Float]) -> [Float] {
        kept.map { gradient[$0] }
    }
}
