package import Forecasting

/// One day of one item that champion and challenger both forecast, one day ahead.
package struct BackTestForecast: Hashable, Sendable {
    package var store: StoreID
    package var item: ItemID
    package var day: BusinessDay
    /// In units, as are the forecasts.
    package var actual: Float
    package var champion: Float
    package var challenger: Float
    /// What the same weekday sold the week before; nil where that is not known.
    package var naive: Float?

    package init(
        store: StoreID, item: ItemID, day: BusinessDay, actual: Float, champion: Float,
        challenger: Float, naive: Float?
    ) {
        self.store = store
        self.item = item
        self.day = day
        self.actual = actual
        self.champion = champion
        self.challenger = challenger
        self.naive = naive
    }
}

/// Sums over some forecasts, in units.
package struct BackTestErrors: Hashable, Sendable, Codable {
    package var forecasts = 0
    package var actual = 0.0
    /// Σ|forecast − actual|, here and below.
    package var champion = 0.0
    package var challenger = 0.0
    /// Of the forecasts that have a seasonal naive, and what was sold then.
    package var naive = 0.0
    package var naiveActual = 0.0

    package init() {}

    package mutating func add(_ forecast: BackTestForecast) {
        forecasts += 1
        actual += Double(forecast.actual)
        champion += Double((forecast.champion - forecast.actual).magnitude)
        challenger += Double((forecast.challenger - forecast.actual).magnitude)
        if let units = forecast.naive {
            naive += Double((units - forecast.actual).magnitude)
            naiveActual += Double(forecast.actual)
        }
    }

    /// In percent; nil where nothing was sold.
    package var championWAPE: Double? { actual > 0 ? 100 * champion / actual : nil }
    package var challengerWAPE: Double? { actual > 0 ? 100 * challenger / actual : nil }
    package var naiveWAPE: Double? { naiveActual > 0 ? 100 * naive / naiveActual : nil }
    /// Of the champion's error: above 0, the challenger is better.
    package var gain: Double? { champion > 0 ? 1 - challenger / champion : nil }
}

/// Champion, challenger and baseline on days that the challenger had not seen, by rolling origin (Tashman 2000,
/// "Out-of-sample tests of forecasting accuracy"): at each origin the challenger is trained on the days before, and
/// forecasts the days from there to the next origin, each one day ahead.
package struct BackTest: Hashable, Sendable, Codable {
    package struct Fold: Hashable, Sendable, Codable {
        /// The first day that its challenger did not learn from.
        package var origin: BusinessDay
        package var days: Int
        /// How many of them the champion had learnt from: it has the advantage there.
        package var daysChampionKnew: Int
        package var errors = BackTestErrors()

        package init(origin: BusinessDay, days: Int, daysChampionKnew: Int) {
            self.origin = origin
            self.days = days
            self.daysChampionKnew = daysChampionKnew
        }
    }

    package enum Finding: String, Hashable, Sendable, Codable {
        /// Significantly, and by more than the rule's least.
        case better, worse
        case alike
        case tooFew
    }

    package struct Store: Hashable, Sendable, Codable {
        package var store: StoreID
        /// What is counted of a drifting store: the days from here on.
        package var driftsSince: BusinessDay?
        package var errors = BackTestErrors()
        package var finding = Finding.tooFew

        package init(store: StoreID, driftsSince: BusinessDay?) {
            self.store = store
            self.driftsSince = driftsSince
        }
    }

    package var folds: [Fold]
    /// By store.
    package var stores: [Store] = []
    /// Of all counted days.
    package var total = BackTestErrors()
    /// Of the drifting stores alone.
    package var drifting = BackTestErrors()
    /// The chance of such a gain, or more, between models that are equally good; nil: too few to say, or no gain.
    package var chance: Double?
    package var driftingChance: Double?

    /// - Parameters:
    ///   - forecasts: in any order; days outside the folds are not counted.
    ///   - rule: what counts as better or worse in a store.
    package init(
        _ forecasts: [BackTestForecast], folds: [Fold], drifts: [StoreDrift], rule: PromotionRule
    ) {
        self.folds = folds
        let since = Dictionary(
            drifts.map { ($0.store, $0.since) }, uniquingKeysWith: { min($0, $1) })
        let sorted = forecasts.filter { one in
            since[one.store].map { one.day >= $0 } ?? true
                && folds.contains { one.day >= $0.origin && one.day - $0.origin < $0.days }
        }.sorted { ($0.store, $0.item, $0.day) < ($1.store, $1.item, $1.day) }
        var chain = GainEvidence()
        var drifting = GainEvidence()
        var rest = sorted[...]
        while let first = rest.first {
            let mine = rest.prefix { $0.store == first.store }
            rest = rest.dropFirst(mine.count)
            var line = Store(store: first.store, driftsSince: since[first.store])
            var own = GainEvidence()
            var item = first.item
            func endItem() {
                own.endItem()
                chain.endItem()
                drifting.endItem()
            }
            for one in mine {
                if one.item != item { endItem() }
                item = one.item
                line.errors.add(one)
                own.add(one)
                chain.add(one)
                if line.driftsSince != nil { drifting.add(one) }
                let fold = self.folds.firstIndex {
                    one.day >= $0.origin && one.day - $0.origin < $0.days
                }
                if let fold { self.folds[fold].errors.add(one) }
            }
            endItem()
            line.finding = own.finding(rule)
            stores.append(line)
            total.merge(line.errors)
            if line.driftsSince != nil { self.drifting.merge(line.errors) }
        }
        chance = chain.chanceOfGain
        driftingChance = drifting.chanceOfGain
    }
}

extension BackTestErrors {
    mutating func merge(_ other: BackTestErrors) {
        forecasts += other.forecasts
        actual += other.actual
        champion += other.champion
        challenger += other.challenger
        naive += other.naive
        naiveActual += other.naiveActual
    }
}

/// Both errors of the same days, each way round: is the challenger worse, is the champion?
private struct GainEvidence {
    private var loss = PairedErrors()
    private var gain = PairedErrors()

    mutating func add(_ one: BackTestForecast) {
        loss.add(actual: one.actual, active: one.champion, candidate: one.challenger)
        gain.add(actual: one.actual, active: one.challenger, candidate: one.champion)
    }

    mutating func endItem() {
        loss.endItem()
        gain.endItem()
    }

    func finding(_ rule: PromotionRule) -> BackTest.Finding {
        let criterion = PairedErrors.Criterion(
            level: rule.storeLevel, leastWorsening: rule.leastWorsening)
        switch (loss.verdict(criterion), gain.verdict(criterion)) {
        case (.tooFew, _), (_, .tooFew): return .tooFew
        case (.worse, _): return .worse
        case (_, .worse): return .better
        case (.notWorse, .notWorse): return .alike
        }
    }

    var chanceOfGain: Double? {
        let any = PairedErrors.Criterion(level: 1, leastWorsening: 0)
        guard case .worse(let probability) = gain.verdict(any) else { return nil }
        return probability
    }
}
