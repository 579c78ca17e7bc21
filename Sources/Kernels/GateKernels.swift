/// The plain kernels of the integer network. They are the definition of its bits: a faster version equals them.
package enum GateKernels {
    /// The widest row of weights, which is also the most units and the most inputs a network may have.
    /// 127 · 127 · 128 is what `RowMultiplier.rescale` allows for a sum.
    package static let rowWidthMax = 128

    /// One row of a kernel with a vector, rescaled: `multiplier · Σᵢ weights[row, i] · vector[i]`.
    ///
    /// - Parameters:
    ///   - tiles: a kernel as `WeightTiles` lays it out, int8 in -127...127.
    ///   - row: of the layout's rows.
    ///   - vector: `[C]` int8 in -127...127, C at most `rowWidthMax`.
    /// - Returns: Q3.12 with headroom, below 2^29 in size.
    @inline(__always)
    package static func product(
        tiles: Span<Int8>, row: Int, vector: Span<Int8>, multiplier: RowMultiplier
    ) -> Int32 {
        precondition(vector.count <= rowWidthMax)
        var sum: Int32 = 0
        for i in vector.indices {
            let weight = tiles[WeightTiles.index(row: row, column: i, columns: vector.count)]
            sum &+= Int32(weight) &* Int32(vector[i])
        }
        return multiplier.rescale(sum)
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
}
