/// Why a text is not a join token. Its `explanation` never repeats the text: it holds a secret.
package enum JoinTokenError: Error, Equatable, Sendable {
    /// It does not start with `shelfcast1.`
    case prefix
    /// Characters missing, added or changed.
    case damaged
    /// Of the right form, with a host, port, hash or secret that cannot be.
    case incomplete

    package var explanation: String {
        switch self {
        case .prefix: "this is not a join token: one starts with \"shelfcast1.\""
        case .damaged: "the join token is damaged; copy it again, all of it and nothing else"
        case .incomplete: "the join token lacks its host, port, CA hash or secret; make a new one"
        }
    }
}

/// SPEC 6.1.
extension JoinToken {
    package static let textPrefix = "shelfcast1."
    /// Far above what 253 bytes of host need.
    static let textBytesMax = 1_024

    /// Reads the text form.
    package init(text: String) throws(JoinTokenError) {
        var utf8 = text.utf8[...]
        guard utf8.count <= Self.textBytesMax else { throw .damaged }
        for byte in Self.textPrefix.utf8 {
            guard utf8.popFirst() == byte else { throw .prefix }
        }
        guard let bytes = decodeBase64URL(utf8) else { throw .damaged }
        do throws(WireError) {
            try self.init(decoding: bytes)
        } catch {
            throw .damaged
        }
        guard !host.utf8.isEmpty, port >= 1, port <= 65_535,
            caSha256.count == Limit.digestBytes, secret.count == Limit.secretBytes
        else { throw .incomplete }
    }

    /// The text form.
    package var text: String {
        Self.textPrefix + encodeBase64URL(encoded())
    }
}

/// RFC 4648 section 5, without padding.
func encodeBase64URL(_ bytes: [UInt8]) -> String {
    let alphabet = [UInt8]("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)
    var text: [UInt8] = []
    text.reserveCapacity((bytes.count * 4 + 2) / 3)
    var bits: UInt32 = 0
    var bitCount: UInt32 = 0
    for byte in bytes {
        bits = bits << 8 | UInt32(byte)
        bitCount += 8
        while bitCount >= 6 {
            bitCount -= 6
            text.append(alphabet[Int(bits >> bitCount & 0x3F)])
        }
        bits &= 0x3F
    }
    if bitCount > 0 { text.append(alphabet[Int(bits << (6 - bitCount) & 0x3F)]) }
    return String(decoding: text, as: UTF8.self)
}

/// - Returns: nil for padding, any character outside the alphabet, an impossible length, or stray bits at the end.
func decodeBase64URL(_ text: some Sequence<UInt8>) -> [UInt8]? {
    var bytes: [UInt8] = []
    var bits: UInt32 = 0
    var bitCount: UInt32 = 0
    for character in text {
        let value: UInt8
        switch character {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"): value = character - UInt8(ascii: "A")
        case UInt8(ascii: "a")...UInt8(ascii: "z"): value = character - UInt8(ascii: "a") + 26
        case UInt8(ascii: "0")...UInt8(ascii: "9"): value = character - UInt8(ascii: "0") + 52
        case UInt8(ascii: "-"): value = 62
        case UInt8(ascii: "_"): value = 63
        default: return nil
        }
        bits = bits << 6 | UInt32(value)
        bitCount += 6
        if bitCount >= 8 {
            bitCount -= 8
            bytes.append(UInt8(truncatingIfNeeded: bits >> bitCount))
            bits &= 1 << bitCount - 1
        }
    }
    guard bitCount < 6, bits == 0 else { return nil }
    return bytes
}
