import Forecasting
import Testing

@Suite("Business days")
struct BusinessDayTests {
    @Test(
        "A date and its number are the same day",
        arguments: [
            ("1970-01-01", 0, 3), ("1970-12-31", 364, 3), ("1972-02-29", 789, 1),
            ("2000-02-29", 11_016, 1), ("2017-12-31", 17_531, 6), ("2026-11-21", 20_778, 5),
            ("2100-02-28", 47_540, 6), ("2100-03-01", 47_541, 0), ("2199-12-31", 84_005, 1),
        ])
    func dates(text: String, number: Int32, weekday: Int) throws {
        let day = try #require(BusinessDay(iso8601: Array(text.utf8)))
        #expect(day.daysSince1970 == number)
        #expect(day.weekday == weekday)
        #expect(BusinessDay(daysSince1970: number).iso8601 == text)
        #expect(BusinessDay(year: day.year, month: day.month, day: day.dayOfMonth) == day)
    }

    @Test("Each day follows the one before, from 1970 to the end of 2199")
    func everyDay() throws {
        var expected = (year: 1970, month: 1, day: 1, ofYear: 0)
        for number in 0...Int32(84_005) {
            let day = BusinessDay(daysSince1970: number)
            try #require(day.year == expected.year && day.month == expected.month)
            try #require(day.dayOfMonth == expected.day && day.dayOfYear == expected.ofYear)
            try #require(day.weekday == (Int(number) + 3) % 7)
            let isLeap =
                expected.year % 400 == 0 || (expected.year % 4 == 0 && expected.year % 100 != 0)
            let lengths = [31, isLeap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
            expected.day += 1
            expected.ofYear += 1
            if expected.day > lengths[expected.month - 1] {
                expected.day = 1
                expected.month += 1
            }
            if expected.month > 12 { expected = (expected.year + 1, 1, 1, 0) }
        }
    }

    @Test(
        "What is no date of the allowed years in exactly this form is refused",
        arguments: [
            "", "2017-1-01", "2017-01-1", "17-01-01", "2017-13-01", "2017-00-10", "2017-02-29",
            "2100-02-29", "2017-04-31", "2017-06-00", "2017/01/01", "2017-01-01 ", " 2017-01-01",
            "2017-01-0a", "+017-01-01", "1969-12-31", "2200-01-01", "2017-01-01T00:00",
            "２０１７-01-01",
        ])
    func refused(text: String) {
        #expect(BusinessDay(iso8601: Array(text.utf8)) == nil)
    }

    @Test("Days are counted across months and years, and back")
    func arithmetic() throws {
        let day = try #require(BusinessDay(year: 2016, month: 2, day: 28))
        #expect(day.advanced(by: 2).iso8601 == "2016-03-01")
        #expect(day.advanced(by: -59).iso8601 == "2015-12-31")
        #expect(day.advanced(by: 366) - day == 366)
        #expect(day < day.advanced(by: 1))
    }

    @Test("Days before 1970 still have their weekday and date")
    func before1970() {
        let day = BusinessDay(daysSince1970: -1)
        #expect(day.weekday == 2)
        #expect(day.iso8601 == "1969-12-31")
    }
}
