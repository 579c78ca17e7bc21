import AgentCore
import CPosix
package import Forecasting
import JSONText

/// The running agent: one thread, one poll loop, over the hub, the tills and the clock.
package final class Runner {
    /// Closes the business day by the clock, at so many minutes after the store's midnight.
    package struct ClosingTime: Equatable, Sendable {
        package var minutes: Int

        /// `HH:MM`.
        package init?(text: [UInt8]) {
            guard text.count == 5, text[2] == UInt8(ascii: ":"),
                let hours = decimal(text[0..<2]), let minutes = decimal(text[3..<5]),
                hours < 24, minutes < 60
            else { return nil }
            self.minutes = Int(hours * 60 + minutes)
        }

        /// From a moment to the next one at which a day is over, 1...1440. Where the clocks change
        /// between them an hour less or more.
        package func minutesToNext(from now: Int) -> Int {
            let left = minutes - now
            return left > 0 ? left : left + 24 * 60
        }

        /// The last day that is over at this moment: in the afternoon the day itself, in the morning the one
        /// before (a store that closes after midnight).
        package func dayDue(today: BusinessDay, minutes now: Int) -> BusinessDay {
            let endsSameDay = minutes >= 12 * 60
            let isPast = now >= minutes
            if endsSameDay { return isPast ? today : today.advanced(by: -1) }
            return isPast ? today.advanced(by: -1) : today.advanced(by: -2)
        }
    }

    private let service: AgentService
    private let link: HubLink
    /// Since the last poll.
    private var linkIsReady = true
    private let server: LocalServer
    private let closingTime: ClosingTime?
    private let log: (String) -> Void
    /// Steady milliseconds.
    private var closeDueAt: Int64?
    private var closeCheckedAt: Int64 = 0
    /// When a package that is due may find its window open.
    private var windowDueAt: Int64?
    private var lastLogged: String?
    private var rest = Rest()
    /// Of `HubLink.exchanges`.
    private var exchangesSeen = 0
    private var supervisor: Supervisor
    /// When a token is looked for next, while this device has not joined, or is a copy of one that has.
    private var joinAt: Int64 = 0
    private var joinBackoff = Backoff()
    private let root: String

    /// - Parameter root: in front of the files of the system that may hold a join token.
    package init(
        _ service: AgentService, closingTime: ClosingTime?, root: String = "",
        log: @escaping (String) -> Void
    ) throws(AgentError) {
        self.service = service
        self.closingTime = closingTime
        self.root = root
        self.log = log
        server = try LocalServer(directory: service.store.directory)
        link = HubLink(service, now: AgentClock.steadyMilliseconds())
        supervisor = Supervisor(now: AgentClock.steadyMilliseconds())
    }

    /// Runs until a signal asks to stop.
    /// - Parameter opening: logged first. Whoever has read it may ask to stop.
    /// - Throws: when only a restart can help: the database is damaged.
    package func run(opening: String) throws(AgentError) {
        let signals = shelfcast_catch_signals()
        log(opening)
        supervisor.isReady()
        defer { supervisor.isStopping() }
        while try turn(signals: signals) {}
        try service.settle()
    }

    /// Once around the loop: waits until something happens, and does it.
    /// - Parameters:
    ///   - signals: what `shelfcast_catch_signals` gave; negative for none.
    ///   - waitMax: in milliseconds.
    /// - Returns: false when a signal asks to stop.
    package func turn(signals: Int32 = -1, waitMax: Int32 = .max) throws(AgentError) -> Bool {
        let now = AgentClock.steadyMilliseconds()
        joinIfDue(now: now)
        if service.identity != nil { link.turn(now: now, isReady: linkIsReady) }
        reportOutcome()
        closeByClock(now: now)
        lookAtWindow(now: now)
        if now >= service.settleAt {
            do throws(AgentError) { try service.settle() } catch {
                log("sales that were taken are not on the disk yet: " + error.text)
            }
        }
        logChanges()

        var entries = [
            shelfcast_poll_entry(
                descriptor: signals, wanted: UInt8(SHELFCAST_POLL_READ), ready: 0),
            shelfcast_poll_entry(
                descriptor: server.descriptor,
                wanted: server.clients.count < LocalServer.clientsMax
                    ? UInt8(SHELFCAST_POLL_READ) : 0, ready: 0),
        ]
        let polled = server.clients
        for client in polled {
            // A client that hung up would be ready for ever: it is looked at when its turn comes.
            let wanted = server.wanted(client)
            entries.append(
                shelfcast_poll_entry(
                    descriptor: wanted == 0 ? -1 : client.descriptor, wanted: wanted, ready: 0))
        }
        let interest = link.interest
        if let interest {
            entries.append(
                shelfcast_poll_entry(
                    descriptor: interest.descriptor, wanted: interest.wanted, ready: 0))
        }
        var pause = min(waitMax, wait(from: now))
        // A Ping and its Pong are no work: nothing wakes a second time for them.
        if link.exchanges != exchangesSeen {
            exchangesSeen = link.exchanges
            rest.noteContact()
        }
        let waitsToRest = rest.isWaitedFor(in: pause)
        if waitsToRest { pause = Rest.quietMilliseconds }
        supervisor.pauses(now: now, milliseconds: pause)
        let ready = shelfcast_poll(&entries, entries.count, pause)
        linkIsReady = interest == nil || entries[2 + polled.count].ready != 0
        if waitsToRest, ready == 0 {
            giveMemoryBack()
        }
        for at in 1..<(2 + polled.count) where entries[at].ready != 0 { rest.noteWork() }
        supervisor.pauses(now: AgentClock.steadyMilliseconds(), milliseconds: 0)

        if entries[0].ready != 0, shelfcast_take_signal(signals) == 1 { return false }
        if entries[1].ready != 0 { server.accept() }
        for (index, client) in polled.enumerated() {
            let entry = entries[2 + index]
            // A hang-up shows as ready whatever was wanted; only reading finds it out.
            if entry.ready & UInt8(SHELFCAST_POLL_READ) != 0, !client.isClosing,
                client.outgoing.count < LocalServer.outgoingBytesMax
            {
                server.read(client)
            }
        }
        var waiting: [Waiting] = []
        for client in server.clients { serve(client, &waiting) }
        record(&waiting)
        for client in server.clients { server.write(client) }
        server.sweep(now: AgentClock.steadyMilliseconds())
        tellNews()
        if service.sawDamage { throw .store(.corrupt) }
        return true
    }

    private func giveMemoryBack() {
        service.store.database.releaseMemory()
        shelfcast_release_memory()
        let away = link.awayMilliseconds(from: AgentClock.steadyMilliseconds())
        if rest.come(awayMilliseconds: away) == .heapAndCode { _ = shelfcast_release_code() }
    }

    private func wait(from now: Int64) -> Int32 {
        if server.hasWaitingLines { return 0 }
        var at = min(
            service.identity == nil ? joinAt : link.wakeAt, server.nextClose, service.settleAt)
        if service.isCopy { at = min(at, joinAt) }
        if let closeDueAt { at = min(at, closeDueAt) }
        if let windowDueAt { at = min(at, windowDueAt) }
        return Int32(clamping: max(0, at - now))
    }

    // MARK: Joining by itself

    /// How often a device that has not joined looks for a token.
    static let joinCheckMilliseconds: Int64 = 10_000

    /// Joins with a token that the image, the boot loader or somebody has left for it; and joins anew, as a
    /// device of its own, when it turned out to be a copy.
    private func joinIfDue(now: Int64) {
        guard service.identity == nil || service.isCopy, now >= joinAt else { return }
        joinAt = now + Self.joinCheckMilliseconds
        let directory = service.store.directory
        guard
            let source = TokenSource(
                directory: directory, root: root, alsoUsed: service.isCopy)
        else { return }
        // All of it happens here, and nothing else meanwhile.
        supervisor.pauses(now: now, milliseconds: Joining.millisecondsMax)
        do throws(AgentError) {
            let (identity, repositoryRoot, isApproved) = try Joining.join(
                token: source.token, directory: directory, makesNewKey: service.identity != nil,
                clock: service.clock)
            try service.adopt(
                identity, root: repositoryRoot, configuration: service.configuration)
            source.setAside()
            joinBackoff.succeeded()
            say(
                "joined as " + identity.deviceID + " of store " + identity.store
                    + (isApproved ? "" : "; the hub's operator must approve it"))
            link.startAnew(now: now)
        } catch {
            joinAt =
                now + max(Self.joinCheckMilliseconds, joinBackoff.failed(random: Crypto.random32()))
            say("not joined: " + error.text)
        }
    }

    /// Logs what is new.
    private func say(_ text: String) {
        guard text != lastLogged else { return }
        lastLogged = text
        supervisor.status(text)
        log(text)
    }

    // MARK: Tills and commands

    /// - Parameter waiting: single sales of this client and those before it, to be recorded in one transaction;
    ///   any other line ends such a run.
    private func serve(
        _ client: LocalServer.Client, _ waiting: inout [Waiting]
    ) {
        let lines = server.takeLines(of: client)
        for (index, line) in lines.enumerated() where !line.isEmpty {
            if let plain = PlainSale(line: line) {
                waiting.append(Waiting(client: client, line: line, plain: plain))
                continue
            }
            let request: LocalRequest
            do throws(LocalRequestError) { request = try LocalRequest(line: line) } catch {
                record(&waiting)
                client.answer(AgentService.failure(.usage(error.text)))
                continue
            }
            switch request {
            case .sales(let sales) where sales.count == 1:
                waiting.append(Waiting(client: client, sale: sales[0]))
            case .sales, .closeDay:
                record(&waiting)
                let reply = service.reply(to: request)
                client.answer(reply)
                if case .closeDay = request { noteNews() } else { noteSales(of: reply) }
            case .subscribe:
                record(&waiting)
                subscribe(client)
            case .hello, .stock, .ordered, .forecast, .status, .selfTest, .benchmark:
                record(&waiting)
                client.answer(withConnection(service.reply(to: request), for: request))
            case .sync where service.identity == nil:
                record(&waiting)
                client.answer(AgentService.failure(.notJoined))
            case .sync:
                record(&waiting)
                client.awaitsSync = true
                link.contactNow(now: AgentClock.steadyMilliseconds())
                server.putBack(lines[(index + 1)...], to: client)
                return
            }
        }
    }

    /// One line's sale.
    private struct Waiting {
        let client: LocalServer.Client
        /// Nil, and not read yet, of a plain one.
        private let parsed: JSONValue?
        private let line: [UInt8]
        let plain: PlainSale?

        init(client: LocalServer.Client, sale: JSONValue) {
            (self.client, parsed, line, plain) = (client, sale, [], nil)
        }

        init(client: LocalServer.Client, line: [UInt8], plain: PlainSale) {
            (self.client, parsed, self.line, self.plain) = (client, nil, line, plain)
        }

        var sale: JSONValue {
            if let parsed { return parsed }
            // A plain sale is JSON.
            guard let value = try? JSONValue(parsing: line) else { return .null }
            return value
        }
    }

    /// Records the sales of single lines together, whoever sent them, and answers each line.
    private func record(_ waiting: inout [Waiting]) {
        guard !waiting.isEmpty else { return }
        defer { waiting = [] }
        guard !recordPlainly(waiting) else { return }
        let reply = service.reply(to: .sales(waiting.map { $0.sale }))
        answer(waiting, reply)
    }

    /// The same without JSON in between, where there are plain sales alone.
    /// - Returns: false when nothing was done.
    private func recordPlainly(_ waiting: [Waiting]) -> Bool {
        var plain: [PlainSale] = []
        plain.reserveCapacity(waiting.count)
        for entry in waiting {
            guard let sale = entry.plain else { return false }
            plain.append(sale)
        }
        let outcomes: [SaleOutcome]
        do throws(AgentError) {
            guard let done = try service.record(plain: plain) else { return false }
            outcomes = done
        } catch {
            answer(waiting, AgentService.failure(error))
            return true
        }
        guard outcomes.allSatisfy({ $0 == .recorded }) else {
            var problems: [JSONValue] = []
            answer(
                waiting,
                service.reply(
                    to: outcomes, at: [Int](outcomes.indices), of: outcomes.count, &problems))
            return true
        }
        for entry in waiting {
            entry.client.answer(takenAlone: waiting.count == 1, isDurable: !service.isHolding)
        }
        link.noteSales(outcomes.count, now: AgentClock.steadyMilliseconds())
        return true
    }

    private func answer(_ waiting: [Waiting], _ reply: JSONValue) {
        if waiting.count == 1 || reply["problems"] == nil {
            // All of them went the same way.
            let each = waiting.count == 1 ? reply : perLine(reply)
            for entry in waiting { entry.client.answer(each) }
        } else if case .array(let problems)? = reply["problems"] {
            for (index, entry) in waiting.enumerated() {
                let own = problems.first { $0["index"] == .integer(index) }
                let text = own?["error"]?.utf8.map { String(decoding: $0, as: UTF8.self) }
                entry.client.answer(
                    text.map { AgentService.failure(.failed($0)) }
                        ?? AgentService.ok(service.durability))
            }
        }
        noteSales(of: reply)
    }

    /// What a line among many is told: that it was taken, or why none was.
    private func perLine(_ reply: JSONValue) -> JSONValue {
        reply["ok"] == .bool(true) ? AgentService.ok(service.durability) : reply
    }

    private func noteNews() { link.noteNews(now: AgentClock.steadyMilliseconds()) }

    private func noteSales(of reply: JSONValue) {
        guard case .number(let text)? = reply["recorded"], let recorded = decimal(text),
            recorded > 0
        else { return }
        link.noteSales(Int(recorded), now: AgentClock.steadyMilliseconds())
    }

    private func withConnection(_ reply: JSONValue, for request: LocalRequest) -> JSONValue {
        guard request == .status, case .object(var members) = reply else { return reply }
        members.append(.init("connection", .string(link.stateName)))
        if let bytes = link.carriedBytes {
            members.append(.init("connectionBytes", .integer(Int(bytes))))
        }
        return .object(members)
    }

    /// Says what has happened: alerts come and go as days close, totals arrive, and goods are sold and counted.
    private func tellNews() {
        do throws(AgentError) { _ = try service.currentShelves() } catch {
            // Whoever asks next is told the same.
            return
        }
        let now = AgentClock.steadyMilliseconds()
        for news in service.takeNews() {
            switch news {
            case .alert(let shelf):
                log(AgentService.text(shelf))
                if server.hasSubscribers { server.tell(AgentService.event(shelf), now: now) }
            case .forecasts:
                guard server.hasSubscribers else { continue }
                // Whoever asks is told what is wrong.
                if let event = try? service.forecastEvent() { server.tell(event, now: now) }
            }
        }
    }

    /// Answers with what stands now, and from then on with what happens.
    private func subscribe(_ client: LocalServer.Client) {
        do throws(AgentError) {
            _ = try service.joined()
            let alerts = try service.alerts()
            // What led to it has happened before.
            tellNews()
            guard server.subscribe(client) else {
                throw .busy(
                    "\(LocalServer.subscribersMax) have subscribed already; there is no room for another"
                )
            }
            client.answer(AgentService.ok([.init("alerts", alerts)]))
            if let event = try service.forecastEvent() {
                server.tell(event, to: client, now: AgentClock.steadyMilliseconds())
            }
        } catch { client.answer(AgentService.failure(error)) }
    }

    private func reportOutcome() {
        guard let outcome = link.takeOutcome() else { return }
        for client in server.clients where client.awaitsSync {
            client.awaitsSync = false
            switch outcome {
            case .settled: client.answer(service.reply(to: .status))
            case .failed(let error): client.answer(AgentService.failure(error))
            }
            server.write(client)
        }
    }

    // MARK: The clock

    static let closeCheckMilliseconds: Int64 = 20_000
    /// After a failure, and where the time is not known, the clock is looked at again after so long.
    static let closeRetryMilliseconds: Int64 = 60_000
    /// A clock may be set while a window is waited for.
    static let windowCheckMilliseconds: Int64 = 3_600_000
    /// After a long pause at most so many days are closed; what lies before was not watched.
    static let closesAtOnceMax = 7

    private func closeByClock(now: Int64) {
        guard let closingTime else { return }
        // Nothing wakes for the clock before it is time; whatever else wakes looks at it now and then, in
        // case it was set.
        if let closeDueAt, now < closeDueAt, now < closeCheckedAt + Self.closeCheckMilliseconds {
            return
        }
        closeCheckedAt = now
        closeDueAt = now + Self.closeRetryMilliseconds
        // An unknown time closes nothing; `status` says that the clock is behind.
        guard let today = try? service.today() else { return }
        closeDueAt = now + Int64(closingTime.minutesToNext(from: today.minutes)) * 60_000
        let due = closingTime.dayDue(today: today.day, minutes: today.minutes)
        do throws(AgentError) {
            let last = try service.stored { () throws(StoreError) in
                try service.store.lastOwnClose()
            }
            var day = due
            if let last {
                day = max(last.advanced(by: 1), due.advanced(by: 1 - Self.closesAtOnceMax))
            }
            while day <= due {
                let closing = try service.close(day, isClosedAllDay: false)
                if !closing.wasClosedBefore {
                    log("closed \(day.iso8601) by the clock")
                    noteNews()
                }
                day = day.advanced(by: 1)
            }
        } catch {
            closeDueAt = now + Self.closeRetryMilliseconds
            log("the day could not be closed: " + error.text)
        }
    }

    /// A package that waits for its window of the day is taken up when that opens.
    private func lookAtWindow(now: Int64) {
        guard let milliseconds = service.millisecondsToWindow else {
            windowDueAt = nil
            return
        }
        guard milliseconds == 0 else {
            windowDueAt = now + min(milliseconds, Self.windowCheckMilliseconds)
            return
        }
        windowDueAt = now + Self.closeRetryMilliseconds
        do throws(AgentError) {
            try service.lookAtWindow()
            if let interest = service.millisecondsToWindow {
                windowDueAt = now + interest
            } else {
                windowDueAt = nil
            }
            noteNews()
        } catch {
            log("a package could not be taken up: " + error.text)
        }
    }

    private func logChanges() {
        let now = link.lastFailure ?? (link.stateName == "connected" ? "connected" : nil)
        if let now { say(now) }
    }
}

/// One contact with the hub by a process that then ends.
package enum OneVisit {
    /// Bounds the whole of it, beside the limits of every step.
    static let millisecondsMax: Int64 = 600_000

    package static func run(_ service: AgentService) throws(AgentError) {
        let start = AgentClock.steadyMilliseconds()
        let link = HubLink(service, now: start)
        link.contactNow(now: start)
        while true {
            let now = AgentClock.steadyMilliseconds()
            link.turn(now: now)
            if let outcome = link.takeOutcome() {
                switch outcome {
                case .settled: return
                case .failed(let error): throw error
                }
            }
            guard now - start < millisecondsMax else {
                throw .unreachable("the visit takes too long")
            }
            let wait = Int32(clamping: max(0, link.wakeAt - now))
            guard let interest = link.interest else {
                _ = shelfcast_poll(nil, 0, wait)
                continue
            }
            var entry = shelfcast_poll_entry(
                descriptor: interest.descriptor, wanted: interest.wanted, ready: 0)
            _ = shelfcast_poll(&entry, 1, wait)
        }
    }
}
