import Forecasting
import HubCore
import Testing

private let start = Timestamp(millisecondsSince1970: 1_700_000_000_000)
private let later = start.advanced(bySeconds: 60)

private func rollout(
    _ sizes: [Int] = [3, 7, 40], soak: Int = 1, state: RolloutState = .running
) throws -> RolloutRecord {
    var policy = RolloutPolicy()
    policy.soakDays = soak
    var rollout = RolloutRecord(
        family: "f", release: 2, selector: .all, policy: policy, waveSizes: sizes, createdAt: start)
    rollout.id = 5
    switch state {
    case .running: break
    case .paused: try rollout.handle(.pause(why: "a look"), at: start)
    case .aborted: try rollout.handle(.abort(why: "bad"), at: start)
    case .complete:
        for wave in rollout.waves.indices { rollout.waves[wave].openedAt = start }
        try rollout.handle(.complete, at: start)
    }
    return rollout
}

private func wave(_ fill: (inout RolloutFacts.Wave) -> Void) -> RolloutFacts.Wave {
    var wave = RolloutFacts.Wave()
    fill(&wave)
    return wave
}

@Suite("What happens to a rollout")
struct RolloutStateTests {
    enum Outcome {
        case becomes(RolloutState)
        case refused
    }

    static let events: [RolloutEvent] = [
        .pause(why: "w"), .resume(why: "w", failures: [1, 0, 0]), .abort(why: "w"),
        .promote(why: "w"), .soak, .openNext, .complete, .stop(why: "w"),
        .allowMetered(bytes: 9, why: "w"),
    ]

    /// Every state and every event, with waves left to open and without.
    @Test("is in a table", arguments: RolloutState.allCases, [false, true])
    func table(state: RolloutState, allOpen: Bool) throws {
        for event in Self.events {
            var record = try rollout(state: state)
            if allOpen {
                for wave in record.waves.indices where record.waves[wave].openedAt == nil {
                    record.waves[wave].openedAt = start
                }
            }
            let isAllOpen = record.isLastWaveOpen
            let before = record
            let expected: Outcome =
                switch (event, state) {
                case (.pause, .running), (.pause, .complete), (.stop, .running): .becomes(.paused)
                case (.resume, .paused): .becomes(.running)
                case (.abort, .running), (.abort, .paused), (.abort, .complete): .becomes(.aborted)
                case (.promote, .running): .becomes(isAllOpen ? .complete : .running)
                case (.soak, .running): .becomes(.running)
                case (.openNext, .running): isAllOpen ? .refused : .becomes(.running)
                case (.complete, .running): isAllOpen ? .becomes(.complete) : .refused
                case (.allowMetered, .aborted): .refused
                case (.allowMetered, let state): .becomes(state)
                case (.pause, _), (.resume, _), (.abort, _), (.promote, _), (.soak, _),
                    (.openNext, _), (.complete, _), (.stop, _):
                    .refused
                }
            do throws(RolloutRefusal) {
                try record.handle(event, at: later)
                guard case .becomes(let after) = expected else {
                    Issue.record("\(event) in \(state) was let through")
                    continue
                }
                #expect(record.state == after)
                #expect(record.revision == before.revision + 1)
                #expect(record.stateSince == (after == state ? before.stateSince : later))
            } catch {
                guard case .refused = expected else {
                    Issue.record("\(event) in \(state): \(error)")
                    continue
                }
                #expect(record == before)
                #expect(!error.description.isEmpty)
            }
        }
    }

    @Test("opens its waves one after the other, by promotion too")
    func promotion() throws {
        var record = try rollout()
        #expect(record.openWave == 0 && record.isOpen(wave: 0) && !record.isOpen(wave: 1))
        try record.handle(.promote(why: "good"), at: later)
        #expect(record.openWave == 1 && record.waves[1].openedAt == later)
        try record.handle(.promote(why: "good"), at: later)
        #expect(record.openWave == 2 && record.state == .running)
        try record.handle(.promote(why: "good enough"), at: later)
        #expect(record.state == .complete && record.why == "good enough")
    }

    @Test("soaks once, and remembers since when")
    func soak() throws {
        var record = try rollout()
        try record.handle(.soak, at: later)
        try record.handle(.soak, at: later.advanced(bySeconds: 60))
        #expect(record.waves[0].soakingSince == later)
    }

    @Test("forgives on resuming what was known")
    func forgiven() throws {
        var record = try rollout(state: .paused)
        try record.handle(.resume(why: "its disk was full", failures: [1, 0, 0]), at: later)
        #expect(record.waves.map(\.failuresForgiven) == [1, 0, 0])
    }

    @Test("that selects nobody is complete, and open to whoever comes")
    func nobody() throws {
        var record = try rollout([])
        #expect(record.state == .complete && record.isOpen(wave: nil) && record.openWave == nil)
        try record.handle(.pause(why: "a look"), at: later)
        try record.handle(.resume(why: "fine", failures: []), at: later)
        #expect(record.state == .complete)
    }
}

@Suite("Where a device stands in a rollout")
struct MemberStateTests {
    private static let events: [MemberState.Event] =
        [.assigned(runs: false), .assigned(runs: true), .noFit]
        + PackageOutcome.allCases.map(MemberState.Event.reported)
        + [.takenBack, .wentBack, .superseded, .yielded]

    private static func column(_ state: MemberState) -> [MemberState] {
        // assigned, assigned as it runs, no fit; reported active, refused, rolled back, trial, fetching; taken back, went
        // back, superseded; its place given on
        switch state {
        case .waiting:
            [
                .assigned, .already, .noFit, .active, .refused, .rolledBack, .waiting, .waiting,
                .waiting, .waiting, .superseded, .waiting,
            ]
        case .assigned:
            [
                .assigned, .already, .noFit, .active, .refused, .rolledBack, .trial, .assigned,
                .goingBack, .assigned, .superseded, .waiting,
            ]
        case .trial:
            [
                .assigned, .already, .noFit, .active, .refused, .rolledBack, .trial, .trial,
                .goingBack, .trial, .superseded, .waiting,
            ]
        case .active:
            [
                .assigned, .already, .noFit, .active, .refused, .rolledBack, .active, .active,
                .goingBack, .active, .active, .waiting,
            ]
        case .already:
            [
                .assigned, .already, .noFit, .already, .refused, .rolledBack, .already, .already,
                .already, .already, .already, .waiting,
            ]
        case .refused:
            [
                .assigned, .already, .noFit, .active, .refused, .rolledBack, .refused, .refused,
                .refused, .refused, .refused, .refused,
            ]
        case .goingBack:
            [
                .goingBack, .goingBack, .goingBack, .goingBack, .refused, .rolledBack, .goingBack,
                .goingBack, .goingBack, .rolledBack, .goingBack, .goingBack,
            ]
        case .rolledBack:
            [
                .assigned, .already, .noFit, .active, .refused, .rolledBack, .rolledBack,
                .rolledBack, .rolledBack, .rolledBack, .rolledBack, .rolledBack,
            ]
        case .noFit:
            [
                .assigned, .already, .noFit, .noFit, .noFit, .noFit, .noFit, .noFit, .noFit, .noFit,
                .noFit, .noFit,
            ]
        case .superseded:
            [
                .assigned, .already, .noFit, .active, .refused, .rolledBack, .superseded,
                .superseded, .superseded, .superseded, .superseded, .superseded,
            ]
        }
    }

    @Test("is in a table", arguments: MemberState.allCases)
    func table(state: MemberState) {
        for (event, expected) in zip(Self.events, Self.column(state)) {
            #expect(state.after(event) == expected, "\(state) after \(event)")
        }
        #expect(Self.column(state).count == Self.events.count)
    }

    private static func member(
        _ state: MemberState, gave: [UInt8]? = [1], changedAt: Timestamp? = nil
    ) throws -> RolloutMember {
        RolloutMember(
            rollout: 1, device: try DeviceID("d"), wave: 0, state: state, digest: gave,
            changedAt: changedAt)
    }

    @Test(
        "holds as long as it fits what the device runs and is to run",
        arguments: MemberState.allCases)
    func stale(state: MemberState) throws {
        let runs = try Self.member(state).isStale(digest: [1], running: [1])
        let runsOther = try Self.member(state).isStale(digest: [1], running: [2])
        switch state {
        case .active, .already: #expect(!runs && runsOther)
        case .assigned, .trial, .refused, .rolledBack: #expect(runs && !runsOther)
        case .noFit: #expect(!runs && !runsOther)
        case .waiting, .goingBack, .superseded: #expect(runs && runsOther)
        }
        #expect(try Self.member(state).isStale(digest: [3], running: [1]))
        #expect(try !Self.member(.noFit, gave: nil).isStale(digest: nil, running: [1]))
    }

    @Test("tells what the rollout gave a device from what it ran before")
    func given() throws {
        let fresh = try Self.member(.waiting, gave: nil)
        #expect(fresh.assigned(digest: [1], running: [1]) == .already)
        #expect(fresh.assigned(digest: [1], running: [2]) == .assigned)
        #expect(fresh.assigned(digest: nil, running: [2]) == .noFit)
        // It became active while its place was given on, or another rollout decided.
        for state in [MemberState.waiting, .superseded, .assigned, .trial, .rolledBack] {
            #expect(try Self.member(state).assigned(digest: [1], running: [1]) == .active)
        }
        // Its copy went bad.
        #expect(try Self.member(.active).assigned(digest: [1], running: [2]) == .assigned)
    }

    @Test(
        "is underway until it is heard that it is not, for three days",
        arguments: MemberState.allCases)
    func underway(state: MemberState) throws {
        func isUnderway(
            _ member: RolloutMember, seen: Int64, now: Int64 = 100, decides: Bool = true
        )
            -> Bool
        {
            member.isUnderway(
                running: [2], decides: decides, seenAt: start.advanced(bySeconds: seen),
                now: start.advanced(bySeconds: now))
        }
        let member = try Self.member(state, changedAt: start.advanced(bySeconds: 10))
        // Told after it was heard of last; heard of since.
        let (told, heard) = (isUnderway(member, seen: 9), isUnderway(member, seen: 11))
        switch state {
        case .assigned, .trial, .active, .already: #expect(told && heard)
        case .goingBack:
            #expect(told && heard)
            var twice = member
            twice.isTold = true
            #expect(isUnderway(twice, seen: 9) && !isUnderway(twice, seen: 11))
        case .waiting, .noFit, .superseded, .rolledBack: #expect(told && !heard)
        case .refused: #expect(!told && !heard)
        }
        let away = RolloutMember.placeKeptSeconds + 1
        #expect(!isUnderway(member, seen: 11, now: 11 + away))
        if state == .active {
            // A newer rollout decides for it.
            #expect(!isUnderway(member, seen: 11, decides: false))
            #expect(
                !member.isUnderway(
                    running: [1], decides: true, seenAt: start.advanced(bySeconds: 11),
                    now: start.advanced(bySeconds: 12)))
        }
    }

    @Test("counts in one way only", arguments: MemberState.allCases)
    func counts(state: MemberState) {
        #expect(!(state.isUnderway && state.isFailure))
        #expect(!state.isUnderway || state.hasIt)
    }
}

@Suite("Judging a rollout")
struct RolloutEngineTests {
    private static func facts(
        _ first: RolloutFacts.Wave, _ second: RolloutFacts.Wave = .init(),
        _ third: RolloutFacts.Wave = .init(), soaked: Int = 0, stores: [RolloutFacts.Store] = []
    ) -> RolloutFacts {
        RolloutFacts(waves: [first, second, third], soakedDays: soaked, stores: stores)
    }

    private static let good = wave { $0.active = 3 }

    struct Row: CustomTestStringConvertible, Sendable {
        var testDescription: String
        var wave: RolloutFacts.Wave
        /// nil: nothing happens; "soak" leaves no note.
        var actions: [String]?
    }

    static let rows: [Row] = [
        Row(testDescription: "nobody was in touch", wave: wave { $0.absent = 3 }),
        Row(testDescription: "told and not heard of", wave: wave { $0.assigned = 3 }),
        Row(
            testDescription: "one active, others in trial",
            wave: wave {
                $0.active = 1
                $0.trial = 2
            }),
        Row(
            testDescription: "one active, others wait for it",
            wave: wave {
                $0.active = 1
                $0.waiting = 2
            }),
        Row(testDescription: "all active", wave: good, actions: []),
        Row(
            testDescription: "one active, others off",
            wave: wave {
                $0.active = 1
                $0.absent = 2
            }, actions: []),
        Row(
            testDescription: "one active, nothing fits the others",
            wave: wave {
                $0.active = 1
                $0.noFit = 2
            }, actions: []),
        Row(
            testDescription: "a newer rollout has them all", wave: wave { $0.superseded = 3 },
            actions: ["open-wave", "open-wave", "complete"]),
        Row(
            testDescription: "nothing fits any", wave: wave { $0.noFit = 3 },
            actions: ["open-wave", "open-wave", "complete"]),
        Row(
            testDescription: "a canary refused it",
            wave: wave {
                $0.active = 2
                $0.refused = 1
            }, actions: ["pause"]),
        Row(
            testDescription: "a canary rolled it back",
            wave: wave {
                $0.trial = 2
                $0.rolledBack = 1
            }, actions: ["pause"]),
        Row(
            testDescription: "a canary is silent",
            wave: wave {
                $0.active = 2
                $0.silent = 1
            }, actions: ["pause"]),
        Row(
            testDescription: "a canary is going back",
            wave: wave { $0.goingBack = 1 }, actions: ["pause"]),
    ]

    @Test("of which the first wave stands so", arguments: rows)
    func firstWave(row: Row) throws {
        let step = RolloutEngine.step(try rollout(), Self.facts(row.wave), at: later)
        #expect(step?.notes.map(\.action) == row.actions)
        if let step { #expect(step.notes.allSatisfy { !$0.why.isEmpty }) }
        #expect(!RolloutEngine.standing(try rollout(), Self.facts(row.wave)).isEmpty)
    }

    @Test("goes on when a wave has soaked, and only then")
    func soaking() throws {
        var record = try rollout(soak: 2)
        let begun = try #require(RolloutEngine.step(record, Self.facts(Self.good), at: later))
        #expect(begun.rollout.waves[0].soakingSince == later && begun.notes.isEmpty)
        record = begun.rollout
        for soaked in 0..<2 {
            #expect(
                RolloutEngine.step(record, Self.facts(Self.good, soaked: soaked), at: later) == nil)
        }
        #expect(
            RolloutEngine.standing(record, Self.facts(Self.good, soaked: 1))
                == "wave 1 of 3: 3 of 3 active; soaks, 1 of 2 business days closed")
        let next = try #require(
            RolloutEngine.step(record, Self.facts(Self.good, soaked: 2), at: later))
        #expect(next.rollout.openWave == 1)
        #expect(next.notes.map(\.action) == ["open-wave"])
        #expect(next.rollout.revision == record.revision + 1)
    }

    @Test("does not go on while a device that came late to the wave is under way")
    func lateTrial() throws {
        var record = try rollout(soak: 1)
        record.waves[0].soakingSince = start
        let facts = Self.facts(
            wave {
                $0.active = 2
                $0.trial = 1
            }, soaked: 5)
        #expect(RolloutEngine.step(record, facts, at: later) == nil)
    }

    @Test("opens one wave at a time, and completes after the last")
    func toTheEnd() throws {
        var record = try rollout(soak: 0)
        for opened in 1...2 {
            let facts = Self.facts(Self.good, Self.good, Self.good)
            let step = try #require(RolloutEngine.step(record, facts, at: later))
            #expect(step.rollout.openWave == opened)
            record = step.rollout
        }
        let last = try #require(
            RolloutEngine.step(record, Self.facts(Self.good, Self.good, Self.good), at: later))
        #expect(last.rollout.state == .complete && last.notes.map(\.action) == ["complete"])
        #expect(
            RolloutEngine.step(last.rollout, Self.facts(Self.good, Self.good, Self.good), at: later)
                == nil)
    }

    @Test("pauses for failures of a wave before the one it stands at too")
    func earlierWave() throws {
        var record = try rollout(soak: 0)
        try record.handle(.openNext, at: start)
        let facts = Self.facts(
            wave {
                $0.active = 2
                $0.rolledBack = 1
            }, wave { $0.trial = 7 })
        let step = try #require(RolloutEngine.step(record, facts, at: later))
        #expect(step.rollout.state == .paused)
        #expect(
            step.rollout.why == "wave 1: 1 rolled back of 3 devices; it fails at 1")
    }

    @Test("does not hold against it what an operator resumed it with")
    func resumed() throws {
        var record = try rollout(soak: 0)
        let facts = Self.facts(
            wave {
                $0.trial = 2
                $0.refused = 1
            })
        record = try #require(RolloutEngine.step(record, facts, at: later)).rollout
        try record.handle(.resume(why: "disk", failures: facts.failures), at: later)
        #expect(RolloutEngine.step(record, facts, at: later) == nil)
        let more = Self.facts(
            wave {
                $0.trial = 1
                $0.refused = 2
            })
        #expect(
            RolloutEngine.step(record, more, at: later)?.rollout.why
                == "wave 1: 2 refused of 3 devices, 1 known before; it fails at 1")
    }

    @Test("does not take too few active ones for a success")
    func tooFew() throws {
        var record = try rollout(soak: 0)
        record.policy.failures = try FailureLimit("3,3")
        let facts = Self.facts(
            wave {
                $0.active = 1
                $0.refused = 2
            })
        #expect(RolloutEngine.step(record, facts, at: later) == nil)
        #expect(RolloutEngine.standing(record, facts).contains("1 of 3 active, 95% are wanted"))
        #expect(RolloutEngine.waitsForOperator(record, facts))
        for isNone in [
            Self.facts(
                wave {
                    $0.active = 1
                    $0.refused = 2
                    $0.trial = 1
                }), Self.facts(wave { $0.active = 3 }), Self.facts(wave { $0.absent = 3 }),
            Self.facts(
                wave {
                    $0.active = 1
                    $0.refused = 3
                }),
        ] { #expect(!RolloutEngine.waitsForOperator(record, isNone)) }
        try record.handle(.pause(why: "a look"), at: later)
        #expect(!RolloutEngine.waitsForOperator(record, facts))
    }

    @Test("rolls a store back that is worse, paused or not, and nothing when aborted")
    func stores() throws {
        let bad = RolloutFacts.Store(store: try StoreID("7"), worse: true, text: "WAPE 14 to 19")
        let fine = RolloutFacts.Store(store: try StoreID("8"), worse: false, text: "14 to 13")
        let facts = Self.facts(wave { $0.trial = 3 }, stores: [fine, bad])
        for state in [RolloutState.running, .paused, .complete] {
            let record = try rollout(state: state)
            let step = try #require(RolloutEngine.step(record, facts, at: later))
            #expect(step.rolledBack == [.init(store: bad.store, why: "WAPE 14 to 19")])
            #expect(step.notes == [.init(action: "roll-back", why: "store 7: WAPE 14 to 19")])
            #expect(step.rollout == record)
        }
        #expect(RolloutEngine.step(try rollout(state: .aborted), facts, at: later) == nil)
        // Its devices still count as active here: no wave is opened on their word.
        let active = Self.facts(wave { $0.active = 3 }, stores: [bad])
        let atOnce = try rollout(soak: 0)
        #expect(try #require(RolloutEngine.step(atOnce, active, at: later)).rollout == atOnce)
    }

    @Test("moves nothing by itself unless it runs", arguments: RolloutState.allCases)
    func standsStill(state: RolloutState) throws {
        guard state != .running else { return }
        let failed = wave { $0.refused = 3 }
        for facts in [Self.facts(Self.good, Self.good, Self.good), Self.facts(failed)] {
            #expect(RolloutEngine.step(try rollout(state: state), facts, at: later) == nil)
        }
    }

    @Test("that selects nobody is left alone")
    func nobody() throws {
        #expect(RolloutEngine.step(try rollout([]), RolloutFacts(waves: []), at: later) == nil)
    }
}
