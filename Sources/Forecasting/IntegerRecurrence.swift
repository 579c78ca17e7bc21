import CKernels
import Kernels

/// The integer network in an arena, whatever its cell. What stands here is the plain version and defines the bits;
/// with any other kernel set the same is done by CKernels, bit for bit.
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
    package let kernels: KernelSet

    /// Puts the network's tensors into the arena.
    /// - Precondition: `network.validate()` passed, and the arena was laid out for its shape, in forms that hold its weights.
    package init(
        _ network: IntegerNetwork, in arena: Arena, kernels: KernelSet = .best
    ) {
        let shape = network.shape
        precondition(arena.layout.counts.shape == shape && !arena.layout.counts.kernelsInPlace)
        self.arena = arena
        self.kernels = kernels
        layout = arena.layout
        cellFractionBits = Int32(network.cellFractionBits)
        hiddenFractionBits = Int32(network.hiddenFractionBits)
        denseBias = network.denseBias
        zeta = network.scalars.isEmpty ? 0 : Int16(network.scalars[0])
        nu = network.scalars.isEmpty ? 0 : Int16(network.scalars[1])
        arena.fill(layout.inputSteps, with: network.inputSteps)
        let bias = arena.elements(layout.bias, as: Int32.self)
        for i in network.bias.indices { bias[shape.padded(index: i)] = network.bias[i] }
        let dense = arena.elements(layout.denseKernel, as: Int8.self)
        for h in network.denseKernel.indices { dense[h] = network.denseKernel[h] }
        let counts = layout.counts
        precondition(
            counts.inputForm.suits(columns: shape.inputWidth)
                && counts.recurrentForm.suits(columns: shape.units))
        fill(
            layout.inputKernel, counts.inputForm, network.inputKernel, columns: shape.inputWidth)
        fill(
            layout.recurrentKernel, counts.recurrentForm, network.recurrentKernel,
            columns: shape.units)
        fill(layout.inputMultipliers, network.inputMultipliers)
        fill(layout.recurrentMultipliers, network.recurrentMultipliers)
    }

    private func fill(
        _ region: ArenaLayout.Region, _ form: KernelForm, _ kernel: [Int8], columns: Int
    ) {
        let memory = arena.elements(region, as: Int8.self)
        let shape = layout.counts.shape
        form.clear(memory)
        for row in 0..<shape.kernelRows {
            let padded = shape.padded(index: row)
            for column in 0..<columns {
                form.place(
                    kernel[row * columns + column], row: padded, column: column,
                    columns: columns, in: memory)
            }
        }
    }

    private func fill(_ region: ArenaLayout.Region, _ multipliers: [RowMultiplier]) {
        let codes = arena.elements(region, as: UInt16.self)
        // Rows that are only there to fill up give 0 with any valid multiplier.
        codes.update(repeating: RowMultiplier.smallest.packed)
        for row in multipliers.indices {
            codes[layout.counts.shape.padded(index: row)] = multipliers[row].packed
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
        if kernels != .plain {
            return withUnsafePointer(to: vectors) {
                shelfcast_run(
                    kernels.rawValue, $0, arena.elements(layout.window, as: Int8.self).baseAddress!,
                    Int32(layout.counts.window))
            }
        }
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

    /// Where everything lies, for CKernels.
    private var vectors: shelfcast_network {
        let shape = layout.counts.shape
        func kernel(
            _ tiles: ArenaLayout.Region, _ form: KernelForm, _ multipliers: ArenaLayout.Region,
            columns: Int
        ) -> shelfcast_kernel {
            shelfcast_kernel(
                tiles: arena.elements(tiles, as: Int8.self).baseAddress!,
                multipliers: arena.elements(multipliers, as: UInt16.self).baseAddress!,
                quads: Int32(WeightTiles.padded(columns: columns) / WeightTiles.columns),
                form: Int32(form.rawValue))
        }
        return shelfcast_network(
            cell: Int32(shape.cell.rawValue), units: Int32(shape.units),
            cell_bits: cellFractionBits, hidden_bits: hiddenFractionBits, zeta: zeta, nu: nu,
            input: kernel(
                layout.inputKernel, layout.counts.inputForm, layout.inputMultipliers,
                columns: shape.inputWidth),
            recurrent: kernel(
                layout.recurrentKernel, layout.counts.recurrentForm, layout.recurrentMultipliers,
                columns: shape.units),
            bias: arena.elements(layout.bias, as: Int32.self).baseAddress!,
            dense: arena.elements(layout.denseKernel, as: Int8.self).baseAddress!,
            dense_bias: denseBias,
            sums: arena.elements(layout.sums, as: Int16.self).baseAddress!,
            state: arena.elements(layout.cell, as: Int16.self).baseAddress!,
            hidden: arena.elements(layout.hidden, as: Int8.self).baseAddress!)
    }

    private func step(day: Int) {
        let shape = layout.counts.shape
        if kernels != .plain {
            withUnsafePointer(to: vectors) {
                shelfcast_step(kernels.rawValue, $0, self.input(day: day).baseAddress!)
            }
            return
        }
        sum(day)
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
    private func sum(_ day: Int) {
        let (shape, units) = (layout.counts.shape, layout.counts.shape.units)
        let input = UnsafePointer(self.input(day: day).baseAddress!)
        let hidden = UnsafePointer(arena.elements(layout.hidden, as: Int8.self).baseAddress!)
        let joined = shape.cell.joinedBlocks * units
        for block in 0..<shape.paddedKernelRows / WeightTiles.rows {
            let fromInput = products(
                layout.inputKernel, layout.counts.inputForm, layout.inputMultipliers, block, input,
                shape.inputWidth)
            let fromState = products(
                layout.recurrentKernel, layout.counts.recurrentForm, layout.recurrentMultipliers,
                block, hidden, units)
            for lane in 0..<WeightTiles.rows {
                let padded = block * WeightTiles.rows + lane
                let start = WeightTiles.padded(rows: joined)
                // Rows after the joined blocks are the GRU's candidate, whose two products stay apart.
                if padded < joined {
                    store(padded, fromInput[lane] &+ fromState[lane])
                    if shape.cell == .fastGRNN {
                        store(padded + units, fromInput[lane] &+ fromState[lane])
                    }
                } else if padded >= start, padded - start < units {
                    store(joined + padded - start, fromInput[lane])
                    store(joined + units + padded - start, fromState[lane])
                }
            }
        }
    }

    private func store(_ index: Int, _ products: Int32) {
        let bias = arena.elements(layout.bias, as: Int32.self)
        arena.elements(layout.sums, as: Int16.self)[index] = FixedPoint.saturateInt16(
            bias[layout.counts.shape.padded(index: index)] &+ products)
    }

    /// Eight rows' products, each rescaled to Q3.12 with headroom: below 2^29 in size, so that two and a bias fit.
    /// - Parameter columns: of the kernel; `vector` is filled up to a multiple of four.
    private func products(
        _ kernel: ArenaLayout.Region, _ form: KernelForm, _ multipliers: ArenaLayout.Region,
        _ block: Int, _ vector: UnsafePointer<Int8>, _ columns: Int
    ) -> InlineArray<8, Int32> {
        let quads = WeightTiles.padded(columns: columns) / WeightTiles.columns
        let weights = arena.elements(kernel, as: Int8.self)
        let codes = arena.elements(multipliers, as: UInt16.self)
        let start = form.bytes(rows: block * WeightTiles.rows, columns: columns)
        let rows = UnsafePointer(weights.baseAddress! + start)
        var products =
            switch form {
            case .tiles: GateKernels.products(block: rows, vector: vector, quads: quads)
            case .nibbles: GateKernels.products(nibbles: rows, vector: vector, quads: quads)
            }
        for lane in products.indices {
            let code = codes[block * WeightTiles.rows + lane]
            products[lane] = RowMultiplier(packed: code).rescale(products[lane])
        }
        return products
    }

    /// `denseBias + Σ denseKernel[h] · hidden[h]`: at most 2^30 + 2^21, so it cannot wrap.
    package func denseSum() -> Int32 {
        let dense = units(of: arena.elements(layout.denseKernel, as: Int8.self))
        return denseBias &+ GateKernels.dot(dense.span, hidden.span)
    }
}
