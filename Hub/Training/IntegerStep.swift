import Forecasting

/// The element-wise half of a day's integer step, for all windows: what `GateKernels` defines, eight windows at a time.
/// Leaves what the integers stand for where the float pass leaves its own values.
///
/// Between passes over the windows, the tanh of all of them are computed at once: `IntegerBuffers.tanhs`.
struct IntegerStep {
    typealias Vector = SIMD8<Float>
    typealias Integers = SIMD8<Int32>
    typealias Shorts = SIMD8<Int16>
    typealias Saturated = IntegerBuffers.Saturated

    private let network: BatchedNetwork
    private let packed: PackedIntegers
    private let buffers: IntegerBuffers
    private let day: Int
    private let cellFractionBits: Int32
    private let hiddenFractionBits: Int32

    /// - Precondition: `buffers` holds the day's products.
    init(
        _ network: BatchedNetwork, _ packed: PackedIntegers, _ buffers: IntegerBuffers, day: Int
    ) {
        self.network = network
        self.packed = packed
        self.buffers = buffers
        self.day = day
        cellFractionBits = Int32(packed.network.cellFractionBits)
        hiddenFractionBits = Int32(packed.network.hiddenFractionBits)
    }

    func stepLSTM(unit j: Int) {
        let (i, f) = (sum(Gate.input.rawValue, j), sum(Gate.forget.rawValue, j))
        let (g, o) = (sum(Gate.candidate.rawValue, j), sum(Gate.output.rawValue, j))
        let (iOut, fOut) = (gate(Gate.input.rawValue, j), gate(Gate.forget.rawValue, j))
        let (gOut, oOut) = (gate(Gate.candidate.rawValue, j), gate(Gate.output.rawValue, j))
        let cellOut = network.vectors(network.cell, at: dayAfter(j))
        let tanhOut = network.vectors(
            network.cellTanh, at: (j * network.window + day) * network.columns)
        let ends = ends(j)
        for b in 0..<vectors {
            var saturated = Shorts()
            ask(0, b, sigmoidOf: int16(i.both(b), Saturated.gate(0), &saturated))
            ask(1, b, sigmoidOf: int16(f.both(b), Saturated.gate(1), &saturated))
            ask(2, b, tanhOf: int16(g.both(b), Saturated.gate(2), &saturated))
            ask(3, b, sigmoidOf: int16(o.both(b), Saturated.gate(3), &saturated))
            ends.saturated[b] = SIMD8<UInt8>(truncatingIfNeeded: saturated)
        }
        tanhs.compute(blocks: 4)
        for b in 0..<vectors {
            var saturated = Shorts(truncatingIfNeeded: ends.saturated[b])
            let (iGate, fGate) = (sigmoid(0, b), sigmoid(1, b))
            let (candidate, oGate) = (tanh(2, b), sigmoid(3, b))
            let added = rounded(product(iGate, candidate), by: 15 &- cellFractionBits)
            let moved = saturatingSum(
                product(fGate, ends.state[b]), added, Saturated.state, &saturated)
            iOut[b] = floats(iGate) * 0x1p-15
            fOut[b] = floats(fGate) * 0x1p-15
            gOut[b] = floats(candidate) * 0x1p-15
            oOut[b] = floats(oGate) * 0x1p-15
            cellOut[b] = floats(moved) * ends.stateUnit
            ends.state[b] = moved
            ends.saturated[b] = SIMD8<UInt8>(truncatingIfNeeded: saturated)
            ask(0, b, tanhOfCell: moved)
        }
        tanhs.compute(blocks: 1)
        for b in 0..<vectors {
            var saturated = Shorts(truncatingIfNeeded: ends.saturated[b])
            let squashed = tanh(0, b)
            let hidden = narrowed(
                product(sigmoid(3, b), squashed), by: 15 &- hiddenFractionBits, &saturated)
            tanhOut[b] = floats(squashed) * 0x1p-15
            ends.hidden[b] = floats(hidden) * ends.hiddenUnit
            ends.saturated[b] = SIMD8<UInt8>(truncatingIfNeeded: saturated)
        }
    }

    func stepGRU(unit j: Int) {
        let (z, r) = (sum(GRUGate.update.rawValue, j), sum(GRUGate.reset.rawValue, j))
        let n = sum(GRUGate.candidate.rawValue, j)
        let recurrentBias = Integers(
            repeating: packed.network.bias[GRUGate.allCases.count * network.shape.units + j])
        let (nOut, zOut, rOut, qOut) = (gate(0, j), gate(1, j), gate(2, j), gate(3, j))
        let stateOut = network.vectors(buffers.states, at: dayAfter(j))
        let ends = ends(j)
        for b in 0..<vectors {
            var saturated = Shorts()
            ask(0, b, sigmoidOf: int16(z.both(b), Saturated.gate(1), &saturated))
            ask(1, b, sigmoidOf: int16(r.both(b), Saturated.gate(2), &saturated))
            ends.saturated[b] = SIMD8<UInt8>(truncatingIfNeeded: saturated)
        }
        tanhs.compute(blocks: 2)
        for b in 0..<vectors {
            var saturated = Shorts(truncatingIfNeeded: ends.saturated[b])
            let rGate = sigmoid(1, b)
            let recurrent = int16(
                recurrentBias &+ n.fromState(b), Saturated.gate(3), &saturated)
            let input = int16(n.bias &+ n.fromInput(b), Saturated.gate(0), &saturated)
            rOut[b] = floats(rGate) * 0x1p-15
            qOut[b] = floats(recurrent) * 0x1p-12
            let sum = saturatingSum(
                input, product(rGate, recurrent), Saturated.gate(0), &saturated)
            ends.saturated[b] = SIMD8<UInt8>(truncatingIfNeeded: saturated)
            ask(1, b, tanhOf: sum)
            zOut[b] = floats(sigmoid(0, b)) * 0x1p-15
        }
        tanhs.compute(blocks: 1, from: 1)
        for b in 0..<vectors {
            var saturated = Shorts(truncatingIfNeeded: ends.saturated[b])
            let (zGate, candidate) = (sigmoid(0, b), tanh(1, b))
            let added = rounded(product(rest(zGate), candidate), by: 15 &- cellFractionBits)
            let moved = saturatingSum(
                product(zGate, ends.state[b]), added, Saturated.state, &saturated)
            nOut[b] = floats(candidate) * 0x1p-15
            stateOut[b] = floats(moved) * ends.stateUnit
            ends.leave(
                b, moved,
                narrowed(moved, by: cellFractionBits &- hiddenFractionBits, &saturated), saturated)
        }
    }

    func stepFastGRNN(unit j: Int) {
        let both = sum(0, j)
        let candidateBias = Integers(repeating: packed.network.bias[network.shape.units + j])
        let zeta = Shorts(repeating: Int16(packed.network.scalars[0]))
        let nu = Shorts(repeating: Int16(packed.network.scalars[1]))
        let (zOut, cOut) = (gate(0, j), gate(1, j))
        let stateOut = network.vectors(buffers.states, at: dayAfter(j))
        let ends = ends(j)
        for b in 0..<vectors {
            var saturated = Shorts()
            let products = both.fromInput(b) &+ both.fromState(b)
            ask(0, b, sigmoidOf: int16(products &+ both.bias, Saturated.gate(0), &saturated))
            ask(1, b, tanhOf: int16(products &+ candidateBias, Saturated.gate(1), &saturated))
            ends.saturated[b] = SIMD8<UInt8>(truncatingIfNeeded: saturated)
        }
        tanhs.compute(blocks: 2)
        for b in 0..<vectors {
            var saturated = Shorts(truncatingIfNeeded: ends.saturated[b])
            let (zGate, candidate) = (sigmoid(0, b), tanh(1, b))
            let gained = product(product(zeta, rest(zGate)), candidate)
            let bits = 15 &- cellFractionBits
            let added = saturatingSum(
                rounded(gained, by: bits), rounded(product(nu, candidate), by: bits),
                Saturated.state, &saturated)
            let moved = saturatingSum(
                product(zGate, ends.state[b]), added, Saturated.state, &saturated)
            zOut[b] = floats(zGate) * 0x1p-15
            cOut[b] = floats(candidate) * 0x1p-15
            stateOut[b] = floats(moved) * ends.stateUnit
            ends.leave(
                b, moved,
                narrowed(moved, by: cellFractionBits &- hiddenFractionBits, &saturated), saturated)
        }
    }

    // MARK: Where things lie

    /// A row of both kernels: the products with all windows' inputs and hidden states, and what makes Q3.12 of them.
    private struct Row {
        let input: UnsafeMutablePointer<Vector>
        let state: UnsafeMutablePointer<Vector>
        let inputMultiplier: PackedIntegers.Multiplier
        let stateMultiplier: PackedIntegers.Multiplier
        let bias: Integers

        @inline(__always) func fromInput(_ b: Int) -> Integers {
            rescale(input[b], inputMultiplier)
        }
        @inline(__always) func fromState(_ b: Int) -> Integers {
            rescale(state[b], stateMultiplier)
        }
        @inline(__always) func both(_ b: Int) -> Integers {
            bias &+ fromInput(b) &+ fromState(b)
        }
    }

    private var vectors: Int { network.columns / BatchedNetwork.lanes }

    private func sum(_ block: Int, _ j: Int) -> Row {
        let row = block * network.shape.units + j
        return Row(
            input: network.vectors(buffers.inputSums, at: row * network.columns),
            state: network.vectors(buffers.recurrentSums, at: row * network.columns),
            inputMultiplier: packed.inputMultipliers[row],
            stateMultiplier: packed.recurrentMultipliers[row],
            bias: Integers(repeating: packed.network.bias[row]))
    }

    private func gate(_ block: Int, _ j: Int) -> UnsafeMutablePointer<Vector> {
        let row = block * network.shape.units + j
        return network.vectors(
            network.gates, at: (row * network.window + day) * network.columns)
    }

    private func dayAfter(_ j: Int) -> Int { j * network.inputStride + (day + 1) * network.columns }

    /// Where a unit's step ends: the state goes to the next day, the hidden state to the kernels.
    private struct Ends {
        let state: UnsafeMutablePointer<Shorts>
        let hidden: UnsafeMutablePointer<Vector>
        let saturated: UnsafeMutablePointer<SIMD8<UInt8>>
        let stateUnit: Vector
        let hiddenUnit: Vector

        @inline(__always)
        func leave(_ b: Int, _ moved: Shorts, _ hidden: Shorts, _ saturated: Shorts) {
            state[b] = moved
            self.hidden[b] = floats(hidden) * hiddenUnit
            self.saturated[b] = SIMD8<UInt8>(truncatingIfNeeded: saturated)
        }
    }

    private func ends(_ j: Int) -> Ends {
        let (B, T) = (network.columns, network.window)
        return Ends(
            state: UnsafeMutableRawPointer(buffers.state.baseAddress! + j * B)
                .assumingMemoryBound(to: Shorts.self),
            hidden: network.vectors(network.operand, at: dayAfter(j)),
            saturated: UnsafeMutableRawPointer(
                buffers.saturated.baseAddress! + (j * T + day) * B
            ).assumingMemoryBound(to: SIMD8<UInt8>.self),
            stateUnit: Vector(repeating: 1 / Float(1 << cellFractionBits)),
            hiddenUnit: Vector(repeating: 1 / Float(1 << hiddenFractionBits)))
    }

    // MARK: `Activations` and `GateKernels`, eight at a time

    private var tanhs: IntegerBuffers.TanhBatch { buffers.tanhs }

    /// - Parameter x: Q3.12
    @inline(__always)
    private func ask(_ block: Int, _ b: Int, tanhOf x: Shorts) {
        let position = pointwiseMin(size(x), SIMD8(repeating: 32_767)) &<< 1
        tanhs.ask(block, b, position, sign: x)
    }

    /// - Parameter x: Q3.12
    @inline(__always)
    private func ask(_ block: Int, _ b: Int, sigmoidOf x: Shorts) {
        tanhs.ask(block, b, size(x), sign: x)
    }

    @inline(__always)
    private func ask(_ block: Int, _ b: Int, tanhOfCell cell: Shorts) {
        let left = UInt16(truncatingIfNeeded: max(0, 13 &- cellFractionBits))
        let position =
            cellFractionBits > 13
            ? (size(cell) &+ 1) &>> 1
            : pointwiseMin(size(cell), SIMD8(repeating: UInt16.max &>> left))
                &<< SIMD8(repeating: left)
        tanhs.ask(block, b, position, sign: cell)
    }

    /// Of what was asked.
    @inline(__always)
    private func tanh(_ block: Int, _ b: Int) -> Shorts {
        let sign = tanhs.sign(block, b) &>> 15
        return (tanhs.value(block, b) ^ sign) &- sign
    }

    /// Of what was asked.
    @inline(__always)
    private func sigmoid(_ block: Int, _ b: Int) -> Shorts {
        let sum = SIMD8<UInt16>(truncatingIfNeeded: tanh(block, b)) &+ 32_769
        return Shorts(truncatingIfNeeded: sum &>> 1)
    }

    @inline(__always)
    private func size(_ x: Shorts) -> SIMD8<UInt16> {
        let sign = x &>> 15
        return SIMD8<UInt16>(truncatingIfNeeded: (x ^ sign) &- sign)
    }

    /// 1 − z of a sigmoid's z, which is at least 1 unit: 2^15 less it, by way of what is 2^15 in 16 bits.
    @inline(__always)
    private func rest(_ gate: Shorts) -> Shorts { Shorts(repeating: -32_768) &- gate }
}

/// - Parameter saturated: gets `bit` where the result is an end of int16, which counts as saturated.
@inline(__always)
private func int16(
    _ value: SIMD8<Int32>, _ bit: UInt8, _ saturated: inout SIMD8<Int16>
) -> SIMD8<Int16> {
    let held = narrowed(value)
    let ends = flags(held .== SIMD8(repeating: -32_768)) | flags(held .== SIMD8(repeating: 32_767))
    saturated |= ends & SIMD8(repeating: Int16(bit))
    return held
}

/// `FixedPoint.sum`
/// - Parameter saturated: as `int16` has it.
@inline(__always)
private func saturatingSum(
    _ a: SIMD8<Int16>, _ b: SIMD8<Int16>, _ bit: UInt8, _ saturated: inout SIMD8<Int16>
) -> SIMD8<Int16> {
    int16(
        SIMD8<Int32>(truncatingIfNeeded: a) &+ SIMD8<Int32>(truncatingIfNeeded: b), bit, &saturated)
}

/// `FixedPoint.rounded`, held within int8.
/// - Parameter saturated: gets its bit where the result would be beyond ±127.
@inline(__always)
private func narrowed(
    _ value: SIMD8<Int16>, by bits: Int32, _ saturated: inout SIMD8<Int16>
) -> SIMD8<Int16> {
    let wide = rounded(value, by: bits)
    let held = pointwiseMin(pointwiseMax(wide, SIMD8(repeating: -127)), SIMD8(repeating: 127))
    saturated |= flags(held .!= wide) & SIMD8(repeating: Int16(IntegerBuffers.Saturated.hidden))
    return held
}

/// `FixedPoint.rounded`
@inline(__always)
private func rounded(_ value: SIMD8<Int16>, by bits: Int32) -> SIMD8<Int16> {
    product(value, SIMD8(repeating: Int16(truncatingIfNeeded: 1 &<< (15 &- bits))))
}

/// The nearest int16.
@inline(__always)
private func narrowed(_ value: SIMD8<Int32>) -> SIMD8<Int16> {
    SIMD8(
        truncatingIfNeeded: pointwiseMin(
            pointwiseMax(value, SIMD8(repeating: -32_768)), SIMD8(repeating: 32_767)))
}

/// All bits of a lane, or none.
@inline(__always)
private func flags(_ mask: SIMDMask<SIMD8<Int16>>) -> SIMD8<Int16> {
    unsafeBitCast(mask, to: SIMD8<Int16>.self)
}

/// `FixedPoint.product`
@inline(__always)
private func product(_ a: SIMD8<Int16>, _ b: SIMD8<Int16>) -> SIMD8<Int16> {
    let wide = SIMD8<Int32>(truncatingIfNeeded: a) &* SIMD8<Int32>(truncatingIfNeeded: b)
    return SIMD8(truncatingIfNeeded: (wide &+ 0x4000) &>> 15)
}

@inline(__always)
private func floats(_ values: SIMD8<Int16>) -> SIMD8<Float> {
    SIMD8<Float>(SIMD8<Int32>(truncatingIfNeeded: values))
}

/// `RowMultiplier.rescale`
/// - Parameter sum: whole, below 2^22 in size: added to 1.5 · 2^23, it is in the mantissa's low bits.
@inline(__always)
private func rescale(_ sum: SIMD8<Float>, _ by: PackedIntegers.Multiplier) -> SIMD8<Int32> {
    let bits = unsafeBitCast(sum + 0x1.8p+23, to: SIMD8<Int32>.self)
    let product = bits &* SIMD8(repeating: by.mantissa)
    return (product &+ SIMD8(repeating: by.offset)) &>> SIMD8(repeating: by.shift)
}
