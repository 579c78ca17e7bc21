import Crypto
import Foundation
import UpdateTrust
import _CryptoExtras

/// Every kind of key that the specification names, from swift-crypto.
struct LibraryCryptography: TrustCryptography {
    func digest(_ algorithm: DigestAlgorithm, of bytes: [UInt8]) -> [UInt8]? {
        switch algorithm {
        case .sha256: [UInt8](SHA256.hash(data: bytes))
        case .sha512: [UInt8](SHA512.hash(data: bytes))
        }
    }

    func verify(signature: [UInt8], of message: [UInt8], key: SigningKey) -> Bool {
        // What cannot be read is no signature of anybody's.
        (try? isValid(signature, message, key)) ?? false
    }

    private func isValid(_ signature: [UInt8], _ message: [UInt8], _ key: SigningKey) throws -> Bool
    {
        let text = String(decoding: key.text, as: UTF8.self)
        switch key.scheme {
        case .ecdsaP256:
            // As on a device, so that the suite tries that code too.
            guard let point = P256Text.point(pem: key.text),
                let numbers = P256Text.signature(der: signature)
            else { return false }
            return try P256.Signing.PublicKey(x963Representation: point).isValidSignature(
                P256.Signing.ECDSASignature(rawRepresentation: numbers), for: message)
        case .ed25519:
            guard let bytes = Self.bytes(hex: text) else { return false }
            return try Curve25519.Signing.PublicKey(rawRepresentation: bytes).isValidSignature(
                signature, for: message)
        case .rsaPSS, .rsaPKCS1:
            return try _RSA.Signing.PublicKey(pemRepresentation: text).isValidSignature(
                _RSA.Signing.RSASignature(rawRepresentation: signature),
                for: SHA256.hash(data: message),
                padding: key.scheme == .rsaPSS ? .PSS : .insecurePKCS1v1_5)
        case .unknown:
            return false
        }
    }

    private static func bytes(hex: String) -> [UInt8]? {
        let digits = Array(hex)
        guard digits.count == 64 else { return nil }
        return stride(from: 0, to: 64, by: 2).reduce(into: [UInt8]?([])) { bytes, index in
            guard let byte = UInt8(String(digits[index...index + 1]), radix: 16) else {
                bytes = nil
                return
            }
            bytes?.append(byte)
        }
    }
}
