package import Forecasting
package import HubCore

/// How a store's demand does beside its forecasts since its model changed last, by control charts over its final days.
///
/// A function of the days and of what the chain is like: a day that comes late or is corrected is judged as if it had always
/// been so.
package struct DriftWatch: Equatable, Sendable {
    /// What the charts are set to. Level: Montgomery's k = 0.5 and h = 8; the rest by simulation
    /// (Docs/decisions/0024-watching.md).
    package struct Limits: Equatable, Sendable {
        package var allowance = 0.5
        package var limit = 8.0
        /// A day counts for so many deviations at most, so that one alone never signals.
        package var deviationsMax = 4.0
        /// For the first days of a model, judged by the deviation under the one before.
        package var earlyAllowance = 1.0
        /// For deviations squared: Hawkins and Olwell 1998, "Cumulative Sum Charts and Charting for Quality
        /// Improvement", section 4: 2·ln(r) ÷ (1 − r⁻²) for a standard deviation r = 1.5 times as large.
        package var spreadAllowance = 1.46
        package var spreadLimit = 24.0
        package var squareMax = 9.0

        package init() {}
    }

    /// A shift of a smaller share of the sales is nobody's concern, however exact the forecasts are.
    package static let shareMin = 0.03
    /// Of the days back that are looked at.
    package static let daysMax = 400
    /// The reference is made anew every so many days that it has learnt.
    private static let stride = 7
    private static let headroom = 4.0

    package struct Shift: Equatable, Sendable {
        /// More is sold than is forecast.
        package var isUpwards: Bool
        /// The day that it began on, likeliest.
        package var since: BusinessDay
        /// Of the chart, in deviations.
        package var sum: Double
        /// Σ actual ÷ Σ forecast − 1 since then.
        package var share: Double
    }

    package struct Spread: Equatable, Sendable {
        package var since: BusinessDay
        /// Deviation since then as a multiple of what it was.
        package var ratio: Double
    }

    /// The store's model, by the latest days.
    package private(set) var release: UInt64
    /// Days with a figure since the model changed, within `daysMax`.
    package private(set) var days: Int
    /// Nil: too few days yet.
    package private(set) var reference: DemandReference?
    package private(set) var shift: Shift?
    package private(set) var spread: Spread?
    /// Each signal of the level's charts on the way: the index of its day. For measurements.
    package private(set) var signals: [Int] = []
    /// The same of the spread's.
    package private(set) var spreadSignals: [Int] = []

    /// - Parameters:
    ///   - epochs: `ModelEpochs.split` of the store's days.
    ///   - chain: of the last epoch's model; nil: not known.
    /// - Returns: nil: there are none.
    package init?(
        _ epochs: [[WatchedDay]], chain: ChainReference? = nil, limits: Limits = Limits()
    ) {
        guard let current = epochs.last, let last = current.last else { return nil }
        release = last.release
        days = current.count
        var charts = Charts(limits: limits, days: current, chain: chain)
        if epochs.count > 1 { charts.learnBefore(from: epochs[epochs.count - 2]) }
        charts.run()
        reference = charts.reference
        signals = charts.signals
        spreadSignals = charts.spreadSignals
        shift = charts.shift
        // A shift scatters too, and says more.
        spread = shift == nil ? charts.spread : nil
    }

    private struct Charts {
        let limits: Limits
        let days: [WatchedDay]
        let chain: ChainReference?
        var up: CUSUM
        var down: CUSUM
        var wide: CUSUM
        var before: DemandReference?
        var reference: DemandReference?
        /// Days that the reference was made from, or has learnt since.
        var learnt: [WatchedDay] = []
        /// How many of them it was made from.
        var made = 0
        /// The first day that is neither learnt from nor passed over.
        var next = 0
        /// What the level's charts took in, a value for each day; 0: there was no measure yet.
        var values: [Double] = []
        var signals: [Int] = []
        var spreadSignals: [Int] = []

        init(limits: Limits, days: [WatchedDay], chain: ChainReference?) {
            self.limits = limits
            self.days = days
            self.chain = chain
            up = CUSUM(allowance: limits.allowance, limit: limits.limit, headroom: headroom)
            down = up
            wide = CUSUM(
                allowance: limits.spreadAllowance, limit: limits.spreadLimit,
                headroom: limits.squareMax)
        }

        /// What scattered under another model scatters about as much under this one; its bias went with it.
        mutating func learnBefore(from days: [WatchedDay]) {
            var charts = Charts(limits: limits, days: days, chain: nil)
            charts.run()
            before = charts.reference
            before?.level = 0
        }

        mutating func run() {
            for (index, day) in days.enumerated() {
                if reference == nil {
                    // An early signal that is over is not among them.
                    if index - next >= DemandReference.daysMin { begin(at: index) }
                } else if isCalm {
                    learn(through: index)
                }
                judge(day, at: index)
            }
        }

        /// What the charts are uneasy about is not learnt from until they are calm again.
        private var isCalm: Bool { !up.isUneasy && !down.isUneasy && !wide.isSignalling }

        /// Judges by the model's own days from here on, which is another measure.
        private mutating func begin(at index: Int) {
            learn(through: index)
            up = CUSUM(allowance: limits.allowance, limit: limits.limit, headroom: headroom)
            down = up
        }

        private mutating func learn(through end: Int) {
            let more = days[next..<end]
            next = end
            learnt += more
            for day in more { reference?.learn(day) }
            guard learnt.count - made >= (reference == nil ? DemandReference.daysMin : stride)
            else { return }
            reference = DemandReference(learnt, chain: chain)
            made = learnt.count
        }

        private mutating func judge(_ day: WatchedDay, at index: Int) {
            guard let reference = self.reference ?? before else { return values.append(0) }
            let score = reference.score(of: day)
            let value = min(
                max(score / reference.inflation, -limits.deviationsMax), limits.deviationsMax)
            values.append(value)
            let allowance =
                self.reference == nil ? limits.earlyAllowance : limits.allowance
            up.allowance = allowance
            down.allowance = allowance
            let was = up.isSignalling || down.isSignalling
            up.add(value)
            down.add(-value)
            // Nothing is learnt from days that were a signal.
            if was, !up.isSignalling, !down.isSignalling { next = index + 1 }
            if !was, up.isSignalling || down.isSignalling { signals.append(index) }
            guard self.reference != nil else { return }
            let wasWide = wide.isSignalling
            wide.add(min(score * score, limits.squareMax))
            if wasWide, !wide.isSignalling { next = index + 1 }
            if !wasWide, wide.isSignalling { spreadSignals.append(index) }
        }

        var shift: Shift? {
            guard up.isSignalling || down.isSignalling else { return nil }
            let isUpwards = up.isSignalling && (!down.isSignalling || up.sum >= down.sum)
            let chart = isUpwards ? up : down
            let run = days.count - min(max(1, chart.run), days.count)
            let start = ChangePoint.likeliest(
                in: values[run...].map { isUpwards ? $0 : -$0 })
            let since = days[(run + start)...]
            let forecast = since.reduce(0) { $0 + $1.forecastUnits }
            let actual = since.reduce(0) { $0 + $1.actualUnits }
            return Shift(
                isUpwards: isUpwards, since: since[since.startIndex].day, sum: chart.sum,
                share: forecast > 0 ? actual / forecast - 1 : 0)
        }

        var spread: Spread? {
            guard wide.isSignalling, let reference else { return nil }
            let since = days[(days.count - min(max(1, wide.run), days.count))...]
            let squares = since.reduce(0) {
                $0 + reference.deviations(of: $1) * reference.deviations(of: $1)
            }
            return Spread(
                since: since[since.startIndex].day,
                ratio: (squares / Double(since.count)).squareRoot())
        }
    }
}
