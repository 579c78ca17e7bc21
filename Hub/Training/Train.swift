import Forecasting

/// Trains one family: fits levels and profiles, then one network for each entry of `plan.units`.
///
/// The result depends on the series and the plan alone: not on the order of the series, the number of
/// cores, or chance outside `plan.seed`.
/// - Parameters:
///   - progress: called a few times a second on the calling thread.
///   - isCancelled: asked before every batch.
/// - Throws: `TrainingError` only.
/// - Complexity: memory is proportional to the number of days in `series`; windows are gathered per batch.
package func train(
    series: [TrainingSeries], plan: TrainingPlan,
    progress: (TrainingProgress) -> Void = { _ in }, isCancelled: () -> Bool = { false }
) throws -> TrainedFamily {
    try plan.validateUnits()
    let session = try TrainingSession(series: series, plan: plan)
    var clock = RunClock(units: plan.units, epochs: plan.epochs)
    var variants: [TrainedVariant] = []
    for (index, units) in plan.units.enumerated() {
        clock.begin(variant: index)
        let fitted = try session.fit(
            FitRequest(shape: session.shape(units: units), plan: session.plan),
            progress: { fit in
                progress(
                    TrainingProgress(
                        variant: index, variants: plan.units.count, units: units, epoch: fit.epoch,
                        epochs: fit.epochs, epochFraction: fit.epochFraction, loss: fit.loss,
                        validationLoss: fit.validationLoss,
                        secondsLeft: clock.secondsLeft(
                            epoch: fit.epoch, fraction: fit.epochFraction)))
            }, isCancelled: isCancelled)
        let shape = fitted.parameters.shape
        variants.append(
            TrainedVariant(
                name: TrainedVariant.freeName(
                    "\(plan.form.name)-\(units)", taken: variants.map(\.name)),
                recipe: "\(shape.cell.name)\(shape.units)", fitted))
    }
    return session.family(variants)
}

/// Estimates the time a run still takes, from the time it took so far.
private struct RunClock {
    private let start = ContinuousClock.now
    private let costs: [Double]
    private let epochs: Int
    private var variant = 0
    private var variantStart = ContinuousClock.now

    init(units: [Int], epochs: Int) {
        // A step's products grow with the square of the units, all the rest with the units.
        costs = units.map { Double($0 * $0 + 32 * $0 + 64) }
        self.epochs = epochs
    }

    mutating func begin(variant: Int) {
        self.variant = variant
        variantStart = .now
    }

    func secondsLeft(epoch: Int, fraction: Double) -> Double {
        let done = (Double(epoch - 1) + fraction) / Double(epochs)
        let elapsed = variantStart.duration(to: .now) / .seconds(1)
        let whole = elapsed / max(done, 1e-6)
        let later = costs[(variant + 1)...].reduce(0, +) / costs[variant]
        return whole * (1 - done) + whole * later
    }
}
