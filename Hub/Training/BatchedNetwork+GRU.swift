import COpenBLAS
import Forecasting

extension BatchedNetwork {
    /// Blocks of rows of `gates`. In this order the three that meet the inputs lie side by side, and so do the three
    /// that meet the hidden state.
    private enum Rows: Int {
        /// n
        case candidate
        /// z
        case update
        /// r
        case reset
        /// q, the candidate's recurrent sum `Rₙ h + bᵣₙ`, which r weighs.
        case recurrent
    }

    private func gate(_ rows: Rows, unit j: Int, day t: Int) -> UnsafeMutablePointer<Vector> {
        vectors(gates, at: ((rows.rawValue * shape.units + j) * window + t) * columns)
    }

    /// Where the `[3H, H]` weights that meet the hidden state begin, see `PackedWeights`.
    private var recurrentKernelGRU: Int { 3 * shape.units * (shape.inputWidth + 1) }
    private var recurrentBiasGRU: Int { recurrentKernelGRU + 3 * shape.units * shape.units }

    func forwardGRU(_ weights: UnsafePointer<Float>) {
        let (I, H, B) = (shape.inputWidth, shape.units, columns)
        let row = window * B
        // What the inputs of all days give: n, z, r [3H, T · B] = [3H, I + 1] · operand[I + 1, T · B]
        cblas_sgemm(
            CblasRowMajor, CblasNoTrans, CblasNoTrans, Int32(3 * H), Int32(row), Int32(I + 1), 1,
            weights, Int32(I + 1), inputs, Int32(inputStride), 0, gates.baseAddress!, Int32(row))
        for j in 0..<H {
            let start = (Rows.recurrent.rawValue * H + j) * row
            gates[start..<start + row].update(repeating: weights[recurrentBiasGRU + j])
        }
        for t in 0..<window {
            // The hidden state before the first day is 0.
            if t > 0 {
                // z, r, q [3H, B] += [3H, H] · operand[H, B] of the day
                cblas_sgemm(
                    CblasRowMajor, CblasNoTrans, CblasNoTrans, Int32(3 * H), Int32(B), Int32(H), 1,
                    weights + recurrentKernelGRU, Int32(H), operand.baseAddress! + t * B,
                    Int32(inputStride), 1, gates.baseAddress! + H * row + t * B, Int32(row))
            }
            for j in 0..<H { activateGRU(unit: j, day: t) }
        }
    }

    func backwardGRU(_ weights: UnsafePointer<Float>) {
        let (I, H, B) = (shape.inputWidth, shape.units, columns)
        let row = window * B
        let recurrent = recurrentKernelGRU
        for t in (0..<window).reversed() {
            holdStates(day: t)
            for j in 0..<H { differentiateGRU(unit: j, day: t) }
            holdGates(day: t)
            guard t > 0 else { break }
            // dH[H, B] = R[3H, H]ᵀ · (dz, dr, dq)[3H, B]
            cblas_sgemm(
                CblasRowMajor, CblasTrans, CblasNoTrans, Int32(H), Int32(B), Int32(3 * H), 1,
                weights + recurrent, Int32(H), gates.baseAddress! + H * row + t * B, Int32(row), 0,
                hiddenGradient.baseAddress!, Int32(B))
        }
        // [3H, I + 1] = (dn, dz, dr)[3H, T · B] · operand[I + 1, T · B]ᵀ
        cblas_sgemm(
            CblasRowMajor, CblasNoTrans, CblasTrans, Int32(3 * H), Int32(I + 1), Int32(row), 1,
            gates.baseAddress!, Int32(row), inputs, Int32(inputStride), 0, gradient.baseAddress!,
            Int32(I + 1))
        // [3H, H] = (dz, dr, dq)[3H, T · B] · operand[H, T · B]ᵀ
        cblas_sgemm(
            CblasRowMajor, CblasNoTrans, CblasTrans, Int32(3 * H), Int32(H), Int32(row), 1,
            gates.baseAddress! + H * row, Int32(row), operand.baseAddress!, Int32(inputStride), 0,
            gradient.baseAddress! + recurrent, Int32(H))
        for j in 0..<H {
            let q = gate(.recurrent, unit: j, day: 0)
            var sum = Vector()
            for k in 0..<row / Self.lanes { sum += q[k] }
            gradient[recurrentBiasGRU + j] = sum.sum()
        }
    }

    /// Sums of one unit and day to gates and hidden state; q stays a sum.
    private func activateGRU(unit j: Int, day t: Int) {
        let n = gate(.candidate, unit: j, day: t)
        let z = gate(.update, unit: j, day: t)
        let r = gate(.reset, unit: j, day: t)
        let q = gate(.recurrent, unit: j, day: t)
        let before = vectors(operand, at: j * inputStride + t * columns)
        let after = vectors(operand, at: j * inputStride + (t + 1) * columns)
        for b in 0..<columns / Self.lanes {
            let (zGate, rGate) = (fastSigmoid(z[b]), fastSigmoid(r[b]))
            let candidate = fastTanh(n[b] + rGate * q[b])
            n[b] = candidate
            z[b] = zGate
            r[b] = rGate
            after[b] = candidate + zGate * (before[b] - candidate)
        }
    }

    /// Gates of one unit and day to the gradients of their sums, in place; the state's gradient to the part that does
    /// not go through a sum.
    private func differentiateGRU(unit j: Int, day t: Int) {
        let n = gate(.candidate, unit: j, day: t)
        let z = gate(.update, unit: j, day: t)
        let r = gate(.reset, unit: j, day: t)
        let q = gate(.recurrent, unit: j, day: t)
        let before = vectors(keptStates, at: j * inputStride + t * columns)
        let dh = vectors(hiddenGradient, at: j * columns)
        let dKept = vectors(cellGradient, at: j * columns)
        for b in 0..<columns / Self.lanes {
            let (candidate, zGate, rGate) = (n[b], z[b], r[b])
            let dState = dh[b] + dKept[b]
            let dSum = dState * (1 - zGate) * (1 - candidate * candidate)
            n[b] = dSum
            z[b] = dState * (before[b] - candidate) * zGate * (1 - zGate)
            r[b] = dSum * q[b] * rGate * (1 - rGate)
            q[b] = dSum * rGate
            dKept[b] = dState * zGate
        }
    }
}
