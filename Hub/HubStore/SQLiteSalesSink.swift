import Forecasting
import GRDB
import GRDBSQLite
import HubCore

/// Writes an import's rows within one transaction, by SQLite's own binding calls: GRDB's boxed
/// arguments cost more than the insert itself.
final class SQLiteSalesSink: SalesSink {
    private struct Series {
        var row: Int64
        var store: Int
    }

    /// The days of one store that this import changed.
    private struct ChangedDays {
        var storeRow: Int64
        var bits: [UInt64]
    }

    private let db: Database
    private let upsert: Statement
    private var series: [Series] = []
    private var stores: [ChangedDays] = []
    private var storeIndexes: [StoreID: Int] = [:]
    private var itemRows: [ItemID: Int64] = [:]
    private var rows = 0

    init(_ db: Database) throws {
        self.db = db
        upsert = try db.makeStatement(
            sql: """
                INSERT INTO dailySales (seriesID, day, importedUnits) VALUES (?1, ?2, ?3)
                ON CONFLICT (seriesID, day) DO UPDATE SET importedUnits = excluded.importedUnits
                WHERE importedUnits IS NOT excluded.importedUnits
                """)
    }

    func series(store: StoreID, item: ItemID) throws -> Int32 {
        let storeIndex: Int
        if let known = storeIndexes[store] {
            storeIndex = known
        } else {
            storeIndex = stores.count
            stores.append(
                ChangedDays(
                    storeRow: try SQLiteHubStore.storeRow(db, store),
                    bits: [UInt64](
                        repeating: 0, count: Int(BusinessDay.storable.upperBound) / 64 + 1)))
            storeIndexes[store] = storeIndex
        }
        let itemRow: Int64
        if let known = itemRows[item] {
            itemRow = known
        } else {
            itemRow = try SQLiteHubStore.itemRow(db, item)
            itemRows[item] = itemRow
        }
        let row = try SQLiteHubStore.seriesRow(
            db, store: stores[storeIndex].storeRow, item: itemRow)
        series.append(Series(row: row, store: storeIndex))
        return Int32(series.count - 1)
    }

    func upsert(_ batch: UnsafeBufferPointer<SalesRow>) throws {
        let statement = upsert.sqliteStatement
        let connection = db.sqliteConnection
        for row in batch {
            precondition(BusinessDay.storable.contains(row.daysSince1970) && row.units >= 0)
            let series = series[Int(row.series)]
            sqlite3_bind_int64(statement, 1, series.row)
            sqlite3_bind_int(statement, 2, row.daysSince1970)
            sqlite3_bind_int(statement, 3, row.units)
            let code = sqlite3_step(statement)
            sqlite3_reset(statement)
            guard code == SQLITE_DONE else {
                throw DatabaseError(resultCode: ResultCode(rawValue: code))
            }
            if sqlite3_changes(connection) > 0 {
                let day = Int(row.daysSince1970)
                stores[series.store].bits[day >> 6] |= 1 << UInt64(day & 63)
            }
        }
        rows += batch.count
    }

    /// Shows devices the days that changed, and brings the report up to date.
    func finish() throws -> ImportOutcome {
        let mark = try db.makeStatement(
            sql: """
                INSERT INTO storeDay (storeID, day, revision, imported) VALUES (?1, ?2, ?3, 1)
                ON CONFLICT (storeID, day) DO UPDATE SET revision = ?3, imported = 1
                """)
        for store in stores where store.bits.contains(where: { $0 != 0 }) {
            let next = try SQLiteHubStore.revision(db, store: store.storeRow) + 1
            for (word, bits) in store.bits.enumerated() where bits != 0 {
                for bit in 0..<64 where bits >> UInt64(bit) & 1 == 1 {
                    try mark.execute(arguments: [store.storeRow, word * 64 + bit, next])
                }
            }
            try SQLiteHubStore.setRevision(db, store: store.storeRow, next)
            let words = store.bits.indices.filter { store.bits[$0] != 0 }
            if let low = words.first, let high = words.last {
                let first = low * 64 + store.bits[low].trailingZeroBitCount
                let last = high * 64 + 63 - store.bits[high].leadingZeroBitCount
                try ReportKeeper(db: db, store: store.storeRow)
                    .refresh(changed: Int32(first)...Int32(last))
            }
        }
        return ImportOutcome(rows: rows, stores: stores.count, series: series.count)
    }
}
