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

    /// Whether the local clock stands before what has certainly passed.
    package var isBehind: Bool { localMilliseconds < lowerBoundSeconds * 1000 }

    /// The time as well as it can be known: the local clock unless it is plainly wrong, then the hub's as
    /// far as this process has heard it. Nil when neither.
    package var nowMilliseconds: Int64? {
        if !isBehind { return localMilliseconds }
        guard let hubLessSteady else { return nil }
        return shelfcast_steady_milliseconds() + hubLessSteady
    }

    package func noteLowerBound(seconds: Int64) {
        lowerBoundSeconds = max(lowerBoundSeconds, seconds)
    }

    /// The hub said what time it is. Its word moves the lower bound too.
    package func noteHub(milliseconds: Int64) {
        hubLessSteady = milliseconds - shelfcast_steady_milliseconds()
        noteLowerBound(seconds: milliseconds / 1000)
    }

    package static func steadyMilliseconds() -> Int64 { shelfcast_steady_milliseconds() }
}
