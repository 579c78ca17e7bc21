package import Forecasting
import GRDB
package import HubCore

extension SQLiteHubStore {
    package func stores() async throws -> [StoreRecord] {
        try await read { db in
            try Row.fetchAll(db, sql: StoreRecord.sql).map(StoreRecord.init(row:))
                .sorted { $0.id < $1.id }
        }
    }

    package func store(_ id: StoreID) async throws -> StoreRecord? {
        try await read { db in try Self.fetchStore(db, id) }
    }

    package func setTimeZone(_ timeZone: String, of store: StoreID) async throws {
        try await write { db in
            let row = try Self.storeRow(db, store)
            try db.execute(
                sql: "UPDATE store SET timeZone = ? WHERE id = ?", arguments: [timeZone, row])
        }
    }

    package func items(store: StoreID) async throws -> [ItemID] {
        try await read { db in
            try Row.fetchAll(
                db,
                sql: """
                    SELECT item.name FROM series JOIN item ON item.id = itemID
                    WHERE storeID = (SELECT id FROM store WHERE name = ?)
                    """, arguments: [store.text]
            ).map { try $0.identifier("name") }.sorted()
        }
    }

    package func importSales(
        _ feed: @escaping @Sendable (any SalesSink) throws -> Void
    ) async throws -> ImportOutcome {
        do {
            return try await database.write { db in
                try db.execute(sql: "PRAGMA cache_size = -\(Self.importCacheKiB)")
                defer {
                    // Of no consequence if it fails: the cache only stays larger.
                    try? db.execute(sql: "PRAGMA cache_size = -2000")
                }
                let sink = try SQLiteSalesSink(db)
                do {
                    try feed(sink)
                } catch let error as HubStoreError {
                    throw error
                } catch let error as DatabaseError {
                    throw error
                } catch {
                    throw FeedError(error: error)
                }
                return try sink.finish()
            }
        } catch let error as FeedError {
            throw error.error
        } catch {
            throw HubStoreError(wrapping: error)
        }
    }

    /// Room for the pages of a large import, so that each is written once.
    private static let importCacheKiB = 65_536

    /// Carries the feed's own error past the wrapping of ours.
    private struct FeedError: Error {
        let error: any Error
    }

    package func seriesSummaries() async throws -> [SeriesSummary] {
        try await read { db in
            try Row.fetchAll(
                db,
                sql: """
                    SELECT store.name AS store, item.name AS item, min(day) AS first, max(day) AS last,
                        count(*) AS knownDays,
                        count(*) FILTER (WHERE coalesce(importedUnits, uploadedUnits) = 0) AS zeroDays,
                        sum(coalesce(importedUnits, uploadedUnits)) AS units
                    FROM dailySales
                    JOIN series ON series.id = seriesID
                    JOIN store ON store.id = storeID JOIN item ON item.id = itemID
                    GROUP BY seriesID
                    """
            ).map { row in
                SeriesSummary(
                    store: try row.identifier("store"), item: try row.identifier("item"),
                    first: row.day("first"), last: row.day("last"), knownDays: row["knownDays"],
                    zeroDays: row["zeroDays"], units: row["units"])
            }.sorted { ($0.store, $0.item) < ($1.store, $1.item) }
        }
    }

    package func salesSources(through last: BusinessDay?) async throws -> SalesSources {
        try await read { db in
            let row = try Row.fetchOne(
                db,
                sql: """
                    SELECT count(importedUnits) AS imported, count(*) - count(importedUnits) AS uploaded
                    FROM dailySales WHERE day <= ?
                    """,
                arguments: [Int64(last?.daysSince1970 ?? BusinessDay.storable.upperBound)])
            return SalesSources(imported: row?["imported"] ?? 0, uploaded: row?["uploaded"] ?? 0)
        }
    }

    package func histories(
        store: StoreID, through last: BusinessDay?
    ) async throws -> [SeriesHistory] {
        try await read { db in
            guard let storeRow = try Self.storeRowIfAny(db, store) else { return [] }
            let bound = Int64(last?.daysSince1970 ?? BusinessDay.storable.upperBound)
            var builder = HistoryBuilder(store: store)
            let days = try Row.fetchCursor(
                db,
                sql: """
                    SELECT day, closers > closersAllDay FROM storeDay WHERE storeID = ? AND day <= ?
                    """, arguments: [storeRow, bound])
            while let row = try days.next() {
                builder.know(day: row[0], closedByDevices: row[1])
            }
            let series = try Row.fetchAll(
                db,
                sql: """
                    SELECT series.id, item.name FROM series JOIN item ON item.id = itemID
                    WHERE storeID = ?
                    """, arguments: [storeRow])
            for row in series {
                builder.begin(item: try row.identifier("name"))
                let sales = try Row.fetchCursor(
                    db.cachedStatement(
                        sql: """
                            SELECT day, coalesce(importedUnits, uploadedUnits) FROM dailySales
                            WHERE seriesID = ? AND day <= ? ORDER BY day
                            """), arguments: [row["id"] as Int64, bound])
                while let sale = try sales.next() {
                    builder.add(day: sale[0], units: sale[1])
                }
            }
            return builder.finish()
        }
    }

    package func lastKnownDay(store: StoreID) async throws -> BusinessDay? {
        try await read { db in
            try Row.fetchOne(
                db,
                cached: """
                    SELECT max(day) AS day FROM storeDay
                    WHERE storeID = (SELECT id FROM store WHERE name = ?)
                    """, arguments: [store.text]
            )?.dayIfAny("day")
        }
    }

    package func ledger(
        store: StoreID, from first: BusinessDay?, through last: BusinessDay?
    ) async throws -> StoreLedger? {
        try await read { db in
            guard let record = try Self.fetchStore(db, store),
                let storeRow = try Self.storeRowIfAny(db, store)
            else { return nil }
            let from = Int64(first?.daysSince1970 ?? 0)
            let through = Int64(last?.daysSince1970 ?? BusinessDay.storable.upperBound)
            let items = try Row.fetchAll(
                db,
                cached: """
                    SELECT series.id, item.name FROM series JOIN item ON item.id = itemID
                    WHERE storeID = ?
                    """, arguments: [storeRow]
            ).map { (id: $0["id"] as Int64, item: try $0.identifier("name") as ItemID) }
                .sorted { $0.item < $1.item }
            var days: [LedgerDay] = []
            var positions: [Int64: Int] = [:]
            for row in try Row.fetchAll(
                db,
                cached: """
                    SELECT day, revision, imported FROM storeDay
                    WHERE storeID = ? AND day BETWEEN ? AND ? ORDER BY day
                    """, arguments: [storeRow, from, through])
            {
                positions[row["day"]] = days.count
                days.append(
                    LedgerDay(
                        day: row.day("day"), revision: row.unsigned("revision"),
                        isImported: row["imported"], sold: []))
            }
            for (index, item) in items.enumerated() {
                let sales = try Row.fetchCursor(
                    db.cachedStatement(
                        sql: """
                            SELECT day, importedUnits, uploadedUnits FROM dailySales
                            WHERE seriesID = ? AND day BETWEEN ? AND ?
                            """), arguments: [item.id, from, through])
                while let row = try sales.next() {
                    guard let position = positions[row[0]] else { continue }
                    days[position].sold.append(
                        LedgerDay.Sold(
                            itemIndex: index, importedUnits: row[1], uploadedUnits: row[2]))
                }
            }
            return StoreLedger(
                store: record, items: items.map(\.item), days: days,
                deviceDays: try Self.fetchDeviceDays(
                    db, storeRow: storeRow, from: from - Int64(StoreContext.lookBackDays),
                    through: through),
                devices: try Self.fetchApproved(db, store: storeRow))
        }
    }

    // MARK: Within a transaction

    static func fetchStore(_ db: Database, _ id: StoreID) throws -> StoreRecord? {
        try Row.fetchOne(db, cached: StoreRecord.sql + " WHERE name = ?", arguments: [id.text])
            .map(StoreRecord.init(row:))
    }

    static func storeRowIfAny(_ db: Database, _ id: StoreID) throws -> Int64? {
        try Int64.fetchOne(db, cached: "SELECT id FROM store WHERE name = ?", arguments: [id.text])
    }

    static func storeRow(_ db: Database, _ id: StoreID) throws -> Int64 {
        if let known = try storeRowIfAny(db, id) { return known }
        try db.execute(
            cached: "INSERT INTO store (name, timeZone) VALUES (?, 'UTC')", arguments: [id.text])
        return db.lastInsertedRowID
    }

    static func itemRow(_ db: Database, _ id: ItemID) throws -> Int64 {
        let known = try Int64.fetchOne(
            db.cachedStatement(sql: "SELECT id FROM item WHERE name = ?"), arguments: [id.text])
        if let known { return known }
        try db.execute(cached: "INSERT INTO item (name) VALUES (?)", arguments: [id.text])
        return db.lastInsertedRowID
    }

    /// - Throws: `SeriesLimitReached` before a store has more than `countMax` series.
    static func seriesRow(
        _ db: Database, store: Int64, item: Int64, countMax: Int = .max
    ) throws -> Int64 {
        let known = try Int64.fetchOne(
            db.cachedStatement(sql: "SELECT id FROM series WHERE storeID = ? AND itemID = ?"),
            arguments: [store, item])
        if let known { return known }
        if countMax < .max {
            let count =
                try Int.fetchOne(
                    db, cached: "SELECT count(*) FROM series WHERE storeID = ?", arguments: [store])
                ?? 0
            guard count < countMax else { throw SeriesLimitReached() }
        }
        try db.execute(
            cached: "INSERT INTO series (storeID, itemID) VALUES (?, ?)", arguments: [store, item])
        return db.lastInsertedRowID
    }

    struct SeriesLimitReached: Error {}

    static func revision(_ db: Database, store: Int64) throws -> Int64 {
        try Int64.fetchOne(
            db, cached: "SELECT revision FROM store WHERE id = ?", arguments: [store])
            ?? 0
    }

    static func setRevision(_ db: Database, store: Int64, _ revision: Int64) throws {
        try db.execute(
            cached: "UPDATE store SET revision = ? WHERE id = ?", arguments: [revision, store])
    }

    /// By id.
    static func fetchApproved(_ db: Database, store: Int64) throws -> [DeviceID] {
        try Row.fetchAll(
            db, cached: "SELECT name FROM device WHERE storeID = ? AND status = 'approved'",
            arguments: [store]
        ).map { try $0.identifier("name") as DeviceID }.sorted()
    }

    /// After a change of who is expected: the latest days may be final now, or not any more.
    static func touchLatestDays(_ db: Database, store: Int64) throws {
        let next = try revision(db, store: store) + 1
        try db.execute(
            sql: """
                UPDATE storeDay SET revision = ?1 WHERE storeID = ?2 AND imported = 0 AND day > (
                    SELECT max(day) FROM storeDay WHERE storeID = ?2) - ?3
                """, arguments: [next, store, StoreContext.lookBackDays])
        if db.changesCount > 0 { try setRevision(db, store: store, next) }
    }
}

/// Collects one store's rows; what counts as closed or as zero is `SeriesHistory`'s to say.
private struct HistoryBuilder {
    let store: StoreID
    private var series: [SeriesHistory.Rows] = []
    private var knownDays: [SeriesHistory.KnownDay] = []

    init(store: StoreID) { self.store = store }

    mutating func know(day: Int32, closedByDevices: Bool) {
        knownDays.append(
            SeriesHistory.KnownDay(daysSince1970: day, closedByDevices: closedByDevices))
    }

    mutating func begin(item: ItemID) { series.append(SeriesHistory.Rows(item: item)) }

    mutating func add(day: Int32, units: Int64) {
        series[series.count - 1].sold.append(
            SeriesHistory.Sold(daysSince1970: day, units: Int32(clamping: units)))
    }

    func finish() -> [SeriesHistory] {
        SeriesHistory.assemble(store: store, series: series, knownDays: knownDays)
    }
}
