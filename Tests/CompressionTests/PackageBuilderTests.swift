import Compression
import Forecasting
import Foundation
import ModelPackage
import TestSupport
import Testing
import Training

/// From sales to a package's bytes, with networks that were really trained.
@Suite("Building packages")
struct PackageBuilderTests {
    @Test(
        "INT8 costs less than 0.15 points of MAPE, in each form, on the days training was evaluated on",
        arguments: ModelForm.allCases)
    func accuracy(form: ModelForm) throws {
        let trained = try Trained.of(form)
        let (integer, float) = try trained.builder().accuracies(variant: 0)
        let training = trained.family.variants[0].evaluation
        // The replay met the days that training met.
        #expect(float.count == training.count && float.zeroActualCount == training.zeroActualCount)
        #expect(abs(try #require(float.mape) - (try #require(training.mape))) < 0.001)
        #expect(abs(try #require(float.wape) - (try #require(training.wape))) < 0.001)
        #expect(integer.count == float.count)
        #expect(abs(try #require(integer.mape) - (try #require(float.mape))) < 0.15)
        #expect(abs(try #require(integer.wape) - (try #require(float.wape))) < 0.15)
        #expect(abs(try #require(integer.bias) - (try #require(float.bias))) < 0.15)
    }

    @Test("The same family gives the same bytes, from whichever order the series come in")
    func determinism() throws {
        let trained = try Trained.of(.profile)
        let store = try StoreID("2")
        let first = try trained.builder().build(variant: 0, store: store, release: 5)
        let second = try PackageBuilder(
            family: trained.family, name: "f1", series: trained.series.reversed(), lineage: "test"
        ).build(variant: 0, store: store, release: 5)
        #expect(first.bytes == second.bytes)
        #expect(try ModelPackage.decode(first.bytes) == first.package)
    }

    @Test(
        "A store's package has its items, its evaluation and its golden vectors",
        arguments: ModelForm.allCases)
    func storePackage(form: ModelForm) throws {
        let trained = try Trained.of(form)
        let built = try trained.builder().build(variant: 0, store: try StoreID("3"), release: 9)
        let manifest = built.package.manifest
        #expect(manifest.store?.text == "3" && manifest.release == 9)
        #expect(manifest.family == "f1" && manifest.variant == "\(form.name)-3")
        #expect(manifest.requiredFeatures == ["lstm-int8-v2"])
        #expect(manifest.asOf == trained.family.asOf && manifest.spec == trained.family.spec)
        #expect(manifest.evaluation == PackageEvaluation(built.accuracy))
        #expect(manifest.evaluation.forecasts == built.accuracy.count && built.accuracy.count > 0)
        let own = try #require(trained.family.starts.first { $0.store.text == "3" }).starts
        #expect(built.package.starts.map(\.item) == own.map(\.item).sorted())
        for start in built.package.starts {
            let exact = try #require(own.first { $0.item == start.item })
            #expect(abs(start.level - exact.level) <= exact.level / 1_024)
            let profile = built.package.profiles[Int(start.profile)]
            let exactProfile = trained.family.profiles[Int(exact.profile)]
            for (rounded, factor) in zip(profile.weekday, exactProfile.weekday) {
                #expect(abs(rounded - factor) <= 0.51 / 512)
            }
        }
        let replayed = try trained.replayedAccuracy(of: built.package)
        #expect(built.accuracy == replayed)
        // Two of the store's own days, and one in which everything is odd, of an item it does not know.
        #expect(built.package.goldenVectors.map { $0.item == nil } == [false, false, true])
        let engine = try Engine(built.bytes, budgetBytes: manifest.arenaBytes)
        try engine.proveGoldenVectors(of: built.bytes)
    }

    @Test("A variant that brings its own integers, name and recipe is packed with them")
    func ownIntegers() throws {
        let trained = try Trained.of(.profile)
        var variant = trained.family.variants[0]
        let plain = try trained.builder().build(variant: 0, store: nil, release: 1)
        #expect(plain.package.manifest.recipe == "lstm3 | int8")
        var integer = plain.package.network
        integer.denseKernel[0] = -integer.denseKernel[0] - 1
        variant.integer = integer
        (variant.name, variant.recipe) = ("small", "lstm3 | finetune | qat int8")
        var family = trained.family
        family.variants.append(variant)
        let built = try PackageBuilder(
            family: family, name: "f1", series: trained.series, lineage: "test"
        ).build(variant: family.variants.count - 1, store: nil, release: 1)
        #expect(built.package.network == integer)
        #expect(built.package.manifest.variant == "small")
        #expect(built.package.manifest.recipe == "lstm3 | finetune | qat int8")
        #expect(built.accuracy != plain.accuracy && built.floatAccuracy == plain.floatAccuracy)
    }

    @Test("What a package reaches class by class adds up to what it reaches")
    func classes() throws {
        let trained = try Trained.of(.profile)
        let store = try StoreID("1")
        let built = try trained.builder().build(variant: 0, store: store, release: 1)
        let replay = try EvaluationReplay(series: trained.series, family: trained.family)
        let classes = try built.package.accuracyByClass(replay)
        #expect(classes.values.map(\.count).reduce(0, +) == built.accuracy.count)
        let errors = classes.values.map(\.absoluteErrorSum).reduce(0, +)
        #expect(abs(errors / built.accuracy.absoluteErrorSum - 1) < 1e-9)
        #expect(classes[.smooth] != nil && classes[.lumpy] == nil)
    }

    @Test("A package for any store has no items and one profile")
    func anyStore() throws {
        let trained = try Trained.of(.profile)
        let built = try trained.builder().build(variant: 0, store: nil, release: 1)
        #expect(built.package.starts.isEmpty && built.package.profiles.count == 1)
        #expect(built.package.manifest.store == nil)
        #expect(built.accuracy.count == trained.family.variants[0].evaluation.count)
        #expect(built.package.goldenVectors.allSatisfy { $0.item == nil })
    }

    @Test("Variants and stores the family does not have are refused")
    func unknown() throws {
        let builder = try Trained.of(.profile).builder()
        #expect(throws: CompressionError.unknownVariant(1, variants: 1)) {
            try builder.build(variant: 1, store: nil, release: 1)
        }
        let store = try StoreID("99")
        #expect(throws: CompressionError.unknownStore(store)) {
            try builder.build(variant: 0, store: store, release: 1)
        }
    }

    @Test(
        "A name the format cannot hold is refused",
        arguments: ["", String(repeating: "n", count: 65), "n\u{e9}"])
    func name(name: String) throws {
        let trained = try Trained.of(.profile)
        let builder = try PackageBuilder(
            family: trained.family, name: name, series: trained.series, lineage: "")
        #expect(throws: CompressionError.notPackable(.field(.family, index: 0))) {
            try builder.build(variant: 0, store: nil, release: 1)
        }
    }

    @Test("Too few learnt days to calibrate on are refused")
    func calibration() throws {
        let trained = try Trained.of(.profile)
        #expect(throws: CompressionError.calibrationWindows(count: 99)) {
            try PackageBuilder(
                family: trained.family, name: "f1", series: trained.series, lineage: "",
                calibrationWindowsMax: 99)
        }
        let builder = try PackageBuilder(
            family: trained.family, name: "f1",
            series: trained.series.prefix(1).map { series in
                var short = series
                short.days.removeFirst(trained.days - 150)
                short.firstDay = short.firstDay.advanced(by: trained.days - 150)
                return short
            }, lineage: "")
        #expect(throws: CompressionError.self) {
            try builder.build(variant: 0, store: nil, release: 1)
        }
    }
}

/// Three stores of four items with weekdays, closed Sundays in one store, an item launched late, and a family
/// trained on them for a few epochs.
private struct Trained {
    var series: [TrainingSeries]
    var family: TrainedFamily
    let days = 730

    func builder() throws -> PackageBuilder {
        try PackageBuilder(family: family, name: "f1", series: series, lineage: "test")
    }

    /// The package's accuracy by another way: forecasts by item name, levels by `SeriesState`.
    func replayedAccuracy(of package: ModelPackage) throws -> Accuracy {
        let replay = try EvaluationReplay(series: series, family: family)
        let engine = try Engine(package, budgetBytes: .max)
        var accuracy = Accuracy()
        for index in 0..<replay.seriesCount {
            let days = replay.evaluatedDays(series: index)
            guard days[0].store == package.manifest.store else { continue }
            let start = try #require(package.starts.first { $0.item == days[0].item })
            var state = SeriesState(level: days[0].state.level, scale: start.scale)
            for day in days {
                if let units = day.recordedUnits {
                    let forecast = engine.forecast(
                        item: day.item, level: state.level, recentDays: day.recentDays,
                        target: day.target)
                    accuracy.add(actual: Double(units), forecast: Double(forecast.units))
                }
                state.close(
                    day: day.target, demand: day.demand,
                    profile: package.profiles[Int(start.profile)], spec: family.spec)
            }
        }
        return accuracy
    }

    static func of(_ form: ModelForm) throws -> Trained { try cache[form]!.get() }

    private static let cache: [ModelForm: Result<Trained, any Error>] = Dictionary(
        uniqueKeysWithValues: ModelForm.allCases.map { form in
            (form, Result { try Trained(form) })
        })

    private init(_ form: ModelForm) throws {
        var numbers = SeededGenerator(seed: 11)
        let firstDay = BusinessDay(year: 2015, month: 1, day: 1)!
        series = []
        for store in 1...3 {
            for item in 1...4 {
                let level = Double(8 + 9 * item + 5 * store)
                var demand: [DemandDay] = []
                for offset in 0..<days {
                    let day = firstDay.advanced(by: offset)
                    let season = 1 + 0.2 * sin(Double(day.dayOfYear) / 58)
                    let weekday = [0.8, 0.85, 0.9, 1, 1.2, 1.4, 1.1][day.weekday]
                    let noise = Double.random(in: 0.75...1.25, using: &numbers)
                    if store == 3, day.weekday == 6 {
                        demand.append(DemandDay(units: 0, isOpen: false))
                    } else if store == 2, item == 4, offset < 300 {
                        demand.append(.unknown)
                    } else {
                        demand.append(
                            DemandDay(units: Int32((level * season * weekday * noise).rounded())))
                    }
                }
                series.append(
                    TrainingSeries(
                        store: try StoreID("\(store)"), item: try ItemID("\(item)"),
                        firstDay: firstDay, days: demand))
            }
        }
        var plan = TrainingPlan(
            form: form, units: [3], seed: 4, testFrom: firstDay.advanced(by: days - 90))
        plan.epochs = 4
        family = try train(series: series, plan: plan)
    }
}
