/// The float network day by day: what the hub forecasts with, and what the integer network is measured against.
package struct FloatRecurrence: Sendable {
    package let parameters: NetworkParameters
    /// `[H]`: what the kernels and the dense layer see. Whoever simulates rounding replaces it between steps.
    package var hidden: [Float]
    /// `[H]`: the LSTM's cell state. The other cells have none beside the hidden state, and it is that.
    package private(set) var cell: [Float]
    /// `[sumBlocks · H]`
    private var sums: [Float]

    /// Starts from a zero state.
    package init(_ parameters: NetworkParameters) {
        let (kind, units) = (parameters.shape.cell, parameters.units)
        self.parameters = parameters
        hidden = [Float](repeating: 0, count: units)
        cell = hidden
        sums = [Float](repeating: 0, count: kind.sumBlocks * units)
    }

    /// The dense layer's output after the steps so far.
    package var output: Float {
        var y = parameters.denseBias
        for j in 0..<parameters.units { y += parameters.denseWeight[j] * hidden[j] }
        return y
    }

    /// One step on row `day` of a window `[T, I]`, time-major.
    package mutating func step(day: Int, of window: [Float]) {
        addProducts(inputs: day * parameters.inputWidth, of: window)
        switch parameters.shape.cell {
        case .lstm: stepLSTM()
        case .gru: stepGRU()
        case .fastGRNN: stepFastGRNN()
        }
    }

    private mutating func addProducts(inputs first: Int, of window: [Float]) {
        let (kind, I, H) = (parameters.shape.cell, parameters.inputWidth, parameters.units)
        for row in sums.indices { sums[row] = kind == .fastGRNN ? 0 : parameters.bias[row] }
        for row in 0..<parameters.shape.kernelRows {
            var sum = sums[row]
            for i in 0..<I { sum += parameters.inputKernel[row * I + i] * window[first + i] }
            sums[row] = sum
            let isApart = kind == .gru && row >= GRUGate.candidate.rawValue * H
            let target = isApart ? row + H : row
            sum = sums[target]
            for j in 0..<H { sum += parameters.recurrentKernel[row * H + j] * hidden[j] }
            sums[target] = sum
        }
    }

    private mutating func stepLSTM() {
        let units = parameters.units
        for j in 0..<units {
            let i = sigmoid(sums[Gate.input.rawValue * units + j])
            let f = sigmoid(sums[Gate.forget.rawValue * units + j])
            let g = hyperbolicTangent(sums[Gate.candidate.rawValue * units + j])
            let o = sigmoid(sums[Gate.output.rawValue * units + j])
            cell[j] = f * cell[j] + i * g
            hidden[j] = o * hyperbolicTangent(cell[j])
        }
    }

    private mutating func stepGRU() {
        let units = parameters.units
        for j in 0..<units {
            let z = sigmoid(sums[GRUGate.update.rawValue * units + j])
            let r = sigmoid(sums[GRUGate.reset.rawValue * units + j])
            let n = hyperbolicTangent(
                sums[GRUGate.candidate.rawValue * units + j] + r * sums[3 * units + j])
            hidden[j] = (1 - z) * n + z * hidden[j]
            cell[j] = hidden[j]
        }
    }

    private mutating func stepFastGRNN() {
        let units = parameters.units
        let (zeta, nu) = (parameters.scalars[0], parameters.scalars[1])
        for j in 0..<units {
            let z = sigmoid(sums[j] + parameters.bias[FastGRNNBias.gate.rawValue * units + j])
            let c = hyperbolicTangent(
                sums[j] + parameters.bias[FastGRNNBias.candidate.rawValue * units + j])
            hidden[j] = (zeta * (1 - z) + nu) * c + z * hidden[j]
            cell[j] = hidden[j]
        }
    }
}
