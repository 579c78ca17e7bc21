import Forecasting
import HubCore

/// A run of the autopilot for `--json`.
struct AutopilotOutput: Encodable {
    struct Drift: Encodable {
        var store: String
        var since: String
    }
    struct Errors: Encodable {
        var forecasts: Int
        @Nullable var challengerWapePercent: Double?
        @Nullable var championWapePercent: Double?
        @Nullable var seasonalNaiveWapePercent: Double?

        init(_ errors: BackTestErrors) {
            forecasts = errors.forecasts
            challengerWapePercent = errors.challengerWAPE
            championWapePercent = errors.championWAPE
            seasonalNaiveWapePercent = errors.naiveWAPE
        }
    }
    struct Fold: Encodable {
        var origin: String
        var days: Int
        var daysChampionKnew: Int
        var errors: Errors
    }
    struct Store: Encodable {
        var store: String
        @Nullable var driftsSince: String?
        var errors: Errors
        var finding: String
    }
    struct Realised: Encodable {
        var store: String
        var isUndone: Bool
        var text: String
    }
    struct Network: Encodable {
        var variant: String
        var recipe: String
        var isWarmStarted: Bool
    }

    var run: Int64
    var startedAt: String
    @Nullable var endedAt: String?
    var mode: String
    var trigger: String
    var reason: String
    var drifts: [Drift]
    var stage: String
    @Nullable var outcome: String?
    var why: String
    @Nullable var data: TrainingDataOutput?
    @Nullable var champion: String?
    @Nullable var seed: UInt64?
    var networks: [Network]
    var folds: [Fold]
    var stores: [Store]
    @Nullable var total: Errors?
    @Nullable var chance: Double?
    @Nullable var isPromotion: Bool?
    @Nullable var verdict: String?
    @Nullable var rule: String?
    @Nullable var family: String?
    @Nullable var release: UInt64?
    @Nullable var packages: Int?
    @Nullable var rollout: UInt64?
    var realised: [Realised]

    init(_ run: AutopilotRecord) {
        self.run = run.id
        startedAt = FleetText.moment(run.startedAt)
        endedAt = run.endedAt.map { FleetText.moment($0) }
        mode = run.mode.rawValue
        trigger = run.cause.trigger.rawValue
        reason = run.cause.reason
        drifts = run.cause.drifts.map { Drift(store: $0.store.text, since: $0.since.iso8601) }
        stage = run.stage.rawValue
        outcome = run.outcome?.rawValue
        why = run.why
        data = run.data.map(TrainingDataOutput.init)
        champion = run.champion
        seed = run.seed
        networks = run.networks.map {
            Network(variant: $0.variant, recipe: $0.recipe, isWarmStarted: $0.isWarmStarted)
        }
        folds = (run.backTest?.folds ?? []).map {
            Fold(
                origin: $0.origin.iso8601, days: $0.days, daysChampionKnew: $0.daysChampionKnew,
                errors: Errors($0.errors))
        }
        stores = (run.backTest?.stores ?? []).map {
            Store(
                store: $0.store.text, driftsSince: $0.driftsSince?.iso8601,
                errors: Errors($0.errors), finding: $0.finding.rawValue)
        }
        total = run.backTest.map { Errors($0.total) }
        chance = run.backTest?.chance
        isPromotion = run.verdict?.isPromotion
        verdict = run.verdict?.why
        rule = run.verdict?.rule
        family = run.family
        release = run.release
        packages = run.packageCount
        rollout = run.rollout
        realised = run.realised.map {
            Realised(store: $0.store.text, isUndone: $0.isUndone, text: $0.text)
        }
    }
}

/// What something was learnt from, for `--json`.
struct TrainingDataOutput: Encodable {
    var digest: String
    var firstDay: String
    var lastDay: String
    var stores: Int
    var series: Int
    var seriesDays: Int
    var importedTotals: Int
    var uploadedTotals: Int
    var closedDays: Int
    var outOfStockDays: Int

    init(_ data: TrainingData) {
        digest = data.digest
        firstDay = data.firstDay.iso8601
        lastDay = data.lastDay.iso8601
        stores = data.stores
        series = data.series
        seriesDays = data.seriesDays
        importedTotals = data.importedTotals
        uploadedTotals = data.uploadedTotals
        closedDays = data.closedDays
        outOfStockDays = data.outOfStockDays
    }
}
