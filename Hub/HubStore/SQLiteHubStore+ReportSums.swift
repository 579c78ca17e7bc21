package import Forecasting
import GRDB
package import HubCore

/// The report's queries: sums over its own tables (`ReportKeeper`).
extension SQLiteHubStore {
    package func forecastSums(_ query: ReportQuery) async throws -> [ReportRow] {
        try await read { db in
            guard let scope = try ReportScope(db, query) else { return [] }
            var groups = ReportGroups(by: query.by)
            if query.item == nil, !query.by.contains(.item) {
                try scope.eachDay { key, sums, day in groups.merge(sums, into: key, day: day) }
            } else {
                try scope.eachPair { key, pair, scale, day in
                    groups.add(pair, scale: scale, to: key, day: day)
                }
            }
            return try groups.rows(db)
        }
    }

    package func lastForecastDay() async throws -> BusinessDay? {
        try await read { db in
            try Int32.fetchOne(
                db,
                sql: """
                    SELECT max((SELECT day FROM reportDay WHERE storeID = store.id
                        ORDER BY day DESC LIMIT 1)) FROM store
                    """
            ).map(BusinessDay.init(daysSince1970:))
        }
    }

    package func seriesErrors(
        store: StoreID?, from first: BusinessDay?, through last: BusinessDay?
    ) async throws -> [SeriesErrors] {
        try await read { db in
            let query = ReportQuery(store: store, first: first, last: last)
            guard let scope = try ReportScope(db, query) else { return [] }
            struct Key: Hashable {
                var store: Int64
                var item: Int64
            }
            var errors: [Key: (own: Double, naive: Double)] = [:]
            try scope.eachWeek { store, item, own, naive in
                let key = Key(store: store, item: item)
                let known = errors[key] ?? (0, 0)
                errors[key] = (known.own + own, known.naive + naive)
            }
            let stores: [Int64: StoreID] = try ReportGroups.names(db, of: "store")
            let items: [Int64: ItemID] = try ReportGroups.names(db, of: "item")
            return errors.compactMap { key, sums in
                guard let store = stores[key.store], let item = items[key.item] else { return nil }
                return SeriesErrors(store: store, item: item, own: sums.own, naive: sums.naive)
            }.sorted { ($0.store, $0.item) < ($1.store, $1.item) }
        }
    }

    package func forecastCounts(
        store: StoreID?, from first: BusinessDay?, through last: BusinessDay?
    ) async throws -> [DeviceID: [BusinessDay: Int]] {
        try await read { db in
            let query = ReportQuery(store: store, first: first, last: last)
            guard let scope = try ReportScope(db, query) else { return [:] }
            var counts: [Int64: [BusinessDay: Int]] = [:]
            try scope.eachCount { device, day, count in
                counts[device, default: [:]][BusinessDay(daysSince1970: day), default: 0] += count
            }
            let devices: [Int64: DeviceID] = try ReportGroups.names(db, of: "device")
            return Dictionary(
                uniqueKeysWithValues: counts.compactMap { device, days in
                    devices[device].map { ($0, days) }
                })
        }
    }

    package func reportedDays(
        store: StoreID?, from first: BusinessDay?, through last: BusinessDay?
    ) async throws -> [ReportedDays] {
        try await read { db in
            let devices = try Row.fetchAll(
                db,
                sql: """
                    SELECT device.id, device.name, store.name AS store FROM device
                    JOIN store ON store.id = storeID WHERE ?1 IS NULL OR store.name = ?1
                    """, arguments: [store?.text])
            let firstDay = try RawStatement(
                db,
                sql: """
                    SELECT day FROM deviceDay WHERE deviceID = ?1 AND closedAllDay IS NOT NULL
                    ORDER BY day LIMIT 1
                    """)
            let days = try RawStatement(
                db,
                sql: """
                    SELECT day, closedAllDay FROM deviceDay
                    WHERE deviceID = ?1 AND day BETWEEN ?2 AND ?3 AND closedAllDay IS NOT NULL
                    ORDER BY day
                    """)
            return try devices.compactMap { device -> ReportedDays? in
                let id: Int64 = device["id"]
                var start: Int32?
                try firstDay.rows([id]) { start = $0.day(0) }
                guard let start else { return nil }
                var reported = ReportedDays(
                    device: try device.identifier("name"), store: try device.identifier("store"),
                    firstDay: BusinessDay(daysSince1970: start), days: [])
                try days.rows([
                    id, Int64(first?.daysSince1970 ?? 0),
                    Int64(last?.daysSince1970 ?? BusinessDay.storable.upperBound),
                ]) { row in
                    reported.days.append(
                        ReportedDays.Day(
                            day: BusinessDay(daysSince1970: row.day(0)),
                            closedAllDay: row.integer(1) != 0))
                }
                return reported
            }.sorted { ($0.store, $0.device) < ($1.store, $1.device) }
        }
    }

    package func givenPackages() async throws -> [GivenPackage] {
        try await read { db in
            try Row.fetchAll(
                db,
                sql: """
                    SELECT DISTINCT device.name AS device, digest FROM rolloutDevice
                    JOIN device ON device.id = deviceID WHERE digest IS NOT NULL
                    """
            ).map {
                GivenPackage(device: try $0.identifier("device"), digest: $0.bytes("digest"))
            }
        }
    }

    package func seriesCounts() async throws -> [StoreID: Int] {
        try await read { db in
            var counts: [StoreID: Int] = [:]
            for row in try Row.fetchAll(
                db,
                sql: """
                    SELECT store.name AS store, count(*) AS count FROM series
                    JOIN store ON store.id = storeID GROUP BY storeID
                    """)
            {
                counts[try row.identifier("store")] = row["count"]
            }
            return counts
        }
    }
}

/// The rows that a query is about.
private struct ReportScope {
    let db: Database
    let stores: [Int64]
    let device: Int64?
    let item: Int64?
    let days: ClosedRange<Int32>

    /// Nil: there can be none.
    init?(_ db: Database, _ query: ReportQuery) throws {
        let first = query.first?.daysSince1970 ?? BusinessDay.storable.lowerBound
        let last = query.last?.daysSince1970 ?? BusinessDay.storable.upperBound
        guard first <= last else { return nil }
        self.db = db
        days = first...last
        if let store = query.store {
            guard let row = try SQLiteHubStore.storeRowIfAny(db, store) else { return nil }
            stores = [row]
        } else {
            stores = try Int64.fetchAll(db, sql: "SELECT id FROM store ORDER BY id")
        }
        func row(_ table: String, _ name: String?) throws -> Int64?? {
            guard let name else { return .some(nil) }
            return try Int64.fetchOne(
                db, sql: "SELECT id FROM \(table) WHERE name = ?", arguments: [name]
            ).map { .some($0) }
        }
        guard let device = try row("device", query.device?.text),
            let item = try row("item", query.item?.text)
        else { return nil }
        self.device = device
        self.item = item
    }

    func eachDay(_ body: (ReportGroups.Key, ForecastSums, Int32) throws -> Void) throws {
        let rows = try RawStatement(
            db,
            sql: """
                SELECT * FROM reportDay
                WHERE storeID = ?1 AND day BETWEEN ?2 AND ?3 AND (?4 IS NULL OR deviceID = ?4)
                """)
        for store in stores {
            try rows.rows([store, Int64(days.lowerBound), Int64(days.upperBound), device]) { row in
                guard let sums = ForecastSums(number: { row.double($0 + 4) }) else {
                    throw HubStoreError.corrupt(
                        reason: "sums of the report; 'shelfcast-hub report rebuild' makes them anew"
                    )
                }
                let day = row.day(1)
                try body(
                    ReportGroups.Key(
                        store: store, device: row.integer(2), release: row.integer(3), day: day),
                    sums, day)
            }
        }
    }

    func eachCount(_ body: (_ device: Int64, _ day: Int32, _ count: Int) -> Void) throws {
        let rows = try RawStatement(
            db,
            sql: """
                SELECT day, deviceID, CAST(ownCount + pending AS INTEGER) FROM reportDay
                WHERE storeID = ?1 AND day BETWEEN ?2 AND ?3
                """)
        for store in stores {
            try rows.rows([store, Int64(days.lowerBound), Int64(days.upperBound)]) { row in
                body(row.integer(1), row.day(0), Int(row.integer(2)))
            }
        }
    }

    func eachPair(
        _ body: (ReportGroups.Key, ForecastPair, SeriesScale?, Int32) throws -> Void
    ) throws {
        let rows = try RawStatement(
            db,
            sql: """
                SELECT day, deviceID, itemID, release, units, actualUnits, naiveUnits, p90Units,
                    uncompressedState, uncompressedUnits
                FROM reportPair WHERE storeID = ?1 AND day BETWEEN ?2 AND ?3
                    AND (?4 IS NULL OR deviceID = ?4) AND (?5 IS NULL OR itemID = ?5)
                ORDER BY day, deviceID, itemID
                """)
        for store in stores {
            let scales = try ReportKeeper(db: db, store: store).scales()
            try rows.rows([
                store, Int64(days.lowerBound), Int64(days.upperBound), device, item,
            ]) { row in
                let item = row.integer(2)
                let day = row.day(0)
                try body(
                    ReportGroups.Key(
                        store: store, device: row.integer(1), item: item, release: row.integer(3),
                        day: day),
                    ForecastPair(
                        forecastUnits: row.double(4), actualUnits: row.integerIfAny(5),
                        seasonalNaiveUnits: row.integerIfAny(6),
                        p90Units: row.integerIfAny(7).map { Int32(clamping: $0) },
                        uncompressed: UncompressedForecast(
                            state: row.integer(8), units: row.double(9))),
                    scales[item], day)
            }
        }
    }

    /// Whole weeks from their sums, what is left at both ends from its pairs.
    func eachWeek(
        _ body: (_ store: Int64, _ item: Int64, _ own: Double, _ naive: Double) throws -> Void
    ) throws {
        let firstWeek = (days.lowerBound + 9) / 7
        let lastWeek = (days.upperBound + 4) / 7 - 1
        let weeks = try RawStatement(
            db,
            sql: """
                SELECT itemID, ownErrorSum, naiveErrorSum FROM reportWeek
                WHERE storeID = ?1 AND week BETWEEN ?2 AND ?3
                """)
        let pairs = try RawStatement(
            db,
            sql: """
                SELECT itemID, abs(units - actualUnits), abs(naiveUnits - actualUnits)
                FROM reportPair WHERE storeID = ?1 AND day BETWEEN ?2 AND ?3
                    AND actualUnits IS NOT NULL AND naiveUnits IS NOT NULL
                """)
        let ends: [ClosedRange<Int32>] =
            firstWeek <= lastWeek
            ? [(days.lowerBound, firstWeek * 7 - 4), (lastWeek * 7 + 4, days.upperBound)]
                .filter { $0.0 <= $0.1 }.map { $0.0...$0.1 }
            : [days]
        for store in stores {
            if firstWeek <= lastWeek {
                try weeks.rows([store, Int64(firstWeek), Int64(lastWeek)]) { row in
                    try body(store, row.integer(0), row.double(1), row.double(2))
                }
            }
            for end in ends {
                try pairs.rows([store, Int64(end.lowerBound), Int64(end.upperBound)]) { row in
                    try body(store, row.integer(0), row.double(1), row.double(2))
                }
            }
        }
    }
}

/// Sums by what was asked for, by row numbers; names come at the end.
private struct ReportGroups {
    struct Key: Hashable {
        var store: Int64 = -1
        var device: Int64 = -1
        var item: Int64 = -1
        var release: Int64 = -1
        var weekday: Int32 = -1
        var day: Int32 = -1
    }

    private struct Group {
        var sums = ForecastSums()
        var first: Int32
        var last: Int32
    }

    private let by: Set<ReportQuery.Part>
    private let keeps:
        (store: Bool, device: Bool, item: Bool, release: Bool, weekday: Bool, day: Bool)
    private var positions: [Key: Int] = [:]
    private var keys: [Key] = []
    private var groups: [Group] = []

    init(by: Set<ReportQuery.Part>) {
        self.by = by
        keeps = (
            by.contains(.store), by.contains(.device), by.contains(.item), by.contains(.release),
            by.contains(.weekday), by.contains(.day)
        )
    }

    mutating func merge(_ sums: ForecastSums, into key: Key, day: Int32) {
        groups[position(of: key, day: day)].sums.merge(sums)
    }

    mutating func add(_ pair: ForecastPair, scale: SeriesScale?, to key: Key, day: Int32) {
        groups[position(of: key, day: day)].sums.add(pair, scale: scale)
    }

    private mutating func position(of whole: Key, day: Int32) -> Int {
        var key = Key()
        if keeps.store { key.store = whole.store }
        if keeps.device { key.device = whole.device }
        if keeps.item { key.item = whole.item }
        if keeps.release { key.release = whole.release }
        if keeps.weekday { key.weekday = Int32(BusinessDay(daysSince1970: day).weekday) }
        if keeps.day { key.day = day }
        let position: Int
        if let known = positions[key] {
            position = known
        } else {
            position = groups.count
            positions[key] = position
            keys.append(key)
            groups.append(Group(first: day, last: day))
        }
        groups[position].first = min(groups[position].first, day)
        groups[position].last = max(groups[position].last, day)
        return position
    }

    func rows(_ db: Database) throws -> [ReportRow] {
        let stores: [Int64: StoreID] = keeps.store ? try Self.names(db, of: "store") : [:]
        let devices: [Int64: DeviceID] = keeps.device ? try Self.names(db, of: "device") : [:]
        let items: [Int64: ItemID] = keeps.item ? try Self.names(db, of: "item") : [:]
        return zip(keys, groups).map { whole, group in
            var key = ReportKey()
            key.store = stores[whole.store]
            key.device = devices[whole.device]
            key.item = items[whole.item]
            key.release = keeps.release ? UInt64(bitPattern: whole.release) : nil
            key.weekday = keeps.weekday ? Int(whole.weekday) : nil
            key.day = keeps.day ? BusinessDay(daysSince1970: whole.day) : nil
            return ReportRow(
                key: key, sums: group.sums, firstDay: BusinessDay(daysSince1970: group.first),
                lastDay: BusinessDay(daysSince1970: group.last))
        }
    }

    static func names<Kind>(
        _ db: Database, of table: String
    ) throws -> [Int64: Identifier<Kind>] {
        var names: [Int64: Identifier<Kind>] = [:]
        for row in try Row.fetchAll(db, sql: "SELECT id, name FROM \(table)") {
            names[row["id"]] = try row.identifier("name")
        }
        return names
    }
}
