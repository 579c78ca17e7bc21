import Forecasting
import HubCore
import SimulatedDemand
import Testing
import Watching

/// The control charts on their own, and on stores that they have to learn first. Seeds are fixed: each figure is the same on
/// every machine.
@Suite struct ChartTests {
    @Test(
        "With level and deviation known the charts have the false alarms and the delay they are known for"
    )
    func known() {
        let quiet = ChartTrial.falseAlarmsPerYear(years: 3_000)
        #expect((0.02...0.045).contains(quiet), "\(quiet)")
        let one = ChartTrial.delay(shift: 1, runs: 2_000)
        #expect((13...17.5).contains(one.meanDays), "\(one.meanDays)")
        let two = ChartTrial.delay(shift: 2, runs: 2_000)
        #expect((5...7).contains(two.meanDays), "\(two.meanDays)")
    }

    @Test(
        "Stores that are learnt first raise few false alarms, and a shift is seen within weeks",
        arguments: [
            (DemandLaw.normal, 0.07, 23.0, 7.0), (.correlated, 0.15, 52, 10.5),
            (.overdispersed, 0.12, 22, 7.5), (.slowMovers, 0.15, 20, 7),
        ])
    func learnt(law: DemandLaw, alarmsMax: Double, oneMax: Double, twoMax: Double) {
        let trial = WatchTrial(law)
        let quiet = trial.falseAlarms(stores: 150)
        #expect(quiet.shiftsPerYear <= alarmsMax, "\(quiet)")
        #expect(quiet.spreadsPerYear <= 0.08, "\(quiet)")
        #expect(quiet.declinesPerYear <= 0.35, "\(quiet)")
        let one = trial.delay(sigmas: 1, stores: 80)
        #expect(one.meanDays <= oneMax, "\(one.meanDays)")
        let two = trial.delay(sigmas: 2, stores: 80)
        #expect(two.meanDays <= twoMax && two.seenShare == 1, "\(two.meanDays)")
    }

    @Test(
        "In a chain whose stores are alike each is judged almost as if its scale were known; in one of stores that are not, no worse than alone",
        arguments: [
            (DemandLaw.normal, 0.07, 18.5, 6.5), (.correlated, 0.05, 42, 10),
            (.overdispersed, 0.1, 19, 7), (.slowMovers, 0.15, 17, 6.5), (.unalike, 0.15, 27, 8),
        ])
    func chained(law: DemandLaw, alarmsMax: Double, oneMax: Double, twoMax: Double) {
        let trial = WatchTrial(law, chainStores: 50)
        let quiet = trial.falseAlarms(stores: 100)
        #expect(quiet.shiftsPerYear <= alarmsMax, "\(quiet)")
        #expect(quiet.spreadsPerYear <= 0.08, "\(quiet)")
        let one = trial.delay(sigmas: 1, stores: 100)
        #expect(one.meanDays <= oneMax, "\(one.meanDays)")
        let two = trial.delay(sigmas: 2, stores: 100)
        #expect(two.meanDays <= twoMax && two.seenShare == 1, "\(two.meanDays)")
    }

    @Test("What is usual counts as much as stores are alike and its own days tell little")
    func usual() throws {
        func estimates(_ values: [Double], variance: Double) -> [ChainReference.Estimate] {
            values.map { ChainReference.Estimate(value: $0, variance: variance) }
        }
        // Less apart than chance makes them.
        let values = (0..<20).map { 0.5 + ($0 % 2 == 0 ? 0.1 : -0.1) }
        let alike = ChainReference.Usual(estimates(values, variance: 0.02))
        #expect(abs(alike.mean - 0.5) < 1e-12)
        // Nothing between the stores: only that the mean of 20 is not exact.
        #expect(abs(alike.variance - 0.001) < 1e-12)
        let own = ChainReference.Estimate(value: 0.6, variance: 0.02)
        #expect(abs(alike.combined(with: own) - (0.5 + 0.1 / 21)) < 1e-12)
        // The same values, each well known: stores differ.
        let unalike = ChainReference.Usual(estimates(values, variance: 0.0001))
        let between = 0.01 * 20 / 19 - 0.0001
        #expect(abs(unalike.variance - (between + (between + 0.0001) / 20)) < 1e-12)
        let known = ChainReference.Estimate(value: 0.6, variance: 0.0001)
        #expect(unalike.combined(with: known) > 0.599)
        // A single badly known store moves nothing.
        let odd = ChainReference.Usual(
            estimates(values, variance: 0.02) + estimates([50], variance: 10_000))
        #expect(abs(odd.mean - 0.5) < 0.001)
    }

    @Test("Of fewer than 20 stores nothing is told about the others")
    func fewStores() throws {
        func reference(_ seed: UInt64) -> ChainReference.Store? {
            var store = SimulatedStore(.normal, seed: seed)
            let days = (0..<60).map { _ in store.next(shift: 0) }
            return DriftWatch(ModelEpochs.split(days))?.reference?.own
        }
        let stores = (0..<20 as Range<UInt64>).compactMap(reference)
        #expect(stores.count == 20)
        #expect(ChainReference(Array(stores.dropLast())) == nil)
        let chain = try #require(ChainReference(stores))
        #expect(chain.stores == 20)
        #expect(abs(chain.level.mean) < 0.1)
        #expect(abs(chain.persistence.mean) < 0.1)
    }

    @Test("A shift of less than 3 % is nobody's concern, however exact the forecasts are")
    func smallShift() throws {
        func signs(share: Double) throws -> StoreSigns {
            let days = (0..<160).map { index in
                // Half as wide as by Poisson's law.
                let error = 50.0 * [-1.2, 0.4, 1, -0.7, 0.9, -0.4, 0][index % 7]
                let factor = index < 100 ? 1 : 1 + share
                return WatchedDay(
                    day: BusinessDay(daysSince1970: 17_000 + Int32(index)), release: 1,
                    forecasts: 10, forecastUnits: 10_000, actualUnits: (10_000 + error) * factor,
                    absoluteErrorUnits: abs(error))
            }
            #expect(DriftWatch(ModelEpochs.split(days))?.shift != nil)
            return StoreSigns(store: try StoreID("1"), days: days)
        }
        #expect(!(try signs(share: 0.02)).findings.contains { $0.key.kind == .demandShift })
        #expect(!(try signs(share: -0.02)).findings.contains { $0.key.kind == .demandShift })
        let shift = try #require(
            try signs(share: 0.05).findings.first { $0.key.kind == .demandShift })
        #expect(shift.title.contains("+5.0 %"), "\(shift.title)")
    }

    @Test("One extraordinary day alone never signals, three of them do")
    func oneDay() throws {
        func watch(extraordinary: Int) -> DriftWatch.Shift? {
            var store = SimulatedStore(.overdispersed, seed: 3)
            var days = (0..<90).map { _ in store.next(shift: 0) }
            for index in days.indices.suffix(extraordinary) where days[index].z != nil {
                days[index].actualUnits *= 5
            }
            return Self.shift(days)
        }
        #expect(watch(extraordinary: 1) == nil)
        let shift = try #require(watch(extraordinary: 4))
        #expect(shift.isUpwards)
        #expect(shift.share > 1)
    }

    @Test("A shift is dated, and gone once the demand is back for some weeks")
    func comesAndGoes() throws {
        var store = SimulatedStore(.normal, seed: 8)
        var days = (0..<100).map { _ in store.next(shift: 0) }
        let start = store.next(shift: -3)
        days.append(start)
        for _ in 0..<9 { days.append(store.next(shift: -3)) }
        let shift = try #require(Self.shift(days))
        #expect(!shift.isUpwards)
        #expect(abs(shift.since.daysSince1970 - start.day.daysSince1970) <= 1)
        #expect((-0.5 ... -0.1).contains(shift.share))
        // What is off for long is not learnt as how it should be.
        for _ in 0..<150 { days.append(store.next(shift: -3)) }
        #expect(Self.shift(days) != nil)
        for _ in 0..<40 { days.append(store.next(shift: 0)) }
        #expect(Self.shift(days) == nil)
    }

    @Test("The day of a change is the one that divides the values best")
    func changePoint() {
        #expect(ChangePoint.likeliest(in: []) == 0)
        #expect(ChangePoint.likeliest(in: [2]) == 0)
        #expect(ChangePoint.likeliest(in: [0.1, -0.2, 2, 2]) == 2)
        // Page's sum with k = 0.5 was 0 before the first of these.
        #expect(ChangePoint.likeliest(in: [0.7, 0.4, 0.6, 3, 2.5, 3.5]) == 3)
        #expect(ChangePoint.likeliest(in: [1, 1, 1]) == 0)
    }

    @Test("Shifts are dated without bias, most of them to the day", arguments: [2.0, 3.0])
    func dated(sigmas: Double) throws {
        var late: [Int32] = []
        for seed in 0..<200 as Range<UInt64> {
            var store = SimulatedStore(.normal, seed: 1_000 + seed)
            var days = (0..<100).map { _ in store.next(shift: 0) }
            let start = store.next(shift: sigmas)
            days.append(start)
            for _ in 0..<20 { days.append(store.next(shift: sigmas)) }
            let found = Self.shift(days)
            let shift = try #require(found)
            late.append(shift.since.daysSince1970 - start.day.daysSince1970)
        }
        let mean = Double(late.reduce(0, +)) / Double(late.count)
        #expect(abs(mean) <= 0.5, "\(mean)")
        #expect(late.sorted()[late.count / 2] == 0)
        #expect(late.count { abs($0) <= 1 } >= 150, "\(late.sorted())")
    }

    @Test(
        "A model that changes makes what was seen before void; a device that lags behind does not")
    func epochs() throws {
        var store = SimulatedStore(.normal, seed: 5)
        var days = (0..<60).map { _ in store.next(shift: 0) }
        for _ in 0..<12 { days.append(store.next(shift: 4)) }
        #expect(Self.shift(days) != nil)
        for _ in 0..<10 {
            var day = store.next(shift: 0)
            day.release = 2
            days.append(day)
        }
        let after = try #require(DriftWatch(ModelEpochs.split(days)))
        #expect(after.shift == nil)
        #expect(after.release == 2)
        #expect(after.days == 10)
        // Its own scale is not known yet: a great shift is seen by the one before.
        for _ in 0..<8 {
            var day = store.next(shift: 4)
            day.release = 2
            days.append(day)
        }
        #expect(Self.shift(days) != nil)

        // Two days by a device that still runs the old one.
        days.append(store.next(shift: 0))
        days.append(store.next(shift: 0))
        #expect(ModelEpochs.split(days).map(\.count) == [72, 18])
        days.append(store.next(shift: 0))
        #expect(ModelEpochs.split(days).map(\.count) == [72, 18, 3])
    }

    @Test("A model's early days that were a signal are not what its later ones are judged by")
    func earlySignal() throws {
        var store = SimulatedStore(.normal, seed: 6)
        var days = (0..<60).map { _ in store.next(shift: 0) }
        func add(_ count: Int, shift: Double) {
            for _ in 0..<count {
                var day = store.next(shift: shift)
                day.release = 2
                days.append(day)
            }
        }
        add(3, shift: 0)
        add(6, shift: 4)
        #expect(Self.shift(days) != nil)
        add(25, shift: 0)
        // More than it takes, not counting those.
        let early = try #require(DriftWatch(ModelEpochs.split(days)))
        #expect(early.shift == nil)
        #expect(early.reference == nil)
        add(30, shift: 0)
        let known = try #require(DriftWatch(ModelEpochs.split(days))?.reference)
        #expect(known.days >= DemandReference.daysMin)
        #expect(abs(known.level) < 0.5, "\(known.level)")
    }

    private static func shift(_ days: [WatchedDay]) -> DriftWatch.Shift? {
        DriftWatch(ModelEpochs.split(days))?.shift
    }

    @Test("Days without business and items out of stock are no demand")
    func closedDays() throws {
        var store = SimulatedStore(.overdispersed, seed: 11)
        let days = (0..<200).map { _ in store.next(shift: 0) }
        #expect(days.contains { $0.z == nil })
        let watch = try #require(DriftWatch(ModelEpochs.split(days)))
        #expect(watch.days == days.filter { $0.z != nil }.count)
        #expect(watch.shift == nil)
    }

    @Test("Accuracy that is worse two weeks in a row is a decline, one week is not")
    func decline() throws {
        func days(weeks: Int, bad: Int) -> [WatchedDay] {
            // 2016-07-18 is a Monday; a day of the week after makes the last one whole.
            (0..<weeks * 7 + 1).map { index in
                let isBad = index / 7 >= weeks - bad
                return WatchedDay(
                    day: BusinessDay(daysSince1970: 17_000 + Int32(index)), release: 1,
                    forecasts: 10, forecastUnits: 100, actualUnits: 100,
                    absoluteErrorUnits: (isBad ? 40 : 25) + Double(index % 5),
                    comparableErrorUnits: 25, naiveErrorUnits: 30)
            }
        }
        #expect(BusinessDay(daysSince1970: 17_000).weekday == 0)
        #expect(AccuracyWatch(days(weeks: 10, bad: 0)).wape == nil)
        #expect(AccuracyWatch(days(weeks: 10, bad: 1)).wape == nil)
        let decline = try #require(AccuracyWatch(days(weeks: 10, bad: 2)).wape)
        #expect(decline.since == BusinessDay(daysSince1970: 17_000 + 56))
        #expect(decline.usual < 0.3)
        #expect(AccuracyWatch(days(weeks: 10, bad: 2)).valueAdded == nil)
        #expect(AccuracyWatch(days(weeks: 5, bad: 2)).wape == nil)
    }

    @Test("Inputs that moved have an index above 0.25, the same ones none")
    func inputs() throws {
        let before = (0..<200).map { Double($0 % 20) }
        let same = try #require(InputShift(before: before, since: before))
        #expect(same.stabilityIndex < 0.01)
        #expect(same.distance == 0)
        #expect(same.probability == 1)
        let moved = try #require(InputShift(before: before, since: before.map { $0 + 8 }))
        #expect(moved.stabilityIndex > 0.25)
        #expect(abs(moved.distance - 0.4) < 1e-12)
        #expect(moved.probability < 1e-6)
        #expect(InputShift(before: before, since: [1, 2]) == nil)
    }
}
