package import Forecasting
import Kernels

extension GraphOptimization {
    /// Takes out the units that no output depends on, whatever the input: rounding may have left a unit with nothing
    /// that enters or leaves it, or with an output gate that cannot open far enough for a state of 1. The outputs are
    /// the same integers as before. One unit always stays.
    package static func removingDeadUnits(_ network: IntegerNetwork) -> IntegerNetwork {
        let living = livingUnits(
            network.shape,
            isSilent: silentUnits(network.shape.units) { unit, isSilent in
                hears(
                    unit, network.shape, isSilent: isSilent, bias: { network.bias[$0] != 0 },
                    input: { network.inputKernel[$0] != 0 },
                    recurrent: { network.recurrentKernel[$0] != 0 })
                    && speaks(unit, network, isSilent: isSilent)
            },
            recurrent: { network.recurrentKernel[$0] != 0 },
            dense: { network.denseKernel[$0] != 0 })
        return living.count < network.shape.units ? network.keeping(living) : network
    }

    /// Whether an LSTM's output gate can open far enough for a hidden state that does not round to 0. The other cells
    /// have no such gate.
    private static func speaks(_ unit: Int, _ network: IntegerNetwork, isSilent: [Bool]) -> Bool {
        guard network.shape.cell == .lstm else { return true }
        let (I, H) = (network.shape.inputWidth, network.shape.units)
        let row = Gate.output.rawValue * H + unit
        // The largest sum: every input and every state that is not silent at ±127, with the weight's sign.
        let input = (0..<I).reduce(0) { $0 + abs(Int32(network.inputKernel[row * I + $1])) }
        let state = (0..<H).reduce(0) {
            $0 + (isSilent[$1] ? 0 : abs(Int32(network.recurrentKernel[row * H + $1])))
        }
        let sum =
            network.bias[row] + network.inputMultipliers[row].rescale(127 * input)
            + network.recurrentMultipliers[row].rescale(127 * state)
        // A smaller sum may open it by one unit more, no further.
        let gate = Activations.sigmoid(FixedPoint.saturateInt16(sum))
        let widest = FixedPoint.sum(gate, 1)
        // What rounds to 0 with the largest tanh rounds to 0 with its opposite too.
        let hidden = FixedPoint.rounded(
            FixedPoint.product(widest, Activations.largest),
            by: 15 - Int32(network.hiddenFractionBits))
        return hidden > 0
    }
}

extension IntegerNetwork {
    /// The network of the given units, rising.
    fileprivate func keeping(_ units: [Int]) -> IntegerNetwork {
        let (I, H) = (shape.inputWidth, shape.units)
        var smaller = IntegerNetwork(
            shape: NetworkShape(cell: shape.cell, inputWidth: I, units: units.count))
        func rows(_ blocks: Int) -> [Int] {
            (0..<blocks).flatMap { block in units.map { block * H + $0 } }
        }
        let kernelRows = rows(shape.cell.kernelBlocks)
        smaller.inputSteps = inputSteps
        smaller.inputKernel = kernelRows.flatMap { inputKernel[$0 * I..<($0 + 1) * I] }
        smaller.inputMultipliers = kernelRows.map { inputMultipliers[$0] }
        smaller.recurrentKernel = kernelRows.flatMap { row in
            units.map { recurrentKernel[row * H + $0] }
        }
        smaller.recurrentMultipliers = kernelRows.map { recurrentMultipliers[$0] }
        smaller.bias = rows(shape.cell.biasBlocks).map { bias[$0] }
        smaller.scalars = scalars
        smaller.denseKernel = units.map { denseKernel[$0] }
        smaller.denseBias = denseBias
        smaller.cellFractionBits = cellFractionBits
        smaller.hiddenFractionBits = hiddenFractionBits
        smaller.outputScale = outputScale
        smaller.inputFactors = inputFactors?.keeping(rows: kernelRows, columns: Array(0..<I))
        smaller.recurrentFactors = recurrentFactors?.keeping(rows: kernelRows, columns: units)
        return smaller
    }
}

extension KernelFactors {
    /// - Returns: nil when so small a kernel has not the rank: it is stored whole.
    fileprivate func keeping(rows: [Int], columns: [Int]) -> KernelFactors? {
        guard rank <= min(rows.count, columns.count) else { return nil }
        let width = right.count / rank
        return KernelFactors(
            rank: rank, left: rows.flatMap { left[$0 * rank..<($0 + 1) * rank] },
            right: (0..<rank).flatMap { k in columns.map { right[k * width + $0] } }, shift: shift)
    }
}
