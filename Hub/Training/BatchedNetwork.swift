import COpenBLAS
package import Forecasting

/// Forward and backward pass over up to `columns` windows side by side. One window is one column of every
/// matrix, days lie one after the other, so that the hidden state, the inputs and the constant 1 of all
/// days are one `[K, (T + 1) · B]` matrix, K = H + I + 1: a day's gates are then one product, and the gradient
/// of all weights over all days is one more (two for the GRU).
///
/// Not for two threads at once; every thread has its own.
package final class BatchedNetwork {
    package let shape: NetworkShape
    /// T
    package let window: Int
    /// B, a multiple of 8. Unused columns must carry a zero output gradient.
    package let columns: Int

    /// `[shape.parameterCount]`: gradient of `backward`, laid out as `PackedWeights.values`.
    package let gradient: UnsafeMutableBufferPointer<Float>
    /// `[B]`: the network's output, and what the caller puts there before `backward`: dLoss / dOutput.
    package let output: UnsafeMutableBufferPointer<Float>
    package let outputGradient: UnsafeMutableBufferPointer<Float>
    /// `[H, B]`: what the last hidden state is multiplied by on its way to the output, 1 without dropout.
    package let hiddenScale: UnsafeMutableBufferPointer<Float>

    /// `[K, (T + 1) · B]`: hidden state of the day before, inputs of the day, ones.
    let operand: UnsafeMutableBufferPointer<Float>
    /// `[gateBlocks · H, T · B]`: gates after activation; `backward` turns them into their gradients.
    let gates: UnsafeMutableBufferPointer<Float>
    /// `[H, (T + 1) · B]`: the LSTM's cell state, that of the day before the first being 0.
    let cell: UnsafeMutableBufferPointer<Float>
    /// `[H, T · B]`: tanh of the LSTM's cell state.
    let cellTanh: UnsafeMutableBufferPointer<Float>
    /// `[H, B]`: gradient of the hidden state that the kernels and the dense layer see, going back.
    let hiddenGradient: UnsafeMutableBufferPointer<Float>
    /// `[H, B]`: gradient of what a unit keeps for itself: the LSTM's cell state; the other cells' hidden state, where it
    /// goes to the next day without a kernel.
    let cellGradient: UnsafeMutableBufferPointer<Float>
    /// From the first integer pass on.
    var integerBuffers: IntegerBuffers?
    /// Whether the last forward pass was an integer one.
    var holdsIntegers = false

    typealias Vector = SIMD8<Float>
    static let lanes = 8

    package init(shape: NetworkShape, window: Int, columns: Int) {
        precondition(columns > 0 && columns.isMultiple(of: Self.lanes) && window > 0)
        self.shape = shape
        self.window = window
        self.columns = columns
        let (H, K) = (shape.units, shape.units + shape.inputWidth + 1)
        let cellStates = shape.cell == .lstm ? 1 : 0
        gradient = Self.allocate(shape.parameterCount)
        output = Self.allocate(columns)
        outputGradient = Self.allocate(columns)
        hiddenScale = Self.allocate(H * columns)
        operand = Self.allocate(K * (window + 1) * columns)
        gates = Self.allocate(Self.gateBlocks(shape.cell) * H * window * columns)
        cell = Self.allocate(cellStates * H * (window + 1) * columns)
        cellTanh = Self.allocate(cellStates * H * window * columns)
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

    /// Blocks of H rows that a day leaves in `gates`.
    private static func gateBlocks(_ cell: CellKind) -> Int {
        switch cell {
        case .lstm, .gru: 4
        case .fastGRNN: 2
        }
    }

    /// Values between an input's rows, see `inputs`, and between two units of `lastHidden`.
    package var inputStride: Int { (window + 1) * columns }

    /// `[I, (T + 1) · B]`: input `i` of day `t` of window `b` is at `i · inputStride + t · columns + b`.
    /// The day `T` is unused.
    package var inputs: UnsafeMutablePointer<Float> {
        operand.baseAddress! + shape.units * inputStride
    }

    /// After `forward`, the hidden state of the last day, before `hiddenScale`: that of unit `j` of window `b` is at
    /// `j · inputStride + b`.
    package var lastHidden: UnsafePointer<Float> {
        UnsafePointer(operand.baseAddress! + window * columns)
    }

    /// Computes `output` from `inputs`, and keeps what `backward` needs.
    /// - Parameter weights: `PackedWeights.values`.
    package func forward(_ weights: UnsafePointer<Float>) {
        holdsIntegers = false
        switch shape.cell {
        case .lstm: forwardLSTM(weights)
        case .gru: forwardGRU(weights)
        case .fastGRNN: forwardFastGRNN(weights)
        }
        forwardDense(weights + shape.denseOffset)
    }

    /// Computes `gradient` from `outputGradient`, after `forward` with the same weights, or `forward(integer:)` with the
    /// integers they are dequantised from; once for each of these.
    /// - Parameters:
    ///   - weights: `PackedWeights.values`.
    ///   - hidden: `[H, B]`, nil for zeros: what the loss adds to the gradient of the last hidden state (`lastHidden`)
    ///     other than through the output.
    package func backward(
        _ weights: UnsafePointer<Float>, addingToHidden hidden: UnsafePointer<Float>? = nil
    ) {
        backwardDense(weights + shape.denseOffset)
        if let hidden {
            for k in 0..<shape.units * columns { hiddenGradient[k] += hidden[k] }
        }
        cellGradient.update(repeating: 0)
        switch shape.cell {
        case .lstm: backwardLSTM(weights)
        case .gru: backwardGRU(weights)
        case .fastGRNN: backwardFastGRNN(weights)
        }
    }

    private func forwardDense(_ dense: UnsafePointer<Float>) {
        let (H, B) = (shape.units, columns)
        let y = vectors(output, at: 0)
        for b in 0..<B / Self.lanes { y[b] = Vector(repeating: dense[H]) }
        for j in 0..<H {
            let h = vectors(operand, at: j * inputStride + window * B)
            let scale = vectors(hiddenScale, at: j * B)
            for b in 0..<B / Self.lanes { y[b] += h[b] * scale[b] * dense[j] }
        }
    }

    private func backwardDense(_ dense: UnsafePointer<Float>) {
        let (H, B) = (shape.units, columns)
        let denseGradient = gradient.baseAddress! + shape.denseOffset
        let dy = vectors(outputGradient, at: 0)
        var biasSum = Vector()
        for b in 0..<B / Self.lanes { biasSum += dy[b] }
        denseGradient[H] = biasSum.sum()
        for j in 0..<H {
            let h = vectors(operand, at: j * inputStride + window * B)
            let scale = vectors(hiddenScale, at: j * B)
            let dh = vectors(hiddenGradient, at: j * B)
            var sum = Vector()
            for b in 0..<B / Self.lanes {
                let scaled = dy[b] * scale[b]
                sum += scaled * h[b]
                dh[b] = scaled * dense[j]
            }
            denseGradient[j] = sum.sum()
        }
    }

    /// - Precondition: `offset` is a multiple of 8: buffers are aligned to 64 bytes.
    @inline(__always)
    func vectors(
        _ buffer: UnsafeMutableBufferPointer<Float>, at offset: Int
    ) -> UnsafeMutablePointer<Vector> {
        UnsafeMutableRawPointer(buffer.baseAddress! + offset)
            .assumingMemoryBound(to: Vector.self)
    }

    static func allocate(_ count: Int) -> UnsafeMutableBufferPointer<Float> {
        let raw = UnsafeMutableRawPointer.allocate(byteCount: max(count, 1) * 4, alignment: 64)
        let buffer = UnsafeMutableBufferPointer(
            start: raw.bindMemory(to: Float.self, capacity: count), count: count)
        buffer.initialize(repeating: 0)
        return buffer
    }
}
