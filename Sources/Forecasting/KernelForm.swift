import Kernels

/// How a kernel's weights lie in memory. The network runs on them as they lie, and the integers are the same in every form:
/// INTEGER.md, "Tiles" and "Nibbles". The raw values are CKernels'.
package enum KernelForm: UInt8, CaseIterable, Sendable {
    /// A byte each.
    case tiles = 0
    /// Four bits each. Weights are within -8...7 and have more than four columns.
    case nibbles = 1

    /// The form that takes the fewest bytes: the one a network runs in.
    /// - Parameters:
    ///   - weights: of the whole kernel, within -127...127.
    ///   - columns: of the kernel.
    package init(of weights: some Sequence<Int8>, columns: Int) {
        self = .tiles
        guard Self.nibbles.suits(columns: columns) else { return }
        for weight in weights where !Self.nibbles.holds(weight) { return }
        self = .nibbles
    }

    /// Whether the kernels run it so: a single tile in a row has none to share its bytes with.
    package func suits(columns: Int) -> Bool {
        self == .tiles || columns > WeightTiles.columns
    }

    @inline(__always)
    package func holds(_ weight: Int8) -> Bool {
        switch self {
        case .tiles: weight != -128
        case .nibbles: weight >= -8 && weight <= 7
        }
    }

    /// What a kernel takes in memory.
    /// - Parameters:
    ///   - rows: padded, a multiple of eight.
    ///   - columns: as they are.
    package func bytes(rows: Int, columns: Int) -> Int {
        switch self {
        case .tiles: rows * WeightTiles.padded(columns: columns)
        case .nibbles:
            rows / WeightTiles.rows * WeightTiles.pairs(columns: columns) * WeightTiles.bytes
        }
    }

    /// Makes every weight 0, those that fill up as well: to be done once before any is placed.
    package func clear(_ memory: UnsafeMutableBufferPointer<Int8>) {
        switch self {
        case .tiles: memory.update(repeating: 0)
        // Eight, which stands for 0, in both halves.
        case .nibbles: memory.update(repeating: Int8(bitPattern: 0x88))
        }
    }

    /// The weight that `place` put there; -128 where a tile has it.
    @inline(__always)
    package func weight(
        row: Int, column: Int, columns: Int, in memory: UnsafeBufferPointer<Int8>
    ) -> Int8 {
        switch self {
        case .tiles:
            return memory[WeightTiles.index(row: row, column: column, columns: columns)]
        case .nibbles:
            let index = WeightTiles.pairedIndex(row: row, column: column, columns: columns)
            let pair = UInt8(bitPattern: memory[index])
            return Int8(pair >> WeightTiles.pairedShift(column: column) & 0xF) - 8
        }
    }

    /// The columns that memory has room for: those that fill up as well.
    package func paddedColumns(_ columns: Int) -> Int {
        switch self {
        case .tiles: WeightTiles.padded(columns: columns)
        case .nibbles: 2 * WeightTiles.columns * WeightTiles.pairs(columns: columns)
        }
    }

    /// Puts one weight where the kernels look for it. Weights may arrive in any order.
    /// - Parameters:
    ///   - weight: one that the form `holds`.
    ///   - row: padded, as `NetworkShape.padded(index:)` gives it.
    ///   - columns: of the kernel, not padded.
    ///   - memory: `bytes(rows:columns:)`, cleared.
    @inline(__always)
    package func place(
        _ weight: Int8, row: Int, column: Int, columns: Int,
        in memory: UnsafeMutableBufferPointer<Int8>
    ) {
        precondition(holds(weight))
        switch self {
        case .tiles:
            memory[WeightTiles.index(row: row, column: column, columns: columns)] = weight
        case .nibbles:
            let index = WeightTiles.pairedIndex(row: row, column: column, columns: columns)
            let shift = WeightTiles.pairedShift(column: column)
            let others = UInt8(bitPattern: memory[index]) & ~(0xF << shift)
            memory[index] = Int8(bitPattern: others | UInt8(weight + 8) << shift)
        }
    }
}

/// Puts a kernel's weights where the kernels look for them, one after the other as a package has them: row by row.
package struct KernelFilling {
    private let form: KernelForm
    private let shape: NetworkShape
    private let columns: Int
    private let memory: UnsafeMutableBufferPointer<Int8>
    private var row = 0
    private var paddedRow = 0
    private var column = 0

    /// - Parameters:
    ///   - columns: of the kernel, not padded.
    ///   - memory: as for `KernelForm.place`.
    package init(
        _ form: KernelForm, of shape: NetworkShape, columns: Int,
        in memory: UnsafeMutableBufferPointer<Int8>
    ) {
        self.form = form
        self.shape = shape
        self.columns = columns
        self.memory = memory
    }

    /// - Parameter weight: one that the form `holds`; at most `kernelRows · columns` of them.
    package mutating func place(_ weight: Int8) {
        if column == columns {
            row += 1
            precondition(row < shape.kernelRows)
            paddedRow = shape.padded(index: row)
            column = 0
        }
        form.place(weight, row: paddedRow, column: column, columns: columns, in: memory)
        column += 1
    }
}
