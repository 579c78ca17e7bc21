import Foundation
import Glibc
import HubCore

/// Runs a program of the operator's: no shell, the notice on standard input, nothing else of the hub's open.
struct CommandSender {
    let route: CommandRoute

    func send(_ delivery: AlertDelivery) async throws {
        let process = try start(delivery)
        // Its whole group, so that what it started ends with it.
        var status: Int32 = 0
        for _ in 0..<max(1, route.seconds) * 20 {
            let found = waitpid(process, &status, WNOHANG)
            if found == process { return try judge(status) }
            if found < 0, errno != EINTR { throw SendError.unusable("lost the command") }
            do {
                try await Task.sleep(for: .milliseconds(50))
            } catch {
                break
            }
        }
        kill(-process, SIGKILL)
        while waitpid(process, &status, 0) < 0, errno == EINTR {}
        throw SendError.timeout(seconds: Int64(route.seconds))
    }

    private func judge(_ status: Int32) throws {
        let signal = status & 0x7F
        guard signal == 0 else { throw SendError.refused("a signal ended it: \(signal)") }
        let code = (status >> 8) & 0xFF
        guard code == 0 else { throw SendError.refused("it ended with status \(code)") }
    }

    /// Open files that a new program would have too, besides its three streams.
    private static func inherited() -> [Int32] {
        // Without /proc nothing more is closed than what closes itself.
        let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd")) ?? []
        return names.compactMap { Int32($0) }.filter {
            let flags = fcntl($0, F_GETFD)
            return $0 > STDERR_FILENO && flags >= 0 && flags & FD_CLOEXEC == 0
        }
    }

    private func start(_ delivery: AlertDelivery) throws -> pid_t {
        // A file without a name: a pipe whose reader is gone would be a signal to the hub.
        let folder = NSTemporaryDirectory()
        let anyName = String(repeating: "X", count: 6)
        var template = Array((folder + "/shelfcast-notice-" + anyName).utf8CString)
        let input = mkstemp(&template)
        guard input >= 0 else {
            throw SendError.unusable(
                "cannot write in \(folder): \(String(cString: strerror(errno)))")
        }
        defer { close(input) }
        unlink(template)
        let bytes = Array(delivery.payload.utf8)
        guard write(input, bytes, bytes.count) == bytes.count, lseek(input, 0, SEEK_SET) == 0 else {
            throw SendError.unusable(
                "cannot write in \(folder): \(String(cString: strerror(errno)))")
        }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO)
        posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0)
        posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0)
        for file in Self.inherited() { posix_spawn_file_actions_addclose(&actions, file) }
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        posix_spawnattr_setpgroup(&attributes, 0)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETPGROUP))
        var words = ([route.path] + route.arguments).map { strdup($0) } + [nil]
        defer { for word in words { free(word) } }
        var process: pid_t = 0
        let failure = posix_spawn(&process, route.path, &actions, &attributes, &words, environ)
        guard failure == 0 else {
            throw SendError.unreachable(
                "cannot start \(route.path): \(String(cString: strerror(failure)))")
        }
        return process
    }
}
