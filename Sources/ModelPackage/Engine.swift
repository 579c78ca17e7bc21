package import Forecasting
import Kernels

/// Why a package may not forecast on this device. The device stays as it is.
package enum EngineError: Error, Equatable, Sendable {
    case invalid(PackageError)
    /// The package needs a feature this runtime does not have.
    case missingFeature(String)
    /// The manifest's arena is not what the package takes.
    case arenaMisstated(statedBytes: Int, computedBytes: Int)
    case overBudget(arenaBytes: Int, budgetBytes: Int)
    /// A package without golden vectors has nothing to prove itself with.
    case noGoldenVectors
    /// The network gave another integer than the hub's.
    case goldenOutput(index: Int, expected: Int32, found: Int32)
    /// The integer is right but not the units: another build of the features.
    case goldenUnits(index: Int, expectedBits: UInt32, foundBits: UInt32)

    /// What a file that cannot be read is to a device.
    fileprivate init(_ error: PackageError) {
        guard case .arena(let stated, let needed) = error else {
            self = .invalid(error)
            return
        }
        self = .arenaMisstated(statedBytes: stated, computedBytes: needed)
    }

    /// For an operator: what is wrong and with which figures.
    package var message: String {
        switch self {
        case .invalid(let error): error.message
        case .missingFeature(let feature):
            "the package needs the runtime feature \(feature), which this program does not have: "
                + "build it again on the hub, or update this program"
        case .arenaMisstated(let stated, let computed):
            "the package states an arena of \(stated) bytes but takes \(computed)"
        case .overBudget(let arena, let budget):
            "the package takes \(arena) bytes of memory, more than the model budget of \(budget)"
        case .noGoldenVectors: "the package has no golden vectors to prove itself with"
        case .goldenOutput(let index, let expected, let found):
            "golden vector \(index) gave \(found) instead of \(expected)"
        case .goldenUnits(let index, let expected, let found):
            "golden vector \(index) gave units with the bits \(found) instead of \(expected)"
        }
    }
}

/// One day's forecast of one item.
package struct Forecast: Equatable, Sendable {
    /// Finite, 0...`FeatureSpec.unitsMax`.
    package var units: Float
    /// The integer the network gave: equal on every device that has the same package and the same days.
    package var networkOutput: Int32

    package init(units: Float, networkOutput: Int32) {
        self.units = units
        self.networkOutput = networkOutput
    }
}

extension CellKind {
    /// The name under which a runtime says that it has this cell's integers, as INTEGER.md defines them; those of 0.1.0
    /// were `lstm-int8-v1`.
    package var runtimeFeature: String {
        switch self {
        case .lstm: "lstm-int8-v2"
        case .gru: "gru-int8-v2"
        case .fastGRNN: "fastgrnn-int8-v2"
        }
    }

    /// Whether this runtime has the feature of this name. Takes no memory.
    static func hasRuntimeFeature(_ utf8: UnsafeBufferPointer<UInt8>) -> Bool {
        // Raw values are 1, 2, 3 …
        var number: UInt8 = 1
        while let cell = CellKind(rawValue: number) {
            if utf8.elementsEqual(cell.runtimeFeature.utf8) { return true }
            number += 1
        }
        return utf8.elementsEqual(Engine.plannedInputsFeature.utf8)
    }
}

/// A package at work. All its memory is one arena of exactly the bytes that the file states, from its first byte read to its last
/// forecast; nothing is allocated beside it, and nothing after `init`. For one thread at a time.
package struct Engine: ~Copyable {
    /// What packages may require of this runtime.
    package static let runtimeFeatures =
        CellKind.allCases.map { $0.runtimeFeature } + [plannedInputsFeature]
    /// What a package must require whose inputs have holidays or promotions.
    static var plannedInputsFeature: String { "planned-inputs-v1" }

    /// What a package whose network has this cell and sees this requires of a runtime.
    package static func requiredFeatures(for cell: CellKind, inputs: FeatureInputs) -> [String] {
        [cell.runtimeFeature] + (inputs.isDisjoint(with: .planned) ? [] : [plannedInputsFeature])
    }

    package let spec: FeatureSpec
    /// The last day the levels know of.
    package let asOf: BusinessDay
    private let memory: ArenaMemory
    /// Where the kernels run in the file: the file. Else empty.
    private let file: ArenaMemory
    private let arena: ArenaView
    private let regions: ForecastRegions
    private let recurrence: IntegerRecurrence
    private let outputScale: Float
    private let newItemScale: Float

    package var itemCount: Int { arena.layout.counts.starts }
    package var arenaBytes: Int { memory.bytes }
    /// Of the package's file, where the kernels run in it; else 0.
    package var fileBytes: Int { file.bytes }
    package var kernels: KernelSet { recurrence.kernels }

    /// Reads a package into its arena. Everything is checked but the golden vectors, which `proveGoldenVectors` is for.
    /// The bytes may be let go afterwards.
    /// - Parameter budgetBytes: for the arena, and for the file where kernels run in it. What does not fit is refused before any
    ///   of it is taken.
    package init(
        _ bytes: [UInt8], budgetBytes: Int, kernels: KernelSet = .best
    ) throws(EngineError) {
        let head = try Self.with(bytes) { reading throws(PackageError) in
            (arena: reading.arenaBytes, runsInFile: reading.hasKernelsInPlace)
        }
        let fileBytes = head.runsInFile ? bytes.count : 0
        guard head.arena <= ArenaLayout.bytesMax else {
            throw .invalid(.field(.arenaBytes, index: 0))
        }
        guard head.arena + fileBytes <= budgetBytes else {
            throw .overBudget(arenaBytes: head.arena + fileBytes, budgetBytes: budgetBytes)
        }
        let memory = ArenaMemory(bytes: head.arena)
        let file = head.runsInFile ? ArenaMemory(copying: bytes) : ArenaMemory(bytes: 0)
        var loader = ArenaLoader(memory.base, bytes: head.arena)
        try Self.with(bytes) { reading throws(PackageError) in
            _ = try reading.readManifest(into: &loader)
        }
        if let feature = loader.missingFeature { throw .missingFeature(feature) }
        let proofBytes: Int
        do {
            if head.runsInFile {
                proofBytes = try loader.load(try PackageReading(file.contents))
            } else {
                proofBytes = try bytes.withBytes { bytes throws(PackageError) in
                    try loader.load(try PackageReading(bytes))
                }
            }
        } catch { throw EngineError(error) }
        guard max(proofBytes, loader.reached) == head.arena else {
            throw .arenaMisstated(
                statedBytes: head.arena, computedBytes: max(proofBytes, loader.reached))
        }
        spec = loader.spec
        asOf = loader.asOf
        newItemScale = loader.newItemScale
        outputScale = loader.outputScale
        arena = loader.arena
        regions = ForecastRegions(loader.arena)
        recurrence = IntegerRecurrence(
            loader.arena, scales: loader.networkScales, kernels: kernels,
            inputTiles: loader.inputTiles, recurrentTiles: loader.recurrentTiles)
        self.memory = memory
        self.file = file
    }

    /// A package that is not a file yet.
    /// - Throws: also where its values cannot be a package.
    package init(
        _ package: ModelPackage, coding: TensorCoding = .smallest, budgetBytes: Int,
        kernels: KernelSet = .best
    ) throws(EngineError) {
        do { try package.validate() } catch { throw .invalid(error) }
        try self.init(package.encode(coding: coding), budgetBytes: budgetBytes, kernels: kernels)
    }

    private static func with<Result>(
        _ bytes: [UInt8], _ body: (PackageReading) throws(PackageError) -> Result
    ) throws(EngineError) -> Result {
        do {
            return try bytes.withBytes { bytes throws(PackageError) in
                try body(try PackageReading(bytes))
            }
        } catch { throw EngineError(error) }
    }

    // MARK: Proof

    /// Forecasts every golden vector of the file and compares to the last bit. To be called before the package may forecast.
    /// - Parameters:
    ///   - bytes: those the engine was made of.
    ///   - each: takes every output as it comes.
    package func proveGoldenVectors(
        of bytes: [UInt8], each: (Int32) -> Void = { _ in }
    ) throws(EngineError) {
        var failure: EngineError?
        var loader = ArenaLoader(arena, bytes: memory.bytes)
        let count = try Self.with(bytes) { reading throws(PackageError) in
            try reading.readGoldenVectors(
                spec: spec, asOf: asOf, starts: itemCount, &loader
            ) { _, index, golden throws(PackageError) in
                let found = forecast(
                    index: golden.item, level: golden.level,
                    recentDays: golden.recentDays.span.extracting(first: spec.window),
                    target: golden.target, targetMarks: golden.targetMarks)
                each(found.networkOutput)
                guard failure == nil else { return }
                if found.networkOutput != golden.networkOutput {
                    failure = .goldenOutput(
                        index: index, expected: golden.networkOutput, found: found.networkOutput)
                } else if found.units.bitPattern != golden.units.bitPattern {
                    failure = .goldenUnits(
                        index: index, expectedBits: golden.units.bitPattern,
                        foundBits: found.units.bitPattern)
                }
            }
        }
        if let failure { throw failure }
        guard count > 0 else { throw .noGoldenVectors }
    }

    // MARK: Items

    /// Where `item` stands among the package's items; nil for an item without a start.
    /// - Complexity: O(items).
    package func index(of item: ItemID) -> Int? {
        let bytes = arena.elements(arena.layout.identifiers, as: UInt8.self)
        var begin = 0
        for index in 0..<itemCount {
            let length = Int(bytes[begin])
            if length == item.utf8.count {
                var same = 0
                while same < length, bytes[begin + 1 + same] == item.utf8[same] { same += 1 }
                if same == length { return index }
            }
            begin += 1 + length
        }
        return nil
    }

    /// Calls `each` with every item, in ascending order.
    package func forEachItem(_ each: (Int, ItemID) -> Void) {
        let bytes = arena.elements(arena.layout.identifiers, as: UInt8.self)
        var begin = 0
        for index in 0..<itemCount {
            let end = begin + 1 + Int(bytes[begin])
            // It was checked when it was read.
            if let item = try? ItemID(utf8: bytes[begin + 1..<end]) { each(index, item) }
            begin = end
        }
    }

    /// The level an item starts from, as of the package's as-of day.
    /// - Parameter index: 0..<`itemCount`.
    package func startLevel(index: Int) -> Float {
        regions.startLevels[index]
    }

    /// The level after one more finished day; to be called once for every day, in order. A closed or unknown day
    /// leaves it, and so does the plain form.
    /// - Parameter index: of the item's start; nil uses the first profile.
    package func level(
        _ level: Float, index: Int?, after demand: DemandDay, on day: BusinessDay
    ) -> Float {
        guard spec.output != .zScore, demand.observedUnits != nil else {
            return SeriesState(level: level).level
        }
        var state = SeriesState(level: level)
        state.close(demand: demand, factor: factor(on: day, index: index), spec: spec)
        return state.level
    }

    /// The season's share of a day's demand of one item; 1 in forms without a profile.
    /// - Parameter index: of the item's start; nil uses the first profile.
    package func factor(on day: BusinessDay, index: Int?) -> Float {
        guard spec.output == .logResidual else { return 1 }
        return factor(
            weekday: day.weekday, month: day.month - 1, calendar: calendarFactor(on: day),
            profile: profile(index: index))
    }

    // MARK: Forecasts

    /// - Parameters:
    ///   - index: of the item's start; nil for an item without one: it uses the first profile.
    ///   - level: the item's own, as of the day before `target`. Anything out of range is brought into it.
    ///   - recentDays: the `spec.window` calendar days before `target`, oldest first.
    ///   - targetMarks: what is planned for `target`.
    package func forecast(
        index: Int?, level: Float, recentDays: Span<DemandDay>, target: BusinessDay,
        targetMarks: DayMarks = []
    ) -> Forecast {
        precondition(recentDays.count == spec.window)
        prepare(for: target)
        let state = state(index: index, level: level)
        let profile = spec.output == .logResidual ? profile(index: index) : 0
        var demand = InlineArray<64, Float>(repeating: 0)
        var values = demand.mutableSpan
        if spec.output == .logResidual {
            var factors = InlineArray<64, Float>(repeating: 1)
            for t in 0..<spec.window { factors[t] = factor(ofDay: t, profile: profile) }
            spec.writeDemand(
                recentDays, state: state, factors: factors.span.extracting(first: spec.window),
                into: &values)
        } else {
            spec.writeDemand(recentDays, state: state, factors: Span(), into: &values)
        }
        let (steps, window, width) = (regions.inputSteps, regions.window, regions.rowBytes)
        FixedPoint.quantize(
            demand.span.extracting(first: spec.window), stepsPerUnit: steps[0],
            into: window.baseAddress!, stride: width)
        // From the last column on.
        var column = spec.inputWidth
        func flag(_ mark: DayMarks) {
            column -= 1
            let code = FixedPoint.quantize(1, stepsPerUnit: steps[column])
            for t in 0..<spec.window {
                let marks = t + 1 < spec.window ? recentDays[t + 1].marks : targetMarks
                window[t * width + column] = marks.contains(mark) ? code : 0
            }
        }
        if spec.inputs.contains(.promotion) { flag(.promotion) }
        if spec.inputs.contains(.holiday) { flag(.holiday) }
        // The same in every row.
        func fill(_ value: Float) {
            column -= 1
            let code = FixedPoint.quantize(value, stepsPerUnit: steps[column])
            for t in 0..<spec.window { window[t * width + column] = code }
        }
        if spec.inputs.contains(.persistence) { fill(state.persistence) }
        if spec.inputs.contains(.levelLogarithm) { fill(state.levelLogarithm) }
        let output = recurrence.run()
        return Forecast(
            units: spec.units(
                networkOutput: Float(output) * outputScale, state: state,
                factor: factor(ofDay: spec.window, profile: profile)),
            networkOutput: output)
    }

    package func forecast(
        index: Int?, level: Float, recentDays: [DemandDay], target: BusinessDay,
        targetMarks: DayMarks = []
    ) -> Forecast {
        forecast(
            index: index, level: level, recentDays: recentDays.span, target: target,
            targetMarks: targetMarks)
    }

    /// Like `forecast(index:level:recentDays:target:)`, for an item by name.
    package func forecast(
        item: ItemID, level: Float, recentDays: [DemandDay], target: BusinessDay,
        targetMarks: DayMarks = []
    ) -> Forecast {
        forecast(
            index: index(of: item), level: level, recentDays: recentDays, target: target,
            targetMarks: targetMarks)
    }

    /// Forecasts one day of many series, in no more memory than one takes. What all series have alike, the calendar, is
    /// computed once.
    /// - Parameters:
    ///   - series: writes the `spec.window` days before `target` of the series of this number, oldest first, and says its
    ///     start's index, its level and what is planned for `target`, as for one forecast.
    ///   - each: takes them as they come.
    package func forecast(
        count: Int, target: BusinessDay,
        series: (Int, inout MutableSpan<DemandDay>) -> (
            index: Int?, level: Float, targetMarks: DayMarks
        ),
        each: (Int, Forecast) -> Void
    ) {
        var days = InlineArray<64, DemandDay>(repeating: .unknown)
        for number in 0..<count {
            var span = days.mutableSpan
            let (index, level, marks) = series(number, &span)
            each(
                number,
                forecast(
                    index: index, level: level,
                    recentDays: days.span.extracting(first: spec.window), target: target,
                    targetMarks: marks))
        }
    }

    /// What depends on nothing but the day: the window's calendar columns, and the seasons of its days.
    private func prepare(for target: BusinessDay) {
        guard regions.target[0] != target.daysSince1970 else { return }
        regions.target[0] = target.daysSince1970
        let (steps, window, width) = (regions.inputSteps, regions.window, regions.rowBytes)
        for t in 0..<spec.window {
            // A row has the demand of its day and describes the day after it.
            var column = 1
            spec.writeContext(of: target.advanced(by: t + 1 - spec.window)) { value in
                window[t * width + column] = FixedPoint.quantize(
                    value, stepsPerUnit: steps[column])
                column += 1
            }
        }
        for t in regions.seasons.indices {
            let day = target.advanced(by: t - spec.window)
            regions.seasons[t] = calendarFactor(on: day)
            regions.dates[t] = UInt8(day.weekday | (day.month - 1) << 3)
        }
    }

    /// - Parameters:
    ///   - t: 0..<window, or the window's length for the target.
    ///   - profile: where its factors begin.
    private func factor(ofDay t: Int, profile: Int) -> Float {
        guard spec.output == .logResidual else { return 1 }
        let date = regions.dates[t]
        return factor(
            weekday: Int(date & 7), month: Int(date >> 3), calendar: regions.seasons[t],
            profile: profile)
    }

    /// In this order the products are `SeasonalProfile.factor`'s, to the last bit.
    private func factor(weekday: Int, month: Int, calendar: Float, profile: Int) -> Float {
        let codes = regions.profileFactors
        return PackedNumbers.factor(code: codes[profile + weekday])
            * PackedNumbers.factor(code: codes[profile + SeasonalProfile.weekdays + month])
            * calendar
    }

    private func calendarFactor(on day: BusinessDay) -> Float {
        let layout = arena.layout
        let days = arena.elements(layout.dayOfMonthFactors, as: UInt16.self)
        let factors = arena.elements(layout.specialFactors, as: UInt16.self)
        let rules = arena.elements(layout.specialRules, as: UInt16.self)
        return DemandCalendar.factor(
            on: day,
            dayOfMonth: days.isEmpty ? nil : PackedNumbers.factor(code: days[day.dayOfMonth - 1]),
            specialDays: factors.count
        ) { (rules[$0], PackedNumbers.factor(code: factors[$0])) }
    }

    private func state(index: Int?, level: Float) -> SeriesState {
        guard let index else { return SeriesState(level: level, scale: level * newItemScale) }
        let (scales, persistences) = (regions.startScales, regions.startPersistences)
        return SeriesState(
            level: level, scale: scales.isEmpty ? 1 : scales[index],
            persistence: persistences.isEmpty
                ? 0 : PackedNumbers.persistence(code: persistences[index]))
    }

    /// Where the factors of an item's profile begin.
    private func profile(index: Int?) -> Int {
        guard let index, !regions.startProfiles.isEmpty else { return 0 }
        return Int(regions.startProfiles[index]) * SeasonalProfile.factors
    }
}

/// Where in an arena lies what every forecast touches: looked up once, and valid as long as the arena.
private struct ForecastRegions {
    let inputSteps: UnsafeMutableBufferPointer<Float>
    let profileFactors: UnsafeMutableBufferPointer<UInt16>
    let startLevels: UnsafeMutableBufferPointer<Float>
    let startScales: UnsafeMutableBufferPointer<Float>
    let startProfiles: UnsafeMutableBufferPointer<UInt16>
    let startPersistences: UnsafeMutableBufferPointer<Int8>
    let target: UnsafeMutableBufferPointer<Int32>
    let seasons: UnsafeMutableBufferPointer<Float>
    /// Weekdays and months.
    let dates: UnsafeMutableBufferPointer<UInt8>
    let window: UnsafeMutableBufferPointer<Int8>
    /// From one day of the window to the next.
    let rowBytes: Int

    init(_ arena: ArenaView) {
        let layout = arena.layout
        inputSteps = arena.elements(layout.inputSteps, as: Float.self)
        profileFactors = arena.elements(layout.profileFactors, as: UInt16.self)
        startLevels = arena.elements(layout.startLevels, as: Float.self)
        startScales = arena.elements(layout.startScales, as: Float.self)
        startProfiles = arena.elements(layout.startProfiles, as: UInt16.self)
        startPersistences = arena.elements(layout.startPersistences, as: Int8.self)
        target = arena.elements(layout.target, as: Int32.self)
        seasons = arena.elements(layout.seasons, as: Float.self)
        dates = arena.elements(layout.weekdaysAndMonths, as: UInt8.self)
        window = arena.elements(layout.window, as: Int8.self)
        rowBytes = WeightTiles.padded(columns: layout.counts.shape.inputWidth)
    }
}
