import Forecasting
import HTTPTypes
import HubCore
import HubStore
import Hummingbird
import JSONText
import NIOCore

/// What is of the hub as a whole: who asks, the calendar, the audit log, what moves, and the document.
enum HubRoutes {
    static let user = Shape<UserRecord>(
        "User", "Who asks.",
        [
            .init("name", .text(.name("a user", example: "manager")), "The user's name.") {
                .string($0.name)
            },
            .word(
                "role", "A viewer may look, an operator may also change.",
                UserRole.allCases.map(\.rawValue)
            ) { $0.role.rawValue },
            .moment("createdAt", "Since when.") { $0.createdAt },
        ])

    static let entry = Shape<CalendarEntry>(
        "CalendarEntry", "A day of which the chain knows something.",
        [
            .day("date", "The day.") { $0.day },
            .textIfAny("store", "null: every store.", "12") { $0.store?.text },
            .textIfAny("item", "null: every item.", "7") { $0.item?.text },
            .word("kind", "closed and stock-out are part of no training and no error.", kinds) {
                $0.kind.rawValue
            },
            .text("name", "What it is called.", "Easter Monday") { $0.name },
        ])

    private static let kinds = CalendarEntry.Kind.allCases.map(\.rawValue)

    static let record = Shape<AuditRecord>(
        "AuditRecord", "Something that was changed.",
        [
            .count("id", "Its number.", 204) { $0.id },
            .moment("at", "When.") { $0.at },
            .text("author", "Who: os:NAME, user:NAME, device:ID, autopilot, hub.", "user:manager") {
                $0.author
            },
            .text("action", "What was done.", "pause") { $0.action },
            .text("object", "To what.", "rollout 4") { $0.object },
            .text("why", "Why.", "complaints from store 12") { $0.why },
        ])

    struct Live: Sendable {
        var alerts: [AlertRecord]
        var rollouts: [RolloutRecord]
        var pending: Int
    }

    /// Of rollouts, in what moves: the newest so many.
    private static let liveRollouts = 20

    static let live = Shape<Live>(
        "Live", "What moves, in short. Whatever differs from before can be asked for.",
        [
            .count("alertsOpen", "Alerts that nobody sees to yet.", 2) { live in
                live.alerts.count { $0.state == .open }
            },
            .count("alertsAcknowledged", "Alerts that somebody sees to.", 1) { live in
                live.alerts.count { $0.state == .acknowledged }
            },
            .countIfAny("newestAlert", "The number of the newest of these.", 17) {
                $0.alerts.first?.id
            },
            .count("devicesPending", "Devices that wait for approval.", 1) { $0.pending },
            .shapes(
                "rollouts", "The newest \(liveRollouts).",
                Shape<RolloutRecord>(
                    "LiveRollout", "A rollout, in short.",
                    [
                        .count("id", "Its number.", 4) { $0.id },
                        .word(
                            "state", "Where it stands.", RolloutState.allCases.map(\.rawValue)
                        ) { $0.state.rawValue },
                        .countIfAny("wave", "From 1 up.", 2) { $0.openWave.map { $0 + 1 } },
                        .count("revision", "Grows with every change.", 7) { $0.revision },
                    ]), countMax: liveRollouts
            ) { Array($0.rollouts.prefix(liveRollouts)) },
        ])

    static let routes: [APIRoute] = [
        APIRoute(
            method: .get, path: "/openapi.json", id: "getDocument", group: .hub,
            summary: "This document", detail: nil, role: nil, query: [], body: nil,
            statuses: [.ok], answer: .document, canConflict: false
        ) { _ in
            Response(
                status: .ok, headers: [.contentType: "application/json"],
                body: .init(byteBuffer: ByteBuffer(bytes: OpenAPIDocument.bytes)))
        },
        .one("/me", "getMe", .hub, "Whose token it is, and what that user may do", shape: user) {
            call in
            guard let user = call.user else { throw APIProblem(.unauthorized, "Nobody asks.") }
            return user
        },
        .list(
            "/calendar", "listCalendar", .hub,
            "Holidays, promotions, closed days and stock-outs, by day",
            query: [
                .init("kind", .word(kinds), "Only these."),
                .init(
                    "store", .text(.store), "What holds for this store, be it for every store."),
                .init("from", .text(.day), "From this day on."),
                .init("to", .text(.day), "Up to this day."),
            ], shape: entry
        ) { call in
            let (first, last) = try call.days
            let entries = try await call.store.calendar(
                kind: call.word("kind"), store: try call.wanted("store"), from: first,
                through: last)
            return try call.page(entries) {
                [
                    .rising(Int64($0.day.daysSince1970)), .text($0.store?.text ?? ""),
                    .text($0.item?.text ?? ""), .text($0.kind.rawValue),
                ]
            }
        },
        .list(
            "/audit", "listAudit", .hub, "Who changed what, when and why, newest first",
            "It is only ever added to.", shape: record
        ) { call in
            try await call.newest(\.id) { before, countMax in
                try await call.store.audit(before: before, countMax: countMax)
            }
        },
        APIRoute(
            method: .get, path: "/live", id: "watch", group: .hub,
            summary: "What moves, as it moves: server-sent events",
            detail: """
                Whenever it reads otherwise than before, an event named state; one named gone when the token is good no more \
                or too many look. It ends after \(LiveStreams.secondsMax) seconds: ask again then.
                """, role: .viewer, query: [], body: nil, statuses: [.ok],
            answer: .events(live.object), canConflict: false
        ) { call in
            // What cannot be read is refused before the stream begins.
            _ = try await readLive(call)
            return call.hub.streams.response(
                to: call.request, address: "/api/v1/live", user: call.user?.name ?? "",
                isGood: { try await call.store.user(tokenSHA256: call.tokenSHA256) != nil },
                {
                    String(
                        decoding: live.json(try await readLive(call)).line, as: UTF8.self)
                })
        },
    ]

    private static func readLive(_ call: APICall) async throws -> Live {
        Live(
            alerts: try await call.store.alerts(AlertQuery(countMax: AlertQuery.countMax)),
            rollouts: try await call.store.rollouts(),
            pending: try await call.store.devices(store: nil).count { $0.status == .pending })
    }
}

/// Everything that the API does, in the order of the document.
enum APITable {
    static let routes: [APIRoute] =
        HubRoutes.routes + ReportRoutes.routes + AlertRoutes.routes + DeviceRoutes.routes
        + RolloutRoutes.routes + ModelRoutes.routes + AutopilotRoutes.routes

    /// What stands in braces in paths.
    static let pathParameters: [String: (schema: APISchema, meaning: String)] = [
        "store": (.text(.store), "The store."),
        "item": (.text(.item), "The item."),
        "device": (.text(.device), "The device."),
        "alert": (.integer(1...Int64.max), "The alert's number."),
        "silence": (.integer(1...Int64.max), "The silence's number."),
        "rollout": (.integer(1...Int64.max), "The rollout's number."),
        "run": (.integer(1...Int64.max), "The run's number."),
        "destination": (
            .text(.name("a destination", example: "night")), "The destination's name."
        ),
        "family": (.text(.plain(1...64, example: "spring")), "The family's name."),
        "package": (.text(.digest), "SHA-256 of the package, in hexadecimal."),
    ]
}
