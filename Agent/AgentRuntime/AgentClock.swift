import CPosix

/// The wall clock, and what is known of how wrong it is. A test gives it fixed times.
package final class AgentClock {
    /// Certainly in the past when this was written: 2026-01-01.
    package static let floorSeconds: Int64 = 1_767_225_600

    private let fixedMilliseconds: Int64?
    /// Seconds that are certainly in the past: the hub's own clock at our last exchange, or the floor.
    package private(set) var lowerBoundSeconds = floorSeconds
    /// The hub's clock less our steady one, once this process has heard it.
    private var hubLessSteady: Int64?

    package init(fixedMilliseconds: Int64? = nil) {
        self.fixedMilliseconds = fixedMilliseconds
    }

    private var localMilliseconds: Int64 { fixedMilliseconds ?? shelfcast_clock_milliseconds() }

    /// By more than this beyond what has certainly passed, a clock that no hub has confirmed is wrong: no
    /// device goes on for 400 days without its hub.
    package static let aheadSecondsMax: Int64 = 400 * 86_400
    /// By more than this beyond the hub's, the local clock is wrong.
    static let aheadOfHubMilliseconds: Int64 = 300_000
    /// Nothing speaks of a time after 2199, hubs and databases included.
    static let ceilingSeconds: Int64 = 7_258_118_400

    /// Whether the local clock stands before what has certainly passed.
    package var isBehind: Bool { localMilliseconds < lowerBoundSeconds * 1000 }

    /// Whether the local clock stands at what cannot have come.
    package var isAhead: Bool {
        if let hubMilliseconds {
            return localMilliseconds > hubMilliseconds + Self.aheadOfHubMilliseconds
        }
        return localMilliseconds > latestMilliseconds
    }

    package var isWrong: Bool { isBehind || isAhead }

    /// As far as anybody can know without a clock: it is not later.
    package var latestMilliseconds: Int64 { (lowerBoundSeconds + Self.aheadSecondsMax) * 1000 }

    /// Seconds since 1970 by which metadata expires: never before `proven`, and rather too late than too early. A hub that
    /// tells an old time hides no expiry from a device with a clock of its own; one that tells a time to come
    /// keeps a device from updates only as long as it does so.
    /// - Parameter proven: a time at which signed metadata was current: it has passed.
    package func secondsForTrust(proven: Int64) -> Int64 {
        var certain = max(proven, Self.floorSeconds)
        if let hubMilliseconds { certain = max(certain, hubMilliseconds / 1000) }
        let local = localMilliseconds / 1000
        return local > certain && local <= certain + Self.aheadSecondsMax ? local : certain
    }

    package var hasHeardHub: Bool { hubLessSteady != nil }

    private var hubMilliseconds: Int64? {
        hubLessSteady.map { shelfcast_steady_milliseconds() + $0 }
    }

    /// The time as well as it can be known: the local clock unless it is plainly wrong, then the hub's as
    /// far as this process has heard it. Nil when neither.
    package var nowMilliseconds: Int64? { isWrong ? hubMilliseconds : localMilliseconds }

    package func noteLowerBound(seconds: Int64) {
        guard seconds <= Self.ceilingSeconds else { return }
        lowerBoundSeconds = max(lowerBoundSeconds, seconds)
    }

    /// The hub said what time it is. Its word moves the lower bound too.
    package func noteHub(milliseconds: Int64) {
        guard (0...Self.ceilingSeconds * 1000).contains(milliseconds) else { return }
        hubLessSteady = milliseconds - shelfcast_steady_milliseconds()
        noteLowerBound(seconds: milliseconds / 1000)
    }

    package static func steadyMilliseconds() -> Int64 { shelfcast_steady_milliseconds() }
}
