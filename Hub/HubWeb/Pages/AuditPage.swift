import Forecasting
import HTTPTypes
import HubCore
import HubStore
import Hummingbird

/// Who changed what, when and why; newest first.
enum AuditPage {
    private static let shownMax = 200
    /// Looked through for a search.
    private static let searchedMax = 20_000

    static func add(to pages: PageRoutes, _ visits: Visits) {
        pages.page("audit", visits) { try await page($0) }
    }

    private static func page(_ visit: Visit) async throws -> Page {
        let search = visit.query["q"] ?? ""
        let records = try await visit.store.audit(
            countMax: search.isEmpty ? shownMax : searchedMax)
        let found = records.filter { record in
            search.isEmpty
                || [record.author, record.action, record.object, record.why].contains {
                    $0.contains(search)
                }
        }
        var table = PageTable(
            "Audit log",
            columns: [
                .init("When", isText: true), .init("Who", isText: true), .init("Did", isText: true),
                .init("To", isText: true), .init("Why", isText: true),
            ])
        table.isStacked = true
        for record in found.prefix(shownMax) {
            table.add([
                .init(PageText.moment(record.at)), .init(record.author), .init(record.action),
                .init(object(record.object)), .init(record.why),
            ])
        }
        var page = Page("Audit log", in: .audit)
        page.scope =
            "Who changed what runs, or who may do what, when and why. It is only ever added to."
        page.command = "shelfcast-hub audit"
        let note: Markup? =
            records.count == shownMax || found.count > shownMax
            ? "<p class=\"note\">The newest \(shownMax); <code>shelfcast-hub audit --last 1000</code> gives more.</p>"
            : nil
        page.body = """
            \(SearchField(path: Link("audit"), label: "Search the log", text: search, kept: []).markup)
            \(found.isEmpty
                ? "<p class=\"note\">Nothing of that kind was changed yet.</p>" : table.markup)
            \(note)
            """
        return page
    }

    /// With a link where there is a page of it.
    private static func object(_ text: String) -> Markup {
        let words = text.split(separator: " ").map(String.init)
        guard words.count == 2 else { return Markup(text: text) }
        switch words[0] {
        case "rollout" where UInt64(words[1]) != nil: return Link("rollouts", words[1]).to(text)
        case "device": return Link("fleet", words[1]).to(text)
        case "store": return Link("stores", words[1]).to(text)
        default: return Markup(text: text)
        }
    }
}
