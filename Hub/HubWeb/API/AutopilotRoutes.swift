import Forecasting
package import HubCore
import HubStore
import JSONText

/// Runs of the autopilot in JSON, as commands and the API say them.
package enum AutopilotShapes {
    package static let data = Shape<TrainingData>(
        "TrainingData", "The sales that something was learnt from.",
        [
            .text("digest", "SHA-256: the same sales have the same digest.", APIText.digest.example)
            {
                $0.digest
            },
            .day("firstDay", "The first day.") { $0.firstDay },
            .day("lastDay", "The last day.") { $0.lastDay },
            .count("stores", "Stores.", 3) { $0.stores },
            .count("series", "Items of stores.", 24) { $0.series },
            .count("seriesDays", "Their days.", 17_520) { $0.seriesDays },
            .count("importedTotals", "Day totals that were imported.", 17_000) {
                $0.importedTotals
            },
            .count("uploadedTotals", "Day totals that devices sent.", 520) { $0.uploadedTotals },
            .count("closedDays", "Left out: the store was closed.", 12) { $0.closedDays },
            .count("outOfStockDays", "Left out: the item was out of stock.", 4) {
                $0.outOfStockDays
            },
        ])

    static let drift = Shape<StoreDrift>(
        "Drift", "A store whose demand is another one.",
        [.store { $0.store }, .day("since", "Since this day.") { $0.since }])

    static let errors = Shape<BackTestErrors>(
        "BackTestErrors", "Errors on the same days.",
        [
            .count("forecasts", "Compared.", 1_680) { $0.forecasts },
            .numberIfAny("challengerWapePercent", "Of what was trained.", 12.1) {
                $0.challengerWAPE
            },
            .numberIfAny("championWapePercent", "Of what runs.", 12.9) { $0.championWAPE },
            .numberIfAny("seasonalNaiveWapePercent", "Of the same weekday a week before.", 18.6) {
                $0.naiveWAPE
            },
        ])

    static let fold = Shape<BackTest.Fold>(
        "Fold", "One origin of the back-test.",
        [
            .day("origin", "The first day forecast.") { $0.origin },
            .count("days", "How many.", 28) { $0.days },
            .count("daysChampionKnew", "Of these, those the champion had learnt from.", 0) {
                $0.daysChampionKnew
            },
            .shape("errors", "On these days.", errors) { $0.errors },
        ])

    static let store = Shape<BackTest.Store>(
        "BackTestStore", "One store of the back-test.",
        [
            .store { $0.store },
            .dayIfAny("driftsSince", "null: its demand is the same.") { $0.driftsSince },
            .shape("errors", "Its errors.", errors) { $0.errors },
            .word(
                "finding", "Whether the challenger is better there.",
                ["better", "worse", "alike", "tooFew"]
            ) { $0.finding.rawValue },
        ])

    static let realised = Shape<AutopilotRecord.Realised>(
        "Realised", "What became of a model in one store.",
        [
            .store { $0.store },
            .flag("isUndone", "It was taken back there.") { $0.isUndone },
            .text("text", "The figures.", "12.1 % beside 12.9 %") { $0.text },
        ])

    static let network = Shape<AutopilotRecord.Network>(
        "RunNetwork", "One network that a run trained.",
        [
            .text("variant", "Its name.", "profile-4") { $0.variant },
            .text("recipe", "Step by step.", "lstm4 | qat int8") { $0.recipe },
            .flag("isWarmStarted", "It began with the champion's weights.") { $0.isWarmStarted },
        ])

    package static let run = Shape<AutopilotRecord>(
        "AutopilotRun",
        "One run of the autopilot, from what made it begin to what became of its model.",
        [
            .count("run", "Its number.", 5) { $0.id },
            .moment("startedAt", "When it began.") { $0.startedAt },
            .momentIfAny("endedAt", "null: it goes on.") { $0.endedAt },
            .word("mode", "In this mode.", modes) { $0.mode.rawValue },
            .word(
                "trigger", "What made it begin.",
                AutopilotCause.Trigger.allCases.map(\.rawValue)
            ) { $0.cause.trigger.rawValue },
            .text("reason", "The same in words.", "demand of store 12 has shifted") {
                $0.cause.reason
            },
            .shapes("drifts", "Stores whose demand is another one.", drift) { $0.cause.drifts },
            .word("stage", "How far it is.", AutopilotRecord.Stage.allCases.map(\.rawValue)) {
                $0.stage.rawValue
            },
            .wordIfAny(
                "outcome", "What it came to; null: it goes on.",
                AutopilotRecord.Outcome.allCases.map(\.rawValue)
            ) { $0.outcome?.rawValue },
            .text("why", "Why.", "it proved no worse anywhere") { $0.why },
            .shapeIfAny("data", "What it learnt from.", data) { $0.data },
            .textIfAny("champion", "The family that ran.", "winter") { $0.champion },
            .countIfAny("seed", "What its randomness follows from.", 1) { $0.seed },
            .shapes("networks", "What it trained.", network, countMax: 1_000) { $0.networks },
            .shapes("folds", "The back-test, origin by origin.", fold, countMax: 1_000) {
                $0.backTest?.folds ?? []
            },
            .shapes("stores", "The back-test, store by store.", store) {
                $0.backTest?.stores ?? []
            },
            .shapeIfAny("total", "The back-test as a whole.", errors) { $0.backTest?.total },
            .numberIfAny(
                "chance", "How likely chance alone would show so much gain, 0 to 1.", 0.002
            ) { $0.backTest?.chance },
            .flagIfAny("isPromotion", "Whether it is to run; null: not judged yet.") {
                $0.verdict?.isPromotion
            },
            .textIfAny("verdict", "Why, or why not.", "it is better by 6.2 %") { $0.verdict?.why },
            .textIfAny("rule", "By this rule.", "better by 1 % or more") { $0.verdict?.rule },
            .textIfAny("family", "What it made.", "auto-5") { $0.family },
            .countIfAny("release", "The release of its packages.", 4) { $0.release },
            .countIfAny("packages", "How many.", 8) { $0.packageCount },
            .countIfAny("rollout", "The rollout it pushed; null: none.", 4) { $0.rollout },
            .shapes("realised", "What became of it in each store.", realised) { $0.realised },
        ])

    static let modes = AutopilotMode.allCases.map(\.rawValue)
}

/// The autopilot.
enum AutopilotRoutes {
    static let settings = Shape<AutopilotSettings>(
        "AutopilotSettings", "What an operator has settled for the autopilot.",
        [
            .word(
                "mode", "off; advise: all but the push; on: it pushes what is better.",
                AutopilotShapes.modes
            ) { $0.mode.rawValue },
            .count("everyDays", "It runs so often, and when stores drift.", 28) { $0.everyDays },
            .count("minutesMax", "What one run may take.", 60) { $0.minutesMax },
            .shape("policy", "How its pushes come to devices.", RolloutRoutes.policy) {
                $0.policy
            },
        ])

    static let routes: [APIRoute] = [
        .one(
            "/autopilot", "getAutopilot", .autopilot,
            "Whether models are trained anew by themselves",
            shape: settings
        ) { try await $0.store.autopilotSettings() },
        .list(
            "/autopilot/runs", "listAutopilotRuns", .autopilot,
            "Runs of the autopilot, newest first",
            "The newest \(runsMax).", shape: AutopilotShapes.run
        ) { call in
            try call.page(try await call.store.autopilotRuns(countMax: runsMax)) {
                [.falling($0.id)]
            }
        },
        .one(
            "/autopilot/runs/{run}", "getAutopilotRun", .autopilot, "A run of the autopilot",
            shape: AutopilotShapes.run
        ) { call in
            let id = try call.number("run")
            guard let run = try await call.store.autopilotRun(id) else {
                throw APICall.nothing("run", "\(id)")
            }
            return run
        },
    ]

    private static let runsMax = 10_000
}
