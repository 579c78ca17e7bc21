package import Forecasting
import Training

/// Weights that take their values from codebooks: training moves the values, and every weight with them. A value's
/// gradient is the sum of its weights' gradients (Han et al. 2016).
///
/// A weight that is zero was pruned and stays zero; the zero counts as one of a codebook's entries.
package struct SharedWeights: WeightParametrization, Equatable {
    package let shape: NetworkShape
    /// The codebooks, one after the other; rising within each when made.
    package let values: [Float]
    /// `[parameterCount]`: the index of the value a weight takes, or, from `values.count` on, a parameter that is
    /// trained by itself, or nil for a pruned one.
    package let assignment: [Int?]
    package let latentCount: Int

    /// Shares a network's weights.
    /// - Parameter entries: distinct values of each codebook, zero included: `Codebook.entriesRange`.
    package init(
        _ parameters: NetworkParameters, entries: Int, sharing: Codebook.Sharing = .tensor,
        start: Codebook.Start = .linear
    ) throws(CompressionError) {
        guard Codebook.entriesRange.contains(entries) else { throw .codebookEntries(entries) }
        try parameters.checkFinite()
        shape = parameters.shape
        let weights = parameters.flattened
        var values: [Float] = []
        var assignment = [Int?](repeating: nil, count: weights.count)
        for group in Self.groups(parameters.shape, sharing) {
            let kept = group.filter { weights[$0] != 0 }
            guard !kept.isEmpty else { continue }
            let codebook = Codebook(
                kept.map { weights[$0] }, entries: kept.count < group.count ? entries - 1 : entries,
                start: start)
            for index in kept {
                assignment[index] = values.count + codebook.index(of: weights[index])
            }
            values += codebook.values
        }
        var count = values.count
        let kernels = shape.kernels.map(\.range)
        for index in weights.indices where !kernels.contains(where: { $0.contains(index) }) {
            assignment[index] = count
            count += 1
        }
        self.values = values
        self.assignment = assignment
        latentCount = count
    }

    /// A network whose weights take the codebooks' values.
    package func applied(to parameters: NetworkParameters) -> NetworkParameters {
        NetworkParameters(shape: shape, flattened: weights(latent(nearest: parameters.flattened)))
    }

    /// Shared values become the mean of their weights.
    package func latent(nearest weights: [Float]) -> [Float] {
        var sums = [Double](repeating: 0, count: latentCount)
        var counts = [Int](repeating: 0, count: latentCount)
        for (index, value) in assignment.enumerated() {
            guard let value else { continue }
            sums[value] += Double(weights[index])
            counts[value] += 1
        }
        // A value that no weight is nearest to stays as it is.
        return sums.indices.map {
            counts[$0] > 0 ? Float(sums[$0] / Double(counts[$0])) : values[$0]
        }
    }

    package func weights(_ latent: [Float]) -> [Float] {
        assignment.map { value in value.map { latent[$0] } ?? 0 }
    }

    package func latentGradient(_ gradient: [Float], latent: [Float]) -> [Float] {
        var sums = [Float](repeating: 0, count: latentCount)
        for (index, value) in assignment.enumerated() {
            if let value { sums[value] += gradient[index] }
        }
        return sums
    }

    /// The weights, as indices of `flattened`, that share a codebook.
    private static func groups(_ shape: NetworkShape, _ sharing: Codebook.Sharing) -> [[Int]] {
        let tensors = shape.kernels.map { Array($0.range) }
        switch sharing {
        case .network: return [Array(tensors.joined())]
        case .tensor: return tensors
        case .gate:
            return tensors.flatMap { tensor in
                let block = tensor.count / shape.cell.kernelBlocks
                return stride(from: 0, to: tensor.count, by: block).map {
                    Array(tensor[$0..<$0 + block])
                }
            }
        }
    }
}
