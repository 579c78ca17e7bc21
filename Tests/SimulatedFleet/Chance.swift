/// Repeatable chance: SplitMix64 (Steele, Lea, Flood 2014). The same seed gives the same fleet, its faults and its fate.
struct Chance {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        return Self.mixed(state)
    }

    private static func mixed(_ bits: UInt64) -> UInt64 {
        var mixed = bits
        mixed = (mixed ^ (mixed &>> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed &>> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed &>> 31)
    }

    /// What belongs to these numbers alone, however often it is asked for: 0 ..< 1.
    static func fixed(_ seed: UInt64, _ a: Int, _ b: Int = 0, _ c: Int = 0, _ d: Int = 0) -> Double
    {
        func step(_ hash: UInt64, _ part: Int) -> UInt64 {
            mixed(hash ^ UInt64(bitPattern: Int64(part)) &* 0x9E37_79B9_7F4A_7C15)
        }
        let hash = step(step(step(step(mixed(seed &+ 1), a), b &+ 1_000), c &+ 1_000_000), d)
        return Double(hash >> 11) * 0x1p-53
    }

    /// 0 ..< 1
    mutating func unit() -> Double { Double(next() >> 11) * 0x1p-53 }

    mutating func happens(_ probability: Double) -> Bool { unit() < probability }

    mutating func within(_ range: ClosedRange<Int>) -> Int {
        range.lowerBound + Int(next() % UInt64(range.count))
    }
}
