package import Forecasting
import GRDB
package import HubCore

extension SQLiteHubStore {
    package func observations(
        store: StoreID, from first: BusinessDay?, through last: BusinessDay?
    ) async throws -> [ForecastObservation] {
        try await read { db in
            guard let storeRow = try Self.storeRowIfAny(db, store) else { return [] }
            // An item without a row on a day that some device closed in the ordinary way sold
            // nothing.
            let rows = try Row.fetchCursor(
                db,
                sql: """
                    SELECT device.name AS device, item.name AS item, forecast.day, forecast.units,
                        forecast.release, today.importedUnits IS NOT NULL AS imported,
                        coalesce(today.importedUnits, today.uploadedUnits, CASE
                            WHEN now.closers > now.closersAllDay THEN 0 END) AS actual,
                        coalesce(before.importedUnits, before.uploadedUnits, CASE
                            WHEN lastWeek.closers > lastWeek.closersAllDay THEN 0 END) AS naive
                    FROM device
                    JOIN forecast ON forecast.deviceID = device.id
                        AND forecast.day BETWEEN ?2 AND ?3
                    JOIN item ON item.id = forecast.itemID
                    LEFT JOIN series ON series.storeID = ?1 AND series.itemID = forecast.itemID
                    LEFT JOIN dailySales today
                        ON today.seriesID = series.id AND today.day = forecast.day
                    LEFT JOIN dailySales before
                        ON before.seriesID = series.id AND before.day = forecast.day - 7
                    LEFT JOIN storeDay now ON now.storeID = ?1 AND now.day = forecast.day
                    LEFT JOIN storeDay lastWeek
                        ON lastWeek.storeID = ?1 AND lastWeek.day = forecast.day - 7
                    WHERE device.storeID = ?1
                    """,
                arguments: [
                    storeRow, Int64(first?.daysSince1970 ?? 0),
                    Int64(last?.daysSince1970 ?? BusinessDay.storable.upperBound),
                ])
            var observations: [ForecastObservation] = []
            while let row = try rows.next() {
                observations.append(
                    ForecastObservation(
                        device: try row.identifier("device"), item: try row.identifier("item"),
                        day: row.day("day"), forecastUnits: row["units"],
                        actualUnits: row["actual"], seasonalNaiveUnits: row["naive"],
                        release: row.unsigned("release"), actualIsImported: row["imported"]))
            }
            return observations.sorted {
                ($0.device, $0.item, $0.day) < ($1.device, $1.item, $1.day)
            }
        }
    }
    package func seriesForecasts(
        store: StoreID, item: ItemID, from first: BusinessDay?, through last: BusinessDay?
    ) async throws -> [SeriesForecast] {
        try await read { db in
            guard let storeRow = try Self.storeRowIfAny(db, store) else { return [] }
            return try Row.fetchAll(
                db,
                sql: """
                    SELECT reportPair.*, device.name AS device FROM reportPair
                    JOIN device ON device.id = reportPair.deviceID
                    WHERE reportPair.storeID = ?1 AND day BETWEEN ?3 AND ?4
                        AND itemID = (SELECT id FROM item WHERE name = ?2)
                    """,
                arguments: [
                    storeRow, item.text, Int64(first?.daysSince1970 ?? 0),
                    Int64(last?.daysSince1970 ?? BusinessDay.storable.upperBound),
                ]
            ).map { row in
                SeriesForecast(
                    device: try row.identifier("device"), day: row.day("day"),
                    release: row.unsigned("release"),
                    pair: ForecastPair(
                        forecastUnits: row["units"], actualUnits: row["actualUnits"],
                        seasonalNaiveUnits: row["naiveUnits"],
                        p90Units: (row["p90Units"] as Int64?).map(Int32.init(clamping:)),
                        uncompressed: UncompressedForecast(
                            state: row["uncompressedState"], units: row["uncompressedUnits"] ?? 0)))
            }.sorted { ($0.device, $0.day) < ($1.device, $1.day) }
        }
    }

    package func uploadedForecasts(
        store: StoreID, from first: BusinessDay?, through last: BusinessDay?
    ) async throws -> [UploadedForecast] {
        try await read { db in
            guard let storeRow = try Self.storeRowIfAny(db, store) else { return [] }
            let rows = try Row.fetchCursor(
                db,
                sql: """
                    SELECT device.name AS device, item.name AS item, forecast.* FROM device
                    JOIN forecast ON forecast.deviceID = device.id
                        AND forecast.day BETWEEN ?2 AND ?3
                    JOIN item ON item.id = forecast.itemID
                    WHERE device.storeID = ?1
                    """,
                arguments: [
                    storeRow, Int64(first?.daysSince1970 ?? 0),
                    Int64(last?.daysSince1970 ?? BusinessDay.storable.upperBound),
                ])
            var forecasts: [UploadedForecast] = []
            while let row = try rows.next() {
                forecasts.append(try UploadedForecast(row: row))
            }
            return forecasts.sorted {
                ($0.device, $0.forecast.item, $0.forecast.day)
                    < ($1.device, $1.forecast.item, $1.forecast.day)
            }
        }
    }

    package func deviceDays(
        store: StoreID, from first: BusinessDay?, through last: BusinessDay?
    ) async throws -> [DeviceDay] {
        try await read { db in
            guard let storeRow = try Self.storeRowIfAny(db, store) else { return [] }
            return try Self.fetchDeviceDays(
                db, storeRow: storeRow, from: Int64(first?.daysSince1970 ?? 0),
                through: Int64(last?.daysSince1970 ?? BusinessDay.storable.upperBound))
        }
    }

    static func fetchDeviceDays(
        _ db: Database, storeRow: Int64, from: Int64, through: Int64
    ) throws -> [DeviceDay] {
        try Row.fetchAll(
            db,
            sql: """
                SELECT device.name, day, units, closedAllDay FROM device
                JOIN deviceDay ON deviceDay.deviceID = device.id AND day BETWEEN ? AND ?
                WHERE storeID = ?
                """, arguments: [from, through, storeRow]
        ).map { row in
            DeviceDay(
                device: try row.identifier("name"), day: row.day("day"), units: row["units"],
                closedAllDay: row["closedAllDay"])
        }.sorted { ($0.day, $0.device) < ($1.day, $1.device) }
    }
}
