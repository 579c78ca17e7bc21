import Crypto
package import UpdateTrust

/// What a device checks with mbedTLS, from swift-crypto: ECDSA over P-256 and nothing else. The hub looks at what
/// it is about to publish with the devices' own eyes.
package struct LibraryTrust: TrustCryptography {
    package init() {}

    package func digest(_ algorithm: DigestAlgorithm, of bytes: [UInt8]) -> [UInt8]? {
        switch algorithm {
        case .sha256: Array(SHA256.hash(data: bytes))
        case .sha512: Array(SHA512.hash(data: bytes))
        }
    }

    package func verify(signature: [UInt8], of message: [UInt8], key: SigningKey) -> Bool {
        guard key.scheme == .ecdsaP256, let point = P256Text.point(pem: key.text),
            let numbers = P256Text.signature(der: signature)
        else { return false }
        do {
            return try P256.Signing.PublicKey(x963Representation: point).isValidSignature(
                P256.Signing.ECDSASignature(rawRepresentation: numbers), for: message)
        } catch {
            // A point off the curve has signed nothing.
            return false
        }
    }
}
