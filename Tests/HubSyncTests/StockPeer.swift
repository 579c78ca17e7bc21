import Foundation
import Testing

/// `Tests/Stock/peer.py`: a device that knows only sync.proto, SPEC.md and the stock protobuf
/// implementation, with a folder of its own.
final class StockPeer: Sendable {
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

    /// What one step printed. Every field that the step does not have is nil.
    struct Told: Decodable, Sendable {
        struct Context: Decodable, Sendable {
            struct Day: Decodable, Sendable {
                struct Sold: Decodable, Sendable {
                    var itemIndex: Int?
                    var units: Int?
                }
                var day: Int
                var closedAllDay: Bool?
                var final: Bool?
                var sold: [Sold]?
            }
            var items: [String]?
            var days: [Day]?
            var more: Bool?
        }

        var act: String?
        var deviceId: String?
        var store: String?
        var approved: Bool?
        var timeZone: String?
        var clockOffSeconds: Double?
        var desire: Int?
        var storedThroughSequence: UInt64?
        var throughSequence: UInt64?
        var acknowledged: [UInt64]?
        var context: [Context]?
        var digest: String?
        var fetchedBytes: Int?
        var nextContactSeconds: Int?
        var closed: Bool?
        var strayBytes: Int?
        var left: Bool?
        var answered: String?
        var refusal: String?
        var message: String?
        var retry: Bool?
        var retryAfterSeconds: Int?
        var tls: String?
        var timeout: Int?
    }

    let folder: URL

    init() throws {
        folder = FileManager.default.temporaryDirectory
            .appendingPathComponent("stockpeer-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    }

    deinit {
        // What is left behind is a temporary folder.
        try? FileManager.default.removeItem(at: folder)
    }

    func path(_ name: String) -> String { folder.appendingPathComponent(name).path }

    func write(_ lines: [String], to name: String) throws -> String {
        try lines.joined(separator: "\n").write(
            toFile: path(name), atomically: false, encoding: .utf8)
        return path(name)
    }

    /// Runs one command of `peer.py`, and reads what it printed: one object a step.
    func run(_ arguments: String...) async throws -> [Told] {
        try await run(arguments)
    }

    func run(_ arguments: [String]) async throws -> [Told] {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: try #require(Self.python))
        process.arguments =
            [
                "-B", Self.root.appendingPathComponent("Tests/Stock/peer.py").path, "--state",
                folder.path,
            ]
            + arguments
        // Files, not pipes: nothing can fill up and wait.
        let run = UUID().uuidString
        let (output, complaint) = (path("out-\(run)"), path("err-\(run)"))
        for path in [output, complaint] {
            try Data().write(to: URL(fileURLWithPath: path))
        }
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = FileHandle(forWritingAtPath: output)
        process.standardError = FileHandle(forWritingAtPath: complaint)
        let status = try await withCheckedThrowingContinuation { continuation in
            process.terminationHandler = { continuation.resume(returning: $0.terminationStatus) }
            do {
                try process.run()
            } catch {
                process.terminationHandler = nil
                continuation.resume(throwing: error)
            }
        }
        let words = try String(contentsOfFile: complaint, encoding: .utf8)
        try #require(status == 0, "peer.py \(arguments.joined(separator: " ")): \(words)")
        return try String(contentsOfFile: output, encoding: .utf8).split(separator: "\n").map {
            try JSONDecoder().decode(Told.self, from: Data($0.utf8))
        }
    }
}
