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
    try plan.validate()
    var panel = try SeriesPanel(
        series, padding: max(plan.window, Baseline.lookBackDaysMax), testFrom: plan.testFrom)
    let fit = SeasonalFit.fit(&panel, plan: plan)
    var plan = plan
    plan.loss = plan.loss.resolved(for: plan.form, zeroShare: panel.zeroShare)
    let output: OutputKind =
        switch plan.form {
        case .plain: .zScore
        case .calendar: .relative
        case .profile: .logResidual
        }
    let spec = FeatureSpec(
        form: plan.form, window: plan.window, levelRate: fit.levelRate, inputs: plan.inputs,
        output: output)
    let sampler = WindowSampler(panel: panel, spec: spec)

    let trainingDays = panel.trainingEnd - panel.days.lowerBound
    let validationFrom = panel.trainingEnd.advanced(
        by: -min(plan.validationDays, max(trainingDays / 5, 1)))
    let training = sampler.trainingSamples(within: panel.days.lowerBound..<validationFrom)
    guard training.count >= plan.batch else {
        throw TrainingError.tooFewWindows(training.count, needed: plan.batch)
    }
    let stopping = sampler.trainingSamples(within: validationFrom..<panel.trainingEnd)
    let validation = sampler.evaluationSamples(within: validationFrom..<panel.trainingEnd)
    let test = sampler.evaluationSamples(within: panel.trainingEnd..<panel.days.upperBound)
    let evaluatedFrom = test.isEmpty ? validationFrom : panel.trainingEnd

    var clock = RunClock(units: plan.units, epochs: plan.epochs)
    var variants: [TrainedVariant] = []
    for (index, units) in plan.units.enumerated() {
        let trainer = NetworkTrainer(sampler: sampler, plan: plan, units: units)
        clock.begin(variant: index)
        let result = try trainer.run(
            training: training, validation: stopping, isCancelled: isCancelled
        ) { epoch, fraction, loss, validationLoss in
            progress(
                TrainingProgress(
                    variant: index, variants: plan.units.count, units: units, epoch: epoch,
                    epochs: plan.epochs, epochFraction: fraction, loss: loss,
                    validationLoss: validationLoss,
                    secondsLeft: clock.secondsLeft(epoch: epoch, fraction: fraction)))
        }
        func accuracy(_ samples: [Sample]) -> Accuracy {
            var accuracy = Accuracy()
            for (sample, y) in zip(samples, trainer.outputs(samples)) {
                accuracy.add(
                    actual: Double(panel.recorded[Int(sample.cell)]),
                    forecast: Double(sampler.units(sample, networkOutput: y)))
            }
            return accuracy
        }
        variants.append(
            TrainedVariant(
                units: units, parameters: result.parameters, validation: accuracy(validation),
                test: test.isEmpty ? nil : accuracy(test), trainingLosses: result.trainingLosses,
                validationLosses: result.validationLosses, bestEpoch: result.bestEpoch))
    }
    return TrainedFamily(
        spec: spec, profiles: fit.profiles, asOf: panel.trainingEnd.advanced(by: -1),
        starts: starts(panel), variants: variants,
        baselines: baselines(
            WindowSampler(
                panel: SeasonalFit.withLevels(panel, rate: fit.levelRateAlone, plan: plan),
                spec: spec),
            samples: test.isEmpty ? validation : test),
        evaluatedFrom: evaluatedFrom,
        evaluatedDays: (test.isEmpty ? panel.trainingEnd : panel.days.upperBound) - evaluatedFrom,
        loss: plan.loss, seed: plan.seed, trainingWindows: training.count)
}

private func starts(_ panel: SeriesPanel) -> [StoreStarts] {
    var stores: [StoreStarts] = []
    for entry in panel.entries {
        if stores.last?.store != entry.store {
            stores.append(StoreStarts(store: entry.store, starts: []))
        }
        stores[stores.count - 1].starts.append(
            SeriesStart(
                item: entry.item, level: entry.finalLevel, scale: entry.scale,
                profile: UInt16(entry.profile)))
    }
    return stores
}

/// The simple forecasts on the same samples, and level × season without a network.
private func baselines(_ sampler: WindowSampler, samples: [Sample]) -> [NamedAccuracy] {
    let panel = sampler.panel
    var named = Baseline.all.map { NamedAccuracy(name: $0.name, accuracy: Accuracy()) }
    var level = NamedAccuracy(
        name: sampler.spec.form == .profile ? "smoothed profile" : "level", accuracy: Accuracy())
    for sample in samples {
        let cell = Int(sample.cell)
        let actual = Double(panel.recorded[cell])
        for (index, baseline) in Baseline.all.enumerated() {
            let forecast = baseline.forecast { lag in
                let units = panel.recorded[cell - lag]
                return units.isNaN ? nil : Double(units)
            }
            // On an item's first days nothing is known: none were sold so far.
            named[index].accuracy.add(actual: actual, forecast: forecast ?? 0)
        }
        level.accuracy.add(
            actual: actual, forecast: Double(sampler.units(sample, networkOutput: 0)))
    }
    return named + [level]
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
