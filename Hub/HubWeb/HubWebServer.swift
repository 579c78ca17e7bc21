package import FoundationEssentials
import Glibc
import HTTPTypes
import Hummingbird
import HummingbirdCore
package import Logging
import NIOCore
import ServiceLifecycle

/// Why the door could not be opened.
package enum HubWebError: Error, Equatable, Sendable, CustomStringConvertible {
    case portInUse(host: String, port: Int)
    case addressUnusable(host: String, port: Int, reason: String)
    case pagesPortInUse(host: String, port: Int)
    case pagesAddressUnusable(host: String, port: Int, reason: String)
    /// Passwords never go over a network in the clear.
    case plainBeyondLoopback(host: String)
    case certificateUnusable(path: String, what: String)

    package var description: String {
        switch self {
        case .portInUse(let host, let port):
            "port \(port) of \(host), for the install page, is in use: another hub may be running;"
                + " stop it, choose another port with --web-port, or go without with --no-web"
        case .addressUnusable(let host, let port, let reason):
            "cannot serve the install page on \(host) port \(port): \(reason)"
        case .pagesPortInUse(let host, let port):
            "port \(port) of \(host), for the pages, is in use: another hub may be running; stop it,"
                + " choose another port with --pages-port, or go without with --no-pages"
        case .pagesAddressUnusable(let host, let port, let reason):
            "cannot serve the pages on \(host) port \(port): \(reason)"
        case .plainBeyondLoopback(let host):
            "the pages are not served on \(host) without TLS"
        case .certificateUnusable(let path, let what):
            "'\(path)' is no PEM file with \(what)"
        }
    }
}

/// The door for new devices: HTTPS with the hub's own key. It has what installs a device; it takes nothing
/// in, and what it shows is no secret: packages of the agent and a script that names the hub.
package struct HubWebServer: Service {
    private let host: String
    private let port: Int
    private let pin: String
    private let packages: AgentPackages
    private let tls: WebTLS
    private let limits: HubWebLimits
    private let logger: Logger
    private let onListening: @Sendable (_ port: Int) -> Void

    /// - Parameters:
    ///   - port: 0 takes a free one.
    ///   - pin: of the key in every certificate, "sha256//…".
    ///   - certificate: makes one; asked again when its time has come.
    ///   - onListening: called once, with the port, when the door is open.
    package init(
        host: String, port: Int, pin: String, packages: AgentPackages,
        limits: HubWebLimits = .init(), logger: Logger,
        certificate: @escaping @Sendable (Date) throws -> WebCertificate,
        onListening: @escaping @Sendable (_ port: Int) -> Void
    ) throws {
        self.host = host
        self.port = port
        self.pin = pin
        self.packages = packages
        self.limits = limits
        self.logger = logger
        self.onListening = onListening
        tls = try WebTLS(issue: certificate, now: Date())
    }

    /// Serves until its graceful shutdown is triggered or the task is cancelled.
    package func run() async throws {
        let listener = WebListener(
            host: host, port: port, tls: tls, limits: limits, logger: logger,
            onListening: onListening)
        do {
            try await listener.serve(router.buildResponder())
        } catch WebListener.Failure.portInUse {
            throw HubWebError.portInUse(host: host, port: port)
        } catch WebListener.Failure.addressUnusable(let reason) {
            throw HubWebError.addressUnusable(host: host, port: port, reason: reason)
        }
    }

    private var router: Router<WebContext> {
        let router = Router(context: WebContext.self, options: .autoGenerateHeadEndpoints)
        router.add(middleware: RequestBounds(limits: limits))
        router.get("healthz") { _, _ in Response.plain(.ok, "ok\n") }
        router.get("install") { request, context in installScript(request, context) }
        router.get("packages/:name") { _, context in try package(context) }
        return router
    }

    private func installScript(_ request: Request, _ context: WebContext) -> Response {
        guard let authority = request.head.authority, InstallScript.isAuthority(authority) else {
            return .plain(
                .badRequest, "the Host header must be the hub's address, as name:port\n")
        }
        logger.info("install script asked for", metadata: ["peer": "\(context.peer)"])
        return .plain(
            .ok, InstallScript.text(authority: authority, pin: pin, packages: packages.newest),
            type: "text/x-shellscript; charset=utf-8")
    }

    /// By comparison with the names there are: no name from outside ever becomes a path.
    private func package(_ context: WebContext) throws -> Response {
        let name = try context.parameters.require("name")
        guard let package = packages.newest.first(where: { $0.name.text == name }) else {
            return .plain(.notFound, "there is no such package; see /install for those there are\n")
        }
        logger.info(
            "agent package asked for",
            metadata: ["peer": "\(context.peer)", "package": "\(package.name.text)"])
        let chunkBytes = limits.chunkBytes
        return Response(
            status: .ok, headers: [.contentType: "application/octet-stream"],
            body: .init(contentLength: package.content.readableBytes) { writer in
                var rest = package.content
                while rest.readableBytes > 0,
                    let chunk = rest.readSlice(length: min(chunkBytes, rest.readableBytes))
                { try await writer.write(chunk) }
                try await writer.finish(nil)
            })
    }
}
