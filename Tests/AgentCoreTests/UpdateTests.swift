import AgentCore
import Forecasting
import Testing
import UpdateTrust

@Suite("An update")
struct UpdateTests {
    static func candidate(_ number: UInt8) -> Candidate {
        // Every field is there, so this cannot throw.
        let stated = try! StatedPackage(
            digest: [UInt8](repeating: number, count: 32), packageBytes: 100, arenaBytes: 1000,
            release: UInt64(number), family: "f", variant: "v", store: "")
        return Candidate(stated: stated)
    }

    static let a = candidate(1)
    static let b = candidate(2)
    static let bad = RefusalReason.package("its golden vectors fail")

    /// 2024-01-01.
    static let monday = BusinessDay(daysSince1970: 19_723)
    static let week = UpdateTerms(trialDays: 7)

    static func proving(_ attempts: Int = 1) -> Update.Phase {
        .trial(a, .proving(attempts: attempts))
    }

    /// On trial beside the active one, `days` days after its first, of which `compared` could be compared.
    static func beside(_ compared: Int, days: Int? = nil) -> Update.Phase {
        .trial(
            a,
            .beside(
                compared: compared, since: monday,
                through: monday.advanced(by: (days ?? compared) - 1)))
    }

    /// Every state, by a name.
    static let states: [(name: String, phase: Update.Phase)] = [
        ("idle", .idle), ("fetching", .fetching(a)), ("verified", .verified(a)),
        ("proving", proving()), ("beside", beside(3)), ("due", .trial(a, .due)),
    ]

    /// Every event, by a name.
    static let events: [(name: String, event: Update.Event)] = [
        ("offered", .offered(a, week)), ("another offered", .offered(b, week)),
        ("withdrawn", .withdrawn),
        ("taken back", .takenBack("r", isActive: false, otherSlotIsUsable: true)),
        ("active taken back", .takenBack("r", isActive: true, otherSlotIsUsable: true)),
        ("active taken back, no other", .takenBack("r", isActive: true, otherSlotIsUsable: false)),
        ("fetched", .fetched), ("checked", .checked), ("proved", .proved(on: monday)),
        ("compared", .compared(monday.advanced(by: 3), .notWorse)),
        ("silent day", .compared(monday.advanced(by: 3), .silent)),
        ("worse", .compared(monday.advanced(by: 3), .worse("w"))),
        ("old day", .compared(monday.advanced(by: 2), .worse("w"))),
        ("looked", .looked), ("failed", .failed(bad)),
        ("broken", .activeBroken("x", otherSlotIsUsable: true)),
        ("broken, no other", .activeBroken("x", otherSlotIsUsable: false)),
        ("crashed", .crashed(inTrial: false, otherSlotIsUsable: true)),
        ("crashed on trial", .crashed(inTrial: true, otherSlotIsUsable: true)),
        ("went well", .wentWell), ("restarted", .restarted),
    ]

    struct Outcome: Sendable {
        var phase: Update.Phase
        var action: Update.Action
        var active: Slot?
        init(_ phase: Update.Phase, _ action: Update.Action, active: Slot? = .first) {
            (self.phase, self.action, self.active) = (phase, action, active)
        }
    }

    static let refusedBack = Outcome(.idle, .refuse(a, .package("r")))
    static let activatedAsBroken = Outcome(
        .idle, .activated(a, in: .second, because: "the active package broke: x"), active: .second)

    /// Nothing to go back to, and the candidate is in no slot that stays.
    static let brokenBelow = Outcome(
        .fetching(a), .rolledBack(to: nil, reason: "x", isFinal: false), active: nil)

    /// What changes something, with the first slot active, a week's trial and the window open. Every other pair of a state and
    /// an event changes nothing.
    static let outcomes: [String: [String: Outcome]] = [
        "idle": [
            "offered": Outcome(.fetching(a), .fetch(a)),
            "another offered": Outcome(.fetching(b), .fetch(b)),
        ],
        "fetching": [
            "another offered": Outcome(.fetching(b), .discard),
            "withdrawn": Outcome(.idle, .discard), "taken back": refusedBack,
            "fetched": Outcome(.fetching(a), .check(a)),
            "checked": Outcome(.verified(a), .nothing),
            "failed": Outcome(.idle, .refuse(a, bad)),
            "restarted": Outcome(.fetching(a), .fetch(a)),
        ],
        "verified": [
            "another offered": Outcome(.fetching(b), .discard),
            "withdrawn": Outcome(.idle, .discard), "taken back": refusedBack,
            "failed": Outcome(.idle, .refuse(a, bad)),
            "restarted": Outcome(proving(), .prove(a)),
            "broken": brokenBelow, "broken, no other": brokenBelow,
        ],
        "proving": [
            "another offered": Outcome(.fetching(b), .discard),
            "withdrawn": Outcome(.idle, .discard), "taken back": refusedBack,
            "proved": Outcome(beside(0), .compare(a)),
            "failed": Outcome(.idle, .refuse(a, bad)),
            "restarted": Outcome(proving(2), .prove(a)),
            "broken": brokenBelow, "broken, no other": brokenBelow,
        ],
        "beside": [
            "another offered": Outcome(.fetching(b), .discard),
            "withdrawn": Outcome(.idle, .discard), "taken back": refusedBack,
            "compared": Outcome(beside(4), .nothing),
            "silent day": Outcome(beside(3, days: 4), .nothing),
            "worse": Outcome(.idle, .refuse(a, .package("w"))),
            "failed": Outcome(.idle, .refuse(a, bad)), "broken": activatedAsBroken,
            "broken, no other": brokenBelow,
        ],
        "due": [
            "offered": Outcome(
                .idle, .activated(a, in: .second, because: "its window has opened"),
                active: .second),
            "another offered": Outcome(.fetching(b), .discard),
            "withdrawn": Outcome(.idle, .discard), "taken back": refusedBack,
            "looked": Outcome(
                .idle, .activated(a, in: .second, because: "its window has opened"),
                active: .second),
            "failed": Outcome(.idle, .refuse(a, bad)), "broken": activatedAsBroken,
            "broken, no other": brokenBelow,
        ],
    ]

    /// In every state alike, unless its own table says otherwise.
    static func anywhere(_ event: String, _ phase: Update.Phase) -> Outcome? {
        switch event {
        case "active taken back":
            Outcome(phase, .rolledBack(to: .second, reason: "r", isFinal: true), active: .second)
        case "broken":
            Outcome(phase, .rolledBack(to: .second, reason: "x", isFinal: false), active: .second)
        case "broken, no other":
            Outcome(phase, .rolledBack(to: nil, reason: "x", isFinal: false), active: nil)
        default: nil
        }
    }

    @Test(
        "does in each state what its table says of each event, and nothing where it says nothing",
        arguments: states.indices)
    func table(_ index: Int) {
        let state = Self.states[index]
        for (name, event) in Self.events {
            var update = Update(phase: state.phase, active: .first, terms: Self.week)
            let action = update.handle(event)
            let expected =
                Self.outcomes[state.name]?[name] ?? Self.anywhere(name, state.phase)
                ?? Outcome(state.phase, .nothing)
            #expect(action == expected.action, "\(state.name), \(name)")
            #expect(update.phase == expected.phase, "\(state.name), \(name)")
            #expect(update.active == expected.active, "\(state.name), \(name)")
        }
    }

    @Test("a proving cut short three times is blamed on the package")
    func provingCutShort() {
        var update = Update(phase: Self.proving(3), active: .first)
        #expect(
            update.handle(.restarted)
                == .refuse(
                    Self.a, .package("its trial was cut short 3 times: it may crash the agent")))
        #expect(update.phase == .idle)
    }

    @Test(
        "with nothing active, or without a trial, what is proved is active; the window is for what replaces something"
    )
    func withoutTrial() {
        var first = Update(phase: Self.proving(), active: nil, terms: Self.week)
        let now = first.handle(.proved(on: Self.monday), windowIsOpen: false)
        #expect(now == .activated(Self.a, in: .first, because: "proved"))
        var second = Update(phase: Self.proving(), active: .first)
        #expect(second.handle(.proved(on: Self.monday), windowIsOpen: false) == .nothing)
        #expect(second.phase == .trial(Self.a, .due))
        #expect(second.handle(.looked, windowIsOpen: false) == .nothing)
        #expect(
            second.handle(.looked)
                == .activated(Self.a, in: .second, because: "its window has opened"))
    }

    @Test(
        "a week of days no worse makes it active, and days without sales are waited for, not for ever"
    )
    func trialEnds() {
        var update = Update(phase: Self.beside(6), active: .first, terms: Self.week)
        #expect(
            update.handle(.compared(Self.monday.advanced(by: 6), .notWorse))
                == .activated(Self.a, in: .second, because: "no worse on 7 compared days"))
        var silent = Update(phase: Self.beside(0), active: .first, terms: Self.week)
        for day in 0..<20 {
            #expect(silent.handle(.compared(Self.monday.advanced(by: day), .silent)) == .nothing)
        }
        #expect(
            silent.handle(.compared(Self.monday.advanced(by: 20), .silent))
                == .activated(
                    Self.a, in: .second,
                    because: "in 21 days only 0 could be compared, and none was worse"))
    }

    @Test("other terms for the same package end a trial that is long enough for them")
    func shorterTerms() {
        var update = Update(phase: Self.beside(3), active: .first, terms: Self.week)
        #expect(update.handle(.offered(Self.a, UpdateTerms(trialDays: 5))) == .nothing)
        #expect(update.terms.trialDays == 5)
        #expect(
            update.handle(.offered(Self.a, UpdateTerms(trialDays: 3)))
                == .activated(Self.a, in: .second, because: "no worse on 3 compared days"))
    }

    @Test(
        "a package that takes the agent down three times in a row loses its place; one that recovers does not"
    )
    func crashLoop() {
        let crash = Update.Event.crashed(inTrial: false, otherSlotIsUsable: true)
        var active = Update(active: .first)
        #expect(active.handle(crash) == .nothing && active.handle(crash) == .nothing)
        #expect(active.handle(.wentWell) == .nothing)
        #expect(active.handle(crash) == .nothing && active.handle(crash) == .nothing)
        let text = "the agent ended 3 times in a row while it worked"
        #expect(active.handle(crash) == .rolledBack(to: .second, reason: text, isFinal: true))
        #expect(active == Update(active: .second))

        // With nowhere to go none runs: the agent must get as far as selling. It may come anew.
        let crashAlone = Update.Event.crashed(inTrial: false, otherSlotIsUsable: false)
        var alone = Update(active: .first)
        #expect(alone.handle(crashAlone) == .nothing && alone.handle(crashAlone) == .nothing)
        #expect(alone.handle(crashAlone) == .rolledBack(to: nil, reason: text, isFinal: false))
        #expect(alone == Update() && alone.handle(crashAlone) == .nothing && alone == Update())
        // A candidate that is proved takes over; one that is not goes on proving itself.
        for (phase, takesOver) in [
            (Self.beside(2), true), (.trial(Self.a, .due), true), (Self.proving(), false),
            (.verified(Self.a), false),
        ] {
            var update = Update(phase: phase, active: .first, terms: Self.week, crashes: 2)
            let action = update.handle(crashAlone)
            #expect(
                action
                    == (takesOver
                        ? .activated(
                            Self.a, in: .second, because: "the active package broke: " + text)
                        : .rolledBack(to: nil, reason: text, isFinal: false)))
            #expect(update.phase == (takesOver ? .idle : .fetching(Self.a)))
        }

        // No day is closed beside it, so a trial would never end.
        for phase in [Self.beside(0), .trial(Self.a, .due)] {
            var beside = Update(phase: phase, active: .first, terms: Self.week)
            let crashBeside = Update.Event.crashed(inTrial: false, otherSlotIsUsable: false)
            #expect(beside.handle(crashBeside) == .nothing)
            #expect(beside.handle(crashBeside) == .nothing)
            #expect(
                beside.handle(crashBeside)
                    == .activated(
                        Self.a, in: .second, because: "the active package broke: " + text))
            #expect(beside == Update(active: .second, terms: Self.week))
        }

        var onTrial = Update(phase: Self.beside(2), active: .first, terms: Self.week)
        let crashOnTrial = Update.Event.crashed(inTrial: true, otherSlotIsUsable: false)
        #expect(
            onTrial.handle(crashOnTrial) == .nothing && onTrial.handle(crashOnTrial) == .nothing)
        #expect(onTrial.handle(crashOnTrial) == .refuse(Self.a, .package(text)))
        #expect(onTrial.phase == .idle && onTrial.active == .first)
    }

    @Test(
        "killed after any step is taken up again and ends active, with a trial and without",
        arguments: [0, 2])
    func killedAnywhere(trialDays: Int) {
        let terms = UpdateTerms(trialDays: trialDays)
        // What the caller does of its own accord after each step; a kill repeats `.restarted` instead.
        for killAfter in 0..<8 {
            var update = Update(active: .first)
            var steps = 0
            var day = Self.monday
            var events: [Update.Event] = [.offered(Self.a, terms)]
            var activated = 0
            while steps < 100 {
                let event = events.popLast() ?? .compared(day, .notWorse)
                if case .compared = event { day = day.advanced(by: 1) }
                let action = update.handle(event)
                steps += 1
                if steps == killAfter {
                    // Only the stored state is left.
                    events = [.restarted]
                    if case .activated = action { activated += 1 }
                    continue
                }
                switch action {
                case .fetch: events.append(.fetched)
                case .check:
                    _ = update.handle(.checked)
                    events.append(.restarted)
                case .prove: events.append(.proved(on: day))
                case .activated: activated += 1
                case .nothing, .discard, .refuse, .rolledBack, .compare: break
                }
                if activated > 0 { break }
            }
            #expect(update.phase == .idle && update.active == .second, "killed after \(killAfter)")
            #expect(activated == 1, "killed after \(killAfter)")
        }
    }

    @Test("a window of the day is open from its first minute up to its last, over midnight too")
    func windows() throws {
        let night = try #require(DayWindow(from: 22 * 60, until: 6 * 60))
        #expect(night.contains(minute: 22 * 60) && night.contains(minute: 0))
        #expect(!night.contains(minute: 6 * 60) && !night.contains(minute: 12 * 60))
        #expect(night.minutesUntilOpen(from: 6 * 60) == 16 * 60)
        #expect(night.minutesUntilOpen(from: 23 * 60) == 0)
        let noon = try #require(DayWindow(from: 720, until: 780))
        #expect(noon.contains(minute: 720) && !noon.contains(minute: 780))
        #expect(noon.minutesUntilOpen(from: 800) == 1360)
        let always = try #require(DayWindow(from: 5, until: 5))
        #expect((0..<1440).allSatisfy { always.contains(minute: $0) })
        #expect(DayWindow(from: 0, until: 1440) == nil && DayWindow(from: -1, until: 3) == nil)
    }

    @Test("goes back to the other slot when the active package breaks")
    func rollBack() {
        var update = Update(active: .second)
        let first = update.handle(.activeBroken("x", otherSlotIsUsable: true))
        #expect(first == .rolledBack(to: .first, reason: "x", isFinal: false))
        #expect(update.active == .first)
        let second = update.handle(.activeBroken("y", otherSlotIsUsable: false))
        #expect(second == .rolledBack(to: nil, reason: "y", isFinal: false))
        #expect(update.active == nil)
    }

    @Test("tries a refused package again only when something can have changed")
    func retries() {
        #expect(
            !RefusedPackage(reason: [], budgetBytes: nil, downloads: 0).mayBeRetried(budgetBytes: 1)
        )
        #expect(
            !RefusedPackage(reason: [], budgetBytes: 10, downloads: 0).mayBeRetried(budgetBytes: 10)
        )
        #expect(
            RefusedPackage(reason: [], budgetBytes: 10, downloads: 0).mayBeRetried(budgetBytes: 11))
        #expect(
            RefusedPackage(reason: [], budgetBytes: nil, downloads: 2).mayBeRetried(budgetBytes: 1))
        #expect(
            !RefusedPackage(reason: [], budgetBytes: nil, downloads: 3).mayBeRetried(budgetBytes: 1)
        )
    }
}
