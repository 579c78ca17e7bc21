import Kernels

/// The scalar integer LSTM in an arena. It defines the bits: every faster version equals it.
///
/// Allocates nothing after `init`. One thread at a time.
package struct IntegerLSTM {
    private let arena: Arena
    private let layout: ArenaLayout
    private let cellFractionBits: Int32
    private let hiddenFractionBits: Int32
    private let denseBias: Int32

    /// Puts the network's tensors into the arena.
    /// - Precondition: `network.validate()` passed, and the arena was laid out for its shape.
    package init(_ network: IntegerNetwork, in arena: Arena) {
        precondition(arena.layout.counts.shape == network.shape)
        self.arena = arena
        layout = arena.layout
        cellFractionBits = Int32(network.cellFractionBits)
        hiddenFractionBits = Int32(network.hiddenFractionBits)
        denseBias = network.denseBias
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

    /// `[H]`, one unit being `2^-cellFractionBits`.
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
        var sums = arena.elements(layout.sums, as: Int32.self).mutableSpan
        let bias = arena.elements(layout.bias, as: Int32.self)
        for r in sums.indices { sums[r] = bias[r] }
        GateKernels.accumulateRows(
            weights: arena.elements(layout.inputKernel, as: Int8.self).span,
            input: arena.elements(layout.input, as: Int8.self).span,
            multiplierCodes: arena.elements(layout.inputMultipliers, as: UInt16.self).span,
            into: &sums)
        GateKernels.accumulateRows(
            weights: arena.elements(layout.recurrentKernel, as: Int8.self).span,
            input: hidden.span,
            multiplierCodes: arena.elements(layout.recurrentMultipliers, as: UInt16.self).span,
            into: &sums)
        var cell = cell.mutableSpan
        var hidden = hidden.mutableSpan
        GateKernels.step(
            sums: sums.span, cell: &cell, hidden: &hidden, cellFractionBits: cellFractionBits,
            hiddenFractionBits: hiddenFractionBits)
    }

    /// `denseBias + Σ denseKernel[h] · hidden[h]`: at most 2^30 + 2^21, so it cannot wrap.
    package func denseSum() -> Int32 {
        denseBias
            &+ GateKernels.dot(
                arena.elements(layout.denseKernel, as: Int8.self).span, hidden.span)
    }
}
