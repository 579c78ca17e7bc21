package import Forecasting
package import HubCore

/// How the sales that a store's models read differ from those before: it explains an alert and raises none, since inputs
/// may well change without a forecast getting worse.
package struct InputShift: Equatable, Sendable {
    /// Population stability index over ten classes with as many of the days before each: below 0.1 nothing moved, above
    /// 0.25 much did (Siddiqi 2006, "Credit Risk Scorecards").
    package var stabilityIndex: Double
    /// Largest distance of the two distribution functions, 0 to 1 (Kolmogorov and Smirnov).
    package var distance: Double
    /// Probability of a distance that large when nothing changed, by the asymptotic formula; days that resemble their
    /// neighbours make it too small.
    package var probability: Double

    private static let classes = 10

    /// - Returns: nil with fewer than 20 values on either side.
    package init?(before: [Double], since: [Double]) {
        guard before.count >= 20, since.count >= 20 else { return nil }
        let before = before.sorted()
        let since = since.sorted()
        stabilityIndex = Self.stabilityIndex(before, since)
        distance = Self.distance(before, since)
        let count = Double(before.count * since.count) / Double(before.count + since.count)
        let scaled = (count.squareRoot() + 0.12 + 0.11 / count.squareRoot()) * distance
        probability = Self.tail(scaled)
    }

    private static func stabilityIndex(_ before: [Double], _ since: [Double]) -> Double {
        // Upper bounds of the classes; values that are frequent make some of them one.
        var bounds: [Double] = []
        for part in 1..<classes {
            let bound = before[before.count * part / classes]
            if bounds.last != bound { bounds.append(bound) }
        }
        func shares(_ values: [Double]) -> [Double] {
            var counts = [Double](repeating: 0.5, count: bounds.count + 1)
            for value in values { counts[bounds.firstIndex { value <= $0 } ?? bounds.count] += 1 }
            let total = counts.reduce(0, +)
            return counts.map { $0 / total }
        }
        return zip(shares(before), shares(since)).reduce(0) { sum, pair in
            sum + (pair.1 - pair.0) * naturalLogarithm(pair.1 / pair.0)
        }
    }

    private static func distance(_ before: [Double], _ since: [Double]) -> Double {
        var (left, right, largest) = (0, 0, 0.0)
        while left < before.count, right < since.count {
            let value = min(before[left], since[right])
            while left < before.count, before[left] == value { left += 1 }
            while right < since.count, since[right] == value { right += 1 }
            largest = max(
                largest,
                abs(Double(left) / Double(before.count) - Double(right) / Double(since.count)))
        }
        return largest
    }

    /// 2·Σ (−1)ᵏ⁻¹·exp(−2k²x²)
    private static func tail(_ x: Double) -> Double {
        guard x > 0.2 else { return 1 }
        var sum = 0.0
        for k in 1...100 {
            let term = exponential(-2 * Double(k * k) * x * x)
            sum += k % 2 == 1 ? term : -term
            if term < 1e-12 { break }
        }
        return min(max(0, 2 * sum), 1)
    }
}

/// What of a store's items is behind an alert about its demand: lines for a person.
package enum DriftExplanation {
    static let itemsMax = 5

    /// - Parameters:
    ///   - observations: of the store, before and since the shift began; of several devices' those of one count.
    ///   - since: when that was.
    /// - Returns: empty: nothing to tell.
    package static func lines(
        _ observations: [ForecastObservation], since: BusinessDay
    ) -> [String] {
        struct Sums {
            var before: [Double] = []
            var since: [Double] = []
            var forecast = 0.0
            var actual = 0.0
        }
        guard let device = observations.map(\.device).min() else { return [] }
        var items: [ItemID: Sums] = [:]
        for one in observations where one.device == device {
            guard let actual = one.actualUnits else { continue }
            if one.day < since {
                items[one.item, default: Sums()].before.append(Double(actual))
            } else {
                items[one.item, default: Sums()].since.append(Double(actual))
                items[one.item, default: Sums()].forecast += one.forecastUnits
                items[one.item, default: Sums()].actual += Double(actual)
            }
        }
        var lines: [String] = []
        let most = items.sorted { a, b in
            (abs(b.value.actual - b.value.forecast), a.key)
                < (abs(a.value.actual - a.value.forecast), b.key)
        }.prefix(itemsMax)
        for (item, sums) in most where sums.forecast > 0 && sums.actual != sums.forecast {
            lines.append(
                "item \(item.text): sold \(Figure.fixed(sums.actual, decimals: 0)), forecast "
                    + "\(Figure.fixed(sums.forecast, decimals: 0))"
                    + " (\(share(sums.actual / sums.forecast - 1)))")
        }
        // Each item as a multiple of its mean before, so that all are of one scale.
        var before: [Double] = []
        var after: [Double] = []
        for (_, sums) in items.sorted(by: { $0.key < $1.key }) {
            let mean = sums.before.reduce(0, +) / Double(max(1, sums.before.count))
            guard mean > 0 else { continue }
            before += sums.before.map { $0 / mean }
            after += sums.since.map { $0 / mean }
        }
        if let shift = InputShift(before: before, since: after) {
            lines.append(
                "what its model reads: stability index "
                    + "\(Figure.fixed(shift.stabilityIndex, decimals: 2)) (above 0.25 much has moved), "
                    + "Kolmogorov-Smirnov distance \(Figure.fixed(shift.distance, decimals: 2)), "
                    + "p \(Figure.fixed(shift.probability, decimals: 3))")
        }
        return lines
    }

    /// `+18.0 %`
    package static func share(_ share: Double) -> String {
        (share >= 0 ? "+" : "") + Figure.percent(100 * share, decimals: 1)
    }
}
