import Alerting
import Forecasting
import Foundation
import HubCore
import TestSupport
import Testing

/// Alerts sent to a webhook, a mail server and a command, which take them, refuse them, hang or talk nonsense.
@Suite(
    "Delivery of alerts", .enabled(if: StockPython.path != nil, StockPython.missing),
    .timeLimit(.minutes(5)))
struct DeliveryTests {
    private static let now = Timestamp(millisecondsSince1970: 1_700_000_000_123)
    private static let key = AlertSecret(bytes: Array("a key of the operator's".utf8))

    static func delivery(_ title: String = "store 1 sells more") throws -> AlertDelivery {
        let store = try StoreID("1")
        var alert = AlertRecord(
            kind: .demandShift, subject: .store(store), severity: .page, title: title,
            detail: "first line\n.second line", stores: [store], openedAt: now)
        alert.id = 7
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        let notice = AlertNotice(number: 3, alert: alert, event: .opened, at: now)
        return AlertDelivery(
            notice: 3, alert: 7, destination: "night", severity: .page,
            payload: String(decoding: try encoder.encode(notice), as: UTF8.self),
            createdAt: now, at: now)
    }

    static func destination(
        _ channel: AlertChannel, secret: AlertSecret? = key
    ) -> AlertDestination {
        AlertDestination(
            name: "night", channel: channel, severities: [.page], isToldOfEnds: true,
            secret: secret, createdAt: now)
    }

    /// A receiver of Tests/Stock/receiver.py.
    private struct Receiver {
        let folder: TemporaryFolder
        let process: ChildProcess
        let port: Int

        init(
            _ kind: String, _ behaviour: String, in folder: TemporaryFolder,
            isEncrypted: Bool = false
        ) throws {
            self.folder = folder
            if isEncrypted {
                let openssl = try ChildProcess(
                    "/usr/bin/openssl",
                    [
                        "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                        "-nodes", "-keyout", folder.path + "/key.pem", "-out",
                        folder.path + "/certificate.pem", "-days", "2", "-subj", "/CN=receiver",
                        "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost",
                    ])
                #expect(openssl.wait().status == 0)
            }
            process = try StockPython.start(
                "receiver.py",
                [kind, behaviour, folder.path]
                    + (isEncrypted
                        ? [folder.path + "/certificate.pem", folder.path + "/key.pem"] : []),
                input: .lifeline)
            port = try #require(
                try process.line(where: { Int($0) != nil }).flatMap { Int($0) })
        }

        var heard: String { (try? folder.read("heard")) ?? "" }
    }

    private static func problem(
        _ destination: AlertDestination, limits: SendLimits = SendLimits()
    ) async throws -> String? {
        do {
            try await AlertSender.send(
                try delivery(), to: destination, limits: limits, at: now)
            return nil
        } catch let error as SendError {
            return error.description
        }
    }

    // MARK: Webhooks

    @Test("A webhook gets the notice with its signature", arguments: ["ok", "slow"])
    func webhook(behaviour: String) async throws {
        let receiver = try Receiver("http", behaviour, in: TemporaryFolder())
        let url = "http://127.0.0.1:\(receiver.port)/alerts?from=hub"
        #expect(try await Self.problem(Self.destination(.webhook(url: url))) == nil)
        let payload = try Self.delivery().payload
        let heard = receiver.heard
        #expect(heard.hasPrefix("POST /alerts?from=hub HTTP/1.1\r\n"))
        #expect(heard.contains("Shelfcast-Timestamp: 1700000000\r\n"))
        let signature = WebhookSignature.value(
            payload: payload, seconds: 1_700_000_000, key: Self.key)
        #expect(heard.contains("Shelfcast-Signature: \(signature)\r\n"))
        #expect(heard.contains("\r\n\r\n" + payload))
    }

    @Test("The signature is HMAC-SHA256 of time and payload")
    func signature() {
        // printf '1700000000.{"a":1}' | openssl dgst -sha256 -hmac key
        #expect(
            WebhookSignature.value(
                payload: "{\"a\":1}", seconds: 1_700_000_000,
                key: AlertSecret(bytes: Array("key".utf8)))
                == "v1=a438e398bfafc57e4396bb7fc2304422f0f768e965d073ca313cb52e22e6ad03")
    }

    @Test(
        "A webhook that does not take it says why",
        arguments: [
            ("refuse", "it refused: status 503"), ("move", "it refused: status 302"),
            ("garbage", ""), ("endless", ""), ("close", "its answer makes no sense"),
            ("hang", "no answer within 2 s"),
        ])
    func webhookRefuses(behaviour: String, problem: String) async throws {
        let receiver = try Receiver("http", behaviour, in: TemporaryFolder())
        var limits = SendLimits()
        limits.totalSeconds = behaviour == "hang" ? 2 : 20
        let url = "http://127.0.0.1:\(receiver.port)/"
        let found = try #require(
            try await Self.problem(Self.destination(.webhook(url: url)), limits: limits))
        #expect(found.hasPrefix(problem))
    }

    @Test("Nobody there is said, and is no end of anything")
    func nobody() async throws {
        let found = try await Self.problem(
            Self.destination(.webhook(url: "http://127.0.0.1:1/")))
        #expect(found == "it cannot be reached: Connection refused")
        // A label of more than 63 letters is no name (RFC 1035, 2.3.4): no server of names is asked.
        let label = String(repeating: "n", count: 64)
        let name = try await Self.problem(
            Self.destination(.webhook(url: "https://\(label).invalid/")))
        #expect(try #require(name).hasPrefix("it cannot be reached"))
    }

    @Test("Over TLS only a receiver whose certificate is trusted gets anything")
    func trust() async throws {
        let folder = try TemporaryFolder()
        let receiver = try Receiver("http", "ok", in: folder, isEncrypted: true)
        let destination = Self.destination(.webhook(url: "https://127.0.0.1:\(receiver.port)/"))
        let found = try await Self.problem(destination)
        #expect(try #require(found).contains("cannot be reached"))
        #expect(!receiver.heard.contains("POST"))
        var limits = SendLimits()
        limits.authoritiesFile = folder.path + "/certificate.pem"
        #expect(try await Self.problem(destination, limits: limits) == nil)
        #expect(receiver.heard.contains("POST"))
    }

    @Test(
        "What is no webhook is refused before anything is sent",
        arguments: [
            "http://example.test/", "ftp://example.test/", "https://", "https://a:b@c/", "x",
            "https://example.test/#part", "https://example.test:70000/",
        ])
    func noTarget(url: String) { #expect(WebhookTarget(url) == nil) }

    @Test("The receiver of the manual takes what is signed, and nothing else")
    func manual() async throws {
        let manual = try String(
            contentsOf: StockPython.root.appending(path: "Docs/alerts.md"), encoding: .utf8)
        let code = try #require(
            manual.components(separatedBy: "```python\n").last?.components(separatedBy: "```").first
        )
        let folder = try TemporaryFolder()
        try folder.write("receiver.py", code)
        try folder.write("key", String(decoding: Self.key.bytes, as: UTF8.self) + "\n")
        // A port that is free: the example takes no other.
        let probe = try Receiver("http", "ok", in: TemporaryFolder())
        let port = probe.port
        probe.process.kill()
        _ = probe.process.wait()
        let example = try ChildProcess(
            try #require(StockPython.path),
            [folder.path + "/receiver.py", folder.path + "/key", "\(port)"])
        let destination = Self.destination(.webhook(url: "http://127.0.0.1:\(port)/"))
        // Within the five minutes that the example allows, however slow the machine is.
        var limits = SendLimits()
        limits.totalSeconds = 200
        let patient = limits
        func send(_ secret: AlertSecret, at: Timestamp) async throws -> String? {
            var destination = destination
            destination.secret = secret
            do {
                try await AlertSender.send(
                    try Self.delivery(), to: destination, limits: patient, at: at)
                return nil
            } catch let error as SendError {
                return error.description
            }
        }
        let now = Timestamp(
            millisecondsSince1970: Int64(Date().timeIntervalSince1970 * 1_000))
        var found = try await send(Self.key, at: now)
        // It takes a moment to start.
        for _ in 0..<100 where found?.hasPrefix("it cannot be reached") == true {
            try await Task.sleep(for: .milliseconds(100))
            found = try await send(Self.key, at: now)
        }
        #expect(found == nil)
        #expect(try example.line(where: { $0 == "store 1 sells more" }) != nil)
        #expect(
            try await send(AlertSecret(bytes: Array("another key altogether".utf8)), at: now)
                == "it refused: status 403 Forbidden")
        #expect(
            try await send(Self.key, at: now.advanced(bySeconds: -3_600))
                == "it refused: status 403 Forbidden")
    }

    // MARK: Mail

    private static func mail(
        _ receiver: Receiver, _ security: MailRoute.Security, user: String? = nil
    ) -> AlertDestination {
        destination(
            .mail(
                MailRoute(
                    host: "127.0.0.1", port: receiver.port, security: security, user: user,
                    from: "hub@shop.test", to: ["night@shop.test", "office@shop.test"])),
            secret: AlertSecret(bytes: Array("pass word".utf8)))
    }

    private static let conversation = [
        "MAIL FROM:<hub@shop.test>", "RCPT TO:<night@shop.test>", "RCPT TO:<office@shop.test>",
        "DATA",
    ]

    @Test(
        "Mail arrives: in the clear on this machine, over TLS, after STARTTLS, with both ways of signing in",
        arguments: [
            ("ok", MailRoute.Security.none, false), ("ok", .tls, true), ("login", .tls, true),
            ("starttls", .starttls, true),
        ])
    func mailArrives(
        behaviour: String, security: MailRoute.Security, isEncrypted: Bool
    ) async throws {
        let folder = try TemporaryFolder()
        let receiver = try Receiver("smtp", behaviour, in: folder, isEncrypted: isEncrypted)
        var limits = SendLimits()
        if isEncrypted { limits.authoritiesFile = folder.path + "/certificate.pem" }
        let destination = Self.mail(receiver, security, user: isEncrypted ? "hub" : nil)
        #expect(try await Self.problem(destination, limits: limits) == nil)
        let heard = receiver.heard
        for line in Self.conversation { #expect(heard.contains(line + "\n"), "\(line)") }
        if isEncrypted {
            #expect(
                heard.contains(behaviour == "login" ? "hub\npass word\n" : "\0hub\0pass word\n"))
        }
        #expect(heard.contains("Subject: [shelfcast] page: store 1 sells more\r\n"))
        #expect(heard.contains("Message-ID: <3-1700000000123.night@shop.test>\r\n"))
        #expect(heard.contains("Date: Tue, 14 Nov 2023 22:13:20 +0000\r\n"))
        let body = try #require(
            heard.components(separatedBy: "base64\r\n\r\n").last?.components(
                separatedBy: "\r\n.\r\n"
            ).first)
        let text = String(
            decoding: try #require(
                Data(base64Encoded: body, options: .ignoreUnknownCharacters)), as: UTF8.self)
        #expect(text.contains("first line\n.second line"))
        #expect(text.contains("shelfcast-hub alerts show 7"))
    }

    @Test(
        "A mail server that does not take it says why",
        arguments: [
            ("refuse", "it refused: 554 not today"),
            ("recipient", "it refused: 550 nobody of that name (after RCPT TO:<night@shop.test>)"),
            ("garbage", "its answer makes no sense"), ("endless", "its answer makes no sense"),
            ("hang", "no answer within 2 s"),
        ])
    func mailRefused(behaviour: String, problem: String) async throws {
        let receiver = try Receiver("smtp", behaviour, in: TemporaryFolder())
        var limits = SendLimits()
        limits.totalSeconds = behaviour == "hang" ? 2 : 20
        let found = try #require(
            try await Self.problem(Self.mail(receiver, .none), limits: limits))
        #expect(found.hasPrefix(problem))
    }

    @Test(
        "A wrong password is said without the password, and a server without STARTTLS gets nothing")
    func secrets() async throws {
        let folder = try TemporaryFolder()
        var limits = SendLimits()
        limits.authoritiesFile = folder.path + "/certificate.pem"
        let strict = try Receiver("smtp", "password", in: folder, isEncrypted: true)
        #expect(
            try await Self.problem(Self.mail(strict, .tls, user: "hub"), limits: limits)
                == "it refused: 535 wrong password (after AUTH PLAIN)")
        let plain = try Receiver("smtp", "ok", in: TemporaryFolder())
        #expect(
            try await Self.problem(Self.mail(plain, .starttls, user: "hub"))
                == "it refused: it offers no STARTTLS; nothing was sent in the clear")
        #expect(!plain.heard.contains("AUTH"))
    }

    @Test("A title of many letters is a subject of encoded words, on lines that are short enough")
    func subject() throws {
        let title = String(repeating: "Ümläut — 売上 ", count: 12) + "\r\nBcc: all@shop.test"
        let message = MailMessage(
            try Self.delivery(title), from: "hub@shop.test", to: ["a@b.test"], at: Self.now)
        let head = message.text.components(separatedBy: "\r\n\r\n")[0]
        #expect(!head.contains("\r\nBcc"))
        let lines = message.text.components(separatedBy: "\r\n")
        #expect(lines.allSatisfy { $0.utf8.count <= 78 && $0.utf8.allSatisfy { $0 < 128 } })
        let words = lines.filter { $0.contains("=?utf-8?B?") }.compactMap { line in
            line.components(separatedBy: "=?utf-8?B?").last.flatMap {
                Data(base64Encoded: String($0.dropLast(2)))
            }
        }
        #expect(words.count > 3)
        #expect(
            String(decoding: Data(words.joined()), as: UTF8.self)
                == "[shelfcast] page: " + title.replacingOccurrences(of: "\r\n", with: " "))
    }

    // MARK: Commands

    private static func command(_ script: String, seconds: Int = 20) -> AlertDestination {
        destination(
            .command(
                CommandRoute(path: "/bin/sh", arguments: ["-c", script], seconds: seconds)),
            secret: nil)
    }

    @Test("A command reads the notice, and how it ends is how it went")
    func command() async throws {
        let folder = try TemporaryFolder()
        #expect(try await Self.problem(Self.command("cat > \(folder.path)/got")) == nil)
        #expect(try folder.read("got") == (try Self.delivery().payload))
        #expect(
            try await Self.problem(Self.command("exit 3")) == "it refused: it ended with status 3")
        #expect(
            try await Self.problem(Self.command("kill -9 $$"))
                == "it refused: a signal ended it: 9")
        let none = Self.destination(
            .command(CommandRoute(path: "/nowhere/at-all", arguments: [], seconds: 5)))
        #expect(try #require(try await Self.problem(none)).contains("cannot start"))
    }

    @Test("A command that hangs is killed, with what it started")
    func commandHangs() async throws {
        let folder = try TemporaryFolder()
        let script = "sleep 600 & echo $! > \(folder.path)/child; wait"
        #expect(
            try await Self.problem(Self.command(script, seconds: 5)) == "no answer within 5 s")
        let child = try #require(
            Int32(try folder.read("child").trimmingCharacters(in: .whitespacesAndNewlines)))
        // Its number is free, or a zombie's that nobody has collected yet.
        func isOver() -> Bool {
            let stat = try? String(contentsOfFile: "/proc/\(child)/stat", encoding: .utf8)
            return stat.map { $0.contains(") Z") } ?? true
        }
        for _ in 0..<100 where !isOver() { try await Task.sleep(for: .milliseconds(50)) }
        #expect(isOver())
    }
}
