import Forecasting
import NIOCore
import NIOSSL
import NIOTLS
import SyncProtocol

/// What reaches the task of one connection, in order.
enum ConnectionInput: Sendable {
    /// TLS is up. Always the first.
    case opened(DeviceSession.Peer)
    case event(DeviceSession.Event)
}

/// Asked of a connection from outside its event loop, as a user inbound event.
enum ConnectionSignal: Sendable {
    case look
    case stop(retryAfterSeconds: UInt32)
}

/// Cuts the decrypted bytes of one connection into frames and back, watches its clock, and turns
/// signals from elsewhere into input, so that one ordered stream reaches the session. Decides nothing
/// about messages (SPEC 3 and 13).
final class FrameHandler: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ConnectionInput
    typealias OutboundIn = Message
    typealias OutboundOut = ByteBuffer

    private let limits: HubServerLimits
    /// Called when TLS is up.
    private let onOpen: () -> Void
    private var decoder = FrameDecoder(
        from: .device, payloadBytesMax: DeviceSession.frameBytesMax)
    /// After bytes that are no frame there is no telling where the next one starts.
    private var isDeaf = false
    /// TLS is up, and the connection's task was told whose it is.
    private var isOpen = false
    private var hasFrame = false
    /// When TCP was accepted; then when the TLS handshake was complete.
    private var openedAt = NIODeadline.now()
    private var lastInbound = NIODeadline.now()
    private var isIdleTold = false
    /// Whether the device said that it stays.
    private var stays = false
    /// Since when a frame is incomplete.
    private var partialSince: NIODeadline?
    private var timer: Scheduled<Void>?

    init(limits: HubServerLimits, onOpen: @escaping () -> Void) {
        self.limits = limits
        self.onOpen = onOpen
    }

    func channelActive(context: ChannelHandlerContext) {
        lastInbound = .now()
        schedule(context)
        context.fireChannelActive()
    }

    func handlerRemoved(context: ChannelHandlerContext) { timer?.cancel() }

    func channelInactive(context: ChannelHandlerContext) {
        timer?.cancel()
        context.fireChannelInactive()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        switch event {
        case let event as TLSUserEvent:
            if case .handshakeCompleted = event { open(context) }
        case ConnectionSignal.look:
            // Nobody is there yet that could look.
            if isOpen { interject(.look, context) }
        case ConnectionSignal.stop(let seconds):
            // There is nobody yet to be told, and no session that could tell it.
            guard isOpen else { return context.close(promise: nil) }
            interject(.stopping(retryAfterSeconds: seconds), context)
        default:
            context.fireUserInboundEventTriggered(event)
        }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        lastInbound = .now()
        isIdleTold = false
        guard !isDeaf else { return }
        var buffer = unwrapInboundIn(data)
        do throws(FrameError) {
            decoder.push(buffer.readBytes(length: buffer.readableBytes) ?? [])
            while let message = try decoder.next() {
                if !hasFrame {
                    hasFrame = true
                    timer?.cancel()
                    schedule(context)
                }
                partialSince = nil
                if case .register(let register) = message { stays = register.contact == .stay }
                emit(.event(.received(message)), context)
            }
            if decoder.bufferedBytes > 0, partialSince == nil {
                partialSince = lastInbound
                // A stay's timer may lie further off than the rest of the frame may take.
                timer?.cancel()
                schedule(context)
            }
        } catch {
            hasFrame = true
            isDeaf = true
            emit(.event(.undecodable(error)), context)
        }
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        let frame = encodeFrame(unwrapOutboundIn(data))
        let buffer = context.channel.allocator.buffer(bytes: frame)
        context.write(wrapOutboundOut(buffer), promise: promise)
    }

    private func open(_ context: ChannelHandlerContext) {
        openedAt = .now()
        onOpen()
        do {
            let tls = try context.pipeline.syncOperations.handler(type: NIOSSLServerHandler.self)
            guard let certificate = tls.peerCertificate else {
                decoder.payloadBytesMax = DeviceSession.strangerFrameBytesMax
                isOpen = true
                return emit(.opened(.anonymous), context)
            }
            let name = CertificateAuthority.commonName(
                ofCertificateDER: try certificate.toDERBytes())
            guard let name else { return context.close(promise: nil) }
            let device = try DeviceID(name)
            isOpen = true
            emit(.opened(.device(device)), context)
        } catch {
            // Only we issue certificates that get so far, each with a device id: this one is not a
            // device's.
            context.close(promise: nil)
        }
    }

    /// How long a device may say nothing before it is asked, or shown out.
    private var idle: TimeAmount {
        .milliseconds(stays ? limits.pingMilliseconds : limits.idleMilliseconds)
    }

    /// One timer at a time, for the next moment at which silence may mean something.
    private func schedule(_ context: ChannelHandlerContext) {
        let silence = TimeAmount.milliseconds(limits.silenceMilliseconds)
        var next = openedAt + .milliseconds(limits.openingMilliseconds)
        if hasFrame {
            // An answer to our Ping may start the next silence at any time from now on.
            next = isIdleTold ? min(lastInbound + silence, .now() + idle) : lastInbound + idle
        }
        if let partialSince {
            next = min(next, partialSince + .milliseconds(limits.idleMilliseconds))
        }
        timer = context.eventLoop.assumeIsolated().scheduleTask(deadline: next) {
            self.clockTicked(context)
        }
    }

    private func clockTicked(_ context: ChannelHandlerContext) {
        let now = NIODeadline.now()
        let whole = TimeAmount.milliseconds(limits.idleMilliseconds)
        let isOver =
            hasFrame
            ? now >= lastInbound + .milliseconds(limits.silenceMilliseconds)
            : now >= openedAt + .milliseconds(limits.openingMilliseconds)
        if isOver || partialSince.map({ now >= $0 + whole }) == true {
            return context.close(promise: nil)
        }
        if hasFrame, !isIdleTold, now >= lastInbound + idle {
            isIdleTold = true
            interject(.idle, context)
        }
        schedule(context)
    }

    /// An event outside of any read: what is buffered behind us is let go at the end of one.
    private func interject(_ event: DeviceSession.Event, _ context: ChannelHandlerContext) {
        emit(.event(event), context)
        context.fireChannelReadComplete()
    }

    private func emit(_ input: ConnectionInput, _ context: ChannelHandlerContext) {
        context.fireChannelRead(wrapInboundOut(input))
    }
}
