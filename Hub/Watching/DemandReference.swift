import Forecasting
package import HubCore

/// How a store's z behave while nothing is wrong: what later days are judged by.
///
/// z has mean 0 and variance 1 only where sales follow Poisson's law around their forecasts. Of a real store's z
/// - the variance grows with what is forecast, as a negative binomial's does: var(a) = f + c·f². `dispersion` is c;
/// - the mean is what the model's bias makes it, `level`;
/// - neighbours resemble each other, which a CUSUM takes for a shift. Its sums then spread as with √((1 + ρ) ÷ (1 − ρ))
///   times the deviation (Johnson and Bagshaw 1974, "The effect of serial correlation on the performance of CUSUM
///   tests"), `persistence`.
///
/// All three from days before, whose extreme ones count as 3 deviations from the median: a promotion must not make the
/// store deaf; and, where a chain is large enough, from what its other stores are like. A day is judged by what was known before it, and its `score` is wider for how little that was (Hawkins
/// 1987, "Self-starting CUSUM charts for location and scale"): scores of normal days
/// without a bias are normal with variance 1 and independent, from few days as from many, as long as every day is learnt.
package struct DemandReference: Equatable, Sendable {
    /// Days with a figure that it takes.
    package static let daysMin = 28
    /// Neighbours that resemble each other more than this are a shift themselves.
    static let persistenceMax = 0.6
    static let extremeDeviations = 3.0
    /// Models are trained to have no bias: where the chain does not tell, that counts as so many days on which they had none.
    static let unbiasedDays = 30.0
    /// 1 ÷ the third quartile of the normal distribution.
    private static let medianDeviationToSigma = 1.4826

    package private(set) var dispersion: Double
    package internal(set) var level: Double
    package private(set) var deviation: Double
    /// Correlation of a day with the one before, 0 to `persistenceMax`.
    package private(set) var persistence: Double
    package private(set) var days: Int
    /// What the days that it was made from say by themselves.
    package let own: ChainReference.Store
    /// Of the days' z, each divided by what its forecasts make of it.
    private var mean: Double
    /// What the level is taken to be without days, which counts as so many of them.
    private let usualLevel: Double
    private let usualDays: Double
    /// Σ of the squared distances from the mean, and its degrees of freedom; where the dispersion is known from other
    /// stores too, with so many of a variance of 1.
    private var squares: Double
    private var freedom: Double
    /// Further from the mean no day counts.
    private let bound: Double
    private let deviationMin: Double

    /// - Parameters:
    ///   - days: with a z each, ascending, `daysMin` at least.
    ///   - chain: nil: not known; then models are taken to have no bias, and neighbours none but a sure resemblance.
    package init(_ days: [WatchedDay], chain: ChainReference? = nil) {
        precondition(days.count >= Self.daysMin)
        let count = Double(days.count)
        let units = days.reduce(0) { $0 + $1.forecastUnits } / count
        let variance = Self.moments(Self.withoutExtremes(days.map { $0.z ?? 0 })).variance
        let ownDispersion = ChainReference.Estimate(
            value: (variance - 1) / units,
            // No less than of days by Poisson's law.
            variance: Self.squared(max(1, variance) / units) * 2 / (count - 1))
        let dispersion = max(
            0, chain?.dispersion.combined(with: ownDispersion) ?? ownDispersion.value)
        let scaled = Self.withoutExtremes(days.map { Self.scaled($0, dispersion: dispersion) })
        let (mean, scaledVariance) = Self.moments(scaled)
        let correlation = ChainReference.Estimate(
            value: Self.correlation(scaled, mean: mean, variance: scaledVariance),
            variance: 1 / count)
        let persistence =
            chain.map { max(0, $0.persistence.combined(with: correlation)) }
            ?? Self.persistence(correlation: correlation.value, days: count)
        self.persistence = min(persistence, Self.persistenceMax)
        let widening = Self.squared(Self.inflation(self.persistence))
        own = ChainReference.Store(
            dispersion: ownDispersion, persistence: correlation,
            level: ChainReference.Estimate(value: mean, variance: widening / count))
        self.dispersion = dispersion
        self.days = days.count
        self.mean = mean
        usualLevel = chain?.level.mean ?? 0
        usualDays = chain.map { widening / $0.level.variance } ?? Self.unbiasedDays
        let usualFreedom =
            chain.map { (count - 1) * ownDispersion.variance / $0.dispersion.variance } ?? 0
        squares = scaledVariance * (count - 1) + usualFreedom
        freedom = count - 1 + usualFreedom
        // Sales are taken to scatter by Poisson's law at least: where less was seen, it may be chance.
        deviationMin = 1 / (1 + dispersion * units).squareRoot()
        deviation = max(deviationMin, (squares / freedom).squareRoot())
        bound = Self.extremeDeviations * deviation
        level = (mean * count + usualLevel * usualDays) / (count + usualDays)
    }

    /// A positive correlation is taken nearer to 0 by what chance alone would make of it (James and Stein 1961, the positive
    /// part, with twice the variance 1 ÷ n).
    private static func persistence(correlation: Double, days: Double) -> Double {
        guard correlation > 0 else { return 0 }
        return min(max(0, correlation - 2 / (days * correlation)), persistenceMax)
    }

    private static func correlation(
        _ values: [Double], mean: Double, variance: Double
    ) -> Double {
        guard variance > 0 else { return 0 }
        var product = 0.0
        for (one, next) in zip(values, values.dropFirst()) {
            product += (one - mean) * (next - mean)
        }
        return product / (variance * Double(values.count))
    }

    private static func inflation(_ persistence: Double) -> Double {
        ((1 + persistence) / (1 - persistence)).squareRoot()
    }

    private static func squared(_ value: Double) -> Double { value * value }

    /// Learns one more day, without what only many days together tell: dispersion and persistence stay.
    package mutating func learn(_ day: WatchedDay) {
        let before = mean
        let value = min(
            max(Self.scaled(day, dispersion: dispersion), before - bound), before + bound)
        days += 1
        mean += (value - before) / Double(days)
        // Welford 1962.
        squares += (value - before) * (value - mean)
        freedom += 1
        level = (mean * Double(days) + usualLevel * usualDays) / (Double(days) + usualDays)
        deviation = max(deviationMin, (squares / freedom).squareRoot())
    }

    /// The day in deviations from the level.
    package func deviations(of day: WatchedDay) -> Double {
        (Self.scaled(day, dispersion: dispersion) - level) / deviation
    }

    /// The same, of a day that was not learnt from, as a normal deviate: Student's t by the approximation of Wallace 1959,
    /// "Bounds on normal approximations to Student's and the chi-square distributions".
    package func score(of day: WatchedDay) -> Double {
        let doubt = (1 + inflation * inflation / (Double(days) + usualDays)).squareRoot()
        let t = deviations(of: day) / doubt
        let score =
            (freedom * naturalLogarithm(1 + t * t / freedom)).squareRoot()
            * (8 * freedom + 1) / (8 * freedom + 3)
        return t < 0 ? -score : score
    }

    /// By which a CUSUM's values are divided.
    package var inflation: Double { Self.inflation(persistence) }

    private static func scaled(_ day: WatchedDay, dispersion: Double) -> Double {
        (day.z ?? 0) / (1 + dispersion * day.forecastUnits).squareRoot()
    }

    private static func moments(_ values: [Double]) -> (mean: Double, variance: Double) {
        let count = Double(values.count)
        let mean = values.reduce(0, +) / count
        let squares = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
        return (mean, squares / (count - 1))
    }

    /// What lies further than `extremeDeviations` from the median is moved there.
    private static func withoutExtremes(_ values: [Double]) -> [Double] {
        let middle = median(values)
        let spread = median(values.map { abs($0 - middle) }) * medianDeviationToSigma
        // More than half the days alike: the median deviation says nothing.
        guard spread > 0 else { return values }
        let bound = extremeDeviations * spread
        return values.map { min(max($0, middle - bound), middle + bound) }
    }

    /// - Parameter values: one at least.
    static func median(_ values: [Double]) -> Double {
        let sorted = values.sorted()
        let half = sorted.count / 2
        return sorted.count % 2 == 1 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2
    }
}
