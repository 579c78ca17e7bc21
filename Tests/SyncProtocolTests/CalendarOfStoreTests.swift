import SyncProtocol
import TestSupport
import Testing

@Suite("A store's calendar on the wire")
struct CalendarOfStoreTests {
    private static func entries(
        _ calendar: CalendarOfStore
    ) throws -> [CalendarOfStore.Entry] {
        var entries: [CalendarOfStore.Entry] = []
        try calendar.forEachEntry { entries.append($0) }
        return entries
    }

    @Test(
        "arrives as it was, whatever order its entries came in",
        arguments: 1...20 as ClosedRange<UInt64>)
    func roundTrip(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let days = UInt32.random(in: 1...400, using: &random)
        let items = (0..<Int.random(in: 0...40, using: &random)).map { "item-\($0)" }
        var sent: [CalendarOfStore.Entry] = []
        for place in 0...UInt32(items.count) {
            for offset in 0..<days where Int.random(in: 0...60, using: &random) == 0 {
                sent.append(
                    CalendarOfStore.Entry(
                        day: 20_000 + Int32(offset), place: place,
                        marks: .random(in: 1...15, using: &random)))
            }
        }
        let calendar = CalendarOfStore(
            firstDay: 20_000, days: days, items: items, entries: sent.shuffled(using: &random))
        let message = Message.context(Context(revision: 3, calendar: calendar))
        guard case .context(let arrived)? = try decode(encodeFrame(message), from: .hub).first
        else {
            Issue.record("no context")
            return
        }
        #expect(try Self.entries(#require(arrived.calendar)) == sent, "seed \(seed)")
        #expect((calendar.digest == 0) == sent.isEmpty, "seed \(seed)")
        // Kept by a device as it came.
        #expect(try CalendarOfStore(decoding: calendar.encoded()) == calendar, "seed \(seed)")
    }

    @Test("has another digest when a day, an item or what is said of it is another")
    func digest() {
        func digest(_ day: Int32, _ item: String, _ marks: UInt8) -> UInt32 {
            CalendarOfStore(
                firstDay: 20_000, days: 100, items: [item],
                entries: [CalendarOfStore.Entry(day: day, place: 1, marks: marks)]
            ).digest
        }
        #expect(digest(20_001, "1", 2) == digest(20_001, "1", 2))
        let digests: Set = [
            digest(20_001, "1", 2), digest(20_002, "1", 2), digest(20_001, "2", 2),
            digest(20_001, "1", 3), CalendarOfStore().digest,
        ]
        #expect(digests.count == 5)
    }

    @Test(
        "costs a byte for each further day of a promotion, and stays below its frame at its largest"
    )
    func bytes() {
        func bytes(_ days: Int32) -> Int {
            CalendarOfStore(
                firstDay: 20_000, days: 200, items: ["1"],
                entries: (0..<days).map {
                    CalendarOfStore.Entry(day: 20_100 + $0, place: 1, marks: 8)
                }
            ).encoded().count
        }
        #expect(bytes(15) - bytes(1) == 14)
        let count = Limit.calendarCount
        let largest = CalendarOfStore(
            firstDay: Limit.dayMax - 399, days: 400,
            items: (0..<count).map {
                String(("\($0)" + String(repeating: "~", count: 32)).prefix(32))
            },
            entries: (1...UInt32(count)).map {
                CalendarOfStore.Entry(day: Limit.dayMax, place: $0, marks: 15)
            })
        #expect(largest.encoded().count < 80_000)
    }
}
