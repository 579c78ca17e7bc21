/// How the packages are spread over metadata files: all in `targets`, or 2^`bits` hash bins that it delegates to (TAP 15,
/// "succinct hash bin delegations").
///
/// A device that updates reads the snapshot, which names every bin, and the one bin of its package; so more bins
/// make the one longer and the other shorter.
package struct TargetLayout: Hashable, Sendable {
    /// 0: all in `targets`.
    package var bits: Int

    package static let inTargets = TargetLayout(bits: 0)
    /// 512 bins: their names are half of what a device reads of a snapshot.
    package static let bitsMax = 9
    package static let binPrefix = "bin"
    /// A device reads 65,536 bytes of it, and a frame carries 49,152.
    package static let fileBytesMax = 40_000

    /// What a bin's name takes in the snapshot: `"bin-1ff.json":{"version":123},`.
    private static let nameBytes = 31
    /// What a second file takes, its signature included.
    private static let fileBytes = 700

    package init(bits: Int) {
        precondition((0...Self.bitsMax).contains(bits))
        self.bits = bits
    }

    package var binCount: Int { bits == 0 ? 0 : 1 << bits }

    /// The bin's name as every client computes it.
    package func bin(_ number: Int) -> String {
        let digits = (bits + 3) / 4
        let text = String(number, radix: 16)
        return "\(Self.binPrefix)-" + String(repeating: "0", count: digits - text.utf8.count) + text
    }

    /// - Parameter digest: SHA-256 of a target's path.
    package func binNumber(digest: [UInt8]) -> Int {
        precondition(bits > 0 && digest.count >= 2)
        return (Int(digest[0]) << 8 | Int(digest[1])) >> (16 - bits)
    }

    /// About what a device reads of it for one package.
    func cost(entryBytes: Int) -> Int {
        bits == 0
            ? entryBytes : binCount * Self.nameBytes + entryBytes / binCount + Self.fileBytes
    }

    /// The layout that makes a device read least. What is there stays until it costs twice that: a change is a new file for
    /// everybody, and names of bins never leave the snapshot again.
    /// - Parameters:
    ///   - entryBytes: of all packages' entries together.
    ///   - current: nil: nothing was written yet.
    package static func choose(entryBytes: Int, current: TargetLayout?) -> TargetLayout {
        var best = inTargets
        for bits in 1...bitsMax {
            let layout = TargetLayout(bits: bits)
            if layout.cost(entryBytes: entryBytes) < best.cost(entryBytes: entryBytes) {
                best = layout
            }
        }
        guard let current,
            current.cost(entryBytes: entryBytes) <= 2 * best.cost(entryBytes: entryBytes)
        else { return best }
        return current
    }
}
