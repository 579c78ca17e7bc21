package import Forecasting

/// What a package is, where it comes from, and what a device needs to run it.
package struct Manifest: Equatable, Sendable {
    /// 1...64 printable ASCII bytes.
    package var family: String
    /// 1...64 printable ASCII bytes.
    package var variant: String
    /// How it was made: at most 256 printable ASCII bytes.
    package var recipe: String
    /// What it was made from (data snapshot, seed): at most 256 printable ASCII bytes.
    package var lineage: String
    /// What a device's runtime must be able to do (`Engine.requiredFeatures`): at most 8, of 1...32 printable ASCII bytes each.
    package var requiredFeatures: [String]
    package var spec: FeatureSpec
    /// Nil: for any store.
    package var store: StoreID?
    /// The last day the levels know of.
    package var asOf: BusinessDay
    /// Grows with every package a hub builds; a device never goes back.
    package var release: UInt64
    /// Exactly what `ArenaLayout` gives for this package.
    package var arenaBytes: Int
    package var evaluation: PackageEvaluation
    /// The scale of an item without a start, as a share of its level; used by the plain form only.
    package var newItemScale: Float

    package init(
        family: String, variant: String, recipe: String = "", lineage: String = "",
        requiredFeatures: [String], spec: FeatureSpec,
        store: StoreID? = nil, asOf: BusinessDay, release: UInt64, arenaBytes: Int = 0,
        evaluation: PackageEvaluation = PackageEvaluation(), newItemScale: Float = 1
    ) {
        self.family = family
        self.variant = variant
        self.recipe = recipe
        self.lineage = lineage
        self.requiredFeatures = requiredFeatures
        self.spec = spec
        self.store = store
        self.asOf = asOf
        self.release = release
        self.arenaBytes = arenaBytes
        self.evaluation = evaluation
        self.newItemScale = newItemScale
    }
}

/// How the integer model did on the days held back for it, in parts per million (12.9 % is 129,000).
package struct PackageEvaluation: Equatable, Sendable {
    /// No figure exceeds this: 2,000 times the actual sales.
    package static let partsPerMillionMax = 2_000_000_000

    /// Σ|forecast − actual| / Σ actual
    package var wapePartsPerMillion: Int?
    /// Days without sales excluded.
    package var mapePartsPerMillion: Int?
    /// Σ(forecast − actual) / Σ actual
    package var biasPartsPerMillion: Int?
    /// Series and days evaluated.
    package var forecasts: Int

    package init(
        wapePartsPerMillion: Int? = nil, mapePartsPerMillion: Int? = nil,
        biasPartsPerMillion: Int? = nil, forecasts: Int = 0
    ) {
        self.wapePartsPerMillion = wapePartsPerMillion
        self.mapePartsPerMillion = mapePartsPerMillion
        self.biasPartsPerMillion = biasPartsPerMillion
        self.forecasts = forecasts
    }
}

/// One forecast with everything it is made from. A device proves all of a package's before it forecasts with it,
/// so it checks the features, the network and the way back to units at once.
package struct GoldenVector: Equatable, Sendable {
    /// Index into the package's starts; nil: an item without one.
    package var item: Int?
    package var level: Float
    package var target: BusinessDay
    /// The `window` days before `target`, oldest first, the first of them without marks.
    package var recentDays: [DemandDay]
    /// What is planned for `target`; here as in `recentDays` no more than is an input.
    package var targetMarks: DayMarks
    package var networkOutput: Int32
    package var units: Float

    package init(
        item: Int?, level: Float, target: BusinessDay, recentDays: [DemandDay],
        targetMarks: DayMarks = [], networkOutput: Int32, units: Float
    ) {
        self.item = item
        self.level = level
        self.target = target
        self.recentDays = recentDays
        self.targetMarks = targetMarks
        self.networkOutput = networkOutput
        self.units = units
    }
}
