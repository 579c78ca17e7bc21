package import Forecasting

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
}

/// A package at work. All its memory is one arena of exactly `manifest.arenaBytes` and a fixed few hundred bytes
/// beside it; after `init` nothing is allocated. For one thread at a time.
package final class Engine {
    /// What packages may require of this runtime.
    package static let runtimeFeatures = CellKind.allCases.map { $0.runtimeFeature }

    /// What a package with this network requires of a runtime.
    package static func requiredFeatures(for network: IntegerNetwork) -> [String] {
        [network.shape.cell.runtimeFeature]
    }

    package let arenaBytes: Int
    package let spec: FeatureSpec
    package let itemCount: Int
    private let arena: Arena
    private let recurrence: IntegerRecurrence
    private let outputScale: Float
    private let newItemScale: Float
    /// The profile in use, copied here from the arena.
    private var profile = SeasonalProfile.flat
    private let profileCount: Int

    package static func arenaBytes(for package: ModelPackage) -> Int { package.arenaLayout.bytes }

    /// Checks everything that can be checked without running, then takes the memory. The package may be let go
    /// afterwards.
    package init(_ package: ModelPackage, budgetBytes: Int) throws(EngineError) {
        do { try package.validate() } catch { throw .invalid(error) }
        for feature in package.manifest.requiredFeatures {
            guard Self.runtimeFeatures.contains(where: { $0.utf8.elementsEqual(feature.utf8) })
            else { throw .missingFeature(feature) }
        }
        let layout = package.arenaLayout
        guard layout.bytes == package.manifest.arenaBytes else {
            throw .arenaMisstated(
                statedBytes: package.manifest.arenaBytes, computedBytes: layout.bytes)
        }
        guard layout.bytes <= budgetBytes else {
            throw .overBudget(arenaBytes: layout.bytes, budgetBytes: budgetBytes)
        }
        arenaBytes = layout.bytes
        spec = package.manifest.spec
        itemCount = package.starts.count
        profileCount = package.profiles.count
        outputScale = package.network.outputScale
        newItemScale = package.manifest.newItemScale
        arena = Arena(layout)
        recurrence = IntegerRecurrence(package.network, in: arena)
        fill(from: package)
    }

    private func fill(from package: ModelPackage) {
        let layout = arena.layout
        arena.fill(
            layout.profileFactors, with: package.profiles.flatMap { $0.weekday + $0.month })
        let calendar = package.calendar
        arena.fill(layout.dayOfMonthFactors, with: calendar.dayOfMonth)
        arena.fill(layout.specialFactors, with: calendar.specialDays.map { $0.factor })
        arena.fill(layout.specialRules, with: calendar.specialDays.map { $0.rule.code })
        if layout.startPersistences.count > 0 {
            arena.fill(
                layout.startPersistences,
                with: package.starts.map { PackedNumbers.persistenceCode($0.persistence) })
        }
        profile.calendar = calendar
        arena.fill(layout.startLevels, with: package.starts.map { $0.level })
        arena.fill(layout.startScales, with: package.starts.map { $0.scale })
        arena.fill(layout.startProfiles, with: package.starts.map { $0.profile })
        var identifiers: [UInt8] = []
        var ends: [UInt32] = []
        for start in package.starts {
            identifiers += start.item.utf8
            ends.append(UInt32(identifiers.count))
        }
        arena.fill(layout.identifiers, with: identifiers)
        arena.fill(layout.identifierEnds, with: ends)
    }

    /// Forecasts every golden vector and compares to the last bit. To be called before the package may forecast.
    package func proveGoldenVectors(of package: ModelPackage) throws(EngineError) {
        guard !package.goldenVectors.isEmpty else { throw .noGoldenVectors }
        for index in package.goldenVectors.indices {
            let golden = package.goldenVectors[index]
            let found = forecast(
                index: golden.item, level: golden.level, recentDays: golden.recentDays,
                target: golden.target)
            guard found.networkOutput == golden.networkOutput else {
                throw .goldenOutput(
                    index: index, expected: golden.networkOutput, found: found.networkOutput)
            }
            guard found.units.bitPattern == golden.units.bitPattern else {
                throw .goldenUnits(
                    index: index, expectedBits: golden.units.bitPattern,
                    foundBits: found.units.bitPattern)
            }
        }
    }

    /// Where `item` stands among the package's items; nil for an item without a start.
    /// - Complexity: O(items).
    package func index(of item: ItemID) -> Int? {
        let ends = arena.elements(arena.layout.identifierEnds, as: UInt32.self)
        let bytes = arena.elements(arena.layout.identifiers, as: UInt8.self)
        var begin = 0
        for index in 0..<itemCount {
            let end = Int(ends[index])
            if end - begin == item.utf8.count {
                var same = 0
                while same < item.utf8.count, bytes[begin + same] == item.utf8[same] { same += 1 }
                if same == item.utf8.count { return index }
            }
            begin = end
        }
        return nil
    }

    /// The level an item starts from, as of the package's as-of day.
    /// - Parameter index: 0..<`itemCount`.
    package func startLevel(index: Int) -> Float {
        arena.elements(arena.layout.startLevels, as: Float.self)[index]
    }

    /// The level after one more finished day; to be called once for every day, in order. A closed or unknown day
    /// leaves it, and so does the plain form.
    /// - Parameter index: of the item's start; nil uses the first profile.
    package func level(
        _ level: Float, index: Int?, after demand: DemandDay, on day: BusinessDay
    ) -> Float {
        var state = state(index: index, level: level)
        state.close(day: day, demand: demand, profile: loadProfile(index: index), spec: spec)
        return state.level
    }

    /// - Parameters:
    ///   - index: of the item's start; nil for an item without one: it uses the first profile.
    ///   - level: the item's own, as of the day before `target`. Anything out of range is brought into it.
    ///   - recentDays: the `spec.window` calendar days before `target`, oldest first.
    package func forecast(
        index: Int?, level: Float, recentDays: [DemandDay], target: BusinessDay
    ) -> Forecast {
        let features = FeatureWindow(
            spec: spec, state: state(index: index, level: level),
            profile: loadProfile(index: index), target: target)
        var row = arena.elements(arena.layout.row, as: Float.self).mutableSpan
        for t in 0..<spec.window {
            features.writeDay(t, recentDays[t], into: &row)
            recurrence.load(day: t, row.span)
        }
        let output = recurrence.run()
        return Forecast(
            units: features.units(networkOutput: Float(output) * outputScale),
            networkOutput: output)
    }

    /// Like `forecast(index:level:recentDays:target:)`, for an item by name.
    package func forecast(
        item: ItemID, level: Float, recentDays: [DemandDay], target: BusinessDay
    ) -> Forecast {
        forecast(index: index(of: item), level: level, recentDays: recentDays, target: target)
    }

    private func state(index: Int?, level: Float) -> SeriesState {
        guard let index else { return SeriesState(level: level, scale: level * newItemScale) }
        let scales = arena.elements(arena.layout.startScales, as: Float.self)
        let persistences = arena.elements(arena.layout.startPersistences, as: Int8.self)
        let persistence =
            persistences.isEmpty ? 0 : PackedNumbers.persistence(code: persistences[index])
        return SeriesState(level: level, scale: scales[index], persistence: persistence)
    }

    /// Copies an item's profile out of the arena. In place: `profile` is never shared beyond one call.
    private func loadProfile(index: Int?) -> SeasonalProfile {
        var row = 0
        if let index {
            row = Int(arena.elements(arena.layout.startProfiles, as: UInt16.self)[index])
        }
        let factors = arena.elements(arena.layout.profileFactors, as: Float.self)
        let (weekdays, months) = (SeasonalProfile.weekdays, SeasonalProfile.months)
        let first = min(row, profileCount - 1) * (weekdays + months)
        for i in 0..<weekdays { profile.weekday[i] = factors[first + i] }
        for i in 0..<months { profile.month[i] = factors[first + weekdays + i] }
        loadCalendar()
        return profile
    }

    /// Copies what all profiles have in common, as `loadProfile` copies what they have not.
    private func loadCalendar() {
        let layout = arena.layout
        let days = arena.elements(layout.dayOfMonthFactors, as: Float.self)
        for i in days.indices { profile.calendar.dayOfMonth[i] = days[i] }
        let factors = arena.elements(layout.specialFactors, as: Float.self)
        let rules = arena.elements(layout.specialRules, as: UInt16.self)
        for i in factors.indices {
            guard let rule = AnnualRule(code: rules[i]) else { continue }
            profile.calendar.specialDays[i] = SpecialDay(rule: rule, factor: factors[i])
        }
    }
}
