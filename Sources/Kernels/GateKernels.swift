/// The plain kernels of the integer network. They are the definition of its bits: a faster version equals them.
package enum GateKernels {
    /// The widest row of weights, which is also the most units and the most inputs a network may have.
    /// 127 · 127 · 128 is what `RowMultiplier.rescale` allows for a sum.
    package static let rowWidthMax = 128

    /// Eight rows of a kernel with a vector: `Σᵢ weights[row, i] · vector[i]`.
    ///
    /// - Parameters:
    ///   - block: the eight rows' tiles, `[quads, 8, 4]` int8 in -127...127 (`WeightTiles`).
    ///   - vector: `[4 · quads]` int8 in -127...127, at most `rowWidthMax`.
    /// - Returns: at most ±2,064,512 each.
    @inline(__always)
    package static func products(
        block: UnsafePointer<Int8>, vector: UnsafePointer<Int8>, quads: Int
    ) -> InlineArray<8, Int32> {
        precondition(quads * WeightTiles.columns <= rowWidthMax)
        var sums = InlineArray<8, Int32>(repeating: 0)
        for quad in 0..<quads {
            let values = vector + quad &* WeightTiles.columns
            let (a, b) = (Int32(values[0]), Int32(values[1]))
            let (c, d) = (Int32(values[2]), Int32(values[3]))
            let tile = block + quad &* WeightTiles.bytes
            for row in 0..<WeightTiles.rows {
                let weights = tile + row &* WeightTiles.columns
                let first = Int32(weights[0]) &* a &+ Int32(weights[1]) &* b
                let last = Int32(weights[2]) &* c &+ Int32(weights[3]) &* d
                sums[row] = sums[row] &+ first &+ last
            }
        }
        return sums
    }

    /// The same of rows in nibbles.
    /// - Parameter block: the eight rows' pairs of tiles, `[⌈quads / 2⌉, 8, 4]` bytes (`WeightTiles.pairedIndex`).
    @inline(__always)
    package static func products(
        nibbles block: UnsafePointer<Int8>, vector: UnsafePointer<Int8>, quads: Int
    ) -> InlineArray<8, Int32> {
        precondition(quads * WeightTiles.columns <= rowWidthMax)
        var sums = InlineArray<8, Int32>(repeating: 0)
        for column in 0..<quads &* WeightTiles.columns {
            let value = Int32(vector[column])
            let shift = WeightTiles.pairedShift(column: column)
            let start = WeightTiles.pairedIndex(
                row: 0, column: column, columns: quads &* WeightTiles.columns)
            for row in 0..<WeightTiles.rows {
                let byte = UInt8(bitPattern: block[start &+ row &* WeightTiles.columns])
                let weight = Int32((byte &>> shift) & 0xF) &- 8
                sums[row] = sums[row] &+ weight &* value
            }
        }
        return sums
    }

    /// `Σᵢ a[i] · b[i]` over two equally long vectors of at most `rowWidthMax` int8 in -127...127.
    /// - Returns: at most ±2,064,512.
    @inline(__always)
    package static func dot(_ a: Span<Int8>, _ b: Span<Int8>) -> Int32 {
        precondition(a.count == b.count && a.count <= rowWidthMax)
        var sum: Int32 = 0
        for i in a.indices { sum &+= Int32(a[i]) &* Int32(b[i]) }
        return sum
    }
}

/// How a kernel's weights lie in memory: tiles of eight rows by four columns, four consecutive bytes being one row's.
/// A tile is a 32-byte register whose eight lanes take up one row each; the same order serves AVX2, VNNI and NEON.
///
/// `[⌈rows / 8⌉, ⌈columns / 4⌉, 8, 4]`, filled up with zeros.
package enum WeightTiles {
    package static let rows = 8
    package static let columns = 4
    package static let bytes = rows * columns

    /// The next multiple of `rows`.
    @inline(__always)
    package static func padded(rows count: Int) -> Int { (count &+ 7) & ~7 }

    /// The next multiple of `columns`.
    @inline(__always)
    package static func padded(columns count: Int) -> Int { (count &+ 3) & ~3 }

    /// - Parameter columns: of the kernel, not padded.
    @inline(__always)
    package static func index(row: Int, column: Int, columns: Int) -> Int {
        let quads = (columns &+ 3) &>> 2
        let tile = (row &>> 3) &* quads &+ (column &>> 2)
        return tile &* bytes &+ (row & 7) &* 4 &+ (column & 3)
    }

    /// Pairs of tiles side by side, two weights to a byte: `[⌈rows / 8⌉, pairs, 8, 4]`.
    @inline(__always)
    package static func pairs(columns: Int) -> Int { (columns &+ 7) &>> 3 }

    /// The byte in which a weight has four bits.
    /// - Parameter columns: of the kernel, not padded.
    @inline(__always)
    package static func pairedIndex(row: Int, column: Int, columns: Int) -> Int {
        let pair = (row &>> 3) &* pairs(columns: columns) &+ (column &>> 3)
        return pair &* bytes &+ (row & 7) &* 4 &+ (column & 3)
    }

    /// Which bits those are: the low ones for a pair's first tile, the high ones for its second.
    @inline(__always)
    package static func pairedShift(column: Int) -> UInt8 { column & 4 == 0 ? 0 : 4 }
}
