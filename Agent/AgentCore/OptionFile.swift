/// Where an option file is wrong, and what to do.
package struct OptionFileError: Error, Equatable, Sendable {
    /// From 1.
    package var line: Int
    package var text: String
}

/// Options as a file has them, in a part of TOML 1.0: `key = value` lines with comments; a value is a string on one line,
/// a whole number, true, false, or an array of strings. Nothing else: no tables, no dotted keys.
package struct OptionFile: Equatable, Sendable {
    package static let bytesMax = 65_536
    static let keyBytesMax = 64

    package enum Value: Equatable, Sendable {
        case text([UInt8])
        /// Its digits, perhaps with a sign before them.
        case number([UInt8])
        case bool(Bool)
        case list([[UInt8]])
    }

    package struct Entry: Equatable, Sendable {
        package var key: [UInt8]
        package var value: Value
        /// From 1.
        package var line: Int

        package init(key: [UInt8], value: Value, line: Int) {
            self.key = key
            self.value = value
            self.line = line
        }
    }

    /// As the file has them; no key twice.
    package private(set) var entries: [Entry] = []

    /// - Parameter bytes: the whole file, at most `bytesMax`.
    package init(_ bytes: [UInt8]) throws(OptionFileError) {
        var reader = OptionReader(bytes)
        while let entry = try reader.next() {
            for earlier in entries where earlier.key == entry.key {
                throw OptionFileError(
                    line: entry.line,
                    text: "\(printable(entry.key)) stands in line \(earlier.line) already: keep one"
                )
            }
            entries.append(entry)
        }
    }
}

private struct OptionReader {
    private let bytes: [UInt8]
    private var at = 0
    private var line = 1

    init(_ bytes: [UInt8]) {
        self.bytes = bytes
        // Some editors write a mark of the encoding first.
        if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { at = 3 }
    }

    private var byte: UInt8? { at < bytes.count ? bytes[at] : nil }

    private func wrong(_ text: String) -> OptionFileError {
        OptionFileError(line: line, text: text)
    }

    /// The next `key = value`; nil at the end.
    mutating func next() throws(OptionFileError) -> OptionFile.Entry? {
        try skipLines()
        guard let first = byte else { return nil }
        let start = at
        if first == UInt8(ascii: "[") {
            throw wrong("this file has no [tables]: write `key = value` lines only")
        }
        while let byte, Self.isKey(byte) { at += 1 }
        let key = [UInt8](bytes[start..<at])
        guard !key.isEmpty, key.count <= OptionFile.keyBytesMax else {
            throw wrong("a line is `key = value`, the key of letters, digits and dashes")
        }
        let entryLine = line
        skipBlanks()
        guard byte == UInt8(ascii: "=") else {
            throw wrong("\(printable(key)) needs `= value` after it")
        }
        at += 1
        skipBlanks()
        let value = try value(of: key)
        skipBlanks()
        skipComment()
        guard byte == nil || isNewline else {
            throw wrong("what stands after the value of \(printable(key)) does not belong there")
        }
        return .init(key: key, value: value, line: entryLine)
    }

    private mutating func value(of key: [UInt8]) throws(OptionFileError) -> OptionFile.Value {
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "'"): return .text(try text())
        case UInt8(ascii: "["): return .list(try list(of: key))
        default: break
        }
        let start = at
        while let byte, !Self.endsWord(byte) { at += 1 }
        let word = [UInt8](bytes[start..<at])
        if word.elementsEqual("true".utf8) { return .bool(true) }
        if word.elementsEqual("false".utf8) { return .bool(false) }
        if let number = Self.number(word) { return .number(number) }
        throw wrong(
            "the value of \(printable(key)) is a \"text\" in quotes, a whole number, true, false, or a list [\"a\", \"b\"]"
        )
    }

    /// Digits with a sign or none; underscores between digits are left out.
    private static func number(_ word: [UInt8]) -> [UInt8]? {
        var digits: [UInt8] = []
        var rest = word[...]
        if let sign = rest.first, sign == UInt8(ascii: "-") || sign == UInt8(ascii: "+") {
            rest = rest.dropFirst()
            if sign == UInt8(ascii: "-") { digits.append(sign) }
        }
        let isZero = rest.count == 1
        guard let first = rest.first, isZero || first != UInt8(ascii: "0") else { return nil }
        var wasDigit = false
        for byte in rest {
            if (48...57).contains(byte) {
                digits.append(byte)
                wasDigit = true
            } else {
                guard byte == UInt8(ascii: "_"), wasDigit else { return nil }
                wasDigit = false
            }
        }
        return wasDigit ? digits : nil
    }

    /// A string on one line: with escapes between double quotes, as it stands between single ones.
    private mutating func text() throws(OptionFileError) -> [UInt8] {
        let quote = bytes[at]
        at += 1
        var text: [UInt8] = []
        while let byte, !isNewline {
            at += 1
            if byte == quote { return text }
            guard byte >= 0x20 && byte != 0x7F || byte == UInt8(ascii: "\t") else {
                throw wrong("a control character in a text: remove it")
            }
            guard byte == UInt8(ascii: "\\"), quote == UInt8(ascii: "\"") else {
                text.append(byte)
                continue
            }
            let escaped = self.byte
            at += 1
            switch escaped {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"): text.append(escaped ?? 0)
            case UInt8(ascii: "n"): text.append(UInt8(ascii: "\n"))
            case UInt8(ascii: "t"): text.append(UInt8(ascii: "\t"))
            default:
                throw wrong(
                    "of backslashes only \\\\, \\\", \\n and \\t are read; between 'single quotes' they stand for themselves"
                )
            }
        }
        throw wrong("a text ends without its closing quote")
    }

    private mutating func list(of key: [UInt8]) throws(OptionFileError) -> [[UInt8]] {
        at += 1
        var list: [[UInt8]] = []
        while true {
            try skipLines()
            if byte == UInt8(ascii: "]") { break }
            guard byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "'") else {
                throw wrong(
                    "the list \(printable(key)) holds texts in quotes with commas between them, and ends with ]"
                )
            }
            list.append(try text())
            try skipLines()
            if byte == UInt8(ascii: ",") {
                at += 1
            } else if byte != UInt8(ascii: "]") {
                throw wrong("the list \(printable(key)) needs a comma or ] here")
            }
        }
        at += 1
        return list
    }

    // MARK: What is between

    private var isNewline: Bool {
        byte == UInt8(ascii: "\n")
            || byte == UInt8(ascii: "\r") && at + 1 < bytes.count
                && bytes[at + 1] == UInt8(ascii: "\n")
    }

    private static func isKey(_ byte: UInt8) -> Bool {
        (48...57).contains(byte) || (65...90).contains(byte) || (97...122).contains(byte)
            || byte == UInt8(ascii: "-") || byte == UInt8(ascii: "_")
    }

    private static func endsWord(_ byte: UInt8) -> Bool {
        byte <= 0x20 || byte == UInt8(ascii: "#") || byte == UInt8(ascii: ",")
    }

    private mutating func skipBlanks() {
        while byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") { at += 1 }
    }

    private mutating func skipComment() {
        guard byte == UInt8(ascii: "#") else { return }
        while byte != nil, !isNewline { at += 1 }
    }

    /// Past blanks, comments and ends of lines.
    private mutating func skipLines() throws(OptionFileError) {
        while true {
            skipBlanks()
            skipComment()
            guard isNewline else { break }
            at += byte == UInt8(ascii: "\r") ? 2 : 1
            line += 1
        }
        if byte == UInt8(ascii: "\r") { throw wrong("a line that ends in the middle: remove it") }
    }
}
