import Forecasting
import Kernels

/// INTEGER.md once more, in plain checked `Int` arithmetic: slow, obvious, and it traps where an int16 or an
/// int32 would wrap.
struct IntegerReference {
    let network: IntegerNetwork
    private(set) var cell: [Int]
    private(set) var hidden: [Int]

    init(_ network: IntegerNetwork) {
        self.network = network
        cell = [Int](repeating: 0, count: network.shape.units)
        hidden = cell
    }

    mutating func step(_ input: [Int8]) {
        let x = input.map { Int($0) }
        let fromInput = products(network.inputKernel, x, network.inputMultipliers)
        let fromState = products(network.recurrentKernel, hidden, network.recurrentMultipliers)
        switch network.shape.cell {
        case .lstm: stepLSTM(fromInput, fromState)
        case .gru: stepGRU(fromInput, fromState)
        case .fastGRNN: stepFastGRNN(fromInput, fromState)
        }
    }

    private mutating func stepLSTM(_ fromInput: [Int], _ fromState: [Int]) {
        let units = network.shape.units
        let sums = fromInput.indices.map {
            held(inInt32(inInt32(Int(network.bias[$0]) + fromInput[$0]) + fromState[$0]))
        }
        for h in 0..<units {
            let added = product(sigmoid(sums[h]), tanh(gate: sums[2 * units + h]))
            let kept = product(sigmoid(sums[units + h]), cell[h])
            cell[h] = held(kept + scaled(added, from: 15, to: network.cellFractionBits))
            let squashed = product(sigmoid(sums[3 * units + h]), tanh(cell: cell[h]))
            hidden[h] = narrowed(squashed, from: 15)
        }
    }

    private mutating func stepGRU(_ fromInput: [Int], _ fromState: [Int]) {
        let units = network.shape.units
        func bias(_ block: Int, _ h: Int) -> Int { Int(network.bias[block * units + h]) }
        for h in 0..<units {
            let z = sigmoid(held(inInt32(bias(0, h) + fromInput[h] + fromState[h])))
            let r = sigmoid(held(inInt32(bias(1, h) + fromInput[units + h] + fromState[units + h])))
            let recurrent = held(inInt32(bias(3, h) + fromState[2 * units + h]))
            let input = held(inInt32(bias(2, h) + fromInput[2 * units + h]))
            let candidate = tanh(gate: held(input + product(r, recurrent)))
            let added = product(32_768 - z, candidate)
            blend(h, kept: z, added: scaled(added, from: 15, to: network.cellFractionBits))
        }
    }

    private mutating func stepFastGRNN(_ fromInput: [Int], _ fromState: [Int]) {
        let units = network.shape.units
        let (zeta, nu) = (Int(network.scalars[0]), Int(network.scalars[1]))
        let bits = network.cellFractionBits
        for h in 0..<units {
            let sum = inInt32(fromInput[h] + fromState[h])
            let z = sigmoid(held(inInt32(sum + Int(network.bias[h]))))
            let candidate = tanh(gate: held(inInt32(sum + Int(network.bias[units + h]))))
            let gained = product(product(zeta, 32_768 - z), candidate)
            let always = product(nu, candidate)
            blend(
                h, kept: z,
                added: held(
                    scaled(gained, from: 15, to: bits) + scaled(always, from: 15, to: bits)))
        }
    }

    private mutating func blend(_ h: Int, kept: Int, added: Int) {
        cell[h] = held(product(kept, cell[h]) + added)
        hidden[h] = narrowed(cell[h], from: network.cellFractionBits)
    }

    private func narrowed(_ value: Int, from bits: Int) -> Int {
        min(max(scaled(value, from: bits, to: network.hiddenFractionBits), -127), 127)
    }

    /// Always to fewer bits.
    private func scaled(_ value: Int, from: Int, to: Int) -> Int {
        precondition(from > to)
        return product(value, 1 << (15 - (from - to)))
    }

    private func product(_ a: Int, _ b: Int) -> Int {
        inInt16(shift(inInt16(a) * inInt16(b), 15))
    }

    private func held(_ value: Int) -> Int { min(max(value, -32_768), 32_767) }

    var output: Int {
        inInt32(
            zip(network.denseKernel, hidden).reduce(Int(network.denseBias)) {
                $0 + Int($1.0) * $1.1
            })
    }

    private func products(
        _ weights: [Int8], _ vector: [Int], _ multipliers: [RowMultiplier]
    ) -> [Int] {
        multipliers.indices.map { row in
            var sum = 0
            for i in vector.indices { sum += Int(weights[row * vector.count + i]) * vector[i] }
            let code = Int(multipliers[row].code)
            return shift(inInt32(sum * (256 + code % 256)), code / 256)
        }
    }

    /// tanh at `position / 8192`.
    private func tanh(_ position: Int) -> Int {
        precondition((0..<65_536).contains(position))
        let segment =
            switch position {
            case ..<16_384: position / 2048
            case ..<32_768: 4 + position / 4096
            default: 8 + position / 8192
            }
        let t = inInt16(8 * (position - Int(TanhSegments.middles[segment])))
        let bend = product(t, Int(TanhSegments.curvatures[segment]))
        let slope = inInt16(Int(TanhSegments.slopes[segment]) + bend)
        return inInt16(Int(TanhSegments.values[segment]) + product(t, slope))
    }

    private func tanh(gate sum: Int) -> Int {
        signed(tanh(2 * min(abs(sum), 32_767)), as: sum)
    }

    private func tanh(cell: Int) -> Int {
        let bits = network.cellFractionBits
        guard bits < 14 else { return signed(tanh((abs(cell) + 1) / 2), as: cell) }
        let unit = 1 << (13 - bits)
        return signed(tanh(min(abs(cell), 65_535 / unit) * unit), as: cell)
    }

    private func sigmoid(_ sum: Int) -> Int {
        // Floored halving: the sum is never negative.
        inInt16((32_769 + signed(tanh(abs(sum)), as: sum)) / 2)
    }

    private func signed(_ value: Int, as x: Int) -> Int { x < 0 ? -value : value }

    private func shift(_ value: Int, _ bits: Int) -> Int {
        bits == 0 ? value : inInt32(value + 1 << (bits - 1)) >> bits
    }

    private func inInt32(_ value: Int) -> Int { Int(Int32(value)) }

    private func inInt16(_ value: Int) -> Int { Int(Int16(value)) }
}
