import Alerting
import ArgumentParser
import CompressionCost
import FoundationEssentials
import Glibc
import HubCore
import HubStore
import HubSync
import HubWeb
import Logging
import ServiceLifecycle
import UnixSignals

struct ServeCommand: HubCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve",
        abstract:
            "Let devices in (TCP, TLS 1.3), install new ones (HTTPS), and serve the pages for people.",
        discussion: """
            Prints a line, 'listening on HOST:PORT', when devices can connect, a second one when \
            new devices can be installed with the line that 'token create' prints, and a third one with \
            the address of the pages; logs to standard error. SIGTERM and SIGINT end it within seconds; \
            killed at any moment it loses nothing that a device was told is stored. Other commands may \
            run meanwhile: a push reaches connected devices at once. Where 'autopilot mode' says so, models \
            are trained anew when stores drift or time is up, in a process of low priority.

            The pages are for this machine alone (plain HTTP on the loopback address), unless --pages-host \
            names another address: then with TLS, by the hub's own key, which browsers do not know, or by \
            --pages-certificate and --pages-key. Who may sign in: 'shelfcast-hub user add' and 'user password'.

            Examples:
              shelfcast-hub serve
              shelfcast-hub serve --agent-packages /srv/shelfcast/agent
              shelfcast-hub serve --pages-host 0.0.0.0 --pages-certificate hub.pem --pages-key hub.key
              shelfcast-hub serve --host 127.0.0.1 --port 0 --no-web --no-pages
            """)

    @Option(help: "The address to listen on; 0.0.0.0 is every IPv4 address, :: every address.")
    var host = "0.0.0.0"
    @Option(help: "The TCP port; 0 takes a free one.")
    var port = 7420
    @Option(
        help: "The port of the install page (HTTPS, with the hub's own key); 0 takes a free one.")
    var webPort = 8443
    @Option(help: "The address of the install page (default: as --host).")
    var webHost: String?
    @Flag(help: "Without the install page.")
    var noWeb = false
    @Option(help: "The port of the pages for people; 0 takes a free one.")
    var pagesPort = 8480
    @Option(help: "The address of the pages. Beyond this machine they are served with TLS.")
    var pagesHost = "127.0.0.1"
    @Option(
        help: ArgumentHelp(
            "Serve the pages with TLS and this certificate: PEM, the leaf first (default beyond this"
                + " machine: one of the hub's own).",
            valueName: "file"))
    var pagesCertificate: String?
    @Option(help: ArgumentHelp("The key of --pages-certificate, PEM.", valueName: "file"))
    var pagesKey: String?
    @Flag(help: "Without the pages.")
    var noPages = false
    @Option(
        help: ArgumentHelp(
            "The agent's packages for new devices, as 'make packages' builds them (default:"
                + " .build/packages of the working copy this program was built in, else"
                + " \(AgentPackagesFolder.system)).",
            valueName: "dir"))
    var agentPackages: String?
    @Option(
        help: ArgumentHelp(
            "When devices that visit should come back (30s to 7d).", valueName: "duration"))
    var visitEvery = DurationText(seconds: 900)
    @Option(help: ArgumentHelp("Connections open at once, at most.", valueName: "count"))
    var connectionsMax = 10_000
    @Option(
        help: ArgumentHelp(
            "How often stores and devices are looked at for alerts (1s to 1h). What is new is sent after"
                + " ten looks' time.", valueName: "duration"))
    var watchEvery = DurationText(seconds: 60)
    @Option(help: "How much to log.")
    var logLevel = LogLevel.info
    @OptionGroup var data: DataOptions

    func validate() throws {
        guard (0...65_535).contains(port) else { throw ValidationError("--port is 0 to 65535") }
        guard (0...65_535).contains(webPort) else {
            throw ValidationError("--web-port is 0 to 65535")
        }
        guard (0...65_535).contains(pagesPort) else {
            throw ValidationError("--pages-port is 0 to 65535")
        }
        guard (pagesCertificate == nil) == (pagesKey == nil) else {
            throw ValidationError("--pages-certificate and --pages-key belong together")
        }
        guard (30...604_800).contains(visitEvery.seconds) else {
            throw ValidationError("--visit-every is 30s to 7d")
        }
        guard (1...3_600).contains(watchEvery.seconds) else {
            throw ValidationError("--watch-every is 1s to 1h")
        }
        guard (1...1_000_000).contains(connectionsMax) else {
            throw ValidationError("--connections-max is 1 to 1000000")
        }
    }

    func perform() async throws {
        let identity = try data.openIdentity()
        let store = try data.openStore(as: "hub")
        var limits = HubServerLimits()
        limits.visitEverySeconds = UInt32(visitEvery.seconds)
        limits.connectionsMax = connectionsMax
        var logger = Logger(
            label: "hub",
            factory: {
                JournalLogHandler.isAtHand
                    ? JournalLogHandler() as any LogHandler
                    : StreamLogHandler.standardError(label: $0)
            })
        logger.logLevel = logLevel.level
        let webLimits = HubWebLimits()
        let pageLimits = HubWebLimits.pages
        Self.raiseFileLimit(
            for: connectionsMax + webLimits.connectionsMax + pageLimits.connectionsMax,
            logger: logger)
        let server = try HubServer(
            host: host, port: port, dataDirectory: data.directory, identity: identity,
            store: store, limits: limits, logger: logger
        ) { port in Console.print("listening on \(host):\(port)") }
        var services: [any Service] = [
            server,
            AutopilotService(
                store: store.acting(as: "autopilot"), dataDirectory: data.directory,
                logger: logger),
            ReplayService(
                replay: UncompressedReplay(store, dataDirectory: data.directory), logger: logger),
        ]
        var alertLimits = AlertService.Limits()
        alertLimits.lookSeconds = watchEvery.seconds
        services.append(
            AlertService(
                store: store, limits: alertLimits, sending: data.sendLimits, logger: logger,
                now: { Timestamp(Date()) }))
        if !noWeb {
            services.append(try web(authority: identity.authority, limits: webLimits, logger))
        }
        if !noPages {
            services.append(
                try pages(
                    of: store, authority: identity.authority, limits: pageLimits, logger))
        }
        var configuration = ServiceGroupConfiguration(
            services: services.map { .init(service: $0) },
            gracefulShutdownSignals: [.sigterm, .sigint], logger: logger)
        // A device that does not read must not hold the hub up.
        configuration.maximumGracefulShutdownDuration = .seconds(3)
        do {
            try await ServiceGroup(configuration: configuration).run()
        } catch let error as HubServerError {
            switch error {
            case .portInUse: throw CommandFailure(.busy, error.description)
            case .addressUnusable: throw CommandFailure(.failed, error.description)
            }
        } catch let error as HubWebError {
            switch error {
            case .portInUse, .pagesPortInUse: throw CommandFailure(.busy, error.description)
            case .addressUnusable, .pagesAddressUnusable, .plainBeyondLoopback,
                .certificateUnusable:
                throw CommandFailure(.failed, error.description)
            }
        }
    }

    /// With TLS wherever somebody else could listen, or when a certificate is given.
    private func pages(
        of store: any HubStore, authority: CertificateAuthority, limits: HubWebLimits,
        _ logger: Logger
    ) throws -> PagesServer {
        var certificate: (@Sendable (Date) throws -> WebCertificate)?
        if let pagesCertificate, let pagesKey {
            // Read again every hour: whoever renews it need not start the hub anew.
            certificate = { now in
                try WebCertificate(
                    certificate: pagesCertificate, key: pagesKey,
                    renewAt: now.addingTimeInterval(3_600))
            }
        } else if !PagesServer.isLoopback(pagesHost) {
            certificate = { now in try Self.ownCertificate(authority, now: now) }
        }
        let scheme = certificate == nil ? "http" : "https"
        do {
            return try PagesServer(
                host: pagesHost, port: pagesPort, store: store, limits: limits,
                voucher: data.voucher(for: store.acting(as: "hub")), logger: logger,
                certificate: certificate,
                onListening: { port in
                    Console.print(
                        "pages on \(scheme)://\(AgentPackagesFolder.authority(pagesHost, port))/")
                })
        } catch let error as HubWebError {
            throw CommandFailure(.failed, error.description)
        }
    }

    private static func ownCertificate(
        _ authority: CertificateAuthority, now: Date
    ) throws -> WebCertificate {
        let issued = try authority.issueWeb(now: now)
        return WebCertificate(
            chainDER: issued.chainDER, keyDER: issued.keyDER,
            // After a third of its life, as the listener's.
            renewAt: now.addingTimeInterval(CertificateAuthority.serverSeconds / 3))
    }

    private func web(
        authority: CertificateAuthority, limits: HubWebLimits, _ logger: Logger
    ) throws -> HubWebServer {
        let packages = AgentPackages(directory: agentPackages ?? AgentPackagesFolder.standard)
        let webHost = webHost ?? host
        return try HubWebServer(
            host: webHost, port: webPort, pin: try authority.webPin, packages: packages,
            limits: limits, logger: logger,
            certificate: { now in try Self.ownCertificate(authority, now: now) },
            onListening: { port in
                Console.print(
                    "installing on https://\(AgentPackagesFolder.authority(webHost, port))/install: "
                        + AgentPackagesFolder.summary(of: packages))
            })
    }

    /// Each connection is an open file, and the usual limit is 1,024.
    private static func raiseFileLimit(for connections: Int, logger: Logger) {
        let wanted = rlim_t(connections + 128)
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0,
            limit.rlim_cur < wanted
        else { return }
        limit.rlim_cur = min(wanted, limit.rlim_max)
        if setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) != 0
            || limit.rlim_cur < wanted
        {
            logger.warning(
                "the system allows fewer open files than --connections-max needs",
                metadata: ["files": "\(limit.rlim_cur)", "needed": "\(wanted)"])
        }
    }
}

/// What `--log-level` takes.
enum LogLevel: String, ExpressibleByArgument, CaseIterable {
    case debug, info, warning, error

    var level: Logger.Level {
        switch self {
        case .debug: .debug
        case .info: .info
        case .warning: .warning
        case .error: .error
        }
    }
}
