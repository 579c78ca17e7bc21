import Forecasting
import Testing

@Suite("Metrics")
struct MetricsTests {
    private static func accuracy(_ pairs: [(actual: Double, forecast: Double)]) -> Accuracy {
        var accuracy = Accuracy()
        for pair in pairs { accuracy.add(actual: pair.actual, forecast: pair.forecast) }
        return accuracy
    }

    // Errors +2, −1, +3, 0 on actuals 10, 4, 0, 6:
    private static let four: [(actual: Double, forecast: Double)] = [
        (10, 12), (4, 3), (0, 3), (6, 6),
    ]

    @Test("Figures equal those calculated by hand")
    func byHand() throws {
        let accuracy = Self.accuracy(Self.four)
        #expect(accuracy.count == 4)
        #expect(accuracy.zeroActualCount == 1)
        #expect(accuracy.wape == 30)  // 6 / 20
        #expect(accuracy.bias == 20)  // 4 / 20
        #expect(abs(try #require(accuracy.mape) - 15) < 1e-12)  // (20 % + 25 % + 0 %) / 3
        // (2/11 + 1/3.5 + 3/1.5 + 0) / 4
        let symmetric = 100 * (2.0 / 11 + 1 / 3.5 + 2) / 4
        #expect(abs(try #require(accuracy.symmetricMAPE) - symmetric) < 1e-12)
        #expect(accuracy.rootMeanSquareError == 3.5.squareRoot())  // (4 + 1 + 9 + 0) / 4
    }

    @Test("Nothing counted gives no figure, and all-zero actuals give only those that need none")
    func nothing() {
        #expect(Accuracy().wape == nil && Accuracy().bias == nil && Accuracy().mape == nil)
        #expect(Accuracy().symmetricMAPE == nil && Accuracy().rootMeanSquareError == nil)
        let zeros = Self.accuracy([(0, 0), (0, 2)])
        #expect(zeros.wape == nil && zeros.bias == nil && zeros.mape == nil)
        #expect(zeros.zeroActualCount == 2)
        #expect(zeros.symmetricMAPE == 100)  // (0 + 200) / 2
    }

    @Test("Merging equals adding everything to one", arguments: 0...4)
    func merge(split: Int) {
        // Sums of halves, so that no rounding depends on the order.
        let pairs: [(actual: Double, forecast: Double)] = [(8, 8), (4, 12), (0, 3), (1, 3)]
        var merged = Self.accuracy(Array(pairs[..<split]))
        merged.merge(Self.accuracy(Array(pairs[split...])))
        #expect(merged == Self.accuracy(pairs))
    }

    @Test("Value added is the share of the baseline's error that is gone")
    func valueAdded() throws {
        let model = Self.accuracy([(10, 12), (10, 10)])  // WAPE 10
        let baseline = Self.accuracy([(10, 14), (10, 14)])  // WAPE 40
        #expect(model.valueAdded(over: baseline) == 0.75)
        #expect(baseline.valueAdded(over: model) == -3)
        #expect(model.valueAdded(over: Self.accuracy([(10, 10)])) == nil)
        #expect(model.valueAdded(over: Accuracy()) == nil)
    }

    @Test("Kept sums give the figures back; impossible sums are refused")
    func keptSums() {
        let four = Self.accuracy(Self.four)
        #expect(
            Accuracy(
                count: 4, zeroActualCount: 1, actualSum: 20, forecastSum: 24, absoluteErrorSum: 6,
                squaredErrorSum: 14, relativeErrorSum: four.relativeErrorSum,
                symmetricErrorSum: four.symmetricErrorSum) == four)
        for (zeros, sum) in [(5, 1.0), (-1, 1), (0, -1), (0, .infinity), (0, .nan)] {
            #expect(
                Accuracy(
                    count: 4, zeroActualCount: zeros, actualSum: sum, forecastSum: 0,
                    absoluteErrorSum: 0, squaredErrorSum: 0, relativeErrorSum: 0,
                    symmetricErrorSum: 0) == nil)
        }
    }

    @Test("Scaled errors divide by the series' own weekly and daily movement")
    func scaled() throws {
        // 1 … 8, then 11: |a₈ − a₁| = 7, |a₉ − a₂| = 9; steps 1 × 7, then 3.
        let scale = try #require(SeriesScale(history: [1, 2, 3, 4, 5, 6, 7, 8, 11]))
        #expect(scale.seasonalAbsolute == 8)
        #expect(scale.naiveSquared == 2)  // (7 · 1 + 9) / 8
        var scaled = ScaledAccuracy()
        #expect(scaled.mase7 == nil && scaled.rmsse == nil)
        scaled.add(actual: 10, forecast: 14, scale: scale)  // 4 / 8, 16 / 2
        scaled.add(actual: 10, forecast: 8, scale: scale)  // 2 / 8, 4 / 2
        #expect(scaled.mase7 == 0.375)
        #expect(scaled.rmsse == 5.0.squareRoot())
    }

    @Test(
        "A history that is too short or never moves has no scale",
        arguments: [[], [1, 2, 3, 4, 5, 6, 7], [5, 5, 5, 5, 5, 5, 5, 5, 5]] as [[Double]])
    func noScale(history: [Double]) {
        #expect(SeriesScale(history: history) == nil)
    }

    @Test("Pinball loss weighs shortfall by the quantile and excess by the rest")
    func pinball() throws {
        var loss = PinballLoss(quantile: 0.9)
        #expect(loss.mean == nil)
        loss.add(actual: 10, forecast: 6)  // 0.9 · 4
        loss.add(actual: 10, forecast: 14)  // 0.1 · 4
        loss.add(actual: 10, forecast: 10)
        #expect(abs(try #require(loss.mean) - 4.0 / 3) < 1e-12)
    }
}

@Suite("Baselines")
struct BaselineTests {
    /// Units 1, 2, 3 … days before the target; 40 is the oldest.
    private static func history(without gaps: Set<Int> = []) -> (Int) -> Double? {
        { lag in gaps.contains(lag) ? nil : Double(lag) }
    }

    @Test(
        "Each forecasts what its name says",
        arguments: [
            (Baseline.naive, 1.0), (.seasonalNaive, 7), (.movingAverage(days: 7), 4),
            (.movingAverage(days: 14), 7.5), (.meanOfLags7And14, 10.5),
        ])
    func whole(baseline: Baseline, expected: Double) {
        #expect(baseline.forecast(unitsBefore: Self.history()) == expected)
    }

    @Test(
        "Unknown days are passed over",
        arguments: [
            (Baseline.naive, 3.0), (.seasonalNaive, 14), (.movingAverage(days: 7), 4.5),
            (.meanOfLags7And14, 14),
        ])
    func gaps(baseline: Baseline, expected: Double) {
        #expect(baseline.forecast(unitsBefore: Self.history(without: [1, 2, 7])) == expected)
    }

    @Test("Without a known day there is no forecast", arguments: Baseline.all)
    func nothing(baseline: Baseline) {
        #expect(baseline.forecast { _ in nil } == nil)
    }

    @Test("No baseline asks beyond its limit", arguments: Baseline.all)
    func lookBack(baseline: Baseline) {
        var lags: [Int] = []
        _ = baseline.forecast { lag in
            lags.append(lag)
            return nil
        }
        #expect(lags.allSatisfy { (1...Baseline.lookBackDaysMax).contains($0) })
    }
}
