/// How a watchdog that restarts what hangs is kept content without a wake-up of its own: before each pause it is told
/// how long the pause may last.
package struct Watchdog: Equatable, Sendable {
    /// For what is done between two pauses.
    package let intervalMilliseconds: Int64
    /// When it would strike, in steady milliseconds.
    private var strikesAt: Int64

    /// - Parameter now: the watchdog counts from here.
    package init(intervalMilliseconds: Int64, now: Int64) {
        self.intervalMilliseconds = intervalMilliseconds
        strikesAt = now + intervalMilliseconds
    }

    /// Call before a pause of at most `pause`, and with 0 after it.
    /// - Returns: after how many milliseconds it must strike now, or nil when what it was told before still does: half an
    ///   interval is left after the pause, and no more than two.
    package mutating func isTold(now: Int64, pause: Int64) -> Int64? {
        let left = strikesAt - now - pause
        guard left < intervalMilliseconds / 2 || left > 2 * intervalMilliseconds else { return nil }
        strikesAt = now + pause + intervalMilliseconds
        return pause + intervalMilliseconds
    }
}
