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
        let (I, H) = (parameters.inputWidth, parameters.units)
        var (h, c) = ([Float](repeating: 0, count: H), [Float](repeating: 0, count: H))
        var z = [Float](repeating: 0, count: 4 * H)
        for t in 0..<window.count / I {
            for row in 0..<4 * H {
                var sum = parameters.bias[row]
                for i in 0..<I { sum += parameters.inputKernel[row * I + i] * window[t * I + i] }
                for j in 0..<H { sum += parameters.recurrentKernel[row * H + j] * h[j] }
                z[row] = sum
            }
            for j in 0..<H {
                func gate(_ gate: Gate) -> Float { z[gate.rawValue * H + j] }
                c[j] =
                    sigmoid(gate(.forget)) * c[j] + sigmoid(gate(.input))
                    * hyperbolicTangent(gate(.candidate))
                h[j] = sigmoid(gate(.output)) * hyperbolicTangent(c[j])
                cell = max(cell, Double(abs(c[j])))
                hidden = max(hidden, Double(abs(h[j])))
            }
        }
    }
}
