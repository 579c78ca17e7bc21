import Forecasting
import GRDB
import HubCore

// The report's own tables. All of them can be made from the raw rows (forecast, dailySales, storeDay, deviceDay, device),
// and whatever changes a raw row brings them up to date in the same transaction, by `refresh`. Rebuilding is `refresh` of
// every day: the same sums in the same order, so the tables come out the same to the last bit.
extension SQLiteHubStore {
    static func addReportTables(_ db: Database) throws {
        try db.execute(
            sql: """
                -- A forecast beside what is known of its day, by store and day. The three last are null while the day is
                -- pending; the naive also where there is none.
                CREATE TABLE reportPair (
                    storeID INTEGER NOT NULL REFERENCES store,
                    day INTEGER NOT NULL CHECK (day BETWEEN 0 AND 84005),
                    deviceID INTEGER NOT NULL REFERENCES device,
                    itemID INTEGER NOT NULL REFERENCES item,
                    release INTEGER NOT NULL,
                    units REAL NOT NULL CHECK (units >= 0),
                    actualUnits INTEGER CHECK (actualUnits >= 0),
                    naiveUnits INTEGER CHECK (naiveUnits >= 0),
                    p90Units INTEGER CHECK ((p90Units IS NULL) = (actualUnits IS NULL)),
                    PRIMARY KEY (storeID, day, deviceID, itemID)
                ) STRICT, WITHOUT ROWID;
                -- ForecastSums of a device's forecasts of one day by one release.
                CREATE TABLE reportDay (
                    storeID INTEGER NOT NULL REFERENCES store,
                    day INTEGER NOT NULL CHECK (day BETWEEN 0 AND 84005),
                    deviceID INTEGER NOT NULL REFERENCES device,
                    release INTEGER NOT NULL,
                    ownCount REAL NOT NULL CHECK (ownCount >= 0),
                    ownZeroActuals REAL NOT NULL CHECK (ownZeroActuals >= 0),
                    ownActualSum REAL NOT NULL CHECK (ownActualSum >= 0),
                    ownForecastSum REAL NOT NULL CHECK (ownForecastSum >= 0),
                    ownAbsoluteErrorSum REAL NOT NULL CHECK (ownAbsoluteErrorSum >= 0),
                    ownSquaredErrorSum REAL NOT NULL CHECK (ownSquaredErrorSum >= 0),
                    ownRelativeErrorSum REAL NOT NULL CHECK (ownRelativeErrorSum >= 0),
                    ownSymmetricErrorSum REAL NOT NULL CHECK (ownSymmetricErrorSum >= 0),
                    comparableCount REAL NOT NULL CHECK (comparableCount >= 0),
                    comparableZeroActuals REAL NOT NULL CHECK (comparableZeroActuals >= 0),
                    comparableActualSum REAL NOT NULL CHECK (comparableActualSum >= 0),
                    comparableForecastSum REAL NOT NULL CHECK (comparableForecastSum >= 0),
                    comparableAbsoluteErrorSum REAL NOT NULL CHECK (comparableAbsoluteErrorSum >= 0),
                    comparableSquaredErrorSum REAL NOT NULL CHECK (comparableSquaredErrorSum >= 0),
                    comparableRelativeErrorSum REAL NOT NULL CHECK (comparableRelativeErrorSum >= 0),
                    comparableSymmetricErrorSum REAL NOT NULL CHECK (comparableSymmetricErrorSum >= 0),
                    naiveCount REAL NOT NULL CHECK (naiveCount >= 0),
                    naiveZeroActuals REAL NOT NULL CHECK (naiveZeroActuals >= 0),
                    naiveActualSum REAL NOT NULL CHECK (naiveActualSum >= 0),
                    naiveForecastSum REAL NOT NULL CHECK (naiveForecastSum >= 0),
                    naiveAbsoluteErrorSum REAL NOT NULL CHECK (naiveAbsoluteErrorSum >= 0),
                    naiveSquaredErrorSum REAL NOT NULL CHECK (naiveSquaredErrorSum >= 0),
                    naiveRelativeErrorSum REAL NOT NULL CHECK (naiveRelativeErrorSum >= 0),
                    naiveSymmetricErrorSum REAL NOT NULL CHECK (naiveSymmetricErrorSum >= 0),
                    scaledCount REAL NOT NULL CHECK (scaledCount >= 0),
                    scaledAbsoluteSum REAL NOT NULL CHECK (scaledAbsoluteSum >= 0),
                    scaledSquaredSum REAL NOT NULL CHECK (scaledSquaredSum >= 0),
                    p90Count REAL NOT NULL CHECK (p90Count >= 0),
                    p90Covered REAL NOT NULL CHECK (p90Covered >= 0),
                    p90LossSum REAL NOT NULL CHECK (p90LossSum >= 0),
                    pending REAL NOT NULL CHECK (pending >= 0),
                    PRIMARY KEY (storeID, day, deviceID, release)
                ) STRICT, WITHOUT ROWID;
                -- SeriesErrors of a week, which begins on day 7 · week − 3, a Monday.
                CREATE TABLE reportWeek (
                    storeID INTEGER NOT NULL REFERENCES store,
                    week INTEGER NOT NULL CHECK (week >= 0),
                    itemID INTEGER NOT NULL REFERENCES item,
                    ownErrorSum REAL NOT NULL CHECK (ownErrorSum >= 0),
                    naiveErrorSum REAL NOT NULL CHECK (naiveErrorSum >= 0),
                    PRIMARY KEY (storeID, week, itemID)
                ) STRICT, WITHOUT ROWID;
                -- SeriesScale of the days before the store's first forecast, which is of this day.
                CREATE TABLE reportStore (
                    storeID INTEGER NOT NULL PRIMARY KEY REFERENCES store,
                    firstForecastDay INTEGER NOT NULL
                ) STRICT;
                CREATE TABLE reportScale (
                    storeID INTEGER NOT NULL REFERENCES store,
                    itemID INTEGER NOT NULL REFERENCES item,
                    seasonalAbsolute REAL NOT NULL CHECK (seasonalAbsolute > 0),
                    naiveSquared REAL NOT NULL CHECK (naiveSquared > 0),
                    PRIMARY KEY (storeID, itemID)
                ) STRICT, WITHOUT ROWID;
                -- They are filled when the store is opened.
                INSERT INTO meta (key, value) VALUES ('reportIsToBeRebuilt', 1);
                """)
    }

    /// After migrations: fills the report's tables where a migration says so.
    static func rebuildReportIfAsked(_ db: Database) throws {
        // Another process may have done it meanwhile.
        guard try asksForRebuiltReport(db) else { return }
        try rebuildReport(db)
        try db.execute(sql: "DELETE FROM meta WHERE key = 'reportIsToBeRebuilt'")
    }

    static func asksForRebuiltReport(_ db: Database) throws -> Bool {
        try Int64.fetchOne(
            db, sql: "SELECT value FROM meta WHERE key = 'reportIsToBeRebuilt'") != nil
    }

    package func rebuildReport() async throws -> Int {
        try await write { db in
            try db.execute(sql: "PRAGMA cache_size = -65536")
            defer {
                // Of no consequence if it fails: the cache only stays larger.
                try? db.execute(sql: "PRAGMA cache_size = -2000")
            }
            return try Self.rebuildReport(db)
        }
    }

    @discardableResult
    private static func rebuildReport(_ db: Database) throws -> Int {
        try db.execute(
            sql: """
                DELETE FROM reportPair;
                DELETE FROM reportDay;
                DELETE FROM reportStoreDay;
                DELETE FROM reportWeek;
                DELETE FROM reportScale;
                DELETE FROM reportStore;
                INSERT INTO reportPair (storeID, day, deviceID, itemID, release, units)
                SELECT storeID, day, deviceID, itemID, release, units
                FROM forecast JOIN device ON device.id = deviceID
                ORDER BY storeID, day, deviceID, itemID;
                """)
        for store in try Int64.fetchAll(db, sql: "SELECT id FROM store ORDER BY id") {
            let keeper = ReportKeeper(db: db, store: store)
            try keeper.rescale()
            try keeper.refreshAll()
        }
        return try Int.fetchOne(db, sql: "SELECT count(*) FROM reportPair") ?? 0
    }
}

/// Brings the report's tables of one store up to date, within the caller's transaction.
struct ReportKeeper {
    let db: Database
    let store: Int64

    /// Days of one pass, so that a store of years and many devices is not held in memory whole.
    private static let passDays: Int32 = 128
    /// So far a day's total reaches forward: as a naive, and after that through P90.
    private static let reachDays = Int32(7 + StoreContext.expectedWithinDays + P90.lookBackDays)

    /// A device's forecast as it was sent up; one of the same day and item before it counts no more.
    /// - Returns: whether there was one.
    func note(_ forecast: DeviceForecast, device: Int64, item: Int64) throws -> Bool {
        let key: [Int64?] = [store, Int64(forecast.day.daysSince1970), device, item]
        let insert = try RawStatement(
            db,
            sql: """
                INSERT OR IGNORE INTO reportPair (storeID, day, deviceID, itemID, release, units)
                VALUES (?1, ?2, ?3, ?4, ?5, ?6)
                """)
        insert.bind(Double(forecast.units), at: 6)
        try insert.execute(key + [Int64(bitPattern: forecast.release)])
        guard db.changesCount == 0 else { return false }
        let update = try RawStatement(
            db,
            sql: """
                UPDATE reportPair SET release = ?5, units = ?6
                WHERE storeID = ?1 AND day = ?2 AND deviceID = ?3 AND itemID = ?4
                """)
        update.bind(Double(forecast.units), at: 6)
        try update.execute(key + [Int64(bitPattern: forecast.release)])
        return true
    }

    /// After raw rows of these days changed: totals, closes, forecasts.
    /// - Parameter hasReplaced: a forecast stands in another's place.
    func refresh(changed days: ClosedRange<Int32>, hasReplaced: Bool = false) throws {
        guard let forecasts = try forecastDays() else { return }
        let scaledBefore = try Int64.fetchOne(
            db.cachedStatement(sql: "SELECT firstForecastDay FROM reportStore WHERE storeID = ?"),
            arguments: [store])
        // Totals of days before the first forecast are what errors are scaled by.
        if scaledBefore != Int64(forecasts.lowerBound) || days.lowerBound < forecasts.lowerBound,
            try rescale()
        {
            return try refreshAll()
        }
        guard days.lowerBound <= forecasts.upperBound else { return }
        let replayed = try forgetReplayed(
            changed: days, forecastsThrough: forecasts.upperBound)
        try refresh(
            from: max(days.lowerBound, forecasts.lowerBound),
            through: max(
                replayed, min(days.upperBound + Self.reachDays, forecasts.upperBound)),
            hasReplaced: hasReplaced)
    }

    /// After a device was approved or revoked. Of days on which nobody waits for it, or did, nothing has changed.
    /// - Parameter before: the approved devices until then.
    func refresh(expecting devices: [DeviceID], insteadOf before: [DeviceID]) throws {
        let deviceDays = try SQLiteHubStore.fetchDeviceDays(
            db, storeRow: store, from: Int64(BusinessDay.storable.lowerBound),
            through: Int64(BusinessDay.storable.upperBound))
        var changed = DayFinality(deviceDays: deviceDays, devices: devices)
            .days(unlike: DayFinality(deviceDays: deviceDays, devices: before))[...]
        // Days that lie further apart than anything reaches from them are seen to one by one.
        while let first = changed.popFirst() {
            var last = first
            while let next = changed.first, next - last <= FeatureSpec.windowRange.upperBound {
                last = next
                changed.removeFirst()
            }
            try refresh(changed: first.daysSince1970...last.daysSince1970, hasReplaced: true)
        }
    }

    func refreshAll() throws {
        guard let days = try forecastDays() else { return }
        try forgetReplayed()
        try refresh(from: days.lowerBound, through: days.upperBound, hasReplaced: true)
    }

    /// Of the store's forecasts; nil: there are none.
    private func forecastDays() throws -> ClosedRange<Int32>? {
        var bounds: ClosedRange<Int32>?
        // Two look-ups by the primary key; both in one SELECT would read every row.
        try RawStatement(
            db,
            sql: """
                SELECT (SELECT min(day) FROM reportPair WHERE storeID = ?1),
                    (SELECT max(day) FROM reportPair WHERE storeID = ?1)
                """
        ).rows([store]) { row in
            if row.integerIfAny(0) != nil { bounds = row.day(0)...row.day(1) }
        }
        return bounds
    }

    /// Notes how much each series moved before the store's first forecast.
    /// - Returns: whether that is something else than before.
    @discardableResult
    func rescale() throws -> Bool {
        guard let first = try forecastDays()?.lowerBound else { return false }
        let before = try scales()
        try db.execute(sql: "DELETE FROM reportScale WHERE storeID = ?", arguments: [store])
        let insert = try RawStatement(
            db,
            sql: """
                INSERT INTO reportScale (storeID, itemID, seasonalAbsolute, naiveSquared)
                VALUES (?1, ?2, ?3, ?4)
                """)
        let totals = try RawStatement(
            db,
            sql: """
                SELECT dailySales.day, coalesce(importedUnits, uploadedUnits) FROM dailySales
                JOIN storeDay ON storeDay.storeID = ?3 AND storeDay.day = dailySales.day
                WHERE seriesID = ?1 AND dailySales.day < ?2 ORDER BY dailySales.day
                """)
        for (item, series) in try self.series() {
            var history: [Double] = []
            var start: Int32?
            try totals.rows([series, Int64(first), store]) { row in
                let begin = start ?? row.day(0)
                if start == nil {
                    start = begin
                    history = [Double](repeating: 0, count: Int(first - begin))
                }
                history[Int(row.day(0) - begin)] = Double(row.integer(1))
            }
            guard let scale = SeriesScale(history: history) else { continue }
            insert.bind(scale.seasonalAbsolute, at: 3)
            insert.bind(scale.naiveSquared, at: 4)
            try insert.execute([store, item])
        }
        try db.execute(
            sql: "INSERT OR REPLACE INTO reportStore (storeID, firstForecastDay) VALUES (?, ?)",
            arguments: [store, Int64(first)])
        return try scales() != before
    }

    func scales() throws -> [Int64: SeriesScale] {
        var scales: [Int64: SeriesScale] = [:]
        try RawStatement(
            db,
            sql: """
                SELECT itemID, seasonalAbsolute, naiveSquared FROM reportScale WHERE storeID = ?1
                """
        ).rows([store]) { row in
            scales[row.integer(0)] = SeriesScale(
                seasonalAbsolute: row.double(1), naiveSquared: row.double(2))
        }
        return scales
    }

    /// Each item's series, by item.
    private func series() throws -> [(item: Int64, series: Int64)] {
        var series: [(Int64, Int64)] = []
        try RawStatement(
            db, sql: "SELECT itemID, id FROM series WHERE storeID = ?1 ORDER BY itemID"
        ).rows([store]) { series.append(($0.integer(0), $0.integer(1))) }
        return series
    }

    // MARK: One pass

    private func refresh(
        from first: Int32, through last: Int32, hasReplaced: Bool
    ) throws {
        guard first <= last else { return }
        var from = first
        while from <= last {
            let through = min(last, from + Self.passDays - 1)
            try pass(from...through, hasReplaced: hasReplaced)
            from = through + 1
        }
    }

    private struct Pair {
        var day: Int32
        var device: Int64
        var item: Int64
        var release: Int64
        var pair: ForecastPair
    }

    private struct SeriesKey: Hashable {
        var device: Int64
        var item: Int64
    }

    private static func week(of day: Int32) -> Int32 { (day + 3) / 7 }

    private func pass(_ days: ClosedRange<Int32>, hasReplaced: Bool) throws {
        let ledger = try Ledger(db, store: store, days: days)
        let isDeep = hasReplaced || ledger.hasTotals
        let weeks = Self.week(of: days.lowerBound)...Self.week(of: days.upperBound)
        let reach =
            isDeep
            ? days.lowerBound
                - Int32(P90.lookBackDays)...max(
                    days.upperBound, weeks.upperBound * 7 + 3)
            : days
        var pairs = try self.pairs(of: reach)
        guard let targets = Self.slice(pairs, of: days) else { return }
        if try !judge(&pairs, targets, by: ledger), !hasReplaced {
            // Only what is pending may have come or gone.
            if !isDeep { return try write(pairs[targets], of: days) }
        } else if !isDeep {
            // A day is not final any more: what was summed up of its week is not either.
            return try pass(days, hasReplaced: true)
        }
        try write(pairs[targets], of: days)
        try write(weeks: weeks, of: pairs)
    }

    /// The report's pairs of these days, by day, device, item.
    private func pairs(of days: ClosedRange<Int32>) throws -> [Pair] {
        var pairs: [Pair] = []
        try RawStatement(
            db,
            sql: """
                SELECT day, deviceID, itemID, release, units, actualUnits, naiveUnits, p90Units,
                    uncompressedState, uncompressedUnits
                FROM reportPair WHERE storeID = ?1 AND day BETWEEN ?2 AND ?3
                ORDER BY day, deviceID, itemID
                """
        ).rows([store, Int64(days.lowerBound), Int64(days.upperBound)]) { row in
            pairs.append(
                Pair(
                    day: row.day(0), device: row.integer(1), item: row.integer(2),
                    release: row.integer(3),
                    pair: ForecastPair(
                        forecastUnits: row.double(4), actualUnits: row.integerIfAny(5),
                        seasonalNaiveUnits: row.integerIfAny(6),
                        p90Units: row.integerIfAny(7).map { Int32(clamping: $0) },
                        uncompressed: UncompressedForecast(
                            state: row.integer(8), units: row.double(9)))))
        }
        return pairs
    }

    /// Where the pairs of these days lie; nil: there are none.
    private static func slice(_ pairs: [Pair], of days: ClosedRange<Int32>) -> Range<Int>? {
        let start = pairs.firstIndex { $0.day >= days.lowerBound } ?? pairs.count
        let end = pairs[start...].firstIndex { $0.day > days.upperBound } ?? pairs.count
        return start < end ? start..<end : nil
    }

    /// Sets the targets beside what is known of their days, and writes those that changed.
    /// - Returns: whether any did.
    private func judge(
        _ pairs: inout [Pair], _ targets: Range<Int>, by ledger: Ledger
    ) throws -> Bool {
        var isChanged = false
        let update = try RawStatement(
            db,
            sql: """
                UPDATE reportPair SET actualUnits = ?5, naiveUnits = ?6, p90Units = ?7
                WHERE storeID = ?1 AND day = ?2 AND deviceID = ?3 AND itemID = ?4
                """)
        var totals: [Int64: Ledger.Totals] = [:]
        var series: [SeriesKey: [P90.Past]] = [:]
        for index in 0..<targets.upperBound {
            let pair = pairs[index]
            let key = SeriesKey(device: pair.device, item: pair.item)
            var past = P90.Past(
                day: pair.day, forecastUnits: pair.pair.forecastUnits,
                actualUnits: pair.pair.actualUnits)
            guard targets.contains(index) else {
                series[key, default: []].append(past)
                continue
            }
            if totals[pair.item] == nil { totals[pair.item] = try ledger.totals(of: pair.item) }
            var judged = ForecastPair(
                forecastUnits: pair.pair.forecastUnits, uncompressed: pair.pair.uncompressed)
            if let item = totals[pair.item], !ledger.isExcluded(pair.day, of: pair.item),
                let actual = ledger.actual(of: pair.day, in: item)
            {
                judged.actualUnits = actual
                if !ledger.isExcluded(pair.day - 7, of: pair.item) {
                    judged.seasonalNaiveUnits = ledger.total(of: pair.day - 7, in: item)
                }
            }
            past.actualUnits = judged.actualUnits
            series[key, default: []].append(past)
            if judged.actualUnits != nil, let own = series[key] {
                judged.p90Units = P90.units(at: own.count - 1, of: own)
            }
            guard judged != pair.pair else { continue }
            isChanged = true
            pairs[index].pair = judged
            try update.execute([
                store, Int64(pair.day), pair.device, pair.item, judged.actualUnits,
                judged.seasonalNaiveUnits, judged.p90Units.map(Int64.init),
            ])
        }
        return isChanged
    }

    /// Makes the sums of these days anew, their pairs being as they are to be. Nothing that is watched for alerts.
    func sumUp(_ days: ClosedRange<Int32>) throws {
        let pairs = try self.pairs(of: days)
        try write(pairs[...], of: days, isWatched: false)
    }

    /// Sums up each device's days, by release.
    private func write(
        _ pairs: ArraySlice<Pair>, of days: ClosedRange<Int32>, isWatched: Bool = true
    ) throws {
        try RawStatement(
            db, sql: "DELETE FROM reportDay WHERE storeID = ?1 AND day BETWEEN ?2 AND ?3"
        ).execute([store, Int64(days.lowerBound), Int64(days.upperBound)])
        let insert = try RawStatement(db, sql: Self.insertDay)
        let scales = try scales()
        var watchedDays: [WatchedDay] = []
        var watched: [WatchedSums] = []
        var start = pairs.startIndex
        while start < pairs.endIndex {
            let (day, device) = (pairs[start].day, pairs[start].device)
            let end =
                pairs[start...].firstIndex { $0.day != day || $0.device != device }
                ?? pairs.endIndex
            // A device changes its package between two days: hardly ever more than one.
            var releases: [(release: Int64, sums: ForecastSums)] = []
            for pair in pairs[start..<end] {
                let position =
                    releases.firstIndex { $0.release == pair.release } ?? releases.count
                if position == releases.count { releases.append((pair.release, ForecastSums())) }
                releases[position].sums.add(pair.pair, scale: scales[pair.item])
            }
            for (release, sums) in releases {
                sums.eachNumber { insert.bind($1, at: $0 + 5) }
                try insert.execute([store, Int64(day), device, release])
            }
            for (release, _) in releases {
                watched.append(
                    WatchedSums(
                        device: device, release: release,
                        pairs: pairs[start..<end].filter { $0.release == release }.map(\.pair)))
            }
            start = end
            if start == pairs.endIndex || pairs[start].day != day {
                if let sums = Self.watchedDay(day, of: watched) { watchedDays.append(sums) }
                watched = []
            }
        }
        if isWatched { try write(watchedDays, of: days) }
    }

    private static let insertDay = """
        INSERT INTO reportDay VALUES (?1, ?2, ?3, ?4, \(
            (5..<5 + ForecastSums.numberCount).map { "?\($0)" }.joined(separator: ", ")))
        """

    private func write(weeks: ClosedRange<Int32>, of pairs: [Pair]) throws {
        struct Key: Hashable {
            var week: Int32
            var item: Int64
        }
        var errors: [Key: (own: Double, naive: Double)] = [:]
        for pair in pairs {
            let week = Self.week(of: pair.day)
            guard weeks.contains(week), let actual = pair.pair.actualUnits,
                let naive = pair.pair.seasonalNaiveUnits
            else { continue }
            let key = Key(week: week, item: pair.item)
            errors[key, default: (0, 0)].own += abs(pair.pair.forecastUnits - Double(actual))
            errors[key, default: (0, 0)].naive += Double(abs(naive - actual))
        }
        try RawStatement(
            db, sql: "DELETE FROM reportWeek WHERE storeID = ?1 AND week BETWEEN ?2 AND ?3"
        ).execute([store, Int64(weeks.lowerBound), Int64(weeks.upperBound)])
        let insert = try RawStatement(
            db, sql: "INSERT INTO reportWeek VALUES (?1, ?2, ?3, ?4, ?5)")
        for (key, sums) in errors {
            insert.bind(sums.own, at: 4)
            insert.bind(sums.naive, at: 5)
            try insert.execute([store, Int64(key.week), key.item])
        }
    }
}

extension ReportKeeper {
    /// What the raw rows say of some days of the store and of the week before them.
    private struct Ledger {
        /// An item's totals by day.
        typealias Totals = [Int32: (imported: Int64?, uploaded: Int64?)]

        private let db: Database
        private let days: ClosedRange<Int32>
        private let series: [Int64: Int64]
        private var finalDays: Set<Int32> = []
        private var businessDays: Set<Int32> = []
        private var importedDays: Set<Int32> = []
        /// Days that the calendar takes out, of every item and of single ones.
        private var excludedDays: Set<Int32> = []
        private var excludedDaysOfItem: [Int64: Set<Int32>] = [:]

        init(_ db: Database, store: Int64, days: ClosedRange<Int32>) throws {
            self.db = db
            self.days = days
            series = Dictionary(
                uniqueKeysWithValues: try ReportKeeper(db: db, store: store).series().map {
                    ($0.item, $0.series)
                })
            try RawStatement(
                db,
                sql: """
                    SELECT day, closers > closersAllDay, imported FROM storeDay
                    WHERE storeID = ?1 AND day BETWEEN ?2 AND ?3
                    """
            ).rows([store, Int64(days.lowerBound) - 7, Int64(days.upperBound)]) { row in
                if row.integer(1) != 0 { businessDays.insert(row.day(0)) }
                if row.integer(2) != 0, days.contains(row.day(0)) {
                    importedDays.insert(row.day(0))
                }
            }
            try RawStatement(
                db,
                sql: """
                    SELECT day, item = '', item.id FROM calendarEntry
                    LEFT JOIN item ON item.name = calendarEntry.item
                    WHERE day BETWEEN ?2 AND ?3 AND kind IN ('closed', 'stock-out')
                        AND store IN ('', (SELECT name FROM store WHERE id = ?1))
                    """
            ).rows([store, Int64(days.lowerBound) - 7, Int64(days.upperBound)]) { row in
                if row.integer(1) != 0 {
                    excludedDays.insert(row.day(0))
                } else if let item = row.integerIfAny(2) {
                    excludedDaysOfItem[item, default: []].insert(row.day(0))
                }
            }
            let approved = try SQLiteHubStore.fetchApproved(db, store: store)
            let finality = DayFinality(
                deviceDays: try SQLiteHubStore.fetchDeviceDays(
                    db, storeRow: store,
                    from: Int64(days.lowerBound) - Int64(StoreContext.expectedWithinDays),
                    through: Int64(days.upperBound)), devices: approved)
            for day in days where finality.isFinal(BusinessDay(daysSince1970: day)) {
                finalDays.insert(day)
            }
        }

        /// Whether anything can be compared.
        var hasTotals: Bool { !finalDays.isEmpty || !importedDays.isEmpty }

        /// Closed, or out of stock: what was sold then says nothing of the forecast, here or as a naive.
        func isExcluded(_ day: Int32, of item: Int64) -> Bool {
            excludedDays.contains(day) || excludedDaysOfItem[item]?.contains(day) == true
        }

        func totals(of item: Int64) throws -> Totals {
            guard let series = series[item] else { return [:] }
            var totals: Totals = [:]
            try RawStatement(
                db,
                sql: """
                    SELECT day, importedUnits, uploadedUnits FROM dailySales
                    WHERE seriesID = ?1 AND day BETWEEN ?2 AND ?3
                    """
            ).rows([series, Int64(days.lowerBound) - 7, Int64(days.upperBound)]) { row in
                totals[row.day(0)] = (row.integerIfAny(1), row.integerIfAny(2))
            }
            return totals
        }

        /// An item without a row on a day that some device closed in the ordinary way sold nothing.
        func total(of day: Int32, in totals: Totals) -> Int64? {
            totals[day].flatMap { $0.imported ?? $0.uploaded }
                ?? (businessDays.contains(day) ? 0 : nil)
        }

        /// That is known for good.
        func actual(of day: Int32, in totals: Totals) -> Int64? {
            finalDays.contains(day) || totals[day]?.imported != nil
                ? total(of: day, in: totals) : nil
        }
    }
}
