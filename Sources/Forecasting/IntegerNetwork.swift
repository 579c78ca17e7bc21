package import Kernels

/// Why numbers from outside are no integer network.
package enum IntegerNetworkError: Error, Equatable, Sendable {
    /// Units or input width outside `NetworkShape`'s bounds.
    case shape(inputWidth: Int, units: Int)
    case count(IntegerTensor, found: Int, expected: Int)
    /// A weight of -128: the kernels are symmetric.
    case weight(IntegerTensor, at: Int)
    /// A row multiplier whose shift is outside 1...30.
    case multiplier(IntegerTensor, at: Int)
    /// Beyond ±`biasMax`, or ±`denseBiasMax` for the dense layer's.
    case bias(IntegerTensor, at: Int)
    /// Above `scalarMax`.
    case scalar(at: Int)
    case cellFractionBits(Int)
    case hiddenFractionBits(Int)
    /// Not finite, not above zero, or outside `IntegerNetwork.stepsRange`.
    case inputSteps(at: Int)
    /// Not finite or not above zero.
    case outputScale
    /// No factors of a kernel of this shape, or of another kernel than the network has.
    case factors(IntegerTensor)
}

/// The tensors of the integer network. The raw values are those of the package format.
package enum IntegerTensor: UInt8, CaseIterable, Sendable {
    case inputSteps = 1
    case inputKernel = 2
    case inputMultipliers = 3
    case recurrentKernel = 4
    case recurrentMultipliers = 5
    case bias = 6
    case denseKernel = 7
    case denseBias = 8
    case scalars = 9

    /// The tensors of a network with this cell, in the order in which a package has them.
    package static func tensors(of cell: CellKind) -> [IntegerTensor] {
        allCases.filter { $0 != .scalars || cell.scalarCount > 0 }
    }

    /// - Returns: the dimensions for a network of this shape, outermost first.
    package func dimensions(_ shape: NetworkShape) -> [Int] {
        switch self {
        case .inputSteps: [shape.inputWidth]
        case .inputKernel: [shape.kernelRows, shape.inputWidth]
        case .recurrentKernel: [shape.kernelRows, shape.units]
        case .inputMultipliers, .recurrentMultipliers: [shape.kernelRows]
        case .bias: [shape.biasCount]
        case .denseKernel: [shape.units]
        case .denseBias: [1]
        case .scalars: [shape.cell.scalarCount]
        }
    }
}

/// The network as a device runs it: integers only between the quantised window and the dense layer's sum.
/// `INTEGER.md` beside this file says what every number means and how it is rounded.
package struct IntegerNetwork: Equatable, Sendable {
    /// Q3.12 with headroom: ±256.
    package static let biasMax: Int32 = 1 << 20
    /// The dense sum adds at most 127 · 127 · 128 < 2^21 to it.
    package static let denseBiasMax: Int32 = 1 << 30
    package static let cellFractionBitsRange = 8...14
    /// Q0.15: just below 1.
    package static let scalarMax: UInt16 = 32_767
    package static let stepsRange: ClosedRange<Float> = 0x1p-20...0x1p+20

    package var shape: NetworkShape
    /// `[I]` int8 steps to one unit of the float input column.
    package var inputSteps: [Float]
    /// `[R, I]` row-major, rows as in `Gate` or `GRUGate`; -127...127.
    package var inputKernel: [Int8]
    /// Those the input kernel is the product of, where a package is to have them in its place.
    package var inputFactors: KernelFactors?
    /// `[R]` from a row's sum to Q3.12.
    package var inputMultipliers: [RowMultiplier]
    /// `[R, H]` row-major; -127...127.
    package var recurrentKernel: [Int8]
    /// Like `inputFactors`.
    package var recurrentFactors: KernelFactors?
    /// `[R]` from a row's sum to Q3.12.
    package var recurrentMultipliers: [RowMultiplier]
    /// `[biasCount]` Q3.12 with headroom.
    package var bias: [Int32]
    /// `[cell.scalarCount]` Q0.15, at most `scalarMax`.
    package var scalars: [UInt16]
    /// `[H]` -127...127.
    package var denseKernel: [Int8]
    package var denseBias: Int32
    /// A cell state of 1.0 is `2^cellFractionBits`: the LSTM's own, the other cells' hidden state in full.
    package var cellFractionBits: Int
    /// A hidden state of 1.0 as the kernels see it would be `2^hiddenFractionBits`; it saturates at ±127.
    package var hiddenFractionBits: Int
    /// One unit of the dense sum as the network's output.
    package var outputScale: Float

    /// A network of zeros whose every output is 0: where a builder or a decoder starts.
    package init(shape: NetworkShape) {
        self.shape = shape
        let rows = shape.kernelRows
        inputSteps = [Float](repeating: 127, count: shape.inputWidth)
        inputKernel = [Int8](repeating: 0, count: rows * shape.inputWidth)
        inputMultipliers = [RowMultiplier](repeating: RowMultiplier(code: 0x1E00), count: rows)
        recurrentKernel = [Int8](repeating: 0, count: rows * shape.units)
        recurrentMultipliers = inputMultipliers
        bias = [Int32](repeating: 0, count: shape.biasCount)
        scalars = [UInt16](repeating: 0, count: shape.cell.scalarCount)
        denseKernel = [Int8](repeating: 0, count: shape.units)
        denseBias = 0
        cellFractionBits = 12
        hiddenFractionBits = 7
        outputScale = 1
    }

    /// FastGRNN's hidden state may grow beyond 1: within a window of 64 days to 65 at most. What the kernels see of it
    /// and of the GRU's is the state in full, rounded by a bit at least.
    /// - Parameter cellFractionBits: within `cellFractionBitsRange`.
    package static func hiddenFractionBitsRange(
        _ cell: CellKind, cellFractionBits: Int
    ) -> ClosedRange<Int> {
        switch cell {
        case .lstm: 7...11
        case .gru: 7...min(11, cellFractionBits - 1)
        case .fastGRNN: 0...min(11, cellFractionBits - 1)
        }
    }

    /// `inputMultipliers` as the two bytes each that a package holds.
    package var inputMultiplierCodes: [UInt16] {
        get { inputMultipliers.map { $0.code } }
        set { inputMultipliers = newValue.map { RowMultiplier(code: $0) } }
    }

    /// `recurrentMultipliers` as the two bytes each that a package holds.
    package var recurrentMultiplierCodes: [UInt16] {
        get { recurrentMultipliers.map { $0.code } }
        set { recurrentMultipliers = newValue.map { RowMultiplier(code: $0) } }
    }

    /// To be called on what came from outside before anything else uses it. After it the kernels' sums cannot
    /// overflow, whatever the input.
    package func validate() throws(IntegerNetworkError) {
        for (tensor, found) in [
            (IntegerTensor.inputSteps, inputSteps.count), (.inputKernel, inputKernel.count),
            (.inputMultipliers, inputMultipliers.count), (.recurrentKernel, recurrentKernel.count),
            (.recurrentMultipliers, recurrentMultipliers.count), (.bias, bias.count),
            (.denseKernel, denseKernel.count), (.scalars, scalars.count),
        ] {
            let expected = tensor.dimensions(shape).reduce(1, *)
            guard found == expected else {
                throw .count(tensor, found: found, expected: expected)
            }
        }
        for (tensor, weights) in [
            (IntegerTensor.inputKernel, inputKernel), (.recurrentKernel, recurrentKernel),
            (.denseKernel, denseKernel),
        ] {
            for i in weights.indices where weights[i] == -128 { throw .weight(tensor, at: i) }
        }
        for (tensor, multipliers) in [
            (IntegerTensor.inputMultipliers, inputMultipliers),
            (.recurrentMultipliers, recurrentMultipliers),
        ] {
            for i in multipliers.indices where !multipliers[i].isValid {
                throw .multiplier(tensor, at: i)
            }
        }
        for i in bias.indices where bias[i] > Self.biasMax || bias[i] < -Self.biasMax {
            throw .bias(.bias, at: i)
        }
        for i in scalars.indices where scalars[i] > Self.scalarMax { throw .scalar(at: i) }
        guard denseBias <= Self.denseBiasMax, denseBias >= -Self.denseBiasMax else {
            throw .bias(.denseBias, at: 0)
        }
        guard Self.cellFractionBitsRange.contains(cellFractionBits) else {
            throw .cellFractionBits(cellFractionBits)
        }
        let hiddenBits = Self.hiddenFractionBitsRange(
            shape.cell, cellFractionBits: cellFractionBits)
        guard hiddenBits.contains(hiddenFractionBits) else {
            throw .hiddenFractionBits(hiddenFractionBits)
        }
        for i in inputSteps.indices where !Self.stepsRange.contains(inputSteps[i]) {
            throw .inputSteps(at: i)
        }
        guard outputScale > 0, outputScale.isFinite else { throw .outputScale }
        try validate(inputFactors, of: .inputKernel, inputKernel)
        try validate(recurrentFactors, of: .recurrentKernel, recurrentKernel)
    }

    private func validate(
        _ factors: KernelFactors?, of tensor: IntegerTensor, _ kernel: [Int8]
    ) throws(IntegerNetworkError) {
        guard let factors else { return }
        let dimensions = tensor.dimensions(shape)
        guard factors.expanded(rows: dimensions[0], columns: dimensions[1]) == kernel else {
            throw .factors(tensor)
        }
    }
}
