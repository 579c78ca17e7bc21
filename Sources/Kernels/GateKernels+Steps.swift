// The element-wise half of a step, one function a cell: gates open, the cell moves on, the hidden state leaves.
//
// All take sums in Q3.12, saturated to ±8, in blocks of H: entry `block · H + h`. `cell` is `[H]` int16, one unit being
// `2^-cellFractionBits`, 8...14, and is updated; `hidden` is `[H]` int8, one unit being `2^-hiddenFractionBits`, and is
// replaced. Every product is of two int16 and rounded to int16: none wraps, because a factor of each is a sigmoid or a
// power of two and so never -32768.
extension GateKernels {
    /// - Parameters:
    ///   - sums: `[4H]` at least, in the order input, forget, candidate, output.
    ///   - hiddenFractionBits: 7...11.
    package static func stepLSTM(
        sums: Span<Int16>, cell: inout MutableSpan<Int16>, hidden: inout MutableSpan<Int8>,
        cellFractionBits: Int32, hiddenFractionBits: Int32
    ) {
        let units = cell.count
        precondition(sums.count >= 4 * units && hidden.count == units)
        for h in cell.indices {
            let i = Activations.sigmoid(sums[h])
            let f = Activations.sigmoid(sums[units &+ h])
            let g = Activations.tanh(sums[2 &* units &+ h])
            let o = Activations.sigmoid(sums[3 &* units &+ h])

            let added = FixedPoint.rounded(
                FixedPoint.product(i, g), by: 15 &- cellFractionBits)
            cell[h] = FixedPoint.sum(FixedPoint.product(f, cell[h]), added)

            let squashed = Activations.tanh(cell: cell[h], fractionBits: cellFractionBits)
            hidden[h] = narrowed(
                FixedPoint.product(o, squashed), by: 15 &- hiddenFractionBits)
        }
    }

    /// - Parameters:
    ///   - sums: `[4H]` at least, in the order update, reset, candidate without its recurrent part, that recurrent part.
    ///   - hiddenFractionBits: 0...11, below `cellFractionBits`.
    package static func stepGRU(
        sums: Span<Int16>, cell: inout MutableSpan<Int16>, hidden: inout MutableSpan<Int8>,
        cellFractionBits: Int32, hiddenFractionBits: Int32
    ) {
        let units = cell.count
        precondition(sums.count >= 4 * units && hidden.count == units)
        for h in cell.indices {
            let z = Activations.sigmoid(sums[h])
            let r = Activations.sigmoid(sums[units &+ h])
            let n = Activations.tanh(
                FixedPoint.sum(
                    sums[2 &* units &+ h], FixedPoint.product(r, sums[3 &* units &+ h])))
            let added = FixedPoint.rounded(
                FixedPoint.product(rest(z), n), by: 15 &- cellFractionBits)
            cell[h] = FixedPoint.sum(FixedPoint.product(z, cell[h]), added)
            hidden[h] = narrowed(cell[h], by: cellFractionBits &- hiddenFractionBits)
        }
    }

    /// - Parameters:
    ///   - sums: `[2H]` at least: the gate's, then the candidate's.
    ///   - zeta: Q0.15, 0...32767: the candidate's share where the gate lets go.
    ///   - nu: Q0.15, 0...32767: the candidate's share always.
    ///   - hiddenFractionBits: 0...11, below `cellFractionBits`.
    package static func stepFastGRNN(
        sums: Span<Int16>, zeta: Int16, nu: Int16,
        cell: inout MutableSpan<Int16>, hidden: inout MutableSpan<Int8>,
        cellFractionBits: Int32, hiddenFractionBits: Int32
    ) {
        let units = cell.count
        precondition(sums.count >= 2 * units && hidden.count == units)
        for h in cell.indices {
            let z = Activations.sigmoid(sums[h])
            let c = Activations.tanh(sums[units &+ h])
            let gained = FixedPoint.product(FixedPoint.product(zeta, rest(z)), c)
            // Two parts, because ζ · (1 − z) + ν may be above 1, which Q0.15 does not hold.
            let added = FixedPoint.sum(
                FixedPoint.rounded(gained, by: 15 &- cellFractionBits),
                FixedPoint.rounded(FixedPoint.product(nu, c), by: 15 &- cellFractionBits))
            cell[h] = FixedPoint.sum(FixedPoint.product(z, cell[h]), added)
            hidden[h] = narrowed(cell[h], by: cellFractionBits &- hiddenFractionBits)
        }
    }

    /// `1 − z` of a sigmoid: 1...32767.
    @inline(__always)
    private static func rest(_ z: Int16) -> Int16 { Int16(truncatingIfNeeded: 32_768 &- Int32(z)) }

    /// - Parameter bits: 1...15.
    @inline(__always)
    private static func narrowed(_ value: Int16, by bits: Int32) -> Int8 {
        FixedPoint.saturateInt8(Int32(FixedPoint.rounded(value, by: bits)))
    }
}
