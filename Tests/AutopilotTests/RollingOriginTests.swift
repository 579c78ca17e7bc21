import Autopilot
import Compression
import Forecasting
import HubCore
import Testing
import Training

@Suite("Autopilot: challengers and their back-test") struct RollingOriginTests {
    /// What runs: trained on the first `days` days, in every store its own package.
    private static func champion(
        _ sales: SalesOfStores, days: Int, units: [Int] = [2], epochs: Int = 6
    ) throws -> Champion {
        var before = sales
        before.days = days
        let series = try before.series()
        var plan = TrainingPlan(form: .profile, units: units, seed: 3)
        plan.epochs = epochs
        let family = try train(series: series, plan: plan)
        let builder = try PackageBuilder(family: family, name: "old", series: series, lineage: "")
        return Champion(
            families: ["old": family],
            stores: try family.starts.map { starts in
                StoreChampion(
                    store: starts.store, family: "old", variant: family.variants[0].name,
                    file: try builder.build(variant: 0, store: starts.store, release: 1).bytes)
            })
    }

    private static func forecasts(
        _ sales: SalesOfStores, _ champion: Champion, drifts: [StoreDrift] = [],
        folds: [BackTest.Fold]? = nil
    ) throws -> (forecasts: [BackTestForecast], folds: [BackTest.Fold]) {
        let folds =
            folds
            ?? RollingOrigin.folds(
                last: SalesOfStores.day(sales.days - 1), drifts: drifts,
                learntThrough: champion.family.asOf)
        let test = RollingOrigin(
            series: try sales.series(), champion: champion,
            networks: champion.family.variants.map(ChallengerNetwork.init(like:)), folds: folds,
            drifts: drifts, seed: 3)
        return (try test.forecasts(), folds)
    }

    private static func verdict(
        _ found: (forecasts: [BackTestForecast], folds: [BackTest.Fold]),
        drifts: [StoreDrift] = []
    ) -> PromotionVerdict {
        PromotionVerdict(
            BackTest(
                found.forecasts, folds: found.folds, drifts: drifts, rule: PromotionRule()),
            rule: PromotionRule())
    }

    @Test(
        "Folds are the last four weeks; with a drift the days since, once there is something to learn from"
    )
    func folds() throws {
        let last = SalesOfStores.day(99)
        let weeks = RollingOrigin.folds(
            last: last, drifts: [], learntThrough: SalesOfStores.day(79))
        #expect(weeks.map(\.origin) == [72, 79, 86, 93].map(SalesOfStores.day))
        #expect(weeks.map(\.days) == [7, 7, 7, 7])
        #expect(weeks.map(\.daysChampionKnew) == [7, 1, 0, 0])
        func drift(_ day: Int) throws -> [StoreDrift] {
            [
                StoreDrift(store: try StoreID("1"), since: SalesOfStores.day(day)),
                StoreDrift(store: try StoreID("2"), since: SalesOfStores.day(day - 9)),
            ]
        }
        let short = RollingOrigin.folds(
            last: last, drifts: try drift(85), learntThrough: SalesOfStores.day(50))
        #expect(short.map(\.origin) == [88, 91, 94, 97].map(SalesOfStores.day))
        #expect(short.map(\.days) == [3, 3, 3, 3])
        let fresh = RollingOrigin.folds(
            last: last, drifts: try drift(99), learntThrough: SalesOfStores.day(50))
        #expect(fresh.map(\.origin) == [96, 97, 98, 99].map(SalesOfStores.day))
    }

    @Test("No fold knows the days it forecasts, or later ones, but for what was sold before each")
    func causal() throws {
        let sales = SalesOfStores(days: 380)
        let champion = try Self.champion(sales, days: 300)
        let fold = BackTest.Fold(origin: SalesOfStores.day(350), days: 7, daysChampionKnew: 0)
        let plain = try Self.forecasts(sales, champion, folds: [fold]).forecasts
        #expect(plain.count == 3 * 8 * 7)
        // What is sold after the fold is unthinkable when it is forecast.
        var later = sales
        later.shifts["1"] = (from: 357, by: 9)
        #expect(try Self.forecasts(later, champion, folds: [fold]).forecasts == plain)
        // What is sold in it moves the levels of the days after, in the same way for both, and not its own first day.
        var within = sales
        within.shifts["1"] = (from: 350, by: 9)
        let moved = try Self.forecasts(within, champion, folds: [fold]).forecasts
        for (before, after) in zip(plain, moved) where before.day == fold.origin {
            #expect(before.champion == after.champion && before.challenger == after.challenger)
        }
        #expect(
            zip(plain, moved).contains { $0.day > fold.origin && $0.challenger != $1.challenger })
    }

    @Test(
        "A calendar that came after the champion is its challenger's input, from the champion's weights"
    )
    func planned() throws {
        var sales = SalesOfStores(days: 380, promotion: 2)
        let champion = try Self.champion(sales, days: 300)
        #expect(champion.family.spec.inputs.isDisjoint(with: .planned))
        sales.marked = true
        let training = ChallengerTraining(
            series: try sales.series(), champion: champion.family,
            testFrom: SalesOfStores.day(350), levelRestarts: [:], seed: 3)
        let trained = try training.train(
            champion.family.variants.map(ChallengerNetwork.init(like:)), progress: { _, _ in },
            isCancelled: { false })
        #expect(
            trained.family.spec.inputs == champion.family.spec.inputs.union(.promotion))
        #expect(trained.isWarmStarted == [true])
        // What it knows more is worth something in the back-test, as the device runs both.
        let errors = try Self.forecasts(sales, champion).forecasts.reduce(
            into: (champion: Accuracy(), challenger: Accuracy())
        ) {
            $0.champion.add(actual: Double($1.actual), forecast: Double($1.champion))
            $0.challenger.add(actual: Double($1.actual), forecast: Double($1.challenger))
        }
        let (before, after) = (
            try #require(errors.champion.wape), try #require(errors.challenger.wape)
        )
        #expect(after < 0.95 * before, "\(before) before, \(after) after")

        // Where a recipe says what its network sees, that stays.
        var said = champion.family
        said.variants[0].recipe = "lstm2 inputs=\(said.spec.inputs.names)"
        let same = try ChallengerTraining(
            series: try sales.series(), champion: said, testFrom: SalesOfStores.day(350),
            levelRestarts: [:], seed: 3
        ).train(
            said.variants.map(ChallengerNetwork.init(like:)), progress: { _, _ in },
            isCancelled: { false })
        #expect(same.family.spec.inputs == said.spec.inputs && same.isWarmStarted == [true])
    }

    @Test("The champion's forecasts are those of its own back-test, and naive is the week before")
    func champions() throws {
        let sales = SalesOfStores(days: 330, unknown: ["2": 310...312])
        let champion = try Self.champion(sales, days: 300)
        let fold = BackTest.Fold(origin: SalesOfStores.day(310), days: 10, daysChampionKnew: 0)
        let found = try Self.forecasts(sales, champion, folds: [fold]).forecasts
        // Three unknown days of eight items are nobody's error.
        #expect(found.count == (10 + 7 + 10) * 8)
        let series = try sales.series()
        for one in found {
            let own = try #require(series.first { $0.store == one.store && $0.item == one.item })
            let day = one.day - SalesOfStores.firstDay
            #expect(one.actual == own.days[day].observedUnits)
            #expect(one.naive == own.days[day - 7].observedUnits)
        }
        let errors = found.reduce(into: Accuracy()) {
            $0.add(actual: Double($1.actual), forecast: Double($1.champion))
        }
        var family = champion.family
        (family.evaluatedFrom, family.evaluatedDays) = (fold.origin, fold.days)
        let builder = try PackageBuilder(family: family, name: "old", series: series, lineage: "")
        let expected = try builder.accuracies(variant: 0).integer
        let difference = (try #require(errors.wape) - (try #require(expected.wape))).magnitude
        #expect(difference < 0.2)
    }

    @Test("Where nothing has changed a challenger is refused")
    func nothingNew() throws {
        let sales = SalesOfStores(days: 428)
        let champion = try Self.champion(sales, days: 400)
        let verdict = Self.verdict(try Self.forecasts(sales, champion))
        #expect(!verdict.isPromotion, "\(verdict.why)")
    }

    @Test("Stores that shift are repaired, and only where they drift it is promoted")
    func repaired() throws {
        let sales = SalesOfStores(
            days: 400, stores: 6, shifts: ["2": (from: 384, by: 1.8), "5": (from: 384, by: 0.5)])
        let champion = try Self.champion(sales, days: 360)
        let drifts = try ["2", "5"].map {
            StoreDrift(store: try StoreID($0), since: SalesOfStores.day(384))
        }
        let found = try Self.forecasts(sales, champion, drifts: drifts)
        let test = BackTest(
            found.forecasts, folds: found.folds, drifts: drifts, rule: PromotionRule())
        let verdict = PromotionVerdict(test, rule: PromotionRule())
        #expect(verdict.isPromotion, "\(verdict.why)")
        for store in test.stores where store.driftsSince != nil {
            #expect(store.finding == .better, "store \(store.store.text)")
        }
        #expect(test.drifting.gain ?? 0 > 0.1, "\(verdict.why)")

        let training = ChallengerTraining(
            series: try sales.series(), champion: champion.family, testFrom: nil,
            levelRestarts: champion.levelRestarts(drifts), seed: 3)
        let trained = try training.train(
            champion.family.variants.map(ChallengerNetwork.init(like:)), progress: { _, _ in },
            isCancelled: { false })
        #expect(trained.isWarmStarted == [true])
        #expect(try TrainedFamily(encoded: trained.family.encoded()) == trained.family)
        for (store, factor) in [("1", 1.0), ("2", 1.8), ("5", 0.5)] {
            let before = try #require(champion.family.starts.first { $0.store.text == store })
            let after = try #require(trained.family.starts.first { $0.store.text == store })
            for (old, new) in zip(before.starts, after.starts) {
                let moved = Double(new.level / old.level)
                #expect(abs(moved / factor - 1) < 0.2, "store \(store): \(moved)")
            }
        }
        // Whoever follows begins these stores' levels there too, unless they drift again.
        let next = Champion(
            families: ["new": trained.family],
            stores: champion.stores.map {
                StoreChampion(
                    store: $0.store, family: "new", variant: $0.variant, file: $0.file)
            })
        #expect(next.levelRestarts([]) == champion.levelRestarts(drifts))
        let again = StoreDrift(store: drifts[0].store, since: SalesOfStores.day(395))
        #expect(next.levelRestarts([again])[again.store] == again.since)
        #expect(next.levelRestarts([again])[drifts[1].store] == drifts[1].since)

        #expect(throws: TrainingError.cancelled) {
            try training.train(
                champion.family.variants.map(ChallengerNetwork.init(like:)),
                progress: { _, _ in }, isCancelled: { true })
        }
    }

    @Test("A recipe is followed anew, with a network of the same shape where it has none")
    func recipes() throws {
        let sales = SalesOfStores(days: 300)
        let champion = try Self.champion(sales, days: 280, epochs: 1)
        var variant = champion.family.variants[0]
        #expect(ChallengerNetwork(like: variant).recipe.text == "lstm2")
        variant.recipe = "gru3 window=7 | prune 50% | qat int8"
        #expect(ChallengerNetwork(like: variant).recipe.text == variant.recipe)
        variant.recipe = "prune 50% | finetune"
        #expect(ChallengerNetwork(like: variant).recipe.text == "lstm2 | prune 50% | finetune")
        variant.recipe = "from a file"
        #expect(ChallengerNetwork(like: variant).recipe.text == "lstm2")
    }

    @Test(
        "The main champion is what runs in most stores, its counterpart what is called alike or is alike in size"
    )
    func counterparts() throws {
        let sales = SalesOfStores(days: 300, stores: 3, items: 2)
        let one = try Self.champion(sales, days: 280, units: [1, 4], epochs: 1)
        var families = one.families
        var other = one.family
        other.variants[0].name = "another"
        families["new"] = other
        var stores = one.stores
        stores[2].family = "new"
        stores[2].variant = "another"
        let champion = Champion(families: families, stores: stores)
        #expect(champion.name == "old")
        #expect(champion.counterpart(of: stores[0]).name == "profile-1")
        #expect(champion.counterpart(of: stores[2]).name == "profile-1")
        stores[2].variant = other.variants[1].name
        #expect(champion.counterpart(of: stores[2]).name == "profile-4")
        for index in stores.indices { stores[index].family = "new" }
        #expect(Champion(families: families, stores: stores).name == "new")
    }
}
