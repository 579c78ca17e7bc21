/// Writes symbols by their frequencies: the range coder of Martin ("Range encoding: an algorithm for removing
/// redundancy from a digitised message", 1979). FORMAT.md, "The range stream".
package struct RangeEncoder {
    private var bytes: [UInt8] = []
    private var low: UInt32 = 0
    private var range: UInt32 = .max

    package init() {}

    /// A symbol that owns `start..<start + frequency` of `2^totalBits`.
    /// - Parameter totalBits: at most 16.
    package mutating func encode(start: UInt32, frequency: UInt32, totalBits: UInt32) {
        let unit = range >> totalBits
        take(start: unit * start, size: unit * frequency)
    }

    /// One of `total` equally likely symbols.
    /// - Parameter total: 1...65,536.
    package mutating func encode(_ symbol: UInt32, of total: UInt32) {
        let unit = range / total
        take(start: unit * symbol, size: unit)
    }

    private mutating func take(start: UInt32, size: UInt32) {
        let (sum, carries) = low.addingReportingOverflow(start)
        low = sum
        range = size
        if carries { carry() }
        while range < RangeDecoder.rangeMin {
            bytes.append(UInt8(low >> 24))
            low <<= 8
            range <<= 8
        }
    }

    /// The value stays below one, so that a byte other than 0xFF is always found.
    private mutating func carry() {
        var i = bytes.count - 1
        while bytes[i] == 0xFF {
            bytes[i] = 0
            i -= 1
        }
        bytes[i] += 1
    }

    /// The stream: as few bytes as tell the symbols, zeros being understood to follow. Empty without any symbol.
    package consuming func finish() -> [UInt8] {
        let end = RangeEnd(low: low, range: range)
        if end.value < low { carry() }
        for i in 0..<end.byteCount {
            bytes.append(UInt8(truncatingIfNeeded: end.value >> UInt32(24 - 8 * i)))
        }
        return bytes
    }
}

/// Reads what `RangeEncoder` wrote, from the rest of a section. Holds a few words beside the bytes.
package struct RangeDecoder {
    fileprivate static let rangeMin: UInt32 = 1 << 24

    private let bytes: UnsafeBufferPointer<UInt8>
    /// How many bytes were asked for: past the end they are zeros.
    private var asked = 0
    /// The encoder's, modulo 2^32.
    private var low: UInt32 = 0
    private var range: UInt32 = .max
    /// How far above `low` the stream's value lies; below `range` in a sound stream.
    private var offset: UInt32 = 0

    /// - Parameter bytes: must outlive the decoder.
    package init(_ bytes: UnsafeBufferPointer<UInt8>) {
        self.bytes = bytes
        for _ in 0..<4 { offset = offset << 8 | next() }
    }

    private mutating func next() -> UInt32 {
        defer { asked += 1 }
        return asked < bytes.count ? UInt32(bytes[asked]) : 0
    }

    /// Where the next symbol lies in 0..<`2^totalBits`, or nil where no encoder would have gone. `take` must follow.
    /// - Parameter totalBits: at most 16.
    package func position(totalBits: UInt32) -> UInt32? {
        let position = offset / (range >> totalBits)
        return position < 1 << totalBits ? position : nil
    }

    /// Passes the symbol that owns `start..<start + frequency`, which `position` is in.
    package mutating func take(start: UInt32, frequency: UInt32, totalBits: UInt32) {
        let unit = range >> totalBits
        take(start: unit * start, size: unit * frequency)
    }

    /// One of `total` equally likely symbols, or nil where no encoder would have gone.
    /// - Parameter total: 1...65,536.
    package mutating func symbol(of total: UInt32) -> UInt32? {
        let unit = range / total
        let symbol = offset / unit
        guard symbol < total else { return nil }
        take(start: unit * symbol, size: unit)
        return symbol
    }

    private mutating func take(start: UInt32, size: UInt32) {
        low &+= start
        offset -= start
        range = size
        while range < Self.rangeMin {
            low <<= 8
            range <<= 8
            offset = offset << 8 | next()
        }
    }

    /// After the last symbol: whether the stream is, to the last bit, what `RangeEncoder` writes for these symbols.
    package var isFinished: Bool {
        let end = RangeEnd(low: low, range: range)
        return low &+ offset == end.value && bytes.count == asked - 4 + end.byteCount
    }
}

/// The value in a range that takes the fewest bytes, the largest of them: what a stream ends with.
private struct RangeEnd {
    /// Modulo 2^32: below `low` it has carried.
    let value: UInt32
    /// How many of the value's four bytes are written, the highest first; the others are 0.
    let byteCount: Int

    init(low: UInt32, range: UInt32) {
        let last = UInt64(low) + UInt64(range) - 1
        var dropped: UInt64 = 32
        var chosen = last & (.max << dropped)
        while chosen < UInt64(low) {
            dropped -= 8
            chosen = last & (.max << dropped)
        }
        value = UInt32(truncatingIfNeeded: chosen)
        byteCount = 4 - Int(dropped) / 8
    }
}
