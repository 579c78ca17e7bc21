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
    private let zeta: Int16
    private let nu: Int16

    /// Puts the network's tensors into the arena.
    /// - Precondition: `network.validate()` passed, and the arena was laid out for its shape.
    package init(_ network: IntegerNetwork, in arena: Arena) {
        let shape = network.shape
        precondition(arena.layout.counts.shape == shape && !arena.layout.counts.kernelsInPlace)
        self.arena = arena
        layout = arena.layout
        cellFractionBits = Int32(network.cellFractionBits)
        hiddenFractionBits = Int32(network.hiddenFractionBits)
        denseBias = network.denseBias
        zeta = network.scalars.isEmpty ? 0 : Int16(network.scalars[0])
        nu = network.scalars.isEmpty ? 0 : Int16(network.scalars[1])
        arena.fill(layout.inputSteps, with: network.inputSteps)
        let bias = arena.elements(layout.bias, as: Int32.self)
        for i in network.bias.indices { bias[shape.paddedBias(i)] = network.bias[i] }
        let dense = arena.elements(layout.denseKernel, as: Int8.self)
        for h in network.denseKernel.indices { dense[h] = network.denseKernel[h] }
        fill(layout.inputKernel, network.inputKernel, columns: shape.inputWidth)
        fill(layout.recurrentKernel, network.recurrentKernel, columns: shape.units)
        fill(layout.inputMultipliers, network.inputMultipliers)
        fill(layout.recurrentMultipliers, network.recurrentMultipliers)
    }

    private func fill(_ region: ArenaLayout.Region, _ kernel: [Int8], columns: Int) {
        let tiles = arena.elements(region, as: Int8.self)
        let shape = layout.counts.shape
        for row in 0..<shape.kernelRows {
            let padded = shape.paddedRow(row)
            for column in 0..<columns {
                tiles[WeightTiles.index(row: padded, column: column, columns: columns)] =
                    kernel[row * columns + column]
            }
        }
    }

    private func fill(_ region: ArenaLayout.Region, _ multipliers: [RowMultiplier]) {
        let codes = arena.elements(region, as: UInt16.self)
        // Rows that are only there to fill up give 0 with any valid multiplier.
        codes.update(repeating: RowMultiplier.smallest.code)
        for row in multipliers.indices {
            codes[layout.counts.shape.paddedRow(row)] = multipliers[row].code
        }
    }

    /// Quantises one day of the window.
    /// - Parameters:
    ///   - day: 0..<window, oldest first.
    ///   - values: `[I]` float.
    package func load(day: Int, _ values: Span<Float>) {
        let (width, steps) = (values.count, arena.elements(layout.inputSteps, as: Float.self))
        precondition(width == steps.count)
        let input = input(day: day)
        for i in 0..<width {
            input[i] = FixedPoint.quantize(values[i], stepsPerUnit: steps[i])
        }
    }

    /// `[window, I]` float, time-major: all of the window at once.
    package func load(window values: [Float]) {
        let width = layout.counts.shape.inputWidth
        precondition(values.count == layout.counts.window * width)
        for day in 0..<layout.counts.window {
            load(day: day, values.span.extracting(day * width..<(day + 1) * width))
        }
    }

    /// `[I, padded]` int8 of one day.
    private func input(day: Int) -> UnsafeMutableBufferPointer<Int8> {
        let window = arena.elements(layout.window, as: Int8.self)
        let width = WeightTiles.padded(columns: layout.counts.shape.inputWidth)
        return UnsafeMutableBufferPointer(rebasing: window[day * width..<(day + 1) * width])
    }

    /// `[H]`, one unit being `2^-cellFractionBits`: the LSTM's cell state, the other cells' hidden state in full.
    package var cell: UnsafeMutableBufferPointer<Int16> {
        units(of: arena.elements(layout.cell, as: Int16.self))
    }

    /// `[H]`, one unit being `2^-hiddenFractionBits`.
    package var hidden: UnsafeMutableBufferPointer<Int8> {
        units(of: arena.elements(layout.hidden, as: Int8.self))
    }

    /// The first H: the rest is filling.
    private func units<Element>(
        of padded: UnsafeMutableBufferPointer<Element>
    ) -> UnsafeMutableBufferPointer<Element> {
        UnsafeMutableBufferPointer(rebasing: padded[..<layout.counts.shape.units])
    }

    /// Runs the network over the window that was loaded, from a zero state.
    /// - Returns: the dense layer's sum; times the network's `outputScale` it is the output.
    package func run() -> Int32 {
        reset()
        for day in 0..<layout.counts.window { step(day: day) }
        return denseSum()
    }

    /// Forgets everything seen: cell and hidden state become 0.
    package func reset() {
        cell.update(repeating: 0)
        hidden.update(repeating: 0)
    }

    /// One time step on `input`, already quantised, which takes the place of the window's first day.
    /// - Parameter input: `[I]` int8 in -127...127.
    package func step(_ input: [Int8]) {
        precondition(input.count == layout.counts.shape.inputWidth)
        let day = self.input(day: 0)
        for i in input.indices { day[i] = input[i] }
        step(day: 0)
    }

    private func step(day: Int) {
        let shape = layout.counts.shape
        let input = UnsafeMutableBufferPointer(rebasing: self.input(day: day)[..<shape.inputWidth])
        sum(input)
        let sums = arena.elements(layout.sums, as: Int16.self).span
        var cell = cell.mutableSpan
        var hidden = hidden.mutableSpan
        switch shape.cell {
        case .lstm:
            GateKernels.stepLSTM(
                sums: sums, cell: &cell, hidden: &hidden, cellFractionBits: cellFractionBits,
                hiddenFractionBits: hiddenFractionBits)
        case .gru:
            GateKernels.stepGRU(
                sums: sums, cell: &cell, hidden: &hidden, cellFractionBits: cellFractionBits,
                hiddenFractionBits: hiddenFractionBits)
        case .fastGRNN:
            GateKernels.stepFastGRNN(
                sums: sums, zeta: zeta, nu: nu, cell: &cell, hidden: &hidden,
                cellFractionBits: cellFractionBits, hiddenFractionBits: hiddenFractionBits)
        }
    }

    /// Every sum of a step, saturated to Q3.12: bias and products. All of the hidden state is read before any of it
    /// is replaced.
    private func sum(_ input: UnsafeMutableBufferPointer<Int8>) {
        let (shape, units) = (layout.counts.shape, layout.counts.shape.units)
        let sums = arena.elements(layout.sums, as: Int16.self)
        let bias = arena.elements(layout.bias, as: Int32.self)
        for row in 0..<shape.kernelRows {
            let padded = shape.paddedRow(row)
            let fromInput = product(
                layout.inputKernel, layout.inputMultipliers, padded, input)
            let fromState = product(
                layout.recurrentKernel, layout.recurrentMultipliers, padded, hidden)
            switch shape.cell {
            case .gru where row >= GRUGate.candidate.rawValue * units:
                sums[row] = FixedPoint.saturateInt16(bias[shape.paddedBias(row)] &+ fromInput)
                sums[row + units] = FixedPoint.saturateInt16(
                    bias[shape.paddedBias(row + units)] &+ fromState)
            case .lstm, .gru:
                sums[row] = FixedPoint.saturateInt16(
                    bias[shape.paddedBias(row)] &+ fromInput &+ fromState)
            case .fastGRNN:
                for block in 0..<2 {
                    sums[row + block * units] = FixedPoint.saturateInt16(
                        bias[shape.paddedBias(row + block * units)] &+ fromInput &+ fromState)
                }
            }
        }
    }

    private func product(
        _ kernel: ArenaLayout.Region, _ multipliers: ArenaLayout.Region, _ row: Int,
        _ vector: UnsafeMutableBufferPointer<Int8>
    ) -> Int32 {
        let code = arena.elements(multipliers, as: UInt16.self)[row]
        return GateKernels.product(
            tiles: arena.elements(kernel, as: Int8.self).span, row: row, vector: vector.span,
            multiplier: RowMultiplier(code: code))
    }

    /// `denseBias + Σ denseKernel[h] · hidden[h]`: at most 2^30 + 2^21, so it cannot wrap.
    package func denseSum() -> Int32 {
        let dense = units(of: arena.elements(layout.denseKernel, as: Int8.self))
        return denseBias &+ GateKernels.dot(dense.span, hidden.span)
    }
}
