package import Forecasting

/// One data set made ready for training: levels, profiles and windows. Any number of networks are trained on it, each
/// as though it were the only one.
///
/// What comes out depends on the series, the plan and the requests alone: not on the order of the series, the number of
/// cores, or chance outside the seeds.
package final class TrainingSession: Sendable {
    /// With its loss resolved for the data; its `units` mean nothing here.
    package let plan: TrainingPlan
    package let spec: FeatureSpec
    package let profiles: [SeasonalProfile]
    /// The evaluated days: test days, or else validation days.
    package let evaluated: Range<BusinessDay>

    let sampler: WindowSampler
    private let fit: SeasonalFit.Outcome
    private let training: [Sample]
    /// Days that decide when to stop: those whose demand was observed.
    private let stopping: [Sample]
    private let validation: [Sample]
    private let test: [Sample]
    private let validationFrom: BusinessDay

    private var panel: SeriesPanel { sampler.panel }

    /// - Throws: `TrainingError`.
    /// - Complexity: memory is proportional to the number of days in `series`; windows are gathered per batch.
    package init(series: [TrainingSeries], plan: TrainingPlan) throws {
        try plan.validate()
        var panel = try SeriesPanel(
            series, padding: max(plan.window, Baseline.lookBackDaysMax), testFrom: plan.testFrom)
        fit = SeasonalFit.fit(&panel, plan: plan)
        var plan = plan
        plan.loss = plan.loss.resolved(for: plan.form, zeroShare: panel.zeroShare)
        if !fit.itemsDiffer { plan.inputs.remove(.persistence) }
        let planned = panel.plannedMarks
        if !planned.contains(.holiday) { plan.inputs.remove(.holiday) }
        if !planned.contains(.promotion) { plan.inputs.remove(.promotion) }
        self.plan = plan
        let output: OutputKind =
            switch plan.form {
            case .plain: .zScore
            case .calendar: .relative
            case .profile: .logResidual
            }
        spec = FeatureSpec(
            form: plan.form, window: plan.window, levelRate: fit.levelRate, inputs: plan.inputs,
            output: output)
        profiles = fit.profiles
        sampler = WindowSampler(panel: panel, spec: spec)

        let trainingDays = panel.trainingEnd - panel.days.lowerBound
        validationFrom = panel.trainingEnd.advanced(
            by: -min(plan.validationDays, max(trainingDays / 5, 1)))
        training = sampler.trainingSamples(within: panel.days.lowerBound..<validationFrom)
        guard training.count >= plan.batch else {
            throw TrainingError.tooFewWindows(training.count, needed: plan.batch)
        }
        stopping = sampler.trainingSamples(within: validationFrom..<panel.trainingEnd)
        validation = sampler.evaluationSamples(within: validationFrom..<panel.trainingEnd)
        test = sampler.evaluationSamples(within: panel.trainingEnd..<panel.days.upperBound)
        evaluated =
            test.isEmpty
            ? validationFrom..<panel.trainingEnd : panel.trainingEnd..<panel.days.upperBound
    }

    package var trainingWindows: Int { training.count }

    /// The last days before the test days; weights never see them.
    package var validationDays: Range<BusinessDay> { validationFrom..<panel.trainingEnd }

    /// The last day known to training.
    package var asOf: BusinessDay { panel.trainingEnd.advanced(by: -1) }

    /// A network that fits the session's windows.
    package func shape(cell: CellKind = .lstm, units: Int) -> NetworkShape {
        NetworkShape(cell: cell, inputWidth: spec.inputWidth, units: units)
    }

    /// - Parameters:
    ///   - progress: called a few times a second on the calling thread.
    ///   - isCancelled: asked before every batch.
    /// - Throws: `TrainingError` only.
    package func fit(
        _ request: FitRequest, progress: (FitProgress) -> Void = { _ in },
        isCancelled: () -> Bool = { false }
    ) throws -> FittedNetwork {
        try request.validate(inputWidth: spec.inputWidth)
        guard training.count >= request.batch else {
            throw TrainingError.tooFewWindows(training.count, needed: request.batch)
        }
        let trainer = NetworkTrainer(
            sampler: sampler, training: training, loss: plan.loss, request: request,
            lesson: try request.distillation.map(lesson))
        let result = try trainer.run(validation: stopping, isCancelled: isCancelled) {
            progress(
                FitProgress(
                    epoch: $0, epochs: request.epochs, epochFraction: $1, loss: $2,
                    validationLoss: $3))
        }
        let runner = NetworkRunner(sampler: sampler, shape: request.shape, batch: request.batch)
        let weights = PackedWeights(result.parameters)
        let accuracies = evaluate(
            result.integer.map { RunnableNetwork($0, weights: weights) }
                ?? RunnableNetwork(weights), runner)
        return FittedNetwork(
            parameters: result.parameters, integer: result.integer,
            validation: accuracies.validation,
            test: accuracies.test, trainingLosses: result.trainingLosses,
            validationLosses: result.validationLosses, teacherDistances: result.teacherDistances,
            bestEpoch: result.bestEpoch)
    }

    /// The accuracy of a float network, one day ahead.
    /// - Precondition: as wide as the session's inputs; here and below.
    /// - Returns: `test` is nil when the plan kept no test days.
    package func evaluate(
        _ parameters: NetworkParameters
    ) -> (validation: Accuracy, test: Accuracy?) {
        evaluate(RunnableNetwork(PackedWeights(parameters)), runner(parameters.shape))
    }

    /// The accuracy of an integer network with a device's outputs, on levels in full precision.
    /// - Precondition: `network.validate()` passes.
    package func evaluate(
        _ network: IntegerNetwork
    ) -> (validation: Accuracy, test: Accuracy?) {
        // Integers run without the weights they stand for.
        let flat = [Float](repeating: 0, count: network.shape.parameterCount)
        let weights = PackedWeights(NetworkParameters(shape: network.shape, flattened: flat))
        return evaluate(RunnableNetwork(network, weights: weights), runner(network.shape))
    }

    private func evaluate(
        _ network: RunnableNetwork, _ runner: NetworkRunner
    ) -> (validation: Accuracy, test: Accuracy?) {
        func accuracy(_ samples: [Sample]) -> Accuracy {
            var accuracy = Accuracy()
            for (sample, y) in zip(samples, runner.outputs(network, samples)) {
                accuracy.add(
                    actual: Double(panel.recorded[Int(sample.cell)]),
                    forecast: Double(sampler.units(sample, networkOutput: y)))
            }
            return accuracy
        }
        return (accuracy(validation), test.isEmpty ? nil : accuracy(test))
    }

    /// The units a network forecasts for every training window, by store, item and day.
    /// - Returns: `[trainingWindows]`
    package func trainingForecasts(_ parameters: NetworkParameters) -> [Float] {
        forecasts(parameters, training)
    }

    /// The last hidden state of every training window, in the same order.
    /// - Returns: `[trainingWindows, H]`
    package func trainingHiddenStates(_ parameters: NetworkParameters) -> [Float] {
        let width = 1 + parameters.units
        let states = runner(parameters.shape).outputsAndHiddenStates(
            RunnableNetwork(PackedWeights(parameters)), training)
        return training.indices.flatMap { states[$0 * width + 1..<($0 + 1) * width] }
    }

    /// The gradient of the mean training loss at a network's weights, without dropout.
    /// - Returns: both in the order of `NetworkParameters.flattened`. `mean` is near 0 where training has come to rest;
    ///   `rootMeanSquare`, over batches of the plan's size, still tells which weights the loss hangs on.
    package func lossGradient(
        at parameters: NetworkParameters
    ) -> (mean: [Float], rootMeanSquare: [Float]) {
        NetworkTrainer(
            sampler: sampler, training: training, loss: plan.loss,
            request: FitRequest(start: parameters, plan: plan)
        ).lossGradient()
    }

    /// What a quantiser calibrates on: windows of the learnt days, evenly spread over all series.
    /// - Parameter rounded: the session's profiles as a package holds them; nil: as they were fitted.
    /// - Returns: at most `count`, each `[window, I]` time-major.
    package func calibrationWindows(
        atMost count: Int, profiles rounded: [SeasonalProfile]? = nil
    ) -> [[Float]] {
        replay.learntDays(atMost: count).map {
            $0.window(spec: spec, profiles: rounded ?? profiles)
        }
    }

    /// The session's series day by day.
    package var replay: EvaluationReplay {
        EvaluationReplay(
            panel: panel, spec: spec, evaluated: evaluated,
            learnt: panel.days.lowerBound..<min(panel.trainingEnd, evaluated.lowerBound))
    }

    /// - Precondition: no two variants have the same name.
    package func family(_ variants: [TrainedVariant]) -> TrainedFamily {
        precondition(Set(variants.map(\.name)).count == variants.count)
        return TrainedFamily(
            spec: spec, profiles: profiles, asOf: asOf, starts: starts, variants: variants,
            baselines: baselines, evaluatedFrom: evaluated.lowerBound,
            evaluatedDays: evaluated.upperBound - evaluated.lowerBound, loss: plan.loss,
            seed: plan.seed, trainingWindows: training.count, levelRestarts: plan.levelRestarts)
    }

    private func runner(_ shape: NetworkShape) -> NetworkRunner {
        NetworkRunner(sampler: sampler, shape: shape, batch: plan.batch)
    }

    private func forecasts(_ parameters: NetworkParameters, _ samples: [Sample]) -> [Float] {
        let network = RunnableNetwork(PackedWeights(parameters))
        let outputs = runner(parameters.shape).outputs(network, samples)
        return zip(samples, outputs).map { sampler.units($0, networkOutput: $1) }
    }

    // MARK: Teachers

    private func lesson(_ distillation: Distillation) throws -> Lesson {
        let teachers = distillation.teachers
        var lesson = Lesson(
            truthWeight: distillation.truthWeight, kind: distillation.kind,
            units: [Float](repeating: .nan, count: panel.observed.count))
        for sample in training { lesson.units[Int(sample.cell)] = 0 }
        if distillation.kind != .response {
            lesson.width = teachers.reduce(0) { $0 + $1.parameters.units }
            lesson.hidden = [Float](repeating: 0, count: training.count * lesson.width)
            lesson.rows = [Int32](repeating: 0, count: panel.observed.count)
            for (row, sample) in training.enumerated() {
                lesson.rows[Int(sample.cell)] = Int32(row)
            }
        }
        var column = 0
        for (index, teacher) in teachers.enumerated() {
            let session = teacher.session
            guard teacher.parameters.inputWidth == session.spec.inputWidth,
                let samples = session.samples(of: self)
            else { throw TrainingError.teacher(index: index) }
            let units = teacher.parameters.units
            let states = session.runner(teacher.parameters.shape).outputsAndHiddenStates(
                RunnableNetwork(PackedWeights(teacher.parameters)), samples)
            for (row, sample) in training.enumerated() {
                let state = row * (1 + units)
                // Units are always finite: what the network says may not be.
                guard states[state].isFinite else { throw TrainingError.teacher(index: index) }
                let forecast = session.sampler.units(samples[row], networkOutput: states[state])
                lesson.units[Int(sample.cell)] += forecast / Float(teachers.count)
                guard lesson.width > 0 else { continue }
                for j in 0..<units {
                    lesson.hidden[row * lesson.width + column + j] = states[state + 1 + j]
                }
            }
            column += units
        }
        return lesson
    }

    /// The student's training days as samples of this session, its teacher's.
    /// - Returns: nil when the sessions are of other series or learn up to another day.
    private func samples(of student: TrainingSession) -> [Sample]? {
        let (own, other) = (panel, student.panel)
        guard own.trainingEnd == other.trainingEnd, own.entries.count == other.entries.count else {
            return nil
        }
        for (entry, theirs) in zip(own.entries, other.entries) {
            guard entry.store == theirs.store, entry.item == theirs.item,
                entry.firstDay.advanced(by: own.padding)
                    == theirs.firstDay.advanced(by: other.padding),
                entry.count - own.padding == theirs.count - other.padding
            else { return nil }
        }
        return student.training.map { sample in
            let index = Int(sample.entry)
            let day = Int(sample.cell) - other.entries[index].base - other.padding
            return Sample(
                cell: UInt32(own.entries[index].base + own.padding + day), entry: sample.entry)
        }
    }

    // MARK: The family

    private var starts: [StoreStarts] {
        var stores: [StoreStarts] = []
        for entry in panel.entries {
            if stores.last?.store != entry.store {
                stores.append(StoreStarts(store: entry.store, starts: []))
            }
            stores[stores.count - 1].starts.append(
                SeriesStart(
                    item: entry.item, level: entry.finalLevel, scale: entry.scale,
                    profile: UInt16(entry.profile), persistence: entry.persistence))
        }
        return stores
    }

    /// The simple forecasts on the evaluated days, and level × season without a network.
    private var baselines: [NamedAccuracy] {
        let sampler = WindowSampler(
            panel: SeasonalFit.withLevels(panel, rate: fit.levelRateAlone, plan: plan), spec: spec)
        let panel = sampler.panel
        var named = Baseline.all.map { NamedAccuracy(name: $0.name, accuracy: Accuracy()) }
        var level = NamedAccuracy(
            name: spec.form == .profile ? "smoothed profile" : "level", accuracy: Accuracy())
        for sample in test.isEmpty ? validation : test {
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
}
