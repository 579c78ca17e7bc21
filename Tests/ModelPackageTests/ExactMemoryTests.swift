import Foundation
import TestSupport
import Testing

/// What `engine-check`, which counts every allocation of its own process, finds of each sample.
@Suite("The engine's memory")
struct ExactMemoryTests {
    private struct Line {
        var name: String
        private var values: [Substring: Substring]

        init(_ text: Substring) {
            let words = text.split(separator: " ")
            name = String(words[0])
            values = [:]
            for word in words.dropFirst() {
                let sides = word.split(separator: "=")
                values[sides[0]] = sides[1]
            }
        }

        subscript(value: Substring) -> Int {
            get throws { try #require(values[value].flatMap { Int($0) }, "\(name): \(value)") }
        }

        func holds(_ value: Substring) -> Bool { values[value] == "true" }
    }

    @Test(
        "A package takes its stated arena in one piece, to the byte, and nothing after it is loaded",
        arguments: ["small", "large"])
    func exact(samples: String) async throws {
        let beside = URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent()
        let check = try ChildProcess(
            beside.appendingPathComponent("engine-check").path, [samples])
        let end = await check.untilEnd()
        let complaint = try check.errors()
        #expect(end.status == 0, "\(complaint)")
        let lines = try check.output().split(separator: "\n").map(Line.init)
        #expect(lines.count >= 20)
        for line in lines {
            let fileInUse = try line["fileInUse"]
            // Where kernels run in the file, that is the second piece.
            #expect(line.name.hasSuffix(",tiles") == (fileInUse > 0), "\(line.name)")
            #expect(try line["peak"] == line["arena"] + fileInUse, "\(line.name)")
            #expect(try line["load"] == (fileInUse > 0 ? 2 : 1), "\(line.name)")
            #expect(try line["proof"] == 0, "\(line.name)")
            #expect(try line["forecasts"] == 0, "\(line.name)")
            #expect(try line["left"] == 0, "\(line.name)")
            #expect(line.holds("runsAtBudget") && line.holds("refusedBelow"), "\(line.name)")
            let stack = try line["stackOfLoad"]
            // What INTEGER.md states.
            #expect(stack > 0 && stack <= 21 * 1_024, "\(line.name) takes \(stack) of stack")
        }
    }
}
