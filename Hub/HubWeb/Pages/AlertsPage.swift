import Forecasting
import HTTPTypes
import HubCore
import HubStore
import Hummingbird

/// What somebody should look at: open alerts first, then those that were resolved.
enum AlertsPage {
    private static let resolvedShown = 100
    private static let silencesNamed = 3

    static func add(to pages: PageRoutes, _ visits: Visits) {
        pages.page("alerts", visits) { try await page($0) }
        pages.live("alerts/live", visits) { try await open($0) }
        pages.page("alerts/:alert", visits) { try await alertPage($0) }
        pages.deed("alerts/:alert/acknowledge", visits) { visit, fields in
            let alert = try await found(visit)
            _ = try await visit.store.acknowledgeAlert(
                alert.id, why: fields["why"] ?? "", at: visit.now)
            return Link("alerts", "\(alert.id)")
        }
        pages.deed("alerts/:alert/resolve", visits) { visit, fields in
            let alert = try await found(visit)
            _ = try await visit.store.resolveAlert(
                alert.id, why: fields["why"] ?? "", at: visit.now)
            return Link("alerts", "\(alert.id)")
        }
        pages.form("alerts/:alert/silence", visits) { visit, fields in
            let alert = try await found(visit)
            _ = try await SilencesPage.make(fields, visit, alert: alert.id)
            return Link("alerts", "\(alert.id)")
        } again: {
            try await alertPage($0, silence: $1)
        }
        SilencesPage.add(to: pages, visits)
        DestinationsPage.add(to: pages, visits)
    }

    enum Part: CaseIterable {
        case open, silences, destinations

        fileprivate var title: String {
            switch self {
            case .open: "What is open"
            case .silences: "Silences"
            case .destinations: "Where alerts are sent"
            }
        }

        fileprivate var link: Link {
            switch self {
            case .open: Link("alerts")
            case .silences: SilencesPage.link
            case .destinations: DestinationsPage.link
            }
        }
    }

    /// From one page about alerts to the others.
    static func parts(_ current: Part) -> Markup {
        let links: [Markup] = Part.allCases.map { part in
            let mark: Markup? = part == current ? " aria-current=\"page\"" : nil
            return "<a href=\"\(part.link.text)\"\(mark)>\(part.title)</a>\n"
        }
        return "<nav class=\"ranges\" aria-label=\"Alerts\">\(links)</nav>"
    }

    private static func page(_ visit: Visit) async throws -> Page {
        let resolved = try await visit.store.alerts(
            AlertQuery(states: [.resolved], countMax: resolvedShown))
        var page = Page("Alerts", in: .alerts)
        page.scope = "What somebody should look at"
        let past: Markup =
            resolved.isEmpty
            ? "<p class=\"note\">None was resolved yet.</p>"
            : table("Resolved alerts", resolved).markup
        page.body = """
            \(parts(.open))
            \(try await unheard(visit))
            \(Markup(live: Link("alerts", "live"), try await open(visit)))
            <section><h2>Resolved</h2>
            \(past)
            </section>
            """
        return page
    }

    /// That nobody hears of alerts, as far as nobody does.
    private static func unheard(_ visit: Visit) async throws -> Markup? {
        let destinations = try await AlertRoutes.Listed.all(in: visit.store)
        guard !destinations.isEmpty else {
            return """
                <p class="word">Alerts are sent nowhere: \
                \(DestinationsPage.link.to("say where they are to be sent")).</p>
                """
        }
        let deaf = destinations.filter { $0.standing.dead > 0 }
        guard !deaf.isEmpty else { return nil }
        let list = deaf.map {
            "\(Figure.count($0.standing.dead, "notice")) to \($0.destination.name)"
        }.joined(separator: ", ")
        return """
            <p class="word bad">Given up: \(list). \(DestinationsPage.link.to("See why")).</p>
            """
    }

    private static func open(_ visit: Visit) async throws -> Markup {
        let alerts = try await visit.store.alerts(AlertQuery())
        let silences = try await visit.store.silences(at: visit.now)
        let silent: Markup? =
            silences.isEmpty
            ? nil
            : """
            <p class="note">Silent now: \(silences.prefix(silencesNamed).map(SilencesPage.words).joined(separator: "; "))\
            \(silences.count > silencesNamed ? " and \(silences.count - silencesNamed) more" : "").</p>
            """
        guard !alerts.isEmpty else {
            return "<p class=\"word\">No alert is open.</p>\(silent)"
        }
        return
            "\(table("Open alerts", sorted(alerts), silences, at: visit.now).markup)\(silent)"
    }

    /// The most severe first, the newest first among these.
    static func sorted(_ alerts: [AlertRecord]) -> [AlertRecord] {
        alerts.sorted { ($1.severity, $1.openedAt) < ($0.severity, $0.openedAt) }
    }

    private static func table(
        _ label: String, _ alerts: [AlertRecord], _ silences: [AlertSilence] = [],
        at now: Timestamp = Timestamp(millisecondsSince1970: 0)
    ) -> PageTable {
        var table = PageTable(
            label,
            columns: [
                .init("Alert", isText: true), .init("Severity", isText: true),
                .init("About", isText: true), .init("State", isText: true),
                .init("Since", isText: true), .init("What", isText: true),
            ])
        table.isStacked = true
        for alert in alerts {
            table.add([
                .init(Link("alerts", "\(alert.id)").to("\(alert.kind.rawValue) \(alert.id)")),
                .init(severity(alert.severity)), .init(subject(alert.subject)),
                .init(state(alert, isSilent: silences.contains { $0.covers(alert, at: now) })),
                .init(alert.since?.iso8601 ?? PageText.moment(alert.openedAt)), .init(alert.title),
            ])
        }
        return table
    }

    static func severity(_ severity: AlertSeverity) -> Markup {
        switch severity {
        case .page: PageText.state("page", .bad)
        case .warn: PageText.state("warn", .warn)
        case .info: PageText.state("info", .open)
        }
    }

    private static func state(_ alert: AlertRecord, isSilent: Bool = false) -> Markup {
        switch alert.state {
        case .open where isSilent: "open, silent"
        case .open where alert.isGrouped: "open, with the chain's"
        case .open: "open"
        case .acknowledged: "acknowledged by \(alert.acknowledgedBy ?? "somebody")"
        case .resolved: "resolved"
        }
    }

    static func subject(_ subject: AlertSubject) -> Markup {
        switch subject {
        case .chain: "the chain"
        case .store(let store): Link("stores", store.text).to("store \(store.text)")
        case .device(let device): Link("fleet", device.text).to("device \(device.text)")
        }
    }

    // MARK: One alert

    private static func found(_ visit: Visit) async throws -> AlertRecord {
        guard let id = Int64(try visit.part("alert")), let alert = try await visit.store.alert(id)
        else { throw Refusal(.notFound, "There is no such alert.") }
        return alert
    }

    private static func alertPage(
        _ visit: Visit, silence entered: FormState = .new
    ) async throws -> Page {
        let alert = try await found(visit)
        let silences = try await visit.store.silences(at: visit.now)
            .filter { $0.covers(alert, at: visit.now) }
        let events = try await visit.store.alertEvents(
            of: alert.id, countMax: AlertEvent.keptPerAlertMax)
        var page = Page("Alert \(alert.id)", in: .alerts)
        page.crumbs = [("Alerts", Link("alerts"))]
        page.scope = "\(alert.kind.rawValue), \(alert.subject.text)"
        let lines: [Markup] = alert.detail.split(separator: "\n").map { "<p>\($0)</p>\n" }
        var facts: [(String, Markup)] = [
            ("Severity", severity(alert.severity)), ("State", state(alert)),
            ("About", subject(alert.subject)),
            ("Began on", Markup(text: alert.since?.iso8601 ?? "")),
            ("Opened", Markup(text: PageText.moment(alert.openedAt))),
            ("Last seen", Markup(text: PageText.moment(alert.seenAt))),
            (
                "Stores",
                alert.stores.prefix(20).map { Link("stores", $0.text).to($0.text) }
                    .joined(by: ", ")
                    + (alert.storeCount > 20
                        ? Markup(text: " and \(alert.storeCount - 20) more") : .empty)
            ),
        ]
        for silence in silences where alert.state != .resolved {
            facts.append(
                (
                    "Silent until",
                    """
                    \(PageText.moment(silence.until)), by \(silence.author)\
                    \(silence.why.isEmpty ? "" : ": \(silence.why)") (\(SilencesPage.link.to("silence \(silence.id)")))
                    """
                ))
        }
        if alert.state == .resolved {
            facts.append(
                (
                    "Resolved",
                    Markup(
                        text: [alert.resolvedBy ?? "by itself", alert.resolvedWhy].joined(
                            separator: ": "))
                ))
        }
        var table = PageTable(
            "History",
            columns: [
                .init("When", isText: true), .init("What", isText: true),
                .init("By", isText: true), .init("In words", isText: true),
            ])
        table.isStacked = true
        for event in events {
            table.add([
                .init(PageText.moment(event.at)), .init(event.what.rawValue),
                .init(event.author), .init(event.text),
            ])
        }
        let word: Markup = alert.state == .resolved ? "word" : "word bad"
        page.body = """
            <p class="\(word)">\(alert.title)</p>
            \(lines)
            \(PageText.facts(facts))
            \(deeds(alert, visit.session, silence: entered))
            <section><h2>History</h2>\(table.markup)</section>
            """
        return page
    }

    private static func deeds(
        _ alert: AlertRecord, _ session: PageSession, silence entered: FormState
    ) -> Markup {
        guard session.isOperator, alert.state != .resolved else { return .empty }
        func form(_ verb: String, _ title: String, _ meaning: String) -> Markup {
            """
            <form method="post" action="/alerts/\(alert.id)/\(verb)">\(session.formField)<p>\(meaning)</p>\
            <label>Why, for the log <input name="why" maxlength="500" autocomplete="off"></label>\
            <button class="quiet">\(title)</button></form>
            """
        }
        var forms: [Markup] = []
        if alert.state == .open {
            forms.append(
                form("acknowledge", "Acknowledge", "Somebody looks after it: it is not sent again.")
            )
        }
        forms.append(
            form("resolve", "Resolve", "It is settled. Where its cause stays, it opens again."))
        let sheet = FormSheet(id: "silence", state: entered)
        forms.append(
            """
            <form method="post" action="/alerts/\(alert.id)/silence">\(session.formField)\
            \(sheet.head(SilencesPage.lengthAndReasonNames))\
            <p>Nothing of this kind about \(alert.subject.text) is sent for a while; what still stands then, is.</p>\
            \(SilencesPage.lengthAndReason(sheet))\
            <button class="quiet">Silence</button></form>
            """)
        return "<section><h2>What can be done</h2><div class=\"deeds\">\(forms)</div></section>"
    }
}
