import COpenBLAS
import Forecasting

extension BatchedNetwork {
    /// Of `gates`: z first, whose rows also take the sum that both share, then the candidate c.
    private func gate(_ bias: FastGRNNBias, unit j: Int, day t: Int) -> UnsafeMutablePointer<Vector>
    {
        vectors(gates, at: ((bias.rawValue * shape.units + j) * window + t) * columns)
    }

    func forwardFastGRNN(_ weights: UnsafePointer<Float>) {
        let (H, B) = (shape.units, columns)
        let width = H + shape.inputWidth
        for t in 0..<window {
            // Z[H, B] = [H, H + I] · operand[H + I, B] of the day
            cblas_sgemm(
                CblasRowMajor, CblasNoTrans, CblasNoTrans, Int32(H), Int32(B), Int32(width), 1,
                weights, Int32(width), operand.baseAddress! + t * B, Int32(inputStride), 0,
                gates.baseAddress! + t * B, Int32(window * B))
            for j in 0..<H { activateFastGRNN(weights, unit: j, day: t) }
        }
    }

    func backwardFastGRNN(_ weights: UnsafePointer<Float>) {
        let (H, B) = (shape.units, columns)
        let width = H + shape.inputWidth
        gradient[shape.biasOffset..<shape.denseOffset].update(repeating: 0)
        for t in (0..<window).reversed() {
            for j in 0..<H { differentiateFastGRNN(weights, unit: j, day: t) }
            guard t > 0 else { break }
            // dH[H, B] += U[H, H]ᵀ · dZ[H, B]; U is the first H columns
            cblas_sgemm(
                CblasRowMajor, CblasTrans, CblasNoTrans, Int32(H), Int32(B), Int32(H), 1, weights,
                Int32(width), gates.baseAddress! + t * B, Int32(window * B), 1,
                hiddenGradient.baseAddress!, Int32(B))
        }
        // [H, H + I] = dZ[H, T · B] · operand[H + I, T · B]ᵀ
        cblas_sgemm(
            CblasRowMajor, CblasNoTrans, CblasTrans, Int32(H), Int32(width), Int32(window * B), 1,
            gates.baseAddress!, Int32(window * B), operand.baseAddress!, Int32(inputStride), 0,
            gradient.baseAddress!, Int32(width))
    }

    /// The sum of one unit and day to gate, candidate and hidden state.
    private func activateFastGRNN(_ weights: UnsafePointer<Float>, unit j: Int, day t: Int) {
        let bias = weights + shape.biasOffset
        let (zBias, cBias) = (bias[j], bias[shape.units + j])
        let (zeta, nu) = (weights[shape.scalarOffset], weights[shape.scalarOffset + 1])
        let z = gate(.gate, unit: j, day: t)
        let c = gate(.candidate, unit: j, day: t)
        let before = vectors(operand, at: j * inputStride + t * columns)
        let after = vectors(operand, at: j * inputStride + (t + 1) * columns)
        for b in 0..<columns / Self.lanes {
            let sum = z[b]
            let (zGate, candidate) = (fastSigmoid(sum + zBias), fastTanh(sum + cBias))
            z[b] = zGate
            c[b] = candidate
            after[b] = (zeta * (1 - zGate) + nu) * candidate + zGate * before[b]
        }
    }

    /// The gate of one unit and day to the gradient of the sum, in place; the hidden state's gradient to the part that
    /// does not go through the sum.
    private func differentiateFastGRNN(_ weights: UnsafePointer<Float>, unit j: Int, day t: Int) {
        let (zeta, nu) = (weights[shape.scalarOffset], weights[shape.scalarOffset + 1])
        let z = gate(.gate, unit: j, day: t)
        let c = gate(.candidate, unit: j, day: t)
        let before = vectors(operand, at: j * inputStride + t * columns)
        let dh = vectors(hiddenGradient, at: j * columns)
        var (zBias, cBias, zetaSum, nuSum) = (Vector(), Vector(), Vector(), Vector())
        for b in 0..<columns / Self.lanes {
            let (zGate, candidate) = (z[b], c[b])
            let dGate = dh[b] * (before[b] - zeta * candidate) * zGate * (1 - zGate)
            let dCandidate =
                dh[b] * (zeta * (1 - zGate) + nu) * (1 - candidate * candidate)
            zBias += dGate
            cBias += dCandidate
            nuSum += dh[b] * candidate
            zetaSum += dh[b] * candidate * (1 - zGate)
            z[b] = dGate + dCandidate
            dh[b] *= zGate
        }
        gradient[shape.biasOffset + j] += zBias.sum()
        gradient[shape.biasOffset + shape.units + j] += cBias.sum()
        gradient[shape.scalarOffset] += zetaSum.sum()
        gradient[shape.scalarOffset + 1] += nuSum.sum()
    }
}
