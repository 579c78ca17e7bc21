/// The scalar kernels of the integer network. They are the definition of its bits: a faster version equals them.
package enum GateKernels {
    /// The widest row of weights, which is also the most units and the most inputs a network may have.
    /// 127 · 127 · 128 is what `RowMultiplier.rescale` allows for a sum.
    package static let rowWidthMax = 128

    /// Adds one product, row by row: `sums[r] += multiplier[r] · Σᵢ weights[r, i] · input[i]`, each row rescaled
    /// before it is added.
    ///
    /// - Parameters:
    ///   - weights: `[R, I]` row-major int8 in -127...127, symmetric.
    ///   - input: `[I]` int8 in -127...127, symmetric.
    ///   - multiplierCodes: `[R]` codes of valid `RowMultiplier`s.
    ///   - sums: `[R]` int32, Q3.12 with headroom. The caller starts from 0 or biases of at most ±2^20 and calls this at
    ///     most twice: each call adds less than 2^29 + 1, so the total stays below 2^31.
    /// - Complexity: O(R · I). Allocates nothing.
    package static func accumulateRows(
        weights: Span<Int8>, input: Span<Int8>, multiplierCodes: Span<UInt16>,
        into sums: inout MutableSpan<Int32>
    ) {
        let width = input.count
        precondition(width <= rowWidthMax && multiplierCodes.count == sums.count)
        precondition(weights.count == sums.count * width)
        for r in sums.indices {
            let row = weights.extracting(r &* width..<(r &+ 1) &* width)
            let product = dot(row, input)
            sums[r] = sums[r] &+ RowMultiplier(code: multiplierCodes[r]).rescale(product)
        }
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
