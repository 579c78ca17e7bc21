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

    /// - Parameter distanceMax: 0...255.
    /// - Returns: by distance from the centre, 0 to `distanceMax`, up to 2^32 each; they are relative.
    private func weights(distanceMax: Int) -> [UInt64] {
        let one: UInt64 = 1 << 32
        var weights = [UInt64](repeating: one, count: distanceMax + 1)
        switch shape {
        case .uniform: break
        case .geometric:
            for x in 0..<distanceMax { weights[x + 1] = weights[x] * width / (width + 8_192) }
        case .gaussian:
            // exp(−x²/2w²) by its own ratios: each is the one before times the square of the first.
            let square = 2 * width * width
            var ratio = one - (one << 26) / (square + 1 << 26)
            let step = (ratio * ratio) >> 32
            for x in 0..<distanceMax {
                weights[x + 1] = (weights[x] * ratio) >> 32
                ratio = (ratio * step) >> 32
            }
        case .student:
            let square = 3 * width * width
            for x in 0..<distanceMax {
                let distance = UInt64(x + 1) << 13
                let ratio = (square << 16) / (square + distance * distance)
                weights[x + 1] = ratio * ratio
            }
        }
        return weights
    }

    /// What `cumulated` takes while it works: eight bytes for a distance, four for a frequency and for their sum.
    static func workingBytes(symbols: Int, center: Int) -> Int {
        8 * (max(center, symbols - 1 - center) + 1) + 4 * symbols + 4 * (symbols + 1)
    }

    /// - Parameters:
    ///   - symbols: 1...256.
    ///   - center: the likeliest symbol.
    /// - Returns: `symbols + 1` cumulated frequencies from 0 to 2^16, no symbol's below 1.
    package func cumulated(symbols: Int, center: Int) -> [UInt32] {
        let weights = weights(distanceMax: max(center, symbols - 1 - center))
        var frequencies = [UInt32](repeating: 1, count: symbols)
        var free = UInt64(1 << Self.totalBits) - UInt64(symbols)
        var sum: UInt64 = 0
        for symbol in 0..<symbols where zero == nil || symbol != center {
            sum += weights[abs(symbol - center)]
        }
        if let zero {
            // All of it, less what the others must have, when the centre is alone.
            let share = symbols == 1 ? free : min(free, UInt64(zero) * 256 + 128)
            frequencies[center] += UInt32(share)
            free -= share
        }
        if sum > 0 {
            var given: UInt64 = 0
            for symbol in 0..<symbols where zero == nil || symbol != center {
                let share = free * weights[abs(symbol - center)] / sum
                frequencies[symbol] += UInt32(share)
                given += share
            }
            free -= given
        }
        // What rounding has left.
        frequencies[center] += UInt32(free)
        var cumulated: [UInt32] = [0]
        cumulated.reserveCapacity(symbols + 1)
        for symbol in 0..<symbols { cumulated.append(cumulated[symbol] + frequencies[symbol]) }
        return cumulated
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
