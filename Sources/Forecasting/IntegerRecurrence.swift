import Kernels

/// The scalar integer network in an arena, whatever its cell. It defines the bits: every faster version equals it.
///
/// Allocates nothing after `init`. One thread at a time.
package struct IntegerRecurrence {
    private let arena: Arena
    private let layout: ArenaLayout
    private let cellFractionBits: Int32
    private let hiddenFractionBits: Int32
    private let denseBias: Int32
    /// FastGRNN's.
    private let zeta: Int32
    private let nu: Int32

    /// Puts the network's tensors into the arena.
    /// - Precondition: `network.validate()` passed, and the arena was laid out for its shape.
    package init(_ network: IntegerNetwork, in arena: Arena) {
        precondition(arena.layout.counts.shape == network.shape)
        self.arena = arena
        layout = arena.layout
        cellFractionBits = Int32(network.cellFractionBits)
        hiddenFractionBits = Int32(network.hiddenFractionBits)
        denseBias = network.denseBias
        zeta = network.scalars.isEmpty ? 0 : Int32(network.scalars[0])
        nu = network.scalars.isEmpty ? 0 : Int32(network.scalars[1])
        arena.fill(layout.inputSteps, with: network.inputSteps)
        arena.fill(layout.bias, with: network.bias)
        arena.fill(layout.inputMultipliers, with: network.inputMultipliers.map { $0.code })
        arena.fill(layout.recurrentMultipliers, with: network.recurrentMultipliers.map { $0.code })
        arena.fill(layout.inputKernel, with: network.inputKernel)
        arena.fill(layout.recurrentKernel, with: network.recurrentKernel)
        arena.fill(layout.denseKernel, with: network.denseKernel)
    }

    /// `[window, I]` float, time-major: the caller fills all of it before `run`.
    package var window: UnsafeMutableBufferPointer<Float> {
        arena.elements(layout.windowValues, as: Float.self)
    }

    /// `[H]`, one unit being `2^-cellFractionBits`: the LSTM's cell state, the other cells' hidden state in full.
    package var cell: UnsafeMutableBufferPointer<Int16> {
        arena.elements(layout.cell, as: Int16.self)
    }

    /// `[H]`, one unit being `2^-hiddenFractionBits`.
    package var hidden: UnsafeMutableBufferPointer<Int8> {
        arena.elements(layout.hidden, as: Int8.self)
    }

    /// Runs the network over the arena's window, from a zero state.
    /// - Returns: the dense layer's sum; times the network's `outputScale` it is the output.
    package func run() -> Int32 {
        reset()
        let values = window
        let width = layout.counts.shape.inputWidth
        let steps = arena.elements(layout.inputSteps, as: Float.self)
        let input = arena.elements(layout.input, as: Int8.self)
        for t in 0..<layout.counts.window {
            for i in 0..<width {
                input[i] = FixedPoint.quantize(values[t &* width &+ i], stepsPerUnit: steps[i])
            }
            step()
        }
        return denseSum()
    }

    /// Forgets everything seen: cell and hidden state become 0.
    package func reset() {
        cell.update(repeating: 0)
        hidden.update(repeating: 0)
    }

    /// One time step on `input`, already quantised.
    /// - Parameter input: `[I]` int8 in -127...127.
    package func step(_ input: [Int8]) {
        arena.fill(layout.input, with: input)
        step()
    }

    /// One time step on the arena's input row.
    private func step() {
        let shape = layout.counts.shape
        let sums = arena.elements(layout.sums, as: Int32.self)
        let bias = arena.elements(layout.bias, as: Int32.self)
        // FastGRNN's two sums differ by their biases alone: its step adds them.
        if shape.cell == .fastGRNN {
            sums.update(repeating: 0)
        } else {
            for r in sums.indices { sums[r] = bias[r] }
        }
        let input = arena.elements(layout.input, as: Int8.self)
        add(layout.inputKernel, layout.inputMultipliers, 0..<shape.kernelRows, input, to: 0)
        if shape.cell == .gru {
            let (gates, rows) = (GRUGate.candidate.rawValue * shape.units, shape.kernelRows)
            add(layout.recurrentKernel, layout.recurrentMultipliers, 0..<gates, hidden, to: 0)
            add(layout.recurrentKernel, layout.recurrentMultipliers, gates..<rows, hidden, to: rows)
        } else {
            add(
                layout.recurrentKernel, layout.recurrentMultipliers, 0..<shape.kernelRows, hidden,
                to: 0)
        }
        var cell = cell.mutableSpan
        var hidden = hidden.mutableSpan
        switch shape.cell {
        case .lstm:
            GateKernels.stepLSTM(
                sums: sums.span, cell: &cell, hidden: &hidden, cellFractionBits: cellFractionBits,
                hiddenFractionBits: hiddenFractionBits)
        case .gru:
            GateKernels.stepGRU(
                sums: sums.span, cell: &cell, hidden: &hidden, cellFractionBits: cellFractionBits,
                hiddenFractionBits: hiddenFractionBits)
        case .fastGRNN:
            GateKernels.stepFastGRNN(
                sums: sums.span, bias: bias.span, zeta: zeta, nu: nu, cell: &cell, hidden: &hidden,
                cellFractionBits: cellFractionBits, hiddenFractionBits: hiddenFractionBits)
        }
    }

    /// Adds the products of a kernel's `rows` with `vector` to as many sums from `first` on.
    private func add(
        _ kernel: ArenaLayout.Region, _ multipliers: ArenaLayout.Region, _ rows: Range<Int>,
        _ vector: UnsafeMutableBufferPointer<Int8>, to first: Int
    ) {
        let sums = arena.elements(layout.sums, as: Int32.self)
        let weights = arena.elements(kernel, as: Int8.self).span
        let codes = arena.elements(multipliers, as: UInt16.self).span
        let width = vector.count
        var part = UnsafeMutableBufferPointer(rebasing: sums[first..<first + rows.count])
            .mutableSpan
        GateKernels.accumulateRows(
            weights: weights.extracting(rows.lowerBound * width..<rows.upperBound * width),
            input: vector.span, multiplierCodes: codes.extracting(rows), into: &part)
    }

    /// `denseBias + Σ denseKernel[h] · hidden[h]`: at most 2^30 + 2^21, so it cannot wrap.
    package func denseSum() -> Int32 {
        denseBias
            &+ GateKernels.dot(
                arena.elements(layout.denseKernel, as: Int8.self).span, hidden.span)
    }
}
