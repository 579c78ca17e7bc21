import Compression
import Forecasting
import Kernels
import TestSupport
import Testing

@Suite("Weight schemes")
struct WeightSchemeTests {
    static let levels: [WeightScheme.Levels] =
        (3...8).map { .integer(bits: $0) } + [.ternary, .binary]

    /// Every way to choose integers, on every cell.
    struct Row: Sendable, CustomTestStringConvertible {
        var cell: CellKind
        var quantizer: Quantizer

        var testDescription: String {
            "\(cell.name) \(quantizer.inputKernel) \(quantizer.codebook?.rawValue ?? "")"
        }

        func example(seed: UInt64) throws -> FrozenExample {
            try FrozenExample(cell: cell, quantizer: quantizer, seed: seed)
        }
    }

    static let rows: [Row] = CellKind.allCases.flatMap { cell in
        levels.flatMap { levels in
            RecipeStep.Scale.allCases.flatMap { sharing in
                [WeightScheme.Fit.largest, .leastSquares].flatMap { fit in
                    (sharing == .row ? [0, 2, 8] : [8]).map { bits in
                        let scheme = WeightScheme(
                            levels, sharing: sharing, fit: fit, mantissaBits: bits)
                        return Row(
                            cell: cell,
                            quantizer: Quantizer(
                                kernels: scheme,
                                dense: bits == 8 ? scheme : .int8))
                    }
                }
            }
        } + Codebook.Sharing.allCases.map { Row(cell: cell, quantizer: Quantizer(codebook: $0)) }
    }

    @Test(
        "Integers taken back to weights give the same integers again, bit for bit", arguments: rows)
    func inverse(row: Row) throws {
        for seed in 1...2 as ClosedRange<UInt64> {
            let example = try row.example(seed: seed)
            var numbers = SeededGenerator(seed: seed)
            var parameters = example.parameters
            // As they are, and after training has moved them.
            for share: Float in [0, 0.01, 0.5] {
                for k in parameters.inputKernel.indices where parameters.inputKernel[k] != 0 {
                    parameters.inputKernel[k] *= 1 + .random(in: -share...share, using: &numbers)
                }
                for k in parameters.denseWeight.indices {
                    parameters.denseWeight[k] += .random(in: -share...share, using: &numbers)
                }
                parameters.denseBias += share
                let network = try #require(example.frozen.quantized(parameters))
                try network.validate()
                let back = example.frozen.dequantized(network)
                #expect(
                    example.frozen.quantized(back) == network, "seed \(seed), moved by \(share)")
            }
        }
    }

    @Test("A kernel holds no integers but its levels", arguments: rows)
    func levelsHold(row: Row) throws {
        let network = try row.example(seed: 1).network
        let shape = network.shape
        for (kernel, width) in [
            (network.inputKernel, shape.inputWidth), (network.recurrentKernel, shape.units),
        ] {
            for start in stride(from: 0, to: kernel.count, by: width) {
                let sizes = Set(kernel[start..<start + width].map { abs(Int($0)) })
                switch row.quantizer.inputKernel.levels {
                case .integer(let bits):
                    #expect(sizes.allSatisfy { $0 < 1 << (bits - 1) })
                case .ternary, .binary:
                    // One size beside the zero; more than 1 where a multiplier would be too large.
                    #expect(sizes.subtracting([0]).count <= 1)
                }
            }
        }
        if row.quantizer.inputKernel.levels == .binary {
            // Only what was pruned is zero.
            let zeros = network.recurrentKernel.count { $0 == 0 }
            #expect(zeros == FrozenExample.prunedRecurrent)
        }
    }

    @Test("Rows, gates and tensors share their multipliers as asked", arguments: rows)
    func sharing(row: Row) throws {
        let network = try row.example(seed: 2).network
        let blocks = network.shape.cell.kernelBlocks
        for multipliers in [network.inputMultiplierCodes, network.recurrentMultiplierCodes] {
            let perBlock = multipliers.count / blocks
            let sharing: RecipeStep.Scale =
                switch row.quantizer.codebook {
                case nil: row.quantizer.inputKernel.sharing
                case .gate: .gate
                case .tensor, .network: .tensor
                }
            switch sharing {
            case .row:
                if row.quantizer.inputKernel.mantissaBits == 8 {
                    #expect(Set(multipliers).count > blocks)
                }
            case .gate:
                for block in 0..<blocks {
                    #expect(Set(multipliers[block * perBlock..<(block + 1) * perBlock]).count == 1)
                }
            case .tensor: #expect(Set(multipliers).count == 1)
            }
            let mask = UInt16(0xFF >> row.quantizer.inputKernel.mantissaBits)
            #expect(multipliers.allSatisfy { $0 & mask == 0 })
        }
    }

    @Test(
        "No other scale of a ternary or binary row has less square error",
        arguments: [
            WeightScheme.Levels.ternary, .binary,
        ])
    func leastSquares(levels: WeightScheme.Levels) throws {
        let example = try FrozenExample(
            cell: .lstm, quantizer: Quantizer(kernels: WeightScheme(levels)), seed: 3)
        let back = example.frozen.dequantized(example.network)
        let (H, rows) = (example.parameters.units, example.parameters.shape.kernelRows)
        for row in 0..<rows {
            let range = row * H..<(row + 1) * H
            let exact = example.parameters.recurrentKernel[range].map(Double.init)
            let found = back.recurrentKernel[range].map(Double.init)
            let error = zip(exact, found).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
            let largest = exact.map(abs).max()!
            for step in 1...400 {
                let scale = largest * Double(step) / 400
                let other = exact.reduce(0) { sum, weight in
                    let nearest =
                        levels == .binary || abs(weight) > scale / 2
                        ? (weight == 0 ? 0 : weight < 0 ? -scale : scale) : 0
                    return sum + (weight - nearest) * (weight - nearest)
                }
                // The multiplier's own rounding is at most one part in 512.
                #expect(error <= other * 1.0001 + 1e-9)
            }
        }
    }

    @Test(
        "With few levels, the scale of least square error loses less than that of the largest weight"
    )
    func fit() throws {
        let trained = try TrainedNetwork.calendar.get()
        func error(_ bits: Int, _ fit: WeightScheme.Fit) throws -> Double {
            let quantizer = Quantizer(
                kernels: WeightScheme(.integer(bits: bits), sharing: .tensor, fit: fit))
            let frozen = try quantizer.frozen(
                trained.parameters, spec: trained.spec, windows: trained.windows)
            let back = frozen.dequantized(try #require(frozen.quantized(trained.parameters)))
            return zip(back.recurrentKernel, trained.parameters.recurrentKernel).reduce(0) {
                $0 + Double(($1.0 - $1.1) * ($1.0 - $1.1))
            }
        }
        #expect(try error(4, .leastSquares) < 0.95 * error(4, .largest))
        #expect(try error(3, .leastSquares) < 0.8 * error(3, .largest))
        #expect(try error(8, .leastSquares) <= error(8, .largest))
    }

    @Test("What few levels cost a trained network before it is trained under them")
    func effect() throws {
        let trained = try TrainedNetwork.calendar.get()
        func wape(
            _ levels: WeightScheme.Levels, _ sharing: RecipeStep.Scale = .row
        ) throws -> Double {
            let quantizer = Quantizer(kernels: WeightScheme(levels, sharing: sharing))
            return trained.wape(
                try quantizer.quantize(
                    trained.parameters, spec: trained.spec, windows: trained.windows))
        }
        let whole = trained.wape(trained.parameters)
        for sharing in RecipeStep.Scale.allCases {
            #expect(abs(try wape(.integer(bits: 8), sharing) - whole) < 0.05)
            #expect(abs(try wape(.integer(bits: 6), sharing) - whole) < 0.1)
            #expect(abs(try wape(.integer(bits: 4), sharing) - whole) < 0.5)
        }
        let (int4, ternary, binary) = (
            try wape(.integer(bits: 4)), try wape(.ternary), try wape(.binary)
        )
        #expect(ternary > int4 + 1 && binary > ternary + 1)
    }

    @Test("Both kernels and the dense layer may have levels of their own")
    func mixed() throws {
        let trained = try TrainedNetwork.calendar.get()
        var quantizer = Quantizer()
        quantizer.recurrentKernel = WeightScheme(.ternary)
        quantizer.dense = WeightScheme(.integer(bits: 5))
        let network = try quantizer.quantize(
            trained.parameters, spec: trained.spec, windows: trained.windows)
        #expect(network.inputKernel.contains { abs($0) > 100 })
        #expect(Set(network.recurrentKernel) == [-1, 0, 1])
        #expect(network.denseKernel.map { abs($0) }.max() == 15)
    }

    @Test("Levels stand further apart where a multiplier would be too large")
    func largeScales() throws {
        var example = try FrozenExample(
            cell: .lstm, quantizer: Quantizer(kernels: WeightScheme(.ternary)), seed: 4)
        example.parameters.inputKernel = example.parameters.inputKernel.map { $0 * 60 }
        let network = try #require(example.frozen.quantized(example.parameters))
        try network.validate()
        #expect(network.inputKernel.contains { $0 > 1 })
        #expect(example.frozen.quantized(example.frozen.dequantized(network)) == network)
        let back = example.frozen.dequantized(network)
        let largest = back.inputKernel.max()!
        #expect(largest > 0.3 * example.parameters.inputKernel.max()!)
    }

    @Test("Weights that integers cannot say are not quantized")
    func diverged() throws {
        let example = try FrozenExample(cell: .fastGRNN, quantizer: Quantizer(), seed: 5)
        func quantized(_ change: (inout NetworkParameters) -> Void) -> IntegerNetwork? {
            var parameters = example.parameters
            change(&parameters)
            return example.frozen.quantized(parameters)
        }
        #expect(quantized { _ in } != nil)
        #expect(quantized { $0.inputKernel[0] = .nan } == nil)
        #expect(quantized { $0.bias[0] = 300 } == nil)
        #expect(quantized { $0.scalars[1] = 1.01 } == nil)
        #expect(quantized { $0.recurrentKernel[0] = 1e9 } == nil)
        #expect(quantized { $0.denseBias = 1e9 } == nil)
    }
}

/// A network with a few pruned weights, an empty row and a range of scales, and its frozen quantiser.
struct FrozenExample {
    static let prunedRecurrent = 7

    var parameters: NetworkParameters
    var frozen: FrozenQuantizer

    var network: IntegerNetwork { frozen.quantized(parameters)! }

    init(cell: CellKind, quantizer: Quantizer, seed: UInt64) throws {
        let spec = FeatureSpec(
            form: .calendar, window: 10, levelRate: 0.1, inputs: .weekday, output: .relative)
        let shape = NetworkShape(cell: cell, inputWidth: spec.inputWidth, units: 5)
        parameters = .random(shape, seed: seed)
        for row in 0..<shape.kernelRows {
            // Scales from 1/16 to 4.
            let scale = Float(sign: .plus, exponent: row % 7 - 4, significand: 1)
            for i in 0..<8 { parameters.inputKernel[row * 8 + i] *= row == 2 ? 0 : scale }
            for j in 0..<5 { parameters.recurrentKernel[row * 5 + j] *= scale }
        }
        for k in 0..<Self.prunedRecurrent { parameters.recurrentKernel[k * 3] = 0 }
        frozen = try quantizer.frozen(
            parameters, spec: spec,
            windows: NetworkParameters.randomWindows(shape, count: 100, seed: seed))
    }
}
