/// A fraction as people read it: `12.63 %`. Rounded half away from zero in decimal, not by the C library,
/// so that a reason or a report reads the same on every machine.
package struct Percent: Hashable, Sendable {
  package var fraction: Double
  package var decimals: Int

  package init(_ fraction: Double, decimals: Int = 2) {
    self.fraction = fraction
    self.decimals = decimals
  }

  /// "n/a" for anything that is no finite number.
  package var text: String {
    let digits = self.digits
    return digits == "n/a" ? digits : digits + " %"
  }

  /// The figure without its sign of percent, as tables with a header want it.
  package var digits: String { Self.fixed(fraction * 100, decimals: decimals) }

  /// `value` with exactly `decimals` (0 to 6) digits after the point.
  package static func fixed(_ value: Double, decimals: Int) -> String {
    guard value.isFinite, value.magnitude < 1e12 else { return "n/a" }
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
