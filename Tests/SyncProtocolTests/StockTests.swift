import Foundation
import SyncProtocol
import TestSupport
import Testing

/// The stock protobuf implementation, driven through `Tests/Stock`.
enum Stock {
    /// What a script of `Tests/Stock` prints.
    static func run(_ arguments: [String], input: String = "") async throws -> String {
        let process = try StockPython.start(
            arguments[0], Array(arguments.dropFirst()), input: .text(input))
        let end = await process.untilEnd()
        let complaint = try process.errors()
        try #require(end.status == 0, "\(complaint)")
        return try process.output()
    }
}

@Suite(
    "The stock protobuf implementation", .enabled(if: StockPython.path != nil, StockPython.missing))
struct StockTests {
    @Test("would write the committed fixtures again")
    func fixtures() async throws {
        _ = try await Stock.run(["golden.py", "--check"])
    }

    @Test(
        "is understood, whatever order, repetition and later fields its writer chose",
        arguments: [1, 2, 3])
    func fromStock(seed: Int) async throws {
        let lines = try await Stock.run(["random_frames.py", "make", "\(seed)", "1500"])
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
    func toStock(seed: UInt64) async throws {
        var random = RandomMessages(seed: seed)
        let frames = (0..<1_500).map { _ in Fixtures.hex(encodeFrame(random.next())) }
        let echoed = try await Stock.run(
            ["random_frames.py", "echo"], input: frames.joined(separator: "\n"))
        #expect(echoed.split(separator: "\n").map(String.init) == frames, "seed \(seed)")
    }
}
