/// Appends a package's fields. FORMAT.md names the encodings.
struct ByteWriter {
    private(set) var bytes: [UInt8] = []

    mutating func byte(_ value: UInt8) { bytes.append(value) }

    mutating func raw(_ values: some Sequence<UInt8>) { bytes.append(contentsOf: values) }

    /// Seven bits a byte, low ones first, the top bit set on all but the last.
    mutating func varint(_ value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(rest))
    }

    mutating func count(_ value: Int) { varint(UInt64(value)) }

    /// Zigzag: 0, -1, 1, -2 become 0, 1, 2, 3.
    mutating func signed(_ value: Int) {
        varint(UInt64(bitPattern: Int64(value << 1 ^ value >> 63)))
    }

    /// Low byte first.
    mutating func fixed(_ value: UInt32, bytes count: Int) {
        for i in 0..<count { bytes.append(UInt8(truncatingIfNeeded: value >> UInt32(8 * i))) }
    }

    mutating func float(_ value: Float) { fixed(value.bitPattern, bytes: 4) }

    /// Zero for nil, else one more than the value.
    mutating func optional(_ value: Int?) { count(value.map { $0 + 1 } ?? 0) }

    mutating func text(_ utf8: some Collection<UInt8>) {
        count(utf8.count)
        raw(utf8)
    }
}
