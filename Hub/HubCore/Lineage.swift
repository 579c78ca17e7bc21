package import Forecasting

/// The sales that something was learnt from.
package struct TrainingData: Hashable, Sendable, Codable {
    /// SHA-256, in hexadecimal, over stores, items and days: the same sales have the same digest.
    package var digest: String
    package var firstDay: BusinessDay
    package var lastDay: BusinessDay
    package var stores: Int
    package var series: Int
    /// Items' days, from each item's first.
    package var seriesDays: Int
    /// Day totals, by where they came from: an import, or the devices.
    package var importedTotals: Int
    package var uploadedTotals: Int
    /// Left out: the store was closed.
    package var closedDays: Int
    /// Left out: the calendar says that the item was out of stock.
    package var outOfStockDays: Int

    package init(
        digest: String, firstDay: BusinessDay, lastDay: BusinessDay, stores: Int, series: Int,
        seriesDays: Int, importedTotals: Int, uploadedTotals: Int, closedDays: Int,
        outOfStockDays: Int
    ) {
        self.digest = digest
        self.firstDay = firstDay
        self.lastDay = lastDay
        self.stores = stores
        self.series = series
        self.seriesDays = seriesDays
        self.importedTotals = importedTotals
        self.uploadedTotals = uploadedTotals
        self.closedDays = closedDays
        self.outOfStockDays = outOfStockDays
    }
}

/// Where a family comes from: which data, which seed, which recipe.
package struct Lineage: Hashable, Sendable, Codable {
    /// Who made it.
    package enum Origin: String, Hashable, Sendable, Codable, CaseIterable {
        case train
        /// Trained elsewhere and read from a file.
        case modelImport = "import"
        case compress
        case search
        case autopilot
    }

    /// One network of the family.
    package struct Network: Hashable, Sendable, Codable {
        package var variant: String
        package var recipe: String
        package var seed: UInt64
        package var origin: Origin
        package var madeAt: Timestamp
        /// Whose weights it began with, as `family variant`; nil: nobody's.
        package var parent: String?

        package init(
            variant: String, recipe: String, seed: UInt64, origin: Origin, madeAt: Timestamp,
            parent: String? = nil
        ) {
            self.variant = variant
            self.recipe = recipe
            self.seed = seed
            self.origin = origin
            self.madeAt = madeAt
            self.parent = parent
        }
    }

    package var origin: Origin
    package var data: TrainingData
    package var networks: [Network]
    /// The family that this one is to follow; nil: none.
    package var parent: String?
    /// The run of the autopilot that made it; nil: a person did.
    package var autopilotRun: Int64?
    /// A file's SHA-256, in hexadecimal, where the networks were read from one.
    package var fileDigest: String?

    package init(
        origin: Origin, data: TrainingData, networks: [Network], parent: String? = nil,
        autopilotRun: Int64? = nil, fileDigest: String? = nil
    ) {
        self.origin = origin
        self.data = data
        self.networks = networks
        self.parent = parent
        self.autopilotRun = autopilotRun
        self.fileDigest = fileDigest
    }
}

/// Everything from the sales to the devices, of one family.
package struct FamilyLineage: Hashable, Sendable {
    /// Without `trained`.
    package var family: FamilyRecord
    /// By release, variant and store.
    package var packages: [PackageRecord]
    /// Newest first.
    package var rollouts: [RolloutRecord]
    /// The run that made it.
    package var run: AutopilotRecord?
    /// The families it descends from, the nearest first.
    package var ancestors: [FamilyRecord]

    package init(
        family: FamilyRecord, packages: [PackageRecord], rollouts: [RolloutRecord],
        run: AutopilotRecord?, ancestors: [FamilyRecord]
    ) {
        self.family = family
        self.packages = packages
        self.rollouts = rollouts
        self.run = run
        self.ancestors = ancestors
    }
}

/// Where the day totals of a chain came from.
package struct SalesSources: Hashable, Sendable {
    package var imported: Int
    /// By devices alone.
    package var uploaded: Int

    package init(imported: Int, uploaded: Int) {
        self.imported = imported
        self.uploaded = uploaded
    }
}
