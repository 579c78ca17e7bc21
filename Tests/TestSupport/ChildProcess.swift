import CSpawn
import Foundation

/// A process a test started. It inherits nothing but its three streams: Foundation's `Process` lets
/// children that are started at the same moment inherit one another's pipes, and then waits for
/// strangers. Killed when nobody holds it any more, so that no test leaves one behind.
package final class ChildProcess: @unchecked Sendable {
    package struct NotStarted: Error {
        package var path: String
        package var reason: String
    }

    /// How a process ended.
    package struct End: Equatable, Sendable {
        /// -1 when a signal ended it.
        package var status: Int32
        /// 0 when it ended by itself.
        package var signal: Int32
    }

    package enum Input: Sendable {
        case nothing
        case text(String)
        /// Stays open as long as this object lives.
        case lifeline
    }

    private let processID: pid_t
    private let lock = NSLock()
    private var ended: End?
    private let lifeline: Int32
    private let folder: TemporaryFolder

    /// - Parameters:
    ///   - environment: added to this process's own.
    ///   - directory: where it starts; nil: where this process is.
    package init(
        _ path: String, _ arguments: [String], environment: [String: String] = [:],
        directory: String? = nil, input: Input = .nothing
    ) throws {
        folder = try TemporaryFolder()
        try folder.write("out", "")
        try folder.write("err", "")
        var pipeEnds: [Int32] = [-1, -1]
        let standardInput: Int32
        switch input {
        case .nothing:
            standardInput = open("/dev/null", O_RDONLY | O_CLOEXEC)
        case .text(let text):
            try folder.write("in", text)
            standardInput = open(folder.path + "/in", O_RDONLY | O_CLOEXEC)
        case .lifeline:
            _ = shelfcast_pipe(&pipeEnds)
            standardInput = pipeEnds[0]
        }
        guard standardInput >= 0 else {
            throw NotStarted(path: path, reason: String(cString: strerror(errno)))
        }
        lifeline = pipeEnds[1]

        let variables = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        var words = ([path] + arguments).map { strdup($0) } + [nil]
        var settings = variables.map { strdup("\($0)=\($1)") } + [nil]
        defer { for text in words + settings { free(text) } }
        var child: pid_t = 0
        let failure = shelfcast_spawn(
            &child, path, &words, &settings, standardInput, folder.path + "/out",
            folder.path + "/err", directory)
        close(standardInput)
        processID = child
        guard failure == 0 else {
            ended = End(status: -1, signal: 0)
            throw NotStarted(path: path, reason: String(cString: strerror(failure)))
        }
    }

    deinit {
        kill()
        _ = wait(secondsMax: 10)
        if lifeline >= 0 { close(lifeline) }
    }

    /// The kernel's number for it, under /proc.
    package var number: Int32 { processID }

    package func output() throws -> String { try folder.read("out") }
    package func errors() throws -> String { try folder.read("err") }

    /// How it ended; nil while it runs.
    package var end: End? {
        lock.withLock {
            if ended == nil {
                var state: Int32 = 0
                if waitpid(processID, &state, WNOHANG) == processID {
                    let signal = state & 0x7f
                    ended = End(status: signal == 0 ? (state >> 8) & 0xff : -1, signal: signal)
                }
            }
            return ended
        }
    }

    package var isRunning: Bool { end == nil }

    /// As a power cut: no handler runs.
    package func kill() { send(SIGKILL) }

    package func terminate() { send(SIGTERM) }

    /// As Ctrl-C does.
    package func interrupt() { send(SIGINT) }

    private func send(_ signal: Int32) {
        // A process that was waited for may have given its number to another.
        if end == nil { _ = Glibc.kill(processID, signal) }
    }

    /// Blocks until it ends; kills it after `secondsMax`.
    @discardableResult
    package func wait(secondsMax: Double = 120) -> End {
        let deadline = ContinuousClock.now + .seconds(secondsMax)
        var isOverdue = false
        while true {
            if let end { return end }
            if !isOverdue, ContinuousClock.now > deadline {
                isOverdue = true
                kill()
            }
            usleep(2_000)
        }
    }

    /// As `wait`, without holding up other tests.
    package func untilEnd(secondsMax: Double = 120) async -> End {
        await withCheckedContinuation { continuation in
            Thread.detachNewThread {
                continuation.resume(returning: self.wait(secondsMax: secondsMax))
            }
        }
    }

    /// The first line of what it printed that `matches`, waiting for it at most `secondsMax`; nil if
    /// it ends or the time passes before.
    package func line(secondsMax: Double = 60, where matches: (Substring) -> Bool) throws -> String?
    {
        let deadline = ContinuousClock.now + .seconds(secondsMax)
        while true {
            let wasRunning = isRunning
            let text = try output() + errors()
            // The last piece may be half a line.
            let lines = text.split(separator: "\n", omittingEmptySubsequences: false).dropLast()
            if let line = lines.first(where: matches) { return String(line) }
            guard wasRunning, ContinuousClock.now < deadline else { return nil }
            usleep(10_000)
        }
    }
}
