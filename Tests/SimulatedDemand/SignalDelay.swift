/// Days from a shift to its signal, over many runs.
package struct SignalDelay: Sendable {
    /// What is not seen within so many days counts as so many.
    package static let daysMax = 120

    private var days: [Int] = []
    private var seen = 0

    package init() {}

    /// - Parameter days: nil: it was not seen.
    mutating func add(days: Int?) {
        self.days.append(min(days ?? Self.daysMax, Self.daysMax))
        if days != nil { seen += 1 }
    }

    package var meanDays: Double { Double(days.reduce(0, +)) / Double(days.count) }
    /// The upper of the two in the middle.
    package var medianDays: Double { Double(days.sorted()[days.count / 2]) }
    package var seenShare: Double { Double(seen) / Double(days.count) }
}
