package import Crypto
package import FoundationEssentials
import SwiftASN1
package import X509

/// The hub's own certificate authority: a self-signed P-256 root that issues the certificates of the
/// hub's listeners and of every device. It publishes no revocation list: whether a device may still
/// come in is a row in the hub's database, read at every connection.
package struct CertificateAuthority: Sendable {
    /// The name every device checks in the listener's certificate, whatever address it dialled.
    package static let serverName = "shelfcast-hub"
    /// A device's clock may be behind: certificates are valid from a day before they were made.
    package static let backdatingSeconds: Double = 86_400
    package static let rootSeconds: Double = 20 * 365.25 * 86_400
    package static let serverSeconds: Double = 30 * 86_400
    /// Long, because a shelf sensor may spend a season in a drawer, and harmless, because revocation
    /// does not wait for expiry.
    package static let deviceSeconds: Double = 365 * 86_400
    /// A P-256 request with a subject takes about 250 bytes.
    package static let signingRequestBytesMax = 4096

    package let certificate: Certificate
    private let key: P256.Signing.PrivateKey

    package init(certificate: Certificate, key: P256.Signing.PrivateKey) {
        self.certificate = certificate
        self.key = key
    }

    /// Makes a new root with a new key.
    package static func create(now: Date) throws(HubIdentityError) -> CertificateAuthority {
        let key = P256.Signing.PrivateKey()
        do {
            let name = try DistinguishedName { CommonName("Shelfcast hub CA") }
            let publicKey = Certificate.PublicKey(key.publicKey)
            let certificate = try Certificate(
                version: .v3, serialNumber: .init(), publicKey: publicKey,
                notValidBefore: now.addingTimeInterval(-backdatingSeconds),
                notValidAfter: now.addingTimeInterval(rootSeconds),
                issuer: name, subject: name,
                extensions: try Certificate.Extensions {
                    Critical(BasicConstraints.isCertificateAuthority(maxPathLength: 0))
                    Critical(KeyUsage(keyCertSign: true, cRLSign: true))
                    SubjectKeyIdentifier(hash: publicKey)
                },
                issuerPrivateKey: Certificate.PrivateKey(key))
            return CertificateAuthority(certificate: certificate, key: key)
        } catch {
            throw .cryptography(reason: "\(error)")
        }
    }

    /// The root's DER, whose SHA-256 a join token carries.
    package var rootDER: [UInt8] { get throws(HubIdentityError) { try Self.der(of: certificate) } }

    /// The key as a PKCS #8 PEM document, for the file that keeps it.
    var keyPEM: String { key.pemRepresentation }

    /// SHA-256 over the root's DER, 32 bytes.
    package var rootSHA256: [UInt8] {
        get throws(HubIdentityError) { Array(SHA256.hash(data: try rootDER)) }
    }

    /// A certificate for the listener, valid for `serverSeconds`, with a key of its own that never
    /// touches the disk.
    package func issueServer(now: Date) throws(HubIdentityError) -> IssuedServerCertificate {
        let serverKey = P256.Signing.PrivateKey()
        let notAfter = now.addingTimeInterval(Self.serverSeconds)
        let leaf = try issue(
            publicKey: Certificate.PublicKey(serverKey.publicKey), commonName: Self.serverName,
            now: now, notAfter: notAfter, usage: .serverAuth, alternativeName: Self.serverName)
        return IssuedServerCertificate(
            chainDER: [try Self.der(of: leaf), try rootDER],
            keyDER: Array(serverKey.derRepresentation), notAfter: notAfter)
    }

    /// A certificate for the hub's HTTPS door, valid for `serverSeconds`, with `webKey`: its public key is
    /// what stays the same, and what an installing device pins.
    package func issueWeb(now: Date) throws(HubIdentityError) -> IssuedServerCertificate {
        let webKey = try webKey
        let notAfter = now.addingTimeInterval(Self.serverSeconds)
        let leaf = try issue(
            publicKey: Certificate.PublicKey(webKey.publicKey), commonName: Self.serverName,
            now: now, notAfter: notAfter, usage: .serverAuth, alternativeName: Self.serverName)
        return IssuedServerCertificate(
            chainDER: [try Self.der(of: leaf), try rootDER],
            keyDER: Array(webKey.derRepresentation), notAfter: notAfter)
    }

    /// The pin of the HTTPS door as curl's `--pinnedpubkey` takes it: "sha256//" and the base64 form of
    /// SHA-256 over the public key's SubjectPublicKeyInfo (RFC 7469, section 2.4). The same as long as
    /// the hub has its CA, whether it runs or not.
    package var webPin: String {
        get throws(HubIdentityError) {
            let digest = SHA256.hash(data: try webKey.publicKey.derRepresentation)
            return "sha256//" + Data(digest).base64EncodedString()
        }
    }

    /// The HTTPS door's key, derived from the CA's by HKDF-SHA256 (RFC 5869), so that it needs no file of its
    /// own, survives with every backup of the CA, and tells nobody who has it anything of the CA's.
    private var webKey: P256.Signing.PrivateKey {
        get throws(HubIdentityError) {
            // Of 2³² candidates one is above the curve's order.
            for attempt in 0..<4 {
                let candidate = HKDF<SHA256>.deriveKey(
                    inputKeyMaterial: SymmetricKey(data: key.rawRepresentation),
                    info: Data("shelfcast web key \(attempt)".utf8), outputByteCount: 32)
                let scalar = candidate.withUnsafeBytes { Data($0) }
                // Refused only for the reason above.
                if let webKey = try? P256.Signing.PrivateKey(rawRepresentation: scalar) {
                    return webKey
                }
            }
            throw .cryptography(reason: "no key for the HTTPS door follows from the CA's")
        }
    }

    /// Checks a device's signing request and issues its certificate: CN = `deviceID`, for client
    /// authentication only. The subject and the attributes of the request are ignored.
    package func issueDevice(
        deviceID: String, signingRequestDER: [UInt8], now: Date
    ) throws(DeviceCertificateError) -> [UInt8] {
        let publicKey: Certificate.PublicKey
        do throws(SigningRequestError) {
            publicKey = try Self.checkedKey(ofRequest: signingRequestDER)
        } catch {
            throw .request(error)
        }
        do throws(HubIdentityError) {
            return try Self.der(
                of: try issue(
                    publicKey: publicKey, commonName: deviceID, now: now,
                    notAfter: now.addingTimeInterval(Self.deviceSeconds), usage: .clientAuth,
                    alternativeName: nil))
        } catch {
            throw .identity(error)
        }
    }

    /// The public key of a signing request whose own signature holds, and which is P-256.
    package static func checkedKey(
        ofRequest der: [UInt8]
    ) throws(SigningRequestError) -> Certificate.PublicKey {
        guard der.count <= signingRequestBytesMax else {
            throw .tooLong(bytes: der.count, bytesMax: signingRequestBytesMax)
        }
        let request: CertificateSigningRequest
        do {
            request = try CertificateSigningRequest(derEncoded: der)
        } catch {
            throw .notPKCS10(reason: "\(error)")
        }
        guard P256.Signing.PublicKey(request.publicKey) != nil else { throw .notP256 }
        guard request.publicKey.isValidSignature(request.signature, for: request) else {
            throw .signatureInvalid
        }
        return request.publicKey
    }

    /// The common name of a certificate: the device id in one that we issued. Says nothing about trust;
    /// call it on a certificate whose chain TLS has verified.
    package static func commonName(ofCertificateDER der: [UInt8]) -> String? {
        // A certificate that does not parse has no name; TLS has refused such a one before.
        guard let certificate = try? Certificate(derEncoded: der) else { return nil }
        for relative in certificate.subject {
            for attribute in relative where attribute.type == .RDNAttributeType.commonName {
                return String(describing: attribute.value)
            }
        }
        return nil
    }

    private func issue(
        publicKey: Certificate.PublicKey, commonName: String, now: Date, notAfter: Date,
        usage: ExtendedKeyUsage.Usage, alternativeName: String?
    ) throws(HubIdentityError) -> Certificate {
        do {
            return try Certificate(
                version: .v3, serialNumber: .init(), publicKey: publicKey,
                notValidBefore: now.addingTimeInterval(-Self.backdatingSeconds),
                notValidAfter: notAfter,
                issuer: certificate.subject,
                subject: try DistinguishedName { CommonName(commonName) },
                extensions: try Certificate.Extensions {
                    Critical(BasicConstraints.notCertificateAuthority)
                    Critical(KeyUsage(digitalSignature: true))
                    try ExtendedKeyUsage([usage])
                    if let alternativeName {
                        SubjectAlternativeNames([.dnsName(alternativeName)])
                    }
                    AuthorityKeyIdentifier(
                        keyIdentifier: SubjectKeyIdentifier(hash: certificate.publicKey)
                            .keyIdentifier)
                },
                issuerPrivateKey: Certificate.PrivateKey(key))
        } catch {
            throw .cryptography(reason: "\(error)")
        }
    }

    private static func der(of certificate: Certificate) throws(HubIdentityError) -> [UInt8] {
        do {
            var serializer = DER.Serializer()
            try serializer.serialize(certificate)
            return serializer.serializedBytes
        } catch {
            throw .cryptography(reason: "\(error)")
        }
    }
}

/// What the listener presents, and until when it may.
package struct IssuedServerCertificate: Sendable {
    /// Leaf first, then the root, DER.
    package var chainDER: [[UInt8]]
    /// PKCS #8.
    package var keyDER: [UInt8]
    package var notAfter: Date
}

/// Why a device got no certificate: its request is wrong, or the hub cannot sign.
package enum DeviceCertificateError: Error, Equatable, Sendable {
    case request(SigningRequestError)
    case identity(HubIdentityError)
}
