import AgentRuntime
import CTLS
import RepositorySamples
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
        return (
            SigningKey(scheme: .ecdsaP256, text: [UInt8](SignedRepository.Key.pem(point).utf8)),
            SignedRepository.Key.der(Array(numbers[..<32]), Array(numbers[32...]))
        )
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
