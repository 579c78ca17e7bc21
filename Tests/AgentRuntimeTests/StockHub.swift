import Foundation
import TestSupport
import Testing

/// `Tests/Stock/hub.py`, a hub that shares no code with ours and misbehaves as it is told, and one real
/// `shelfcast-agent` that has joined it.
final class StockHub: Sendable {
    /// A form of the program under test.
    struct Form: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var program: URL

        /// Built beside the tests; and the shipped form, where `make test` has built it.
        static let all: [Form] = {
            let beside = URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent()
                .appendingPathComponent("shelfcast-agent")
            let embedded = ProcessInfo.processInfo.environment["SHELFCAST_EMBEDDED_AGENT"]
            return [Form(testDescription: "the ordinary form", program: beside)]
                + (embedded.map {
                    [Form(testDescription: "the Embedded form", program: URL(fileURLWithPath: $0))]
                } ?? [])
        }()
    }

    /// One line of what the hub heard.
    struct Heard: Decodable {
        struct Content: Decodable {
            struct Running: Decodable {
                var digest: String
                var release: String
            }
            var outcome: String?
            var reason: String?
            /// Base64, as protobuf's JSON has bytes.
            var digest: String?
            var running: Running?
            /// Text, as protobuf's JSON has 64-bit numbers.
            var offset: String?
        }
        var act: String
        /// It answers nothing from here on.
        var silent: Bool?
        var message: String?
        var content: Content?
        var stored: Int?
        var sales: [String: Int]?
    }

    struct Outcome: Sendable {
        var status: Int32
        var output: String
        var errors: String
    }

    private struct Opening: Decodable {
        var token: String
    }

    private let form: Form
    private let folder: URL
    /// The hub ends when its standard input does, however this process ends.
    private let server: ChildProcess

    /// Starts the hub and lets the device join it.
    /// - Parameter address: where it listens; nil: on IPv4.
    init(_ form: Form = Form.all[0], address: String? = nil) async throws {
        self.form = form
        folder = FileManager.default.temporaryDirectory
            .appendingPathComponent("stockhub-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let server = try StockPython.start(
            "hub.py", [folder.path] + (address.map { [$0] } ?? []), input: .lifeline)
        self.server = server
        // The one line it ever prints.
        let line = try await withCheckedThrowingContinuation { continuation in
            Thread.detachNewThread {
                continuation.resume(with: Result { try server.line { $0.hasPrefix("{") } })
            }
        }
        let opening = try JSONDecoder().decode(
            Opening.self, from: Data(try #require(line, "hub.py did not start").utf8))
        let joined = try await agent("join", opening.token)
        try #require(joined.status == 0, "\(joined)")
    }

    deinit {
        // What is left behind is a temporary folder.
        try? FileManager.default.removeItem(at: folder)
    }

    /// What the hub does from the next connection on.
    /// - Parameters:
    ///   - wireBytes: of each connection, both ways, before the network goes away.
    ///   - daysAhead: so much later it is there.
    func behave(
        _ act: String = "honest", offer: [String: Any]? = nil, wireBytes: Int? = nil,
        daysAhead: Int = 0
    ) throws {
        var wish: [String: Any] = ["act": act, "daysAhead": daysAhead]
        wish["offer"] = offer
        wish["wireBytes"] = wireBytes
        try JSONSerialization.data(withJSONObject: wish).write(
            to: folder.appendingPathComponent("wish.json"), options: .atomic)
    }

    /// Keeps `content` where an offer can name it.
    func file(_ content: [UInt8], named name: String) throws -> String {
        let url = folder.appendingPathComponent(name)
        try Data(content).write(to: url)
        return url.path
    }

    /// Everything heard since the last time.
    func heard() throws -> [Heard] {
        let url = folder.appendingPathComponent("heard")
        guard FileManager.default.fileExists(atPath: url.path) else { return [] }
        let lines = try String(contentsOf: url, encoding: .utf8).split(separator: "\n")
        return try lines.map { try JSONDecoder().decode(Heard.self, from: Data($0.utf8)) }
    }

    /// Units that the hub has, by "day item".
    func sales() throws -> [String: Int] {
        try heard().last { $0.sales != nil }?.sales ?? [:]
    }

    /// Ends the hub; devices find nobody.
    func stop() {
        server.kill()
        server.wait()
    }

    /// The device's state directory.
    var deviceFolder: String { folder.appendingPathComponent("device").path }

    /// Every file of the device's state directory.
    func deviceFiles() throws -> [String: Data] {
        let device = URL(fileURLWithPath: deviceFolder)
        var files: [String: Data] = [:]
        for name in try FileManager.default.contentsOfDirectory(atPath: device.path) {
            files[name] = try Data(contentsOf: device.appendingPathComponent(name))
        }
        return files
    }

    /// Runs one command of the real program to its end.
    func agent(_ arguments: String...) async throws -> Outcome {
        let process = try ChildProcess(
            form.program.path,
            arguments + ["--state", folder.appendingPathComponent("device").path])
        let end = await process.untilEnd()
        let outcome = Outcome(
            status: end.status, output: try process.output(), errors: try process.errors())
        try #require(end.signal == 0, "shelfcast-agent crashed: \(outcome)")
        return outcome
    }
}
