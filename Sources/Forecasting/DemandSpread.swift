/// How far the demand for one item strays from its forecasts: the second parameter of a negative binomial (Poisson
/// demand whose rate is gamma-distributed around the forecast), variance = μ + φ μ². φ is the moment estimate
/// Σ w (e² − μ) / Σ w μ² (Cameron, Trivedi 2013, "Regression Analysis of Count Data", 3.4) over the item's closed
/// days, their weights fading exponentially. Two numbers an item, and only + − × ÷ and square roots: the same on every CPU.
package struct DemandSpread: Equatable, Sendable {
    /// φ before anything is known: demand that varies by about a third beside Poisson's noise.
    package static let overdispersionAtFirst = 0.1
    package static let overdispersionMax = 16.0
    /// What is assumed at first counts like so many days.
    package static let daysAtFirst = 7.0
    /// From then on a day's weight halves in 22 days.
    package static let daysMax = 32.0
    /// An error enters with at most so many standard deviations: one spoiled day is not to rule a month.
    package static let deviationsMax = 4.0

    /// Smoothed e² − μ and μ², in units².
    private var excess = 0.0
    private var square = 0.0
    private var days = Self.daysAtFirst

    package init() {}

    /// φ, 0...`overdispersionMax`.
    package var overdispersion: Double {
        guard square > 0 else { return Self.overdispersionAtFirst }
        return min(max(excess / square, 0), Self.overdispersionMax)
    }

    /// Takes a closed day in; to be called in the order of days. A forecast of nothing says nothing.
    /// - Parameters:
    ///   - forecast: for the day, made before it.
    ///   - units: that were sold.
    package mutating func observe(forecast: Float, units: Float) {
        guard forecast.isFinite, forecast > 0, units.isFinite else { return }
        let mean = Double(forecast)
        if square == 0 {
            square = mean * mean
            excess = Self.overdispersionAtFirst * square
        }
        let error = Double(units) - mean
        let bound = Self.deviationsMax * Self.deviationsMax * variance(of: mean)
        days = min(days + 1, Self.daysMax)
        excess += (min(error * error, bound) - mean - excess) / days
        square += (mean * mean - square) / days
    }

    /// Of the demand on one day, in units².
    /// - Parameters:
    ///   - mean: the day's forecast in units, not negative.
    ///   - daysAhead: 1 for the next day. The further, the wider, as under exponential smoothing:
    ///     1 + α² (h − 1) (Hyndman, Koehler, Ord, Snyder 2008, "Forecasting with Exponential Smoothing", 6.1).
    ///   - rate: α, how fast the level follows.
    package func variance(of mean: Double, daysAhead: Int = 1, rate: Double = 0) -> Double {
        (mean + overdispersion * mean * mean) * (1 + rate * rate * Double(daysAhead - 1))
    }

    /// Of the sum of the demand on the first days ahead, whose errors the level has in common: Σ σ² ·
    /// (1 + α (n − 1) + α² (n − 1) (2n − 1) / 6) (the same, 6.4; Johnston, Harrison 1986).
    /// - Parameter means: of each of these days, in units.
    package func variance(ofSum means: some Collection<Float>, rate: Double) -> Double {
        var sum = 0.0
        for mean in means { sum += variance(of: Double(mean)) }
        let n = Double(means.count)
        return sum * (1 + rate * (n - 1) + rate * rate * (n - 1) * (2 * n - 1) / 6)
    }

    /// α for widening a horizon. A network looks at recent days too, so never less than a tenth.
    package static func rate(of spec: FeatureSpec) -> Double {
        max(0.1, Double(spec.levelRate))
    }
}

/// Units that demand stays within with a stated probability.
package enum DemandQuantile {
    /// Means up to here are summed up term by term.
    static let exactMeanMax = 64.0
    static let termsMax = 16_384

    /// The smallest whole number of units that a negative binomial of this mean and variance stays within with at least
    /// `probability`; a variance no greater than the mean gives Poisson's. Up to a mean of 64 the terms are summed up; above,
    /// the gamma distribution of the same moments stands for it, by the cube-root transform (Wilson, Hilferty 1931).
    /// - Parameters:
    ///   - probability: 0.01...0.999.
    ///   - mean: units; what is below 10⁻⁹ or above 64 times `FeatureSpec.unitsMax` counts as 0.
    /// - Returns: 0...2³¹ − 1.
    package static func units(_ probability: Double, mean: Double, variance: Double) -> Int32 {
        guard mean > 1e-9, mean <= Double(FeatureSpec.unitsMax) * 64, variance.isFinite else {
            return 0
        }
        let overdispersion = min(max(0, variance - mean) / (mean * mean), 1e9)
        return mean <= exactMeanMax
            ? exact(probability, mean: mean, overdispersion: overdispersion)
            : approximate(probability, mean: mean, overdispersion: overdispersion)
    }

    static func exact(_ probability: Double, mean: Double, overdispersion: Double) -> Int32 {
        let spread = overdispersion * mean
        // P(0) = (1 + φ μ)^(−1 / φ), e^−μ in the limit, which is near enough below 10⁻⁹.
        let exponent =
            overdispersion < 1e-9 ? mean : naturalLogarithm(1 + spread) / overdispersion
        var term = exponential(-exponent)
        var sum = term
        var units = 0.0
        while sum < probability, units < Double(termsMax) {
            // P(k + 1) = P(k) · (μ + k φ μ) / ((k + 1) (1 + φ μ))
            term *= (mean + units * spread) / ((units + 1) * (1 + spread))
            sum += term
            units += 1
        }
        return Int32(units)
    }

    static func approximate(
        _ probability: Double, mean: Double, overdispersion: Double
    ) -> Int32 {
        // 1 / (9 shape), the shape being μ² / variance.
        let ninth = (1 / mean + overdispersion) / 9
        let root = max(0, 1 - ninth + normal(probability) * ninth.squareRoot())
        let units = mean * root * root * root
        return units < 2_147_483_000 ? Int32(units + 0.5) : .max
    }

    /// The standard normal quantile to within 0.00045 (Abramowitz, Stegun 1964, 26.2.23).
    static func normal(_ probability: Double) -> Double {
        let tail = min(max(min(probability, 1 - probability), 1e-6), 0.5)
        let t = (-2 * naturalLogarithm(tail)).squareRoot()
        let above = 2.515517 + t * (0.802853 + t * 0.010328)
        let below = 1 + t * (1.432788 + t * (0.189269 + t * 0.001308))
        let magnitude = t - above / below
        return probability < 0.5 ? -magnitude : magnitude
    }
}
