import Compression
package import Forecasting
package import HubCore
import ModelPackage
package import Training

/// Makes the forecasts of a back-test: what runs now beside challengers that are trained anew at each origin on the
/// days before it, both as the integers a device would run.
package struct RollingOrigin {
    package static let foldsCount = 4
    private static let foldDays = 7
    /// Days after a drift began that the first challenger may learn from.
    private static let daysToLearn = 3

    private let series: [TrainingSeries]
    private let champion: Champion
    private let networks: [ChallengerNetwork]
    private let folds: [BackTest.Fold]
    private let levelRestarts: [StoreID: BusinessDay]
    private let seed: UInt64

    /// - Parameters:
    ///   - series: without the days that are excluded: these are unknown in them, or closed.
    ///   - networks: the challenger's. Those that stand for what runs somewhere are trained, the others are not.
    package init(
        series: [TrainingSeries], champion: Champion, networks: [ChallengerNetwork],
        folds: [BackTest.Fold], drifts: [StoreDrift], seed: UInt64
    ) {
        self.series = series
        self.champion = champion
        self.networks = networks
        self.folds = folds
        levelRestarts = champion.levelRestarts(drifts)
        self.seed = seed
    }

    /// The last four weeks, week by week; where stores drift the days since then, as soon as there is something to learn
    /// from.
    /// - Parameters:
    ///   - last: the last known day.
    ///   - learntThrough: the last day that the champion knows.
    package static func folds(
        last: BusinessDay, drifts: [StoreDrift], learntThrough: BusinessDay
    ) -> [BackTest.Fold] {
        var days = foldDays
        if let since = drifts.map(\.since).max() {
            days = min(days, max(1, (last - since + 1 - daysToLearn) / foldsCount))
        }
        return (1...foldsCount).reversed().map { back in
            let origin = last.advanced(by: 1 - back * days)
            return BackTest.Fold(
                origin: origin, days: days,
                daysChampionKnew: min(max(learntThrough - origin + 1, 0), days))
        }
    }

    /// - Parameter progress: how much is done, 0...1.
    /// - Throws: `TrainingError`, `RecipeError`, `CompressionError`.
    package func forecasts(
        progress: (Double) -> Void = { _ in }, isCancelled: () -> Bool = { false }
    ) throws -> [BackTestForecast] {
        var all: [BackTestForecast] = []
        for (index, fold) in folds.enumerated() {
            all += try forecasts(
                of: fold,
                progress: { progress((Double(index) + $0) / Double(folds.count)) },
                isCancelled: isCancelled)
        }
        return all
    }

    private struct Key: Hashable {
        var store: StoreID
        var item: ItemID
        var day: BusinessDay
    }

    private func forecasts(
        of fold: BackTest.Fold, progress: (Double) -> Void, isCancelled: () -> Bool
    ) throws -> [BackTestForecast] {
        let end = fold.origin.advanced(by: fold.days)
        let known = series.compactMap { one -> TrainingSeries? in
            guard one.firstDay < end else { return nil }
            var one = one
            one.days = Array(one.days.prefix(end - one.firstDay))
            return one
        }
        var before: [Key: (actual: Float, units: Float)] = [:]
        for store in champion.stores {
            guard var family = champion.families[store.family] else { continue }
            (family.evaluatedFrom, family.evaluatedDays) = (fold.origin, fold.days)
            let replay = try EvaluationReplay(series: known, family: family)
            try Self.eachForecast(store.file, replay, store: store.store) { day, actual, units in
                before[Key(store: day.store, item: day.item, day: day.target)] = (actual, units)
            }
        }
        // A start that has learnt from the days to be forecast would know them.
        let mayStartWarm = champion.family.asOf < fold.origin
        let counterparts = champion.stores.map { champion.counterpart(of: $0).name }
        // A searched recipe stands for every variant.
        let needed = networks.filter { networks.count == 1 || counterparts.contains($0.name) }
        let training = ChallengerTraining(
            series: known, champion: champion.family, testFrom: fold.origin,
            levelRestarts: levelRestarts.filter { $0.value < fold.origin }, seed: seed)
        let trained = try training.train(
            needed.map {
                ChallengerNetwork(
                    name: $0.name, recipe: $0.recipe, start: mayStartWarm ? $0.start : nil)
            },
            progress: { progress((Double($0) + $1) / Double(needed.count)) },
            isCancelled: isCancelled)
        let builder = try PackageBuilder(
            family: trained.family, name: "challenger", series: known, lineage: "")
        var family = trained.family
        (family.evaluatedFrom, family.evaluatedDays) = (fold.origin, fold.days)
        let replay = try EvaluationReplay(series: known, family: family)
        let histories = Dictionary(
            known.map { (Key(store: $0.store, item: $0.item, day: fold.origin), $0) },
            uniquingKeysWith: { first, _ in first })
        var found: [BackTestForecast] = []
        for (store, counterpart) in zip(champion.stores, counterparts) {
            // A store that has sold nothing yet is in no family.
            guard family.starts.contains(where: { $0.store == store.store }) else { continue }
            let variant = family.variants.firstIndex { $0.name == counterpart } ?? 0
            let built = try builder.build(variant: variant, store: store.store, release: 0)
            try Self.eachForecast(built.bytes, replay, store: store.store) { day, actual, units in
                let key = Key(store: day.store, item: day.item, day: day.target)
                guard let other = before[key] else { return }
                let history = histories[Key(store: key.store, item: key.item, day: fold.origin)]
                found.append(
                    BackTestForecast(
                        store: key.store, item: key.item, day: key.day, actual: actual,
                        champion: other.units, challenger: units,
                        naive: history?.units(on: key.day.advanced(by: -7))))
            }
        }
        return found
    }

    /// The forecasts of a package for a store's evaluated days, as a device makes them: with the device's engine, from a
    /// level that it moves on. Days that say nothing of demand are forecast by nobody.
    private static func eachForecast(
        _ file: [UInt8], _ replay: EvaluationReplay, store: StoreID,
        _ body: (_ day: ReplayDay, _ actual: Float, _ units: Float) -> Void
    ) throws {
        let engine: Engine
        do throws(EngineError) { engine = try Engine(file, budgetBytes: .max) } catch {
            throw CompressionError.notRunnable(error)
        }
        for series in 0..<replay.seriesCount where replay.store(series: series) == store {
            let days = replay.evaluatedDays(series: series)
            guard let first = days.first else { continue }
            let index = engine.index(of: first.item)
            var level = first.state.level
            for day in days {
                if let actual = day.demand.observedUnits {
                    let forecast = engine.forecast(
                        index: index, level: level, recentDays: day.recentDays, target: day.target,
                        targetMarks: day.demand.marks)
                    body(day, actual, forecast.units)
                }
                level = engine.level(level, index: index, after: day.demand, on: day.target)
            }
        }
    }
}

extension TrainingSeries {
    fileprivate func units(on day: BusinessDay) -> Float? {
        let index = day - firstDay
        return days.indices.contains(index) ? days[index].observedUnits : nil
    }
}
