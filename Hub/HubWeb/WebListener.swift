import Glibc
import Hummingbird
import HummingbirdCore
import Logging
import NIOCore

/// Where the door or the pages are served: one listener, with the bounds of both.
struct WebListener: Sendable {
    let host: String
    let port: Int
    /// nil: plain HTTP.
    let tls: WebTLS?
    let limits: HubWebLimits
    let logger: Logger
    /// Called once, with the port, when it is open.
    let onListening: @Sendable (_ port: Int) -> Void

    /// What keeps it from being opened.
    enum Failure: Error {
        case portInUse
        case addressUnusable(reason: String)
    }

    /// Serves until the graceful shutdown of the service it runs in is triggered or the task is cancelled.
    /// - Throws: `Failure`, or what the server ends with.
    func serve<Responder: HTTPResponder>(_ responder: Responder) async throws
    where Responder.Context: InitializableFromSource<ApplicationRequestContextSource> {
        var quiet = logger
        quiet.logLevel = max(logger.logLevel, .warning)
        let application = Application(
            responder: responder,
            server: HTTPServerBuilder { responder in
                WebChannel(responder: responder, tls: tls, limits: limits)
            },
            configuration: .init(
                address: .hostname(host, port: port),
                availableConnectionsDelegate: .maximum(limits.connectionsMax, logger: quiet)),
            onServerRunning: { channel in onListening(channel.localAddress?.port ?? port) },
            logger: quiet)
        do {
            try await application.run()
        } catch let error as IOError where error.errnoCode == EADDRINUSE {
            throw Failure.portInUse
        } catch let error as IOError {
            throw Failure.addressUnusable(reason: String(cString: strerror(error.errnoCode)))
        } catch let error as SocketAddressError {
            throw Failure.addressUnusable(reason: "\(error)")
        }
    }
}
