// Every accuracy figure of the project is computed here, for training, compression, agent and report alike.
// Figures are in percent unless they say otherwise, and nil where nothing was counted that they could be
// made from.

/// Sums over pairs of actual and forecast from which the figures are read at any time.
package struct Accuracy: Equatable, Sendable {
    package private(set) var count = 0
    /// Pairs whose actual is 0: MAPE leaves them out, so wherever it is shown this is shown too.
    package private(set) var zeroActualCount = 0
    package private(set) var actualSum = 0.0
    package private(set) var forecastSum = 0.0
    package private(set) var absoluteErrorSum = 0.0
    package private(set) var squaredErrorSum = 0.0
    /// Σ |f − a| / a over actuals above 0.
    package private(set) var relativeErrorSum = 0.0
    /// Σ |f − a| / ((a + f) / 2); a pair of zeros adds 0.
    package private(set) var symmetricErrorSum = 0.0

    package init() {}

    /// The sums as kept elsewhere; nil when they cannot have come from pairs of ours.
    package init?(
        count: Int, zeroActualCount: Int, actualSum: Double, forecastSum: Double,
        absoluteErrorSum: Double, squaredErrorSum: Double, relativeErrorSum: Double,
        symmetricErrorSum: Double
    ) {
        let sums = [
            actualSum, forecastSum, absoluteErrorSum, squaredErrorSum, relativeErrorSum,
            symmetricErrorSum,
        ]
        guard count >= 0, (0...count).contains(zeroActualCount),
            sums.allSatisfy({ $0 >= 0 && $0.isFinite })
        else { return nil }
        self.count = count
        self.zeroActualCount = zeroActualCount
        self.actualSum = actualSum
        self.forecastSum = forecastSum
        self.absoluteErrorSum = absoluteErrorSum
        self.squaredErrorSum = squaredErrorSum
        self.relativeErrorSum = relativeErrorSum
        self.symmetricErrorSum = symmetricErrorSum
    }

    /// - Precondition: both are finite and not negative.
    package mutating func add(actual: Double, forecast: Double) {
        precondition(actual >= 0 && forecast >= 0 && actual.isFinite && forecast.isFinite)
        let error = forecast - actual
        let magnitude = error < 0 ? -error : error
        count += 1
        actualSum += actual
        forecastSum += forecast
        absoluteErrorSum += magnitude
        squaredErrorSum += error * error
        if actual > 0 {
            relativeErrorSum += magnitude / actual
        } else {
            zeroActualCount += 1
        }
        if actual + forecast > 0 { symmetricErrorSum += 2 * magnitude / (actual + forecast) }
    }

    package mutating func merge(_ other: Accuracy) {
        count += other.count
        zeroActualCount += other.zeroActualCount
        actualSum += other.actualSum
        forecastSum += other.forecastSum
        absoluteErrorSum += other.absoluteErrorSum
        squaredErrorSum += other.squaredErrorSum
        relativeErrorSum += other.relativeErrorSum
        symmetricErrorSum += other.symmetricErrorSum
    }

    /// Σ|f − a| ÷ Σa
    package var wape: Double? { actualSum > 0 ? 100 * absoluteErrorSum / actualSum : nil }
    /// Σ(f − a) ÷ Σa: above 0 when too much was forecast.
    package var bias: Double? {
        actualSum > 0 ? 100 * (forecastSum - actualSum) / actualSum : nil
    }
    /// Mean of |f − a| ÷ a over the pairs whose actual is above 0.
    package var mape: Double? {
        count > zeroActualCount
            ? 100 * relativeErrorSum / Double(count - zeroActualCount) : nil
    }
    /// Mean of |f − a| ÷ ((a + f) / 2): 0...200.
    package var symmetricMAPE: Double? {
        count > 0 ? 100 * symmetricErrorSum / Double(count) : nil
    }
    /// In units.
    package var rootMeanSquareError: Double? {
        count > 0 ? (squaredErrorSum / Double(count)).squareRoot() : nil
    }
    /// Forecast value added: 1 − WAPE ÷ the WAPE of `baseline` on the same pairs. A fraction, 1 at best,
    /// below 0 when the baseline was better.
    package func valueAdded(over baseline: Accuracy) -> Double? {
        guard let own = wape, let its = baseline.wape, its > 0 else { return nil }
        return 1 - own / its
    }
}

/// How much a series moves by itself over its training days: what scaled errors are divided by.
package struct SeriesScale: Equatable, Sendable {
    /// Mean of |aₜ − aₜ₋₇|.
    package let seasonalAbsolute: Double
    /// Mean of (aₜ − aₜ₋₁)².
    package let naiveSquared: Double

    /// Nil when the history is shorter than 8 days or never moves.
    package init?(history: [Double]) {
        let season = 7
        guard history.count > season else { return nil }
        var absolute = 0.0
        for t in season..<history.count { absolute += abs(history[t] - history[t - season]) }
        var squared = 0.0
        for t in 1..<history.count {
            let step = history[t] - history[t - 1]
            squared += step * step
        }
        seasonalAbsolute = absolute / Double(history.count - season)
        naiveSquared = squared / Double(history.count - 1)
        guard seasonalAbsolute > 0, naiveSquared > 0 else { return nil }
    }

    /// The scale as kept elsewhere; nil when it cannot have come from a history.
    package init?(seasonalAbsolute: Double, naiveSquared: Double) {
        guard seasonalAbsolute > 0, naiveSquared > 0, seasonalAbsolute.isFinite,
            naiveSquared.isFinite
        else { return nil }
        self.seasonalAbsolute = seasonalAbsolute
        self.naiveSquared = naiveSquared
    }
}

/// Errors relative to each series' own movement (Hyndman and Koehler 2006; RMSSE as in the M5
/// competition), so that series of all speeds can be averaged.
package struct ScaledAccuracy: Equatable, Sendable {
    package private(set) var count = 0
    package private(set) var absoluteSum = 0.0
    package private(set) var squaredSum = 0.0

    package init() {}

    /// The sums as kept elsewhere; nil when they cannot have come from pairs of ours.
    package init?(count: Int, absoluteSum: Double, squaredSum: Double) {
        guard count >= 0, absoluteSum >= 0, squaredSum >= 0, absoluteSum.isFinite,
            squaredSum.isFinite
        else { return nil }
        self.count = count
        self.absoluteSum = absoluteSum
        self.squaredSum = squaredSum
    }

    package mutating func merge(_ other: ScaledAccuracy) {
        count += other.count
        absoluteSum += other.absoluteSum
        squaredSum += other.squaredSum
    }

    package mutating func add(actual: Double, forecast: Double, scale: SeriesScale) {
        let error = forecast - actual
        count += 1
        absoluteSum += abs(error) / scale.seasonalAbsolute
        squaredSum += error * error / scale.naiveSquared
    }

    /// MASE with a season of 7 days: mean of |f − a| ÷ the series' mean |aₜ − aₜ₋₇|. Not in percent.
    package var mase7: Double? { count > 0 ? absoluteSum / Double(count) : nil }
    /// √ of the mean of (f − a)² ÷ the series' mean (aₜ − aₜ₋₁)². Not in percent.
    package var rmsse: Double? { count > 0 ? (squaredSum / Double(count)).squareRoot() : nil }
}

/// The loss of forecasts meant to be exceeded with probability 1 − `quantile`.
package struct PinballLoss: Equatable, Sendable {
    package let quantile: Double
    package private(set) var count = 0
    /// Pairs whose actual stayed within the forecast.
    package private(set) var coveredCount = 0
    package private(set) var sum = 0.0

    /// - Precondition: 0 < quantile < 1.
    package init(quantile: Double) {
        precondition(quantile > 0 && quantile < 1)
        self.quantile = quantile
    }

    /// The sums as kept elsewhere; nil when they cannot have come from pairs of ours.
    /// - Precondition: 0 < quantile < 1.
    package init?(quantile: Double, count: Int, coveredCount: Int, sum: Double) {
        guard count >= 0, (0...count).contains(coveredCount), sum >= 0, sum.isFinite else {
            return nil
        }
        self.init(quantile: quantile)
        self.count = count
        self.coveredCount = coveredCount
        self.sum = sum
    }

    /// - Precondition: of the same quantile.
    package mutating func merge(_ other: PinballLoss) {
        precondition(quantile == other.quantile)
        count += other.count
        coveredCount += other.coveredCount
        sum += other.sum
    }

    package mutating func add(actual: Double, forecast: Double) {
        let short = actual - forecast
        count += 1
        if short <= 0 { coveredCount += 1 }
        sum += short > 0 ? quantile * short : (quantile - 1) * short
    }

    /// Mean loss in units.
    package var mean: Double? { count > 0 ? sum / Double(count) : nil }
    /// Share of actuals within the forecast, in percent: 100 · `quantile` is meant.
    package var coverage: Double? {
        count > 0 ? 100 * Double(coveredCount) / Double(count) : nil
    }
}
