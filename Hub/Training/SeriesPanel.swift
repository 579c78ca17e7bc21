import Forecasting

/// All series as flat arrays of days ("cells"), so that a window is gathered without an allocation. Each
/// series begins at its launch, the first day anything was sold, and is led by `padding` cells of unknown
/// days, so that a window may reach back before it.
struct SeriesPanel {
    struct Entry {
        var store: StoreID
        var item: ItemID
        /// Of the first cell, padding included.
        var firstDay: BusinessDay
        /// Index of the first cell.
        var base: Int
        /// Cells, padding included.
        var count: Int
        /// Index of the profile; 0 until fitted.
        var profile = 0
        /// Plain form: deviation over the training days.
        var scale: Float = 1
        /// See `SeriesStart.persistence`.
        var persistence: Float = 0
        /// The state after the last training day.
        var finalLevel: Float = 1
    }

    /// A store that sells at least so much a day, over all its items, was closed when it sold nothing: by
    /// chance that happens once in 22,000 days.
    static let dailyUnitsToSeeClosure = 10.0
    static let daysMax = 365 * 50

    let padding: Int
    /// First day of any series, and the day after the last one.
    let days: Range<BusinessDay>
    /// The day after the last training day.
    let trainingEnd: BusinessDay
    var entries: [Entry] = []
    /// Units as recorded, NaN where unknown.
    var recorded: [Float] = []
    /// Units that say something about demand, NaN on unknown and closed days.
    var observed: [Float] = []
    /// What was planned for the day.
    var marks: [DayMarks] = []
    /// Season's factor of the day; 1 in forms without a profile, 0 where shops are closed every year.
    var factor: [Float] = []
    /// `observed / factor`, NaN where that says nothing.
    var deseasonalised: [Float] = []
    /// The level before the day: all that is known when the day is forecast.
    var level: [Float] = []

    /// - Throws: `TrainingError` when there is nothing to train on.
    init(_ series: [TrainingSeries], padding: Int, testFrom: BusinessDay?) throws {
        self.padding = padding
        var seen: Set<[UInt8]> = []
        for one in series {
            // No identifier contains a space.
            guard seen.insert(one.store.utf8 + [0x20] + one.item.utf8).inserted else {
                throw TrainingError.duplicateSeries(store: one.store, item: one.item)
            }
        }
        // Sorted, so that the order in which a database hands out rows changes no weight.
        let sorted = series.filter { !$0.days.isEmpty }
            .sorted { ($0.store, $0.item) < ($1.store, $1.item) }
        guard let first = sorted.map(\.firstDay).min(), let end = sorted.map(\.endDay).max() else {
            throw TrainingError.noSales
        }
        guard end - first <= Self.daysMax else { throw TrainingError.daysApart(end - first) }
        days = first..<end
        trainingEnd = testFrom.map { min($0, end) } ?? end
        let closed = Self.closedDays(sorted, days: days)
        for one in sorted {
            append(one, closed: closed[one.store] ?? [])
        }
        factor = [Float](repeating: 1, count: observed.count)
        deseasonalised = observed
        level = [Float](repeating: 1, count: observed.count)
        guard entries.contains(where: { $0.firstDay.advanced(by: padding) < trainingEnd }) else {
            throw TrainingError.noSales
        }
    }

    /// The part of the observed training days on which nothing was sold.
    var zeroShare: Double {
        var (zeros, count) = (0, 0)
        for entry in entries {
            for cell in cells(entry, within: days.lowerBound..<trainingEnd)
            where !observed[cell].isNaN {
                count += 1
                if observed[cell] == 0 { zeros += 1 }
            }
        }
        return count > 0 ? Double(zeros) / Double(count) : 0
    }

    /// What was planned for any of the training days.
    var plannedMarks: DayMarks {
        var planned: DayMarks = []
        for entry in entries {
            for cell in cells(entry, within: days.lowerBound..<trainingEnd) {
                planned.formUnion(marks[cell])
            }
        }
        return planned
    }

    func day(_ cell: Int, of entry: Entry) -> BusinessDay {
        entry.firstDay.advanced(by: cell - entry.base)
    }

    /// Cells of an entry's days within `range`, without its padding.
    func cells(_ entry: Entry, within range: Range<BusinessDay>) -> Range<Int> {
        let low = max(range.lowerBound - entry.firstDay, padding)
        let high = min(range.upperBound - entry.firstDay, entry.count)
        return entry.base + min(low, high)..<entry.base + max(min(low, high), high)
    }

    private mutating func append(_ series: TrainingSeries, closed: Set<Int>) {
        guard let launch = series.days.firstIndex(where: { ($0.units ?? 0) > 0 }) else { return }
        let count = padding + series.days.count - launch
        entries.append(
            Entry(
                store: series.store, item: series.item,
                firstDay: series.firstDay.advanced(by: launch - padding), base: observed.count,
                count: count))
        for index in launch - padding..<launch {
            marks.append(index >= 0 ? series.days[index].marks : [])
        }
        recorded.append(contentsOf: repeatElement(.nan, count: padding))
        observed.append(contentsOf: repeatElement(.nan, count: padding))
        let offset = series.firstDay - days.lowerBound
        for index in launch..<series.days.count {
            let day = series.days[index]
            marks.append(day.marks)
            recorded.append(day.units.map(Float.init) ?? .nan)
            observed.append(closed.contains(offset + index) ? .nan : day.observedUnits ?? .nan)
        }
    }

    /// Per store, the days (counted from the first) on which the whole store sold nothing.
    private static func closedDays(
        _ series: [TrainingSeries], days: Range<BusinessDay>
    ) -> [StoreID: Set<Int>] {
        var totals: [StoreID: [Double]] = [:]
        let count = days.upperBound - days.lowerBound
        for one in series {
            let offset = one.firstDay - days.lowerBound
            var total = totals[one.store] ?? [Double](repeating: 0, count: count)
            for (index, day) in one.days.enumerated() {
                total[offset + index] += Double(day.units ?? 0)
            }
            totals[one.store] = total
        }
        return totals.mapValues { total in
            let busy = total.reduce(0, +) / Double(count) >= dailyUnitsToSeeClosure
            return busy ? Set(total.indices.filter { total[$0] == 0 }) : []
        }
    }
}
