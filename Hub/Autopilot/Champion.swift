package import Forecasting
package import HubCore
package import Training

/// What runs in one store: the package that most of its devices run.
package struct StoreChampion: Sendable {
    package var store: StoreID
    /// Name of the family.
    package var family: String
    package var variant: String
    /// The package's file.
    package var file: [UInt8]

    package init(store: StoreID, family: String, variant: String, file: [UInt8]) {
        self.store = store
        self.family = family
        self.variant = variant
        self.file = file
    }
}

/// What runs in the chain, store by store: what a challenger has to beat.
package struct Champion: Sendable {
    /// The family that runs in most stores: its recipes are followed anew.
    package var name: String
    /// Every family that runs somewhere, by name.
    package var families: [String: TrainedFamily]
    package var stores: [StoreChampion]

    /// - Parameter stores: not empty, each of a family in `families`.
    package init(families: [String: TrainedFamily], stores: [StoreChampion]) {
        precondition(!stores.isEmpty && stores.allSatisfy { families[$0.family] != nil })
        self.families = families
        self.stores = stores
        var counts: [String: Int] = [:]
        for store in stores { counts[store.family, default: 0] += 1 }
        // Among equally many the one that learnt last; then by name, so that nothing hangs on chance.
        name =
            counts.keys.max { a, b in
                let (one, other) = (counts[a] ?? 0, counts[b] ?? 0)
                if one != other { return one < other }
                let (older, newer) = (families[a]?.asOf, families[b]?.asOf)
                if let older, let newer, older != newer { return older < newer }
                return a < b
            } ?? stores[0].family
    }

    package var family: TrainedFamily {
        // The initialiser has made sure of it.
        families[name]!
    }

    /// Where each store's levels begin anew: where those of its champion did, unless it has drifted since.
    package func levelRestarts(_ drifts: [StoreDrift]) -> [StoreID: BusinessDay] {
        var restarts: [StoreID: BusinessDay] = [:]
        for store in stores {
            restarts[store.store] = families[store.family]?.levelRestarts[store.store]
        }
        for drift in drifts {
            restarts[drift.store] = max(restarts[drift.store] ?? drift.since, drift.since)
        }
        return restarts
    }

    /// Which of the main family's variants stands for what runs in a store: the one of the same name, or else of the
    /// nearest size.
    package func counterpart(of store: StoreChampion) -> TrainedVariant {
        let variants = family.variants
        if let same = variants.first(where: { $0.name == store.variant }) { return same }
        let size =
            families[store.family]?.variants.first { $0.name == store.variant }?.parameters.shape
            .parameterCount ?? 0
        return variants.min {
            abs($0.parameters.shape.parameterCount - size)
                < abs($1.parameters.shape.parameterCount - size)
        } ?? variants[0]
    }
}
