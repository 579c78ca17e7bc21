package import Compression
package import Forecasting
package import Training

/// Looks for a better recipe than the champion's, on days that no fold of the back-test forecasts.
package struct RecipeSearch {
    private let series: [TrainingSeries]
    private let champion: TrainedFamily
    private let seed: UInt64
    private let limits: ModelLimits

    /// - Parameters:
    ///   - through: the last day that may be known: before the first origin.
    ///   - limits: what the devices can carry.
    package init(
        series: [TrainingSeries], through last: BusinessDay, champion: TrainedFamily,
        limits: ModelLimits, seed: UInt64
    ) {
        self.series = series.compactMap { one in
            guard one.firstDay <= last else { return nil }
            var one = one
            one.days = Array(one.days.prefix(last - one.firstDay + 1))
            return one
        }
        self.champion = champion
        self.limits = limits
        self.seed = seed
    }

    /// By successive halving, as long as it may take.
    /// - Parameters:
    ///   - isOver: asked between trials and within them; what was found by then counts.
    /// - Returns: nil: nothing that was followed to its end keeps the limits.
    /// - Throws: `TrainingError.cancelled` where `isCancelled`.
    package func recipe(
        progress: (_ trials: Int) -> Void, isOver: () -> Bool, isCancelled: () -> Bool
    ) throws -> Recipe? {
        let loss: Loss = champion.loss == .absolutePercentage ? .absolutePercentage : .automatic
        let runner = SearchRunner(
            workbench: Workbench(
                series: series, setup: Workbench.Setup(form: champion.form, loss: loss)),
            measure: loss == .absolutePercentage ? .mape : .wape, seed: seed)
        var state = SearchState(limits: limits, seed: seed)
        while !isOver(), let next = state.next(in: SearchSpace()) {
            progress(state.trials.count)
            do {
                try runner.perform(
                    next, in: &state, isCancelled: { isCancelled() || isOver() })
            } catch TrainingError.cancelled {
                break
            }
        }
        if isCancelled() { throw TrainingError.cancelled }
        guard case .best(let trial)? = state.choice else { return nil }
        return try Recipe(parsing: state.trials[trial].recipe)
    }
}
