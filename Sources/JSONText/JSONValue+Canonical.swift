extension JSONValue {
    /// The one text of this document that is signed: members in the order of their names, nothing between
    /// tokens, only quote and backslash escaped, whole numbers only (the canonical JSON of the OLPC project,
    /// which The Update Framework prescribes, specification 1.0.34, section 4.2.1).
    ///
    /// For a document read with `init(strictly:…)`, whose members are in that order already.
    /// - Throws: `notWhole`.
    package func canonical() throws(JSONError) -> [UInt8] {
        var out: [UInt8] = []
        try writeCanonical(into: &out)
        return out
    }

    private func writeCanonical(into out: inout [UInt8]) throws(JSONError) {
        switch self {
        case .null, .bool: out += line
        case .number(let digits):
            for byte in digits where byte != UInt8(ascii: "-") {
                guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) else {
                    throw .notWhole
                }
            }
            // Minus zero is zero among whole numbers.
            out += digits == [UInt8(ascii: "-"), UInt8(ascii: "0")] ? [UInt8(ascii: "0")] : digits
        case .text(let bytes): Self.writeCanonical(text: bytes, into: &out)
        case .array(let values):
            out.append(UInt8(ascii: "["))
            for index in values.indices {
                if index > 0 { out.append(UInt8(ascii: ",")) }
                try values[index].writeCanonical(into: &out)
            }
            out.append(UInt8(ascii: "]"))
        case .object(let members):
            out.append(UInt8(ascii: "{"))
            for index in members.indices {
                if index > 0 { out.append(UInt8(ascii: ",")) }
                Self.writeCanonical(text: members[index].name, into: &out)
                out.append(UInt8(ascii: ":"))
                try members[index].value.writeCanonical(into: &out)
            }
            out.append(UInt8(ascii: "}"))
        }
    }

    private static func writeCanonical(text: [UInt8], into out: inout [UInt8]) {
        out.append(UInt8(ascii: "\""))
        for byte in text {
            if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") {
                out.append(UInt8(ascii: "\\"))
            }
            out.append(byte)
        }
        out.append(UInt8(ascii: "\""))
    }

    /// Whether `left` comes before `right`, byte by byte.
    package static func precedes(_ left: [UInt8], _ right: [UInt8]) -> Bool {
        for index in 0..<min(left.count, right.count) where left[index] != right[index] {
            return left[index] < right[index]
        }
        return left.count < right.count
    }
}
