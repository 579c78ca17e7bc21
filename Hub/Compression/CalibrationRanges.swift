import Forecasting

/// How far the integers of inputs and states reach, decided on calibration windows. Everything is symmetric about 0.
package enum RangeRule: Hashable, Sendable {
    /// The largest value seen still fits (minimum and maximum).
    case largest
    /// A share of the values, by size, fits: above 0.5, at most 1 (percentile).
    case share(Double)
    /// The square error of rounding and of saturating together is least.
    case leastSquares

    package init(_ range: RecipeStep.Range) {
        switch range {
        case .minmax: self = .largest
        case .percentile: self = .share(0.999)
        case .error: self = .leastSquares
        }
    }
}

/// How large inputs and states become over the calibration windows, in the float network.
struct CalibrationRanges {
    /// `[I]` above 0: what 127 steps stand for. A column that stays within ±1 (one-hot, sine, cosine) has 1: a day type
    /// the calibration did not see then still fits, and a one-hot column is exact.
    private(set) var inputs: [Double] = []
    /// The largest; with 16 bits nothing is won by cutting it off.
    private(set) var cell = 0.0
    /// Sizes of all states of all days, rising.
    private var hidden: [Double] = []
    private let rule: RangeRule

    init(_ parameters: NetworkParameters, windows: [[Float]], rule: RangeRule) {
        self.rule = rule
        let width = parameters.inputWidth
        inputs = (0..<width).map { column in
            let sizes = windows.flatMap { window in
                stride(from: column, to: window.count, by: width).map { abs(Double(window[$0])) }
            }.sorted()
            // The demand column's own range counts: most demand is within ±1 of its level, and finer steps serve it.
            if column > 0, sizes[sizes.count - 1] <= 1 { return 1 }
            // A column that is always 0, or nearly, has no range of its own.
            return max(Self.range(sizes, rule), 0.125)
        }
        for window in windows { run(parameters, window) }
        hidden.sort()
    }

    private mutating func run(_ parameters: NetworkParameters, _ window: [Float]) {
        var recurrence = FloatRecurrence(parameters)
        for day in 0..<window.count / parameters.inputWidth {
            recurrence.step(day: day, of: window)
            for value in recurrence.cell { cell = max(cell, Double(abs(value))) }
            for value in recurrence.hidden { hidden.append(Double(abs(value))) }
        }
    }

    /// The most fraction bits with which the hidden states fit an int8, as the rule understands it.
    func hiddenFractionBits(within range: ClosedRange<Int>) -> Int {
        switch rule {
        case .largest, .share:
            Self.fractionBits(holding: Self.range(hidden, rule), within: range, largest: 127)
        case .leastSquares:
            range.min { a, b in
                func error(_ bits: Int) -> Double {
                    Self.squareError(hidden, range: 127 / Double(1 << bits))
                }
                return (error(a), a) < (error(b), b)
            }!
        }
    }

    /// The most fraction bits with which `value` is at most `largest` units.
    static func fractionBits(
        holding value: Double, within range: ClosedRange<Int>, largest: Double
    ) -> Int {
        range.last { value * Double(1 << $0) <= largest } ?? range.lowerBound
    }

    /// - Parameter sizes: rising, at least one.
    private static func range(_ sizes: [Double], _ rule: RangeRule) -> Double {
        let largest = sizes[sizes.count - 1]
        switch rule {
        case .largest: return largest
        case .share(let share):
            return sizes[max(Int((Double(sizes.count) * share).rounded(.up)) - 1, 0)]
        case .leastSquares:
            let candidates = (1...64).map { largest * Double($0) / 64 }
            return candidates.min {
                squareError(sizes, range: $0) < squareError(sizes, range: $1)
            }!
        }
    }

    /// Of int8 steps that reach up to `range`.
    private static func squareError(_ sizes: [Double], range: Double) -> Double {
        guard range > 0 else { return 0 }
        let step = range / 127
        return sizes.reduce(0) { sum, size in
            let error = min((size / step).rounded(), 127) * step - size
            return sum + error * error
        }
    }
}
