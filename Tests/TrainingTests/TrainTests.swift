import Forecasting
import Testing
import Training

@Suite("Training")
struct TrainTests {
    private static func plan(
        _ form: ModelForm, units: [Int] = [2], seed: UInt64 = 1, testFrom: Int? = 740
    ) -> TrainingPlan {
        var plan = TrainingPlan(
            form: form, units: units, seed: seed, testFrom: testFrom.map(SalesFixture.day))
        plan.epochs = 3
        return plan
    }

    @Test(
        "The same seed and data give the same family, in whatever order the series come",
        arguments: ModelForm.allCases)
    func reproducible(form: ModelForm) throws {
        let series = SalesFixture().series
        let family = try train(series: series, plan: Self.plan(form, units: [3, 8]))
        #expect(try train(series: series, plan: Self.plan(form, units: [3, 8])) == family)
        #expect(
            try train(series: series.reversed(), plan: Self.plan(form, units: [3, 8])) == family)
        let other = try train(series: series, plan: Self.plan(form, units: [3, 8], seed: 2))
        #expect(other.variants[0].parameters != family.variants[0].parameters)
    }

    @Test("Families trained at the same time are those trained one after the other")
    func trainedTogether() async throws {
        let series = SalesFixture().series
        let alone = try train(series: series, plan: Self.plan(.profile, units: [16, 3]))
        try await withThrowingTaskGroup(of: TrainedFamily.self) { group in
            for _ in 0..<8 {
                group.addTask {
                    try train(series: series, plan: Self.plan(.profile, units: [16, 3]))
                }
            }
            for try await family in group { #expect(family == alone) }
        }
    }

    @Test(
        "What the test days hold changes nothing but their own figures",
        arguments: ModelForm.allCases)
    func testDaysStayUnseen(form: ModelForm) throws {
        let series = SalesFixture().series
        var changed = series
        for index in changed.indices {
            for day in 740..<800 { changed[index].days[day].units = Int32(1000 + day) }
        }
        let family = try train(series: series, plan: Self.plan(form))
        let other = try train(series: changed, plan: Self.plan(form))
        #expect(other.variants[0].parameters == family.variants[0].parameters)
        #expect(other.variants[0].validation == family.variants[0].validation)
        #expect(other.profiles == family.profiles && other.starts == family.starts)
        #expect(other.spec == family.spec)
        #expect(other.variants[0].test != family.variants[0].test)
        #expect(family.asOf == SalesFixture.day(739))
        #expect(family.evaluatedFrom == SalesFixture.day(740) && family.evaluatedDays == 60)
    }

    @Test(
        "The figures are those of forecasts made one by one with the device's float path",
        arguments: ModelForm.allCases)
    func figures(form: ModelForm) throws {
        var series = SalesFixture().series
        // A closed day, an unknown week and a late start, all in one.
        for index in series.indices where series[index].store.text == "s1" {
            series[index].days[760].units = 0
        }
        for day in 765..<772 { series[1].days[day].units = nil }
        for day in 0..<500 { series[2].days[day].units = 0 }
        var plan = Self.plan(form, units: [4])
        if form == .calendar { plan.inputs = .all }
        let family = try train(series: series, plan: plan)
        #expect(try expectFiguresOfFloatPath(of: family, series) == 6 * 60 - 7)
    }

    @Test("The profile form finds the season it was given, and beats what has none")
    func profile() throws {
        let fixture = SalesFixture(days: 1400, stores: 3, items: 4)
        let family = try train(
            series: fixture.series, plan: Self.plan(.profile, testFrom: 1100))
        for profile in family.profiles {
            let weekdayMean = SalesFixture.weekday.reduce(0, +) / 7
            for (found, given) in zip(profile.weekday, SalesFixture.weekday) {
                #expect(abs(found - given / weekdayMean) < 0.04)
            }
            let monthMean = SalesFixture.month.reduce(0, +) / 12
            for (found, given) in zip(profile.month, SalesFixture.month) {
                #expect(abs(found - given / monthMean) < 0.05)
            }
        }
        for store in family.starts {
            for start in store.starts { #expect(start.level > 20 && start.level < 60) }
        }
        let test = try #require(family.variants[0].test)
        for name in ["naive", "seasonal naive", "mean of 7 days", "mean of 14 days"] {
            let baseline = try #require(family.baselines.first { $0.name == name })
            #expect(try #require(test.valueAdded(over: baseline.accuracy)) > 0.05)
        }
        #expect(abs(try #require(test.bias)) < 3)
        #expect(family.loss == .meanSquare)
    }

    @Test("Where most days are empty, the sum of forecasts is still right")
    func lumpy() throws {
        let fixture = SalesFixture(days: 1000, stores: 4, items: 5, level: 0.8)
        let family = try train(series: fixture.series, plan: Self.plan(.profile, testFrom: 800))
        #expect(family.loss == .tweedie(power: 1))
        #expect(abs(try #require(family.variants[0].test?.bias)) < 6)
    }

    @Test(
        "Who is measured by MAPE gets a lower one, and a sum of forecasts that is too low",
        arguments: ModelForm.allCases)
    func absolutePercentage(form: ModelForm) throws {
        let series = SalesFixture(days: 1100, stores: 4, items: 5, level: 12).series
        func test(_ loss: Loss) throws -> Accuracy {
            var plan = Self.plan(form, testFrom: 800)
            plan.epochs = 12
            plan.loss = loss
            let family = try train(series: series, plan: plan)
            #expect(family.loss == loss)
            return try #require(family.variants[0].test)
        }
        let (square, percentage) = (try test(.meanSquare), try test(.absolutePercentage))
        #expect(try #require(percentage.mape) < (try #require(square.mape)) - 0.2)
        #expect(try #require(percentage.bias) < (try #require(square.bias)) - 2)
    }

    @Test("The square in the logarithm serves the calendar form where hardly a day is empty")
    func logarithmicSquare() throws {
        let series = SalesFixture(days: 1100, stores: 4, items: 5).series
        var plan = Self.plan(.calendar, testFrom: 800)
        plan.epochs = 12
        let even = try train(series: series, plan: plan)
        plan.loss = .meanSquare
        let square = try train(series: series, plan: plan)
        #expect(even.loss == .logarithmicSquare)
        let mape = try [even, square].map { try #require($0.variants[0].test?.mape) }
        #expect(mape[0] < mape[1])
        #expect(abs(try #require(even.variants[0].test?.bias)) < 4)
        let lumpy = try train(
            series: SalesFixture(level: 0.8).series, plan: Self.plan(.calendar))
        #expect(lumpy.loss == .meanSquare)
    }

    @Test("A level need not follow the months that a calendar network sees itself")
    func levelRateBesideCalendar() throws {
        let series = SalesFixture(days: 1400, stores: 4, items: 5).series
        func rate(_ inputs: FeatureInputs) throws -> Float {
            var plan = Self.plan(.calendar, testFrom: 1300)
            plan.epochs = 1
            plan.inputs = inputs
            return try train(series: series, plan: plan).spec.levelRate
        }
        let blind = try rate([.weekday])
        #expect(try rate([.weekday, .month]) < blind)
        #expect(try rate([.weekday, .yearCircle]) < blind)
    }

    @Test("A day on which a busy store sold nothing is no day without demand")
    func closedDays() throws {
        var series = SalesFixture().series
        let open = try train(series: series, plan: Self.plan(.profile))
        for index in series.indices { for day in 733..<740 { series[index].days[day].units = 0 } }
        let closed = try train(series: series, plan: Self.plan(.profile))
        for (one, other) in zip(open.starts, closed.starts) {
            for (start, same) in zip(one.starts, other.starts) {
                #expect(abs(start.level / same.level - 1) < 0.1)
            }
        }
    }

    @Test("In a store that sells little, empty days are demand like any other")
    func slowStore() throws {
        let series = SalesFixture(stores: 1, items: 1, level: 0.5).series
        let family = try train(series: series, plan: Self.plan(.profile))
        #expect(family.starts[0].starts[0].level < 1.2)
    }

    @Test("Days before an item's launch say nothing about it")
    func launch() throws {
        var series = SalesFixture().series
        for day in 0..<700 { series[0].days[day].units = 0 }
        for form in ModelForm.allCases {
            let family = try train(series: series, plan: Self.plan(form))
            let start = try #require(family.starts[0].starts.first)
            #expect(start.item.text == "i1" && start.level > 30 && start.level < 50)
        }
    }

    @Test("Without test days all days train, and the last ones judge")
    func noTestDays() throws {
        let family = try train(
            series: SalesFixture().series, plan: Self.plan(.profile, testFrom: nil))
        #expect(family.asOf == SalesFixture.day(799))
        #expect(family.variants[0].test == nil)
        #expect(family.evaluatedDays == 56)
        #expect(family.variants[0].evaluation == family.variants[0].validation)
        #expect(family.baselines[0].accuracy.count == family.variants[0].validation.count)
    }

    @Test("Training stops when the validation loss no longer falls, and keeps the best epoch")
    func earlyStopping() throws {
        var plan = Self.plan(.plain, units: [8])
        plan.epochs = 200
        plan.patience = 2
        plan.learningRate = 0.05
        let variant = try train(series: SalesFixture(days: 300, stores: 1).series, plan: plan)
            .variants[0]
        #expect(variant.validationLosses.count < 200)
        #expect(variant.validationLosses.count == variant.bestEpoch + 2)
        #expect(variant.validationLosses.min() == variant.validationLosses[variant.bestEpoch - 1])
    }

    @Test("Progress only goes forward and ends at the end")
    func progress() throws {
        var last = (variant: 0, epoch: 1, fraction: 0.0)
        var calls = 0
        _ = try train(
            series: SalesFixture().series, plan: Self.plan(.profile, units: [2, 3]),
            progress: { now in
                calls += 1
                #expect(
                    (last.variant, last.epoch, last.fraction)
                        < (now.variant, now.epoch, now.epochFraction))
                #expect(now.secondsLeft >= 0 && now.secondsLeft.isFinite)
                #expect(now.loss.isFinite && now.variants == 2 && now.epochs == 3)
                #expect((now.validationLoss == nil) == (now.epoch == 1))
                last = (now.variant, now.epoch, now.epochFraction)
            })
        #expect(last == (1, 3, 1))
        #expect(calls >= 12)
    }

    @Test("A cancelled run stops before its next batch", arguments: [0, 1, 40])
    func cancel(after: Int) {
        var asked = 0
        #expect(throws: TrainingError.cancelled) {
            try train(
                series: SalesFixture().series, plan: Self.plan(.profile),
                isCancelled: {
                    asked += 1
                    return asked > after
                })
        }
        #expect(asked == after + 1)
    }

    private static let refusedPlans:
        [(field: String, change: @Sendable (inout TrainingPlan) -> Void)] = [
            ("units", { $0.units = [] }), ("units", { $0.units = [0] }),
            ("units", { $0.units = [129] }), ("window", { $0.window = 0 }),
            ("window", { $0.window = 65 }),
            ("inputs", { $0.inputs = FeatureInputs(rawValue: 512) }),
            ("epochs", { $0.epochs = 0 }), ("batch", { $0.batch = 0 }),
            ("learningRate", { $0.learningRate = .nan }), ("dropout", { $0.dropout = 1 }),
            ("validationDays", { $0.validationDays = 0 }), ("patience", { $0.patience = 0 }),
            ("profilesMax", { $0.profilesMax = 0 }), ("loss", { $0.loss = .tweedie(power: 2) }),
        ]

    @Test("A plan that cannot work is refused by field", arguments: refusedPlans.indices)
    func plans(row: Int) {
        let (field, change) = Self.refusedPlans[row]
        var plan = Self.plan(.profile)
        change(&plan)
        #expect(throws: TrainingError.plan(field: field)) {
            try train(series: SalesFixture(days: 200).series, plan: plan)
        }
    }

    @Test("The logarithm of what may be negative is refused")
    func logarithmOfPlain() {
        var plan = Self.plan(.plain)
        plan.loss = .logarithmicSquare
        #expect(throws: TrainingError.plan(field: "loss")) {
            try train(series: SalesFixture(days: 200).series, plan: plan)
        }
    }

    @Test("Series that cannot train a model are refused by reason")
    func refusedSeries() throws {
        let series = SalesFixture(days: 200, stores: 1).series
        let plan = Self.plan(.profile, testFrom: nil)
        #expect(throws: TrainingError.noSales) { try train(series: [], plan: plan) }
        var silent = series
        for index in silent.indices {
            silent[index].days = silent[index].days.map { _ in DemandDay(units: 0) }
        }
        #expect(throws: TrainingError.noSales) { try train(series: silent, plan: plan) }
        #expect(throws: TrainingError.noSales) {
            try train(series: series, plan: Self.plan(.profile, testFrom: 0))
        }
        #expect(
            throws: TrainingError.duplicateSeries(store: series[1].store, item: series[1].item)
        ) { try train(series: series + [series[1]], plan: plan) }
        #expect(throws: TrainingError.tooFewWindows(3 * 18, needed: 128)) {
            try train(series: SalesFixture(days: 40, stores: 1).series, plan: plan)
        }
        var apart = series
        apart[0].firstDay = apart[0].firstDay.advanced(by: 365 * 51)
        #expect(throws: TrainingError.daysApart(365 * 51 + 200)) {
            try train(series: apart, plan: plan)
        }
    }
}
