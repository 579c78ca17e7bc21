import Forecasting

/// A network section whose fields have been read, but for the elements in its range stream.
struct CodedNetwork {
    /// Without its coded tensors.
    private var network: IntegerNetwork
    private let inputKernel: CodedKernel
    private let inputCodes: CodedNumbers
    private let recurrentKernel: CodedKernel
    private let recurrentCodes: CodedNumbers
    private let bias: CodedNumbers
    private let denseKernel: CodedWeights
    private var stream: RangeDecoder

    /// - Parameter inputWidth: what the manifest's inputs give; checked before it sizes anything.
    init(_ bytes: [UInt8], inputWidth: Int) throws(PackageError) {
        var reader = ByteReader(bytes, section: .network)
        guard let cell = CellKind(rawValue: try reader.byte()) else {
            throw .field(.cell, index: 0)
        }
        guard try reader.count(1...NetworkShape.inputWidthMax, .inputWidth) == inputWidth else {
            throw .field(.inputWidth, index: 0)
        }
        let units = try reader.count(1...NetworkShape.unitsMax, .units)
        // The largest shape's tensors take 99 KB: nothing a hostile header says allocates more.
        network = IntegerNetwork(
            shape: NetworkShape(cell: cell, inputWidth: inputWidth, units: units))
        let fractionBits = try reader.byte()
        network.cellFractionBits =
            IntegerNetwork.cellFractionBitsRange.lowerBound + Int(fractionBits >> 4)
        network.hiddenFractionBits = Int(fractionBits & 15)
        network.outputScale = try reader.shortFloat()
        network.inputSteps = try reader.runs(inputWidth) { reader throws(PackageError) in
            try reader.shortFloat()
        }
        let rows = network.shape.kernelRows
        inputKernel = try CodedKernel(rows: rows, columns: inputWidth, from: &reader, index: 1)
        inputCodes = try CodedNumbers(count: rows, plain: .uint16, from: &reader, index: 2)
        recurrentKernel = try CodedKernel(rows: rows, columns: units, from: &reader, index: 3)
        recurrentCodes = try CodedNumbers(count: rows, plain: .uint16, from: &reader, index: 4)
        bias = try CodedNumbers(
            count: network.shape.biasCount, plain: .signed, from: &reader, index: 5)
        denseKernel = try CodedWeights(count: units, from: &reader, index: 6)
        network.denseBias = Int32(
            try reader.signed(Int(Int32.min)...Int(Int32.max), .number))
        for i in network.scalars.indices {
            network.scalars[i] = UInt16(try reader.fixed(bytes: 2))
        }
        stream = try reader.stream()
    }

    /// Reads the stream. The network is still to be validated.
    consuming func decoded() throws(PackageError) -> IntegerNetwork {
        let shape = network.shape
        let codes = 0...Int(UInt16.max)
        (network.inputKernel, network.inputFactors) = try inputKernel.kernel(
            rows: shape.kernelRows, columns: shape.inputWidth, from: &stream, index: 1)
        network.inputMultiplierCodes = try inputCodes.numbers(
            within: codes, from: &stream, index: 2
        ).map { UInt16($0) }
        (network.recurrentKernel, network.recurrentFactors) = try recurrentKernel.kernel(
            rows: shape.kernelRows, columns: shape.units, from: &stream, index: 3)
        network.recurrentMultiplierCodes = try recurrentCodes.numbers(
            within: codes, from: &stream, index: 4
        ).map { UInt16($0) }
        network.bias = try bias.numbers(
            within: Int(Int32.min)...Int(Int32.max), from: &stream, index: 5
        ).map { Int32($0) }
        network.denseKernel = try denseKernel.weights(from: &stream, index: 6)
        try stream.end()
        return network
    }

    /// The most that any one tensor's tables take while it is decoded: one at a time.
    var workingBytes: Int {
        [
            inputKernel.workingBytes, inputCodes.workingBytes, recurrentKernel.workingBytes,
            recurrentCodes.workingBytes, bias.workingBytes, denseKernel.workingBytes,
        ].reduce(0, max)
    }
}
