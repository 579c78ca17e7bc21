import AgentCore
import CPosix

/// What started this process and wants to hear from it, where something does: systemd's sd_notify(3), a datagram to the
/// socket that the environment names. Without one, nothing happens.
package struct Supervisor {
    private var watchdog: Watchdog?

    /// - Parameter now: steady milliseconds.
    package init(now: Int64) {
        guard let microseconds = Self.number("WATCHDOG_USEC"),
            // Ten years: what is longer is no watchdog.
            (1000...315_360_000_000_000).contains(microseconds)
        else { return }
        // The variables may be another process's, whose child this is.
        if shelfcast_environment("WATCHDOG_PID") != nil {
            guard Self.number("WATCHDOG_PID") == UInt64(shelfcast_process_id()) else { return }
        }
        watchdog = Watchdog(intervalMilliseconds: Int64(microseconds) / 1000, now: now)
    }

    private static func number(_ name: String) -> UInt64? {
        guard let text = shelfcast_environment(name) else { return nil }
        return decimal([UInt8](String(cString: text).utf8))
    }

    package func isReady() { tell("READY=1") }
    package func isStopping() { tell("STOPPING=1") }
    /// One line for `systemctl status`.
    package func status(_ text: String) { tell("STATUS=" + text) }

    /// Before a pause of at most `milliseconds`, and with 0 after it.
    package mutating func pauses(now: Int64, milliseconds: Int32) {
        guard let allowed = watchdog?.isTold(now: now, pause: Int64(milliseconds)) else { return }
        tell("WATCHDOG=1\nWATCHDOG_USEC=\(allowed * 1000)")
    }

    /// Nobody waits for an answer, and a supervisor that does not listen changes nothing here.
    private func tell(_ text: String) { _ = shelfcast_notify(text) }
}
