/// How a field's value is laid out: the low three bits of its tag.
package enum WireType: UInt8, Sendable {
    case varint = 0
    case fixed64 = 1
    case lengthDelimited = 2
    // 3 and 4 are groups, which proto3 does not have; 6 and 7 mean nothing.
    case fixed32 = 5
}

/// Why a payload is not the message it claims to be. `field` is the number in `sync.proto`.
package enum WireError: Error, Equatable, Sendable {
    /// A value reaches beyond the end of its message.
    case truncated(field: Int)
    /// A variable-length integer above 64 bits.
    case varintTooLong(field: Int)
    /// Field 0, or a tag above 32 bits.
    case fieldNumberInvalid
    /// A group, or a type that does not exist.
    case wireTypeInvalid(field: Int, wireType: UInt8)
    /// A field we know, laid out as another type.
    case wireTypeUnexpected(field: Int, wireType: UInt8)
    case bytesTooMany(field: Int, bytes: Int, bytesMax: Int)
    case elementsTooMany(field: Int, countMax: Int)
    case textNotUTF8(field: Int)
    /// Well formed, and not allowed by SPEC 4: the rule it breaks.
    case valueInvalid(field: Int, rule: ValueRule)
    /// The same of one record of an Upload, counted from 0.
    case recordInvalid(index: Int, rule: ValueRule)
}

/// What SPEC 4.3 asks of a value beyond its type.
package enum ValueRule: Equatable, Sendable {
    /// Fixed-length bytes of another length, or text that must be there and is not.
    case length
    /// A number, day or count outside its range.
    case range
    /// An identifier with a character it may not have.
    case identifier
    /// An index beyond the end of its table.
    case index
    /// Not a finite number of at least 0.
    case finite
    /// A choice left unspecified.
    case choice
}

/// A message of `sync.proto`, or a part of one.
package protocol WireMessage: Sendable {
    /// Every field at its default.
    init()
    func encode(to writer: inout WireWriter)
    /// Takes the value of one field from `reader`, which stands at it; calls `skip` for one it does not know.
    mutating func decode(field: Int, from reader: inout WireReader) throws(WireError)
}

extension WireMessage {
    /// The message of exactly these bytes.
    /// - Throws: at the first byte that is not as `sync.proto` and SPEC 4 have it. Unknown fields are skipped.
    package init(decoding bytes: [UInt8]) throws(WireError) {
        var reader = WireReader(bytes)
        self.init()
        try reader.read(into: &self)
    }

    package func encoded() -> [UInt8] {
        var writer = WireWriter()
        encode(to: &writer)
        return writer.bytes
    }
}

/// An enumeration of `sync.proto`. Open, as proto3 has it: a later version's value is kept as it is.
package protocol WireEnum: Equatable, Sendable {
    init(rawValue: Int32)
    var rawValue: Int32 { get }
}

/// Reads proto3 wire format. Checks every announced length against what is there before it takes
/// any of it, so what a message costs is bounded by the bytes that arrived.
package struct WireReader {
    private let bytes: [UInt8]
    private var position: Int
    private var end: Int
    /// The field the reader stands at; 0 before the first.
    private var field = 0
    private var type = WireType.varint

    package init(_ bytes: [UInt8]) {
        self.init(bytes, from: 0, to: bytes.count)
    }

    package init(_ bytes: [UInt8], from start: Int, to end: Int) {
        precondition(start >= 0 && start <= end && end <= bytes.count)
        self.bytes = bytes
        self.position = start
        self.end = end
    }

    /// Reads all that is left as fields of `message`; a field that comes again replaces (a single
    /// value), adds (a list) or merges (an inner message), as in every proto3 implementation.
    package mutating func read(into message: inout some WireMessage) throws(WireError) {
        while let number = try next() { try message.decode(field: number, from: &self) }
    }

    /// Steps to the next field, whose value has then to be taken or skipped.
    /// - Returns: its number; nil at the end of the message.
    package mutating func next() throws(WireError) -> Int? {
        guard position < end else { return nil }
        field = 0
        let tag = try varint()
        let number = Int(truncatingIfNeeded: tag >> 3)
        guard tag <= UInt64(UInt32.max), number > 0 else { throw .fieldNumberInvalid }
        guard let wireType = WireType(rawValue: UInt8(truncatingIfNeeded: tag & 7)) else {
            throw .wireTypeInvalid(field: number, wireType: UInt8(truncatingIfNeeded: tag & 7))
        }
        (field, type) = (number, wireType)
        return number
    }

    /// Where it stands, counted from the first byte of what the outermost reader was given.
    package var offset: Int { position }

    package mutating func uint64() throws(WireError) -> UInt64 {
        try expect(.varint)
        return try varint()
    }

    /// The low 32 bits, as in every proto3 implementation.
    package mutating func uint32() throws(WireError) -> UInt32 {
        UInt32(truncatingIfNeeded: try uint64())
    }

    package mutating func int64() throws(WireError) -> Int64 {
        Int64(bitPattern: try uint64())
    }

    /// Zigzag.
    package mutating func sint32() throws(WireError) -> Int32 {
        Self.signed(try uint32())
    }

    private static func signed(_ value: UInt32) -> Int32 {
        Int32(bitPattern: value >> 1) ^ -Int32(bitPattern: value & 1)
    }

    package mutating func bool() throws(WireError) -> Bool {
        try uint64() != 0
    }

    package mutating func enumeration<E: WireEnum>() throws(WireError) -> E {
        E(rawValue: Int32(truncatingIfNeeded: try int64()))
    }

    package mutating func float() throws(WireError) -> Float {
        Float(bitPattern: try fixed32())
    }

    package mutating func fixed32() throws(WireError) -> UInt32 {
        try expect(.fixed32)
        return UInt32(truncatingIfNeeded: try littleEndian(4))
    }

    /// All elements of a packed list, or the one that stands here: a writer may do either.
    package mutating func append(to values: inout [Float], countMax: Int) throws(WireError) {
        try list(countMax: countMax, into: &values, one: .fixed32) { reader throws(WireError) in
            Float(bitPattern: UInt32(truncatingIfNeeded: try reader.littleEndian(4)))
        }
    }

    package mutating func append(to values: inout [Double], countMax: Int) throws(WireError) {
        try list(countMax: countMax, into: &values, one: .fixed64) { reader throws(WireError) in
            Double(bitPattern: try reader.littleEndian(8))
        }
    }

    package mutating func append(to values: inout [Int64], countMax: Int) throws(WireError) {
        try list(countMax: countMax, into: &values, one: .varint) { reader throws(WireError) in
            Int64(bitPattern: try reader.varint())
        }
    }

    package mutating func append(to values: inout [UInt32], countMax: Int) throws(WireError) {
        try list(countMax: countMax, into: &values, one: .varint) { reader throws(WireError) in
            UInt32(truncatingIfNeeded: try reader.varint())
        }
    }

    /// Zigzag.
    package mutating func appendSigned(
        to values: inout [Int32], countMax: Int
    ) throws(WireError) {
        try list(countMax: countMax, into: &values, one: .varint) { reader throws(WireError) in
            Self.signed(UInt32(truncatingIfNeeded: try reader.varint()))
        }
    }

    package mutating func appendFixed(
        to values: inout [UInt32], countMax: Int
    ) throws(WireError) {
        try list(countMax: countMax, into: &values, one: .fixed32) { reader throws(WireError) in
            UInt32(truncatingIfNeeded: try reader.littleEndian(4))
        }
    }

    private mutating func list<Value>(
        countMax: Int, into values: inout [Value], one: WireType,
        value: (inout WireReader) throws(WireError) -> Value
    ) throws(WireError) {
        let field = field
        func admit(_ count: Int) throws(WireError) {
            guard count < countMax else {
                throw .elementsTooMany(field: field, countMax: countMax)
            }
        }
        guard type == .lengthDelimited else {
            try expect(one)
            try admit(values.count)
            values.append(try value(&self))
            return
        }
        var packed = try inner()
        packed.field = field
        while packed.position < packed.end {
            try admit(values.count)
            values.append(try value(&packed))
        }
    }

    package mutating func bytes(bytesMax: Int) throws(WireError) -> [UInt8] {
        let range = try delimited(bytesMax: bytesMax)
        return [UInt8](bytes[range])
    }

    package mutating func string(bytesMax: Int) throws(WireError) -> String {
        let range = try delimited(bytesMax: bytesMax)
        guard let text = String(validating: bytes[range], as: UTF8.self) else {
            throw .textNotUTF8(field: field)
        }
        return text
    }

    package mutating func append(
        to values: inout [String], bytesMax: Int, countMax: Int
    ) throws(WireError) {
        guard values.count < countMax else {
            throw .elementsTooMany(field: field, countMax: countMax)
        }
        values.append(try string(bytesMax: bytesMax))
    }

    package mutating func append<M: WireMessage>(
        to values: inout [M], countMax: Int
    ) throws(WireError) {
        guard values.count < countMax else {
            throw .elementsTooMany(field: field, countMax: countMax)
        }
        var value = M()
        try merge(into: &value)
        values.append(value)
    }

    package mutating func merge<M: WireMessage>(into value: inout M?) throws(WireError) {
        var merged = value ?? M()
        try merge(into: &merged)
        value = merged
    }

    /// Schemas nest at most three deep, none inside itself, so this recursion is bounded.
    package mutating func merge<M: WireMessage>(into value: inout M) throws(WireError) {
        var inner = try inner()
        try inner.read(into: &value)
    }

    /// A reader of the message that stands here, which this one passes over.
    package mutating func inner() throws(WireError) -> WireReader {
        let range = try delimited(bytesMax: end - position)
        return WireReader(bytes, from: range.lowerBound, to: range.upperBound)
    }

    /// Passes over the value of a field that a later version has and this one does not.
    package mutating func skip() throws(WireError) {
        switch type {
        case .varint: _ = try varint()
        case .fixed64: _ = try take(8)
        case .fixed32: _ = try take(4)
        case .lengthDelimited: _ = try delimited(bytesMax: end - position)
        }
    }

    private func expect(_ expected: WireType) throws(WireError) {
        guard type == expected else {
            throw .wireTypeUnexpected(field: field, wireType: type.rawValue)
        }
    }

    /// Where a length-delimited value lies.
    private mutating func delimited(bytesMax: Int) throws(WireError) -> Range<Int> {
        try expect(.lengthDelimited)
        let announced = try varint()
        guard announced <= UInt64(end - position) else { throw .truncated(field: field) }
        let count = Int(announced)
        guard count <= bytesMax else {
            throw .bytesTooMany(field: field, bytes: count, bytesMax: bytesMax)
        }
        let start = try take(count)
        return start..<position
    }

    /// - Returns: where the `count` bytes start.
    private mutating func take(_ count: Int) throws(WireError) -> Int {
        guard count <= end - position else { throw .truncated(field: field) }
        defer { position += count }
        return position
    }

    private mutating func littleEndian(_ count: Int) throws(WireError) -> UInt64 {
        let start = try take(count)
        var bits: UInt64 = 0
        for i in 0..<count { bits |= UInt64(bytes[start + i]) << (8 * UInt64(i)) }
        return bits
    }

    private mutating func varint() throws(WireError) -> UInt64 {
        var value: UInt64 = 0
        var shift: UInt64 = 0
        while position < end {
            let byte = bytes[position]
            position += 1
            // The tenth byte holds the 64th bit, and nothing more.
            guard shift < 63 || byte <= 1 else { throw .varintTooLong(field: field) }
            value |= UInt64(byte & 0x7F) << shift
            guard byte >= 0x80 else { return value }
            shift += 7
        }
        throw .truncated(field: field)
    }
}
