package import Forecasting
package import ModelPackage
package import Training

/// One finished package.
package struct BuiltPackage: Sendable {
    package var package: ModelPackage
    /// The file.
    package var bytes: [UInt8]
    /// Of the integer network on the family's evaluated days, for this package's store or for all.
    package var accuracy: Accuracy
    /// Of the float network on the same days.
    package var floatAccuracy: Accuracy

    /// What a device needs for it: the arena, and the file where kernels run in it.
    package var memoryBytes: Int {
        // The file was read when it was built.
        (try? PackageBytes(of: bytes).memory) ?? package.manifest.arenaBytes
    }
}

/// Makes a family's packages: family × variant × store, and for any store.
///
/// Building is deterministic: the same family, series and arguments give the same bytes. One thread at a time.
package final class PackageBuilder {
    private let family: TrainedFamily
    private let name: String
    private let lineage: String
    private let quantizer: Quantizer
    private let replay: EvaluationReplay
    private let calibrationDays: [ReplayDay]
    private let calibrationWindows: [[Float]]
    private var networks: [Int: IntegerNetwork] = [:]
    private var floatAccuracies: [Int: [StoreID: Accuracy]] = [:]

    /// - Parameters:
    ///   - name: the family's; 1 to 64 printable ASCII characters.
    ///   - series: what the family was trained with, test days included.
    ///   - lineage: the snapshot the series are of, for the manifest: at most 200 printable ASCII characters.
    ///   - calibrationWindowsMax: 100...500.
    /// - Throws: `CompressionError`, or `TrainingError` when these cannot be the family's series.
    package init(
        family: TrainedFamily, name: String, series: [TrainingSeries], lineage: String,
        quantizer: Quantizer = Quantizer(), calibrationWindowsMax: Int = 256
    ) throws {
        guard Quantizer.windowsRange.contains(calibrationWindowsMax) else {
            throw CompressionError.calibrationWindows(count: calibrationWindowsMax)
        }
        self.family = family
        self.name = name
        self.lineage = lineage
        self.quantizer = quantizer
        replay = try EvaluationReplay(series: series, family: family)
        calibrationDays = replay.learntDays(atMost: calibrationWindowsMax)
        let profiles = family.profiles.map(\.rounded)
        calibrationWindows = calibrationDays.map {
            $0.window(spec: family.spec, profiles: profiles)
        }
    }

    /// The integer network of a variant: its own, or quantised and calibrated over all stores. Made once and kept.
    package func network(variant: Int) throws(CompressionError) -> IntegerNetwork {
        guard family.variants.indices.contains(variant) else {
            throw .unknownVariant(variant, variants: family.variants.count)
        }
        if let network = family.variants[variant].integer ?? networks[variant] { return network }
        let network = try quantizer.quantize(
            family.variants[variant].parameters, spec: family.spec, windows: calibrationWindows)
        networks[variant] = network
        return network
    }

    /// - Parameters:
    ///   - variant: an index of the family's variants.
    ///   - store: nil for any store: then the package has no items, and one profile, the most common.
    ///   - release: the hub's next.
    /// - Throws: `CompressionError`.
    package func build(
        variant: Int, store: StoreID?, release: UInt64
    ) throws(CompressionError) -> BuiltPackage {
        let network = try network(variant: variant)
        let (starts, profiles) = try series(of: store)
        var package = ModelPackage(
            manifest: Manifest(
                family: name, variant: family.variants[variant].name,
                recipe: recipe(of: family.variants[variant]),
                lineage: lineage.isEmpty
                    ? "seed \(family.seed)" : "\(lineage), seed \(family.seed)",
                requiredFeatures: Engine.requiredFeatures(
                    for: network.shape.cell, inputs: family.spec.inputs),
                spec: family.spec,
                store: store, asOf: family.asOf, release: release,
                newItemScale: family.newItemScale),
            network: network, profiles: profiles, starts: starts)
        do { try package.validate() } catch { throw .notPackable(error) }
        do throws(EngineError) {
            // Any coding forecasts alike, and this one is quickly written.
            let engine = try Engine(
                package.encodeStatingArena(coding: .plain), budgetBytes: .max)
            let accuracy = evaluate(engine, store: store)
            package.manifest.evaluation = PackageEvaluation(accuracy)
            package.goldenVectors = goldenVectors(engine, package: package)
            let bytes = package.encodeStatingArena(
                coding: family.variants[variant].coding.flatMap { TensorCoding(name: $0) }
                    ?? .smallest)
            // A device gets exactly these bytes: what it will make of them is tried here first.
            let delivered: ModelPackage
            do throws(PackageError) {
                delivered = try ModelPackage.decode(bytes)
            } catch {
                throw EngineError.invalid(error)
            }
            let proof = try Engine(
                bytes, budgetBytes: package.manifest.arenaBytes + bytes.count)
            try proof.proveGoldenVectors(of: bytes)
            return BuiltPackage(
                package: delivered, bytes: bytes, accuracy: accuracy,
                floatAccuracy: floatAccuracy(variant: variant, store: store))
        } catch {
            throw .notRunnable(error)
        }
    }

    /// With the step that `network(variant:)` adds where the variant's own recipe left weights as floats.
    private func recipe(of variant: TrainedVariant) -> String {
        variant.integer == nil ? "\(variant.recipe) | int8" : variant.recipe
    }

    /// A store's starts and the profiles they use, the commonest first: it is also what new items get.
    private func series(
        of store: StoreID?
    ) throws(CompressionError) -> (starts: [SeriesStart], profiles: [SeasonalProfile]) {
        var starts: [SeriesStart] = []
        if let store {
            guard let own = family.starts.first(where: { $0.store == store }) else {
                throw .unknownStore(store)
            }
            starts = own.starts.sorted { $0.item < $1.item }
        }
        let (order, used) = family.profiles(
            mostUsedBy: store == nil ? family.starts.flatMap(\.starts) : starts)
        let kept = order.prefix(store == nil ? 1 : max(1, used))
        let renumbered = starts.map { start in
            var start = start.rounded(keepsScale: family.spec.output == .zScore)
            start.profile = UInt16(kept.firstIndex(of: Int(start.profile)) ?? 0)
            return start
        }
        return (renumbered, kept.map { family.profiles[$0].rounded })
    }

    /// What a variant reaches on the family's evaluated days: as every store's own package, and as the float network on
    /// the same days.
    /// - Throws: `CompressionError`.
    package func accuracies(
        variant: Int
    ) throws(CompressionError) -> (integer: Accuracy, float: Accuracy) {
        var integer = Accuracy()
        for store in family.starts {
            integer.merge(try build(variant: variant, store: store.store, release: 0).accuracy)
        }
        return (integer, floatAccuracy(variant: variant, store: nil))
    }

    /// The float network's forecasts of the evaluated days. It is the slow one of the two, so it runs once for each
    /// variant.
    private func floatAccuracy(variant: Int, store: StoreID?) -> Accuracy {
        let byStore = floatAccuracies[variant] ?? floatAccuracies(variant: variant)
        floatAccuracies[variant] = byStore
        if let store { return byStore[store] ?? Accuracy() }
        var all = Accuracy()
        for starts in family.starts { all.merge(byStore[starts.store] ?? Accuracy()) }
        return all
    }

    private func floatAccuracies(variant: Int) -> [StoreID: Accuracy] {
        let model = family.model(variant: variant)
        var byStore: [StoreID: Accuracy] = [:]
        for series in 0..<replay.seriesCount {
            for day in replay.evaluatedDays(series: series) {
                guard let units = day.recordedUnits else { continue }
                let forecast = model.forecast(
                    state: day.state, profile: UInt16(day.profile), recentDays: day.recentDays,
                    target: day.target, targetMarks: day.demand.marks)
                byStore[day.store, default: Accuracy()].add(
                    actual: Double(units), forecast: Double(forecast))
            }
        }
        return byStore
    }

    /// Forecasts the evaluated days with the device's engine. Levels start where the replay has them and are moved on
    /// by the engine, day by day.
    private func evaluate(_ engine: borrowing Engine, store: StoreID?) -> Accuracy {
        var accuracy = Accuracy()
        for series in 0..<replay.seriesCount
        where store == nil || replay.store(series: series) == store {
            let days = replay.evaluatedDays(series: series)
            guard let first = days.first else { continue }
            let index = store == nil ? nil : engine.index(of: first.item)
            var level = first.state.level
            for day in days {
                if let units = day.recordedUnits {
                    let forecast = engine.forecast(
                        index: index, level: level, recentDays: day.recentDays,
                        target: day.target, targetMarks: day.demand.marks)
                    accuracy.add(actual: Double(units), forecast: Double(forecast.units))
                }
                level = engine.level(level, index: index, after: day.demand, on: day.target)
            }
        }
        return accuracy
    }

    /// Two ordinary days, and one with everything odd in it, of an item the package does not know.
    private func goldenVectors(_ engine: borrowing Engine, package: ModelPackage) -> [GoldenVector]
    {
        let store = package.manifest.store
        let days = calibrationDays.filter { store == nil || $0.store == store }
        var chosen:
            [(item: Int?, level: Float, target: BusinessDay, days: [DemandDay], marks: DayMarks)] =
                []
        for day in [days.first, days.dropFirst().last].compactMap({ $0 }) {
            let index = store == nil ? nil : engine.index(of: day.item)
            chosen.append(
                (index, day.state.level, day.target, day.recentDays, day.demand.marks))
        }
        let odd: [DemandDay] = [
            DemandDay(units: 1_000_000), .closed, DemandDay(units: 0), .unknown,
            DemandDay(units: 1),
            DemandDay(units: 9), DemandDay(units: 3),
        ]
        let oddMarks: [DayMarks] = [[], .holiday, .promotion, .planned]
        let oddDays = (0..<family.spec.window).map { at in
            var day = odd[at % odd.count]
            day.marks = oddMarks[at % oddMarks.count]
            return day
        }
        chosen.append((nil, 4, family.asOf.advanced(by: 1), oddDays, .planned))
        let planned = family.spec.inputs.marks
        return chosen.map { item, level, target, days, marks in
            // What the file does not tell: marks that are no inputs, and those of the first day, which no row describes.
            var days = days
            for t in days.indices { days[t].marks.formIntersection(t == 0 ? [] : planned) }
            let marks = marks.intersection(planned)
            let forecast = engine.forecast(
                index: item, level: level, recentDays: days, target: target, targetMarks: marks)
            return GoldenVector(
                item: item, level: level, target: target, recentDays: days, targetMarks: marks,
                networkOutput: forecast.networkOutput, units: forecast.units)
        }
    }
}

extension PackageEvaluation {
    /// - Parameter accuracy: figures in percent; a figure beyond the format's range is left out.
    package init(_ accuracy: Accuracy) {
        func partsPerMillion(_ percent: Double?) -> Int? {
            guard let percent else { return nil }
            let parts = (percent * 10_000).rounded()
            return abs(parts) <= Double(Self.partsPerMillionMax) ? Int(parts) : nil
        }
        self.init(
            wapePartsPerMillion: partsPerMillion(accuracy.wape),
            mapePartsPerMillion: partsPerMillion(accuracy.mape),
            biasPartsPerMillion: partsPerMillion(accuracy.bias),
            forecasts: min(accuracy.count, Int(Int32.max)))
    }
}
