import Forecasting
import HTTPTypes
import HubCore
import HubStore
import Hummingbird

/// Every store with its figures, sorted and searched by the address.
enum StoresPage {
    static func add(to pages: PageRoutes, _ visits: Visits) {
        pages.page("stores", visits) { try await page($0) }
    }

    private static func page(_ visit: Visit) async throws -> Page {
        let range = try await DayRange(visit)
        let fleet = try await visit.store.reportFleet()
        let selection = ReportSelection(first: range.first, last: range.last)
        let lines = try await visit.store.reportTables(
            [ReportTable(.store)], of: selection, fleet: fleet)[0]
        let coverage = try await visit.store.reportCoverage(of: selection, fleet: fleet)
        let named = try await visit.store.stores().map(\.id)
        let search = visit.query["q"] ?? ""
        let covered = Dictionary(grouping: coverage.devices, by: \.store.text)
        var list = ReportList(
            rows: ReportText.rows(lines, and: named), heading: "Store",
            sorting: ReportSorting(visit.query, path: Link("stores"), kept: range.query))
        list.more = [
            .init(
                "Received %", meaning: "Forecasts received of those expected",
                key: "received"
            ) { row in coverage.of(covered[row.name] ?? []).forecastShare },
            .init("Devices", meaning: "Approved ones", key: "devices", decimals: 0) { row in
                Double((covered[row.name] ?? []).count)
            },
        ]
        let shown = list.rows.filter { search.isEmpty || $0.name.contains(search) }
        list.rows = shown
        var page = Page("Stores", in: .stores, scope: "\(Figure.count(named.count, "store"))")
        page.command = "shelfcast-hub report --by store\(range.options)"
        page.body = """
            \(range.links(Link("stores"), keeping: search.isEmpty ? [] : [("q", search)]))
            \(SearchField(path: Link("stores"), label: "Search stores", text: search, kept: range.query).markup)
            \(shown.isEmpty
                ? "<p class=\"note\">No store is called so.</p>"
                : list.table { Link("stores", $0.name, query: range.query).to($0.name) }.markup)
            \(ReportMarkup.definitions)
            """
        return page
    }
}

/// Finds rows by what they are called; without JavaScript, by the address.
struct SearchField: Sendable {
    var path: Link
    var label: String
    var text: String
    /// Of the query, kept when it is sent.
    var kept: [(String, String)]

    var markup: Markup {
        let hidden: [Markup] = kept.map {
            "<input type=\"hidden\" name=\"\($0.0)\" value=\"\($0.1)\">"
        }
        return """
            <form class="search" method="get" action="\(path.text)" role="search">\(hidden)\
            <input type="search" name="q" value="\(text)" aria-label="\(label)" placeholder="\(label)" maxlength="100">\
            <button class="quiet">Search</button></form>
            """
    }
}
