/// Appends a package's fields. FORMAT.md names the encodings.
package struct ByteWriter {
    package private(set) var bytes: [UInt8] = []

    package init() {}

    package mutating func byte(_ value: UInt8) { bytes.append(value) }

    package mutating func raw(_ values: some Sequence<UInt8>) { bytes.append(contentsOf: values) }

    /// Seven bits a byte, low ones first, the top bit set on all but the last.
    package mutating func varint(_ value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(rest))
    }

    package mutating func count(_ value: Int) { varint(UInt64(value)) }

    /// Zigzag: 0, -1, 1, -2 become 0, 1, 2, 3.
    package mutating func signed(_ value: Int) {
        let wide = Int64(value)
        varint(UInt64(bitPattern: wide << 1 ^ wide >> 63))
    }

    /// Low byte first.
    package mutating func fixed(_ value: UInt32, bytes count: Int) {
        for i in 0..<count { bytes.append(UInt8(truncatingIfNeeded: value >> UInt32(8 * i))) }
    }

    package mutating func float(_ value: Float) { fixed(value.bitPattern, bytes: 4) }

    /// Four bytes, the high one first; or two, with the top bit set, where the two low ones are 0.
    /// - Parameter value: positive.
    mutating func shortFloat(_ value: Float) {
        let bits = value.bitPattern
        if bits & 0xFFFF == 0 {
            byte(UInt8(bits >> 24) | 0x80)
            byte(UInt8(truncatingIfNeeded: bits >> 16))
        } else {
            for shift in [24, 16, 8, 0] as [UInt32] {
                byte(UInt8(truncatingIfNeeded: bits >> shift))
            }
        }
    }

    /// Zero for nil, else one more than the value.
    package mutating func optional(_ value: Int?) { count(value.map { $0 + 1 } ?? 0) }

    package mutating func text(_ utf8: some Collection<UInt8>) {
        count(utf8.count)
        raw(utf8)
    }
}
