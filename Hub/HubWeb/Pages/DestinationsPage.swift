import Forecasting
import HTTPTypes
import HubCore
import HubStore
import Hummingbird

/// Where alerts are sent, how that goes, and what became of the latest notices.
enum DestinationsPage {
    static let link = Link("alerts", "destinations")
    private static let noticesShown = 50

    /// The kinds of destination that a form can add; the command line has one more (decision 0028).
    private enum Form: String, CaseIterable { case webhook, mail }

    static func add(to pages: PageRoutes, _ visits: Visits) {
        pages.page("alerts/destinations", visits) { try await page($0) }
        pages.live("alerts/destinations/live", visits) { try await notices($0) }
        for form in Form.allCases {
            pages.form("alerts/destinations/\(form.rawValue)", visits) { visit, fields in
                let body = try APIBody(
                    form: fields, as: AlertOrders.newDestination, secrets: ["key", "password"])
                let added = try await AlertOrders.destination(
                    body, in: visit.store, at: visit.now)
                return link.with([("added", added.name)])
            } again: {
                try await page($0, form, $1)
            }
        }
        // The name is in the form: as a part of the path a browser would resolve `..`.
        pages.deed("alerts/destinations/test", visits) { visit, fields in
            let number = try await visit.store.sendTestNotice(
                to: fields["name"] ?? "", at: visit.now)
            return link.with([("test", "\(number)")])
        }
        pages.deed("alerts/destinations/resend", visits) { visit, fields in
            let count = try await visit.store.resend(
                notice: nil, destination: fields["name"] ?? "", at: visit.now)
            guard count > 0 else {
                throw Refusal(
                    .notFound,
                    "Nothing is given up there any more: see among the latest notices what became of it."
                )
            }
            return link.with([("resent", "\(count)")])
        }
        pages.deed("alerts/destinations/remove", visits) { visit, fields in
            guard
                try await visit.store.removeAlertDestination(fields["name"] ?? "", at: visit.now)
            else { throw Refusal(.notFound, "There is no such destination any more.") }
            return link
        }
    }

    private static func page(
        _ visit: Visit, _ sent: Form? = nil, _ state: FormState = .new
    ) async throws -> Page {
        let destinations = try await AlertRoutes.Listed.all(in: visit.store)
        var page = Page("Where alerts are sent", in: .alerts)
        page.crumbs = [("Alerts", Link("alerts"))]
        page.scope =
            "Every notice is tried for a day. Keys and passwords are kept on the hub and never shown"
        page.command = "shelfcast-hub alerts deliver list"
        let forms: Markup? = visit.session.isOperator ? self.forms(visit.session, sent, state) : nil
        page.body = """
            \(AlertsPage.parts(.destinations))
            \(said(visit, destinations))
            \(removal(visit, destinations))
            \(destinations.isEmpty
                ? "<p class=\"word\">Alerts are sent nowhere: who does not look here does not hear of them.</p>"
                : list(destinations, visit.session))
            <section><h2>The latest notices</h2>
            \(Markup(live: Link("alerts", "destinations", "live"), try await notices(visit)))
            </section>
            \(forms)
            """
        return page
    }

    // MARK: What was just done

    private static func said(
        _ visit: Visit, _ destinations: [AlertRoutes.Listed]
    ) -> Markup? {
        if let name = visit.query["added"],
            destinations.contains(where: { $0.destination.name == name })
        {
            return """
                <p class="word" role="status">Alerts are sent to \(name) from now on. \
                Test it: nothing was sent there yet.</p>
                """
        }
        if let number = visit.query["test"].flatMap({ Int64($0) }) {
            return """
                <p class="word" role="status">Notice \(number), a test, goes out within seconds: \
                see below what becomes of it.</p>
                """
        }
        if let count = visit.query["resent"].flatMap({ Int($0) }), count > 0 {
            return """
                <p class="word" role="status">\(Figure.count(count, "notice")) \(count == 1 ? "is" : "are") \
                tried again, for another day.</p>
                """
        }
        return nil
    }

    /// Asked before a destination is removed: what waits is not sent any more.
    private static func removal(
        _ visit: Visit, _ destinations: [AlertRoutes.Listed]
    ) -> Markup? {
        guard visit.session.isOperator, let name = visit.query["remove"],
            let listed = destinations.first(where: { $0.destination.name == name })
        else { return nil }
        let waiting = listed.standing.waiting
        let lost: Markup? =
            waiting == 0
            ? nil
            : " \(Figure.count(waiting, "notice")) on the way there \(waiting == 1 ? "is" : "are") dropped."
        return """
            <section class="deeds slim ask" aria-labelledby="removal"><form method="post" action="/alerts/destinations/remove">\
            \(visit.session.formField)<input type="hidden" name="name" value="\(name)">\
            <h2 id="removal">Remove \(name)?</h2>\
            <p>No alert is sent there any more (\(listed.destination.channel.text)).\(lost) \
            Adding it again takes its key or password.</p>\
            <div class="row"><button class="danger" autofocus>Remove \(name)</button> \
            <a href="\(link.text)">Keep it</a></div></form></section>
            """
    }

    // MARK: The destinations

    private static func list(
        _ destinations: [AlertRoutes.Listed], _ session: PageSession
    ) -> Markup {
        var table = PageTable(
            "Destinations",
            columns: [
                .init("Destination", isText: true), .init("How", isText: true),
                .init("Gets", isText: true), .init("Arrived last", isText: true),
                .init("On the way"), .init("Given up"),
            ] + (session.isOperator ? [.init("Do", isText: true)] : []))
        table.isStacked = true
        for listed in destinations {
            let (destination, standing) = (listed.destination, listed.standing)
            table.add(
                [
                    .init(destination.name), .init(destination.channel.text),
                    .init(gets(destination)),
                    .init(standing.arrivedAt.map { PageText.moment($0) } ?? "never yet"),
                    .init("\(standing.waiting)"),
                    .init(
                        standing.dead == 0 ? "0" : PageText.state("\(standing.dead)", .bad)),
                ] + (session.isOperator ? [.init(deeds(listed, session))] : []))
        }
        return table.markup
    }

    private static func gets(_ destination: AlertDestination) -> String {
        let severities = AlertSeverity.allCases.reversed()
            .filter(destination.severities.contains).map(\.rawValue)
        return (severities + (destination.isToldOfEnds ? ["ends"] : [])).joined(separator: ", ")
    }

    private static func deeds(
        _ listed: AlertRoutes.Listed, _ session: PageSession
    ) -> Markup {
        let name = listed.destination.name
        func button(_ deed: String, _ text: String, _ label: String) -> Markup {
            """
            <form method="post" action="/alerts/destinations/\(deed)">\(session.formField)\
            <input type="hidden" name="name" value="\(name)">\
            <button class="quiet" aria-label="\(label)">\(text)</button></form>
            """
        }
        let again: Markup? =
            listed.standing.dead == 0
            ? nil : button("resend", "Send again", "Send again what was given up to \(name)")
        return """
            <div class="row">\(button("test", "Test", "Test \(name)"))\(again)\
            <a href="\(link.with([("remove", name)]).text)" aria-label="Remove \(name)">Remove</a></div>
            """
    }

    // MARK: Notices

    private static func notices(_ visit: Visit) async throws -> Markup {
        let deliveries = try await visit.store.deliveries(nil, countMax: noticesShown)
        guard !deliveries.isEmpty else { return "<p class=\"note\">Nothing was sent yet.</p>" }
        var table = PageTable(
            "Notices",
            columns: [
                .init("Notice", isText: true), .init("To", isText: true),
                .init("About", isText: true), .init("State", isText: true), .init("Tried"),
                .init("When", isText: true), .init("Why it has not arrived", isText: true),
            ])
        table.isStacked = true
        for delivery in deliveries {
            table.add([
                .init("Notice \(delivery.notice)"), .init(delivery.destination),
                .init(
                    delivery.alert == 0
                        ? "a test"
                        : Link("alerts", "\(delivery.alert)").to("alert \(delivery.alert)")),
                .init(state(delivery)), .init("\(delivery.attempts)"), .init(when(delivery)),
                .init(delivery.state == .sent ? "" : delivery.problem),
            ])
        }
        return """
            \(table.markup)
            <p class="note">The newest \(noticesShown). What was given up can be sent again at its destination, one notice of it by \
            <code>shelfcast-hub alerts deliver resend</code>.</p>
            """
    }

    private static func state(_ delivery: AlertDelivery) -> Markup {
        switch delivery.state {
        case .sent: PageText.state("arrived", .good)
        case .waiting where delivery.attempts == 0: PageText.state("on its way", .open)
        case .waiting: PageText.state("tried again", .warn)
        case .dead: PageText.state("given up", .bad)
        }
    }

    private static func when(_ delivery: AlertDelivery) -> String {
        let moment = PageText.moment(delivery.at)
        return delivery.state == .waiting ? "next at \(moment)" : moment
    }

    // MARK: A new one

    private static func forms(
        _ session: PageSession, _ sent: Form?, _ state: FormState
    ) -> Markup {
        func sheet(_ form: Form) -> FormSheet {
            FormSheet(id: form.rawValue, state: form == sent ? state : .new)
        }
        return """
            <section><h2>Add a destination</h2>
            <div class="deeds loose">
            \(webhook(sheet(.webhook), session))
            \(mail(sheet(.mail), session))
            </div>
            <p class="note">A program on the hub's machine, and what there takes no TLS, are added at the command line there: \
            <code>shelfcast-hub alerts deliver add --help</code>.</p>
            </section>
            """
    }

    private static let commonNames = ["name", "severities"]

    private static func name(_ sheet: FormSheet) -> Markup {
        sheet.line(
            "name", "Name",
            "maxlength=\"64\" required autocomplete=\"off\" autocapitalize=\"none\"",
            note: "Letters, digits, . _ - and @")
    }

    private static func gets(_ sheet: FormSheet) -> Markup {
        sheet.ticks(
            "severities", "Gets",
            AlertSeverity.allCases.reversed().map {
                ("severities.\($0.rawValue)", $0.rawValue, $0 != .info)
            } + [("isToldOfEnds", "ends of alerts", true)])
    }

    private static func webhook(_ sheet: FormSheet, _ session: PageSession) -> Markup {
        """
        <form method="post" action="/alerts/destinations/webhook">\(session.formField)<h3>A webhook</h3>\
        \(sheet.head(commonNames + ["url", "key"]))\
        \(name(sheet))\
        \(sheet.line(
            "url", "URL", "type=\"url\" maxlength=\"2048\" required autocomplete=\"off\"",
            note: "https:// only."))\
        \(sheet.line(
            "key", "Key that notices are signed with",
            "type=\"password\" minlength=\"16\" maxlength=\"512\" required autocomplete=\"off\"",
            note: "16 characters or more; the receiver has it too.", isSecret: true))\
        \(gets(sheet))\
        <button>Add the webhook</button></form>
        """
    }

    private static func mail(_ sheet: FormSheet, _ session: PageSession) -> Markup {
        """
        <form method="post" action="/alerts/destinations/mail">\(session.formField)<h3>Mail</h3>\
        \(sheet.head(
            commonNames + ["host", "port", "security", "user", "password", "from", "to"]))\
        \(name(sheet))\
        \(sheet.line(
            "host", "Mail server", "maxlength=\"253\" required autocomplete=\"off\" autocapitalize=\"none\""))\
        \(sheet.choice(
            "security", "Encrypted by",
            [.init("starttls", "STARTTLS, port 587"), .init("tls", "TLS from the start, port 465")]))\
        \(sheet.line(
            "port", "Another port", "type=\"number\" min=\"1\" max=\"65535\" inputmode=\"numeric\" autocomplete=\"off\""))\
        \(sheet.line(
            "user", "User", "maxlength=\"255\" autocomplete=\"off\" autocapitalize=\"none\"",
            note: "Empty: it wants no password."))\
        \(sheet.line(
            "password", "Password", "type=\"password\" maxlength=\"512\" autocomplete=\"new-password\"",
            isSecret: true))\
        \(sheet.line(
            "from", "Sender", "type=\"email\" maxlength=\"254\" required autocomplete=\"off\""))\
        \(sheet.lines(
            "to", "Recipients", "rows=\"2\" maxlength=\"4000\" required autocomplete=\"off\"",
            note: "\(MailRoute.recipientsMax) at most, with blanks or commas between."))\
        \(gets(sheet))\
        <button>Add the mail server</button></form>
        """
    }
}
