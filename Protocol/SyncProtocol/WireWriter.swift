/// Writes proto3 wire format, in the order and form the stock implementation writes it: fields
/// ascending, defaults left out.
///
/// One growing buffer and no intermediate ones: a message inside a message is written in place and
/// its length put in front of it afterwards.
package struct WireWriter: Sendable {
    package internal(set) var bytes: [UInt8]

    /// - Parameter bytes: what is already there; the writer appends.
    package init(appendingTo bytes: [UInt8] = []) {
        self.bytes = bytes
    }

    package mutating func uint64(_ field: Int, _ value: UInt64) {
        guard value != 0 else { return }
        tag(field, .varint)
        varint(value)
    }

    package mutating func uint32(_ field: Int, _ value: UInt32) {
        uint64(field, UInt64(value))
    }

    /// Not zigzag: a negative value takes ten bytes.
    package mutating func int64(_ field: Int, _ value: Int64) {
        uint64(field, UInt64(bitPattern: value))
    }

    /// Zigzag.
    package mutating func sint32(_ field: Int, _ value: Int32) {
        uint64(field, Self.zigzag(value))
    }

    private static func zigzag(_ value: Int32) -> UInt64 {
        UInt64(UInt32(bitPattern: (value << 1) ^ (value >> 31)))
    }

    package mutating func bool(_ field: Int, _ value: Bool) {
        uint64(field, value ? 1 : 0)
    }

    package mutating func enumeration(_ field: Int, _ value: some WireEnum) {
        int64(field, Int64(value.rawValue))
    }

    /// Compares bits, not values: -0 is no default.
    package mutating func float(_ field: Int, _ value: Float) {
        fixed32(field, value.bitPattern)
    }

    package mutating func fixed32(_ field: Int, _ value: UInt32) {
        guard value != 0 else { return }
        tag(field, .fixed32)
        littleEndian(value)
    }

    private mutating func littleEndian(_ value: UInt32) {
        for i in 0..<4 { bytes.append(UInt8(truncatingIfNeeded: value >> (8 * UInt32(i)))) }
    }

    package mutating func bytes(_ field: Int, _ value: [UInt8]) {
        guard !value.isEmpty else { return }
        tag(field, .lengthDelimited)
        varint(UInt64(value.count))
        bytes.append(contentsOf: value)
    }

    package mutating func string(_ field: Int, _ value: String) {
        guard !value.utf8.isEmpty else { return }
        element(field, value)
    }

    package mutating func message(_ field: Int, _ value: (some WireMessage)?) {
        guard let value else { return }
        message(field) { value.encode(to: &$0) }
    }

    /// Packed, as proto3 has lists of numbers.
    package mutating func repeated(_ field: Int, _ values: [Int64]) {
        guard !values.isEmpty else { return }
        message(field) { writer in
            for value in values { writer.varint(UInt64(bitPattern: value)) }
        }
    }

    package mutating func repeated(_ field: Int, _ values: [UInt32]) {
        guard !values.isEmpty else { return }
        message(field) { writer in
            for value in values { writer.varint(UInt64(value)) }
        }
    }

    /// Zigzag.
    package mutating func repeatedSigned(_ field: Int, _ values: [Int32]) {
        guard !values.isEmpty else { return }
        message(field) { writer in
            for value in values { writer.varint(Self.zigzag(value)) }
        }
    }

    package mutating func repeatedFixed(_ field: Int, _ values: [UInt32]) {
        guard !values.isEmpty else { return }
        message(field) { writer in
            for value in values { writer.littleEndian(value) }
        }
    }

    package mutating func repeated(_ field: Int, _ values: [Float]) {
        guard !values.isEmpty else { return }
        message(field) { writer in
            for value in values { writer.littleEndian(value.bitPattern) }
        }
    }

    package mutating func repeated(_ field: Int, _ values: [String]) {
        for value in values { element(field, value) }
    }

    package mutating func repeated(_ field: Int, _ values: [some WireMessage]) {
        for value in values { message(field) { value.encode(to: &$0) } }
    }

    /// Written even when empty: an element of a list is there or not, whatever it holds.
    private mutating func element(_ field: Int, _ value: String) {
        tag(field, .lengthDelimited)
        varint(UInt64(value.utf8.count))
        bytes.append(contentsOf: value.utf8)
    }

    /// An inner message of whatever `body` writes.
    package mutating func message(_ field: Int, _ body: (inout WireWriter) -> Void) {
        tag(field, .lengthDelimited)
        // Nearly every inner message is shorter than 128 bytes: its length then fits the byte set
        // aside here, and nothing moves.
        let lengthAt = bytes.count
        bytes.append(0)
        body(&self)
        var length = bytes.count - lengthAt - 1
        guard length >= 0x80 else {
            bytes[lengthAt] = UInt8(length)
            return
        }
        var lengthBytes = 0
        var rest = length
        while rest != 0 {
            rest >>= 7
            lengthBytes += 1
        }
        let bodyEnd = bytes.count
        for _ in 1..<lengthBytes { bytes.append(0) }
        var from = bodyEnd
        while from > lengthAt + 1 {
            from -= 1
            bytes[from + lengthBytes - 1] = bytes[from]
        }
        for i in 0..<lengthBytes {
            let more: UInt8 = i < lengthBytes - 1 ? 0x80 : 0
            bytes[lengthAt + i] = UInt8(truncatingIfNeeded: length & 0x7F) | more
            length >>= 7
        }
    }

    private mutating func tag(_ field: Int, _ type: WireType) {
        varint(UInt64(field) << 3 | UInt64(type.rawValue))
    }

    private mutating func varint(_ value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(rest))
    }
}
