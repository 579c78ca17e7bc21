import Kernels

/// A kernel as the product of two thin ones: what a low-rank approximation (Eckart and Young 1936, by singular values)
/// leaves to store. A device expands it once and runs the kernel; INTEGER.md, "Factors", is the rule.
package struct KernelFactors: Equatable, Sendable {
    /// Of the sum's low bits, how many are rounded away.
    package static let shiftRange = 0...30

    /// 1...the smaller of the kernel's dimensions.
    package var rank: Int
    /// `[rows, rank]` row-major; -127...127.
    package var left: [Int8]
    /// `[rank, columns]` row-major; -127...127.
    package var right: [Int8]
    package var shift: Int

    package init(rank: Int, left: [Int8], right: [Int8], shift: Int) {
        self.rank = rank
        self.left = left
        self.right = right
        self.shift = shift
    }

    /// - Returns: nil unless these can be the factors of a `[rows, columns]` kernel, without -128 in them.
    package func expanded(rows: Int, columns: Int) -> [Int8]? {
        guard rank >= 1, rank <= min(rows, columns), Self.shiftRange.contains(shift),
            left.count == rows * rank, right.count == rank * columns, !left.contains(-128),
            !right.contains(-128)
        else { return nil }
        var kernel: [Int8] = []
        kernel.reserveCapacity(rows * columns)
        for row in 0..<rows {
            for column in 0..<columns {
                kernel.append(
                    left.withUnsafeBufferPointer { left in
                        right.withUnsafeBufferPointer { right in
                            Self.weight(
                                left: left.baseAddress! + row * rank,
                                right: right.baseAddress! + column, rank: rank, columns: columns,
                                shift: shift)
                        }
                    })
            }
        }
        return kernel
    }

    /// One weight of the product.
    /// - Parameters:
    ///   - left: its row, `[rank]`.
    ///   - right: its column, `[rank]`, one element in every `columns`.
    package static func weight(
        left: UnsafePointer<Int8>, right: UnsafePointer<Int8>, rank: Int, columns: Int, shift: Int
    ) -> Int8 {
        var sum: Int32 = 0
        // 128 · 127 · 127 < 2^21, and half a unit of the shift is at most 2^29.
        for k in 0..<rank { sum &+= Int32(left[k]) &* Int32(right[k * columns]) }
        return FixedPoint.saturateInt8(FixedPoint.roundingShiftRight(sum, by: Int32(shift)))
    }
}
