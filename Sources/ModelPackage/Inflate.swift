/// Deflate streams (RFC 1951) unpacked where they are wanted, with nothing beside the result but what stands on the
/// stack. zlib would take 7 to 39 KB of heap, more than most packages' arenas; a section is unpacked whole, so
/// the result is also the window that matches are copied from.
package struct Inflate {
    private let packed: UnsafeBufferPointer<UInt8>
    private var position = 0
    private var bits: UInt32 = 0
    private var bitCount: UInt32 = 0
    private let target: UnsafeMutableBufferPointer<UInt8>
    private var written = 0
    private let hasDictionary: Bool

    /// - Returns: whether `packed` is one complete stream that fills `target` exactly, and nothing more.
    @inline(never)
    package static func unpack(
        _ packed: UnsafeBufferPointer<UInt8>, into target: UnsafeMutableBufferPointer<UInt8>,
        dictionary: Bool
    ) -> Bool {
        var stream = Inflate(packed: packed, target: target, hasDictionary: dictionary)
        return stream.blocks() && stream.written == target.count
            && stream.position == packed.count
    }

    private init(
        packed: UnsafeBufferPointer<UInt8>, target: UnsafeMutableBufferPointer<UInt8>,
        hasDictionary: Bool
    ) {
        self.packed = packed
        self.target = target
        self.hasDictionary = hasDictionary
    }

    /// Every block takes at least three bits, so there are no more than the bytes hold.
    private mutating func blocks() -> Bool {
        while true {
            guard let last = take(1), let kind = take(2) else { return false }
            switch kind {
            case 0: guard stored() else { return false }
            case 1: guard fixed() else { return false }
            case 2: guard dynamic() else { return false }
            default: return false
            }
            if last == 1 { return true }
        }
    }

    /// The next bits, the first one lowest.
    /// - Parameter count: 0...16.
    private mutating func take(_ count: UInt32) -> UInt32? {
        while bitCount < count {
            guard position < packed.count else { return nil }
            bits |= UInt32(packed[position]) << bitCount
            position += 1
            bitCount += 8
        }
        defer {
            bits >>= count
            bitCount -= count
        }
        return bits & (1 << count - 1)
    }

    private mutating func stored() -> Bool {
        // What is left of the byte is passed over.
        (bits, bitCount) = (0, 0)
        guard let length = take(16), let inverse = take(16), length == ~inverse & 0xFFFF,
            Int(length) <= packed.count - position, Int(length) <= target.count - written
        else { return false }
        for _ in 0..<length {
            target[written] = packed[position]
            written += 1
            position += 1
        }
        return true
    }

    private mutating func fixed() -> Bool {
        var lengths = CodeLengths()
        for symbol in 0..<288 {
            lengths[symbol] = symbol < 144 ? 8 : symbol < 256 ? 9 : symbol < 280 ? 7 : 8
        }
        for symbol in 288..<320 { lengths[symbol] = 5 }
        // Two literals and two distances among them never occur.
        guard let literals = PrefixCode(lengths, first: 0, count: 288),
            let distances = PrefixCode(lengths, first: 288, count: 32)
        else { return false }
        return elements(literals, distances)
    }

    private mutating func dynamic() -> Bool {
        guard let literalCount = take(5), let distanceCount = take(5), let lengthCount = take(4),
            literalCount <= 29, distanceCount <= 29
        else { return false }
        let order: InlineArray<19, UInt8> = [
            16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15,
        ]
        var lengths = CodeLengths()
        for i in 0..<Int(lengthCount) + 4 {
            guard let length = take(3) else { return false }
            lengths[Int(order[i])] = UInt8(length)
        }
        guard let code = PrefixCode(lengths, first: 0, count: 19) else { return false }
        let (literalEnd, end) = (
            Int(literalCount) + 257, Int(literalCount) + 257 + Int(distanceCount) + 1
        )
        lengths = CodeLengths()
        var symbol = 0
        while symbol < end {
            guard let next = self.symbol(code) else { return false }
            if next < 16 {
                lengths[symbol] = UInt8(next)
                symbol += 1
                continue
            }
            var value: UInt8 = 0
            var repeats = 0
            if next == 16 {
                guard symbol > 0, let more = take(2) else { return false }
                value = lengths[symbol - 1]
                repeats = 3 + Int(more)
            } else {
                guard let more = take(next == 17 ? 3 : 7) else { return false }
                repeats = (next == 17 ? 3 : 11) + Int(more)
            }
            guard repeats <= end - symbol else { return false }
            for _ in 0..<repeats {
                lengths[symbol] = value
                symbol += 1
            }
        }
        // A block without its end is none; one with nothing else has a code of one symbol.
        guard lengths[256] > 0,
            let literals = PrefixCode(
                lengths, first: 0, count: literalEnd, mayBeIncomplete: true),
            let distances = PrefixCode(
                lengths, first: literalEnd, count: end - literalEnd, mayBeIncomplete: true)
        else { return false }
        return elements(literals, distances)
    }

    /// Literals and matches until the block's end. Each fills some of the target, which is bounded.
    private mutating func elements(
        _ literals: borrowing PrefixCode, _ distances: borrowing PrefixCode
    ) -> Bool {
        while true {
            guard let symbol = symbol(literals) else { return false }
            if symbol == 256 { return true }
            if symbol < 256 {
                guard written < target.count else { return false }
                target[written] = UInt8(symbol)
                written += 1
                continue
            }
            guard let length = matchLength(symbol), let code = self.symbol(distances),
                let distance = matchDistance(code), length <= target.count - written,
                distance <= written + (hasDictionary ? PackingDictionary.count : 0)
            else { return false }
            for _ in 0..<length {
                let from = written - distance
                target[written] =
                    from >= 0
                    ? target[from] : PackingDictionary.byte(PackingDictionary.count + from)
                written += 1
            }
        }
    }

    /// RFC 1951, 3.2.5: four lengths with no more bits, then four each with one bit more than the four before.
    private mutating func matchLength(_ symbol: Int) -> Int? {
        guard symbol < 285 else { return symbol == 285 ? 258 : nil }
        let code = symbol - 257
        guard code >= 8 else { return code + 3 }
        let extra = UInt32(code / 4 - 1)
        guard let more = take(extra) else { return nil }
        return (4 + code % 4) << Int(extra) + 3 + Int(more)
    }

    private mutating func matchDistance(_ code: Int) -> Int? {
        guard code < 30 else { return nil }
        guard code >= 4 else { return code + 1 }
        let extra = UInt32(code / 2 - 1)
        guard let more = take(extra) else { return nil }
        return (2 + code % 2) << Int(extra) + 1 + Int(more)
    }

    /// - Returns: nil where the stream ends or its bits are no code.
    private mutating func symbol(_ code: borrowing PrefixCode) -> Int? {
        var (value, first, before) = (0, 0, 0)
        for length in 1...PrefixCode.lengthMax {
            guard let bit = take(1) else { return nil }
            value |= Int(bit)
            // Through a span: an element of the array itself would cost a copy of all of it.
            let count = Int(code.counts.span[length])
            if value - first < count { return Int(code.symbols.span[before + value - first]) }
            before += count
            first = (first + count) << 1
            value <<= 1
        }
        return nil
    }
}

/// Of the literals, then of the distances.
private typealias CodeLengths = InlineArray<320, UInt8>

extension InlineArray where Element == UInt8, count == 320 {
    fileprivate init() { self.init(repeating: 0) }
}

/// A canonical prefix code (RFC 1951, 3.2.2).
private struct PrefixCode: ~Copyable {
    static let lengthMax = 15

    /// By length; none of length 0.
    private(set) var counts = InlineArray<16, UInt16>(repeating: 0)
    /// By code.
    private(set) var symbols = InlineArray<288, UInt16>(repeating: 0)

    /// Nil where two codes would begin alike, or some bits would be no code.
    /// - Parameter mayBeIncomplete: for a code of no more than one symbol.
    init?(_ lengths: CodeLengths, first: Int, count: Int, mayBeIncomplete: Bool = false) {
        let lengths = lengths.span
        var used = 0
        for i in 0..<count where lengths[first + i] > 0 {
            counts[Int(lengths[first + i])] += 1
            used += 1
        }
        var free = 1
        for length in 1...Self.lengthMax {
            free = free * 2 - Int(counts[length])
            guard free >= 0 else { return nil }
        }
        // As zlib has it: only a lone code of one bit, or none at all, leaves bits that mean nothing.
        guard free == 0 || mayBeIncomplete && (used == 0 || used == 1 && counts[1] == 1)
        else { return nil }
        var next = InlineArray<16, Int>(repeating: 0)
        for length in 1..<Self.lengthMax { next[length + 1] = next[length] + Int(counts[length]) }
        for i in 0..<count where lengths[first + i] > 0 {
            let length = Int(lengths[first + i])
            symbols[next[length]] = UInt16(i)
            next[length] += 1
        }
    }
}
