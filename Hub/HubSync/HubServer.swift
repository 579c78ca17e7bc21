import FoundationEssentials
import HubCore
package import HubStore
package import Logging
import NIOCore
import NIOPosix
import NIOSSL
import ServiceLifecycle
import SyncProtocol

/// Why the listener could not be opened.
package enum HubServerError: Error, Equatable, Sendable, CustomStringConvertible {
    case portInUse(host: String, port: Int)
    case addressUnusable(host: String, port: Int, reason: String)

    package var description: String {
        switch self {
        case .portInUse(let host, let port):
            "port \(port) of \(host) is in use: another hub may be running; stop it or choose"
                + " another port with --port"
        case .addressUnusable(let host, let port, let reason):
            "cannot listen on \(host) port \(port): \(reason)"
        }
    }
}

/// The door for devices: accepts TLS connections and gives each a `DeviceConnection`; watches the
/// database and nudges the devices that a change concerns.
///
/// Nothing that was acknowledged lives only here: the process may be killed at any moment.
package struct HubServer: Service {
    private let host: String
    private let port: Int
    private let limits: HubServerLimits
    private let desk: DeviceDesk
    private let connected: ConnectedDevices
    private let gate: ServingGate
    private let openings: OpeningBound
    private let tls: ListenerTLS
    private let logger: Logger
    private let onListening: @Sendable (_ port: Int) -> Void

    /// - Parameters:
    ///   - port: 0 takes a free one.
    ///   - onListening: called once, with the port, when devices can connect.
    package init(
        host: String, port: Int, dataDirectory: String, identity: HubIdentity,
        store: any HubStore, limits: HubServerLimits = .init(), clock: HubClock = .system,
        logger: Logger, onListening: @escaping @Sendable (_ port: Int) -> Void
    ) throws {
        self.host = host
        self.port = port
        self.limits = limits
        self.logger = logger
        self.onListening = onListening
        connected = ConnectedDevices(connectionsMax: limits.connectionsMax)
        gate = ServingGate(limits.crowd)
        openings = OpeningBound(openingsMax: limits.openingsMax)
        tls = try ListenerTLS(authority: identity.authority, now: clock.now().date)
        desk = DeviceDesk(
            store: store, identity: identity, dataDirectory: dataDirectory, limits: limits,
            clock: clock, logger: logger)
    }

    /// Serves until its graceful shutdown is triggered or the task is cancelled. Graceful: devices are
    /// told, and get a moment to close. Cancelled: returns at once.
    package func run() async throws {
        let listener = try await bind()
        openings.attach(listener)
        onListening(listener.localAddress?.port ?? port)
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await cancelWhenGracefulShutdown { await watchChanges() } }
            group.addTask { await cancelWhenGracefulShutdown { await renewCertificate() } }
            group.addTask { await cancelWhenGracefulShutdown { await driveRollouts() } }
            group.addTask { await cancelWhenGracefulShutdown { await renewMetadata() } }
            group.addTask { await cancelWhenGracefulShutdown { await turnGate() } }
            await withTaskCancellationHandler {
                await withGracefulShutdownHandler {
                    await closed(listener)
                } onGracefulShutdown: {
                    listener.close(promise: nil)
                }
                gate.stop()
                connected.stopAll(perSecond: limits.returnsPerSecond)
                await connected.drain()
            } onCancel: {
                listener.close(promise: nil)
                gate.stop()
                connected.closeAll()
            }
            group.cancelAll()
        }
    }

    private func closed(_ channel: any Channel) async {
        // How a listener ends makes no difference here.
        do { try await channel.closeFuture.get() } catch {}
    }
}

extension HubServer {
    private func bind() async throws -> any Channel {
        do {
            return try await ServerBootstrap(group: .singletonMultiThreadedEventLoopGroup)
                .serverChannelOption(.backlog, value: 1024)
                // A restarted hub takes its port back at once.
                .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
                .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
                .childChannelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture { try open(channel) }
                }
                .bind(host: host, port: port).get()
        } catch let error as IOError where error.errnoCode == EADDRINUSE {
            throw HubServerError.portInUse(host: host, port: port)
        } catch let error as IOError {
            throw HubServerError.addressUnusable(
                host: host, port: port, reason: SystemMessage.text(of: error.errnoCode))
        } catch is SocketAddressError.UnknownHost {
            throw HubServerError.addressUnusable(
                host: host, port: port, reason: "there is no such host")
        } catch {
            throw HubServerError.addressUnusable(host: host, port: port, reason: "\(error)")
        }
    }

    /// Gives a new connection its handlers and its task, which ends with it. Throwing closes it.
    private func open(_ channel: any Channel) throws {
        guard connected.enter(channel) else {
            logger.warning("too many connections", metadata: ["max": "\(limits.connectionsMax)"])
            throw ChannelError.operationUnsupported
        }
        let (opening, ticket) = (openings.begin(), gate.ticket())
        channel.eventLoop.scheduleTask(in: .milliseconds(limits.openingCountedMilliseconds)) {
            opening.end()
        }
        channel.closeFuture.whenComplete { _ in
            connected.leave(channel)
            opening.end()
            // Who waits there waits for nothing any more.
            gate.leave(ticket)
        }
        try channel.pipeline.syncOperations.addHandlers([
            NIOSSLServerHandler(context: tls.context),
            FrameHandler(limits: limits) { opening.end() },
        ])
        let client = try NIOAsyncChannel<ConnectionInput, Message>(
            wrappingChannelSynchronously: channel,
            configuration: .init(
                backPressureStrategy: .init(lowWatermark: 2, highWatermark: 8),
                inboundType: ConnectionInput.self, outboundType: Message.self))
        var logger = logger
        logger[metadataKey: "peer"] = "\(channel.remoteAddress?.description ?? "unknown")"
        let connection = DeviceConnection(
            channel: client, desk: desk, connected: connected, gate: gate, ticket: ticket,
            limits: limits, logger: logger)
        Task { await connection.run() }
    }

    /// Every so often asks whether the database changed, and lets the devices concerned look.
    private func watchChanges() async {
        var watch = ChangeWatch(store: desk.store)
        var isFailing = false
        while await pause(milliseconds: limits.changePollMilliseconds) {
            let changed = desk.changedStores.take()
            do {
                switch try await watch.look(changedHere: changed) {
                case .nobody: break
                case .stores(let stores): connected.look { stores.contains($1) }
                case .everybody: connected.look { _, _ in true }
                }
                sendLooks()
                isFailing = false
            } catch {
                // The hub goes down, and its work stands still with it.
                guard !Task.isCancelled else { return }
                desk.changedStores.formUnion(changed)
                // Said once: it is asked again ten times a second, and sessions log their own failures.
                if !isFailing {
                    logger.error("cannot watch the database", metadata: ["error": "\(error)"])
                }
                isFailing = true
            }
        }
    }

    /// Judges the rollouts every so often, and lets every device look when one went on.
    private func driveRollouts() async {
        let driver = RolloutDriver(store: desk.store, listeningSince: desk.clock.now())
        var isFailing = false
        while await pause(milliseconds: limits.rolloutPollMilliseconds) {
            do {
                let steps = try await driver.turn(at: desk.clock.now())
                for step in steps {
                    for note in step.notes {
                        logger.notice(
                            "rollout",
                            metadata: [
                                "rollout": "\(step.rollout.id)", "action": "\(note.action)",
                                "why": "\(note.why)",
                            ])
                    }
                }
                if steps.contains(where: { !$0.notes.isEmpty }) {
                    await desk.plan.forget()
                    connected.look { _, _ in true }
                    sendLooks()
                } else if !steps.isEmpty {
                    await desk.plan.forget()
                }
                isFailing = false
            } catch {
                guard !Task.isCancelled else { return }
                if !isFailing {
                    logger.error("cannot judge the rollouts", metadata: ["error": "\(error)"])
                }
                isFailing = true
            }
        }
    }

    /// Looks every hour what of the repository has to be signed anew, and says when its root comes to its end.
    private func renewMetadata() async {
        var isFailing = false
        var isFirst = true
        repeat {
            let now = desk.clock.now()
            do {
                let files = try await desk.repository.refresh(at: now)
                if !files.isEmpty {
                    logger.info(
                        "signed anew",
                        metadata: ["files": "\(files.map(\.fileName).joined(separator: " "))"])
                }
                if let root = try await desk.repository.root() {
                    if root.isEndingSoon(at: now) { logger.warning("\(root.endingText(at: now))") }
                    let here = root[.root].keys.filter { desk.repository.keyFiles.has($0, .root) }
                    for key in here where isFirst {
                        logger.notice(
                            "the root key lies on this machine: move it to a safe place",
                            metadata: ["file": "\(desk.repository.keyFiles.path(of: key, .root))"])
                    }
                }
                isFirst = false
                isFailing = false
            } catch {
                guard !Task.isCancelled else { return }
                // Said once; what is there is good for days.
                if !isFailing {
                    logger.error("cannot sign metadata", metadata: ["error": "\(error)"])
                }
                isFailing = true
            }
        } while await pause(milliseconds: limits.metadataPollMilliseconds)
    }

    /// As many as there is room for, so that a push to thousands of connected devices is no crowd of its own.
    private func sendLooks() { connected.sendLooks(countMax: gate.room) }

    /// Sees whose turn it is, and says in the log when devices wait or are turned away.
    private func turnGate() async {
        var reported = gate.report
        var reportedAt = ContinuousClock.now
        var wasCrowded = false
        while await pause(milliseconds: limits.gateTurnMilliseconds) {
            gate.turn()
            connected.sendLooks(countMax: max(gate.room, limits.looksPerTurnMin))
            let elapsed = (ContinuousClock.now - reportedAt) / .milliseconds(1)
            guard elapsed >= Double(limits.crowdReportMilliseconds) else { continue }
            let report = gate.report
            let sentAway = report.sentAway - reported.sentAway
            let isCrowded = sentAway > 0 || report.waiting > 0
            if isCrowded {
                logger.warning(
                    "more devices than can be served at once",
                    metadata: [
                        "waiting": "\(report.waiting)", "told to come back": "\(sentAway)",
                        "at work": "\(report.atWork)", "connecting": "\(openings.openingCount)",
                        "served per second":
                            "\(report.perSecond.map { "\(Int($0.rounded()))" } ?? "not measured yet")",
                    ])
            } else if wasCrowded {
                logger.notice("every device that comes is served at once again")
            }
            (reported, reportedAt, wasCrowded) = (report, .now, isCrowded)
        }
    }

    private func renewCertificate() async {
        while await pause(milliseconds: Int64(ListenerTLS.renewAfterSeconds * 1000)) {
            do {
                try tls.renew(now: desk.clock.now().date)
                logger.info("the listener has a new certificate")
            } catch {
                // The old one is good for twice as long again.
                logger.error(
                    "cannot renew the listener's certificate", metadata: ["error": "\(error)"])
            }
        }
    }

    /// False when the server is going down.
    private func pause(milliseconds: Int64) async -> Bool {
        do {
            try await Task.sleep(for: .milliseconds(milliseconds))
            return true
        } catch {
            return false
        }
    }
}
