/// How long to wait before the next try to reach the hub: doubling, bounded, and spread so that a
/// thousand devices do not come back in the same second.
package struct Backoff: Equatable, Sendable {
    package static let millisecondsMin: Int64 = 500
    package static let millisecondsMax: Int64 = 60_000
    /// After the loss of a connection that had come to rest the first try is spread over so long: a hub that went down took
    /// everybody's with it in the same second.
    package static let lostMillisecondsMax: Int64 = 8_000

    private var failures = 0

    package init() {}

    package mutating func succeeded() { failures = 0 }

    /// After a failure: the wait, between half and all of the doubled step.
    /// - Parameter random: any 32 random bits.
    package mutating func failed(random: UInt32) -> Int64 {
        let step = min(Self.millisecondsMin << Int64(min(failures, 16)), Self.millisecondsMax)
        failures += 1
        return Self.spread(step, random: random)
    }

    /// After the loss of a connection that had come to rest: any wait from the least one to `lostMillisecondsMax`.
    package mutating func lost(random: UInt32) -> Int64 {
        failures += 1
        let spread = Self.lostMillisecondsMax - Self.millisecondsMin
        return Self.millisecondsMin + spread * Int64(random & 0xFFFF) / 65_535
    }

    /// After a failure in which the hub may have asked for a wait itself; 0: it has not.
    package mutating func failed(askedMilliseconds: Int64, random: UInt32) -> Int64 {
        max(failed(random: random), Self.asked(milliseconds: askedMilliseconds, random: random))
    }

    /// A wait the hub asked for, at least that long and at most a tenth longer.
    package static func asked(milliseconds: Int64, random: UInt32) -> Int64 {
        milliseconds + milliseconds / 10 * Int64(random & 0xFF) / 255
    }

    private static func spread(_ step: Int64, random: UInt32) -> Int64 {
        step / 2 + step / 2 * Int64(random & 0xFFFF) / 65_535
    }
}
