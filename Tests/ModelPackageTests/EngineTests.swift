import Forecasting
import ModelPackage
import PackageSamples
import TestSupport
import Testing

@Suite("The engine")
struct EngineTests {
    @Test("A package runs within exactly its arena and not within a byte less")
    func budget() throws {
        let package = try PackageFixtures.package(.calendar, units: 4)
        let bytes = package.manifest.arenaBytes
        #expect(try Engine(package, budgetBytes: bytes).arenaBytes == bytes)
        #expect(throws: EngineError.overBudget(arenaBytes: bytes, budgetBytes: bytes - 1)) {
            _ = try Engine(package, budgetBytes: bytes - 1)
        }
        #expect(throws: EngineError.overBudget(arenaBytes: bytes, budgetBytes: 0)) {
            _ = try Engine(package, budgetBytes: 0)
        }
    }

    @Test("A package that states one byte too few or too many is refused", arguments: [-1, 1])
    func arenaLie(difference: Int) throws {
        var package = try PackageFixtures.package(.profile, units: 2)
        let computed = package.manifest.arenaBytes
        package.manifest.arenaBytes += difference
        #expect(
            throws: EngineError.arenaMisstated(
                statedBytes: computed + difference, computedBytes: computed)
        ) { _ = try Engine(package.encode(), budgetBytes: .max) }
    }

    @Test("An arena in which not even the manifest can be unpacked is misstated, not malformed")
    func arenaBelowManifest() throws {
        var package = try PackageFixtures.package(.calendar, units: 3)
        package.manifest.arenaBytes = 16
        let error = #expect(throws: EngineError.self) {
            _ = try Engine(package.encode(), budgetBytes: .max)
        }
        guard case .arenaMisstated(statedBytes: 16, let computedBytes) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(computedBytes > 16)
    }

    @Test("A feature this runtime does not have is refused by name")
    func feature() throws {
        var package = try PackageFixtures.package(.profile, units: 2)
        package.manifest.requiredFeatures.append("lstm-int4-v1")
        #expect(throws: EngineError.missingFeature("lstm-int4-v1")) {
            _ = try Engine(package, budgetBytes: .max)
        }
    }

    static let damage: [(String, @Sendable (inout ModelPackage) -> Void)] = [
        ("another output", { $0.goldenVectors[1].networkOutput += 1 }),
        ("other units", { $0.goldenVectors[0].units = $0.goldenVectors[0].units.nextUp }),
        ("another level", { $0.goldenVectors[0].level += 1 }),
        ("another day", { $0.goldenVectors[2].recentDays[13] = DemandDay(units: 0) }),
        ("another bias", { $0.network.denseBias += 1 }),
        ("another weight", { $0.network.denseKernel[0] = $0.network.denseKernel[0] == 9 ? 90 : 9 }),
        ("another scale", { $0.network.outputScale *= 2 }),
        ("another profile", { $0.profiles[0].month[2] = 7 }),
    ]

    @Test(
        "Golden vectors prove a sound package and refuse a changed one", arguments: damage.indices)
    func goldenVectors(row: Int) throws {
        var package = try PackageFixtures.package(.profile, units: 3)
        // The fixtures' golden days lie in March.
        try Engine(package, budgetBytes: .max).proveGoldenVectors(of: package.encode())
        Self.damage[row].1(&package)
        let engine = try Engine(package, budgetBytes: .max)
        #expect(throws: EngineError.self, "\(Self.damage[row].0)") {
            try engine.proveGoldenVectors(of: package.encode())
        }
    }

    @Test("A package without golden vectors has not proved itself")
    func noGoldenVectors() throws {
        var package = try PackageFixtures.package(.profile, units: 3)
        package.goldenVectors = []
        let engine = try Engine(package, budgetBytes: .max)
        #expect(throws: EngineError.noGoldenVectors) {
            try engine.proveGoldenVectors(of: package.encode())
        }
    }

    @Test("Values that are no package are refused before any memory is taken")
    func invalid() throws {
        var package = try PackageFixtures.package(.profile, units: 3)
        package.network.bias.removeLast()
        #expect(
            throws: EngineError.invalid(.network(.count(.bias, found: 11, expected: 12)))
        ) { _ = try Engine(package, budgetBytes: .max) }
    }

    @Test("Items are found by name, and only whole names are", arguments: [0, 1, 12, 300])
    func index(items: Int) throws {
        let package = try PackageFixtures.package(.profile, units: 1, items: items, profiles: 3)
        let engine = try Engine(package, budgetBytes: .max)
        #expect(engine.itemCount == items)
        for (index, start) in package.starts.enumerated() {
            #expect(engine.index(of: start.item) == index)
            #expect(engine.startLevel(index: index) == start.level)
        }
        for absent in ["0", "01", "301", "11111", "a"] {
            #expect(engine.index(of: try ItemID(absent)) == nil)
        }
    }

    @Test(
        "A forecast is features, integer network and units, for items with a start and without",
        arguments: ModelForm.allCases, CellKind.allCases)
    func forecast(form: ModelForm, cell: CellKind) throws {
        try checkForecasts(
            PackageFixtures.package(form, cell: cell, units: 3, profiles: 2), cell: cell)
    }

    @Test(
        "So it is with special days, days of the month and persistences",
        arguments: ModelPackageTests.calendars)
    func calendar(calendar: DemandCalendar) throws {
        try checkForecasts(
            PackageFixtures.package(.profile, units: 3, profiles: 2, calendar: calendar),
            cell: .lstm)
    }

    @Test(
        "So it is with holidays and promotions as inputs",
        arguments: [FeatureInputs.planned, .holiday, .promotion], [ModelForm.calendar, .profile])
    func planned(inputs: FeatureInputs, form: ModelForm) throws {
        let package = try PackageFixtures.package(form, units: 3, planned: inputs)
        #expect(package.manifest.requiredFeatures == ["lstm-int8-v2", "planned-inputs-v1"])
        try checkForecasts(package, cell: .lstm)
        // A mark that is an input moves the forecast, and another one does not.
        let engine = try Engine(package, budgetBytes: .max)
        func output(_ marks: DayMarks) -> Int32 {
            engine.forecast(
                index: 0, level: 20,
                recentDays: (0..<14).map { DemandDay(units: 10 + Int32($0)) },
                target: PackageFixtures.asOf, targetMarks: marks
            ).networkOutput
        }
        for mark in [DayMarks.holiday, .promotion] {
            #expect((output(mark) != output([])) == inputs.marks.contains(mark))
        }
        #expect(output(.excluded) == output([]))
    }

    @Test("A golden vector with marks that are no inputs, or of no row, is refused")
    func strayMarks() throws {
        let sound = try PackageFixtures.package(.profile, units: 2, planned: .promotion)
        for change in [
            { $0.targetMarks = .holiday }, { $0.recentDays[3].marks = .planned },
            { $0.recentDays[0].marks = .promotion },
        ] as [(inout GoldenVector) -> Void] {
            var package = sound
            change(&package.goldenVectors[1])
            #expect(throws: PackageError.field(.goldenDay, index: 1)) { try package.validate() }
        }
        #expect(try ModelPackage.decode(sound.encode()) == sound)
    }

    private func checkForecasts(_ package: ModelPackage, cell: CellKind) throws {
        let engine = try Engine(package, budgetBytes: .max)
        var numbers = SeededGenerator(seed: 3)
        let counts = ArenaLayout.Counts(
            shape: package.network.shape, window: 14, profiles: 0, starts: 0, identifierBytes: 0)
        let recurrence = IntegerRecurrence(package.network, in: Arena(ArenaLayout(counts)))
        for round in 0..<50 {
            let item = try ItemID("\(Int.random(in: 1...12, using: &numbers))")
            let start = package.starts.first { $0.item == item }
            let level = Float.random(in: 1...100, using: &numbers)
            // A clock that was never set says 1970: that day is one like any other, first or not.
            let target =
                round == 0
                ? BusinessDay(daysSince1970: 0)
                : PackageFixtures.asOf.advanced(by: .random(in: 1...900, using: &numbers))
            let days = (0..<14).map { _ in
                var day =
                    Bool.random(using: &numbers)
                    ? DemandDay(units: .random(in: 0...200, using: &numbers)) : .closed
                day.marks = DayMarks(rawValue: .random(in: 0...3, using: &numbers) * 4)
                return day
            }
            let marks = DayMarks(rawValue: .random(in: 0...3, using: &numbers) * 4)
            let features = FeatureWindow(
                spec: package.manifest.spec,
                state: SeriesState(
                    level: level, scale: start?.scale ?? level * 0.25,
                    persistence: start?.persistence ?? 0),
                profile: package.profiles[Int(start?.profile ?? 0)], target: target,
                targetMarks: marks)
            var window = [Float](repeating: 0, count: features.spec.windowValues)
            var values = window.mutableSpan
            features.write(days.span, into: &values)
            recurrence.load(window: window)
            let output = recurrence.run()
            let forecast = engine.forecast(
                item: item, level: level, recentDays: days, target: target, targetMarks: marks)
            #expect(forecast.networkOutput == output)
            #expect(
                forecast.units
                    == features.units(networkOutput: Float(output) * package.network.outputScale))
        }
    }

    @Test("Whatever level, days and date come in, units are finite and not negative")
    func hostileInput() throws {
        for form in ModelForm.allCases {
            let package = try PackageFixtures.package(form, units: 2)
            let engine = try Engine(package, budgetBytes: .max)
            let days: [DemandDay] = [
                .unknown, .closed, DemandDay(units: .max), DemandDay(units: 0),
            ]
            for level in [0, -1, 1e-30, 1e30, .nan, .infinity, -.infinity] as [Float] {
                for day in days {
                    for index in [nil, 0, 9] {
                        let forecast = engine.forecast(
                            index: index, level: level,
                            recentDays: [DemandDay](repeating: day, count: 14),
                            target: PackageFixtures.asOf)
                        #expect(forecast.units >= 0 && forecast.units <= FeatureSpec.unitsMax)
                    }
                }
            }
        }
    }

    @Test("The level moves as training moves it, and stays on closed days and in the plain form")
    func level() throws {
        for form in ModelForm.allCases {
            let package = try PackageFixtures.package(form, units: 1, profiles: 2)
            let engine = try Engine(package, budgetBytes: .max)
            var state = SeriesState(level: 20, scale: package.starts[1].scale)
            var level = state.level
            for (offset, demand) in [
                DemandDay(units: 30), .closed, DemandDay(units: 0), .unknown, DemandDay(units: 900),
            ].enumerated() {
                let day = PackageFixtures.asOf.advanced(by: offset)
                state.close(
                    day: day, demand: demand,
                    profile: package.profiles[Int(package.starts[1].profile)],
                    spec: package.manifest.spec)
                level = engine.level(level, index: 1, after: demand, on: day)
                #expect(level == state.level)
            }
            #expect((level == 20) == (form == .plain))
        }
    }
}
