import Forecasting
import Kernels

/// INTEGER.md once more, in plain checked `Int` arithmetic: slow, obvious, and it traps where an int32 would wrap.
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
            let added = shift(
                sigmoid(sums[h]) * tanh(2 * sums[2 * units + h]), 30 - network.cellFractionBits)
            let kept = shift(sigmoid(sums[units + h]) * cell[h], 15)
            cell[h] = held(kept + added)
            let bits = network.cellFractionBits
            let position = bits <= 13 ? cell[h] << (13 - bits) : shift(abs(cell[h]), bits - 13)
            let squashed = cell[h] < 0 ? -tanh(abs(position)) : tanh(position)
            let raw = shift(
                sigmoid(sums[3 * units + h]) * squashed, 30 - network.hiddenFractionBits)
            hidden[h] = min(max(raw, -127), 127)
        }
    }

    private mutating func stepGRU(_ fromInput: [Int], _ fromState: [Int]) {
        let units = network.shape.units
        func bias(_ block: Int, _ h: Int) -> Int { Int(network.bias[block * units + h]) }
        for h in 0..<units {
            let z = sigmoid(held(inInt32(bias(0, h) + fromInput[h] + fromState[h])))
            let r = sigmoid(held(inInt32(bias(1, h) + fromInput[units + h] + fromState[units + h])))
            let recurrent = held(inInt32(bias(3, h) + fromState[2 * units + h]))
            let candidate = held(
                inInt32(bias(2, h) + fromInput[2 * units + h] + shift(r * recurrent, 15)))
            blend(h, kept: z, gain: 32_768 - z, candidate: tanh(2 * candidate))
        }
    }

    private mutating func stepFastGRNN(_ fromInput: [Int], _ fromState: [Int]) {
        let units = network.shape.units
        let (zeta, nu) = (Int(network.scalars[0]), Int(network.scalars[1]))
        for h in 0..<units {
            let sum = inInt32(fromInput[h] + fromState[h])
            let z = sigmoid(held(inInt32(sum + Int(network.bias[h]))))
            let candidate = held(inInt32(sum + Int(network.bias[units + h])))
            blend(
                h, kept: z, gain: shift(zeta * (32_768 - z), 15) + nu,
                candidate: tanh(2 * candidate))
        }
    }

    private mutating func blend(_ h: Int, kept: Int, gain: Int, candidate: Int) {
        let (bits, hiddenBits) = (network.cellFractionBits, network.hiddenFractionBits)
        let left = shift(inInt32(kept * cell[h]), 1)
        let added = shift(inInt32(gain * candidate), 16 - bits)
        cell[h] = held(shift(inInt32(left + added), 14))
        hidden[h] = min(max(shift(8 * cell[h], bits + 3 - hiddenBits), -127), 127)
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
        if position < 0 { return -tanh(-position) }
        let n = min(position / 256, 256)
        let low = Int(TanhTable.values[n])
        guard n < 256 else { return low }
        return low + ((Int(TanhTable.values[n + 1]) - low) * (position % 256) + 128) / 256
    }

    private func sigmoid(_ sum: Int) -> Int {
        // Floored halving: the sum is never negative.
        min(32_767, (32_769 + tanh(sum)) / 2)
    }

    private func shift(_ value: Int, _ bits: Int) -> Int {
        bits == 0 ? value : inInt32(value + 1 << (bits - 1)) >> bits
    }

    private func inInt32(_ value: Int) -> Int { Int(Int32(value)) }
}
