/// Keeps a device from going back to an older release, whoever offers it: below what runs here nothing is taken.
///
/// All packages of one build share a release: variants of several sizes, and one per store. A device
/// may change between the variants of one release, because its budget changed; it may not take another
/// content for a variant that it has.
package struct RollbackGuard: Equatable, Sendable {
    /// What was accepted last; no release below its own is accepted again.
    package struct Accepted: Equatable, Sendable {
        package let release: UInt64
        package let digest: [UInt8]
        package let family: String
        package let variant: String

        package init(release: UInt64, digest: [UInt8], family: String, variant: String) {
            self.release = release
            self.digest = digest
            self.family = family
            self.variant = variant
        }

        fileprivate init(_ package: StatedPackage) {
            self.init(
                release: package.release, digest: package.digest, family: package.family,
                variant: package.variant)
        }
    }

    /// nil on a device that has never had a package. Stored in the transaction that activates.
    package private(set) var accepted: Accepted?

    package init(accepted: Accepted? = nil) {
        self.accepted = accepted
    }

    /// - Throws: `olderRelease` or `releaseReused`. Nothing changes either way.
    package func check(_ package: StatedPackage) throws(TrustError) {
        guard let accepted, package.release <= accepted.release else { return }
        guard package.release == accepted.release else {
            throw .olderRelease(stated: package.release, accepted: accepted.release)
        }
        guard package.digest != accepted.digest else { return }
        let isSibling =
            sameBytes(package.family, accepted.family)
            && !sameBytes(package.variant, accepted.variant)
        guard isSibling else { throw .releaseReused(package.release) }
    }

    /// Notes that `package` has become the active one.
    /// - Throws: as `check`, and then nothing has changed.
    package mutating func accept(_ package: StatedPackage) throws(TrustError) {
        try check(package)
        accepted = Accepted(package)
    }

    /// Notes that `package`, which was active here before, is so again. Should it be lost, it may be offered anew: whatever is
    /// newer may be just what was rolled back.
    package mutating func fallBack(to package: StatedPackage) {
        accepted = Accepted(package)
    }
}
