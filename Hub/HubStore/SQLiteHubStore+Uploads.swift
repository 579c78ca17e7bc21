import Forecasting
import GRDB
package import HubCore

extension SQLiteHubStore {
    /// How many items a store may get from its devices' uploads, so that one broken device cannot
    /// fill the disk with names.
    static let uploadedItemsPerStoreMax = 65_536

    package func storeUpload(_ batch: UploadBatch, at: Timestamp) async throws -> UploadOutcome {
        for (index, record) in batch.records.enumerated() {
            if let fault = record.fault { return .invalid(index: index, reason: fault) }
        }
        do {
            return try await storeValid(batch, at: at)
        } catch HubStoreError.failed(reason: Self.tooManyItems) {
            return .invalid(index: nil, reason: Self.tooManyItems)
        }
    }

    private static let tooManyItems =
        "the store has \(uploadedItemsPerStoreMax) items already, no further ones are taken from devices"

    private func storeValid(_ batch: UploadBatch, at: Timestamp) async throws -> UploadOutcome {
        try await write { db in
            guard
                let device = try Row.fetchOne(
                    db,
                    cached: """
                        SELECT id, storeID, status, throughSequence, foldedSales FROM device
                        WHERE name = ?
                        """,
                    arguments: [batch.device.text])
            else { return .notAllowed(nil) }
            let status: DeviceStatus = try device.value("status")
            guard status == .approved else { return .notAllowed(status) }
            let through = device.unsigned("throughSequence")
            let acceptance = UploadAcceptance.decide(
                firstSequence: batch.firstSequence, recordCount: batch.records.count,
                through: through)
            switch acceptance {
            case .invalid(let reason): return .invalid(index: nil, reason: reason)
            case .gap(let expected): return .gap(expectedSequence: expected)
            case .store(let skipping):
                let fresh = batch.records.dropFirst(skipping)
                guard !fresh.isEmpty else { return .stored(throughSequence: through, new: 0) }
                var writer = UploadWriter(
                    db: db, device: device["id"], store: device["storeID"])
                do {
                    for record in fresh { try writer.write(record) }
                } catch is SeriesLimitReached {
                    throw HubStoreError.failed(reason: Self.tooManyItems)
                }
                try writer.finish()
                try Self.noteFolded(
                    db, device: device["id"], before: device["foldedSales"],
                    now: Int64(clamping: batch.foldedSales), at: at)
                let reached = through + UInt64(fresh.count)
                try db.execute(
                    cached: "UPDATE device SET throughSequence = ?, lastSeenAt = ? WHERE id = ?",
                    arguments: [Int64(reached), at.millisecondsSince1970, device["id"] as Int64])
                return .stored(throughSequence: reached, new: fresh.count)
            }
        }
    }
}

extension SQLiteHubStore {
    /// Tells the operator when a device had to put sales into totals.
    fileprivate static func noteFolded(
        _ db: Database, device: Int64, before: Int64, now: Int64, at: Timestamp
    ) throws {
        guard now != before else { return }
        try db.execute(
            cached: "UPDATE device SET foldedSales = ? WHERE id = ?", arguments: [now, device])
        guard now > before else { return }
        try addEvent(
            db, device: device,
            DeviceEvent(
                at: at, kind: "folded",
                text: "\(now - before) sales waited too long for the hub and came as totals per day"
                    + " and item; \(now) so far"))
    }
}

/// Writes one batch's records and keeps the ledger's totals in step, within the caller's
/// transaction.
private struct UploadWriter {
    let db: Database
    let device: Int64
    let store: Int64
    private var itemRows: [ItemID: Int64] = [:]
    private var seriesRows: [ItemID: Int64] = [:]
    /// By a candidate's first bytes.
    private var rolloutRows: [UInt64: Int64?] = [:]
    /// Days whose totals grew.
    private var soldDays: Set<Int32> = []
    private var closedDays: Set<Int32> = []
    private var forecastDays: Set<Int32> = []
    /// A forecast came in another's place.
    private var hasReplacedForecast = false

    init(db: Database, device: Int64, store: Int64) {
        self.db = db
        self.device = device
        self.store = store
    }

    mutating func write(_ record: UploadRecord) throws {
        switch record {
        case .sale(let day, let item, let units):
            try addSale(day: day, item: item, units: units)
        case .returned(let day, let item, let units):
            try takeBack(day: day, item: item, units: units)
        case .close(let day, let closedAllDay):
            try close(day: day, closedAllDay: closedAllDay)
        case .forecast(let forecast):
            let item = try itemRow(forecast.item)
            let inTrial = try candidateRollout(forecast.candidate, day: forecast.day)
            // A day forecast twice (the device lost its notes of the first): the later word counts.
            try db.cachedStatement(
                sql: """
                    INSERT OR REPLACE INTO forecast (deviceID, itemID, day, units, networkOutput,
                        release, actualUnits, inputsComplete, level, inputsDigest,
                        candidateUnits, candidateRollout)
                    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                    """
            ).execute(arguments: [
                device, item, Int64(forecast.day.daysSince1970), Double(forecast.units),
                Int64(forecast.networkOutput), Int64(bitPattern: forecast.release),
                forecast.actualUnits, forecast.inputsComplete, Double(forecast.level),
                Int64(forecast.inputsDigest), inTrial.map { _ in Double(forecast.candidateUnits) },
                inTrial,
            ])
            forecastDays.insert(forecast.day.daysSince1970)
            if try report.note(forecast, device: device, item: item) { hasReplacedForecast = true }
        }
    }

    private var report: ReportKeeper { ReportKeeper(db: db, store: store) }

    /// Brings the report up to date, and gives each changed day that devices may see the store's next revision.
    mutating func finish() throws {
        // A close changes who is expected on the following days, and so what is final there.
        let affected = closedDays.flatMap { day in
            day...day + Int32(StoreContext.expectedWithinDays)
        }
        let days = soldDays.union(affected)
        let written = days.union(forecastDays)
        if let first = written.min(), let last = written.max() {
            try report.refresh(changed: first...last, hasReplaced: hasReplacedForecast)
        }
        guard !days.isEmpty else { return }
        let next = try SQLiteHubStore.revision(db, store: store) + 1
        var changed = false
        for day in days {
            try db.cachedStatement(
                sql: "UPDATE storeDay SET revision = ? WHERE storeID = ? AND day = ?"
            ).execute(arguments: [next, store, Int64(day)])
            changed = changed || db.changesCount > 0
        }
        if changed { try SQLiteHubStore.setRevision(db, store: store, next) }
    }

    private mutating func addSale(day: BusinessDay, item: ItemID, units: Int32) throws {
        try db.cachedStatement(
            sql: """
                INSERT INTO dailySales (seriesID, day, uploadedUnits) VALUES (?, ?, ?)
                ON CONFLICT (seriesID, day) DO UPDATE
                SET uploadedUnits = coalesce(uploadedUnits, 0) + excluded.uploadedUnits
                """
        ).execute(arguments: [try seriesRow(item), Int64(day.daysSince1970), Int64(units)])
        try db.cachedStatement(
            sql: """
                INSERT INTO deviceDay (deviceID, day, units) VALUES (?, ?, ?)
                ON CONFLICT (deviceID, day) DO UPDATE SET units = units + excluded.units
                """
        ).execute(arguments: [device, Int64(day.daysSince1970), Int64(units)])
        soldDays.insert(day.daysSince1970)
    }

    /// Never below nothing, whatever a device says.
    private mutating func takeBack(day: BusinessDay, item: ItemID, units: Int32) throws {
        try db.cachedStatement(
            sql: """
                UPDATE dailySales SET uploadedUnits = max(0, uploadedUnits - ?)
                WHERE seriesID = ? AND day = ? AND uploadedUnits IS NOT NULL
                """
        ).execute(arguments: [Int64(units), try seriesRow(item), Int64(day.daysSince1970)])
        try db.cachedStatement(
            sql: "UPDATE deviceDay SET units = max(0, units - ?) WHERE deviceID = ? AND day = ?"
        ).execute(arguments: [Int64(units), device, Int64(day.daysSince1970)])
        soldDays.insert(day.daysSince1970)
    }

    private mutating func close(day: BusinessDay, closedAllDay: Bool) throws {
        let dayNumber = Int64(day.daysSince1970)
        let before = try Row.fetchOne(
            db.cachedStatement(
                sql: "SELECT closedAllDay FROM deviceDay WHERE deviceID = ? AND day = ?"),
            arguments: [device, dayNumber])
        let closedBefore = before.flatMap { $0["closedAllDay"] as Bool? }
        try db.cachedStatement(
            sql: """
                INSERT INTO deviceDay (deviceID, day, closedAllDay) VALUES (?, ?, ?)
                ON CONFLICT (deviceID, day) DO UPDATE SET closedAllDay = excluded.closedAllDay
                """
        ).execute(arguments: [device, dayNumber, closedAllDay])
        let closers = closedBefore == nil ? 1 : 0
        let allDay = (closedAllDay ? 1 : 0) - (closedBefore == true ? 1 : 0)
        // Where there is no row yet, this is the first close. SQLite checks that row before it turns to the update.
        try db.cachedStatement(
            sql: """
                INSERT INTO storeDay (storeID, day, revision, closers, closersAllDay)
                VALUES (?1, ?2, 0, 1, max(?4, 0))
                ON CONFLICT (storeID, day) DO UPDATE
                SET closers = closers + ?3, closersAllDay = closersAllDay + ?4
                """
        ).execute(arguments: [store, dayNumber, closers, allDay])
        closedDays.insert(day.daysSince1970)
    }

    /// The rollout that gave the device the package of which these are the digest's first bytes; nil: none did. Notes that
    /// its store has something to judge.
    private mutating func candidateRollout(_ candidate: UInt64, day: BusinessDay) throws -> Int64? {
        guard candidate != 0 else { return nil }
        let rollout: Int64?
        if let known = rolloutRows[candidate] {
            rollout = known
        } else {
            rollout = try Row.fetchAll(
                db,
                cached: """
                    SELECT rolloutID, digest FROM rolloutDevice
                    WHERE deviceID = ? AND digest IS NOT NULL ORDER BY rolloutID DESC
                    """, arguments: [device]
            ).first { DeviceForecast.candidate(ofDigest: $0.bytes("digest")) == candidate }
                .map { $0["rolloutID"] }
            rolloutRows[candidate] = .some(rollout)
        }
        guard let rollout else { return nil }
        try db.cachedStatement(
            sql: """
                INSERT INTO rolloutStore (rolloutID, storeID, pairsThrough) VALUES (?, ?, ?)
                ON CONFLICT (rolloutID, storeID) DO UPDATE
                SET pairsThrough = max(pairsThrough, excluded.pairsThrough)
                """
        ).execute(arguments: [rollout, store, Int64(day.daysSince1970)])
        return rollout
    }

    private mutating func itemRow(_ item: ItemID) throws -> Int64 {
        if let known = itemRows[item] { return known }
        let row = try SQLiteHubStore.itemRow(db, item)
        itemRows[item] = row
        return row
    }

    private mutating func seriesRow(_ item: ItemID) throws -> Int64 {
        if let known = seriesRows[item] { return known }
        let itemRow = try itemRow(item)
        let row = try SQLiteHubStore.seriesRow(
            db, store: store, item: itemRow, countMax: SQLiteHubStore.uploadedItemsPerStoreMax)
        seriesRows[item] = row
        return row
    }
}
