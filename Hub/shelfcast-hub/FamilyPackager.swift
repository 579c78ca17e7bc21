import Compression
import Crypto
import Forecasting
import Foundation
import HubCore
import HubStore
import HubSync
import ModelPackage
import Training

/// Makes the packages of a family, puts them where `serve` finds them, and has the repository vouch for them.
struct FamilyPackager {
    struct Packed {
        var release: UInt64
        /// By variant, any store first.
        var packages: [PackageRecord]
        /// Of each variant, every store with its own package.
        var accuracies: [Accuracy]
    }

    let store: any HubStore
    let data: DataOptions
    var calibrationWindows = 256

    /// - Parameters:
    ///   - record: the family as it is stored.
    ///   - snapshot: what it was trained on.
    ///   - progress: packages made, of how many.
    /// - Returns: nil: it was cancelled, and no package was added.
    func pack(
        _ record: FamilyRecord, _ family: TrainedFamily, snapshot: SalesSnapshot,
        progress: (Int, Int) -> Void, isCancelled: () -> Bool
    ) async throws -> Packed? {
        let builder = try PackageBuilder(
            family: family, name: record.name, series: snapshot.series,
            lineage: "sales \(record.snapshotDigest.prefix(16))",
            calibrationWindowsMax: calibrationWindows)
        let release = try await store.takeRelease()
        let stores: [StoreID?] = [nil] + family.starts.map(\.store)
        let count = stores.count * family.variants.count
        let files = PackageFileWriter(dataDirectory: data.directory)
        var packed = Packed(release: release, packages: [], accuracies: [])
        for index in family.variants.indices {
            var accuracy = Accuracy()
            for target in stores {
                if isCancelled() { return nil }
                let built = try builder.build(variant: index, store: target, release: release)
                if target != nil { accuracy.merge(built.accuracy) }
                let one = Self.record(built, variant: family.variants[index])
                packed.packages.append(one)
                try files.write(built.bytes, digest: one.digest)
                progress(packed.packages.count, count)
            }
            packed.accuracies.append(accuracy)
        }
        try files.synchronise()
        // Files first: a package the database knows has its bytes on disk.
        try await store.savePackages(packed.packages)
        try await data.repository(of: store).refresh(at: Timestamp(Date()))
        return packed
    }

    private static func record(_ built: BuiltPackage, variant: TrainedVariant) -> PackageRecord {
        let manifest = built.package.manifest
        let digest = Array(SHA256.hash(data: built.bytes))
        let float = variant.evaluation
        // A store that sold nothing on the evaluated days has no figures of its own.
        let accuracy = built.accuracy.wape == nil ? float : built.accuracy
        return PackageRecord(
            digest: digest, family: manifest.family, variant: manifest.variant,
            store: manifest.store, release: manifest.release, packageBytes: built.bytes.count,
            arenaBytes: built.memoryBytes,
            parameterCount: variant.parameters.shape.parameterCount,
            requiredFeatures: manifest.requiredFeatures, wape: accuracy.wape ?? 100,
            mape: accuracy.mape ?? 100, bias: accuracy.bias ?? 0, floatWAPE: float.wape ?? 100,
            floatMAPE: float.mape ?? 100, createdAt: .now)
    }
}
