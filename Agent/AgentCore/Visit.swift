package import SyncProtocol

/// How a device keeps in touch.
package enum ContactMode: Equatable, Sendable {
    /// The connection stays open and the hub pushes.
    case stay
    /// Connect, exchange, leave; the hub names the next time.
    case visit
}

/// What a device has to say or ask right now. Looked at whenever the conversation is free.
package struct VisitWork: Equatable, Sendable {
    package var hasUnsentRecords: Bool
    /// Where the next chunk of a wanted package starts; nil when none is wanted.
    package var fetch: FetchPosition?
    package var hasReport: Bool
    package var wantsRenewal: Bool
    /// What the device is has changed since it registered on this connection.
    package var registrationChanged: Bool
    /// What the hub said of the store's days was not enough.
    package var lacksContext: Bool

    package init(
        hasUnsentRecords: Bool = false, fetch: FetchPosition? = nil, hasReport: Bool = false,
        wantsRenewal: Bool = false, registrationChanged: Bool = false, lacksContext: Bool = false
    ) {
        self.hasUnsentRecords = hasUnsentRecords
        self.fetch = fetch
        self.hasReport = hasReport
        self.wantsRenewal = wantsRenewal
        self.registrationChanged = registrationChanged
        self.lacksContext = lacksContext
    }
}

/// The next piece of a package.
package struct FetchPosition: Equatable, Sendable {
    package var digest: [UInt8]
    package var offset: UInt64

    package init(digest: [UInt8], offset: UInt64) {
        self.digest = digest
        self.offset = offset
    }
}

/// One conversation with the hub from the device's side (SPEC "order of a visit"): at most one question
/// is open, the hub's pushes may come between. Holds no socket, store or clock.
///
/// The caller sends what `opening` gives, feeds every message to `receive` and carries out the actions,
/// and after each, while `next` gives something, does that.
package struct Visit: Sendable {
    package enum Failure: Error, Equatable, Sendable {
        /// The hub said no. Whether and when to come back is in it.
        case refused(Refusal)
        /// The hub chose a version outside what was offered.
        case version(UInt32)
        /// A message that answers nothing that was asked.
        case outOfOrder(MessageKind)
        /// The hub acknowledged nothing new of an upload: repeating it would go on for ever.
        case noProgress(throughSequence: UInt64)
        /// Well formed, and still none that this connection can mean.
        case malformed(WireError)

        package var text: String {
            switch self {
            case .refused(let refusal): return "the hub refused: " + refusal.message
            case .version(let version):
                return "the hub chose protocol version \(version), which was not offered"
            case .outOfOrder(let kind):
                return "the hub sent a message of kind \(kind.rawValue) out of order"
            case .noProgress(let through):
                return "the hub acknowledged only up to sequence \(through), which was sent before"
            case .malformed(let error):
                return "the hub sent what is not the protocol: " + error.explanation
            }
        }
    }

    /// What a message asks of the caller. Each is safe to repeat.
    package enum Action: Equatable, Sendable {
        case send(Message)
        /// The hub's clock: the device's own may be wrong.
        case noteHubTime(milliseconds: Int64)
        /// Where the hub's numbering stands; comes before `consider`.
        case reconcile(storedThroughSequence: UInt64)
        /// Ahead of a `consider`, and for it.
        case takeMetadata(Metadata)
        case consider(DesiredState)
        case acknowledge(throughSequence: UInt64)
        case takeContext(Context)
        case takeChunk(Chunk)
        case reportNoted(digest: [UInt8])
        case takeCertificate([UInt8])
        /// The visit is over; come back after so many seconds.
        case leave(nextContactSeconds: UInt32)
    }

    /// What to send next; the caller fills it from its store and calls `ask`.
    package enum Next: Equatable, Sendable {
        case register
        case upload
        case requestContext
        case fetch(FetchPosition)
        case report
        case renew
        /// Everything has been said on a visit.
        case goodbye
    }

    /// What a device has to do with its hub beside registering, in the order in which it does.
    package enum Subject: UInt8, CaseIterable, Sendable {
        // Sales first: whatever happens later in the visit, they are safe.
        case upload = 1
        case context = 2
        case fetch = 3
        case report = 4
        case renewal = 5
    }

    private enum Open: Equatable {
        case welcome
        case desiredState
        case uploadAck(first: UInt64)
        case context
        case chunk(FetchPosition)
        case noted(digest: [UInt8])
        case renewal
        case farewell
        case nothing
    }

    private let mode: ContactMode
    private var open = Open.welcome
    private var hasRegistered = false
    private var wantsContext = true
    private var wantsRegister = false
    private var askedForRenewal = false
    /// The revision the hub last said it has.
    private var noticedRevision: UInt64 = 0
    private let putOff: Subject?
    /// Of the last question; the caller clears it when nothing is left to ask.
    package var subject: Subject?
    package private(set) var hasLeft = false
    /// The ceiling the hub named for one payload.
    package private(set) var frameBytesMax = 65_536
    private var takesColumns = false
    private var items = NamedItems()

    /// - Parameter putOff: comes last: where the conversation before this one broke off. Thus what a hub cannot answer keeps
    ///   nothing else from it.
    package init(mode: ContactMode, puttingOff putOff: Subject? = nil) {
        self.mode = mode
        self.putOff = putOff
    }

    /// Whether everything that was to be said and asked at the last `next` is done.
    package var isSettled: Bool {
        hasRegistered && open == .nothing && !wantsContext && !wantsRegister
    }
    /// Whether an answer is awaited: silence then has a limit.
    package var isWaiting: Bool { open != .nothing }

    /// On a connection that stays: asks for everything the hub may have, as a new visit would.
    package mutating func refresh() {
        guard hasRegistered else { return }
        wantsRegister = true
        wantsContext = true
    }

    /// To be sent first.
    package func opening(agentVersion: String) -> Message {
        .hello(
            Hello(
                versionMin: Limit.versionMin, versionMax: Limit.versionMax,
                agentVersion: agentVersion))
    }

    /// Takes one message of the hub.
    package mutating func receive(_ message: Message) throws(Failure) -> [Action] {
        switch message {
        case .refusal(let refusal):
            throw .refused(refusal)
        case .ping:
            return [.send(.pong)]
        case .pong:
            return []
        case .metadata(let metadata):
            return [.takeMetadata(metadata)]
        case .contextNotice(let notice):
            if notice.revision > noticedRevision {
                noticedRevision = notice.revision
                wantsContext = true
            }
            return []
        case .welcome(let welcome):
            guard open == .welcome else { throw .outOfOrder(message.kind) }
            guard welcome.version >= Limit.versionMin, welcome.version <= Limit.versionMax else {
                throw .version(welcome.version)
            }
            if welcome.frameBytesMax > 0 { frameBytesMax = Int(clamping: welcome.frameBytesMax) }
            takesColumns = welcome.takesColumns
            open = .nothing
            return [.noteHubTime(milliseconds: welcome.hubTimeMs)]
        case .desiredState(let desired):
            let isAnswer = open == .desiredState
            guard isAnswer || hasRegistered else { throw .outOfOrder(message.kind) }
            guard isAnswer else { return [.consider(desired)] }
            open = .nothing
            guard !hasRegistered else { return [.consider(desired)] }
            hasRegistered = true
            return [
                .reconcile(storedThroughSequence: desired.storedThroughSequence),
                .consider(desired),
            ]
        case .uploadAck(let ack):
            guard case .uploadAck(let first) = open else { throw .outOfOrder(message.kind) }
            guard ack.throughSequence >= first else {
                throw .noProgress(throughSequence: ack.throughSequence)
            }
            open = .nothing
            return [.acknowledge(throughSequence: ack.throughSequence)]
        case .context(let context):
            guard open == .context else { throw .outOfOrder(message.kind) }
            if !context.more {
                open = .nothing
                // A notice that came meanwhile is answered too when the totals are as new as it says.
                if context.revision >= noticedRevision { wantsContext = false }
            }
            do throws(WireError) { return [.takeContext(try items.plain(context))] } catch {
                throw .malformed(error)
            }
        case .chunk(let chunk):
            // Another piece than the one asked for would be asked for again, and that for ever.
            guard open == .chunk(FetchPosition(digest: chunk.digest, offset: chunk.offset)) else {
                throw .outOfOrder(message.kind)
            }
            open = .nothing
            return [.takeChunk(chunk)]
        case .noted:
            guard case .noted(let digest) = open else { throw .outOfOrder(message.kind) }
            open = .nothing
            return [.reportNoted(digest: digest)]
        case .renewReply(let reply):
            guard open == .renewal else { throw .outOfOrder(message.kind) }
            open = .nothing
            return [.takeCertificate(reply.certificateDer)]
        case .farewell(let farewell):
            guard open == .farewell else { throw .outOfOrder(message.kind) }
            open = .nothing
            hasLeft = true
            return [.leave(nextContactSeconds: farewell.nextContactSeconds)]
        case .hello, .joinRequest, .joinReply, .register, .fetch, .packageReport, .upload,
            .contextRequest, .renewRequest, .goodbye:
            throw .outOfOrder(message.kind)
        }
    }

    /// What to say next, or nil while an answer is awaited or there is nothing.
    package func next(_ work: VisitWork) -> Next? {
        guard open == .nothing, !hasLeft else { return nil }
        if !hasRegistered || wantsRegister || work.registrationChanged { return .register }
        for subject in Subject.allCases where subject != putOff {
            if let next = next(work, of: subject) { return next }
        }
        if let putOff, let next = next(work, of: putOff) { return next }
        return mode == .visit ? .goodbye : nil
    }

    private func next(_ work: VisitWork, of subject: Subject) -> Next? {
        switch subject {
        case .upload: work.hasUnsentRecords ? .upload : nil
        case .context: wantsContext || work.lacksContext ? .requestContext : nil
        case .fetch: work.fetch.map { .fetch($0) }
        case .report: work.hasReport ? .report : nil
        case .renewal: work.wantsRenewal && !askedForRenewal ? .renew : nil
        }
    }

    /// Takes `message`, the answer to `next`, as asked.
    /// - Returns: what is to be sent of it: the same in the fewest bytes that this hub understands.
    package mutating func ask(_ message: Message) -> Message {
        switch message {
        case .register:
            wantsRegister = false
            open = .desiredState
        case .upload(let upload):
            subject = .upload
            open = .uploadAck(first: upload.firstSequence)
            if takesColumns { return .upload(items.columns(of: upload)) }
        case .contextRequest:
            subject = .context
            wantsContext = false
            open = .context
        case .fetch(let fetch):
            subject = .fetch
            open = .chunk(FetchPosition(digest: fetch.digest, offset: fetch.offset))
        case .packageReport(let report):
            subject = .report
            open = .noted(digest: report.digest)
        case .renewRequest:
            subject = .renewal
            askedForRenewal = true
            open = .renewal
        case .goodbye: open = .farewell
        case .hello, .welcome, .refusal, .joinRequest, .joinReply, .desiredState, .chunk, .noted,
            .uploadAck, .context, .renewReply, .ping, .pong, .farewell, .contextNotice, .metadata:
            preconditionFailure("not a question of a visit")
        }
        return message
    }
}
