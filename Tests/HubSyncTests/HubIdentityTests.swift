import Crypto
import Foundation
import HubSync
import SwiftASN1
import Testing
import X509

@Suite("Who the hub is")
struct HubIdentityTests {
    /// A folder for one test, gone with it.
    private final class Folder {
        let path = FileManager.default.temporaryDirectory.path + "/identity-\(UUID().uuidString)"

        init() throws {
            try FileManager.default.createDirectory(
                atPath: path, withIntermediateDirectories: true)
        }

        deinit { try? FileManager.default.removeItem(atPath: path) }
    }

    private static let files = [
        HubIdentity.rootCertificateFile, HubIdentity.rootKeyFile,
    ]

    @Test("What was created is opened again, and only its owner may read it")
    func createOpen() throws {
        let folder = try Folder()
        let created = try HubIdentity.create(in: folder.path)
        let opened = try HubIdentity.open(in: folder.path)
        #expect(try opened.authority.rootDER == created.authority.rootDER)
        #expect(
            try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()
                == Self.files.sorted())
        for file in Self.files {
            let attributes = try FileManager.default.attributesOfItem(
                atPath: folder.path + "/" + file)
            #expect((attributes[.posixPermissions] as? NSNumber)?.intValue == 0o600)
        }
    }

    @Test("A finished identity is never overwritten")
    func createTwice() throws {
        let folder = try Folder()
        let root = try HubIdentity.create(in: folder.path).authority.rootDER
        #expect(throws: HubIdentityError.alreadyExists(directory: folder.path)) {
            try HubIdentity.create(in: folder.path)
        }
        #expect(try HubIdentity.open(in: folder.path).authority.rootDER == root)
    }

    @Test("An identity whose making was interrupted is made anew", arguments: [0, 1])
    func interrupted(filesWritten: Int) throws {
        let folder = try Folder()
        // The order in which `create` writes.
        let order = [HubIdentity.rootKeyFile]
        for file in order.prefix(filesWritten) {
            try Data("half".utf8).write(to: URL(fileURLWithPath: folder.path + "/" + file))
        }
        #expect(!HubIdentity.exists(in: folder.path))
        try HubIdentity.create(in: folder.path)
        _ = try HubIdentity.open(in: folder.path)
    }

    @Test("A missing or damaged file is named", arguments: files)
    func damaged(file: String) throws {
        let folder = try Folder()
        try HubIdentity.create(in: folder.path)
        let path = folder.path + "/" + file
        try Data("-----BEGIN NOTHING-----".utf8).write(to: URL(fileURLWithPath: path))
        #expect {
            try HubIdentity.open(in: folder.path)
        } throws: { error in
            guard case HubIdentityError.unreadable(path, _) = error else { return false }
            return true
        }
        try FileManager.default.removeItem(atPath: path)
        #expect(throws: HubIdentityError.missing(path: path)) {
            try HubIdentity.open(in: folder.path)
        }
    }

    @Test("A key that is not the certificate's is noticed")
    func swappedKey() throws {
        let folder = try Folder()
        let other = try Folder()
        try HubIdentity.create(in: folder.path)
        try HubIdentity.create(in: other.path)
        let key = URL(fileURLWithPath: folder.path + "/" + HubIdentity.rootKeyFile)
        try Data(contentsOf: URL(fileURLWithPath: other.path + "/" + HubIdentity.rootKeyFile))
            .write(to: key)
        #expect {
            try HubIdentity.open(in: folder.path)
        } throws: { error in
            guard case HubIdentityError.unreadable(key.path, _) = error else { return false }
            return true
        }
    }

    // MARK: Certificates

    private static let now = Date(timeIntervalSince1970: 1_800_000_000)

    private static func request(_ key: Certificate.PrivateKey) throws -> [UInt8] {
        try TestDevice.signingRequest(for: key)
    }

    @Test("A device's certificate says its id, is for clients only, and is signed by the root")
    func deviceCertificate() throws {
        let authority = try CertificateAuthority.create(now: Self.now)
        let key = P256.Signing.PrivateKey()
        let der = try authority.issueDevice(
            deviceID: "d-7", signingRequestDER: try Self.request(.init(key)), now: Self.now)
        let certificate = try Certificate(derEncoded: der)
        #expect(CertificateAuthority.commonName(ofCertificateDER: der) == "d-7")
        #expect(certificate.publicKey == Certificate.PublicKey(key.publicKey))
        #expect(
            authority.certificate.publicKey.isValidSignature(
                certificate.signature, for: certificate))
        #expect(try certificate.extensions.extendedKeyUsage == ExtendedKeyUsage([.clientAuth]))
        #expect(
            try certificate.extensions.basicConstraints == .notCertificateAuthority)
        #expect(
            certificate.notValidAfter
                == Self.now.addingTimeInterval(CertificateAuthority.deviceSeconds))
        #expect(certificate.notValidBefore < Self.now)
    }

    @Test("The listener's certificate is for the fixed name, and comes with the root")
    func serverCertificate() throws {
        let authority = try CertificateAuthority.create(now: Self.now)
        let issued = try authority.issueServer(now: Self.now)
        #expect(issued.chainDER.count == 2)
        #expect(try issued.chainDER[1] == authority.rootDER)
        let leaf = try Certificate(derEncoded: issued.chainDER[0])
        #expect(
            try leaf.extensions.subjectAlternativeNames
                == SubjectAlternativeNames([.dnsName("shelfcast-hub")]))
        #expect(try leaf.extensions.extendedKeyUsage == ExtendedKeyUsage([.serverAuth]))
        #expect(
            leaf.notValidAfter
                == Self.now.addingTimeInterval(CertificateAuthority.serverSeconds))
    }

    @Test("The fingerprint in a join token is the SHA-256 of the root as it goes over the wire")
    func fingerprint() throws {
        let authority = try CertificateAuthority.create(now: Self.now)
        #expect(
            try authority.rootSHA256 == Array(SHA256.hash(data: try authority.rootDER)))
    }

    @Test("The HTTPS door's pin is of the key in its certificate, and stays with the CA")
    func webPin() throws {
        let folder = try Folder()
        let authority = try HubIdentity.create(in: folder.path).authority
        let pin = try authority.webPin
        #expect(try HubIdentity.open(in: folder.path).authority.webPin == pin)
        var serials: Set<Certificate.SerialNumber> = []
        for days in [0.0, 400] {
            let issued = try authority.issueWeb(now: Self.now.addingTimeInterval(days * 86_400))
            let leaf = try Certificate(derEncoded: issued.chainDER[0])
            let key = try #require(P256.Signing.PublicKey(leaf.publicKey))
            #expect(
                pin
                    == "sha256//"
                    + Data(SHA256.hash(data: key.derRepresentation)).base64EncodedString())
            #expect(
                try P256.Signing.PrivateKey(derRepresentation: issued.keyDER).publicKey
                    .rawRepresentation == key.rawRepresentation)
            #expect(leaf.publicKey != authority.certificate.publicKey)
            #expect(try leaf.extensions.extendedKeyUsage == ExtendedKeyUsage([.serverAuth]))
            serials.insert(leaf.serialNumber)
        }
        #expect(serials.count == 2)
        #expect(try CertificateAuthority.create(now: Self.now).webPin != pin)
    }

    @Test("What is no sound P-256 signing request is told apart")
    func requests() throws {
        let sound = try Self.request(.init(P256.Signing.PrivateKey()))
        _ = try CertificateAuthority.checkedKey(ofRequest: sound)
        var flipped = sound
        flipped[flipped.count - 1] ^= 1
        #expect(throws: SigningRequestError.signatureInvalid) {
            try CertificateAuthority.checkedKey(ofRequest: flipped)
        }
        for key in [
            Certificate.PrivateKey(P384.Signing.PrivateKey()),
            Certificate.PrivateKey(Curve25519.Signing.PrivateKey()),
        ] {
            #expect(throws: SigningRequestError.notP256) {
                try CertificateAuthority.checkedKey(ofRequest: try Self.request(key))
            }
        }
        #expect(throws: SigningRequestError.tooLong(bytes: 4097, bytesMax: 4096)) {
            try CertificateAuthority.checkedKey(ofRequest: Array(repeating: 0, count: 4097))
        }
    }

    @Test("No cut of a signing request crashes or passes")
    func cutRequests() throws {
        let sound = try Self.request(.init(P256.Signing.PrivateKey()))
        for bytes in 0..<sound.count {
            #expect(throws: SigningRequestError.self) {
                try CertificateAuthority.checkedKey(ofRequest: Array(sound[..<bytes]))
            }
        }
    }
}
