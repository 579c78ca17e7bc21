import Forecasting

/// Chance from a seed: SplitMix64 (Steele, Lea and Flood 2014). The same seed and path give the
/// same numbers on every machine.
struct SeededStream: Sendable {
    private var state: UInt64

    /// - Parameter path: what the numbers are for; streams of different paths have nothing in
    ///   common.
    init(seed: UInt64, path: [UInt64]) {
        state = seed
        for step in path {
            state = next() ^ (step &* 0x9E37_79B9_7F4A_7C15)
        }
        state = next()
    }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ z >> 30) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ z >> 27) &* 0x94D0_49BB_1331_11EB
        return z ^ z >> 31
    }

    /// 0 ..< 1
    mutating func uniform() -> Double { Double(next() >> 11) * 0x1p-53 }

    mutating func uniform(_ range: ClosedRange<Double>) -> Double {
        range.lowerBound + (range.upperBound - range.lowerBound) * uniform()
    }

    mutating func integer(_ range: ClosedRange<Int>) -> Int {
        range.lowerBound + Int(next() % UInt64(range.count))
    }

    mutating func happens(_ probability: Double) -> Bool { uniform() < probability }

    /// - Parameter mean: 0 to 10,000.
    mutating func poisson(mean: Double) -> Int {
        precondition(mean >= 0 && mean <= 10_000)
        // A sum of Poisson numbers is one: small steps keep the product below far from 0.
        var rest = mean
        var count = 0
        while rest > 0 {
            let step = min(rest, 12)
            let limit = exponential(-step)
            var product = uniform()
            while product > limit {
                count += 1
                product *= uniform()
            }
            rest -= step
        }
        return count
    }

    /// Gamma distributed with mean 1 and variance 1 ÷ `shape`: what makes a Poisson number negative
    /// binomial.
    mutating func gamma(shape: Int) -> Double {
        precondition((1...64).contains(shape))
        var sum = 0.0
        for _ in 0..<shape { sum -= naturalLogarithm(1 - uniform()) }
        return sum / Double(shape)
    }
}
