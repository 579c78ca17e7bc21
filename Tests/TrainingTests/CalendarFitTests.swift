import Forecasting
import Testing
import Training

@Suite("What dates and items do")
struct CalendarFitTests {
    /// 2017-07-30: three years and seven months after the fixture's first day.
    private static let testFrom = 1306

    private static func family(_ series: [TrainingSeries]) throws -> TrainedFamily {
        var plan = TrainingPlan(
            form: .profile, units: [2], testFrom: SalesFixture.day(testFrom))
        plan.epochs = 2
        return try train(series: series, plan: plan)
    }

    /// The fixture with every day's units multiplied, rounded down but for a share drawn by chance.
    private static func changed(
        level: Double = 20, _ factor: (_ item: String, _ day: BusinessDay) -> Double
    ) -> [TrainingSeries] {
        var series = SalesFixture(days: 1466, stores: 2, items: 4, level: level).series
        var noise = Noise(state: 5)
        for index in series.indices {
            for offset in series[index].days.indices {
                let day = series[index].firstDay.advanced(by: offset)
                let units = Double(series[index].days[offset].units ?? 0)
                series[index].days[offset].units = Int32(
                    units * factor(series[index].item.text, day) + noise.uniform())
            }
        }
        return series
    }

    private static let christmas = AnnualRule(month: 12, dayOfMonth: 25)
    private static let labourDay = AnnualRule(month: 9, weekday: 0, place: 0)

    private static func holiday(_ day: BusinessDay) -> Double {
        let rules = AnnualRule.matching(day)
        return rules.date == christmas ? 0 : rules.place == labourDay ? 1.6 : 1
    }

    @Test("A day that is closed every year and a holiday are found, and nothing else")
    func specialDays() throws {
        let family = try Self.family(Self.changed { _, day in Self.holiday(day) })
        for profile in family.profiles {
            let calendar = profile.calendar
            #expect(calendar.specialDays.map(\.rule) == [Self.christmas, Self.labourDay])
            #expect(calendar.specialDays[0].factor == 0)
            #expect(abs(calendar.specialDays[1].factor - 1.5) < 0.1)  // held back a little
            #expect(calendar.dayOfMonth.isEmpty)
        }
        // The test days hold a Christmas that came after training.
        let test = try #require(family.variants[0].test)
        #expect(test.count == 8 * 160)
    }

    @Test("Where dates say nothing, nothing is found", arguments: [3, 20])
    func nothing(level: Double) throws {
        let family = try Self.family(Self.changed(level: level) { _, _ in 1 })
        #expect(family.profiles.allSatisfy { $0.calendar.isFlat })
        #expect(family.spec.inputs.isEmpty)
        #expect(family.starts.flatMap(\.starts).allSatisfy { $0.persistence == 0 })
    }

    @Test("Days of the month that sell more are found")
    func daysOfMonth() throws {
        let family = try Self.family(
            Self.changed { _, day in day.dayOfMonth <= 10 ? 1.3 : 1 })
        let factors = family.profiles[0].calendar.dayOfMonth
        try #require(factors.count == 31)
        // 1.3 and 1 over their mean of 1.097; the mean of neighbours blurs the border between them.
        for day in 3...8 { #expect(abs(factors[day - 1] - 1.185) < 0.03) }
        for day in 13...29 { #expect(abs(factors[day - 1] - 0.912) < 0.03) }
    }

    /// Items 1 and 2 sell by moods that last about five days, the others by chance alone.
    private static var moods: [TrainingSeries] {
        var noise = Noise(state: 11)
        var mood = 0.0
        let moods = (0..<2000).map { _ in
            mood = 0.8 * mood + noise.uniform() - 0.5
            return exponential(mood)
        }
        return changed { item, day in
            let at = (day - SalesFixture.firstDay) + (item == "i1" ? 0 : 400)
            return holiday(day) * (item == "i1" || item == "i2" ? moods[at] : 1)
        }
    }

    @Test("Items whose demand stays off its level are told from those whose does not")
    func persistence() throws {
        let family = try Self.family(Self.moods)
        #expect(family.spec.inputs == .persistence)
        for store in family.starts {
            for start in store.starts {
                let stays = start.item.text == "i1" || start.item.text == "i2"
                #expect(stays ? start.persistence > 0.5 : start.persistence < -0.5)
            }
        }
    }

    @Test("The figures are those of the device's float path, and are kept with the family")
    func figures() throws {
        let series = Self.moods
        let family = try Self.family(series)
        #expect(try TrainedFamily(encoded: try family.encoded()) == family)
        try expectFiguresOfFloatPath(of: family, series) { day, forecast in
            if AnnualRule.matching(day.target).date == Self.christmas { #expect(forecast == 0) }
        }
    }
}
