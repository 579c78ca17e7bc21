package import Forecasting

/// Answers one question: how many units of one series on one day. The engine on a device, a formula in
/// a test.
package protocol SeriesPredictor {
    var spec: FeatureSpec { get }
    var asOf: BusinessDay { get }
    /// SHA-256 of the package file.
    var packageDigest: [UInt8] { get }
    /// Every item with a start, ascending; its place is its index.
    var items: [ItemID] { get }
    /// As of `asOf`.
    func startLevel(index: Int) -> Float
    /// The season's share of a day's demand; 1 in forms without one.
    /// - Parameter index: nil for an item without a start.
    func factor(on day: BusinessDay, index: Int?) -> Float
    /// - Parameters:
    ///   - index: into `items`; nil for an item without a start.
    ///   - level: as of the day before `target`.
    ///   - recentDays: the `spec.window` days before `target`, oldest first.
    ///   - targetMarks: what is planned for `target`.
    func predict(
        index: Int?, level: Float, recentDays: [DemandDay], target: BusinessDay,
        targetMarks: DayMarks
    ) -> Prediction
}

package struct Prediction: Equatable, Sendable {
    package var units: Float
    package var networkOutput: Int32

    package init(units: Float, networkOutput: Int32) {
        self.units = units
        self.networkOutput = networkOutput
    }
}

/// What a forecast was made from, as the hub is told it to make the forecast again (SPEC 9.6).
package struct ForecastBasis: Equatable, Sendable {
    package var level: Float
    /// `ForecastInputs.digest`.
    package var inputsDigest: UInt32

    package init(level: Float, inputsDigest: UInt32) {
        self.level = level
        self.inputsDigest = inputsDigest
    }
}

/// One item's forecast for one day.
package struct DayForecast: Equatable, Sendable {
    package var day: BusinessDay
    package var item: ItemID
    package var prediction: Prediction
    /// Every day that went into it was the whole store's.
    package var inputsAreComplete: Bool
    /// Nil for a forecast that an agent before 0.2 made.
    package var basis: ForecastBasis?

    package init(
        day: BusinessDay, item: ItemID, prediction: Prediction, inputsAreComplete: Bool,
        basis: ForecastBasis?
    ) {
        self.day = day
        self.item = item
        self.prediction = prediction
        self.inputsAreComplete = inputsAreComplete
        self.basis = basis
    }
}

/// A level and the last day it knows.
package struct LevelPoint: Equatable, Sendable {
    package var level: Float
    package var day: BusinessDay

    package init(level: Float, day: BusinessDay) {
        self.level = level
        self.day = day
    }
}

/// Which days a device forecasts, from which levels. The level of a day is a function of the package's
/// start level and the days since: nothing is carried along that a late total could not correct.
package struct DayPlan: Sendable {
    /// A level is kept this long before the day it is used for; until then late totals still move it.
    package static let checkpointAgeDays = 62
    /// How far a level's recursion may reach back before a checkpoint shortens it.
    package static let recursionDaysMax = 90
    /// Targets between our last close and what the hub already knows, at most.
    package static let targetsMax = 7
    /// So many closed days in a row are looked across for the next day of business.
    package static let closedDaysMax = 14

    package var book: DayBook
    /// Where a level starts later than in the package: older days may be gone.
    package var checkpoints: [ItemID: LevelPoint]
    /// Of items that the package does not know: from the store's days.
    package var hubLevels: [ItemID: LevelPoint]

    package init(
        book: DayBook, checkpoints: [ItemID: LevelPoint], hubLevels: [ItemID: LevelPoint]
    ) {
        self.book = book
        self.checkpoints = checkpoints
        self.hubLevels = hubLevels
    }

    /// The first day that nobody has closed, never one the package was trained on.
    package static func nextDay(
        lastOwnClose: BusinessDay?, lastStoreDay: BusinessDay?, asOf: BusinessDay
    ) -> BusinessDay {
        var frontier = asOf
        if let lastOwnClose, lastOwnClose > frontier { frontier = lastOwnClose }
        if let lastStoreDay, lastStoreDay > frontier { frontier = lastStoreDay }
        return frontier.advanced(by: 1)
    }

    /// The days whose forecast may still change, oldest first: after our last close up to the first day
    /// nobody has closed, and where the calendar calls that closed, to the first open one after it.
    package static func targets(
        lastOwnClose: BusinessDay?, lastStoreDay: BusinessDay?, asOf: BusinessDay,
        calendar: StoreCalendar = StoreCalendar()
    ) -> [BusinessDay] {
        let frontier = nextDay(
            lastOwnClose: lastOwnClose, lastStoreDay: lastStoreDay, asOf: asOf
        ).advanced(by: -1)
        var start = frontier.advanced(by: 1)
        if let lastOwnClose {
            start = max(lastOwnClose, asOf).advanced(by: 1)
            start = max(start, frontier.advanced(by: 2 - targetsMax))
        }
        var end = max(start, frontier.advanced(by: 1))
        var ahead = 0
        while ahead < closedDaysMax, calendar.isClosed(end) {
            end = end.advanced(by: 1)
            ahead += 1
        }
        return (0...end - start).map { start.advanced(by: $0) }
    }

    /// The forecasts of every item for `target`, by item; none where the calendar calls it closed.
    package func forecasts(
        for target: BusinessDay, by predictor: some SeriesPredictor
    ) -> [DayForecast] {
        guard !book.calendar.isClosed(target) else { return [] }
        let window = predictor.spec.window
        let recent = (0..<window).map { target.advanced(by: $0 - window) }
        var complete = recent.allSatisfy { book.isComplete($0) }
        if complete {
            var day = predictor.asOf.advanced(by: 1)
            while complete, day < target {
                complete = book.isComplete(day)
                day = day.advanced(by: 1)
            }
        }
        var forecasts: [DayForecast] = []
        for series in series(for: predictor) {
            let level = level(of: series, on: target.advanced(by: -1), predictor: predictor)
            guard let level else { continue }
            let days = recent.map { book.demand(for: series.item, on: $0) }
            let marks = book.calendar.marks(of: series.item, on: target)
            forecasts.append(
                DayForecast(
                    day: target, item: series.item,
                    prediction: predictor.predict(
                        index: series.index, level: level, recentDays: days, target: target,
                        targetMarks: marks),
                    inputsAreComplete: complete,
                    basis: ForecastBasis(
                        level: level,
                        inputsDigest: ForecastInputs.digest(
                            package: predictor.packageDigest, level: level, recentDays: days,
                            targetMarks: marks, planned: predictor.spec.inputs.marks))))
        }
        return forecasts.sorted { $0.item < $1.item }
    }

    /// So many days ahead at most: what is fed back are expectations, and says less each time.
    package static let horizonDaysMax = 14

    /// The forecasts from `target` on, each fed back as if it had been sold: into the level as it is, into the window in
    /// whole units, rounded so that their sum stays within half a unit of the forecasts'.
    /// - Parameters:
    ///   - item: nil for every item.
    ///   - target: the first day nobody has closed.
    ///   - days: 1...`horizonDaysMax`, `target` included.
    /// - Returns: by item, `days` predictions each.
    package func outlooks(
        of item: ItemID?, from target: BusinessDay, days: Int, by predictor: some SeriesPredictor
    ) -> [(item: ItemID, days: [Prediction])] {
        let spec = predictor.spec
        var outlooks: [(item: ItemID, days: [Prediction])] = []
        for series in series(for: predictor) where item == nil || series.item == item {
            guard let level = level(of: series, on: target.advanced(by: -1), predictor: predictor)
            else { continue }
            var state = SeriesState(level: level)
            var recent = (0..<spec.window).map {
                book.demand(for: series.item, on: target.advanced(by: $0 - spec.window))
            }
            var predictions: [Prediction] = []
            var (sum, told): (Float, Int32) = (0, 0)
            for ahead in 0..<min(days, Self.horizonDaysMax) {
                let day = target.advanced(by: ahead)
                let marks = book.calendar.marks(of: series.item, on: day)
                /// What the next day's window has of this one.
                func fold(_ demand: DemandDay) {
                    guard !recent.isEmpty else { return }
                    recent.removeFirst()
                    recent.append(demand)
                    recent[recent.count - 1].marks = marks.intersection(.planned)
                }
                guard !marks.contains(.closed) else {
                    predictions.append(Prediction(units: 0, networkOutput: 0))
                    fold(.closed)
                    continue
                }
                let prediction = predictor.predict(
                    index: series.index, level: state.level, recentDays: recent, target: day,
                    targetMarks: marks)
                predictions.append(prediction)
                sum += prediction.units
                // At most 14 times ten million.
                let whole = max(0, Int32(sum + 0.5) - told)
                told += whole
                let factor = predictor.factor(on: day, index: series.index)
                // As `SeriesState.close` does with a day that was sold.
                if spec.output != .zScore, factor > 0 {
                    state.observe(prediction.units / factor, rate: spec.levelRate)
                }
                fold(factor > 0 ? DemandDay(units: whole) : .closed)
            }
            outlooks.append((series.item, predictions))
        }
        return outlooks.sorted { $0.item < $1.item }
    }

    /// The checkpoints to keep after `day` was closed; empty while no recursion is long.
    package func newCheckpoints(
        closing day: BusinessDay, by predictor: some SeriesPredictor
    ) -> [ItemID: LevelPoint] {
        var oldest = predictor.asOf
        for point in checkpoints.values where point.day > oldest { oldest = point.day }
        guard day - oldest > Self.recursionDaysMax else { return [:] }
        let at = day.advanced(by: -Self.checkpointAgeDays)
        var points: [ItemID: LevelPoint] = [:]
        for series in series(for: predictor) {
            guard let level = level(of: series, on: at, predictor: predictor) else { continue }
            points[series.item] = LevelPoint(level: level, day: at)
        }
        return points
    }

    private struct Series {
        var item: ItemID
        /// Nil: not one the package knows, its level comes from elsewhere.
        var index: Int?
    }

    /// The package's items, then those it does not know.
    private func series(for predictor: some SeriesPredictor) -> [Series] {
        var all: [Series] = []
        var known: [ItemID: Bool] = [:]
        for item in predictor.items {
            known[item] = true
            all.append(Series(item: item, index: all.count))
        }
        for item in book.items + [ItemID](hubLevels.keys) where known[item] == nil {
            known[item] = true
            all.append(Series(item: item, index: nil))
        }
        return all
    }

    /// - Returns: nil while nothing is known of an item.
    private func level(
        of series: Series, on day: BusinessDay, predictor: some SeriesPredictor
    ) -> Float? {
        let item = series.item
        var origin: LevelPoint
        if let index = series.index {
            origin = LevelPoint(level: predictor.startLevel(index: index), day: predictor.asOf)
        } else if let hub = hubLevels[item] {
            origin = hub
        } else if let first = book.firstSale(of: item), first <= day,
            let units = book.demand(for: item, on: first).observedUnits
        {
            let factor = predictor.factor(on: first, index: nil)
            // A day on which shops are closed every year says nothing of a usual one.
            origin = LevelPoint(level: factor > 0 ? units / factor : units, day: first)
        } else {
            return nil
        }
        if let checkpoint = checkpoints[item], checkpoint.day > origin.day,
            checkpoint.day <= day
        {
            origin = checkpoint
        }
        var state = SeriesState(level: origin.level)
        var at = max(origin.day.advanced(by: 1), book.first)
        while at <= day {
            let demand = book.demand(for: item, on: at)
            if demand.observedUnits != nil {
                state.close(
                    demand: demand, factor: predictor.factor(on: at, index: series.index),
                    spec: predictor.spec)
            }
            at = at.advanced(by: 1)
        }
        return state.level
    }
}
