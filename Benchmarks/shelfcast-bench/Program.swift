import Foundation

/// Programs that are measured as they ship: processes of their own, run to their end.
enum Program {
    struct Failure: Error, CustomStringConvertible {
        var description: String
    }

    struct Run {
        var seconds: Double
        /// In MB (10⁶ bytes).
        var peakMegabytes: Double
        /// Of standard output; standard error is thrown away.
        var output: String
    }

    /// - Parameter path: searched for in `PATH` where it has no slash.
    /// - Throws: `Failure` when it does not start or ends otherwise than well.
    static func run(_ path: String, _ arguments: [String]) throws -> Run {
        let file = try temporaryFolder() + "/output"
        defer { try? FileManager.default.removeItem(atPath: file) }  // only a leftover
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(
            &actions, STDOUT_FILENO, file, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
        posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0)
        var vector = ([path] + arguments).map { strdup($0) } + [nil]
        defer { for word in vector { free(word) } }
        let start = ContinuousClock.now
        var process: pid_t = 0
        guard posix_spawnp(&process, path, &actions, nil, &vector, environ) == 0 else {
            throw Failure(description: "cannot start \(path)")
        }
        var status: Int32 = 0
        var usage = rusage()
        while wait4(process, &status, 0, &usage) < 0 {
            guard errno == EINTR else { throw Failure(description: "lost \(path)") }
        }
        let seconds = (ContinuousClock.now - start) / .seconds(1)
        guard status == 0 else {
            throw Failure(
                description: "\(path) \(arguments.joined(separator: " ")): wait status \(status)")
        }
        return Run(
            seconds: seconds, peakMegabytes: Double(usage.ru_maxrss) * 1024 / 1e6,
            output: try String(contentsOfFile: file, encoding: .utf8))
    }

    /// This process's own, made when it is first asked for.
    static func temporaryFolder() throws -> String {
        let path = "\(NSTemporaryDirectory())/shelfcast-bench-\(getpid())"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        return path
    }
}
