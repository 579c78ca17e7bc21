import CTLS
package import UpdateTrust

/// What mbedTLS does for the agent outside a connection.
package enum Crypto {
    /// To be called once before anything else here; may be repeated.
    package static func setUp() -> Bool { shelfcast_crypto_setup() == 0 }

    package static func sha256(_ bytes: [UInt8]) -> [UInt8] {
        guard let state = shelfcast_sha256_begin() else { return [] }
        let added = bytes.withUnsafeBufferPointer {
            shelfcast_sha256_add(state, $0.baseAddress, $0.count)
        }
        var digest = [UInt8](repeating: 0, count: 32)
        let finished = digest.withUnsafeMutableBufferPointer {
            shelfcast_sha256_finish(state, $0.baseAddress!)  // 32 bytes: there is a base address
        }
        return added == 0 && finished == 0 ? digest : []
    }

    /// The system's generator failing is not to be survived: what it guards would be guessable.
    package static func random(_ count: Int) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        let result = bytes.withUnsafeMutableBufferPointer { buffer in
            buffer.baseAddress.map { shelfcast_random($0, buffer.count) } ?? 0
        }
        precondition(result == 0, "no randomness")
        return bytes
    }

    package static func random32() -> UInt32 {
        random(4).reduce(0) { $0 << 8 | UInt32($1) }
    }

    /// A new P-256 key as DER; nil when it cannot be made.
    package static func makeKey() -> [UInt8]? {
        var der = [UInt8](repeating: 0, count: 256)
        let length = shelfcast_key_make(&der, der.count)
        return length > 0 ? [UInt8](der.prefix(Int(length))) : nil
    }

    /// A PKCS #10 request for `key`.
    package static func makeRequest(key: [UInt8], name: String) -> [UInt8]? {
        var der = [UInt8](repeating: 0, count: 1024)
        let length = shelfcast_request_make(key, key.count, name, &der, der.count)
        return length > 0 ? [UInt8](der.prefix(Int(length))) : nil
    }

    package static func certificate(_ certificate: [UInt8], matches key: [UInt8]) -> Bool {
        shelfcast_certificate_matches(certificate, certificate.count, key, key.count) == 1
    }

    /// First and last second a certificate is valid; nil when it is none.
    package static func validity(of certificate: [UInt8]) -> ClosedRange<Int64>? {
        let begin = shelfcast_certificate_begin(certificate, certificate.count)
        let end = shelfcast_certificate_end(certificate, certificate.count)
        return begin > 0 && end >= begin ? begin...end : nil
    }
}

/// Update metadata is checked by mbedTLS. P-256 is all that a device has: a role signed by other keys is not believed
/// here.
package struct DeviceVerifier: TrustCryptography {
    package init() {}

    /// - Parameters:
    ///   - signature: r ‖ s, 64 bytes.
    ///   - key: a point in SEC 1 uncompressed form, 65 bytes.
    private func verify(signature: [UInt8], of message: [UInt8], key: [UInt8]) -> Bool {
        guard key.count == 65, signature.count == 64 else { return false }
        return message.withUnsafeBufferPointer {
            shelfcast_p256_verify(key, $0.baseAddress, $0.count, signature) == 1
        }
    }

    package func digest(_ algorithm: DigestAlgorithm, of bytes: [UInt8]) -> [UInt8]? {
        guard algorithm == .sha256 else { return nil }
        let digest = Crypto.sha256(bytes)
        return digest.isEmpty ? nil : digest
    }

    package func verify(signature: [UInt8], of message: [UInt8], key: SigningKey) -> Bool {
        guard key.scheme == .ecdsaP256, let point = P256Text.point(pem: key.text),
            let numbers = P256Text.signature(der: signature)
        else { return false }
        return verify(signature: numbers, of: message, key: point)
    }
}
