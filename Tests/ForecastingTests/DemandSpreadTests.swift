import Forecasting
import TestSupport
import Testing

@Suite("How far demand strays from a forecast")
struct DemandSpreadTests {
    /// From sums of 40 decimal digits: P50, P90, P95 and P99.
    static let golden: [(mean: Double, overdispersion: Double, units: [Int32])] = [
        (0.05, 0, [0, 0, 0, 1]), (0.4, 0, [0, 1, 2, 2]), (0.4, 2, [0, 1, 2, 4]),
        (3, 0, [3, 5, 6, 8]), (3, 0.5, [2, 7, 8, 12]), (12.5, 0.1, [12, 20, 22, 27]),
        (20, 16, [0, 39, 113, 397]), (60, 0.3, [54, 105, 124, 164]), (64, 0, [64, 74, 77, 83]),
        (65, 0, [65, 75, 79, 84]), (150, 0.1, [145, 215, 238, 286]),
        (150, 1, [104, 346, 450, 693]), (1000, 0.05, [983, 1298, 1398, 1598]),
        (5000, 0.5, [4196, 9725, 11861, 16598]),
    ]

    @Test(
        "The quantiles are the negative binomial's: exactly up to a mean of 64, within 1 % or a unit above",
        arguments: golden.indices)
    func quantiles(_ index: Int) {
        let row = Self.golden[index]
        for (probability, expected) in zip([0.5, 0.9, 0.95, 0.99], row.units) {
            let units = DemandQuantile.units(
                probability, mean: row.mean,
                variance: row.mean + row.overdispersion * row.mean * row.mean)
            let slack = row.mean <= 64 ? 0 : max(1, expected / 100)
            #expect(abs(units - expected) <= slack, "\(row) \(probability): \(units)")
        }
    }

    @Test("No input makes a quantile trap")
    func extremes() {
        for mean in [0, -1, 1e-30, 0.5, 64, 65, 1e7, 1e300, .infinity, .nan] {
            for variance in [0, -1, 1e-30, 1e20, 1e300, .infinity, .nan] {
                for probability in [0.01, 0.5, 0.999] {
                    #expect(
                        DemandQuantile.units(probability, mean: mean, variance: variance) >= 0)
                }
            }
        }
        var spread = DemandSpread()
        for forecast in [Float.nan, .infinity, 0, 1e-30, 10_000_000] {
            spread.observe(forecast: forecast, units: 1e9)
            spread.observe(forecast: forecast, units: 0)
            #expect((0...DemandSpread.overdispersionMax).contains(spread.overdispersion))
        }
    }

    /// Demand with a weekday's ups and downs: Poisson whose rate is the forecast times a gamma of mean 1.
    struct Demand {
        var random: SeededGenerator
        let level: Double
        let overdispersion: Double

        func mean(on day: Int) -> Double {
            level * [0.7, 0.7, 0.8, 1, 1.2, 1.6, 1][day % 7]
        }

        mutating func uniform() -> Double { Double.random(in: 1e-12..<1, using: &random) }

        mutating func gaussian() -> Double {
            // Twelve uniforms: tails beyond 4 standard deviations are not needed here.
            (0..<12).reduce(-6) { sum, _ in sum + uniform() }
        }

        /// Of shape `shape` and mean 1 (Marsaglia, Tsang 2000).
        mutating func gamma(_ shape: Double) -> Double {
            if shape < 1 {
                let boost = exponential(naturalLogarithm(uniform()) / shape)
                return gamma(shape + 1) * (shape + 1) * boost / shape
            }
            let d = shape - 1 / 3.0
            while true {
                let x = gaussian()
                let v = 1 + x / (9 * d).squareRoot()
                guard v > 0 else { continue }
                let cube = v * v * v
                if naturalLogarithm(uniform()) < 0.5 * x * x + d - d * cube
                    + d * naturalLogarithm(cube)
                {
                    return d * cube / shape
                }
            }
        }

        mutating func units(on day: Int) -> Double {
            var rate = mean(on: day)
            if overdispersion > 0 { rate *= gamma(1 / overdispersion) }
            if rate > 50 { return max(0, (rate + gaussian() * rate.squareRoot()).rounded()) }
            var product = uniform()
            var units = 0.0
            while product > exponential(-rate) {
                product *= uniform()
                units += 1
            }
            return units
        }
    }

    /// Of whole units a P90 covers at least 90 %, of few units far more: Poisson's of 0.4 covers 94 % or all.
    static let cases: [(level: Double, overdispersion: Double, covered: ClosedRange<Double>)] = [
        (0.4, 0, 0.89...0.97), (3, 0, 0.89...0.95), (3, 0.5, 0.88...0.94),
        (20, 0.1, 0.88...0.93), (20, 1, 0.87...0.92), (150, 0.02, 0.88...0.92),
        (150, 0.3, 0.88...0.92),
    ]

    @Test(
        "Learned from closed days alone, P90 covers nine days of ten on simulated demand",
        arguments: cases.indices)
    func coverage(_ index: Int) {
        let row = Self.cases[index]
        let seed = UInt64(700 + index)
        var demand = Demand(
            random: SeededGenerator(seed: seed), level: row.level,
            overdispersion: row.overdispersion)
        var spread = DemandSpread()
        var covered = 0
        var nineInTen = 0
        let days = 6000
        for day in 0..<(days + 60) {
            let mean = demand.mean(on: day)
            let units = demand.units(on: day)
            if day >= 60 {
                let limit = DemandQuantile.units(
                    0.9, mean: mean, variance: spread.variance(of: mean))
                if units <= Double(limit) { covered += 1 }
                if units <= mean { nineInTen += 1 }
            }
            spread.observe(forecast: Float(mean), units: Float(units))
        }
        let share = Double(covered) / Double(days)
        #expect(row.covered.contains(share), "seed \(seed): P90 covers \(share) of \(row)")
        // Were P90 the forecast itself, the test would say so.
        #expect(!row.covered.contains(Double(nineInTen) / Double(days)))
    }

    @Test("A horizon widens as that of a level that wanders", arguments: [0.1, 0.25, 0.5])
    func horizon(rate: Double) {
        // Exponential smoothing's own process: demand is the level and an error, and the level takes `rate` of each error.
        var random = SeededGenerator(seed: 42)
        var spread = DemandSpread()
        spread.observe(forecast: 400, units: 400)
        let variance = spread.variance(of: 400)
        let (runs, days) = (20_000, 7)
        var (ofLast, ofSum) = (0.0, 0.0)
        for _ in 0..<runs {
            var (level, sum, error) = (0.0, 0.0, 0.0)
            for _ in 0..<days {
                let noise =
                    (0..<12).reduce(-6.0) { sum, _ in sum + Double.random(in: 0..<1, using: &random)
                    }
                    * variance.squareRoot()
                error = level + noise
                level += rate * noise
                sum += error
            }
            ofLast += error * error / Double(runs)
            ofSum += sum * sum / Double(runs)
        }
        let stated = spread.variance(of: 400, daysAhead: days, rate: rate)
        let statedSum = spread.variance(
            ofSum: [Float](repeating: 400, count: days), rate: rate)
        #expect(abs(ofLast / stated - 1) < 0.04, "simulated \(ofLast), stated \(stated)")
        #expect(abs(ofSum / statedSum - 1) < 0.04, "simulated \(ofSum), stated \(statedSum)")
    }
}
