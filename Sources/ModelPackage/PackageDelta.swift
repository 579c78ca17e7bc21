/// A package file told by another one that is there already: what to copy from it, and what is new (Sources/ModelPackage/
/// FORMAT.md, "Deltas"). Copy and insert as in Tichy (1984), "The string-to-string correction problem with block
/// moves"; nothing is packed, since a package's sections are packed in themselves and what differs does not shrink again.
///
/// A delta proves nothing: whoever applies one compares the result with the digest that was signed.
package enum PackageDelta {
    static let version: UInt8 = 1

    /// - Parameters:
    ///   - delta: hostile for all we know.
    ///   - base: the file it starts from.
    ///   - targetBytes: what the result is to have, 1 up to `ModelPackage.fileBytesMax`; a delta that says otherwise is refused before
    ///     memory is taken.
    /// - Returns: the file it tells; nil when it is no delta, or none for a file of that length.
    /// - Complexity: O(delta + targetBytes). Allocates the result and nothing else.
    package static func apply(
        _ delta: [UInt8], to base: [UInt8], targetBytes: Int
    ) -> [UInt8]? {
        var reader = Reader(delta: delta)
        guard (1...ModelPackage.fileBytesMax).contains(targetBytes), reader.byte() == version,
            reader.varint() == targetBytes
        else { return nil }
        var target: [UInt8] = []
        target.reserveCapacity(targetBytes)
        var from = 0
        while true {
            guard let fresh = reader.varint(), fresh <= targetBytes - target.count,
                fresh <= delta.count - reader.position
            else { return nil }
            target += delta[reader.position..<reader.position + fresh]
            reader.position += fresh
            guard target.count < targetBytes else { break }
            // Each copy gives at least a byte, so there is an end.
            guard let copied = reader.varint(), copied > 0,
                copied <= targetBytes - target.count, let zigzag = reader.varint()
            else { return nil }
            from += fresh + (zigzag >> 1 ^ -(zigzag & 1))
            guard from >= 0, from <= base.count, copied <= base.count - from else { return nil }
            target += base[from..<from + copied]
            from += copied
            guard target.count < targetBytes else { break }
        }
        return reader.position == delta.count ? target : nil
    }

    private struct Reader {
        let delta: [UInt8]
        var position = 0

        mutating func byte() -> UInt8? {
            guard position < delta.count else { return nil }
            defer { position += 1 }
            return delta[position]
        }

        /// Below 2^21: twice what a package may have.
        mutating func varint() -> Int? {
            var value = 0
            for shift in [0, 7, 14] {
                guard let next = byte() else { return nil }
                value |= Int(next & 0x7F) << shift
                if next & 0x80 == 0 { return next != 0 || shift == 0 ? value : nil }
            }
            return nil
        }
    }
}

extension PackageDelta {
    private static let gramBytes = 4
    /// Of one place in the new file, so many of the same four bytes in the base are looked at.
    private static let placesMax = 64

    /// - Parameters:
    ///   - base: at most `ModelPackage.fileBytesMax` bytes.
    ///   - target: 1 up to as many.
    /// - Returns: what `apply` makes `target` from, the same for the same files; longer than `target` where they have nothing
    ///   in common.
    /// - Complexity: O(base + 64 · target).
    package static func make(from base: [UInt8], to target: [UInt8]) -> [UInt8] {
        precondition(!target.isEmpty && target.count <= ModelPackage.fileBytesMax)
        precondition(base.count <= ModelPackage.fileBytesMax)
        let places = Places(of: base)
        var writer = ByteWriter()
        writer.byte(version)
        writer.count(target.count)
        /// Not copied yet, from there on.
        var fresh = 0
        var from = 0
        var at = 0
        while at < target.count {
            // Where the base goes on as before: that place costs nothing to name.
            let straight = from + at - fresh
            var best = (place: 0, count: 0, gain: 0)
            func look(at place: Int) {
                var count = 0
                while at + count < target.count, place + count < base.count,
                    target[at + count] == base[place + count]
                {
                    count += 1
                }
                let gain = count - bytes(of: count) - bytes(of: zigzag(place - straight)) - 1
                if gain > best.gain { best = (place, count, gain) }
            }
            look(at: straight)
            var next = places.first(target, at)
            for _ in 0..<placesMax {
                guard let place = next else { break }
                look(at: place)
                next = places.next(place)
            }
            guard best.gain > 0 else {
                at += 1
                continue
            }
            writer.count(at - fresh)
            writer.raw(target[fresh..<at])
            writer.count(best.count)
            writer.signed(best.place - straight)
            at += best.count
            (fresh, from) = (at, best.place + best.count)
        }
        if fresh < target.count {
            writer.count(target.count - fresh)
            writer.raw(target[fresh...])
        }
        return writer.bytes
    }

    private static func zigzag(_ value: Int) -> Int { value < 0 ? -2 * value - 1 : 2 * value }

    private static func bytes(of value: Int) -> Int {
        value < 1 << 7 ? 1 : value < 1 << 14 ? 2 : value < 1 << 21 ? 3 : 4
    }

    /// Where each four bytes stand in a file.
    private struct Places {
        private static let none: Int32 = -1
        /// Of a slot's number: about as many slots as places.
        private let bits: Int
        private var heads: [Int32]
        private var nexts: [Int32]

        init(of base: [UInt8]) {
            bits = max(8, Int.bitWidth - base.count.leadingZeroBitCount)
            heads = [Int32](repeating: Self.none, count: 1 << bits)
            nexts = [Int32](repeating: Self.none, count: base.count)
            guard base.count >= gramBytes else { return }
            // From the end, so that of many places the first ones are looked at first.
            for place in stride(from: base.count - gramBytes, through: 0, by: -1) {
                let slot = slot(base, place)
                nexts[place] = heads[slot]
                heads[slot] = Int32(place)
            }
        }

        func first(_ target: [UInt8], _ at: Int) -> Int? {
            guard at + gramBytes <= target.count else { return nil }
            let head = heads[slot(target, at)]
            return head == Self.none ? nil : Int(head)
        }

        func next(_ place: Int) -> Int? {
            nexts[place] == Self.none ? nil : Int(nexts[place])
        }

        /// By Fibonacci hashing (Knuth 1973, volume 3, 6.4).
        private func slot(_ bytes: [UInt8], _ at: Int) -> Int {
            let gram =
                UInt32(bytes[at]) | UInt32(bytes[at + 1]) << 8 | UInt32(bytes[at + 2]) << 16
                | UInt32(bytes[at + 3]) << 24
            return Int((gram &* 0x9E37_79B1) >> UInt32(32 - bits))
        }
    }
}
