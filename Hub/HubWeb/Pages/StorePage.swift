import Forecasting
import HTTPTypes
import HubCore
import HubStore
import Hummingbird

/// One store: its figures, its items, its weekdays, its devices, and what is missing of each.
enum StorePage {
    static func add(to pages: PageRoutes, _ visits: Visits) {
        pages.page("stores/:store", visits) { try await page($0) }
    }

    private static func page(_ visit: Visit) async throws -> Page {
        let id: StoreID = try visit.identifier("store")
        guard let record = try await visit.store.store(id) else {
            throw Refusal(.notFound, "There is no store \(id.text).")
        }
        let range = try await DayRange(visit)
        let fleet = try await visit.store.reportFleet()
        let selection = ReportSelection(store: id, first: range.first, last: range.last)
        let tables = try await visit.store.reportTables(
            [
                ReportTable(.chain), ReportTable(.day, countsSeries: false), ReportTable(.item),
                ReportTable(.weekday),
                ReportTable(.package),
            ], of: selection, fleet: fleet)
        let coverage = try await visit.store.reportCoverage(of: selection, fleet: fleet)
        let line = tables[0].first
        let finding = StoreFinding(
            store: id, line: line, items: tables[2],
            devices: fleet.devices.filter { $0.store == id }, coverage: coverage)
        let marks = try await StoreMarks(
            id, from: range.first, through: range.last, fleet: fleet, in: visit.store)
        let path = Link("stores", id.text)
        let items = ReportList(
            rows: try await self.items(tables[2], of: id, in: visit.store), heading: "Item",
            sorting: ReportSorting(visit.query, path: path, kept: range.query))
        var page = Page("Store \(id.text)", in: .stores)
        page.crumbs = [("Stores", Link("stores", query: range.query))]
        page.scope = "\(DayRange.text(line)); \(record.timeZone) time"
        page.command = "shelfcast-hub report --by item --store \(id.text)\(range.options)"
        page.body = """
            \(range.links(path))
            \(word(finding))
            \(alerts(marks.alerts))
            \(ReportMarkup.tiles(line, of: selection))
            \(ReportMarkup.coverage(coverage, pending: line?.sums.pending ?? 0))
            <section><h2>Day by day</h2>
            \(OverviewPage.days(tables[1], marks: marks.marks))
            </section>
            <section><h2>Items</h2>
            \(items.rows.isEmpty
                ? "<p class=\"note\">Nothing was sold in this store yet.</p>"
                : items.table { link(id, $0.name, range).to($0.name) }.markup)
            </section>
            <section><h2>Weekdays</h2>
            \(ReportMarkup.table(ReportText.rows(tables[3]), heading: "Weekday").markup)
            </section>
            <section><h2>Packages</h2>
            \(packages(tables[4]))
            </section>
            \(ReceivedTable(coverage, fleet: fleet, isLinked: true).markup)
            """
        return page
    }

    private static func link(_ store: StoreID, _ item: String, _ range: DayRange) -> Link {
        Link("stores", store.text, "items", item, query: range.query)
    }

    /// An item that no forecast came of has its row too.
    private static func items(
        _ lines: [ReportLine], of store: StoreID, in hub: any HubStore
    ) async throws -> [ReportText.Row] {
        let byName = Dictionary(lines.map { ($0.name, $0) }, uniquingKeysWith: { $1 })
        return try await hub.items(store: store).sorted().map {
            ReportText.Row(name: $0.text, line: byName[$0.text])
        }
    }

    private static func packages(_ lines: [ReportLine]) -> Markup {
        guard !lines.isEmpty else {
            return "<p class=\"note\">No forecast of these days was received.</p>"
        }
        var table = ReportMarkup.table(ReportText.rows(lines), heading: "Package")
        table.isNamed = true
        return table.markup
    }

    private static func alerts(_ alerts: [AlertRecord]) -> Markup {
        guard !alerts.isEmpty else { return .empty }
        let items: [Markup] = alerts.prefix(20).map {
            """
            <li>\(AlertsPage.severity($0.severity)) \(Link("alerts", "\($0.id)").to($0.title))</li>

            """
        }
        return "<ul class=\"todo\">\(items)</ul>"
    }

    private static func word(_ finding: StoreFinding) -> Markup {
        switch finding.standing {
        case .good: "<p class=\"word\">It forecasts well.</p>"
        case .poor:
            "<p class=\"word bad\">It does not forecast well: \(finding.reasons.joined(separator: "; ")).</p>"
        case .unknown:
            "<p class=\"word bad\">There is no figure: \(finding.reasons.joined(separator: "; ")).</p>"
        }
    }
}
