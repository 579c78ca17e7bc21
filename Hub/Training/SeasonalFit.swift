import Forecasting

/// Fits what a form knows besides the network, on the training days only: profiles, the rate at which
/// levels move, each series' level before every day.
struct SeasonalFit {
    /// How strongly a series' own weekdays are held to those of all series, in units sold per weekday:
    /// a series that sold that much counts half itself, half the others.
    private static let shrinkages: [Float] = [300, 1000, 3000, 10_000, 100_000]
    private static let rates: [Float] = [0.01, 0.02, 0.03, 0.05, 0.07, 0.1, 0.14, 0.2]
    /// Half of a window of whole weeks, and half of a year.
    static let halfWeeks = 10
    private static let halfYear = 182
    /// A month needs so many observed days, at least, to get a factor.
    private static let monthDaysMin = 28
    /// Weight of a day in the mean of the last days, compared with the day after it.
    private static let recentDecay: Float = 0.8
    /// Half of 3.84: the log-likelihood ratio that chance exceeds once in twenty times.
    private static let significantNats = 1.92
    /// How much of the last days' mean may be mixed into a level when rates are compared.
    private static let recentShares: [Float] = [0, 0.15, 0.3, 0.45, 0.6]
    /// Days at a series' start whose mean is its first level.
    private static let firstLevelDays = 28

    let plan: TrainingPlan
    /// Per day since `panel.days.lowerBound − padding`.
    private let weekdays: [UInt8]
    private let months: [UInt8]

    private init(_ panel: SeriesPanel, plan: TrainingPlan) {
        self.plan = plan
        let start = panel.days.lowerBound.advanced(by: -panel.padding)
        let calendar = (0..<panel.days.upperBound - start).map { start.advanced(by: $0) }
        weekdays = calendar.map { UInt8($0.weekday) }
        months = calendar.map { UInt8($0.month - 1) }
    }

    /// What was fitted besides what the panel now holds.
    struct Outcome {
        /// A flat one where the form has none.
        var profiles: [SeasonalProfile]
        /// Of the levels beside a network; 0 in the plain form.
        var levelRate: Float
        /// Of levels × season that have to forecast alone.
        var levelRateAlone: Float
        /// Whether items have persistences of their own; without them every series' is 0.
        var itemsDiffer = false
    }

    /// Fills the panel's factors, levels and scales.
    static func fit(_ panel: inout SeriesPanel, plan: TrainingPlan) -> Outcome {
        let fit = SeasonalFit(panel, plan: plan)
        let training = panel.days.lowerBound..<panel.trainingEnd
        var outcome = Outcome(profiles: [.flat], levelRate: 0, levelRateAlone: 0)
        switch plan.form {
        case .plain:
            fit.standardise(&panel, over: training)
            return outcome
        case .calendar:
            outcome.levelRateAlone = fit.fitRates(&panel, over: fit.holdout(panel)).alone.rate
            outcome.levelRate = fit.rateBesideCalendar(&panel, over: training)
        case .profile:
            outcome = fit.fitProfiles(&panel, over: training)
        }
        fit.runLevels(&panel, rate: outcome.levelRate)
        outcome.itemsDiffer =
            plan.inputs.contains(.persistence) && fit.fitPersistence(&panel, over: training)
        return outcome
    }

    /// The same panel with levels that move at another rate; nothing changes in the plain form.
    static func withLevels(_ panel: SeriesPanel, rate: Float, plan: TrainingPlan) -> SeriesPanel {
        guard plan.form != .plain else { return panel }
        var panel = panel
        SeasonalFit(panel, plan: plan).runLevels(&panel, rate: rate)
        return panel
    }

    /// Fills the panel's factors, levels and scales as `family` was trained with them.
    /// - Parameter panel: of the same series and the same end of training.
    static func restore(_ panel: inout SeriesPanel, family: TrainedFamily) {
        var plan = TrainingPlan(form: family.form, units: [])
        plan.levelRestarts = family.levelRestarts
        let fit = SeasonalFit(panel, plan: plan)
        switch family.form {
        case .plain: fit.standardise(&panel, over: panel.days.lowerBound..<panel.trainingEnd)
        case .calendar: fit.runLevels(&panel, rate: family.spec.levelRate)
        case .profile:
            let profiles = panel.entries.map { family.profiles[$0.profile] }
            fit.setFactors(
                &panel, weekday: profiles.map(\.weekday), months: profiles.map(\.month),
                calendar: family.profiles[0].calendar)
            fit.runLevels(&panel, rate: family.spec.levelRate)
        }
    }

    // MARK: Levels

    /// The last part of the training days, on which settings are compared.
    private func holdout(_ panel: SeriesPanel) -> Range<BusinessDay> {
        let days = panel.trainingEnd - panel.days.lowerBound
        return panel.trainingEnd.advanced(by: -min(max(days / 4, 1), 182))..<panel.trainingEnd
    }

    private func standardise(_ panel: inout SeriesPanel, over training: Range<BusinessDay>) {
        for index in panel.entries.indices {
            let entry = panel.entries[index]
            var (count, sum, squares) = (0.0, 0.0, 0.0)
            for cell in panel.cells(entry, within: training) where !panel.observed[cell].isNaN {
                let units = Double(panel.observed[cell])
                count += 1
                sum += units
                squares += units * units
            }
            let mean = count > 0 ? sum / count : 1
            let deviation = count > 1 ? max(squares / count - mean * mean, 0).squareRoot() : 1
            // The bounds of a device's state, so that both scale alike.
            let state = SeriesState(level: Float(mean), scale: Float(deviation))
            panel.entries[index].scale = state.scale
            panel.entries[index].finalLevel = state.level
            for cell in entry.base..<entry.base + entry.count { panel.level[cell] = state.level }
        }
    }

    /// Runs every series' recursion as a device does; on the training days after a restart a level moves as the mean of the
    /// days since does, where that is faster.
    private func runLevels(_ panel: inout SeriesPanel, rate: Float) {
        let firstLevels = firstLevels(panel)
        let trainingEnd = panel.trainingEnd
        for index in panel.entries.indices {
            let entry = panel.entries[index]
            var state = SeriesState(level: firstLevels[index])
            var final = state.level
            let restart = plan.levelRestarts[entry.store]
            // Days since the restart, the level before counting as one.
            var known: Float = 1
            for cell in entry.base..<entry.base + entry.count {
                panel.level[cell] = state.level
                let day = panel.day(cell, of: entry)
                let units = panel.deseasonalised[cell]
                if let restart, day >= restart, day < trainingEnd, !units.isNaN {
                    known += 1
                    state.observe(units, rate: max(rate, 1 / known))
                } else {
                    state.observe(units, rate: rate)
                }
                if day < trainingEnd { final = state.level }
            }
            panel.entries[index].finalLevel = final
        }
    }

    /// The mean of a series' first days; of a series that starts after the training days the mean level of
    /// the item's other stores, or else of all series: all that could be known.
    private func firstLevels(_ panel: SeriesPanel) -> [Float] {
        let training = panel.days.lowerBound..<panel.trainingEnd
        var own: [Float?] = []
        for entry in panel.entries {
            let known = panel.cells(entry, within: training)
                .map { panel.deseasonalised[$0] }.filter { !$0.isNaN }.prefix(Self.firstLevelDays)
            own.append(known.isEmpty ? nil : known.reduce(0, +) / Float(known.count))
        }
        return panel.entries.indices.map { index in
            if let level = own[index] { return level }
            let others = panel.entries.indices.filter {
                own[$0] != nil && panel.entries[$0].item == panel.entries[index].item
            }
            let alike = (others.isEmpty ? Array(panel.entries.indices) : others).compactMap {
                own[$0]
            }
            return alike.isEmpty ? 1 : alike.reduce(0, +) / Float(alike.count)
        }
    }

    /// Rates of the levels that forecast best, and how well.
    private struct RateFit {
        /// Of a level that is all there is.
        var alone = Self.worst
        /// Of a level beside which the last days are seen too, as the network sees them: mixing their mean
        /// in stands for the network. Levels are then free to be slow.
        var besideWindow = Self.worst

        static let worst = (rate: SeasonalFit.rates[0], deviance: Double.infinity)
    }

    private func fitRates(_ panel: inout SeriesPanel, over range: Range<BusinessDay>) -> RateFit {
        let recent = recentMeans(panel, over: range)
        var fit = RateFit()
        for rate in Self.rates {
            runLevels(&panel, rate: rate)
            for share in Self.recentShares {
                let deviance = deviance(panel, over: range, recent: recent, share: share)
                if share == 0, deviance < fit.alone.deviance { fit.alone = (rate, deviance) }
                // Rates come slowest first: a faster one has to be better by more than chance.
                if deviance < fit.besideWindow.deviance - Self.significantNats {
                    fit.besideWindow = (rate, deviance)
                }
            }
        }
        return fit
    }

    /// Per cell of `range`, in the order of the entries: the weighted mean of the observed ones among the
    /// window's days before it, season divided out; NaN where there is none.
    private func recentMeans(_ panel: SeriesPanel, over range: Range<BusinessDay>) -> [Float] {
        var means: [Float] = []
        for entry in panel.entries {
            for cell in panel.cells(entry, within: range) {
                var (sum, count) = (Float(0), Float(0))
                var weight: Float = 1
                for lag in 1...plan.window {
                    let past = panel.deseasonalised[cell - lag]
                    if !past.isNaN {
                        sum += weight * past
                        count += weight
                    }
                    weight *= Self.recentDecay
                }
                means.append(sum / count)
            }
        }
        return means
    }

    /// Half the Poisson deviance, up to a constant, of factor × (level mixed with `recent`).
    private func deviance(
        _ panel: SeriesPanel, over range: Range<BusinessDay>, recent: [Float], share: Float
    ) -> Double {
        var sum = 0.0
        var index = 0
        for entry in panel.entries {
            for cell in panel.cells(entry, within: range) {
                let mean = recent[index]
                index += 1
                guard !panel.observed[cell].isNaN else { continue }
                var level = panel.level[cell]
                if !mean.isNaN { level += share * (mean - level) }
                let expected = Double(level) * Double(panel.factor[cell])
                guard expected > 0 else { continue }
                sum += expected
                if panel.observed[cell] > 0 {
                    sum -= Double(panel.observed[cell]) * naturalLogarithm(expected)
                }
            }
        }
        return sum
    }

    /// The rate for a network that learns the seasons itself: found with the seasons its inputs name divided out, for
    /// a level that had to follow the months as well would have to be fast. The panel's seasons are then put back.
    private func rateBesideCalendar(
        _ panel: inout SeriesPanel, over training: Range<BusinessDay>
    ) -> Float {
        let held = holdout(panel)
        if plan.inputs.contains(.weekday) || knowsYear {
            _ = setProfiles(
                &panel, shrinkage: nil, count: 1, over: training.lowerBound..<held.lowerBound)
        }
        let rate = fitRates(&panel, over: held).besideWindow.rate
        let flat = panel.entries.map { _ in SeasonalProfile.flat.weekday }
        setFactors(&panel, weekday: flat, month: SeasonalProfile.flat.month)
        return rate
    }

    /// Whether the forecaster is told the position in the year: by the profile, or by what the network sees.
    private var knowsYear: Bool {
        plan.form == .profile || !plan.inputs.isDisjoint(with: [.month, .yearCircle])
    }

    // MARK: Profiles

    /// What was sold and what was expected, per weekday or month.
    private struct Ratio {
        var sold: [Float]
        var expected: [Float]
        var days: [Int]

        init(_ count: Int) {
            sold = [Float](repeating: 0, count: count)
            expected = sold
            days = [Int](repeating: 0, count: count)
        }

        static func += (a: inout Ratio, b: Ratio) {
            for k in a.sold.indices {
                a.sold[k] += b.sold[k]
                a.expected[k] += b.expected[k]
                a.days[k] += b.days[k]
            }
        }

        /// Corrections around `prior`, as if `weight` units had been expected and had followed it.
        func factors(prior: [Float], weight: Float) -> [Float] {
            sold.indices.map { (sold[$0] + weight * prior[$0]) / (expected[$0] + weight) }
        }
    }

    private func fitProfiles(
        _ panel: inout SeriesPanel, over training: Range<BusinessDay>
    ) -> Outcome {
        // How far series may differ is decided on days that the profiles of the trial have not seen.
        let held = holdout(panel)
        let seen = training.lowerBound..<held.lowerBound
        var best = (shrinkage: Float?.none, profiles: 1, rates: RateFit())
        let trials: [(Float?, Int)] = [(nil, 1)] + Self.shrinkages.map { ($0, plan.profilesMax) }
        for (shrinkage, count) in trials where count > 1 || shrinkage == nil {
            _ = setProfiles(&panel, shrinkage: shrinkage, count: count, over: seen)
            let rates = fitRates(&panel, over: held)
            if rates.besideWindow.deviance < best.rates.besideWindow.deviance {
                best = (shrinkage, count, rates)
            }
        }
        // Whether days of the month differ is decided there too. A day of the year comes once or twice in them: it has
        // to have stood out in the years before.
        _ = setProfiles(&panel, shrinkage: best.shrinkage, count: best.profiles, over: seen)
        var hasDaysOfMonth = false
        for withDaysOfMonth in [false, true] {
            var trial = panel
            apply(
                calendar(panel, withDaysOfMonth: withDaysOfMonth, over: seen), to: &trial)
            let rates = fitRates(&trial, over: held)
            let gain = best.rates.besideWindow.deviance - rates.besideWindow.deviance
            if !withDaysOfMonth || gain > Self.significantNats {
                best.rates = rates
                hasDaysOfMonth = withDaysOfMonth
            }
        }
        var profiles = setProfiles(
            &panel, shrinkage: best.shrinkage, count: best.profiles, over: training)
        let calendar = calendar(panel, withDaysOfMonth: hasDaysOfMonth, over: training)
        apply(calendar, to: &panel)
        for index in profiles.indices { profiles[index].calendar = calendar }
        return Outcome(
            profiles: profiles, levelRate: best.rates.besideWindow.rate,
            levelRateAlone: best.rates.alone.rate)
    }

    /// Fits one profile for all series (`shrinkage` nil) or at most `count`, and sets the panel's factors.
    private func setProfiles(
        _ panel: inout SeriesPanel, shrinkage: Float?, count: Int, over range: Range<BusinessDay>
    ) -> [SeasonalProfile] {
        var month = [Float](repeating: 1, count: SeasonalProfile.months)
        var own = panel.entries.map { _ in SeasonalProfile.flat.weekday }
        // Weekday and month are estimated in turns, each with the other divided out.
        for _ in 0..<3 {
            setFactors(&panel, weekday: own, month: month)
            month = correctedMonths(panel, month, over: range)
            setFactors(&panel, weekday: own, month: month)
            own = correctedWeekdays(panel, own, shrinkage: shrinkage, over: range)
        }
        let volume = panel.entries.map { entry in
            panel.cells(entry, within: range).reduce(Float(0)) { sum, cell in
                panel.observed[cell].isNaN ? sum : sum + panel.observed[cell]
            }
        }
        let clusters = Self.clustered(own, weights: volume, count: count)
        for index in panel.entries.indices { panel.entries[index].profile = clusters.member[index] }
        setFactors(&panel, weekday: clusters.member.map { clusters.centres[$0] }, month: month)
        return clusters.centres.map { SeasonalProfile(weekday: $0, month: month) }
    }

    private func setFactors(_ panel: inout SeriesPanel, weekday: [[Float]], month: [Float]) {
        setFactors(&panel, weekday: weekday, months: panel.entries.map { _ in month })
    }

    /// - Parameter months: per series, like `weekday`.
    private func setFactors(
        _ panel: inout SeriesPanel, weekday: [[Float]], months month: [[Float]],
        calendar: DemandCalendar = .flat
    ) {
        let start = panel.days.lowerBound.advanced(by: -panel.padding)
        for (index, entry) in panel.entries.enumerated() {
            let offset = entry.firstDay - start
            for k in 0..<entry.count {
                let factor =
                    weekday[index][Int(weekdays[offset + k])]
                    * month[index][Int(months[offset + k])]
                panel.factor[entry.base + k] = factor
                panel.deseasonalised[entry.base + k] = panel.observed[entry.base + k] / factor
            }
        }
        apply(calendar, to: &panel)
    }

    private func correctedMonths(
        _ panel: SeriesPanel, _ month: [Float], over range: Range<BusinessDay>
    ) -> [Float] {
        var ratio = Ratio(SeasonalProfile.months)
        for entry in panel.entries {
            ratio += self.ratio(
                panel, entry, half: Self.halfYear, over: range, by: months, into: 12)
        }
        // A year's round must be known before one month can be told from a trend.
        guard knowsYear, ratio.days.allSatisfy({ $0 >= Self.monthDaysMin }) else {
            return [Float](repeating: 1, count: SeasonalProfile.months)
        }
        let ones = [Float](repeating: 1, count: SeasonalProfile.months)
        let correction = ratio.factors(prior: ones, weight: 50)
        return Self.bounded(month.indices.map { month[$0] * correction[$0] })
    }

    private func correctedWeekdays(
        _ panel: SeriesPanel, _ own: [[Float]], shrinkage: Float?, over range: Range<BusinessDay>
    ) -> [[Float]] {
        var ratios: [Ratio] = []
        var all = Ratio(SeasonalProfile.weekdays)
        for (index, entry) in panel.entries.enumerated() {
            var ratio = ratio(
                panel, entry, half: Self.halfWeeks, over: range, by: weekdays, into: 7)
            // In terms of no weekday factor at all: what was expected without today's estimate.
            for k in 0..<7 { ratio.expected[k] /= own[index][k] }
            ratios.append(ratio)
            all += ratio
        }
        let ones = [Float](repeating: 1, count: SeasonalProfile.weekdays)
        let pooled = Self.bounded(all.factors(prior: ones, weight: 50))
        guard let shrinkage else { return own.map { _ in pooled } }
        return ratios.map { Self.bounded($0.factors(prior: pooled, weight: shrinkage)) }
    }

    /// Compares each day with the mean around it, of `half` days on both sides, its season divided out.
    /// Days without a whole window within `range` are left out.
    private func ratio(
        _ panel: SeriesPanel, _ entry: SeriesPanel.Entry, half: Int, over range: Range<BusinessDay>,
        by key: [UInt8], into count: Int
    ) -> Ratio {
        var ratio = Ratio(count)
        let cells = panel.cells(entry, within: range)
        guard cells.count > 2 * half else { return ratio }
        let offset = entry.firstDay - panel.days.lowerBound + panel.padding
        // Running sums of what was sold and of the factors, over observed days.
        var (sold, factors) = (Double(0), Double(0))
        func move(_ cell: Int, sign: Double) {
            guard !panel.observed[cell].isNaN else { return }
            sold += sign * Double(panel.observed[cell])
            factors += sign * Double(panel.factor[cell])
        }
        for cell in cells.prefix(2 * half) { move(cell, sign: 1) }
        for cell in cells.dropFirst(half).dropLast(half) {
            move(cell + half, sign: 1)
            if !panel.observed[cell].isNaN, factors > 0 {
                let k = Int(key[offset + cell - entry.base])
                ratio.sold[k] += panel.observed[cell]
                ratio.expected[k] += Float(sold / factors) * panel.factor[cell]
                ratio.days[k] += 1
            }
            move(cell - half, sign: -1)
        }
        return ratio
    }

    /// Around 1 on the mean, and each within `SeasonalProfile.factorRange`.
    static func bounded(_ factors: [Float]) -> [Float] {
        let mean = factors.reduce(0, +) / Float(factors.count)
        return factors.map {
            min(
                max($0 / mean, SeasonalProfile.factorRange.lowerBound),
                SeasonalProfile.factorRange.upperBound)
        }
    }

    /// k-means over weekday factors, weighted by what each series sells; begins with the farthest points,
    /// so that chance has no part in it.
    private static func clustered(
        _ points: [[Float]], weights: [Float], count: Int
    ) -> (centres: [[Float]], member: [Int]) {
        func distance(_ a: [Float], _ b: [Float]) -> Float {
            zip(a, b).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
        }
        func nearest(_ point: [Float], _ centres: [[Float]]) -> Int {
            centres.indices.min { distance(point, centres[$0]) < distance(point, centres[$1]) }!
        }
        let heaviest = weights.indices.max { weights[$0] < weights[$1] }!
        var centres = [points[heaviest]]
        while centres.count < count {
            let away = points.indices.map {
                weights[$0] * distance(points[$0], centres[nearest(points[$0], centres)])
            }
            let farthest = away.indices.max { away[$0] < away[$1] }!
            guard away[farthest] > 0 else { break }
            centres.append(points[farthest])
        }
        var member = points.map { nearest($0, centres) }
        for _ in 0..<25 {
            for k in centres.indices {
                let mine = points.indices.filter { member[$0] == k && weights[$0] > 0 }
                let total = mine.reduce(Float(0)) { $0 + weights[$1] }
                guard total > 0 else { continue }
                centres[k] = (0..<SeasonalProfile.weekdays).map { w in
                    mine.reduce(Float(0)) { $0 + weights[$1] * points[$1][w] } / total
                }
            }
            let moved = points.map { nearest($0, centres) }
            if moved == member { break }
            member = moved
        }
        return (centres, member)
    }
}
