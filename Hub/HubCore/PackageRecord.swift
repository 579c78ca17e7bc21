package import Forecasting

/// A package in the hub's hands. Its bytes are in `packages/<digest>.shelfpack`.
package struct PackageRecord: Hashable, Sendable {
    /// SHA-256 of the package file, 32 bytes.
    package var digest: [UInt8]
    package var family: String
    package var variant: String
    /// nil: for any store.
    package var store: StoreID?
    package var release: UInt64
    package var packageBytes: Int
    package var arenaBytes: Int
    package var parameterCount: Int
    package var requiredFeatures: [String]
    /// Of the integer model, on the family's evaluation days, in percent.
    package var wape: Double
    package var mape: Double
    package var bias: Double
    /// Of the float model it was made from, on the same days over all stores.
    package var floatWAPE: Double
    package var floatMAPE: Double
    package var createdAt: Timestamp

    package init(
        digest: [UInt8], family: String, variant: String, store: StoreID?, release: UInt64,
        packageBytes: Int, arenaBytes: Int, parameterCount: Int, requiredFeatures: [String],
        wape: Double, mape: Double, bias: Double, floatWAPE: Double, floatMAPE: Double,
        createdAt: Timestamp
    ) {
        self.digest = digest
        self.family = family
        self.variant = variant
        self.store = store
        self.release = release
        self.packageBytes = packageBytes
        self.arenaBytes = arenaBytes
        self.parameterCount = parameterCount
        self.requiredFeatures = requiredFeatures
        self.wape = wape
        self.mape = mape
        self.bias = bias
        self.floatWAPE = floatWAPE
        self.floatMAPE = floatMAPE
        self.createdAt = createdAt
    }
}

/// One training run, as the store keeps it: what it learnt is in `trained`, which only Training
/// reads.
package struct FamilyRecord: Hashable, Sendable {
    package static let nameBytesMax = 64

    package var name: String
    package var createdAt: Timestamp
    /// "plain", "calendar" or "profile".
    package var form: String
    /// SHA-256, in hexadecimal, of the sales it was trained on.
    package var snapshotDigest: String
    package var seed: UInt64
    package var asOf: BusinessDay
    /// For people and `--json`: variants and figures, as JSON.
    package var summary: String
    package var trained: [UInt8]
    /// nil: it was made before lineage was kept.
    package var lineage: Lineage?

    package init(
        name: String, createdAt: Timestamp, form: String, snapshotDigest: String, seed: UInt64,
        asOf: BusinessDay, summary: String, trained: [UInt8], lineage: Lineage? = nil
    ) {
        self.name = name
        self.createdAt = createdAt
        self.form = form
        self.snapshotDigest = snapshotDigest
        self.seed = seed
        self.asOf = asOf
        self.summary = summary
        self.trained = trained
        self.lineage = lineage
    }
}
