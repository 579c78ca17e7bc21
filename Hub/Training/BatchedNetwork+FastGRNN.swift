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
            holdStates(day: t)
            for j in 0..<H { differentiateFastGRNN(weights, unit: j, day: t) }
            holdGates(day: t)
            for j in 0..<H { joinFastGRNN(unit: j, day: t) }
            guard t > 0 else { break }
            // dH[H, B] = U[H, H]ᵀ · dZ[H, B]; U is the first H columns
            cblas_sgemm(
                CblasRowMajor, CblasTrans, CblasNoTrans, Int32(H), Int32(B), Int32(H), 1, weights,
                Int32(width), gates.baseAddress! + t * B, Int32(window * B), 0,
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

    /// Gate and candidate of one unit and day to the gradients of their sums, in place; the state's gradient to the part
    /// that does not go through a sum.
    private func differentiateFastGRNN(_ weights: UnsafePointer<Float>, unit j: Int, day t: Int) {
        let (zeta, nu) = (weights[shape.scalarOffset], weights[shape.scalarOffset + 1])
        let z = gate(.gate, unit: j, day: t)
        let c = gate(.candidate, unit: j, day: t)
        let before = vectors(keptStates, at: j * inputStride + t * columns)
        let dh = vectors(hiddenGradient, at: j * columns)
        let dKept = vectors(cellGradient, at: j * columns)
        var (zetaSum, nuSum) = (Vector(), Vector())
        for b in 0..<columns / Self.lanes {
            let (zGate, candidate) = (z[b], c[b])
            let dState = dh[b] + dKept[b]
            z[b] = dState * (before[b] - zeta * candidate) * zGate * (1 - zGate)
            c[b] = dState * (zeta * (1 - zGate) + nu) * (1 - candidate * candidate)
            nuSum += dState * candidate
            zetaSum += dState * candidate * (1 - zGate)
            dKept[b] = dState * zGate
        }
        gradient[shape.scalarOffset] += zetaSum.sum()
        gradient[shape.scalarOffset + 1] += nuSum.sum()
    }

    /// The two sums differ by their biases alone: their gradients together are that of the products.
    private func joinFastGRNN(unit j: Int, day t: Int) {
        let z = gate(.gate, unit: j, day: t)
        let c = gate(.candidate, unit: j, day: t)
        var (zSum, cSum) = (Vector(), Vector())
        for b in 0..<columns / Self.lanes {
            zSum += z[b]
            cSum += c[b]
            z[b] += c[b]
        }
        gradient[shape.biasOffset + j] += zSum.sum()
        gradient[shape.biasOffset + shape.units + j] += cSum.sum()
    }
}
