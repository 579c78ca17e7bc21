package import Forecasting

/// When a challenger takes the champion's place.
package struct PromotionRule: Hashable, Sendable, Codable {
    /// Of the champion's Σ|error|: what the challenger has to be better by.
    package var leastGain = 0.01
    /// How often a challenger that is no better may be taken for better: one-sided, over the series.
    package var level = 0.05
    /// In how many of the stores the challenger may be worse.
    package var worseStoreShareMax = 0.10
    /// Of a store's Σ|error|: what counts as better or worse there at all, and at which level.
    package var leastWorsening = 0.02
    package var storeLevel = 0.01
    /// Fewer forecasts than that say nothing.
    package var forecastsMin = 100

    package init() {}

    /// In words.
    package var text: String {
        "better by \(Figure.percent(100 * leastGain, decimals: 0)) of the error or more, by less than"
            + " \(Figure.percent(100 * level, decimals: 0)) chance; better than last week's weekday; worse (by"
            + " \(Figure.percent(100 * leastWorsening, decimals: 0)) or more, level"
            + " \(Figure.fixed(storeLevel, decimals: 2))) in at most"
            + " \(Figure.percent(100 * worseStoreShareMax, decimals: 0)) of the stores"
    }
}

/// What a back-test comes to.
package struct PromotionVerdict: Hashable, Sendable, Codable {
    /// Where the challenger is to run.
    package enum Scope: Hashable, Sendable, Codable {
        case everywhere
        case stores([StoreID])
    }

    /// nil: nowhere.
    package var scope: Scope?
    /// With the figures, in words.
    package var why: String
    /// The rule, in words.
    package var rule: String

    package var isPromotion: Bool { scope != nil }

    package init(_ test: BackTest, rule: PromotionRule) {
        self.rule = rule.text
        let worse = test.stores.filter { $0.finding == .worse }
        let worseText =
            worse.isEmpty
            ? "worse in no store"
            : "worse in \(worse.count) of \(test.stores.count) stores ("
                + worse.prefix(10).map(\.store.text).joined(separator: ", ")
                + (worse.count > 10 ? ", ...)" : ")")
        let chain = Part(test.total, test.chance, rule)
        let isWorseTooOften =
            Double(worse.count) > rule.worseStoreShareMax * Double(test.stores.count)
        if chain.isBetter, !isWorseTooOften {
            scope = .everywhere
            why = "\(chain.text); \(worseText)"
            return
        }
        // Two stores of many that have drifted do not show in the whole chain. What is better there and pushed there only
        // can do no harm elsewhere.
        let drifting = test.stores.filter { $0.driftsSince != nil }
        if !drifting.isEmpty {
            let part = Part(test.drifting, test.driftingChance, rule)
            let fit = drifting.filter { $0.finding != .worse }
            let isFit =
                Double(drifting.count - fit.count)
                <= rule.worseStoreShareMax * Double(drifting.count)
            if part.isBetter, isFit {
                scope = .stores(fit.map(\.store))
                why =
                    "in the drifting stores alone (\(fit.map(\.store.text).joined(separator: ", "))):"
                    + " \(part.text). In the whole chain: \(chain.text); \(worseText)"
                return
            }
            scope = nil
            why =
                "in the drifting stores: \(part.text). In the whole chain: \(chain.text); \(worseText)"
            return
        }
        scope = nil
        why = "\(chain.text); \(worseText)"
    }

    /// The judgement of some of the forecasts.
    private struct Part {
        var isBetter: Bool
        var text: String

        init(_ errors: BackTestErrors, _ chance: Double?, _ rule: PromotionRule) {
            let figures =
                "WAPE \(Figure.percent(errors.challengerWAPE)) against \(Figure.percent(errors.championWAPE))"
                + " of what runs and \(Figure.percent(errors.naiveWAPE)) of last week's weekday,"
                + " \(errors.forecasts) forecasts"
            isBetter = false
            guard errors.forecasts >= rule.forecastsMin else {
                text = "\(figures): too few to judge"
                return
            }
            guard let gain = errors.gain, gain >= rule.leastGain else {
                text =
                    "\(figures): not better by \(Figure.percent(100 * rule.leastGain, decimals: 0))"
                return
            }
            guard let chance, chance < rule.level else {
                text =
                    "\(figures): better, but by chance"
                    + (chance.map { " in \(Figure.percent(100 * $0, decimals: 0)) of cases" } ?? "")
                return
            }
            if let naive = errors.naiveWAPE, let own = errors.challengerWAPE, own >= naive {
                text = "\(figures): no better than last week's weekday"
                return
            }
            isBetter = true
            text = "\(figures): better by \(Figure.percent(100 * gain))"
        }
    }
}
