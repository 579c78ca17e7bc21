import Forecasting

/// How far a training run has come.
package struct TrainingProgress: Equatable, Sendable {
    /// 0-based, of `variants`.
    package var variant: Int
    package var variants: Int
    package var units: Int
    /// 1-based, of at most `epochs`.
    package var epoch: Int
    package var epochs: Int
    /// 0...1
    package var epochFraction: Double
    /// Mean training loss of this epoch so far.
    package var loss: Double
    /// Validation loss after the epoch before; nil in the first.
    package var validationLoss: Double?
    /// Until the end of the whole run, if no variant stops early.
    package var secondsLeft: Double
}

/// Trains one network. Every batch is split into the same two halves whatever the number of cores, and
/// their gradients are added in the same order: the same samples and seed give the same weights.
final class NetworkTrainer {
    struct Result {
        /// What the integers stand for, where there are some.
        var parameters: NetworkParameters
        var integer: IntegerNetwork?
        var trainingLosses: [Float] = []
        var validationLosses: [Float] = []
        var teacherDistances: [Float] = []
        /// 1-based, 0 for the start; its weights are the result.
        var bestEpoch = 0
    }

    /// Sums over samples.
    private struct Sums {
        var loss = 0.0
        var teacherDistance = 0.0
    }

    /// The learning rate falls in a straight line to this part of itself.
    private static let finalRateShare: Float = 0.05
    /// What is validated and kept is not the weights of the last batch but their running mean over about so
    /// many batches (Polyak and Juditsky 1992): far less noise in the choice of the epoch.
    private static let averagedBatches: Float = 200
    /// A teacher's projection is forgotten in the end, so it may hurry.
    private static let projectionRate: Float = 0.01
    /// Below this share of the units sold, percentage errors weigh by their square.
    private static let percentageRounding: Float = 0.05

    private let runner: NetworkRunner
    private let request: FitRequest
    /// Resolved.
    private let lossKind: Loss
    private let lesson: Lesson?
    private let training: [Sample]
    /// Divides a loss, so that gradients are of order 1 whatever the units sold.
    private let lossScale: Float
    /// What training moves: the packed weights themselves, or the values behind them.
    private var latent: [Float]
    /// Of `latent`: averages of weights would not keep what a parametrization promises of them.
    private var averaged: [Float]
    private var weights: PackedWeights
    /// One for each half, where the lesson looks at hidden states.
    private let matches: [HiddenMatch]
    private var projection: [Float] = []

    private var sampler: WindowSampler { runner.sampler }
    private var shape: NetworkShape { request.shape }

    /// - Parameters:
    ///   - request: validated.
    ///   - loss: resolved.
    init(
        sampler: WindowSampler, training: [Sample], loss: Loss, request: FitRequest,
        lesson: Lesson? = nil
    ) {
        runner = NetworkRunner(sampler: sampler, shape: request.shape, batch: request.batch)
        self.request = request
        lossKind = loss
        self.lesson = lesson
        self.training = training
        lossScale = Self.meanLossWeight(training, loss: loss, sampler: sampler)
        weights =
            request.start.map { PackedWeights($0) }
            ?? PackedWeights.initial(
                request.shape, seed: request.seed,
                silentInputs: sampler.spec.inputs.intersection(.planned).columns)
        if let parametrization = request.parametrization {
            latent = parametrization.latent(nearest: weights.unpacked.flattened)
            weights.pack(parametrization.weights(latent))
        } else {
            latent = weights.values
        }
        averaged = latent
        guard let lesson, lesson.width > 0 else {
            matches = []
            return
        }
        let sizes = HiddenMatch.Sizes(
            units: request.shape.units, width: lesson.width, columns: runner.shards[0].columns)
        matches = (0..<Shards.count).map { _ in HiddenMatch(sizes) }
        if case .features = lesson.kind, sizes.needsProjection {
            var random = SeededRandom(seed: request.seed, stream: 2)
            let limit = (6 / Float(sizes.units + sizes.width)).squareRoot()
            projection = (0..<sizes.projectionCount).map {
                $0 % (sizes.units + 1) == sizes.units ? 0 : (2 * random.unit() - 1) * limit
            }
        }
    }

    /// - Parameters:
    ///   - validation: decides when to stop and which epoch is kept.
    ///   - report: called a few times a second with epoch (1-based), share of it done, loss so far
    ///     and the validation loss of the epoch before.
    func run(
        validation: [Sample], isCancelled: () -> Bool,
        report: (_ epoch: Int, _ fraction: Double, _ loss: Double, _ validation: Double?) -> Void
    ) throws -> Result {
        var order = training
        var shuffler = SeededRandom(seed: request.seed, stream: 1)
        var adam = Adam(count: latent.count)
        var projectionAdam = Adam(count: projection.count)
        var gradient = [Float](repeating: 0, count: weights.values.count)
        let start = try runnable(weights, epoch: 0)
        var result = Result(
            parameters: start.weights.unpacked, integer: start.integers?.network)
        // Without validation days there is nothing to compare a start by: then every run goes as from scratch.
        let startCompetes = request.start != nil && !validation.isEmpty
        var lowest = startCompetes ? loss(validation, start) : .infinity
        let batches = (order.count + request.batch - 1) / request.batch
        for epoch in 0..<request.epochs {
            shuffler.shuffle(&order)
            var sums = Sums()
            for batch in 0..<batches {
                if isCancelled() { throw TrainingError.cancelled }
                let low = batch * request.batch
                let high = min(low + request.batch, order.count)
                let step = epoch * batches + batch
                gradientStep(
                    order[low..<high], try runnable(weights, epoch: epoch + 1), step: step,
                    into: &gradient, &sums)
                let progress = Float(step) / Float(request.epochs * batches)
                let fall = 1 - (1 - Self.finalRateShare) * progress
                move(gradient, &adam, learningRate: request.learningRate * fall)
                if !projection.isEmpty {
                    projectionAdam.step(
                        weights: &projection, gradient: projectionGradient,
                        learningRate: Self.projectionRate * fall)
                }
                average(batchesSoFar: step + 1)
                if batch % 16 == 15 || batch == batches - 1 {
                    report(
                        epoch + 1, Double(batch + 1) / Double(batches), sums.loss / Double(high),
                        result.validationLosses.last.map(Double.init))
                }
            }
            let kept = try runnable(averagedWeights, epoch: epoch + 1)
            let validationLoss = loss(validation, kept)
            guard sums.loss.isFinite, validationLoss.isFinite else {
                throw TrainingError.diverged(units: shape.units, epoch: epoch + 1)
            }
            result.trainingLosses.append(Float(sums.loss / Double(order.count)))
            result.validationLosses.append(Float(validationLoss))
            if lesson != nil {
                result.teacherDistances.append(Float(sums.teacherDistance / Double(order.count)))
            }
            if validationLoss < lowest || (epoch == 0 && !startCompetes) {
                lowest = validationLoss
                result.parameters = kept.weights.unpacked
                result.integer = kept.integers?.network
                result.bestEpoch = epoch + 1
            }
            if epoch + 1 - result.bestEpoch >= request.patience { break }
        }
        return result
    }

    /// The gradient of the mean training loss without dropout, at the weights training would start from.
    /// - Returns: in the order of `NetworkParameters.flattened`: of the mean loss, and the root of the mean square of
    ///   the batches' own.
    func lossGradient() -> (mean: [Float], rootMeanSquare: [Float]) {
        var mean = [Double](repeating: 0, count: weights.values.count)
        var squares = mean
        var gradient = [Float](repeating: 0, count: mean.count)
        let batches = (training.count + request.batch - 1) / request.batch
        var sums = Sums()
        for batch in 0..<batches {
            // Every so-manieth sample: a batch of one series' consecutive days would speak for itself alone.
            let samples = stride(from: batch, to: training.count, by: batches).map { training[$0] }
            gradientStep(
                samples[...], RunnableNetwork(weights), step: nil, into: &gradient, &sums)
            let share = Double(samples.count) / Double(training.count)
            for k in gradient.indices {
                let value = Double(gradient[k])
                mean[k] += share * value
                squares[k] += share * value * value
            }
        }
        return (
            weights.flattened(mean.map(Float.init)),
            weights.flattened(squares.map { Float($0.squareRoot()) })
        )
    }

    /// - Parameter epoch: 1-based, 0 before training.
    private func runnable(_ weights: PackedWeights, epoch: Int) throws -> RunnableNetwork {
        guard let quantization = request.quantization else { return RunnableNetwork(weights) }
        guard let network = RunnableNetwork(weights, quantization) else {
            throw epoch == 0
                ? TrainingError.request(field: "quantization")
                : TrainingError.diverged(units: shape.units, epoch: epoch)
        }
        return network
    }

    /// One step of what training moves, against the gradient of the weights.
    private func move(_ gradient: [Float], _ adam: inout Adam, learningRate: Float) {
        guard let parametrization = request.parametrization else {
            adam.step(weights: &weights.values, gradient: gradient, learningRate: learningRate)
            PackedWeights.holdScalars(&weights.values, of: shape)
            return
        }
        let slopes = parametrization.latentGradient(
            weights.flattened(gradient), latent: latent)
        adam.step(weights: &latent, gradient: slopes, learningRate: learningRate)
        weights = packed(latent)
    }

    /// The weights that stand for `latent`.
    private func packed(_ latent: [Float]) -> PackedWeights {
        var packed = weights
        if let parametrization = request.parametrization {
            packed.pack(parametrization.weights(latent))
        } else {
            packed.values = latent
        }
        PackedWeights.holdScalars(&packed.values, of: shape)
        return packed
    }

    private var averagedWeights: PackedWeights { packed(averaged) }

    private func average(batchesSoFar: Int) {
        // Over the last tenth of the batches at first, so that the beginning is soon forgotten.
        let share = max(1 / Self.averagedBatches, 10 / Float(batchesSoFar + 9))
        let now = request.parametrization == nil ? weights.values : latent
        now.withUnsafeBufferPointer { now in
            averaged.withUnsafeMutableBufferPointer { mean in
                for k in 0..<mean.count { mean[k] += share * (now[k] - mean[k]) }
            }
        }
    }

    /// One batch: adds its samples' losses to `sums`, and gives the gradient of their mean.
    /// - Parameter step: of the run, for dropout; nil: no dropout.
    private func gradientStep(
        _ batch: ArraySlice<Sample>, _ network: RunnableNetwork, step: Int?,
        into gradient: inout [Float], _ sums: inout Sums
    ) {
        let part = (batch.count + Shards.count - 1) / Shards.count
        var parts = [Sums](repeating: Sums(), count: Shards.count)
        network.weights.values.withUnsafeBufferPointer { weights in
            parts.withUnsafeMutableBufferPointer { parts in
                let shared = Unchecked((weights.baseAddress!, parts, self))
                Shards.perform { shard in
                    let (weights, parts, trainer) = shared.value
                    let low = min(batch.startIndex + shard * part, batch.endIndex)
                    let high = min(low + part, batch.endIndex)
                    parts[shard] = trainer.shardStep(
                        batch[low..<high], batchCount: batch.count, network, weights: weights,
                        step: step, shard: shard)
                }
            }
        }
        gradient.withUnsafeMutableBufferPointer { sum in
            let first = runner.shards[0].gradient
            let second = runner.shards[1].gradient
            for k in 0..<sum.count { sum[k] = first[k] + second[k] }
        }
        sums.loss += parts[0].loss + parts[1].loss
        sums.teacherDistance += parts[0].teacherDistance + parts[1].teacherDistance
    }

    private func shardStep(
        _ samples: ArraySlice<Sample>, batchCount: Int, _ runnable: RunnableNetwork,
        weights: UnsafePointer<Float>, step: Int?, shard: Int
    ) -> Sums {
        let network = runner.shards[shard]
        for (column, sample) in samples.enumerated() {
            sampler.gather(sample, column: column, into: network)
        }
        if let step { dropOut(network, step: step, shard: shard) }
        network.forward(runnable, weights: weights)
        // Columns beyond the samples repeat old windows; without a gradient they change nothing.
        network.outputGradient.update(repeating: 0)
        var sums = Sums()
        for (column, sample) in samples.enumerated() {
            let y = network.output[column]
            var (loss, slope) = lossAndSlope(
                sample, units: sampler.panel.observed[Int(sample.cell)], y: y)
            if let lesson {
                let taught = lossAndSlope(sample, units: lesson.units[Int(sample.cell)], y: y)
                let share = lesson.truthWeight
                loss = share * loss + (1 - share) * taught.loss
                slope = share * slope + (1 - share) * taught.slope
                if lesson.kind == .response { sums.teacherDistance += Double(taught.loss) }
            }
            sums.loss += Double(loss)
            network.outputGradient[column] = slope / Float(batchCount)
        }
        guard let lesson, lesson.width > 0 else {
            network.backward(weights)
            return sums
        }
        let match = matches[shard]
        let (distance, weight) = compare(
            samples, batchCount: batchCount, network: network, match: match, lesson: lesson)
        sums.teacherDistance += distance
        sums.loss += Double(weight) * distance
        for k in match.gradient.indices { match.gradient[k] *= weight }
        network.backward(weights, addingToHidden: match.gradient.baseAddress!)
        return sums
    }

    /// The lesson's distance of hidden states, its gradient left in `match`.
    private func compare(
        _ samples: ArraySlice<Sample>, batchCount: Int, network: BatchedNetwork,
        match: HiddenMatch, lesson: Lesson
    ) -> (distance: Double, weight: Float) {
        let rows = samples.map { Int(lesson.rows[Int($0.cell)]) }
        switch lesson.kind {
        case .response: return (0, 0)
        case .features(let weight):
            let distance = match.matchFeatures(
                hidden: network.lastHidden, stride: network.inputStride, rows: rows,
                teachers: lesson.hidden, projection: projection, count: batchCount)
            return (distance, weight)
        case .relations(let weight):
            let distance = match.matchRelations(
                hidden: network.lastHidden, stride: network.inputStride, rows: rows,
                teachers: lesson.hidden, count: batchCount)
            return (distance, weight)
        }
    }

    private var projectionGradient: [Float] {
        zip(matches[0].projectionGradient, matches[1].projectionGradient).map { $0 + $1 }
    }

    /// Inverted dropout: kept units are scaled up, so that nothing changes when forecasting.
    private func dropOut(_ network: BatchedNetwork, step: Int, shard: Int) {
        guard request.dropout > 0 else { return }
        var random = SeededRandom(
            seed: request.seed, stream: 16 + UInt64(step) * UInt64(Shards.count) + UInt64(shard))
        let threshold = UInt16(request.dropout * 65_536)
        let keep = 1 / (1 - request.dropout)
        let scale = network.hiddenScale
        for k in stride(from: 0, to: shape.units * network.columns, by: 4) {
            var bits = random.next()
            for lane in 0..<4 {
                scale[k + lane] = UInt16(truncatingIfNeeded: bits) < threshold ? 0 : keep
                bits >>= 16
            }
        }
    }

    /// The mean loss against what was sold.
    private func loss(_ samples: [Sample], _ network: RunnableNetwork) -> Double {
        var sum = 0.0
        for (sample, y) in zip(samples, runner.outputs(network, samples)) {
            let units = sampler.panel.observed[Int(sample.cell)]
            sum += Double(lossAndSlope(sample, units: units, y: y).loss)
        }
        return sum / Double(max(samples.count, 1))
    }

    /// The loss of one sample and its derivative by the network's output.
    /// - Parameter units: what was sold, or what a teacher forecasts.
    private func lossAndSlope(
        _ sample: Sample, units: Float, y: Float
    ) -> (loss: Float, slope: Float) {
        let panel = sampler.panel
        let cell = Int(sample.cell)
        let level = panel.level[cell]
        switch (lossKind, sampler.spec.output) {
        case (.automatic, _): preconditionFailure("the loss is resolved before training")
        case (.tweedie(let power), _):
            return Self.tweedie(
                units: units, forecast: forecast(sample, y: y).units, power: power,
                scale: lossScale)
        case (.absolutePercentage, _):
            return Self.absolutePercentage(units: units, forecast: forecast(sample, y: y))
        case (.meanSquare, .zScore):
            let error = y - (units - level) / panel.entries[Int(sample.entry)].scale
            return (error * error, 2 * error)
        case (.meanSquare, .relative):
            // Weighted by the level: relative noise shrinks as sales grow.
            let weight = level / lossScale
            let error = y - (units / level - 1)
            return (weight * error * error, 2 * weight * error)
        case (.meanSquare, .logResidual), (.logarithmicSquare, .logResidual):
            // Half a unit keeps the logarithm of a zero finite.
            let expected = level * panel.factor[cell]
            let error = y - naturalLogarithm(max(units, 0.5) / expected)
            return (error * error, 2 * error)
        case (.logarithmicSquare, _):
            return Self.logarithmicSquare(units: units, forecast: forecast(sample, y: y))
        }
    }

    /// What an output means in units, and its derivative by the output.
    private func forecast(_ sample: Sample, y: Float) -> (units: Float, byOutput: Float) {
        let panel = sampler.panel
        let level = panel.level[Int(sample.cell)]
        switch sampler.spec.output {
        case .zScore:
            let scale = panel.entries[Int(sample.entry)].scale
            return (level + scale * y, scale)
        case .relative:
            return (level * (1 + y), level)
        case .logResidual:
            let units = level * panel.factor[Int(sample.cell)] * exponential(min(max(y, -4), 4))
            return (units, units)
        }
    }

    /// For outputs that may mean a negative forecast: below a twentieth of the level it has the logarithm, and the slope,
    /// of that twentieth, so that it is told to rise.
    private static func logarithmicSquare(
        units: Float, forecast: (units: Float, byOutput: Float)
    ) -> (loss: Float, slope: Float) {
        let held = max(forecast.units, forecast.byOutput / 20)
        let error = naturalLogarithm(held / max(units, 0.5))
        return (error * error, 2 * error * forecast.byOutput / held)
    }

    /// The error as a share of what was sold, squared where it is small (Huber 1964) so that the slope does not jump.
    private static func absolutePercentage(
        units: Float, forecast: (units: Float, byOutput: Float)
    ) -> (loss: Float, slope: Float) {
        guard units > 0 else { return (0, 0) }
        let error = (forecast.units - units) / units
        let size = abs(error)
        let byOutput = forecast.byOutput / units
        return size < percentageRounding
            ? (size * size / (2 * percentageRounding), error / percentageRounding * byOutput)
            : (size - percentageRounding / 2, error < 0 ? -byOutput : byOutput)
    }

    /// Half the unit deviance (0 where the forecast is right) and its derivative by ln(forecast).
    private static func tweedie(
        units: Float, forecast: Float, power: Float, scale: Float
    ) -> (loss: Float, slope: Float) {
        let logForecast = naturalLogarithm(forecast)
        let logUnits = units > 0 ? naturalLogarithm(units) : 0
        if power == 1 {
            let deviance = units * (logUnits - logForecast) - (units - forecast)
            return (deviance / scale, (forecast - units) / scale)
        }
        let (p1, p2) = (1 - power, 2 - power)
        let a = exponential(p2 * logForecast)  // forecast²⁻ᵖ
        let b = units * a / forecast  // units · forecast¹⁻ᵖ
        let exact = units > 0 ? exponential(p2 * logUnits) / (p1 * p2) : 0
        return ((exact - b / p1 + a / p2) / scale, (a - b) / scale)
    }

    private static func meanLossWeight(
        _ samples: [Sample], loss: Loss, sampler: WindowSampler
    ) -> Float {
        let panel = sampler.panel
        var sum = 0.0
        for sample in samples {
            let expected = panel.level[Int(sample.cell)] * panel.factor[Int(sample.cell)]
            switch (loss, sampler.spec.output) {
            case (.tweedie(let power), _):
                sum += Double(exponential((2 - power) * naturalLogarithm(expected)))
            case (_, .relative): sum += Double(expected)
            default: sum += 1
            }
        }
        return max(Float(sum / Double(max(samples.count, 1))), 1e-6)
    }
}
