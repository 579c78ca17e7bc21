import Foundation
import HubSync
import HubWeb
import Logging
import NIOCore
import NIOPosix
import ServiceLifecycle
import TestSupport
import Testing

/// The door on a free port of the loopback while `body` runs.
private func serving(
    limits: HubWebLimits = .init(), directory: String = "/nonexistent/shelfcast",
    authority: CertificateAuthority? = nil, host: String = "127.0.0.1", port: Int = 0,
    _ body: @escaping @Sendable (Door) async throws -> Void
) async throws {
    let authority = try authority ?? CertificateAuthority.create(now: Date())
    let (ports, found) = AsyncStream.makeStream(of: Int.self)
    let pin = try authority.webPin
    let server = try HubWebServer(
        host: host, port: port, pin: pin, packages: AgentPackages(directory: directory),
        limits: limits,
        logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }),
        certificate: { now in
            let issued = try authority.issueWeb(now: now)
            // Another certificate for every connection: the pin must hold for each.
            return WebCertificate(
                chainDER: issued.chainDER, keyDER: issued.keyDER, renewAt: .distantPast)
        },
        onListening: { found.yield($0) })
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
        guard let port = await iterator.next() else {
            try await tasks.next()
            return
        }
        do {
            try await body(Door(port: port, pin: pin))
            await group.triggerGracefulShutdown()
            try await tasks.waitForAll()
        } catch {
            await group.triggerGracefulShutdown()
            tasks.cancelAll()
            throw error
        }
    }
}

/// What a client sees of it.
private struct Door: Sendable {
    var port: Int
    var pin: String

    struct Answer {
        var exit: Int32
        var status: String
        var body: String
        var errors: String
    }

    /// By curl, as on a device.
    func get(_ path: String, _ options: String..., pin: String? = nil) async throws -> Answer {
        let curl = try ChildProcess(
            "/usr/bin/curl",
            [
                "-sSk", "--pinnedpubkey", pin ?? self.pin, "--path-as-is", "--max-time", "60",
                "-w", "\n%{http_code}", "https://127.0.0.1:\(port)\(path)",
            ] + options)
        let end = await curl.untilEnd()
        let lines = try curl.output().components(separatedBy: "\n")
        return Answer(
            exit: end.status, status: lines.last ?? "",
            body: lines.dropLast().joined(separator: "\n"), errors: try curl.errors())
    }

    /// Returns when the other side closes a connection on which nothing is said.
    func untilClosedInSilence() async throws {
        let channel = try await ClientBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .connect(host: "127.0.0.1", port: port).get()
        try await channel.closeFuture.get()
    }
}

@Suite("The hub's HTTPS door") struct HubWebServerTests {
    @Test("serves the script and the packages to who pins the hub's key, whatever the certificate")
    func serves() async throws {
        let folder = try TemporaryFolder()
        // Several pieces, and a last one that is not whole.
        let content = String(repeating: "0123456789abcdef", count: 12_345) + "\nend"
        try folder.write("shelfcast-agent_0.2.0_amd64.deb", content)
        try await serving(directory: folder.path) { door in
            let script = try await door.get("/install", "-f")
            #expect(script.exit == 0 && script.status == "200", "\(script.errors)")
            #expect(script.body.hasPrefix("#!/bin/sh\n"))
            #expect(script.body.contains("hub='https://127.0.0.1:\(door.port)'\n"))
            #expect(script.body.contains("pin='\(door.pin)'\n"))
            let package = try await door.get("/packages/shelfcast-agent_0.2.0_amd64.deb")
            #expect(package.status == "200")
            #expect(package.body == content)
            let head = try await door.get("/packages/shelfcast-agent_0.2.0_amd64.deb", "-I")
            #expect(head.status == "200")
            #expect(head.body.contains("Content-Length: \(content.utf8.count)\r\n"))
            #expect(try await door.get("/healthz").body == "ok\n")
        }
    }

    @Test("shows nothing to who pins another key")
    func otherKey() async throws {
        let other = try CertificateAuthority.create(now: Date()).webPin
        try await serving { door in
            let answer = try await door.get("/install", pin: other)
            #expect(answer.exit == 90, "curl's word for a key that is not the pinned one")
            #expect(answer.body.isEmpty)
        }
    }

    @Test("refuses what no page takes, in plain words")
    func refuses() async throws {
        let folder = try TemporaryFolder()
        try folder.write("shelfcast-agent_0.2.0_amd64.deb", "package")
        try folder.write("secret", "secret")
        try await serving(directory: folder.path + "/") { door in
            for path in [
                "/packages/../secret", "/packages/..%2fsecret", "/packages/%2e%2e/secret",
                "/packages/secret", "/packages//secret", "/packages/./secret", "/secret", "/",
                "/packages", "/packages/", "//etc/passwd", "/install/x",
                "/packages/shelfcast-agent_0.2.0_amd64.deb%00",
            ] {
                let answer = try await door.get(path)
                #expect(answer.status == "404", "\(path): \(answer.status) \(answer.body)")
                #expect(!answer.body.contains("secret\n"), "\(path)")
            }
            for method in ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "PROPFIND"] {
                #expect(try await door.get("/install", "-X", method).status == "405", "\(method)")
            }
            #expect(try await door.get("/install", "-X", "GET", "-d", "x").status == "413")
            let long = String(repeating: "a", count: 600)
            #expect(try await door.get("/" + long).status == "414")
            let endless = String(repeating: "a", count: 20_000)
            #expect(try await door.get("/" + endless).status == "400")
            #expect(try await door.get("/healthz", "-H", "X: " + endless).status == "400")
            let many = (0..<60).flatMap { ["-H", "X-\($0): 1"] }
            let curl = try ChildProcess(
                "/usr/bin/curl",
                ["-sk", "-w", "%{http_code}", "https://127.0.0.1:\(door.port)/healthz"] + many)
            _ = await curl.untilEnd()
            #expect(try curl.output() == "400")
            for host in ["$(id)", "evil'", "a b"] {
                let answer = try await door.get("/install", "-H", "Host: " + host)
                #expect(answer.status == "400", "\(host)")
                #expect(!answer.body.contains(host))
            }
        }
    }

    @Test("closes a connection on which nothing is said, by both of its clocks")
    func silence() async throws {
        var idle = HubWebLimits()
        idle.idleMilliseconds = 100
        try await serving(limits: idle) { try await $0.untilClosedInSilence() }
        var brief = HubWebLimits()
        brief.connectionMilliseconds = 100
        try await serving(limits: brief) { try await $0.untilClosedInSilence() }
    }

    @Test("leaves connections above its limit outside until there is room")
    func crowded() async throws {
        var limits = HubWebLimits()
        limits.connectionsMax = 1
        // However slow the machine is, the first one stays until this test lets it go.
        (limits.idleMilliseconds, limits.connectionMilliseconds) = (600_000, 600_000)
        try await serving(limits: limits) { door in
            let first = try await ClientBootstrap(group: .singletonMultiThreadedEventLoopGroup)
                .connect(host: "127.0.0.1", port: door.port).get()
            var second = try await door.get("/healthz", "--max-time", "0.5")
            // Two that wait at the same moment may be let in at one stroke; once the first is in, it is full.
            for _ in 0..<20 where second.exit == 0 {
                second = try await door.get("/healthz", "--max-time", "0.5")
            }
            #expect(second.exit == 28, "curl's word for no answer")
            try await first.close()
            #expect(try await door.get("/healthz").status == "200")
        }
    }

    @Test("says which port is taken, and what to do")
    func portTaken() async throws {
        try await serving { door in
            let error = await #expect(throws: HubWebError.self) {
                try await serving(port: door.port) { _ in }
            }
            #expect(error == .portInUse(host: "127.0.0.1", port: door.port))
            #expect(error?.description.contains("--web-port") == true)
        }
    }

    @Test("says which address cannot be had")
    func noAddress() async throws {
        // Of TEST-NET-1 (RFC 5737): no machine has it.
        let error = await #expect(throws: HubWebError.self) {
            try await serving(host: "192.0.2.1") { _ in }
        }
        #expect(error?.description.contains("192.0.2.1") == true)
    }
}
