/// Questions and answers of the domain name system (RFC 1035, 4; RFC 3596 for IPv6), as far as a device needs them: the
/// addresses of a name. Names are in the form of the wire, in lower case: labels, each behind its length, and a 0.
package enum NameMessage {
    package enum Kind: UInt16, Equatable, Sendable {
        case ipv4 = 1
        case ipv6 = 28
    }

    /// What a server said to a question.
    package enum Answer: Equatable, Sendable {
        /// At most `addressesMax`; none where the name has no address of this kind.
        case addresses([NetworkAddress])
        case noSuchName
        /// The server cannot say, or what it said did not fit.
        case refused
    }

    package static let addressesMax = 4
    /// A name may stand for another so many times over.
    package static let aliasesMax = 8
    /// Of an answer to a question without extensions; one by multicast may fill a frame (RFC 6762, 17).
    package static let packetBytesMax = 1500
    private static let nameBytesMax = 255
    private static let labelBytesMax = 63
    private static let headerBytes = 12
    private static let alias: UInt16 = 5

    /// A name's form on the wire; nil where it cannot be one.
    /// - Parameter text: letters, digits, `-` and `_` in labels of 1 to 63 bytes, with dots between; one at the end is
    ///   passed over.
    package static func wire(_ text: ArraySlice<UInt8>) -> [UInt8]? {
        let dot = UInt8(ascii: ".")
        var name: [UInt8] = []
        let whole = text.last == dot ? text.dropLast() : text
        for label in whole.split(separator: dot, omittingEmptySubsequences: false) {
            guard (1...labelBytesMax).contains(label.count) else { return nil }
            name.append(UInt8(label.count))
            for byte in label {
                switch lower(byte) {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
                    UInt8(ascii: "-"), UInt8(ascii: "_"):
                    name.append(lower(byte))
                default: return nil
                }
            }
        }
        return name.count < nameBytesMax ? name + [0] : nil
    }

    package static func lower(_ byte: UInt8) -> UInt8 {
        (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte) ? byte + 32 : byte
    }

    package static func question(_ name: [UInt8], _ kind: Kind, id: UInt16) -> [UInt8] {
        // One question, and whoever is asked shall ask on.
        [UInt8(id >> 8), UInt8(id & 255), 1, 0, 0, 1, 0, 0, 0, 0, 0, 0]
            + name + [0, UInt8(kind.rawValue), 0, 1]
    }

    /// What `packet` answers to the question; nil where it is no answer to it, or none that can be read: the true one may
    /// still come.
    package static func answer(
        in packet: [UInt8], to name: [UInt8], _ kind: Kind, id: UInt16
    ) -> Answer? {
        func number(_ at: Int) -> UInt16 { UInt16(packet[at]) << 8 | UInt16(packet[at + 1]) }
        guard packet.count >= headerBytes, packet.count <= packetBytesMax, number(0) == id,
            packet[2] & 0xF8 == 0x80, number(4) == 1
        else { return nil }
        var at = headerBytes
        guard self.name(in: packet, at: &at) == name, at + 4 <= packet.count,
            number(at) == kind.rawValue, isInternet(number(at + 2))
        else { return nil }
        at += 4
        let isCut = packet[2] & 2 != 0
        switch packet[3] & 15 {
        case 0: break
        case 3: return .noSuchName
        default: return .refused
        }
        var aliases: [(of: [UInt8], name: [UInt8])] = []
        var addresses: [(of: [UInt8], address: NetworkAddress)] = []
        for _ in 0..<number(6) {
            guard let owner = self.name(in: packet, at: &at), at + 10 <= packet.count,
                at + 10 + Int(number(at + 8)) <= packet.count
            else {
                if isCut { break }
                return nil
            }
            let (type, space, bytes) = (number(at), number(at + 2), Int(number(at + 8)))
            at += 10
            if !isInternet(space) {
            } else if type == alias {
                var target = at
                guard let other = self.name(in: packet, at: &target), target == at + bytes
                else { return nil }
                aliases.append((owner, other))
            } else if type == kind.rawValue {
                guard bytes == (kind == .ipv4 ? 4 : 16) else { return nil }
                addresses.append((owner, NetworkAddress(bytes: [UInt8](packet[at..<at + bytes]))))
            }
            at += bytes
        }
        var known = name
        for _ in 0..<aliasesMax {
            guard let next = aliases.first(where: { $0.of == known }) else { break }
            known = next.name
        }
        let found = addresses.filter { $0.of == known }.prefix(addressesMax).map { $0.address }
        return found.isEmpty && isCut ? .refused : .addresses(found)
    }

    /// The upper bit has a meaning of its own in multicast answers (RFC 6762, 10.2).
    private static func isInternet(_ space: UInt16) -> Bool { space & 0x7FFF == 1 }

    /// The name that begins at `position`, which then is behind it; nil where there is none.
    private static func name(in packet: [UInt8], at position: inout Int) -> [UInt8]? {
        var name: [UInt8] = []
        var (at, begin) = (position, position)
        var end: Int?
        while at < packet.count {
            let length = Int(packet[at])
            if length == 0 {
                position = end ?? at + 1
                return name + [0]
            }
            if length >= 0xC0 {
                guard at + 1 < packet.count else { return nil }
                let target = (length & 0x3F) << 8 | Int(packet[at + 1])
                // Only ever back: nothing goes round.
                guard target < begin else { return nil }
                end = end ?? at + 2
                (at, begin) = (target, target)
                continue
            }
            guard length <= labelBytesMax, at + length < packet.count,
                name.count + length + 2 <= nameBytesMax
            else { return nil }
            name.append(UInt8(length))
            for byte in packet[at + 1...at + length] { name.append(lower(byte)) }
            at += length + 1
        }
        return nil
    }
}
