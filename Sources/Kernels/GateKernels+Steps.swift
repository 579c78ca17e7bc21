// The element-wise half of a step, one function a cell: gates open, the cell moves on, the hidden state leaves.
//
// All take sums in Q3.12, saturated here to ±8, in blocks of H: row `block · H + h`. `cell` is `[H]` int16, one unit
// being `2^-cellFractionBits`, 8...15, and is updated; `hidden` is `[H]` int8, one unit being
// `2^-hiddenFractionBits`, and is replaced.
extension GateKernels {
    /// - Parameters:
    ///   - sums: `[4H]` in the order input, forget, candidate, output.
    ///   - hiddenFractionBits: 7...11.
    package static func stepLSTM(
        sums: Span<Int32>, cell: inout MutableSpan<Int16>, hidden: inout MutableSpan<Int8>,
        cellFractionBits: Int32, hiddenFractionBits: Int32
    ) {
        let units = cell.count
        precondition(sums.count == 4 * units && hidden.count == units)
        for h in cell.indices {
            let i = Int32(Activations.sigmoid(FixedPoint.saturateInt16(sums[h])))
            let f = Int32(Activations.sigmoid(FixedPoint.saturateInt16(sums[units &+ h])))
            let g = Int32(Activations.tanh(FixedPoint.saturateInt16(sums[2 &* units &+ h])))
            let o = Int32(Activations.sigmoid(FixedPoint.saturateInt16(sums[3 &* units &+ h])))

            // 32767 · 32768 < 2^30, and the rounding terms are at most 2^21: nothing wraps. The two parts are at
            // most 2^15 each, so their sum fits before it is saturated.
            let kept = FixedPoint.roundingShiftRight(f &* Int32(cell[h]), by: 15)
            let added = FixedPoint.roundingShiftRight(i &* g, by: 30 &- cellFractionBits)
            let moved = FixedPoint.saturateInt16(kept &+ added)
            cell[h] = moved

            let squashed = Int32(Activations.tanh(cell: moved, fractionBits: cellFractionBits))
            hidden[h] = FixedPoint.saturateInt8(
                FixedPoint.roundingShiftRight(o &* squashed, by: 30 &- hiddenFractionBits))
        }
    }

    /// - Parameters:
    ///   - sums: `[4H]` in the order update, reset, candidate without its recurrent part, that recurrent part.
    ///   - hiddenFractionBits: 0...11.
    package static func stepGRU(
        sums: Span<Int32>, cell: inout MutableSpan<Int16>, hidden: inout MutableSpan<Int8>,
        cellFractionBits: Int32, hiddenFractionBits: Int32
    ) {
        let units = cell.count
        precondition(sums.count == 4 * units && hidden.count == units)
        for h in cell.indices {
            let z = Int32(Activations.sigmoid(FixedPoint.saturateInt16(sums[h])))
            let r = Int32(Activations.sigmoid(FixedPoint.saturateInt16(sums[units &+ h])))
            let recurrent = Int32(FixedPoint.saturateInt16(sums[3 &* units &+ h]))
            // r · recurrent is below 2^30 in size; a candidate's sum below 2^30 takes 2^15 more.
            let reset = FixedPoint.roundingShiftRight(r &* recurrent, by: 15)
            let n = Activations.tanh(FixedPoint.saturateInt16(sums[2 &* units &+ h] &+ reset))
            cell[h] = blend(
                kept: z, of: cell[h], gain: 32_768 &- z, candidate: n,
                fractionBits: cellFractionBits)
            hidden[h] = rounded(cell[h], from: cellFractionBits, to: hiddenFractionBits)
        }
    }

    /// - Parameters:
    ///   - sums: `[H]`, the products alone.
    ///   - bias: `[2H]` Q3.12, at most ±2^20: the gate's, then the candidate's.
    ///   - zeta: Q0.15, 0...32767: the candidate's share where the gate lets go.
    ///   - nu: Q0.15, 0...32767: the candidate's share always.
    ///   - hiddenFractionBits: 0...11.
    package static func stepFastGRNN(
        sums: Span<Int32>, bias: Span<Int32>, zeta: Int32, nu: Int32,
        cell: inout MutableSpan<Int16>, hidden: inout MutableSpan<Int8>,
        cellFractionBits: Int32, hiddenFractionBits: Int32
    ) {
        let units = cell.count
        precondition(sums.count == units && bias.count == 2 * units && hidden.count == units)
        for h in cell.indices {
            let z = Int32(Activations.sigmoid(FixedPoint.saturateInt16(sums[h] &+ bias[h])))
            let c = Activations.tanh(FixedPoint.saturateInt16(sums[h] &+ bias[units &+ h]))
            // z ≥ 1, so the product is at most 32767² and the gain at most 32766 + 32767.
            let gain = FixedPoint.roundingShiftRight(zeta &* (32_768 &- z), by: 15) &+ nu
            cell[h] = blend(
                kept: z, of: cell[h], gain: gain, candidate: c, fractionBits: cellFractionBits)
            hidden[h] = rounded(cell[h], from: cellFractionBits, to: hiddenFractionBits)
        }
    }

    /// `kept · state + gain · candidate`, rounded once to the state's unit but for one bit of each product.
    ///
    /// - Parameters:
    ///   - kept: Q0.15, 1...32767.
    ///   - state: one unit being `2^-fractionBits`.
    ///   - gain: Q0.15, 0...65533.
    ///   - candidate: Q0.15, -32767...32767.
    ///   - fractionBits: 8...15.
    @inline(__always)
    private static func blend(
        kept: Int32, of state: Int16, gain: Int32, candidate: Int16, fractionBits: Int32
    ) -> Int16 {
        // At most 65533 · 32767 = 2,147,319,811, and a rounding term of at most 2^7: below 2^31. Halved or more it is
        // below 2^30; the other product, below 2^30, is below 2^29. With 2^13 their sum stays below 2^31.
        let added = FixedPoint.roundingShiftRight(
            gain &* Int32(candidate), by: 16 &- fractionBits)
        let left = FixedPoint.roundingShiftRight(kept &* Int32(state), by: 1)
        return FixedPoint.saturateInt16(FixedPoint.roundingShiftRight(left &+ added, by: 14))
    }

    /// The state as the kernels see it. Three bits up first, so that the shift is never a negative one: 2^18, and a
    /// rounding term of at most 2^17.
    @inline(__always)
    private static func rounded(_ state: Int16, from: Int32, to: Int32) -> Int8 {
        FixedPoint.saturateInt8(
            FixedPoint.roundingShiftRight(Int32(state) &* 8, by: from &+ 3 &- to))
    }
}
