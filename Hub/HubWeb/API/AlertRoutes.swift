import Forecasting
import HTTPTypes
import HubCore
import HubStore
import Hummingbird
import JSONText

/// Alerts, what is silent, and where alerts are sent.
enum AlertRoutes {
    static let alert = Shape<AlertRecord>(
        "Alert", "What somebody should look at.",
        [
            .count("id", "Its number.", 17) { $0.id },
            .word("kind", "What it is; Docs/alerts.md says what each means.", kinds) {
                $0.kind.rawValue
            },
            .word("severity", "page: at once; warn: today; info: some time.", severities) {
                $0.severity.rawValue
            },
            .word("state", "What became of it.", states) { $0.state.rawValue },
            .text("subject", "What it is about: chain, store NAME, device NAME.", "store 12") {
                $0.subject.text
            },
            .text("title", "In one line.", "store 12 sells 31 % more than was forecast") {
                $0.title
            },
            .texts("detail", "The figures, line by line.", ["sold 1204, forecast 921"]) {
                $0.detail.split(separator: "\n").map(String.init)
            },
            .texts("stores", "Those it is about, \(AlertRecord.storesMax) at most.", ["12"]) {
                $0.stores.map(\.text)
            },
            .count("storeCount", "How many there are.", 1) { $0.storeCount },
            .dayIfAny("since", "The day on which it began, where there is one.") { $0.since },
            .flag("grouped", "An alert of the whole chain speaks for it.") { $0.isGrouped },
            .moment("openedAt", "When it opened.") { $0.openedAt },
            .moment("seenAt", "When its cause was last seen.") { $0.seenAt },
            .count("openings", "How often it opened.", 1) { $0.openings },
            .count("notices", "How often it was sent.", 1) { $0.notices },
            .textIfAny("acknowledgedBy", "Who sees to it.", "user:manager") { $0.acknowledgedBy },
            .momentIfAny("acknowledgedAt", "Since when.") { $0.acknowledgedAt },
            .textIfAny(
                "resolvedBy", "Who resolved it; null: it did so by itself, or is not.", "hub"
            ) {
                $0.resolvedBy
            },
            .textIfAny("resolvedWhy", "Why it is resolved.", "it sells as forecast again") {
                $0.state == .resolved ? $0.resolvedWhy : nil
            },
            .momentIfAny("resolvedAt", "When it was resolved.") {
                $0.state == .resolved ? $0.changedAt : nil
            },
        ])

    private static let kinds = AlertKind.allCases.map(\.rawValue)
    private static let severities = AlertSeverity.allCases.map(\.rawValue)
    private static let states = AlertRecord.State.allCases.map(\.rawValue)

    static let event = Shape<AlertEvent>(
        "AlertEvent", "Something that happened to an alert.",
        [
            .moment("at", "When.") { $0.at },
            .text("author", "Who: hub, os:NAME, user:NAME.", "user:manager") { $0.author },
            .word("what", "What.", AlertEvent.What.allCases.map(\.rawValue)) { $0.what.rawValue },
            .text("text", "In words.", "it is at the workshop") { $0.text },
        ])

    struct Whole: Sendable {
        var alert: AlertRecord
        var history: [AlertEvent]
    }

    static let whole = Shape<Whole>(
        "AlertWithHistory", "An alert, and what became of it.",
        [
            .shape("alert", "The alert.", alert) { $0.alert },
            .shapes(
                "history", "Newest first, \(AlertEvent.keptPerAlertMax) at most.", event,
                countMax: AlertEvent.keptPerAlertMax
            ) { $0.history },
        ])

    private static let why = APIObject(
        name: "Why", meaning: "Why something is changed.",
        members: [
            .init("why", .text(.why), "For the history and the audit log.", isRequired: false)
        ])

    static let routes: [APIRoute] =
        [
            .list(
                "/alerts", "listAlerts", .alerts, "Alerts, the newest first",
                "Without state, those that are open or acknowledged.",
                query: [
                    .init(
                        "state", .word(["open", "acknowledged", "resolved", "all"]), "Only these."),
                    .init("severity", .word(severities), "Nothing less severe."),
                    .init("kind", .word(kinds), "Only of this kind."),
                    .init(
                        "store", .text(.store), "About this store, its devices, or naming it."),
                    .init("device", .text(.device), "About this device."),
                    .init(
                        "grouped", .flag,
                        "false: without those that an alert of the whole chain speaks for."),
                ], shape: alert
            ) { call in
                var query = AlertQuery()
                switch call.text("state") {
                case "all": query.states = Set(AlertRecord.State.allCases)
                case let state?:
                    query.states = Set([AlertRecord.State(rawValue: state)].compactMap { $0 })
                case nil: break
                }
                query.severityMin = call.word("severity") ?? .info
                query.kind = call.word("kind")
                query.store = try call.wanted("store")
                query.device = try call.wanted("device")
                query.leavesOutGrouped = call.query["grouped"]?.flag == false
                let asked = query
                return try await call.newest(\.id) { before, countMax in
                    var query = asked
                    query.before = before
                    query.countMax = countMax
                    return try await call.store.alerts(query)
                }
            },
            .one(
                "/alerts/{alert}", "getAlert", .alerts, "An alert, and what became of it",
                shape: whole
            ) {
                try await read($0, try await found($0).id)
            },
            .change(
                "/alerts/{alert}/acknowledge", "acknowledgeAlert", .alerts,
                "Somebody sees to it: it is not sent again unless it becomes worse",
                "Acknowledged already, it stays as it is.", body: why, shape: whole
            ) { call in
                let alert = try await found(call)
                if alert.state != .acknowledged {
                    _ = try await call.store.acknowledgeAlert(
                        alert.id, why: call.body.text("why") ?? "", at: call.now)
                }
                return try await read(call, alert.id)
            },
            .change(
                "/alerts/{alert}/resolve", "resolveAlert", .alerts,
                "It is done with; it does not come back for a week unless it becomes worse",
                "Resolved already, it stays as it is.", body: why, shape: whole
            ) { call in
                let alert = try await found(call)
                if alert.state != .resolved {
                    _ = try await call.store.resolveAlert(
                        alert.id, why: call.body.text("why") ?? "", at: call.now)
                }
                return try await read(call, alert.id)
            },
        ] + silences + destinations

    private static func found(_ call: APICall) async throws -> AlertRecord {
        guard let alert = try await call.store.alert(try call.number("alert")) else {
            throw APICall.nothing("alert", call.part("alert"))
        }
        return alert
    }

    private static func read(_ call: APICall, _ id: Int64) async throws -> Whole {
        guard let alert = try await call.store.alert(id) else {
            throw APICall.nothing("alert", "\(id)")
        }
        return Whole(
            alert: alert,
            history: try await call.store.alertEvents(
                of: id, countMax: AlertEvent.keptPerAlertMax))
    }

    // MARK: What is silent

    static let silence = Shape<AlertSilence>(
        "Silence", "What is not sent for a while. Such alerts still open, are listed, and resolve.",
        [
            .count("id", "Its number.", 3) { $0.id },
            .wordIfAny("kind", "Alerts of this kind; null: of every kind.", kinds) {
                $0.kind?.rawValue
            },
            .textIfAny(
                "subject", "About this: chain, store NAME, device NAME; null: all.", "store 12"
            ) {
                $0.subject?.text
            },
            .moment("from", "Since when.") { $0.from },
            .moment("until", "Until when.") { $0.until },
            .text("author", "Who made it.", "user:manager") { $0.author },
            .text("why", "Why.", "rebuilding") { $0.why },
        ])

    private static let silences: [APIRoute] = [
        .list(
            "/silences", "listSilences", .alerts, "What is silent, and until when",
            "What is over is remembered by the audit log.", shape: silence
        ) { call in
            try call.page(try await call.store.silences(at: call.now)) { [.rising($0.id)] }
        },
        .make(
            "/silences", "addSilence", .alerts, "Send nothing of some alerts for a while",
            "What still stands when the silence ends is sent then.", body: AlertOrders.newSilence,
            shape: silence
        ) { call in
            let kept = try await AlertOrders.silence(
                call.body, in: call.store, at: call.now)
            return (kept, Link("api", "v1", "silences", "\(kept.id)"))
        },
        .one("/silences/{silence}", "getSilence", .alerts, "A silence", shape: silence) { call in
            let id = try call.number("silence")
            guard
                let found = try await call.store.silences(at: call.now).first(where: { $0.id == id }
                )
            else { throw APICall.nothing("silence", "\(id)") }
            return found
        },
        .remove(
            "/silences/{silence}", "endSilence", .alerts, "End a silence before its time"
        ) { call in
            let id = try call.number("silence")
            guard try await call.store.liftSilence(id, at: call.now) else {
                throw APICall.nothing("silence", "\(id)")
            }
        },
    ]

    // MARK: Where alerts are sent

    /// A destination, and how sending there goes.
    struct Listed: Sendable {
        var destination: AlertDestination
        var standing: DeliveryStanding

        static func all(in store: any HubStore) async throws -> [Listed] {
            let standings = try await store.deliveryStandings()
            return try await store.alertDestinations().map {
                Listed(destination: $0, standing: standings[$0.name] ?? DeliveryStanding())
            }
        }
    }

    static let destination = Shape<Listed>(
        "Destination", "Where alerts are sent. Keys and passwords are never shown.",
        [
            .init("name", .text(.name("a destination", example: "night")), "Its name.") {
                .string($0.destination.name)
            },
            .word("channel", "How.", ["webhook", "mail", "command"]) { listed in
                switch listed.destination.channel {
                case .webhook: "webhook"
                case .mail: "mail"
                case .command: "command"
                }
            },
            .text("how", "In words.", "POST https://example.com/hook") {
                $0.destination.channel.text
            },
            .texts("severities", "What is sent there.", ["page", "warn"]) { listed in
                AlertSeverity.allCases.reversed().filter(listed.destination.severities.contains)
                    .map(\.rawValue)
            },
            .flag("isToldOfEnds", "It is told when an alert is over, too.") {
                $0.destination.isToldOfEnds
            },
            .flag("hasSecret", "A key or a password is kept for it.") {
                $0.destination.secret != nil
            },
            .moment("createdAt", "Since when.") { $0.destination.createdAt },
            .momentIfAny("arrivedAt", "When a notice arrived there last; null: none is known.") {
                $0.standing.arrivedAt
            },
            .count("waiting", "Notices that are on their way there.", 0) { $0.standing.waiting },
            .count("dead", "Notices that were given up.", 0) { $0.standing.dead },
            .text(
                "problem", "Why the newest of these has not arrived.", "the connection was refused"
            ) {
                $0.standing.problem
            },
        ])

    static let delivery = Shape<AlertDelivery>(
        "Delivery", "A notice on its way to a destination.",
        [
            .count("notice", "Its number.", 41) { $0.notice },
            .countIfAny("alert", "The alert's number; null: a test.", 17) {
                $0.alert == 0 ? nil : $0.alert
            },
            .text("destination", "Where to.", "night") { $0.destination },
            .word("state", "What became of it.", AlertDelivery.State.allCases.map(\.rawValue)) {
                $0.state.rawValue
            },
            .count("attempts", "How often it was tried.", 1) { $0.attempts },
            .moment("at", "When it is tried next; of one that is over, when it ended.") { $0.at },
            .text("problem", "Why it has not arrived.", "the connection was refused") {
                $0.problem
            },
        ])

    struct Queued: Sendable {
        var notice: Int64
    }

    struct Resent: Sendable {
        var notices: Int
    }

    private static let destinations: [APIRoute] = [
        .list(
            "/alert-destinations", "listDestinations", .delivery, "Where alerts are sent",
            shape: destination
        ) { call in
            try call.page(try await Listed.all(in: call.store)) { [.text($0.destination.name)] }
        },
        .make(
            "/alert-destinations", "addDestination", .delivery,
            "Send alerts to a webhook or by mail",
            """
            What would run a program on the hub's machine, or reach it without TLS, is for the command line: \
            'shelfcast-hub alerts deliver add'.
            """, body: AlertOrders.newDestination, shape: destination
        ) { call in
            let added = try await AlertOrders.destination(
                call.body, in: call.store, at: call.now)
            return (
                Listed(destination: added, standing: DeliveryStanding()),
                Link("api", "v1", "alert-destinations", added.name)
            )
        },
        .one(
            "/alert-destinations/{destination}", "getDestination", .delivery, "A destination",
            shape: destination, foundDestination),
        .remove(
            "/alert-destinations/{destination}", "removeDestination", .delivery,
            "Send nothing there any more, nor what waits"
        ) { call in
            let name = call.part("destination")
            guard try await call.store.removeAlertDestination(name, at: call.now) else {
                throw APICall.nothing("destination", name)
            }
        },
        .change(
            "/alert-destinations/{destination}/test", "testDestination", .delivery,
            "Send a test there",
            "It goes out within seconds; the list of deliveries says what became of it.",
            canConflict: false,
            shape: Shape<Queued>(
                "TestNotice", "A notice that is on its way.",
                [.count("notice", "Its number, among the deliveries.", 41) { $0.notice }])
        ) { call in
            let name = try await foundDestination(call).destination.name
            return Queued(notice: try await call.store.sendTestNotice(to: name, at: call.now))
        },
        .change(
            "/alert-destinations/{destination}/resend", "resendToDestination", .delivery,
            "Send again what was given up there",
            "It is tried for another day. Where nothing was given up, nothing changes.",
            canConflict: false,
            shape: Shape<Resent>(
                "ResentNotices", "Notices that are on their way again.",
                [.count("notices", "How many.", 2) { $0.notices }])
        ) { call in
            let name = try await foundDestination(call).destination.name
            return Resent(
                notices: try await call.store.resend(
                    notice: nil, destination: name, at: call.now))
        },
        .list(
            "/alert-deliveries", "listDeliveries", .delivery,
            "Notices on their way, those that arrived lately, and those that were given up",
            "The newest 1000 of each.",
            query: [
                .init(
                    "state", .word(AlertDelivery.State.allCases.map(\.rawValue)), "Only these.")
            ], shape: delivery
        ) { call in
            let states: [AlertDelivery.State] =
                call.word("state").map { [$0] } ?? AlertDelivery.State.allCases
            var found: [AlertDelivery] = []
            for state in states {
                found += try await call.store.deliveries(state, countMax: 1_000)
            }
            return try call.page(found) { [.falling($0.notice), .text($0.destination)] }
        },
    ]

    private static func foundDestination(_ call: APICall) async throws -> Listed {
        let name = call.part("destination")
        guard
            let found = try await Listed.all(in: call.store).first(where: {
                $0.destination.name == name
            })
        else { throw APICall.nothing("destination", name) }
        return found
    }
}
