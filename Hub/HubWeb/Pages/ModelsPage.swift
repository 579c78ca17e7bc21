import Forecasting
import FoundationEssentials
import HTTPTypes
import HubCore
import HubStore
import Hummingbird

/// Every family of models, newest first, and what the autopilot did.
enum ModelsPage {
    private static let runsShown = 50

    static func add(to pages: PageRoutes, _ visits: Visits) {
        pages.page("models", visits) { try await page($0) }
    }

    private static func page(_ visit: Visit) async throws -> Page {
        let families = try await visit.store.families()
        let packages = Dictionary(
            grouping: try await visit.store.packages(family: nil), by: \.family)
        var page = Page("Models", in: .models)
        page.scope =
            "\(families.count) \(families.count == 1 ? "family" : "families"), newest first"
        page.command = "shelfcast-hub package list"
        guard !families.isEmpty else {
            page.body = """
                <p class="note">Nothing was trained yet: <code>shelfcast-hub train</code> does.</p>
                """
            return page
        }
        var table = PageTable(
            "Families",
            columns: [
                .init("Family", isText: true), .init("Form", isText: true),
                .init("Made", isText: true), .init("By", isText: true),
                .init("Learnt up to", isText: true), .init("Variants"), .init("Packages"),
                .init("Bytes"),
                .init("WAPE %", meaning: "On days it never learnt from", isMain: true),
            ])
        table.isStacked = true
        for family in families {
            let own = packages[family.name] ?? []
            let points = ModelPoint.points(of: own)
            table.add([
                .init(Link("models", family.name).to(family.name)), .init(family.form),
                .init(PageText.moment(family.createdAt)),
                .init(family.lineage?.origin.rawValue ?? "n/a"), .init(family.asOf.iso8601),
                .init("\(Set(own.map(\.variant)).count)"), .init("\(own.count)"),
                .init(span(points.map(\.bytes))),
                .init(Figure.fixed(points.map(\.wape).min(), decimals: 2)),
            ])
        }
        page.body = """
            \(table.markup)
            \(try await autopilot(visit))
            """
        return page
    }

    private static func span(_ values: [Int]) -> String {
        guard let low = values.min(), let high = values.max() else { return "n/a" }
        return low == high ? "\(low)" : "\(low) to \(high)"
    }

    private static func autopilot(_ visit: Visit) async throws -> Markup {
        let settings = try await visit.store.autopilotSettings()
        let runs = try await visit.store.autopilotRuns(countMax: runsShown)
        let mode: Markup =
            switch settings.mode {
            case .off: "It is off: nothing is trained anew by itself."
            case .advise: "It trains and advises; the push is left to a person."
            case .on: "It trains, and pushes what is better."
            }
        guard !runs.isEmpty else {
            return "<section><h2>Autopilot</h2><p class=\"note\">\(mode)</p></section>"
        }
        var table = PageTable(
            "Autopilot",
            columns: [
                .init("Run", isText: true), .init("Began", isText: true),
                .init("Because", isText: true), .init("Came to", isText: true),
                .init("Champion %", meaning: "WAPE in the back-test"),
                .init("Challenger %", meaning: "WAPE in the back-test"),
                .init("Why", isText: true), .init("Rollout", isText: true),
            ])
        table.isStacked = true
        for run in runs {
            let total = run.backTest?.total
            table.add([
                .init(AutopilotRunPage.link(run).to("Run \(run.id)")),
                .init(PageText.moment(run.startedAt)),
                .init(run.cause.reason),
                .init(outcome(run)),
                .init(Figure.fixed(total?.championWAPE, decimals: 2)),
                .init(Figure.fixed(total?.challengerWAPE, decimals: 2)),
                .init(run.why),
                .init(
                    run.rollout.map { Link("rollouts", "\($0)").to("Rollout \($0)") } ?? .empty),
            ])
        }
        return """
            <section><h2>Autopilot</h2><p class="note">\(mode)</p>
            \(table.markup)</section>
            """
    }

    static func outcome(_ run: AutopilotRecord) -> Markup {
        switch run.outcome {
        case .kept: PageText.state("kept", .good)
        case .advised: PageText.state("advised", .warn)
        case .refused: PageText.state("refused", .open)
        case .undone: PageText.state("undone", .bad)
        case .failed: PageText.state("failed", .bad)
        case .cutOff: PageText.state("cut off", .open)
        case nil: PageText.state(run.stage.rawValue, .warn)
        }
    }
}

/// One variant of one release, over all stores' packages: its size and its error.
struct ModelPoint: Sendable {
    var name: String
    var release: UInt64
    /// Of the largest store's package.
    var bytes: Int
    var arenaBytes: Int
    var parameterCount: Int
    /// Of the package for any store, over all stores, in percent, on days the model never learnt from.
    var wape: Double
    var floatWAPE: Double
    var mape: Double
    var bias: Double
    /// WAPE of the stores' own packages, each on its store.
    var ownWAPE: [Double]
    var packages: Int
    var requiredFeatures: [String]
    /// Nothing of the family is both smaller and better.
    var isOnFront = false

    /// The newest release of each variant, the smallest first.
    static func points(of packages: [PackageRecord]) -> [ModelPoint] {
        var points: [ModelPoint] = []
        for (variant, all) in Dictionary(grouping: packages, by: \.variant) {
            guard let release = all.map(\.release).max() else { continue }
            let own = all.filter { $0.release == release }
            // Every build makes one; its figures alone are over all stores.
            guard let any = own.first(where: { $0.store == nil }) else { continue }
            points.append(
                ModelPoint(
                    name: variant, release: release, bytes: own.map(\.packageBytes).max() ?? 0,
                    arenaBytes: own.map(\.arenaBytes).max() ?? 0,
                    parameterCount: any.parameterCount, wape: any.wape, floatWAPE: any.floatWAPE,
                    mape: any.mape, bias: any.bias,
                    ownWAPE: own.filter { $0.store != nil }.map(\.wape), packages: own.count,
                    requiredFeatures: any.requiredFeatures))
        }
        points.sort { ($0.bytes, $0.wape, $0.name) < ($1.bytes, $1.wape, $1.name) }
        var best = Double.infinity
        for index in points.indices where points[index].wape < best {
            points[index].isOnFront = true
            best = points[index].wape
        }
        return points
    }
}
