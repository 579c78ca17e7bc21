/// The network's forward and backward pass as plain as they can be written, in double precision: the
/// definition that the hub's batched trainer is tested against, and itself checked against finite
/// differences. One window at a time; allocates.
package struct LSTMReference: Sendable {
    package let shape: NetworkShape

    package init(shape: NetworkShape) {
        self.shape = shape
    }

    /// What the forward pass leaves for the backward one, per day `t`.
    package struct Trace: Sendable {
        /// The dense layer's output.
        package var output = 0.0
        /// `[T][4H]`, after the activations.
        var gates: [[Double]] = []
        /// `[T + 1][H]`, the zero state first.
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
            var z = [Double](repeating: 0, count: 4 * H)
            for row in 0..<4 * H {
                z[row] = parameters[shape.biasOffset + row]
                for i in 0..<I { z[row] += parameters[row * I + i] * window[t * I + i] }
                for j in 0..<H {
                    z[row] += parameters[shape.recurrentOffset + row * H + j] * trace.hidden[t][j]
                }
                let isCandidate = row / H == Gate.candidate.rawValue
                z[row] = isCandidate ? hyperbolicTangent(z[row]) : sigmoid(z[row])
            }
            var c = trace.cell[t]
            var h = trace.hidden[t]
            for j in 0..<H {
                c[j] = z[at(.forget, j)] * c[j] + z[at(.input, j)] * z[at(.candidate, j)]
                h[j] = z[at(.output, j)] * hyperbolicTangent(c[j])
            }
            trace.gates.append(z)
            trace.cell.append(c)
            trace.hidden.append(h)
        }
        trace.output = parameters[shape.denseBiasOffset]
        for j in 0..<H {
            trace.output +=
                parameters[shape.denseOffset + j] * trace.hidden[window.count / I][j]
                * (hiddenScale?[j] ?? 1)
        }
        return trace
    }

    /// Adds the gradient of a loss to `gradient`, laid out as the parameters are.
    /// - Parameter outputGradient: dLoss / dOutput.
    package func backward(
        parameters: [Double], window: [Double], trace: Trace, outputGradient: Double,
        hiddenScale: [Double]? = nil, gradient: inout [Double]
    ) {
        let (I, H) = (shape.inputWidth, shape.units)
        let days = window.count / I
        precondition(gradient.count == shape.parameterCount && trace.gates.count == days)
        gradient[shape.denseBiasOffset] += outputGradient
        var dh = [Double](repeating: 0, count: H)
        var dc = [Double](repeating: 0, count: H)
        for j in 0..<H {
            let scale = hiddenScale?[j] ?? 1
            gradient[shape.denseOffset + j] += outputGradient * trace.hidden[days][j] * scale
            dh[j] = outputGradient * parameters[shape.denseOffset + j] * scale
        }
        for t in (0..<days).reversed() {
            let gates = trace.gates[t]
            var dz = [Double](repeating: 0, count: 4 * H)
            for j in 0..<H {
                let (i, f) = (gates[at(.input, j)], gates[at(.forget, j)])
                let (g, o) = (gates[at(.candidate, j)], gates[at(.output, j)])
                let tanhC = hyperbolicTangent(trace.cell[t + 1][j])
                dc[j] += dh[j] * o * (1 - tanhC * tanhC)
                dz[at(.input, j)] = dc[j] * g * i * (1 - i)
                dz[at(.forget, j)] = dc[j] * trace.cell[t][j] * f * (1 - f)
                dz[at(.candidate, j)] = dc[j] * i * (1 - g * g)
                dz[at(.output, j)] = dh[j] * tanhC * o * (1 - o)
                dc[j] *= f
                dh[j] = 0
            }
            for row in 0..<4 * H {
                gradient[shape.biasOffset + row] += dz[row]
                for i in 0..<I { gradient[row * I + i] += dz[row] * window[t * I + i] }
                for j in 0..<H {
                    let weight = shape.recurrentOffset + row * H + j
                    gradient[weight] += dz[row] * trace.hidden[t][j]
                    dh[j] += dz[row] * parameters[weight]
                }
            }
        }
    }

    private func at(_ gate: Gate, _ unit: Int) -> Int { gate.rawValue * shape.units + unit }
}
