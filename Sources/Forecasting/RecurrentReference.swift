/// The network's forward and backward pass as plain as they can be written, in double precision: the
/// definition that the hub's batched trainer is tested against, and itself checked against finite
/// differences. Every cell of `CellKind`, one window at a time; allocates.
package struct RecurrentReference: Sendable {
    package let shape: NetworkShape

    package init(shape: NetworkShape) {
        self.shape = shape
    }

    /// What the forward pass leaves for the backward one, per day `t`.
    package struct Trace: Sendable {
        /// The dense layer's output.
        package var output = 0.0
        /// `[H]`: after the last day, before any `hiddenScale`.
        package var lastHidden: [Double] { hidden[hidden.count - 1] }
        /// `[T][blocks · H]`, after the activations: the blocks of `Gate`, of `GRUGate` and then the candidate's recurrent
        /// sum, or of `FastGRNNBias`.
        var gates: [[Double]] = []
        /// `[T + 1][H]`, the zero state first. Stays 0 where the cell has no state beside the hidden one.
        var cell: [[Double]] = []
        var hidden: [[Double]] = []
    }

    /// - Parameters:
    ///   - parameters: in the order of `NetworkShape`.
    ///   - window: `[T, I]`, time-major.
    ///   - hiddenScale: `[H]`, multiplies the last hidden state before the dense layer: dropout's mask.
    package func forward(
        parameters: [Double], window: [Double], hiddenScale: [Double]? = nil
    ) -> Trace {
        let (I, H) = (shape.inputWidth, shape.units)
        precondition(parameters.count == shape.parameterCount && window.count.isMultiple(of: I))
        var trace = Trace()
        trace.cell.append([Double](repeating: 0, count: H))
        trace.hidden.append([Double](repeating: 0, count: H))
        for t in 0..<window.count / I {
            var fromInput = [Double](repeating: 0, count: shape.kernelRows)
            var fromState = fromInput
            for row in 0..<shape.kernelRows {
                for i in 0..<I { fromInput[row] += parameters[row * I + i] * window[t * I + i] }
                for j in 0..<H {
                    fromState[row] +=
                        parameters[shape.recurrentOffset + row * H + j] * trace.hidden[t][j]
                }
            }
            switch shape.cell {
            case .lstm: stepLSTM(parameters, fromInput, fromState, &trace)
            case .gru: stepGRU(parameters, fromInput, fromState, &trace)
            case .fastGRNN: stepFastGRNN(parameters, fromInput, fromState, &trace)
            }
        }
        trace.output = parameters[shape.denseBiasOffset]
        for j in 0..<H {
            trace.output +=
                parameters[shape.denseOffset + j] * trace.lastHidden[j] * (hiddenScale?[j] ?? 1)
        }
        return trace
    }

    /// Adds the gradient of a loss to `gradient`, laid out as the parameters are.
    /// - Parameters:
    ///   - outputGradient: dLoss / dOutput.
    ///   - lastHiddenGradient: `[H]`, dLoss / d`lastHidden` on every way but through the output: what matching a
    ///     teacher's features adds.
    package func backward(
        parameters: [Double], window: [Double], trace: Trace, outputGradient: Double,
        lastHiddenGradient: [Double]? = nil, hiddenScale: [Double]? = nil, gradient: inout [Double]
    ) {
        let (I, H) = (shape.inputWidth, shape.units)
        let days = window.count / I
        precondition(gradient.count == shape.parameterCount && trace.gates.count == days)
        gradient[shape.denseBiasOffset] += outputGradient
        var state = StateGradient(
            hidden: lastHiddenGradient ?? [Double](repeating: 0, count: H),
            cell: [Double](repeating: 0, count: H))
        for j in 0..<H {
            let scale = hiddenScale?[j] ?? 1
            gradient[shape.denseOffset + j] += outputGradient * trace.lastHidden[j] * scale
            state.hidden[j] += outputGradient * parameters[shape.denseOffset + j] * scale
        }
        for t in (0..<days).reversed() {
            let sums =
                switch shape.cell {
                case .lstm: backLSTM(trace, t, &state, &gradient)
                case .gru: backGRU(trace, t, &state, &gradient)
                case .fastGRNN: backFastGRNN(parameters, trace, t, &state, &gradient)
                }
            for row in 0..<shape.kernelRows {
                for i in 0..<I {
                    gradient[row * I + i] += sums.fromInput[row] * window[t * I + i]
                }
                for j in 0..<H {
                    let weight = shape.recurrentOffset + row * H + j
                    gradient[weight] += sums.fromState[row] * trace.hidden[t][j]
                    state.hidden[j] += sums.fromState[row] * parameters[weight]
                }
            }
        }
    }

    /// dLoss / d(hidden, cell), `[H]` each. A step back replaces what came from the day after by what goes to the day
    /// before, but for the part through the recurrent kernel.
    private struct StateGradient {
        var hidden: [Double]
        var cell: [Double]
    }

    /// dLoss / d(input kernel's and recurrent kernel's products), `[R]` each.
    private struct SumGradient {
        var fromInput: [Double]
        var fromState: [Double]
    }

    // MARK: LSTM

    private func stepLSTM(
        _ parameters: [Double], _ fromInput: [Double], _ fromState: [Double], _ trace: inout Trace
    ) {
        var gates = fromInput
        for row in gates.indices {
            let sum = fromInput[row] + fromState[row] + parameters[shape.biasOffset + row]
            let isCandidate = row / shape.units == Gate.candidate.rawValue
            gates[row] = isCandidate ? hyperbolicTangent(sum) : sigmoid(sum)
        }
        var (c, h) = (trace.cell[trace.cell.count - 1], trace.lastHidden)
        for j in 0..<shape.units {
            c[j] =
                gates[lstm(.forget, j)] * c[j] + gates[lstm(.input, j)] * gates[lstm(.candidate, j)]
            h[j] = gates[lstm(.output, j)] * hyperbolicTangent(c[j])
        }
        trace.gates.append(gates)
        trace.cell.append(c)
        trace.hidden.append(h)
    }

    private func backLSTM(
        _ trace: Trace, _ t: Int, _ state: inout StateGradient, _ gradient: inout [Double]
    ) -> SumGradient {
        let gates = trace.gates[t]
        var dz = [Double](repeating: 0, count: shape.kernelRows)
        for j in 0..<shape.units {
            let (i, f) = (gates[lstm(.input, j)], gates[lstm(.forget, j)])
            let (g, o) = (gates[lstm(.candidate, j)], gates[lstm(.output, j)])
            let tanhC = hyperbolicTangent(trace.cell[t + 1][j])
            let dh = state.hidden[j]
            let dc = state.cell[j] + dh * o * (1 - tanhC * tanhC)
            dz[lstm(.input, j)] = dc * g * i * (1 - i)
            dz[lstm(.forget, j)] = dc * trace.cell[t][j] * f * (1 - f)
            dz[lstm(.candidate, j)] = dc * i * (1 - g * g)
            dz[lstm(.output, j)] = dh * tanhC * o * (1 - o)
            state.cell[j] = dc * f
            state.hidden[j] = 0
        }
        for row in dz.indices { gradient[shape.biasOffset + row] += dz[row] }
        return SumGradient(fromInput: dz, fromState: dz)
    }

    private func lstm(_ gate: Gate, _ unit: Int) -> Int { gate.rawValue * shape.units + unit }

    // MARK: GRU

    private func stepGRU(
        _ parameters: [Double], _ fromInput: [Double], _ fromState: [Double], _ trace: inout Trace
    ) {
        let (H, first) = (shape.units, shape.biasOffset)
        var gates = [Double](repeating: 0, count: 4 * H)
        var h = trace.lastHidden
        for j in 0..<H {
            func bias(_ block: Int) -> Double { parameters[first + block * H + j] }
            let (update, reset) = (gru(.update, j), gru(.reset, j))
            let candidate = gru(.candidate, j)
            let z = sigmoid(fromInput[update] + fromState[update] + bias(0))
            let r = sigmoid(fromInput[reset] + fromState[reset] + bias(1))
            let recurrent = fromState[candidate] + bias(3)
            let n = hyperbolicTangent(fromInput[candidate] + bias(2) + r * recurrent)
            h[j] = (1 - z) * n + z * h[j]
            gates[update] = z
            gates[reset] = r
            gates[candidate] = n
            gates[3 * H + j] = recurrent
        }
        trace.gates.append(gates)
        trace.hidden.append(h)
    }

    private func backGRU(
        _ trace: Trace, _ t: Int, _ state: inout StateGradient, _ gradient: inout [Double]
    ) -> SumGradient {
        let (H, gates) = (shape.units, trace.gates[t])
        var fromInput = [Double](repeating: 0, count: 3 * H)
        var fromState = fromInput
        for j in 0..<H {
            let (z, r) = (gates[gru(.update, j)], gates[gru(.reset, j)])
            let (n, recurrent) = (gates[gru(.candidate, j)], gates[3 * H + j])
            let dh = state.hidden[j]
            let dn = dh * (1 - z) * (1 - n * n)
            let dr = dn * recurrent * r * (1 - r)
            let dz = dh * (trace.hidden[t][j] - n) * z * (1 - z)
            for (block, d) in [dz, dr, dn, dn * r].enumerated() {
                gradient[shape.biasOffset + block * H + j] += d
            }
            (fromInput[gru(.update, j)], fromState[gru(.update, j)]) = (dz, dz)
            (fromInput[gru(.reset, j)], fromState[gru(.reset, j)]) = (dr, dr)
            (fromInput[gru(.candidate, j)], fromState[gru(.candidate, j)]) = (dn, dn * r)
            state.hidden[j] = dh * z
        }
        return SumGradient(fromInput: fromInput, fromState: fromState)
    }

    private func gru(_ gate: GRUGate, _ unit: Int) -> Int { gate.rawValue * shape.units + unit }

    // MARK: FastGRNN

    private func stepFastGRNN(
        _ parameters: [Double], _ fromInput: [Double], _ fromState: [Double], _ trace: inout Trace
    ) {
        let (H, bias) = (shape.units, shape.biasOffset)
        let (zeta, nu) = (parameters[shape.scalarOffset], parameters[shape.scalarOffset + 1])
        var gates = [Double](repeating: 0, count: 2 * H)
        var h = trace.lastHidden
        for j in 0..<H {
            let sum = fromInput[j] + fromState[j]
            let z = sigmoid(sum + parameters[bias + j])
            let c = hyperbolicTangent(sum + parameters[bias + H + j])
            h[j] = (zeta * (1 - z) + nu) * c + z * h[j]
            gates[j] = z
            gates[H + j] = c
        }
        trace.gates.append(gates)
        trace.hidden.append(h)
    }

    private func backFastGRNN(
        _ parameters: [Double], _ trace: Trace, _ t: Int, _ state: inout StateGradient,
        _ gradient: inout [Double]
    ) -> SumGradient {
        let (H, gates) = (shape.units, trace.gates[t])
        let (zeta, nu) = (parameters[shape.scalarOffset], parameters[shape.scalarOffset + 1])
        var sums = [Double](repeating: 0, count: H)
        for j in 0..<H {
            let (z, c, dh) = (gates[j], gates[H + j], state.hidden[j])
            let dz = dh * (trace.hidden[t][j] - zeta * c) * z * (1 - z)
            let dc = dh * (zeta * (1 - z) + nu) * (1 - c * c)
            gradient[shape.scalarOffset] += dh * (1 - z) * c
            gradient[shape.scalarOffset + 1] += dh * c
            gradient[shape.biasOffset + j] += dz
            gradient[shape.biasOffset + H + j] += dc
            sums[j] = dz + dc
            state.hidden[j] = dh * z
        }
        return SumGradient(fromInput: sums, fromState: sums)
    }
}
