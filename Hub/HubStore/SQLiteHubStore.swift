import Foundation
import GRDB
import HubCore

/// The hub's database in one SQLite file: WAL, so that readers never wait for the writer;
/// `synchronous` FULL, because an acknowledged upload must outlive a power cut. Several processes
/// may open it.
package final class SQLiteHubStore: HubStore {
    package static let fileName = "hub.sqlite"
    /// How long a write waits for another process before it is `busy`.
    static let busySeconds = 15.0

    /// What the database's schema has come to; grows with each change. A file with a higher one is from a newer program.
    package static let stateVersion = migrator.migrations.count

    let database: any DatabaseWriter
    private let writes: WriteGroup
    /// In the audit log.
    let author: String

    private init(database: any DatabaseWriter, writes: WriteGroup? = nil, author: String = "hub") {
        self.database = database
        self.writes = writes ?? WriteGroup(database)
        self.author = author
    }

    package func acting(as author: String) -> any HubStore {
        SQLiteHubStore(database: database, writes: writes, author: author)
    }

    /// A store that ends with its process, for tests and simulations: the same schema and the same
    /// code.
    package static func inMemory() throws -> SQLiteHubStore {
        do {
            let queue = try DatabaseQueue()
            try migrator.migrate(queue)
            try queue.write(rebuildReportIfAsked)
            return SQLiteHubStore(database: queue)
        } catch {
            throw HubStoreError(wrapping: error)
        }
    }

    /// Makes the database file in an existing directory, readable by its owner only.
    /// - Throws: `HubStoreError.alreadyInitialised` when there is one.
    @discardableResult
    package static func create(in directory: String) throws -> SQLiteHubStore {
        let path = Self.path(in: directory)
        guard !FileManager.default.fileExists(atPath: path) else {
            throw HubStoreError.alreadyInitialised(path: directory)
        }
        // Made before SQLite opens it: its -wal and -shm files take over the mode.
        guard
            FileManager.default.createFile(
                atPath: path, contents: nil, attributes: [.posixPermissions: 0o600])
        else { throw HubStoreError.failed(reason: "cannot create \(path)") }
        return try open(path: path)
    }

    /// Opens what `create` made, and brings an older schema up to date.
    package static func open(
        in directory: String, author: String = "hub"
    ) throws -> SQLiteHubStore {
        let path = Self.path(in: directory)
        guard FileManager.default.fileExists(atPath: path) else {
            throw HubStoreError.notInitialised(path: directory)
        }
        return try open(path: path, author: author)
    }

    package static func path(in directory: String) -> String { directory + "/" + fileName }

    private static func open(path: String, author: String = "hub") throws -> SQLiteHubStore {
        do {
            var configuration = Configuration()
            configuration.busyMode = .timeout(busySeconds)
            configuration.label = "hub"
            let pool = try DatabasePool(path: path, configuration: configuration)
            // After GRDB's own set-up, which chooses NORMAL.
            try pool.writeWithoutTransaction { db in
                try db.execute(sql: "PRAGMA synchronous = FULL")
            }
            let migrator = Self.migrator
            if try pool.read(migrator.hasBeenSuperseded) { throw HubStoreError.newerSchema }
            if try !pool.read(migrator.hasCompletedMigrations) { try migrator.migrate(pool) }
            try pool.writeWithoutTransaction { db in
                guard try Int.fetchOne(db, sql: "PRAGMA user_version") != stateVersion else {
                    return
                }
                try db.execute(sql: "PRAGMA user_version = \(stateVersion)")
                // For who reads the file alone, as the package's script before an upgrade does.
                try db.checkpoint(.passive)
            }
            if try pool.read(asksForRebuiltReport) { try pool.write(rebuildReportIfAsked) }
            return SQLiteHubStore(database: pool, author: author)
        } catch {
            throw HubStoreError(wrapping: error)
        }
    }

    /// Together with what others write at the same moment; returns after the commit.
    func write<Value: Sendable>(
        _ body: @escaping @Sendable (Database) throws -> Value
    ) async throws -> Value {
        do { return try await writes.write(body) } catch { throw HubStoreError(wrapping: error) }
    }

    func read<Value: Sendable>(
        _ body: @escaping @Sendable (Database) throws -> Value
    ) async throws -> Value {
        do { return try await database.read(body) } catch { throw HubStoreError(wrapping: error) }
    }

    package func changeCounter() async throws -> Int64 {
        do {
            // The counter belongs to a connection, so it is always the same one that is asked.
            return try await database.writeWithoutTransaction { db in
                try Int64.fetchOne(db, sql: "PRAGMA data_version") ?? 0
            }
        } catch {
            throw HubStoreError(wrapping: error)
        }
    }
}

extension HubStoreError {
    /// No error of GRDB's leaves this module.
    init(wrapping error: any Error) {
        if let error = error as? HubStoreError {
            self = error
            return
        }
        guard let error = error as? DatabaseError else {
            self = .failed(reason: "\(error)")
            return
        }
        let reason = error.message ?? "SQLite error \(error.resultCode.rawValue)"
        switch error.resultCode {
        case .SQLITE_BUSY, .SQLITE_LOCKED: self = .busy
        case .SQLITE_FULL: self = .diskFull
        case .SQLITE_CORRUPT, .SQLITE_NOTADB: self = .corrupt(reason: reason)
        case .SQLITE_CONSTRAINT: self = .constraint(reason: reason)
        default: self = .failed(reason: reason)
        }
    }
}

extension SQLiteHubStore {
    /// SQLite's `synchronous` of the writing connection: 2 is FULL.
    package func synchronousLevel() async throws -> Int? {
        try await write { db in try Int.fetchOne(db, sql: "PRAGMA synchronous") }
    }
}
