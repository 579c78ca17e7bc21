/// What a device spends on being in touch: bytes of a link that is paid for, and a battery's charge. Decides; counts
/// what it is told, and reads no clock.
package struct Thrift: Equatable, Sendable {
    /// Of all bytes over the wire in one day (UTC), both ways, TLS included; nil: any. A contact that has begun may go
    /// beyond by one message.
    package var dataBytesMax: UInt64?
    /// The link is paid for by the byte: packages wait until somebody asks for them, or are small.
    package var isMetered = false
    /// On battery, from here down a device is sparing; 0: never.
    package var lowBatteryPercent: UInt32 = 0

    /// Days since 1970-01-01, and what went over the wire on it.
    package private(set) var day: Int32 = 0
    package private(set) var bytes: UInt64 = 0

    /// A package up to here is small: less than what a day of sales takes.
    package static let smallPackageBytes: UInt64 = 8192
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

    /// Whether a package may be fetched now. A quarter of the day's bytes is kept for sales and closes.
    /// - Parameters:
    ///   - isAsked: a person on the device asked for it.
    ///   - batteryPercent: 0 where no battery is in use.
    package func mayFetch(packageBytes: UInt64, isAsked: Bool, batteryPercent: UInt32) -> Bool {
        if let dataBytesMax, bytes >= dataBytesMax / 4 * 3 { return false }
        if isAsked { return true }
        if isMetered, packageBytes > Self.smallPackageBytes { return false }
        return !isLow(batteryPercent)
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
