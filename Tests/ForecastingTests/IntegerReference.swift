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
        let (H, x) = (network.shape.units, input.map { Int($0) })
        let sums = (0..<4 * H).map { r in
            let fromInput = product(network.inputKernel, x, r, network.inputMultipliers)
            let fromState = product(
                network.recurrentKernel, hidden, r, network.recurrentMultipliers)
            let sum = inInt32(Int(network.bias[r]) + fromInput + fromState)
            return min(max(sum, -32_768), 32_767)
        }
        for h in 0..<H {
            let added = shift(
                sigmoid(sums[h]) * tanh(2 * sums[2 * H + h]), 30 - network.cellFractionBits)
            let kept = shift(sigmoid(sums[H + h]) * cell[h], 15)
            cell[h] = min(max(kept + added, -32_768), 32_767)
            let bits = network.cellFractionBits
            let position = bits <= 13 ? cell[h] << (13 - bits) : shift(abs(cell[h]), bits - 13)
            let squashed = cell[h] < 0 ? -tanh(abs(position)) : tanh(position)
            let raw = shift(sigmoid(sums[3 * H + h]) * squashed, 30 - network.hiddenFractionBits)
            hidden[h] = min(max(raw, -127), 127)
        }
    }

    var output: Int {
        inInt32(
            zip(network.denseKernel, hidden).reduce(Int(network.denseBias)) {
                $0 + Int($1.0) * $1.1
            })
    }

    private func product(
        _ weights: [Int8], _ vector: [Int], _ row: Int, _ multipliers: [RowMultiplier]
    ) -> Int {
        var sum = 0
        for i in vector.indices { sum += Int(weights[row * vector.count + i]) * vector[i] }
        let code = Int(multipliers[row].code)
        return shift(inInt32(sum * (256 + code % 256)), code / 256)
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
