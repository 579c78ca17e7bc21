import AgentCore
import AgentRuntime
import CLogFile
import Forecasting
import Foundation
import TestSupport
import Testing

/// The write-ahead log as `CLogFile` writes it: whole sectors, into space that is there.
@Suite("The log of the database")
struct LogFileTests {
    static let sectorBytes = 512

    private let folder = TemporaryFolder()

    private func log(in folder: String) -> String {
        folder + "/" + AgentStore.fileName + "-wal"
    }

    private func sale(_ number: Int) throws -> Sale {
        Sale(
            day: TestPackage.day(1), item: try ItemID("\(number % 7)"), units: 1,
            reference: [UInt8]("sale \(number)".utf8))
    }

    /// The database of `store` as it is on the disk now, with another log, opened as after a power cut.
    private func reopened(with log: Data) throws -> (sales: Int, verdict: [UInt8]?) {
        let other = TemporaryFolder()
        let path = other.file(AgentStore.fileName)
        try FileManager.default.copyItem(atPath: folder.file(AgentStore.fileName), toPath: path)
        try log.write(to: URL(filePath: self.log(in: other.path)))
        let store = try AgentStore.open(directory: other.path, checks: true)
        #expect(store.openingNote == nil)
        let verdict = try store.database.first("PRAGMA integrity_check", columns: 1)
        return (try store.unsentCount(), verdict?[0].bytes)
    }

    private func contents() throws -> Data {
        try Data(contentsOf: URL(filePath: log(in: folder.path)))
    }

    @Test(
        "cut between any sectors of a commit has all of it or none, and all that was committed before"
    )
    func sectors() throws {
        let store = try AgentStore.open(directory: folder.path, checks: true)
        for number in 1...20 { _ = try store.record([sale(number)]) }
        let before = try contents()
        _ = try store.record((21...110).map(sale))
        let after = try contents()
        #expect(before.count == after.count)
        let starts = stride(from: 0, to: after.count, by: Self.sectorBytes).filter {
            before[$0..<$0 + Self.sectorBytes] != after[$0..<$0 + Self.sectorBytes]
        }
        try #require(starts.count > 5)
        var ways = [Set(starts)]
        for (index, start) in starts.enumerated() {
            ways.append(Set(starts[..<index]))
            ways.append(Set(starts[index...]).subtracting([start]))
            ways.append(Set(starts).subtracting([start]))
            ways.append([start])
        }
        var random = SeededGenerator(seed: 7)
        for _ in 0..<40 { ways.append(Set(starts.filter { _ in Bool.random(using: &random) })) }
        for way in ways {
            var mixed = before
            for start in way {
                let sector = start..<start + Self.sectorBytes
                mixed.replaceSubrange(sector, with: after[sector])
            }
            let (sales, verdict) = try reopened(with: mixed)
            #expect(sales == (way.count == starts.count ? 110 : 20), "\(way.sorted())")
            #expect(verdict == [UInt8]("ok".utf8))
        }
    }

    @Test("keeps its space when it begins anew, and nothing in it from before counts")
    func stale() throws {
        do {
            let store = try AgentStore.open(directory: folder.path, checks: true)
            for number in 1...300 { _ = try store.record([sale(number)]) }
        }
        let size = try contents().count
        try #require(size > 150_000)
        #expect(shelfcast_log_is_empty(log(in: folder.path)) == 1)
        let store = try AgentStore.open(directory: folder.path, checks: true)
        #expect(try store.unsentCount() == 300)
        for number in 301...305 {
            _ = try store.record([sale(number)])
            let now = try contents()
            #expect(now.count == size)
            #expect(try reopened(with: now).sales == number)
            // Its first frames again, behind others: as if they had not been written over.
            if number == 301 { try store.database.execute("PRAGMA wal_checkpoint(RESTART)") }
        }
        #expect(shelfcast_log_is_empty(log(in: folder.path)) == 0)
        // SQLite by itself reads it just so.
        let other = TemporaryFolder()
        for suffix in ["", "-wal"] {
            try FileManager.default.copyItem(
                atPath: folder.file(AgentStore.fileName + suffix),
                toPath: other.file(AgentStore.fileName + suffix))
        }
        let plain = try Database(path: other.file(AgentStore.fileName), readOnly: true)
        #expect(
            try plain.first("SELECT count(*) FROM outbox", columns: 1)?[0] == .integer(305))
    }

    @Test("is nobody else's while an agent writes, and at rest is read without a trace")
    func others() throws {
        let path = folder.file(AgentStore.fileName)
        do {
            let store = try AgentStore.open(directory: folder.path, checks: true)
            _ = try store.record([sale(1)])
            #expect(throws: StoreError.busy) {
                let other = try Database(path: path, readOnly: true)
                _ = try other.first("SELECT count(*) FROM outbox", columns: 1)
            }
            _ = try store.record([sale(2)])
        }
        let names = try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()
        let reader = try Database(path: path, readOnly: true, isImmutable: true)
        #expect(try reader.first("SELECT count(*) FROM outbox", columns: 1)?[0] == .integer(2))
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted() == names)
    }

    @Test("goes the ordinary way where direct writes are refused, from any write on")
    func refused() throws {
        let disk = try FailingDisk()
        var number = 0
        var taken = 0
        for write in 1...12 {
            let store = try AgentStore.open(directory: disk.folder.path, checks: true)
            _ = try store.record([sale(number + 1)])
            let before = disk.failures
            disk.fail(at: write, with: EINVAL, lasts: false)
            // An ordinary write that is refused fails its sale, which comes again.
            for next in number + 2...number + 12 {
                do { _ = try store.record([sale(next)]) } catch {
                    #expect(disk.failures == before + 1)
                    _ = try store.record([sale(next)])
                    taken -= 1
                }
            }
            taken += disk.failures - before
            disk.mend()
            number += 12
            #expect(try store.unsentCount() == number)
        }
        #expect(taken > 5)
        do {
            let store = try AgentStore.open(directory: disk.folder.path, checks: true)
            #expect(try store.unsentCount() == number)
        }
    }

    @Test("holds transactions of any size, written over and taken back", arguments: 1...4)
    func transactions(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let database = try Database(path: folder.file("any.sqlite"))
        // So few pages that a transaction goes into the log before its commit.
        try database.execute(
            """
            PRAGMA page_size = 512; PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL;
            PRAGMA synchronous = FULL; PRAGMA cache_size = 20; PRAGMA wal_autocheckpoint = 500;
            CREATE TABLE pair (name INTEGER PRIMARY KEY, value BLOB NOT NULL)
            """)
        var pairs: [Int64: [UInt8]] = [:]
        for _ in 0..<50 {
            var changed = pairs
            try database.execute("BEGIN")
            for _ in 0..<(Int.random(in: 0..<5, using: &random) == 0 ? 400 : 3) {
                let name = Int64.random(in: 0..<3_000, using: &random)
                let value = [UInt8](
                    repeating: .random(in: 0...255, using: &random),
                    count: .random(in: 1...300, using: &random))
                try database.run(
                    "INSERT OR REPLACE INTO pair VALUES (?, ?)", [.integer(name), .blob(value)])
                changed[name] = value
            }
            if Bool.random(using: &random) {
                try database.execute("COMMIT")
                pairs = changed
            } else {
                try database.execute("ROLLBACK")
            }
            if Int.random(in: 0..<20, using: &random) == 0 {
                try database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            }
            var read: [Int64: [UInt8]] = [:]
            try database.query("SELECT name, value FROM pair", columns: 2) { row in
                read[row[0].integer] = row[1].bytes
                return true
            }
            #expect(read == pairs, "seed \(seed)")
        }
    }
}
