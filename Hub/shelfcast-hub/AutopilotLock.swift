#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// One run at a time: a lock on a file, which the system lets go when its process ends, however it ends. Who holds it
/// knows that every run that seems to go on was cut off.
final class AutopilotLock {
    private let descriptor: Int32

    /// - Returns: nil: another process holds it.
    /// - Throws: `CommandFailure`.
    init?(dataDirectory: String) throws {
        let path = dataDirectory + "/autopilot.lock"
        descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else {
            throw CommandFailure(
                .failed, "cannot open \(path): \(String(cString: strerror(errno)))")
        }
        while flock(descriptor, LOCK_EX | LOCK_NB) != 0 {
            if errno == EINTR { continue }
            close(descriptor)
            return nil
        }
    }

    deinit { close(descriptor) }
}
