import Foundation
import Testing

/// `Tests/Stock/hub.py`, a hub that shares no code with ours and misbehaves as it is told, and one real
/// `shelfcast-agent` that has joined it.
final class StockHub: Sendable {
    static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .appendingPathComponent("../..").standardized

    static let python: String? = {
        let named = ProcessInfo.processInfo.environment["SHELFCAST_PYTHON"]
        let path = named ?? root.appendingPathComponent(".venv/bin/python3").path
        // Named by hand, it has to be there: a test that skips by a slip of the pen is no test.
        return named != nil || FileManager.default.isExecutableFile(atPath: path) ? path : nil
    }()

    static let missing: Comment =
        "no .venv with the stock protobuf implementation: make setup makes it, or name a Python in SHELFCAST_PYTHON"

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
    private let server: Process
    /// The hub ends when its standard input does, however this process ends.
    private let lifeline = Pipe()

    /// Starts the hub and lets the device join it.
    init(_ form: Form = Form.all[0]) async throws {
        self.form = form
        folder = FileManager.default.temporaryDirectory
            .appendingPathComponent("stockhub-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        server = Process()
        server.executableURL = URL(fileURLWithPath: try #require(Self.python))
        server.arguments = [
            "-B", Self.root.appendingPathComponent("Tests/Stock/hub.py").path, folder.path,
        ]
        let output = Pipe()
        server.standardInput = lifeline
        server.standardOutput = output
        let complaints = folder.appendingPathComponent("complaints")
        try Data().write(to: complaints)
        server.standardError = try FileHandle(forWritingTo: complaints)
        try server.run()
        // The one line it ever prints; the end of the stream if it fails before.
        let line = await withCheckedContinuation { continuation in
            DispatchQueue.global().async {
                continuation.resume(returning: output.fileHandleForReading.availableData)
            }
        }
        let opening = try JSONDecoder().decode(Opening.self, from: line)
        let joined = try await agent("join", opening.token)
        try #require(joined.status == 0, "\(joined)")
    }

    deinit {
        // A closed pipe is enough, unless something else inherited its other end.
        kill(server.processIdentifier, SIGKILL)
        // What is left behind is a temporary folder.
        try? FileManager.default.removeItem(at: folder)
    }

    /// What the hub does from the next connection on.
    func behave(
        _ act: String = "honest", offer: [String: Any]? = nil
    ) throws {
        var wish: [String: Any] = ["act": act]
        wish["offer"] = offer
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

    /// Runs one command of the real program to its end.
    func agent(_ arguments: String...) async throws -> Outcome {
        let process = Process()
        process.executableURL = form.program
        process.arguments =
            arguments + ["--state", folder.appendingPathComponent("device").path]
        let run = UUID().uuidString
        let files = ["out-", "err-"].map { folder.appendingPathComponent($0 + run) }
        for file in files { try Data().write(to: file) }
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = try FileHandle(forWritingTo: files[0])
        process.standardError = try FileHandle(forWritingTo: files[1])
        let reason = try await withCheckedThrowingContinuation { continuation in
            process.terminationHandler = { continuation.resume(returning: $0.terminationReason) }
            do {
                try process.run()
            } catch {
                process.terminationHandler = nil
                continuation.resume(throwing: error)
            }
        }
        let outcome = Outcome(
            status: process.terminationStatus,
            output: try String(contentsOf: files[0], encoding: .utf8),
            errors: try String(contentsOf: files[1], encoding: .utf8))
        try #require(reason == .exit, "shelfcast-agent crashed: \(outcome)")
        return outcome
    }
}
