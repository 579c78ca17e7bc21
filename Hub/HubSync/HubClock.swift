package import FoundationEssentials
package import HubCore

/// The hub's clock and dice, handed in so that tests decide both.
package struct HubClock: Sendable {
    package var now: @Sendable () -> Timestamp
    /// A number within the range, for spreading visits.
    package var random: @Sendable (ClosedRange<UInt32>) -> UInt32

    package init(
        now: @escaping @Sendable () -> Timestamp,
        random: @escaping @Sendable (ClosedRange<UInt32>) -> UInt32
    ) {
        self.now = now
        self.random = random
    }

    package static let system = HubClock(
        now: { Timestamp(Date()) }, random: { UInt32.random(in: $0) })
}

extension Timestamp {
    package init(_ date: Date) {
        self.init(millisecondsSince1970: Int64((date.timeIntervalSince1970 * 1000).rounded()))
    }

    package var date: Date { Date(timeIntervalSince1970: Double(millisecondsSince1970) / 1000) }
}
