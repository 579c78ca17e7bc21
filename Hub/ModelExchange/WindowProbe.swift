import Forecasting
import Training

/// Runs a graph on windows of ours, in the layout it asks for.
struct WindowProbe {
    enum Order {
        /// `[B, T, I]`
        case batchFirst
        /// `[T, B, I]`
        case timeFirst
        /// `[T, I]`
        case single
    }

    static let batchMax = 64

    let evaluator: ONNXEvaluator
    let input: String
    let output: String
    let order: Order
    /// B
    let batch: Int
    /// T
    let window: Int
    /// I
    let width: Int

    private var shape: [Int] {
        switch order {
        case .batchFirst: [batch, window, width]
        case .timeFirst: [window, batch, width]
        case .single: [window, width]
        }
    }

    /// Every way windows fit the shape the input states.
    /// - Parameter window: nil: as the input states it, else 14.
    static func all(
        _ evaluator: ONNXEvaluator, input: ONNXValue, output: String, window: Int?, width: Int
    ) -> [WindowProbe] {
        func probe(_ order: Order, batch: Int?, window stated: Int?) -> WindowProbe? {
            guard window == nil || stated == nil || window == stated else { return nil }
            // A fixed number beside an open one is the days: nobody fixes the batch alone.
            guard batch == nil || batch == 1 || stated != nil else { return nil }
            let window = window ?? stated ?? 14
            guard FeatureSpec.windowRange.contains(window), (1...batchMax).contains(batch ?? 1)
            else { return nil }
            return WindowProbe(
                evaluator: evaluator, input: input.name, output: output, order: order,
                batch: batch ?? 1, window: window, width: width)
        }
        guard let dimensions = input.shape else {
            return [
                probe(.batchFirst, batch: nil, window: nil),
                probe(.timeFirst, batch: nil, window: nil),
            ].compactMap(\.self)
        }
        let sizes = dimensions.map { dimension in
            if case .fixed(let size) = dimension { size } else { nil as Int? }
        }
        guard let last = sizes.last, last == nil || last == width else { return [] }
        return switch sizes.count {
        case 3:
            [
                probe(.batchFirst, batch: sizes[0], window: sizes[1]),
                probe(.timeFirst, batch: sizes[1], window: sizes[0]),
            ].compactMap(\.self)
        case 2: [probe(.single, batch: nil, window: sizes[0])].compactMap(\.self)
        default: []
        }
    }

    /// - Returns: B windows of `[T, I]` within -2...2.
    func windows(_ random: inout SeededRandom) -> [[Float]] {
        (0..<batch).map { _ in (0..<window * width).map { _ in 4 * random.unit() - 2 } }
    }

    /// - Parameter windows: B of `[T, I]`.
    func run(_ windows: [[Float]]) throws(ExchangeError) -> [String: Tensor] {
        precondition(windows.count == batch && windows.allSatisfy { $0.count == window * width })
        var values: [Float] = []
        if order == .timeFirst {
            for day in 0..<window {
                for row in windows { values += row[day * width..<(day + 1) * width] }
            }
        } else {
            values = Array(windows.joined())
        }
        return try evaluator.run([input: Tensor(shape, values)])
    }

    /// - Returns: the output of each window; nil: it is not one number for each.
    func outputs(_ values: [String: Tensor]) -> [Float]? {
        guard let floats = values[output]?.floats, floats.count == batch else { return nil }
        return floats
    }
}
