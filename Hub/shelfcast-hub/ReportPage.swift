import Forecasting
import HubCore
import HubStore
import HubWeb

/// The whole report as one HTML file that needs nothing else: every view as a table, the days as a plot.
struct ReportPage {
    private static let views: [(view: ReportView, heading: String)] = [
        (.store, "Stores"), (.region, "Regions"), (.item, "Items"), (.weekday, "Weekdays"),
        (.horizon, "Horizon"), (.family, "Families"), (.variant, "Variants"),
        (.package, "Packages"), (.device, "Devices"),
    ]

    private struct Table {
        var view: ReportView
        var heading: String
        var rows: [ReportText.Row]
        var note: String?
    }

    private let selection: ReportSelection
    private let chain: ReportLine?
    private let days: [ReportLine]
    private let tables: [Table]
    private let coverage: ReportCoverage
    private let fleet: ReportFleet
    private let made: String

    init(
        of selection: ReportSelection, fleet: ReportFleet, in hub: some HubStore, at: Timestamp
    ) async throws {
        self.selection = selection
        self.fleet = fleet
        let views = Self.views.filter { $0.view != .region || fleet.hasRegions }
        var found = try await hub.reportTables(
            [ReportTable(.chain), ReportTable(.day, countsSeries: false)]
                + views.map { ReportTable($0.view) }, of: selection, fleet: fleet)
        let chain = found.removeFirst().first
        self.chain = chain
        days = found.removeFirst()
        // A store that nothing came from has its line too.
        let stores = try await ReportShowCommand.storesNamed(selection, in: hub)
        tables = zip(views, found).compactMap { named, lines in
            guard named.view == .store || chain != nil else { return nil }
            return Table(
                view: named.view, heading: named.heading,
                rows: ReportText.rows(lines, and: named.view == .store ? stores : []),
                note: ReportText.note(named.view, fleet))
        }
        coverage = try await hub.reportCoverage(of: selection, fleet: fleet)
        made = FleetText.moment(at)
    }

    var html: String {
        let style = PageStyle.markup
        let footer = "Made \(made). n/a: not known; no data is not no error."
        let page: Markup = """
            <!doctype html>
            <html lang="en">
            <head>
            <meta charset="utf-8">
            <meta name="viewport" content="width=device-width, initial-scale=1">
            <meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
            <title>Forecast accuracy</title>
            <style>\(style)</style>
            </head>
            <body>
            <header class="title">
            <p class="name">Shelfcast</p>
            <h1>Forecast accuracy</h1>
            <p class="scope">\(scope)</p>
            </header>
            <main>
            \(ReportMarkup.tiles(chain, of: selection))
            \(ReportMarkup.coverage(
                coverage, pending: chain?.sums.pending ?? 0, ofOneItem: selection.item != nil))
            \(plot)
            \(tables.map(table).joined(by: "\n"))
            \(received)
            \(dayTable)
            \(ReportMarkup.definitions)
            </main>
            <footer>\(footer)</footer>
            </body>
            </html>

            """
        return page.text
    }

    private var scope: String {
        var parts: [String] = []
        if let store = selection.store { parts.append("store \(store.text)") }
        if let region = selection.region { parts.append("region \(region)") }
        if let device = selection.device { parts.append("device \(device.text)") }
        if let item = selection.item { parts.append("item \(item.text)") }
        let what = parts.isEmpty ? "The whole chain" : parts.joined(separator: ", ")
        guard let chain else { return what + ": no forecast of these days was received" }
        return "\(what), \(chain.firstDay.iso8601) to \(chain.lastDay.iso8601)"
    }

    private var plot: Markup {
        let plot = ErrorPlot.markup(days)
        return plot.isEmpty ? plot : "<section><h2>Day by day</h2>\n\(plot)</section>"
    }

    private var dayTable: Markup {
        guard !days.isEmpty else { return .empty }
        var table = ReportMarkup.table(ReportText.rows(days), heading: "Day")
        table.note = Self.rest(.day)
        return "<details><summary>Every day as figures</summary>\(table.markup)</details>"
    }

    private func table(_ table: Table) -> Markup {
        let note: Markup? = table.note.map {
            "<p class=\"note\">\(ReportMarkup.sentence($0))</p>"
        }
        guard !table.rows.isEmpty else {
            return """
                <section><h2>\(table.heading)</h2>\(note)<p class="note">No forecast of these days was received.</p></section>
                """
        }
        let view = table.view.rawValue
        var shown = ReportMarkup.table(
            table.rows, heading: view.prefix(1).uppercased() + view.dropFirst())
        shown.isNamed = [.variant, .package, .device].contains(table.view)
        shown.note = Self.rest(table.view)
        return "<section><h2>\(table.heading)</h2>\(note)\(shown.markup)</section>"
    }

    /// Where there are more rows than a page shows.
    private static func rest(_ view: ReportView) -> Markup {
        "<code>shelfcast-hub report --by \(view.rawValue) --csv</code> gives all."
    }

    private var received: Markup {
        guard !coverage.devices.isEmpty else { return .empty }
        return ReceivedTable(coverage, fleet: fleet, isLinked: false).markup
    }
}
