import COpenBLAS
package import Forecasting

/// The network's weights as the products want them: one matrix for everything that enters a gate.
package struct PackedWeights {
    /// K = H + I + 1: the columns that meet the hidden state, the inputs, and the constant 1 (the bias).
    package static func columns(_ shape: NetworkShape) -> Int { shape.units + shape.inputWidth + 1 }
    package static func count(_ shape: NetworkShape) -> Int {
        shape.kernelRows * columns(shape) + shape.units + 1
    }

    package let shape: NetworkShape
    /// `[4H, K]` row-major, then the dense layer's `[H]`, then its bias.
    package var values: [Float]

    var denseOffset: Int { shape.kernelRows * Self.columns(shape) }

    init(shape: NetworkShape) {
        self.shape = shape
        values = [Float](repeating: 0, count: Self.count(shape))
    }

    package init(_ parameters: NetworkParameters) {
        self.init(shape: parameters.shape)
        let (I, H, K) = (shape.inputWidth, shape.units, Self.columns(shape))
        for row in 0..<4 * H {
            for j in 0..<H { values[row * K + j] = parameters.recurrentKernel[row * H + j] }
            for i in 0..<I { values[row * K + H + i] = parameters.inputKernel[row * I + i] }
            values[row * K + H + I] = parameters.bias[row]
        }
        for j in 0..<H { values[denseOffset + j] = parameters.denseWeight[j] }
        values[denseOffset + H] = parameters.denseBias
    }

    package var unpacked: NetworkParameters {
        let (I, H, K) = (shape.inputWidth, shape.units, Self.columns(shape))
        var flat = [Float](repeating: 0, count: shape.parameterCount)
        for row in 0..<4 * H {
            for i in 0..<I { flat[row * I + i] = values[row * K + H + i] }
            for j in 0..<H { flat[shape.recurrentOffset + row * H + j] = values[row * K + j] }
            flat[shape.biasOffset + row] = values[row * K + H + I]
        }
        for j in 0...H { flat[shape.denseOffset + j] = values[denseOffset + j] }
        return NetworkParameters(shape: shape, flattened: flat)
    }
}

/// Forward and backward pass over up to `columns` windows side by side. One window is one column of every
/// matrix, days lie one after the other, so that the hidden state, the inputs and the constant 1 of all
/// days are one `[K, (T + 1) · B]` matrix: a day's gates are then one product, and the gradient of all
/// weights over all days is one more.
///
/// Not for two threads at once; every thread has its own.
package final class BatchedNetwork {
    package let shape: NetworkShape
    /// T
    package let window: Int
    /// B, a multiple of 8. Unused columns must carry a zero output gradient.
    package let columns: Int

    /// Gradient of `backward`, laid out as `PackedWeights.values`.
    package let gradient: UnsafeMutableBufferPointer<Float>
    /// `[B]`: the network's output, and what the caller puts there before `backward`: dLoss / dOutput.
    package let output: UnsafeMutableBufferPointer<Float>
    package let outputGradient: UnsafeMutableBufferPointer<Float>
    /// `[H, B]`: what the last hidden state is multiplied by, 1 without dropout.
    package let hiddenScale: UnsafeMutableBufferPointer<Float>

    /// `[K, (T + 1) · B]`: hidden state of the day before, inputs of the day, ones.
    private let operand: UnsafeMutableBufferPointer<Float>
    /// `[4H, T · B]`: gates after activation; `backward` turns them into their gradients.
    private let gates: UnsafeMutableBufferPointer<Float>
    /// `[H, (T + 1) · B]`: the cell state, that of the day before the first being 0.
    private let cell: UnsafeMutableBufferPointer<Float>
    /// `[H, T · B]`: tanh of the cell state.
    private let cellTanh: UnsafeMutableBufferPointer<Float>
    /// `[H, B]` each: gradient of the hidden and the cell state, going back.
    private let hiddenGradient: UnsafeMutableBufferPointer<Float>
    private let cellGradient: UnsafeMutableBufferPointer<Float>

    private typealias Vector = SIMD8<Float>
    private static let lanes = 8

    package init(shape: NetworkShape, window: Int, columns: Int) {
        precondition(columns > 0 && columns.isMultiple(of: Self.lanes) && window > 0)
        self.shape = shape
        self.window = window
        self.columns = columns
        let (H, K) = (shape.units, PackedWeights.columns(shape))
        gradient = Self.allocate(PackedWeights.count(shape))
        output = Self.allocate(columns)
        outputGradient = Self.allocate(columns)
        hiddenScale = Self.allocate(H * columns)
        operand = Self.allocate(K * (window + 1) * columns)
        gates = Self.allocate(4 * H * window * columns)
        cell = Self.allocate(H * (window + 1) * columns)
        cellTanh = Self.allocate(H * window * columns)
        hiddenGradient = Self.allocate(H * columns)
        cellGradient = Self.allocate(H * columns)
        let ones = (K - 1) * (window + 1) * columns
        operand[ones...].update(repeating: 1)
        hiddenScale.update(repeating: 1)
    }

    deinit {
        for buffer in [
            gradient, output, outputGradient, hiddenScale, operand, gates, cell, cellTanh,
            hiddenGradient, cellGradient,
        ] {
            UnsafeMutableRawPointer(buffer.baseAddress!).deallocate()
        }
    }

    /// Values between an input's rows, see `inputs`.
    package var inputStride: Int { (window + 1) * columns }

    /// `[I, (T + 1) · B]`: input `i` of day `t` of window `b` is at `i · inputStride + t · columns + b`.
    /// The day `T` is unused.
    package var inputs: UnsafeMutablePointer<Float> {
        operand.baseAddress! + shape.units * inputStride
    }

    /// Computes `output` from `inputs`, and keeps what `backward` needs.
    package func forward(_ weights: UnsafePointer<Float>) {
        let (H, B, K) = (shape.units, columns, PackedWeights.columns(shape))
        let wide = Int32(inputStride)
        for t in 0..<window {
            // Z[4H, B] = W[4H, K] · operand[K, B] of the day
            cblas_sgemm(
                CblasRowMajor, CblasNoTrans, CblasNoTrans, Int32(4 * H), Int32(B), Int32(K), 1,
                weights, Int32(K), operand.baseAddress! + t * B, wide, 0,
                gates.baseAddress! + t * B, Int32(window * B))
            for j in 0..<H { activate(unit: j, day: t) }
        }
        let dense = weights + 4 * H * K
        let y = vectors(output, at: 0)
        for b in 0..<B / Self.lanes { y[b] = Vector(repeating: dense[H]) }
        for j in 0..<H {
            let h = vectors(operand, at: j * inputStride + window * B)
            let scale = vectors(hiddenScale, at: j * B)
            for b in 0..<B / Self.lanes { y[b] += h[b] * scale[b] * dense[j] }
        }
    }

    /// Computes `gradient` from `outputGradient`, after `forward` with the same weights.
    package func backward(_ weights: UnsafePointer<Float>) {
        let (H, B, K) = (shape.units, columns, PackedWeights.columns(shape))
        let wide = Int32(inputStride)
        backwardDense(weights + 4 * H * K)
        for t in (0..<window).reversed() {
            for j in 0..<H { differentiate(unit: j, day: t) }
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
            gates.baseAddress!, Int32(window * B), operand.baseAddress!, wide, 0,
            gradient.baseAddress!, Int32(K))
    }

    private func backwardDense(_ dense: UnsafePointer<Float>) {
        let (H, B) = (shape.units, columns)
        let denseGradient = gradient.baseAddress! + 4 * H * PackedWeights.columns(shape)
        let dy = vectors(outputGradient, at: 0)
        var biasSum = Vector()
        for b in 0..<B / Self.lanes { biasSum += dy[b] }
        denseGradient[H] = biasSum.sum()
        for j in 0..<H {
            let h = vectors(operand, at: j * inputStride + window * B)
            let scale = vectors(hiddenScale, at: j * B)
            let dh = vectors(hiddenGradient, at: j * B)
            let dc = vectors(cellGradient, at: j * B)
            var sum = Vector()
            for b in 0..<B / Self.lanes {
                let scaled = dy[b] * scale[b]
                sum += scaled * h[b]
                dh[b] = scaled * dense[j]
                dc[b] = Vector()
            }
            denseGradient[j] = sum.sum()
        }
    }

    /// Sums of the gates of one unit and day to gates, cell and hidden state.
    private func activate(unit j: Int, day t: Int) {
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
    private func differentiate(unit j: Int, day t: Int) {
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

    /// - Precondition: `offset` is a multiple of 8: buffers are aligned to 64 bytes.
    @inline(__always)
    private func vectors(
        _ buffer: UnsafeMutableBufferPointer<Float>, at offset: Int
    ) -> UnsafeMutablePointer<Vector> {
        UnsafeMutableRawPointer(buffer.baseAddress! + offset)
            .assumingMemoryBound(to: Vector.self)
    }

    private static func allocate(_ count: Int) -> UnsafeMutableBufferPointer<Float> {
        let padded = (count + 15) / 16 * 16
        let raw = UnsafeMutableRawPointer.allocate(byteCount: padded * 4, alignment: 64)
        let buffer = UnsafeMutableBufferPointer(
            start: raw.bindMemory(to: Float.self, capacity: padded), count: padded)
        buffer.initialize(repeating: 0)
        return buffer
    }
}
