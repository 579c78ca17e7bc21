import Forecasting
import HubCore

/// A run of the autopilot for people.
enum AutopilotText {
    static func list(_ runs: [AutopilotRecord]) -> String {
        var table = TextTable([
            ("RUN", .right), ("STARTED", .left), ("TRIGGER", .left), ("MODE", .left),
            ("OUTCOME", .left), ("WAPE%", .right), ("CHAMPION", .right), ("FAMILY", .left),
            ("ROLLOUT", .right), ("WHY", .left),
        ])
        for run in runs {
            table.add([
                "\(run.id)", FleetText.moment(run.startedAt), run.cause.trigger.rawValue,
                run.mode.rawValue, outcome(run),
                figure(run.backTest?.total.challengerWAPE),
                figure(run.backTest?.total.championWAPE), run.family ?? "",
                run.rollout.map { "\($0)" } ?? "", run.why,
            ])
        }
        return table.text
    }

    static func outcome(_ run: AutopilotRecord) -> String {
        switch run.outcome {
        case .cutOff: "cut-off"
        case let outcome?: outcome.rawValue
        case nil: run.stage.text.replacing(" ", with: "-")
        }
    }

    private static func figure(_ percent: Double?) -> String {
        percent.map { Figure.fixed($0, decimals: 2) } ?? ""
    }

    static func show(_ run: AutopilotRecord) -> String {
        var lines: [String] = []
        lines.append(
            "run \(run.id), \(FleetText.moment(run.startedAt)), mode \(run.mode.rawValue), by"
                + " \(run.cause.trigger.rawValue): \(run.cause.reason)")
        for drift in run.cause.drifts where run.cause.trigger == .demand {
            lines.append("store \(drift.store.text) drifts since \(drift.since.iso8601)")
        }
        if let data = run.data {
            lines.append(
                "data: \(data.series) series of \(FleetText.count(data.stores, "store")),"
                    + " \(data.firstDay.iso8601) to \(data.lastDay.iso8601), \(data.seriesDays) item days;"
                    + " \(data.importedTotals) totals imported, \(data.uploadedTotals) by devices;"
                    + " left out \(data.closedDays) closed, \(data.outOfStockDays) out of stock;"
                    + " digest \(data.digest.prefix(16))")
        }
        if let champion = run.champion, let seed = run.seed {
            lines.append("champion: \(champion); seed \(seed)")
        }
        for network in run.networks {
            lines.append(
                "challenger: \(network.variant), \(network.recipe), "
                    + (network.isWarmStarted ? "from the champion's weights" : "from scratch"))
        }
        if let test = run.backTest { lines += backTest(test) }
        if let verdict = run.verdict {
            lines.append("rule: \(verdict.rule)")
            lines.append("verdict: \(verdict.isPromotion ? "promoted" : "refused"): \(verdict.why)")
        }
        if let family = run.family, let count = run.packageCount, let release = run.release {
            lines.append(
                "packages: \(FleetText.count(count, "package")) of \(family), release \(release)")
        }
        if let rollout = run.rollout {
            lines.append("rollout: \(rollout); shelfcast-hub rollout show \(rollout)")
        }
        for store in run.realised {
            lines.append(
                "store \(store.store.text): \(store.isUndone ? "taken back" : "kept")"
                    + (store.text.isEmpty ? "" : ", \(store.text)"))
        }
        let since = run.endedAt.map { ", \(FleetText.moment($0))" } ?? ""
        lines.append("outcome: \(outcome(run))\(since)" + (run.why.isEmpty ? "" : ": \(run.why)"))
        return lines.joined(separator: "\n")
    }

    private static func backTest(_ test: BackTest) -> [String] {
        var folds = TextTable([
            ("FOLD", .left), ("DAYS", .right), ("KNOWN TO CHAMPION", .right),
            ("FORECASTS", .right), ("CHALLENGER%", .right), ("CHAMPION%", .right),
            ("LAST WEEK%", .right),
        ])
        for fold in test.folds {
            folds.add([
                fold.origin.iso8601, "\(fold.days)", "\(fold.daysChampionKnew)",
                "\(fold.errors.forecasts)", figure(fold.errors.challengerWAPE),
                figure(fold.errors.championWAPE), figure(fold.errors.naiveWAPE),
            ])
        }
        var stores = TextTable([
            ("STORE", .left), ("DRIFTS SINCE", .left), ("FORECASTS", .right),
            ("CHALLENGER%", .right), ("CHAMPION%", .right), ("LAST WEEK%", .right),
            ("FINDING", .left),
        ])
        for store in test.stores {
            stores.add([
                store.store.text, store.driftsSince?.iso8601 ?? "", "\(store.errors.forecasts)",
                figure(store.errors.challengerWAPE), figure(store.errors.championWAPE),
                figure(store.errors.naiveWAPE), store.finding.text,
            ])
        }
        stores.add([
            "all", "", "\(test.total.forecasts)", figure(test.total.challengerWAPE),
            figure(test.total.championWAPE), figure(test.total.naiveWAPE),
            test.chance.map { "gain by chance: \(Figure.percent(100 * $0))" } ?? "",
        ])
        return ["back-test, one day ahead (WAPE):", folds.text, stores.text]
    }
}

extension BackTest.Finding {
    var text: String {
        switch self {
        case .better: "better"
        case .worse: "worse"
        case .alike: "alike"
        case .tooFew: "too few"
        }
    }
}
