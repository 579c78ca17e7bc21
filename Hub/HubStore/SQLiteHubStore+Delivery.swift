import Foundation
import GRDB
package import HubCore

/// Where alerts are sent, and what is on its way there.
extension SQLiteHubStore {
    package func alertDestinations() async throws -> [AlertDestination] {
        try await read { db in
            try Row.fetchAll(db, sql: "SELECT * FROM alertDestination ORDER BY name")
                .map(AlertDestination.init(row:))
        }
    }

    package func addAlertDestination(_ destination: AlertDestination) async throws {
        let channel = String(
            decoding: try JSONEncoder().encode(destination.channel), as: UTF8.self)
        try await write { [self] db in
            let exists = try Bool.fetchOne(
                db, sql: "SELECT 1 FROM alertDestination WHERE name = ?",
                arguments: [destination.name])
            guard exists == nil else {
                throw HubStoreError.alreadyExists(what: "destination \(destination.name)")
            }
            let count = try Int.fetchOne(db, sql: "SELECT count(*) FROM alertDestination") ?? 0
            guard count < AlertDestination.countMax else {
                throw HubStoreError.refused(
                    why: "there are \(AlertDestination.countMax) destinations already: remove one")
            }
            try db.execute(
                sql: """
                    INSERT INTO alertDestination
                        (name, channel, severities, isToldOfEnds, secret, createdAt)
                    VALUES (?, ?, ?, ?, ?, ?)
                    """,
                arguments: [
                    destination.name, channel,
                    AlertSeverity.allCases.filter(destination.severities.contains)
                        .map(\.rawValue).joined(separator: " "),
                    destination.isToldOfEnds, destination.secret.map { Data($0.bytes) },
                    destination.createdAt.millisecondsSince1970,
                ])
            try note(
                db, "add-destination", "destination \(destination.name)",
                why: destination.channel.text, at: destination.createdAt)
        }
    }

    package func removeAlertDestination(_ name: String, at: Timestamp) async throws -> Bool {
        try await write { [self] db in
            try db.execute(sql: "DELETE FROM alertDestination WHERE name = ?", arguments: [name])
            guard db.changesCount > 0 else { return false }
            try note(db, "remove-destination", "destination \(name)", at: at)
            return true
        }
    }

    package func sendTestNotice(to name: String, at: Timestamp) async throws -> Int64 {
        try await write { [self] db in
            let exists = try Bool.fetchOne(
                db, sql: "SELECT 1 FROM alertDestination WHERE name = ?", arguments: [name])
            guard exists != nil else {
                throw HubStoreError.notFound(what: "destination \(name)")
            }
            let number = try Self.addNotice(db, alert: 0, severity: .info, at: at) {
                AlertNotice(testNumber: $0, at: at)
            }
            try Self.enqueue(db, notice: number, to: name, at: at)
            try note(db, "test-destination", "destination \(name)", why: "notice \(number)", at: at)
            return number
        }
    }

    // MARK: The outbox

    /// Within the transaction that writes the alert: what is decided is sent, though the process ends here.
    static func enqueue(
        _ db: Database, _ alert: AlertRecord, event: AlertEvent.What, at: Timestamp
    ) throws {
        let destinations = try Row.fetchAll(db, sql: "SELECT * FROM alertDestination")
            .map(AlertDestination.init(row:))
            .filter {
                $0.severities.contains(alert.severity) && (event != .resolved || $0.isToldOfEnds)
            }
        guard !destinations.isEmpty else { return }
        let number = try addNotice(db, alert: alert.id, severity: alert.severity, at: at) {
            AlertNotice(number: $0, alert: alert, event: event, at: at)
        }
        for destination in destinations {
            try enqueue(db, notice: number, to: destination.name, at: at)
        }
        try bound(db, at: at)
    }

    private static func addNotice(
        _ db: Database, alert: Int64, severity: AlertSeverity, at: Timestamp,
        _ notice: (Int64) -> AlertNotice
    ) throws -> Int64 {
        try db.execute(
            sql: """
                INSERT INTO alertNotice (alertID, severity, payload, createdAt)
                VALUES (?, ?, '', ?)
                """, arguments: [alert, severity.rawValue, at.millisecondsSince1970])
        let number = db.lastInsertedRowID
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        let payload = String(decoding: try encoder.encode(notice(number)), as: UTF8.self)
        try db.execute(
            sql: "UPDATE alertNotice SET payload = ? WHERE id = ?", arguments: [payload, number])
        return number
    }

    private static func enqueue(
        _ db: Database, notice: Int64, to name: String, at: Timestamp
    ) throws {
        try db.execute(
            sql: """
                INSERT INTO alertDelivery (noticeID, destination, state, attempts, at)
                VALUES (?, ?, 'waiting', 0, ?)
                """, arguments: [notice, name, at.millisecondsSince1970])
    }

    /// Nothing here grows without end: what waits too long behind others is given up, what is over is forgotten.
    private static func bound(_ db: Database, at: Timestamp) throws {
        try db.execute(
            sql: """
                UPDATE alertDelivery SET state = 'dead', at = ?1,
                    problem = 'too many notices wait: given up'
                WHERE state = 'waiting' AND noticeID <= (
                    SELECT noticeID FROM alertDelivery WHERE state = 'waiting'
                    ORDER BY noticeID DESC LIMIT 1 OFFSET ?2)
                """, arguments: [at.millisecondsSince1970, AlertDelivery.waitingMax])
        try db.execute(
            sql: """
                DELETE FROM alertDelivery WHERE state <> 'waiting' AND noticeID <= (
                    SELECT noticeID FROM alertDelivery WHERE state <> 'waiting'
                    ORDER BY noticeID DESC LIMIT 1 OFFSET ?)
                """, arguments: [AlertDelivery.overKeptMax])
        try db.execute(
            sql: """
                DELETE FROM alertNotice
                WHERE id < (SELECT coalesce(min(noticeID), 0) FROM alertDelivery)
                """)
    }

    package func deliveries(
        _ state: AlertDelivery.State?, countMax: Int
    ) async throws -> [AlertDelivery] {
        try await read { db in
            try Row.fetchAll(
                db,
                sql: AlertDelivery.sql + """
                     WHERE ?1 IS NULL OR state = ?1
                    ORDER BY noticeID DESC, destination LIMIT ?2
                    """, arguments: [state?.rawValue, max(0, countMax)]
            ).map(AlertDelivery.init(row:))
        }
    }

    package func deliveryStandings() async throws -> [String: DeliveryStanding] {
        try await read { db in
            var standings: [String: DeliveryStanding] = [:]
            let rows = try Row.fetchCursor(
                db,
                sql: """
                    SELECT destination, max(CASE state WHEN 'sent' THEN at END) AS arrivedAt,
                        sum(state = 'waiting') AS waiting, sum(state = 'dead') AS dead
                    FROM alertDelivery GROUP BY destination
                    """)
            while let row = try rows.next() {
                standings[row["destination"]] = DeliveryStanding(
                    arrivedAt: row.timestampIfAny("arrivedAt"), waiting: row["waiting"],
                    dead: row["dead"])
            }
            let problems = try Row.fetchCursor(
                db,
                // Beside an aggregate max SQLite gives the columns of the row that has it.
                sql: """
                    SELECT destination, problem, max(noticeID) FROM alertDelivery
                    WHERE state <> 'sent' GROUP BY destination
                    """)
            while let row = try problems.next() {
                standings[row["destination"]]?.problem = row["problem"]
            }
            return standings
        }
    }

    package func dueDeliveries(at: Timestamp, countMax: Int) async throws -> [AlertDelivery] {
        try await read { db in
            try Row.fetchAll(
                db,
                sql: """
                    SELECT * FROM (
                        SELECT alertDelivery.*, alertID, severity, payload, createdAt,
                            row_number() OVER (
                                PARTITION BY destination ORDER BY at, noticeID) AS place
                        FROM alertDelivery JOIN alertNotice ON alertNotice.id = noticeID
                        WHERE state = 'waiting' AND at <= ?)
                    WHERE place <= ? ORDER BY destination, place
                    """, arguments: [at.millisecondsSince1970, max(0, countMax)]
            ).map(AlertDelivery.init(row:))
        }
    }

    package func noteDelivery(
        _ delivery: AlertDelivery, problem: String?, at: Timestamp
    ) async throws {
        try await write { db in
            let attempts = delivery.attempts + 1
            let next = problem.flatMap { _ in
                DeliverySchedule.secondsUntilNext(afterAttempts: attempts)
            }
            let state: AlertDelivery.State =
                problem == nil ? .sent : next == nil ? .dead : .waiting
            // Only as it was tried: somebody may have asked for it again meanwhile.
            try db.execute(
                sql: """
                    UPDATE alertDelivery SET state = ?, attempts = ?, at = ?, problem = ?
                    WHERE noticeID = ? AND destination = ? AND attempts = ? AND state = 'waiting'
                    """,
                arguments: [
                    state.rawValue, attempts,
                    at.advanced(bySeconds: next ?? 0).millisecondsSince1970,
                    (problem ?? "").cut(AlertDelivery.problemBytesMax), delivery.notice,
                    delivery.destination, delivery.attempts,
                ])
        }
    }

    package func resend(
        notice: Int64?, destination: String?, at: Timestamp
    ) async throws -> Int {
        try await write { [self] db in
            try db.execute(
                sql: """
                    UPDATE alertDelivery SET state = 'waiting', attempts = 0, at = ?1
                    WHERE state = 'dead' AND (?2 IS NULL OR noticeID = ?2)
                        AND (?3 IS NULL OR destination = ?3)
                    """, arguments: [at.millisecondsSince1970, notice, destination])
            let count = db.changesCount
            if count > 0 {
                try note(
                    db, "resend", notice.map { "notice \($0)" } ?? "dead letters",
                    why: "\(count)" + (destination.map { ", to \($0)" } ?? ""), at: at)
            }
            return count
        }
    }
}

extension AlertDestination {
    init(row: Row) throws {
        let name: String = row["name"]
        let channel: AlertChannel
        do {
            channel = try JSONDecoder().decode(
                AlertChannel.self, from: Data((row["channel"] as String).utf8))
        } catch {
            throw HubStoreError.corrupt(reason: "channel of destination \(name)")
        }
        self.init(
            name: name, channel: channel,
            severities: Set(
                (row["severities"] as String).split(separator: " ").compactMap {
                    AlertSeverity(rawValue: String($0))
                }), isToldOfEnds: row["isToldOfEnds"],
            secret: row.bytesIfAny("secret").map { AlertSecret(bytes: $0) },
            createdAt: row.timestamp("createdAt"))
    }
}

extension AlertDelivery {
    fileprivate static let sql = """
        SELECT alertDelivery.*, alertID, severity, payload, createdAt FROM alertDelivery
        JOIN alertNotice ON alertNotice.id = noticeID
        """

    init(row: Row) throws {
        self.init(
            notice: row["noticeID"], alert: row["alertID"], destination: row["destination"],
            severity: try row.value("severity"), payload: row["payload"],
            createdAt: row.timestamp("createdAt"), at: row.timestamp("at"))
        state = try row.value("state")
        attempts = row["attempts"]
        problem = row["problem"]
    }
}
