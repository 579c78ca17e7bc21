/// How likely each value of a tensor is before any is read: one of four bell curves and its width, in two bytes.
/// Integer arithmetic alone makes the frequencies, so every CPU has the same. FORMAT.md, "Priors".
package struct Prior: Equatable, Sendable {
    package enum Shape: UInt8, CaseIterable, Sendable {
        case uniform = 0
        /// A geometric distribution to both sides of the centre.
        case geometric = 1
        case gaussian = 2
        /// Student's t with three degrees of freedom: heavy tails.
        case student = 3

        /// All that have a width.
        static let bells: [Shape] = [.geometric, .gaussian, .student]
    }

    package static let scaleCodes: ClosedRange<UInt8> = 0...63
    /// Frequencies add up to 2^16.
    static let totalBits: UInt32 = 16

    package var shape: Shape
    /// Below 64. The width of a bell is `2^(scale/6) / 8`: an eighth to 181, in steps of 12 %.
    package var scale: UInt8
    /// The centre's own probability, `(2 · zero + 1) / 512`; nil: as the shape has it.
    package var zero: UInt8?

    package init(shape: Shape, scale: UInt8, zero: UInt8? = nil) {
        self.shape = shape
        self.scale = scale
        self.zero = zero
    }

    /// The width in 2^-13: `1024 · 2^(scale/6)`.
    private var width: UInt64 {
        let sixths: [UInt64] = [1_024, 1_149, 1_290, 1_448, 1_625, 1_825]
        return sixths[Int(scale) % 6] << UInt64(scale / 6)
    }

    /// Calls `take` with the weight of every distance from the centre, 0 to `distanceMax`: up to 2^32 each; they are relative.
    private func weigh(distanceMax: Int, _ take: (Int, UInt64) -> Void) {
        let one: UInt64 = 1 << 32
        var weight = one
        let square = 2 * width * width
        // exp(−x²/2w²) by its own ratios: each is the one before times the square of the first.
        var ratio = shape == .gaussian ? one - (one << 26) / (square + 1 << 26) : 0
        let step = (ratio * ratio) >> 32
        for x in 0...distanceMax {
            take(x, weight)
            switch shape {
            case .uniform: break
            case .geometric: weight = weight * width / (width + 8_192)
            case .gaussian:
                weight = (weight * ratio) >> 32
                ratio = (ratio * step) >> 32
            case .student:
                let (three, distance) = (3 * width * width, UInt64(x + 1) << 13)
                let share = (three << 16) / (three + distance * distance)
                weight = share * share
            }
        }
    }

    /// The frequencies' cumulated sums, `symbols + 1` of them, from 0 to 2^16; no symbol's below 1.
    /// - Parameters:
    ///   - symbols: 1...256.
    ///   - center: the likeliest symbol.
    ///   - cumulated: takes `symbols + 1`.
    func cumulate(symbols: Int, center: Int, into cumulated: UnsafeMutableBufferPointer<UInt32>) {
        let distanceMax = max(center, symbols - 1 - center)
        /// How many symbols lie so far from the centre and share what it has not taken for itself.
        func sharing(_ distance: Int) -> UInt64 {
            if distance == 0 { return zero == nil ? 1 : 0 }
            return (distance <= center ? 1 : 0) + (distance < symbols - center ? 1 : 0)
        }
        for symbol in 0...symbols { cumulated[symbol] = 1 }
        var free = UInt64(1 << Self.totalBits) - UInt64(symbols)
        var sum: UInt64 = 0
        weigh(distanceMax: distanceMax) { distance, weight in sum += sharing(distance) * weight }
        if let zero {
            // All of it, less what the others must have, when the centre is alone.
            let share = symbols == 1 ? free : min(free, UInt64(zero) * 256 + 128)
            cumulated[center + 1] += UInt32(share)
            free -= share
        }
        if sum > 0 {
            var given: UInt64 = 0
            weigh(distanceMax: distanceMax) { distance, weight in
                guard distance > 0 || zero == nil else { return }
                let share = free * weight / sum
                given += share * sharing(distance)
                if distance <= center { cumulated[center - distance + 1] += UInt32(share) }
                if distance > 0, distance < symbols - center {
                    cumulated[center + distance + 1] += UInt32(share)
                }
            }
            free -= given
        }
        // What rounding has left.
        cumulated[center + 1] += UInt32(free)
        cumulated[0] = 0
        for symbol in 0..<symbols { cumulated[symbol + 1] += cumulated[symbol] }
    }

    /// Like `cumulate`.
    package func cumulated(symbols: Int, center: Int) -> [UInt32] {
        [UInt32](unsafeUninitializedCapacity: symbols + 1) { buffer, count in
            cumulate(symbols: symbols, center: center, into: buffer)
            count = symbols + 1
        }
    }
}

/// A prior's sums where a device reads by them: on the stack.
package struct PriorTable: ~Copyable {
    fileprivate var cumulated = InlineArray<257, UInt32>(repeating: 0)
    /// The symbol that owns position `256 · i`; last of all, the last symbol. Between two of them a search is short.
    fileprivate var owners = InlineArray<257, UInt8>(repeating: 0)
    package let symbols: Int

    package init(_ prior: Prior, symbols: Int, center: Int) {
        self.symbols = symbols
        var span = cumulated.mutableSpan
        span.withUnsafeMutableBufferPointer {
            prior.cumulate(symbols: symbols, center: center, into: $0)
        }
        var owner = 0
        for i in 0...256 {
            while owner < symbols - 1, cumulated[owner + 1] <= UInt32(i) << 8 { owner += 1 }
            owners[i] = UInt8(owner)
        }
    }
}

extension RangeDecoder {
    /// A symbol that is certain takes nothing.
    /// - Returns: nil where no encoder would have gone.
    package mutating func symbol(_ table: borrowing PriorTable) -> Int? {
        guard table.symbols > 1 else { return 0 }
        guard let position = position(totalBits: Prior.totalBits) else { return nil }
        // Spans: an index into an array in place would copy all of it first.
        let (cumulated, owners) = (table.cumulated.span, table.owners.span)
        let part = Int(position >> 8)
        var (low, high) = (Int(owners[part]), Int(owners[part + 1]))
        while low < high {
            let middle = (low + high + 1) / 2
            if cumulated[middle] <= position { low = middle } else { high = middle - 1 }
        }
        let start = cumulated[low]
        take(
            start: start, frequency: cumulated[low + 1] - start, totalBits: Prior.totalBits)
        return low
    }
}

/// The logarithm that codings are weighed by before the cheapest is written. In integers, so that every hub chooses
/// the same.
package enum BitCost {
    /// One bit is so many.
    package static let unit = 1 << fractionBits
    private static let fractionBits = 12

    /// `16 − log2(frequency)`: the bits of a symbol with `frequency` of 2^16, in `unit`s.
    /// - Parameter frequency: 1...65,536.
    static func of(frequency: UInt32) -> Int {
        let whole = 31 - frequency.leadingZeroBitCount
        // Squaring shows one more bit of the logarithm each time.
        var mantissa = UInt64(frequency) << UInt64(31 - whole)
        var fraction = 0
        for _ in 0..<fractionBits {
            mantissa = (mantissa * mantissa) >> 31
            fraction <<= 1
            if mantissa >= 1 << 32 {
                mantissa >>= 1
                fraction |= 1
            }
        }
        return (16 - whole) * unit - fraction
    }
}
