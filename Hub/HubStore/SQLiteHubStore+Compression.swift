import Forecasting
import GRDB
package import HubCore

/// What compression cost: which forecasts their uncompressed networks have not replayed, and what came of those that
/// they have. The column is made anew like the report's others: whatever a replay hangs on makes it wait again
/// (`ReportKeeper`), so that it is the same as after a rebuild.
extension SQLiteHubStore {
    /// Days of one block: the ledger of a replay begins so many days, at most, before it has to.
    private static let blockDays: Int32 = 8

    static func addCompressionCost(_ db: Database) throws {
        try db.execute(
            sql: """
                -- 0 waits, 1 replayed, else UncompressedForecast.Obstacle.
                ALTER TABLE reportPair ADD COLUMN uncompressedState INTEGER NOT NULL DEFAULT 0
                    CHECK (uncompressedState BETWEEN 0 AND 3);
                ALTER TABLE reportPair ADD COLUMN uncompressedUnits REAL
                    CHECK ((uncompressedUnits IS NOT NULL) = (uncompressedState = 1));
                CREATE INDEX reportUnreplayed ON reportPair (storeID, day)
                    WHERE uncompressedState = 0 AND actualUnits IS NOT NULL;
                -- CompressionSums.
                ALTER TABLE reportDay ADD COLUMN replayedCount REAL NOT NULL DEFAULT 0
                    CHECK (replayedCount >= 0);
                ALTER TABLE reportDay ADD COLUMN replayedActualSum REAL NOT NULL DEFAULT 0
                    CHECK (replayedActualSum >= 0);
                ALTER TABLE reportDay ADD COLUMN replayedDeviceErrorSum REAL NOT NULL DEFAULT 0
                    CHECK (replayedDeviceErrorSum >= 0);
                ALTER TABLE reportDay ADD COLUMN replayedUncompressedErrorSum REAL NOT NULL DEFAULT 0
                    CHECK (replayedUncompressedErrorSum >= 0);
                ALTER TABLE reportDay ADD COLUMN networkGone REAL NOT NULL DEFAULT 0
                    CHECK (networkGone >= 0);
                ALTER TABLE reportDay ADD COLUMN inputsUnknown REAL NOT NULL DEFAULT 0
                    CHECK (inputsUnknown >= 0);
                """)
    }

    package func waitingForecasts(countMax: Int) async throws -> WaitingForecasts? {
        try await read { db in
            guard
                let first = try Row.fetchOne(
                    db.cachedStatement(
                        sql: """
                            SELECT storeID, day, store.name AS store FROM reportPair
                            JOIN store ON store.id = storeID
                            WHERE uncompressedState = 0 AND actualUnits IS NOT NULL
                            ORDER BY storeID, day LIMIT 1
                            """))
            else { return nil }
            let (storeRow, day): (Int64, Int32) = (first["storeID"], first["day"])
            let block = day / Self.blockDays * Self.blockDays
            let rows = try Row.fetchCursor(
                db.cachedStatement(
                    sql: """
                        SELECT device.name AS device, item.name AS item, forecast.*
                        FROM reportPair AS pair
                        JOIN forecast USING (deviceID, itemID, day)
                        JOIN device ON device.id = pair.deviceID
                        JOIN item ON item.id = pair.itemID
                        WHERE pair.storeID = ?1 AND pair.day BETWEEN ?2 AND ?3
                            AND uncompressedState = 0 AND pair.actualUnits IS NOT NULL
                        ORDER BY pair.day
                        """),
                arguments: [storeRow, day, block + Self.blockDays - 1])
            var forecasts: [UploadedForecast] = []
            while let row = try rows.next() {
                let forecast = try UploadedForecast(row: row)
                // Whole days alone: what is replayed together then hangs on the day.
                if forecasts.count >= countMax, let last = forecasts.last,
                    last.forecast.day != forecast.forecast.day
                {
                    break
                }
                forecasts.append(forecast)
            }
            return WaitingForecasts(
                store: try first.identifier("store"),
                revision: try Self.reportRevision(db, store: storeRow),
                ledgerFrom: BusinessDay(daysSince1970: block)
                    .advanced(by: -FeatureSpec.windowRange.upperBound),
                forecasts: forecasts.sorted {
                    ($0.forecast.day, $0.device, $0.forecast.item)
                        < ($1.forecast.day, $1.device, $1.forecast.item)
                })
        }
    }

    package func keepReplayed(
        _ replayed: [ReplayedForecast], of waiting: WaitingForecasts
    ) async throws -> Bool {
        try await write { db in
            guard let store = try Self.storeRowIfAny(db, waiting.store),
                try Self.reportRevision(db, store: store) == waiting.revision,
                let first = replayed.map(\.day).min(), let last = replayed.map(\.day).max()
            else { return false }
            let devices = try Self.rows(db, "SELECT name, id FROM device WHERE storeID = ?", store)
            let items = try Self.rows(
                db,
                """
                SELECT item.name, item.id FROM item WHERE id IN (
                    SELECT itemID FROM reportPair WHERE storeID = ? AND day BETWEEN ? AND ?)
                """, store, Int64(first.daysSince1970), Int64(last.daysSince1970))
            let update = try RawStatement(
                db,
                sql: """
                    UPDATE reportPair SET uncompressedState = ?5, uncompressedUnits = ?6
                    WHERE storeID = ?1 AND day = ?2 AND deviceID = ?3 AND itemID = ?4
                    """)
            for one in replayed {
                guard let device = devices[one.device.text], let item = items[one.item.text]
                else { continue }
                let key: [Int64?] = [store, Int64(one.day.daysSince1970), device, item]
                switch one.uncompressed {
                case .waiting: continue
                case .units(let units):
                    update.bind(units, at: 6)
                    try update.execute(key + [1])
                case .impossible(let obstacle):
                    try update.execute(key + [obstacle.rawValue, nil])
                }
            }
            try ReportKeeper(db: db, store: store)
                .sumUp(first.daysSince1970...last.daysSince1970)
            return true
        }
    }

    private static func rows(
        _ db: Database, _ sql: String, _ arguments: Int64...
    ) throws -> [String: Int64] {
        var rows: [String: Int64] = [:]
        for row in try Row.fetchAll(
            db.cachedStatement(sql: sql), arguments: StatementArguments(arguments))
        {
            rows[row["name"]] = row["id"]
        }
        return rows
    }

    /// Another one whenever a day of the store's report was made anew.
    private static func reportRevision(_ db: Database, store: Int64) throws -> Int64 {
        try Int64.fetchOne(
            db.cachedStatement(sql: "SELECT revision FROM watchedStore WHERE storeID = ?"),
            arguments: [store]) ?? 0
    }
}

extension ReportKeeper {
    /// Days of what was sold reach as far forward as any network looks back.
    private static let windowDays = Int32(FeatureSpec.windowRange.upperBound)

    /// Totals or forecasts of these days may be other ones now: what was replayed from them waits again.
    /// - Returns: the last day that this reaches.
    func forgetReplayed(changed days: ClosedRange<Int32>, forecastsThrough: Int32) throws -> Int32 {
        try RawStatement(
            db,
            sql: """
                UPDATE reportPair SET uncompressedState = 0, uncompressedUnits = NULL
                WHERE storeID = ?1 AND day BETWEEN ?2 AND ?3 AND uncompressedState <> 0
                """
        ).execute([store, Int64(days.lowerBound), Int64(days.upperBound + Self.windowDays)])
        let through = min(days.upperBound + Self.windowDays, forecastsThrough)
        guard forecastsThrough > through else { return through }
        // A level that the device leaves to the hub follows from all days since the package was made (SPEC 9.6).
        try RawStatement(
            db,
            sql: """
                UPDATE reportPair SET uncompressedState = 0, uncompressedUnits = NULL
                WHERE storeID = ?1 AND day > ?2 AND uncompressedState <> 0 AND EXISTS (
                    SELECT 1 FROM forecast WHERE forecast.deviceID = reportPair.deviceID
                        AND forecast.itemID = reportPair.itemID AND forecast.day = reportPair.day
                        AND level = 0 AND inputsDigest <> 0)
                """
        ).execute([store, Int64(through)])
        return db.changesCount > 0 ? forecastsThrough : through
    }

    func forgetReplayed() throws {
        try RawStatement(
            db,
            sql: """
                UPDATE reportPair SET uncompressedState = 0, uncompressedUnits = NULL
                WHERE storeID = ?1 AND uncompressedState <> 0
                """
        ).execute([store])
    }
}

extension UncompressedForecast {
    /// As a row of `reportPair` has it.
    init(state: Int64, units: Double) {
        self =
            state == 1
            ? .units(units) : Obstacle(rawValue: state).map { .impossible($0) } ?? .waiting
    }
}

extension UploadedForecast {
    /// - Parameter row: of `forecast`, with the names of device and item.
    init(row: Row) throws {
        self.init(
            device: try row.identifier("device"),
            forecast: DeviceForecast(
                day: row.day("day"), item: try row.identifier("item"),
                units: Float(row["units"] as Double),
                networkOutput: Int32(clamping: row["networkOutput"] as Int64),
                release: row.unsigned("release"), actualUnits: row["actualUnits"],
                inputsComplete: row["inputsComplete"], level: Float(row["level"] as Double),
                inputsDigest: UInt32(clamping: row["inputsDigest"] as Int64)))
    }
}
