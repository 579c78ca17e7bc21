import Forecasting

/// What dates do to all series alike. One series cannot show it, the sum of all can.
extension SeasonalFit {
    /// How many of its own standard errors a special day's mean has to be away from an ordinary one. Some 900 rules
    /// are tried; so far out, chance passes one in about twenty chains.
    private static let standardErrorsMin = 4.0
    /// A day has to have come so often.
    private static let yearsMin = 2
    /// Special days count as if half a year more had shown nothing.
    private static let priorYears = 0.5
    /// A day on which all stores together expect fewer units says too little.
    private static let unitsMin = 25.0
    /// Of a day on which nothing was sold, the share of the expected units that stands in the logarithm.
    private static let soldShareMin = 0.02
    /// Factors of days of the month are means with so many neighbours on both sides, around the month's end too.
    private static let neighbours = 2
    /// Days of the month count as if so many units had been sold as expected.
    private static let priorUnits: Float = 50

    /// Puts a calendar's factors on top of the panel's own.
    func apply(_ calendar: DemandCalendar, to panel: inout SeriesPanel) {
        guard !calendar.isFlat else { return }
        let start = panel.days.lowerBound.advanced(by: -panel.padding)
        let factors = (0..<panel.days.upperBound - start).map {
            calendar.factor(on: start.advanced(by: $0))
        }
        for entry in panel.entries {
            let offset = entry.firstDay - start
            for k in 0..<entry.count {
                let cell = entry.base + k
                panel.factor[cell] *= factors[offset + k]
                // On a day that is closed every year, what was sold all the same says nothing of a usual day.
                panel.deseasonalised[cell] =
                    panel.factor[cell] > 0 ? panel.observed[cell] / panel.factor[cell] : .nan
            }
        }
    }

    /// - Parameter panel: with the factors of weekday and month alone.
    func calendar(
        _ panel: SeriesPanel, withDaysOfMonth: Bool, over range: Range<BusinessDay>
    ) -> DemandCalendar {
        var calendar = DemandCalendar.flat
        // Either is estimated in turns, with the other divided out.
        for _ in 0..<(withDaysOfMonth ? 3 : 1) {
            if withDaysOfMonth {
                var seasonal = panel
                apply(calendar, to: &seasonal)
                calendar.dayOfMonth = Self.daysOfMonth(
                    Totals(seasonal, half: Self.halfWeeks, over: range, withClosedDays: false),
                    from: range.lowerBound, before: calendar.dayOfMonth)
            }
            calendar.specialDays = []
            var seasonal = panel
            apply(calendar, to: &seasonal)
            calendar.specialDays = Self.specialDays(
                Totals(seasonal, half: Self.halfWeeks, over: range, withClosedDays: true),
                from: range.lowerBound)
        }
        return calendar
    }

    /// Of all series together, per day of a range: what was sold, and what the mean around the day lets expect.
    private struct Totals {
        var sold: [Double]
        var expected: [Double]

        init(
            _ panel: SeriesPanel, half: Int, over range: Range<BusinessDay>, withClosedDays: Bool
        ) {
            sold = [Double](repeating: 0, count: range.upperBound - range.lowerBound)
            expected = sold
            for entry in panel.entries {
                let cells = panel.cells(entry, within: range)
                guard cells.count > 2 * half else { continue }
                // Running sums of what was sold and of the factors, over observed days.
                var (units, factors) = (0.0, 0.0)
                func move(_ cell: Int, sign: Double) {
                    guard !panel.observed[cell].isNaN else { return }
                    units += sign * Double(panel.observed[cell])
                    factors += sign * Double(panel.factor[cell])
                }
                for cell in cells.prefix(2 * half) { move(cell, sign: 1) }
                for cell in cells.dropFirst(half).dropLast(half) {
                    move(cell + half, sign: 1)
                    let day = panel.day(cell, of: entry) - range.lowerBound
                    let isKnown = !panel.observed[cell].isNaN
                    if isKnown || withClosedDays && !panel.recorded[cell].isNaN, factors > 0 {
                        sold[day] += Double(panel.recorded[cell])
                        expected[day] += units / factors * Double(panel.factor[cell])
                    }
                    move(cell - half, sign: -1)
                }
            }
        }
    }

    /// - Parameter before: the factors that `totals` expect already; none where there are none.
    private static func daysOfMonth(
        _ totals: Totals, from start: BusinessDay, before: [Float]
    ) -> [Float] {
        let count = DemandCalendar.daysOfMonth
        var sold = [Float](repeating: priorUnits, count: count)
        var expected = sold
        for day in totals.sold.indices {
            let k = start.advanced(by: day).dayOfMonth - 1
            sold[k] += Float(totals.sold[day])
            expected[k] += Float(totals.expected[day]) / (before.isEmpty ? 1 : before[k])
        }
        let smooth = (0..<count).map { k in
            var sum: Float = 0
            for offset in -neighbours...neighbours {
                let other = (k + offset + count) % count
                sum += sold[other] / expected[other]
            }
            return sum
        }
        return bounded(smooth)
    }

    /// The rules that stand out most, each with those before it divided out.
    private static func specialDays(_ totals: Totals, from start: BusinessDay) -> [SpecialDay] {
        var days: [AnnualRule: [Int]] = [:]
        var departures: [Double] = []
        for day in totals.sold.indices {
            let (sold, expected) = (totals.sold[day], totals.expected[day])
            departures.append(
                expected >= unitsMin
                    ? naturalLogarithm(max(sold / expected, soldShareMin)) : .nan)
            if expected >= unitsMin {
                let rules = AnnualRule.matching(start.advanced(by: day))
                for rule in [rules.date, rules.place, rules.last].compactMap({ $0 }) {
                    days[rule, default: []].append(day)
                }
            }
        }
        let known = departures.filter { !$0.isNaN }
        guard !known.isEmpty else { return [] }
        let candidates = days.filter { $0.value.count >= yearsMin }.sorted { $0.key < $1.key }
        var specials: [AnnualRule: Double] = [:]
        while specials.count < DemandCalendar.specialDaysMax {
            let usual = usualDeviation(departures.filter { !$0.isNaN })
            var best: (errors: Double, rule: AnnualRule, days: [Int], mean: Double)?
            for (rule, days) in candidates where specials[rule] == nil {
                let count = Double(days.count)
                let mean = days.reduce(0) { $0 + departures[$1] } / count
                let squares = days.reduce(0) {
                    $0 + (departures[$1] - mean) * (departures[$1] - mean)
                }
                let deviation = max(usual, (squares / (count - 1)).squareRoot())
                guard deviation > 0 else { continue }
                let errors = abs(mean) / (deviation / count.squareRoot())
                if errors > best?.errors ?? standardErrorsMin {
                    best = (errors, rule, days, mean * count / (count + priorYears))
                }
            }
            guard let best else { break }
            specials[best.rule] = best.mean
            for day in best.days { departures[day] -= best.mean }
        }
        let range = DemandCalendar.factorRange
        return specials.sorted { $0.key < $1.key }.map { rule, mean in
            let factor = Float(exponential(mean))
            return SpecialDay(
                rule: rule, factor: factor < range.lowerBound ? 0 : min(factor, range.upperBound))
        }
    }

    /// The standard deviation that most days have, whatever the odd ones do: from the median distance to the median.
    private static func usualDeviation(_ values: [Double]) -> Double {
        func median(_ values: [Double]) -> Double { values.sorted()[values.count / 2] }
        let middle = median(values)
        return 1.4826 * median(values.map { abs($0 - middle) })
    }
}
