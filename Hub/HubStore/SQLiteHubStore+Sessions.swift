import Foundation
import GRDB
package import HubCore

/// Passwords and sessions of the pages.
extension SQLiteHubStore {
    static func addSessions(_ db: Database) throws {
        try db.execute(
            sql: """
                -- scrypt (RFC 7914) and its parameters.
                CREATE TABLE userPassword (
                    userName TEXT NOT NULL PRIMARY KEY REFERENCES user ON DELETE CASCADE,
                    salt BLOB NOT NULL CHECK (length(salt) BETWEEN 16 AND 64),
                    hash BLOB NOT NULL CHECK (length(hash) = 32),
                    rounds INTEGER NOT NULL CHECK (rounds BETWEEN 2 AND 1048576),
                    blockSize INTEGER NOT NULL CHECK (blockSize BETWEEN 1 AND 32),
                    parallelism INTEGER NOT NULL CHECK (parallelism BETWEEN 1 AND 16),
                    setAt INTEGER NOT NULL
                ) STRICT;
                CREATE TABLE session (
                    sha256 BLOB NOT NULL PRIMARY KEY CHECK (length(sha256) = 32),
                    userName TEXT NOT NULL REFERENCES user ON DELETE CASCADE,
                    startedAt INTEGER NOT NULL,
                    lastUsedAt INTEGER NOT NULL CHECK (lastUsedAt >= startedAt)
                ) STRICT, WITHOUT ROWID;
                CREATE INDEX sessionOfUser ON session (userName, lastUsedAt);
                CREATE INDEX sessionByUse ON session (lastUsedAt);
                """)
    }

    package func setPassword(_ password: PasswordRecord, of name: String) async throws {
        try await write { [self] db in
            let exists = try Bool.fetchOne(
                db, sql: "SELECT 1 FROM user WHERE name = ?", arguments: [name])
            guard exists != nil else { throw HubStoreError.notFound(what: "user \(name)") }
            try db.execute(
                sql: """
                    INSERT OR REPLACE INTO userPassword
                        (userName, salt, hash, rounds, blockSize, parallelism, setAt)
                    VALUES (?, ?, ?, ?, ?, ?, ?)
                    """,
                arguments: [
                    name, Data(password.salt), Data(password.hash), password.rounds,
                    password.blockSize, password.parallelism, password.setAt.millisecondsSince1970,
                ])
            try db.execute(sql: "DELETE FROM session WHERE userName = ?", arguments: [name])
            try note(db, "set-password", "user \(name)", at: password.setAt)
        }
    }

    package func password(of name: String) async throws -> PasswordRecord? {
        try await read { db in try Self.password(db, of: name) }
    }

    private static func password(_ db: Database, of name: String) throws -> PasswordRecord? {
        try Row.fetchOne(
            db, sql: "SELECT * FROM userPassword WHERE userName = ?", arguments: [name]
        ).map {
            PasswordRecord(
                salt: $0.bytes("salt"), hash: $0.bytes("hash"), rounds: $0["rounds"],
                blockSize: $0["blockSize"], parallelism: $0["parallelism"],
                setAt: $0.timestamp("setAt"))
        }
    }

    package func openSession(
        _ session: SessionRecord, ifStill password: PasswordRecord
    ) async throws -> Bool {
        try await write { db in
            guard try Self.password(db, of: session.user) == password else { return false }
            let now = session.startedAt
            try db.execute(
                sql: "DELETE FROM session WHERE startedAt <= ?1 OR lastUsedAt <= ?2",
                arguments: [
                    now.advanced(bySeconds: -SessionRecord.ageSeconds).millisecondsSince1970,
                    now.advanced(bySeconds: -SessionRecord.idleSeconds).millisecondsSince1970,
                ])
            try db.execute(
                sql: """
                    DELETE FROM session WHERE sha256 IN (SELECT sha256 FROM session
                        WHERE userName = ?1 ORDER BY lastUsedAt DESC LIMIT -1 OFFSET ?2);
                    """, arguments: [session.user, SessionRecord.perUserMax - 1])
            try db.execute(
                sql: """
                    DELETE FROM session WHERE sha256 IN (SELECT sha256 FROM session
                        ORDER BY lastUsedAt DESC LIMIT -1 OFFSET ?)
                    """, arguments: [SessionRecord.countMax - 1])
            try db.execute(
                sql: """
                    INSERT INTO session (sha256, userName, startedAt, lastUsedAt)
                    VALUES (?, ?, ?, ?)
                    """,
                arguments: [
                    Data(session.secretSHA256), session.user, now.millisecondsSince1970,
                    now.millisecondsSince1970,
                ])
            return true
        }
    }

    package func session(
        secretSHA256 sha256: [UInt8], at now: Timestamp
    ) async throws -> (session: SessionRecord, user: UserRecord)? {
        try await read { db in
            guard
                let row = try Row.fetchOne(
                    db,
                    sql: """
                        SELECT session.*, name, role, createdAt FROM session
                        JOIN user ON user.name = session.userName WHERE sha256 = ?
                        """, arguments: [Data(sha256)])
            else { return nil }
            var session = SessionRecord(
                secretSHA256: sha256, user: row["name"], startedAt: row.timestamp("startedAt"))
            session.lastUsedAt = row.timestamp("lastUsedAt")
            guard session.isGood(at: now) else { return nil }
            return (
                session,
                UserRecord(
                    name: row["name"], role: try row.value("role"),
                    createdAt: row.timestamp("createdAt"))
            )
        }
    }

    package func touchSession(secretSHA256: [UInt8], at: Timestamp) async throws {
        try await write { db in
            try db.execute(
                sql: "UPDATE session SET lastUsedAt = max(lastUsedAt, ?) WHERE sha256 = ?",
                arguments: [at.millisecondsSince1970, Data(secretSHA256)])
        }
    }

    package func endSession(secretSHA256: [UInt8]) async throws {
        try await write { db in
            try db.execute(
                sql: "DELETE FROM session WHERE sha256 = ?", arguments: [Data(secretSHA256)])
        }
    }
}
