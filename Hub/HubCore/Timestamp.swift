/// A moment of the hub's clock, in milliseconds since 1970-01-01 UTC. Always handed in: nothing
/// here reads a clock.
package struct Timestamp: Hashable, Comparable, Sendable, Codable {
    package var millisecondsSince1970: Int64

    package init(millisecondsSince1970: Int64) {
        self.millisecondsSince1970 = millisecondsSince1970
    }

    package static func < (a: Timestamp, b: Timestamp) -> Bool {
        a.millisecondsSince1970 < b.millisecondsSince1970
    }

    package func advanced(bySeconds seconds: Int64) -> Timestamp {
        Timestamp(millisecondsSince1970: millisecondsSince1970 + seconds * 1000)
    }
}
