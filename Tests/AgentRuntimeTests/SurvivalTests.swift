import AgentCore
import AgentRuntime
import Forecasting
import Foundation
import JSONText
import ModelPackage
import SyncProtocol
import Testing

@Suite("An agent survives")
struct SurvivalTests {
    let folder = TemporaryFolder()
    let hub = TestHub()

    init() { hub.enrol(folder) }

    /// A day's work that can be repeated: sales carry references.
    static func work(_ service: AgentService, _ hub: TestHub) throws {
        for offset in 1...2 {
            for item in 1...3 {
                try service.sell(
                    UInt32(item * offset), of: "\(item)", on: TestPackage.day(offset),
                    ref: "\(item)")
            }
            _ = try service.close(TestPackage.day(offset), isClosedAllDay: false)
            try hub.visit(service)
        }
    }

    static let expected = [
        "17001 1": 1, "17001 2": 2, "17001 3": 3, "17002 1": 2, "17002 2": 4, "17002 3": 6,
    ]

    @Test(
        "a power cut at any write: what is done again ends the same, and the hub has everything once",
        arguments: [false, true])
    func cutAtEveryWrite(sendsTotals: Bool) throws {
        let package = try TestPackage.model(release: 1).encode()
        var write = 1
        var cuts = 0
        while true {
            let folder = TemporaryFolder()
            let hub = TestHub()
            hub.enrol(folder)
            try hub.offer(package, release: 1)
            var wasCut = false
            do {
                let service = try AgentService.start(folder)
                try service.choose(sendsTotals: sendsTotals, outboxBytesMax: 1 << 20)
                service.store.database.writesUntilCut = write
                try Self.work(service, hub)
            } catch let error as AgentError where error == .store(.cut) {
                wasCut = true
            }
            let service = try AgentService.start(folder, checks: true)
            try Self.work(service, hub)
            try hub.visit(service)
            #expect(hub.sold == Self.expected, "cut at write \(write)")
            #expect(hub.closedDays == [17_001, 17_002], "cut at write \(write)")
            #expect(service.running?.release == 1, "cut at write \(write)")
            #expect(service.reply(to: .status)["foldedSales"] == .integer(0))
            #expect(try service.store.unsentCount() == 0, "cut at write \(write)")
            guard wasCut else { break }
            cuts += 1
            // Every write near the start, where the schema is new to it; then every third.
            write += write < 60 ? 1 : 3
        }
        #expect(cuts > 60)
    }

    @Test("a network cut after any answer: the next visit sends what is missing, once")
    func cutNetwork() throws {
        var answers = 0
        while true {
            let folder = TemporaryFolder()
            let hub = TestHub()
            hub.enrol(folder)
            try hub.offer(try TestPackage.model(release: 1).encode(), release: 1)
            var wasCut = false
            do {
                let service = try AgentService.start(folder)
                for item in 1...3 { try service.sell(1, of: "\(item)", on: TestPackage.day(1)) }
                hub.answersLeft = answers
                try hub.visit(service)
            } catch is TestHub.Cut { wasCut = true }
            hub.answersLeft = nil
            try hub.visit(try AgentService.start(folder))
            #expect(hub.sold == ["17001 1": 1, "17001 2": 1, "17001 3": 1], "after \(answers)")
            #expect(hub.reports.last?.outcome == .active, "after \(answers)")
            guard wasCut else { break }
            answers += 1
        }
        #expect(answers > 6)
    }

    @Test("a hub of the first release: it is sent single records")
    func oldHub() throws {
        hub.isOld = true
        let service = try AgentService.start(folder)
        try hub.offer(try TestPackage.model(release: 1).encode(), release: 1)
        try hub.visit(service)
        try service.sell(3, of: "1", on: TestPackage.day(1))
        _ = try service.close(TestPackage.day(1), isClosedAllDay: false)
        try hub.visit(service)
        #expect(hub.sold == ["17001 1": 3])
        #expect(hub.forecasts.count == 3 && hub.closedDays == [17_001])
    }

    @Test("an end at any moment between a sale and its place in the day's totals")
    func foldsOnce() throws {
        let day = TestPackage.day(1)
        for end in 0..<4 {
            let folder = TemporaryFolder()
            hub.enrol(folder)
            do {
                let service = try AgentService.start(folder)
                try service.sell(3, of: "1", on: day, ref: "a")
                if end > 0 { #expect(try service.store.ownUnits(of: day) == [try ItemID("1"): 3]) }
                try service.sell(4, of: "1", on: day, ref: "b")
                if end > 1 { try service.sell(4, of: "1", on: day, ref: "b") }
                if end > 2 { #expect(try service.store.hasSales(on: day)) }
            }
            let service = try AgentService.start(folder)
            try service.sell(3, of: "1", on: day, ref: "a")
            try service.sell(4, of: "1", on: day, ref: "b")
            #expect(try service.store.ownUnits(of: day) == [try ItemID("1"): 7], "\(end)")
            #expect(try service.store.unsentCount() == 2, "\(end)")
        }
    }

    @Test(
        "a database of the first release, whose pages are larger: it is rewritten, and all is there"
    )
    func largerPages() throws {
        do {
            let service = try AgentService.start(folder)
            try service.sell(3, of: "1", on: TestPackage.day(1), ref: "a")
            try service.store.database.execute(
                "PRAGMA journal_mode = DELETE; PRAGMA page_size = 4096; VACUUM")
        }
        let service = try AgentService.start(folder, checks: true)
        let row = try service.store.database.first("PRAGMA page_size", columns: 1)
        #expect(row?[0].integer == Int64(AgentStore.pageBytes))
        let mode = try service.store.database.first("PRAGMA journal_mode", columns: 1)
        #expect(mode?[0] == .text([UInt8]("wal".utf8)))
        try service.sell(3, of: "1", on: TestPackage.day(1), ref: "a")
        try hub.visit(service)
        #expect(hub.sold == ["17001 1": 3])
    }

    @Test("an acknowledgement that never arrived")
    func lostAcknowledgement() throws {
        let service = try AgentService.start(folder)
        try hub.visit(service)
        try service.sell(1, of: "1", on: TestPackage.day(1))
        // The hub stores it, and the answer is lost.
        let upload = try #require(try service.store.nextUpload(bytesMax: 65_536))
        _ = try hub.answer(.upload(upload))
        try service.sell(2, of: "1", on: TestPackage.day(1))
        try hub.visit(service)
        #expect(hub.sold == ["17001 1": 3])
    }

    @Test("a hub that was restored from an older copy")
    func restoredHub() throws {
        let service = try AgentService.start(folder)
        try hub.visit(service)
        for units in 1...4 { try service.sell(UInt32(units), of: "1", on: TestPackage.day(1)) }
        try hub.visit(service)
        hub.records.removeLast(2)
        try service.sell(5, of: "1", on: TestPackage.day(1))
        try hub.visit(service)
        // What the hub lost of what it had acknowledged is gone; nothing new is.
        #expect(hub.sold == ["17001 1": 1 + 2 + 5])
        let notice = try #require(try service.store.text(.notice))
        #expect(String(decoding: notice, as: UTF8.self).contains("renumbered"))
    }

    @Test("a full disk: it says so, keeps nothing half, and goes on when there is room")
    func fullDisk() throws {
        let service = try AgentService.start(folder)
        let pages = try #require(
            try service.store.database.first("PRAGMA page_count", columns: 1))[0].integer
        try service.store.database.execute("PRAGMA max_page_count = \(pages + 4)")
        let day = TestPackage.day(1)
        var taken = 0
        var failure: AgentError?
        for number in 0..<20_000 {
            do {
                try service.sell(1, of: "item-\(number)", on: day, ref: "reference-\(number)")
                taken += 1
            } catch {
                failure = error as? AgentError
                break
            }
        }
        #expect(failure == .store(.full))
        #expect(failure?.text.contains("the disk is full") == true)
        #expect(try service.store.unsentCount() == taken)
        #expect(throws: AgentError.store(.full)) {
            // Needs more than is left: none of it remains.
            _ = try service.record(
                (0..<500).map {
                    Sale(
                        day: day, item: try ItemID("x\($0)"), units: 1,
                        reference: [UInt8]("y\($0)".utf8))
                })
        }
        #expect(try service.store.unsentCount() == taken)
        try service.store.database.execute("PRAGMA max_page_count = 100000")
        _ = try service.close(day, isClosedAllDay: false)
        try hub.visit(service)
        #expect(hub.sold.count == taken)
        #expect(hub.closedDays == [17_001])
    }

    /// Overwrites part of the database file with noise.
    func damage(_ range: Range<Int>) throws {
        let path = folder.file(AgentStore.fileName)
        let handle = try #require(FileHandle(forUpdatingAtPath: path))
        try handle.seek(toOffset: UInt64(range.lowerBound))
        try handle.write(contentsOf: Data(range.map { UInt8(truncatingIfNeeded: $0 &* 131 &+ 89) }))
        try handle.close()
    }

    @Test("a database lost after a roll-back: what ran again is taken anew, and nothing older")
    func lostAfterRollback() throws {
        let good = try TestPackage.model(release: 3).encode()
        do {
            let service = try AgentService.start(folder)
            try hub.offer(good, release: 3)
            try hub.visit(service)
            let bad = try TestPackage.model(release: 4).encode()
            try hub.offer(bad, release: 4)
            try hub.visit(service)
            #expect(service.running?.release == 4)
            hub.desired = DesiredState(
                desire: .goBack, reason: "worse", digest: Crypto.sha256(bad))
            try hub.visit(service)
            #expect(service.running?.release == 3)
        }
        try damage(0..<4096)
        let service = try AgentService.start(folder)
        #expect(service.running == nil)
        try hub.offer(try TestPackage.model(release: 2).encode(), release: 2)
        try hub.visit(service)
        #expect(service.running == nil)
        #expect(hub.reports.last?.reason.contains("release 2 is older than release 3") == true)
        try hub.offer(good, release: 3)
        try hub.visit(service)
        #expect(service.running?.release == 3)
    }

    @Test("a database that is no database any more: identity and numbering stay right")
    func noDatabase() throws {
        do {
            let service = try AgentService.start(folder)
            try hub.offer(try TestPackage.model(release: 3).encode(), release: 3)
            try service.sell(1, of: "1", on: TestPackage.day(1))
            _ = try service.close(TestPackage.day(1), isClosedAllDay: false)
            try hub.visit(service)
            #expect(service.running?.release == 3)
        }
        let known = hub.records.count
        try damage(0..<4096)
        let service = try AgentService.start(folder)
        #expect(service.store.openingNote?.contains("agent.sqlite.corrupt-1") == true)
        #expect(FileManager.default.fileExists(atPath: folder.file("agent.sqlite.corrupt-1")))
        #expect(service.identity?.deviceID == "device-1")
        #expect(service.running == nil)
        // New records before the hub has said where it is.
        try service.sell(7, of: "2", on: TestPackage.day(2))
        try service.sell(8, of: "2", on: TestPackage.day(2))
        try hub.visit(service)
        #expect(hub.records.count == known + 2)
        #expect(hub.sold["17002 2"] == 15)
        // The package came back, and what is older than it is still refused.
        #expect(service.running?.release == 3)
        try hub.offer(try TestPackage.model(release: 2).encode(), release: 2)
        try hub.visit(service)
        #expect(service.running?.release == 3)
        #expect(hub.reports.last?.reason.contains("older") == true)
    }

    @Test("a damaged page anywhere: nothing that could be read is lost, and nothing is doubled")
    func damagedPages() throws {
        func say(_ line: String, to service: AgentService) throws -> JSONValue {
            service.reply(to: try LocalRequest(line: [UInt8](line.utf8)))
        }
        let count = #"{"do":"stock","item":"shelf","units":9,"day":"2016-07-19"}"#
        let order = #"{"do":"ordered","item":"shelf","units":6,"due":"2016-08-19"}"#
        var (setAside, withOrder) = (0, 0)
        for page in 1..<40 {
            let folder = TemporaryFolder()
            let hub = TestHub()
            hub.enrol(folder)
            var fed: [String: Int] = [:]
            do {
                let service = try AgentService.start(folder)
                try hub.visit(service)
                for half in [0..<151, 151..<300] {
                    _ = try service.record(
                        half.map {
                            Sale(
                                day: TestPackage.day(1), item: try ItemID("i\($0)"), units: 1,
                                reference: [UInt8]("r\($0)".utf8))
                        })
                    for number in half { fed["17001 i\(number)"] = 1 }
                    if half.lowerBound == 0 { try hub.visit(service) }
                }
                #expect(try say(count, to: service)["ok"] == .bool(true))
                #expect(try say(order, to: service)["onOrder"] != nil)
            }
            let path = folder.file(AgentStore.fileName)
            let size = try FileManager.default.attributesOfItem(atPath: path)[.size] as? Int ?? 0
            guard size > (page + 1) * 4096 else { break }
            let handle = try #require(FileHandle(forUpdatingAtPath: path))
            try handle.seek(toOffset: UInt64(page * 4096))
            try handle.write(contentsOf: Data(repeating: 0xA5, count: 4096))
            try handle.close()

            let service = try AgentService.start(folder, checks: true)
            if service.store.openingNote != nil {
                setAside += 1
                let shelf = try say(#"{"do":"stock","item":"shelf"}"#, to: service)
                if shelf["onHand"] == .integer(9), shelf["onOrder"] != nil { withOrder += 1 }
            }
            for _ in 0..<3 { try service.sell(2, of: "new", on: TestPackage.day(2)) }
            try hub.visit(service)
            #expect(hub.sold["17002 new"] == 6, "page \(page)")
            for (key, units) in hub.sold where key != "17002 new" {
                #expect(units == fed[key], "page \(page), \(key)")
            }
            // Acknowledged ones are all there.
            for number in 0...150 { #expect(hub.sold["17001 i\(number)"] == 1, "page \(page)") }
            #expect(try service.store.unsentCount() == 0)
        }
        // What is damaged elsewhere than in the schema and its own pages leaves the shelf as it was.
        #expect(withOrder > 0, "\(withOrder) of \(setAside) set aside")
    }

    @Test("damage met at work: the next start looks closely")
    func damageAtWork() throws {
        do {
            let service = try AgentService.start(folder)
            service.store.markDamaged()
        }
        let again = try AgentStore.open(directory: folder.path, checks: false)
        // It was sound: nothing is set aside, and the mark is gone.
        #expect(again.openingNote == nil)
        #expect(!FileManager.default.fileExists(atPath: folder.file("agent.sqlite.damaged")))
    }

    @Test("damage met by a running agent: it ends with a word, and the next start goes on")
    func damageOfRunningAgent() throws {
        do {
            let service = try AgentService.start(folder)
            for number in 0..<400 {
                try service.sell(1, of: "i\(number)", on: TestPackage.day(1), ref: "r\(number)")
            }
            try hub.visit(service)
            try service.sell(2, of: "last", on: TestPackage.day(1), ref: "last")
            let runner = try Runner(service, closingTime: nil) { _ in }
            let till = LocalSocketTests.Till(folder)
            _ = try runner.turn(waitMax: 0)
            try service.store.database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            service.store.database.releaseMemory()
            // All but the first page: the records of days and references among it.
            let bytes = try #require(
                try FileManager.default.attributesOfItem(
                    atPath: folder.file(AgentStore.fileName))[.size] as? Int)
            try damage(AgentStore.pageBytes..<bytes)
            till.send(LocalSocketTests.sale + #"{"do":"status"}"# + "\n")
            #expect(throws: AgentError.store(.corrupt)) {
                for _ in 0..<4 { _ = try runner.turn(waitMax: 0) }
            }
            let said = AgentError.store(.corrupt).text
            #expect(said.contains("the next start sets it aside"))
        }
        let service = try AgentService.start(folder)
        #expect(service.store.openingNote?.contains("set aside as") == true)
        try service.sell(5, of: "new", on: TestPackage.day(1))
        try hub.visit(service)
        #expect(hub.sold["17001 new"] == 5 && hub.sold["17001 i7"] == 1)
        #expect(hub.sold.values.reduce(0, +) - (hub.sold["17001 last"] ?? 0) == 405)
    }

    @Test("being another device: sales stay, what the old hub said goes")
    func anotherDevice() throws {
        do {
            let service = try AgentService.start(folder)
            try hub.offer(try TestPackage.model(release: 9).encode(), release: 9)
            try service.sell(1, of: "1", on: TestPackage.day(1))
            try hub.visit(service)
            try service.sell(2, of: "1", on: TestPackage.day(1))
        }
        let newHub = TestHub()
        newHub.enrol(folder, device: "device-2")
        let service = try AgentService.start(folder)
        #expect(service.running == nil)
        try newHub.offer(try TestPackage.model(release: 1).encode(), release: 1)
        try newHub.visit(service)
        #expect(newHub.sold == ["17001 1": 2])
        #expect(service.running?.release == 1)
    }

    @Test("a database of an agent before it: what waits is sent, without what was not noted then")
    func older() throws {
        do {
            let service = try AgentService.start(folder)
            try hub.offer(try TestPackage.model(release: 1).encode(), release: 1)
            try hub.visit(service)
            try service.sell(3, of: "1", on: TestPackage.day(1))
            _ = try service.close(TestPackage.day(1), isClosedAllDay: false)
            for table in ["outbox", "forecast"] {
                for column in ["level", "inputsDigest"] {
                    try service.store.database.execute(
                        "ALTER TABLE \(table) DROP COLUMN \(column)")
                }
            }
            try service.store.database.execute(
                """
                DROP TABLE onOrder;
                DROP TABLE stock;
                CREATE TABLE itemLevel (item TEXT PRIMARY KEY NOT NULL) WITHOUT ROWID;
                ALTER TABLE outbox DROP COLUMN reference;
                ALTER TABLE outbox DROP COLUMN sales;
                ALTER TABLE outbox DROP COLUMN besideUnits;
                ALTER TABLE outbox DROP COLUMN besideDigest;
                DROP TABLE besideForecast;
                DROP TABLE metadata;
                DROP TABLE trustState;
                DROP TABLE packageDelta;
                ALTER TABLE packageSlot RENAME COLUMN candidate TO statement;
                ALTER TABLE packageSlot ADD COLUMN signature BLOB;
                ALTER TABLE updateState RENAME COLUMN candidate TO statement;
                ALTER TABLE updateState ADD COLUMN signature BLOB;
                DELETE FROM setting WHERE name IN ('foldedThrough', 'sentThrough')
                """)
            for column in [
                "stage", "comparedDays", "besideSince", "besideThrough", "trialDays",
                "nanosecondsMax",
                "fetchBytesMax", "meteredBytesMax", "windowFrom", "windowUntil", "crashes",
            ] {
                try service.store.database.execute(
                    "ALTER TABLE updateState DROP COLUMN \(column)")
            }
            try service.store.database.execute("PRAGMA user_version = 1")
        }
        let service = try AgentService.start(folder)
        #expect(service.running?.release == 1)
        try hub.visit(service)
        #expect(hub.forecasts.count == 3 && hub.forecasts.allSatisfy { $0.inputsDigest == 0 })
        _ = try service.close(TestPackage.day(2), isClosedAllDay: false)
        // Day 3 is the first that was forecast after the update.
        _ = try service.close(TestPackage.day(3), isClosedAllDay: false)
        try hub.visit(service)
        #expect(hub.forecasts.suffix(3).allSatisfy { $0.inputsDigest != 0 && $0.levelUnits > 0 })
    }

    @Test("a database of a newer agent: it is left alone")
    func newer() throws {
        do {
            let store = try AgentStore.open(directory: folder.path, checks: false)
            try store.database.execute("PRAGMA user_version = 99")
        }
        #expect(throws: StoreError.newer(version: 99)) {
            try AgentStore.open(directory: folder.path, checks: true)
        }
    }
}
