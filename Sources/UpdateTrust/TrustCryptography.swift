package enum DigestAlgorithm: Equatable, Sendable {
    case sha256
    case sha512

    package var bytes: Int { self == .sha256 ? 32 : 64 }
}

/// A public key as metadata gives it. Two keys are the same key when scheme and text are, whatever the
/// metadata calls them.
package struct SigningKey: Equatable, Sendable {
    package enum Scheme: Equatable, Sendable {
        /// ECDSA over P-256 with SHA-256; the text is a PEM SubjectPublicKeyInfo, signatures are DER.
        case ecdsaP256
        /// Ed25519 (RFC 8032); the text is 64 hexadecimal digits.
        case ed25519
        /// RSA with PSS padding and SHA-256; the text is a PEM SubjectPublicKeyInfo.
        case rsaPSS
        /// RSA with PKCS #1 v1.5 padding and SHA-256, otherwise as `rsaPSS`.
        case rsaPKCS1
        /// One that nothing here knows: its signatures never count, and other keys' still do.
        case unknown
    }

    package let scheme: Scheme
    /// As in the metadata, at most `textBytesMax`.
    package let text: [UInt8]

    package static let textBytesMax = 4_096

    package init(scheme: Scheme, text: [UInt8]) {
        self.scheme = scheme
        self.text = text
    }
}

/// Digests and signature checks: on a device from mbedTLS, elsewhere from another library. A verifier that
/// does not have a scheme says no to it.
package protocol TrustCryptography {
    /// nil when this algorithm is not to be had here.
    func digest(_ algorithm: DigestAlgorithm, of bytes: [UInt8]) -> [UInt8]?
    /// Whether `key`'s owner signed exactly `message`. False for whatever is malformed.
    func verify(signature: [UInt8], of message: [UInt8], key: SigningKey) -> Bool
}
