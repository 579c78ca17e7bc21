import CPosix

/// The folder a device keeps everything in: made with mode 0700, used by one writing process at a time.
package final class StateDirectory {
    package static let standardPath = "/var/lib/shelfcast"
    static let lockName = "agent.lock"
    /// How long a command waits for another to be done.
    static let waitMilliseconds: Int64 = 2_000

    package let path: String
    private let lock: Int32

    /// Takes the folder for this process.
    /// - Throws: `busy` when another process keeps it.
    private init(path: String, lock: Int32) {
        self.path = path
        self.lock = lock
    }

    deinit { _ = shelfcast_close(lock) }

    package enum Access {
        /// This process has the folder.
        case own(StateDirectory)
        /// A running agent answers on its socket.
        case running(LocalConnection)
    }

    private static func checkName(_ path: String) throws(AgentError) {
        guard !path.isEmpty else { throw .usage("the name of the state directory is empty") }
    }

    /// Whether anything was ever joined at `path`.
    package static func exists(_ path: String) -> Bool { shelfcast_file_bytes(path) >= 0 }

    package static func create(_ path: String) throws(AgentError) {
        try checkName(path)
        try actAsOwner(path)
        var at: [UInt8] = []
        let bytes = [UInt8](path.utf8)
        for (index, byte) in bytes.enumerated() {
            at.append(byte)
            let isLast = index == bytes.count - 1
            guard isLast || bytes[index + 1] == UInt8(ascii: "/") else { continue }
            guard byte != UInt8(ascii: "/") || isLast else { continue }
            let folder = String(decoding: at, as: UTF8.self)
            let result = shelfcast_make_directory(folder, isLast ? 0o700 : 0o755)
            guard result == 0 else {
                throw .failed("cannot make the state directory \(folder): \(errorText(result))")
            }
        }
    }

    /// A command of root's would leave files that the agent's own user cannot read.
    private static func actAsOwner(_ path: String) throws(AgentError) {
        let result = shelfcast_act_as_owner(path)
        guard result == 0 else {
            throw .failed("cannot act as the owner of \(path): \(errorText(result))")
        }
    }

    /// The folder for this process alone.
    package static func take(_ path: String) throws(AgentError) -> StateDirectory {
        guard case .own(let directory) = try open(path, acceptsRunning: false) else {
            throw .busy("an agent is running on \(path); stop it first")
        }
        return directory
    }

    /// The folder, or the agent that runs on it.
    package static func open(
        _ path: String, acceptsRunning: Bool = true
    ) throws(AgentError) -> Access {
        try checkName(path)
        guard exists(path) else { throw .notJoined }
        try actAsOwner(path)
        let deadline = AgentClock.steadyMilliseconds() + waitMilliseconds
        while true {
            if acceptsRunning {
                let socket = shelfcast_connect_unix(path + "/" + LocalServer.fileName)
                if socket >= 0 { return .running(LocalConnection(descriptor: socket)) }
            }
            let lock = shelfcast_lock(path + "/" + lockName)
            if lock >= 0 { return .own(StateDirectory(path: path, lock: lock)) }
            guard lock == shelfcast_error_again() else {
                throw .failed(
                    "cannot use the state directory \(path): \(errorText(lock))"
                        + (lock == shelfcast_error_read_only()
                            ? "; mount it writable (a flash that fails turns read-only by itself: replace it)"
                            : ""))
            }
            // Another command is at work, or an agent is just starting.
            guard AgentClock.steadyMilliseconds() < deadline else {
                throw .busy("another process is using \(path); try again")
            }
            _ = shelfcast_poll(nil, 0, 20)
        }
    }
}
