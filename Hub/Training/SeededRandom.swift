/// The one source of chance in training: SplitMix64 (Steele, Lea, Flood 2014). The same seed gives the same
/// numbers on every machine.
package struct SeededRandom {
    private var state: UInt64

    package init(seed: UInt64) {
        state = seed
    }

    /// An independent stream for each purpose.
    package init(seed: UInt64, stream: UInt64) {
        var mixer = SeededRandom(seed: seed)
        state = mixer.next() ^ (stream &* 0xD1B5_4A32_D192_ED03)
        state = next()
    }

    package mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }

    /// 0 ..< 1
    package mutating func unit() -> Float { Float(next() >> 40) * 0x1p-24 }

    /// 0 ..< bound, by Lemire's multiplication; the bias of 2⁻³² is nothing to a shuffle.
    package mutating func below(_ bound: Int) -> Int {
        // In Swift a shift binds tighter than a product.
        Int(((next() >> 32) &* UInt64(bound)) >> 32)
    }

    /// About normal with mean 0 and variance 1: twelve uniforms, no logarithm.
    package mutating func normal() -> Float {
        var sum: Float = -6
        for _ in 0..<12 { sum += unit() }
        return sum
    }

    package mutating func shuffle<Element>(_ values: inout [Element]) {
        for i in stride(from: values.count - 1, to: 0, by: -1) {
            values.swapAt(i, below(i + 1))
        }
    }
}
