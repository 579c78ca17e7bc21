import Foundation
import Testing

/// A program of ours run as its own process, the way an operator or a till runs it.
struct Program: Sendable {
    var path: String
    /// Before the command's own arguments.
    var environment: [String: String] = [:]

    struct Outcome: Sendable {
        var status: Int32
        /// Ended by this signal instead of by itself; 0: by itself.
        var signal: Int32
        var output: String
        var errors: String
    }

    struct Failed: Error, CustomStringConvertible {
        var command: String
        var outcome: Outcome
        var description: String {
            "\(command)\nended with status \(outcome.status), signal \(outcome.signal)\n\(outcome.output)\(outcome.errors)"
        }
    }

    /// Runs to the end; a run of more than `secondsMax` is killed and fails.
    @discardableResult
    func run(
        _ arguments: [String], input: String? = nil, expecting status: Int32? = 0,
        secondsMax: Int = 120
    )
        throws -> Outcome
    {
        let folder = try TemporaryFolder()
        let running = try start(arguments, input: input, outputIn: folder)
        let overdue = DispatchWorkItem { running.kill() }
        DispatchQueue.global().asyncAfter(deadline: .now() + .seconds(secondsMax), execute: overdue)
        running.wait()
        overdue.cancel()
        let outcome = Outcome(
            status: running.status, signal: running.signal, output: try folder.read("out"),
            errors: try folder.read("err"))
        if let status, outcome.status != status || outcome.signal != 0 {
            throw Failed(
                command: ([path] + arguments).joined(separator: " "), outcome: outcome)
        }
        return outcome
    }

    /// Starts and goes on; `out` and `err` in `folder` fill as the process writes.
    func start(_ arguments: [String], input: String? = nil, outputIn folder: TemporaryFolder) throws
        -> Running
    {
        let process = Process()
        process.executableURL = URL(filePath: path)
        process.arguments = arguments
        process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        process.standardOutput = try folder.create("out")
        process.standardError = try folder.create("err")
        if let input {
            try folder.write("in", input)
            process.standardInput = try FileHandle(
                forReadingFrom: URL(filePath: folder.path + "/in"))
        } else {
            process.standardInput = FileHandle.nullDevice
        }
        try process.run()
        return Running(process: process, folder: folder)
    }
}

/// A process that was started. Killed when nobody holds it any more, so that no test leaves one behind.
final class Running: @unchecked Sendable {
    private let process: Process
    let folder: TemporaryFolder

    init(process: Process, folder: TemporaryFolder) {
        self.process = process
        self.folder = folder
    }

    deinit { kill() }

    var isRunning: Bool { process.isRunning }
    var status: Int32 { process.terminationReason == .exit ? process.terminationStatus : -1 }
    var signal: Int32 {
        process.terminationReason == .uncaughtSignal ? process.terminationStatus : 0
    }

    /// As a power cut: no handler runs.
    func kill() {
        if process.isRunning { Glibc.kill(process.processIdentifier, SIGKILL) }
    }

    func terminate() { process.terminate() }

    func wait() { process.waitUntilExit() }

    /// The first output line that `matches`, waiting for it at most `secondsMax`.
    func line(secondsMax: Double = 60, where matches: (Substring) -> Bool) throws -> String {
        let deadline = ContinuousClock.now + .seconds(secondsMax)
        while true {
            let text = try folder.read("out") + folder.read("err")
            if let line = text.split(separator: "\n").first(where: matches) { return String(line) }
            guard isRunning, ContinuousClock.now < deadline else {
                throw Program.Failed(
                    command: "waiting for a line",
                    outcome: .init(
                        status: isRunning ? 0 : status, signal: 0, output: text, errors: ""))
            }
            usleep(10_000)
        }
    }
}

/// A folder of this test's own, removed with it.
final class TemporaryFolder: Sendable {
    let path: String

    init() throws {
        path = NSTemporaryDirectory() + "shelfcast-test-" + UUID().uuidString
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit {
        try? FileManager.default.removeItem(atPath: path)  // a leftover harms nobody
    }

    func create(_ name: String) throws -> FileHandle {
        try write(name, "")
        return try FileHandle(forWritingTo: URL(filePath: path + "/" + name))
    }

    func read(_ name: String) throws -> String {
        try String(contentsOfFile: path + "/" + name, encoding: .utf8)
    }

    func write(_ name: String, _ text: String) throws {
        try text.write(toFile: path + "/" + name, atomically: false, encoding: .utf8)
    }
}
