import Forecasting

/// Files of format version 1, which knew one layout for every number and no cell but the LSTM. FORMAT.md, "Version 1".
extension ModelPackage {
    mutating func decodeProfilesVersion1(_ bytes: [UInt8]) throws(PackageError) {
        var reader = ByteReader(bytes, section: .profiles)
        let count = try reader.count(1...Self.profilesMax, .profileCount)
        profiles = []
        for index in 0..<count {
            func factors(_ count: Int) throws(PackageError) -> [Float] {
                var factors: [Float] = []
                for _ in 0..<count {
                    let code = UInt16(try reader.fixed(bytes: 2))
                    let factor = PackedNumbers.factor(code: code)
                    guard SeasonalProfile.factorRange.contains(factor) else {
                        throw .field(.factor, index: index)
                    }
                    factors.append(factor)
                }
                return factors
            }
            profiles.append(
                SeasonalProfile(
                    weekday: try factors(SeasonalProfile.weekdays),
                    month: try factors(SeasonalProfile.months)))
        }
        try reader.end()
    }

    mutating func decodeStartsVersion1(_ bytes: [UInt8]) throws(PackageError) {
        var reader = ByteReader(bytes, section: .starts)
        let count = try reader.count(1...Self.startsMax, .startCount)
        for index in 0..<count {
            let length = try reader.count(1...ItemID.bytesMax, .item, index: index)
            let slice = try reader.raw(length)
            let item: ItemID
            do { item = try ItemID(utf8: slice) } catch { throw .field(.item, index: index) }
            starts.append(SeriesStart(item: item, level: 1, scale: 1, profile: 0))
        }
        for index in 0..<count {
            starts[index].level = PackedNumbers.value(float24: try reader.fixed(bytes: 3))
        }
        if manifest.spec.output == .zScore {
            for index in 0..<count {
                starts[index].scale = PackedNumbers.value(float24: try reader.fixed(bytes: 3))
            }
        }
        if profiles.count > 1 {
            for index in 0..<count {
                starts[index].profile = UInt16(
                    try reader.count(0...profiles.count - 1, .profileIndex, index: index))
            }
        }
        try reader.end()
    }
}

extension IntegerNetwork {
    init(decodingVersion1 bytes: [UInt8], inputWidth: Int) throws(PackageError) {
        var reader = ByteReader(bytes, section: .network)
        guard try reader.count(1...NetworkShape.inputWidthMax, .inputWidth) == inputWidth else {
            throw .field(.inputWidth, index: 0)
        }
        let units = try reader.count(1...NetworkShape.unitsMax, .units)
        // The largest shape's tensors take 99 KB: nothing a hostile header says allocates more.
        self.init(shape: NetworkShape(inputWidth: inputWidth, units: units))
        cellFractionBits = Int(try reader.byte())
        hiddenFractionBits = Int(try reader.byte())
        outputScale = try reader.float()
        let tensors = IntegerTensor.tensors(of: .lstm)
        _ = try reader.count(tensors.count...tensors.count, .tensorCount)
        for (index, tensor) in tensors.enumerated() {
            guard try reader.byte() == tensor.rawValue else {
                throw .field(.tensorKind, index: index)
            }
            let dimensions = tensor.dimensions(shape)
            let typeAndRank = try reader.byte()
            guard typeAndRank >> 4 == tensor.type.rawValue else {
                throw .field(.tensorType, index: index)
            }
            guard Int(typeAndRank & 15) == dimensions.count else {
                throw .field(.tensorRank, index: index)
            }
            for dimension in dimensions {
                _ = try reader.count(dimension...dimension, .tensorDimension, index: index)
            }
            try decode(tensor, from: &reader)
        }
        try reader.end()
    }

    private mutating func decode(
        _ tensor: IntegerTensor, from reader: inout ByteReader
    ) throws(PackageError) {
        switch tensor {
        case .inputSteps:
            inputSteps = try reader.runs(inputSteps.count) { reader throws(PackageError) in
                try reader.float()
            }
        case .inputKernel: inputKernel = try Self.weights(inputKernel.count, &reader)
        case .recurrentKernel: recurrentKernel = try Self.weights(recurrentKernel.count, &reader)
        case .denseKernel: denseKernel = try Self.weights(denseKernel.count, &reader)
        case .inputMultipliers:
            inputMultiplierCodes = try Self.codes(inputMultiplierCodes.count, &reader)
        case .recurrentMultipliers:
            recurrentMultiplierCodes = try Self.codes(recurrentMultiplierCodes.count, &reader)
        case .bias:
            for i in bias.indices { bias[i] = try Self.int32(&reader) }
        case .denseBias: denseBias = try Self.int32(&reader)
        case .scalars: break  // FastGRNN's
        }
    }

    private static func weights(
        _ count: Int, _ reader: inout ByteReader
    ) throws(PackageError) -> [Int8] {
        try reader.raw(count).map { Int8(bitPattern: $0) }
    }

    private static func codes(
        _ count: Int, _ reader: inout ByteReader
    ) throws(PackageError) -> [UInt16] {
        var codes: [UInt16] = []
        for _ in 0..<count { codes.append(UInt16(try reader.fixed(bytes: 2))) }
        return codes
    }

    private static func int32(_ reader: inout ByteReader) throws(PackageError) -> Int32 {
        Int32(try reader.signed(Int(Int32.min)...Int(Int32.max), .number))
    }
}

/// How a tensor's elements are written. Raw values are FORMAT.md's.
private enum TensorType: UInt8 {
    case int8 = 1
    /// Zigzag varints.
    case int32 = 2
    /// Two bytes, low first.
    case uint16 = 3
    /// Runs: a count, and the single-precision value that many elements have.
    case floatRuns = 4
}

extension IntegerTensor {
    fileprivate var type: TensorType {
        switch self {
        case .inputKernel, .recurrentKernel, .denseKernel: .int8
        case .bias, .denseBias: .int32
        case .inputMultipliers, .recurrentMultipliers, .scalars: .uint16
        case .inputSteps: .floatRuns
        }
    }
}
