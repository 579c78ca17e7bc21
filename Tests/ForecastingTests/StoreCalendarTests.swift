import Forecasting
import TestSupport
import Testing

@Suite("A store's calendar")
struct StoreCalendarTests {
    private static let first = BusinessDay(daysSince1970: 20_000)
    private static let items = ["1", "10", "2", "milk"].map { try! ItemID($0) }  // valid as written

    @Test(
        "says of each day and item what any entry says, in whatever order they came",
        arguments: 1...30 as ClosedRange<UInt64>)
    func marks(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let entries = (0..<Int.random(in: 0...60, using: &random)).map { _ in
            StoreCalendar.Entry(
                day: Self.first.advanced(by: .random(in: 0...20, using: &random)),
                item: Bool.random(using: &random) ? Self.items.randomElement(using: &random) : nil,
                marks: DayMarks(rawValue: .random(in: 1...15, using: &random)))
        }
        let calendar = StoreCalendar(entries)
        #expect(calendar == StoreCalendar(entries.shuffled(using: &random)), "seed \(seed)")
        #expect(calendar == StoreCalendar(calendar.entries), "seed \(seed)")
        #expect(calendar.isEmpty == entries.isEmpty)
        for day in (-1...21).map({ Self.first.advanced(by: $0) }) {
            let ofAll = entries.filter { $0.day == day && $0.item == nil }
            #expect(
                calendar.isClosed(day) == ofAll.contains { $0.marks.contains(.closed) },
                "seed \(seed)")
            for item in Self.items + [try! ItemID("other")] {  // valid as written
                var expected: DayMarks = []
                for entry in entries where entry.day == day {
                    if entry.item == nil || entry.item == item { expected.formUnion(entry.marks) }
                }
                #expect(calendar.marks(of: item, on: day) == expected, "seed \(seed)")
                let sold = DemandDay(units: 3)
                let demand = calendar.demand(sold, of: item, on: day)
                var heeded: DemandDay =
                    expected.contains(.closed)
                    ? .closed : expected.contains(.stockOut) ? .unknown : sold
                heeded.marks = expected.intersection([.holiday, .promotion])
                #expect(demand == heeded, "seed \(seed)")
            }
        }
    }

    @Test("of nothing leaves every day as it is")
    func empty() {
        for day in [DemandDay(units: 0), .unknown, .closed] {
            #expect(StoreCalendar().demand(day, of: Self.items[0], on: Self.first) == day)
        }
        #expect(StoreCalendar().entries.isEmpty)
    }
}
