import JSONText

/// What signed metadata says of a package, as plain values.
package struct StatedPackage: Equatable, Sendable {
    /// SHA-256 of the package file.
    package let digest: [UInt8]
    /// Its first eight bytes, big-endian: enough to tell the packages of one hub apart.
    package var digestPrefix: UInt64 { digest.prefix(8).reduce(0) { $0 << 8 | UInt64($1) } }
    package let packageBytes: UInt64
    package let arenaBytes: UInt64
    package let release: UInt64
    package let family: String
    package let variant: String
    /// nil: for any store.
    package let store: String?

    /// - Parameter store: empty for any store.
    /// - Throws: `incomplete`: a field without which no check below means anything.
    package init(
        digest: [UInt8], packageBytes: UInt64, arenaBytes: UInt64, release: UInt64,
        family: String, variant: String, store: String
    ) throws(TrustError) {
        guard digest.count == 32 else { throw .incomplete(.digest) }
        guard packageBytes > 0 else { throw .incomplete(.packageBytes) }
        guard arenaBytes > 0 else { throw .incomplete(.arenaBytes) }
        guard release > 0 else { throw .incomplete(.release) }
        guard !family.utf8.isEmpty else { throw .incomplete(.family) }
        guard !variant.utf8.isEmpty else { throw .incomplete(.variant) }
        self.digest = digest
        self.packageBytes = packageBytes
        self.arenaBytes = arenaBytes
        self.release = release
        self.family = family
        self.variant = variant
        self.store = store.utf8.isEmpty ? nil : store
    }

    package static let nameBytesMax = 64

    /// What a repository says of one of its packages: length and SHA-256 as of any target, and in `custom`
    /// `arena`, `family`, `release`, `variant`, and `store` unless it is for any.
    /// - Throws: as above; also for a name longer than `nameBytesMax`.
    package init(_ target: TargetFile) throws(TrustError) {
        func text(_ name: String, _ field: StatedField) throws(TrustError) -> String {
            guard let value = target.custom?[name] else { return "" }
            guard let utf8 = value.utf8, utf8.count <= Self.nameBytesMax else {
                throw .incomplete(field)
            }
            return String(decoding: utf8, as: UTF8.self)
        }
        try self.init(
            digest: target.digests.sha256, packageBytes: target.length,
            arenaBytes: target.custom?["arena"]?.wholeNumber ?? 0,
            release: target.custom?["release"]?.wholeNumber ?? 0,
            family: try text("family", .family), variant: try text("variant", .variant),
            store: try text("store", .store))
    }

    /// Before a byte of it is fetched: may this package run on this device at all?
    /// - Parameters:
    ///   - store: the device's own.
    ///   - arenaBudgetBytes: the device's model memory budget.
    ///   - packageBytesMax: what the device is ready to store.
    /// - Throws: `otherStore`, `packageTooLarge`, `arenaAboveBudget`, or what `rollback` says.
    package func checkOffer(
        store ownStore: String, arenaBudgetBytes: UInt64, packageBytesMax: UInt64,
        rollback: RollbackGuard
    ) throws(TrustError) {
        if let store, !sameBytes(store, ownStore) {
            throw .otherStore(stated: store, own: ownStore)
        }
        guard packageBytes <= packageBytesMax else {
            throw .packageTooLarge(packageBytes: packageBytes, bytesMax: packageBytesMax)
        }
        guard arenaBytes <= arenaBudgetBytes else {
            throw .arenaAboveBudget(arenaBytes: arenaBytes, budgetBytes: arenaBudgetBytes)
        }
        try rollback.check(self)
    }

    /// When all of it is here: is it the file that was signed?
    /// - Parameter digest: SHA-256 of what is stored on this device.
    /// - Throws: `lengthDiffers` or `digestDiffers`.
    package func checkContent(bytes receivedBytes: UInt64, digest received: [UInt8])
        throws(TrustError)
    {
        guard receivedBytes == packageBytes else {
            throw .lengthDiffers(statedBytes: packageBytes, receivedBytes: receivedBytes)
        }
        guard received == digest else { throw .digestDiffers }
    }

    /// When it is decoded: does the file say of itself what the metadata says of it?
    /// - Parameters:
    ///   - arenaBytes: as this device computed it, not as the manifest claims.
    ///   - store: the manifest's; nil for any store.
    /// - Throws: `manifestDiffers`, naming the first field that does.
    package func checkManifest(
        arenaBytes computed: UInt64, release: UInt64, family: String, variant: String,
        store: String?
    ) throws(TrustError) {
        guard computed == arenaBytes else { throw .manifestDiffers(.arenaBytes) }
        guard release == self.release else { throw .manifestDiffers(.release) }
        guard sameBytes(family, self.family) else { throw .manifestDiffers(.family) }
        guard sameBytes(variant, self.variant) else { throw .manifestDiffers(.variant) }
        switch (store, self.store) {
        case (nil, nil): break
        case (let manifest?, let stated?) where sameBytes(manifest, stated): break
        case (nil, _), (_?, _): throw .manifestDiffers(.store)
        }
    }
}

/// Equality of bytes. Two names that only look the same are different names, and Swift's own String
/// comparison would bring the Unicode tables onto the device.
func sameBytes(_ left: String, _ right: String) -> Bool {
    left.utf8.elementsEqual(right.utf8)
}
