import Foundation
import TestSupport
import Testing

/// `Tests/Stock/peer.py`: a device that knows only sync.proto, SPEC.md and the stock protobuf
/// implementation, with a folder of its own.
final class StockPeer: Sendable {
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
        let process = try StockPython.start("peer.py", ["--state", folder.path] + arguments)
        let end = await process.untilEnd()
        let complaint = try process.errors()
        try #require(
            end.status == 0,
            "peer.py \(arguments.joined(separator: " ")): \(complaint)")
        return try process.output().split(separator: "\n").map {
            try JSONDecoder().decode(Told.self, from: Data($0.utf8))
        }
    }
}
