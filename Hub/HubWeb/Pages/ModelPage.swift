import Forecasting
import FoundationEssentials
import Glibc
import HTTPTypes
import HubCore
import HubStore
import Hummingbird

/// One family: what it costs in bytes and in error, what it was made of, where it went.
enum ModelPage {
    static func add(to pages: PageRoutes, _ visits: Visits) {
        pages.page("models/:family", visits) { try await page($0) }
    }

    private static func page(_ visit: Visit) async throws -> Page {
        let name = try visit.part("family")
        guard let found = try await visit.store.lineage(family: name) else {
            throw Refusal(.notFound, "There is no family \(name).")
        }
        let fleet = try await visit.store.reportFleet()
        let points = ModelPoint.points(of: found.packages)
        let card = FamilyCard(found.family.summary)
        var page = Page("Model \(name)", in: .models)
        page.crumbs = [("Models", Link("models"))]
        page.scope =
            "\(found.family.form), made \(PageText.moment(found.family.createdAt)), learnt from days up to"
            + " \(found.family.asOf.iso8601)"
        page.command = "shelfcast-hub package list --family \(name)"
        page.body = """
            <section class="first"><h2>Error against size</h2>
            \(FrontPlot.markup(points, baseline: card?.seasonalNaive))
            \(sizes(points, fleet, name))
            </section>
            \(evaluation(card))
            <section><h2>Where it comes from</h2>
            \(PageText.facts(origin(found, card)))
            \(networks(found.family.lineage))
            </section>
            <section><h2>Where it went</h2>
            \(rollouts(found.rollouts))
            </section>
            """
        return page
    }

    private static func sizes(
        _ points: [ModelPoint], _ fleet: ReportFleet, _ family: String
    ) -> Markup {
        guard !points.isEmpty else {
            return """
                <p class="note">No package yet: <code>shelfcast-hub package build \(family)</code> makes them.</p>
                """
        }
        let running = running(of: family, fleet)
        var table = PageTable(
            "Variants",
            columns: [
                .init("Variant", isText: true), .init("Release"), .init("Parameters"),
                .init("Bytes", meaning: "Of the largest store's package"), .init("Arena bytes"),
                .init(
                    "WAPE %", meaning: "As integers, the package for any store, over all stores",
                    isMain: true),
                .init("As floats %", meaning: "WAPE of the network before it was made of integers"),
                .init(
                    "Stores' own %", meaning: "WAPE of the stores' own packages, each on its store"),
                .init("MAPE %"), .init("Bias %"), .init("Devices"),
                .init("Needs", isText: true),
            ])
        for point in points {
            table.add([
                .init(point.name), .init("\(point.release)"), .init("\(point.parameterCount)"),
                .init("\(point.bytes)"), .init("\(point.arenaBytes)"),
                .init(Figure.fixed(point.wape, decimals: 2)),
                .init(Figure.fixed(point.floatWAPE, decimals: 2)),
                .init(own(point)), .init(Figure.fixed(point.mape, decimals: 2)),
                .init(Figure.fixed(point.bias, decimals: 2)),
                .init("\(running[point.name] ?? 0)"),
                .init(point.requiredFeatures.joined(separator: " ")),
            ])
        }
        return table.markup
    }

    /// How many approved devices run each variant of a family.
    static func running(of family: String, _ fleet: ReportFleet) -> [String: Int] {
        var running: [String: Int] = [:]
        for device in fleet.devices where device.status == .approved {
            guard let package = device.running.flatMap({ fleet.package(digest: $0.digest) }),
                package.family == family
            else { continue }
            running[package.variant, default: 0] += 1
        }
        return running
    }

    private static func own(_ point: ModelPoint) -> String {
        guard let least = point.ownWAPE.min(), let most = point.ownWAPE.max() else { return "n/a" }
        return "\(Figure.fixed(least, decimals: 2)) to \(Figure.fixed(most, decimals: 2))"
    }

    private static func evaluation(_ card: FamilyCard?) -> Markup {
        guard let card else { return .empty }
        var table = PageTable(
            "Forecasters on the same days",
            columns: [
                .init("Forecaster", isText: true), .init("Parameters"), .init("Forecasts"),
                .init("WAPE %", isMain: true), .init("Bias %"), .init("MAPE %"),
                .init("Zeros", meaning: "Days without sales, which MAPE leaves out"),
                .init("sMAPE %"),
            ])
        for row in card.variants + card.baselines {
            table.add([
                .init(row.name), .init(row.parameters.map { "\($0)" } ?? ""),
                .init("\(row.forecasts)"), .init(Figure.fixed(row.wapePercent, decimals: 2)),
                .init(Figure.fixed(row.biasPercent, decimals: 2)),
                .init(Figure.fixed(row.mapePercent, decimals: 2)),
                .init("\(row.excludedZeroActuals)"),
                .init(Figure.fixed(row.symmetricMapePercent, decimals: 2)),
            ])
        }
        return """
            <section><h2>Beside plain forecasters</h2>
            <p class="note">As floats, on \(card.evaluatedDays) days from \(card.evaluatedFrom) that it never learnt from, \
            one day ahead.</p>
            \(table.markup)</section>
            """
    }

    private static func origin(
        _ found: FamilyLineage, _ card: FamilyCard?
    ) -> [(String, Markup)] {
        let family = found.family
        var list: [(String, Markup)] = []
        if let lineage = family.lineage {
            let data = lineage.data
            list.append(("Made by", Markup(text: lineage.origin.rawValue)))
            list.append(
                (
                    "Learnt from",
                    """
                    \(Figure.count(data.seriesDays, "day")) of \(data.series) items in \(Figure.count(data.stores, "store")), \
                    \(data.firstDay.iso8601) to \(data.lastDay.iso8601): \(data.importedTotals) imported totals, \
                    \(data.uploadedTotals) of devices
                    """
                ))
            list.append(
                (
                    "Left out",
                    "\(Figure.count(data.closedDays, "closed day")), \(Figure.count(data.outOfStockDays, "day")) out of stock"
                ))
        } else if let card {
            list.append(
                (
                    "Learnt from",
                    "\(Figure.count(card.seriesDays, "day")) of \(card.series) items in \(Figure.count(card.stores, "store"))"
                ))
        }
        list.append(("Sales", "<code>\(family.snapshotDigest)</code>"))
        list.append(("Seed", "\(family.seed)"))
        if let file = family.lineage?.fileDigest { list.append(("File", "<code>\(file)</code>")) }
        if let run = found.run {
            list.append(
                (
                    "Autopilot",
                    "\(AutopilotRunPage.link(run).to("run \(run.id)")), because \(run.cause.reason)"
                ))
        }
        if !found.ancestors.isEmpty {
            list.append(
                (
                    "Follows",
                    found.ancestors.map { Link("models", $0.name).to($0.name) }.joined(by: ", ")
                ))
        }
        return list
    }

    private static func networks(_ lineage: Lineage?) -> Markup {
        guard let lineage, !lineage.networks.isEmpty else { return .empty }
        var table = PageTable(
            "Recipes",
            columns: [
                .init("Variant", isText: true), .init("Recipe", isText: true), .init("Seed"),
                .init("By", isText: true), .init("Made", isText: true),
                .init("Began with the weights of", isText: true),
            ])
        for network in lineage.networks {
            table.add([
                .init(network.variant), .init("<code>\(network.recipe)</code>" as Markup),
                .init("\(network.seed)"), .init(network.origin.rawValue),
                .init(PageText.moment(network.madeAt)), .init(network.parent ?? "nobody"),
            ])
        }
        return "<h3>Recipes</h3>\(table.markup)"
    }

    private static func rollouts(_ rollouts: [RolloutRecord]) -> Markup {
        guard !rollouts.isEmpty else {
            return "<p class=\"note\">It was not pushed yet.</p>"
        }
        let list: [Markup] = rollouts.map {
            """
            <li>\(Link("rollouts", "\($0.id)").to("Rollout \($0.id)")) to \($0.selector.text): \
            \(RolloutText.state($0.state))</li>

            """
        }
        return "<ul>\(list)</ul>"
    }
}

/// What training wrote of a family, as `train --json` prints it; of a later version, what is known of it.
struct FamilyCard: Decodable, Sendable {
    struct Row: Decodable, Sendable {
        var name: String
        var parameters: Int?
        var forecasts: Int
        var wapePercent: Double?
        var biasPercent: Double?
        var mapePercent: Double?
        var excludedZeroActuals: Int
        var symmetricMapePercent: Double?
    }

    var stores: Int
    var series: Int
    var seriesDays: Int
    var evaluatedFrom: String
    var evaluatedDays: Int
    var variants: [Row]
    var baselines: [Row]

    /// nil for what was not written by training.
    init?(_ summary: String) {
        guard let card = try? JSONDecoder().decode(FamilyCard.self, from: Data(summary.utf8))
        else { return nil }  // another kind of summary: the page goes without
        self = card
    }

    /// WAPE of the same weekday last week, in percent.
    var seasonalNaive: Double? { baselines.first { $0.name == "seasonal naive" }?.wapePercent }
}

/// Error against bytes, bytes on a logarithmic axis; the front as a line. The figures stand in the table below it.
enum FrontPlot {
    static func markup(_ points: [ModelPoint], baseline: Double?) -> Markup {
        let drawn = points.filter { $0.bytes > 0 && $0.wape.isFinite }
        guard drawn.count > 1 else { return .empty }
        let drawings: [Markup] = [(kind: "wide", width: 1180.0), (kind: "narrow", width: 360.0)].map
        {
            drawing(drawn, kind: $0.kind, width: $0.width)
        }
        let naive: Markup? = baseline.map {
            " The same weekday last week: \(Figure.percent($0))."
        }
        return """
            <p class="legend"><span><span class="key point"></span>on the front: nothing is smaller and better</span> \
            <span><span class="key point plain"></span>other</span></p>
            \(drawings)
            <p class="note">WAPE in percent, against bytes.\(naive)</p>
            """
    }

    private static func drawing(_ points: [ModelPoint], kind: String, width: Double) -> Markup {
        let (height, left, right, top, bottom) = (260.0, 46.0, 24.0, 16.0, 26.0)
        let bytes = points.map { log2(Double($0.bytes)) }
        let errors = points.map(\.wape)
        // `points` is not empty.
        let (low, high) = ((bytes.min() ?? 0) - 0.2, (bytes.max() ?? 1) + 0.2)
        let least = errors.min() ?? 0
        let span = max((errors.max() ?? 1) - least, 0.5)
        let (floor, ceiling) = (least - 0.15 * span, least + 1.15 * span)
        func x(_ point: ModelPoint) -> Double {
            left + (width - left - right) * (log2(Double(point.bytes)) - low) / (high - low)
        }
        func y(_ error: Double) -> Double {
            top + (height - top - bottom) * (1 - (error - floor) / (ceiling - floor))
        }
        let text = PlotFrame.text
        let step = [0.1, 0.2, 0.5, 1, 2, 5, 10].first { span * 1.3 / $0 <= 6 } ?? 20
        let lines: [Markup] = stride(
            from: (floor / step).rounded(.up) * step, through: ceiling, by: step
        ).map { value in
            """
            <line class="grid" x1="\(text(left))" x2="\(text(width - right))" y1="\(text(y(value)))" y2="\(text(y(value)))"/>\
            <text x="\(text(left - 8))" y="\(text(y(value) + 4))" text-anchor="end">\(Figure.fixed(value, decimals: 1))</text>
            """
        }
        let front = points.filter(\.isOnFront).map { "\(text(x($0))),\(text(y($0.wape)))" }
            .joined(separator: " ")
        var taken: [(x: Double, y: Double)] = []
        let marks: [Markup] = points.map { point in
            let (px, py) = (x(point), y(point.wape))
            let isAtEdge = px > width - 110
            // A name that would lie on another goes below its point.
            let collides = taken.contains { abs($0.x - px) < 100 && abs($0.y - py) < 14 }
            taken.append((px, py))
            let kind: Markup = point.isOnFront ? "own" : "plain"
            return """
                <circle class="\(kind)" cx="\(text(px))" cy="\(text(py))" r="4.5"/>\
                <text class="strong" x="\(text(isAtEdge ? px - 9 : px + 9))" y="\(text(collides ? py + 18 : py - 7))" \
                text-anchor="\(isAtEdge ? "end" : "start")">\(point.name)</text>
                """
        }
        let smallest = points.map(\.bytes).min() ?? 0
        let largest = points.map(\.bytes).max() ?? 0
        let foot = text(height - 4)
        return """
            <svg class="\(kind)" viewBox="0 0 \(text(width)) \(text(height))" role="img" aria-label="WAPE against bytes; the figures are in the table">
            \(lines)<polyline points="\(front)"/>\(marks)
            <text x="\(text(left))" y="\(foot)">\(smallest) bytes</text>
            <text x="\(text(width - right))" y="\(foot)" text-anchor="end">\(largest) bytes</text>
            </svg>
            """
    }
}
