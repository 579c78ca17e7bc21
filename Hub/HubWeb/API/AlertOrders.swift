import Forecasting
import HTTPTypes
import HubCore
import HubStore
import JSONText

/// What an operator orders about alerts: what is to be silent, and where they are sent. Bodies of the API and forms of the
/// pages are both read here, so that one lets through what the other does. What would run a program on the hub's machine, or
/// reach it without TLS, is let through by neither (decision 0028).
enum AlertOrders {
    private static let kinds = AlertKind.allCases.map(\.rawValue)
    private static let severities = AlertSeverity.allCases.map(\.rawValue)

    // MARK: What is silent

    static let newSilence = APIObject(
        name: "NewSilence",
        meaning:
            "What is to be silent: one alert's kind and subject by its number, or a kind, a store with its devices, a device, or a kind there.",
        members: [
            .init(
                "alert", .integer(1...Int64.max),
                "An alert's number; then neither kind, store nor device.",
                example: .integer(17), isRequired: false),
            .init("kind", .word(kinds), "Alerts of this kind.", isRequired: false),
            .init("store", .text(.store), "About this store and its devices.", isRequired: false),
            .init("device", .text(.device), "About this device.", isRequired: false),
            .init(
                "seconds", .integer(1...AlertSilence.secondsMax), "For so long.",
                example: .integer(172_800)),
            .init("why", .text(.why), "For the history and the audit log.", isRequired: false),
        ])

    /// Makes a silence.
    /// - Parameter store: acts as whoever orders it.
    /// - Returns: as it is kept.
    static func silence(
        _ body: APIBody, in store: any HubStore, at now: Timestamp
    ) async throws -> AlertSilence {
        try await store.silence(try await wanted(body, in: store, at: now))
    }

    private static func wanted(
        _ body: APIBody, in hub: any HubStore, at now: Timestamp
    ) async throws -> AlertSilence {
        let store: StoreID? = try body.identifier("store")
        let device: DeviceID? = try body.identifier("device")
        var silence = AlertSilence(
            kind: body.text("kind").flatMap { AlertKind(rawValue: $0) }, subject: nil,
            from: now, until: now.advanced(bySeconds: body.number("seconds") ?? 0),
            why: body.text("why") ?? "")
        if let id = body.number("alert") {
            guard silence.kind == nil, store == nil, device == nil else {
                throw APIBody.unfit(
                    "It names an alert, and what alerts are about.", at: "alert",
                    "Name one or the other.")
            }
            guard let alert = try await hub.alert(id) else {
                throw APIProblem(.notFound, "There is no alert \(id).", at: "body.alert")
            }
            (silence.kind, silence.subject) = (alert.kind, alert.subject)
        } else if let store {
            guard device == nil else {
                throw APIBody.unfit(
                    "It names a store and a device.", at: "device", "Name one of them.")
            }
            guard try await hub.store(store) != nil else {
                throw APIProblem(
                    .notFound, "There is no store '\(store.text)'.", at: "body.store")
            }
            silence.subject = .store(store)
        } else if let device {
            guard try await hub.device(device) != nil else {
                throw APIProblem(
                    .notFound, "There is no device '\(device.text)'.", at: "body.device")
            }
            silence.subject = .device(device)
        } else if silence.kind == nil {
            throw APIBody.unfit(
                "It does not say which alerts.", at: nil,
                "Name an alert, a kind, a store or a device.")
        }
        return silence
    }

    // MARK: Where alerts are sent

    private static let mailAddress = APIText(
        length: 3...254, pattern: "^[!#-'*+\\--9=?A-Z^-~]+@[!#-'*+\\--9=?A-Z^-~]+$",
        words: "a mail address", example: "office@example.com"
    ) { MailRoute.isAddress($0) }

    static let newDestination = APIObject(
        name: "NewDestination",
        meaning:
            "A webhook (url and key) or a mail server (host, from, to). Commands run on the hub's machine, and are added there alone.",
        members: [
            .init("name", .text(.name("a destination", example: "night")), "Its name."),
            .init(
                "severities", .list(.word(severities), countMax: 3),
                "What is sent there; page and warn unless said otherwise.",
                example: .array([.string("page")]), isRequired: false),
            .init(
                "isToldOfEnds", .flag,
                "It is told when an alert is over; true unless said otherwise.",
                isRequired: false),
            .init(
                "url",
                .text(
                    .plain(
                        1...2_048, example: "https://example.com/hook")), "Of a webhook: https://.",
                isRequired: false),
            .init(
                "key", .text(.plain(16...512, example: "0f3c…, 16 characters or more")),
                "Of a webhook: what notices are signed with. It is never shown again.",
                isRequired: false),
            .init(
                "host", .text(.plain(1...253, example: "smtp.example.com")), "Of a mail server.",
                isRequired: false),
            .init(
                "port", .integer(1...65_535),
                "Of a mail server; 587 for starttls, 465 for tls unless said otherwise.",
                example: .integer(587), isRequired: false),
            .init(
                "security", .word(["starttls", "tls"]),
                "Of a mail server; starttls unless said otherwise.", isRequired: false),
            .init(
                "user", .text(.plain(1...255, example: "hub")), "Who signs in at the mail server.",
                isRequired: false),
            .init(
                "password", .text(.plain(1...512, example: "…")),
                "Of that user. It is never shown again.", isRequired: false),
            .init("from", .text(mailAddress), "The sender's address.", isRequired: false),
            .init(
                "to", .list(.text(mailAddress), countMax: MailRoute.recipientsMax),
                "The recipients' addresses.", isRequired: false),
        ])

    /// Adds a destination.
    /// - Parameter store: acts as whoever orders it.
    static func destination(
        _ body: APIBody, in store: any HubStore, at now: Timestamp
    ) async throws -> AlertDestination {
        let wanted = try destination(body, at: now)
        try await store.addAlertDestination(wanted)
        return wanted
    }

    private static func destination(
        _ body: APIBody, at now: Timestamp
    ) throws -> AlertDestination {
        let severities = (body.texts("severities") ?? ["page", "warn"]).compactMap {
            AlertSeverity(rawValue: $0)
        }
        guard !severities.isEmpty else {
            throw APIBody.unfit("Nothing would be sent there.", at: "severities")
        }
        let ofWebhook = ["url", "key"].filter { body.has($0) }
        let ofMail = ["host", "port", "security", "user", "password", "from", "to"].filter {
            body.has($0)
        }
        guard ofWebhook.isEmpty || ofMail.isEmpty else {
            throw APIBody.unfit(
                "It is half a webhook and half a mail server.", at: ofMail[0],
                "Give url and key, or host, from and to.")
        }
        let (channel, secret) =
            ofMail.isEmpty ? try webhook(body) : try mail(body)
        return AlertDestination(
            name: body.text("name") ?? "", channel: channel, severities: Set(severities),
            isToldOfEnds: body.flag("isToldOfEnds") ?? true, secret: secret,
            createdAt: now)
    }

    private static func webhook(_ body: APIBody) throws -> (AlertChannel, AlertSecret?) {
        guard let url = body.text("url"), let key = body.text("key") else {
            throw APIBody.unfit(
                "A webhook has a url and a key.", at: !body.has("url") ? "url" : "key",
                "Give both; a mail server has host, from and to.")
        }
        // Plain HTTP goes to the hub's own machine: what answers there is nobody's at a distance.
        guard let target = WebhookTarget(url), target.isEncrypted else {
            throw APIBody.unfit(
                "It is no https:// URL without a user or a fragment.", at: "url",
                "An http:// URL of the hub's own machine is added there: shelfcast-hub alerts deliver add webhook."
            )
        }
        return (.webhook(url: url), try secret(key, "key"))
    }

    private static func mail(_ body: APIBody) throws -> (AlertChannel, AlertSecret?) {
        guard let host = body.text("host"), let from = body.text("from"),
            let to = body.texts("to"), !to.isEmpty
        else {
            let missing = ["host", "from", "to"].first { !body.has($0) } ?? "to"
            throw APIBody.unfit(
                "A mail server has a host, a sender and recipients.", at: missing,
                "Give host, from and to.")
        }
        guard MailRoute.isHost(host) else {
            throw APIBody.unfit("It is no name of a mail server.", at: "host")
        }
        let (user, password) = (body.text("user"), body.text("password"))
        guard (user == nil) == (password == nil) else {
            throw APIBody.unfit(
                "A user and a password belong together.", at: user == nil ? "user" : "password",
                "Give both or neither.")
        }
        let security =
            body.text("security").flatMap { MailRoute.Security(rawValue: $0) } ?? .starttls
        let route = MailRoute(
            host: host, port: body.number("port").map { Int($0) } ?? security.usualPort,
            security: security, user: user, from: from, to: to)
        return (.mail(route), try password.map { try secret($0, "password") })
    }

    /// As a file's first line is taken: nothing that would end it.
    private static func secret(_ text: String, _ member: String) throws -> AlertSecret {
        let bytes = Array(text.utf8)
        guard bytes.count <= AlertSecret.bytesMax, !bytes.contains(where: { $0 < 0x20 }) else {
            throw APIBody.unfit(
                "It has control characters or more than \(AlertSecret.bytesMax) bytes.", at: member)
        }
        return AlertSecret(bytes: bytes)
    }
}
