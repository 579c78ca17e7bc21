/// Figures as people read them. Rounded half away from zero in decimal, not by the C library, so
/// that a reason or a report reads the same on every machine.
package enum Figure {
    /// `12.63 %`; "n/a" for nil and for what is no finite number.
    package static func percent(_ value: Double?, decimals: Int = 2) -> String {
        let digits = fixed(value, decimals: decimals)
        return digits == "n/a" ? digits : digits + " %"
    }

    /// `850 ns`, `4.37 µs`, `12.00 ms`.
    package static func time(_ nanoseconds: Int) -> String {
        guard nanoseconds >= 1000 else { return "\(nanoseconds) ns" }
        let (unit, name) = nanoseconds < 1_000_000 ? (1e3, "µs") : (1e6, "ms")
        return fixed(Double(nanoseconds) / unit, decimals: 2) + " " + name
    }

    /// `value` with exactly `decimals` (0 to 6) digits after the point; "n/a" for nil and for what
    /// is no finite number below 10¹².
    package static func fixed(_ value: Double?, decimals: Int) -> String {
        guard let value, value.isFinite, value.magnitude < 1e12 else { return "n/a" }
        var power: Int64 = 1
        for _ in 0..<max(0, min(decimals, 6)) { power *= 10 }
        let scaled = Int64((value.magnitude * Double(power)).rounded(.toNearestOrAwayFromZero))
        let sign = value < 0 && scaled != 0 ? "-" : ""
        guard power > 1 else { return "\(sign)\(scaled)" }
        let fraction = String(scaled % power)
        let zeros = String(repeating: "0", count: String(power).count - 1 - fraction.count)
        return "\(sign)\(scaled / power).\(zeros)\(fraction)"
    }
}
