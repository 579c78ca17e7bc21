import Foundation
import GRDB
package import HubCore

extension SQLiteHubStore {
    package func audit(before: Int64?, countMax: Int) async throws -> [AuditRecord] {
        try await read { db in
            try Row.fetchAll(
                db, sql: "SELECT * FROM audit WHERE id < ? ORDER BY id DESC LIMIT ?",
                arguments: [before ?? Int64.max, max(0, countMax)]
            ).map {
                AuditRecord(
                    id: $0["id"], at: $0.timestamp("at"), author: $0["author"],
                    action: $0["action"], object: $0["object"], why: $0["why"])
            }
        }
    }

    /// Within the transaction of what it tells.
    func note(
        _ db: Database, _ action: String, _ object: String, why: String = "",
        by author: String? = nil, at: Timestamp
    ) throws {
        try db.execute(
            sql: "INSERT INTO audit (at, author, action, object, why) VALUES (?, ?, ?, ?, ?)",
            arguments: [
                at.millisecondsSince1970, author ?? self.author, action, object,
                String(why.unicodeScalars.prefix(AuditRecord.textBytesMax)),
            ])
    }

    // MARK: Users

    package func addUser(_ user: UserRecord) async throws {
        try await write { [self] db in
            let exists = try Bool.fetchOne(
                db, sql: "SELECT 1 FROM user WHERE name = ?", arguments: [user.name])
            guard exists == nil else {
                throw HubStoreError.alreadyExists(what: "user \(user.name)")
            }
            try db.execute(
                sql: "INSERT INTO user (name, role, createdAt) VALUES (?, ?, ?)",
                arguments: [user.name, user.role.rawValue, user.createdAt.millisecondsSince1970])
            try note(
                db, "add-user", "user \(user.name)", why: user.role.rawValue, at: user.createdAt)
        }
    }

    package func users() async throws -> [UserRecord] {
        try await read { db in
            try Row.fetchAll(db, sql: "SELECT * FROM user ORDER BY name").map { row in
                var user = UserRecord(
                    name: row["name"], role: try row.value("role"),
                    createdAt: row.timestamp("createdAt"))
                user.tokens = try Int64.fetchAll(
                    db,
                    sql: "SELECT id FROM userToken WHERE userName = ? AND revokedAt IS NULL",
                    arguments: [user.name])
                return user
            }
        }
    }

    package func removeUser(_ name: String, at: Timestamp) async throws -> Bool {
        try await write { [self] db in
            // The tokens go with the user; the audit log remembers both.
            try db.execute(sql: "DELETE FROM user WHERE name = ?", arguments: [name])
            guard db.changesCount > 0 else { return false }
            try note(db, "remove-user", "user \(name)", at: at)
            return true
        }
    }

    package func addUserToken(
        sha256: [UInt8], of name: String, at: Timestamp
    ) async throws -> Int64 {
        try await write { [self] db in
            let exists = try Bool.fetchOne(
                db, sql: "SELECT 1 FROM user WHERE name = ?", arguments: [name])
            guard exists != nil else { throw HubStoreError.notFound(what: "user \(name)") }
            try db.execute(
                sql: "INSERT INTO userToken (userName, sha256, createdAt) VALUES (?, ?, ?)",
                arguments: [name, Data(sha256), at.millisecondsSince1970])
            let id = db.lastInsertedRowID
            try note(db, "create-user-token", "user \(name)", why: "token \(id)", at: at)
            return id
        }
    }

    package func revokeUserToken(_ id: Int64, at: Timestamp) async throws -> Bool {
        try await write { [self] db in
            try db.execute(
                sql: "UPDATE userToken SET revokedAt = ? WHERE id = ? AND revokedAt IS NULL",
                arguments: [at.millisecondsSince1970, id])
            guard db.changesCount > 0 else { return false }
            let name = try String.fetchOne(
                db, sql: "SELECT userName FROM userToken WHERE id = ?", arguments: [id])
            try note(db, "revoke-user-token", "user \(name ?? "")", why: "token \(id)", at: at)
            return true
        }
    }

    package func user(tokenSHA256 sha256: [UInt8]) async throws -> UserRecord? {
        try await read { db in
            try Row.fetchOne(
                db,
                sql: """
                    SELECT user.* FROM userToken JOIN user ON user.name = userToken.userName
                    WHERE sha256 = ? AND revokedAt IS NULL
                    """, arguments: [Data(sha256)]
            ).map {
                UserRecord(
                    name: $0["name"], role: try $0.value("role"),
                    createdAt: $0.timestamp("createdAt"))
            }
        }
    }
}
