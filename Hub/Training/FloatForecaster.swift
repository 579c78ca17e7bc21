package import Forecasting

/// A float network at work on many series' days at once: `ForecastModel.forecast` by the products that training runs.
///
/// For one thread at a time.
package final class FloatForecaster {
    /// One series on the eve of the day to forecast.
    package struct Eve: Sendable {
        package var state: SeriesState
        /// An index beyond the profiles falls back to the first.
        package var profile: UInt16
        /// The window's days before `target`, oldest first.
        package var recentDays: [DemandDay]
        package var target: BusinessDay
        /// What was planned for `target`.
        package var targetMarks: DayMarks

        package init(
            state: SeriesState, profile: UInt16, recentDays: [DemandDay], target: BusinessDay,
            targetMarks: DayMarks
        ) {
            self.state = state
            self.profile = profile
            self.recentDays = recentDays
            self.target = target
            self.targetMarks = targetMarks
        }
    }

    /// Windows of one pass: about the items of a small store. What a column comes to hangs on its place among them, in the
    /// last bit, and on nothing in the others.
    private static let columns = 32

    private let model: ForecastModel
    private let network: BatchedNetwork
    private let weights: PackedWeights

    package init(_ model: ForecastModel) {
        self.model = model
        network = BatchedNetwork(
            shape: model.parameters.shape, window: model.spec.window, columns: Self.columns)
        weights = PackedWeights(model.parameters)
    }

    package var window: Int { model.spec.window }

    /// - Returns: units expected on each target: finite, never negative. The same eves in the same order give the same
    ///   bits.
    package func units(_ eves: [Eve]) -> [Float] {
        var units: [Float] = []
        units.reserveCapacity(eves.count)
        var values = [Float](repeating: 0, count: model.spec.windowValues)
        var low = 0
        while low < eves.count {
            let batch = eves[low..<min(low + Self.columns, eves.count)]
            let windows = batch.map { eve in
                FeatureWindow(
                    spec: model.spec, state: eve.state, profile: model.profile(eve.profile),
                    target: eve.target, targetMarks: eve.targetMarks)
            }
            for (column, (eve, window)) in zip(batch, windows).enumerated() {
                load(eve, window, column: column, by: &values)
            }
            run()
            for (column, window) in windows.enumerated() {
                units.append(window.units(networkOutput: network.output[column]))
            }
            low += Self.columns
        }
        return units
    }

    /// - Parameter values: `[window, inputWidth]`, to write them in.
    private func load(
        _ eve: Eve, _ window: FeatureWindow, column: Int, by values: inout [Float]
    ) {
        var span = values.mutableSpan
        window.write(eve.recentDays.span, into: &span)
        let width = model.spec.inputWidth
        for day in 0..<model.spec.window {
            for input in 0..<width {
                network.inputs[input * network.inputStride + day * Self.columns + column] =
                    values[day * width + input]
            }
        }
    }

    /// Behind the same door as all products, and on one thread: it is nobody's hurry.
    private func run() {
        weights.values.withUnsafeBufferPointer { weights in
            let shared = Unchecked((weights.baseAddress!, network))
            Shards.perform { shard in
                guard shard == 0 else { return }
                let (weights, network) = shared.value
                network.forward(weights)
            }
        }
    }
}
