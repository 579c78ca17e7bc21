/// `key=value` on a device: what rollouts select by. Set by the operator through the join token, or
/// by the device's own configuration; where both set a key, the operator's word counts.
package struct DeviceLabel: Hashable, Comparable, Sendable {
    package static let partBytesMax = 64
    /// How many labels one device or token may carry.
    package static let countMax = 32

    package let key: String
    package let value: String

    /// - Throws: `LabelError` unless both parts are 1 to 64 bytes of letters, digits, `.`, `_`,
    ///   `-`, and the key is none that selectors give a meaning of their own
    ///   (`Selector.reservedKeys`).
    package init(key: String, value: String) throws(LabelError) {
        guard Self.isPart(key), Self.isPart(value) else { throw .malformed("\(key)=\(value)") }
        guard !Selector.reservedKeys.contains(key) else { throw .reservedKey(key) }
        self.key = key
        self.value = value
    }

    /// Reads what was stored before some key was reserved, too.
    /// - Throws: `LabelError` unless it is `key=value` of such parts.
    package init(stored text: String) throws(LabelError) {
        let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2, Self.isPart(String(parts[0])), Self.isPart(String(parts[1])) else {
            throw .malformed(text)
        }
        (key, value) = (String(parts[0]), String(parts[1]))
    }

    /// Reads `key=value`.
    package init(_ text: String) throws(LabelError) {
        let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2 else { throw .malformed(text) }
        try self.init(key: String(parts[0]), value: String(parts[1]))
    }

    package var text: String { "\(key)=\(value)" }

    package static func < (a: DeviceLabel, b: DeviceLabel) -> Bool {
        (a.key, a.value) < (b.key, b.value)
    }

    static func isPart(_ text: String) -> Bool {
        (1...partBytesMax).contains(text.utf8.count)
            && text.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"),
                    UInt8(ascii: "-"):
                    true
                default: false
                }
            }
    }
}

/// Why a label was refused.
package enum LabelError: Error, Equatable, Sendable, CustomStringConvertible {
    case malformed(String)
    case reservedKey(String)

    package var description: String {
        switch self {
        case .malformed(let text):
            "label '\(text)' is not key=value with letters, digits, '.', '_' and '-', at most 64 on each side"
        case .reservedKey(let key):
            "label key '\(key)' is taken: selectors use it for what the device itself is"
        }
    }
}
