import Foundation
import GRDB
package import HubCore

extension SQLiteHubStore {
    static func addAutopilot(_ db: Database) throws {
        try db.execute(
            sql: """
                -- Settings as JSON; no row: as they are at first.
                CREATE TABLE autopilotSettings (
                    id INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
                    settings TEXT NOT NULL
                ) STRICT;
                -- A run is one entry. What it is looked up by has columns, all of it is in `record`, as JSON.
                CREATE TABLE autopilotRun (
                    id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
                    stage TEXT NOT NULL CHECK (stage IN ('reading', 'backTesting', 'training', 'packing',
                        'pushing', 'rollingOut', 'ended')),
                    outcome TEXT CHECK ((outcome IS NULL) = (stage <> 'ended')),
                    record TEXT NOT NULL
                ) STRICT;
                CREATE INDEX autopilotRunGoingOn ON autopilotRun (stage) WHERE stage <> 'ended';
                -- As JSON; null: it was made before its lineage was kept.
                ALTER TABLE family ADD COLUMN lineage TEXT;
                """)
    }

    // MARK: Settings

    package func autopilotSettings() async throws -> AutopilotSettings {
        try await read { db in
            try String.fetchOne(db, sql: "SELECT settings FROM autopilotSettings")
                .map { try Self.value(of: $0, what: "settings of the autopilot") }
                ?? AutopilotSettings()
        }
    }

    package func setAutopilotSettings(
        _ settings: AutopilotSettings, at: Timestamp
    ) async throws {
        try await write { [self] db in
            try db.execute(
                sql: "INSERT OR REPLACE INTO autopilotSettings (id, settings) VALUES (1, ?)",
                arguments: [try Self.text(of: settings)])
            try note(
                db, "set", "autopilot",
                why: "\(settings.mode.rawValue), every \(settings.everyDays) days, at most"
                    + " \(settings.minutesMax) minutes a run", at: at)
        }
    }

    // MARK: Runs

    package func addAutopilotRun(_ run: AutopilotRecord) async throws -> AutopilotRecord {
        try await write { [self] db in
            let other = try Int64.fetchOne(
                db, sql: "SELECT id FROM autopilotRun WHERE stage NOT IN ('rollingOut', 'ended')")
            if let other {
                throw HubStoreError.refused(why: "run \(other) of the autopilot has not ended")
            }
            var run = run
            try db.execute(
                sql: "INSERT INTO autopilotRun (stage, outcome, record) VALUES (?, ?, '')",
                arguments: [run.stage.rawValue, run.outcome?.rawValue])
            run.id = db.lastInsertedRowID
            try db.execute(
                sql: "UPDATE autopilotRun SET record = ? WHERE id = ?",
                arguments: [try Self.text(of: run), run.id])
            try note(
                db, "begin", "autopilot run \(run.id)", why: run.cause.reason, at: run.startedAt)
            return run
        }
    }

    package func updateAutopilotRun(_ run: AutopilotRecord, at: Timestamp) async throws {
        try await write { [self] db in
            let stage = try String.fetchOne(
                db, sql: "SELECT stage FROM autopilotRun WHERE id = ?", arguments: [run.id])
            guard let stage else {
                throw HubStoreError.notFound(what: "run \(run.id) of the autopilot")
            }
            guard stage != AutopilotRecord.Stage.ended.rawValue else {
                throw HubStoreError.refused(why: "run \(run.id) of the autopilot has ended")
            }
            try db.execute(
                sql: "UPDATE autopilotRun SET stage = ?, outcome = ?, record = ? WHERE id = ?",
                arguments: [
                    run.stage.rawValue, run.outcome?.rawValue, try Self.text(of: run), run.id,
                ])
            if let outcome = run.outcome {
                try note(
                    db, outcome.rawValue, "autopilot run \(run.id)", why: run.why, at: at)
            }
        }
    }

    package func autopilotRuns(countMax: Int) async throws -> [AutopilotRecord] {
        try await read { db in
            try String.fetchAll(
                db, sql: "SELECT record FROM autopilotRun ORDER BY id DESC LIMIT ?",
                arguments: [max(0, countMax)]
            ).map { try Self.value(of: $0, what: "a run of the autopilot") }
        }
    }

    package func autopilotRun(_ id: Int64) async throws -> AutopilotRecord? {
        try await read { db in
            try String.fetchOne(
                db, sql: "SELECT record FROM autopilotRun WHERE id = ?", arguments: [id]
            ).map { try Self.value(of: $0, what: "run \(id) of the autopilot") }
        }
    }

    // MARK: JSON in columns

    /// With sorted keys: the same value, the same text.
    static func text(of value: some Encodable) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(value), as: UTF8.self)
    }

    static func value<Value: Decodable>(of text: String, what: String) throws -> Value {
        do { return try JSONDecoder().decode(Value.self, from: Data(text.utf8)) } catch {
            throw HubStoreError.corrupt(reason: what)
        }
    }
}
