import Forecasting
import HubCore
import ModelPackage
import Testing

@Suite("A forecast made again by the hub")
struct ForecastReplayTests {
    private static let asOf = BusinessDay(daysSince1970: 17_000)
    private static let digest = [UInt8](repeating: 9, count: 32)
    private static func day(_ offset: Int) -> BusinessDay { asOf.advanced(by: offset) }

    /// The network's weights depend on `seed`.
    private static func package(
        seed: Int = 0, inputs: FeatureInputs = []
    ) throws -> [UInt8] {
        let spec = FeatureSpec(
            form: .profile, window: 7, levelRate: 0.25, inputs: inputs, output: .logResidual)
        var network = IntegerNetwork(shape: NetworkShape(inputWidth: spec.inputWidth, units: 2))
        for i in network.inputKernel.indices { network.inputKernel[i] = Int8((i + seed) * 7 % 100) }
        network.inputMultiplierCodes = network.inputMultiplierCodes.map { _ in 0x0C00 }
        for i in network.denseKernel.indices { network.denseKernel[i] = Int8(10 + i + seed) }
        network.outputScale = 1.0 / 65_536
        var package = ModelPackage(
            manifest: Manifest(
                family: "f", variant: "v",
                requiredFeatures: Engine.requiredFeatures(
                    for: network.shape.cell, inputs: spec.inputs), spec: spec,
                store: try StoreID("1"), asOf: asOf, release: 3),
            network: network, profiles: [.flat],
            starts: [SeriesStart(item: try ItemID("a"), level: 10, scale: 1, profile: 0)])
        return package.encodeStatingArena()
    }

    /// 20 days before the as-of day and 10 after it; `a` sells its day's number, `b` nothing.
    private static func ledger(
        changed: (Int, Int64)? = nil, without missing: Int? = nil, closed: Int? = nil
    ) throws -> StoreLedger {
        let days = (-20...10).filter { $0 != missing }.map { offset in
            let units = changed?.0 == offset ? changed?.1 : Int64(20 + offset)
            let sold = LedgerDay.Sold(itemIndex: 0, importedUnits: units, uploadedUnits: nil)
            return LedgerDay(
                day: day(offset), revision: 1, isImported: true,
                sold: offset == closed ? [] : [sold])
        }
        return StoreLedger(
            store: StoreRecord(id: try StoreID("1"), timeZone: "UTC", revision: 1),
            items: [try ItemID("a"), try ItemID("b")], days: days, deviceDays: [], devices: [])
    }

    private static func replay(_ ledger: StoreLedger) throws -> ForecastReplay {
        ForecastReplay(
            days: StoreDays(
                StoreContext.decide(ledger, device: try DeviceID("d"), knownRevision: 0)))
    }

    /// The forecast for day 6 of a device that knew everything, computed without the replay's help.
    private static func forecast(
        of item: String = "a", level: Float? = nil, closed: Int? = nil,
        seeing inputs: FeatureInputs = [], marks: (Int) -> DayMarks = { _ in [] }
    ) throws -> DeviceForecast {
        let package = try ModelPackage.decode(package(inputs: inputs))
        let engine = try Engine(package, budgetBytes: .max)
        func demand(_ offset: Int) -> DemandDay {
            var day: DemandDay =
                offset == closed ? .closed : DemandDay(units: item == "a" ? 20 + Int32(offset) : 0)
            day.marks = marks(offset)
            return day
        }
        var state = SeriesState(package.starts[0])
        for offset in 1...5 {
            state.close(
                day: day(offset), demand: demand(offset), profile: .flat,
                spec: package.manifest.spec)
        }
        let level = level ?? state.level
        let recent = (-1...5).map(demand)
        let made = engine.forecast(
            item: try ItemID(item), level: level, recentDays: recent, target: day(6),
            targetMarks: marks(6))
        return DeviceForecast(
            day: day(6), item: try ItemID(item), units: made.units,
            networkOutput: made.networkOutput, release: 3, actualUnits: 5, inputsComplete: true,
            level: level,
            inputsDigest: ForecastInputs.digest(
                package: digest, level: level, recentDays: recent,
                targetMarks: marks(6), planned: inputs.marks))
    }

    private static func verdict(
        _ forecast: DeviceForecast, _ ledger: StoreLedger? = nil
    ) throws -> ReplayVerdict {
        let candidates = [
            try ReplayPackage(file: try package(seed: 1), digest: [UInt8](repeating: 8, count: 32)),
            try ReplayPackage(file: try package(), digest: digest),
        ]
        return try replay(try ledger ?? Self.ledger()).verdict(forecast, candidates: candidates)
    }

    @Test("is the same from the same package, level and days, whichever variant ran")
    func same() throws {
        #expect(try Self.verdict(try Self.forecast()) == .same(levelFollows: true))
    }

    @Test("counts a day without business as the device does")
    func closedDay() throws {
        let forecast = try Self.forecast(closed: 4)
        #expect(
            try Self.verdict(forecast, try Self.ledger(closed: 4)) == .same(levelFollows: true))
        #expect(try Self.verdict(forecast) == .impossible(.inputsChanged))
    }

    @Test("heeds the calendar as a device does that was told of it, and as one that was not")
    func calendar() throws {
        let replay = ForecastReplay(
            days: StoreDays(
                StoreContext.decide(
                    try Self.ledger(without: 4), device: try DeviceID("d"), knownRevision: 0)),
            calendar: StoreCalendar([
                StoreCalendar.Entry(day: Self.day(4), item: nil, marks: .closed)
            ]))
        func verdict(_ forecast: DeviceForecast) throws -> ReplayVerdict {
            replay.verdict(
                forecast,
                candidates: [try ReplayPackage(file: try Self.package(), digest: Self.digest)])
        }
        // No total of a closed day is needed.
        var forecast = try Self.forecast(closed: 4)
        #expect(try verdict(forecast) == .same(levelFollows: true))
        forecast.level = 0
        #expect(try verdict(forecast) == .same(levelFollows: true))
        #expect(try verdict(try Self.forecast()) == .impossible(.inputsChanged))
        let told = ForecastReplay(
            days: StoreDays(
                StoreContext.decide(
                    try Self.ledger(), device: try DeviceID("d"), knownRevision: 0)),
            calendar: StoreCalendar([
                StoreCalendar.Entry(day: Self.day(4), item: nil, marks: .closed)
            ]))
        let candidates = [try ReplayPackage(file: try Self.package(), digest: Self.digest)]
        for closed in [nil, 4] {
            #expect(
                told.verdict(try Self.forecast(closed: closed), candidates: candidates)
                    == .same(levelFollows: true))
        }
    }

    @Test("counts holidays and promotions as the device does that runs a package which sees them")
    func planned() throws {
        func verdict(
            _ forecast: DeviceForecast, _ entries: [(Int, String?, DayMarks)]
        ) throws -> ReplayVerdict {
            let calendar = StoreCalendar(
                try entries.map {
                    StoreCalendar.Entry(
                        day: Self.day($0.0), item: try $0.1.map { try ItemID($0) }, marks: $0.2)
                })
            return ForecastReplay(
                days: StoreDays(
                    StoreContext.decide(
                        try Self.ledger(), device: try DeviceID("d"), knownRevision: 0)),
                calendar: calendar
            ).verdict(
                forecast,
                candidates: [
                    try ReplayPackage(
                        file: try Self.package(inputs: .promotion), digest: Self.digest)
                ])
        }
        let told = try Self.forecast(seeing: .promotion) { [4, 6].contains($0) ? .promotion : [] }
        let untold = try Self.forecast(seeing: .promotion)
        #expect(told.units != untold.units)
        let both: [(Int, String?, DayMarks)] = [(4, nil, .promotion), (6, "a", .promotion)]
        #expect(try verdict(told, both) == .same(levelFollows: true))
        #expect(try verdict(untold, []) == .same(levelFollows: true))
        // A device that has not heard yet.
        #expect(try verdict(untold, both) == .same(levelFollows: true))
        // Other items', and other marks, say nothing; each day of its own does.
        #expect(
            try verdict(told, both + [(5, "b", .promotion), (5, nil, .holiday)])
                == .same(levelFollows: true))
        for others in [[both[0]], [both[1]], both + [(5, "a", .promotion)]] {
            #expect(try verdict(told, others) == .impossible(.inputsChanged))
        }
        // The oldest day of the window describes no row.
        #expect(try verdict(told, both + [(-1, "a", .promotion)]) == .same(levelFollows: true))
    }

    @Test("starts from the level the device had, and says that the hub has another")
    func otherLevel() throws {
        #expect(try Self.verdict(try Self.forecast(level: 12)) == .same(levelFollows: false))
        // Its level begins on the device: the package knows only `a`.
        #expect(
            try Self.verdict(try Self.forecast(of: "b", level: 3)) == .same(levelFollows: false))
        // A total long before the window moves the level and nothing else.
        let long = try Self.ledger(changed: (-2, 99))
        #expect(try Self.verdict(try Self.forecast(), long) == .same(levelFollows: true))
    }

    @Test("starts from the level that the totals give, where the device left it out")
    func levelLeftOut() throws {
        var forecast = try Self.forecast()
        forecast.level = 0
        #expect(try Self.verdict(forecast) == .same(levelFollows: true))
        var other = try Self.forecast(level: 12)
        other.level = 0
        #expect(try Self.verdict(other) == .impossible(.inputsChanged))
    }

    @Test("is different when the integer or the units are others by the least that can be")
    func different() throws {
        let honest = try Self.forecast()
        let truth = ReplayVerdict.different(
            networkOutput: honest.networkOutput, units: honest.units)
        var changed = honest
        changed.networkOutput += 1
        #expect(try Self.verdict(changed) == truth)
        changed = honest
        changed.units = honest.units.nextUp
        #expect(try Self.verdict(changed) == truth)
    }

    @Test("cannot be made from what the hub does not have, and says what that is")
    func impossible() throws {
        var forecast = try Self.forecast()
        #expect(
            try Self.verdict(forecast, try Self.ledger(changed: (0, 21)))
                == .impossible(.inputsChanged))
        #expect(
            try Self.verdict(forecast, try Self.ledger(without: 2))
                == .impossible(.dayUnknown(Self.day(2))))
        #expect(
            try Self.replay(try Self.ledger()).verdict(forecast, candidates: [])
                == .impossible(.packageUnknown(release: 3)))
        let other = try ReplayPackage(
            file: try Self.package(seed: 1), digest: [UInt8](repeating: 8, count: 32))
        #expect(
            try Self.replay(try Self.ledger()).verdict(forecast, candidates: [other])
                == .impossible(.inputsChanged))
        forecast.inputsComplete = false
        forecast.inputsDigest ^= 1
        #expect(try Self.verdict(forecast) == .impossible(.inputsIncomplete))
        forecast.inputsDigest = 0
        #expect(try Self.verdict(forecast) == .impossible(.inputsNotStated))
    }
}
