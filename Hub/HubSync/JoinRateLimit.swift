/// How fast strangers may try to join, over all connections: a token bucket. It protects the hub's
/// time, not the secrets, which are 128 bits of randomness. Time is handed in, in milliseconds of any
/// clock that does not go back.
package struct JoinRateLimit: Sendable {
    package let burstMax: Int
    package let perSecond: Int
    private var thousandths: Int
    private var lastMilliseconds: Int64?

    /// - Parameters:
    ///   - burstMax: attempts that may come at once, 1 to 1,000,000.
    ///   - perSecond: attempts regained in a second, 1 to 1,000,000.
    package init(burstMax: Int = 200, perSecond: Int = 20) {
        precondition((1...1_000_000).contains(burstMax) && (1...1_000_000).contains(perSecond))
        self.burstMax = burstMax
        self.perSecond = perSecond
        thousandths = burstMax * 1000
    }

    /// Counts one attempt; false when it has to come back later.
    package mutating func admit(atMilliseconds now: Int64) -> Bool {
        let elapsed = max(0, now - (lastMilliseconds ?? now))
        lastMilliseconds = max(now, lastMilliseconds ?? now)
        // A day refills any bucket; more could overflow below.
        let regained = Int(min(elapsed, 86_400_000)) * perSecond
        thousandths = min(burstMax * 1000, thousandths + regained)
        guard thousandths >= 1000 else { return false }
        thousandths -= 1000
        return true
    }

    /// After this many seconds an attempt has a chance again.
    package var retryAfterSeconds: UInt32 { UInt32(max(1, burstMax / perSecond)) }
}
