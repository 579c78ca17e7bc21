import Forecasting
import HubCore
import HubStore

/// The whole report as one HTML file that needs nothing else: every view as a table, the days as a plot.
struct ReportPage {
    /// Of a table; who wants all of a chain's items asks for CSV.
    private static let linesMax = 500
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
        """
        <!doctype html>
        <html lang="en">
        <head>
        <meta charset="utf-8">
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
        <title>Forecast accuracy</title>
        <style>\(Self.style)</style>
        </head>
        <body>
        <header>
        <p class="name">Shelfcast</p>
        <h1>Forecast accuracy</h1>
        <p class="scope">\(Self.escaped(scope))</p>
        </header>
        <main>
        \(tiles)
        <section class="coverage">
        <p>\(Self.escaped(Self.sentence(coverage.daysText)))</p>
        <p>\(Self.escaped(Self.sentence(coverage.forecastsText + (selection.item == nil ? "" : " (of every item)"))))\(pending)</p>
        </section>
        \(plot)
        \(tables.map(table).joined(separator: "\n"))
        \(received)
        \(dayTable)
        \(definitions)
        </main>
        <footer>Made \(Self.escaped(made)). n/a: not known; no data is not no error.</footer>
        </body>
        </html>

        """
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

    private var pending: String {
        guard let count = chain?.sums.pending, count > 0 else { return "" }
        return " \(FleetText.count(count, "forecast")) of days that are not final yet, or had no"
            + " business, \(count == 1 ? "is" : "are") part of no error."
    }

    private var tiles: String {
        let sums = chain?.sums ?? ForecastSums()
        let naive = Figure.percent(sums.seasonalNaive.wape)
        let zeros = sums.accuracy.zeroActualCount
        let series = chain.flatMap { line in
            line.series.map { "\(line.seriesBetter ?? 0) of \($0) items of stores" }
        }
        let list: [(String, String, String)] = [
            ("WAPE", Figure.percent(sums.accuracy.wape), "last week's weekday: \(naive)"),
            (
                "Bias", Figure.percent(sums.accuracy.bias),
                sums.accuracy.bias.map {
                    $0 > 0 ? "more was forecast than sold" : "less was forecast than sold"
                } ?? ""
            ),
            (
                "Value added", Figure.percent(sums.valueAdded.map { $0 * 100 }),
                "over last week's weekday, same days"
            ),
            ("Items that beat it", Figure.percent(chain?.betterShare, decimals: 1), series ?? ""),
            (
                "MAPE", Figure.percent(sums.accuracy.mape),
                zeros == 0
                    ? "" : "without \(FleetText.count(zeros, "forecast")) of days without sales"
            ),
            (
                "Within P90", Figure.percent(sums.p90.coverage, decimals: 1),
                "90 % is meant"
            ),
        ]
        return "<dl class=\"tiles\">"
            + list.map { name, value, note in
                "<div><dt>\(name)</dt><dd>\(value)</dd><dd class=\"note\">\(Self.escaped(note))"
                    + "</dd></div>"
            }.joined() + "</dl>"
    }

    // MARK: The days

    /// The size that a drawing is made for, in CSS pixels.
    private struct Frame {
        /// Which of the drawings a screen shows.
        var shownOn: String
        var width: Double
        var height: Double
    }

    /// The days drawn for a desk and for a phone, so that neither has its words shrunk.
    private var plot: String {
        let frames = [
            Frame(shownOn: "wide", width: 1180, height: 260),
            Frame(shownOn: "narrow", width: 360, height: 220),
        ]
        let drawings = frames.compactMap(drawing)
        guard !drawings.isEmpty else { return "" }
        return """
            <section>
            <h2>Day by day</h2>
            <p class="legend"><span><span class="key own"></span>WAPE of the forecasts,</span>
            <span><span class="key naive"></span>of the same weekday last week, in percent</span></p>
            \(drawings.joined(separator: "\n"))
            </section>
            """
    }

    /// WAPE by day beside the seasonal naive's; the figures stand in the last table. Nil where there is nothing to draw.
    private func drawing(in frame: Frame) -> String? {
        let points = days.map { line in
            (line.firstDay, line.sums.accuracy.wape, line.sums.seasonalNaive.wape)
        }
        let shown = points.flatMap { [$0.1, $0.2] }.compactMap { $0 }.sorted()
        guard let first = points.first?.0, let last = points.last?.0, last > first,
            !shown.isEmpty
        else { return nil }
        // One wild day does not flatten all others; it runs out at the top.
        let top = max(10, shown[(shown.count - 1) * 97 / 100] * 1.15)
        let (width, height, left, bottom) = (frame.width, frame.height, 36.0, 26.0)
        func x(_ day: BusinessDay) -> Double {
            left + (width - left - 8) * Double(day - first) / Double(last - first)
        }
        func y(_ value: Double) -> Double {
            8 + (height - bottom - 8) * (1 - min(value, top) / top)
        }
        func text(_ value: Double) -> String { Figure.fixed(value, decimals: 1) }
        func path(_ of: KeyPath<(BusinessDay, Double?, Double?), Double?>) -> String {
            var path = ""
            var previous: BusinessDay?
            for point in points {
                guard let value = point[keyPath: of] else { continue }
                // A day without a figure is a gap, not a straight line over it.
                let joins = previous.map { point.0 - $0 == 1 } ?? false
                path += "\(joins ? "L" : "M")\(text(x(point.0))) \(text(y(value)))"
                if !joins { path += "h0.1" }
                previous = point.0
            }
            return path
        }
        let step = top > 120 ? 50.0 : top > 50 ? 20 : top > 20 ? 10 : 5
        let grid = stride(from: 0, through: top, by: step).map { value in
            "<line class=\"grid\" x1=\"\(text(left))\" x2=\"\(text(width - 8))\""
                + " y1=\"\(text(y(value)))\" y2=\"\(text(y(value)))\"/><text x=\"\(text(left - 8))\""
                + " y=\"\(text(y(value) + 4))\" text-anchor=\"end\">\(Figure.fixed(value, decimals: 0))"
                + "</text>"
        }.joined()
        let foot = text(height - 4)
        return """
            <svg class="\(frame.shownOn)" viewBox="0 0 \(text(width)) \(text(height))" role="img" aria-label="WAPE by day; the figures are in the table of days">
            \(grid)
            <path class="naive" d="\(path(\.2))"/><path class="own" d="\(path(\.1))"/>
            <text x="\(text(left))" y="\(foot)">\(first.iso8601)</text>
            <text x="\(text(width - 8))" y="\(foot)" text-anchor="end">\(last.iso8601)</text>
            </svg>
            """
    }

    private var dayTable: String {
        guard !days.isEmpty else { return "" }
        return "<details><summary>Every day as figures</summary>"
            + Self.table(ReportText.rows(days), heading: "Day") + "</details>"
    }

    // MARK: Tables

    private func table(_ table: Table) -> String {
        let note =
            table.note.map { "<p class=\"note\">\(Self.escaped(Self.sentence($0)))</p>" } ?? ""
        guard !table.rows.isEmpty else {
            return "<section><h2>\(table.heading)</h2>\(note)<p class=\"note\">No forecast of these"
                + " days was received.</p></section>"
        }
        let shown = Array(table.rows.prefix(Self.linesMax))
        let rest =
            table.rows.count > shown.count
            ? "<p class=\"note\">The first \(shown.count) of \(table.rows.count); "
                + "<code>shelfcast-hub report --by \(table.view.rawValue) --csv</code> gives all.</p>"
            : ""
        return "<section><h2>\(table.heading)</h2>\(note)"
            + Self.table(
                shown, isNamed: [.variant, .package, .device].contains(table.view),
                heading: table.view.rawValue.prefix(1).uppercased()
                    + table.view.rawValue.dropFirst()) + rest + "</section>"
    }

    private static func sentence(_ text: String) -> String {
        text.prefix(1).uppercased() + text.dropFirst() + "."
    }

    /// What came of what there should be, device by device, those that lack something first.
    private var received: String {
        guard !coverage.devices.isEmpty else { return "" }
        let sorted = coverage.devices.enumerated().sorted { a, b in
            let (x, y) = (a.element, b.element)
            return (y.missingDays.count, y.missingForecasts, a.offset)
                < (x.missingDays.count, x.missingForecasts, b.offset)
        }.map(\.element)
        let shown = sorted.prefix(Self.linesMax)
        let packages = Dictionary(
            fleet.devices.map { ($0.id, $0.running) }, uniquingKeysWith: { $1 })
        let body = shown.map { device -> String in
            let running = packages[device.device] ?? nil
            let cells = [
                device.store.text,
                running.map { fleet.package(digest: $0.digest)?.variant ?? "unknown" } ?? "none",
                Self.share(device.expectedDays - device.missingDays.count, of: device.expectedDays),
                Self.missing(device.missingDays),
                Self.share(device.receivedForecasts, of: device.expectedForecasts),
            ]
            return "<tr><th scope=\"row\">\(Self.escaped(device.device.text))</th>"
                + cells.map { "<td>\(Self.escaped($0))</td>" }.joined() + "</tr>"
        }.joined(separator: "\n")
        let rest =
            sorted.count > shown.count
            ? "<p class=\"note\">The first \(shown.count) of \(sorted.count); "
                + "<code>shelfcast-hub report --json</code> gives all.</p>" : ""
        return """
            <section><h2>What was received</h2>
            <div class="scroll" tabindex="0" role="region" aria-label="What was received"><table class="words named">
            <thead><tr><th scope="col">Device</th><th scope="col">Store</th><th scope="col">Runs</th>\
            <th scope="col">Sales days</th><th scope="col">Missing days</th><th scope="col">Forecasts</th></tr></thead>
            <tbody>\(body)</tbody></table></div>\(rest)</section>
            """
    }

    private static func share(_ received: Int, of expected: Int) -> String {
        expected == 0 ? "none expected" : "\(received) of \(expected)"
    }

    private static func missing(_ days: [BusinessDay]) -> String {
        guard let first = days.first, let last = days.last else { return "" }
        return days.count <= 3
            ? days.map(\.iso8601).joined(separator: ", ")
            : "\(days.count), from \(first.iso8601) to \(last.iso8601)"
    }

    /// - Parameter isNamed: its rows have long names.
    private static func table(
        _ rows: [ReportText.Row], isNamed: Bool = false, heading: String
    ) -> String {
        let head = ReportText.columns.map { column in
            "<th scope=\"col\" title=\"\(escaped(column.meaning))\">\(escaped(column.heading))</th>"
        }.joined()
        let body = rows.map { row in
            let cells = ReportText.cells(row.line).map { cell in
                "<td\(cell == "n/a" ? " class=\"none\"" : "")>\(escaped(cell))</td>"
            }.joined()
            return "<tr><th scope=\"row\">\(escaped(row.name))</th>\(cells)</tr>"
        }.joined(separator: "\n")
        return
            "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"\(heading)\">"
            + "<table\(isNamed ? " class=\"named\"" : "")>"
            + "<thead><tr><th scope=\"col\">\(heading)</th>\(head)</tr></thead>"
            + "<tbody>\(body)</tbody></table></div>"
    }

    private var definitions: String {
        "<section class=\"meaning\"><h2>What the figures say</h2><dl>"
            + ReportText.columns.map {
                "<div><dt>\(Self.escaped($0.heading))</dt><dd>\(Self.escaped($0.meaning))</dd></div>"
            }.joined() + "</dl></section>"
    }

    private static func escaped(_ text: String) -> String {
        text.replacing("&", with: "&amp;").replacing("<", with: "&lt;")
            .replacing(">", with: "&gt;").replacing("\"", with: "&quot;")
    }

    private static let style = """
        :root{color-scheme:light dark;--ink:#1c2126;--soft:#5b6570;--paper:#fbfaf7;--card:#fff;--line:#e2dfd7;\
        --own:#1f6f5c;--naive:#b0793a}
        @media(prefers-color-scheme:dark){:root{--ink:#e7e5df;--soft:#a1a8ae;--paper:#15181b;--card:#1c2024;\
        --line:#31373c;--own:#6cc5ab;--naive:#d9a566}}
        *{box-sizing:border-box}
        body{margin:0;background:var(--paper);color:var(--ink);font:15px/1.5 system-ui,sans-serif}
        header,main,footer{max-width:1228px;margin:0 auto;padding:0 24px}
        header{padding-top:40px}
        .name{margin:0;color:var(--own);font-weight:600;letter-spacing:.04em}
        h1{margin:0;font-size:30px;font-weight:650;letter-spacing:-.01em}
        h2{margin:40px 0 8px;font-size:18px;font-weight:650}
        .scope{margin:4px 0 24px;color:var(--soft)}
        .tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(165px,1fr));gap:1px;margin:0;\
        background:var(--line);border:1px solid var(--line);border-radius:8px;overflow:hidden}
        .tiles div{background:var(--card);padding:14px 16px}
        dt{color:var(--soft);font-size:13px}
        dd{margin:0}
        .tiles dd{font-size:25px;font-weight:600;font-variant-numeric:tabular-nums}
        .tiles dd.note{font-size:12px;font-weight:400;line-height:1.35}
        .note,.legend,footer{color:var(--soft);font-size:13px}
        .coverage{margin:20px 0;padding:2px 16px;border-left:3px solid var(--own)}
        .coverage p{margin:6px 0}
        svg{width:100%;height:auto;font-size:12px}
        svg.wide{display:block}
        svg.narrow{display:none}
        svg text{fill:var(--soft)}
        .grid{stroke:var(--line)}
        path{fill:none;stroke-width:1.8;stroke-linejoin:round;stroke-linecap:round}
        path.own{stroke:var(--own)}
        path.naive{stroke:var(--naive);stroke-width:1.3;stroke-dasharray:4 3}
        .key{display:inline-block;width:18px;height:0;margin:0 6px 4px 0;border-top:2px solid var(--own)}
        .key.naive{border-top:2px dashed var(--naive)}
        .legend>span{display:inline-block;margin-right:18px}
        .scroll{overflow-x:auto;border:1px solid var(--line);border-radius:8px;background:var(--card)}
        table{width:100%;border-collapse:collapse;font-size:13px;font-variant-numeric:tabular-nums}
        th,td{padding:6px 9px;text-align:right;white-space:nowrap}
        thead th{color:var(--soft);font-weight:500;white-space:normal;vertical-align:bottom;border-bottom:1px solid var(--line)}
        tbody th{white-space:normal;overflow-wrap:anywhere;min-width:74px;max-width:200px}
        .words td,.words th{text-align:left}
        tbody tr+tr>*{border-top:1px solid var(--line)}
        th:first-child{position:sticky;left:0;text-align:left;background:var(--card);font-weight:550}
        td:nth-child(3){font-weight:650}
        .words td:nth-child(3){font-weight:400}
        td.none{color:var(--soft)}
        details{margin-top:40px}
        summary{cursor:pointer;font-weight:650;margin-bottom:8px}
        .meaning dl{display:grid;grid-template-columns:repeat(auto-fill,minmax(300px,1fr));gap:8px 32px;margin:0}
        .meaning dd{font-size:13px}
        footer{padding-top:32px;padding-bottom:40px}
        @media(max-width:600px){header,main,footer{padding:0 16px}header{padding-top:24px}footer{padding:24px 16px 32px}\
        svg.wide{display:none}svg.narrow{display:block}thead th{white-space:nowrap}tbody th{min-width:106px;max-width:120px}.named tbody th{min-width:166px;max-width:166px}\
        .tiles{grid-template-columns:1fr 1fr}.meaning dl{grid-template-columns:1fr}}
        @media print{:root{color-scheme:light;--ink:#000;--soft:#444;--paper:#fff;--card:#fff;--line:#bbb}
        @page{size:A4 landscape;margin:12mm}
        body{font-size:11px}table{font-size:9px}th,td{padding:3px 5px}.scroll{overflow:visible;border:0}
        section{break-inside:auto}tr,.tiles div{break-inside:avoid}thead{display:table-header-group}
        th:first-child{position:static}header{padding-top:0}}
        """
}
