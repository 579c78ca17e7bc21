import CKernels
import Kernels

/// The integer network in an arena, whatever its cell. What stands here is the plain version and defines the bits;
/// with any other kernel set the same is done by CKernels, bit for bit.
///
/// Allocates nothing after `init`. One thread at a time.
package struct IntegerRecurrence {
    private let arena: ArenaView
    /// Nil where another holds the memory.
    private let owner: Arena?
    private let layout: ArenaLayout
    private let scales: IntegerScales
    package let kernels: KernelSet
    /// Where everything lies, for CKernels.
    private let vectors: shelfcast_network

    /// Puts the network's tensors into the arena.
    /// - Precondition: `network.validate()` passed, and the arena was laid out for its shape, in forms that hold its weights.
    package init(
        _ network: IntegerNetwork, in arena: Arena, kernels: KernelSet = .best
    ) {
        let view = arena.view
        precondition(
            arena.layout.counts.shape == network.shape && !arena.layout.counts.kernelsInPlace)
        view.clearNetwork()
        for i in network.inputSteps.indices { view.setStep(i, network.inputSteps[i]) }
        for i in network.inputKernel.indices {
            view.setWeight(.inputKernel, i, network.inputKernel[i])
        }
        for i in network.recurrentKernel.indices {
            view.setWeight(.recurrentKernel, i, network.recurrentKernel[i])
        }
        for i in network.inputMultipliers.indices {
            view.setMultiplier(.inputMultipliers, i, network.inputMultipliers[i].packed)
            view.setMultiplier(.recurrentMultipliers, i, network.recurrentMultipliers[i].packed)
        }
        for i in network.bias.indices { view.setBias(i, network.bias[i]) }
        for i in network.denseKernel.indices {
            view.setWeight(.denseKernel, i, network.denseKernel[i])
        }
        self.init(view, scales: IntegerScales(network), kernels: kernels, owner: arena)
    }

    /// A network whose tensors are in the arena.
    /// - Parameters:
    ///   - inputTiles: where the input kernel lies if not in the arena; valid as long as the recurrence.
    ///   - recurrentTiles: the same of the recurrent one.
    package init(
        _ arena: ArenaView, scales: IntegerScales, kernels: KernelSet = .best,
        inputTiles: UnsafePointer<Int8>? = nil, recurrentTiles: UnsafePointer<Int8>? = nil
    ) {
        self.init(
            arena, scales: scales, kernels: kernels, owner: nil, inputTiles: inputTiles,
            recurrentTiles: recurrentTiles)
    }

    private init(
        _ arena: ArenaView, scales: IntegerScales, kernels: KernelSet, owner: Arena?,
        inputTiles: UnsafePointer<Int8>? = nil, recurrentTiles: UnsafePointer<Int8>? = nil
    ) {
        self.arena = arena
        self.owner = owner
        self.scales = scales
        self.kernels = kernels
        layout = arena.layout
        let layout = arena.layout
        let shape = layout.counts.shape
        func kernel(
            _ tiles: UnsafePointer<Int8>?, _ region: ArenaLayout.Region, _ form: KernelForm,
            _ multipliers: ArenaLayout.Region, columns: Int
        ) -> shelfcast_kernel {
            precondition(form.suits(columns: columns))
            return shelfcast_kernel(
                tiles: tiles ?? UnsafePointer(arena.elements(region, as: Int8.self).baseAddress!),
                multipliers: arena.elements(multipliers, as: UInt16.self).baseAddress!,
                quads: Int32(WeightTiles.padded(columns: columns) / WeightTiles.columns),
                form: Int32(form.rawValue))
        }
        vectors = shelfcast_network(
            cell: Int32(shape.cell.rawValue), units: Int32(shape.units),
            cell_bits: scales.cellFractionBits, hidden_bits: scales.hiddenFractionBits,
            zeta: scales.zeta, nu: scales.nu,
            input: kernel(
                inputTiles, layout.inputKernel, layout.counts.inputForm, layout.inputMultipliers,
                columns: shape.inputWidth),
            recurrent: kernel(
                recurrentTiles, layout.recurrentKernel, layout.counts.recurrentForm,
                layout.recurrentMultipliers, columns: shape.units),
            bias: arena.elements(layout.bias, as: Int32.self).baseAddress!,
            dense: arena.elements(layout.denseKernel, as: Int8.self).baseAddress!,
            dense_bias: scales.denseBias,
            sums: arena.elements(layout.sums, as: Int16.self).baseAddress!,
            state: arena.elements(layout.cell, as: Int16.self).baseAddress!,
            hidden: arena.elements(layout.hidden, as: Int8.self).baseAddress!)
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
    package func input(day: Int) -> UnsafeMutableBufferPointer<Int8> {
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
                sums: sums, cell: &cell, hidden: &hidden, cellFractionBits: scales.cellFractionBits,
                hiddenFractionBits: scales.hiddenFractionBits)
        case .gru:
            GateKernels.stepGRU(
                sums: sums, cell: &cell, hidden: &hidden, cellFractionBits: scales.cellFractionBits,
                hiddenFractionBits: scales.hiddenFractionBits)
        case .fastGRNN:
            GateKernels.stepFastGRNN(
                sums: sums, zeta: scales.zeta, nu: scales.nu, cell: &cell, hidden: &hidden,
                cellFractionBits: scales.cellFractionBits,
                hiddenFractionBits: scales.hiddenFractionBits)
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
                vectors.input, layout.counts.inputForm, block, input, shape.inputWidth)
            let fromState = products(
                vectors.recurrent, layout.counts.recurrentForm, block, hidden, units)
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
        _ kernel: shelfcast_kernel, _ form: KernelForm, _ block: Int,
        _ vector: UnsafePointer<Int8>, _ columns: Int
    ) -> InlineArray<8, Int32> {
        let quads = Int(kernel.quads)
        let rows = kernel.tiles + form.bytes(rows: block * WeightTiles.rows, columns: columns)
        var products =
            switch form {
            case .tiles: GateKernels.products(block: rows, vector: vector, quads: quads)
            case .nibbles: GateKernels.products(nibbles: rows, vector: vector, quads: quads)
            }
        for lane in products.indices {
            let code = kernel.multipliers[block * WeightTiles.rows + lane]
            products[lane] = RowMultiplier(packed: code).rescale(products[lane])
        }
        return products
    }

    /// `scales.denseBias + Σ denseKernel[h] · hidden[h]`: at most 2^30 + 2^21, so it cannot wrap.
    package func denseSum() -> Int32 {
        let dense = units(of: arena.elements(layout.denseKernel, as: Int8.self))
        return scales.denseBias &+ GateKernels.dot(dense.span, hidden.span)
    }
}

/// What of a network stands in no tensor.
package struct IntegerScales: Equatable, Sendable {
    package var cellFractionBits: Int32
    package var hiddenFractionBits: Int32
    package var denseBias: Int32 = 0
    /// FastGRNN's.
    package var zeta: Int16 = 0
    package var nu: Int16 = 0

    package init(cellFractionBits: Int, hiddenFractionBits: Int) {
        self.cellFractionBits = Int32(cellFractionBits)
        self.hiddenFractionBits = Int32(hiddenFractionBits)
    }

    /// - Precondition: `network.validate()` passed.
    package init(_ network: IntegerNetwork) {
        self.init(
            cellFractionBits: network.cellFractionBits,
            hiddenFractionBits: network.hiddenFractionBits)
        denseBias = network.denseBias
        guard !network.scalars.isEmpty else { return }
        zeta = Int16(network.scalars[0])
        nu = Int16(network.scalars[1])
    }
}

/// Tensors enter an arena element by element, wherever they come from.
extension ArenaView {
    /// To be called before tensors are set. What fills rows and columns up is 0, and its multipliers are valid ones.
    package func clearNetwork() {
        base.initializeMemory(as: UInt8.self, repeating: 0, count: layout.networkEnd)
        layout.counts.inputForm.clear(elements(layout.inputKernel, as: Int8.self))
        layout.counts.recurrentForm.clear(elements(layout.recurrentKernel, as: Int8.self))
        let none = RowMultiplier.smallest.packed
        elements(layout.inputMultipliers, as: UInt16.self).update(repeating: none)
        elements(layout.recurrentMultipliers, as: UInt16.self).update(repeating: none)
    }

    /// - Parameters:
    ///   - index: row-major within the tensor, unpadded.
    ///   - weight: one that its kernel's form holds.
    package func setWeight(_ tensor: IntegerTensor, _ index: Int, _ weight: Int8) {
        let shape = layout.counts.shape
        let (region, form, columns) =
            switch tensor {
            case .inputKernel: (layout.inputKernel, layout.counts.inputForm, shape.inputWidth)
            case .recurrentKernel:
                (layout.recurrentKernel, layout.counts.recurrentForm, shape.units)
            default: (layout.denseKernel, .tiles, 0)
            }
        let weights = elements(region, as: Int8.self)
        guard columns > 0 else {
            weights[index] = weight
            return
        }
        let (row, column) = index.quotientAndRemainder(dividingBy: columns)
        form.place(
            weight, row: shape.padded(index: row), column: column, columns: columns, in: weights)
    }

    /// - Parameter tensor: one of the two kernels.
    package func filling(_ tensor: IntegerTensor) -> KernelFilling {
        let counts = layout.counts
        if tensor == .inputKernel {
            return KernelFilling(
                counts.inputForm, of: counts.shape, columns: counts.shape.inputWidth,
                in: elements(layout.inputKernel, as: Int8.self))
        }
        return KernelFilling(
            counts.recurrentForm, of: counts.shape, columns: counts.shape.units,
            in: elements(layout.recurrentKernel, as: Int8.self))
    }

    /// - Parameter code: `RowMultiplier.packed`.
    package func setMultiplier(_ tensor: IntegerTensor, _ row: Int, _ code: UInt16) {
        let region =
            tensor == .inputMultipliers ? layout.inputMultipliers : layout.recurrentMultipliers
        elements(region, as: UInt16.self)[layout.counts.shape.padded(index: row)] = code
    }

    package func setBias(_ index: Int, _ bias: Int32) {
        elements(layout.bias, as: Int32.self)[layout.counts.shape.padded(index: index)] = bias
    }

    package func setStep(_ column: Int, _ steps: Float) {
        elements(layout.inputSteps, as: Float.self)[column] = steps
    }
}
