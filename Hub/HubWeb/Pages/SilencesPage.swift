import Forecasting
import HTTPTypes
import HubCore
import HubStore
import Hummingbird
import JSONText

/// What is not sent for a while: who said so, why, and until when.
enum SilencesPage {
    static let link = Link("alerts", "silences")

    static func add(to pages: PageRoutes, _ visits: Visits) {
        pages.page("alerts/silences", visits) { try await page($0, FormState(offering: $0.query)) }
        pages.form("alerts/silences", visits) { visit, fields in
            let kept = try await make(fields, visit)
            return link.with([("made", "\(kept.id)")])
        } again: {
            try await page($0, $1)
        }
        pages.deed("alerts/silences/:silence/lift", visits) { visit, _ in
            guard let id = Int64(try visit.part("silence")),
                try await visit.store.liftSilence(id, at: visit.now)
            else { throw Refusal(.notFound, "There is no such silence any more.") }
            return link
        }
    }

    /// As the API makes one.
    /// - Parameter alert: its number, where the form is about one alert.
    static func make(
        _ fields: FormFields, _ visit: Visit, alert: Int64? = nil
    ) async throws -> AlertSilence {
        var more = [JSONValue.Member("seconds", .integer(try seconds(fields)))]
        if let alert { more.append(JSONValue.Member("alert", .integer(alert))) }
        let body = try APIBody(form: fields, as: AlertOrders.newSilence, more: more)
        return try await AlertOrders.silence(body, in: visit.store, at: visit.now)
    }

    // MARK: For how long

    private static let units = [("hours", 3_600), ("days", 86_400), ("weeks", 604_800)]

    private static func seconds(_ fields: FormFields) throws -> Int64 {
        let text = fields["amount"]?.filter { !$0.isWhitespace } ?? ""
        guard let amount = Int64(text), let unit = units.first(where: { $0.0 == fields["unit"] }),
            (1...AlertSilence.secondsMax / Int64(unit.1)).contains(amount)
        else {
            throw FormFault(
                at: "amount",
                "It is a whole number, and \(AlertSilence.secondsMax / 86_400) days at most.")
        }
        return amount * Int64(unit.1)
    }

    /// The fields that say for how long and why.
    static func lengthAndReason(_ sheet: FormSheet) -> Markup {
        """
        \(sheet.amount(
            "amount", "For", "type=\"number\" min=\"1\" max=\"2160\" required inputmode=\"numeric\"",
            unit: "unit", units.map { .init($0.0, $0.0) }, standard: ("1", "days")))\
        \(sheet.line(
            "why", "Why, for the log", "maxlength=\"500\" autocomplete=\"off\""))
        """
    }

    static let lengthAndReasonNames = ["amount", "why"]

    // MARK: The page

    private static func page(_ visit: Visit, _ state: FormState) async throws -> Page {
        let silences = try await visit.store.silences(at: visit.now)
        var page = Page("Silences", in: .alerts)
        page.crumbs = [("Alerts", Link("alerts"))]
        page.scope = "What is not sent for a while. Such alerts still open, are listed, and resolve"
        page.command = "shelfcast-hub alerts silences"
        let made = visit.query["made"].flatMap { Int64($0) }
            .flatMap { id in silences.first { $0.id == id } }
            .map { silence -> Markup in
                """
                <p class="word" role="status">Silence \(silence.id) holds until \
                \(PageText.moment(silence.until)): nothing is sent about \(words(silence)).</p>
                """
            }
        var form: Markup?
        if visit.session.isOperator {
            form = self.form(state, visit.session, offering: try await stores(visit))
        }
        page.body = """
            \(AlertsPage.parts(.silences))
            \(made)
            \(silences.isEmpty
                ? "<p class=\"word\">Nothing is silent.</p>" : list(silences, visit.session))
            \(form)
            """
        return page
    }

    /// `no-data of store 3`
    static func words(_ silence: AlertSilence) -> String {
        let kind = silence.kind?.rawValue ?? "anything"
        return silence.subject.map { "\(kind) of \($0.text)" } ?? "\(kind), wherever it is"
    }

    private static func list(_ silences: [AlertSilence], _ session: PageSession) -> Markup {
        var table = PageTable(
            "Silences",
            columns: [
                .init("Silence", isText: true), .init("Alerts", isText: true),
                .init("About", isText: true), .init("Until", isText: true),
                .init("By", isText: true), .init("Why", isText: true),
            ] + (session.isOperator ? [.init("Sooner", isText: true)] : []))
        table.isStacked = true
        for silence in silences {
            let lift: Markup = """
                <form method="post" action="/alerts/silences/\(silence.id)/lift">\(session.formField)\
                <button class="quiet" aria-label="Lift silence \(silence.id)">Lift</button></form>
                """
            table.add(
                [
                    .init("Silence \(silence.id)"), .init(silence.kind?.rawValue ?? "every kind"),
                    .init(silence.subject.map(AlertsPage.subject) ?? "all"),
                    .init(PageText.moment(silence.until)), .init(silence.author),
                    .init(silence.why),
                ] + (session.isOperator ? [.init(lift)] : []))
        }
        return table.markup
    }

    /// Offered while somebody types; more than these are typed whole.
    private static let offeredMax = 200

    private static func stores(_ visit: Visit) async throws -> [String] {
        try await visit.store.stores().map(\.id.text).prefix(offeredMax).sorted()
    }

    private static func form(
        _ state: FormState, _ session: PageSession, offering stores: [String]
    ) -> Markup {
        let sheet = FormSheet(id: "silence", state: state)
        let offered: [Markup] = stores.map { "<option value=\"\($0)\"></option>" }
        return """
            <section><h2>Silence alerts</h2>
            <div class="deeds slim"><form method="post" action="/alerts/silences">\(session.formField)\
            \(sheet.head(["kind", "store", "device"] + lengthAndReasonNames))\
            <p class="note">Of a kind, of a store with its devices, of a device, or of a kind there. \
            What still stands when the silence ends is sent then.</p>
            \(sheet.choice(
                "kind", "Kind",
                [.init("", "every kind")]
                    + AlertKind.allCases.map { .init($0.rawValue, $0.rawValue) }))\
            \(sheet.line(
                "store", "Store", "maxlength=\"32\" autocomplete=\"off\" list=\"silence-stores\"",
                note: "Empty: every store."))\
            <datalist id="silence-stores">\(offered)</datalist>\
            \(sheet.line(
                "device", "Device", "maxlength=\"32\" autocomplete=\"off\"",
                note: "Instead of a store."))\
            \(lengthAndReason(sheet))\
            <button>Silence</button></form></div></section>
            """
    }
}
