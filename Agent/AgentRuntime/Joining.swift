import AgentCore
import CPosix
import SyncProtocol

/// The one conversation of a device that has no certificate yet (SPEC 6).
package enum Joining {
    /// The name, opening, and two answers.
    static let millisecondsMax = Int32(
        NameLookup.millisecondsMax + HubLink.openMilliseconds + 2 * HubLink.answerMilliseconds)

    /// Joins the hub that `token` names. The device's key is made here and kept before the hub hears of it:
    /// a join that was cut off and repeated gives the same device.
    /// - Parameters:
    ///   - token: the token's text, as the hub printed it.
    ///   - makesNewKey: for joining again, as another device.
    package static func join(
        token text: String, directory: String, makesNewKey: Bool, clock: AgentClock
    ) throws(AgentError) -> (identity: Identity, root: [UInt8], isApproved: Bool) {
        var token: JoinToken
        do throws(JoinTokenError) { token = try JoinToken(text: text) } catch {
            throw .usage(error.explanation)
        }
        token.host = Identity.host(token.host)
        guard Crypto.setUp() else { throw .failed("mbedTLS cannot be set up") }
        let key = try key(in: directory, makesNew: makesNewKey)
        guard let request = Crypto.makeRequest(key: key, name: "shelfcast-device") else {
            throw .failed("a signing request cannot be made")
        }
        let (reply, ca) = try exchange(token, request: request, clock: clock)
        guard reply.caDer == ca,
            Crypto.certificate(reply.certificateDer, matches: key)
        else {
            throw .refused("the hub's answer does not fit this device's request; make a new token")
        }
        _ = try AgentService.rootState(reply.root)
        let identity = Identity(
            hubHost: token.host, hubPort: UInt16(token.port), deviceID: reply.deviceId,
            store: reply.store, timeZone: reply.timeZone, ca: ca,
            certificate: reply.certificateDer, key: key)
        return (identity, reply.root, reply.approved)
    }

    private static func key(in directory: String, makesNew: Bool) throws(AgentError) -> [UInt8] {
        let path = directory + "/" + Identity.keyFile
        if !makesNew, let kept = Files.read(path, bytesMax: 1024) { return kept }
        guard let key = Crypto.makeKey() else { throw .failed("a key cannot be made") }
        // Beside the old one until the hub has answered: an identity keeps the key of its certificate.
        if !makesNew, let problem = Files.replace(path, by: key) { throw .failed(problem) }
        return key
    }

    private static func exchange(
        _ token: JoinToken, request: [UInt8], clock: AgentClock
    ) throws(AgentError) -> (JoinReply, ca: [UInt8]) {
        do throws(ConnectionError) {
            let connection = SecureConnection(
                host: token.host, port: UInt16(token.port),
                trust: Trust(
                    anchor: .pinned(token.caSha256), clockIsBehind: clock.isBehind,
                    clockIsAhead: clock.isAhead))
            try open(connection)
            guard let ca = connection.joinedCA else {
                throw ConnectionError(.refused, "the hub sent no CA certificate")
            }
            connection.send(
                encodeFrame(
                    .hello(
                        Hello(
                            versionMin: Limit.versionMin, versionMax: Limit.versionMax,
                            agentVersion: Machine.agentVersion))))
            var decoder = FrameDecoder(from: .hub)
            let first = try answer(on: connection, &decoder)
            guard case .welcome(let welcome) = first else { throw refusal(first) }
            clock.noteHub(milliseconds: welcome.hubTimeMs)
            connection.send(
                encodeFrame(.joinRequest(JoinRequest(secret: token.secret, csrDer: request))))
            let second = try answer(on: connection, &decoder)
            guard case .joinReply(let reply) = second else { throw refusal(second) }
            return (reply, ca)
        } catch { throw HubLink.agentError(error) }
    }

    static func refusal(_ message: Message) -> ConnectionError {
        if case .refusal(let refusal) = message {
            return ConnectionError(.refused, "the hub refused: " + refusal.message)
        }
        return ConnectionError(
            .refused, "the hub sent a message of kind \(message.kind.rawValue) out of order")
    }

    static func open(_ connection: SecureConnection) throws(ConnectionError) {
        while true {
            let wanted: Int
            switch try connection.advance() {
            case .done: return
            case .waitToRead: wanted = SHELFCAST_POLL_READ
            case .waitToWrite: wanted = SHELFCAST_POLL_WRITE
            }
            // A wait that is over is the connection's to judge.
            let left = max(0, connection.wakeAt - AgentClock.steadyMilliseconds())
            poll(connection, UInt8(wanted), left)
        }
    }

    static func answer(
        on connection: SecureConnection, _ decoder: inout FrameDecoder
    ) throws(ConnectionError) -> Message {
        let deadline = AgentClock.steadyMilliseconds() + HubLink.answerMilliseconds
        while true {
            try connection.flush()
            guard let bytes = try connection.receive() else {
                throw ConnectionError(.broken, "the hub closed the connection")
            }
            if bytes.isEmpty {
                let write = connection.hasOutgoing ? SHELFCAST_POLL_WRITE : 0
                try wait(connection, UInt8(SHELFCAST_POLL_READ | write), deadline)
                continue
            }
            decoder.push(bytes)
            do throws(FrameError) {
                if let message = try decoder.next() { return message }
            } catch {
                throw ConnectionError(
                    .refused, "the hub sent what is not the protocol: " + error.explanation)
            }
        }
    }

    private static func wait(
        _ connection: SecureConnection, _ wanted: UInt8, _ deadline: Int64
    ) throws(ConnectionError) {
        let left = deadline - AgentClock.steadyMilliseconds()
        guard left > 0 else {
            throw ConnectionError(.unreachable, "the hub does not answer")
        }
        poll(connection, wanted, left)
    }

    private static func poll(
        _ connection: SecureConnection, _ wanted: UInt8, _ milliseconds: Int64
    ) {
        var entry = shelfcast_poll_entry(
            descriptor: connection.descriptor, wanted: wanted, ready: 0)
        _ = shelfcast_poll(&entry, 1, Int32(clamping: milliseconds))
    }
}
