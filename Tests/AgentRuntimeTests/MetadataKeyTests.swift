import AgentRuntime
import CTLS
import Testing
import UpdateTrust

@Suite("A device's check of update metadata")
struct MetadataKeyTests {
    static let message = [UInt8]("what is signed".utf8)

    /// A new key: its PEM, and its signature of `message` in DER.
    static func signed() throws -> (key: SigningKey, signature: [UInt8]) {
        #expect(Crypto.setUp())
        let key = try #require(Crypto.makeKey())
        var point = [UInt8](repeating: 0, count: 65)
        try #require(shelfcast_p256_point(key, key.count, &point) == 0)
        var numbers = [UInt8](repeating: 0, count: 64)
        try #require(shelfcast_p256_sign(key, key.count, message, message.count, &numbers) == 0)
        let prefix: [UInt8] = [
            0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x02, 0x01, 0x06,
            0x08,
            0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
        ]
        let base64 = base64(prefix + point)
        let pem =
            "-----BEGIN PUBLIC KEY-----\n\(base64.prefix(64))\n\(base64.dropFirst(64))\n"
            + "-----END PUBLIC KEY-----\n"
        return (
            SigningKey(scheme: .ecdsaP256, text: [UInt8](pem.utf8)),
            der(Array(numbers[..<32]), Array(numbers[32...]))
        )
    }

    static func base64(_ bytes: [UInt8]) -> String {
        let digits = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
        var out = ""
        for start in stride(from: 0, to: bytes.count, by: 3) {
            let part = bytes[start..<min(bytes.count, start + 3)]
            var bits =
                part.reduce(UInt32(0)) { $0 << 8 | UInt32($1) } << UInt32(8 * (3 - part.count))
            for index in 0..<4 {
                out.append(index <= part.count ? digits[Int(bits >> 18 & 63)] : "=")
                bits <<= 6
            }
        }
        return out
    }

    static func der(_ r: [UInt8], _ s: [UInt8]) -> [UInt8] {
        func number(_ bytes: [UInt8]) -> [UInt8] {
            let short = Array(bytes.drop { $0 == 0 })
            let value = (short.first ?? 0x80) >= 0x80 ? [0] + short : short
            return [0x02, UInt8(value.count)] + value
        }
        let body = number(r) + number(s)
        return [0x30, UInt8(body.count)] + body
    }

    @Test("believes the key's owner, and nobody else, about exactly these bytes")
    func signatures() throws {
        let verifier = DeviceVerifier()
        for _ in 0..<20 {
            // New keys each time: short numbers and leading zeros come by themselves.
            let (key, signature) = try Self.signed()
            let (other, _) = try Self.signed()
            #expect(verifier.verify(signature: signature, of: Self.message, key: key))
            #expect(!verifier.verify(signature: signature, of: Self.message + [0], key: key))
            #expect(!verifier.verify(signature: signature, of: Self.message, key: other))
            var flipped = signature
            flipped[flipped.count - 1] ^= 1
            #expect(!verifier.verify(signature: flipped, of: Self.message, key: key))
        }
    }

    @Test("believes no kind of key but its own")
    func kinds() throws {
        let (key, signature) = try Self.signed()
        for scheme in [SigningKey.Scheme.ed25519, .rsaPSS, .rsaPKCS1, .unknown] {
            let other = SigningKey(scheme: scheme, text: key.text)
            #expect(
                !DeviceVerifier().verify(signature: signature, of: Self.message, key: other),
                "\(scheme)")
        }
    }

    @Test("has SHA-256 and no other digest")
    func digests() {
        #expect(Crypto.setUp())
        let empty = DeviceVerifier().digest(.sha256, of: [])
        #expect(empty?.prefix(4) == [0xE3, 0xB0, 0xC4, 0x42])
        #expect(DeviceVerifier().digest(.sha512, of: []) == nil)
    }
}
