import Kernels

/// Which integers the weights of a tensor become, and which of them share a scale. The device runs all of them as int8:
/// fewer levels make a tensor cheaper to store, not another kernel.
package struct WeightScheme: Hashable, Sendable {
    package enum Levels: Hashable, Sendable {
        /// −(2^(bits−1) − 1) … 2^(bits−1) − 1, symmetric; 3 to 8 bits.
        case integer(bits: Int)
        /// −1, 0, 1: threshold and scale of least square error (Li and Liu, "Ternary Weight Networks", 2016), found
        /// exactly, by sorting, rather than by their rule of thumb.
        case ternary
        /// −1, 1: the scale is the mean size (Rastegari et al., "XNOR-Net", 2016). A weight that is zero was pruned and
        /// stays zero.
        case binary
    }

    /// How the scale of integer levels is chosen; that of ternary and binary ones always has the least square error.
    package enum Fit: Hashable, Sendable {
        /// The largest weight has the largest integer.
        case largest
        /// The least square error: with few levels it pays to cut off the largest weights.
        case leastSquares
    }

    /// Bits of a multiplier's mantissa behind the first.
    package static let mantissaBitsRange = 0...8

    package var levels: Levels
    /// Which weights have one scale: those of a row, of a gate's rows, or of the tensor. The dense layer is one row.
    package var sharing: RecipeStep.Scale
    package var fit: Fit
    /// Scales are rounded to so many: with fewer, rows have fewer different ones, which a file stores in fewer bytes.
    /// 0 leaves powers of two.
    package var mantissaBits: Int

    /// - Precondition: 3 to 8 bits for integer levels.
    package init(
        _ levels: Levels, sharing: RecipeStep.Scale = .row, fit: Fit? = nil, mantissaBits: Int = 8
    ) {
        if case .integer(let bits) = levels { precondition((3...8).contains(bits)) }
        precondition(Self.mantissaBitsRange.contains(mantissaBits))
        self.levels = levels
        self.sharing = sharing
        self.fit = fit ?? (levels.largest >= 15 ? .largest : .leastSquares)
        self.mantissaBits = mantissaBits
    }

    package init(bits: RecipeStep.Bits, sharing: RecipeStep.Scale = .row) {
        switch bits {
        case .int8: self.init(.integer(bits: 8), sharing: sharing)
        case .int4: self.init(.integer(bits: 4), sharing: sharing)
        case .ternary: self.init(.ternary, sharing: sharing)
        case .binary: self.init(.binary, sharing: sharing)
        }
    }

    package static let int8 = WeightScheme(.integer(bits: 8))
}

extension WeightScheme.Levels {
    var largest: Int {
        switch self {
        case .integer(let bits): (1 << (bits - 1)) - 1
        case .ternary, .binary: 1
        }
    }

    /// The nearest level to `weight / scale`.
    func rounded(_ weight: Double, scale: Double) -> Int {
        guard self != .binary else { return weight == 0 ? 0 : weight < 0 ? -1 : 1 }
        return Int(max(-Double(largest), min(Double(largest), (weight / scale).rounded())))
    }
}

/// The scales there are to choose from: mantissas of a few bits, times powers of two.
struct ScaleGrid {
    /// Behind the first.
    var mantissaBits: Int

    /// Weights that were integers times a scale, rounded to single precision, must find that scale again.
    private static let slack = 1e-6

    /// The smallest scale that is not below `exact`, but for rounding.
    func atLeast(_ exact: Double) -> Double { step(exact * (1 - Self.slack), .up) }

    func atMost(_ exact: Double) -> Double { step(exact * (1 + Self.slack), .down) }

    func nearest(_ exact: Double) -> Double { step(exact, .toNearestOrEven) }

    /// `count` scales from the smallest that is not below `exact` down, each the largest below the one before.
    func falling(from exact: Double, count: Int) -> [Double] {
        var scales = [atLeast(exact)]
        while scales.count < count {
            // Just below a power of two mantissas are twice as dense.
            scales.append(step(scales[scales.count - 1] * (1 - Self.slack), .down))
        }
        return scales
    }

    private func step(_ exact: Double, _ rule: FloatingPointRoundingRule) -> Double {
        guard exact > 0 else { return 0 }
        let unit = Double(sign: .plus, exponent: exact.exponent - mantissaBits, significand: 1)
        return (exact / unit).rounded(rule) * unit
    }
}

extension WeightScheme {
    /// With at most so many bits of mantissa.
    func coarser(mantissaBits bits: Int) -> WeightScheme {
        var scheme = self
        scheme.mantissaBits = min(mantissaBits, bits)
        return scheme
    }

    private var grid: ScaleGrid { ScaleGrid(mantissaBits: mantissaBits) }

    /// The scale of weights that share one. Of weights that are levels times a scale of the grid already it is that
    /// scale again, unless it was chosen by least squares among integer levels.
    /// - Returns: 0 when all weights are.
    func scale(_ weights: ArraySlice<Double>) -> Double {
        // A loop by hand: it runs for every batch of training.
        var (largest, sum, count) = (0.0, 0.0, 0)
        for weight in weights where weight != 0 {
            largest = max(largest, abs(weight))
            sum += abs(weight)
            count += 1
        }
        guard count > 0 else { return 0 }
        switch (levels, fit) {
        case (.binary, _): return grid.nearest(sum / Double(count))
        case (.ternary, _): return grid.nearest(Self.ternaryScale(weights.map(abs)))
        case (.integer, .largest): return largestScale(largest)
        case (.integer, .leastSquares): return leastSquaresScale(weights.map(abs), largest: largest)
        }
    }

    /// The largest weight gets the largest level that a coarse scale leaves it. What that level stands for is then the
    /// largest weight: repeated until the scale is its own.
    private func largestScale(_ largest: Double) -> Double {
        let levels = Double(levels.largest)
        var scale = grid.atLeast(largest / levels)
        while true {
            let next = grid.atLeast((largest / scale).rounded() * scale / levels)
            guard next < scale else { return scale }
            scale = next
            if (largest / scale).rounded() >= levels { return scale }
        }
    }

    /// Down to a third of what the largest weight needs.
    private func leastSquaresScale(_ sizes: [Double], largest: Double) -> Double {
        let candidates = grid.falling(
            from: largest / Double(levels.largest), count: max(2, 3 << mantissaBits / 2))
        let errors = candidates.map { scale in
            sizes.reduce(0) { sum, size in
                let error = Double(levels.rounded(size, scale: scale)) * scale - size
                return sum + error * error
            }
        }
        return candidates[errors.indices.min { errors[$0] < errors[$1] }!]
    }

    /// The mean of the largest `k` sizes, for the `k` that leaves the least error: that for which (Σ size)² / k is largest.
    private static func ternaryScale(_ sizes: [Double]) -> Double {
        var (best, scale, sum) = (0.0, 0.0, 0.0)
        for (index, size) in sizes.sorted(by: >).enumerated() where size > 0 {
            sum += size
            let gain = sum * sum / Double(index + 1)
            // Beyond rounding: equal weights all stay.
            if gain >= best * (1 - 1e-9) { (best, scale) = (gain, sum / Double(index + 1)) }
        }
        return scale
    }
}
