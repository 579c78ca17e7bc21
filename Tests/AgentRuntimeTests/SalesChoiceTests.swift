import AgentCore
import AgentRuntime
import Forecasting
import Foundation
import JSONText
import ModelPackage
import SyncProtocol
import TestSupport
import Testing

/// What an operator may choose for the sales of a device: SPEC 9.10, `run --sales`, `--commit-every`, `--outbox-max`.
@Suite("Sales on a device")
struct SalesChoiceTests {
    let folder = TemporaryFolder()
    let hub = TestHub()

    init() { hub.enrol(folder) }

    static let items = (1...50).map { "\($0)" }

    /// Feeds one day in some thirty turns of the agent's loop.
    /// - Returns: what was sold, as `TestHub.sold` has it.
    static func sell(
        _ count: Int, on day: BusinessDay, _ service: AgentService, seed: UInt64 = 1,
        referred: Bool = false
    ) throws -> [String: Int] {
        var random = SeededGenerator(seed: seed)
        var fed: [String: Int] = [:]
        for start in stride(from: 0, to: count, by: 150) {
            let sales = try (start..<min(count, start + 150)).map { number in
                let item = items.randomElement(using: &random) ?? ""
                let units = UInt32.random(in: 1...4, using: &random)
                fed["\(day.daysSince1970) \(item)", default: 0] += Int(units)
                return Sale(
                    day: day, item: try ItemID(item), units: units,
                    reference: referred ? [UInt8]("till-1/\(number)".utf8) : nil)
            }
            #expect(try service.record(sales).allSatisfy { $0 == .recorded })
        }
        return fed
    }

    /// The store's totals of a package's whole window.
    static func window(items: [String]) -> Context {
        Context(
            revision: 2, items: items,
            days: (-13...0).map { offset in
                StoreDay(
                    day: TestPackage.day(offset).daysSince1970, final: true,
                    sold: items.indices.map { ItemDay(itemIndex: UInt32($0), units: 4) })
            })
    }

    @Test(
        "go up as they are or as totals: the hub has the same, in 12 KB a day or in 1 KB",
        arguments: [(false, 12_000), (true, 1_024)])
    func dayOnTheWire(sendsTotals: Bool, bytesMax: Int) throws {
        let service = try AgentService.start(folder)
        try service.choose(sendsTotals: sendsTotals, outboxBytesMax: 16 << 20)
        let package = try TestPackage.model(release: 1, items: Self.items)
        try hub.offer(package.encode(), release: 1)
        hub.contexts = [Self.window(items: Self.items)]
        try hub.visit(service)
        let fed = try Self.sell(5_000, on: TestPackage.day(1), service)
        if sendsTotals { #expect(try !service.store.hasUnsent()) }
        #expect(try service.store.unsentCount() == 5_000)
        _ = try service.close(TestPackage.day(1), isClosedAllDay: false)
        let before = hub.uploadBytes
        try hub.visit(service)
        #expect(hub.uploadBytes - before <= bytesMax, "\(hub.uploadBytes - before)")
        #expect(hub.sold == fed)
        #expect(hub.closedDays == [17_001])
        #expect(hub.forecasts.count == 50)
        for forecast in hub.forecasts {
            #expect(Int(forecast.actualUnits) == fed["17001 \(forecast.item)"] ?? 0)
            #expect(forecast.inputsDigest != 0)
        }
        #expect(try service.store.unsentCount() == 0)
        #expect(hub.records.count == (sendsTotals ? 101 : 5_051))
    }

    @Test("that go as totals leave the level out only where the hub can follow it")
    func level() throws {
        let service = try AgentService.start(folder)
        try service.choose(sendsTotals: true, outboxBytesMax: 16 << 20)
        try hub.offer(try TestPackage.model(release: 1).encode(), release: 1)
        try hub.visit(service)
        // The package does not know the last item.
        hub.contexts = [Self.window(items: ["1", "2", "3", "new"])]
        try hub.visit(service)
        for offset in 1...2 {
            _ = try service.close(TestPackage.day(offset), isClosedAllDay: false)
        }
        try hub.visit(service)
        let stated = hub.forecasts.filter { $0.levelUnits != 0 }.map { "\($0.day) \($0.item)" }
        #expect(hub.forecasts.count == 8)
        // Of the second day it knows its own sales alone.
        #expect(stated == ["17001 new", "17002 1", "17002 2", "17002 3", "17002 new"])
    }

    @Test("that go as totals wait for their day's close, and late ones for the next")
    func totalsWait() throws {
        let service = try AgentService.start(folder)
        try service.choose(sendsTotals: true, outboxBytesMax: 16 << 20)
        let days = (1...3).map { TestPackage.day($0) }
        try service.sell(3, of: "1", on: days[0])
        try service.sell(5, of: "1", on: days[1])
        try hub.visit(service)
        #expect(hub.records.isEmpty)
        _ = try service.close(days[0], isClosedAllDay: false)
        try hub.visit(service)
        #expect(hub.sold == ["17001 1": 3] && hub.closedDays == [17_001])
        // Late for the first day, behind a sale of a day that is open.
        try service.sell(900_000, of: "1", on: days[0])
        try service.sell(900_000, of: "1", on: days[0])
        try hub.visit(service)
        #expect(hub.sold == ["17001 1": 3])
        _ = try service.close(days[1], isClosedAllDay: false)
        try service.sell(7, of: "2", on: days[2])
        try hub.visit(service)
        // A total above what one record holds takes two.
        #expect(hub.sold == ["17001 1": 1_800_003, "17002 1": 5])
        #expect(try service.store.unsentCount() == 1)
        // Another choice, and it goes.
        try service.choose(sendsTotals: false, outboxBytesMax: 16 << 20)
        try hub.visit(service)
        #expect(hub.sold["17003 2"] == 7)
    }

    @Test("that go as totals keep a return behind what it takes off, also of an open day")
    func returns() throws {
        let service = try AgentService.start(folder)
        try service.choose(sendsTotals: true, outboxBytesMax: 16 << 20)
        func takeBack(_ units: UInt32, on day: BusinessDay) throws {
            let sale = Sale(day: day, item: try ItemID("1"), units: units, isReturn: true)
            #expect(try service.record([sale]) == [.returned(uncounted: 0)])
        }
        let days = (1...2).map { TestPackage.day($0) }
        try service.sell(5, of: "1", on: days[0])
        try service.sell(6, of: "1", on: days[1])
        try takeBack(2, on: days[1])
        try takeBack(1, on: days[0])
        try service.sell(3, of: "1", on: days[0])
        for day in days {
            _ = try service.close(day, isClosedAllDay: false)
            try hub.visit(service)
        }
        // In the order of their numbers; a hub takes off no more than it has by then.
        var sold: [Int32: UInt32] = [:]
        for record in hub.records {
            switch record {
            case .sale(let sale): sold[sale.day, default: 0] += sale.units
            case .returned(let sale):
                #expect(sold[sale.day, default: 0] >= sale.units)
                sold[sale.day, default: 0] -= sale.units
            default: break
            }
        }
        #expect(sold == [17_001: 7, 17_002: 4])
        #expect(try service.store.unsentCount() == 0)
    }

    /// The real numbers take a minute where others use the machine too.
    static let scale =
        ProcessInfo.processInfo.environment["SHELFCAST_FULL_SCALE"] == nil ? 10 : 1

    @Test(
        "beside a hub that is gone for 60 days: bounded, and no unit of them lost (a tenth of 5,000 a day and of 16 MiB; all of it with SHELFCAST_FULL_SCALE=1)"
    )
    func hubGone() throws {
        let (salesADay, bytesMax) = (5_000 / Self.scale, Int64(16 << 20) / Int64(Self.scale))
        let service = try AgentService.start(folder)
        try service.choose(sendsTotals: false, outboxBytesMax: bytesMax)
        try hub.visit(service)
        var fed: [String: Int] = [:]
        func live(_ days: ClosedRange<Int>) throws {
            for offset in days {
                let day = TestPackage.day(offset)
                let sold = try Self.sell(
                    salesADay, on: day, service, seed: UInt64(offset), referred: true)
                fed.merge(sold) { $1 }
                _ = try service.close(day, isClosedAllDay: false)
            }
        }
        try live(1...60)
        // Within the budget nothing has become a total.
        #expect(try service.store.unsentCount() == 60 * (salesADay + 1))
        #expect(service.reply(to: .status)["foldedSales"] == .integer(0))
        // What was on its way when the hub went away may have arrived: no total may replace it.
        let sent = try #require(try service.store.nextUpload(bytesMax: 65_536))
        _ = try hub.answer(.upload(sent))
        try live(61...90)
        let path = folder.file(AgentStore.fileName)
        let left = try #require(
            try service.store.database.first(
                "SELECT count(*), sum(kind = 2) FROM outbox", columns: 2))
        #expect(left[1].integer == 90)
        #expect(left[0].integer < 90 * Int64(salesADay))
        let folded = service.reply(to: .status)["foldedSales"]
        guard case .number(let text)? = folded, let count = decimal(text) else {
            Issue.record("foldedSales is \(String(describing: folded))")
            return
        }
        #expect(count > UInt64(15 * salesADay) && count < UInt64(60 * salesADay))
        #expect(
            String(decoding: service.reply(to: .status).line, as: UTF8.self).contains("foldedSales")
        )
        try hub.visit(service)
        #expect(hub.sold == fed)
        #expect(hub.closedDays == (1...90).map { TestPackage.day($0).daysSince1970 })
        #expect(hub.foldedSales == count)
        #expect(try service.store.unsentCount() == 0)
        // Repeated ones of the newest days are still known.
        let repeated = try service.record([
            Sale(
                day: TestPackage.day(52), item: try ItemID("1"), units: 1,
                reference: [UInt8]("till-1/0".utf8))
        ])
        #expect(repeated[0] != .recorded)
        let bytes = try FileManager.default.attributesOfItem(atPath: path)[.size] as? Int64 ?? 0
        // Beside the outbox: 200,000 references, or fewer, and 90 days of 50 totals.
        #expect(
            bytes < bytesMax * 3 / 2 + Int64(200_000 * 55 / Self.scale) + 4_500 * 30, "\(bytes)")
    }

    @Test("are known again by their reference as long as there is room for references")
    func referencesBounded() throws {
        let service = try AgentService.start(folder)
        let database = service.store.database
        for (day, count) in [(17_001, 500), (17_002, 500), (17_003, 199_000)] {
            try database.execute(
                """
                WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < \(count))
                INSERT INTO saleReference SELECT \(day), CAST('r' || i AS BLOB), '1', 1 FROM n
                """)
        }
        func sale(_ offset: Int, _ reference: String) throws -> SaleOutcome {
            try service.record([
                Sale(
                    day: TestPackage.day(offset), item: try ItemID("1"), units: 1,
                    reference: [UInt8](reference.utf8))
            ])[0]
        }
        try service.store.prune(before: TestPackage.day(1))
        #expect(try sale(1, "r500") == .repeated)
        #expect(try sale(3, "new") == .recorded)
        _ = try service.close(TestPackage.day(3), isClosedAllDay: false)
        // One more than there is room for: the oldest day goes, and no other.
        #expect(try sale(1, "r500") == .recorded)
        #expect(try sale(2, "r1") == .repeated && sale(3, "r1") == .repeated)
    }

    func held() throws -> AgentService {
        try AgentService(
            store: try AgentStore.open(directory: folder.path, checks: false),
            commitMilliseconds: 60_000)
    }

    static func line(_ number: Int) -> JSONValue {
        .object([
            .init("day", .string(TestPackage.day(1).iso8601)), .init("item", .string("1")),
            .init("units", .integer(2)), .init("ref", .string("r\(number)")),
        ])
    }

    @Test("may wait for the disk, and the answer says so; a close and an upload put them there")
    func commitEvery() throws {
        do {
            let service = try held()
            let reply = service.reply(to: .sales([Self.line(1)]))
            #expect(reply["ok"] == .bool(true) && reply["durable"] == .bool(false))
            #expect(service.reply(to: .sales([Self.line(1)]))["repeated"] == .integer(1))
            #expect(service.isHolding)
            #expect(service.settleAt < .max)
        }
        // As a power cut would: nothing of it is left.
        do {
            let service = try held()
            #expect(try service.store.unsentCount() == 0)
            _ = service.reply(to: .sales([Self.line(1)]))
            try service.settle()
            #expect(!service.isHolding && service.settleAt == .max)
            _ = service.reply(to: .sales([Self.line(2)]))
        }
        do {
            let service = try held()
            #expect(try service.store.unsentCount() == 1)
            _ = service.reply(to: .sales([Self.line(2)]))
            _ = try service.close(TestPackage.day(1), isClosedAllDay: false)
            #expect(!service.isHolding)
            _ = service.reply(to: .sales([Self.line(3)]))
            // A number that the hub has heard must not be given again.
            try hub.visit(service)
            #expect(!service.isHolding)
            #expect(hub.sold == ["17001 1": 6])
        }
        let service = try held()
        for number in 1...3 { _ = service.reply(to: .sales([Self.line(number)])) }
        try hub.visit(service)
        #expect(hub.sold == ["17001 1": 6])
    }

    @Test("that wait for a disk that is full are kept until there is room, and counted once")
    func commitFails() throws {
        let service = try held()
        try hub.visit(service)
        var taken = 0
        for number in 1...200 {
            let reply = service.reply(to: .sales([Self.line(number)]))
            #expect(reply["recorded"] == .integer(1))
            taken += 1
            if number == 100 {
                // From here on every page more is one too many.
                let pages = try #require(
                    try service.store.database.first("PRAGMA page_count", columns: 1))
                let limit = "PRAGMA max_page_count = \(pages[0].integer + 8)"
                try service.store.database.execute(limit)
            }
            if reply["recorded"] != .integer(1) { break }
        }
        var refused = 0
        for number in 201...400 {
            let reply = service.reply(to: .sales([Self.line(number)]))
            if reply["ok"] == .bool(true) { taken += 1 } else { refused += 1 }
        }
        #expect(refused > 0)
        try service.store.database.execute("PRAGMA max_page_count = 100000")
        try service.settle()
        #expect(!service.isHolding)
        try hub.visit(service)
        #expect(hub.sold == ["17001 1": 2 * taken])
    }
}
