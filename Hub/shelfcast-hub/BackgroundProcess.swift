import Foundation

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// A command of this program in a process of its own. It inherits no file but standard error, which its output goes to, so
/// that it holds no port or database of its parent; matrix products take one core.
enum BackgroundProcess {
    private static let lookEvery = Duration.milliseconds(200)
    /// From being asked to end until it is ended.
    private static let graceSeconds = 2
    /// Files that others may open while it is started.
    private static let filesMargin: Int32 = 64

    /// - Returns: its exit status, or 128 and the signal that ended it.
    /// - Throws: `CommandFailure` when it cannot be started; `CancellationError` when the caller was cancelled: then it has
    ///   ended.
    static func run(_ arguments: [String], secondsMax: Int) async throws -> Int32 {
        let process = try spawn(arguments)
        let end = ContinuousClock.now + .seconds(secondsMax)
        do {
            while true {
                if let status = ended(process) { return status }
                if ContinuousClock.now > end { kill(process, SIGKILL) }
                try await Task.sleep(for: lookEvery)
            }
        } catch {
            stop(process)
            throw error
        }
    }

    private static func spawn(_ arguments: [String]) throws -> pid_t {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_adddup2(&actions, STDERR_FILENO, STDOUT_FILENO)
        // One that is not open is no error.
        for file in STDERR_FILENO + 1...highestOpenFile + filesMargin {
            posix_spawn_file_actions_addclose(&actions, file)
        }
        var words = (["shelfcast-hub"] + arguments).map { strdup($0) } + [nil]
        var variables: [UnsafeMutablePointer<CChar>?] = []
        var next = environ
        while let variable = next.pointee {
            if strncmp(variable, "OPENBLAS_NUM_THREADS=", 21) != 0 {
                variables.append(strdup(variable))
            }
            next += 1
        }
        variables += [strdup("OPENBLAS_NUM_THREADS=1"), nil]
        defer { for text in words + variables { free(text) } }
        var process: pid_t = 0
        // The program that runs, even if another version has taken its place on disk.
        let code = posix_spawn(&process, "/proc/self/exe", &actions, nil, &words, &variables)
        guard code == 0 else {
            throw CommandFailure(
                .failed, "cannot start a process for it: \(String(cString: strerror(code)))")
        }
        return process
    }

    private static var highestOpenFile: Int32 {
        // Without the list a few are closed blindly.
        let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd")) ?? []
        return names.compactMap { Int32($0) }.max() ?? 1024
    }

    /// Nil: it goes on.
    private static func ended(_ process: pid_t) -> Int32? {
        var status: Int32 = 0
        guard waitpid(process, &status, WNOHANG) == process else { return nil }
        let signal = status & 0x7F
        return signal == 0 ? (status >> 8) & 0xFF : 128 + signal
    }

    /// By what Ctrl-C sends, so that it says what it was doing; then by force. Two seconds at most.
    private static func stop(_ process: pid_t) {
        kill(process, SIGINT)
        for _ in 0..<graceSeconds * 20 {
            if ended(process) != nil { return }
            usleep(50_000)
        }
        kill(process, SIGKILL)
        var status: Int32 = 0
        waitpid(process, &status, 0)
    }
}
