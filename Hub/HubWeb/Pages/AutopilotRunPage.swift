import Forecasting
import HTTPTypes
import HubCore
import HubStore
import Hummingbird

/// One run of the autopilot, from what made it begin to what became of its model.
enum AutopilotRunPage {
    static func add(to pages: PageRoutes, _ visits: Visits) {
        pages.page("models/runs/:run", visits) { try await page($0) }
    }

    static func link(_ run: AutopilotRecord) -> Link { Link("models", "runs", "\(run.id)") }

    private static func page(_ visit: Visit) async throws -> Page {
        guard let id = Int64(try visit.part("run")),
            let run = try await visit.store.autopilotRun(id)
        else { throw Refusal(.notFound, "There is no such run of the autopilot.") }
        var page = Page("Autopilot, run \(run.id)", in: .models)
        page.crumbs = [("Models", Link("models"))]
        page.scope = "Began \(PageText.moment(run.startedAt)): \(run.cause.reason)"
        page.command = "shelfcast-hub autopilot show \(run.id)"
        let isBad = run.outcome == .failed || run.outcome == .undone
        let word: Markup = isBad ? "word bad" : "word"
        let why: Markup? = run.why.isEmpty ? nil : ": \(run.why)"
        page.body = """
            <p class="\(word)">\(ModelsPage.outcome(run))\(why)</p>
            \(PageText.facts(facts(run)))
            \(networks(run.networks))
            \(run.backTest.map(backTest))
            \(realised(run.realised))
            """
        return page
    }

    private static func facts(_ run: AutopilotRecord) -> [(String, Markup)] {
        var list: [(String, Markup)] = [
            ("Mode", Markup(text: run.mode.rawValue)),
            ("Ended", Markup(text: run.endedAt.map { PageText.moment($0) } ?? "it goes on")),
        ]
        if let data = run.data {
            list.append(
                (
                    "Learnt from",
                    """
                    \(Figure.count(data.seriesDays, "day")) of \(Figure.count(data.series, "item")) in \
                    \(Figure.count(data.stores, "store")), \(data.firstDay.iso8601) to \(data.lastDay.iso8601); without \
                    \(Figure.count(data.closedDays, "closed day")) and \(Figure.count(data.outOfStockDays, "day")) out of stock
                    """
                ))
            list.append(("Sales", "<code>\(data.digest)</code>"))
        }
        if let seed = run.seed { list.append(("Seed", "\(seed)")) }
        if let champion = run.champion {
            list.append(("Champion", Link("models", champion).to(champion)))
        }
        if let verdict = run.verdict {
            list.append(("Verdict", Markup(text: verdict.why)))
            list.append(("By the rule", Markup(text: verdict.rule)))
        }
        if let family = run.family {
            let release: Markup? = run.release.map { ", release \($0)" }
            list.append(("Challenger", "\(Link("models", family).to(family))\(release)"))
        }
        if let rollout = run.rollout {
            list.append(("Pushed", Link("rollouts", "\(rollout)").to("Rollout \(rollout)")))
        }
        return list
    }

    private static func networks(_ networks: [AutopilotRecord.Network]) -> Markup {
        guard !networks.isEmpty else { return .empty }
        var table = PageTable(
            "Networks",
            columns: [
                .init("Variant", isText: true), .init("Recipe", isText: true),
                .init("Began with", isText: true),
            ])
        table.isStacked = true
        for network in networks {
            table.add([
                .init(network.variant), .init("<code>\(network.recipe)</code>" as Markup),
                .init(network.isWarmStarted ? "the champion's weights" : "nobody's weights"),
            ])
        }
        return "<section><h2>What it trained</h2>\(table.markup)</section>"
    }

    private static func backTest(_ test: BackTest) -> Markup {
        func columns(_ first: String, _ more: [PageTable.Column]) -> [PageTable.Column] {
            [PageTable.Column(first, isText: true)] + more + [
                .init("Forecasts"), .init("Champion %", meaning: "WAPE"),
                .init("Challenger %", meaning: "WAPE", isMain: true),
                .init("Last week's weekday %", meaning: "WAPE"),
                .init(
                    "Gain %", meaning: "Of the champion's error; above 0 the challenger is better"),
            ]
        }
        func cells(_ errors: BackTestErrors) -> [PageTable.Cell] {
            [
                .init("\(errors.forecasts)"),
                .init(Figure.fixed(errors.championWAPE, decimals: 2)),
                .init(Figure.fixed(errors.challengerWAPE, decimals: 2)),
                .init(Figure.fixed(errors.naiveWAPE, decimals: 2)),
                .init(Figure.fixed(errors.gain.map { 100 * $0 }, decimals: 2)),
            ]
        }
        var folds = PageTable(
            "Back-test by origin",
            columns: columns("From", [.init("Days"), .init("Known to the champion")]))
        for fold in test.folds {
            folds.add(
                [
                    .init(fold.origin.iso8601), .init("\(fold.days)"),
                    .init("\(fold.daysChampionKnew)"),
                ] + cells(fold.errors))
        }
        folds.add([.init("all"), .init(""), .init("")] + cells(test.total))
        var stores = PageTable(
            "Back-test by store",
            columns: columns(
                "Store",
                [.init("Drifts since", isText: true), .init("Challenger is", isText: true)]))
        for store in test.stores {
            stores.add(
                [
                    .init(Link("stores", store.store.text).to(store.store.text)),
                    .init(store.driftsSince?.iso8601 ?? ""), .init(finding(store.finding)),
                ] + cells(store.errors))
        }
        return """
            <section><h2>Champion and challenger on the same days</h2>
            <p class="note">At each origin the challenger is trained on the days before, and forecasts the days after, one day ahead.</p>
            \(folds.markup)
            <h3>Store by store</h3>
            \(stores.markup)</section>
            """
    }

    private static func finding(_ finding: BackTest.Finding) -> Markup {
        switch finding {
        case .better: PageText.state("better", .good)
        case .worse: PageText.state("worse", .bad)
        case .alike: PageText.state("alike", .open)
        case .tooFew: PageText.state("too few days to say", .open)
        }
    }

    private static func realised(_ realised: [AutopilotRecord.Realised]) -> Markup {
        guard !realised.isEmpty else { return .empty }
        var table = PageTable(
            "Realised",
            columns: [
                .init("Store", isText: true), .init("It was", isText: true),
                .init("Both errors on the same days", isText: true),
            ])
        table.isStacked = true
        for one in realised {
            table.add([
                .init(Link("stores", one.store.text).to(one.store.text)),
                .init(
                    one.isUndone ? PageText.state("undone", .bad) : PageText.state("kept", .good)),
                .init(one.text),
            ])
        }
        return "<section><h2>What became of it</h2>\(table.markup)</section>"
    }
}
