import TestSupport

/// A program of ours run as its own process, the way an operator or a till runs it.
struct Program: Sendable {
    var path: String
    /// A program with its first arguments that runs this one, such as an emulator.
    var launcher: [String] = []
    /// Added to this process's own.
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
    ) throws -> Outcome {
        let running = try start(arguments, input: input)
        let end = running.wait(secondsMax: Double(secondsMax))
        let outcome = Outcome(
            status: end.status, signal: end.signal, output: try running.output(),
            errors: try running.errors())
        if let status, outcome.status != status || outcome.signal != 0 {
            throw Failed(
                command: (launcher + [path] + arguments).joined(separator: " "), outcome: outcome)
        }
        return outcome
    }

    /// Starts and goes on.
    func start(_ arguments: [String], input: String? = nil) throws -> ChildProcess {
        let words = launcher + [path] + arguments
        return try ChildProcess(
            words[0], Array(words.dropFirst()), environment: environment,
            input: input.map(ChildProcess.Input.text) ?? .nothing)
    }
}
