/// Sigmoid and tanh in 16-bit integers: sixteen parabolas, each evaluated with two rounded products. No step needs
/// more than 16 bits or a table of more than 16 entries, so a vector register holds all there is to know.
package enum Activations {
    /// The largest activation, Q0.15: one below what int16 holds, so that `sigmoid` cannot reach 1.
    package static let largest: Int16 = 32_766

    /// `tanh(p / 8192)`, Q0.15.
    ///
    /// - Parameter position: 8192 a unit: 0...8.
    /// - Returns: 0...32766, within 9 units of the true value; 0 at 0; nowhere falling by more than a unit.
    @inline(__always)
    package static func tanh(position: UInt16) -> Int16 {
        // Segments of 1/4 up to 2, of 1/2 up to 4, of 1 up to 8.
        let quarter = position &>> 11
        let segment = Int(min(quarter, 4 &+ quarter &>> 1, 8 &+ quarter &>> 2))
        let middles = TanhSegments.middles.span
        let (values, slopes) = (TanhSegments.values.span, TanhSegments.slopes.span)
        let curvatures = TanhSegments.curvatures.span
        // At most half a unit, 4096 positions, from the middle: eight times that is an int16.
        let t = Int16(bitPattern: (position &- middles[segment]) &<< 3)
        let slope = slopes[segment] &+ FixedPoint.product(t, curvatures[segment])
        return values[segment] &+ FixedPoint.product(t, slope)
    }

    /// `tanh` of a gate's sum.
    /// - Parameter x: Q3.12, that is -8 ... 8.
    /// - Returns: Q0.15 in -32766...32766. Odd: `tanh(-x) == -tanh(x)`.
    @inline(__always)
    package static func tanh(_ x: Int16) -> Int16 {
        signed(tanh(position: min(x.magnitude, 32_767) &<< 1), as: x)
    }

    /// `sigmoid(x) = (1 + tanh(x / 2)) / 2` of a gate's sum.
    /// - Parameter x: Q3.12, that is -8 ... 8.
    /// - Returns: Q0.15 in 1...32767.
    @inline(__always)
    package static func sigmoid(_ x: Int16) -> Int16 {
        let y = signed(tanh(position: x.magnitude), as: x)
        return Int16(truncatingIfNeeded: (32_769 &+ Int32(y)) &>> 1)
    }

    /// `tanh` of a cell state.
    /// - Parameters:
    ///   - cell: the state, `cell · 2^-fractionBits`.
    ///   - fractionBits: 8...14.
    /// - Returns: Q0.15 in -32766...32766.
    @inline(__always)
    package static func tanh(cell: Int16, fractionBits: Int32) -> Int16 {
        let size = cell.magnitude
        let position =
            fractionBits > 13
            ? (size &+ 1) &>> 1
            : min(size, UInt16.max &>> UInt16(13 &- fractionBits)) &<< UInt16(13 &- fractionBits)
        return signed(tanh(position: position), as: cell)
    }

    @inline(__always)
    private static func signed(_ value: Int16, as x: Int16) -> Int16 { x < 0 ? -value : value }
}
