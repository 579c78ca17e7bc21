import Forecasting
import HubCore
import HubStore
import Testing

@Suite("Contract: autopilot and lineage")
struct AutopilotContractTests {
    private static func run() throws -> AutopilotRecord {
        AutopilotRecord(
            startedAt: Sample.now, mode: .on,
            cause: AutopilotCause(
                trigger: .drift, reason: "2 stores drift",
                drifts: [
                    StoreDrift(store: try StoreID("10"), since: Sample.day(5)),
                    StoreDrift(store: try StoreID("2"), since: Sample.day(4)),
                ]))
    }

    private static let data = TrainingData(
        digest: "abcd", firstDay: Sample.day(0), lastDay: Sample.day(400), stores: 2, series: 20,
        seriesDays: 8000, importedTotals: 7000, uploadedTotals: 990, closedDays: 6,
        outOfStockDays: 4)

    @Test("Settings are off at first, and kept as they are set", arguments: StoreUnderTest.allCases)
    func settings(under test: StoreUnderTest) async throws {
        try await test.run { store in
            #expect(try await store.autopilotSettings() == AutopilotSettings())
            #expect(try await store.autopilotSettings().mode == .off)
            var settings = AutopilotSettings()
            settings.mode = .advise
            settings.everyDays = 14
            settings.policy.trialDays = 5
            try await store.acting(as: "os:anna").setAutopilotSettings(settings, at: Sample.now)
            #expect(try await store.autopilotSettings() == settings)
            let line = try #require(try await store.audit(countMax: 1).first)
            #expect(line.author == "os:anna" && line.object == "autopilot")
            #expect(line.why.hasPrefix("advise, every 14 days"))
        }
    }

    @Test(
        "A run is one entry that grows, and says in the audit log how it began and ended",
        arguments: StoreUnderTest.allCases)
    func runs(under test: StoreUnderTest) async throws {
        try await test.run { store in
            var run = try await store.addAutopilotRun(try Self.run())
            #expect(run.id == 1)
            #expect(run.cause.drifts.map(\.store.text) == ["2", "10"])
            run.stage = .backTesting
            run.data = Self.data
            run.seed = .max
            run.networks = [.init(variant: "profile-2", recipe: "lstm2", isWarmStarted: true)]
            var forecasts: [BackTestForecast] = []
            for index in 0..<40 {
                forecasts.append(
                    BackTestForecast(
                        store: try StoreID("2"), item: try ItemID("\(index % 10)"),
                        day: Sample.day(390 + index / 10), actual: 10, champion: 14,
                        challenger: 11, naive: index == 0 ? nil : 13))
            }
            let test = BackTest(
                forecasts,
                folds: [.init(origin: Sample.day(390), days: 4, daysChampionKnew: 1)],
                drifts: run.cause.drifts, rule: PromotionRule())
            run.backTest = test
            run.verdict = PromotionVerdict(test, rule: PromotionRule())
            try await store.updateAutopilotRun(run, at: Sample.now)
            #expect(try await store.autopilotRun(1) == run)
            #expect(try await store.autopilotRun(2) == nil)

            await #expect(
                throws: HubStoreError.refused(why: "run 1 of the autopilot has not ended")
            ) { try await store.addAutopilotRun(try Self.run()) }

            run.stage = .rollingOut
            run.rollout = 4
            try await store.updateAutopilotRun(run, at: Sample.now)
            let second = try await store.addAutopilotRun(try Self.run())
            #expect(second.id == 2)
            let later = Sample.now.advanced(bySeconds: 60)
            run.realised = [.init(store: try StoreID("2"), isUndone: false, text: "WAPE 1 %")]
            run.end(.kept, why: "it proved no worse anywhere", at: later)
            try await store.updateAutopilotRun(run, at: later)
            #expect(try await store.autopilotRuns(countMax: 9) == [second, run])
            #expect(try await store.autopilotRuns(countMax: 1) == [second])

            await #expect(throws: HubStoreError.refused(why: "run 1 of the autopilot has ended")) {
                try await store.updateAutopilotRun(run, at: later)
            }
            var unknown = run
            unknown.id = 9
            await #expect(throws: HubStoreError.notFound(what: "run 9 of the autopilot")) {
                try await store.updateAutopilotRun(unknown, at: later)
            }
            let audit = try await store.audit(countMax: 9).reversed().map {
                "\($0.action) \($0.object): \($0.why)"
            }
            #expect(
                audit == [
                    "begin autopilot run 1: 2 stores drift",
                    "begin autopilot run 2: 2 stores drift",
                    "kept autopilot run 1: it proved no worse anywhere",
                ])
        }
    }

    @Test("A family's lineage is kept with it", arguments: StoreUnderTest.allCases)
    func lineage(under test: StoreUnderTest) async throws {
        try await test.run { store in
            try await store.saveFamily(Sample.family("old"))
            var parent = Sample.family("f")
            parent.lineage = Lineage(
                origin: .train, data: Self.data,
                networks: [
                    .init(
                        variant: "profile-2", recipe: "lstm2", seed: .max, origin: .train,
                        madeAt: Sample.now)
                ])
            try await store.saveFamily(parent)
            let run = try await store.addAutopilotRun(try Self.run())
            var family = Sample.family("auto-1")
            family.lineage = Lineage(
                origin: .autopilot, data: Self.data,
                networks: [
                    .init(
                        variant: "profile-2", recipe: "lstm2", seed: 1, origin: .autopilot,
                        madeAt: Sample.now, parent: "f profile-2")
                ], parent: "f", autopilotRun: run.id)
            try await store.saveFamily(family)
            #expect(try await store.family("auto-1") == family)
            #expect(try await store.family("old")?.lineage == nil)

            let whole = try #require(try await store.lineage(family: "auto-1"))
            #expect(whole.family.lineage == family.lineage && whole.family.trained.isEmpty)
            #expect(whole.run == run)
            #expect(whole.ancestors.map(\.name) == ["f"])
            #expect(whole.packages.isEmpty && whole.rollouts.isEmpty)
            #expect(try await store.lineage(family: "nobody") == nil)

            var grown = parent
            grown.lineage?.networks.append(
                .init(
                    variant: "tiny", recipe: "gru4", seed: 2, origin: .compress,
                    madeAt: Sample.now))
            try await store.replaceFamily(grown, ifStill: parent.trained)
            #expect(try await store.lineage(family: "f")?.family.lineage?.networks.count == 2)
        }
    }

    private static func package(_ family: String, _ digest: UInt8) -> PackageRecord {
        PackageRecord(
            digest: [UInt8](repeating: digest, count: 32), family: family, variant: "profile-2",
            store: nil, release: UInt64(digest), packageBytes: 300, arenaBytes: 1000,
            parameterCount: 35, requiredFeatures: [], wape: 10, mape: 10, bias: 0, floatWAPE: 10,
            floatMAPE: 10, createdAt: Sample.now)
    }

    @Test(
        "What runs is what most devices of a store run; a standing alert of a shift makes a run due",
        arguments: StoreUnderTest.allCases)
    func due(under test: StoreUnderTest) async throws {
        try await test.run { store in
            for (family, digest) in [("f", UInt8(1)), ("g", 2)] {
                try await store.saveFamily(Sample.family(family))
                try await store.savePackages([Self.package(family, digest)])
            }
            // Two of store 1 run f, one g; store 2 runs g; store 3 what nobody knows, and a device that runs nothing.
            for (device, at, digest) in [
                ("a", "1", UInt8(1)), ("b", "1", 2), ("c", "1", 1), ("d", "2", 2), ("e", "3", 9),
                ("x", "3", 0),
            ] {
                let id = try await Sample.join(store, device: device, at: at)
                guard digest > 0 else { continue }
                _ = try await store.registerDevice(
                    id, capabilities: DeviceCapabilities(), labels: [],
                    running: RunningPackage(
                        digest: [UInt8](repeating: digest, count: 32), release: 1,
                        arenaBytes: 1000), at: Sample.now)
            }
            let running = try await store.runningPackages()
            #expect(running.map(\.store.text) == ["1", "2"])
            #expect(running.map(\.package.family) == ["f", "g"])

            func day(_ offset: Int) -> Timestamp {
                Timestamp(
                    millisecondsSince1970: Int64(Sample.day(offset).daysSince1970) * 86_400_000)
            }
            try await Sample.importRows(store, [("1", "i", 20, 5)])
            #expect(try await store.dueAutopilotCause(at: day(21)) == nil)
            var settings = AutopilotSettings()
            settings.mode = .on
            try await store.setAutopilotSettings(settings, at: Sample.now)
            // What runs has learnt up to day 0.
            #expect(try await store.dueAutopilotCause(at: day(21)) == nil)
            try await Sample.importRows(store, [("1", "i", 28, 5)])
            #expect(try await store.dueAutopilotCause(at: day(29))?.trigger == .schedule)

            var changes: [AlertChange] = []
            for (kind, subject, since) in [
                (AlertKind.demandShift, AlertSubject.store(try StoreID("2")), Sample.day(12)),
                (.demandShift, .chain, Sample.day(12)),
                (.accuracyWorse, .store(try StoreID("1")), Sample.day(12)),
            ] {
                changes.append(
                    AlertChange(
                        alert: AlertRecord(
                            kind: kind, subject: subject, severity: .page, title: "more is sold",
                            stores: [], since: since, openedAt: day(20)),
                        event: nil, isSent: false))
            }
            _ = try await store.apply(changes, at: day(20))
            let drift = StoreDrift(store: try StoreID("2"), since: Sample.day(12))
            #expect(try await store.driftingStores() == [drift])
            let cause = try #require(try await store.dueAutopilotCause(at: day(29)))
            #expect(cause.trigger == .drift && cause.drifts == [drift])
            let alert = try #require(
                try await store.alerts(AlertQuery()).first {
                    $0.subject == .store(drift.store)
                })
            _ = try await store.resolveAlert(alert.id, why: "over", at: day(29))
            #expect(try await store.driftingStores().isEmpty)
        }
    }

    /// A run whose rollout, number 1, is on its way to one device.
    private static func rollingOut(_ store: any HubStore) async throws -> AutopilotRecord {
        try await store.saveFamily(Sample.family("auto-1"))
        try await store.savePackages([Self.package("auto-1", 1)])
        let device = try await Sample.join(store, device: "a")
        let (rollout, _) = try await store.push(
            RolloutRecord(family: "auto-1", selector: .all, waveSizes: [1], createdAt: Sample.now),
            plan: [[device]])
        var run = try await store.addAutopilotRun(try Self.run())
        run.family = "auto-1"
        run.rollout = rollout.id
        run.stage = .rollingOut
        try await store.updateAutopilotRun(run, at: Sample.now)
        return run
    }

    @Test(
        "A rollout that the hub has paused is taken back, one that a person has paused is not",
        arguments: StoreUnderTest.allCases)
    func undone(under test: StoreUnderTest) async throws {
        try await test.run { store in
            let run = try await Self.rollingOut(store)
            let autopilot = store.acting(as: "autopilot")
            #expect(try await autopilot.followAutopilotRuns(at: Sample.now) == [])
            func event(_ event: RolloutEvent, by author: String) async throws {
                let revision = try await store.rollouts()[0].revision
                _ = try await store.acting(as: author).change(
                    rollout: 1, by: event, ifStill: revision, at: Sample.now)
            }
            try await event(.pause(why: "let me look"), by: "os:anna")
            #expect(try await autopilot.followAutopilotRuns(at: Sample.now) == [])
            #expect(try await store.rollouts()[0].state == .paused)
            try await event(.resume(why: "fine", failures: []), by: "os:anna")
            try await event(.stop(why: "wave 1: 1 of 1 failed"), by: "hub")
            #expect(try await autopilot.followAutopilotRuns(at: Sample.now) == [])
            #expect(try await store.rollouts()[0].state == .aborted)
            #expect(try await store.audit(countMax: 1)[0].author == "autopilot")
            let ended = try await autopilot.followAutopilotRuns(at: Sample.now)
            #expect(ended.map(\.id) == [run.id])
            #expect(ended[0].outcome == .undone && ended[0].why == "wave 1: 1 of 1 failed")
            #expect(try await store.autopilotRun(run.id) == ended[0])
            #expect(try await autopilot.followAutopilotRuns(at: Sample.now) == [])
        }
    }

    @Test("A rollout that is complete is kept", arguments: StoreUnderTest.allCases)
    func kept(under test: StoreUnderTest) async throws {
        try await test.run { store in
            _ = try await Self.rollingOut(store)
            let revision = try await store.rollouts()[0].revision
            _ = try await store.change(
                rollout: 1, by: .promote(why: "good"), ifStill: revision, at: Sample.now)
            let ended = try await store.followAutopilotRuns(at: Sample.now)
            #expect(ended.map(\.outcome) == [.kept])
        }
    }

    @Test(
        "Who was cut off in any stage is ended, unless its push was made: then the rollout counts",
        arguments: AutopilotRecord.Stage.allCases)
    func cutOff(stage: AutopilotRecord.Stage) async throws {
        let store = try SQLiteHubStore.inMemory()
        var run = try await store.addAutopilotRun(try Self.run())
        run.stage = stage
        if stage == .ended { run.end(.refused, why: "no better", at: Sample.now) }
        run.family = "auto-1"
        try await store.updateAutopilotRun(run, at: Sample.now)
        try await store.endCutOffAutopilotRuns(at: Sample.now)
        let after = try #require(try await store.autopilotRun(run.id))
        guard stage.isOfProcess else { return #expect(after == run) }
        #expect(after.outcome == .cutOff && after.why.contains(stage.text))

        var pushed = try await Self.rollingOut(store)
        pushed.stage = stage
        pushed.rollout = nil
        try await store.updateAutopilotRun(pushed, at: Sample.now)
        try await store.endCutOffAutopilotRuns(at: Sample.now)
        let adopted = try #require(try await store.autopilotRun(pushed.id))
        #expect(adopted.stage == .rollingOut && adopted.rollout == 1)
    }
}
