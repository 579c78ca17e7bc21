package import Forecasting
import Foundation
import GRDB
package import HubCore

extension SQLiteHubStore {
    // MARK: Tokens

    package func createToken(_ token: TokenRecord) async throws -> TokenRecord {
        try await write { [self] db in
            let store = try Self.storeRow(db, token.store)
            try db.execute(
                sql: """
                    INSERT INTO token (secretSHA256, storeID, labels, createdAt, expiresAt, usesMax,
                        uses, approves) VALUES (?, ?, ?, ?, ?, ?, 0, ?)
                    """,
                arguments: [
                    Data(token.secretSHA256), store, token.labels.columnText,
                    token.createdAt.millisecondsSince1970, token.expiresAt.millisecondsSince1970,
                    token.usesMax, token.approves,
                ])
            var stored = token
            stored.id = db.lastInsertedRowID
            stored.uses = 0
            try note(
                db, "create-token", "token \(stored.id)",
                why: "store \(token.store.text), \(token.usesMax) uses", at: token.createdAt)
            return stored
        }
    }

    package func tokens() async throws -> [TokenRecord] {
        try await read { db in
            try Row.fetchAll(db, sql: TokenRecord.sql + " ORDER BY token.id")
                .map(TokenRecord.init(row:))
        }
    }

    package func revokeToken(_ id: Int64, at: Timestamp) async throws -> Bool {
        try await write { [self] db in
            let revoked = try Row.fetchOne(
                db, sql: "SELECT revokedAt FROM token WHERE id = ?", arguments: [id])
            guard let revoked else { return false }
            guard (revoked["revokedAt"] as Int64?) == nil else { return true }
            try db.execute(
                sql: "UPDATE token SET revokedAt = ? WHERE id = ?",
                arguments: [at.millisecondsSince1970, id])
            try note(db, "revoke-token", "token \(id)", at: at)
            return true
        }
    }

    // MARK: Devices

    package func joinDevice(
        _ id: DeviceID, tokenSecretSHA256: [UInt8], at: Timestamp
    ) async throws -> JoinOutcome {
        try await write { [self] db in
            let token = try Row.fetchOne(
                db, sql: TokenRecord.sql + " WHERE secretSHA256 = ?",
                arguments: [Data(tokenSecretSHA256)]
            ).map(TokenRecord.init(row:))
            let check = TokenCheck.decide(token, now: at)
            guard check == .accepted, let token else { return .refused(check) }
            try db.execute(
                sql: "UPDATE token SET uses = uses + 1 WHERE id = ?", arguments: [token.id])
            let status: DeviceStatus = token.approves ? .approved : .pending
            try db.execute(
                sql: """
                    INSERT INTO device (name, storeID, status, labels, tokenID, joinedAt)
                    VALUES (?, ?, ?, ?, ?, ?)
                    """,
                arguments: [
                    id.text, try Self.storeRow(db, token.store), status.rawValue,
                    token.labels.columnText, token.id, at.millisecondsSince1970,
                ])
            try Self.addEvent(
                db, device: db.lastInsertedRowID,
                DeviceEvent(at: at, kind: "joined", text: "with token \(token.id), \(status)"))
            try note(
                db, "join", "device \(id.text)", why: "token \(token.id), \(status)",
                by: "device:\(id.text)", at: at)
            guard let device = try Self.fetchDevice(db, id),
                let store = try Self.fetchStore(db, token.store)
            else { throw HubStoreError.notFound(what: "device \(id.text)") }
            return .joined(device, store)
        }
    }

    package func devices(store: StoreID?) async throws -> [DeviceRecord] {
        try await read { db in
            let rows =
                if let store {
                    try Row.fetchAll(
                        db, sql: DeviceRecord.sql + " WHERE store.name = ?",
                        arguments: [store.text])
                } else {
                    try Row.fetchAll(db, sql: DeviceRecord.sql)
                }
            return try rows.map(DeviceRecord.init(row:)).sorted {
                ($0.store, $0.id) < ($1.store, $1.id)
            }
        }
    }

    package func device(_ id: DeviceID) async throws -> DeviceRecord? {
        try await read { db in try Self.fetchDevice(db, id) }
    }

    package func home(of device: DeviceID) async throws -> DeviceHome? {
        try await read { db in
            try Row.fetchOne(
                db,
                cached: """
                    SELECT store.name AS store, status FROM device JOIN store ON store.id = storeID
                    WHERE device.name = ?
                    """, arguments: [device.text]
            ).map {
                DeviceHome(store: try $0.identifier("store"), status: try $0.value("status"))
            }
        }
    }

    package func setStatus(
        _ status: DeviceStatus, of device: DeviceID, at: Timestamp
    ) async throws -> DeviceRecord? {
        try await write { [self] db in
            guard let row = try Self.deviceRow(db, device) else { return nil }
            let before = try Self.fetchApproved(db, store: row.storeID)
            try db.execute(
                sql: "UPDATE device SET status = ? WHERE id = ? AND status NOT IN (?, 'revoked')",
                arguments: [status.rawValue, row.id, status.rawValue])
            if db.changesCount > 0 {
                try Self.addEvent(
                    db, device: row.id, DeviceEvent(at: at, kind: "\(status)", text: ""))
                try Self.touchLatestDays(db, store: row.storeID)
                try ReportKeeper(db: db, store: row.storeID).refresh(
                    expecting: try Self.fetchApproved(db, store: row.storeID), insteadOf: before)
                try note(
                    db, status == .approved ? "approve" : "revoke", "device \(device.text)",
                    at: at)
                if status == .revoked {
                    // Nobody waits for it any more.
                    try db.execute(
                        sql: """
                            UPDATE rolloutDevice SET state = 'superseded', changedAt = ?
                            WHERE deviceID = ?
                                AND state IN ('waiting', 'assigned', 'trial', 'goingBack')
                            """, arguments: [at.millisecondsSince1970, row.id])
                }
            }
            return try Self.fetchDevice(db, device)
        }
    }

    package func setCertificate(
        sha256: [UInt8], expiresAt: Timestamp, of device: DeviceID
    ) async throws {
        try await write { db in
            try db.execute(
                sql: """
                    UPDATE device SET certificateSHA256 = ?, certificateExpiresAt = ? WHERE name = ?
                    """,
                arguments: [Data(sha256), expiresAt.millisecondsSince1970, device.text])
            guard db.changesCount > 0 else {
                throw HubStoreError.notFound(what: "device \(device.text)")
            }
        }
    }

    package func registerDevice(
        _ device: DeviceID, capabilities: DeviceCapabilities, labels: [DeviceLabel],
        running: RunningPackage?, at: Timestamp
    ) async throws -> DeviceRecord? {
        try await write { db in
            guard let row = try Self.deviceRow(db, device) else { return nil }
            let before = try String.fetchOne(
                db, cached: "SELECT capabilities FROM device WHERE id = ?", arguments: [row.id])
            let previous = try before.map {
                try JSONDecoder().decode(DeviceCapabilities.self, from: Data($0.utf8))
            }
            var capabilities = capabilities
            capabilities.measured?.remember(previous?.measured)
            let encoder = JSONEncoder()
            encoder.outputFormatting = .sortedKeys
            let json = String(decoding: try encoder.encode(capabilities), as: UTF8.self)
            try db.execute(
                cached: """
                    UPDATE device SET capabilities = ?, reportedLabels = ? WHERE id = ?
                    """, arguments: [json, labels.columnText, row.id])
            try Self.touch(db, device, at: at)
            try Self.noteBudget(
                db, device: row.id, before: previous?.modelMemoryBudgetBytes,
                now: capabilities.modelMemoryBudgetBytes, at: at)
            try Self.setRunning(db, device: row.id, running, at: at)
            if previous?.modelMemoryBudgetBytes != capabilities.modelMemoryBudgetBytes {
                // The one capability that changes what the device can run from one day to the next.
                try Self.addEvent(
                    db, device: row.id,
                    DeviceEvent(
                        at: at, kind: "registered",
                        text: "model memory budget \(capabilities.modelMemoryBudgetBytes) bytes"))
            }
            return try Self.fetchDevice(db, device)
        }
    }

    package func meetDevice(
        _ device: DeviceID, number: UInt64, hardware: [UInt8], at: Timestamp
    ) async throws -> ContactLine.Verdict? {
        try await write { db in
            guard let row = try Self.deviceRow(db, device),
                var line = try Self.fetchDevice(db, device)?.contactLine
            else { return nil }
            let verdict = line.meet(stated: number, hardware: hardware)
            switch verdict {
            case .welcome(_, let note?):
                try Self.addEvent(
                    db, device: row.id, DeviceEvent(at: at, kind: "returned", text: note))
            case .copy(isNew: true):
                try Self.addEvent(
                    db, device: row.id,
                    DeviceEvent(
                        at: at, kind: "copied",
                        text: line.copies == .undecided
                            ? "devices with one identity; nothing tells the original: all are turned away"
                            : "another device with its identity was turned away"))
            case .welcome(_, nil), .copy(isNew: false): break
            }
            try Self.set(db, line, ofDevice: row.id)
            return verdict
        }
    }

    package func forgetCopies(of device: DeviceID, at: Timestamp) async throws -> DeviceRecord? {
        try await write { [self] db in
            guard let row = try Self.deviceRow(db, device) else { return nil }
            var line = try Self.fetchDevice(db, device)?.contactLine ?? ContactLine()
            line.forgetCopies()
            try Self.set(db, line, ofDevice: row.id)
            try Self.addEvent(
                db, device: row.id,
                DeviceEvent(at: at, kind: "approved", text: "its copies are gone"))
            try note(
                db, "approve", "device \(device.text)", why: "its copies are gone", at: at)
            return try Self.fetchDevice(db, device)
        }
    }

    private static func set(_ db: Database, _ line: ContactLine, ofDevice row: Int64) throws {
        let json = String(decoding: try JSONEncoder().encode(line), as: UTF8.self)
        try db.execute(
            cached: "UPDATE device SET contactLine = ? WHERE id = ?", arguments: [json, row])
    }

    package func touchDevice(_ device: DeviceID, at: Timestamp) async throws {
        try await write { db in try Self.touch(db, device, at: at) }
    }

    /// Notes a contact, and how long the silence before it was at most: of an older one a fourteenth of the time since is
    /// forgotten.
    private static func touch(_ db: Database, _ device: DeviceID, at: Timestamp) throws {
        try db.execute(
            cached: """
                UPDATE device SET longestGapSeconds = min(?3, max(
                        (?2 - coalesce(lastSeenAt, ?2)) / 1000,
                        longestGapSeconds - (?2 - coalesce(lastSeenAt, ?2)) / 14000, 0)),
                    lastSeenAt = ?2
                WHERE name = ?1
                """,
            arguments: [
                device.text, at.millisecondsSince1970, DeviceRecord.gapSecondsMax,
            ])
    }

    /// Remembers what the model might use, until it may use as much again.
    private static func noteBudget(
        _ db: Database, device: Int64, before: UInt64?, now: UInt64, at: Timestamp
    ) throws {
        guard let before, before != now else { return }
        if now < before {
            try db.execute(
                sql: """
                    UPDATE device SET budgetBeforeBytes = max(coalesce(budgetBeforeBytes, 0), ?),
                        budgetShrankAt = ? WHERE id = ?
                    """,
                arguments: [Int64(clamping: before), at.millisecondsSince1970, device])
        } else {
            try db.execute(
                sql: """
                    UPDATE device SET budgetBeforeBytes = NULL, budgetShrankAt = NULL
                    WHERE id = ? AND budgetBeforeBytes <= ?
                    """, arguments: [device, Int64(clamping: now)])
        }
    }

    package func addEvent(_ event: DeviceEvent, of device: DeviceID) async throws {
        try await write { db in
            guard let row = try Self.deviceRow(db, device) else {
                throw HubStoreError.notFound(what: "device \(device.text)")
            }
            try Self.addEvent(db, device: row.id, event)
        }
    }

    package func events(of device: DeviceID, countMax: Int) async throws -> [DeviceEvent] {
        try await read { db in
            try Row.fetchAll(
                db,
                sql: """
                    SELECT at, kind, text FROM deviceEvent
                    WHERE deviceID = (SELECT id FROM device WHERE name = ?)
                    ORDER BY id DESC LIMIT ?
                    """, arguments: [device.text, max(0, countMax)]
            ).map { DeviceEvent(at: $0.timestamp("at"), kind: $0["kind"], text: $0["text"]) }
        }
    }

    // MARK: Within a transaction

    static func fetchDevice(_ db: Database, _ id: DeviceID) throws -> DeviceRecord? {
        try Row.fetchOne(
            db, cached: DeviceRecord.sql + " WHERE device.name = ?", arguments: [id.text]
        )
        .map(DeviceRecord.init(row:))
    }

    static func deviceRow(_ db: Database, _ id: DeviceID) throws -> (id: Int64, storeID: Int64)? {
        try Row.fetchOne(
            db, cached: "SELECT id, storeID FROM device WHERE name = ?", arguments: [id.text]
        ).map { ($0["id"], $0["storeID"]) }
    }

    /// Keeps the log bounded in the same transaction.
    static func addEvent(_ db: Database, device: Int64, _ event: DeviceEvent) throws {
        try db.execute(
            cached: "INSERT INTO deviceEvent (deviceID, at, kind, text) VALUES (?, ?, ?, ?)",
            arguments: [
                device, event.at.millisecondsSince1970, event.kind,
                String(event.text.unicodeScalars.prefix(DeviceEvent.textBytesMax)),
            ])
        try db.execute(
            cached: """
                DELETE FROM deviceEvent WHERE deviceID = ?1 AND id <= (
                    SELECT id FROM deviceEvent WHERE deviceID = ?1
                    ORDER BY id DESC LIMIT 1 OFFSET ?2)
                """, arguments: [device, DeviceEvent.keptPerDeviceMax])
    }

    /// Notes what runs, and from when on forecasts are expected of the device.
    static func setRunning(
        _ db: Database, device: Int64, _ running: RunningPackage?, at: Timestamp
    ) throws {
        try db.execute(
            cached: """
                UPDATE device SET runningDigest = ?, runningRelease = ?, runningArenaBytes = ?
                WHERE id = ?
                """,
            arguments: [
                running.map { Data($0.digest) }, running.map { Int64(bitPattern: $0.release) },
                running.map { Int64(clamping: $0.arenaBytes) }, device,
            ])
        guard running != nil else { return }
        try db.execute(
            cached: """
                UPDATE device SET activeSince = ?1, forecastsExpectedAfter = (
                    SELECT max(day) FROM deviceDay WHERE deviceID = ?2 AND closedAllDay IS NOT NULL)
                WHERE id = ?2 AND activeSince IS NULL
                """, arguments: [at.millisecondsSince1970, device])
    }
}
