import Forecasting
import Testing

@Suite("What a forecast was made from, in 32 bits")
struct ForecastInputsTests {
    /// From SPEC 9.6 alone, by another program.
    @Test("is what the protocol says")
    func golden() {
        let days: [DemandDay] = [
            DemandDay(units: 3), .closed, .unknown, DemandDay(units: 1_000_000),
        ]
        func digest(_ days: [DemandDay], _ planned: DayMarks) -> UInt32 {
            ForecastInputs.digest(
                package: [UInt8](0..<32), level: 10.25, recentDays: days, targetMarks: .planned,
                planned: planned)
        }
        #expect(digest(days, []) == 0x2F0B_EC2D)
        #expect(
            ForecastInputs.digest(
                package: [UInt8](repeating: 0, count: 32), level: 1.0 / 64, recentDays: [],
                targetMarks: [], planned: [])
                == 0xED1F_12D1)
        var marked = days
        // The first day's describe no row.
        for (at, marks) in [DayMarks.promotion, .holiday, .promotion, .excluded].enumerated() {
            marked[at].marks = marks
        }
        #expect(digest(marked, []) == 0x2F0B_EC2D)
        #expect(digest(marked, .planned) == 0x7ABF_2515)
        #expect(digest(marked, .promotion) == 0xB5DB_68ED)
    }

    @Test("changes with any part of it")
    func sensitivity() {
        let package = [UInt8](0..<32)
        let days = [DemandDay(units: 3), .closed, DemandDay(units: 0)]
        func digest(_ package: [UInt8], _ level: Float, _ days: [DemandDay]) -> UInt32 {
            ForecastInputs.digest(
                package: package, level: level, recentDays: days, targetMarks: [], planned: [])
        }
        let whole = digest(package, 10, days)
        for at in package.indices {
            var other = package
            other[at] ^= 1
            #expect(digest(other, 10, days) != whole)
        }
        #expect(digest(package, (10 as Float).nextUp, days) != whole)
        for at in days.indices {
            for day in [DemandDay(units: 4), .unknown] {
                var other = days
                other[at] = day
                #expect(digest(package, 10, other) != whole)
            }
        }
        #expect(digest(package, 10, days.reversed()) != whole)
    }
}
