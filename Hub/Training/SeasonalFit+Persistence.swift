import Forecasting

/// How long an item's demand stays off its level: what tells a run of promotions from chance.
extension SeasonalFit {
    /// Items that differ by less are alike.
    private static let deviationMin = 0.05
    /// An item with fewer observed days counts as the usual one.
    private static let daysMin = 182
    /// Brings what items differ by to the order of 1.
    private static let scale = 2.0

    /// Sets every entry's persistence: the sum of the first two autocorrelations of the item's days around level ×
    /// season, over all its stores, less the mean of all items and as far as data tells items apart (random effects:
    /// DerSimonian and Laird 1986).
    /// - Returns: false when items do not differ; then nothing is set.
    func fitPersistence(_ panel: inout SeriesPanel, over training: Range<BusinessDay>) -> Bool {
        var sums: [ItemID: Sums] = [:]
        for entry in panel.entries {
            sums[entry.item, default: Sums()].add(panel, entry, over: training)
        }
        let items = sums.filter { $0.value.days >= Self.daysMin && $0.value.squares > 0 }
            .sorted { $0.key < $1.key }
        guard items.count > 1 else { return false }
        let found = items.map { $0.value.correlations }
        let errors = items.map { max($0.value.errorSquared, 1e-6) }
        let weights = errors.map { 1 / $0 }
        let fixed = Self.mean(found, weights: weights)
        let total = weights.reduce(0, +)
        let spread = zip(found, weights).reduce(0) {
            $0 + $1.1 * ($1.0 - fixed) * ($1.0 - fixed)
        }
        let squares = weights.reduce(0) { $0 + $1 * $1 }
        let variance = max(0, (spread - Double(items.count - 1)) / (total - squares / total))
        guard variance.squareRoot() >= Self.deviationMin else { return false }
        let usual = Self.mean(found, weights: errors.map { 1 / (variance + $0) })
        var persistences: [ItemID: Float] = [:]
        for (index, item) in items.enumerated() {
            let own = (found[index] - usual) * variance / (variance + errors[index])
            // In the steps a package keeps, so that device and training see the same.
            let steps = Float(Self.scale * own * 64).rounded() / 64
            let range = SeriesStart.persistenceRange
            persistences[item.key] = min(max(steps, range.lowerBound), range.upperBound)
        }
        for index in panel.entries.indices {
            panel.entries[index].persistence = persistences[panel.entries[index].item] ?? 0
        }
        return true
    }

    private static func mean(_ values: [Double], weights: [Double]) -> Double {
        zip(values, weights).reduce(0) { $0 + $1.0 * $1.1 } / weights.reduce(0, +)
    }

    /// Of one item's departures from what was expected, in standard deviations of a Poisson distribution.
    private struct Sums {
        var days = 0
        var squares = 0.0
        private var products = 0.0
        private var squaredProducts = 0.0

        /// Of one day and of two days apart, added up.
        var correlations: Double { products / squares }
        /// The variance of `correlations` if there were none, however uneven the days are.
        var errorSquared: Double { squaredProducts / (squares * squares) }

        mutating func add(
            _ panel: SeriesPanel, _ entry: SeriesPanel.Entry, over range: Range<BusinessDay>
        ) {
            var (before, beforeThat) = (0.0, 0.0)
            for cell in panel.cells(entry, within: range) {
                var departure = 0.0
                if !panel.deseasonalised[cell].isNaN {
                    let expected = Double(panel.level[cell] * panel.factor[cell])
                    departure =
                        (Double(panel.observed[cell]) - expected) / (expected + 0.25).squareRoot()
                    days += 1
                }
                let product = departure * (before + beforeThat)
                products += product
                squaredProducts += product * product
                squares += departure * departure
                (before, beforeThat) = (departure, before)
            }
        }
    }
}
