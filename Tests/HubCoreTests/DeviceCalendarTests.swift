import Forecasting
import HubCore
import Testing

@Suite("The part of the calendar that devices are told")
struct DeviceCalendarTests {
    private static let last = BusinessDay(daysSince1970: 20_015)  // 715 blocks of 28 days less 5
    private static let milk = try! ItemID("milk")  // valid as written
    private static let bread = try! ItemID("bread")  // valid as written

    private static func told(
        _ entries: [(offset: Int, item: ItemID?, marks: DayMarks)], countMax: Int = 99
    ) -> [Int] {
        DeviceCalendar(
            StoreCalendar(
                entries.map {
                    StoreCalendar.Entry(
                        day: last.advanced(by: $0.offset), item: $0.item, marks: $0.marks)
                }), items: [milk], around: last, countMax: countMax
        ).entries.map { $0.day - last }
    }

    @Test(
        "reaches four months back for days that are taken out, two for others, and four weeks ahead"
    )
    func window() {
        let days = DeviceCalendar.days(around: Self.last)
        #expect(Self.last - days.first >= 120 && Self.last - days.first < 148)
        #expect(Self.last - days.firstPlanned >= 64 && Self.last - days.firstPlanned < 92)
        #expect(days.last - Self.last >= 28 && days.last - Self.last < 56)
        let (back, planned) = (days.first - Self.last, days.firstPlanned - Self.last)
        let ahead = days.last - Self.last
        #expect(
            Self.told([
                (back - 1, nil, .closed), (back, nil, .closed), (planned - 1, nil, .holiday),
                (planned - 1, Self.milk, [.stockOut, .promotion]), (planned, nil, .promotion),
                (ahead, Self.milk, .promotion), (ahead + 1, nil, .closed),
            ]) == [back, planned - 1, planned, ahead])
        // What is left of one that is old enough.
        let mixed = DeviceCalendar(
            StoreCalendar([
                StoreCalendar.Entry(
                    day: days.firstPlanned.advanced(by: -1), item: Self.milk,
                    marks: [.stockOut, .promotion])
            ]), items: [Self.milk], around: Self.last, countMax: 9)
        #expect(mixed.entries.map(\.marks) == [.stockOut])
    }

    @Test(
        "leaves out no day that a level still remembers: at most 0.31 % of how far the day lay from it",
        arguments: [0.001, 0.005, 1 / 121, 0.01, 0.02, 0.03, 0.05, 0.07, 0.1, 0.14, 0.2, 1]
            as [Float])
    func memory(rate: Float) {
        let spec = FeatureSpec(
            form: .profile, window: 7, levelRate: rate, inputs: [], output: .logResidual)
        var (heeded, counted) = (SeriesState(level: 1_000), SeriesState(level: 1_000))
        // A day on which nothing could be sold, read as one on which nothing was wanted.
        counted.close(demand: DemandDay(units: 0), factor: 1, spec: spec)
        for _ in 0..<DeviceCalendar.excludedDaysBack {
            heeded.close(demand: DemandDay(units: 1_000), factor: 1, spec: spec)
            counted.close(demand: DemandDay(units: 1_000), factor: 1, spec: spec)
        }
        #expect(heeded.level == 1_000)
        #expect(1_000 - counted.level <= 3.1)
    }

    @Test("moves every fourth week, so that it is not told anew every day")
    func blocks() {
        var firsts: Set<BusinessDay> = []
        for offset in 0..<280 {
            let days = DeviceCalendar.days(around: Self.last.advanced(by: offset))
            firsts.insert(days.first)
            #expect(days.last - days.first < 400)
        }
        #expect(firsts.count <= 11)
        let early = DeviceCalendar.days(around: BusinessDay(daysSince1970: 3))
        #expect(early.first.daysSince1970 == 0)
        let late = DeviceCalendar.days(around: BusinessDay(daysSince1970: 84_005))
        #expect(late.last.daysSince1970 == 84_005)
    }

    @Test("speaks of the store's own items alone")
    func items() {
        #expect(
            Self.told([(1, Self.milk, .stockOut), (2, Self.bread, .stockOut), (3, nil, .stockOut)])
                == [1, 3])
    }

    @Test("keeps what takes days out, and then what is near, when there is too much")
    func bound() {
        let entries: [(offset: Int, item: ItemID?, marks: DayMarks)] = [
            (-60, Self.milk, .promotion), (-40, Self.milk, .stockOut), (-1, nil, .holiday),
            (5, Self.milk, .promotion), (20, nil, .closed),
        ]
        #expect(Self.told(entries, countMax: 5).count == 5)
        #expect(Self.told(entries, countMax: 4) == [-40, -1, 5, 20])
        #expect(Self.told(entries, countMax: 3) == [-40, -1, 20])
        #expect(Self.told(entries, countMax: 1) == [20])
    }
}
