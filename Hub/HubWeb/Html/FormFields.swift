/// The fields of a query or of a form that was sent (application/x-www-form-urlencoded), within bounds. A name that
/// comes twice counts once, as it came last.
package struct FormFields: Equatable, Sendable {
    package static let fieldsMax = 64
    package static let valueBytesMax = 4_096

    private var values: [String: String] = [:]

    /// - Returns: nil for what no page of ours sends: broken escapes, text that is not UTF-8, too much.
    package init?(_ text: some StringProtocol) {
        for field in text.utf8.split(separator: UInt8(ascii: "&")) {
            let parts = field.split(
                separator: UInt8(ascii: "="), maxSplits: 1, omittingEmptySubsequences: false)
            guard values.count < Self.fieldsMax, let name = Self.decoded(parts[0]),
                let value = parts.count > 1 ? Self.decoded(parts[1]) : "",
                value.utf8.count <= Self.valueBytesMax
            else { return nil }
            values[name] = value
        }
    }

    package init() {}

    /// nil: it is not there, or empty.
    package subscript(name: String) -> String? {
        values[name].flatMap { $0.isEmpty ? nil : $0 }
    }

    /// Every field, by name; empty ones too.
    package var all: [(name: String, value: String)] {
        values.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
    }

    /// Nil unless every escape is whole and the bytes are UTF-8.
    private static func decoded(_ text: some Sequence<UInt8>) -> String? {
        var bytes: [UInt8] = []
        var pending: [UInt8]?
        for byte in text {
            if var digits = pending {
                guard let digit = Self.digit(byte) else { return nil }
                digits.append(digit)
                if digits.count == 2 {
                    bytes.append(digits[0] << 4 | digits[1])
                    pending = nil
                } else {
                    pending = digits
                }
            } else if byte == UInt8(ascii: "%") {
                pending = []
            } else {
                bytes.append(byte == UInt8(ascii: "+") ? UInt8(ascii: " ") : byte)
            }
        }
        guard pending == nil else { return nil }
        return String(validating: bytes, as: UTF8.self)
    }

    private static func digit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case 0x30...0x39: byte - 0x30
        case 0x41...0x46: byte - 0x41 + 10
        case 0x61...0x66: byte - 0x61 + 10
        default: nil
        }
    }
}
