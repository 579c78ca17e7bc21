/// What a device spends on being in touch: bytes of a link that is paid for, and a battery's charge. Decides; counts
/// what it is told, and reads no clock.
package struct Thrift: Equatable, Sendable {
    /// Of all bytes over the wire in one day (UTC), both ways, TLS included; nil: any. A contact that has begun may go
    /// beyond by one message.
    package var dataBytesMax: UInt64?
    /// The link is paid for by the byte: an update that would take more than `meteredBytesMax` waits until somebody asks for it.
    package var isMetered = false
    /// Of an update over a link that is paid for by the byte, where the hub allows nothing else. By default less than what a
    /// day of sales takes.
    package var meteredBytesMax: UInt64 = 8192
    /// On battery, from here down a device is sparing; 0: never.
    package var lowBatteryPercent: UInt32 = 0

    /// Days since 1970-01-01, and what went over the wire on it.
    package private(set) var day: Int32 = 0
    package private(set) var bytes: UInt64 = 0

    /// At low battery visits are so much rarer, and at least daily.
    static let stretch: Int64 = 4
    static let waitMillisecondsMax: Int64 = 86_400_000

    package init() {}

    /// A day and its bytes as one number, for keeping.
    package var kept: Int64 { Int64(day) << 40 | Int64(min(bytes, 1 << 40 - 1)) }

    package mutating func restore(_ kept: Int64) {
        day = Int32(clamping: kept >> 40)
        bytes = UInt64(kept & (1 << 40 - 1))
    }

    /// - Parameter day: today; one that is over by the count is not begun again by a clock that goes back.
    package mutating func count(_ more: UInt64, on day: Int32) {
        begin(day)
        bytes = min(bytes + min(more, 1 << 40), 1 << 40 - 1)
    }

    package mutating func begin(_ day: Int32) {
        guard day > self.day else { return }
        (self.day, bytes) = (day, 0)
    }

    /// Whether there may be a contact at all today.
    package var mayTalk: Bool { dataBytesMax.map { bytes < $0 } ?? true }

    /// What keeps an update from being fetched now; nil: nothing. A quarter of the day's bytes is kept for sales and closes.
    /// - Parameters:
    ///   - bytes: that it would take from first to last.
    ///   - terms: the hub's.
    ///   - isAsked: a person on the device asked for it.
    ///   - batteryPercent: 0 where no battery is in use.
    package func hold(
        bytes: UInt64, terms: UpdateTerms, isAsked: Bool, batteryPercent: UInt32
    ) -> FetchHold? {
        if terms.fetchBytesMax > 0, bytes > terms.fetchBytesMax {
            return .update(bytesMax: terms.fetchBytesMax)
        }
        if let dataBytesMax, self.bytes >= dataBytesMax / 4 * 3 { return .day }
        if isAsked { return nil }
        let most = terms.meteredBytesMax > 0 ? terms.meteredBytesMax : meteredBytesMax
        if isMetered, bytes > most { return .metered(bytesMax: most) }
        return isLow(batteryPercent) ? .battery : nil
    }

    package func isLow(_ batteryPercent: UInt32) -> Bool {
        batteryPercent > 0 && batteryPercent <= lowBatteryPercent
    }

    /// How long to stay away when the hub has asked for `milliseconds`: rarer at low battery, never more than a day for that.
    package func wait(asked milliseconds: Int64, batteryPercent: UInt32) -> Int64 {
        guard isLow(batteryPercent) else { return milliseconds }
        return max(milliseconds, min(milliseconds * Self.stretch, Self.waitMillisecondsMax))
    }

    /// Whether a device with urgent news goes now, to a visit that is due soon, instead of waking its radio twice.
    /// - Parameters:
    ///   - left: milliseconds to the visit.
    ///   - interval: from the last visit to it.
    package func mayGoEarly(left: Int64, interval: Int64, batteryPercent: UInt32) -> Bool {
        !isLow(batteryPercent) && left <= interval / 4
    }
}

/// What keeps an update from being fetched.
package enum FetchHold: Equatable, Sendable {
    /// More than the hub allows for it.
    case update(bytesMax: UInt64)
    /// Most of what the day's ceiling allows is used.
    case day
    /// More than may go over a link that is paid for by the byte.
    case metered(bytesMax: UInt64)
    case battery

    /// Ends by itself: the hub need not hear of it.
    package var passes: Bool {
        switch self {
        case .day, .battery: true
        case .update, .metered: false
        }
    }

    /// - Parameter bytes: that the update would take.
    package func text(bytes: UInt64) -> String {
        switch self {
        case .update(let most):
            "it takes \(bytes) bytes, and this update may fetch at most \(most)"
        case .day: "it waits for tomorrow (UTC): three quarters of the day's data ceiling are used"
        case .metered(let most):
            "it takes \(bytes) bytes, and over a metered link an update may fetch at most \(most)"
        case .battery: "it waits for power: the battery is low"
        }
    }
}
