import Forecasting
import Foundation
import GRDB
import HubCore
import HubStore
import Testing

@Suite("The SQLite file")
struct SQLiteHubStoreTests {
    /// Another connection to the same file, as another process has it.
    private static func connection(_ directory: String) throws -> DatabaseQueue {
        try DatabaseQueue(path: SQLiteHubStore.path(in: directory))
    }

    @Test("A store is made once, opened where it is, and readable by its owner only")
    func lifecycle() async throws {
        try await withDirectory { directory in
            #expect(throws: HubStoreError.notInitialised(path: directory)) {
                try SQLiteHubStore.open(in: directory)
            }
            do {
                let store = try SQLiteHubStore.create(in: directory)
                try await Sample.importRows(store, [("1", "a", 0, 5)])
            }
            #expect(throws: HubStoreError.alreadyInitialised(path: directory)) {
                try SQLiteHubStore.create(in: directory)
            }
            let again = try SQLiteHubStore.open(in: directory)
            #expect(try await again.seriesSummaries().map(\.units) == [5])
            for name in try FileManager.default.contentsOfDirectory(atPath: directory) {
                let mode = try FileManager.default.attributesOfItem(
                    atPath: directory + "/" + name)[.posixPermissions]
                #expect(mode as? Int == 0o600, "\(name)")
            }
        }
    }

    @Test("What is no database, and a schema from the future, are refused by name")
    func strangers() async throws {
        try await withDirectory { directory in
            let path = SQLiteHubStore.path(in: directory)
            try Data(repeating: 0x41, count: 10_000).write(to: URL(fileURLWithPath: path))
            do {
                _ = try SQLiteHubStore.open(in: directory)
                Issue.record("opened")
            } catch HubStoreError.corrupt {}
        }
        try await withDirectory { directory in
            _ = try SQLiteHubStore.create(in: directory)
            try await Self.connection(directory).write { db in
                try db.execute(
                    sql: "INSERT INTO grdb_migrations (identifier) VALUES ('999 the future')")
            }
            #expect(throws: HubStoreError.newerSchema) { try SQLiteHubStore.open(in: directory) }
        }
    }

    @Test("What another process commits is noticed; what nobody changes is not")
    func changeCounter() async throws {
        try await withDirectory { directory in
            let store = try SQLiteHubStore.create(in: directory)
            let before = try await store.changeCounter()
            #expect(try await store.changeCounter() == before)
            let other = try SQLiteHubStore.open(in: directory)
            _ = try await other.takeRelease()
            #expect(try await store.changeCounter() != before)
        }
    }

    /// Where a transaction is made to fail: at the nth row that goes into a table.
    private static let failures: [(table: String, operation: String)] = [
        ("dailySales", "INSERT"), ("dailySales", "UPDATE"),
        ("deviceDay", "INSERT"), ("deviceDay", "UPDATE"), ("storeDay", "INSERT"),
        ("storeDay", "UPDATE"), ("forecast", "INSERT"), ("store", "UPDATE"), ("device", "UPDATE"),
        ("item", "INSERT"), ("series", "INSERT"),
    ]

    @Test(
        "A write that fails anywhere in an upload leaves nothing of it, and the resend counts once",
        arguments: failures, 1...3)
    func failureInside(failure: (table: String, operation: String), at occurrence: Int) async throws
    {
        try await withDirectory { directory in
            let store = try SQLiteHubStore.create(in: directory)
            let id = try await Sample.join(store, device: "d")
            try await Sample.upload(
                store, id, from: 1, [try Sample.sale(0, "a", 1), Sample.close(0)])
            let batch = [
                try Sample.sale(0, "a", 2), try Sample.sale(0, "b", 3), try Sample.sale(1, "c", 4),
                try Sample.sale(1, "c", 5), Sample.close(1), Sample.close(2, allDay: true),
                try Sample.forecast(1, "a", 2), try Sample.forecast(1, "b", 2),
                try Sample.forecast(1, "c", 2),
            ]
            let connection = try Self.connection(directory)
            try await connection.write { db in
                try db.execute(
                    sql: """
                        CREATE TABLE failure (occurrence INTEGER);
                        INSERT INTO failure VALUES (0);
                        CREATE TRIGGER powerCut BEFORE \(failure.operation) ON \(failure.table) BEGIN
                            UPDATE failure SET occurrence = occurrence + 1;
                            SELECT RAISE(ABORT, 'power cut') WHERE
                                (SELECT occurrence FROM failure) = \(occurrence);
                        END
                        """)
            }
            let before = try await Self.dump(connection)
            var failed = false
            do {
                try await Sample.upload(store, id, from: 3, batch)
            } catch let error as HubStoreError {
                failed = true
                #expect("\(error)".contains("power cut"))
                #expect(try await Self.dump(connection) == before)
            }
            try await connection.write { db in
                try db.execute(sql: "DROP TRIGGER powerCut; DROP TABLE failure")
            }
            // The device knows of no acknowledgement: it sends the batch again, and all of its life
            // before.
            if failed {
                #expect(
                    try await Sample.upload(store, id, from: 3, batch)
                        == .stored(throughSequence: 11, new: 9))
            } else {
                #expect(occurrence > 1, "the trigger never fired")
            }
            let histories = try await store.histories(store: try StoreID("1"), through: nil)
            #expect(histories.map(\.item.text) == ["a", "b", "c"])
            #expect(
                histories.map { $0.days.map { $0.units ?? -1 } } == [
                    [3, 0, -1], [3, 0, -1], [9, -1],
                ])
        }
    }

    /// Every row of every table that an upload may change.
    private static func dump(_ connection: DatabaseQueue) async throws -> [String] {
        try await connection.read { db in
            try [
                "dailySales", "deviceDay", "storeDay", "forecast", "store",
                "device", "item", "series",
            ].flatMap { table in
                try Row.fetchAll(db, sql: "SELECT * FROM \(table)").map { "\(table) \($0)" }
            }
        }
    }

    @Test(
        "The schema itself refuses what breaks its rules",
        arguments: [
            "INSERT INTO dailySales (seriesID, day, importedUnits) VALUES (1, 5, -1)",
            "INSERT INTO dailySales (seriesID, day, importedUnits) VALUES (99, 5, 1)",
            "INSERT INTO dailySales (seriesID, day, importedUnits) VALUES (1, -1, 1)",
            "INSERT INTO storeDay VALUES (1, 5, 0, 0, 1, 2)",
            "UPDATE token SET uses = usesMax + 1", "UPDATE device SET status = 'somehow'",
            "UPDATE device SET runningDigest = x'00'",
            "INSERT INTO forecast VALUES (1, 1, 5, -1, 0, 1, 0, 1)",
            "UPDATE audit SET why = 'another'", "DELETE FROM audit",
            "INSERT INTO audit (at, author, action, object, why) VALUES (1, '', 'push', 'x', '')",
            "INSERT INTO user VALUES ('manager', 'king', 1)",
            "INSERT INTO rolloutDevice (rolloutID, deviceID, wave, state) VALUES (1, 1, 0, 'waiting')",
        ])
    func schemaGuards(sql: String) async throws {
        try await withDirectory { directory in
            let store = try SQLiteHubStore.create(in: directory)
            try await Sample.join(store, device: "d")
            try await Sample.importRows(store, [("1", "a", 0, 5)])
            await #expect(throws: DatabaseError.self) {
                try await Self.connection(directory).write { try $0.execute(sql: sql) }
            }
        }
    }

    @Test("A commit is on the disk before it is acknowledged: synchronous is FULL")
    func durability() async throws {
        try await withDirectory { directory in
            let store = try SQLiteHubStore.create(in: directory)
            #expect(try await store.synchronousLevel() == 2)
        }
    }
}
