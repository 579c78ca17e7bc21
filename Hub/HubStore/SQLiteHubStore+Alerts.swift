import Forecasting
import Foundation
import GRDB
package import HubCore

/// Alerts, their history, and what is silent.
extension SQLiteHubStore {
    package func alerts(_ query: AlertQuery) async throws -> [AlertRecord] {
        try await read { db in
            let states = query.states.map(\.rawValue)
            let severities = AlertSeverity.allCases.filter { $0 >= query.severityMin }
            guard !states.isEmpty else { return [] }
            var sql =
                "SELECT * FROM alert WHERE state IN (\(Self.marks(states.count)))"
                + " AND severity IN (\(Self.marks(severities.count)))"
            var arguments = StatementArguments(states + severities.map(\.rawValue))
            func add(_ condition: String, _ values: StatementArguments) {
                sql += " AND " + condition
                arguments += values
            }
            if let kind = query.kind { add("kind = ?", [kind.rawValue]) }
            if let store = query.store {
                // Names hold no space.
                add("instr(' ' || stores || ' ', ?) > 0", [" \(store.text) "])
            }
            if let device = query.device {
                add("subject = ?", [AlertSubject.device(device).text])
            }
            if query.leavesOutGrouped { add("grouped = 0", []) }
            if let since = query.changedSince {
                add("changedAt > ?", [since.millisecondsSince1970])
            }
            if let before = query.before { add("id < ?", [before]) }
            return try Row.fetchAll(
                db, sql: sql + " ORDER BY id DESC LIMIT ?", arguments: arguments + [query.countMax]
            ).map(AlertRecord.init(row:))
        }
    }

    private static func marks(_ count: Int) -> String {
        [String](repeating: "?", count: count).joined(separator: ", ")
    }

    package func alert(_ id: Int64) async throws -> AlertRecord? {
        try await read { db in try Self.fetchAlert(db, id) }
    }

    static func fetchAlert(_ db: Database, _ id: Int64) throws -> AlertRecord? {
        try Row.fetchOne(db, sql: "SELECT * FROM alert WHERE id = ?", arguments: [id])
            .map(AlertRecord.init(row:))
    }

    package func alertEvents(of id: Int64, countMax: Int) async throws -> [AlertEvent] {
        try await read { db in
            try Row.fetchAll(
                db, sql: "SELECT * FROM alertEvent WHERE alertID = ? ORDER BY id DESC LIMIT ?",
                arguments: [id, max(0, countMax)]
            ).map {
                AlertEvent(
                    at: $0.timestamp("at"), author: $0["author"], what: try $0.value("what"),
                    text: $0["text"])
            }
        }
    }

    package func apply(_ changes: [AlertChange], at: Timestamp) async throws -> [AlertRecord] {
        guard !changes.isEmpty else { return [] }
        return try await write { db in
            var written: [AlertRecord] = []
            for change in changes {
                guard let alert = try Self.write(db, change.alert) else { continue }
                if let event = change.event { try Self.add(db, event, to: alert.id) }
                if change.isSent {
                    try Self.enqueue(
                        db, alert,
                        event: change.event?.what
                            ?? (alert.notices > 1 ? .reminded : .opened), at: at)
                }
                written.append(alert)
            }
            try db.execute(
                sql: """
                    DELETE FROM alert WHERE state = 'resolved' AND id <= (
                        SELECT id FROM alert WHERE state = 'resolved'
                        ORDER BY id DESC LIMIT 1 OFFSET ?)
                    """, arguments: [AlertRecord.resolvedKeptMax])
            return written
        }
    }

    /// - Returns: as it is kept; nil: it is not as it was any more, or somebody else opened it.
    private static func write(_ db: Database, _ alert: AlertRecord) throws -> AlertRecord? {
        var kept = alert
        if alert.id == 0 {
            try db.execute(
                sql: """
                    INSERT OR IGNORE INTO alert (kind, subject, severity, state, title, detail,
                        stores, storeCount, since, grouped, openedAt, seenAt, changedAt, openings,
                        sentAt, notices, resolvedWhy)
                    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, '')
                    """,
                arguments: [
                    alert.kind.rawValue, alert.subject.text, alert.severity.rawValue,
                    alert.state.rawValue, alert.title.cut(AlertRecord.titleBytesMax),
                    alert.detail.cut(AlertRecord.detailBytesMax), alert.storesText,
                    alert.storeCount, alert.since.map { Int64($0.daysSince1970) },
                    alert.isGrouped, alert.openedAt.millisecondsSince1970,
                    alert.seenAt.millisecondsSince1970, alert.changedAt.millisecondsSince1970,
                    alert.openings, alert.sentAt?.millisecondsSince1970, alert.notices,
                ])
            guard db.changesCount > 0 else { return nil }
            kept.id = db.lastInsertedRowID
            kept.revision = 1
            return kept
        }
        if alert.state != .resolved {
            // One that comes back gives way to one that was opened meanwhile.
            let other = try Int64.fetchOne(
                db,
                sql: """
                    SELECT id FROM alert
                    WHERE kind = ? AND subject = ? AND state <> 'resolved' AND id <> ?
                    """, arguments: [alert.kind.rawValue, alert.subject.text, alert.id])
            guard other == nil else { return nil }
        }
        try db.execute(
            sql: """
                UPDATE alert SET severity = ?, state = ?, title = ?, detail = ?, stores = ?,
                    storeCount = ?, since = ?, grouped = ?, openedAt = ?, seenAt = ?, changedAt = ?,
                    openings = ?, sentAt = ?, notices = ?, acknowledgedBy = ?, acknowledgedAt = ?,
                    resolvedWhy = ?, resolvedBy = ?, revision = revision + 1
                WHERE id = ? AND revision = ?
                """,
            arguments: [
                alert.severity.rawValue, alert.state.rawValue,
                alert.title.cut(AlertRecord.titleBytesMax),
                alert.detail.cut(AlertRecord.detailBytesMax), alert.storesText, alert.storeCount,
                alert.since.map { Int64($0.daysSince1970) }, alert.isGrouped,
                alert.openedAt.millisecondsSince1970, alert.seenAt.millisecondsSince1970,
                alert.changedAt.millisecondsSince1970, alert.openings,
                alert.sentAt?.millisecondsSince1970, alert.notices, alert.acknowledgedBy,
                alert.acknowledgedAt?.millisecondsSince1970,
                alert.resolvedWhy.cut(AlertEvent.textBytesMax), alert.resolvedBy, alert.id,
                alert.revision,
            ])
        guard db.changesCount > 0 else { return nil }
        kept.revision += 1
        return kept
    }

    private static func add(_ db: Database, _ event: AlertEvent, to alert: Int64) throws {
        try db.execute(
            sql: "INSERT INTO alertEvent (alertID, at, author, what, text) VALUES (?, ?, ?, ?, ?)",
            arguments: [
                alert, event.at.millisecondsSince1970, event.author, event.what.rawValue,
                event.text.cut(AlertEvent.textBytesMax),
            ])
        try db.execute(
            sql: """
                DELETE FROM alertEvent WHERE alertID = ?1 AND id <= (
                    SELECT id FROM alertEvent WHERE alertID = ?1
                    ORDER BY id DESC LIMIT 1 OFFSET ?2)
                """, arguments: [alert, AlertEvent.keptPerAlertMax])
    }

    // MARK: By an operator

    package func acknowledgeAlert(
        _ id: Int64, why: String, at: Timestamp
    ) async throws -> AlertRecord {
        try await changeAlert(id, what: .acknowledged, action: "acknowledge", why: why, at: at) {
            [author] alert in
            guard alert.state == .open else {
                throw HubStoreError.refused(
                    why: alert.state == .resolved
                        ? "alert \(id) is resolved already"
                        : "alert \(id) was acknowledged by \(alert.acknowledgedBy ?? "somebody")")
            }
            alert.state = .acknowledged
            alert.acknowledgedBy = author
            alert.acknowledgedAt = at
        }
    }

    package func resolveAlert(_ id: Int64, why: String, at: Timestamp) async throws -> AlertRecord {
        try await changeAlert(id, what: .resolved, action: "resolve", why: why, at: at) {
            [author] alert in
            guard alert.state != .resolved else {
                throw HubStoreError.refused(why: "alert \(id) is resolved already")
            }
            alert.state = .resolved
            alert.resolvedBy = author
            alert.resolvedWhy = why
            alert.isGrouped = false
        }
    }

    private func changeAlert(
        _ id: Int64, what: AlertEvent.What, action: String, why: String, at: Timestamp,
        _ body: @escaping @Sendable (inout AlertRecord) throws -> Void
    ) async throws -> AlertRecord {
        try await write { [self] db in
            guard var alert = try Self.fetchAlert(db, id) else {
                throw HubStoreError.notFound(what: "alert \(id)")
            }
            try body(&alert)
            alert.changedAt = at
            guard let kept = try Self.write(db, alert) else {
                throw HubStoreError.changedMeanwhile(what: "alert \(id)")
            }
            try Self.add(db, AlertEvent(at: at, author: author, what: what, text: why), to: id)
            try note(
                db, action, "alert \(id)",
                why: ["\(alert.kind.rawValue), \(alert.subject.text)", why]
                    .filter { !$0.isEmpty }.joined(separator: ": "), at: at)
            return kept
        }
    }

    package func silence(_ silence: AlertSilence) async throws -> AlertSilence {
        guard silence.until > silence.from,
            silence.until <= silence.from.advanced(bySeconds: AlertSilence.secondsMax)
        else {
            throw HubStoreError.refused(
                why: "a silence ends after it begins, \(AlertSilence.secondsMax / 86_400) days"
                    + " later at most")
        }
        return try await write { [self] db in
            // What is over is remembered by the audit log.
            try db.execute(
                sql: "DELETE FROM alertSilence WHERE untilAt <= ?",
                arguments: [silence.from.millisecondsSince1970])
            let count = try Int.fetchOne(db, sql: "SELECT count(*) FROM alertSilence") ?? 0
            guard count < AlertSilence.keptMax else {
                throw HubStoreError.refused(
                    why: "there are \(AlertSilence.keptMax) silences already: lift some")
            }
            try db.execute(
                sql: """
                    INSERT INTO alertSilence (kind, subject, fromAt, untilAt, author, why)
                    VALUES (?, ?, ?, ?, ?, ?)
                    """,
                arguments: [
                    silence.kind?.rawValue, silence.subject?.text,
                    silence.from.millisecondsSince1970, silence.until.millisecondsSince1970,
                    author, silence.why.cut(AlertEvent.textBytesMax),
                ])
            var kept = silence
            kept.id = db.lastInsertedRowID
            kept.author = author
            for alert in try Row.fetchAll(
                db, sql: "SELECT * FROM alert WHERE state <> 'resolved'"
            ).map(AlertRecord.init(row:)) where kept.covers(alert, at: silence.from) {
                try Self.add(
                    db,
                    AlertEvent(
                        at: silence.from, author: author, what: .silenced, text: silence.why),
                    to: alert.id)
            }
            let what = [silence.kind?.rawValue, silence.subject?.text].compactMap { $0 }
                .joined(separator: ", ")
            try note(
                db, "silence", what.isEmpty ? "all alerts" : what, why: silence.why,
                at: silence.from)
            return kept
        }
    }

    package func silences(at: Timestamp) async throws -> [AlertSilence] {
        try await read { db in
            try Row.fetchAll(
                db, sql: "SELECT * FROM alertSilence WHERE untilAt > ? ORDER BY untilAt, id",
                arguments: [at.millisecondsSince1970]
            ).map { row in
                var silence = AlertSilence(
                    kind: try (row["kind"] as String?).map { _ in try row.value("kind") },
                    subject: try (row["subject"] as String?).map { try AlertSubject(column: $0) },
                    from: row.timestamp("fromAt"), until: row.timestamp("untilAt"),
                    author: row["author"], why: row["why"])
                silence.id = row["id"]
                return silence
            }
        }
    }

    package func liftSilence(_ id: Int64, at: Timestamp) async throws -> Bool {
        try await write { [self] db in
            try db.execute(sql: "DELETE FROM alertSilence WHERE id = ?", arguments: [id])
            guard db.changesCount > 0 else { return false }
            try note(db, "lift-silence", "silence \(id)", at: at)
            return true
        }
    }
}

extension AlertSubject {
    init(column: String) throws {
        guard let subject = AlertSubject(text: column) else {
            throw HubStoreError.corrupt(reason: "subject '\(column)' of an alert")
        }
        self = subject
    }
}

extension String {
    /// The first so many bytes, or fewer where a character would be cut.
    func cut(_ bytesMax: Int) -> String {
        guard utf8.count > bytesMax else { return self }
        var end = utf8.index(utf8.startIndex, offsetBy: bytesMax)
        while end.samePosition(in: unicodeScalars) == nil { end = utf8.index(before: end) }
        return String(self[..<end])
    }
}

extension AlertRecord {
    var storesText: String { stores.map(\.text).joined(separator: " ") }

    init(row: Row) throws {
        let stores: String = row["stores"]
        self.init(
            kind: try row.value("kind"), subject: try AlertSubject(column: row["subject"]),
            severity: try row.value("severity"), title: row["title"], detail: row["detail"],
            stores: try stores.split(separator: " ").map { name in
                do {
                    return try StoreID(String(name))
                } catch {
                    throw HubStoreError.corrupt(reason: "store '\(name)' of an alert")
                }
            }, since: row.dayIfAny("since"), openedAt: row.timestamp("openedAt"))
        id = row["id"]
        state = try row.value("state")
        storeCount = row["storeCount"]
        isGrouped = row["grouped"]
        seenAt = row.timestamp("seenAt")
        changedAt = row.timestamp("changedAt")
        openings = row["openings"]
        sentAt = row.timestampIfAny("sentAt")
        notices = row["notices"]
        acknowledgedBy = row["acknowledgedBy"]
        acknowledgedAt = row.timestampIfAny("acknowledgedAt")
        resolvedWhy = row["resolvedWhy"]
        resolvedBy = row["resolvedBy"]
        revision = row["revision"]
    }
}
