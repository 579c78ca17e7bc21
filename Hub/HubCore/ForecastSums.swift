package import Forecasting

/// One forecast of a device beside what is known of its day: what every figure of the report is a sum over.
package struct ForecastPair: Equatable, Sendable {
    package var forecastUnits: Double
    /// The day's total; nil while the day is pending (or the store did no business).
    package var actualUnits: Int64?
    /// The total of the same weekday a week before, where there is one.
    package var seasonalNaiveUnits: Int64?
    /// `P90.units` for it; nil while the day is pending.
    package var p90Units: Int32?
    package var uncompressed: UncompressedForecast

    package init(
        forecastUnits: Double, actualUnits: Int64? = nil, seasonalNaiveUnits: Int64? = nil,
        p90Units: Int32? = nil, uncompressed: UncompressedForecast = .waiting
    ) {
        self.forecastUnits = forecastUnits
        self.actualUnits = actualUnits
        self.seasonalNaiveUnits = seasonalNaiveUnits
        self.p90Units = p90Units
        self.uncompressed = uncompressed
    }
}

/// What a set of forecasts comes to. Sums of sets that share nothing merge to the sums of both, so that any range of
/// days and any grouping is made from daily ones.
package struct ForecastSums: Equatable, Sendable {
    package var accuracy = Accuracy()
    /// The forecasts that have a seasonal naive beside them, and that one on the same days.
    package var comparable = Accuracy()
    package var seasonalNaive = Accuracy()
    /// Of the series whose history before the store's first forecast tells how much they move.
    package var scaled = ScaledAccuracy()
    package var p90 = PinballLoss(quantile: P90.probability)
    /// Forecasts whose day is not final yet, or had no business: no part of any error.
    package var pending = 0
    package var compression = CompressionSums()

    package init() {}

    package mutating func add(_ pair: ForecastPair, scale: SeriesScale?) {
        guard let units = pair.actualUnits else {
            pending += 1
            return
        }
        let actual = Double(units)
        accuracy.add(actual: actual, forecast: pair.forecastUnits)
        if let naive = pair.seasonalNaiveUnits {
            comparable.add(actual: actual, forecast: pair.forecastUnits)
            seasonalNaive.add(actual: actual, forecast: Double(naive))
        }
        if let scale { scaled.add(actual: actual, forecast: pair.forecastUnits, scale: scale) }
        if let units = pair.p90Units { p90.add(actual: actual, forecast: Double(units)) }
        compression.add(
            actual: actual, forecast: pair.forecastUnits, uncompressed: pair.uncompressed)
    }

    package mutating func merge(_ other: ForecastSums) {
        accuracy.merge(other.accuracy)
        comparable.merge(other.comparable)
        seasonalNaive.merge(other.seasonalNaive)
        scaled.merge(other.scaled)
        p90.merge(other.p90)
        pending += other.pending
        compression.merge(other.compression)
    }

    /// Forecasts, compared or pending.
    package var forecasts: Int { accuracy.count + pending }
    /// A fraction, 1 at best; nil when there is nothing to compare with.
    package var valueAdded: Double? { comparable.valueAdded(over: seasonalNaive) }
    /// Compared forecasts that nobody has tried to replay yet.
    package var unreplayed: Int {
        accuracy.count - compression.count - compression.networkGone - compression.inputsUnknown
    }

    // MARK: As numbers in a row

    /// How many numbers `eachNumber` gives and `init(number:)` takes.
    package static let numberCount = 31 + CompressionSums.numberCount

    /// Every sum in a fixed order.
    package func eachNumber<Failure: Error>(
        _ body: (Int, Double) throws(Failure) -> Void
    ) throws(Failure) {
        var position = 0
        for part in [accuracy, comparable, seasonalNaive] {
            for value in [
                Double(part.count), Double(part.zeroActualCount), part.actualSum, part.forecastSum,
                part.absoluteErrorSum, part.squaredErrorSum, part.relativeErrorSum,
                part.symmetricErrorSum,
            ] {
                try body(position, value)
                position += 1
            }
        }
        for value in [
            Double(scaled.count), scaled.absoluteSum, scaled.squaredSum, Double(p90.count),
            Double(p90.coveredCount), p90.sum, Double(pending),
        ] + compression.numbers {
            try body(position, value)
            position += 1
        }
    }

    /// - Parameter number: the numbers in the order of `eachNumber`; counts are whole and below 2⁵³.
    /// - Returns: nil when they cannot have come from forecasts.
    package init?(number: (Int) -> Double) {
        func accuracy(_ first: Int) -> Accuracy? {
            guard let count = Int(exactly: number(first)),
                let zeros = Int(exactly: number(first + 1))
            else { return nil }
            return Accuracy(
                count: count, zeroActualCount: zeros, actualSum: number(first + 2),
                forecastSum: number(first + 3), absoluteErrorSum: number(first + 4),
                squaredErrorSum: number(first + 5), relativeErrorSum: number(first + 6),
                symmetricErrorSum: number(first + 7))
        }
        guard let all = accuracy(0), let comparable = accuracy(8), let naive = accuracy(16),
            let scaledCount = Int(exactly: number(24)),
            let scaled = ScaledAccuracy(
                count: scaledCount, absoluteSum: number(25), squaredSum: number(26)),
            let quantileCount = Int(exactly: number(27)),
            let coveredCount = Int(exactly: number(28)),
            let p90 = PinballLoss(
                quantile: P90.probability, count: quantileCount, coveredCount: coveredCount,
                sum: number(29)), let pending = Int(exactly: number(30)), pending >= 0,
            let compression = CompressionSums(number: { number($0 + 31) })
        else { return nil }
        self.accuracy = all
        self.comparable = comparable
        self.seasonalNaive = naive
        self.scaled = scaled
        self.p90 = p90
        self.pending = pending
        self.compression = compression
    }
}

/// The units that a day's demand stays within nine times in ten, as a device states it beside its forecast. Devices do
/// not send it up; the hub makes it the same way (`DemandSpread`) from the same forecasts and from the totals it knows today.
/// A total that came late moves it here and may not have been there on the device.
package enum P90 {
    package static let probability = 0.9
    /// How long errors of closed days are looked back at, by the agent and here.
    package static let lookBackDays = 62

    /// One forecast of a series by one device.
    package struct Past: Equatable, Sendable {
        package var day: Int32
        package var forecastUnits: Double
        /// Nil where the day is pending: nothing is learnt from it.
        package var actualUnits: Int64?

        package init(day: Int32, forecastUnits: Double, actualUnits: Int64?) {
            self.day = day
            self.forecastUnits = forecastUnits
            self.actualUnits = actualUnits
        }
    }

    /// - Parameters:
    ///   - index: which of `series` it is for.
    ///   - series: ascending by day, from `lookBackDays` before that one on.
    package static func units(at index: Int, of series: [Past]) -> Int32 {
        let target = series[index]
        var first = index
        while first > 0, series[first - 1].day >= target.day - Int32(lookBackDays) { first -= 1 }
        var spread = DemandSpread()
        for past in series[first..<index] {
            guard let actual = past.actualUnits else { continue }
            spread.observe(forecast: Float(past.forecastUnits), units: Float(actual))
        }
        let mean = target.forecastUnits
        return DemandQuantile.units(
            probability, mean: mean, variance: spread.variance(of: mean))
    }
}
