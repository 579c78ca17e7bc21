/// What a device knows of one series: its level and how its days are scaled.
package struct SeriesState: Equatable, Sendable {
    /// A level is never below this, nor above `levelMax`: features divide by it.
    package static let levelMin: Float = 1.0 / 64
    package static let levelMax: Float = 1_000_000
    package static let scaleMin: Float = 1.0 / 64

    /// Units per day; see `SeriesStart.level`.
    package private(set) var level: Float
    /// See `SeriesStart.scale`.
    package let scale: Float
    /// See `SeriesStart.persistence`.
    package let persistence: Float

    /// Anything not finite or out of range is brought into range: a level can come from a context message.
    package init(level: Float, scale: Float = 1, persistence: Float = 0) {
        self.level = Self.clamped(level, Self.levelMin, Self.levelMax)
        self.scale = Self.clamped(scale, Self.scaleMin, Self.levelMax)
        let range = SeriesStart.persistenceRange
        self.persistence = Self.clamped(persistence, range.lowerBound, range.upperBound)
    }

    package init(_ start: SeriesStart) {
        self.init(level: start.level, scale: start.scale, persistence: start.persistence)
    }

    /// Takes a finished day in: `level += rate · (units / factor − level)`. To be called once for every
    /// day, in order; a closed or unknown day leaves the level as it is, one whose factor is 0 included, and
    /// so does the plain form, whose level is the mean of the training days.
    package mutating func close(
        day: BusinessDay, demand: DemandDay, profile: SeasonalProfile, spec: FeatureSpec
    ) {
        guard spec.output != .zScore, demand.observedUnits != nil else { return }
        let factor = spec.output == .logResidual ? profile.factor(on: day) : 1
        close(demand: demand, factor: factor, spec: spec)
    }

    /// Like `close(day:demand:profile:spec:)`.
    /// - Parameter factor: the season's, of that day; 1 in forms without a profile.
    package mutating func close(demand: DemandDay, factor: Float, spec: FeatureSpec) {
        guard spec.output != .zScore, let units = demand.observedUnits, factor > 0 else { return }
        observe(units / factor, rate: spec.levelRate)
    }

    /// How fast the item sells, as the network sees it: a quarter of the level's natural logarithm.
    package var levelLogarithm: Float { 0.25 * naturalLogarithm(level) }

    /// One step of the recursion, with the day's season already divided out; a NaN changes nothing.
    package mutating func observe(_ deseasonalised: Float, rate: Float) {
        guard !deseasonalised.isNaN else { return }
        let moved = level + rate * (deseasonalised - level)
        level = Self.clamped(moved, Self.levelMin, Self.levelMax)
    }

    private static func clamped(_ value: Float, _ low: Float, _ high: Float) -> Float {
        // Written so that a NaN falls to `low`.
        value > low ? (value < high ? value : high) : low
    }
}
