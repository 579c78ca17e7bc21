import COpenBLAS
import Forecasting

extension BatchedNetwork {
    func forwardLSTM(_ weights: UnsafePointer<Float>) {
        let (H, B, K) = (shape.units, columns, shape.units + shape.inputWidth + 1)
        for t in 0..<window {
            // Z[4H, B] = W[4H, K] · operand[K, B] of the day
            cblas_sgemm(
                CblasRowMajor, CblasNoTrans, CblasNoTrans, Int32(4 * H), Int32(B), Int32(K), 1,
                weights, Int32(K), operand.baseAddress! + t * B, Int32(inputStride), 0,
                gates.baseAddress! + t * B, Int32(window * B))
            for j in 0..<H { activateLSTM(unit: j, day: t) }
        }
    }

    func backwardLSTM(_ weights: UnsafePointer<Float>) {
        let (H, B, K) = (shape.units, columns, shape.units + shape.inputWidth + 1)
        for t in (0..<window).reversed() {
            holdStates(day: t)
            for j in 0..<H { differentiateLSTM(unit: j, day: t) }
            holdGates(day: t)
            guard t > 0 else { break }
            // dH[H, B] = R[4H, H]ᵀ · dZ[4H, B]; R is the first H columns of W
            cblas_sgemm(
                CblasRowMajor, CblasTrans, CblasNoTrans, Int32(H), Int32(B), Int32(4 * H), 1,
                weights, Int32(K), gates.baseAddress! + t * B, Int32(window * B), 0,
                hiddenGradient.baseAddress!, Int32(B))
        }
        // dW[4H, K] = dZ[4H, T · B] · operand[K, T · B]ᵀ
        cblas_sgemm(
            CblasRowMajor, CblasNoTrans, CblasTrans, Int32(4 * H), Int32(K), Int32(window * B), 1,
            gates.baseAddress!, Int32(window * B), operand.baseAddress!, Int32(inputStride), 0,
            gradient.baseAddress!, Int32(K))
    }

    /// Sums of the gates of one unit and day to gates, cell and hidden state.
    private func activateLSTM(unit j: Int, day t: Int) {
        let (H, B) = (shape.units, columns)
        let row = window * B
        let i = vectors(gates, at: (Gate.input.rawValue * H + j) * row + t * B)
        let f = vectors(gates, at: (Gate.forget.rawValue * H + j) * row + t * B)
        let g = vectors(gates, at: (Gate.candidate.rawValue * H + j) * row + t * B)
        let o = vectors(gates, at: (Gate.output.rawValue * H + j) * row + t * B)
        let before = vectors(cell, at: j * inputStride + t * B)
        let after = vectors(cell, at: j * inputStride + (t + 1) * B)
        let tanhC = vectors(cellTanh, at: j * row + t * B)
        let h = vectors(operand, at: j * inputStride + (t + 1) * B)
        for b in 0..<B / Self.lanes {
            let (iGate, fGate) = (fastSigmoid(i[b]), fastSigmoid(f[b]))
            let (candidate, oGate) = (fastTanh(g[b]), fastSigmoid(o[b]))
            let c = fGate * before[b] + iGate * candidate
            let squashed = fastTanh(c)
            i[b] = iGate
            f[b] = fGate
            g[b] = candidate
            o[b] = oGate
            after[b] = c
            tanhC[b] = squashed
            h[b] = oGate * squashed
        }
    }

    /// Gates of one unit and day to their gradients, in place.
    private func differentiateLSTM(unit j: Int, day t: Int) {
        let (H, B) = (shape.units, columns)
        let row = window * B
        let i = vectors(gates, at: (Gate.input.rawValue * H + j) * row + t * B)
        let f = vectors(gates, at: (Gate.forget.rawValue * H + j) * row + t * B)
        let g = vectors(gates, at: (Gate.candidate.rawValue * H + j) * row + t * B)
        let o = vectors(gates, at: (Gate.output.rawValue * H + j) * row + t * B)
        let before = vectors(cell, at: j * inputStride + t * B)
        let tanhC = vectors(cellTanh, at: j * row + t * B)
        let dh = vectors(hiddenGradient, at: j * B)
        let dc = vectors(cellGradient, at: j * B)
        for b in 0..<B / Self.lanes {
            let (iGate, fGate, candidate, oGate) = (i[b], f[b], g[b], o[b])
            let squashed = tanhC[b]
            let dCell = dc[b] + dh[b] * oGate * (1 - squashed * squashed)
            i[b] = dCell * candidate * iGate * (1 - iGate)
            f[b] = dCell * before[b] * fGate * (1 - fGate)
            g[b] = dCell * iGate * (1 - candidate * candidate)
            o[b] = dh[b] * squashed * oGate * (1 - oGate)
            dc[b] = dCell * fGate
        }
    }
}
