package import Forecasting

/// A model as it travels: one variant, for one store's items or for any store. FORMAT.md is its byte layout.
package struct ModelPackage: Equatable, Sendable {
    /// What is written and read.
    package static let formatVersion: UInt8 = 2
    static let magic: [UInt8] = [UInt8]("SHPK".utf8)
    package static let fileBytesMax = 512 * 1_024
    package static let startsMax = 4_096
    package static let profilesMax = 4_096
    package static let goldenVectorsMax = 16
    package static let featuresMax = 8
    /// The range of every day in a package: 2199-12-31 is the last.
    static let days = 64...84_005

    package var manifest: Manifest
    package var network: IntegerNetwork
    /// At least one; only the profile form's are in the file, every other form has the flat one.
    package var profiles: [SeasonalProfile]
    /// In ascending order of items, each once. Empty in a package for any store.
    package var starts: [SeriesStart]
    package var goldenVectors: [GoldenVector]

    package init(
        manifest: Manifest, network: IntegerNetwork, profiles: [SeasonalProfile],
        starts: [SeriesStart], goldenVectors: [GoldenVector] = []
    ) {
        self.manifest = manifest
        self.network = network
        self.profiles = profiles
        self.starts = starts
        self.goldenVectors = goldenVectors
    }

    /// What all profiles have in common.
    package var calendar: DemandCalendar { profiles.first?.calendar ?? .flat }

    /// What a device's arena holds of this package.
    func arenaCounts(kernelsInPlace: Bool) -> ArenaLayout.Counts {
        let hasProfiles = manifest.spec.form == .profile
        var counts = ArenaLayout.Counts(
            shape: network.shape, window: manifest.spec.window,
            profiles: hasProfiles ? profiles.count : 0, starts: starts.count,
            identifierBytes: starts.reduce(0) { $0 + $1.item.utf8.count },
            startsHaveScales: manifest.spec.output == .zScore,
            dayOfMonthFactors: calendar.dayOfMonth.count,
            specialDays: calendar.specialDays.count,
            startsHavePersistences: manifest.spec.inputs.contains(.persistence),
            kernelsInPlace: kernelsInPlace)
        counts.inputForm = network.inputForm
        counts.recurrentForm = network.recurrentForm
        return counts
    }

    /// Whether these values can be a package. `decode` has called it; a builder's package comes here first.
    /// The stated arena and the golden vectors are for `Engine` to prove.
    package func validate() throws(PackageError) {
        do { try manifest.spec.validate() } catch { throw .spec(error) }
        guard network.shape.inputWidth == manifest.spec.inputWidth else {
            throw .field(.inputWidth, index: 0)
        }
        do { try network.validate() } catch { throw .network(error) }
        try manifest.validate()
        try validateProfiles()
        try validateStarts()
        guard goldenVectors.count <= Self.goldenVectorsMax else {
            throw .field(.goldenCount, index: 0)
        }
        for index in goldenVectors.indices { try validateGolden(index) }
    }

    private func validateProfiles() throws(PackageError) {
        guard (1...Self.profilesMax).contains(profiles.count),
            manifest.spec.form == .profile || profiles == [.flat]
        else { throw .field(.profileCount, index: 0) }
        for index in profiles.indices {
            let profile = profiles[index]
            guard profile.weekday.count == SeasonalProfile.weekdays,
                profile.month.count == SeasonalProfile.months
            else { throw .field(.factor, index: index) }
            for factor in profile.weekday where !SeasonalProfile.factorRange.contains(factor) {
                throw .field(.factor, index: index)
            }
            for factor in profile.month where !SeasonalProfile.factorRange.contains(factor) {
                throw .field(.factor, index: index)
            }
            guard profile.calendar == calendar else { throw .field(.calendar, index: index) }
        }
        try validateCalendar()
    }

    private func validateCalendar() throws(PackageError) {
        let (calendar, range) = (calendar, DemandCalendar.factorRange)
        for index in calendar.dayOfMonth.indices
        where !range.contains(calendar.dayOfMonth[index]) {
            throw .field(.dayOfMonth, index: index)
        }
        for index in calendar.specialDays.indices {
            let special = calendar.specialDays[index]
            guard special.factor == 0 || range.contains(special.factor),
                index == 0 || calendar.specialDays[index - 1].rule < special.rule
            else { throw .field(.specialDay, index: index) }
        }
    }

    private func validateStarts() throws(PackageError) {
        guard starts.count <= Self.startsMax else { throw .field(.startCount, index: 0) }
        for index in starts.indices {
            let start = starts[index]
            guard index == 0 || starts[index - 1].item < start.item else {
                throw .field(.itemOrder, index: index)
            }
            guard start.level >= SeriesState.levelMin, start.level <= SeriesState.levelMax else {
                throw .field(.level, index: index)
            }
            guard start.scale >= SeriesState.scaleMin, start.scale <= SeriesState.levelMax else {
                throw .field(.scale, index: index)
            }
            guard Int(start.profile) < profiles.count else {
                throw .field(.profileIndex, index: index)
            }
            guard SeriesStart.persistenceRange.contains(start.persistence) else {
                throw .field(.persistence, index: index)
            }
        }
    }

    private func validateGolden(_ index: Int) throws(PackageError) {
        let golden = goldenVectors[index]
        guard golden.item.map(starts.indices.contains) ?? true else {
            throw .field(.goldenItem, index: index)
        }
        guard golden.level >= SeriesState.levelMin, golden.level <= SeriesState.levelMax else {
            throw .field(.goldenLevel, index: index)
        }
        guard Self.days.contains(Int(golden.target.daysSince1970)) else {
            throw .field(.goldenTarget, index: index)
        }
        guard golden.recentDays.count == manifest.spec.window else {
            throw .field(.goldenDay, index: index)
        }
        for day in golden.recentDays where !(day.units.map { $0 >= 0 && day.isOpen } ?? true) {
            throw .field(.goldenDay, index: index)
        }
        let planned = manifest.spec.inputs.marks
        for (t, day) in golden.recentDays.enumerated()
        where !day.marks.isSubset(of: t == 0 ? [] : planned) {
            throw .field(.goldenDay, index: index)
        }
        guard golden.targetMarks.isSubset(of: planned) else {
            throw .field(.goldenDay, index: index)
        }
        guard golden.units >= 0, golden.units <= FeatureSpec.unitsMax else {
            throw .field(.goldenUnits, index: index)
        }
    }
}

extension Manifest {
    fileprivate func validate() throws(PackageError) {
        func check(
            _ text: String, _ lengths: ClosedRange<Int>, _ field: PackageField, index: Int = 0
        ) throws(PackageError) {
            guard lengths.contains(text.utf8.count) else { throw .field(field, index: index) }
            for byte in text.utf8 where !(0x20...0x7E).contains(byte) {
                throw .field(field, index: index)
            }
        }
        try check(family, 1...64, .family)
        try check(variant, 1...64, .variant)
        try check(recipe, 0...256, .recipe)
        try check(lineage, 0...256, .lineage)
        guard requiredFeatures.count <= ModelPackage.featuresMax else {
            throw .field(.features, index: 0)
        }
        for index in requiredFeatures.indices {
            try check(requiredFeatures[index], 1...32, .feature, index: index)
        }
        guard ModelPackage.days.contains(Int(asOf.daysSince1970)) else {
            throw .field(.asOf, index: 0)
        }
        guard (0...Int(Int32.max)).contains(arenaBytes) else { throw .field(.arenaBytes, index: 0) }
        let ceiling = PackageEvaluation.partsPerMillionMax
        for figure in [evaluation.wapePartsPerMillion, evaluation.mapePartsPerMillion] {
            guard figure.map((0...ceiling).contains) ?? true else {
                throw .field(.evaluation, index: 0)
            }
        }
        guard evaluation.biasPartsPerMillion.map((-ceiling...ceiling).contains) ?? true,
            (0...Int(Int32.max)).contains(evaluation.forecasts)
        else { throw .field(.evaluation, index: 0) }
        guard newItemScale > 0, newItemScale <= SeriesState.levelMax else {
            throw .field(.newItemScale, index: 0)
        }
    }
}
