/// P-256 keys and signatures between the forms that metadata has and the plain numbers that a verifier
/// takes. Strict: one text per key and per signature.
package enum P256Text {
    /// What comes before the 64 bytes of x and y in a SubjectPublicKeyInfo of an uncompressed P-256 point
    /// (RFC 5480), the point's own 04 included.
    private static let prefix: [UInt8] = [
        0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x02, 0x01, 0x06, 0x08,
        0x2A,
        0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00, 0x04,
    ]
    private static let head = "-----BEGIN PUBLIC KEY-----\n"
    private static let foot = "-----END PUBLIC KEY-----"

    /// - Parameter pem: RFC 7468, as the usual tools write it; a newline at the end or none.
    /// - Returns: 65 bytes, SEC 1 uncompressed; nil when it is anything else. Whether the point is on the curve
    ///   is the verifier's to say.
    package static func point(pem: [UInt8]) -> [UInt8]? {
        let head = [UInt8](head.utf8)
        let foot = [UInt8](foot.utf8)
        var end = pem.count
        if end > 0, pem[end - 1] == UInt8(ascii: "\n") { end -= 1 }
        guard end <= 256, end > head.count + foot.count, pem[..<head.count].elementsEqual(head),
            pem[(end - foot.count)..<end].elementsEqual(foot)
        else { return nil }
        guard let der = base64(pem[head.count..<(end - foot.count)]), der.count == 91,
            der[..<prefix.count].elementsEqual(prefix)
        else { return nil }
        return [UInt8](der[26...])
    }

    /// Base64 (RFC 4648) in lines; nil for any other character, a wrong length or bits left over.
    private static func base64(_ text: ArraySlice<UInt8>) -> [UInt8]? {
        var out: [UInt8] = []
        var bits: UInt32 = 0
        var digits = 0
        var pads = 0
        for byte in text where byte != UInt8(ascii: "\n") {
            let value: UInt8
            switch byte {
            case UInt8(ascii: "A")...UInt8(ascii: "Z"): value = byte - UInt8(ascii: "A")
            case UInt8(ascii: "a")...UInt8(ascii: "z"): value = byte - UInt8(ascii: "a") + 26
            case UInt8(ascii: "0")...UInt8(ascii: "9"): value = byte - UInt8(ascii: "0") + 52
            case UInt8(ascii: "+"): value = 62
            case UInt8(ascii: "/"): value = 63
            case UInt8(ascii: "="):
                pads += 1
                continue
            default: return nil
            }
            guard pads == 0 else { return nil }
            bits = bits << 6 | UInt32(value)
            digits += 1
            // Every digit but the first of four completes a byte.
            let spare = UInt32(6 - 2 * ((digits - 1) % 4))
            if digits % 4 != 1 {
                out.append(UInt8(truncatingIfNeeded: bits >> spare))
                bits &= 1 << spare - 1
            }
        }
        guard (digits + pads) % 4 == 0, pads < 3, digits % 4 != 1, bits == 0 else { return nil }
        return out
    }

    /// - Parameter der: an ECDSA-Sig-Value (RFC 3279): a SEQUENCE of two INTEGERs, in DER and nothing after it.
    /// - Returns: r then s, 64 bytes; nil when it is anything else, a negative or an overlong number included.
    package static func signature(der: [UInt8]) -> [UInt8]? {
        guard (8...72).contains(der.count), der[0] == 0x30, Int(der[1]) == der.count - 2 else {
            return nil
        }
        var out: [UInt8] = []
        var at = 2
        for _ in 0..<2 {
            guard at + 2 < der.count, der[at] == 0x02 else { return nil }
            let count = Int(der[at + 1])
            let start = at + 2
            guard (1...33).contains(count), start + count <= der.count, der[start] < 0x80 else {
                return nil
            }
            var skipped = 0
            if der[start] == 0, count > 1 {
                guard der[start + 1] >= 0x80 else { return nil }  // not the shortest form
                skipped = 1
            }
            guard count - skipped <= 32 else { return nil }
            out += [UInt8](repeating: 0, count: 32 - (count - skipped))
            out += der[(start + skipped)..<(start + count)]
            at = start + count
        }
        return at == der.count ? out : nil
    }
}
