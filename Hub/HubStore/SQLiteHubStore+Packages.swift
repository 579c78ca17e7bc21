import Forecasting
import Foundation
import GRDB
package import HubCore

extension SQLiteHubStore {
    // MARK: Families

    package func saveFamily(_ family: FamilyRecord) async throws {
        try await write { db in
            let exists = try Bool.fetchOne(
                db, sql: "SELECT 1 FROM family WHERE name = ?", arguments: [family.name])
            guard exists == nil else {
                throw HubStoreError.alreadyExists(what: "family \(family.name)")
            }
            try db.execute(
                sql: """
                    INSERT INTO family (name, createdAt, form, snapshotDigest, seed, asOf, summary,
                        trained, lineage) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
                    """,
                arguments: [
                    family.name, family.createdAt.millisecondsSince1970, family.form,
                    family.snapshotDigest, Int64(bitPattern: family.seed),
                    Int64(family.asOf.daysSince1970), family.summary, Data(family.trained),
                    try family.lineage.map { try Self.text(of: $0) },
                ])
        }
    }

    package func replaceFamily(_ family: FamilyRecord, ifStill trained: [UInt8]) async throws {
        try await write { db in
            let known = try Data.fetchOne(
                db, sql: "SELECT trained FROM family WHERE name = ?", arguments: [family.name])
            guard let known else { throw HubStoreError.notFound(what: "family \(family.name)") }
            guard known == Data(trained) else {
                throw HubStoreError.changedMeanwhile(what: "family \(family.name)")
            }
            try db.execute(
                sql: """
                    UPDATE family SET createdAt = ?, form = ?, snapshotDigest = ?, seed = ?, asOf = ?,
                        summary = ?, trained = ?, lineage = ? WHERE name = ?
                    """,
                arguments: [
                    family.createdAt.millisecondsSince1970, family.form, family.snapshotDigest,
                    Int64(bitPattern: family.seed), Int64(family.asOf.daysSince1970),
                    family.summary, Data(family.trained),
                    try family.lineage.map { try Self.text(of: $0) }, family.name,
                ])
        }
    }

    package func families() async throws -> [FamilyRecord] {
        try await read { db in
            try Row.fetchAll(
                db,
                sql: """
                    SELECT name, createdAt, form, snapshotDigest, seed, asOf, summary, lineage,
                        x'' AS trained
                    FROM family ORDER BY createdAt DESC, name DESC
                    """
            ).map(FamilyRecord.init(row:))
        }
    }

    package func family(_ name: String) async throws -> FamilyRecord? {
        try await read { db in
            try Row.fetchOne(db, sql: "SELECT * FROM family WHERE name = ?", arguments: [name])
                .map(FamilyRecord.init(row:))
        }
    }

    // MARK: Packages

    package func takeRelease() async throws -> UInt64 {
        try await write { db in
            try db.execute(
                sql: """
                    INSERT INTO meta (key, value) VALUES ('release', 1)
                    ON CONFLICT (key) DO UPDATE SET value = value + 1
                    """)
            let release = try Int64.fetchOne(
                db, sql: "SELECT value FROM meta WHERE key = 'release'")
            return UInt64(release ?? 1)
        }
    }

    package func savePackages(_ packages: [PackageRecord]) async throws {
        try await write { [self] db in
            for package in packages {
                try db.execute(
                    sql: """
                        INSERT INTO package (digest, family, variant, storeID, release,
                            packageBytes, arenaBytes, parameterCount, requiredFeatures, wape, mape,
                            bias, floatWAPE, floatMAPE, createdAt)
                        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                        ON CONFLICT (digest) DO NOTHING
                        """,
                    arguments: [
                        Data(package.digest), package.family, package.variant,
                        try package.store.map { try Self.storeRow(db, $0) },
                        Int64(package.release), package.packageBytes, package.arenaBytes,
                        package.parameterCount, package.requiredFeatures.joined(separator: " "),
                        package.wape, package.mape, package.bias, package.floatWAPE,
                        package.floatMAPE, package.createdAt.millisecondsSince1970,
                    ])
            }
            if let first = packages.first {
                try note(
                    db, "package", "family \(first.family)",
                    why: "release \(first.release), \(packages.count) packages",
                    at: first.createdAt)
            }
        }
    }

    package func packages(family: String?) async throws -> [PackageRecord] {
        try await read { db in
            let rows =
                if let family {
                    try Row.fetchAll(
                        db, sql: PackageRecord.sql + " WHERE family = ?", arguments: [family])
                } else {
                    try Row.fetchAll(db, sql: PackageRecord.sql)
                }
            return try rows.map(PackageRecord.init(row:)).sorted(by: Self.inListOrder)
        }
    }

    /// By release, variant, then store with any-store first.
    private static func inListOrder(_ a: PackageRecord, _ b: PackageRecord) -> Bool {
        if a.release != b.release { return a.release < b.release }
        if a.variant != b.variant { return a.variant < b.variant }
        switch (a.store, b.store) {
        case (nil, .some): return true
        case (.some(let storeA), .some(let storeB)): return storeA < storeB
        case (_, nil): return false
        }
    }

    package func package(digest: [UInt8]) async throws -> PackageRecord? {
        try await read { db in
            try Row.fetchOne(
                db, cached: PackageRecord.sql + " WHERE digest = ?", arguments: [Data(digest)]
            ).map(PackageRecord.init(row:))
        }
    }
}
