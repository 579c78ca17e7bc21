/// How z scatter in the stores of a chain under one model, and how far stores differ in it.
///
/// A store's own days tell its bias, its dispersion and the correlation of its neighbours badly for a year; the other
/// stores' days tell what is usual. Each is taken between the two, by how well the one is known and how much stores differ
/// (empirical Bayes: Efron and Morris 1975, "Data analysis using Stein's estimator and its generalizations"): where all are
/// alike, a store is judged almost as if its scale were known; where they differ, by its own days.
package struct ChainReference: Hashable, Sendable {
    /// Of fewer stores too little can be told about how much they differ.
    package static let storesMin = 20

    /// What a store's own days say.
    package struct Estimate: Hashable, Sendable {
        package var value: Double
        /// Its variance, were the days drawn again; above 0.
        package var variance: Double

        package init(value: Double, variance: Double) {
            self.value = value
            self.variance = variance
        }
    }

    /// One store by its own days alone.
    package struct Store: Hashable, Sendable {
        package var dispersion: Estimate
        package var persistence: Estimate
        package var level: Estimate
    }

    /// What is usual.
    package struct Usual: Hashable, Sendable {
        package let mean: Double
        /// Of a store about the mean, by how much stores differ and how well the mean is known; above 0.
        package let variance: Double

        /// The variance between stores by DerSimonian and Laird 1986, "Meta-analysis in clinical trials".
        /// - Parameter estimates: two at least.
        package init(_ estimates: [Estimate]) {
            let weights = estimates.map { 1 / $0.variance }
            let mean = Self.mean(estimates, weights)
            var spread = 0.0
            var squares = 0.0
            for (estimate, weight) in zip(estimates, weights) {
                spread += weight * (estimate.value - mean) * (estimate.value - mean)
                squares += weight * weight
            }
            let total = weights.reduce(0, +)
            let between = max(
                0, (spread - Double(estimates.count - 1)) / (total - squares / total))
            let shares = estimates.map { 1 / ($0.variance + between) }
            self.mean = Self.mean(estimates, shares)
            variance = between + 1 / shares.reduce(0, +)
        }

        private static func mean(_ estimates: [Estimate], _ weights: [Double]) -> Double {
            zip(estimates, weights).reduce(0) { $0 + $1.0.value * $1.1 } / weights.reduce(0, +)
        }

        /// Between what a store's own days say and what is usual.
        package func combined(with own: Estimate) -> Double {
            (own.value * variance + mean * own.variance) / (variance + own.variance)
        }
    }

    package let stores: Int
    package let dispersion: Usual
    package let persistence: Usual
    package let level: Usual

    /// - Parameter stores: under the same model.
    /// - Returns: nil: fewer than `storesMin`.
    package init?(_ stores: [Store]) {
        guard stores.count >= Self.storesMin else { return nil }
        self.stores = stores.count
        dispersion = Usual(stores.map(\.dispersion))
        persistence = Usual(stores.map(\.persistence))
        level = Usual(stores.map(\.level))
    }
}
