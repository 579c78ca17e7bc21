package import Crypto

/// Signs package statements with the hub's package key, an ECDSA P-256 key that is not the CA's: a
/// device trusts it for packages and for nothing else.
package struct PackageSigner: Sendable {
    package static let signatureBytes = 64

    private let key: P256.Signing.PrivateKey

    package init(key: P256.Signing.PrivateKey) { self.key = key }

    /// SEC 1 uncompressed point, 65 bytes: what JoinReply hands to a device.
    package var publicKey: [UInt8] { Array(key.publicKey.x963Representation) }

    /// ECDSA over SHA-256 of `statement` (a PackageStatement in wire format), as r ‖ s, 64 bytes. Two
    /// signatures of one statement differ; each is valid.
    package func sign(statement: [UInt8]) throws(HubIdentityError) -> [UInt8] {
        do {
            return Array(try key.signature(for: statement).rawRepresentation)
        } catch {
            throw .cryptography(reason: "\(error)")
        }
    }
}
