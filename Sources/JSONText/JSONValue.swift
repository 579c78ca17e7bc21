/// Why a text is not JSON that is read here.
package enum JSONError: Error, Equatable, Sendable {
    case tooLong(bytes: Int, bytesMax: Int)
    case tooDeep(depthMax: Int)
    case tooManyValues(countMax: Int)
    case unexpected(at: Int)
    case end
    /// Only where texts must be UTF-8 (`init(strictly:…)`).
    case notUTF8(at: Int)
    /// An object with two members of one name: two readers could take either. Only `init(strictly:…)`.
    case nameTwice
    /// A number with a fraction or an exponent, for which canonical JSON has no form.
    case notWhole

    package var text: String {
        switch self {
        case .tooLong(let bytes, let max): return "JSON of \(bytes) bytes; at most \(max) are read"
        case .tooDeep(let max): return "JSON nested deeper than \(max)"
        case .tooManyValues(let max): return "JSON with more than \(max) values"
        case .unexpected(let at): return "not JSON: unexpected character at position \(at + 1)"
        case .end: return "not JSON: it ends too early"
        case .notUTF8(let at): return "JSON that is no UTF-8 at position \(at + 1)"
        case .nameTwice: return "JSON with two members of one name"
        case .notWhole: return "JSON with a number that is not whole"
        }
    }
}

/// A small JSON document, read and written without allocating more than its bounds allow. Numbers stay
/// text, so that nothing is rounded on the way; texts are UTF-8 bytes.
package enum JSONValue: Equatable, Sendable {
    package static let bytesMax = 65_536
    package static let depthMax = 8
    package static let valuesMax = 8_192

    package struct Member: Equatable, Sendable {
        package var name: [UInt8]
        package var value: JSONValue
        package init(_ name: String, _ value: JSONValue) {
            self.name = [UInt8](name.utf8)
            self.value = value
        }
        package init(name: [UInt8], value: JSONValue) {
            self.name = name
            self.value = value
        }
    }

    case null
    case bool(Bool)
    case number([UInt8])
    case text([UInt8])
    case array([JSONValue])
    case object([Member])

    package static func string(_ text: String) -> JSONValue { .text([UInt8](text.utf8)) }
    package static func integer(_ value: some BinaryInteger) -> JSONValue {
        .number([UInt8]("\(Int64(value))".utf8))
    }

    /// The first member of that name; nil when this is no object or has none.
    package subscript(name: String) -> JSONValue? {
        guard case .object(let members) = self else { return nil }
        for member in members where member.name.elementsEqual(name.utf8) { return member.value }
        return nil
    }

    package var utf8: [UInt8]? {
        if case .text(let bytes) = self { return bytes }
        return nil
    }

    /// This document on one line, without the newline.
    package var line: [UInt8] {
        var out: [UInt8] = []
        write(into: &out)
        return out
    }

    private func write(into out: inout [UInt8]) {
        switch self {
        case .null: out += [UInt8]("null".utf8)
        case .bool(let value): out += [UInt8]((value ? "true" : "false").utf8)
        case .number(let digits): out += digits
        case .text(let bytes): Self.write(text: bytes, into: &out)
        case .array(let values):
            out.append(UInt8(ascii: "["))
            for (index, value) in values.enumerated() {
                if index > 0 { out.append(UInt8(ascii: ",")) }
                value.write(into: &out)
            }
            out.append(UInt8(ascii: "]"))
        case .object(let members):
            out.append(UInt8(ascii: "{"))
            for (index, member) in members.enumerated() {
                if index > 0 { out.append(UInt8(ascii: ",")) }
                Self.write(text: member.name, into: &out)
                out.append(UInt8(ascii: ":"))
                member.value.write(into: &out)
            }
            out.append(UInt8(ascii: "}"))
        }
    }

    private static func write(text: [UInt8], into out: inout [UInt8]) {
        let hex = [UInt8]("0123456789abcdef".utf8)
        out.append(UInt8(ascii: "\""))
        for byte in text {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"): out += [UInt8(ascii: "\\"), byte]
            case UInt8(ascii: "\n"): out += [UInt8]("\\n".utf8)
            case 0..<0x20, 0x7F:
                out += [UInt8]("\\u00".utf8) + [hex[Int(byte >> 4)], hex[Int(byte & 15)]]
            default: out.append(byte)
            }
        }
        out.append(UInt8(ascii: "\""))
    }

    /// Reads exactly one document.
    package init(
        parsing bytes: [UInt8], bytesMax: Int = Self.bytesMax, valuesMax: Int = Self.valuesMax
    ) throws(JSONError) {
        guard bytes.count <= bytesMax else {
            throw .tooLong(bytes: bytes.count, bytesMax: bytesMax)
        }
        var parser = JSONParser(
            bytes: bytes, depthMax: Self.depthMax, valuesMax: valuesMax, isStrict: false)
        self = try parser.document()
    }

    /// Reads exactly one document that every reader must read alike, because somebody signed it: UTF-8
    /// throughout, no name twice in an object. Members come out in the order of their names' bytes,
    /// which is the order of code points.
    package init(
        strictly bytes: [UInt8], bytesMax: Int, depthMax: Int, valuesMax: Int
    ) throws(JSONError) {
        guard bytes.count <= bytesMax else {
            throw .tooLong(bytes: bytes.count, bytesMax: bytesMax)
        }
        if let at = UTF8Text.firstFault(in: bytes) { throw .notUTF8(at: at) }
        var parser = JSONParser(
            bytes: bytes, depthMax: depthMax, valuesMax: valuesMax, isStrict: true)
        self = try parser.document()
    }
}

private struct JSONParser {
    let bytes: [UInt8]
    var at = 0
    let depthMax: Int
    let valuesMax: Int
    let isStrict: Bool
    var valuesLeft: Int

    init(bytes: [UInt8], depthMax: Int, valuesMax: Int, isStrict: Bool) {
        self.bytes = bytes
        self.depthMax = depthMax
        self.valuesMax = valuesMax
        self.isStrict = isStrict
        valuesLeft = valuesMax
    }

    mutating func document() throws(JSONError) -> JSONValue {
        let value = try value(depth: 0)
        skipBlanks()
        guard at == bytes.count else { throw .unexpected(at: at) }
        return value
    }

    private mutating func skipBlanks() {
        while at < bytes.count {
            switch bytes[at] {
            case 0x20, 0x09, 0x0A, 0x0D: at += 1
            default: return
            }
        }
    }

    private func peek() throws(JSONError) -> UInt8 {
        guard at < bytes.count else { throw .end }
        return bytes[at]
    }

    private mutating func value(depth: Int) throws(JSONError) -> JSONValue {
        guard depth < depthMax else { throw .tooDeep(depthMax: depthMax) }
        guard valuesLeft > 0 else { throw .tooManyValues(countMax: valuesMax) }
        valuesLeft -= 1
        skipBlanks()
        switch try peek() {
        case UInt8(ascii: "{"): return try object(depth: depth)
        case UInt8(ascii: "["): return try array(depth: depth)
        case UInt8(ascii: "\""): return .text(try text())
        case UInt8(ascii: "t"): return try word("true", .bool(true))
        case UInt8(ascii: "f"): return try word("false", .bool(false))
        case UInt8(ascii: "n"): return try word("null", .null)
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return .number(try number())
        default: throw .unexpected(at: at)
        }
    }

    private mutating func word(_ word: String, _ value: JSONValue) throws(JSONError) -> JSONValue {
        for byte in word.utf8 {
            guard try peek() == byte else { throw .unexpected(at: at) }
            at += 1
        }
        return value
    }

    private mutating func digits() throws(JSONError) {
        let start = at
        while at < bytes.count, bytes[at] >= UInt8(ascii: "0"), bytes[at] <= UInt8(ascii: "9") {
            at += 1
        }
        if at == start {
            _ = try peek()
            throw .unexpected(at: at)
        }
    }

    private mutating func number() throws(JSONError) -> [UInt8] {
        let start = at
        if bytes[at] == UInt8(ascii: "-") { at += 1 }
        if try peek() == UInt8(ascii: "0") {
            at += 1
        } else {
            try digits()
        }
        if at < bytes.count, bytes[at] == UInt8(ascii: ".") {
            at += 1
            try digits()
        }
        if at < bytes.count, bytes[at] | 0x20 == UInt8(ascii: "e") {
            at += 1
            if try peek() == UInt8(ascii: "+") || bytes[at] == UInt8(ascii: "-") { at += 1 }
            try digits()
        }
        return [UInt8](bytes[start..<at])
    }

    private mutating func text() throws(JSONError) -> [UInt8] {
        at += 1
        var out: [UInt8] = []
        while true {
            let byte = try peek()
            switch byte {
            case UInt8(ascii: "\""):
                at += 1
                return out
            case 0..<0x20: throw .unexpected(at: at)
            case UInt8(ascii: "\\"):
                at += 1
                try escape(into: &out)
            default:
                let start = at
                repeat { at += 1 } while at < bytes.count && Self.standsForItself(bytes[at])
                out += bytes[start..<at]
            }
        }
    }

    /// Whether a text may have this byte as it is.
    private static func standsForItself(_ byte: UInt8) -> Bool {
        byte >= 0x20 && byte != UInt8(ascii: "\"") && byte != UInt8(ascii: "\\")
    }

    private mutating func escape(into out: inout [UInt8]) throws(JSONError) {
        let byte = try peek()
        at += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): out.append(byte)
        case UInt8(ascii: "b"): out.append(8)
        case UInt8(ascii: "f"): out.append(12)
        case UInt8(ascii: "n"): out.append(10)
        case UInt8(ascii: "r"): out.append(13)
        case UInt8(ascii: "t"): out.append(9)
        case UInt8(ascii: "u"):
            var scalar = UInt32(try hexUnit())
            if (0xD800..<0xDC00).contains(scalar) {
                guard try peek() == UInt8(ascii: "\\") else { throw .unexpected(at: at) }
                at += 1
                guard try peek() == UInt8(ascii: "u") else { throw .unexpected(at: at) }
                at += 1
                let low = UInt32(try hexUnit())
                guard (0xDC00..<0xE000).contains(low) else { throw .unexpected(at: at) }
                scalar = 0x10000 + (scalar - 0xD800) << 10 + (low - 0xDC00)
            }
            guard let unicode = Unicode.Scalar(scalar) else { throw .unexpected(at: at) }
            for unit in UTF8.encode(unicode)! { out.append(unit) }  // every scalar has an encoding
        default: throw .unexpected(at: at - 1)
        }
    }

    private mutating func hexUnit() throws(JSONError) -> UInt16 {
        var unit: UInt16 = 0
        for _ in 0..<4 {
            let byte = try peek()
            let digit: UInt8
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): digit = byte - UInt8(ascii: "0")
            case UInt8(ascii: "a")...UInt8(ascii: "f"): digit = byte - UInt8(ascii: "a") + 10
            case UInt8(ascii: "A")...UInt8(ascii: "F"): digit = byte - UInt8(ascii: "A") + 10
            default: throw .unexpected(at: at)
            }
            unit = unit << 4 | UInt16(digit)
            at += 1
        }
        return unit
    }

    private mutating func array(depth: Int) throws(JSONError) -> JSONValue {
        at += 1
        var values: [JSONValue] = []
        skipBlanks()
        if try peek() == UInt8(ascii: "]") {
            at += 1
            return .array(values)
        }
        while true {
            values.append(try value(depth: depth + 1))
            skipBlanks()
            let byte = try peek()
            at += 1
            if byte == UInt8(ascii: "]") { return .array(values) }
            guard byte == UInt8(ascii: ",") else { throw .unexpected(at: at - 1) }
        }
    }

    /// By name; O(n log n) whatever the order they came in, because a hostile text chooses it.
    private static func sort(_ members: inout [JSONValue.Member]) throws(JSONError) {
        func sink(_ from: Int, below end: Int) {
            var parent = from
            while 2 * parent + 1 < end {
                var child = 2 * parent + 1
                if child + 1 < end, JSONValue.precedes(members[child].name, members[child + 1].name)
                {
                    child += 1
                }
                guard JSONValue.precedes(members[parent].name, members[child].name) else { return }
                members.swapAt(parent, child)
                parent = child
            }
        }
        let isSorted = (1..<max(members.count, 1)).allSatisfy {
            JSONValue.precedes(members[$0 - 1].name, members[$0].name)
        }
        if isSorted { return }  // as canonical text is, and most metadata
        for root in stride(from: members.count / 2 - 1, through: 0, by: -1) {
            sink(root, below: members.count)
        }
        for end in stride(from: members.count - 1, to: 0, by: -1) {
            members.swapAt(0, end)
            sink(0, below: end)
        }
        for index in 1..<members.count where members[index - 1].name == members[index].name {
            throw .nameTwice
        }
    }

    private mutating func object(depth: Int) throws(JSONError) -> JSONValue {
        at += 1
        var members: [JSONValue.Member] = []
        skipBlanks()
        if try peek() == UInt8(ascii: "}") {
            at += 1
            return .object(members)
        }
        while true {
            skipBlanks()
            guard try peek() == UInt8(ascii: "\"") else { throw .unexpected(at: at) }
            let name = try text()
            skipBlanks()
            guard try peek() == UInt8(ascii: ":") else { throw .unexpected(at: at) }
            at += 1
            members.append(JSONValue.Member(name: name, value: try value(depth: depth + 1)))
            skipBlanks()
            let byte = try peek()
            at += 1
            if byte == UInt8(ascii: "}") {
                if isStrict { try Self.sort(&members) }
                return .object(members)
            }
            guard byte == UInt8(ascii: ",") else { throw .unexpected(at: at - 1) }
        }
    }
}
