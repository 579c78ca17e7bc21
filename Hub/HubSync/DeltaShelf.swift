import Crypto
import ModelPackage

/// Deltas from what devices run to what they should run (SPEC 8.6), made when one is first needed. Kept in memory, bounded; what is
/// let go is made again, and gives the same bytes.
package actor DeltaShelf {
    /// What the offer itself takes in a DesiredState, at most.
    package static let offerBytes = 50

    package struct Delta: Equatable, Sendable {
        /// SHA-256 of `content`.
        package var digest: [UInt8]
        package var content: [UInt8]
    }

    private struct Pair: Hashable {
        var base: [UInt8]
        var target: [UInt8]
    }

    private let files: PackageFiles
    private let pairsMax: Int
    private let bytesMax: Int
    /// nil: it would not be clearly less than the package.
    private var kept: [Pair: Delta?] = [:]
    /// Those kept, the oldest first.
    private var order: [Pair] = []
    private var bytes = 0

    /// - Parameters:
    ///   - pairsMax: of packages, whose deltas are kept.
    ///   - bytesMax: of these deltas, but for the last one.
    package init(_ files: PackageFiles, pairsMax: Int = 256, bytesMax: Int = 4 << 20) {
        self.files = files
        self.pairsMax = pairsMax
        self.bytesMax = bytesMax
    }

    package var pairs: Int { order.count }

    /// - Parameters:
    ///   - base: SHA-256 of the package a device runs.
    ///   - target: of the one it should run.
    /// - Returns: nil where both files are not at hand, or the delta and its offer take four fifths of the package or more.
    package func delta(from base: [UInt8], to target: [UInt8]) -> Delta? {
        guard base != target else { return nil }
        let pair = Pair(base: base, target: target)
        if let known = kept[pair] { return known }
        // A file that is missing now may come back: nothing is kept of that.
        guard let old = file(base), let new = file(target), !new.isEmpty else { return nil }
        let content = PackageDelta.make(from: old, to: new)
        let isWorthIt = (content.count + Self.offerBytes) * 5 < new.count * 4
        let delta =
            isWorthIt ? Delta(digest: Array(SHA256.hash(data: content)), content: content) : nil
        keep(delta, of: pair)
        return delta
    }

    private func keep(_ delta: Delta?, of pair: Pair) {
        kept[pair] = .some(delta)
        order.append(pair)
        bytes += delta?.content.count ?? 0
        while order.count > pairsMax || bytes > bytesMax && order.count > 1 {
            let gone = kept.removeValue(forKey: order.removeFirst()) ?? nil
            bytes -= gone?.content.count ?? 0
        }
    }

    /// A whole package file that is what its name says.
    private func file(_ digest: [UInt8]) -> [UInt8]? {
        guard
            let content = files.read(
                digest: digest, offset: 0, bytesMax: ModelPackage.fileBytesMax),
            Array(SHA256.hash(data: content)) == digest
        else { return nil }
        return content
    }
}
