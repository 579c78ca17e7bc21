import AgentCore
import AgentRuntime
import Forecasting
import Foundation
import ModelPackage
import SyncProtocol
import TestSupport
import Testing
import UpdateTrust

/// The whole table: every transition of an update, and everything that may happen to it. Each cell runs or says why it cannot
/// happen; Docs/agent.md has the same table.
@Suite("A transition of an update") struct TransitionTests {
    typealias Release = TransitionBench.Release

    /// The releases of one transition: what runs, what comes, and what an operator may want instead.
    struct Cast: Sendable {
        var first: Release
        var second: Release
        var third: Release

        // Made once: a package's coding is chosen with care. That they cannot be made would show in every test.
        private static let sound = try! (1...3).map { try TransitionBench.release($0) }
        private static let worse = try! TransitionBench.release(2, isWorse: true)
        private static let wrong = try! TransitionBench.release(2, isWrong: true)

        init(isWorse: Bool = false, isWrong: Bool = false) {
            (first, third) = (Self.sound[0], Self.sound[2])
            second = isWorse ? Self.worse : isWrong ? Self.wrong : Self.sound[1]
        }
    }

    /// One row.
    struct Transition: Sendable, CustomTestStringConvertible {
        /// What takes it from one state to the next.
        enum Cause: Sendable {
            case contact
            case day
            case start
        }

        /// A package's code that ends the agent, and how often until its place is taken away.
        enum Crash: Sendable {
            /// The candidate's, while it forecasts beside.
            case beside
            /// The candidate's, while it becomes the active one.
            case activating
            /// The former one's, which runs again: the one before it has three ends to itself, and so has it.
            case former

            var trigger: (table: String, condition: String) {
                switch self {
                case .beside: ("besideForecast", "1")
                case .activating: ("forecast", "NEW.release = 2")
                case .former: ("forecast", "NEW.release = 1")
                }
            }
        }

        var testDescription: String { name }
        let name: String
        /// The states before and after it, as stored.
        let (from, to): (String, String)
        let cause: Cause
        /// What runs before it, after it, and when all has gone on to the end; 0: none.
        let runs: [UInt64]
        /// Where in a package's code the agent may end; nil: no package's code runs in it.
        let crash: Crash?
        let cast: @Sendable () -> Cast
        let arrange: @Sendable (TransitionBench, Cast) throws -> Void
        /// What makes it happen; may be done again.
        let act: @Sendable (TransitionBench, Cast) throws -> Void

        init(
            _ name: String, from: String, to: String, by cause: Cause = .contact, runs: [UInt64],
            crash: Crash? = nil,
            cast: @escaping @Sendable () -> Cast = { Cast() },
            arrange: @escaping @Sendable (TransitionBench, Cast) throws -> Void,
            act: @escaping @Sendable (TransitionBench, Cast) throws -> Void
        ) {
            (self.name, self.from, self.to, self.cause) = (name, from, to, cause)
            (self.runs, self.crash) = (runs, crash)
            (self.cast, self.arrange, self.act) = (cast, arrange, act)
        }

        /// How often the package ends the agent before its place is taken away.
        var crashes: Int { crash == .former ? 6 : 3 }

        /// A new bench in the state before.
        func arranged() throws -> (TransitionBench, Cast) {
            let (bench, cast) = (try TransitionBench(), self.cast())
            try arrange(bench, cast)
            #expect(try bench.stored().name == from, "\(name)")
            return (bench, cast)
        }

        func ranBefore(_ cast: Cast) -> Release? { release(runs[0], cast) }
        func runsAfter(_ cast: Cast) -> Release? { release(runs[1], cast) }
        func runsInTheEnd(_ cast: Cast) -> Release? { release(runs[2], cast) }

        private func release(_ number: UInt64, _ cast: Cast) -> Release? {
            [cast.first, cast.second, cast.third].first { $0.number == number }
        }
    }

    // MARK: Rows

    static func work(_ bench: TransitionBench, _ cast: Cast) throws {
        try bench.offer(cast.first)
        try bench.contact()
    }

    /// The second release on its way, without its last piece.
    static func almostFetch(
        _ bench: TransitionBench, _ cast: Cast, trialDays: UInt32 = 2, inWindow: Bool = true
    ) throws {
        try bench.offer(cast.second, trialDays: trialDays, inWindow: inWindow)
        bench.hub.piecesLeft = 5
        try bench.contact()
        bench.hub.piecesLeft = nil
    }

    static func fetchAll(_ bench: TransitionBench, _ cast: Cast) throws {
        try bench.offer(cast.second, trialDays: 2, inWindow: true)
        try bench.contact()
    }

    /// A power cut at the first write behind which the database is in this state.
    static func cut(_ bench: TransitionBench, in state: String) throws {
        for write in 1...200 {
            let fork = try bench.fork()
            _ = try fork.started()
            fork.disk.fail(at: write, with: EIO)
            try? fork.contact()
            fork.end()
            fork.disk.mend()
            guard try fork.stored().name == state else { continue }
            _ = try bench.started()
            bench.disk.fail(at: write, with: EIO)
            try? bench.contact()
            bench.end()
            bench.disk.mend()
            return
        }
        Issue.record("nothing leaves the database in \(state)")
    }

    static let rows: [Transition] = [
        Transition(
            "idle → fetching", from: "idle", to: "fetching", runs: [1, 1, 2],
            arrange: { bench, cast in try work(bench, cast) },
            act: { bench, cast in
                try bench.offer(cast.second, trialDays: 2, inWindow: true)
                bench.hub.piecesLeft = 0
                try bench.contact()
                bench.hub.piecesLeft = nil
            }),
        Transition(
            "fetching, a piece", from: "fetching", to: "fetching", runs: [1, 1, 2],
            arrange: { bench, cast in
                try work(bench, cast)
                try bench.offer(cast.second, trialDays: 2, inWindow: true)
                bench.hub.piecesLeft = 1
                try bench.contact()
            },
            act: { bench, _ in
                bench.hub.piecesLeft = 1
                try bench.contact()
                bench.hub.piecesLeft = nil
            }),
        Transition(
            "fetching → verified → proving → beside", from: "fetching", to: "beside",
            runs: [1, 1, 2], crash: .beside,
            arrange: { bench, cast in
                try work(bench, cast)
                try almostFetch(bench, cast)
            }, act: { bench, _ in try bench.contact() }),
        Transition(
            "verified → proving", from: "verified", to: "beside", by: .start, runs: [1, 1, 2],
            crash: .beside,
            arrange: { bench, cast in
                try work(bench, cast)
                try almostFetch(bench, cast)
                try cut(bench, in: "verified")
            }, act: { bench, _ in _ = try bench.started() }),
        Transition(
            "proving → beside", from: "proving", to: "beside", by: .start, runs: [1, 1, 2],
            crash: .beside,
            arrange: { bench, cast in
                try work(bench, cast)
                try almostFetch(bench, cast)
                try cut(bench, in: "proving")
            }, act: { bench, _ in _ = try bench.started() }),
        Transition(
            "beside → due", from: "beside", to: "due", by: .day, runs: [1, 1, 2],
            crash: .beside,
            arrange: { bench, cast in
                try work(bench, cast)
                try fetchAll(bench, cast)
                try bench.live(TestPackage.day(1))
            }, act: { bench, _ in try bench.live(TestPackage.day(2)) }),
        Transition(
            "due → active", from: "due", to: "idle", runs: [1, 2, 2], crash: .activating,
            arrange: { bench, cast in
                try work(bench, cast)
                try fetchAll(bench, cast)
                for day in 1...2 { try bench.live(TestPackage.day(day)) }
            },
            act: { bench, _ in
                bench.hub.timeMilliseconds = TransitionBench.night
                try bench.contact()
            }),
        Transition(
            "beside → active", from: "beside", to: "idle", by: .day, runs: [1, 2, 2],
            crash: .activating,
            arrange: { bench, cast in
                try work(bench, cast)
                try bench.offer(cast.second, trialDays: 2)
                try bench.contact()
                try bench.live(TestPackage.day(1))
            }, act: { bench, _ in try bench.live(TestPackage.day(2)) }),
        Transition(
            "proving → active, the first one", from: "fetching", to: "idle", runs: [0, 2, 2],
            crash: .activating,
            arrange: { bench, cast in try almostFetch(bench, cast) },
            act: { bench, _ in try bench.contact() }),
        Transition(
            "proving → refused", from: "fetching", to: "idle", runs: [1, 1, 1],
            cast: { Cast(isWrong: true) },
            arrange: { bench, cast in
                try work(bench, cast)
                try almostFetch(bench, cast)
            }, act: { bench, _ in try bench.contact() }),
        Transition(
            "beside → refused", from: "beside", to: "idle", by: .day, runs: [1, 1, 1],
            crash: .beside, cast: { Cast(isWorse: true) },
            arrange: { bench, cast in
                try work(bench, cast)
                try fetchAll(bench, cast)
                bench.hub.contexts = [Context(revision: 1)]
            }, act: { bench, _ in try bench.live(TestPackage.day(1)) }),
        Transition(
            "active broken → rolled back", from: "idle", to: "idle", by: .start, runs: [2, 1, 1],
            crash: .former,
            arrange: { bench, cast in
                try work(bench, cast)
                try bench.offer(cast.second)
                try bench.contact()
                bench.hub.desired = DesiredState(desire: .stayAsYouAre)
                try bench.started().store.database.run(
                    "UPDATE packageSlot SET content = zeroblob(100) WHERE digest = ?",
                    [.blob(cast.second.digest)])
            }, act: { bench, _ in _ = try bench.started() }),
        Transition(
            "active → taken back", from: "idle", to: "idle", runs: [2, 1, 1], crash: .former,
            arrange: { bench, cast in
                try work(bench, cast)
                try bench.offer(cast.second)
                try bench.contact()
            },
            act: { bench, cast in
                bench.hub.desired = DesiredState(
                    desire: .goBack, reason: "worse", digest: cast.second.digest)
                try bench.contact()
            }),
        Transition(
            "beside → withdrawn", from: "beside", to: "idle", runs: [1, 1, 1],
            arrange: { bench, cast in
                try work(bench, cast)
                try fetchAll(bench, cast)
            },
            act: { bench, _ in
                bench.hub.desired = DesiredState(desire: .stayAsYouAre)
                try bench.contact()
            }),
    ]

    // MARK: What goes on after each cell

    /// Nothing is in the way any more: contacts, and days, until the update is over.
    static func finish(_ bench: TransitionBench) throws {
        bench.disk.mend()
        (bench.hub.piecesLeft, bench.hub.answersLeft, bench.hub.losesReports) = (nil, nil, false)
        bench.hub.timeMilliseconds = TransitionBench.night
        for _ in 0..<6 {
            try bench.contact()
            guard try bench.started().update.phase != .idle else { break }
            try bench.liveDay()
        }
        try bench.contact()
    }

    static func finishAndCheck(
        _ bench: TransitionBench, _ row: Transition, _ cast: Cast, mayRepeat: Bool = false,
        _ place: String
    ) throws {
        try finish(bench)
        try bench.check(
            runs: row.runsInTheEnd(cast), known: [cast.first, cast.second],
            mayRepeat: mayRepeat, place)
        let told = bench.outcomes(of: cast.second)
        switch (row.runs[2], row.name) {
        case (2, _):
            #expect(
                told.last == .active, "\(place): \(told) \(bench.hub.reports.last?.reason ?? "")")
        case (_, "proving → refused"), (_, "beside → refused"):
            #expect(told.last == .refused, "\(place): \(told)")
            try staysAway(bench, cast, place)
        case (_, "active → taken back"):
            #expect(told.last == .rolledBack, "\(place): \(told)")
            try staysAway(bench, cast, place)
        case (_, "active broken → rolled back"):
            #expect(told.last == .rolledBack, "\(place): \(told)")
        default: #expect(told.allSatisfy { $0 == .trial }, "\(place): \(told)")
        }
    }

    /// What was refused, or taken back, is not fetched again, whatever the hub wants.
    static func staysAway(_ bench: TransitionBench, _ cast: Cast, _ place: String) throws {
        let (fetches, runs) = (bench.hub.fetches, try bench.started().running)
        try bench.offer(cast.second)
        for _ in 0..<2 {
            try bench.contact()
            bench.end()
        }
        #expect(bench.hub.fetches == fetches, "\(place)")
        #expect(try bench.started().running == runs, "\(place)")
        #expect(try bench.started().update.phase == .idle, "\(place)")
    }

    /// As a process that ended there leaves it: with whose code was at work.
    static func kill(_ bench: TransitionBench) {
        let mark = bench.disk.mark
        bench.end()
        bench.disk.mend()
        if let mark, mark != .none { mark.mark(in: bench.disk.folder.path) }
    }

    /// A working package runs wherever one ran before.
    static func expectRunning(_ bench: TransitionBench, _ row: Transition, _ place: String) throws {
        guard row.runs[0] != 0 else { return }
        #expect(try bench.started().running != nil, "\(place)")
    }

    private func expect(_ bench: TransitionBench, _ state: String, runs: Release?) throws {
        let service = try bench.started()
        #expect(service.update.name == state)
        #expect(service.running?.release == runs?.number)
    }

    // MARK: The table

    private static let header = [
        "step", "killed before it, behind it, at any write; power cut or error at any write",
        "connection lost at any answer, or silence", "its reports lost for a day", "withdrawn",
        "taken back", "another offered", "its package ends the agent each time",
        "cut short at one write each time",
    ]

    private static func cells(_ row: Transition) -> [String] {
        var cells: [String] = [row.name, "goes on"]
        cells.append(row.cause == .start ? "no hub in it" : "goes on")
        cells.append("goes on")
        for abort in Abort.allCases {
            let before = ending(row, abort, isBehind: false).rawValue
            let behind = ending(row, abort, isBehind: true).rawValue
            let isOne = row.cause == .start || before == behind
            cells.append(isOne ? behind : "\(before); behind it: \(behind)")
        }
        switch row.crash {
        case nil: cells.append("no package's code runs")
        case .beside, .activating: cells.append("refused after \(row.crashes)")
        case .former: cells.append("no package runs after \(row.crashes)")
        }
        cells.append(row.runs[2] == 2 ? "goes on, or refused after 3" : "goes on")
        return cells
    }

    private static func line(_ cells: [String]) -> String {
        var line = "|"
        for cell in cells { line += " " + cell + " |" }
        return line + "\n"
    }

    @Test("is in the agent's documentation as it is tried here")
    func documented() throws {
        let text = try String(
            contentsOf: StockPython.root.appending(path: "Docs/agent.md"), encoding: .utf8)
        var table: String = Self.line(Self.header)
        table += "|" + String(repeating: "---|", count: Self.header.count) + "\n"
        for row in Self.rows { table += Self.line(Self.cells(row)) }
        #expect(text.contains(table), "Docs/agent.md must have this table:\n\(table)")
    }

    // MARK: Columns

    @Test("goes from one state to the next", arguments: rows)
    func undisturbed(row: Transition) throws {
        let (bench, cast) = try row.arranged()
        try row.act(bench, cast)
        try expect(bench, row.to, runs: row.runsAfter(cast))
        try Self.finishAndCheck(bench, row, cast, row.name)
    }

    @Test("goes on after a kill before it, and after a kill behind it", arguments: rows)
    func killedAround(row: Transition) throws {
        let (bench, cast) = try row.arranged()
        if row.cause != .start {
            try expect(bench, row.from, runs: row.ranBefore(cast))
            bench.end()
        }
        try row.act(bench, cast)
        bench.end()
        #expect(try bench.stored().name == row.to)
        try expect(bench, row.to, runs: row.runsAfter(cast))
        try Self.finishAndCheck(bench, row, cast, row.name)
    }

    /// What is done to a write.
    enum Blow: String, CaseIterable, Sendable {
        case kill = "a kill"
        case powerCut = "a power cut"
        case error = "an error"
    }

    @Test(
        "goes on after a kill, a power cut or an error at any write of it", arguments: rows,
        Blow.allCases)
    func everyWrite(row: Transition, blow: Blow) throws {
        let (bench, cast) = try row.arranged()
        var random = SeededGenerator(seed: 6)
        // Every write meets a power cut, every third one of each the others.
        for write in stride(from: 1, to: 1_000, by: blow == .powerCut ? 1 : 3) {
            let place = "\(row.name), \(blow.rawValue) at write \(write)"
            let fork = try bench.fork()
            if row.cause != .start { _ = try fork.started() }
            fork.disk.fail(at: write, with: blow == .error ? ENOSPC : EIO, lasts: blow != .error)
            do { try row.act(fork, cast) } catch {
                try #require(fork.disk.failures > 0, "\(place): \(error)")
            }
            let wasHit = fork.disk.failures > 0
            switch blow {
            case .kill: Self.kill(fork)
            case .powerCut:
                fork.end()
                try fork.disk.lose(seed: random.next())
            case .error: break
            }
            fork.disk.mend()
            try Self.expectRunning(fork, row, place)
            try row.act(fork, cast)
            try Self.expectRunning(fork, row, place)
            try Self.finishAndCheck(fork, row, cast, mayRepeat: true, place)
            guard wasHit else { return }
        }
        Issue.record("\(row.name) never comes to an end")
    }

    @Test(
        "goes on after the connection was lost at any answer of it",
        arguments: rows.filter { $0.cause != .start }, [false, true])
    func everyAnswer(row: Transition, isLostOnItsWay: Bool) throws {
        let (bench, cast) = try row.arranged()
        for answers in 0...100 {
            let place = "\(row.name), cut after \(answers) answers"
            let fork = try bench.fork()
            fork.hub.answersLeft = answers
            fork.hub.cutsAnswers = isLostOnItsWay
            try row.act(fork, cast)
            let wasHit = fork.hub.answersLeft == 0
            (fork.hub.answersLeft, fork.hub.cutsAnswers) = (nil, false)
            try Self.expectRunning(fork, row, place)
            try row.act(fork, cast)
            try Self.finishAndCheck(fork, row, cast, mayRepeat: isLostOnItsWay, place)
            guard wasHit else { return }
        }
        Issue.record("\(row.name) never comes to an end")
    }

    @Test("is as it is when its reports are lost for a day", arguments: rows)
    func lostReports(row: Transition) throws {
        let (bench, cast) = try row.arranged()
        let before = bench.hub.reports.count
        bench.hub.losesReports = true
        try row.act(bench, cast)
        try expect(bench, row.to, runs: row.runsAfter(cast))
        for _ in 0..<5 { try bench.contact() }
        let closed = bench.hub.closedDays.count
        try bench.liveDay()
        bench.end()
        try bench.contact()
        // The day's sales are there, the forecasts of the next day too, and the hub has still heard nothing.
        #expect(bench.hub.closedDays.count == closed + 1)
        try bench.expectForecasts(row.name)
        #expect(bench.hub.reports.count == before)
        try Self.finishAndCheck(bench, row, cast, row.name)
    }

    /// How the hub breaks an update off.
    enum Abort: String, CaseIterable, Sendable {
        case withdrawn
        case takenBack = "taken back"
        case another = "another offered"
    }

    /// How that ends.
    enum Ending: String, Sendable {
        case stays = "nothing to do"
        case forgotten
        case refused
        case goesBack = "the former runs"
        case replaced = "the other instead"
    }

    static func ending(_ row: Transition, _ abort: Abort, isBehind: Bool) -> Ending {
        let isOnItsWay = (isBehind ? row.to : row.from) != "idle"
        let runsSecond = row.runs[isBehind ? 1 : 0] == 2
        switch abort {
        case .withdrawn: return isOnItsWay ? .forgotten : .stays
        // Without a former one the one there is goes on.
        case .takenBack:
            return isOnItsWay ? .refused : runsSecond && row.runs[0] != 0 ? .goesBack : .stays
        case .another: return .replaced
        }
    }

    @Test(
        "breaks off when the hub wants it, before it and behind it", arguments: rows,
        Abort.allCases)
    func aborted(row: Transition, abort: Abort) throws {
        let (bench, cast) = try row.arranged()
        // A start makes its transition before any hub can speak.
        for isBehind in row.cause == .start ? [true] : [false, true] {
            let place = "\(row.name), \(abort.rawValue) \(isBehind ? "behind" : "before") it"
            let ending = Self.ending(row, abort, isBehind: isBehind)
            let fork = try bench.fork()
            if isBehind { try row.act(fork, cast) }
            let ran = isBehind ? row.runsAfter(cast) : row.ranBefore(cast)
            let wasRefused = try fork.started().store.refused(cast.second.digest) != nil
            switch abort {
            case .withdrawn: fork.hub.desired = DesiredState(desire: .stayAsYouAre)
            case .takenBack:
                fork.hub.desired = DesiredState(
                    desire: .goBack, reason: "paused", digest: cast.second.digest)
            case .another: try fork.offer(cast.third)
            }
            for _ in 0..<2 {
                try fork.contact()
                fork.end()
            }
            try Self.finish(fork)
            let told = fork.outcomes(of: cast.second)
            let isRefused = try fork.started().store.refused(cast.second.digest) != nil
            switch ending {
            case .stays, .forgotten:
                let known = ending == .stays ? [cast.first, cast.second] : [cast.first]
                try fork.check(runs: ran, known: known, place)
                #expect(isRefused == wasRefused, "\(place)")
            case .refused:
                try fork.check(runs: ran, known: [cast.first], place)
                #expect(told.last == .refused, "\(place): \(told)")
                try Self.staysAway(fork, cast, place)
            case .goesBack:
                try fork.check(runs: cast.first, known: [cast.first], place)
                #expect(told.last == .rolledBack, "\(place): \(told)")
                try Self.staysAway(fork, cast, place)
            case .replaced:
                let former = ran.map { [$0] } ?? []
                try fork.check(
                    runs: cast.third, known: former + [cast.third], place)
                #expect(isRefused == wasRefused, "\(place)")
            }
        }
    }

    @Test(
        "whose package ends the agent again and again takes that package's place away, and the agent goes on",
        arguments: rows.filter { $0.crash != nil })
    func crashLoop(row: Transition) throws {
        let (bench, cast) = try row.arranged()
        let crash = try #require(row.crash)
        try bench.endWhileForecasting(into: crash.trigger.table, when: crash.trigger.condition)
        var crashes = 0
        for _ in 0..<20 {
            let before = bench.disk.failures
            // What is thrown is the end.
            try? row.act(bench, cast)
            if bench.disk.failures == before { try? bench.liveDay() }
            guard bench.disk.failures > before else { break }
            crashes += 1
            Self.kill(bench)
        }
        #expect(crashes == row.crashes)
        try bench.endNoMore()
        bench.hub.desired = DesiredState(desire: .stayAsYouAre)
        try Self.finish(bench)
        switch crash {
        case .beside, .activating:
            try bench.check(
                runs: row.ranBefore(cast), known: [cast.first], mayRepeat: true, row.name)
            #expect(bench.outcomes(of: cast.second).last == .refused)
            try Self.staysAway(bench, cast, row.name)
        case .former:
            try bench.check(
                runs: nil, known: [cast.first, cast.second], mayRepeat: true, row.name)
            #expect(bench.outcomes(of: cast.first).last == .rolledBack)
        }
    }

    @Test(
        "that is cut short at the same write again and again comes to an end", arguments: rows)
    func rebootLoop(row: Transition) throws {
        let (bench, cast) = try row.arranged()
        for write in stride(from: 1, to: 1_000, by: 5) {
            let place = "\(row.name), six ends at write \(write)"
            let fork = try bench.fork()
            var wasHit = false
            for _ in 0..<6 {
                let before = fork.disk.failures
                fork.disk.fail(at: write, with: EIO)
                // What is thrown is the end.
                try? row.act(fork, cast)
                guard fork.disk.failures > before else { break }
                wasHit = true
                Self.kill(fork)
                try Self.expectRunning(fork, row, place)
                fork.end()
            }
            try Self.again(fork, row, cast)
            try Self.finish(fork)
            // It came through, or was refused for good; what ran before runs in any case.
            let isRefused = try fork.started().store.refused(cast.second.digest) != nil
            let runs =
                isRefused && row.runs[2] == 2 ? row.ranBefore(cast) : row.runsInTheEnd(cast)
            try fork.check(
                runs: runs, known: [cast.first, cast.second], mayRepeat: true, place)
            if isRefused { try Self.staysAway(fork, cast, place) }
            guard wasHit else { return }
        }
        Issue.record("\(row.name) never comes to an end")
    }

    private static func again(_ bench: TransitionBench, _ row: Transition, _ cast: Cast) throws {
        bench.disk.mend()
        try row.act(bench, cast)
    }
}
