package import Forecasting

/// A family's packages by the store they are for, so that a choice for one device reads those of its store alone: a chain has
/// thousands.
package struct PackageShelf: Sendable {
    private let ofStore: [StoreID: [PackageRecord]]
    private let ofAny: [PackageRecord]

    package init(_ packages: some Sequence<PackageRecord>) {
        var ofStore: [StoreID: [PackageRecord]] = [:]
        var ofAny: [PackageRecord] = []
        for package in packages {
            if let store = package.store {
                ofStore[store, default: []].append(package)
            } else {
                ofAny.append(package)
            }
        }
        self.ofStore = ofStore
        self.ofAny = ofAny
    }

    /// Those for `store` and those for any.
    package func packages(for store: StoreID) -> [PackageRecord] {
        (ofStore[store] ?? []) + ofAny
    }
}
