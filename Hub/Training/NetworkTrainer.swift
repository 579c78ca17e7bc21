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
        var parameters: NetworkParameters
        var trainingLosses: [Float]
        var validationLosses: [Float]
        /// 1-based; its weights are the result.
        var bestEpoch: Int
    }

    /// The learning rate falls in a straight line to this part of itself.
    private static let finalRateShare: Float = 0.05
    /// What is validated and kept is not the weights of the last batch but their running mean over about so
    /// many batches (Polyak and Juditsky 1992): far less noise in the choice of the epoch.
    private static let averagedBatches: Float = 200

    private let sampler: WindowSampler
    private let plan: TrainingPlan
    private let shape: NetworkShape
    private let shards: [BatchedNetwork]
    private var weights: PackedWeights
    private var averaged: PackedWeights
    /// Divides a loss, so that gradients are of order 1 whatever the units sold.
    private var lossScale: Float = 1

    init(sampler: WindowSampler, plan: TrainingPlan, units: Int) {
        self.sampler = sampler
        self.plan = plan
        shape = NetworkShape(inputWidth: sampler.spec.inputWidth, units: units)
        let columns = ((plan.batch + Shards.count - 1) / Shards.count + 7) / 8 * 8
        shards = (0..<Shards.count).map { [shape] _ in
            BatchedNetwork(shape: shape, window: sampler.spec.window, columns: columns)
        }
        weights = PackedWeights.initial(shape, seed: plan.seed)
        averaged = weights
    }

    /// - Parameter report: called a few times a second with epoch (1-based), share of it done, loss so far
    ///   and the validation loss of the epoch before.
    func run(
        training: [Sample], validation: [Sample], isCancelled: () -> Bool,
        report: (_ epoch: Int, _ fraction: Double, _ loss: Double, _ validation: Double?) -> Void
    ) throws -> Result {
        lossScale = meanLossWeight(training)
        var order = training
        var shuffler = SeededRandom(seed: plan.seed, stream: 1)
        var adam = Adam(count: weights.values.count)
        var gradient = [Float](repeating: 0, count: weights.values.count)
        var result = Result(
            parameters: weights.unpacked, trainingLosses: [], validationLosses: [], bestEpoch: 0)
        var lowest = Double.infinity
        let batches = (order.count + plan.batch - 1) / plan.batch
        for epoch in 1...plan.epochs {
            shuffler.shuffle(&order)
            var lossSum = 0.0
            for batch in 0..<batches {
                if isCancelled() { throw TrainingError.cancelled }
                let low = batch * plan.batch
                let high = min(low + plan.batch, order.count)
                let step = (epoch - 1) * batches + batch
                lossSum += gradientStep(order[low..<high], step: step, into: &gradient)
                let progress = Float(step) / Float(plan.epochs * batches)
                adam.step(
                    weights: &weights.values, gradient: gradient,
                    learningRate: plan.learningRate * (1 - (1 - Self.finalRateShare) * progress))
                average(batchesSoFar: step + 1)
                if batch % 16 == 15 || batch == batches - 1 {
                    report(
                        epoch, Double(batch + 1) / Double(batches), lossSum / Double(high),
                        result.validationLosses.last.map(Double.init))
                }
            }
            let validationLoss = loss(validation)
            guard lossSum.isFinite, validationLoss.isFinite else {
                throw TrainingError.diverged(units: shape.units, epoch: epoch)
            }
            result.trainingLosses.append(Float(lossSum / Double(order.count)))
            result.validationLosses.append(Float(validationLoss))
            if validationLoss < lowest || result.bestEpoch == 0 {
                lowest = validationLoss
                result.parameters = averaged.unpacked
                result.bestEpoch = epoch
            }
            if epoch - result.bestEpoch >= plan.patience { break }
        }
        averaged = PackedWeights(result.parameters)
        return result
    }

    private func average(batchesSoFar: Int) {
        // Over the last tenth of the batches at first, so that the beginning is soon forgotten.
        let share = max(1 / Self.averagedBatches, 10 / Float(batchesSoFar + 9))
        weights.values.withUnsafeBufferPointer { now in
            averaged.values.withUnsafeMutableBufferPointer { mean in
                for k in 0..<mean.count { mean[k] += share * (now[k] - mean[k]) }
            }
        }
    }

    /// The network's output for every sample, with the averaged weights, after a `run` those it returned.
    func outputs(_ samples: [Sample]) -> [Float] {
        var outputs = [Float](repeating: 0, count: samples.count)
        let part = (samples.count + Shards.count - 1) / Shards.count
        averaged.values.withUnsafeBufferPointer { weights in
            outputs.withUnsafeMutableBufferPointer { outputs in
                let shared = Unchecked((weights.baseAddress!, outputs, shards, sampler))
                Shards.perform { shard in
                    let (weights, outputs, shards, sampler) = shared.value
                    let network = shards[shard]
                    network.hiddenScale.update(repeating: 1)
                    let end = min((shard + 1) * part, samples.count)
                    var low = min(shard * part, samples.count)
                    while low < end {
                        let high = min(low + network.columns, end)
                        for k in low..<high {
                            sampler.gather(samples[k], column: k - low, into: network)
                        }
                        network.forward(weights)
                        for k in low..<high { outputs[k] = network.output[k - low] }
                        low = high
                    }
                }
            }
        }
        return outputs
    }

    /// One batch: sum of the samples' losses, and the gradient of their mean.
    private func gradientStep(
        _ batch: ArraySlice<Sample>, step: Int, into gradient: inout [Float]
    ) -> Double {
        let part = (batch.count + Shards.count - 1) / Shards.count
        var losses = [Double](repeating: 0, count: Shards.count)
        weights.values.withUnsafeBufferPointer { weights in
            losses.withUnsafeMutableBufferPointer { losses in
                let shared = Unchecked((weights.baseAddress!, losses, self))
                Shards.perform { shard in
                    let (weights, losses, trainer) = shared.value
                    let low = min(batch.startIndex + shard * part, batch.endIndex)
                    let high = min(low + part, batch.endIndex)
                    losses[shard] = trainer.shardStep(
                        batch[low..<high], batchCount: batch.count, weights: weights, step: step,
                        shard: shard)
                }
            }
        }
        gradient.withUnsafeMutableBufferPointer { sum in
            let first = shards[0].gradient
            let second = shards[1].gradient
            for k in 0..<sum.count { sum[k] = first[k] + second[k] }
        }
        return losses.reduce(0, +)
    }

    private func shardStep(
        _ samples: ArraySlice<Sample>, batchCount: Int, weights: UnsafePointer<Float>, step: Int,
        shard: Int
    ) -> Double {
        let network = shards[shard]
        for (column, sample) in samples.enumerated() {
            sampler.gather(sample, column: column, into: network)
        }
        dropOut(network, step: step, shard: shard)
        network.forward(weights)
        // Columns beyond the samples repeat old windows; without a gradient they change nothing.
        network.outputGradient.update(repeating: 0)
        var sum = 0.0
        for (column, sample) in samples.enumerated() {
            let (loss, slope) = lossAndSlope(sample, y: network.output[column])
            sum += Double(loss)
            network.outputGradient[column] = slope / Float(batchCount)
        }
        network.backward(weights)
        return sum
    }

    /// Inverted dropout: kept units are scaled up, so that nothing changes when forecasting.
    private func dropOut(_ network: BatchedNetwork, step: Int, shard: Int) {
        guard plan.dropout > 0 else { return }
        var random = SeededRandom(
            seed: plan.seed, stream: 16 + UInt64(step) * UInt64(Shards.count) + UInt64(shard))
        let threshold = UInt16(plan.dropout * 65_536)
        let keep = 1 / (1 - plan.dropout)
        let scale = network.hiddenScale
        for k in stride(from: 0, to: shape.units * network.columns, by: 4) {
            var bits = random.next()
            for lane in 0..<4 {
                scale[k + lane] = UInt16(truncatingIfNeeded: bits) < threshold ? 0 : keep
                bits >>= 16
            }
        }
    }

    private func loss(_ samples: [Sample]) -> Double {
        var sum = 0.0
        for (sample, y) in zip(samples, outputs(samples)) {
            sum += Double(lossAndSlope(sample, y: y).loss)
        }
        return sum / Double(max(samples.count, 1))
    }

    /// The loss of one sample and its derivative by the network's output.
    private func lossAndSlope(_ sample: Sample, y: Float) -> (loss: Float, slope: Float) {
        let panel = sampler.panel
        let cell = Int(sample.cell)
        let units = panel.observed[cell]
        let level = panel.level[cell]
        switch (plan.loss, sampler.spec.output) {
        case (.automatic, _): preconditionFailure("the loss is resolved before training")
        case (.tweedie(let power), _):
            let forecast = level * panel.factor[cell] * exponential(min(max(y, -4), 4))
            return Self.tweedie(
                units: units, forecast: forecast, power: power, scale: lossScale)
        case (.meanSquare, .zScore):
            let error = y - (units - level) / panel.entries[Int(sample.entry)].scale
            return (error * error, 2 * error)
        case (.meanSquare, .relative):
            // Weighted by the level: relative noise shrinks as sales grow.
            let weight = level / lossScale
            let error = y - (units / level - 1)
            return (weight * error * error, 2 * weight * error)
        case (.meanSquare, .logResidual):
            // Half a unit keeps the logarithm of a zero finite.
            let expected = level * panel.factor[cell]
            let error = y - naturalLogarithm(max(units, 0.5) / expected)
            return (error * error, 2 * error)
        }
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

    private func meanLossWeight(_ samples: [Sample]) -> Float {
        let panel = sampler.panel
        var sum = 0.0
        for sample in samples {
            let expected = panel.level[Int(sample.cell)] * panel.factor[Int(sample.cell)]
            switch (plan.loss, sampler.spec.output) {
            case (.tweedie(let power), _):
                sum += Double(exponential((2 - power) * naturalLogarithm(expected)))
            case (_, .relative): sum += Double(expected)
            default: sum += 1
            }
        }
        return max(Float(sum / Double(max(samples.count, 1))), 1e-6)
    }
}

/// Carries what two threads share by agreement (each writes only its own part) past the checker.
private struct Unchecked<Value>: @unchecked Sendable {
    let value: Value
    init(_ value: Value) { self.value = value }
}
