/// Reads one section's fields, checking every length against what is left before using it. Copies nothing: the bytes must
/// outlive it and what it gives out.
package struct ByteReader {
    private let bytes: UnsafeBufferPointer<UInt8>
    private var position = 0
    private let section: PackageSection

    package init(_ bytes: UnsafeBufferPointer<UInt8>, section: PackageSection) {
        self.bytes = bytes
        self.section = section
    }

    package var left: Int { bytes.count - position }

    package mutating func byte() throws(PackageError) -> UInt8 {
        guard left >= 1 else { throw .truncated(section) }
        defer { position += 1 }
        return bytes[position]
    }

    package mutating func raw(
        _ count: Int
    ) throws(PackageError) -> UnsafeBufferPointer<UInt8> {
        guard count >= 0, count <= left else { throw .truncated(section) }
        defer { position += count }
        return UnsafeBufferPointer(rebasing: bytes[position..<position + count])
    }

    /// At most ten bytes, and no more than the value needs: one value has one encoding.
    package mutating func varint() throws(PackageError) -> UInt64 {
        var value: UInt64 = 0
        var shift: UInt64 = 0
        while true {
            let next = try byte()
            let bits = UInt64(next & 0x7F)
            guard shift < 63 || bits <= 1 else { throw .field(.number, index: 0) }
            value |= bits << shift
            if next & 0x80 == 0 {
                guard next != 0 || shift == 0 else { throw .field(.number, index: 0) }
                return value
            }
            shift += 7
            guard shift < 70 else { throw .field(.number, index: 0) }
        }
    }

    /// A number within `range`, or an error that names `field`. A range beyond 2^31 is one of `Int64`: on some
    /// devices `Int` has 32 bits.
    package mutating func count<Number: FixedWidthInteger>(
        _ range: ClosedRange<Number>, _ field: PackageField, index: Int = 0
    ) throws(PackageError) -> Number {
        guard let value = Number(exactly: try varint()), range.contains(value) else {
            throw .field(field, index: index)
        }
        return value
    }

    package mutating func signed<Number: FixedWidthInteger>(
        _ range: ClosedRange<Number>, _ field: PackageField, index: Int = 0
    ) throws(PackageError) -> Number {
        let zigzag = try varint()
        guard let value = Number(exactly: Int64(zigzag >> 1) ^ -Int64(zigzag & 1)),
            range.contains(value)
        else { throw .field(field, index: index) }
        return value
    }

    /// - Precondition: the range ends before its type does.
    package mutating func optional<Number: FixedWidthInteger>(
        _ range: ClosedRange<Number>, _ field: PackageField, index: Int = 0
    ) throws(PackageError) -> Number? {
        let value = try count(0...range.upperBound + 1, field, index: index)
        guard value > 0 else { return nil }
        guard range.contains(value - 1) else { throw .field(field, index: index) }
        return value - 1
    }

    package mutating func fixed(bytes count: Int) throws(PackageError) -> UInt32 {
        var value: UInt32 = 0
        var shift: UInt32 = 0
        for byte in try raw(count) {
            value |= UInt32(byte) << shift
            shift += 8
        }
        return value
    }

    package mutating func float() throws(PackageError) -> Float {
        Float(bitPattern: try fixed(bytes: 4))
    }

    /// Four bytes, the high one first; or two, with the top bit set, where the two low ones are 0.
    /// - Returns: a positive number, or one that is not finite.
    mutating func shortFloat() throws(PackageError) -> Float {
        var bits = UInt32(try byte()) << 24 | UInt32(try byte()) << 16
        if bits >> 31 == 0 {
            bits |= UInt32(try byte()) << 8
            bits |= UInt32(try byte())
            guard bits & 0xFFFF != 0 else { throw .field(.number, index: 0) }
        }
        return Float(bitPattern: bits & 0x7FFF_FFFF)
    }

    /// Printable ASCII only.
    package mutating func text(
        _ lengths: ClosedRange<Int>, _ field: PackageField, index: Int = 0
    ) throws(PackageError) -> UnsafeBufferPointer<UInt8> {
        let text = try raw(try count(lengths, field, index: index))
        for byte in text where !(0x20...0x7E).contains(byte) { throw .field(field, index: index) }
        return text
    }

    /// To be called when all fields have been read.
    package func end() throws(PackageError) {
        guard left == 0 else { throw .strayBytes(section, count: left) }
    }
}
