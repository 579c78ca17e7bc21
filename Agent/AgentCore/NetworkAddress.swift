/// An IPv4 or IPv6 address.
package struct NetworkAddress: Equatable, Sendable {
    /// 4 or 16, most significant first.
    package var bytes: [UInt8]
    /// The interface, by name or number, of an address that only means something on a link (RFC 4007, 11); mostly empty.
    package var zone: [UInt8] = []

    static let zoneBytesMax = 15

    /// 4 or 16 bytes.
    package init(bytes: [UInt8]) { self.bytes = bytes }

    /// Dotted decimal, or RFC 4291, 2.2, with a zone behind `%` where there is one. Nil for anything else.
    package init?(text: ArraySlice<UInt8>) {
        if let four = Self.four(text) {
            bytes = four
            return
        }
        let percent = text.firstIndex(of: UInt8(ascii: "%")) ?? text.endIndex
        zone = [UInt8](text[percent...].dropFirst())
        guard (percent == text.endIndex) == zone.isEmpty, zone.count <= Self.zoneBytesMax,
            !zone.contains(0), let sixteen = Self.sixteen(text[..<percent])
        else { return nil }
        bytes = sixteen
    }

    private static func four(_ text: ArraySlice<UInt8>) -> [UInt8]? {
        let parts = text.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard parts.count == 4 else { return nil }
        var bytes: [UInt8] = []
        for part in parts {
            // 010 would be eight to some.
            guard part.count <= 3, part.count == 1 || part.first != UInt8(ascii: "0"),
                let value = decimal(part), value <= 255
            else { return nil }
            bytes.append(UInt8(value))
        }
        return bytes
    }

    private static func sixteen(_ text: ArraySlice<UInt8>) -> [UInt8]? {
        let colon = UInt8(ascii: ":")
        var bytes: [UInt8] = []
        /// Where `::` stands.
        var gap: Int?
        var at = text.startIndex
        if text.starts(with: [colon, colon]) { (gap, at) = (0, at + 2) }
        while at < text.endIndex {
            let stop = text[at...].firstIndex(of: colon) ?? text.endIndex
            let group = text[at..<stop]
            if stop == text.endIndex, let last = four(group) {
                bytes += last
                break
            }
            guard let value = hexadecimal(group), bytes.count < 16 else { return nil }
            bytes += [UInt8(value >> 8), UInt8(value & 255)]
            guard stop < text.endIndex else { break }
            at = stop + 1
            guard at < text.endIndex else { return nil }
            guard text[at] == colon else { continue }
            guard gap == nil else { return nil }
            (gap, at) = (bytes.count, at + 1)
        }
        guard let gap else { return bytes.count == 16 ? bytes : nil }
        guard bytes.count <= 14 else { return nil }
        bytes.insert(contentsOf: [UInt8](repeating: 0, count: 16 - bytes.count), at: gap)
        return bytes
    }

    /// Of one to four digits.
    private static func hexadecimal(_ text: ArraySlice<UInt8>) -> Int? {
        guard (1...4).contains(text.count) else { return nil }
        var value = 0
        for byte in text {
            let digit: Int
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): digit = Int(byte) - 48
            case UInt8(ascii: "a")...UInt8(ascii: "f"): digit = Int(byte) - 87
            case UInt8(ascii: "A")...UInt8(ascii: "F"): digit = Int(byte) - 55
            default: return nil
            }
            value = value << 4 | digit
        }
        return value
    }
}
