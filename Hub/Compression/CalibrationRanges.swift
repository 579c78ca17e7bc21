import Forecasting

/// How large inputs and states become over the calibration windows, in the float network.
struct CalibrationRanges {
    /// `[I]` above 0. A column that stays within ±1 (one-hot, sine, cosine) has 1: a day type the calibration did not
    /// see then still fits, and a one-hot column is exact.
    private(set) var inputs: [Double]
    private(set) var cell = 0.0
    private(set) var hidden = 0.0

    init(_ parameters: NetworkParameters, windows: [[Float]], inputShareKept: Double) {
        let width = parameters.inputWidth
        inputs = (0..<width).map { column in
            let sizes = windows.flatMap { window in
                stride(from: column, to: window.count, by: width).map { abs(Double(window[$0])) }
            }.sorted()
            let largest = sizes[sizes.count - 1]
            // The demand column's own range counts: most demand is within ±1 of its level, and finer steps serve it.
            if column > 0, largest <= 1 { return 1 }
            let kept = sizes[max(Int((Double(sizes.count) * inputShareKept).rounded(.up)) - 1, 0)]
            return max(kept, 0.125)
        }
        for window in windows { run(parameters, window) }
    }

    private mutating func run(_ parameters: NetworkParameters, _ window: [Float]) {
        var recurrence = FloatRecurrence(parameters)
        for day in 0..<window.count / parameters.inputWidth {
            recurrence.step(day: day, of: window)
            for value in recurrence.cell { cell = max(cell, Double(abs(value))) }
            for value in recurrence.hidden { hidden = max(hidden, Double(abs(value))) }
        }
    }
}
