/// A day of a store's own calendar (proleptic Gregorian, no time zone): 1970-01-01 is 0.
package struct BusinessDay: Hashable, Comparable, Sendable {
    /// Years that text and `init(year:month:day:)` may name. Arithmetic is not limited to them.
    package static let years: ClosedRange<Int> = 1970...2199

    package var daysSince1970: Int32

    package init(daysSince1970: Int32) {
        self.daysSince1970 = daysSince1970
    }

    /// Nil unless the date exists and its year is within `years`.
    package init?(year: Int, month: Int, day: Int) {
        guard Self.years.contains(year), (1...12).contains(month), day >= 1,
            day <= Self.dayCount(year: year, month: month)
        else { return nil }
        // Days before a year that starts in March: the leap day is then its last day.
        let marchYear = month > 2 ? year : year - 1
        let marchMonth = (month + 9) % 12
        let daysBeforeMonth = (153 * marchMonth + 2) / 5
        let daysBeforeYear = 365 * marchYear + marchYear / 4 - marchYear / 100 + marchYear / 400
        daysSince1970 = Int32(daysBeforeYear + daysBeforeMonth + day - 1 - Self.daysFromYearZero)
    }

    /// Nil unless `text` is exactly `YYYY-MM-DD` in ASCII digits and names a real date within `years`.
    package init?(iso8601 text: some Collection<UInt8>) {
        guard text.count == 10 else { return nil }
        var fields = (year: 0, month: 0, day: 0)
        var position = 0
        for byte in text {
            if position == 4 || position == 7 {
                guard byte == UInt8(ascii: "-") else { return nil }
            } else {
                guard byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9") else { return nil }
                let digit = Int(byte - UInt8(ascii: "0"))
                switch position {
                case ..<4: fields.year = fields.year * 10 + digit
                case ..<7: fields.month = fields.month * 10 + digit
                default: fields.day = fields.day * 10 + digit
                }
            }
            position += 1
        }
        self.init(year: fields.year, month: fields.month, day: fields.day)
    }

    package var year: Int { civil.year }
    /// 1...12
    package var month: Int { civil.month }
    /// 1...31
    package var dayOfMonth: Int { civil.day }
    /// 0 is Monday, 6 is Sunday.
    package var weekday: Int {
        let fromMonday = (Int(daysSince1970) + 3) % 7  // 1970-01-01 was a Thursday
        return fromMonday < 0 ? fromMonday + 7 : fromMonday
    }
    /// 0 on 1 January, 365 at most.
    package var dayOfYear: Int {
        let (year, month, day) = civil
        var before = 0
        for earlier in 1..<month {
            before += Self.dayCount(year: year, month: earlier)
        }
        return before + day - 1
    }

    /// `YYYY-MM-DD`; the year has four digits for every day within `years`.
    package var iso8601: String {
        let (year, month, day) = civil
        var bytes: [UInt8] = []
        bytes.reserveCapacity(10)
        for (value, width) in [(year, 4), (month, 2), (day, 2)] {
            if !bytes.isEmpty { bytes.append(UInt8(ascii: "-")) }
            var power = width == 4 ? 1000 : 10
            var rest = value < 0 ? 0 : value
            while power > 0 {
                bytes.append(UInt8(ascii: "0") + UInt8((rest / power) % 10))
                rest %= power
                power /= 10
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    package func advanced(by days: Int) -> BusinessDay {
        BusinessDay(daysSince1970: daysSince1970 + Int32(days))
    }

    package static func - (later: BusinessDay, earlier: BusinessDay) -> Int {
        Int(later.daysSince1970) - Int(earlier.daysSince1970)
    }

    package static func < (a: BusinessDay, b: BusinessDay) -> Bool {
        a.daysSince1970 < b.daysSince1970
    }

    /// From 1 March of year 0 to 1970-01-01.
    private static let daysFromYearZero = 719_468

    private static func dayCount(year: Int, month: Int) -> Int {
        switch month {
        case 2: (year % 4 == 0 && year % 100 != 0) || year % 400 == 0 ? 29 : 28
        case 4, 6, 9, 11: 30
        default: 31
        }
    }

    private var civil: (year: Int, month: Int, day: Int) {
        let days = Int(daysSince1970) + Self.daysFromYearZero
        let daysPerEra = 146_097  // 400 years
        let era = (days >= 0 ? days : days - (daysPerEra - 1)) / daysPerEra
        let dayOfEra = days - era * daysPerEra
        let yearOfEra =
            (dayOfEra - dayOfEra / 1460 + dayOfEra / 36524 - dayOfEra / (daysPerEra - 1)) / 365
        let dayOfMarchYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let marchMonth = (5 * dayOfMarchYear + 2) / 153
        let day = dayOfMarchYear - (153 * marchMonth + 2) / 5 + 1
        let month = marchMonth < 10 ? marchMonth + 3 : marchMonth - 9
        return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, day)
    }
}
