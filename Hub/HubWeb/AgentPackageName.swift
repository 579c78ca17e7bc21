/// What the name of an agent's package says: `shelfcast-agent_VERSION_ARCHITECTURE.FORM`, as Debian names
/// its packages.
package struct AgentPackageName: Hashable, Sendable {
    package enum Form: String, CaseIterable, Sendable {
        /// For dpkg.
        case debian = "deb"
        /// The same files for a system without dpkg.
        case archive = "tar.gz"
    }

    package static let bytesMax = 128
    /// Debian's names of what the agent is built for.
    package static let architectures = ["amd64", "arm64", "armel", "armhf"]

    package let version: String
    package let architecture: String
    package let form: Form

    /// Nil: a file of another kind.
    package init?(_ name: String) {
        guard name.utf8.count <= Self.bytesMax,
            let form = Form.allCases.first(where: { name.hasSuffix("." + $0.rawValue) })
        else { return nil }
        let parts = name.dropLast(form.rawValue.utf8.count + 1)
            .split(separator: "_", omittingEmptySubsequences: false)
        guard parts.count == 3, parts[0] == "shelfcast-agent",
            Self.architectures.contains(String(parts[2])), Self.isVersion(parts[1])
        else { return nil }
        (version, architecture, self.form) = (String(parts[1]), String(parts[2]), form)
    }

    package var text: String { "shelfcast-agent_\(version)_\(architecture).\(form.rawValue)" }

    /// A digit, and then what Debian Policy 5.6.12 allows in a file's name. Such a version is also safe in a
    /// shell script.
    private static func isVersion(_ text: Substring) -> Bool {
        guard let first = text.utf8.first, (0x30...0x39).contains(first) else { return false }
        return text.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "z"),
                UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "."), UInt8(ascii: "+"),
                UInt8(ascii: "-"), UInt8(ascii: "~"):
                true
            default: false
            }
        }
    }
}

extension AgentPackageName {
    /// Whether `older` is an earlier version than `newer`, as dpkg orders them (Debian Policy 5.6.12).
    package static func isVersion(_ older: String, before newer: String) -> Bool {
        let (old, new) = (split(older), split(newer))
        let upstream = order(old.upstream, new.upstream)
        return upstream == 0 ? order(old.revision, new.revision) < 0 : upstream < 0
    }

    private static func split(_ version: String) -> (upstream: [UInt8], revision: [UInt8]) {
        let bytes = Array(version.utf8)
        guard let hyphen = bytes.lastIndex(of: UInt8(ascii: "-")) else { return (bytes, []) }
        return (Array(bytes[..<hyphen]), Array(bytes[(hyphen + 1)...]))
    }

    /// Below 0: `left` comes first. Alternately compares what is no digit and what is a number.
    private static func order(_ left: [UInt8], _ right: [UInt8]) -> Int {
        var (left, right) = (left[...], right[...])
        while !left.isEmpty || !right.isEmpty {
            while weight(left.first) != 0 || weight(right.first) != 0 {
                let difference = weight(left.first) - weight(right.first)
                if difference != 0 { return difference }
                (left, right) = (left.dropFirst(), right.dropFirst())
            }
            let (leftNumber, rightNumber) = (number(&left), number(&right))
            if leftNumber.count != rightNumber.count { return leftNumber.count - rightNumber.count }
            if let at = leftNumber.indices.first(where: { leftNumber[$0] != rightNumber[$0] }) {
                return Int(leftNumber[at]) - Int(rightNumber[at])
            }
        }
        return 0
    }

    /// A tilde before the end, the end before letters, letters before the rest; a digit counts as the end.
    private static func weight(_ byte: UInt8?) -> Int {
        guard let byte else { return 0 }
        return switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): 0
        case UInt8(ascii: "~"): -1
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"): Int(byte)
        default: Int(byte) + 256
        }
    }

    /// Takes the digits at the front, without leading zeros.
    private static func number(_ text: inout ArraySlice<UInt8>) -> [UInt8] {
        let digits = text.prefix { (0x30...0x39).contains($0) }
        text = text.dropFirst(digits.count)
        return Array(digits.drop { $0 == UInt8(ascii: "0") })
    }
}
