package import Forecasting
package import SyncProtocol

/// One device's conversation with the hub, as decisions: what arrives goes in, what to do comes out.
/// It holds no socket, clock or store (SPEC 5 to 12).
///
/// The caller carries the actions out in order. After `.ask` it feeds nothing but the matching
/// `.answered`; after `.close` it feeds nothing more.
package struct DeviceSession: Sendable {
    /// Whom TLS has let in.
    package enum Peer: Equatable, Sendable {
        /// No client certificate: may join and nothing else.
        case anonymous
        /// A certificate of our CA. Whether the device is still welcome is asked of the store.
        case device(DeviceID)
    }

    package enum Event: Sendable {
        case received(Message)
        /// The bytes are no frame, or a frame whose payload is no message.
        case undecodable(FrameError)
        case answered(Answer)
        /// Something in the database changed that may concern this device.
        case look
        /// Nothing was received for a while on a connection that stays.
        case idle
        /// The hub is going down; it names a time to come back, another one to each device.
        case stopping(retryAfterSeconds: UInt32)
    }

    package enum Action: Equatable, Sendable {
        case send(Message)
        case ask(Ask)
        case close
    }

    /// What the session needs from outside to go on.
    package enum Ask: Equatable, Sendable {
        case admit(DeviceID)
        case join(JoinRequest)
        case register(DeviceID, Register)
        case store(DeviceID, Upload)
        case context(DeviceID, ContextRequest)
        case chunk(DeviceID, Fetch)
        case note(DeviceID, PackageReport)
        case renew(DeviceID, RenewRequest)
        /// Where the device stands now, and what it holds of the repository's metadata.
        case look(DeviceID, HeldMetadata)
        case nextContact(DeviceID)
    }

    package enum Answer: Equatable, Sendable {
        case admitted
        case joined(JoinReply)
        /// To `register` and `look`: what the device should run, the revision of its store's day
        /// totals, and the metadata that goes ahead (SPEC 8.1).
        case standing(DesiredState, contextRevision: UInt64, metadata: [Metadata] = [])
        case stored(throughSequence: UInt64)
        /// Never empty; the last one has `more` = false.
        case context([Context])
        case chunk(Chunk)
        case noted
        case renewed(certificateDER: [UInt8])
        case nextContact(seconds: UInt32)
        /// The store said no, or failed. Ends the connection.
        case refused(Refusal)
    }

    /// The ceiling of one payload from a device.
    package static let frameBytesMax = MessageKind.upload.payloadBytesMax
    /// The ceiling before the peer has shown a certificate.
    package static let strangerFrameBytesMax = MessageKind.joinRequest.payloadBytesMax

    private enum Phase: Equatable {
        case awaitingHello
        case admitting(DeviceID, Hello)
        case awaitingJoin
        case joining
        /// Joined, and expected to come back with its certificate.
        case joined
        case awaitingRegister(DeviceID)
        case registered(DeviceID)
        case ended
    }

    private let peer: Peer
    /// Milliseconds since 1970 UTC, asked when Welcome is written.
    private let hubTimeMilliseconds: @Sendable () -> Int64
    private var phase = Phase.awaitingHello
    /// Answers are awaited one at a time.
    private var isAsking = false
    private var stays = false
    private var awaitsPong = false
    private var lastDesired: DesiredState?
    /// As the device said, and what it was sent since.
    private var held = HeldMetadata()
    /// The newest revision the device has or was told of.
    private var toldRevision: UInt64 = 0
    /// Set by the answer to `look`, which is pushed; to `register`, which is replied.
    private var isLooking = false
    private var items = NamedItems()
    /// So the device said when it asked for its context.
    private var contextTakesColumns = false

    package init(peer: Peer, hubTimeMilliseconds: @escaping @Sendable () -> Int64) {
        self.peer = peer
        self.hubTimeMilliseconds = hubTimeMilliseconds
    }

    /// The device whose registration is complete: pushes are for it.
    package var registeredDevice: DeviceID? {
        if case .registered(let device) = phase { return device }
        return nil
    }

    package var hasEnded: Bool { phase == .ended }

    package mutating func handle(_ event: Event) -> [Action] {
        precondition(phase != .ended, "an ended session is fed nothing")
        switch event {
        case .answered(let answer):
            precondition(isAsking, "an answer to nothing")
            isAsking = false
            return take(answer)
        case .received(let message):
            precondition(!isAsking, "one question at a time")
            return receive(message)
        case .undecodable(let error):
            return refuse(Refusal(error.refusalCode, error.explanation))
        case .look:
            // Before registration there is nothing to push; whoever is not welcome is told so when it
            // registers.
            guard case .registered(let device) = phase else { return [] }
            // What a visiting device is not told must not be noted as told; whether it is still welcome
            // is asked all the same.
            guard stays else { return ask(.admit(device)) }
            isLooking = true
            return ask(.look(device, held))
        case .idle:
            guard stays, !awaitsPong else { return end() }
            awaitsPong = true
            return [.send(.ping)]
        case .stopping(let seconds):
            var refusal = Refusal(.busy, "the hub is shutting down; come back shortly")
            refusal.retryAfterSeconds = seconds
            return refuse(refusal)
        }
    }

    private mutating func receive(_ message: Message) -> [Action] {
        awaitsPong = false
        switch (phase, message) {
        case (.awaitingHello, .hello(let hello)):
            return greet(hello)
        case (.awaitingHello, _):
            return refuseOrder("the first frame of a connection is Hello, not \(message.kind.name)")

        case (.awaitingJoin, .joinRequest(let request)):
            phase = .joining
            return ask(.join(request))
        case (.awaitingJoin, .hello), (.joined, .hello), (.joined, .joinRequest):
            return refuseOrder("a second \(message.kind.name)")
        case (.awaitingJoin, _), (.joined, _):
            return refuse(
                Refusal(
                    .noCertificate,
                    "\(message.kind.name) needs the device's certificate: join with a token"
                        + " first, then connect with the certificate of the reply"))

        case (.awaitingRegister(let device), .register(let register)),
            (.registered(let device), .register(let register)):
            stays = register.contact == .stay
            isLooking = false
            held = register.held ?? HeldMetadata()
            return ask(.register(device, register))
        case (.registered(let device), .renewRequest(let request)):
            return ask(.renew(device, request))
        case (.registered(let device), .goodbye):
            return ask(.nextContact(device))
        case (.awaitingRegister, .ping), (.registered, .ping):
            return [.send(.pong)]
        case (.awaitingRegister, .pong), (.registered, .pong):
            return []

        case (.registered(let device), .upload(let upload)):
            return store(upload, of: device)
        case (.registered(let device), .contextRequest(let request)):
            contextTakesColumns = request.takesColumns
            return ask(.context(device, request))
        case (.registered(let device), .fetch(let fetch)):
            return ask(.chunk(device, fetch))
        case (.registered(let device), .packageReport(let report)):
            return ask(.note(device, report))

        case (.awaitingRegister, _):
            return refuseOrder("\(message.kind.name) came before Register")
        case (.registered, _):
            return refuseOrder("\(message.kind.name) is not for a device to send at this point")
        case (.admitting, _), (.joining, _), (.ended, _):
            preconditionFailure("no frame is fed while a question is open")
        }
    }

    /// Its records one by one: nobody behind the session knows of columns.
    private mutating func store(_ upload: Upload, of device: DeviceID) -> [Action] {
        do throws(WireError) {
            let records = try items.records(of: upload)
            return ask(
                .store(
                    device,
                    Upload(
                        firstSequence: upload.firstSequence, records: records,
                        foldedSales: upload.foldedSales)))
        } catch {
            let malformed = FrameError.payloadMalformed(.upload, error)
            return refuse(Refusal(malformed.refusalCode, malformed.explanation))
        }
    }

    private mutating func greet(_ hello: Hello) -> [Action] {
        guard hello.versionMin <= Limit.versionMax, hello.versionMax >= Limit.versionMin else {
            return refuse(
                Refusal(
                    .version,
                    "this hub speaks protocol versions \(Limit.versionMin) to"
                        + " \(Limit.versionMax), the device \(hello.versionMin) to"
                        + " \(hello.versionMax): update the older of the two"))
        }
        switch peer {
        case .anonymous:
            phase = .awaitingJoin
            return [welcome(hello)]
        case .device(let device):
            phase = .admitting(device, hello)
            return ask(.admit(device))
        }
    }

    private mutating func take(_ answer: Answer) -> [Action] {
        switch (phase, answer) {
        case (_, .refused(let refusal)):
            return refuse(refusal)
        case (.admitting(let device, let hello), .admitted):
            phase = .awaitingRegister(device)
            return [welcome(hello)]
        case (.joining, .joined(let reply)):
            phase = .joined
            return [.send(.joinReply(reply))]
        case (.awaitingRegister(let device), .standing(let desired, _, let metadata)):
            phase = .registered(device)
            // Whatever totals there are, the device asks for them by itself after registering; from
            // then on it is told when they grow.
            return say(desired, after: metadata)
        case (.registered, .standing(let desired, let revision, let metadata)):
            return isLooking ? push(desired, metadata, revision) : say(desired, after: metadata)
        case (.registered, .admitted):
            return []
        case (.registered, .stored(let throughSequence)):
            return [.send(.uploadAck(UploadAck(throughSequence: throughSequence)))]
        case (.registered, .context(let frames)):
            toldRevision = max(toldRevision, frames.last?.revision ?? 0)
            guard contextTakesColumns else { return frames.map { .send(.context($0)) } }
            return frames.map { .send(.context(items.columns(of: $0))) }
        case (.registered, .chunk(let chunk)):
            return [.send(.chunk(chunk))]
        case (.registered, .noted):
            return [.send(.noted)]
        case (.registered, .renewed(let certificateDER)):
            return [.send(.renewReply(RenewReply(certificateDer: certificateDER)))]
        case (.registered, .nextContact(let seconds)):
            return [.send(.farewell(Farewell(nextContactSeconds: seconds)))] + end()
        case (.awaitingHello, _), (.admitting, _), (.awaitingJoin, _), (.joining, _), (.joined, _),
            (.awaitingRegister, _), (.registered, _), (.ended, _):
            preconditionFailure("an answer to another question")
        }
    }

    /// A visiting device is told nothing it did not ask for; it hears of changes at its next visit.
    private mutating func push(
        _ desired: DesiredState, _ metadata: [Metadata], _ revision: UInt64
    ) -> [Action] {
        guard stays else { return [] }
        var actions: [Action] = []
        if !metadata.isEmpty || !desired.saysTheSame(as: lastDesired) {
            actions = say(desired, after: metadata)
        }
        if revision > toldRevision {
            toldRevision = revision
            actions.append(.send(.contextNotice(ContextNotice(revision: revision))))
        }
        return actions
    }

    private mutating func say(_ desired: DesiredState, after metadata: [Metadata]) -> [Action] {
        lastDesired = desired
        for file in metadata {
            switch file.role {
            case "root": held.root = max(held.root, file.version)
            case "timestamp": (held.timestamp, held.wantsTimestamp) = (file.version, false)
            case "snapshot": held.snapshot = file.version
            case "targets": held.targets = file.version
            default: break
            }
        }
        return metadata.map { .send(.metadata($0)) } + [.send(.desiredState(desired))]
    }

    private mutating func ask(_ ask: Ask) -> [Action] {
        isAsking = true
        return [.ask(ask)]
    }

    /// With the highest version both speak.
    private func welcome(_ hello: Hello) -> Action {
        .send(
            .welcome(
                Welcome(
                    version: min(Limit.versionMax, hello.versionMax),
                    hubTimeMs: hubTimeMilliseconds(),
                    frameBytesMax: UInt32(Self.frameBytesMax), takesColumns: true)))
    }

    private mutating func refuseOrder(_ text: String) -> [Action] {
        refuse(Refusal(.outOfOrder, text))
    }

    private mutating func refuse(_ refusal: Refusal) -> [Action] {
        [.send(.refusal(refusal))] + end()
    }

    private mutating func end() -> [Action] {
        phase = .ended
        return [.close]
    }
}

extension DesiredState {
    /// Equal but for where the device's numbering stands, and for what a package may come as, which are no news to it.
    fileprivate func saysTheSame(as other: DesiredState?) -> Bool {
        guard let other else { return false }
        return desire == other.desire && target == other.target && reason == other.reason
            && rollout == other.rollout && trialDays == other.trialDays
            && latencyMaxNs == other.latencyMaxNs && bytesMax == other.bytesMax
            && windowFrom == other.windowFrom && windowTo == other.windowTo
            && digest == other.digest && meteredBytesMax == other.meteredBytesMax
    }
}
