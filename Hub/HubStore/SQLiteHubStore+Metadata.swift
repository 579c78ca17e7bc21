import Foundation
import GRDB
package import HubCore

extension SQLiteHubStore {
    static func addMetadata(_ db: Database) throws {
        try db.execute(
            sql: """
                -- The repository of The Update Framework: every version of root, the newest two of the others.
                CREATE TABLE metadata (
                    role TEXT NOT NULL CHECK (length(role) BETWEEN 1 AND 64),
                    version INTEGER NOT NULL CHECK (version >= 1),
                    expiresAt INTEGER NOT NULL,
                    content BLOB NOT NULL CHECK (length(content) > 0),
                    PRIMARY KEY (role, version)
                ) STRICT;
                -- Which file vouches for a package.
                CREATE TABLE target (
                    digest BLOB NOT NULL PRIMARY KEY REFERENCES package,
                    path TEXT NOT NULL UNIQUE,
                    role TEXT NOT NULL
                ) STRICT, WITHOUT ROWID;
                """)
    }

    // MARK: Reading

    package func newestMetadata(role: String) async throws -> MetadataFile? {
        try await read { db in try Self.newest(db, role) }
    }

    package func rootMetadata() async throws -> [MetadataFile] {
        try await read { db in
            try Row.fetchAll(
                db, sql: "SELECT * FROM metadata WHERE role = 'root' ORDER BY version"
            ).map(MetadataFile.init(row:))
        }
    }

    package func metadata(
        newerThan held: HeldVersions, target digest: [UInt8]?, rootsMax: Int
    ) async throws -> [MetadataFile] {
        try await read { db in
            var files = try Row.fetchAll(
                db,
                sql: """
                    SELECT * FROM metadata WHERE role = 'root' AND version > ?
                    ORDER BY version LIMIT ?
                    """, arguments: [Int64(clamping: held.root), max(0, rootsMax)]
            ).map(MetadataFile.init(row:))
            for (role, version) in [
                ("timestamp", held.timestamp), ("snapshot", held.snapshot),
                ("targets", held.targets),
            ] {
                if let file = try Self.newest(db, role), file.version > version {
                    files.append(file)
                }
            }
            if let digest,
                let role = try String.fetchOne(
                    db, sql: "SELECT role FROM target WHERE digest = ?", arguments: [Data(digest)]),
                role != "targets", let bin = try Self.newest(db, role)
            {
                files.append(bin)
            }
            return files
        }
    }

    package func targetPath(of digest: [UInt8]) async throws -> String? {
        try await read { db in
            try String.fetchOne(
                db, sql: "SELECT path FROM target WHERE digest = ?", arguments: [Data(digest)])
        }
    }

    package func repositoryContents() async throws -> (
        files: [MetadataFile], targets: [ListedTarget]
    ) {
        try await read { db in
            let files = try Self.newestOfAll(db)
            let roots = try Row.fetchAll(
                db, sql: "SELECT * FROM metadata WHERE role = 'root' ORDER BY version"
            ).map(MetadataFile.init(row:))
            let targets = try Row.fetchAll(db, sql: "SELECT * FROM target ORDER BY path").map {
                ListedTarget(digest: $0.bytes("digest"), path: $0["path"], role: $0["role"])
            }
            return (roots + files, targets)
        }
    }

    package func repositoryFacts(
        besides also: (family: String, release: UInt64)?
    ) async throws -> (root: MetadataFile, files: [MetadataFile], packages: [PackageRecord])? {
        let (family, release) = (also?.family, also.map { Int64(bitPattern: $0.release) })
        return try await read { db in
            guard let root = try Self.newest(db, "root") else { return nil }
            let packages = try Row.fetchAll(
                db, sql: PackageRecord.sql + " WHERE digest IN (\(Self.runnable))",
                arguments: [family, release]
            ).map(PackageRecord.init(row:))
            return (root, try Self.newestOfAll(db), packages)
        }
    }

    /// Digests of what a device may be told to run: of rollouts that go on and of the newest two that were not aborted, what is
    /// assigned, and what runs. ?1 and ?2: a family and a release besides.
    private static let runnable = """
        SELECT package.digest FROM package JOIN (
            SELECT family, coalesce(release,
                (SELECT max(release) FROM package WHERE package.family = rollout.family)) AS release
            FROM rollout WHERE state IN ('running', 'paused') OR id IN (
                SELECT id FROM rollout WHERE state <> 'aborted' ORDER BY id DESC LIMIT 2)
            UNION SELECT ?1, ?2) AS pushed
        ON package.family = pushed.family AND package.release = pushed.release
        UNION SELECT digest FROM assignment WHERE digest IS NOT NULL
        UNION SELECT runningDigest FROM device
            WHERE runningDigest IS NOT NULL AND status <> 'revoked'
        UNION SELECT digest FROM rolloutDevice
            WHERE state IN ('assigned', 'trial') AND digest IS NOT NULL
        """

    private static func newest(_ db: Database, _ role: String) throws -> MetadataFile? {
        try Row.fetchOne(
            db, sql: "SELECT * FROM metadata WHERE role = ? ORDER BY version DESC LIMIT 1",
            arguments: [role]
        ).map(MetadataFile.init(row:))
    }

    /// Of every role but root.
    private static func newestOfAll(_ db: Database) throws -> [MetadataFile] {
        try Row.fetchAll(
            db,
            sql: """
                SELECT metadata.* FROM metadata JOIN (
                    SELECT role, max(version) AS version FROM metadata
                    WHERE role <> 'root' GROUP BY role) AS newest
                ON metadata.role = newest.role AND metadata.version = newest.version
                ORDER BY metadata.role
                """
        ).map(MetadataFile.init(row:))
    }

    // MARK: Writing

    package func publish(_ publication: MetadataPublication, at: Timestamp) async throws {
        try await write { [self] db in
            for file in publication.files {
                let last = try Int64.fetchOne(
                    db, sql: "SELECT max(version) FROM metadata WHERE role = ?",
                    arguments: [file.role])
                guard file.version == UInt64(last ?? 0) + 1 + publication.leap else {
                    throw HubStoreError.changedMeanwhile(what: "the repository")
                }
                try db.execute(
                    sql: """
                        INSERT INTO metadata (role, version, expiresAt, content)
                        VALUES (?, ?, ?, ?)
                        """,
                    arguments: [
                        file.role, Int64(file.version), file.expires.millisecondsSince1970,
                        Data(file.bytes),
                    ])
                // One before the newest stays, for whoever is just reading.
                if file.role != "root" {
                    try db.execute(
                        sql: "DELETE FROM metadata WHERE role = ? AND version < ?",
                        arguments: [file.role, Int64(file.version) - 1])
                }
            }
            for role in publication.dropped {
                try db.execute(sql: "DELETE FROM metadata WHERE role = ?", arguments: [role])
            }
            if let listed = publication.listed {
                try db.execute(sql: "DELETE FROM target")
                let insert = try db.makeStatement(
                    sql: "INSERT INTO target (digest, path, role) VALUES (?, ?, ?)")
                for target in listed {
                    try insert.execute(arguments: [Data(target.digest), target.path, target.role])
                }
            }
            for line in publication.notes {
                try note(db, line.action, line.object, why: line.why, at: at)
            }
        }
    }
}

extension MetadataFile {
    init(row: Row) {
        self.init(
            role: row["role"], version: row.unsigned("version"),
            expires: row.timestamp("expiresAt"),
            bytes: row.bytes("content"))
    }
}
