import AgentCore
import Crypto
import NIOCore
import NIOPosix
import NIOSSL
import NIOTLS
import SyncProtocol
import Synchronization

/// What all devices of the fleet share.
struct FleetGround: Sendable {
    var port: Int
    var root: NIOSSLCertificate
    var register: @Sendable (_ stays: Bool, _ contactNumber: UInt64, _ runsNewer: Bool) -> Register
    var packageDigest: [UInt8]
    var packageBytes: Int
    var release: UInt64
    /// The day's records.
    var records: [Record]
    /// Devices that have said and heard everything.
    let settled: FleetCount
}

final class FleetCount: Sendable {
    private let count = Atomic<Int>(0)
    func add() { count.add(1, ordering: .relaxed) }
    var value: Int { count.load(ordering: .relaxed) }
}

/// How a fleet's attempts went.
struct FleetTally {
    var attempts = 0
    var attemptsMaxOfOne = 0
    /// TLS came to its end.
    var handshakes = 0
    /// Connections on which the hub answered Register.
    var served = 0
    var refusals = 0
    /// No handshake within the device's limit, or the network's.
    var notOpened = 0
    var notAnswered = 0
    var broken = 0
    /// Refusals by what they say.
    var retrySecondsMax: UInt32 = 0

    mutating func add(_ other: FleetTally) {
        attempts += other.attempts
        attemptsMaxOfOne = max(attemptsMaxOfOne, other.attempts)
        handshakes += other.handshakes
        served += other.served
        refusals += other.refusals
        notOpened += other.notOpened
        notAnswered += other.notAnswered
        broken += other.broken
        retrySecondsMax = max(retrySecondsMax, other.retrySecondsMax)
    }
}

/// One device: its identity, what it still has to say, and its way back to the hub, by the agent's own conversation
/// (`Visit`) and patience (`Backoff`). Touched on its event loop alone.
final class FleetDevice: @unchecked Sendable {
    /// As the agent's (SPEC 13).
    private static let openSeconds: Int64 = 10
    fileprivate static let answerSeconds: Int64 = 30
    private static let refusedMilliseconds: Int64 = 60_000

    private let member: FleetSite.Member
    fileprivate let ground: FleetGround
    private let loop: any EventLoop
    private var backoff = Backoff()
    private var random = SystemRandomNumberGenerator()
    fileprivate var contactNumber: UInt64 = 0
    fileprivate var unsent: Bool = true
    fileprivate var content: [UInt8] = []
    fileprivate var isActive = false
    fileprivate var isReported = false
    fileprivate var contextRevision: UInt64 = 0
    private var isSettled = false
    fileprivate(set) var tally = FleetTally()

    init(_ member: FleetSite.Member, on loop: any EventLoop, _ ground: FleetGround) {
        self.member = member
        self.loop = loop
        self.ground = ground
    }

    fileprivate var stays: Bool { member.stays }

    func start() { loop.execute { self.dial() } }

    /// What it counted, asked on its loop.
    func counted() -> EventLoopFuture<FleetTally> { loop.submit { self.tally } }

    private func dial() {
        tally.attempts += 1
        let conversation: FleetConversation
        let context: NIOSSLContext
        do {
            var configuration = TLSConfiguration.makeClientConfiguration()
            configuration.minimumTLSVersion = .tlsv13
            configuration.trustRoots = .certificates([ground.root])
            configuration.certificateChain = [
                .certificate(try NIOSSLCertificate(bytes: member.certificateDER, format: .der))
            ]
            configuration.privateKey = .privateKey(
                try NIOSSLPrivateKey(bytes: member.keyDER, format: .der))
            context = try NIOSSLContext(configuration: configuration)
            conversation = FleetConversation(self)
        } catch { preconditionFailure("a device's own identity does not load: \(error)") }
        ClientBootstrap(group: loop)
            .connectTimeout(.seconds(Self.openSeconds))
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandlers([
                        try NIOSSLClientHandler(
                            context: context, serverHostname: "shelfcast-hub"), conversation,
                    ])
                }
            }
            .connect(host: "127.0.0.1", port: ground.port)
            .whenFailure { _ in conversation.end(.notOpened) }
        // From the first packet to the end of the handshake.
        loop.scheduleTask(in: .seconds(Self.openSeconds)) {
            if !conversation.isOpen { conversation.end(.notOpened) }
        }
    }

    /// Everything is said and heard.
    fileprivate func settle() {
        backoff.succeeded()
        guard !isSettled else { return }
        isSettled = true
        ground.settled.add()
    }

    fileprivate func comeBack(_ end: FleetConversation.End) {
        var asked: Int64 = 0
        switch end {
        case .left: return
        case .notOpened: tally.notOpened += 1
        case .notAnswered: tally.notAnswered += 1
        case .broken: tally.broken += 1
        case .refused(let refusal):
            tally.refusals += 1
            tally.retrySecondsMax = max(tally.retrySecondsMax, refusal.retryAfterSeconds)
            asked =
                refusal.retry ? Int64(refusal.retryAfterSeconds) * 1000 : Self.refusedMilliseconds
        }
        let wait = backoff.failed(askedMilliseconds: asked, random: random.next())
        loop.scheduleTask(in: .milliseconds(wait)) { self.dial() }
    }
}

/// One connection of a device.
private final class FleetConversation: ChannelInboundHandler, @unchecked Sendable {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    enum End {
        case left
        case notOpened
        case notAnswered
        case broken
        case refused(Refusal)
    }

    private let device: FleetDevice
    private var visit: Visit
    private var decoder = FrameDecoder(from: .hub)
    private var patience: Scheduled<Void>?
    private var channel: (any Channel)?
    private(set) var isOpen = false
    private var isRegistered = false
    private var hasEnded = false

    init(_ device: FleetDevice) {
        self.device = device
        visit = Visit(mode: device.stays ? .stay : .visit)
    }

    func handlerAdded(context: ChannelHandlerContext) { channel = context.channel }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard case .handshakeCompleted? = event as? TLSUserEvent else { return }
        isOpen = true
        device.tally.handshakes += 1
        send(visit.opening(agentVersion: "0.2.0"), context)
        wait(context)
        context.flush()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !hasEnded else { return }
        var buffer = unwrapInboundIn(data)
        patience?.cancel()
        decoder.push(buffer.readBytes(length: buffer.readableBytes) ?? [])
        do {
            while let message = try decoder.next() {
                for action in try visit.receive(message) { carryOut(action, context) }
            }
        } catch Visit.Failure.refused(let refusal) {
            return end(.refused(refusal))
        } catch { return end(.broken) }
        guard !visit.hasLeft else {
            device.settle()
            return end(.left)
        }
        say(context)
    }

    func channelInactive(context: ChannelHandlerContext) { end(isOpen ? .broken : .notOpened) }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        end(isOpen ? .broken : .notOpened)
    }

    func end(_ end: End) {
        guard !hasEnded else { return }
        hasEnded = true
        patience?.cancel()
        channel?.close(promise: nil)
        device.comeBack(end)
    }

    private func say(_ context: ChannelHandlerContext) {
        let work = VisitWork(
            hasUnsentRecords: device.unsent,
            fetch: device.isActive || !isRegistered
                ? nil
                : FetchPosition(
                    digest: device.ground.packageDigest, offset: UInt64(device.content.count)),
            hasReport: device.isActive && !device.isReported)
        if let next = visit.next(work), let message = message(for: next) {
            send(visit.ask(message), context)
        } else if visit.isSettled {
            device.settle()
        }
        if visit.isWaiting { wait(context) }
        context.flush()
    }

    private func message(for next: Visit.Next) -> Message? {
        let ground = device.ground
        switch next {
        case .register:
            return .register(
                ground.register(device.stays, device.contactNumber, device.isActive))
        case .upload: return .upload(Upload(firstSequence: 1, records: ground.records))
        case .requestContext:
            return .contextRequest(
                ContextRequest(knownRevision: device.contextRevision, takesColumns: true))
        case .fetch(let position):
            return .fetch(
                Fetch(digest: position.digest, offset: position.offset, bytesMax: 32_768))
        case .report:
            return .packageReport(
                PackageReport(
                    digest: ground.packageDigest, outcome: .active,
                    running: ground.register(true, 0, true).running))
        case .goodbye: return .goodbye
        case .renew: return nil
        }
    }

    private func carryOut(_ action: Visit.Action, _ context: ChannelHandlerContext) {
        switch action {
        case .send(let message): send(message, context)
        case .reconcile(let through):
            isRegistered = true
            device.tally.served += 1
            device.unsent = through < UInt64(device.ground.records.count)
        case .consider(let desired):
            if desired.contactNumber != 0 { device.contactNumber = desired.contactNumber }
        case .acknowledge(let through):
            device.unsent = through < UInt64(device.ground.records.count)
        case .takeContext(let part):
            if !part.more { device.contextRevision = part.revision }
        case .takeChunk(let chunk):
            device.content += chunk.content
            if device.content.count >= device.ground.packageBytes {
                precondition(
                    Array(SHA256.hash(data: device.content)) == device.ground.packageDigest,
                    "the package came through damaged")
                device.isActive = true
                device.content = []
            }
        case .reportNoted: device.isReported = true
        default: break
        }
    }

    private func send(_ message: Message, _ context: ChannelHandlerContext) {
        let buffer = context.channel.allocator.buffer(bytes: encodeFrame(message))
        context.write(wrapOutboundOut(buffer), promise: nil)
    }

    private func wait(_ context: ChannelHandlerContext) {
        patience?.cancel()
        patience = context.eventLoop.scheduleTask(in: .seconds(FleetDevice.answerSeconds)) {
            self.end(.notAnswered)
        }
    }
}
