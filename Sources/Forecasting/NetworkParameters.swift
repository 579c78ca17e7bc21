/// Sizes of one recurrent layer followed by one dense output, and where each tensor lies when all parameters
/// are laid one after the other: input kernel, recurrent kernel, bias, scalars, dense weight, dense bias.
package struct NetworkShape: Hashable, Sendable {
    package static let unitsMax = 128
    package static let inputWidthMax = 64

    package var cell: CellKind
    /// I
    package var inputWidth: Int
    /// H
    package var units: Int

    /// - Precondition: within `inputWidthMax` and `unitsMax`.
    package init(cell: CellKind = .lstm, inputWidth: Int, units: Int) {
        precondition((1...Self.inputWidthMax).contains(inputWidth))
        precondition((1...Self.unitsMax).contains(units))
        self.cell = cell
        self.inputWidth = inputWidth
        self.units = units
    }

    /// R: rows of the input and of the recurrent kernel, 4H for the LSTM.
    package var kernelRows: Int { cell.kernelBlocks * units }
    package var biasCount: Int { cell.biasBlocks * units }
    package var recurrentOffset: Int { kernelRows * inputWidth }
    package var biasOffset: Int { recurrentOffset + kernelRows * units }
    package var scalarOffset: Int { biasOffset + biasCount }
    package var denseOffset: Int { scalarOffset + cell.scalarCount }
    package var denseBiasOffset: Int { denseOffset + units }
    package var parameterCount: Int { denseBiasOffset + 1 }
}

/// The network's weights. Row `block · H + h` of a kernel belongs to unit `h` of that block (`Gate`, `GRUGate`).
package struct NetworkParameters: Equatable, Sendable {
    package let shape: NetworkShape
    /// `[R, I]` row-major
    package var inputKernel: [Float]
    /// `[R, H]` row-major
    package var recurrentKernel: [Float]
    /// `[biasCount]`
    package var bias: [Float]
    /// `[cell.scalarCount]`
    package var scalars: [Float]
    /// `[H]`
    package var denseWeight: [Float]
    package var denseBias: Float

    package var inputWidth: Int { shape.inputWidth }
    package var units: Int { shape.units }

    /// All parameters in the order of `NetworkShape`.
    package var flattened: [Float] {
        inputKernel + recurrentKernel + bias + scalars + denseWeight + [denseBias]
    }

    /// - Precondition: `flattened.count == shape.parameterCount`.
    package init(shape: NetworkShape, flattened: [Float]) {
        precondition(flattened.count == shape.parameterCount)
        self.shape = shape
        inputKernel = [Float](flattened[..<shape.recurrentOffset])
        recurrentKernel = [Float](flattened[shape.recurrentOffset..<shape.biasOffset])
        bias = [Float](flattened[shape.biasOffset..<shape.scalarOffset])
        scalars = [Float](flattened[shape.scalarOffset..<shape.denseOffset])
        denseWeight = [Float](flattened[shape.denseOffset..<shape.denseBiasOffset])
        denseBias = flattened[shape.denseBiasOffset]
    }
}

extension NetworkParameters {
    /// The network with other inputs.
    /// - Parameter columns: for each input of the new one, the column of this one that is its, or nil: one that it pays no
    ///   attention to, all of whose weights are 0.
    package func withInputs(_ columns: [Int?]) -> NetworkParameters {
        var kernel: [Float] = []
        for row in 0..<shape.kernelRows {
            for column in columns {
                kernel.append(column.map { inputKernel[row * inputWidth + $0] } ?? 0)
            }
        }
        var others = flattened
        others.removeFirst(inputKernel.count)
        return NetworkParameters(
            shape: NetworkShape(cell: shape.cell, inputWidth: columns.count, units: units),
            flattened: kernel + others)
    }

    /// Runs the network over one window, from a zero state.
    /// - Parameter window: `[T, I]`, time-major.
    /// - Returns: the dense layer's output after the last row.
    package func output(window: [Float]) -> Float {
        precondition(window.count.isMultiple(of: inputWidth))
        var recurrence = FloatRecurrence(self)
        for day in 0..<window.count / inputWidth { recurrence.step(day: day, of: window) }
        return recurrence.output
    }
}
