import Forecasting
import HubSync
import SyncProtocol
import Testing

@Suite("A session, without sockets")
struct DeviceSessionTests {
    typealias Event = DeviceSession.Event
    typealias Action = DeviceSession.Action

    static let device = try! DeviceID("d1")
    static let hello = Event.received(.hello(Hello(versionMin: 1, versionMax: 3)))
    static let register = Event.received(.register(.test()))
    static let registerStay = Event.received(.register(.test(contact: .stay)))
    static let running = DesiredState(desire: .run, rollout: 1, digest: [2], target: "p")
    static let upload = Upload(
        firstSequence: 1, records: [.close(CloseRecord(day: 1, closedAllDay: false))])
    static let fetch = Fetch(digest: Array(repeating: 7, count: 32), offset: 3, bytesMax: 10)
    static let report = PackageReport(outcome: .active)
    static let renew = RenewRequest(csrDer: [1])
    static let join = JoinRequest(secret: Array(repeating: 1, count: 16), csrDer: [1])

    /// Every request of the protocol, as the one event that carries it.
    static let requests: [Message] = [
        .hello(Hello(versionMin: 1, versionMax: 1)), .joinRequest(join), .register(.test()),
        .fetch(fetch), .packageReport(report), .upload(upload),
        .contextRequest(ContextRequest(knownRevision: 0)), .renewRequest(renew), .goodbye,
    ]

    static func session(_ peer: DeviceSession.Peer) -> DeviceSession {
        DeviceSession(peer: peer, hubTimeMilliseconds: { 42 })
    }

    /// Plays `events` in order and gives back what the last one led to.
    static func play(_ peer: DeviceSession.Peer, _ events: [Event]) -> [Action] {
        var session = session(peer)
        var last: [Action] = []
        for event in events { last = session.handle(event) }
        return last
    }

    static let atHome: [Event] = [hello, .answered(.admitted)]
    static let registered =
        atHome + [register, .answered(.standing(running, contextRevision: 5))]
    static let staying =
        atHome + [registerStay, .answered(.standing(running, contextRevision: 5))]

    static func refusalCode(_ actions: [Action]) -> RefusalCode? {
        guard actions.count == 2, case .send(.refusal(let refusal)) = actions[0],
            actions[1] == .close, !refusal.message.isEmpty
        else { return nil }
        return refusal.code
    }

    @Test("Hello is answered with the highest version both speak and with the hub's time")
    func welcome() {
        #expect(
            Self.play(.anonymous, [Self.hello]) == [
                .send(
                    .welcome(
                        Welcome(
                            version: 1, hubTimeMs: 42, frameBytesMax: 65_536, takesColumns: true)))
            ])
    }

    @Test("Columns are taken apart with the names that the connection has heard so far")
    func columns() {
        func sold(_ sequence: UInt64, _ sold: UInt32, items: [String] = []) -> Event {
            .received(
                .upload(
                    Upload(
                        firstSequence: sequence,
                        records: [.sales(SalesOfDay(day: 3, sold: [sold]))], items: items)))
        }
        let first = [sold(1, 3, items: ["a", "b"]), .answered(.stored(throughSequence: 1))]
        func asked(_ events: [Event]) -> [Action] {
            Self.play(.device(Self.device), Self.registered + events)
        }
        let sale = Record.sale(SaleRecord(day: 3, item: "b", units: 2))
        #expect(
            asked([first[0]]) == [
                .ask(.store(Self.device, Upload(firstSequence: 1, records: [sale])))
            ])
        #expect(
            asked(first + [sold(2, 3)]) == [
                .ask(.store(Self.device, Upload(firstSequence: 2, records: [sale])))
            ])
        #expect(Self.refusalCode(asked([sold(1, 3)])) == .recordInvalid)
        #expect(Self.refusalCode(asked(first + [sold(2, 2_000_000)])) == .recordInvalid)
    }

    @Test("No version in common is refused", arguments: [(2, 9), (7, 7)] as [(UInt32, UInt32)])
    func version(versionMin: UInt32, versionMax: UInt32) {
        let hello = Hello(versionMin: versionMin, versionMax: versionMax)
        #expect(
            Self.refusalCode(Self.play(.anonymous, [.received(.hello(hello))])) == .version)
    }

    @Test("Nothing but Hello opens a connection", arguments: requests.dropFirst())
    func helloFirst(message: Message) {
        for peer in [DeviceSession.Peer.anonymous, .device(Self.device)] {
            #expect(Self.refusalCode(Self.play(peer, [.received(message)])) == .outOfOrder)
        }
    }

    @Test("Who shows a certificate is admitted by the store before it hears Welcome")
    func admission() {
        #expect(
            Self.play(.device(Self.device), [Self.hello]) == [.ask(.admit(Self.device))])
        #expect(
            Self.refusalCode(
                Self.play(
                    .device(Self.device),
                    [Self.hello, .answered(.refused(Refusal(.revoked, "out")))])) == .revoked)
    }

    @Test("Without a certificate a device can join, and nothing else", arguments: requests)
    func stranger(message: Message) {
        let actions = Self.play(.anonymous, [Self.hello, .received(message)])
        switch message {
        case .joinRequest: #expect(actions == [.ask(.join(Self.join))])
        case .hello: #expect(Self.refusalCode(actions) == .outOfOrder)
        default: #expect(Self.refusalCode(actions) == .noCertificate)
        }
    }

    @Test("After JoinReply the connection is good for nothing more", arguments: requests)
    func afterJoin(message: Message) {
        let reply = JoinReply(deviceId: "d1")
        let joined: [Event] = [
            Self.hello, .received(.joinRequest(Self.join)), .answered(.joined(reply)),
        ]
        #expect(Self.play(.anonymous, joined) == [.send(.joinReply(reply))])
        let code = Self.refusalCode(Self.play(.anonymous, joined + [.received(message)]))
        switch message {
        case .hello, .joinRequest: #expect(code == .outOfOrder)
        default: #expect(code == .noCertificate)
        }
    }

    @Test("Before Register every other request is out of order", arguments: requests)
    func registerFirst(message: Message) {
        let actions = Self.play(.device(Self.device), Self.atHome + [.received(message)])
        if case .register(let register) = message {
            #expect(actions == [.ask(.register(Self.device, register))])
        } else {
            #expect(Self.refusalCode(actions) == .outOfOrder)
        }
    }

    @Test("Each request of a registered device becomes the one question it needs")
    func questions() {
        let rows: [(Message, DeviceSession.Ask)] = [
            (.register(.test()), .register(Self.device, .test())),
            (.fetch(Self.fetch), .chunk(Self.device, Self.fetch)),
            (.packageReport(Self.report), .note(Self.device, Self.report)),
            (.upload(Self.upload), .store(Self.device, Self.upload)),
            (
                .contextRequest(ContextRequest(knownRevision: 9)),
                .context(Self.device, ContextRequest(knownRevision: 9))
            ),
            (.renewRequest(Self.renew), .renew(Self.device, Self.renew)),
            (.goodbye, .nextContact(Self.device)),
        ]
        for (message, ask) in rows {
            #expect(
                Self.play(.device(Self.device), Self.registered + [.received(message)])
                    == [.ask(ask)])
        }
    }

    @Test("Each answer becomes the one reply it is")
    func replies() {
        let chunk = Chunk(digest: Self.fetch.digest, offset: 3, content: [1], packageBytes: 9)
        let first = Context(revision: 0, more: true)
        let last = Context(revision: 6, more: false)
        let rows: [(Message, DeviceSession.Answer, [Action])] = [
            (.fetch(Self.fetch), .chunk(chunk), [.send(.chunk(chunk))]),
            (.packageReport(Self.report), .noted, [.send(.noted)]),
            (
                .upload(Self.upload), .stored(throughSequence: 4),
                [.send(.uploadAck(UploadAck(throughSequence: 4)))]
            ),
            (
                .contextRequest(ContextRequest()), .context([first, last]),
                [.send(.context(first)), .send(.context(last))]
            ),
            (
                .renewRequest(Self.renew), .renewed(certificateDER: [5]),
                [.send(.renewReply(RenewReply(certificateDer: [5])))]
            ),
            (
                .goodbye, .nextContact(seconds: 900),
                [.send(.farewell(Farewell(nextContactSeconds: 900))), .close]
            ),
        ]
        for (message, answer, actions) in rows {
            #expect(
                Self.play(
                    .device(Self.device),
                    Self.registered + [.received(message), .answered(answer)]) == actions)
        }
        #expect(
            Self.play(.device(Self.device), Self.registered)
                == [.send(.desiredState(Self.running))])
    }

    @Test("A second Hello and a JoinRequest are out of order on a registered connection")
    func secondHello() {
        for message in Self.requests.prefix(2) {
            #expect(
                Self.refusalCode(
                    Self.play(.device(Self.device), Self.registered + [.received(message)]))
                    == .outOfOrder)
        }
    }

    @Test("A refusal from the store ends the connection, whatever was asked")
    func refusals() {
        for message in Self.requests.dropFirst(2) {
            let refusal = Refusal(.internal, "no")
            #expect(
                Self.play(
                    .device(Self.device),
                    Self.registered + [.received(message), .answered(.refused(refusal))])
                    == [.send(.refusal(refusal)), .close])
        }
    }

    @Test("Bytes that are no frame are refused by their own code")
    func undecodable() {
        let rows: [(FrameError, RefusalCode)] = [
            (.payloadTooLarge(kind: 12, announcedBytes: 1 << 20, bytesMax: 65_536), .tooLarge),
            (.kindUnknown(200), .malformed), (.kindFromWrongSide(.welcome), .outOfOrder),
        ]
        for (error, code) in rows {
            #expect(
                Self.refusalCode(
                    Self.play(.device(Self.device), Self.registered + [.undecodable(error)]))
                    == code)
            #expect(Self.refusalCode(Self.play(.anonymous, [.undecodable(error)])) == code)
        }
    }

    @Test("A device that stays is told what changed, once")
    func push() {
        let other = DesiredState(desire: .noFit, reason: "too big", rollout: 2)
        var session = Self.session(.device(Self.device))
        for event in Self.staying { _ = session.handle(event) }
        #expect(session.handle(.look) == [.ask(.look(Self.device, HeldMetadata()))])
        #expect(
            session.handle(.answered(.standing(other, contextRevision: 6))) == [
                .send(.desiredState(other)),
                .send(.contextNotice(ContextNotice(revision: 6))),
            ])
        _ = session.handle(.look)
        #expect(session.handle(.answered(.standing(other, contextRevision: 6))) == [])
    }

    @Test("Where the device's numbering stands is no news to it")
    func sameState() {
        var again = Self.running
        again.storedThroughSequence = 77
        #expect(
            Self.play(
                .device(Self.device),
                Self.staying + [.look, .answered(.standing(again, contextRevision: 0))]) == [])
    }

    @Test("What is sent of the repository goes ahead, and counts as held from then on")
    func metadata() {
        let held = HeldMetadata(root: 3, timestamp: 4, snapshot: 5, targets: 6)
        var register = Register.test(contact: .stay)
        register.held = held
        var session = Self.session(.device(Self.device))
        for event in Self.atHome { _ = session.handle(event) }
        _ = session.handle(.received(.register(register)))
        let root = Metadata(role: "root", version: 4, content: [1])
        let timestamp = Metadata(role: "timestamp", version: 9, content: [2])
        #expect(
            session.handle(
                .answered(
                    .standing(Self.running, contextRevision: 0, metadata: [root, timestamp])))
                == [
                    .send(.metadata(root)), .send(.metadata(timestamp)),
                    .send(.desiredState(Self.running)),
                ])
        let after = HeldMetadata(root: 4, timestamp: 9, snapshot: 5, targets: 6)
        #expect(session.handle(.look) == [.ask(.look(Self.device, after))])
        // Nothing else is new, and the metadata comes to it all the same.
        let bin = Metadata(role: "bin-3", version: 1, content: [3])
        #expect(
            session.handle(
                .answered(.standing(Self.running, contextRevision: 0, metadata: [bin])))
                == [.send(.metadata(bin)), .send(.desiredState(Self.running))])
    }

    @Test("A device that has fetched the context is not told of it again")
    func contextKnown() {
        let fetched: [Event] = [
            .received(.contextRequest(ContextRequest())),
            .answered(.context([Context(revision: 8)])), .look,
            .answered(.standing(Self.running, contextRevision: 8)),
        ]
        #expect(Self.play(.device(Self.device), Self.staying + fetched) == [])
    }

    @Test("A visiting device is pushed nothing, but is thrown out at once when it is revoked")
    func visitor() {
        // Where it should stand is not even asked: that would be noted as told.
        #expect(
            Self.play(.device(Self.device), Self.registered + [.look])
                == [.ask(.admit(Self.device))])
        #expect(
            Self.play(.device(Self.device), Self.registered + [.look, .answered(.admitted)]) == [])
        #expect(
            Self.refusalCode(
                Self.play(
                    .device(Self.device),
                    Self.registered + [.look, .answered(.refused(Refusal(.revoked, "out")))]))
                == .revoked)
    }

    @Test("Before it is registered nothing is looked up for a device")
    func lookEarly() {
        #expect(Self.play(.device(Self.device), Self.atHome + [.look]) == [])
        #expect(Self.play(.anonymous, [Self.hello, .look]) == [])
    }

    @Test("A silent visit ends; a silent stay is pinged, and ends when it stays silent")
    func idle() {
        #expect(Self.play(.device(Self.device), Self.registered + [.idle]) == [.close])
        #expect(Self.play(.anonymous, [Self.hello, .idle]) == [.close])
        #expect(Self.play(.device(Self.device), Self.staying + [.idle]) == [.send(.ping)])
        #expect(Self.play(.device(Self.device), Self.staying + [.idle, .idle]) == [.close])
        #expect(
            Self.play(
                .device(Self.device), Self.staying + [.idle, .received(.pong), .idle])
                == [.send(.ping)])
    }

    @Test("Ping is answered with Pong")
    func ping() {
        #expect(
            Self.play(.device(Self.device), Self.registered + [.received(.ping)])
                == [.send(.pong)])
    }

    @Test("A hub that goes down says so, and when coming back helps")
    func stopping() {
        for events in [[Self.hello], Self.atHome, Self.registered] {
            let peer: DeviceSession.Peer =
                events.count == 1 ? .anonymous : .device(Self.device)
            let actions = Self.play(peer, events + [.stopping(retryAfterSeconds: 7)])
            #expect(Self.refusalCode(actions) == .busy)
            guard case .send(.refusal(let refusal))? = actions.first else { continue }
            #expect(refusal.retryAfterSeconds == 7)
        }
    }
}
