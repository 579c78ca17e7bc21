import ArgumentParser
import Autopilot
import Compression
import Forecasting
import Foundation
import HubCore
import HubStore
import HubSync
import HubWeb
import Training

/// One run of the autopilot, from the sales to the push. Each stage is written down before it begins; a process that
/// ends within one leaves an entry that says so and nothing that is used.
struct AutopilotRunner {
    /// As the autopilot, in the audit log.
    let store: any HubStore
    let data: DataOptions
    let policy: RolloutPolicy
    let rule: PromotionRule
    /// nil: the champion's own, or what is searched.
    let recipe: Recipe?
    /// How long to search for a recipe; nil: not at all.
    let searchSeconds: Int?
    /// nil: the champion's own.
    let seed: UInt64?
    /// Which part, and how much of it is done, 0...1.
    let progress: (AutopilotRecord.Stage, Double) -> Void
    let isCancelled: () -> Bool

    /// - Returns: refused, advised, or with its rollout on its way.
    func run(cause: AutopilotCause, mode: AutopilotMode) async throws -> AutopilotRecord {
        var run = try await store.addAutopilotRun(
            AutopilotRecord(startedAt: .now, mode: mode, cause: cause))
        do {
            try await fly(&run)
        } catch {
            let isCancellation = error as? TrainingError == .cancelled
            let problem = CommandFailure(compression: error)
            run.end(
                isCancellation ? .cutOff : .failed,
                why: isCancellation
                    ? "it was stopped while it was \(run.stage.text); nothing of it is used"
                    : problem.message, at: .now)
            try await store.updateAutopilotRun(run, at: .now)
            throw isCancellation ? error : problem
        }
        return run
    }

    private func enter(_ stage: AutopilotRecord.Stage, _ run: inout AutopilotRecord) async throws {
        run.stage = stage
        try await store.updateAutopilotRun(run, at: .now)
        progress(stage, 0)
    }

    private func fly(_ run: inout AutopilotRecord) async throws {
        let snapshot = try await SalesSnapshot(store, through: nil)
        guard let sales = snapshot.data else {
            throw CommandFailure(
                .refused, "there are no sales to learn from; first: shelfcast-hub sales import FILE"
            )
        }
        run.data = sales
        let running = try await RunningModels(store)
        let champion = try await running.champion(
            store, files: PackageFiles(dataDirectory: data.directory))
        let seed = seed ?? champion.family.seed
        run.champion = champion.name
        run.seed = seed
        let folds = RollingOrigin.folds(
            last: sales.lastDay, drifts: run.cause.drifts, learntThrough: champion.family.asOf)

        try await enter(.backTesting, &run)
        var recipe = recipe
        if let searchSeconds {
            recipe = try search(
                running, champion, snapshot, through: folds[0].origin.advanced(by: -1), seed: seed,
                secondsMax: searchSeconds)
        }
        let networks =
            recipe.map { [ChallengerNetwork(name: "searched", recipe: $0, start: nil)] }
            ?? champion.family.variants.map(ChallengerNetwork.init(like:))

        run.networks = networks.map {
            AutopilotRecord.Network(
                variant: $0.name, recipe: $0.recipe.text, isWarmStarted: $0.start != nil)
        }
        let verdict = try backTest(&run, champion, networks, snapshot, folds)
        guard verdict.isPromotion else {
            return try await end(&run, .refused, why: verdict.why)
        }

        try await enter(.training, &run)
        let training = ChallengerTraining(
            series: snapshot.series, champion: champion.family, testFrom: nil,
            levelRestarts: champion.levelRestarts(run.cause.drifts), seed: seed)
        let trained = try training.train(
            networks,
            progress: { progress(.training, (Double($0) + $1) / Double(networks.count)) },
            isCancelled: isCancelled)
        run.networks = zip(trained.family.variants, trained.isWarmStarted).map {
            AutopilotRecord.Network(
                variant: $0.name, recipe: $0.recipe, isWarmStarted: $1)
        }

        run.family = try await freeName(for: run)
        try await enter(.packing, &run)
        let packed = try await pack(&run, trained, champion, snapshot)
        let selector = try await selector(for: verdict, champion: champion.name)
        guard run.mode == .on else {
            return try await end(
                &run, .advised,
                why: "\(verdict.why). To push it: shelfcast-hub push \(packed.family)"
                    + (selector == .all ? " --all" : " --to '\(selector.text)'"))
        }
        try await enter(.pushing, &run)
        let push = FamilyPush(
            packed.family, to: selector, packages: packed.packages,
            devices: try await FamilyPush.devices(of: selector, in: store), policy: policy,
            nanosecondsMax: nil, at: .now)
        let pushed = try await push.push(in: store, vouch: data.voucher(for: store).vouch)
        run.rollout = pushed.rollout.id
        run.why = verdict.why
        try await enter(.rollingOut, &run)
    }

    private func end(
        _ run: inout AutopilotRecord, _ outcome: AutopilotRecord.Outcome, why: String
    ) async throws {
        run.end(outcome, why: why, at: .now)
        try await store.updateAutopilotRun(run, at: .now)
    }

    /// Within what the largest package that runs takes, on days before the first fold.
    private func search(
        _ running: RunningModels, _ champion: Champion, _ snapshot: SalesSnapshot,
        through last: BusinessDay, seed: UInt64, secondsMax: Int
    ) throws -> Recipe {
        let limits = ModelLimits(
            fileBytesMax: running.packages.map(\.package.packageBytes).max(),
            arenaBytesMax: running.packages.map(\.package.arenaBytes).max())
        let start = ContinuousClock.now
        func share() -> Double { (ContinuousClock.now - start) / .seconds(secondsMax) }
        let found = try RecipeSearch(
            series: snapshot.series, through: last, champion: champion.family, limits: limits,
            seed: seed
        ).recipe(
            progress: { _ in progress(.backTesting, 0) }, isOver: { share() > 1 },
            isCancelled: isCancelled)
        guard let found else {
            throw CommandFailure(
                .refused,
                "within \(secondsMax) s nothing was found that takes no more than what runs: files of"
                    + " \(limits.fileBytesMax ?? 0) bytes, arenas of \(limits.arenaBytesMax ?? 0); give"
                    + " --search more time")
        }
        return found
    }

    private func backTest(
        _ run: inout AutopilotRecord, _ champion: Champion, _ networks: [ChallengerNetwork],
        _ snapshot: SalesSnapshot, _ folds: [BackTest.Fold]
    ) throws -> PromotionVerdict {
        let drifts = run.cause.drifts
        let forecasts = try RollingOrigin(
            series: snapshot.series, champion: champion, networks: networks, folds: folds,
            drifts: drifts, seed: run.seed ?? 1
        ).forecasts(
            progress: { progress(.backTesting, $0) }, isCancelled: isCancelled)
        let test = BackTest(forecasts, folds: folds, drifts: drifts, rule: rule)
        let verdict = PromotionVerdict(test, rule: rule)
        run.backTest = test
        run.verdict = verdict
        return verdict
    }

    private func freeName(for run: AutopilotRecord) async throws -> String {
        let taken = Set(try await store.families().map(\.name))
        return TrainedVariant.freeName("auto-\(run.id)", taken: Array(taken))
    }

    private func pack(
        _ run: inout AutopilotRecord, _ trained: ChallengerTraining.Trained,
        _ champion: Champion, _ snapshot: SalesSnapshot
    ) async throws -> (family: String, packages: [PackageRecord]) {
        let family = trained.family
        let name = run.family ?? "auto-\(run.id)"
        var record = FamilyRecord(
            name: name, createdAt: .now, form: family.form.name, snapshotDigest: snapshot.digest,
            seed: family.seed, asOf: family.asOf, summary: "", trained: [])
        record.lineage = snapshot.lineage(.autopilot, family, at: record.createdAt)
        record.lineage?.parent = champion.name
        record.lineage?.autopilotRun = run.id
        for (index, isWarm) in trained.isWarmStarted.enumerated() where isWarm {
            record.lineage?.networks[index].parent =
                "\(champion.name) \(family.variants[index].name)"
        }
        record = try family.record(like: record, snapshot: snapshot)
        try await store.saveFamily(record)
        let packed = try await FamilyPackager(store: store, data: data).pack(
            record, family, snapshot: snapshot,
            progress: { progress(.packing, Double($0) / Double($1)) }, isCancelled: isCancelled)
        guard let packed else { throw TrainingError.cancelled }
        run.release = packed.release
        run.packageCount = packed.packages.count
        return (name, packed.packages)
    }

    /// Who gets it: whom the champion was pushed to, and of these only the stores it is better in where it is not better
    /// everywhere.
    private func selector(
        for verdict: PromotionVerdict, champion: String
    ) async throws -> Selector {
        let before = try await store.rollouts().first {
            $0.family == champion && $0.state != .aborted
        }
        let whole = before?.selector ?? .all
        guard case .stores(let stores)? = verdict.scope else { return whole }
        var names = stores.map(\.text)
        while names.joined(separator: ",").utf8.count > Selector.textBytesMax / 2 {
            names.removeLast()
        }
        let own = "store=" + names.joined(separator: ",")
        // A selector that names stores itself cannot be narrowed by text: then these stores alone count.
        if whole != .all, let both = try? Selector("\(whole.text) \(own)") { return both }
        return try Selector(own)
    }
}
