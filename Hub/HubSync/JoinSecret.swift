import Crypto
import SyncProtocol

/// The secret inside a join token. The hub keeps its SHA-256 only.
package struct JoinSecret: Sendable {
    /// 16 bytes.
    package let bytes: [UInt8]

    package init(bytes: [UInt8]) { self.bytes = bytes }

    /// A new one, from the system's randomness.
    package static func random() -> JoinSecret {
        JoinSecret(bytes: (0..<Limit.secretBytes).map { _ in UInt8.random(in: .min ... .max) })
    }

    package var sha256: [UInt8] { Array(SHA256.hash(data: bytes)) }
}
