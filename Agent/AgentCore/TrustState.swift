/// What a device trusts of its hub's repository. Times are seconds since 1970 UTC; versions are 0 for what is not there.
package struct TrustState: Equatable, Sendable {
    package var root: UInt64 = 0
    package var timestamp: UInt64 = 0
    package var snapshot: UInt64 = 0
    package var targets: UInt64 = 0
    package var rootExpires: Int64 = 0
    package var timestampExpires: Int64 = 0
    /// When this version of timestamp came to be trusted.
    package var timestampSince: Int64 = 0
    /// The latest time at which root and timestamp were current. It is written anew after a day.
    package var proven: Int64 = 0

    package init() {}

    /// Whether a newer timestamp is due: half of this one's life here is over. That is once in a week, where hubs sign for
    /// two.
    package func wantsTimestamp(at now: Int64) -> Bool {
        timestamp == 0
            || now >= timestampSince + (timestampExpires - timestampSince) / 2
    }

    /// When what is trusted ceases to be.
    package var expires: Int64 {
        timestamp == 0 ? rootExpires : min(rootExpires, timestampExpires)
    }

    package func isExpired(at now: Int64) -> Bool { root > 0 && now >= expires }
}
