import AgentCore
import Forecasting
import Testing

/// Forecasts the level; remembers nothing.
struct LevelPredictor: SeriesPredictor {
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
        Prediction(units: level, networkOutput: Int32(recentDays.count { $0.units != nil }))
    }
}

/// Predicts otherwise from the same package.
private protocol OtherPredictor: SeriesPredictor {
    var base: LevelPredictor { get }
}

extension OtherPredictor {
    var spec: FeatureSpec { base.spec }
    var asOf: BusinessDay { base.asOf }
    var packageDigest: [UInt8] { base.packageDigest }
    var items: [ItemID] { base.items }
    func startLevel(index: Int) -> Float { base.startLevel(index: index) }
    func factor(on day: BusinessDay, index: Int?) -> Float { base.factor(on: day, index: index) }
}

@Suite("What a device knows of its days")
struct DayPlanTests {
    static let asOf = BusinessDay(daysSince1970: 20_000)
    static func day(_ offset: Int) -> BusinessDay { asOf.advanced(by: offset) }
    static let milk = try! ItemID("milk")  // valid as written
    static let bread = try! ItemID("bread")

    static func book(through last: Int, share: Float = 0) -> DayBook {
        DayBook(first: day(-13), through: day(last), ownShare: share)
    }

    @Test(
        "is the store's total where the hub gave it, its own scaled up where not, and else nothing")
    func values() {
        var book = Self.book(through: 5, share: 0.25)
        book.noteStore(day: Self.day(1), item: Self.milk, units: 40)
        book.note(day: Self.day(1), .store(isClosedAllDay: false, isFinal: true))
        book.noteOwn(day: Self.day(1), item: Self.milk, units: 7)
        book.note(day: Self.day(1), .own(isClosedAllDay: false))
        book.noteOwn(day: Self.day(2), item: Self.milk, units: 7)
        book.note(day: Self.day(2), .own(isClosedAllDay: false))
        book.note(day: Self.day(3), .own(isClosedAllDay: true))
        book.noteOwn(day: Self.day(4), item: Self.milk, units: 9)
        func demand(_ item: ItemID, _ day: Int) -> DemandDay {
            book.demand(for: item, on: Self.day(day))
        }
        #expect(demand(Self.milk, 1) == DemandDay(units: 40))
        #expect(demand(Self.bread, 1) == DemandDay(units: 0))
        #expect(demand(Self.milk, 2) == DemandDay(units: 28))
        #expect(demand(Self.bread, 2) == DemandDay(units: 0))
        #expect(demand(Self.milk, 3) == .closed)
        // Not closed by us and not known to the hub: the day is not over.
        #expect(demand(Self.milk, 4) == .unknown)
        #expect(demand(Self.milk, 99) == .unknown)
        #expect(book.isComplete(Self.day(1)) && !book.isComplete(Self.day(2)))
        #expect(book.firstSale(of: Self.milk) == Self.day(1))
        #expect(book.firstSale(of: Self.bread) == nil)
    }

    @Test(
        "scales its own by a share that is one",
        arguments: [(7, 0, 7), (7, 1, 7), (7, 2, 7), (7, 0.5, 14), (1, 0.3, 3), (9, Float.nan, 9)]
            as [(Int32, Float, Int32)])
    func share(_ units: Int32, _ share: Float, _ expected: Int32) {
        #expect(DayBook.scaledUp(units, by: share) == expected)
    }

    static let targets: [(own: Int?, store: Int?, days: ClosedRange<Int>)] = [
        (nil, nil, 1...1), (nil, 3, 4...4), (0, nil, 1...1), (-5, nil, 1...1), (4, nil, 5...5),
        (4, 4, 5...5), (4, 6, 5...7), (4, 2, 5...5), (-5, 3, 1...4), (2, 60, 55...61),
    ]

    @Test(
        "forecasts the days after its last close, up to the first that nobody has closed",
        arguments: targets.indices)
    func targetDays(_ index: Int) {
        let row = Self.targets[index]
        let targets = DayPlan.targets(
            lastOwnClose: row.own.map { Self.day($0) },
            lastStoreDay: row.store.map { Self.day($0) },
            asOf: Self.asOf)
        #expect(targets == row.days.map { Self.day($0) })
    }

    @Test(
        "gives each level as a function of the days since the package, whatever was carried along")
    func levels() {
        var book = Self.book(through: 30)
        var level: Float = 10
        for offset in 1...30 {
            let units = Int32(offset % 7 * 3)
            if offset % 5 == 0 { continue }  // not known
            book.note(
                day: Self.day(offset), .store(isClosedAllDay: offset % 6 == 0, isFinal: true))
            if units > 0 { book.noteStore(day: Self.day(offset), item: Self.milk, units: units) }
            if offset % 6 != 0 { level += 0.25 * (Float(units) - level) }
        }
        let predictor = LevelPredictor(
            asOf: Self.asOf,
            starts: [SeriesStart(item: Self.milk, level: 10, scale: 1, profile: 0)])
        let plan = DayPlan(book: book, checkpoints: [:], hubLevels: [:])
        let forecast = plan.forecasts(for: Self.day(31), by: predictor)
        #expect(forecast.map { $0.prediction.units } == [level])
        #expect(forecast.map { $0.inputsAreComplete } == [false])

        // A checkpoint on the way gives the same.
        let short = plan.forecasts(for: Self.day(21), by: predictor)[0].prediction.units
        let resumed = DayPlan(
            book: book, checkpoints: [Self.milk: LevelPoint(level: short, day: Self.day(20))],
            hubLevels: [:])
        #expect(resumed.forecasts(for: Self.day(31), by: predictor) == forecast)
    }

    @Test("calls its inputs complete only when every day it used was the whole store's")
    func completeness() {
        let predictor = LevelPredictor(
            asOf: Self.asOf,
            starts: [SeriesStart(item: Self.milk, level: 10, scale: 1, profile: 0)])
        var book = DayBook(first: Self.day(-13), through: Self.day(20), ownShare: 0)
        for offset in -13...20 {
            book.note(day: Self.day(offset), .store(isClosedAllDay: false, isFinal: true))
        }
        func isComplete(_ book: DayBook, _ target: Int) -> Bool {
            DayPlan(book: book, checkpoints: [:], hubLevels: [:])
                .forecasts(for: Self.day(target), by: predictor)[0].inputsAreComplete
        }
        #expect(isComplete(book, 1) && isComplete(book, 21))
        for hole in [-13, 1, 3, 20] {
            var broken = book
            broken.note(day: Self.day(hole), .store(isClosedAllDay: false, isFinal: false))
            #expect(isComplete(broken, 1) == (hole > 0))
            #expect(!isComplete(broken, 21) || hole < 1)
        }
    }

    @Test("starts an item the package does not know from the hub's level, or from its first sale")
    func newItems() {
        var book = Self.book(through: 3)
        for offset in 1...3 { book.note(day: Self.day(offset), .own(isClosedAllDay: false)) }
        book.noteOwn(day: Self.day(2), item: Self.bread, units: 8)
        let predictor = LevelPredictor(asOf: Self.asOf, starts: [])
        let plan = DayPlan(
            book: book, checkpoints: [:],
            hubLevels: [Self.milk: LevelPoint(level: 4, day: Self.day(1))])
        let forecasts = plan.forecasts(for: Self.day(4), by: predictor)
        #expect(forecasts.map { $0.item } == [Self.bread, Self.milk])
        // 8, then a day without a sale; 4, then two.
        #expect(forecasts.map { $0.prediction.units } == [6, 2.25])
        #expect(plan.forecasts(for: Self.day(2), by: predictor).map { $0.item } == [Self.milk])
    }

    @Test("keeps a checkpoint once a recursion is long, old enough that late totals are in it")
    func checkpoints() {
        let predictor = LevelPredictor(
            asOf: Self.asOf,
            starts: [SeriesStart(item: Self.milk, level: 10, scale: 1, profile: 0)])
        let plan = DayPlan(book: Self.book(through: 91), checkpoints: [:], hubLevels: [:])
        #expect(plan.newCheckpoints(closing: Self.day(90), by: predictor).isEmpty)
        let points = plan.newCheckpoints(closing: Self.day(91), by: predictor)
        #expect(points == [Self.milk: LevelPoint(level: 10, day: Self.day(29))])
    }

    @Test(
        "feeds forecasts back: as the level where they say what the level says, in whole units into the window"
    )
    func outlook() throws {
        var book = Self.book(through: 0)
        for offset in -13...0 {
            book.note(day: Self.day(offset), .store(isClosedAllDay: false, isFinal: true))
            book.noteStore(day: Self.day(offset), item: Self.milk, units: 8)
        }
        /// Half of what was sold the day before, and the level.
        struct Fading: OtherPredictor {
            var base: LevelPredictor
            func factor(on day: BusinessDay, index: Int?) -> Float { day.weekday == 6 ? 0 : 1 }
            func predict(
                index: Int?, level: Float, recentDays: [DemandDay], target: BusinessDay,
                targetMarks: DayMarks
            ) -> Prediction {
                let units = (recentDays.last { $0.units != nil }?.observedUnits ?? 0) / 2
                return Prediction(
                    units: target.weekday == 6 ? 0 : units, networkOutput: Int32(level * 1000))
            }
        }
        let base = LevelPredictor(
            asOf: Self.asOf,
            starts: [SeriesStart(item: Self.milk, level: 8, scale: 1, profile: 0)])
        let plan = DayPlan(book: book, checkpoints: [:], hubLevels: [:])
        // 2024-10-04 is a Friday; Sundays are closed and leave window and level as they are.
        #expect(Self.day(1).weekday == 5)
        let fading = plan.outlooks(
            of: Self.milk, from: Self.day(1), days: 6, by: Fading(base: base))
        #expect(fading.map { $0.item } == [Self.milk])
        #expect(fading[0].days.map { $0.units } == [4, 0, 2, 1, 0.5, 0.5])
        #expect(fading[0].days.map { $0.networkOutput } == [8000, 7000, 7000, 5750, 4562, 3546])
        // What says what the level says stays there for a fortnight, and not longer.
        let level = plan.outlooks(of: nil, from: Self.day(1), days: 99, by: base)
        #expect(level[0].days.map { $0.units } == [Float](repeating: 8, count: 14))
        #expect(level[0].days[0] == plan.forecasts(for: Self.day(1), by: base)[0].prediction)
        #expect(plan.outlooks(of: Self.bread, from: Self.day(1), days: 3, by: base).isEmpty)
    }

    // MARK: The calendar

    private static func calendar(_ entries: [(Int, ItemID?, DayMarks)]) -> StoreCalendar {
        StoreCalendar(
            entries.map { StoreCalendar.Entry(day: day($0.0), item: $0.1, marks: $0.2) })
    }

    @Test("knows nothing of a day's demand that the calendar takes out, and its total all the same")
    func excluded() {
        var book = DayBook(
            first: Self.day(-13), through: Self.day(9), ownShare: 0,
            calendar: Self.calendar([
                (1, nil, .closed), (2, Self.milk, .stockOut), (3, Self.milk, .promotion),
            ]))
        for offset in 1...4 {
            book.note(day: Self.day(offset), .store(isClosedAllDay: false, isFinal: false))
            book.noteStore(day: Self.day(offset), item: Self.milk, units: 7)
            book.noteStore(day: Self.day(offset), item: Self.bread, units: 5)
        }
        func demands(_ item: ItemID) -> [DemandDay] {
            (1...4).map { book.demand(for: item, on: Self.day($0)) }
        }
        let (seven, five) = (DemandDay(units: 7), DemandDay(units: 5))
        let promoted = DemandDay(units: 7, marks: .promotion)
        #expect(demands(Self.milk) == [.closed, .unknown, promoted, seven])
        #expect(demands(Self.bread) == [.closed, five, five, five])
        #expect((1...4).allSatisfy { book.total(of: Self.milk, on: Self.day($0)) == seven })
        #expect(book.firstSale(of: Self.milk) == Self.day(3))
        #expect(book.firstSale(of: Self.bread) == Self.day(2))
        // Of a closed day there is nothing more to be known; of a stock-out there is.
        #expect(book.isComplete(Self.day(1)) && !book.isComplete(Self.day(2)))
    }

    @Test("keeps its level over closed days and stock-outs, and forecasts none of a closed day")
    func levelsHeedTheCalendar() {
        func forecasts(_ calendar: StoreCalendar, _ target: Int) -> [Float] {
            var book = DayBook(
                first: Self.day(-13), through: Self.day(9), ownShare: 0, calendar: calendar)
            for offset in 1...9 {
                book.note(day: Self.day(offset), .store(isClosedAllDay: false, isFinal: true))
                // Nothing is sold on days 3 to 6.
                if !(3...6).contains(offset) {
                    book.noteStore(day: Self.day(offset), item: Self.milk, units: 10)
                }
            }
            let predictor = LevelPredictor(
                asOf: Self.asOf,
                starts: [SeriesStart(item: Self.milk, level: 10, scale: 1, profile: 0)])
            return DayPlan(book: book, checkpoints: [:], hubLevels: [:])
                .forecasts(for: Self.day(target), by: predictor).map { $0.prediction.units }
        }
        #expect(forecasts(StoreCalendar(), 7)[0] < 4)
        let told = Self.calendar(
            (3...5).map { ($0, Self.milk, .stockOut) } + [(6, nil, .closed), (10, nil, .closed)])
        #expect(forecasts(told, 7) == [10])
        #expect(forecasts(told, 10) == [])
        #expect(forecasts(told, 9) == [10])
    }

    @Test("forecasts the first open day behind closed ones, and no further than a fortnight")
    func targetsHeedTheCalendar() {
        func targets(own: Int?, closed: [Int]) -> [Int] {
            DayPlan.targets(
                lastOwnClose: own.map { Self.day($0) }, lastStoreDay: nil, asOf: Self.asOf,
                calendar: Self.calendar(closed.map { ($0, nil, .closed) })
            ).map { $0 - Self.asOf }
        }
        #expect(targets(own: 4, closed: [6]) == [5])
        #expect(targets(own: 4, closed: [5]) == [5, 6])
        #expect(targets(own: nil, closed: [1, 2, 4]) == [1, 2, 3])
        #expect(targets(own: 4, closed: Array(5...40)).last == 19)
    }

    @Test("expects nothing of closed days ahead, and goes on behind them as if they were not")
    func outlookHeedsTheCalendar() {
        let predictor = LevelPredictor(
            asOf: Self.asOf,
            starts: [SeriesStart(item: Self.milk, level: 8, scale: 1, profile: 0)])
        let book = DayBook(
            first: Self.day(-13), through: Self.day(0), ownShare: 0,
            calendar: Self.calendar([(1, nil, .closed), (3, nil, .closed)]))
        let days = DayPlan(book: book, checkpoints: [:], hubLevels: [:])
            .outlooks(of: Self.milk, from: Self.day(1), days: 4, by: predictor)[0].days
        #expect(days.map { $0.units } == [0, 8, 0, 8])
        // The window has the days that were fed back, and none for the closed ones.
        #expect(days.map { $0.networkOutput } == [0, 0, 0, 1])
    }

    @Test(
        "tells the model what is planned: for the day it forecasts, its window's days and the days ahead"
    )
    func planned() {
        /// Which days have a promotion for it, a bit each: the target's the lowest, then the window's from the last.
        struct Promotions: OtherPredictor {
            var base: LevelPredictor
            func predict(
                index: Int?, level: Float, recentDays: [DemandDay], target: BusinessDay,
                targetMarks: DayMarks
            ) -> Prediction {
                let marks = recentDays.map { $0.marks } + [targetMarks]
                let bits = marks.reduce(Int32(0)) { 2 * $0 + ($1.contains(.promotion) ? 1 : 0) }
                return Prediction(units: level, networkOutput: bits)
            }
        }
        var base = LevelPredictor(
            asOf: Self.asOf,
            starts: [Self.bread, Self.milk].map {
                SeriesStart(item: $0, level: 8, scale: 1, profile: 0)
            })
        base.spec.inputs = .promotion
        let promotions = [-2, 1, 2, 3].map { ($0, Self.milk, DayMarks.promotion) }
        let book = DayBook(
            first: Self.day(-13), through: Self.day(0), ownShare: 0,
            calendar: Self.calendar([(0, nil, .holiday), (2, nil, .closed)] + promotions))
        let plan = DayPlan(book: book, checkpoints: [:], hubLevels: [:])
        let forecasts = plan.forecasts(for: Self.day(1), by: Promotions(base: base))
        #expect(forecasts.map { $0.prediction.networkOutput } == [0, 0b1001])
        let days = plan.outlooks(
            of: Self.milk, from: Self.day(1), days: 4, by: Promotions(base: base))[0].days
        #expect(days.map { $0.networkOutput } == [0b1001, 0, 0b10_0111, 0b100_1110])

        // What is no input of the model is no part of what the forecast was made from.
        func digest(_ planned: DayMarks, _ calendar: DayMarks) -> UInt32 {
            ForecastInputs.digest(
                package: base.packageDigest, level: 8,
                recentDays: (-13...0).map { offset in
                    DemandDay(
                        units: nil, marks: calendar.intersection(offset == -2 ? .promotion : []))
                }, targetMarks: calendar.intersection(.promotion), planned: planned)
        }
        #expect(forecasts[1].basis?.inputsDigest == digest(.promotion, .promotion))
        #expect(forecasts[0].basis?.inputsDigest == digest(.promotion, []))
        base.spec.inputs = []
        let others = plan.forecasts(for: Self.day(1), by: Promotions(base: base))
        #expect(others.map { $0.basis?.inputsDigest } == [digest([], []), digest([], [])])
    }
}
