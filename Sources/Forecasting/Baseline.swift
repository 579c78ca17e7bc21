/// The forecasts anybody can make without a model: what a model has to beat, on the same days.
package enum Baseline: Hashable, Sendable {
    /// As much as on the last known day.
    case naive
    /// As much as on the same weekday of the last week that is known.
    case seasonalNaive
    /// The mean of the known ones among the last `days` days.
    case movingAverage(days: Int)
    /// The mean of the known ones among the days one and two weeks before.
    case meanOfLags7And14

    package static let all: [Baseline] = [
        .naive, .seasonalNaive, .movingAverage(days: 7), .movingAverage(days: 14),
        .meanOfLags7And14,
    ]

    /// How far back a baseline looks for a known day.
    package static let lookBackDaysMax = 28

    package var name: String {
        switch self {
        case .naive: "naive"
        case .seasonalNaive: "seasonal naive"
        case .movingAverage(let days): "mean of \(days) days"
        case .meanOfLags7And14: "mean of lags 7 and 14"
        }
    }

    /// - Parameter units: what was sold `lag` days before the target, nil where not known; asked for lags
    ///   1...`lookBackDaysMax` only (a moving average: 1...`days`).
    /// - Returns: nil when none of the days it needs is known.
    package func forecast(unitsBefore units: (_ lag: Int) -> Double?) -> Double? {
        switch self {
        case .naive: Self.first(of: stride(from: 1, through: Self.lookBackDaysMax, by: 1), units)
        case .seasonalNaive:
            Self.first(of: stride(from: 7, through: Self.lookBackDaysMax, by: 7), units)
        case .movingAverage(let days): Self.mean(of: stride(from: 1, through: days, by: 1), units)
        case .meanOfLags7And14: Self.mean(of: stride(from: 7, through: 14, by: 7), units)
        }
    }

    private static func first(
        of lags: StrideThrough<Int>, _ units: (_ lag: Int) -> Double?
    ) -> Double? {
        for lag in lags {
            if let known = units(lag) { return known }
        }
        return nil
    }

    private static func mean(
        of lags: StrideThrough<Int>, _ units: (_ lag: Int) -> Double?
    ) -> Double? {
        var sum = 0.0
        var count = 0
        for lag in lags {
            guard let known = units(lag) else { continue }
            sum += known
            count += 1
        }
        return count > 0 ? sum / Double(count) : nil
    }
}
