import Crypto
import Forecasting
import Foundation
import HubCore
import HubStore
import HubWeb
import TestSupport
import Testing

private let now = Timestamp(millisecondsSince1970: 1_700_000_000_000)

/// A program that uses the API: curl, and the token of a user.
private struct APIClient: Sendable {
    struct Answer {
        var status: Int
        var headers: [String: String]
        var text: String

        /// As `JSONSerialization` reads it.
        var json: Any {
            get throws {
                try JSONSerialization.jsonObject(
                    with: Data(text.utf8), options: .fragmentsAllowed)
            }
        }

        subscript(path: String) -> Any? {
            get throws {
                let whole: Any? = try json
                return path.split(separator: ".").reduce(whole) { value, part in
                    if let index = Int(part) {
                        let list = value as? [Any]
                        return list.flatMap { index < $0.count ? $0[index] : nil }
                    }
                    return (value as? [String: Any])?[String(part)]
                }
            }
        }
    }

    let client: Client
    var token: String?

    func ask(_ path: String, _ method: String = "GET", body: String? = nil, _ more: String...)
        async throws -> Answer
    {
        var options = ["-X", method]
        if method == "HEAD" { options = ["-I"] }
        if let token { options += ["-H", "Authorization: Bearer \(token)"] }
        if let body {
            options += ["-H", "Content-Type: application/json", "--data-binary", body]
        }
        let answer = try await client.ask("/api/v1" + path, options + more)
        return Answer(status: answer.status, headers: answer.headers, text: answer.body)
    }

    func post(_ path: String, _ body: String) async throws -> Answer {
        try await ask(path, "POST", body: body)
    }
}

extension ChildProcess {
    /// As `line(where:)`, which keeps a thread that the server of the same process may need.
    func untilLine(secondsMax: Double = 60, where matches: (Substring) -> Bool) async throws
        -> String?
    {
        let deadline = ContinuousClock.now + .seconds(secondsMax)
        while true {
            let wasRunning = isRunning
            let lines = try (output() + errors()).split(
                separator: "\n", omittingEmptySubsequences: false
            ).dropLast()
            if let line = lines.first(where: matches) { return String(line) }
            guard wasRunning, ContinuousClock.now < deadline else { return nil }
            try await Task.sleep(for: .milliseconds(10))
        }
    }
}

/// Checks values against the schemas of the document: as much of JSON Schema as it uses.
private struct Schemas {
    let document: [String: Any]

    /// - Returns: what is wrong, with its place; empty: nothing.
    func faults(of value: Any, _ schema: [String: Any], at place: String = "$") -> [String] {
        if let reference = schema["$ref"] as? String {
            guard let target = resolve(reference) else { return ["\(place): no \(reference)"] }
            return faults(of: value, target, at: place)
        }
        if let choices = schema["oneOf"] as? [[String: Any]] {
            let fitting = choices.filter { faults(of: value, $0, at: place).isEmpty }
            return fitting.count == 1 ? [] : ["\(place): \(fitting.count) choices fit \(value)"]
        }
        var found: [String] = []
        func expect(_ holds: Bool, _ what: String) {
            if !holds { found.append("\(place): \(what): \(value)") }
        }
        let isFlag = Self.isFlag(value)
        switch schema["type"] as? String {
        case "null": expect(value is NSNull, "null")
        case "boolean": expect(isFlag, "a flag")
        case "integer":
            let number = value as? NSNumber
            expect(
                !isFlag && number.map { $0.doubleValue.rounded() == $0.doubleValue } == true,
                "a whole number")
            if let least = schema["minimum"] as? NSNumber, let number {
                expect(number.compare(least) != .orderedAscending, "at least \(least)")
            }
            if let most = schema["maximum"] as? NSNumber, let number {
                expect(number.compare(most) != .orderedDescending, "at most \(most)")
            }
        case "number": expect(!isFlag && value is NSNumber, "a number")
        case "string":
            guard let text = value as? String else {
                expect(false, "a text")
                break
            }
            if let words = schema["enum"] as? [String] { expect(words.contains(text), "a word") }
            if let most = schema["maxLength"] as? Int {
                expect(text.unicodeScalars.count <= most, "at most \(most) long")
            }
            if let pattern = schema["pattern"] as? String {
                expect(
                    text.range(of: pattern, options: .regularExpression) != nil,
                    "as \(pattern)")
            }
        case "array":
            guard let list = value as? [Any], let items = schema["items"] as? [String: Any] else {
                expect(false, "a list")
                break
            }
            for (index, one) in list.enumerated() {
                found += faults(of: one, items, at: "\(place)[\(index)]")
            }
        case "object":
            guard let object = value as? [String: Any] else {
                expect(false, "an object")
                break
            }
            guard let properties = schema["properties"] as? [String: [String: Any]] else { break }
            for (name, one) in object {
                guard let own = properties[name] else {
                    found.append("\(place).\(name): is not in the document")
                    continue
                }
                found += faults(of: one, own, at: "\(place).\(name)")
            }
            for name in schema["required"] as? [String] ?? [] where object[name] == nil {
                found.append("\(place).\(name): is missing")
            }
        default: expect(false, "of no kind that this test knows: \(schema)")
        }
        return found
    }

    /// JSON's true and false are numbers to `JSONSerialization`, of a kind of their own.
    private static func isFlag(_ value: Any) -> Bool {
        guard let number = value as? NSNumber else { return false }
        return String(cString: number.objCType) == "c"
    }

    func resolve(_ reference: String) -> [String: Any]? {
        reference.dropFirst(2).split(separator: "/").reduce(document as Any?) {
            ($0 as? [String: Any])?[String($1)]
        } as? [String: Any]
    }
}

/// The hub of `serving` with something of everything: a store that sold and forecast for forty days, a family with a package,
/// a rollout, an alert, a silence, a destination, a run of the autopilot, a calendar.
private func servingAll(
    _ body:
        @escaping @Sendable (_ operator: APIClient, _ viewer: APIClient, SQLiteHubStore)
        async throws -> Void
) async throws {
    try await serving { client, store in
        try await fill(store)
        var tokens: [String] = []
        for name in ["manager", "clerk"] {
            let token = "shelfcast-api.\(name)"
            _ = try await store.addUserToken(
                sha256: Array(SHA256.hash(data: Array(token.utf8))), of: name, at: now)
            tokens.append(token)
        }
        try await body(
            APIClient(client: client, token: tokens[0]),
            APIClient(client: client, token: tokens[1]), store)
    }
}

private let storeName = "<b>&1"
private let storePath = "/stores/%3Cb%3E%261"
private let packageDigest = [UInt8](repeating: 9, count: 32)
private let day0 = BusinessDay(daysSince1970: 19_000)

private func fill(_ store: SQLiteHubStore) async throws {
    let (id, device, item) = (try StoreID(storeName), try DeviceID("d-1"), try ItemID("milk"))
    _ = try await store.setStatus(.approved, of: device, at: now)
    let records = (0..<40).flatMap { offset -> [UploadRecord] in
        let day = day0.advanced(by: offset)
        return [
            .sale(day: day, item: item, units: Int32(5 + offset * 7 % 5)),
            .forecast(
                DeviceForecast(
                    day: day, item: item, units: 6.5, networkOutput: 1, release: 1,
                    actualUnits: 5, inputsComplete: true)),
            .close(day: day, closedAllDay: false),
        ]
    }
    _ = try await store.storeUpload(
        UploadBatch(device: device, firstSequence: 1, records: records), at: now)
    var can = DeviceCapabilities()
    can.architecture = "aarch64"
    can.batteryPercent = 80
    can.modelMemoryBudgetBytes = 65_536
    can.measured = DeviceMeasurement()
    _ = try await store.registerDevice(
        device, capabilities: can, labels: [try DeviceLabel("kind=scanner")],
        running: RunningPackage(digest: packageDigest, release: 1, arenaBytes: 900), at: now)
    try await store.addEvent(DeviceEvent(at: now, kind: "registered", text: "here"), of: device)
    for family in ["spring", "empty"] {
        try await store.saveFamily(
            FamilyRecord(
                name: family, createdAt: now, form: "profile", snapshotDigest: "ab", seed: 1,
                asOf: day0, summary: "", trained: [1]))
    }
    try await store.savePackages([
        PackageRecord(
            digest: packageDigest, family: "spring", variant: "profile-4", store: nil, release: 1,
            packageBytes: 574, arenaBytes: 900, parameterCount: 79, requiredFeatures: [],
            wape: 12, mape: 13, bias: 0.5, floatWAPE: 11.9, floatMAPE: 12.9, createdAt: now)
    ])
    for number in 1...3 {
        _ = try await store.apply(
            [
                AlertChange(
                    alert: AlertRecord(
                        kind: AlertKind.allCases[number], subject: .store(id), severity: .warn,
                        title: "alert \(number)", detail: "a\nb", stores: [id],
                        since: day0.advanced(by: 35), openedAt: now),
                    event: AlertEvent(at: now, author: "hub", what: .opened), isSent: false)
            ], at: now)
    }
    _ = try await store.silence(
        AlertSilence(
            kind: .noData, subject: .store(id), from: now, until: now.advanced(bySeconds: 60),
            why: "known"))
    try await store.addAlertDestination(
        AlertDestination(
            name: "lamp", channel: .webhook(url: "https://example.com/"), severities: [.page],
            isToldOfEnds: true, secret: AlertSecret(bytes: Array("a secret of the hub".utf8)),
            createdAt: now))
    var run = AutopilotRecord(
        startedAt: now, mode: .advise,
        cause: AutopilotCause(trigger: .demand, reason: "somebody asked", drifts: []))
    run = try await store.addAutopilotRun(run)
    run.end(.refused, why: "it is no better", at: now)
    try await store.updateAutopilotRun(run, at: now)
    _ = try await store.importCalendar(
        [
            CalendarEntry(
                day: day0.advanced(by: 100), store: nil, item: nil, kind: .holiday, name: "x")
        ],
        at: now)
}

@Suite("The API") struct APITests {
    /// What stands in braces, of the hub of `servingAll`.
    private static let examples = [
        "store": "%3Cb%3E%261", "item": "milk", "device": "d-1", "alert": "1", "silence": "1",
        "rollout": "1", "run": "1", "destination": "lamp", "family": "spring",
        "package": String(repeating: "09", count: 32),
    ]
    /// In the order in which they are sent, of operations with a body.
    private static let bodies = [
        "push": #"{"family": "spring", "to": "kind=scanner", "atOnce": true}"#,
        "pauseRollout": #"{"why": "complaints"}"#, "resumeRollout": #"{"why": "settled"}"#,
        "promoteRollout": #"{"why": "enough", "revision": 3}"#,
        "allowMeteredRollout": #"{"why": "worth it", "bytes": 20480}"#,
        "abortRollout": #"{"why": "far off"}"#, "acknowledgeAlert": #"{"why": "on my way"}"#,
        "resolveAlert": "{}", "revokeDevice": #"{"sure": true}"#,
        "addSilence":
            #"{"kind": "no-data", "store": "<b>&1", "seconds": 3600, "why": "rebuilding"}"#,
        "addDestination":
            #"{"name": "night", "url": "https://example.com/hook", "key": "0123456789abcdef"}"#,
    ]

    @Test("answers every route of its document as the document says, and has no other")
    func everyRoute() async throws {
        try await servingAll { manager, _, _ in
            let open = try await APIClient(client: manager.client).ask("/openapi.json")
            #expect(open.status == 200)
            let document = try #require(try open.json as? [String: Any])
            #expect(document["openapi"] as? String == "3.1.0")
            let schemas = Schemas(document: document)
            let paths = try #require(document["paths"] as? [String: [String: [String: Any]]])
            var operations: [(id: String, method: String, path: String, [String: Any])] = []
            for (path, methods) in paths {
                for (method, operation) in methods {
                    let id = try #require(operation["operationId"] as? String)
                    operations.append((id, method, path, operation))
                }
            }
            #expect(operations.count > 45)
            #expect(Set(operations.map(\.id)).count == operations.count)
            #expect(Set(operations.map(\.id)).isSuperset(of: Self.bodies.keys))
            // Pushes first, looks then, and takes away at the end.
            func turn(_ one: (id: String, method: String, path: String, [String: Any])) -> Int {
                let order = [
                    "push", "pauseRollout", "resumeRollout", "allowMeteredRollout",
                    "promoteRollout",
                ]
                if let place = order.firstIndex(of: one.id) { return place }
                if one.method == "get" { return 10 }
                return one.method == "delete" || one.id == "revokeDevice" ? 30 : 20
            }
            for one in operations.sorted(by: { (turn($0), $0.id) < (turn($1), $1.id) })
            where one.id != "watch" {
                let path = Self.examples.reduce(one.path) {
                    $0.replacing("{\($1.key)}", with: $1.value)
                }
                #expect(!path.contains("{"), "\(path)")
                let answer = try await manager.ask(
                    String(path.dropFirst("/api/v1".count)), one.method.uppercased(),
                    body: one.3["requestBody"] == nil ? nil : Self.bodies[one.id] ?? "{}")
                let responses = try #require(one.3["responses"] as? [String: [String: Any]])
                #expect((200..<300).contains(answer.status), "\(one.id): \(answer.text)")
                let known = try #require(responses["\(answer.status)"], "\(one.id)")
                guard let content = known["content"] as? [String: [String: Any]] else {
                    #expect(answer.status == 204 && answer.text.isEmpty, "\(one.id)")
                    continue
                }
                #expect(answer.headers["content-type"] == "application/json", "\(one.id)")
                let schema = try #require(
                    content["application/json"]?["schema"] as? [String: Any], "\(one.id)")
                let faults = schemas.faults(of: try answer.json, schema)
                #expect(faults.isEmpty, "\(one.id): \(faults)")
                if let example = content["application/json"]?["example"] {
                    let faults = schemas.faults(of: example, schema)
                    #expect(faults.isEmpty, "the example of \(one.id): \(faults)")
                }
                if one.id != "getDocument" {
                    let nobody = APIClient(client: manager.client)
                    #expect(
                        try await nobody.ask(
                            String(path.dropFirst("/api/v1".count)), one.method.uppercased()
                        ).status == 401, "\(one.id)")
                }
                // Every way of refusing is documented.
                for status in ["400", "401", "404", "429", "500"] where one.id != "getDocument" {
                    #expect(responses[status] != nil, "\(one.id): \(status)")
                }
            }
        }
    }

    @Test("lets a viewer look and an operator change, and nobody else; the audit log says who")
    func roles() async throws {
        try await servingAll { manager, viewer, store in
            let nobody = APIClient(client: manager.client)
            let missing = try await nobody.ask("/stores")
            #expect(missing.status == 401)
            #expect(missing.headers["www-authenticate"] == "Bearer realm=\"shelfcast\"")
            var wrong = nobody
            wrong.token = "shelfcast-api.nobody"
            #expect(
                try await wrong.ask("/stores").headers["www-authenticate"]
                    == "Bearer realm=\"shelfcast\", error=\"invalid_token\"")
            // A session is for people, and a page of another site has none here.
            var person = manager.client
            _ = try await person.signIn("manager", "manager's secret")
            #expect(try await person.ask("/api/v1/stores").status == 401)

            #expect(try await viewer.ask("/me")["role"] as? String == "viewer")
            #expect(try await viewer.ask("/alerts/1").status == 200)
            let body = #"{"why": "on my way"}"#
            let refused = try await viewer.post("/alerts/1/acknowledge", body)
            #expect(refused.status == 403)
            #expect(try refused["advice"] as? String != nil)
            #expect(try await store.alert(1)?.state == .open)
            #expect(try await manager.post("/alerts/1/acknowledge", body).status == 200)
            #expect(try await store.alert(1)?.acknowledgedBy == "user:manager")
            let log = try await viewer.ask("/audit?limit=1")
            #expect(try log["items.0.author"] as? String == "user:manager")
            #expect(try (log["items.0.why"] as? String)?.hasSuffix(": on my way") == true)

            // Withdrawn, it is worth nothing at once.
            let number = try #require(
                try await store.users().first { $0.name == "clerk" }?.tokens.first)
            #expect(try await store.revokeUserToken(number, at: now))
            #expect(try await viewer.ask("/me").status == 401)
        }
    }

    @Test("refuses in problem details: what, where, and what to do")
    func problems() async throws {
        try await servingAll { manager, _, store in
            let long = String(repeating: "a", count: 3_000)
            let cases: [(String, String, String?, Int, String?)] = [
                ("/nothing", "GET", nil, 404, "path"),
                ("/stores/9", "GET", nil, 404, "path store"),
                ("/stores/%zz", "GET", nil, 404, nil),
                ("/alerts/x", "GET", nil, 404, nil),
                ("/alerts/99999999999999999999", "GET", nil, 404, nil),
                ("/stores", "DELETE", nil, 405, "method"),
                ("/stores", "PUT", nil, 405, "method"),
                ("/me", "OPTIONS", nil, 405, "method"),
                ("/stores?q=" + long, "GET", nil, 414, nil),
                ("/stores?limit=0", "GET", nil, 400, "query limit"),
                ("/stores?limit=1001", "GET", nil, 400, "query limit"),
                ("/stores?limit=x", "GET", nil, 400, "query limit"),
                ("/stores?cursor=zz", "GET", nil, 400, "query cursor"),
                ("/alerts?cursor=WyJ0eCJd", "GET", nil, 400, "query cursor"),
                ("/stores?nothing=1", "GET", nil, 400, "query nothing"),
                ("/stores?q=%", "GET", nil, 400, "query"),
                ("/stores?days=0", "GET", nil, 400, "query days"),
                ("/stores?from=2025-02-30", "GET", nil, 400, "query from"),
                ("/report?from=2025-02-02&to=2025-02-01", "GET", nil, 400, "query from"),
                ("/report?by=hour", "GET", nil, 400, "query by"),
                ("/report?store=9", "GET", nil, 404, "query store"),
                ("/report?region=north", "GET", nil, 404, "query region"),
                ("/report?item=9", "GET", nil, 404, "query item"),
                ("/devices?where=x", "GET", nil, 400, "query where"),
                ("/stores", "GET", "{}", 400, "body"),
                ("/silences", "POST", "{", 400, "body"),
                ("/silences", "POST", #"{"seconds":1,"seconds":2}"#, 400, "body"),
                ("/silences", "POST", "[]", 422, "body"),
                ("/silences", "POST", "{}", 422, "body.seconds"),
                ("/silences", "POST", #"{"seconds": 60}"#, 422, "body"),
                (
                    "/silences", "POST", #"{"seconds": 7776001, "kind": "no-data"}"#, 422,
                    "body.seconds"
                ),
                ("/silences", "POST", #"{"seconds": 60, "kind": "hunger"}"#, 422, "body.kind"),
                ("/silences", "POST", #"{"seconds": 60, "mood": 1}"#, 422, "body.mood"),
                ("/silences", "POST", #"{"seconds": 60, "store": "9"}"#, 404, "body.store"),
                ("/silences", "POST", #"{"seconds": 60, "alert": 9}"#, 404, "body.alert"),
                (
                    "/silences", "POST", #"{"seconds": 60, "alert": 1, "kind": "no-data"}"#, 422,
                    "body.alert"
                ),
                ("/silences/9", "DELETE", nil, 404, nil),
                ("/alert-destinations", "POST", #"{"name": "x"}"#, 422, "body.url"),
                (
                    "/alert-destinations", "POST",
                    #"{"name": "x", "url": "http://127.0.0.1/", "key": "0123456789abcdef"}"#, 422,
                    "body.url"
                ),
                (
                    "/alert-destinations", "POST",
                    #"{"name": "lamp", "url": "https://example.com/", "key": "0123456789abcdef"}"#,
                    409, nil
                ),
                ("/alert-destinations", "POST", #"{"name": "x", "host": "h"}"#, 422, "body.from"),
                ("/alert-destinations", "POST", #"{"name": "a b"}"#, 422, "body.name"),
                (
                    "/alert-destinations", "POST", #"{"name": "x", "from": "a@b@c"}"#, 422,
                    "body.from"
                ),
                ("/devices/d-1/revoke", "POST", #"{"sure": false}"#, 422, "body.sure"),
                ("/devices/nobody/approve", "POST", nil, 404, nil),
                ("/rollouts", "POST", #"{"family": "none", "to": "all"}"#, 404, "body.family"),
                ("/rollouts", "POST", #"{"family": "empty", "to": "all"}"#, 409, nil),
                ("/rollouts", "POST", #"{"family": "spring", "to": "battery<30"}"#, 422, "body.to"),
                (
                    "/rollouts", "POST", #"{"family": "spring", "to": "all", "waves": "1"}"#, 422,
                    "body.waves"
                ),
                (
                    "/rollouts", "POST",
                    #"{"family": "spring", "to": "all", "atOnce": true, "soakDays": 1}"#, 422,
                    "body.soakDays"
                ),
                ("/rollouts/1/pause", "POST", #"{"why": "x"}"#, 404, nil),
                ("/rollouts/1/pause", "POST", #"{"why": "  "}"#, 422, "body.why"),
                ("/rollouts/1/promote", "POST", #"{"why": "x"}"#, 422, "body.revision"),
            ]
            for (path, method, body, status, place) in cases {
                let answer = try await manager.ask(path, method, body: body)
                #expect(answer.status == status, "\(method) \(path) \(body ?? ""): \(answer.text)")
                #expect(answer.headers["content-type"] == "application/problem+json", "\(path)")
                #expect(answer.headers["cache-control"] == "no-store")
                #expect(answer.headers["x-content-type-options"] == "nosniff")
                #expect(try answer["status"] as? Int == status)
                #expect(try answer["detail"] as? String != nil)
                if let place {
                    #expect(try answer["where"] as? String == place, "\(path): \(answer.text)")
                }
            }
            #expect(try await manager.ask("/stores", "PUT").headers["allow"] == "GET, HEAD")
            #expect(
                try await manager.ask("/silences/1", "PATCH").headers["allow"]
                    == "GET, HEAD, DELETE")
            let head = try await manager.ask("/stores", "HEAD")
            #expect(head.status == 200 && head.text.isEmpty)

            // What is no JSON, and what is too much of it.
            for (type, body, status) in [
                ("text/plain", "{}", 415), ("application/x-www-form-urlencoded", "a=b", 415),
                ("application/json; charset=utf-8", #"{"seconds": 60, "kind": "no-data"}"#, 201),
                (
                    "application/json", "{\"why\": \"\(String(repeating: "x", count: 17_000))\"}",
                    413
                ),
            ] {
                let answer = try await manager.client.ask(
                    "/api/v1/silences",
                    [
                        "-H", "Authorization: Bearer \(manager.token ?? "")", "-H",
                        "Content-Type: \(type)", "--data-binary", body,
                    ])
                #expect(answer.status == status, "\(type): \(answer.body)")
            }
            // Outside of the API, pages answer as before.
            let page = try await manager.client.ask("/apix")
            #expect(
                page.status == 404 && page.headers["content-type"]?.hasPrefix("text/html") == true)
            let problem = try await manager.client.ask("/api")
            #expect(problem.headers["content-type"] == "application/problem+json")
            #expect(try await store.rollouts().isEmpty)
        }
    }

    @Test("holds up who sends wrong tokens, and nobody with a right one from the same address")
    func wrongTokens() async throws {
        try await servingAll { manager, _, _ in
            var wrong = manager
            wrong.token = "shelfcast-api.wrong"
            for _ in 0..<20 { #expect(try await wrong.ask("/me").status == 401) }
            let held = try await wrong.ask("/me")
            #expect(held.status == 429)
            #expect(held.headers["retry-after"] == "6")
            #expect(try await manager.ask("/me").status == 200)
        }
    }

    @Test("gives lists page by page, and no item twice or never while others come and go")
    func paging() async throws {
        try await servingAll { manager, _, store in
            for number in 1...7 {
                try await store.setTimeZone("UTC", of: try StoreID("s\(number)"))
            }
            func names(_ answer: APIClient.Answer) throws -> [String] {
                let items = try #require(try answer["items"] as? [[String: Any]])
                return items.compactMap { $0["store"] as? String }
            }
            let first = try await manager.ask("/stores?limit=3")
            #expect(try names(first) == [storeName, "s1", "s2"])
            let next = try #require(try first["next"] as? String)
            // One comes before the cursor, and one after it.
            try await store.setTimeZone("UTC", of: try StoreID("s0"))
            try await store.setTimeZone("UTC", of: try StoreID("s21"))
            let second = try await manager.ask("/stores?limit=3&cursor=\(next)")
            #expect(try names(second) == ["s21", "s3", "s4"])
            let third = try await manager.ask(
                "/stores?limit=3&cursor=\(try #require(try second["next"] as? String))")
            #expect(try names(third) == ["s5", "s6", "s7"])
            #expect(try third["next"] is NSNull)

            let newest = try await manager.ask("/alerts?limit=2")
            #expect(try newest["items.0.id"] as? Int == 3)
            _ = try await manager.post("/alerts/2/resolve", "{}")
            let older = try await manager.ask(
                "/alerts?limit=2&cursor=\(try #require(try newest["next"] as? String))")
            #expect(try older["items.0.id"] as? Int == 1)
            #expect(try older["next"] is NSNull)

            var seen: [Int] = []
            var cursor = ""
            repeat {
                let page = try await manager.ask("/audit?limit=4" + cursor)
                seen += try #require(try page["items"] as? [[String: Any]]).compactMap {
                    $0["id"] as? Int
                }
                cursor = (try page["next"] as? String).map { "&cursor=" + $0 } ?? ""
            } while !cursor.isEmpty
            #expect(seen == seen.sorted(by: >))
            #expect(seen.count == (try await store.audit(countMax: 1_000)).count)

            // Lines of a report are found again by their name.
            let lines = try await manager.ask("/report?by=day&limit=39")
            let rest = try await manager.ask(
                "/report?by=day&limit=39&cursor=\(try #require(try lines["next"] as? String))")
            #expect(try (rest["lines"] as? [Any])?.count == 1)
            #expect(try rest["next"] is NSNull)
        }
    }

    @Test("says the figures of the report, and the days of an item")
    func figures() async throws {
        try await servingAll { manager, _, store in
            let fleet = try await store.reportFleet()
            let line = try #require(
                try await store.reportLines(.store, of: ReportSelection(), fleet: fleet).first)
            let report = try await manager.ask("/report")
            #expect(
                try report["lines.0.wapePercent"] as? Double == line.sums.accuracy.wape)
            #expect(try report["lines.0.forecasts"] as? Int == 40)
            #expect(try report["chain.biasPercent"] as? Double == line.sums.accuracy.bias)
            #expect(try report["lines.0.received.devices"] as? Int == 1)
            let week = try await manager.ask("\(storePath)?days=7")
            #expect(try week["finding.figures.forecasts"] as? Int == 7)
            #expect(try (week["days"] as? [Any])?.count == 7)
            let days = try await manager.ask("\(storePath)/items/milk/days?days=all&limit=1000")
            #expect(try (days["items"] as? [Any])?.count == 40)
            #expect(
                try days["items.0.day"] as? String == day0.advanced(by: 39).iso8601)
            #expect(try days["items.0.forecastUnits"] as? Double == 6.5)
            #expect(try days["items.0.actualUnits"] as? Int == 5 + 39 * 7 % 5)
        }
    }

    @Test("steers rollouts once, whoever is quicker, and a repeated request changes nothing")
    func rollouts() async throws {
        try await servingAll { manager, _, store in
            let dry = try await manager.post(
                "/rollouts", #"{"family": "spring", "to": "all", "dryRun": true}"#)
            #expect(dry.status == 200)
            #expect(try dry["rollout"] is NSNull)
            #expect(try dry["fitCount"] as? Int == 1)
            #expect(try await store.rollouts().isEmpty)
            let push = #"{"family": "spring", "to": "all"}"#
            let made = try await manager.post("/rollouts", push)
            #expect(made.status == 201)
            #expect(made.headers["location"] == "/api/v1/rollouts/1")
            // It runs a package already: so it goes out in waves, as the command would do.
            #expect(try made["policy.trialDays"] as? Int == 7)
            let again = try await manager.post("/rollouts", push)
            #expect(again.status == 200)
            #expect(try again["isNew"] as? Bool == false)
            #expect(try again["rollout"] as? Int == 1)

            let revision = try #require(
                try await manager.ask("/rollouts/1")["rollout.revision"] as? Int)
            let pause = #"{"why": "complaints", "revision": \#(revision)}"#
            #expect(
                try await manager.post("/rollouts/1/pause", pause)["rollout.state"] as? String
                    == "paused")
            #expect(try await manager.post("/rollouts/1/pause", pause).status == 200)
            let changes = try await store.audit(countMax: 100).count { $0.action == "pause" }
            #expect(changes == 1)
            let late = try await manager.post(
                "/rollouts/1/resume", #"{"why": "settled", "revision": \#(revision)}"#)
            #expect(late.status == 409)
            #expect(try late["advice"] as? String != nil)
            #expect(
                try await manager.post("/rollouts/1/promote", #"{"why": "x", "revision": 99}"#)
                    .status == 409)
            #expect(
                try await manager.post("/rollouts/1/abort", #"{"why": "far off"}"#)["rollout.state"]
                    as? String == "aborted")
            #expect(
                try await manager.post("/rollouts/1/resume", #"{"why": "settled"}"#).status == 409)
        }
    }

    @Test("adds and ends silences, adds and removes destinations, and never shows a secret")
    func delivery() async throws {
        try await servingAll { manager, viewer, store in
            let silence = try await manager.post(
                "/silences", #"{"alert": 2, "seconds": 7200, "why": "known"}"#)
            #expect(silence.status == 201)
            let kept = try #require(silence.headers["location"])
            #expect(
                try await viewer.ask(String(kept.dropFirst("/api/v1".count)))["subject"] as? String
                    == "store \(storeName)")
            #expect(try silence["author"] as? String == "user:manager")
            let number = try #require(try silence["id"] as? Int)
            #expect(try await manager.ask("/silences/\(number)", "DELETE").status == 204)
            #expect(try await manager.ask("/silences/\(number)", "DELETE").status == 404)

            let mail = try await manager.post(
                "/alert-destinations",
                #"{"name": "office", "host": "smtp.example.com", "user": "hub", "password": "p4ssw0rd", "from": "hub@example.com", "to": ["office@example.com"], "severities": ["info"]}"#
            )
            #expect(mail.status == 201, "\(mail.text)")
            let own = try #require(
                try await store.alertDestinations().first { $0.name == "office" })
            #expect(own.secret?.bytes == Array("p4ssw0rd".utf8))
            guard case .mail(let route) = own.channel else {
                Issue.record("it is no mail route")
                return
            }
            #expect(route.port == 587 && route.security == .starttls)
            for path in ["/alert-destinations", "/alert-destinations/office"] {
                let shown = try await viewer.ask(path)
                #expect(shown.text.contains("smtp.example.com"))
                #expect(!shown.text.contains("p4ssw0rd") && !shown.text.contains("a secret"))
            }
            #expect(try await manager.ask("/alert-destinations/office/test", "POST").status == 200)
            let waiting = try await viewer.ask("/alert-deliveries?state=waiting")
            #expect(try waiting["items.0.destination"] as? String == "office")
            #expect(try waiting["items.0.alert"] is NSNull)
            var tried = try #require(try await store.deliveries(.waiting, countMax: 9).first)
            for _ in 0..<DeliverySchedule.attemptsMax {
                try await store.noteDelivery(tried, problem: "the connection was refused", at: now)
                tried.attempts += 1
            }
            for count in [1, 0] {
                let resent = try await manager.ask("/alert-destinations/office/resend", "POST")
                #expect(try resent["notices"] as? Int == count)
            }
            #expect(
                try await viewer.ask("/alert-destinations/office/resend", "POST").status == 403)
            #expect(
                try await manager.ask("/alert-destinations/nobody/resend", "POST").status == 404)
            #expect(try await manager.ask("/alert-destinations/office", "DELETE").status == 204)
            #expect(try await viewer.ask("/alert-destinations/office").status == 404)
        }
    }

    @Test("tells what moves as it moves, and ends with the token")
    func live() async throws {
        try await servingAll { _, viewer, store in
            let stream = try ChildProcess(
                "/usr/bin/curl",
                [
                    "-sSN", "--max-time", "60", "-H", "Authorization: Bearer \(viewer.token ?? "")",
                    viewer.client.address + "/api/v1/live",
                ])
            #expect(
                try await stream.untilLine {
                    $0.hasPrefix("data: ") && $0.contains("\"alertsOpen\":3")
                } != nil
            )
            _ = try await store.resolveAlert(1, why: "", at: now)
            #expect(
                try await stream.untilLine {
                    $0.hasPrefix("data: ") && $0.contains("\"alertsOpen\":2")
                } != nil
            )
            _ = try await store.removeUser("clerk", at: now)
            #expect(try await stream.untilLine { $0 == "event: gone" } != nil)
            #expect(await stream.untilEnd().status == 0)
        }
    }
}
