import Forecasting
import HubCore
import HubStore
import Testing

/// What the report is summed up from: kept up to date with every change, and equal to a plain calculation from the
/// raw rows.
@Suite struct ReportContractTests {
    /// Everything that the report's own tables hold, in an order.
    private struct Tables: Equatable {
        var days: [ReportRow]
        var items: [ReportRow]
        var errors: [SeriesErrors]
        var watchedDays: [[WatchedDay]] = []

        init(_ store: any HubStore) async throws {
            func sorted(_ by: Set<ReportQuery.Part>) async throws -> [ReportRow] {
                try await store.forecastSums(ReportQuery(by: by)).sorted {
                    "\($0.key)" < "\($1.key)"
                }
            }
            days = try await sorted([.store, .device, .release, .day])
            items = try await sorted([.store, .device, .release, .day, .item])
            errors = try await store.seriesErrors(store: nil, from: nil, through: nil)
            for record in try await store.stores() {
                watchedDays.append(try await store.watchedDays(store: record.id, from: nil))
            }
        }
    }

    /// Random numbers that repeat.
    private struct Dice {
        var state: UInt64

        mutating func roll(_ range: Range<Int>) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return range.lowerBound + Int((state >> 33) % UInt64(range.count))
        }
    }

    /// Two stores with five devices: sales, returns, closes (some days later, some twice, some without business), forecasts
    /// (some twice), imports before and over them, a device approved late and one revoked.
    private static func history(
        _ store: any HubStore, seed: UInt64, steps: Int, check: (Int) async throws -> Void
    ) async throws {
        var dice = Dice(state: seed)
        var ids: [(id: DeviceID, store: String, next: UInt64, day: Int)] = []
        for device in 0..<5 {
            let at = device < 3 ? "1" : "2"
            ids.append((try await Sample.join(store, device: "d\(device)", at: at), at, 1, 30))
        }
        for step in 0..<steps {
            switch dice.roll(0..<12) {
            case 0:
                let late = dice.roll(0..<60)
                var rows: [(String, String, Int, Int32)] = []
                for _ in 0..<dice.roll(1..<30) {
                    rows.append(
                        (
                            dice.roll(0..<2) == 0 ? "1" : "2", "i\(dice.roll(0..<4))",
                            late + dice.roll(0..<8), Int32(dice.roll(0..<12))
                        ))
                }
                try await Sample.importRows(store, rows)
            case 1 where step == steps * 2 / 3:
                _ = try await store.setStatus(.revoked, of: ids[1].id, at: Sample.now)
            case 2 where dice.roll(0..<2) == 0:
                let day = Sample.day(25 + dice.roll(0..<60))
                let at = try dice.roll(0..<3) == 0 ? nil : StoreID("\(dice.roll(1..<3))")
                guard dice.roll(0..<4) > 0 else {
                    _ = try await store.removeCalendar(
                        kind: dice.roll(0..<2) == 0 ? .closed : nil, store: at, from: day,
                        through: day.advanced(by: 9), at: Sample.now)
                    break
                }
                let kind = CalendarEntry.Kind.allCases[dice.roll(0..<4)]
                // One item in six is nowhere known yet.
                let item =
                    try kind == .closed || dice.roll(0..<5) == 0
                    ? nil : ItemID("i\(dice.roll(0..<6))")
                _ = try await store.importCalendar(
                    [CalendarEntry(day: day, store: at, item: item, kind: kind)], at: Sample.now)
            default:
                let device = dice.roll(0..<ids.count)
                var records: [UploadRecord] = []
                let day = ids[device].day
                for _ in 0..<dice.roll(0..<8) {
                    let item = "i\(dice.roll(0..<5))"
                    // One in six comes late.
                    let of = dice.roll(0..<6) == 0 ? max(0, day - dice.roll(0..<30)) : day
                    records.append(
                        dice.roll(0..<7) == 0
                            ? try Sample.returned(of, item, Int32(dice.roll(1..<4)))
                            : try Sample.sale(of, item, Int32(dice.roll(1..<9))))
                }
                if dice.roll(0..<3) > 0 {
                    for item in 0..<dice.roll(1..<6) {
                        let units = Float(dice.roll(0..<900)) / 100
                        records.append(
                            .forecast(
                                DeviceForecast(
                                    day: Sample.day(day), item: try ItemID("i\(item)"),
                                    units: units, networkOutput: 1,
                                    release: UInt64(1 + day / 40), actualUnits: 3,
                                    inputsComplete: true)))
                        // Twice, or of a day before.
                        if dice.roll(0..<9) == 0 {
                            records.append(
                                try Sample.forecast(day - dice.roll(0..<3), "i\(item)", units + 1))
                        }
                    }
                    records.append(Sample.close(day, allDay: dice.roll(0..<8) == 0))
                    ids[device].day += dice.roll(0..<5) == 0 ? dice.roll(0..<12) : 1
                }
                guard !records.isEmpty else { continue }
                let outcome = try await Sample.upload(
                    store, ids[device].id, from: ids[device].next, records)
                if case .stored(let through, _) = outcome { ids[device].next = through + 1 }
            }
            try await check(step)
        }
    }

    @Test(
        "After any history the report's tables are what rebuilding makes of the raw rows, to the last bit",
        arguments: [UInt64(1), 2, 3, 4])
    func rebuilt(seed: UInt64) async throws {
        let store = try SQLiteHubStore.inMemory()
        try await Self.history(store, seed: seed, steps: 160) { step in
            guard step % 20 == 19 else { return }
            let kept = try await Tables(store)
            let count = try await store.rebuildReport()
            let rebuilt = try await Tables(store)
            #expect(kept == rebuilt, "seed \(seed), step \(step)")
            #expect(count == rebuilt.items.reduce(0) { $0 + $1.sums.forecasts })
        }
        let all = try await Tables(store)
        #expect(all.items.contains { $0.sums.accuracy.count > 0 })
        #expect(all.items.contains { $0.sums.pending > 0 })
        #expect(all.items.contains { $0.sums.scaled.count > 0 })
    }

    @Test(
        "Sums by any part, of any store, device, item and days are those of a plain calculation",
        arguments: StoreUnderTest.allCases, [UInt64(5), 6])
    func plain(implementation: StoreUnderTest, seed: UInt64) async throws {
        try await implementation.run { store in
            try await Self.history(store, seed: seed, steps: 200) { _ in }
            let plain = try await PlainReport(store)
            let days = try await store.forecastSums(ReportQuery(by: [.day])).compactMap(\.key.day)
            #expect(try await store.lastForecastDay() == days.max() && !days.isEmpty)
            var dice = Dice(state: seed)
            var compared = 0
            for _ in 0..<60 {
                var query = ReportQuery()
                if dice.roll(0..<2) == 0 { query.store = try StoreID("\(dice.roll(1..<3))") }
                if dice.roll(0..<4) == 0 { query.device = try DeviceID("d\(dice.roll(0..<5))") }
                if dice.roll(0..<4) == 0 { query.item = try ItemID("i\(dice.roll(0..<5))") }
                if dice.roll(0..<2) == 0 { query.first = Sample.day(dice.roll(20..<60)) }
                if dice.roll(0..<2) == 0 { query.last = Sample.day(dice.roll(40..<90)) }
                for part in ReportQuery.Part.allCases where dice.roll(0..<3) == 0 {
                    query.by.insert(part)
                }
                let rows = try await store.forecastSums(query)
                compared += rows.count
                try plain.expect(rows, of: query)
                let errors = try await store.seriesErrors(
                    store: query.store, from: query.first, through: query.last)
                plain.expect(
                    errors, store: query.store, first: query.first, last: query.last)
            }
            #expect(compared > 200)
        }
    }

    @Test(
        "Views read together say what each says alone, of any selection",
        arguments: StoreUnderTest.allCases)
    func together(implementation: StoreUnderTest) async throws {
        try await implementation.run { store in
            try await Self.history(store, seed: 7, steps: 200) { _ in }
            let fleet = try await store.reportFleet()
            let tables =
                ReportView.allCases.map { ReportTable($0) }
                + ReportView.allCases.map { ReportTable($0, countsSeries: false) }
            var compared = 0
            for selection in [
                ReportSelection(), ReportSelection(store: try StoreID("2")),
                ReportSelection(device: try DeviceID("d1"), first: Sample.day(35)),
                ReportSelection(item: try ItemID("i2"), last: Sample.day(70)),
                ReportSelection(region: "nowhere"),
            ] {
                let found = try await store.reportTables(tables, of: selection, fleet: fleet)
                #expect(found.count == tables.count)
                for (table, lines) in zip(tables, found) {
                    let alone = try await store.reportLines(
                        table.view, of: selection, fleet: fleet)
                    #expect(lines.map(\.name) == alone.map(\.name))
                    for (line, own) in zip(lines, alone) {
                        compared += 1
                        #expect(line.sums.forecasts == own.sums.forecasts)
                        #expect(line.sums.accuracy.count == own.sums.accuracy.count)
                        #expect(line.firstDay == own.firstDay && line.lastDay == own.lastDay)
                        PlainReport.expect(line.sums.accuracy.wape, own.sums.accuracy.wape)
                        PlainReport.expect(line.sums.valueAdded, own.sums.valueAdded)
                        PlainReport.expect(line.sums.p90.mean, own.sums.p90.mean)
                        PlainReport.expect(
                            line.betterShare, table.countsSeries ? own.betterShare : nil)
                    }
                }
            }
            #expect(compared > 300)
        }
    }

    @Test(
        "An item's forecasts one by one come to the sums that the report shows of it",
        arguments: StoreUnderTest.allCases)
    func oneByOne(implementation: StoreUnderTest) async throws {
        try await implementation.run { store in
            try await Self.history(store, seed: 9, steps: 200) { _ in }
            let (one, item) = (try StoreID("1"), try ItemID("i2"))
            for (first, last) in [(nil, nil), (40, 70)] as [(Int?, Int?)] {
                let days = (first.map(Sample.day), last.map(Sample.day))
                let forecasts = try await store.seriesForecasts(
                    store: one, item: item, from: days.0, through: days.1)
                #expect(forecasts.count > 20)
                #expect(
                    forecasts.map { [$0.device.text, $0.day.iso8601] }
                        == forecasts.sorted { ($0.device, $0.day) < ($1.device, $1.day) }
                        .map { [$0.device.text, $0.day.iso8601] })
                var sums: [ReportKey: ForecastSums] = [:]
                for forecast in forecasts {
                    var key = ReportKey()
                    key.device = forecast.device
                    key.release = forecast.release
                    sums[key, default: ForecastSums()].add(forecast.pair, scale: nil)
                }
                let rows = try await store.forecastSums(
                    ReportQuery(
                        store: one, item: item, first: days.0, last: days.1,
                        by: [.device, .release]))
                #expect(Set(rows.map(\.key)) == Set(sums.keys))
                for row in rows {
                    let own = try #require(sums[row.key])
                    #expect(own.accuracy.count == row.sums.accuracy.count)
                    #expect(own.pending == row.sums.pending)
                    #expect(own.p90 == row.sums.p90)
                    PlainReport.expect(own.accuracy.wape, row.sums.accuracy.wape)
                    PlainReport.expect(own.seasonalNaive.wape, row.sums.seasonalNaive.wape)
                }
            }
            let none = try await store.seriesForecasts(
                store: try StoreID("9"), item: item, from: nil, through: nil)
            #expect(none.isEmpty)
        }
    }

    @Test("Forecasts are counted by device and day", arguments: StoreUnderTest.allCases)
    func counts(implementation: StoreUnderTest) async throws {
        try await implementation.run { store in
            try await Self.history(store, seed: 8, steps: 120) { _ in }
            for (id, first, last) in [(nil, nil, nil), ("1", 40, nil), ("2", nil, 50)]
                as [(String?, Int?, Int?)]
            {
                let query = ReportQuery(
                    store: try id.map { try StoreID($0) }, first: first.map(Sample.day),
                    last: last.map(Sample.day))
                var wanted: [DeviceID: [BusinessDay: Int]] = [:]
                for row in try await PlainReport(store).rows(query) {
                    wanted[row.device, default: [:]][row.day, default: 0] += 1
                }
                let found = try await store.forecastCounts(
                    store: query.store, from: query.first, through: query.last)
                #expect(found == wanted && !wanted.isEmpty)
            }
        }
    }

    @Test("A store that nobody named has no sums", arguments: StoreUnderTest.allCases)
    func nothing(implementation: StoreUnderTest) async throws {
        try await implementation.run { store in
            #expect(try await store.forecastSums(ReportQuery()).isEmpty)
            let query = ReportQuery(store: try StoreID("9"), by: [.store])
            #expect(try await store.forecastSums(query).isEmpty)
            #expect(try await store.rebuildReport() == 0)
        }
    }
}

/// The report's figures the plain way: from every forecast as it was sent up, the ledger and who closed what.
struct PlainReport {
    struct Row {
        var store: StoreID
        var device: DeviceID
        var item: ItemID
        var day: BusinessDay
        var release: UInt64
        var forecast: Double
        /// Nil: pending.
        var actual: Double?
        var naive: Double?
        var p90: Double?
        /// Mean |aₜ − aₜ₋₇| and mean (aₜ − aₜ₋₁)² before the store's first forecast.
        var scale: (absolute: Double, squared: Double)?
    }

    private(set) var rows: [Row] = []

    init(_ store: any HubStore) async throws {
        for record in try await store.stores() {
            let observations = try await store.observations(
                store: record.id, from: nil, through: nil)
            guard let first = observations.map(\.day).min() else { continue }
            let approved = try await store.devices(store: record.id)
                .filter { $0.status == .approved }.map(\.id)
            let finality = DayFinality(
                deviceDays: try await store.deviceDays(store: record.id, from: nil, through: nil),
                devices: approved)
            let ledger = try #require(try await store.ledger(store: record.id, from: nil))
            let calendar = try await store.calendar(
                kind: nil, store: record.id, from: nil, through: nil)
            func isExcluded(_ day: BusinessDay, _ item: ItemID) -> Bool {
                calendar.contains {
                    $0.day == day && ($0.kind == .closed || $0.kind == .stockOut)
                        && ($0.item == nil || $0.item == item)
                }
            }
            var own: [Row] = []
            for one in observations {
                let isKnown =
                    (one.actualIsImported || finality.isFinal(one.day))
                    && !isExcluded(one.day, one.item)
                let knowsNaive = !isExcluded(one.day.advanced(by: -7), one.item)
                let actual = isKnown ? one.actualUnits.map(Double.init) : nil
                own.append(
                    Row(
                        store: record.id, device: one.device, item: one.item, day: one.day,
                        release: one.release, forecast: one.forecastUnits, actual: actual,
                        naive: actual == nil || !knowsNaive
                            ? nil : one.seasonalNaiveUnits.map(Double.init),
                        p90: nil, scale: nil))
            }
            let totals = try await Self.totals(store, record.id, ledger)
            for index in own.indices where own[index].actual != nil {
                let row = own[index]
                var spread = DemandSpread()
                for past in own
                where past.device == row.device && past.item == row.item && past.day < row.day
                    && past.day >= row.day.advanced(by: -62)
                {
                    guard let actual = past.actual else { continue }
                    spread.observe(forecast: Float(past.forecast), units: Float(actual))
                }
                own[index].p90 = Double(
                    DemandQuantile.units(
                        0.9, mean: row.forecast, variance: spread.variance(of: row.forecast)))
                let history = (totals[row.item] ?? [:]).filter { $0.key < first }
                if let start = history.keys.min(), first - start > 7 {
                    var values: [Double] = []
                    for offset in 0..<(first - start) {
                        values.append(Double(history[start.advanced(by: offset)] ?? 0))
                    }
                    own[index].scale = Self.scale(values)
                }
            }
            rows += own
        }
    }

    /// Nil: the series never moved.
    private static func scale(_ values: [Double]) -> (absolute: Double, squared: Double)? {
        var (absolute, squared) = (0.0, 0.0)
        for day in 7..<values.count { absolute += abs(values[day] - values[day - 7]) }
        for day in 1..<values.count {
            let step = values[day] - values[day - 1]
            squared += step * step
        }
        guard absolute > 0 else { return nil }
        return (absolute / Double(values.count - 7), squared / Double(values.count - 1))
    }

    /// Every total of the store, of days that nobody closed too.
    private static func totals(
        _ store: any HubStore, _ id: StoreID, _ ledger: StoreLedger
    ) async throws -> [ItemID: [BusinessDay: Int64]] {
        var totals: [ItemID: [BusinessDay: Int64]] = [:]
        for day in ledger.days {
            for sold in day.sold {
                totals[ledger.items[sold.itemIndex], default: [:]][day.day] =
                    sold.importedUnits ?? sold.uploadedUnits
            }
        }
        return totals
    }

    func rows(_ query: ReportQuery) -> [Row] {
        rows.filter { row in
            if let store = query.store, row.store != store { return false }
            if let device = query.device, row.device != device { return false }
            if let item = query.item, row.item != item { return false }
            if let first = query.first, row.day < first { return false }
            if let last = query.last, row.day > last { return false }
            return true
        }
    }

    func expect(_ found: [ReportRow], of query: ReportQuery) throws {
        let groups = Dictionary(grouping: rows(query)) { row in
            var key = ReportKey()
            if query.by.contains(.store) { key.store = row.store }
            if query.by.contains(.device) { key.device = row.device }
            if query.by.contains(.item) { key.item = row.item }
            if query.by.contains(.release) { key.release = row.release }
            if query.by.contains(.weekday) { key.weekday = row.day.weekday }
            if query.by.contains(.day) { key.day = row.day }
            return key
        }
        #expect(Set(found.map(\.key)) == Set(groups.keys))
        #expect(found.count == groups.count)
        for row in found {
            let group = try #require(groups[row.key])
            #expect(row.firstDay == group.map(\.day).min() && row.lastDay == group.map(\.day).max())
            Self.expect(row.sums, of: group)
        }
    }

    static func expect(_ sums: ForecastSums, of rows: [Row]) {
        var (count, zeros, sold, promised, error) = (0, 0, 0.0, 0.0, 0.0)
        var (relative, symmetric): ([Double], [Double]) = ([], [])
        var (scaled, squared, loss, covered): ([Double], [Double], [Double], [Double]) =
            ([], [], [], [])
        var (besideSold, own, naive) = (0.0, 0.0, 0.0)
        for row in rows {
            guard let actual = row.actual, let p90 = row.p90 else { continue }
            let miss = abs(row.forecast - actual)
            count += 1
            sold += actual
            promised += row.forecast
            error += miss
            if actual > 0 { relative.append(100 * miss / actual) } else { zeros += 1 }
            let size = row.forecast + actual
            symmetric.append(size == 0 ? 0 : 200 * miss / size)
            if let scale = row.scale {
                scaled.append(miss / scale.absolute)
                squared.append(miss * miss / scale.squared)
            }
            loss.append(max(0.9 * (actual - p90), 0.1 * (p90 - actual)))
            covered.append(actual <= p90 ? 100 : 0)
            guard let last = row.naive else { continue }
            besideSold += actual
            own += miss
            naive += abs(last - actual)
        }
        #expect(sums.pending == rows.count - count && sums.accuracy.count == count)
        #expect(sums.accuracy.zeroActualCount == zeros)
        expect(sums.accuracy.wape, sold > 0 ? 100 * error / sold : nil)
        expect(sums.accuracy.bias, sold > 0 ? 100 * (promised - sold) / sold : nil)
        expect(sums.accuracy.mape, mean(relative))
        expect(sums.accuracy.symmetricMAPE, mean(symmetric))
        expect(sums.scaled.mase7, mean(scaled))
        expect(sums.scaled.rmsse, mean(squared).map { $0.squareRoot() })
        expect(sums.p90.mean, mean(loss))
        expect(sums.p90.coverage, mean(covered))
        expect(sums.seasonalNaive.wape, besideSold > 0 ? 100 * naive / besideSold : nil)
        expect(sums.valueAdded, besideSold > 0 && naive > 0 ? 1 - own / naive : nil)
    }

    func expect(
        _ found: [SeriesErrors], store: StoreID?, first: BusinessDay?, last: BusinessDay?
    ) {
        struct Key: Hashable {
            var store: StoreID
            var item: ItemID
        }
        let beside = rows(ReportQuery(store: store, first: first, last: last))
            .filter { $0.naive != nil }
        let groups = Dictionary(grouping: beside) { Key(store: $0.store, item: $0.item) }
        #expect(Set(found.map { Key(store: $0.store, item: $0.item) }) == Set(groups.keys))
        for one in found {
            let group = groups[Key(store: one.store, item: one.item)] ?? []
            Self.expect(one.own, group.reduce(0) { $0 + abs($1.forecast - ($1.actual ?? 0)) })
            Self.expect(
                one.naive, group.reduce(0) { $0 + abs(($1.naive ?? 0) - ($1.actual ?? 0)) })
        }
    }

    private static func mean(_ values: [Double]) -> Double? {
        values.isEmpty ? nil : values.reduce(0, +) / Double(values.count)
    }

    /// Equal but for the order of adding up.
    static func expect(
        _ found: Double?, _ wanted: Double?, at location: SourceLocation = #_sourceLocation
    ) {
        guard let found, let wanted else {
            #expect(found == nil && wanted == nil, sourceLocation: location)
            return
        }
        #expect(
            abs(found - wanted) <= 1e-9 * max(1, abs(wanted)), "\(found) is not \(wanted)",
            sourceLocation: location)
    }
}
