import Forecasting

/// What `BatchedNetwork.forward(integer:)` needs beside the float pass's buffers: H units, R rows of a kernel, T days,
/// B windows.
final class IntegerBuffers {
    /// The sums and states of one unit and day that saturated, one bit each.
    enum Saturated {
        static let state: UInt8 = 1 << 4
        static let hidden: UInt8 = 1 << 5
        /// - Parameter block: of the rows of `BatchedNetwork.gates`.
        static func gate(_ block: Int) -> UInt8 { 1 << UInt8(block) }
    }

    /// `[I, T · B]`: the quantised inputs, whole numbers.
    let inputs: UnsafeMutableBufferPointer<Float>
    /// `[R, B]` each: a day's products of the kernels with inputs and hidden state, whole numbers.
    let inputSums: UnsafeMutableBufferPointer<Float>
    let recurrentSums: UnsafeMutableBufferPointer<Float>
    /// `[H, B]`: the int16 state.
    let state: UnsafeMutableBufferPointer<Int16>
    /// `[H, (T + 1) · B]`: the state of every day, that before the first being 0. Empty for the LSTM, whose `cell` it
    /// is.
    let states: UnsafeMutableBufferPointer<Float>
    /// `[H, T · B]` of `Saturated`.
    let saturated: UnsafeMutableBufferPointer<UInt8>
    /// For each block of `BatchedNetwork.gates`, which of `Saturated` make the gradient of its sum 0.
    let gateEnds: [UInt8]
    let tanhs: TanhBatch

    init(shape: NetworkShape, window: Int, columns: Int) {
        let (H, R) = (shape.units, shape.kernelRows)
        inputs = Self.allocate(shape.inputWidth * window * columns)
        inputSums = Self.allocate(R * columns)
        recurrentSums = Self.allocate(R * columns)
        state = Self.allocate(H * columns)
        states = Self.allocate(shape.cell == .lstm ? 0 : H * (window + 1) * columns)
        saturated = Self.allocate(H * window * columns)
        tanhs = TanhBatch(columns: columns)
        let (state, gate) = (Saturated.state, Saturated.gate)
        gateEnds =
            switch shape.cell {
            case .lstm: [gate(0) | state, gate(1) | state, gate(2) | state, gate(3)]
            // Candidate, update, reset and what the reset gate weighs: the last two only reach the candidate.
            case .gru: [gate(0), gate(1), gate(2) | gate(0), gate(3) | gate(0)]
            case .fastGRNN: [gate(0), gate(1)]
            }
    }

    deinit {
        for buffer in [inputs, inputSums, recurrentSums, states] { Self.free(buffer) }
        Self.free(state)
        Self.free(saturated)
        tanhs.free()
    }

    /// The tanh of many positions at once, up to four for each window: those of a unit's gates.
    ///
    /// A vector of eight windows has a number b; a block of all windows' is filled up to a multiple of 16.
    struct TanhBatch {
        private static let blocks = 4
        private let vectors: Int
        private let kernelSet = KernelSet.best
        private let positions: UnsafeMutableBufferPointer<UInt16>
        private let signs: UnsafeMutableBufferPointer<Int16>
        private let values: UnsafeMutableBufferPointer<Int16>

        fileprivate init(columns: Int) {
            vectors = (columns + 15) / 16 * 2
            positions = allocate(Self.blocks * vectors * 8)
            signs = allocate(Self.blocks * vectors * 8)
            values = allocate(Self.blocks * vectors * 8)
        }

        fileprivate func free() {
            IntegerBuffers.free(positions)
            IntegerBuffers.free(signs)
            IntegerBuffers.free(values)
        }

        /// - Parameters:
        ///   - position: of `Activations.tanh(position:)`.
        ///   - sign: negative where the tanh is to be.
        @inline(__always)
        func ask(_ block: Int, _ b: Int, _ position: SIMD8<UInt16>, sign: SIMD8<Int16>) {
            vector(positions, block, b).pointee = position
            vector(signs, block, b).pointee = sign
        }

        @inline(__always)
        func sign(_ block: Int, _ b: Int) -> SIMD8<Int16> { vector(signs, block, b).pointee }

        /// The tanh without its sign.
        @inline(__always)
        func value(_ block: Int, _ b: Int) -> SIMD8<Int16> { vector(values, block, b).pointee }

        func compute(blocks: Int, from first: Int = 0) {
            let range = first * vectors * 8..<(first + blocks) * vectors * 8
            kernelSet.tanh(
                UnsafeBufferPointer(rebasing: positions[range]),
                into: UnsafeMutableBufferPointer(rebasing: values[range]))
        }

        @inline(__always)
        private func vector<Element: SIMDScalar>(
            _ buffer: UnsafeMutableBufferPointer<Element>, _ block: Int, _ b: Int
        ) -> UnsafeMutablePointer<SIMD8<Element>> {
            UnsafeMutableRawPointer(buffer.baseAddress! + (block * vectors + b) * 8)
                .assumingMemoryBound(to: SIMD8<Element>.self)
        }
    }

    /// Whether any of `count` bytes of `saturated` from `row` on is not 0.
    func anySaturated(_ row: Int, _ count: Int) -> Bool {
        var all = SIMD8<UInt8>()
        for k in stride(from: row, to: row + count, by: 8) {
            all |= UnsafeRawPointer(saturated.baseAddress! + k).load(as: SIMD8<UInt8>.self)
        }
        return all != SIMD8<UInt8>()
    }

    /// Zeroes the values of `gradient` from `offset` on whose byte of `saturated`, from `row` on, has a bit of `mask`.
    func zero(
        _ gradient: UnsafeMutableBufferPointer<Float>, _ offset: Int, where mask: UInt8, _ row: Int,
        _ count: Int
    ) {
        for b in 0..<count where saturated[row + b] & mask != 0 { gradient[offset + b] = 0 }
    }

    private static func free<Element>(_ buffer: UnsafeMutableBufferPointer<Element>) {
        UnsafeMutableRawPointer(buffer.baseAddress!).deallocate()
    }

    /// Zeros, aligned to 64 bytes.
    private static func allocate<Element: BitwiseCopyable & ExpressibleByIntegerLiteral>(
        _ count: Int
    ) -> UnsafeMutableBufferPointer<Element> {
        let raw = UnsafeMutableRawPointer.allocate(
            byteCount: max(count, 1) * MemoryLayout<Element>.stride, alignment: 64)
        let buffer = UnsafeMutableBufferPointer(
            start: raw.bindMemory(to: Element.self, capacity: count), count: count)
        buffer.initialize(repeating: 0)
        return buffer
    }
}
