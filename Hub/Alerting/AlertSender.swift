import Glibc
package import HubCore
import NIOCore
import NIOPosix
import NIOSSL

/// What a destination is granted.
package struct SendLimits: Sendable {
    package var connectSeconds: Int64 = 10
    /// From the first byte to the last.
    package var totalSeconds: Int64 = 30
    /// Of an answer; more is no answer.
    package var answerBytesMax = 16_384
    /// PEM certificates of authorities that are trusted besides those of this machine; nil: no others.
    package var authoritiesFile: String?

    /// In the hub's directory: the operator's own authorities.
    package static let authoritiesFileName = "alert-authorities.pem"

    package init() {}
}

/// Why a notice did not arrive.
package enum SendError: Error, Equatable, Sendable, CustomStringConvertible {
    case unreachable(String)
    case timeout(seconds: Int64)
    /// It answered, and not what is needed.
    case refused(String)
    /// What it said is no answer at all.
    case garbled(String)
    /// The destination is not what it should be: nothing was tried.
    case unusable(String)

    package var description: String {
        switch self {
        case .unreachable(let why): "it cannot be reached: \(why)"
        case .timeout(let seconds): "no answer within \(seconds) s"
        case .refused(let what): "it refused: \(what)"
        case .garbled(let what): "its answer makes no sense: \(what)"
        case .unusable(let why): why
        }
    }
}

package enum AlertSender {
    /// - Throws: `SendError` only.
    package static func send(
        _ delivery: AlertDelivery, to destination: AlertDestination,
        limits: SendLimits = SendLimits(), at now: Timestamp
    ) async throws {
        do {
            switch destination.channel {
            case .webhook(let url):
                guard let target = WebhookTarget(url) else {
                    throw SendError.unusable("'\(url)' is no URL of a webhook")
                }
                guard let key = destination.secret else {
                    throw SendError.unusable("it has no key to sign with: add it anew")
                }
                try await within(limits) {
                    try await WebhookSender(target: target, key: key, limits: limits).send(
                        delivery, at: now)
                }
            case .mail(let route):
                let message = MailMessage(delivery, from: route.from, to: route.to, at: now)
                try await within(limits) {
                    try await MailSender(
                        route: route, password: destination.secret, limits: limits
                    ).send(message)
                }
            case .command(let route):
                try await CommandSender(route: route).send(delivery)
            }
        } catch let error as SendError {
            throw error
        } catch let error as NIOConnectionError {
            throw SendError.unreachable(
                error.connectionErrors.first.map { Self.words(of: $0.error) } ?? "no such host")
        } catch is CancellationError {
            throw SendError.timeout(seconds: limits.totalSeconds)
        } catch let error as NIOSSLError {
            throw SendError.unreachable("TLS: \(error)")
        } catch let error as BoringSSLError {
            throw SendError.unreachable("TLS: \(error)")
        } catch {
            throw SendError.unreachable(Self.words(of: error))
        }
    }

    /// The system's own words where it was the system that failed.
    private static func words(of error: any Error) -> String {
        guard let error = error as? IOError else { return "\(error)" }
        return String(cString: strerror(error.errnoCode))
    }

    /// A peer that says nothing must not hold anything up: the work is cancelled, which closes its connection.
    private static func within(
        _ limits: SendLimits, _ body: @escaping @Sendable () async throws -> Void
    ) async throws {
        try await withThrowingTaskGroup(of: Bool.self) { group in
            group.addTask {
                try await body()
                return true
            }
            group.addTask {
                try await Task.sleep(for: .seconds(limits.totalSeconds))
                return false
            }
            defer { group.cancelAll() }
            guard try await group.next() == true else {
                throw SendError.timeout(seconds: limits.totalSeconds)
            }
        }
    }

    static func bootstrap(_ limits: SendLimits) -> ClientBootstrap {
        ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .connectTimeout(.seconds(limits.connectSeconds))
    }

    /// By the certificates that this machine trusts, and the operator's.
    static func tlsHandler(host: String, _ limits: SendLimits) throws -> NIOSSLClientHandler {
        var configuration = TLSConfiguration.makeClientConfiguration()
        if let file = limits.authoritiesFile { configuration.additionalTrustRoots = [.file(file)] }
        let context = try NIOSSLContext(configuration: configuration)
        // An address is checked against the certificate too, but is never named to the peer.
        let isAddress = (try? SocketAddress(ipAddress: host, port: 0)) != nil
        return try NIOSSLClientHandler(context: context, serverHostname: isAddress ? nil : host)
    }
}
