import FoundationEssentials
import NIOSSL
import Synchronization

/// The TLS side of the listener: TLS 1.3, the hub's own certificate, and device certificates checked
/// against the hub's CA where a device shows one. The certificate lives for weeks and is replaced
/// while the hub runs; open connections keep theirs.
final class ListenerTLS: Sendable {
    /// Replaced after a third of its life, so that a device's slow clock never meets an old one.
    static let renewAfterSeconds = CertificateAuthority.serverSeconds / 3

    private let authority: CertificateAuthority
    private let current: Mutex<NIOSSLContext>

    init(authority: CertificateAuthority, now: Date) throws {
        self.authority = authority
        current = Mutex(try Self.makeContext(authority: authority, now: now))
    }

    var context: NIOSSLContext { current.withLock { $0 } }

    func renew(now: Date) throws {
        let context = try Self.makeContext(authority: authority, now: now)
        current.withLock { $0 = context }
    }

    private static func makeContext(
        authority: CertificateAuthority, now: Date
    ) throws -> NIOSSLContext {
        let issued = try authority.issueServer(now: now)
        let chain = try issued.chainDER.map { try NIOSSLCertificate(bytes: $0, format: .der) }
        let key = try NIOSSLPrivateKey(bytes: issued.keyDER, format: .der)
        var configuration = TLSConfiguration.makeServerConfiguration(
            certificateChain: chain.map { .certificate($0) }, privateKey: .privateKey(key))
        configuration.minimumTLSVersion = .tlsv13
        // A device that joins has no certificate yet; one that shows a certificate must show one of ours.
        configuration.certificateVerification = .optionalVerification
        configuration.trustRoots = .certificates([
            try NIOSSLCertificate(bytes: authority.rootDER, format: .der)
        ])
        return try NIOSSLContext(configuration: configuration)
    }
}
