package import Forecasting

/// One series on the eve of one day: all a device would know there, and what was then sold.
package struct ReplayDay: Sendable {
    package var store: StoreID
    package var item: ItemID
    /// Index into the family's profiles.
    package var profile: Int
    package var state: SeriesState
    package var target: BusinessDay
    /// The window's days before `target`, oldest first.
    package var recentDays: [DemandDay]
    /// What `target` turned out to be, as the levels see it, with what was planned for it.
    package var demand: DemandDay
    /// What was recorded for `target`; nil when nothing was, and then the day is in no accuracy figure.
    package var recordedUnits: Int32?

    /// What the network is given.
    /// - Parameter profiles: the family's; where a device is meant, rounded as its package holds them.
    /// - Returns: `[window, I]` time-major.
    package func window(spec: FeatureSpec, profiles: [SeasonalProfile]) -> [Float] {
        let window = FeatureWindow(
            spec: spec, state: state, profile: profiles[profile], target: target,
            targetMarks: demand.marks)
        var values = [Float](repeating: 0, count: spec.windowValues)
        var span = values.mutableSpan
        window.write(recentDays.span, into: &span)
        return values
    }
}

/// A family's series day by day, so that whatever is made of the family meets the days its float networks were
/// evaluated on, with the same closed days, levels and launches.
package struct EvaluationReplay: Sendable {
    private let panel: SeriesPanel
    private let spec: FeatureSpec
    /// The family's evaluated days.
    package let evaluated: Range<BusinessDay>
    /// The days the networks learnt from, up to the evaluated ones or to the end of training.
    package let learnt: Range<BusinessDay>

    /// - Parameter series: what the family was trained with, test days included.
    /// - Throws: `TrainingError` when these cannot be the family's series.
    package init(series: [TrainingSeries], family: TrainedFamily) throws {
        var panel = try SeriesPanel(
            series, padding: max(family.spec.window, Baseline.lookBackDaysMax),
            testFrom: family.asOf.advanced(by: 1))
        var starts: [StoreID: [ItemID: SeriesStart]] = [:]
        for store in family.starts {
            for start in store.starts { starts[store.store, default: [:]][start.item] = start }
        }
        for index in panel.entries.indices {
            let entry = panel.entries[index]
            let start = starts[entry.store]?[entry.item]
            let profile = Int(start?.profile ?? 0)
            panel.entries[index].persistence = start?.persistence ?? 0
            panel.entries[index].profile = profile < family.profiles.count ? profile : 0
        }
        SeasonalFit.restore(&panel, family: family)
        self.init(
            panel: panel, spec: family.spec,
            evaluated: family
                .evaluatedFrom..<family.evaluatedFrom.advanced(
                    by: family.evaluatedDays),
            learnt: panel.days.lowerBound..<min(panel.trainingEnd, family.evaluatedFrom))
    }

    init(
        panel: SeriesPanel, spec: FeatureSpec, evaluated: Range<BusinessDay>,
        learnt: Range<BusinessDay>
    ) {
        self.panel = panel
        self.spec = spec
        self.evaluated = evaluated
        self.learnt = learnt
    }

    /// Series the replay has: those in which anything was ever sold, by store and item.
    package var seriesCount: Int { panel.entries.count }

    package func store(series: Int) -> StoreID { panel.entries[series].store }

    /// How a series sold on the learnt days; nil when it did not.
    package func demandClass(series: Int) -> DemandClass? {
        let cells = panel.cells(panel.entries[series], within: learnt)
        return DemandClass(
            history: cells.lazy.map { panel.observed[$0] }.filter { !$0.isNaN }.map(Double.init))
    }

    /// The evaluated days of one series in order, those without a record included: levels pass over them.
    package func evaluatedDays(series: Int) -> [ReplayDay] {
        panel.cells(panel.entries[series], within: evaluated).map { day(cell: $0, series: series) }
    }

    /// - Returns: at most `count` learnt days with observed demand and a whole window before them, evenly spread over
    ///   all series: what a quantiser calibrates on.
    package func learntDays(atMost count: Int) -> [ReplayDay] {
        let samples = WindowSampler(panel: panel, spec: spec).trainingSamples(within: learnt)
        guard samples.count > count else { return samples.map(day) }
        return (0..<count).map { day(samples[(2 * $0 + 1) * samples.count / (2 * count)]) }
    }

    private func day(_ sample: Sample) -> ReplayDay {
        day(cell: Int(sample.cell), series: Int(sample.entry))
    }

    private func day(cell: Int, series: Int) -> ReplayDay {
        let entry = panel.entries[series]
        return ReplayDay(
            store: entry.store, item: entry.item, profile: entry.profile,
            state: SeriesState(
                level: panel.level[cell], scale: entry.scale, persistence: entry.persistence),
            target: panel.day(cell, of: entry),
            recentDays: (cell - spec.window..<cell).map(demand), demand: demand(cell),
            recordedUnits: panel.recorded[cell].isNaN ? nil : Int32(panel.recorded[cell]))
    }

    private func demand(_ cell: Int) -> DemandDay {
        let isObserved = !panel.observed[cell].isNaN
        return DemandDay(
            units: isObserved ? Int32(panel.observed[cell]) : nil,
            // Something is recorded that says nothing about demand: the store did no business.
            isOpen: isObserved || panel.recorded[cell].isNaN, marks: panel.marks[cell])
    }
}
