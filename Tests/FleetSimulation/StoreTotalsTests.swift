import AgentCore
import AgentRuntime
import Forecasting
import HubCore
import HubStore
import HubSync
import SyncProtocol
import TestSupport
import Testing

/// SPEC 10, by both programs' own code.
@Suite("The store's totals on its devices")
struct StoreTotalsTests {
    static let day0 = BusinessDay(daysSince1970: 20_000)
    static let items = ["10", "2", "a", "b", "milk-1", "milk-10", "z"]

    static func sale(
        _ item: String, _ units: UInt32, on day: BusinessDay, isReturn: Bool = false
    ) throws -> Sale {
        Sale(day: day, item: try ItemID(item), units: units, isReturn: isReturn)
    }

    /// Of a day that is not final only what sold: the guess at how much moves with other days, and is not sent again for
    /// that.
    static func settled(_ day: String) -> String {
        guard day.hasPrefix("0") else { return day }
        return day.split(separator: " ").map { $0.split(separator: ":")[0] }.joined(separator: " ")
    }

    /// Every device, after one more visit, against the hub's own ledger.
    static func check(_ store: SimulatedStore, _ comment: String) async throws {
        for number in store.devices.indices { try await store.visit(number) }
        for number in store.devices.indices {
            try await store.visit(number)
            let device = store.devices[number]
            guard let truth = try await store.truth(for: number, from: day0) else { continue }
            var expected: [Int32: String] = [:]
            for day in truth.days {
                let sold = day.sold.map { (truth.items[$0.itemIndex], $0.units) }
                    .sorted { $0.0.text < $1.0.text }.map { " \($0.0.text):\($0.1)" }
                expected[day.day.daysSince1970] =
                    "\(day.isFinal ? 1 : 0) \(day.closedAllDay ? 1 : 0)" + sold.joined()
            }
            let known = try device.storeDays().mapValues(settled)
            expected = expected.mapValues(settled)
            for day in Set(known.keys).union(expected.keys).sorted() {
                #expect(known[day] == expected[day], "\(comment), \(device.name), day \(day)")
            }
            #expect(try device.service.store.ownShare() == truth.ownShare, "\(comment)")
            // The hub lists every item it ever heard of; a device those of its days.
            let levels = try device.service.store.levels()
            let sold = truth.levels.filter { level in
                truth.days.contains { $0.sold.contains { $0.itemIndex == level.itemIndex } }
            }
            #expect(levels.count == sold.count, "\(comment), \(device.name)")
            for level in sold {
                let point = levels[truth.items[level.itemIndex]]
                #expect(
                    point == LevelPoint(level: level.units, day: level.day),
                    "\(comment), \(device.name)")
            }
        }
    }

    @Test(
        "are the hub's, whatever is sold late, taken back, corrected, lost, resent or cut off",
        arguments: 1...24 as ClosedRange<UInt64>)
    func property(seed: UInt64) async throws {
        var random = SeededGenerator(seed: seed)
        let store = try await SimulatedStore(deviceCount: Int(seed % 3) + 1)
        for today in 0..<24 {
            for number in store.devices.indices {
                let device = store.devices[number].service
                for _ in 0..<Int.random(in: 0...6, using: &random) {
                    let late = Int.random(in: 0...9, using: &random) == 0
                    let day = Self.day0.advanced(
                        by: late ? max(0, today - .random(in: 1...3, using: &random)) : today)
                    let item = Self.items.randomElement(using: &random) ?? ""
                    let isReturn = Int.random(in: 0...5, using: &random) == 0
                    _ = try device.record([
                        try Self.sale(
                            item, .random(in: 1...400, using: &random), on: day,
                            isReturn: isReturn)
                    ])
                }
                if Int.random(in: 0...9, using: &random) > 0 {
                    _ = try device.close(Self.day0.advanced(by: today), isClosedAllDay: false)
                }
                switch Int.random(in: 0...5, using: &random) {
                case 0: break
                case 1:
                    do {
                        try await store.visit(
                            number, answersMax: .random(in: 0...7, using: &random))
                    } catch is SimulatedStore.Cut {}
                default: try await store.visit(number)
                }
                if Int.random(in: 0...19, using: &random) == 0 {
                    try store.devices[number].lose(
                        Self.day0.advanced(by: max(0, today - 1)))
                }
            }
            if Int.random(in: 0...19, using: &random) == 0 {
                try await store.importTotal(
                    of: Self.items[1], on: Self.day0.advanced(by: max(0, today - 2)),
                    units: .random(in: 0...90, using: &random))
            }
            if today % 8 == 7 { try await Self.check(store, "seed \(seed), day \(today)") }
        }
    }

    @Test("of a device that is alone come back in its own words")
    func alone() async throws {
        let store = try await SimulatedStore(deviceCount: 1)
        let device = store.devices[0].service
        for offset in 0..<9 {
            for item in Self.items {
                _ = try device.record([
                    try Self.sale(item, UInt32(offset + 1), on: Self.day0.advanced(by: offset))
                ])
            }
            _ = try device.close(Self.day0.advanced(by: offset), isClosedAllDay: false)
            try await store.visit(0)
        }
        // At the first visit the device knew no revision.
        #expect(store.ownDays == 8)
        #expect(store.askedInFull == 0)
        try await Self.check(store, "alone")
    }

    @Test("are asked for in full where a device has lost what it said, and then by words again")
    func lost() async throws {
        let store = try await SimulatedStore(deviceCount: 1)
        let device = store.devices[0]
        func trade(_ offset: Int) throws {
            let day = Self.day0.advanced(by: offset)
            _ = try device.service.record([
                try Self.sale("a", 3, on: day), try Self.sale("z", 2, on: day),
            ])
            _ = try device.service.close(day, isClosedAllDay: false)
        }
        try trade(0)
        try await store.visit(0)
        try trade(1)
        // The upload arrives and its answer does not; then what was sold is lost.
        await #expect(throws: SimulatedStore.Cut.self) {
            try await store.visit(0, answersMax: 2)
        }
        try device.lose(Self.day0.advanced(by: 1))
        try await store.visit(0)
        #expect(store.ownDays == 1 && store.askedInFull == 1)
        #expect(try device.storeDays()[20_001] == "1 0 a:3 z:2")
        try trade(2)
        try await store.visit(0)
        #expect(store.ownDays == 2 && store.askedInFull == 1)
        try await Self.check(store, "lost")
    }

    @Test("of a second device never pass for the first one's")
    func second() async throws {
        let store = try await SimulatedStore(deviceCount: 2)
        for offset in 0..<3 {
            let day = Self.day0.advanced(by: offset)
            for number in 0...1 {
                let device = store.devices[number].service
                // Of the same units, of other items.
                if offset > 0 || number == 0 {
                    _ = try device.record([try Self.sale(Self.items[number], 5, on: day)])
                }
                _ = try device.close(day, isClosedAllDay: false)
                try await store.visit(number)
            }
        }
        // The first one's day alone, before the second had ever closed one.
        #expect(store.ownDays <= 1)
        try await Self.check(store, "second")
    }

    @Test("come with the calendar, once, when it has changed, and to a device that heeds it alone")
    func calendar() async throws {
        let store = try await SimulatedStore(deviceCount: 2)
        func entry(
            _ offset: Int, _ kind: CalendarEntry.Kind, _ item: String? = nil, of home: String? = "1"
        ) throws -> CalendarEntry {
            CalendarEntry(
                day: Self.day0.advanced(by: offset), store: try home.map { try StoreID($0) },
                item: try item.map { try ItemID($0) }, kind: kind)
        }
        for offset in 0..<10 {
            for number in 0...1 {
                let device = store.devices[number].service
                for item in Self.items {
                    _ = try device.record([
                        try Self.sale(item, UInt32(offset + 1), on: Self.day0.advanced(by: offset))
                    ])
                }
                _ = try device.close(Self.day0.advanced(by: offset), isClosedAllDay: false)
                try await store.visit(number)
            }
        }
        try await Self.check(store, "without a calendar")
        #expect(store.calendars == 0)
        let entries = [
            try entry(3, .stockOut, "a"), try entry(4, .stockOut, "a"), try entry(5, .closed),
            try entry(12, .promotion, "milk-1"), try entry(12, .holiday, of: nil),
            try entry(12, .closed, of: "2"), try entry(12, .promotion, "nobody"),
            try entry(900, .holiday),
        ]
        _ = try await store.hub.importCalendar(entries, at: Timestamp(millisecondsSince1970: 1))
        for _ in 0..<3 { for number in 0...1 { try await store.visit(number) } }
        #expect(store.calendars == 2)
        let expected = StoreCalendar(entries[0...4], store: try StoreID("1"))
        for device in store.devices {
            #expect(try device.service.store.calendar() == expected)
            // 2 (1 + 2 + ... + 10) less two days' 4 and 5, and the closed day's 6, over the days that are left.
            let levels = try device.service.store.levels()
            let (a, b) = (levels[try ItemID("a")], levels[try ItemID("b")])
            #expect(a?.level == Float(80.0 / 7))
            #expect(b?.level == Float(98.0 / 9))
        }
        // The hub reads it as its devices do.
        _ = try await store.hub.removeCalendar(
            kind: nil, store: nil, from: Self.day0, through: Self.day0.advanced(by: 12),
            at: Timestamp(millisecondsSince1970: 2))
        _ = try await store.hub.removeCalendar(
            kind: nil, store: try StoreID("1"), from: Self.day0,
            through: Self.day0.advanced(by: 12),
            at: Timestamp(millisecondsSince1970: 2))
        for _ in 0..<2 { for number in 0...1 { try await store.visit(number) } }
        #expect(store.calendars == 4)
        for device in store.devices { #expect(try device.service.store.calendar().isEmpty) }
        try await Self.check(store, "without a calendar again")

        // An agent of before says neither that it heeds one nor which.
        _ = try await store.hub.importCalendar(entries, at: Timestamp(millisecondsSince1970: 3))
        let device = try DeviceID(store.devices[0].name)
        for request in [ContextRequest(takesColumns: true), ContextRequest(knownRevision: 1)] {
            guard case .context(let frames) = await store.desk.answer(.context(device, request))
            else {
                Issue.record("no context")
                return
            }
            #expect(frames.allSatisfy { $0.calendar == nil } && frames.last?.more == false)
        }
    }
}
