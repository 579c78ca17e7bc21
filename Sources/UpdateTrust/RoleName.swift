/// Who signs: one of the four top-level roles, or one that a targets role delegates to.
package enum RoleName: Equatable, Sendable {
    case root
    case timestamp
    case snapshot
    case targets
    /// UTF-8, 1 to `bytesMax` bytes, none of the four names above.
    case delegated([UInt8])

    package static let bytesMax = 256

    /// As metadata writes it.
    package var utf8: [UInt8] {
        switch self {
        case .root: [UInt8]("root".utf8)
        case .timestamp: [UInt8]("timestamp".utf8)
        case .snapshot: [UInt8]("snapshot".utf8)
        case .targets: [UInt8]("targets".utf8)
        case .delegated(let name): name
        }
    }

    /// The name as a file or a part of an address may carry it: everything but letters, digits and `-._~`
    /// as %XX, so that a hostile name is one name and no path.
    package var escaped: [UInt8] { Self.escape(utf8) }

    package static func escape(_ name: [UInt8]) -> [UInt8] {
        let hex = [UInt8]("0123456789ABCDEF".utf8)
        var out: [UInt8] = []
        for byte in name {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."),
                UInt8(ascii: "_"), UInt8(ascii: "~"):
                out.append(byte)
            default: out += [UInt8(ascii: "%"), hex[Int(byte >> 4)], hex[Int(byte & 15)]]
            }
        }
        return out
    }

    /// nil for a name that no delegation may use.
    init?(delegated name: [UInt8]) {
        guard !name.isEmpty, name.count <= Self.bytesMax else { return nil }
        for taken in [Self.root, .timestamp, .snapshot, .targets] where taken.utf8 == name {
            return nil
        }
        self = .delegated(name)
    }

    /// For messages: no byte of it can do anything to a terminal.
    package var text: String { String(decoding: escaped, as: UTF8.self) }
}
