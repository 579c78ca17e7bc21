/// Collects bits into bytes, the first bit lowest in its byte.
struct BitWriter {
    private(set) var bytes: [UInt8] = []
    private var pending: UInt32 = 0
    private var pendingCount = 0

    /// The `count` low bits of `value`, lowest first.
    /// - Parameter count: 0...16; the bits above are zero.
    mutating func bits(_ value: UInt32, count: Int) {
        pending |= value << UInt32(pendingCount)
        pendingCount += count
        while pendingCount >= 8 {
            bytes.append(UInt8(truncatingIfNeeded: pending))
            pending >>= 8
            pendingCount -= 8
        }
    }

    /// Fills the last byte with zeros.
    mutating func finish() {
        if pendingCount > 0 { bytes.append(UInt8(truncatingIfNeeded: pending)) }
        pending = 0
        pendingCount = 0
    }
}

/// Takes bits out of a reader's bytes, in `BitWriter`'s order.
struct BitReader {
    private var pending: UInt8 = 0
    private var left = 0

    mutating func bit(_ reader: inout ByteReader) throws(PackageError) -> Int {
        if left == 0 {
            pending = try reader.byte()
            left = 8
        }
        defer {
            pending >>= 1
            left -= 1
        }
        return Int(pending & 1)
    }

    /// - Parameter count: 0...16.
    mutating func bits(_ count: Int, _ reader: inout ByteReader) throws(PackageError) -> Int {
        var value = 0
        for shift in 0..<count { value |= try bit(&reader) << shift }
        return value
    }

    /// What is left of the last byte was filled with zeros, and nothing else.
    var endsClean: Bool { pending == 0 }
}
