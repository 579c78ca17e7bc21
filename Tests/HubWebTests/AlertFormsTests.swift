import Crypto
import Forecasting
import Foundation
import HubCore
import HubStore
import HubWeb
import Testing

private let now = Timestamp(millisecondsSince1970: 1_700_000_000_000)
private let storeName = "<b>&1"

extension Client {
    /// Sends a form of the page as its session's own.
    fileprivate func fill(_ path: String, on page: String, _ fields: [String: String]) async throws
        -> Answer
    {
        let proof = try #require(try await ask(page).proof)
        return try await send(path, fields.merging(["proof": proof]) { $1 })
    }
}

extension Client.Answer {
    /// The tag of the field that has this name.
    fileprivate func field(_ name: String) -> String {
        body.components(separatedBy: "<").first { $0.contains(" name=\"\(name)\"") } ?? ""
    }
}

/// An open alert about the store of `serving`.
private func openAlert(in store: SQLiteHubStore) async throws {
    _ = try await store.apply(
        [
            AlertChange(
                alert: AlertRecord(
                    kind: .noData, subject: .store(try StoreID(storeName)), severity: .page,
                    title: "nothing came", stores: [try StoreID(storeName)], openedAt: now),
                event: nil, isSent: false)
        ], at: now)
}

@Suite("Forms about alerts") struct AlertFormsTests {
    private static let webhook = [
        "name": "night", "url": "https://example.com/hook?a=1&b=2", "key": "0123456789abcdef",
        "severities.page": "yes", "isToldOfEnds": "yes",
    ]
    private static let mail = [
        "name": "office", "host": "smtp.example.com", "security": "tls", "user": "hub",
        "password": "p4ssw0rd ", "from": "hub@example.com",
        "to": " a@example.com,\r\nb@example.com; c@example.com ", "severities.page": "yes",
        "severities.info": "yes",
    ]

    @Test("silence a store for a time, say so on every page of alerts, and lift it again")
    func silence() async throws {
        try await serving { client, store in
            try await openAlert(in: store)
            var manager = client
            _ = try await manager.signIn("manager", "manager's secret")
            let page = "/alerts/silences"
            #expect(try await manager.ask(page).body.contains("Nothing is silent."))
            let made = try await manager.fill(
                page, on: page,
                [
                    "kind": "no-data", "store": storeName, "device": "", "amount": "2",
                    "unit": "weeks", "why": "rebuilding <soon>",
                ])
            #expect(made.status == 303)
            #expect(made.headers["location"] == "/alerts/silences?made=1")
            let kept = try #require(try await store.silences(at: now).first)
            #expect(kept.kind == .noData)
            #expect(kept.subject == .store(try StoreID(storeName)))
            #expect(kept.until == now.advanced(bySeconds: 14 * 86_400))
            #expect(kept.author == "user:manager")
            let told = try await manager.ask("/alerts/silences?made=1").body
            #expect(told.contains("Silence 1 holds until 2023-11-28 22:13:20 UTC"))
            #expect(told.contains("rebuilding &lt;soon&gt;"))
            #expect(try await manager.ask("/alerts").body.contains("open, silent"))
            #expect(
                try await manager.ask("/alerts/1").body.contains(
                    "2023-11-28 22:13:20 UTC, by user:manager: rebuilding &lt;soon&gt;"))

            let lifted = try await manager.fill("\(page)/1/lift", on: page, [:])
            #expect(lifted.headers["location"] == page)
            #expect(try await store.silences(at: now).isEmpty)
            #expect(try await manager.fill("\(page)/1/lift", on: page, [:]).status == 404)
            #expect(
                try await store.audit(countMax: 2).map { "\($0.author) \($0.action) \($0.why)" }
                    == ["user:manager lift-silence ", "user:manager silence rebuilding <soon>"])
        }
    }

    @Test("silence what an alert is about, from the alert itself")
    func silenceFromAlert() async throws {
        try await serving { client, store in
            try await openAlert(in: store)
            var manager = client
            _ = try await manager.signIn("manager", "manager's secret")
            let wrong = try await manager.fill(
                "/alerts/1/silence", on: "/alerts/1",
                ["amount": "0", "unit": "days", "why": "it is known"])
            #expect(wrong.status == 422)
            #expect(wrong.body.contains("<h1>Alert 1</h1>"))
            #expect(wrong.field("amount").contains("value=\"0\""))
            #expect(wrong.field("amount").contains("aria-invalid=\"true\""))
            #expect(wrong.body.contains("value=\"it is known\""))
            let right = try await manager.fill(
                "/alerts/1/silence", on: "/alerts/1",
                ["amount": "3", "unit": "hours", "why": "it is known"])
            #expect(right.headers["location"] == "/alerts/1")
            let kept = try #require(try await store.silences(at: now).first)
            #expect(kept.kind == .noData)
            #expect(kept.subject == .store(try StoreID(storeName)))
            #expect(kept.until == now.advanced(bySeconds: 10_800))
            #expect(try await manager.ask("/alerts/1").body.contains("<dt>Silent until</dt>"))
            let none = try await manager.fill(
                "/alerts/9/silence", on: "/alerts/1", ["amount": "1", "unit": "days"])
            #expect(none.status == 404)
        }
    }

    @Test(
        "say at the field what is wrong with a silence, and keep what was entered",
        arguments: [
            (["store": "9", "amount": "1", "unit": "days"], "store", 404, "There is no store"),
            (
                ["device": "d-9", "amount": "1", "unit": "days"], "device", 404,
                "There is no device"
            ),
            (
                ["store": "<b>&1", "device": "d-1", "amount": "1", "unit": "days"], "device", 422,
                "It names a store and a device."
            ),
            (["store": "a b", "amount": "1", "unit": "days"], "store", 422, "the name of a store"),
            (["kind": "hunger", "amount": "1", "unit": "days"], "kind", 422, "It is one of"),
            (["kind": "no-data", "amount": "13", "unit": "weeks"], "amount", 422, "90 days"),
            (["kind": "no-data", "amount": "-1", "unit": "days"], "amount", 422, "90 days"),
            (["kind": "no-data", "amount": "1.5", "unit": "days"], "amount", 422, "90 days"),
            (
                ["kind": "no-data", "amount": "99999999999999999999", "unit": "hours"], "amount",
                422, "90 days"
            ),
            (["kind": "no-data", "amount": "1", "unit": "years"], "amount", 422, "90 days"),
            (["kind": "no-data", "unit": "days"], "amount", 422, "90 days"),
            (
                ["amount": "1", "unit": "days", "why": "because"], nil, 422,
                "It does not say which alerts."
            ),
        ] as [([String: String], String?, Int, String)])
    func wrongSilence(
        fields: [String: String], field: String?, status: Int, words: String
    ) async throws {
        try await serving { client, store in
            var manager = client
            _ = try await manager.signIn("manager", "manager's secret")
            let answer = try await manager.fill(
                "/alerts/silences", on: "/alerts/silences", fields)
            #expect(answer.status == status, "\(answer.body)")
            #expect(answer.body.contains("role=\"alert\""))
            #expect(answer.body.contains(words))
            if let field {
                let tag = answer.field(field)
                #expect(tag.contains("aria-invalid=\"true\""), "\(tag)")
                #expect(tag.contains("aria-describedby=\"silence-\(field)-fault"), "\(tag)")
                #expect(answer.body.contains("<p class=\"fault\" id=\"silence-\(field)-fault\">"))
            }
            for (name, value) in fields
            where ["store", "device", "amount", "why"].contains(name) {
                let shown = value.replacingOccurrences(of: "&", with: "&amp;")
                    .replacingOccurrences(of: "<", with: "&lt;")
                    .replacingOccurrences(of: ">", with: "&gt;")
                #expect(answer.field(name).contains("value=\"\(shown)\""), "\(name)")
            }
            #expect(try await store.silences(at: now).isEmpty)
        }
    }

    @Test("send alerts to a webhook and by mail, show how that goes, and end it")
    func destinations() async throws {
        try await serving { client, store in
            var manager = client
            _ = try await manager.signIn("manager", "manager's secret")
            let page = "/alerts/destinations"
            #expect(try await manager.ask("/alerts").body.contains("Alerts are sent nowhere"))
            let added = try await manager.fill(page + "/webhook", on: page, Self.webhook)
            #expect(added.status == 303)
            #expect(added.headers["location"] == page + "?added=night")
            #expect(
                try await manager.fill(page + "/mail", on: page, Self.mail).status == 303)
            let known = try await store.alertDestinations()
            #expect(known.map(\.name) == ["night", "office"])
            #expect(known[0].channel == .webhook(url: "https://example.com/hook?a=1&b=2"))
            #expect(known[0].severities == [.page] && known[0].isToldOfEnds)
            #expect(known[0].secret?.bytes == Array("0123456789abcdef".utf8))
            #expect(
                known[1].channel
                    == .mail(
                        MailRoute(
                            host: "smtp.example.com", port: 465, security: .tls, user: "hub",
                            from: "hub@example.com",
                            to: ["a@example.com", "b@example.com", "c@example.com"])))
            #expect(known[1].severities == [.page, .info] && !known[1].isToldOfEnds)
            #expect(known[1].secret?.bytes == Array("p4ssw0rd ".utf8), "as it was typed")

            let tested = try await manager.fill(page + "/test", on: page, ["name": "office"])
            #expect(tested.headers["location"] == page + "?test=1")
            var waiting = try #require(
                try await store.deliveries(.waiting, countMax: 9).first)
            #expect(waiting.destination == "office" && waiting.alert == 0)
            for _ in 0..<DeliverySchedule.attemptsMax {
                try await store.noteDelivery(waiting, problem: "it said <no>", at: now)
                waiting.attempts += 1
            }
            #expect(try await manager.ask("/alerts").body.contains("Given up: 1 notice to office"))
            let list = try await manager.ask(page).body
            for text in [
                "POST https://example.com/hook?a=1&amp;b=2", "never yet", "it said &lt;no&gt;",
                "given up</span>",
            ] {
                #expect(list.contains(text), "\(text)")
            }
            #expect(!list.contains("p4ssw0rd") && !list.contains("0123456789abcdef"))
            #expect(list.contains("Send again what was given up to office"))
            #expect(!list.contains("Send again what was given up to night"))

            let again = try await manager.fill(page + "/resend", on: page, ["name": "office"])
            #expect(again.headers["location"] == page + "?resent=1")
            #expect(
                try await manager.ask(page + "?resent=1").body.contains(
                    "1 notice is tried again"))
            #expect(try await store.deliveries(.waiting, countMax: 9).map(\.attempts) == [0])
            #expect(try await store.deliveries(.dead, countMax: 9).isEmpty)
            #expect(
                try await manager.fill(page + "/resend", on: page, ["name": "office"]).status
                    == 404)

            let asked = try await manager.ask(page + "?remove=office").body
            #expect(asked.contains("Remove office?"))
            let removed = try await manager.fill(page + "/remove", on: page, ["name": "office"])
            #expect(removed.headers["location"] == page)
            #expect(
                try await manager.fill(page + "/remove", on: page, ["name": "office"]).status
                    == 404)
            #expect(
                try await manager.fill(page + "/test", on: page, ["name": "office"]).status == 404)
            #expect(try await store.alertDestinations().map(\.name) == ["night"])
            #expect(
                try await store.audit(countMax: 5).map { "\($0.author) \($0.action) \($0.object)" }
                    == [
                        "user:manager remove-destination destination office",
                        "user:manager resend dead letters",
                        "user:manager test-destination destination office",
                        "user:manager add-destination destination office",
                        "user:manager add-destination destination night",
                    ])
        }
    }

    @Test(
        "let through no destination that the API refuses, say why at the field, and give no secret back",
        arguments: [
            ("webhook", ["url": "http://127.0.0.1:9/hook"], "url", "https:// URL"),
            ("webhook", ["url": "https://user@example.com/"], "url", "https:// URL"),
            ("webhook", ["url": "/usr/bin/lamp"], "url", "https:// URL"),
            ("webhook", ["key": "short"], "key", "16 to 512"),
            ("webhook", ["key": "0123456789abcdef\r\nx"], "key", "control characters"),
            ("webhook", ["name": "a b"], "name", "the name of a destination"),
            ("webhook", ["name": ""], "name", "It is missing."),
            ("webhook", ["severities.page": ""], "severities", "Nothing would be sent there."),
            ("mail", ["security": "none"], "security", "It is one of starttls, tls"),
            ("mail", ["password": ""], "password", "belong together"),
            ("mail", ["user": ""], "user", "belong together"),
            ("mail", ["to": "a@example.com\r\nBcc:x"], "to", "a mail address"),
            ("mail", ["to": " , "], "to", "recipients"),
            (
                "mail",
                [
                    "to": (0...MailRoute.recipientsMax).map { "a\($0)@example.com" }.joined(
                        separator: " ")
                ], "to", "20 values at most"
            ),
            ("mail", ["port": "0"], "port", "1 to 65535"),
            ("mail", ["port": "smtp"], "port", "number"),
            ("mail", ["host": "a b"], "host", "no name of a mail server"),
            ("mail", ["from": "nobody"], "from", "a mail address"),
        ] as [(String, [String: String], String, String)])
    func wrongDestination(
        form: String, wrong: [String: String], field: String, words: String
    ) async throws {
        try await serving { client, store in
            var manager = client
            _ = try await manager.signIn("manager", "manager's secret")
            var fields = (form == "mail" ? Self.mail : Self.webhook).merging(wrong) { $1 }
            if form == "mail" { fields["severities.info"] = nil }
            let answer = try await manager.fill(
                "/alerts/destinations/\(form)", on: "/alerts/destinations", fields)
            #expect(answer.status == 422, "\(answer.body)")
            #expect(answer.body.contains(words), "\(words)")
            #expect(answer.body.contains("id=\"\(form)-\(field)-fault\""))
            #expect(answer.body.components(separatedBy: "aria-invalid").count <= 2)
            let password = fields["password"] ?? fields["key"] ?? ""
            #expect(password.isEmpty || !answer.body.contains(password))
            for name in ["url", "host", "from", "user"] where fields[name]?.isEmpty == false {
                let shown = (fields[name] ?? "").replacingOccurrences(of: "&", with: "&amp;")
                #expect(answer.body.contains("value=\"\(shown)\""), "\(name)")
            }
            #expect(try await store.alertDestinations().isEmpty)

            // What the same comes to for a program.
            let token = "shelfcast-api.abc"
            _ = try await store.addUserToken(
                sha256: Array(SHA256.hash(data: Array(token.utf8))), of: "manager", at: now)
            var body: [String: Any] = ["isToldOfEnds": true]
            body["severities"] = ["page", "warn", "info"].filter {
                fields["severities.\($0)"]?.isEmpty == false
            }
            for (name, value) in fields where !name.contains(".") && name != "isToldOfEnds" {
                guard !value.isEmpty else { continue }
                let list = value.split { $0.isWhitespace || $0 == "," || $0 == ";" }.map(
                    String.init)
                body[name] =
                    name == "to" ? list as Any : name == "port" ? Int(value) ?? value as Any : value
            }
            let refused = try await client.ask(
                "/api/v1/alert-destinations", "-H", "Authorization: Bearer " + token, "-H",
                "Content-Type: application/json", "--data-binary",
                String(
                    decoding: try JSONSerialization.data(withJSONObject: body), as: UTF8.self))
            #expect(refused.status == 422, "\(refused.body)")
            #expect(refused.body.contains("\"where\":\"body.\(field)"), "\(refused.body)")
        }
    }

    @Test("refuse a name that is taken, and take names that mean something in a path")
    func names() async throws {
        try await serving { client, store in
            var manager = client
            _ = try await manager.signIn("manager", "manager's secret")
            let page = "/alerts/destinations"
            for name in ["..", "live"] {
                let fields = Self.webhook.merging(["name": name]) { $1 }
                #expect(try await manager.fill(page + "/webhook", on: page, fields).status == 303)
                let again = try await manager.fill(page + "/webhook", on: page, fields)
                #expect(again.status == 409)
                #expect(again.body.contains("Destination \(name)"), "\(again.body)")
                #expect(again.field("url").contains("value=\"https://example.com/hook"))
                #expect(
                    try await manager.fill(page + "/test", on: page, ["name": name]).status == 303)
                #expect(try await manager.ask(page).status == 200)
                #expect(
                    try await manager.fill(page + "/remove", on: page, ["name": name]).status
                        == 303)
            }
            #expect(try await store.alertDestinations().isEmpty)
        }
    }

    @Test(
        "let a viewer look at silences and destinations, and nobody change them by a form of elsewhere"
    )
    func roles() async throws {
        try await serving { client, store in
            try await openAlert(in: store)
            var manager = client
            _ = try await manager.signIn("manager", "manager's secret")
            let settings = "/alerts/destinations"
            _ = try await manager.fill(settings + "/webhook", on: settings, Self.webhook)
            _ = try await manager.fill(
                "/alerts/1/silence", on: "/alerts/1", ["amount": "1", "unit": "days"])
            var viewer = client
            _ = try await viewer.signIn("clerk", "clerk's secret")
            for page in ["/alerts", "/alerts/1", "/alerts/silences", settings + "?remove=night"] {
                let answer = try await viewer.ask(page)
                #expect(answer.status == 200)
                #expect(
                    answer.body.components(separatedBy: "<form").count == 2,
                    "only the one to sign out on \(page)")
            }
            #expect(try await viewer.ask("/alerts/silences").body.contains("user:manager"))
            #expect(try await viewer.ask(settings).body.contains("POST https://example.com/hook"))
            let orders: [(String, [String: String])] = [
                ("/alerts/silences", ["kind": "no-data", "amount": "1", "unit": "days"]),
                ("/alerts/1/silence", ["amount": "1", "unit": "days"]),
                ("/alerts/silences/1/lift", [:]),
                (settings + "/webhook", Self.webhook.merging(["name": "b"]) { $1 }),
                (settings + "/mail", Self.mail), (settings + "/test", ["name": "night"]),
                (settings + "/remove", ["name": "night"]),
            ]
            for (path, fields) in orders {
                #expect(try await viewer.fill(path, on: settings, fields).status == 403, "\(path)")
                let bare = try await manager.ask(
                    path, ["-d", fields.map { "\($0.key)=\($0.value)" }.joined(separator: "&")])
                #expect(bare.status == 403, "without the proof: \(path)")
                let proof = try #require(try await manager.ask(settings).proof)
                let foreign = try await manager.send(
                    path, fields.merging(["proof": proof]) { $1 },
                    ["-H", "Sec-Fetch-Site: cross-site"])
                #expect(foreign.status == 403, "from another site: \(path)")
            }
            #expect(try await store.silences(at: now).count == 1)
            #expect(try await store.alertDestinations().map(\.name) == ["night"])
            #expect(try await store.deliveries(nil, countMax: 9).isEmpty)
        }
    }
}
