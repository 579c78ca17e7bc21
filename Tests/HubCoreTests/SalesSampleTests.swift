import Forecasting
import HubCore
import Testing

@Suite("The made-up sample")
struct SalesSampleTests {
    private static let sample = SalesSample(
        storeCount: 3, itemCount: 9, firstDay: BusinessDay(year: 2021, month: 1, day: 1)!,
        dayCount: 1095, seed: 7)

    private static func bytes(_ sample: SalesSample) -> [UInt8] {
        var bytes: [UInt8] = []
        sample.write { bytes += $0 }
        return bytes
    }

    /// FNV-1a, 64 bits.
    private static func hash(_ bytes: [UInt8]) -> UInt64 {
        bytes.reduce(0xCBF2_9CE4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
    }

    @Test("The same settings give the same bytes, here and on every machine")
    func reproducible() {
        let small = SalesSample(
            storeCount: 2, itemCount: 4, firstDay: BusinessDay(year: 2021, month: 1, day: 1)!,
            dayCount: 200, seed: 42)
        let bytes = Self.bytes(small)
        #expect(bytes == Self.bytes(small))
        // Changes when the sample does: say so in the change log.
        #expect(Self.hash(bytes) == 1_046_253_692_157_911_947)
        var other = small
        other.seed = 43
        #expect(Self.bytes(other) != bytes)
    }

    @Test("A series does not depend on how many others there are")
    func independent() {
        var large = Self.sample
        large.storeCount = 5
        large.itemCount = 30
        #expect(large.rows(store: 2, item: 5) == Self.sample.rows(store: 2, item: 5))
    }

    @Test("What it writes imports without a bad row, and says the same as the rows")
    func readsBack() throws {
        var reader = SalesCSVReader()
        try Self.bytes(Self.sample).withUnsafeBufferPointer { try reader.read($0) }
        try reader.finish()
        #expect(reader.badRowCount == 0)
        #expect(reader.series.count == 27)
        let expected = (1...3).flatMap { store in
            (1...9).flatMap { Self.sample.rows(store: store, item: $0).map(\.units) }
        }
        reader.takeRows { rows in #expect(rows.map { Int($0.units) } == expected) }
    }

    @Test("A closed day sells nothing in the whole store; Christmas is closed everywhere")
    func closedDays() {
        for store in 1...3 {
            let rows = (1...9).map { Self.sample.rows(store: store, item: $0) }
            for row in rows.flatMap({ $0 }) where row.isClosed { #expect(row.units == 0) }
            let closed = rows.map { Set($0.filter(\.isClosed).map(\.day)) }
            let full = closed[0]
            // Late items know only their own days, the others all.
            for (item, days) in closed.enumerated() where (item + 1) % 8 != 0 {
                #expect(days == full)
            }
            for year in 2021...2023 {
                #expect(full.contains(BusinessDay(year: year, month: 12, day: 25)!))
                #expect(full.contains(BusinessDay(year: year, month: 1, day: 1)!))
            }
            #expect(full.contains { $0.weekday == 6 && $0.month == 6 } == (store == 3))
        }
    }

    @Test("Every eighth item is launched late, and has no row before")
    func lateLaunch() {
        #expect(Self.sample.rows(store: 1, item: 8).count == 1095 - 1095 * 3 / 10)
        #expect(Self.sample.rows(store: 1, item: 7).count == 1095)
    }

    @Test("Promotions lift sales, in all stores on the same days")
    func promotions() {
        let rows = (1...3).map { Self.sample.rows(store: $0, item: 4) }
        #expect(rows.allSatisfy { $0.map(\.isPromoted) == rows[0].map(\.isPromoted) })
        func mean(_ rows: [SalesSample.Row]) -> Double {
            Double(rows.reduce(0) { $0 + $1.units }) / Double(rows.count)
        }
        let open = rows[0].filter { !$0.isClosed && !$0.isOutOfStock }
        let promoted = open.filter(\.isPromoted)
        #expect((40...200).contains(promoted.count))
        #expect(mean(promoted) > 1.4 * mean(open.filter { !$0.isPromoted }))
    }

    @Test("Stock runs out now and then, and the item alone sells nothing")
    func stockOuts() {
        let rows = (1...9).flatMap { Self.sample.rows(store: 2, item: $0) }
        let out = rows.filter(\.isOutOfStock)
        #expect(out.allSatisfy { $0.units == 0 })
        #expect((rows.count / 500...rows.count / 50).contains(out.count))
    }

    @Test("Fast items have few zeros, slow ones mostly zeros, and Saturday sells best")
    func character() {
        func zeroShare(item: Int) -> Double {
            let open = Self.sample.rows(store: 1, item: item).filter {
                !$0.isClosed && !$0.isOutOfStock
            }
            return Double(open.count { $0.units == 0 }) / Double(open.count)
        }
        #expect(zeroShare(item: 1) < 0.01)
        #expect(zeroShare(item: 3) > 0.2)
        var byWeekday = [Int](repeating: 0, count: 7)
        for item in [1, 4, 7] {
            for row in Self.sample.rows(store: 1, item: item) where !row.isClosed {
                byWeekday[row.day.weekday] += row.units
            }
        }
        #expect(byWeekday.max() == byWeekday[5])
        #expect(byWeekday.min() == byWeekday[0])
    }
}
