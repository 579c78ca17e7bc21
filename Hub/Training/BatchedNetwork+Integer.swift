import COpenBLAS
import Forecasting

extension BatchedNetwork {
    /// Computes `output` as a device does that runs the integer network: bit for bit `IntegerRecurrence`, where
    /// `hiddenScale` is 1. Leaves what the integers stand for in the buffers, the quantised inputs in `inputs` too, so
    /// that `backward`, at the dequantised weights, gives the straight-through gradient (Bengio, Léonard, Courville
    /// 2013; Jacob et al. 2018): rounding counts as the identity, saturation as a constant.
    ///
    /// Products of kernels are single-precision matrix products of whole numbers: every partial sum is below
    /// 127 · 127 · 128 < 2^21, so each is exact in whatever order the library adds.
    package func forward(integer packed: PackedIntegers) {
        let network = packed.network
        precondition(network.shape == shape)
        let buffers =
            integerBuffers ?? IntegerBuffers(shape: shape, window: window, columns: columns)
        integerBuffers = buffers
        holdsIntegers = true
        quantizeInputs(network.inputSteps, buffers)
        buffers.state.update(repeating: 0)
        let (I, H, R, B) = (shape.inputWidth, shape.units, shape.kernelRows, columns)
        let row = window * B
        let hiddenUnit = Float(1 << network.hiddenFractionBits)
        for t in 0..<window {
            cblas_sgemm(
                CblasRowMajor, CblasNoTrans, CblasNoTrans, Int32(R), Int32(B), Int32(I), 1,
                packed.inputKernel, Int32(I), buffers.inputs.baseAddress! + t * B,
                Int32(row), 0, buffers.inputSums.baseAddress!, Int32(B))
            // The operand holds the hidden state itself; times the power of two it is whole again.
            cblas_sgemm(
                CblasRowMajor, CblasNoTrans, CblasNoTrans, Int32(R), Int32(B), Int32(H), hiddenUnit,
                packed.recurrentKernel, Int32(H), operand.baseAddress! + t * B,
                Int32(inputStride), 0, buffers.recurrentSums.baseAddress!, Int32(B))
            let step = IntegerStep(self, packed, buffers, day: t)
            for j in 0..<H {
                switch shape.cell {
                case .lstm: step.stepLSTM(unit: j)
                case .gru: step.stepGRU(unit: j)
                case .fastGRNN: step.stepFastGRNN(unit: j)
                }
            }
        }
        integerDense(packed, hiddenUnit: hiddenUnit)
    }

    /// The dense layer's sum is whole, and below 2^21, as long as no hidden state is scaled.
    private func integerDense(_ packed: PackedIntegers, hiddenUnit: Float) {
        let (H, B) = (shape.units, columns)
        let y = vectors(output, at: 0)
        for b in 0..<B / Self.lanes { y[b] = Vector() }
        for j in 0..<H {
            let h = vectors(operand, at: j * inputStride + window * B)
            let scale = vectors(hiddenScale, at: j * B)
            let weight = packed.denseKernel[j] * hiddenUnit
            for b in 0..<B / Self.lanes { y[b] += h[b] * scale[b] * weight }
        }
        for b in 0..<B {
            let sum = Int64(packed.network.denseBias) + Int64(output[b].rounded())
            output[b] = Float(sum) * packed.network.outputScale
        }
    }

    /// `FixedPoint.quantize` on all inputs: whole numbers to `buffers`, what they stand for back to `inputs`.
    private func quantizeInputs(_ stepsPerUnit: [Float], _ buffers: IntegerBuffers) {
        let (high, magic) = (Vector(repeating: 127), Vector(repeating: 0x1p+23))
        for i in 0..<shape.inputWidth {
            let values = vectors(operand, at: (shape.units + i) * inputStride)
            let whole = vectors(buffers.inputs, at: i * window * columns)
            let unit = 1 / stepsPerUnit[i]
            for k in 0..<window * columns / Self.lanes {
                let steps = values[k] * stepsPerUnit[i]
                let isNegative = steps .< Vector()
                var size = steps.replacing(with: -steps, where: isNegative)
                size = size.replacing(with: high, where: size .> high)
                size = size.replacing(with: Vector(), where: size .!= size)
                // Halves away from zero: half up, then down to a whole number. Adding 2^23 rounds to the nearest.
                size += 0.5
                var floor = (size + magic) - magic
                floor = floor.replacing(with: floor - 1, where: floor .> size)
                let x = floor.replacing(with: -floor, where: isNegative)
                whole[k] = x
                values[k] = x * unit
            }
        }
    }

    /// `[H, (T + 1) · B]`: the state before each day that a GRU or FastGRNN keeps for itself: the hidden state, before
    /// an integer pass rounds it for the kernels.
    var keptStates: UnsafeMutableBufferPointer<Float> {
        if holdsIntegers, let integerBuffers { return integerBuffers.states }
        return operand
    }

    /// Zeroes what of the states' gradients ends at a saturated state. Before a day is differentiated; nothing after a
    /// float pass.
    func holdStates(day t: Int) {
        guard holdsIntegers, let buffers = integerBuffers else { return }
        let (state, hidden) = (IntegerBuffers.Saturated.state, IntegerBuffers.Saturated.hidden)
        for j in 0..<shape.units {
            let row = (j * window + t) * columns
            guard buffers.anySaturated(row, columns) else { continue }
            // The LSTM's hidden state is not its cell state rounded: what is left of it goes through the output gate.
            let ends = shape.cell == .lstm ? hidden : hidden | state
            buffers.zero(hiddenGradient, j * columns, where: ends, row, columns)
            if shape.cell != .lstm {
                buffers.zero(cellGradient, j * columns, where: state, row, columns)
            }
        }
    }

    /// Zeroes the gradients of the saturated sums. After a day is differentiated; nothing after a float pass.
    func holdGates(day t: Int) {
        guard holdsIntegers, let buffers = integerBuffers else { return }
        for j in 0..<shape.units {
            let row = (j * window + t) * columns
            guard buffers.anySaturated(row, columns) else { continue }
            for (block, ends) in buffers.gateEnds.enumerated() {
                let gate = ((block * shape.units + j) * window + t) * columns
                buffers.zero(gates, gate, where: ends, row, columns)
            }
            if shape.cell == .lstm {
                let state = IntegerBuffers.Saturated.state
                buffers.zero(cellGradient, j * columns, where: state, row, columns)
            }
        }
    }
}
