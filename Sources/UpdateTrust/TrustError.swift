/// Why a package may not run here. Every case means: it is not activated, and what runs goes on.
package enum TrustError: Error, Equatable, Sendable {
    /// Signed metadata that leaves something out.
    case incomplete(StatedField)
    case otherStore(stated: String, own: String)
    case packageTooLarge(packageBytes: UInt64, bytesMax: UInt64)
    case arenaAboveBudget(arenaBytes: UInt64, budgetBytes: UInt64)
    case olderRelease(stated: UInt64, accepted: UInt64)
    /// One release, and two packages that both claim to be the same variant of it.
    case releaseReused(UInt64)
    case lengthDiffers(statedBytes: UInt64, receivedBytes: UInt64)
    case digestDiffers
    /// The package's own manifest says something else than its signed metadata.
    case manifestDiffers(StatedField)
}

/// What signed metadata states of a package.
package enum StatedField: Equatable, Sendable {
    case digest
    case packageBytes
    case arenaBytes
    case release
    case family
    case variant
    case store
}

extension TrustError {
    /// For the operator: what was found, and what to do about it.
    package var explanation: String {
        switch self {
        case .incomplete(let field):
            "the package's metadata says nothing usable about its " + field.name
        case .otherStore(let stated, let own):
            "the package is for store " + stated + " and this device belongs to store " + own
        case .packageTooLarge(let packageBytes, let bytesMax):
            "the package has \(packageBytes) bytes; this device takes at most \(bytesMax)"
        case .arenaAboveBudget(let arenaBytes, let budgetBytes):
            "the package needs \(arenaBytes) bytes of arena and the model memory budget is \(budgetBytes)"
        case .olderRelease(let stated, let accepted):
            "release \(stated) is older than release \(accepted), which this device has accepted; to go back, build the older model as a new package"
        case .releaseReused(let release):
            "release \(release) is known here with other content; a changed package needs a new release"
        case .lengthDiffers(let statedBytes, let receivedBytes):
            "the package has \(receivedBytes) bytes; its metadata says \(statedBytes)"
        case .digestDiffers: "the package's SHA-256 is not the one that was signed"
        case .manifestDiffers(let field):
            "the package's manifest and its signed metadata differ in " + field.name
        }
    }
}

extension StatedField {
    package var name: String {
        switch self {
        case .digest: "digest"
        case .packageBytes: "length"
        case .arenaBytes: "arena bytes"
        case .release: "release"
        case .family: "family"
        case .variant: "variant"
        case .store: "store"
        }
    }
}
