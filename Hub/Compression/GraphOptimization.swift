package import Forecasting

/// Rewrites of a network that do not change what it computes, or, for `constantColumns`, not on data like the
/// calibration's. They leave zeros behind, which cost nothing once coded, and fewer units.
///
/// What other runtimes fold besides is so from the start here: all blocks of a cell are one product, input scales are
/// in the quantized weights, and there are no zero points.
package enum GraphOptimization {
    /// All of them, in the order in which each helps the next.
    /// - Parameter windows: `[T, I]` each, time-major; none to leave columns that only seem constant.
    package static func folded(
        _ parameters: NetworkParameters, spec: FeatureSpec, windows: [[Float]]
    ) throws(CompressionError) -> NetworkParameters {
        try parameters.checkFinite()
        let constant = try foldingConstantColumns(parameters, windows: windows)
        return try removingDeadUnits(centringOneHots(constant, spec: spec))
    }

    /// A group of columns of which exactly one is 1 (weekday, month) adds one of its weights to every sum: a constant
    /// may move from all of them to the bias. The median moves: it leaves a zero in every row and the other weights as
    /// small as can be, so that less is pruned and quantized away. Equal up to rounding.
    package static func centringOneHots(
        _ parameters: NetworkParameters, spec: FeatureSpec
    ) -> NetworkParameters {
        precondition(spec.inputWidth == parameters.inputWidth)
        let (shape, I) = (parameters.shape, parameters.inputWidth)
        var centred = parameters
        for group in spec.oneHotColumns {
            for row in 0..<shape.kernelRows {
                let weights = group.map { parameters.inputKernel[row * I + $0] }.sorted()
                let median = weights[(weights.count - 1) / 2]
                for column in group { centred.inputKernel[row * I + column] -= median }
                for bias in shape.biases(ofInputRow: row) {
                    centred.bias[bias] += median
                }
            }
        }
        return centred
    }

    /// A column that has the same value in every row of every window adds a constant to every sum: it moves to the
    /// biases, and the column's weights become zero. The network is then deaf to that column, should it ever change.
    package static func foldingConstantColumns(
        _ parameters: NetworkParameters, windows: [[Float]]
    ) throws(CompressionError) -> NetworkParameters {
        let (shape, I) = (parameters.shape, parameters.inputWidth)
        for (index, window) in windows.enumerated() {
            guard !window.isEmpty, window.count.isMultiple(of: I), window.allSatisfy(\.isFinite)
            else { throw .calibrationWindow(index: index) }
        }
        guard let first = windows.first else { return parameters }
        var folded = parameters
        for column in 0..<I {
            let value = first[column]
            let isConstant = windows.allSatisfy { window in
                stride(from: column, to: window.count, by: I).allSatisfy { window[$0] == value }
            }
            guard isConstant else { continue }
            for row in 0..<shape.kernelRows {
                let constant = parameters.inputKernel[row * I + column] * value
                for bias in shape.biases(ofInputRow: row) {
                    folded.bias[bias] += constant
                }
                folded.inputKernel[row * I + column] = 0
            }
        }
        return folded
    }

    /// Takes out the units that no output depends on: those whose state is always zero because nothing but zeros enters
    /// their candidate, and those from which no chain of weights leads to the dense layer. One unit always stays.
    package static func removingDeadUnits(
        _ parameters: NetworkParameters
    ) throws(CompressionError) -> NetworkParameters {
        let living = livingUnits(
            parameters.shape,
            isSilent: silentUnits(parameters.units) { unit, isSilent in
                hears(
                    unit, parameters.shape, isSilent: isSilent,
                    bias: { parameters.bias[$0] != 0 },
                    input: { parameters.inputKernel[$0] != 0 },
                    recurrent: { parameters.recurrentKernel[$0] != 0 })
            },
            recurrent: { parameters.recurrentKernel[$0] != 0 },
            dense: { parameters.denseWeight[$0] != 0 })
        guard living.count < parameters.units else { return parameters }
        return try StructuredPruning.keeping(living, of: parameters)
    }

    /// The units whose state is zero on every day: from a zero state they never leave it.
    /// - Parameter wakes: whether a unit may, when those that are silent are.
    static func silentUnits(
        _ count: Int, wakes: (_ unit: Int, _ isSilent: [Bool]) -> Bool
    ) -> [Bool] {
        // All are silent on the first day; who wakes may wake others.
        var isSilent = [Bool](repeating: true, count: count)
        var changed = true
        while changed {
            changed = false
            for j in 0..<count where isSilent[j] && wakes(j, isSilent) {
                isSilent[j] = false
                changed = true
            }
        }
        return isSilent
    }

    /// Whether anything but zeros enters a unit's candidate.
    /// - Parameters:
    ///   - bias, input, recurrent: whether the value at an index is not zero.
    static func hears(
        _ unit: Int, _ shape: NetworkShape, isSilent: [Bool], bias: (Int) -> Bool,
        input: (Int) -> Bool, recurrent: (Int) -> Bool
    ) -> Bool {
        let (I, H) = (shape.inputWidth, shape.units)
        let (block, biases) = candidate(shape.cell)
        let row = block * H + unit
        return biases.contains { bias($0 * H + unit) }
            || (0..<I).contains { input(row * I + $0) }
            || (0..<H).contains { !isSilent[$0] && recurrent(row * H + $0) }
    }

    /// The block of the kernels that feeds a cell's tanh, and the blocks of biases that do.
    private static func candidate(_ cell: CellKind) -> (block: Int, biases: [Int]) {
        switch cell {
        case .lstm: (Gate.candidate.rawValue, [Gate.candidate.rawValue])
        case .gru: (GRUGate.candidate.rawValue, [GRUGate.candidate.rawValue, 3])
        case .fastGRNN: (0, [FastGRNNBias.candidate.rawValue])
        }
    }

    /// The units that are not silent and that the dense layer sees, directly or through others. At least one.
    static func livingUnits(
        _ shape: NetworkShape, isSilent: [Bool], recurrent: (Int) -> Bool, dense: (Int) -> Bool
    ) -> [Int] {
        let (R, H) = (shape.kernelRows, shape.units)
        var lives = (0..<H).map { dense($0) && !isSilent[$0] }
        var changed = true
        while changed {
            changed = false
            for j in 0..<H where !lives[j] && !isSilent[j] {
                let isSeen = (0..<R).contains {
                    lives[$0 % H] && recurrent($0 * H + j)
                }
                if isSeen {
                    lives[j] = true
                    changed = true
                }
            }
        }
        let living = lives.indices.filter { lives[$0] }
        return living.isEmpty ? [0] : living
    }
}

extension FeatureSpec {
    /// The groups of a window's columns of which exactly one is 1 in every row, the others 0.
    package var oneHotColumns: [Range<Int>] {
        var groups: [Range<Int>] = []
        var column = 1
        for (inputs, columns) in [(FeatureInputs.weekday, 7), (.month, 12)]
        where self.inputs.contains(inputs) {
            groups.append(column..<column + columns)
            column += columns
        }
        return groups
    }
}
