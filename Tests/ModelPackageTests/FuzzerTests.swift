import Foundation
import TestSupport
import Testing

@Suite("Spoiled packages")
struct FuzzerTests {
    /// What it does of `make fuzz`; the seeds' next numbers are for that.
    @Test("Spoiled packages and streams crash nothing, and both readers agree", arguments: [1, 2])
    func short(seed: Int) async throws {
        let beside = URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent()
        let fuzzer = try ChildProcess(
            beside.appendingPathComponent("package-fuzzer").path,
            ["--seed", "\(seed)", "--executions", "10000"])
        let end = await fuzzer.untilEnd()
        let report = try fuzzer.output() + fuzzer.errors()
        #expect(end.status == 0, "\(report)")
        #expect(report.hasPrefix("10000 executions without a fault"), "\(report)")
    }
}
