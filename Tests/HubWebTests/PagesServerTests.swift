import Crypto
import Forecasting
import Foundation
import HubCore
import HubStore
import HubSync
import HubWeb
import Logging
import ServiceLifecycle
import TestSupport
import Testing

private let now = Timestamp(millisecondsSince1970: 1_700_000_000_000)

/// The pages on a free port of the loopback while `body` runs, of a hub with an operator `manager`, a viewer `clerk` and a
/// device that waits for approval in a store with an awkward name.
func serving(
    users: Bool = true, withTLS: Bool = false,
    _ body: @escaping @Sendable (Client, SQLiteHubStore) async throws -> Void
) async throws {
    let store = try SQLiteHubStore.inMemory()
    let hasher = SignInTests.quick
    if users {
        for (name, role) in [("manager", UserRole.operator), ("clerk", .viewer)] {
            try await store.addUser(UserRecord(name: name, role: role, createdAt: now))
            try await store.setPassword(
                try await hasher.record(of: "\(name)'s secret", at: now), of: name)
        }
        _ = try await store.createToken(
            TokenRecord(
                secretSHA256: [UInt8](repeating: 7, count: 32), store: try StoreID("<b>&1"),
                labels: [], createdAt: now, expiresAt: now.advanced(bySeconds: 60), usesMax: 1,
                approves: false))
        _ = try await store.joinDevice(
            try DeviceID("d-1"), tokenSecretSHA256: [UInt8](repeating: 7, count: 32), at: now)
    }
    let (ports, found) = AsyncStream.makeStream(of: Int.self)
    let authority = try CertificateAuthority.create(now: Date())
    let certificate: @Sendable (Date) throws -> WebCertificate = { now in
        let issued = try authority.issueWeb(now: now)
        return WebCertificate(
            chainDER: issued.chainDER, keyDER: issued.keyDER, renewAt: .distantFuture)
    }
    let server = try PagesServer(
        host: "127.0.0.1", port: 0, store: store, hasher: hasher, clock: PageClock { now },
        voucher: PackageVoucher { _, _, _ in },
        logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }),
        certificate: withTLS ? certificate : nil, onListening: { found.yield($0) })
    let group = ServiceGroup(
        configuration: .init(
            services: [.init(service: server)],
            logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })))
    try await withThrowingTaskGroup(of: Void.self) { tasks in
        tasks.addTask {
            defer { found.finish() }
            try await group.run()
        }
        var iterator = ports.makeAsyncIterator()
        guard let port = await iterator.next() else { return try await tasks.waitForAll() }
        do {
            try await body(
                Client(address: "\(withTLS ? "https" : "http")://127.0.0.1:\(port)"), store)
            await group.triggerGracefulShutdown()
            try await tasks.waitForAll()
        } catch {
            await group.triggerGracefulShutdown()
            tasks.cancelAll()
            throw error
        }
    }
}

/// A browser as far as these tests need one: curl, and the cookies it was given.
struct Client: Sendable {
    struct Answer {
        var status: Int
        var headers: [String: String]
        var cookies: [String]
        var body: String

        /// The hidden field of its first form.
        var proof: String? {
            body.components(separatedBy: "name=\"proof\" value=\"").dropFirst().first?
                .components(separatedBy: "\"")[0]
        }
    }

    let address: String
    var cookies: [String: String] = [:]

    func ask(_ path: String, _ options: String...) async throws -> Answer {
        try await ask(path, options)
    }

    func ask(_ path: String, _ options: [String]) async throws -> Answer {
        let header = cookies.map { "\($0.key)=\($0.value)" }.joined(separator: "; ")
        let curl = try ChildProcess(
            "/usr/bin/curl",
            ["-sSik", "--path-as-is", "--max-time", "60", address + path]
                + (header.isEmpty ? [] : ["-H", "Cookie: " + header]) + options)
        let end = await curl.untilEnd()
        let errors = try curl.errors()
        try #require(end.status == 0, "\(errors)")
        let text = try curl.output()
        let parts = text.components(separatedBy: "\r\n\r\n")
        let lines = parts[0].components(separatedBy: "\r\n")
        var headers: [String: String] = [:]
        var set: [String] = []
        for line in lines.dropFirst() {
            let pair = line.components(separatedBy: ": ")
            if pair[0].lowercased() == "set-cookie" { set.append(pair[1]) }
            headers[pair[0].lowercased()] = pair.dropFirst().joined(separator: ": ")
        }
        let status = Int(lines[0].components(separatedBy: " ")[1]) ?? 0
        return Answer(
            status: status, headers: headers, cookies: set,
            body: parts.dropFirst().joined(separator: "\r\n\r\n"))
    }

    mutating func take(_ answer: Answer) {
        for cookie in answer.cookies {
            let pair = cookie.components(separatedBy: ";")[0].components(separatedBy: "=")
            cookies[pair[0]] = pair[1].isEmpty ? nil : pair[1]
        }
    }

    func send(_ path: String, _ fields: [String: String], _ options: [String] = []) async throws
        -> Answer
    {
        try await ask(
            path, fields.flatMap { ["--data-urlencode", "\($0.key)=\($0.value)"] } + options)
    }

    /// Goes through the sign-in form as a person does.
    mutating func signIn(_ name: String, _ password: String, next: String = "") async throws
        -> Answer
    {
        let form = try await ask("/sign-in" + (next.isEmpty ? "" : "?next=" + Link.encoded(next)))
        take(form)
        var fields = ["name": name, "password": password, "proof": form.proof ?? ""]
        if form.body.contains("name=\"next\"") { fields["next"] = next }
        let answer = try await send("/sign-in", fields)
        take(answer)
        return answer
    }
}

@Suite("The pages") struct PagesServerTests {
    private static let pages = [
        "/", "/stores", "/alerts", "/fleet", "/rollouts", "/models", "/audit",
    ]

    @Test("lead who is not signed in to the sign-in page, and from there back")
    func signIn() async throws {
        try await serving { client, _ in
            var client = client
            for page in Self.pages + ["/stores/1", "/rollouts/1/live"] {
                let answer = try await client.ask(page)
                #expect(answer.status == 303)
                #expect(answer.headers["location"]?.hasPrefix("/sign-in") == true)
            }
            let wrong = try await client.signIn("manager", "clerk's secret")
            #expect(wrong.status == 401)
            #expect(wrong.body.contains("The name or the password is wrong."))
            let unknown = try await client.signIn("eve", "clerk's secret")
            #expect(unknown.status == 401)
            #expect(
                unknown.body.contains("The name or the password is wrong."),
                "who is a user is not told")
            #expect(client.cookies["shelfcast"] == nil)
            let right = try await client.signIn(
                "manager", "manager's secret", next: "/stores?days=7")
            #expect(right.status == 303)
            #expect(right.headers["location"] == "/stores?days=7")
            let cookie = try #require(right.cookies.first { $0.hasPrefix("shelfcast=") })
            #expect(cookie.contains("; HttpOnly; SameSite=Strict"))
            #expect(!cookie.contains("Secure"), "this one goes over plain HTTP on the loopback")
            for page in Self.pages {
                let answer = try await client.ask(page)
                #expect(answer.status == 200, "\(page): \(answer.body)")
                #expect(answer.body.contains("manager, operator"))
            }
            // Signing out ends the session itself, not only the cookie.
            let proof = try #require(try await client.ask("/").proof)
            let kept = client
            let out = try await client.send("/sign-out", ["proof": proof])
            #expect(out.status == 303)
            #expect(try await kept.ask("/").status == 303)
        }
    }

    @Test(
        "lead nobody elsewhere",
        arguments: ["//evil.example/", "https://evil.example", "/\\evil", "x"])
    func redirects(next: String) async throws {
        try await serving { client, _ in
            var client = client
            let answer = try await client.signIn("manager", "manager's secret", next: next)
            #expect(answer.status == 303)
            #expect(answer.headers["location"] == "/")
        }
    }

    @Test("say which command makes the first user")
    func noUsers() async throws {
        try await serving(users: false) { client, _ in
            let answer = try await client.ask("/sign-in")
            #expect(answer.body.contains("shelfcast-hub user add NAME --role operator"))
            #expect(!answer.body.contains("<form"))
        }
    }

    @Test("have headers that keep a browser safe, whatever they answer")
    func headers() async throws {
        try await serving { client, _ in
            for path in ["/sign-in", "/", "/nothing", "/static/nothing", "/stores/%zz"] {
                let headers = try await client.ask(path).headers
                let policy = try #require(headers["content-security-policy"])
                #expect(policy.contains("default-src 'none'"))
                #expect(policy.contains("frame-ancestors 'none'"))
                #expect(!policy.contains("unsafe"))
                #expect(headers["x-content-type-options"] == "nosniff")
                #expect(headers["cache-control"] == "no-store", "\(path)")
                #expect(headers["referrer-policy"] == "same-origin")
            }
            let page = try await client.ask("/sign-in").body
            let style = try #require(
                page.components(separatedBy: "href=\"").first { $0.hasPrefix("/static/style.") }
            ).components(separatedBy: "\"")[0]
            let file = try await client.ask(style)
            #expect(file.status == 200)
            #expect(file.headers["cache-control"]?.contains("immutable") == true)
            #expect(file.body == PageStyle.text)
        }
    }

    @Test("take no form that another site sends, or that no page of the session made")
    func forgery() async throws {
        try await serving { client, store in
            var client = client
            _ = try await client.signIn("manager", "manager's secret")
            let proof = try #require(try await client.ask("/fleet/d-1").proof)
            func approve(_ fields: [String: String], _ options: [String] = []) async throws -> Int {
                try await client.send("/fleet/d-1/approve", fields, options).status
            }
            #expect(try await approve([:], ["-X", "POST", "-d", ""]) == 403)
            #expect(try await approve(["proof": String(proof.reversed())]) == 403)
            #expect(
                try await approve(["proof": proof], ["-H", "Origin: http://evil.example"]) == 403)
            #expect(try await approve(["proof": proof], ["-H", "Origin: null"]) == 403)
            #expect(
                try await approve(["proof": proof], ["-H", "Sec-Fetch-Site: cross-site"]) == 403)
            #expect(
                try await approve(["proof": proof], ["-H", "Content-Type: text/plain"]) == 415)
            var other = Client(address: client.address)
            _ = try await other.signIn("clerk", "clerk's secret")
            let others = try #require(try await other.ask("/").proof)
            #expect(try await approve(["proof": others]) == 403)
            #expect(try await store.device(try DeviceID("d-1"))?.status == .pending)
            #expect(
                try await approve(
                    ["proof": proof],
                    ["-H", "Origin: " + client.address, "-H", "Sec-Fetch-Site: same-origin"])
                    == 303)
            #expect(try await store.device(try DeviceID("d-1"))?.status == .approved)
            // A sign-in that another site starts signs nobody in.
            let forged = try await Client(address: client.address).send(
                "/sign-in", ["name": "clerk", "password": "clerk's secret", "proof": proof])
            #expect(forged.status == 403)
        }
    }

    @Test("let a viewer look and an operator change, and the audit log says who")
    func roles() async throws {
        try await serving { client, store in
            var viewer = client
            _ = try await viewer.signIn("clerk", "clerk's secret")
            let page = try await viewer.ask("/fleet/d-1")
            #expect(page.status == 200)
            #expect(!page.body.contains("/fleet/d-1/approve"))
            let proof = try #require(page.proof)
            #expect(try await viewer.send("/fleet/d-1/approve", ["proof": proof]).status == 403)
            #expect(try await store.device(try DeviceID("d-1"))?.status == .pending)
            var manager = client
            _ = try await manager.signIn("manager", "manager's secret")
            let own = try await manager.ask("/fleet/d-1")
            #expect(own.body.contains("action=\"/fleet/d-1/approve\""))
            #expect(
                try await manager.send("/fleet/d-1/approve", ["proof": try #require(own.proof)])
                    .headers["location"] == "/fleet/d-1")
            let line = try #require(try await store.audit(countMax: 1).first)
            #expect(
                [line.author, line.action, line.object] == [
                    "user:manager", "approve", "device d-1",
                ])
            #expect(try await manager.ask("/audit").body.contains("user:manager"))
        }
    }

    @Test("end for a user who is removed, whose password changes, or whose session is old")
    func ends() async throws {
        try await serving { client, store in
            var manager = client
            _ = try await manager.signIn("manager", "manager's secret")
            #expect(try await manager.ask("/").status == 200)
            try await store.setPassword(
                try await SignInTests.quick.record(of: "another secret", at: now), of: "manager")
            #expect(try await manager.ask("/").status == 303)
            var clerk = client
            _ = try await clerk.signIn("clerk", "clerk's secret")
            _ = try await store.removeUser("clerk", at: now)
            #expect(try await clerk.ask("/").status == 303)
        }
    }

    @Test("answer too many wrong passwords with when to try again")
    func tooMany() async throws {
        try await serving { client, _ in
            var client = client
            for _ in 0..<Int(SignInLimit.triesMax.name) {
                #expect(try await client.signIn("manager", "wrong password").status == 401)
            }
            let answer = try await client.signIn("manager", "manager's secret")
            #expect(answer.status == 429)
            #expect(answer.headers["retry-after"] == "\(Int(SignInLimit.secondsPerTry.name))")
            #expect(try await client.signIn("clerk", "clerk's secret").status == 303)
        }
    }

    @Test("send a piece anew when it reads otherwise, and end with the session")
    func live() async throws {
        try await serving { client, store in
            var client = client
            _ = try await client.signIn("manager", "manager's secret")
            let header = client.cookies.map { "\($0.key)=\($0.value)" }.joined(separator: "; ")
            let stream = try ChildProcess(
                "/usr/bin/curl",
                [
                    "-sSN", "--max-time", "60", "-H", "Cookie: " + header,
                    client.address + "/alerts/live",
                ])
            #expect(try await stream.untilLine { $0.contains("No alert is open.") } != nil)
            let alert = AlertRecord(
                kind: .noData, subject: .store(try StoreID("<b>&1")), severity: .page,
                title: "nothing came <since> Monday", stores: [try StoreID("<b>&1")], openedAt: now)
            _ = try await store.apply(
                [AlertChange(alert: alert, event: nil, isSent: false)], at: now)
            #expect(
                try await stream.untilLine { $0.contains("nothing came &lt;since&gt; Monday") }
                    != nil)
            let page = try await client.ask("/alerts/1")
            #expect(page.status == 200)
            #expect(try await client.ask("/").body.contains("nothing came &lt;since&gt; Monday"))
            let proof = try #require(page.proof)
            #expect(
                try await client.send(
                    "/alerts/1/acknowledge", ["proof": proof, "why": "on my way"]
                ).status == 303)
            #expect(try await store.alert(1)?.acknowledgedBy == "user:manager")
            #expect(
                try await stream.untilLine { $0.contains("acknowledged by user:manager") } != nil)
            _ = try await store.removeUser("manager", at: now)
            #expect(try await stream.untilLine { $0 == "event: gone" } != nil)
            #expect(await stream.untilEnd().status == 0)
        }
    }

    @Test("show the figures of the report, and on a store's time line another model and an alert")
    func figures() async throws {
        try await serving { client, store in
            let (id, device, item) = (try StoreID("<b>&1"), try DeviceID("d-1"), try ItemID("milk"))
            _ = try await store.setStatus(.approved, of: device, at: now)
            let day0 = BusinessDay(daysSince1970: 19_000)
            let records = (0..<40).flatMap { offset -> [UploadRecord] in
                let day = day0.advanced(by: offset)
                return [
                    .sale(day: day, item: item, units: Int32(5 + offset * 7 % 5)),
                    .forecast(
                        DeviceForecast(
                            day: day, item: item, units: 6.5, networkOutput: 1,
                            release: offset < 30 ? 1 : 2, actualUnits: 5, inputsComplete: true)),
                    .close(day: day, closedAllDay: false),
                ]
            }
            _ = try await store.storeUpload(
                UploadBatch(device: device, firstSequence: 1, records: records), at: now)
            _ = try await store.apply(
                [
                    AlertChange(
                        alert: AlertRecord(
                            kind: .demandShift, subject: .store(id), severity: .warn,
                            title: "it sells more", stores: [id], since: day0.advanced(by: 35),
                            openedAt: now), event: nil, isSent: false)
                ], at: now)
            var client = client
            _ = try await client.signIn("manager", "manager's secret")
            let fleet = try await store.reportFleet()
            for (query, first) in [("", 12), ("?days=all", 0), ("?days=7", 33)] {
                let selection = ReportSelection(store: id, first: day0.advanced(by: first))
                let line = try #require(
                    try await store.reportLines(.chain, of: selection, fleet: fleet).first)
                #expect(line.sums.accuracy.count == 40 - first)
                for path in ["/", "/stores/%3Cb%3E%261", "/stores/%3Cb%3E%261/items/milk"] {
                    let page = try await client.ask(path + query).body
                    for figure in [
                        line.sums.accuracy.wape, line.sums.accuracy.bias,
                        line.sums.accuracy.mape, line.sums.valueAdded.map { $0 * 100 },
                    ] {
                        #expect(
                            page.contains("<dd>\(Figure.percent(figure))</dd>"),
                            "\(Figure.percent(figure)) on \(path)\(query)")
                    }
                }
            }
            let page = try await client.ask("/stores/%3Cb%3E%261").body
            let (changed, began) = (day0.advanced(by: 30), day0.advanced(by: 35))
            #expect(
                page.contains("\(changed.iso8601): most forecasts are by not known (release 2)"))
            #expect(page.contains("\(began.iso8601): <a href=\"/alerts/1\">it sells more</a>"))
            // Two drawings of two marks.
            #expect(page.components(separatedBy: "<line class=\"change\"").count == 5)
            let items = try await client.ask("/stores/%3Cb%3E%261/items/milk").body
            #expect(items.contains("\(changed.iso8601): not known (release 2)"))
            // What came after the range is no part of it.
            let early = try await client.ask(
                "/stores/%3Cb%3E%261?from=\(day0.iso8601)&to=\(day0.advanced(by: 20).iso8601)"
            ).body
            #expect(early.components(separatedBy: "<line class=\"change\"").count == 1)
        }
    }

    @Test(
        "tell a run of the autopilot from its cause to what became of it, and ask for a push that it advises"
    )
    func autopilot() async throws {
        try await serving { client, store in
            let (id, item) = (try StoreID("<b>&1"), try ItemID("milk"))
            let day = BusinessDay(daysSince1970: 19_000)
            let drift = StoreDrift(store: id, since: day)
            var run = AutopilotRecord(
                startedAt: now, mode: .advise,
                cause: AutopilotCause(
                    trigger: .drift, reason: "store <b>&1 drifts", drifts: [drift]))
            let forecasts = (0..<200).map { number in
                BackTestForecast(
                    store: id, item: item, day: day.advanced(by: number),
                    actual: Float(10 + number % 3), champion: 14, challenger: 11, naive: 8)
            }
            let test = BackTest(
                forecasts, folds: [.init(origin: day, days: 200, daysChampionKnew: 3)],
                drifts: [drift], rule: PromotionRule())
            run.backTest = test
            run.verdict = PromotionVerdict(test, rule: PromotionRule())
            run.networks = [
                .init(variant: "v-4", recipe: "lstm4 | qat int8", isWarmStarted: true)
            ]
            run.family = "autumn"
            run = try await store.addAutopilotRun(run)
            run.end(.advised, why: "it is better", at: now)
            try await store.updateAutopilotRun(run, at: now)
            var client = client
            _ = try await client.signIn("clerk", "clerk's secret")
            let overview = try await client.ask("/").body
            #expect(
                overview.contains("<a href=\"/models/runs/1\">Run 1 of the autopilot</a> advises"))
            let page = try await client.ask("/models/runs/1")
            #expect(page.status == 200)
            for text in [
                "store &lt;b&gt;&amp;1 drifts", "it is better", "lstm4 | qat int8",
                "the champion&#39;s weights", "/models/autumn",
                Figure.fixed(test.total.championWAPE, decimals: 2),
                Figure.fixed(test.total.challengerWAPE, decimals: 2), ">better</span>",
            ] {
                #expect(page.body.contains(text), "\(text)")
            }
            #expect(try await client.ask("/models/runs/2").status == 404)
            #expect(try await client.ask("/models/runs/x").status == 404)
        }
    }

    @Test("take a certificate and its key from PEM files, and say which file is none")
    func pem() throws {
        let folder = try TemporaryFolder()
        let issued = try CertificateAuthority.create(now: Date()).issueWeb(now: Date())
        func pem(_ der: [UInt8], _ what: String) -> String {
            "-----BEGIN \(what)-----\n\(Data(der).base64EncodedString(options: .lineLength64Characters))\n"
                + "-----END \(what)-----\n"
        }
        try folder.write("chain.pem", issued.chainDER.map { pem($0, "CERTIFICATE") }.joined())
        try folder.write("key.pem", pem(issued.keyDER, "PRIVATE KEY"))
        try folder.write("empty.pem", "")
        let (chain, key) = (folder.path + "/chain.pem", folder.path + "/key.pem")
        let read = try WebCertificate(certificate: chain, key: key, renewAt: .distantFuture)
        #expect(read.chainDER == issued.chainDER)
        #expect(!read.keyDER.isEmpty)
        for other in [folder.path + "/empty.pem", folder.path + "/nothing.pem", key] {
            #expect(throws: HubWebError.certificateUnusable(path: other, what: "a certificate")) {
                _ = try WebCertificate(certificate: other, key: key, renewAt: .distantFuture)
            }
        }
        #expect(throws: HubWebError.certificateUnusable(path: chain, what: "a private key")) {
            _ = try WebCertificate(certificate: chain, key: chain, renewAt: .distantFuture)
        }
    }

    @Test("show names as text, whatever is in them, and refuse what is not there")
    func names() async throws {
        try await serving { client, _ in
            var client = client
            _ = try await client.signIn("manager", "manager's secret")
            let stores = try await client.ask("/stores").body
            #expect(stores.contains("<a href=\"/stores/%3Cb%3E%261\">&lt;b&gt;&amp;1</a>"))
            let store = try await client.ask("/stores/%3Cb%3E%261")
            #expect(store.status == 200)
            #expect(store.body.contains("<h1>Store &lt;b&gt;&amp;1</h1>"))
            for path in [
                "/stores/9", "/stores/%zz", "/fleet/nobody", "/rollouts/1", "/rollouts/x",
                "/rollouts/18446744073709551615", "/models/none", "/nothing", "/stores/9/items/1",
                "/alerts/1",
            ] {
                let answer = try await client.ask(path)
                #expect(answer.status == 404, "\(path): \(answer.status)")
            }
            for path in [
                "/?days=0", "/?days=x", "/stores?from=2025-02-30",
                "/?from=2025-02-02&to=2025-02-01",
            ] {
                #expect(try await client.ask(path).status == 400, "\(path)")
            }
            #expect(try await client.ask("/?q=%").status == 400)
            #expect(try await client.ask("/", "-X", "DELETE").status == 405)
            #expect(
                try await client.ask("/" + String(repeating: "a", count: 4_000)).status == 414)
        }
    }

    @Test(
        "are served beyond this machine with TLS alone, and their cookie then goes over nothing else"
    )
    func withTLS() async throws {
        try await serving(withTLS: true) { client, _ in
            var client = client
            let answer = try await client.signIn("manager", "manager's secret")
            let cookie = try #require(answer.cookies.first { $0.hasPrefix("__Host-shelfcast=") })
            #expect(cookie.contains("; Secure"))
            #expect(try await client.ask("/").status == 200)
        }
        for host in ["0.0.0.0", "::", "192.0.2.1", "hub.example", "127.0.0.1.example", "127.1"] {
            #expect(throws: HubWebError.plainBeyondLoopback(host: host)) {
                _ = try PagesServer(
                    host: host, port: 0, store: try SQLiteHubStore.inMemory(),
                    hasher: SignInTests.quick, voucher: PackageVoucher { _, _, _ in },
                    logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }),
                    certificate: nil, onListening: { _ in })
            }
        }
    }

    @Test("tell machines that the hub lives, and its figures to whoever has a user's token")
    func metrics() async throws {
        try await serving { client, store in
            for path in ["/healthz", "/readyz"] {
                let answer = try await client.ask(path)
                #expect(answer.status == 200 && answer.body == "ok\n")
            }
            let token = "shelfcast-api.abc"
            let bearer = ["-H", "Authorization: Bearer " + token]
            #expect(try await client.ask("/metrics").status == 401)
            let refused = try await client.ask("/metrics", bearer)
            #expect(refused.status == 401 && refused.body.contains("user token create"))
            #expect(refused.headers["www-authenticate"] == "Bearer realm=\"shelfcast\"")
            let number = try await store.addUserToken(
                sha256: Array(SHA256.hash(data: Array(token.utf8))), of: "clerk", at: now)
            let told = try await client.ask("/metrics", bearer)
            #expect(told.status == 200)
            #expect(told.headers["content-type"]?.hasPrefix("text/plain; version=0.0.4") == true)
            #expect(told.body.contains("\nshelfcast_devices{status=\"pending\"} 1\n"))
            #expect(try await store.revokeUserToken(number, at: now))
            #expect(try await client.ask("/metrics", bearer).status == 401)
            // A session is for people.
            var person = client
            _ = try await person.signIn("manager", "manager's secret")
            #expect(try await person.ask("/metrics").status == 401)
        }
    }
}
