package import Forecasting

/// Structured pruning: whole hidden units leave, with their rows in every block, their column in the recurrent kernel,
/// their biases and their dense weight. The result is a smaller dense network that needs no special runtime
/// (Wen et al., "Learning Intrinsic Sparse Structures within LSTM", 2018).
package enum StructuredPruning {
    /// What a removed unit's state is on the mean: put into the biases of those that saw it, so that they miss only what
    /// the unit had to say beside its mean.
    package struct MeanStates: Equatable, Sendable {
        /// `[H]`, over all days of all windows but each one's last: what the recurrent kernel saw, the zero state
        /// before the first day included.
        package var recurrent: [Float]
        /// `[H]`, after the last day: what the dense layer saw.
        package var dense: [Float]

        /// - Parameter windows: `[T, I]` each, time-major; at least one.
        package init(_ parameters: NetworkParameters, windows: [[Float]]) {
            precondition(!windows.isEmpty)
            let (I, H) = (parameters.inputWidth, parameters.units)
            var (recurrent, dense) = (
                [Double](repeating: 0, count: H), [Double](repeating: 0, count: H)
            )
            var days = 0
            for window in windows {
                var recurrence = FloatRecurrence(parameters)
                for day in 0..<window.count / I {
                    for j in 0..<H { recurrent[j] += Double(recurrence.hidden[j]) }
                    recurrence.step(day: day, of: window)
                    days += 1
                }
                for j in 0..<H { dense[j] += Double(recurrence.hidden[j]) }
            }
            self.recurrent = recurrent.map { Float($0 / Double(max(days, 1))) }
            self.dense = dense.map { Float($0 / Double(windows.count)) }
        }
    }

    /// How much each unit weighs: the Euclidean norm of all that enters and all that leaves it.
    /// - Returns: `[H]`
    package static func norms(_ parameters: NetworkParameters) -> [Float] {
        sums(parameters) { weight, _, _ in weight * weight }.map { $0.squareRoot() }
    }

    /// How much the loss would change, to first order, if a unit's state were always zero: the sum of state × gradient
    /// over all days is the sum of weight × gradient over the weights that leave the unit (Molchanov et al. 2017).
    /// - Parameter gradients: dLoss / dWeights over one batch each, laid out as `NetworkParameters.flattened`.
    /// - Returns: `[H]`, the mean of its size over the batches.
    package static func saliencies(
        _ parameters: NetworkParameters, gradients: [[Float]]
    ) throws(CompressionError) -> [Float] {
        var scores = [Float](repeating: 0, count: parameters.units)
        for gradient in gradients {
            guard gradient.count == parameters.shape.parameterCount else {
                throw .scores(found: gradient.count, expected: parameters.shape.parameterCount)
            }
            let changes = sums(parameters) { weight, index, leaves in
                leaves ? weight * gradient[index] : 0
            }
            for j in scores.indices { scores[j] += abs(changes[j]) }
        }
        return scores.map { $0 / Float(max(gradients.count, 1)) }
    }

    /// The network of the units with the highest scores.
    /// - Parameters:
    ///   - units: how many stay: at least 1, fewer than there are.
    ///   - scores: `[H]`
    ///   - means: nil to let the removed units' states become zero instead.
    package static func shrunk(
        _ parameters: NetworkParameters, to units: Int, scores: [Float], means: MeanStates? = nil
    ) throws(CompressionError) -> NetworkParameters {
        guard scores.count == parameters.units else {
            throw .scores(found: scores.count, expected: parameters.units)
        }
        if let index = scores.firstIndex(where: { !$0.isFinite }) {
            throw .scoreNotFinite(index: index)
        }
        guard units >= 1, units < parameters.units else {
            throw .unitsKept(units, of: parameters.units)
        }
        let order = scores.indices.sorted { (scores[$1], $0) < (scores[$0], $1) }
        return try keeping(order.prefix(units).sorted(), of: parameters, means: means)
    }

    /// The network of the given units, in this order. It gives the same outputs when the others' outgoing weights are
    /// zero.
    /// - Parameters:
    ///   - units: at least one, each of them once.
    ///   - means: nil to let the removed units' states become zero instead.
    package static func keeping(
        _ units: [Int], of parameters: NetworkParameters, means: MeanStates? = nil
    ) throws(CompressionError) -> NetworkParameters {
        let (shape, I, H) = (parameters.shape, parameters.inputWidth, parameters.units)
        guard !units.isEmpty, Set(units).count == units.count,
            units.allSatisfy({ (0..<H).contains($0) })
        else { throw .unitsKept(units.count, of: H) }
        try parameters.checkFinite()
        let folded = means.map { Self.folding($0, awayUnitsOf: Set(units), parameters) }
        let whole = folded ?? parameters
        let smaller = NetworkShape(cell: shape.cell, inputWidth: I, units: units.count)
        func rows(_ blocks: Int) -> [Int] {
            (0..<blocks).flatMap { block in units.map { block * H + $0 } }
        }
        let kernelRows = rows(shape.cell.kernelBlocks)
        let flattened =
            kernelRows.flatMap { whole.inputKernel[$0 * I..<($0 + 1) * I] }
            + kernelRows.flatMap { row in units.map { whole.recurrentKernel[row * H + $0] } }
            + rows(shape.cell.biasBlocks).map { whole.bias[$0] } + whole.scalars
            + units.map { whole.denseWeight[$0] } + [whole.denseBias]
        return NetworkParameters(shape: smaller, flattened: flattened)
    }

    private static func folding(
        _ means: MeanStates, awayUnitsOf kept: Set<Int>, _ parameters: NetworkParameters
    ) -> NetworkParameters {
        let (shape, H) = (parameters.shape, parameters.units)
        var folded = parameters
        for j in 0..<H where !kept.contains(j) {
            for row in 0..<shape.kernelRows {
                let constant = parameters.recurrentKernel[row * H + j] * means.recurrent[j]
                for bias in shape.biases(ofRecurrentRow: row) {
                    folded.bias[bias] += constant
                }
            }
            folded.denseBias += parameters.denseWeight[j] * means.dense[j]
        }
        return folded
    }

    /// Sums over each unit's weights, `[H]`: its rows and biases, its column and its dense weight. The recurrent weight
    /// from a unit to itself both enters and leaves; it counts once.
    /// - Parameter term: of a weight, its index in `flattened`, and whether it leaves the unit.
    private static func sums(
        _ parameters: NetworkParameters, term: (Float, Int, _ leaves: Bool) -> Float
    ) -> [Float] {
        let (shape, I, H) = (parameters.shape, parameters.inputWidth, parameters.units)
        let weights = parameters.flattened
        var sums = [Float](repeating: 0, count: H)
        func add(_ index: Int, to unit: Int, leaves: Bool) {
            sums[unit] += term(weights[index], index, leaves)
        }
        for row in 0..<shape.kernelRows {
            for i in 0..<I { add(row * I + i, to: row % H, leaves: false) }
            for j in 0..<H {
                let index = shape.recurrentOffset + row * H + j
                add(index, to: j, leaves: true)
                if row % H != j { add(index, to: row % H, leaves: false) }
            }
        }
        for k in 0..<shape.biasCount { add(shape.biasOffset + k, to: k % H, leaves: false) }
        for j in 0..<H { add(shape.denseOffset + j, to: j, leaves: true) }
        return sums
    }
}
