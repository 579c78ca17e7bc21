import Forecasting
package import FoundationEssentials
import Glibc
import HTTPTypes
package import HubCore
package import HubStore
import Hummingbird
import HummingbirdCore
package import Logging
import NIOCore
import ServiceLifecycle

/// What time it is, handed in so that tests decide.
package struct PageClock: Sendable {
    package var now: @Sendable () -> Timestamp

    package init(now: @escaping @Sendable () -> Timestamp) { self.now = now }

    package static let system = PageClock {
        Timestamp(millisecondsSince1970: Int64((Date().timeIntervalSince1970 * 1000).rounded()))
    }
}

/// The pages for people: who is signed in sees what the hub knows, and an operator changes what runs. Everything is read
/// from the store when a page is asked for.
package struct PagesServer: Service {
    private let host: String
    private let port: Int
    private let store: any HubStore
    private let tls: WebTLS?
    private let hasher: PasswordHasher
    private let voucher: PackageVoucher
    private let clock: PageClock
    private let limits: HubWebLimits
    private let logger: Logger
    private let onListening: @Sendable (_ port: Int) -> Void

    /// - Parameters:
    ///   - port: 0 takes a free one.
    ///   - voucher: for what the API pushes.
    ///   - certificate: makes one, asked again when its time has come; nil: plain HTTP, on a loopback address only.
    ///   - onListening: called once, with the port, when the pages can be asked for.
    /// - Throws: `HubWebError.plainBeyondLoopback`; what `certificate` throws.
    package init(
        host: String, port: Int, store: any HubStore, limits: HubWebLimits = .pages,
        hasher: PasswordHasher = PasswordHasher(), clock: PageClock = .system,
        voucher: PackageVoucher, logger: Logger,
        certificate: (@Sendable (Date) throws -> WebCertificate)?,
        onListening: @escaping @Sendable (_ port: Int) -> Void
    ) throws {
        guard certificate != nil || Self.isLoopback(host) else {
            throw HubWebError.plainBeyondLoopback(host: host)
        }
        self.host = host
        self.port = port
        self.store = store
        self.limits = limits
        self.hasher = hasher
        self.voucher = voucher
        self.clock = clock
        self.logger = logger
        self.onListening = onListening
        tls = try certificate.map { try WebTLS(issue: $0, now: Date()) }
    }

    /// Whether nobody but this machine can reach it.
    package static func isLoopback(_ host: String) -> Bool {
        if host == "localhost" || host == "::1" { return true }
        let parts = host.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 4 && parts[0] == "127" && parts.allSatisfy { UInt8($0) != nil }
    }

    /// Serves until its graceful shutdown is triggered or the task is cancelled.
    package func run() async throws {
        let listener = WebListener(
            host: host, port: port, tls: tls, limits: limits, logger: logger,
            onListening: onListening)
        do {
            try await listener.serve(router.buildResponder())
        } catch WebListener.Failure.portInUse {
            throw HubWebError.pagesPortInUse(host: host, port: port)
        } catch WebListener.Failure.addressUnusable(let reason) {
            throw HubWebError.pagesAddressUnusable(host: host, port: port, reason: reason)
        }
    }

    private var router: Router<PageContext> {
        let router = Router(context: PageContext.self, options: .autoGenerateHeadEndpoints)
        let bearers = BearerDesk(store: store, logger: logger)
        let visits = Visits(store: store, clock: clock)
        // Before the pages' own guard, which answers with pages.
        router.add(
            middleware: APIDoor(
                hub: APIHub(
                    store: store, clock: clock, voucher: voucher, streams: visits.streams),
                desk: bearers, limits: limits, logger: logger))
        router.add(middleware: PageGuard(limits: limits))
        let desk = SignInDesk(store: store, hasher: hasher, logger: logger)
        let cookie = SessionCookie(isSecure: tls != nil)
        router.get("static/:name") { _, context in
            let name = try context.parameters.require("name")
            guard let file = StaticFiles.all.first(where: { $0.name == name }) else {
                throw Refusal(.notFound)
            }
            return Response(
                status: .ok,
                headers: [
                    .contentType: file.type,
                    .cacheControl: "public, max-age=31536000, immutable",
                ], body: .init(byteBuffer: file.content))
        }
        MetricsRoute.add(to: router, store: store, desk: bearers, clock: clock)
        SignInPage(store: store, desk: desk, cookie: cookie, clock: clock).add(to: router)
        let pages = router.group().add(
            middleware: SignedIn(desk: desk, cookie: cookie, clock: clock, logger: logger))
        OverviewPage.add(to: pages, visits)
        StoresPage.add(to: pages, visits)
        StorePage.add(to: pages, visits)
        ItemPage.add(to: pages, visits)
        AlertsPage.add(to: pages, visits)
        FleetPage.add(to: pages, visits)
        DevicePage.add(to: pages, visits)
        RolloutsPage.add(to: pages, visits)
        RolloutPage.add(to: pages, visits)
        ModelsPage.add(to: pages, visits)
        ModelPage.add(to: pages, visits)
        AutopilotRunPage.add(to: pages, visits)
        AuditPage.add(to: pages, visits)
        return router
    }
}
