import Autopilot
import Crypto
import Forecasting
import Foundation
import HubCore
import HubStore
import HubSync
import ModelPackage
import Training

/// What the chain's devices run, store by store.
struct RunningModels {
    /// By store.
    let packages: [(store: StoreID, package: PackageRecord)]

    init(_ hub: some HubStore) async throws { packages = try await hub.runningPackages() }

    /// With the files and the families they are of.
    /// - Throws: `CommandFailure` where nothing runs, or what runs cannot be read.
    func champion(_ hub: some HubStore, files: PackageFiles) async throws -> Champion {
        guard !packages.isEmpty else {
            throw CommandFailure(
                .refused,
                "no device runs a package yet: there is nothing to be better than; first:"
                    + " shelfcast-hub push FAMILY --all")
        }
        var families: [String: TrainedFamily] = [:]
        var stores: [StoreChampion] = []
        for (store, package) in packages {
            if families[package.family] == nil {
                guard let record = try await hub.family(package.family) else {
                    throw HubStoreError.notFound(what: "family \(package.family)")
                }
                families[package.family] = try TrainedFamily(encoded: Data(record.trained))
            }
            guard
                let file = files.read(
                    digest: package.digest, offset: 0, bytesMax: ModelPackage.fileBytesMax + 1),
                [UInt8](SHA256.hash(data: file)) == package.digest
            else {
                throw CommandFailure(
                    .failed,
                    "the package that store \(store.text) runs is missing or damaged in the data directory: "
                        + PackageFiles.name(of: package.digest))
            }
            stores.append(
                StoreChampion(
                    store: store, family: package.family, variant: package.variant, file: file))
        }
        return Champion(families: families, stores: stores)
    }
}
