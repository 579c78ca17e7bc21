import Foundation
import GRDB
package import HubCore

/// Copies of the database, and what a hub that goes on from one has to leave out.
extension SQLiteHubStore {
    /// How many release numbers a restored hub leaves out: more than were given since its backup.
    static let restoredReleases: Int64 = 1_000
    /// The same for a store's revisions, which grow with every upload.
    static let restoredRevisions: Int64 = 1_000_000_000

    /// Writes the database as it is at one moment to a file of its own, packed, on the disk when this returns. Others may
    /// write meanwhile.
    /// - Parameter path: a file that is not there yet.
    package func copy(to path: String) async throws {
        // Readable by its owner only, from its first byte on; SQLite takes an empty file for none.
        guard !FileManager.default.fileExists(atPath: path) else {
            throw HubStoreError.alreadyExists(what: "'\(path)'")
        }
        guard
            FileManager.default.createFile(
                atPath: path, contents: nil, attributes: [.posixPermissions: 0o600])
        else { throw HubStoreError.failed(reason: "cannot create '\(path)'") }
        do {
            // A connection of its own: the readers' may not write, and the writer has others waiting.
            var configuration = Configuration()
            configuration.busyMode = .timeout(Self.busySeconds)
            let queue = try DatabaseQueue(path: database.path, configuration: configuration)
            try await queue.writeWithoutTransaction { db in
                try db.execute(sql: "VACUUM INTO ?", arguments: [path])
            }
            try queue.close()
        } catch {
            throw HubStoreError(wrapping: error)
        }
    }

    /// Reads every page and row of the database in `directory`.
    /// - Throws: `corrupt`, `newerSchema`, `notInitialised`.
    package static func check(in directory: String) throws {
        let path = Self.path(in: directory)
        guard FileManager.default.fileExists(atPath: path) else {
            throw HubStoreError.notInitialised(path: directory)
        }
        do {
            var configuration = Configuration()
            configuration.readonly = true
            let queue = try DatabaseQueue(path: path, configuration: configuration)
            try queue.read { db in
                if try Self.migrator.hasBeenSuperseded(db) { throw HubStoreError.newerSchema }
                let verdict = try String.fetchOne(db, sql: "PRAGMA integrity_check(1)") ?? "nothing"
                guard verdict == "ok" else { throw HubStoreError.corrupt(reason: verdict) }
                if let row = try Row.fetchOne(db, sql: "PRAGMA foreign_key_check") {
                    throw HubStoreError.corrupt(
                        reason: "a row of \(row[0] as String) refers to none")
                }
            }
            try queue.close()
        } catch {
            throw HubStoreError(wrapping: error)
        }
    }

    /// Makes a database that was copied at `madeAt` the hub's again, in one transaction. Devices have seen what came after
    /// the copy, so no number of then is given once more: releases and the stores' revisions go on far behind. Rollouts that
    /// were going on are paused, since what became of them is not known here; who was signed in has to do so again.
    /// - Returns: the rollouts that were paused.
    package func goOn(fromCopyOf madeAt: Timestamp, at: Timestamp) async throws -> [UInt64] {
        try await write { [self] db in
            try db.execute(
                sql: """
                    INSERT INTO meta (key, value) VALUES ('release', ?1)
                    ON CONFLICT (key) DO UPDATE SET value = value + ?1
                    """, arguments: [Self.restoredReleases])
            try db.execute(
                sql: "UPDATE store SET revision = revision + ?", arguments: [Self.restoredRevisions]
            )
            try db.execute(sql: "DELETE FROM session")
            let why = "the hub was restored from a backup of \(MetadataText.moment(madeAt))"
            var paused: [UInt64] = []
            let running = try Row.fetchAll(
                db, sql: "SELECT * FROM rollout WHERE state = 'running' ORDER BY id"
            ).map(RolloutRecord.init(row:))
            for var rollout in running {
                do throws(RolloutRefusal) {
                    try rollout.handle(.pause(why: why), at: at)
                } catch { continue }
                try Self.write(db, rollout)
                try note(db, "pause", "rollout \(rollout.id)", why: why, at: at)
                paused.append(rollout.id)
            }
            try note(
                db, "restore", "hub", why: "from a backup of \(MetadataText.moment(madeAt))", at: at
            )
            return paused
        }
    }

    /// Ends it, with everything in one file. Nothing may be asked of it any more.
    package func close() async throws {
        do { try database.close() } catch { throw HubStoreError(wrapping: error) }
    }
}
