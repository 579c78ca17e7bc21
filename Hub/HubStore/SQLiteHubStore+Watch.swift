package import Forecasting
import GRDB
package import HubCore

/// What is looked at for alerts: days of stores, days of devices.
extension SQLiteHubStore {
    package func watchedDays(store: StoreID, from first: BusinessDay?) async throws -> [WatchedDay]
    {
        try await read { db in
            guard let row = try Self.storeRowIfAny(db, store) else { return [] }
            var days: [WatchedDay] = []
            try RawStatement(
                db,
                sql: """
                    SELECT day, release, forecasts, forecastUnits, actualUnits, absoluteErrorUnits,
                        comparableErrorUnits, naiveErrorUnits, outOfStock
                    FROM reportStoreDay WHERE storeID = ?1 AND day >= ?2 ORDER BY day
                    """
            ).rows([row, Int64(first?.daysSince1970 ?? 0)]) { row in
                days.append(
                    WatchedDay(
                        day: BusinessDay(daysSince1970: row.day(0)),
                        release: UInt64(bitPattern: row.integer(1)), forecasts: row.double(2),
                        forecastUnits: row.double(3), actualUnits: row.double(4),
                        absoluteErrorUnits: row.double(5), comparableErrorUnits: row.double(6),
                        naiveErrorUnits: row.double(7), outOfStock: row.double(8)))
            }
            return days
        }
    }

    package func watchedStores() async throws -> [StoreID: Int64] {
        try await read { db in
            var revisions: [StoreID: Int64] = [:]
            for row in try Row.fetchAll(
                db,
                sql: """
                    SELECT store.name AS store, watchedStore.revision AS revision FROM watchedStore
                    JOIN store ON store.id = storeID
                    """)
            {
                revisions[try row.identifier("store")] = row["revision"]
            }
            return revisions
        }
    }

    package func deviceActivity(lastDays count: Int) async throws -> [DeviceActivity] {
        try await read { db in
            let devices = try Row.fetchAll(
                db,
                sql: """
                    SELECT device.id, device.name, store.name AS store, storeID FROM device
                    JOIN store ON store.id = storeID WHERE status = 'approved'
                    """)
            let latest = try RawStatement(
                db,
                sql: """
                    SELECT day FROM deviceDay WHERE deviceID = ?1 AND closedAllDay IS NOT NULL
                    ORDER BY day DESC LIMIT 1
                    """)
            var newest: Int32?
            for device in devices {
                try latest.rows([device["id"]]) { newest = max(newest ?? $0.day(0), $0.day(0)) }
            }
            guard let newest else { return [] }
            let first = Int64(newest) - Int64(max(1, count)) + 1
            let days = try RawStatement(
                db,
                sql: """
                    SELECT day, closedAllDay, units, (
                        SELECT sum(ownCount + pending) FROM reportDay
                        WHERE storeID = ?2 AND reportDay.day = deviceDay.day
                            AND reportDay.deviceID = ?1)
                    FROM deviceDay
                    WHERE deviceID = ?1 AND day >= ?3 AND closedAllDay IS NOT NULL ORDER BY day
                    """)
            return try devices.map { device in
                var activity = DeviceActivity(
                    device: try device.identifier("name"), store: try device.identifier("store"),
                    days: [])
                try days.rows([device["id"], device["storeID"], first]) { row in
                    activity.days.append(
                        DeviceActivity.Day(
                            day: BusinessDay(daysSince1970: row.day(0)),
                            isBusiness: row.integer(1) == 0, units: row.integer(2),
                            forecasts: Int(row.integer(3))))
                }
                return activity
            }.sorted { ($0.store, $0.device) < ($1.store, $1.device) }
        }
    }
}

extension ReportKeeper {
    /// One device's forecasts of a day by one release, as a store's day is made of them.
    struct WatchedSums {
        var device: Int64
        var release: Int64
        var pairs: [ForecastPair]
    }

    /// Makes the store's day of what its devices forecast.
    static func watchedDay(_ day: Int32, of sums: [WatchedSums]) -> WatchedDay? {
        var counts: [Int64: Int] = [:]
        for part in sums { counts[part.release, default: 0] += part.pairs.count }
        // Of as many, the newer one.
        guard
            let release = counts.max(by: {
                ($0.value, UInt64(bitPattern: $0.key)) < ($1.value, UInt64(bitPattern: $1.key))
            })?.key
        else { return nil }
        var result = WatchedDay(
            day: BusinessDay(daysSince1970: day), release: UInt64(bitPattern: release),
            forecasts: 0, forecastUnits: 0, actualUnits: 0, absoluteErrorUnits: 0)
        var devices = 0.0
        for part in sums where part.release == release {
            devices += 1
            for pair in part.pairs {
                guard let units = pair.actualUnits else { continue }
                if units == 0, pair.forecastUnits >= WatchedDay.outOfStockForecastMin {
                    result.outOfStock += 1
                    continue
                }
                let error = abs(pair.forecastUnits - Double(units))
                result.forecasts += 1
                result.forecastUnits += pair.forecastUnits
                result.actualUnits += Double(units)
                result.absoluteErrorUnits += error
                if let naive = pair.seasonalNaiveUnits {
                    result.comparableErrorUnits += error
                    result.naiveErrorUnits += Double(abs(naive - units))
                }
            }
        }
        result.forecasts /= devices
        result.forecastUnits /= devices
        result.actualUnits /= devices
        result.absoluteErrorUnits /= devices
        result.comparableErrorUnits /= devices
        result.naiveErrorUnits /= devices
        result.outOfStock /= devices
        return result
    }

    /// Replaces the store's days.
    func write(_ watchedDays: [WatchedDay], of days: ClosedRange<Int32>) throws {
        try RawStatement(
            db, sql: "DELETE FROM reportStoreDay WHERE storeID = ?1 AND day BETWEEN ?2 AND ?3"
        ).execute([store, Int64(days.lowerBound), Int64(days.upperBound)])
        let insert = try RawStatement(
            db,
            sql: "INSERT INTO reportStoreDay VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)")
        for day in watchedDays {
            for (index, value) in [
                day.forecasts, day.forecastUnits, day.actualUnits, day.absoluteErrorUnits,
                day.comparableErrorUnits, day.naiveErrorUnits, day.outOfStock,
            ].enumerated() { insert.bind(value, at: index + 4) }
            try insert.execute([
                store, Int64(day.day.daysSince1970), Int64(bitPattern: day.release),
            ])
        }
        try RawStatement(
            db,
            sql: """
                INSERT INTO watchedStore VALUES (?1, 1)
                ON CONFLICT (storeID) DO UPDATE SET revision = revision + 1
                """
        ).execute([store])
    }
}
