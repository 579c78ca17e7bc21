import AgentCore
import CPosix
import SyncProtocol

/// The connection to the hub, as one party of the poll loop: it never waits, says what to poll for, and
/// goes on when called.
package final class HubLink {
    /// SPEC 13. From when the hub's address is known.
    static let openMilliseconds: Int64 = 10_000
    static let answerMilliseconds: Int64 = 30_000
    static let wholeAnswerMilliseconds: Int64 = 120_000
    /// A hub that gives a byte now and then is as good as silent (slow retrieval): questions that follow one another may take
    /// this long, and a second more for every so many bytes both ways.
    static let slowMilliseconds: Int64 = 300_000
    static let bytesPerSecondMin: Int64 = 64
    static let pingMilliseconds: Int64 = 75_000
    static let silenceMilliseconds: Int64 = 150_000
    /// What is urgent waits this long for company before it goes up.
    static let coalesceMilliseconds: Int64 = 200
    /// New sales wait this long on a connection that stays, unless they fill an upload sooner: each upload has its
    /// price in bytes and in wake-ups.
    static let collectMilliseconds: Int64 = 900_000
    static let collectedSalesMax = 400
    /// When a hub names no next contact for a visiting device.
    static let visitSecondsDefault: Int64 = 900
    /// After a refusal that repeating does not change.
    static let refusedMilliseconds: Int64 = 60_000

    private final class Conversation {
        let connection: SecureConnection
        var visit: Visit
        var decoder = FrameDecoder(from: .hub)
        /// Steady milliseconds.
        var lastReceived: Int64
        var askedAt: Int64
        /// The question, or the last whole message of its answer.
        var answeredAt: Int64
        var pingedAt: Int64?
        /// Whether all has been said and asked.
        var isAtRest = false
        /// The first question since then, and the bytes carried until it.
        var busy: (since: Int64, bytes: UInt64)
        /// Reading stopped before there was nothing more.
        var hasMore = false

        init(_ connection: SecureConnection, _ visit: Visit, now: Int64) {
            self.connection = connection
            self.visit = visit
            lastReceived = now
            askedAt = now
            answeredAt = now
            busy = (now, connection.carriedBytes)
        }

        /// When the questions that follow one another must be answered.
        var patienceEndsAt: Int64 {
            let bytes = Int64(clamping: connection.carriedBytes &- busy.bytes)
            return busy.since + HubLink.slowMilliseconds
                + bytes * 1000 / HubLink.bytesPerSecondMin
        }
    }

    private enum State {
        /// Until then (steady milliseconds) nothing is tried.
        case away(until: Int64)
        case opening(SecureConnection, wait: SecureConnection.Progress)
        case talking(Conversation)
    }

    /// How a contact that somebody waits for went.
    package enum Outcome: Equatable, Sendable {
        case settled
        case failed(AgentError)
    }

    private let service: AgentService
    private var state: State
    private var backoff = Backoff()
    /// When what is new is to be said; nil: nothing is.
    private var newsDue: Int64?
    /// Sales among it.
    private var newSales = 0
    /// Whether something may have made work since there was last found to be none: looking for it has its price.
    private var looksForWork = true
    /// Whether records that wait may go up now, and not only when they are due.
    private var mayUpload = true
    /// Set while somebody waits for `takeOutcome`.
    private var isAwaited = false
    private var outcome: Outcome?
    /// Whether this connection has come to rest once: what went wrong before is then history.
    private var hasSettled = false
    /// Why the last try failed.
    package private(set) var lastFailure: String?
    /// Counts what was opened and asked, beside Ping: whether there was work since it was last looked at.
    package private(set) var exchanges = 0

    package init(_ service: AgentService, now: Int64) {
        self.service = service
        state = .away(until: now)
    }

    /// For `status`.
    package var stateName: String {
        switch state {
        case .away: "disconnected"
        case .opening: "connecting"
        case .talking(let talk): talk.visit.isSettled ? "connected" : "exchanging"
        }
    }

    /// Frames of the connection that is open, both ways, beside what TLS adds; nil without one.
    package var carriedBytes: UInt64? {
        guard case .talking(let talk) = state else { return nil }
        return talk.connection.carriedBytes
    }

    /// What to poll for; nil while there is no connection.
    package var interest: (descriptor: Int32, wanted: UInt8)? {
        switch state {
        case .away: return nil
        case .opening(let connection, let wait):
            let wanted = wait == .waitToRead ? SHELFCAST_POLL_READ : SHELFCAST_POLL_WRITE
            return (connection.descriptor, UInt8(wanted))
        case .talking(let talk):
            let write = talk.connection.hasOutgoing ? SHELFCAST_POLL_WRITE : 0
            return (talk.connection.descriptor, UInt8(SHELFCAST_POLL_READ | write))
        }
    }

    /// Until the next try; nil while there is a connection, or one is being made.
    package func awayMilliseconds(from now: Int64) -> Int64? {
        guard case .away(let until) = state else { return nil }
        return until - now
    }

    /// When `turn` must be called although nothing is ready, in steady milliseconds.
    package var wakeAt: Int64 {
        switch state {
        case .away(let until): return until
        case .opening(let connection, _): return connection.wakeAt
        case .talking(let talk):
            var at =
                talk.visit.isWaiting
                ? min(
                    talk.askedAt + Self.answerMilliseconds,
                    talk.answeredAt + Self.wholeAnswerMilliseconds, talk.patienceEndsAt)
                : min(
                    (talk.pingedAt ?? talk.lastReceived) + Self.pingMilliseconds,
                    talk.lastReceived + Self.silenceMilliseconds)
            if let newsDue, !talk.visit.isWaiting { at = min(at, newsDue) }
            return talk.hasMore ? 0 : at
        }
    }

    /// So many sales were recorded.
    package func noteSales(_ count: Int, now: Int64) {
        newSales += count
        guard newSales < Self.collectedSalesMax else { return noteNews(now: now) }
        newsDue = min(newsDue ?? .max, now + Self.collectMilliseconds)
    }

    /// There is something new for the hub that other devices or people wait for.
    package func noteNews(now: Int64) {
        newsDue = min(newsDue ?? .max, now + Self.coalesceMilliseconds)
        // A visit that is due soon is made now: the radio wakes once.
        if case .away(let until) = state, until > now,
            service.thrift.mayGoEarly(
                left: until - now, interval: visitInterval, batteryPercent: service.batteryInUse)
        {
            state = .away(until: now)
        }
    }

    /// Contact now, whatever the schedule says; `takeOutcome` tells how it went.
    package func contactNow(now: Int64) {
        isAwaited = true
        service.contactIsAsked = true
        outcome = nil
        switch state {
        case .away: state = .away(until: now)
        case .opening: break
        case .talking(let talk):
            talk.visit.refresh()
            newsDue = now
        }
    }

    /// The device has another identity: whatever was to be waited for is over.
    func startAnew(now: Int64) {
        backoff.succeeded()
        state = .away(until: now)
    }

    package func takeOutcome() -> Outcome? {
        defer { outcome = nil }
        return outcome
    }

    /// Of this connection's bytes, those that the service knows of.
    private var counted: UInt64 = 0
    /// So many are counted in memory before they are kept.
    private static let countedApartMax: UInt64 = 32_768

    private func count(_ connection: SecureConnection, from least: UInt64 = 1) {
        let bytes = connection.wireBytes
        guard bytes >= counted + least else { return }
        service.count(wireBytes: bytes - counted)
        counted = bytes
    }

    private func keepToCeiling() throws(AgentError) {
        guard let silence = service.silence() else { return }
        askedWait = silence
        throw .refused(
            "the day's data ceiling of \(service.thrift.dataBytesMax ?? 0) bytes is reached; everything waits until tomorrow (UTC)"
        )
    }

    /// Does what can be done without waiting.
    /// - Parameter isReady: whether `interest` may be ready: only then the hub is listened to, which costs a system call.
    package func turn(now: Int64, isReady: Bool = true) {
        do throws(AgentError) {
            switch state {
            case .away(let until):
                if now >= until { try open(now: now) }
            case .opening(let connection, _):
                try advance(connection, now: now)
            case .talking(let talk):
                try go(on: talk, now: now, isReady: isReady)
            }
        } catch {
            fail(error, now: now)
        }
    }

    private func open(now: Int64) throws(AgentError) {
        guard let identity = service.identity else { throw .notJoined }
        counted = 0
        exchanges += 1
        service.forgetArrivedMetadata()
        try keepToCeiling()
        let connection = SecureConnection(
            host: identity.hubHost, port: identity.hubPort,
            trust: Trust(
                anchor: .ca(identity.ca), certificate: identity.certificate,
                key: identity.key, clockIsBehind: service.clock.isBehind,
                clockIsAhead: service.clock.isAhead), now: now)
        state = .opening(connection, wait: .waitToRead)
        try advance(connection, now: now)
    }

    private func advance(_ connection: SecureConnection, now: Int64) throws(AgentError) {
        do throws(ConnectionError) {
            let progress = try connection.advance(now: now)
            guard progress == .done else {
                state = .opening(connection, wait: progress)
                return
            }
        } catch { throw Self.agentError(error) }
        (hasSettled, looksForWork, mayUpload) = (false, true, true)
        let talk = Conversation(
            connection, Visit(mode: service.contact, puttingOff: service.subjectPutOff), now: now)
        state = .talking(talk)
        connection.send(
            encodeFrame(talk.visit.opening(agentVersion: Machine.agentVersion)))
        try go(on: talk, now: now, isReady: true)
    }

    private func go(
        on talk: Conversation, now: Int64, isReady: Bool
    ) throws(AgentError) {
        var hubHasClosed = false
        let reads = isReady || talk.hasMore ? 16 : 0
        do throws(ConnectionError) {
            try talk.connection.flush()
            // Bounded, so that a chatty hub cannot keep the tills waiting. What TLS has taken from the socket by then
            // shows in no poll.
            talk.hasMore = reads > 0
            for _ in 0..<reads {
                guard let bytes = try talk.connection.receive() else {
                    hubHasClosed = true
                    break
                }
                guard !bytes.isEmpty else {
                    talk.hasMore = false
                    break
                }
                talk.lastReceived = now
                talk.askedAt = now
                talk.pingedAt = nil
                talk.decoder.push(bytes)
                try receiveAll(talk, now: now)
            }
        } catch {
            // A refusal that came just before the break explains it better than the break does.
            try takeMessages(of: talk, now: now)
            throw Self.agentError(error)
        }
        try takeMessages(of: talk, now: now)
        guard case .talking = state else { return }
        count(talk.connection, from: Self.countedApartMax)
        try keepToCeiling()
        if hubHasClosed {
            do throws(FrameError) { try talk.decoder.finish() } catch {
                throw .unreachable("the hub broke off: " + error.explanation)
            }
            throw .unreachable("the hub closed the connection")
        }
        try ask(talk, now: now)
        try watch(talk, now: now)
        do throws(ConnectionError) { try talk.connection.flush() } catch {
            throw Self.agentError(error)
        }
    }

    /// Keeps the decoder from growing: what can be decoded is, between two reads.
    private func receiveAll(_ talk: Conversation, now: Int64) throws(ConnectionError) {
        do throws(AgentError) { try takeMessages(of: talk, now: now) } catch {
            pendingError = error
            throw ConnectionError(.broken, error.text)
        }
    }

    /// An error of ours that crossed a reading loop.
    private var pendingError: AgentError?

    private func takeMessages(of talk: Conversation, now: Int64) throws(AgentError) {
        if let error = pendingError {
            pendingError = nil
            throw error
        }
        while !talk.visit.hasLeft {
            let message: Message?
            do throws(FrameError) { message = try talk.decoder.next() } catch {
                throw .failed("the hub sent what is not the protocol: " + error.explanation)
            }
            guard let message else { return }
            let actions: [Visit.Action]
            do throws(Visit.Failure) { actions = try talk.visit.receive(message) } catch {
                throw failure(error, now: now)
            }
            for action in actions {
                try service.perform(action)
                looksForWork = true
                switch action {
                case .send(let reply): talk.connection.send(encodeFrame(reply))
                case .takeContext: talk.answeredAt = now
                case .leave(let seconds):
                    leave(afterSeconds: seconds, now: now)
                    return
                default: break
                }
            }
        }
    }

    /// Says and asks what there is, once the hub has answered what was asked before.
    private func ask(_ talk: Conversation, now: Int64) throws(AgentError) {
        guard !talk.visit.isWaiting else { return }
        let isDue = newsDue.map { now >= $0 } ?? false
        guard looksForWork || isDue || isAwaited || !talk.visit.isSettled else { return }
        if isDue || isAwaited { mayUpload = true }
        if mayUpload { (newsDue, newSales) = (nil, 0) }
        var work = try service.work()
        if !mayUpload { work.hasUnsentRecords = false }
        guard let next = talk.visit.next(work) else {
            looksForWork = false
            talk.visit.subject = nil
            talk.isAtRest = true
            settled()
            return
        }
        guard
            let message = try service.message(
                for: next, frameBytesMax: talk.visit.frameBytesMax)
        else { return }
        if case .upload(let upload) = message {
            // What came meanwhile waits for company.
            let most = AgentStore.recordsMax(frameBytesMax: talk.visit.frameBytesMax)
            mayUpload = upload.records.count >= most
        }
        if talk.isAtRest { talk.busy = (now, talk.connection.carriedBytes) }
        talk.isAtRest = false
        (talk.askedAt, talk.answeredAt) = (now, now)
        exchanges += 1
        talk.connection.send(encodeFrame(talk.visit.ask(message)))
    }

    /// Silence has limits, and a connection that stays is kept alive.
    private func watch(_ talk: Conversation, now: Int64) throws(AgentError) {
        if talk.visit.isWaiting, now - talk.askedAt >= Self.answerMilliseconds {
            throw .unreachable("the hub did not answer within \(Self.answerMilliseconds / 1000) s")
        }
        if talk.visit.isWaiting, now - talk.answeredAt >= Self.wholeAnswerMilliseconds {
            throw .unreachable(
                "the hub's answer was not whole within \(Self.wholeAnswerMilliseconds / 1000) s")
        }
        if talk.visit.isWaiting, now >= talk.patienceEndsAt {
            throw .unreachable(
                "the hub answers more slowly than \(Self.bytesPerSecondMin) bytes a second")
        }
        if now - talk.lastReceived >= Self.silenceMilliseconds {
            throw .unreachable("the hub was silent for \(Self.silenceMilliseconds / 1000) s")
        }
        if !talk.visit.isWaiting,
            now - (talk.pingedAt ?? talk.lastReceived) >= Self.pingMilliseconds
        {
            talk.pingedAt = now
            // Power and temperature may have changed since: `work` tells.
            service.lookAtMachine()
            looksForWork = true
            talk.connection.send(encodeFrame(.ping))
        }
    }

    private func settled() {
        backoff.succeeded()
        if !hasSettled { service.note(contactError: nil) }
        hasSettled = true
        lastFailure = nil
        if isAwaited { outcome = .settled }
        isAwaited = false
        service.contactIsAsked = false
    }

    private func leave(afterSeconds seconds: UInt32, now: Int64) {
        if case .talking(let talk) = state { count(talk.connection) }
        service.forgetArrivedMetadata()
        settled()
        let asked = seconds > 0 ? Int64(seconds) : Self.visitSecondsDefault
        let wait = service.thrift.wait(
            asked: asked * 1000, batteryPercent: service.batteryInUse)
        visitInterval = Backoff.asked(milliseconds: wait, random: Crypto.random32())
        state = .away(until: now + visitInterval)
    }

    /// Between the last visit and the next, in milliseconds; 0 while the next is but another try.
    private var visitInterval: Int64 = 0

    /// A refusal says itself when to come back.
    private var askedWait: Int64 = 0

    private func failure(_ failure: Visit.Failure, now: Int64) -> AgentError {
        switch failure {
        case .refused(let refusal):
            if refusal.code == .copy { service.isCopy = true }
            askedWait =
                refusal.retry ? Int64(refusal.retryAfterSeconds) * 1000 : Self.refusedMilliseconds
            return .refused(failure.text)
        case .version, .outOfOrder, .noProgress, .malformed:
            askedWait = Self.refusedMilliseconds
            return .failed(failure.text)
        }
    }

    private func fail(_ error: AgentError, now: Int64) {
        var subject: Visit.Subject?
        var isLost = false
        switch state {
        case .away: break
        case .opening(let connection, _): count(connection)
        case .talking(let talk):
            count(talk.connection)
            subject = talk.visit.subject
            isLost = hasSettled && askedWait == 0
        }
        visitInterval = 0
        service.contactIsAsked = false
        service.forgetArrivedMetadata()
        lastFailure = error.text
        service.note(contactError: error.text, asking: subject)
        let random = Crypto.random32()
        let wait =
            isLost
            ? backoff.lost(random: random)
            : backoff.failed(askedMilliseconds: askedWait, random: random)
        askedWait = 0
        state = .away(until: now + wait)
        if isAwaited { outcome = .failed(error) }
        isAwaited = false
    }

    static func agentError(_ error: ConnectionError) -> AgentError {
        switch error.kind {
        case .unreachable, .broken: .unreachable(error.text)
        case .refused: .refused(error.text)
        }
    }
}
