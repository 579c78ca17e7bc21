package import Forecasting
import Training

/// Kernels that are products of two factors, `U [R, r] · V [r, C]`: training moves the factors, so the rank holds
/// (Prabhavalkar et al. 2016).
package struct FactoredWeights: WeightParametrization, Equatable {
    /// Where one kernel and its factors lie.
    private struct Part: Equatable {
        /// Of the kernel in `NetworkParameters.flattened`, `[rows, columns]`.
        var offset: Int
        var rows: Int
        var columns: Int
        var rank: Int
        /// Of `U`, row-major, in the latent values; `V` follows, row-major.
        var latentOffset: Int
        var latentCount: Int { rank * (rows + columns) }
    }

    package let shape: NetworkShape
    /// Nil where the kernel is trained whole.
    package let inputRank: Int?
    package let recurrentRank: Int?
    package let latentCount: Int
    private let parts: [Part]
    /// The parameters trained by themselves; they are the last latent values.
    private let whole: [Int]

    /// - Parameters:
    ///   - inputRank: of the input kernel: at least 1 and below its full rank; nil leaves the kernel whole.
    ///   - recurrentRank: likewise.
    package init(
        _ shape: NetworkShape, inputRank: Int?, recurrentRank: Int?
    ) throws(CompressionError) {
        self.shape = shape
        self.inputRank = inputRank
        self.recurrentRank = recurrentRank
        var (parts, count) = ([Part](), 0)
        for (tensor, offset, columns, rank) in [
            (IntegerTensor.inputKernel, 0, shape.inputWidth, inputRank),
            (.recurrentKernel, shape.recurrentOffset, shape.units, recurrentRank),
        ] {
            guard let rank else { continue }
            let full = LowRank.fullRank(of: tensor, shape)
            guard rank >= 1, rank < full else { throw .rank(rank, of: tensor, full: full) }
            parts.append(
                Part(
                    offset: offset, rows: shape.kernelRows, columns: columns, rank: rank,
                    latentOffset: count))
            count += parts[parts.count - 1].latentCount
        }
        self.parts = parts
        whole = (0..<shape.parameterCount).filter { index in
            !parts.contains { ($0.offset..<$0.offset + $0.rows * $0.columns).contains(index) }
        }
        latentCount = count + whole.count
    }

    /// A network whose kernels have the ranks.
    package func applied(to parameters: NetworkParameters) throws(CompressionError)
        -> NetworkParameters
    {
        try parameters.checkFinite()
        return NetworkParameters(
            shape: shape, flattened: weights(latent(nearest: parameters.flattened)))
    }

    /// The factors of a kernel as they lie in the latent values: `U [R, r]` and `V [r, C]`, row-major; nil for a kernel
    /// that is trained whole.
    package func factors(
        of tensor: IntegerTensor, latent: [Float]
    ) -> (left: [Float], right: [Float], rank: Int)? {
        let offset = tensor == .inputKernel ? 0 : shape.recurrentOffset
        guard let part = parts.first(where: { $0.offset == offset }) else { return nil }
        let middle = part.latentOffset + part.rows * part.rank
        return (
            Array(latent[part.latentOffset..<middle]),
            Array(latent[middle..<part.latentOffset + part.latentCount]), part.rank
        )
    }

    /// Each factor gets the square roots of the singular values: both then learn equally fast.
    package func latent(nearest weights: [Float]) -> [Float] {
        var latent = [Float](repeating: 0, count: latentCount)
        for part in parts {
            let kernel = weights[part.offset..<part.offset + part.rows * part.columns]
            let singular = SingularValues(
                Matrix(
                    rows: part.rows, columns: part.columns, values: kernel.map(Double.init)))
            let right = part.latentOffset + part.rows * part.rank
            for k in 0..<part.rank {
                let share = singular.values[k].squareRoot()
                for row in 0..<part.rows {
                    latent[part.latentOffset + row * part.rank + k] = Float(
                        singular.left[k][row] * share)
                }
                for column in 0..<part.columns {
                    latent[right + k * part.columns + column] = Float(
                        singular.right[k][column] * share)
                }
            }
        }
        for (k, index) in whole.enumerated() {
            latent[latentCount - whole.count + k] = weights[index]
        }
        return latent
    }

    package func weights(_ latent: [Float]) -> [Float] {
        var weights = [Float](repeating: 0, count: shape.parameterCount)
        for part in parts {
            let right = part.latentOffset + part.rows * part.rank
            for row in 0..<part.rows {
                for k in 0..<part.rank {
                    let u = latent[part.latentOffset + row * part.rank + k]
                    for column in 0..<part.columns {
                        weights[part.offset + row * part.columns + column] +=
                            u * latent[right + k * part.columns + column]
                    }
                }
            }
        }
        for (k, index) in whole.enumerated() {
            weights[index] = latent[latentCount - whole.count + k]
        }
        return weights
    }

    /// `dU = dA · Vᵀ`, `dV = Uᵀ · dA`.
    package func latentGradient(_ gradient: [Float], latent: [Float]) -> [Float] {
        var result = [Float](repeating: 0, count: latentCount)
        for part in parts {
            let right = part.latentOffset + part.rows * part.rank
            for row in 0..<part.rows {
                for k in 0..<part.rank {
                    let u = part.latentOffset + row * part.rank + k
                    var sum: Float = 0
                    for column in 0..<part.columns {
                        let slope = gradient[part.offset + row * part.columns + column]
                        let v = right + k * part.columns + column
                        sum += slope * latent[v]
                        result[v] += slope * latent[u]
                    }
                    result[u] = sum
                }
            }
        }
        for (k, index) in whole.enumerated() {
            result[latentCount - whole.count + k] = gradient[index]
        }
        return result
    }
}
