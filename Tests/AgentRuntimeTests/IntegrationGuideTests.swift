import AgentCore
import AgentRuntime
import Forecasting
import Foundation
import ModelPackage
import TestSupport
import Testing

/// What Docs/agent.md says to tills is a promise: its examples work as printed.
@Suite("The guide for tills")
struct IntegrationGuideTests {
    let folder = TemporaryFolder()
    let hub = TestHub()
    let runner: Runner
    let service: AgentService

    init() throws {
        hub.enrol(folder)
        service = try AgentService.start(folder)
        try hub.offer(try TestPackage.model(release: 1).encode(), release: 1)
        try hub.visit(service)
        runner = try Runner(service, closingTime: nil) { _ in }
    }

    /// The examples of the section in `language`, in order.
    static func examples(_ language: String) throws -> [String] {
        let guide = try String(
            contentsOf: StockPython.root.appending(path: "Docs/agent.md"), encoding: .utf8)
        let section = try #require(guide.components(separatedBy: "\n## Integrate a till\n").last)
            .components(separatedBy: "\n## ")[0]
        return section.components(separatedBy: "```\(language)\n").dropFirst().map {
            $0.components(separatedBy: "```")[0]
        }
    }

    /// Serves until `child` ends or `isEnough` says so.
    func serve(_ child: ChildProcess, until isEnough: () throws -> Bool = { false }) throws {
        for _ in 0..<2_000 where child.isRunning {
            _ = try runner.turn(waitMax: 10)
            if try isEnough() { return }
        }
    }

    @Test("shows in ten lines of Python how to record a sale")
    func sale() throws {
        let example = try #require(try Self.examples("python").first)
        #expect(example.split(separator: "\n").count <= 10)
        let child = try ChildProcess(
            "/usr/bin/env", ["python3", "-c", example],
            environment: ["SHELFCAST_STATE": folder.path])
        try serve(child)
        let (end, errors) = (child.wait(secondsMax: 10), try child.errors())
        #expect(end.status == 0, "\(errors)")
        #expect(try child.output() == "{'ok': True, 'recorded': 1, 'repeated': 0}\n")
        #expect(try service.store.unsentCount() == 1)
    }

    @Test("shows a screen that says what to order")
    func screen() throws {
        let example = try #require(try Self.examples("python").last)
        let child = try ChildProcess(
            "/usr/bin/env", ["python3", "-c", example],
            environment: ["SHELFCAST_STATE": folder.path])
        try serve(child) { try child.output().contains("forecasts") }
        let count = #"{"do":"stock","item":"1","units":1,"day":"\#(TestPackage.day(1).iso8601)"}"#
        _ = service.reply(to: try LocalRequest(line: [UInt8](count.utf8)))
        try serve(child) { try child.output().contains("order ") }
        #expect(try child.output().contains(" of item 1 by Tuesday, 2016-07-19"))
        child.kill()
    }

    @Test("shows commands that work beside a running agent")
    func commands() throws {
        let example = try #require(try Self.examples("sh").first)
        #expect(example.split(separator: "\n").count <= 10)
        // Beside the tests, where the build puts it.
        let program = URL(filePath: CommandLine.arguments[0]).deletingLastPathComponent()
            .appending(path: "shelfcast-agent").path
        try #require(FileManager.default.isExecutableFile(atPath: program))
        let bin = folder.file("bin")
        try FileManager.default.createDirectory(atPath: bin, withIntermediateDirectories: true)
        try FileManager.default.createSymbolicLink(
            atPath: bin + "/shelfcast-agent", withDestinationPath: program)
        let child = try ChildProcess(
            "/bin/sh", ["-euc", "PATH=\(bin):$PATH\n" + example],
            environment: ["SHELFCAST_STATE": folder.path])
        try serve(child)
        let (end, errors) = (child.wait(secondsMax: 10), try child.errors())
        #expect(end.status == 0, "\(errors)")
        let output = try child.output()
        #expect(output.contains("recorded 3 of item 17\ntook back 1 of item 17\n"))
        #expect(output.contains("item 17: 60 on hand"))
        #expect(output.contains("P50    P90"))
    }

    @Test("names every operation for tills")
    func operations() throws {
        let guide = try String(
            contentsOf: StockPython.root.appending(path: "Docs/agent.md"), encoding: .utf8)
        for operation in LocalRequest.operations
        where !["selftest", "benchmark"].contains(operation) {
            #expect(guide.contains("\n| `\(operation)` |"), "\(operation) is not in the table")
        }
    }
}
