import Forecasting
import HubCore
import Logging
import NIOCore
import SyncProtocol

/// Carries out one session on one connection: feeds it what arrives, sends what it says, and asks the
/// desk what it asks. One task for each connection; frames are handled one after the other, and while
/// one waits for the database the next ones wait in the socket.
struct DeviceConnection: Sendable {
    var channel: NIOAsyncChannel<ConnectionInput, Message>
    var desk: DeviceDesk
    var connected: ConnectedDevices
    var gate: ServingGate
    /// This connection's at the gate.
    var ticket: ServingGate.Ticket
    var limits: HubServerLimits
    var logger: Logger

    /// Returns when the connection is closed. Whatever a peer does ends here as a closed connection,
    /// never as an error of the server.
    func run() async {
        defer { gate.leave(ticket) }
        do {
            try await channel.executeThenClose { inbound, outbound in
                var input = inbound.makeAsyncIterator()
                guard case .opened(let peer) = try await input.next() else { return }
                let clock = desk.clock
                var session = DeviceSession(
                    peer: peer, hubTimeMilliseconds: { clock.now().millisecondsSince1970 })
                var lastTouch = clock.now()
                var isNewcomer = true
                while !session.hasEnded, let next = try await input.next() {
                    guard case .event(let event) = next else { return }
                    try await carryOut(
                        session.handle(event), of: &session, isOwn: !event.isFromDevice,
                        isNewcomer: &isNewcomer, to: outbound)
                    if let device = session.registeredDevice, case .received = event,
                        lastTouch.advanced(bySeconds: limits.touchEverySeconds) <= clock.now()
                    {
                        lastTouch = clock.now()
                        await desk.touch(device)
                    }
                }
                guard session.hasEnded else { return }
                // What is left needs nothing of the hub.
                gate.leave(ticket)
                await linger(&input)
            }
        } catch {
            // A network that breaks, a TLS peer that leaves without its last word: ordinary endings.
            logger.debug("connection broke", metadata: ["error": "\(error)"])
        }
    }

    /// - Parameter isOwn: the hub began it, not the device.
    private func carryOut(
        _ actions: [DeviceSession.Action], of session: inout DeviceSession, isOwn: Bool,
        isNewcomer: inout Bool, to outbound: NIOAsyncChannelOutboundWriter<Message>
    ) async throws {
        // A question is always the last action, and its answer brings at most one more round of them.
        var queue = actions[...]
        while let action = queue.popFirst() {
            switch action {
            case .send(let message):
                if case .refusal(let refusal) = message { log(refusal) }
                try await outbound.write(message)
            case .ask(let question):
                let answer: DeviceSession.Answer
                if isOwn {
                    gate.enterAtOnce(ticket)
                    answer = await self.answer(question)
                } else if let seconds = await gate.enter(ticket, isNewcomer: isNewcomer) {
                    answer = .refused(.crowded(afterSeconds: seconds))
                } else {
                    isNewcomer = false
                    answer = await self.answer(question)
                }
                queue += session.handle(.answered(answer))
            case .close:
                return
            }
        }
    }

    /// - Precondition: the connection has its place.
    private func answer(_ question: DeviceSession.Ask) async -> DeviceSession.Answer {
        defer { gate.answered(ticket) }
        guard case .register(let device, _) = question else { return await desk.answer(question) }
        // Pushes start once a registration is answered; what changes meanwhile is looked at then.
        let home = await desk.home(of: device)
        if let home { connected.expect(device, of: home, on: channel.channel) }
        let answer = await desk.answer(question)
        if case .standing = answer, connected.seat(device, on: channel.channel) {
            channel.channel.pipeline.fireUserInboundEventTriggered(ConnectionSignal.look)
        }
        return answer
    }

    /// Closing while bytes of the peer are unread would reset the connection and could take our last
    /// word with it: so we say that it was the last, and give the peer a moment to close first.
    private func linger(
        _ input: inout NIOAsyncChannelInboundStream<ConnectionInput>.AsyncIterator
    ) async {
        let channel = channel.channel
        channel.close(mode: .output, promise: nil)
        let deadline = channel.eventLoop.scheduleTask(
            in: .milliseconds(limits.lingerMilliseconds)
        ) { channel.close(promise: nil) }
        defer { deadline.cancel() }
        // The stream ends, or breaks, when either side closes.
        do { while try await input.next() != nil {} } catch {}
    }

    private func log(_ refusal: Refusal) {
        logger.info(
            "refused", metadata: ["code": "\(refusal.code)", "why": "\(refusal.message)"])
    }
}

extension DeviceSession.Event {
    fileprivate var isFromDevice: Bool {
        switch self {
        case .received, .undecodable: true
        case .answered, .look, .idle, .stopping: false
        }
    }
}

extension Refusal {
    fileprivate static func crowded(afterSeconds seconds: UInt32) -> Refusal {
        var refusal = Refusal(
            .busy, "more devices than the hub can serve at once; come back in \(seconds) s")
        refusal.retryAfterSeconds = seconds
        return refusal
    }
}
