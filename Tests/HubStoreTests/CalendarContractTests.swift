import Forecasting
import HubCore
import HubStore
import Testing

@Suite("Contract: calendar")
struct CalendarContractTests {
    private static func entry(
        _ offset: Int, _ kind: CalendarEntry.Kind, store: String? = nil, item: String? = nil,
        name: String = ""
    ) throws -> CalendarEntry {
        CalendarEntry(
            day: Sample.day(offset), store: try store.map { try StoreID($0) },
            item: try item.map { try ItemID($0) }, kind: kind, name: name)
    }

    @Test(
        "The same calendar again changes nothing, another name renames",
        arguments: StoreUnderTest.allCases)
    func idempotent(under test: StoreUnderTest) async throws {
        try await test.run { store in
            let entries = [
                try Self.entry(0, .holiday, name: "Easter Monday"),
                try Self.entry(0, .closed, store: "2"),
                try Self.entry(1, .stockOut, store: "1", item: "milk"),
                try Self.entry(3, .promotion, item: "milk", name: "spring"),
            ]
            #expect(
                try await store.importCalendar(entries, at: Sample.now)
                    == CalendarOutcome(added: 4, renamed: 0, known: 0))
            #expect(
                try await store.importCalendar(entries, at: Sample.now)
                    == CalendarOutcome(added: 0, renamed: 0, known: 4))
            var renamed = entries
            renamed[0].name = "Easter"
            #expect(
                try await store.importCalendar(renamed, at: Sample.now)
                    == CalendarOutcome(added: 0, renamed: 1, known: 3))
            #expect(
                try await store.calendar(kind: nil, store: nil, from: nil, through: nil) == renamed)
            // What holds for every store holds for this one.
            #expect(
                try await store.calendar(
                    kind: nil, store: try StoreID("2"), from: nil, through: Sample.day(2))
                    == Array(renamed[0...1]))
            #expect(
                try await store.calendar(
                    kind: .stockOut, store: nil, from: Sample.day(1), through: nil)
                    == [renamed[2]])
            // What did not change is not told.
            #expect(try await store.audit(countMax: 9).map(\.action) == ["import", "import"])
        }
    }

    @Test("What is removed is gone, and no more than that", arguments: StoreUnderTest.allCases)
    func removal(under test: StoreUnderTest) async throws {
        try await test.run { store in
            let entries = [
                try Self.entry(0, .holiday), try Self.entry(0, .closed, store: "2"),
                try Self.entry(5, .closed, store: "2"), try Self.entry(5, .closed, store: "3"),
            ]
            _ = try await store.importCalendar(entries, at: Sample.now)
            #expect(
                try await store.removeCalendar(
                    kind: .closed, store: try StoreID("2"), from: Sample.day(0),
                    through: Sample.day(9), at: Sample.now
                ).removed == 2)
            #expect(
                try await store.calendar(kind: nil, store: nil, from: nil, through: nil)
                    == [entries[0], entries[3]])
            #expect(
                try await store.removeCalendar(
                    kind: .closed, store: nil, from: Sample.day(0), through: Sample.day(4),
                    at: Sample.now
                ) == CalendarRemoval(removed: 0, tooOldForDevices: 0))
        }
    }

    @Test(
        "Entries that take out days of which no device is told any more are counted",
        arguments: StoreUnderTest.allCases)
    func tooOld(under test: StoreUnderTest) async throws {
        try await test.run { store in
            let back = DeviceCalendar.excludedDaysBack + DeviceCalendar.blockDays
            let entries = [
                try Self.entry(0, .closed), try Self.entry(1, .stockOut, item: "a"),
                try Self.entry(1, .closed, store: "1"), try Self.entry(1, .closed, store: "2"),
                try Self.entry(1, .holiday), try Self.entry(back + 1, .closed, store: "1"),
                // Of a store that has no days there is no device.
                try Self.entry(1, .closed, store: "3"),
            ]
            #expect(
                try await store.importCalendar(entries, at: Sample.now).tooOldForDevices == 0,
                "no store has a day")
            _ = try await store.removeCalendar(
                kind: nil, store: nil, from: Sample.day(0), through: Sample.day(999),
                at: Sample.now)
            try await Sample.importRows(store, [("1", "a", back + 2, 5), ("2", "a", 60, 6)])
            // Store 2 is told of what holds for every store.
            #expect(try await store.importCalendar(entries, at: Sample.now).tooOldForDevices == 1)
            try await Sample.importRows(store, [("2", "a", back + 2, 6)])
            #expect(
                try await store.importCalendar(entries, at: Sample.now).tooOldForDevices == 0,
                "nothing was added")
            #expect(
                try await store.removeCalendar(
                    kind: nil, store: nil, from: Sample.day(0), through: Sample.day(999),
                    at: Sample.now) == CalendarRemoval(removed: 7, tooOldForDevices: 4))
        }
    }

    @Test(
        "Devices hear of a change in the stores that it concerns, and of none that says nothing new",
        arguments: StoreUnderTest.allCases)
    func revisions(under test: StoreUnderTest) async throws {
        try await test.run { store in
            try await Sample.importRows(store, [("1", "a", 0, 5), ("2", "a", 0, 6)])
            func revisions() async throws -> [UInt64] {
                try await store.stores().map(\.revision)
            }
            let before = try await revisions()
            func grown() async throws -> [UInt64] {
                zip(try await revisions(), before).map { $0 - $1 }
            }
            var own = try Self.entry(3, .promotion, store: "2", item: "a", name: "spring")
            _ = try await store.importCalendar([own], at: Sample.now)
            #expect(try await grown() == [0, 1])
            own.name = "summer"
            _ = try await store.importCalendar([own], at: Sample.now)
            #expect(try await grown() == [0, 1])
            _ = try await store.importCalendar(
                [own, try Self.entry(3, .holiday), try Self.entry(0, .closed, store: "3")],
                at: Sample.now)
            #expect(try await grown() == [1, 2])
            _ = try await store.removeCalendar(
                kind: .promotion, store: try StoreID("2"), from: Sample.day(0),
                through: Sample.day(9), at: Sample.now)
            #expect(try await grown() == [1, 3])
            // What they are told of days is as it was.
            let ledger = try #require(try await store.ledger(store: try StoreID("2"), from: nil))
            #expect(ledger.days.map(\.revision) == [before[1]])
        }
    }
}

extension CalendarOutcome {
    fileprivate init(added: Int, renamed: Int, known: Int) {
        self.init()
        (self.added, self.renamed, self.known) = (added, renamed, known)
    }
}
