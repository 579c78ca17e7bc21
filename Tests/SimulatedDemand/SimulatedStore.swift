import Forecasting
package import HubCore

/// By what law a simulated store sells around its forecasts.
package enum DemandLaw: Hashable, Sendable, CaseIterable {
    /// z is normal with variance 1, one day independent of the other: what the charts' figures are known for.
    case normal
    /// The same, but neighbours correlate by 0.3.
    case correlated
    /// 30 items by negative binomials (variance m + m²/4), weekday factors, closed on Sundays, days that are good or bad
    /// for all items by 8 %, and forecasts that are 3 % too low.
    case overdispersed
    /// 20 items that sell once in 2 to 20 days.
    case slowMovers
    /// As `overdispersed`, and the forecast follows each item's level as a device's does, by a tenth of each error.
    case following
    /// As `overdispersed`, each store with its own bias (normal, 2.5 %), its own good and bad days (2 to 14 %) and its own
    /// correlation of them (0 to 0.4).
    case unalike
}

/// Days of one store as the hub sees them.
package struct SimulatedStore {
    private struct Item {
        var mean: Double
        var level: Double
    }

    private let law: DemandLaw
    private var chance: DemandChance
    private var items: [Item] = []
    private var previous = 0.0
    /// What forecasts are of what is sold.
    private var forecastShare = 0.97
    /// Of the day's factor for all items, and of the factors of neighbouring days.
    private var commonDeviation = 0.08
    private var commonCorrelation = 0.0
    private var nextDay: Int32 = 17_000

    private static let weekdays = [0.8, 0.85, 0.9, 1.0, 1.25, 1.4, 0]
    private static let normalUnits = 100.0

    package init(_ law: DemandLaw, seed: UInt64) {
        self.law = law
        chance = DemandChance(seed: seed)
        previous = chance.normal()
        let count: Int
        let means: ClosedRange<Double>
        switch law {
        case .normal, .correlated: (count, means) = (0, 1...1)
        case .overdispersed, .following, .unalike: (count, means) = (30, 0.5...20)
        case .slowMovers: (count, means) = (20, 0.05...0.5)
        }
        for _ in 0..<count {
            // As many of each order of magnitude.
            let mean = exponential(
                naturalLogarithm(means.lowerBound)
                    + (naturalLogarithm(means.upperBound / means.lowerBound)) * chance.uniform())
            items.append(Item(mean: mean, level: mean))
        }
        if law == .slowMovers {
            forecastShare = 1
            commonDeviation = 0
        } else if law == .unalike {
            forecastShare = 1 + 0.025 * chance.normal()
            commonDeviation = 0.02 + 0.12 * chance.uniform()
            commonCorrelation = 0.4 * chance.uniform()
        }
    }

    /// The standard deviation of its z, measured over many days: what a shift of 1σ is one of.
    package func deviation() -> Double {
        var copy = self
        var sum = 0.0
        var squares = 0.0
        var count = 0.0
        for _ in 0..<1_000 {
            guard let z = copy.next(shift: 0).z else { continue }
            sum += z
            squares += z * z
            count += 1
        }
        let mean = sum / count
        return (squares / count - mean * mean).squareRoot()
    }

    /// - Parameter shift: by which z is moved on average, in units of z.
    package mutating func next(shift: Double) -> WatchedDay {
        let day = BusinessDay(daysSince1970: nextDay)
        nextDay += 1
        switch law {
        case .normal, .correlated:
            let correlation = law == .normal ? 0 : 0.3
            previous =
                correlation * previous
                + (1 - correlation * correlation).squareRoot() * chance.normal()
            let units = Self.normalUnits
            let error = (previous + shift) * units.squareRoot()
            return WatchedDay(
                day: day, release: 1, forecasts: 10, forecastUnits: units,
                actualUnits: max(0, units + error), absoluteErrorUnits: abs(error))
        case .overdispersed, .slowMovers, .following, .unalike: return items(of: day, shift: shift)
        }
    }

    private mutating func items(of day: BusinessDay, shift: Double) -> WatchedDay {
        let isSlow = law == .slowMovers
        let weekday = isSlow ? 1 : Self.weekdays[day.weekday]
        var result = WatchedDay(
            day: day, release: 1, forecasts: 0, forecastUnits: 0, actualUnits: 0,
            absoluteErrorUnits: 0)
        // Closed: nothing is compared.
        guard weekday > 0 else { return result }
        let total = items.reduce(0) { $0 + $1.mean } * weekday
        let factor = 1 + shift / total.squareRoot()
        var common = 1.0
        if commonDeviation > 0 {
            previous =
                commonCorrelation * previous
                + (1 - commonCorrelation * commonCorrelation).squareRoot() * chance.normal()
            common = exponential(
                commonDeviation * previous - commonDeviation * commonDeviation / 2)
        }
        for index in items.indices {
            let mean = items[index].mean * weekday * max(0, factor) * common
            let units = Double(chance.poisson(mean: mean * chance.gamma(shape: isSlow ? 2 : 4)))
            let forecast = items[index].level * weekday * forecastShare
            if law == .following {
                items[index].level = max(
                    0.01, items[index].level + 0.1 * (units / weekday - items[index].level))
            }
            if units == 0, forecast >= WatchedDay.outOfStockForecastMin { continue }
            result.forecasts += 1
            result.forecastUnits += forecast
            result.actualUnits += units
            result.absoluteErrorUnits += abs(units - forecast)
        }
        return result
    }
}

/// Numbers that follow from a seed: SplitMix64 (Steele, Lea and Flood 2014).
struct DemandChance {
    private var state: UInt64
    private var spare: Double?

    init(seed: UInt64) {
        state = seed
        // Neighbouring seeds would otherwise be one sequence, a number apart.
        state = next() ^ 0x1234_5678_9ABC_DEF1
        state = next()
    }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ z >> 30) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ z >> 27) &* 0x94D0_49BB_1331_11EB
        return z ^ z >> 31
    }

    /// Above 0, below 1.
    mutating func uniform() -> Double { (Double(next() >> 11) + 0.5) * 0x1p-53 }

    /// Mean 0, variance 1 (Marsaglia and Bray 1964).
    mutating func normal() -> Double {
        if let value = spare {
            spare = nil
            return value
        }
        while true {
            let (x, y) = (2 * uniform() - 1, 2 * uniform() - 1)
            let square = x * x + y * y
            guard square < 1, square > 0 else { continue }
            let scale = (-2 * naturalLogarithm(square) / square).squareRoot()
            spare = y * scale
            return x * scale
        }
    }

    /// Mean 1, variance 1 ÷ shape.
    mutating func gamma(shape: Int) -> Double {
        var sum = 0.0
        for _ in 0..<shape { sum -= naturalLogarithm(uniform()) }
        return sum / Double(shape)
    }

    mutating func poisson(mean: Double) -> Int {
        var rest = mean
        var count = 0
        while rest > 0 {
            let step = min(rest, 12)
            let limit = exponential(-step)
            var product = uniform()
            while product > limit {
                count += 1
                product *= uniform()
            }
            rest -= step
        }
        return count
    }
}
