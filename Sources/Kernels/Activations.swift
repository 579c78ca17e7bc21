/// Sigmoid and tanh on fixed-point numbers, by linear interpolation in one table of tanh.
package enum Activations {
    /// `tanh` of the position `p / 8192`, in Q0.15.
    ///
    /// - Parameter position: not negative; 256 positions to a table step. Everything from 65,536 up (an argument of 8)
    ///   gives the last entry.
    /// - Returns: 0...32767, within 4 units of the true value.
    @inline(__always)
    static func tanhOfPosition(_ position: Int32) -> Int32 {
        let table = TanhTable.values.span
        guard position < 65_536 else { return Int32(table[256]) }
        let index = Int(position &>> 8)
        let fraction = position & 255
        let low = Int32(table[index])
        let high = Int32(table[index &+ 1])
        // Rises by at most 1,024 a step: 1024 · 255 + 128 is far below 2^31.
        return low &+ ((high &- low) &* fraction &+ 128) &>> 8
    }

    /// `tanh` of a gate's sum.
    /// - Parameter x: Q3.12, that is -8 ... 8.
    /// - Returns: Q0.15 in -32767...32767. Odd: `tanh(-x) == -tanh(x)`.
    @inline(__always)
    package static func tanh(_ x: Int16) -> Int16 {
        // 2^12 a unit against 2^13 positions a unit.
        let magnitude = tanhOfPosition(abs(Int32(x)) &* 2)
        return Int16(truncatingIfNeeded: x < 0 ? -magnitude : magnitude)
    }

    /// `sigmoid(x) = (1 + tanh(x / 2)) / 2` of a gate's sum.
    /// - Parameter x: Q3.12, that is -8 ... 8.
    /// - Returns: Q0.15 in 1...32767.
    @inline(__always)
    package static func sigmoid(_ x: Int16) -> Int16 {
        let magnitude = tanhOfPosition(abs(Int32(x)))
        let signed = x < 0 ? -magnitude : magnitude
        return Int16(truncatingIfNeeded: min(32_767, (32_769 &+ signed) &>> 1))
    }

    /// `tanh` of a cell state.
    /// - Parameters:
    ///   - cell: the state, `cell · 2^-fractionBits`.
    ///   - fractionBits: 8...15.
    /// - Returns: Q0.15 in -32767...32767.
    @inline(__always)
    package static func tanh(cell: Int16, fractionBits: Int32) -> Int16 {
        let magnitude = abs(Int32(cell))  // at most 32,768; shifted by at most 5 below
        let position =
            fractionBits > 13
            ? FixedPoint.roundingShiftRight(magnitude, by: fractionBits &- 13)
            : magnitude &<< (13 &- fractionBits)
        let result = tanhOfPosition(position)
        return Int16(truncatingIfNeeded: cell < 0 ? -result : result)
    }
}
