import Foundation
import SyncProtocol
import Testing

/// The stock protobuf implementation, driven through `Tests/Stock`.
enum Stock {
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

    /// What a script of `Tests/Stock` prints.
    static func run(_ arguments: [String], input: String = "") throws -> String {
        let folder = FileManager.default.temporaryDirectory
            .appendingPathComponent("shelfcast-stock-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        // A stray temporary folder harms nobody.
        defer { try? FileManager.default.removeItem(at: folder) }
        // Files, not pipes: nothing can fill up and wait.
        let files = ["in", "out", "err"].map { folder.appendingPathComponent($0) }
        try input.write(to: files[0], atomically: false, encoding: .utf8)
        for file in files[1...] { try Data().write(to: file) }
        let process = Process()
        process.executableURL = URL(fileURLWithPath: try #require(python))
        process.arguments =
            ["-B", root.appendingPathComponent("Tests/Stock/\(arguments[0])").path]
            + arguments.dropFirst()
        process.standardInput = try FileHandle(forReadingFrom: files[0])
        process.standardOutput = try FileHandle(forWritingTo: files[1])
        process.standardError = try FileHandle(forWritingTo: files[2])
        try process.run()
        process.waitUntilExit()
        let complaint = try String(contentsOf: files[2], encoding: .utf8)
        try #require(process.terminationStatus == 0, "\(complaint)")
        return try String(contentsOf: files[1], encoding: .utf8)
    }
}

@Suite("The stock protobuf implementation", .enabled(if: Stock.python != nil, Stock.missing))
struct StockTests {
    @Test("would write the committed fixtures again")
    func fixtures() throws {
        _ = try Stock.run(["golden.py", "--check"])
    }

    @Test(
        "is understood, whatever order, repetition and later fields its writer chose",
        arguments: [1, 2, 3])
    func fromStock(seed: Int) throws {
        let lines = try Stock.run(["random_frames.py", "make", "\(seed)", "1500"])
            .split(separator: "\n")
        #expect(lines.count == 1_500)
        for line in lines {
            let words = line.split(separator: " ").map(String.init)
            let wire = try Fixtures.bytes(words[0])
            let kind = try #require(MessageKind(rawValue: wire[4]))
            let peer: Peer = kind.isSent(by: .device) ? .device : .hub
            let messages = try decode(wire, from: peer)
            #expect(
                Fixtures.hex(messages.flatMap(encodeFrame)) == words[1], "seed \(seed): \(words[0])"
            )
        }
    }

    @Test(
        "understands what is written here, and would have written the same bytes",
        arguments: [1, 2, 3] as [UInt64])
    func toStock(seed: UInt64) throws {
        var random = RandomMessages(seed: seed)
        let frames = (0..<1_500).map { _ in Fixtures.hex(encodeFrame(random.next())) }
        let echoed = try Stock.run(
            ["random_frames.py", "echo"], input: frames.joined(separator: "\n"))
        #expect(echoed.split(separator: "\n").map(String.init) == frames, "seed \(seed)")
    }
}
