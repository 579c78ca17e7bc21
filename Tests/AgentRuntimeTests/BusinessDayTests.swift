import AgentCore
import AgentRuntime
import Forecasting
import JSONText
import ModelPackage
import SyncProtocol
import Testing

@Suite("A business day on a device")
struct BusinessDayTests {
    let folder = TemporaryFolder()
    let hub = TestHub()

    init() { hub.enrol(folder) }

    @Test("goes to the hub once: sales, forecasts beside actuals, then the close")
    func wholeDay() throws {
        let service = try AgentService.start(folder)
        try hub.offer(try TestPackage.model(release: 1).encode(), release: 1)
        try hub.visit(service)
        #expect(hub.reports.map { $0.outcome } == [.active])
        #expect(service.running?.release == 1)
        let day = TestPackage.day(1)
        try service.sell(4, of: "1", on: day)
        try service.sell(5, of: "1", on: day)
        try service.sell(2, of: "9", on: day)
        let closing = try service.close(day, isClosedAllDay: false)
        #expect(closing.forecastsCompared == 3)
        #expect(closing.next == TestPackage.day(2))
        // The package's three items and the one it does not know.
        #expect(closing.nextForecasts == 4)
        try hub.visit(service)
        #expect(hub.sold == ["17001 1": 9, "17001 9": 2])
        #expect(hub.forecasts.map { "\($0.item) \($0.actualUnits)" } == ["1 9", "2 0", "3 0"])
        #expect(
            hub.forecasts.allSatisfy {
                $0.release == 1 && !$0.inputsComplete && $0.forecastUnits > 0
            })
        // Nothing was known of any day before: the level is the package's.
        let package = Crypto.sha256(try TestPackage.model(release: 1).encode())
        let inputs = ForecastInputs.digest(
            package: package, level: 10,
            recentDays: [DemandDay](repeating: .unknown, count: 14), targetMarks: [], planned: [])
        #expect(hub.forecasts.allSatisfy { $0.levelUnits == 10 && $0.inputsDigest == inputs })
        guard case .close(let last)? = hub.records.last else {
            Issue.record("the close must come last")
            return
        }
        #expect(last == CloseRecord(day: day.daysSince1970, closedAllDay: false))
        #expect(try service.store.unsentCount() == 0)
        try hub.visit(service)
        #expect(hub.records.count == 7)
    }

    @Test("closed twice changes nothing, and a late sale still goes up")
    func closedTwice() throws {
        let service = try AgentService.start(folder)
        let day = TestPackage.day(1)
        try service.sell(4, of: "1", on: day)
        #expect(try !service.close(day, isClosedAllDay: false).wasClosedBefore)
        #expect(try service.close(day, isClosedAllDay: true).wasClosedBefore)
        try service.sell(1, of: "1", on: day)
        try hub.visit(service)
        #expect(hub.sold == ["17001 1": 5])
        #expect(hub.closedDays == [17_001])
    }

    @Test(
        "with sales cannot be closed all day; one without can, and a sale that comes late opens it")
    func closedAllDay() throws {
        let service = try AgentService.start(folder)
        try service.sell(4, of: "1", on: TestPackage.day(1))
        #expect(throws: AgentError.self) {
            try service.close(TestPackage.day(1), isClosedAllDay: true)
        }
        _ = try service.close(TestPackage.day(2), isClosedAllDay: true)
        var book = try service.store.book(from: TestPackage.day(2), through: TestPackage.day(2))
        #expect(book.demand(for: try ItemID("1"), on: TestPackage.day(2)) == .closed)
        try service.sell(4, of: "1", on: TestPackage.day(2))
        book = try service.store.book(from: TestPackage.day(2), through: TestPackage.day(2))
        #expect(book.demand(for: try ItemID("1"), on: TestPackage.day(2)) == DemandDay(units: 4))
    }

    @Test("of a year that cannot be meant is not closed")
    func farAway() throws {
        let service = try AgentService.start(folder)
        let far = try #require(BusinessDay(year: 2199, month: 1, day: 1))
        let error = #expect(throws: AgentError.self) {
            try service.close(far, isClosedAllDay: false)
        }
        #expect(error?.text.contains("is the year right?") == true)
        #expect(try service.store.lastOwnClose() == nil)
    }

    @Test("counts a sale with a reference once, and says when the reference is another sale's")
    func references() throws {
        let service = try AgentService.start(folder)
        let day = TestPackage.day(1)
        let sale = Sale(day: day, item: try ItemID("1"), units: 3, reference: [7])
        var other = sale
        other.units = 4
        var tomorrow = sale
        tomorrow.day = TestPackage.day(2)
        #expect(
            try service.record([sale, sale, other, tomorrow]) == [
                .recorded, .repeated, .conflict(item: [0x31], units: 3), .recorded,
            ])
        #expect(try service.record([sale]) == [.repeated])
        #expect(try service.store.unsentCount() == 2)
    }

    @Test("is forecast anew when the store's totals come")
    func context() throws {
        let service = try AgentService.start(folder)
        try hub.offer(try TestPackage.model(release: 1).encode(), release: 1)
        try hub.visit(service)
        let day = TestPackage.day(1)
        try service.sell(4, of: "1", on: day)
        _ = try service.close(day, isClosedAllDay: false)
        let before = try service.store.storedForecasts(of: TestPackage.day(2))
        hub.contexts = [
            Context(
                revision: 5, items: ["1"],
                days: [
                    StoreDay(
                        day: day.daysSince1970, final: true,
                        sold: [ItemDay(itemIndex: 0, units: 40)])
                ], ownShare: 0.1)
        ]
        try hub.visit(service)
        let after = try service.store.storedForecasts(of: TestPackage.day(2))
        #expect(before.count == after.count)
        // Level 10 + 0.25 (40 − 10), where it had been 10 + 0.25 (4 − 10).
        #expect(after[0].forecast.prediction.units > before[0].forecast.prediction.units * 1.5)
        #expect(try service.store.contextRevision() == 5)
        // From now on what it sees itself is a tenth of the store.
        try service.sell(3, of: "2", on: TestPackage.day(2))
        _ = try service.close(TestPackage.day(2), isClosedAllDay: false)
        try hub.visit(service)
        #expect(hub.forecasts.filter { $0.day == 17_002 }.map { $0.actualUnits } == [0, 30, 0])
    }

    @Test("lets go of old days, and forecasts the same as if it had kept them")
    func pruning() throws {
        let service = try AgentService.start(folder)
        try hub.offer(try TestPackage.model(release: 1).encode(), release: 1)
        try hub.visit(service)
        var level: Float = 10
        for offset in 1...200 {
            let units = UInt32(1 + offset * 7 % 23)
            try service.sell(units, of: "1", on: TestPackage.day(offset))
            _ = try service.close(TestPackage.day(offset), isClosedAllDay: false)
            level += 0.25 * (Float(units) - level)
        }
        let days = try service.store.database.first("SELECT count(*) FROM ownClose", columns: 1)
        #expect((days?[0].integer ?? 0) < 130)
        let plan = DayPlan(
            book: try service.store.book(from: TestPackage.day(100), through: TestPackage.day(200)),
            checkpoints: try service.store.checkpoints(release: 1), hubLevels: [:])
        #expect(!plan.checkpoints.isEmpty)
        // A predictor that answers with the level shows what the recursion came to.
        let predictor = LevelEcho(
            asOf: TestPackage.asOf,
            starts: service.predictor.map { predictor in
                predictor.items.enumerated().map { index, item in
                    SeriesStart(
                        item: item, level: predictor.startLevel(index: index), scale: 1,
                        profile: 0)
                }
            } ?? [])
        let forecasts = plan.forecasts(for: TestPackage.day(201), by: predictor)
        #expect(forecasts[0].prediction.units == level)
    }

    @Test("keeps its own time when the clock stands at 1970, as far as days are named")
    func clock1970() throws {
        let clock = AgentClock(fixedMilliseconds: 3_600_000)
        #expect(clock.isBehind)
        do {
            let service = try AgentService.start(folder, clock: clock)
            #expect(throws: AgentError.self) { try service.today() }
            let reply = service.reply(
                to: .sales([.object([.init("item", .string("1")), .init("units", .integer(3))])]))
            #expect(reply["ok"] == .bool(false))
            let text = String(decoding: reply["error"]?.utf8 ?? [], as: UTF8.self)
            #expect(text.contains("name the day"))
            try service.sell(3, of: "1", on: TestPackage.day(1))
            _ = try service.close(TestPackage.day(1), isClosedAllDay: false)
            try hub.visit(service)
            #expect(hub.sold == ["17001 1": 3])
            // The hub has said what time it is: 2027-01-15 in Berlin.
            #expect(try service.today().day.iso8601 == "2027-01-15")
        }
        // A restart remembers that this time has passed.
        let later = AgentClock(fixedMilliseconds: 1_799_000_000_000)
        _ = try AgentService.start(folder, clock: later)
        #expect(later.isBehind)
    }

    @Test(
        "keeps its own time when the clock stands at 2100: no sale goes to a day that has not come")
    func clock2100() throws {
        let clock = AgentClock(fixedMilliseconds: 4_102_444_800_000)
        #expect(clock.isAhead && !clock.isBehind)
        let service = try AgentService.start(folder, clock: clock)
        #expect(throws: AgentError.self) { try service.today() }
        func sale(_ day: String?) -> JSONValue {
            .object(
                (day.map { [.init("day", .string($0))] } ?? [])
                    + [.init("item", .string("1")), .init("units", .integer(3))])
        }
        func isTaken(_ day: String?) -> Bool {
            service.reply(to: .sales([sale(day)]))["ok"] == .bool(true)
        }
        #expect(!isTaken(nil))
        #expect(!isTaken("2100-01-01"))
        // What it may be at the latest: 400 days after 2026-01-01, and a few days' grace.
        #expect(!isTaken("2027-02-13"))
        #expect(isTaken("2026-06-01"))
        let far = try #require(BusinessDay(year: 2100, month: 1, day: 1))
        let closing = service.reply(to: .closeDay(far, isClosedAllDay: true))
        #expect(closing["ok"] == .bool(false))

        try hub.visit(service)
        #expect(try service.today().day.iso8601 == "2027-01-15")
        #expect(clock.isAhead && clock.isWrong)
        #expect(isTaken(nil))
        #expect(isTaken("2027-01-16"))
        #expect(!isTaken("2027-01-17"))
        #expect(service.reply(to: .status)["clockIsAhead"] == .bool(true))
        #expect(!hub.sold.keys.contains { Int($0.split(separator: " ")[0]) ?? 0 > 20_833 })

    }

    @Test("knows after a restart no more than what time has passed, where the clock stands at 2100")
    func restartAt2100() throws {
        do {
            let clock = AgentClock(fixedMilliseconds: 4_102_444_800_000)
            try hub.visit(try AgentService.start(folder, clock: clock))
            #expect(clock.nowMilliseconds != nil)
        }
        let later = AgentClock(fixedMilliseconds: 4_102_444_800_000)
        _ = try AgentService.start(folder, clock: later)
        #expect(later.isAhead && later.nowMilliseconds == nil)
        #expect(later.lowerBoundSeconds == 1_800_000_000)
    }

    @Test("is right about a clock that runs well, however long ago it heard its hub")
    func clockWell() {
        let clock = AgentClock(fixedMilliseconds: 1_800_000_000_000 + 399 * 86_400_000)
        clock.noteLowerBound(seconds: 1_800_000_000)
        #expect(!clock.isWrong && clock.nowMilliseconds == 1_834_473_600_000)
        // A hub that says nonsense is not believed.
        clock.noteHub(milliseconds: .max)
        clock.noteHub(milliseconds: .min)
        #expect(!clock.isWrong && !clock.hasHeardHub)
        clock.noteHub(milliseconds: 1_834_473_600_000 - 299_000)
        #expect(!clock.isWrong)
        clock.noteHub(milliseconds: 1_834_473_600_000 - 600_000)
        #expect(clock.isAhead)
    }

    @Test("that has not come is refused, to sell on as to close; the next one still counts")
    func future() throws {
        // 2027-01-19.
        let service = try AgentService.start(
            folder, clock: AgentClock(fixedMilliseconds: 1_800_400_000_000))
        hub.timeMilliseconds = 1_800_400_000_000
        try hub.offer(try TestPackage.model(release: 1).encode(), release: 1)
        try hub.visit(service)
        let before = try service.status()
        let far = try #require(BusinessDay(year: 2062, month: 11, day: 21))
        let near = try #require(BusinessDay(year: 2027, month: 1, day: 20))
        func sale(_ day: BusinessDay) -> JSONValue {
            .object([
                .init("day", .string(day.iso8601)), .init("item", .string("1")),
                .init("units", .integer(3)),
            ])
        }
        for reply in [
            service.reply(to: .closeDay(far, isClosedAllDay: false)),
            service.reply(to: .closeDay(far, isClosedAllDay: true)),
            service.reply(to: .sales([sale(far)])),
        ] {
            #expect(reply["ok"] == .bool(false))
            let text = String(decoding: reply["error"]?.utf8 ?? [], as: UTF8.self)
            #expect(text.contains("2062-11-21 is in the future"), "\(text)")
            #expect(text.contains("it is 2027-01-20"), "\(text)")
        }
        let after = try service.status()
        #expect(after["forecastDay"] == before["forecastDay"])
        #expect(after["lastClosedDay"] == .null)
        #expect(after["unsent"] == .integer(0))
        // What is said with it is taken.
        let mixed = service.reply(to: .sales([sale(near), sale(far)]))
        #expect(mixed["recorded"] == .integer(1))
        let closing = service.reply(to: .closeDay(near, isClosedAllDay: false))
        #expect(closing["ok"] == .bool(true))
    }

    @Test("registers what the device is, and says when that changes")
    func registration() throws {
        let service = try AgentService.start(folder)
        try hub.visit(service)
        let register = try #require(hub.registers.last)
        #expect(register.modelMemoryBudgetBytes == 20_000)
        #expect(register.modelMemoryBudgetSetByOperator)
        #expect(register.labels == ["aisle=dairy"])
        #expect(
            register.cores > 0 && register.memoryTotalBytes > 0 && register.int8Microseconds > 0)
        #expect(
            register.runtimeFeatures == [
                "lstm-int8-v2", "gru-int8-v2", "fastgrnn-int8-v2", "planned-inputs-v1",
            ])
        #expect(!service.registrationChanged)
        try service.set(configuration: Configuration(budgetBytes: 500))
        #expect(service.registrationChanged)
        try hub.visit(service)
        #expect(hub.registers.last?.modelMemoryBudgetBytes == 500)
        #expect(!service.registrationChanged)
    }

    @Test(
        "closed by the clock is the day that is over",
        arguments: [
            ("22:30", 22 * 60 + 29, -1), ("22:30", 22 * 60 + 30, 0), ("22:30", 5, -1),
            ("02:00", 119, -2), ("02:00", 120, -1), ("02:00", 1439, -1),
        ])
    func closingTime(_ text: String, _ minutes: Int, _ offset: Int) throws {
        let time = try #require(Runner.ClosingTime(text: [UInt8](text.utf8)))
        #expect(
            time.dayDue(today: TestPackage.day(0), minutes: minutes) == TestPackage.day(offset))
    }

    @Test(
        "sleeps until its closing time comes",
        arguments: [
            ("22:30", 0, 1350), ("22:30", 1349, 1), ("22:30", 1350, 1440), ("02:00", 121, 1439),
        ])
    func minutesToClosing(_ text: String, _ now: Int, _ minutes: Int) throws {
        let time = try #require(Runner.ClosingTime(text: [UInt8](text.utf8)))
        #expect(time.minutesToNext(from: now) == minutes)
    }

    @Test(
        "has no closing time from a text that is none",
        arguments: ["", "24:00", "1:00", "12:60", "ab:cd", "12-30"])
    func noClosingTime(_ text: String) {
        #expect(Runner.ClosingTime(text: [UInt8](text.utf8)) == nil)
    }
}

struct LevelEcho: SeriesPredictor {
    var spec = FeatureSpec(
        form: .profile, window: 14, levelRate: 0.25, inputs: [], output: .logResidual)
    var asOf: BusinessDay
    var starts: [SeriesStart]
    var packageDigest = [UInt8](repeating: 7, count: 32)

    var items: [ItemID] { starts.map { $0.item } }
    func startLevel(index: Int) -> Float { starts[index].level }
    func factor(on day: BusinessDay, index: Int?) -> Float { 1 }
    func predict(
        index: Int?, level: Float, recentDays: [DemandDay], target: BusinessDay,
        targetMarks: DayMarks
    ) -> Prediction {
        Prediction(units: level, networkOutput: 0)
    }
}
