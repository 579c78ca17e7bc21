import Crypto
package import FoundationEssentials
import SwiftASN1
import X509

/// Who the hub is to its devices: the certificate authority they pinned when they joined. Lost, every device must join
/// again; so it belongs into the backup. Packages are vouched for by others (`HubRepository`).
package struct HubIdentity: Sendable {
    package static let rootCertificateFile = "ca.pem"
    package static let rootKeyFile = "ca-key.pem"

    package let authority: CertificateAuthority

    package init(authority: CertificateAuthority) {
        self.authority = authority
    }

    /// Makes keys and root certificate in an existing directory, readable by their owner only.
    ///
    /// The root certificate is written last and marks a finished identity: repeated after a crash,
    /// `create` starts over; beside a finished identity it throws `alreadyExists` and changes nothing.
    @discardableResult
    package static func create(
        in directory: String, now: Date = Date()
    ) throws(HubIdentityError) -> HubIdentity {
        guard !exists(in: directory) else { throw .alreadyExists(directory: directory) }
        let authority = try CertificateAuthority.create(now: now)
        let rootPEM: String
        do {
            rootPEM = try authority.certificate.serializeAsPEM().pemString
        } catch {
            throw .cryptography(reason: "\(error)")
        }
        try writePEM(authority.keyPEM, to: path(of: rootKeyFile, in: directory))
        try writePEM(rootPEM, to: path(of: rootCertificateFile, in: directory))
        return HubIdentity(authority: authority)
    }

    package static func exists(in directory: String) -> Bool {
        PrivateFile.exists(path(of: rootCertificateFile, in: directory))
    }

    /// Reads what `create` wrote and checks that certificate and key belong together.
    package static func open(in directory: String) throws(HubIdentityError) -> HubIdentity {
        let rootPath = path(of: rootCertificateFile, in: directory)
        let keyPath = path(of: rootKeyFile, in: directory)
        let rootText = try text(at: rootPath)
        let key = try signingKey(at: keyPath)
        let root: Certificate
        do {
            root = try Certificate(pemEncoded: rootText)
        } catch {
            throw .unreadable(path: rootPath, reason: "not a certificate in PEM form")
        }
        guard
            P256.Signing.PublicKey(root.publicKey)?.rawRepresentation
                == key.publicKey.rawRepresentation
        else {
            throw .unreadable(path: keyPath, reason: "it is not the key of \(rootPath)")
        }
        return HubIdentity(authority: CertificateAuthority(certificate: root, key: key))
    }

    private static func signingKey(
        at path: String
    ) throws(HubIdentityError) -> P256.Signing.PrivateKey {
        let pem = try text(at: path)
        do {
            return try P256.Signing.PrivateKey(pemRepresentation: pem)
        } catch {
            throw .unreadable(path: path, reason: "not a P-256 private key in PEM form")
        }
    }

    private static func text(at path: String) throws(HubIdentityError) -> String {
        let bytes = try PrivateFile.read(path)
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw .unreadable(path: path, reason: "not text")
        }
        return text
    }

    private static func writePEM(_ pem: String, to path: String) throws(HubIdentityError) {
        try PrivateFile.write(Array((pem + "\n").utf8), to: path)
    }

    private static func path(of file: String, in directory: String) -> String {
        directory.hasSuffix("/") ? directory + file : directory + "/" + file
    }
}
