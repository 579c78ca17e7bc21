/// How a series sells, by how often and how evenly (Syntetos and Boylan 2005).
package enum DemandClass: UInt8, CaseIterable, Hashable, Sendable {
    /// Often, and alike.
    case smooth
    /// Often, and unlike.
    case erratic
    /// Seldom, and alike.
    case intermittent
    /// Seldom, and unlike.
    case lumpy

    /// A series sells seldom from so many days per day with sales on.
    package static let intervalDaysMin = 1.32
    /// And unlike from this squared coefficient of variation of the days with sales on.
    package static let variationSquaredMin = 0.49

    package var name: String {
        switch self {
        case .smooth: "smooth"
        case .erratic: "erratic"
        case .intermittent: "intermittent"
        case .lumpy: "lumpy"
        }
    }

    /// - Parameter history: units of every known day, none negative; training days only, where a forecast is judged.
    /// - Returns: nil when nothing was ever sold.
    package init?(history: [Double]) {
        var (count, sum, squares) = (0.0, 0.0, 0.0)
        for units in history where units > 0 {
            count += 1
            sum += units
            squares += units * units
        }
        guard count > 0 else { return nil }
        let mean = sum / count
        // Of one day with sales nothing is known of how they vary.
        let variance = count > 1 ? max(0, squares - sum * mean) / (count - 1) : 0
        let isSeldom = Double(history.count) / count >= Self.intervalDaysMin
        let isUneven = variance / (mean * mean) >= Self.variationSquaredMin
        switch (isSeldom, isUneven) {
        case (false, false): self = .smooth
        case (false, true): self = .erratic
        case (true, false): self = .intermittent
        case (true, true): self = .lumpy
        }
    }
}
