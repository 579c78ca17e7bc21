import Forecasting
import HubCore
import Testing

@Suite("Autopilot: what is decided without I/O") struct AutopilotTests {
    private static let day0 = BusinessDay(daysSince1970: 19_000)
    private static func moment(_ day: Int) -> Timestamp {
        Timestamp(millisecondsSince1970: Int64(19_000 + day) * 86_400_000)
    }

    private static func drift(_ store: String, _ day: Int) throws -> StoreDrift {
        StoreDrift(store: try StoreID(store), since: day0.advanced(by: day))
    }

    private static func cause(
        mode: AutopilotMode = .on, runs: [AutopilotRecord] = [], drifts: [StoreDrift] = [],
        trainedThrough: Int? = 0, lastDay: Int, now: Int
    ) -> AutopilotCause? {
        var settings = AutopilotSettings()
        settings.mode = mode
        return AutopilotSchedule.cause(
            settings, runs: runs, drifts: drifts,
            trainedThrough: trainedThrough.map { day0.advanced(by: $0) },
            lastDay: day0.advanced(by: lastDay), at: moment(now))
    }

    private static func ended(_ day: Int, _ cause: AutopilotCause) -> AutopilotRecord {
        var run = AutopilotRecord(startedAt: moment(day), mode: .on, cause: cause)
        run.end(.refused, why: "", at: moment(day))
        return run
    }

    @Test("It runs every 28 days of new sales, unless it is off or nothing runs yet")
    func schedule() {
        #expect(Self.cause(lastDay: 27, now: 30) == nil)
        #expect(Self.cause(lastDay: 28, now: 30)?.trigger == .schedule)
        #expect(Self.cause(mode: .advise, lastDay: 28, now: 30)?.trigger == .schedule)
        #expect(Self.cause(mode: .off, lastDay: 28, now: 30) == nil)
        #expect(Self.cause(trainedThrough: nil, lastDay: 28, now: 30) == nil)
        // What was refused is not tried again every hour.
        let scheduled = AutopilotCause(trigger: .schedule, reason: "")
        #expect(Self.cause(runs: [Self.ended(30, scheduled)], lastDay: 40, now: 57) == nil)
        #expect(
            Self.cause(runs: [Self.ended(30, scheduled)], lastDay: 40, now: 58)?.trigger
                == .schedule)
    }

    @Test("A drift is waited with until there are days to learn from, and is not met twice at once")
    func drift() throws {
        let drifts = [try Self.drift("10", 12), try Self.drift("9", 11)]
        #expect(Self.cause(drifts: drifts, lastDay: 19, now: 20) == nil)
        let cause = try #require(Self.cause(drifts: drifts, lastDay: 20, now: 21))
        #expect(cause.trigger == .drift && cause.drifts == [drifts[1]])
        #expect(cause.reason == "store 9 drifts since \(Self.day0.advanced(by: 11).iso8601)")
        let both = try #require(Self.cause(drifts: drifts, lastDay: 22, now: 23))
        #expect(both.drifts.map(\.store.text) == ["9", "10"])
        let before = [Self.ended(23, both)]
        #expect(Self.cause(runs: before, drifts: drifts, lastDay: 25, now: 36) == nil)
        #expect(
            Self.cause(runs: before, drifts: drifts, lastDay: 25, now: 37)?.trigger == .drift)
        let another = [try Self.drift("8", 12)]
        #expect(Self.cause(runs: before, drifts: another, lastDay: 25, now: 26)?.trigger == .drift)
    }

    @Test("Nothing begins while a run is on its way", arguments: AutopilotRecord.Stage.allCases)
    func oneAtATime(stage: AutopilotRecord.Stage) throws {
        var run = AutopilotRecord(
            startedAt: Self.moment(0), mode: .on,
            cause: AutopilotCause(trigger: .demand, reason: "asked for"))
        run.stage = stage
        let cause = Self.cause(
            runs: [run], drifts: [try Self.drift("9", 0)], lastDay: 60, now: 60)
        #expect((cause != nil) == (stage == .ended))
    }

    // MARK: What becomes of a rollout

    private static func rollout(_ state: RolloutState, _ why: String = "") -> RolloutRecord {
        var rollout = RolloutRecord(
            family: "auto-1", selector: .all, waveSizes: [1], createdAt: moment(0))
        rollout.state = state
        rollout.why = why
        return rollout
    }

    @Test("A run follows its rollout to the end: kept, kept but for some stores, or undone")
    func followUp() throws {
        let stores = [
            RolloutStoreRecord(
                store: try StoreID("1"), rolledBackAt: nil, why: "", verdict: "WAPE 9 %"),
            RolloutStoreRecord(
                store: try StoreID("2"), rolledBackAt: Self.moment(3), why: "worse", verdict: ""),
        ]
        func follow(
            _ rollout: RolloutRecord?, _ stores: [RolloutStoreRecord] = [], byHub: Bool = false
        ) -> AutopilotRecord.FollowUp {
            AutopilotRecord.followUp(rollout, stores: stores, isPausedByHub: byHub)
        }
        #expect(follow(Self.rollout(.running), stores) == .wait)
        #expect(follow(Self.rollout(.paused, "let me look")) == .wait)
        #expect(
            follow(Self.rollout(.paused, "wave 1: 1 failed"), byHub: true)
                == .abort(why: "wave 1: 1 failed"))
        #expect(
            follow(Self.rollout(.aborted, "wave 1: 1 failed"))
                == .end(.undone, why: "wave 1: 1 failed", realised: []))
        #expect(
            follow(Self.rollout(.complete), [stores[0]])
                == .end(
                    .kept, why: "it proved no worse anywhere",
                    realised: [.init(store: stores[0].store, isUndone: false, text: "WAPE 9 %")]))
        #expect(
            follow(Self.rollout(.complete), stores)
                == .end(
                    .kept, why: "it was taken back in store 2, and proved no worse elsewhere",
                    realised: [
                        .init(store: stores[0].store, isUndone: false, text: "WAPE 9 %"),
                        .init(store: stores[1].store, isUndone: true, text: "worse"),
                    ]))
    }
}

@Suite("Autopilot: promotion by back-test") struct PromotionTests {
    private static let day0 = BusinessDay(daysSince1970: 19_000)
    private static let folds = [
        BackTest.Fold(origin: day0, days: 7, daysChampionKnew: 0),
        BackTest.Fold(origin: day0.advanced(by: 7), days: 7, daysChampionKnew: 0),
    ]

    /// Ten items of each store for two weeks, 20 units a day: errors of champion and challenger by store, with some noise.
    private static func forecasts(
        _ errors: [(champion: Float, challenger: Float)], naive: Float = 9, items: Int = 10
    ) throws -> [BackTestForecast] {
        var random = SplitMix(state: 3)
        var forecasts: [BackTestForecast] = []
        for (index, error) in errors.enumerated() {
            for item in 0..<items {
                for day in 0..<14 {
                    let noise = Float(random.next() % 1000) / 1000 - 0.5
                    forecasts.append(
                        BackTestForecast(
                            store: try StoreID("\(index + 1)"), item: try ItemID("\(item)"),
                            day: day0.advanced(by: day), actual: 20,
                            champion: 20 + error.champion + noise,
                            challenger: 20 + error.challenger - noise, naive: 20 + naive))
                }
            }
        }
        return forecasts
    }

    private struct SplitMix {
        var state: UInt64
        mutating func next() -> UInt64 {
            state &+= 0x9E37_79B9_7F4A_7C15
            var z = state
            z = (z ^ z >> 30) &* 0xBF58_476D_1CE4_E5B9
            z = (z ^ z >> 27) &* 0x94D0_49BB_1331_11EB
            return z ^ z >> 31
        }
    }

    private static func verdict(
        _ forecasts: [BackTestForecast], drifts: [StoreDrift] = []
    ) -> PromotionVerdict {
        let rule = PromotionRule()
        return PromotionVerdict(
            BackTest(forecasts, folds: folds, drifts: drifts, rule: rule), rule: rule)
    }

    @Test("A challenger that is better everywhere is promoted")
    func better() throws {
        let verdict = Self.verdict(try Self.forecasts([(5, 3), (5, 3), (5, 3)]))
        #expect(verdict.scope == .everywhere)
        #expect(verdict.why.contains("better by 39") || verdict.why.contains("better by 40"))
        #expect(verdict.why.contains("worse in no store"))
        #expect(verdict.rule == PromotionRule().text)
    }

    @Test("One that is as good, better by chance, or worse is refused, and the figures say why")
    func refused() throws {
        let same = Self.verdict(try Self.forecasts([(4, 4), (4, 4)]))
        #expect(same.scope == nil)
        #expect(same.why.contains("not better by 1 %"))
        #expect(Self.verdict(try Self.forecasts([(3, 5), (3, 5)])).scope == nil)
        // Two per cent better on the whole, and as often worse as better.
        var wild = try Self.forecasts([(5, 8)])
        for index in wild.indices where wild[index].item.utf8[0] % 2 == 0 {
            wild[index].challenger = 21.8
        }
        let chance = Self.verdict(wild)
        #expect(chance.scope == nil && chance.why.contains("better, but by chance"))
        let tooFew = Self.verdict(Array(try Self.forecasts([(5, 3)]).prefix(99)))
        #expect(tooFew.scope == nil && tooFew.why.contains("too few to judge"))
    }

    @Test("One that loses to last week's weekday is refused, however bad the champion is")
    func naive() throws {
        let verdict = Self.verdict(try Self.forecasts([(9, 7)], naive: 2))
        #expect(verdict.scope == nil)
        #expect(verdict.why.contains("no better than last week's weekday"))
    }

    @Test("Better on the whole and worse in too many stores is refused")
    func worseStores() throws {
        let most = [(champion: Float(6), challenger: Float(3))]
        let one = [(champion: Float(3), challenger: Float(4))]
        let refused = Self.verdict(try Self.forecasts(most + most + most + one))
        #expect(refused.scope == nil)
        #expect(refused.why.contains("worse in 1 of 4 stores (4)"))
        let ten = Array(repeating: most[0], count: 9) + one
        #expect(Self.verdict(try Self.forecasts(ten)).scope == .everywhere)
    }

    @Test("What is better only where stores drift is promoted there, and nowhere else")
    func drifting() throws {
        var errors = Array(repeating: (champion: Float(3), challenger: Float(3)), count: 40)
        errors[4] = (7, 4)
        for index in 10..<20 { errors[index] = (3, 4) }
        let drift = StoreDrift(store: try StoreID("5"), since: Self.day0)
        let verdict = Self.verdict(try Self.forecasts(errors), drifts: [drift])
        #expect(verdict.scope == .stores([try StoreID("5")]))
        #expect(verdict.why.hasPrefix("in the drifting stores alone (5):"))
        // Without the drift there is nothing to promote it for.
        #expect(Self.verdict(try Self.forecasts(errors)).scope == nil)
    }

    @Test("Of a drifting store the days since the drift count, and no others")
    func sinceDrift() throws {
        // Before the drift the challenger is far worse.
        var forecasts = try Self.forecasts([(6, 3), (4, 4)])
        for index in forecasts.indices
        where forecasts[index].store.text == "1"
            && forecasts[index].day < Self.day0.advanced(by: 4)
        {
            forecasts[index].challenger = 60
        }
        #expect(Self.verdict(forecasts).scope == nil)
        let drift = StoreDrift(store: try StoreID("1"), since: Self.day0.advanced(by: 4))
        let rule = PromotionRule()
        let test = BackTest(forecasts, folds: Self.folds, drifts: [drift], rule: rule)
        #expect(test.stores[0].errors.forecasts == 100 && test.stores[1].errors.forecasts == 140)
        #expect(test.stores[0].finding == .better && test.stores[1].finding != .worse)
        #expect(test.drifting == test.stores[0].errors)
        #expect(test.folds.map(\.errors.forecasts) == [30 + 70, 70 + 70])
        #expect(PromotionVerdict(test, rule: rule).isPromotion)
    }
}
