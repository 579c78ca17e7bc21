package import FoundationEssentials
import Logging
import NIOSSL
import Synchronization

/// What the door shows a client: a certificate for the hub's key, which stays, and until when it is to be
/// used, which does not.
package struct WebCertificate: Sendable {
    /// Leaf first, DER.
    package var chainDER: [[UInt8]]
    /// PKCS #8, DER.
    package var keyDER: [UInt8]
    package var renewAt: Date

    package init(chainDER: [[UInt8]], keyDER: [UInt8], renewAt: Date) {
        (self.chainDER, self.keyDER, self.renewAt) = (chainDER, keyDER, renewAt)
    }

    /// From PEM files, as a public certificate authority's client keeps them.
    /// - Parameters:
    ///   - certificate: of the chain, leaf first.
    ///   - renewAt: when they are to be read again.
    /// - Throws: `HubWebError.certificateUnusable`.
    package init(certificate: String, key: String, renewAt: Date) throws {
        do {
            chainDER = try NIOSSLCertificate.fromPEMFile(certificate).map { try $0.toDERBytes() }
        } catch {
            throw HubWebError.certificateUnusable(path: certificate, what: "a certificate")
        }
        guard !chainDER.isEmpty else {
            throw HubWebError.certificateUnusable(path: certificate, what: "a certificate")
        }
        do {
            keyDER = try NIOSSLPrivateKey(file: key, format: .pem).derBytes
        } catch {
            throw HubWebError.certificateUnusable(path: key, what: "a private key")
        }
        self.renewAt = renewAt
    }
}

/// The TLS side of the door: TLS 1.3, and a certificate that is replaced while the hub runs.
final class WebTLS: Sendable {
    private struct Current {
        var context: NIOSSLContext
        var renewAt: Date
    }

    private let issue: @Sendable (Date) throws -> WebCertificate
    private let current: Mutex<Current>

    init(issue: @escaping @Sendable (Date) throws -> WebCertificate, now: Date) throws {
        self.issue = issue
        current = Mutex(try Self.make(issue(now)))
    }

    /// For a connection that is opened now.
    func context(now: Date, logger: Logger) -> NIOSSLContext {
        current.withLock { current in
            if now >= current.renewAt {
                do {
                    current = try Self.make(issue(now))
                } catch {
                    // The old one goes on: what a client checks is its key.
                    logger.error(
                        "cannot renew the web certificate", metadata: ["error": "\(error)"])
                }
            }
            return current.context
        }
    }

    private static func make(_ certificate: WebCertificate) throws -> Current {
        let chain = try certificate.chainDER.map { try NIOSSLCertificate(bytes: $0, format: .der) }
        let key = try NIOSSLPrivateKey(bytes: certificate.keyDER, format: .der)
        var configuration = TLSConfiguration.makeServerConfiguration(
            certificateChain: chain.map { .certificate($0) }, privateKey: .privateKey(key))
        configuration.minimumTLSVersion = .tlsv13
        configuration.applicationProtocols = ["http/1.1"]
        return Current(
            context: try NIOSSLContext(configuration: configuration), renewAt: certificate.renewAt)
    }
}
