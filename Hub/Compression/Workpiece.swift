package import Forecasting
import ModelPackage
package import Training

/// A network on the workbench: what the steps so far have made of it.
package struct Workpiece {
    package let session: TrainingSession
    package let seed: UInt64
    package var parameters: NetworkParameters
    /// As they were before the first step that took something from them; nil: none has.
    package var uncompressed: NetworkParameters?
    /// What the steps so far have settled, so that later training cannot undo it: pruned weights, shared values, ranks.
    package var parametrization: (any WeightParametrization)?
    /// Who shares the values of shared weights.
    package var codebook: Codebook.Sharing?
    /// Half-precision weights: their bytes are counted so, though a device gets the integers made of them.
    package var isHalfPrecision = false
    /// The integers that quantization made.
    package var integer: IntegerNetwork?
    package var quantization: RecipeStep.Quantization?
    package var coding: RecipeStep.Coding?
    /// Whether its network began with weights that were given.
    package var isWarmStarted = false
    /// What was last measured.
    package var figures: StepFigures?

    init(session: TrainingSession, seed: UInt64, parameters: NetworkParameters) {
        self.session = session
        self.seed = seed
        self.parameters = parameters
    }
}

/// What a network is after a step, measured: as a device would get it. Before a quantization step that is the plainest
/// INT8 of the weights.
package struct StepFigures: Sendable {
    package var parameters: Int
    package var nonZeros: Int
    /// Whether the recipe has made integers of the weights; else they are the plainest INT8.
    package var isQuantized: Bool
    /// As the published comparison counts, see `Article`.
    package var articleBytes: Double
    /// The largest of the stores' package files.
    package var fileBytes: Int
    /// Of that file, what forecasting needs: see `PackageBytes.payload`.
    package var payloadBytes: Int
    package var arenaBytes: Int
    /// Of one forecast by the device's engine on this machine: least of repeats.
    package var nanoseconds: Int
    /// Of reading the file, decompression and checks included: least of repeats.
    package var decodeNanoseconds: Int
    /// What reading the file takes at most besides the file: its unpacked sections and the tensors.
    package var decodeBytes: Int
    /// Of the float network on the evaluated days.
    package var float: Accuracy
    /// Of the integers on the same days, every store with its own package.
    package var integer: Accuracy

    /// What a step did to real bytes and time against what it promised.
    func remarks(after before: StepFigures?) -> [String] {
        guard let before else { return [] }
        var remarks: [String] = []
        // A float step was measured as its INT8 already: the step that makes it so saves nothing more.
        let isNews = before.isQuantized == isQuantized || payloadBytes != before.payloadBytes
        if isNews, articleBytes < before.articleBytes, payloadBytes >= before.payloadBytes {
            remarks.append("smaller in theory only: the payload did not shrink")
        } else if payloadBytes > before.payloadBytes {
            remarks.append("the payload grew by \(payloadBytes - before.payloadBytes) bytes")
        }
        // Repeats waver even on a quiet machine.
        if nanoseconds * 10 > before.nanoseconds * 13 {
            remarks.append("slower in practice")
        }
        return remarks
    }
}

/// One line of a recipe's account.
package struct StepReport: Sendable {
    package var text: String
    package var figures: StepFigures
    package var remarks: [String]
}

extension Workpiece {
    /// The piece as a variant of its session's family.
    /// - Throws: `CompressionError`.
    package func variant(
        name: String, recipe: Recipe
    ) throws(CompressionError) -> TrainedVariant {
        var integer = integer
        // Plain weights become integers when they are packed; that knows nothing of codebooks and factors.
        if integer == nil, parametrization is SharedWeights || parametrization is FactoredWeights {
            integer = try quantized(RecipeStep.Quantization(bits: .int8))
        }
        var variant = TrainedVariant(
            name: name, recipe: recipe.text, parameters: parameters, integer: integer,
            coding: coding?.tensorCoding.name, accuracies: session.evaluate(parameters))
        variant.uncompressed = uncompressed
        return variant
    }

    /// The integers of the weights as they are.
    func quantized(
        _ quantization: RecipeStep.Quantization
    ) throws(CompressionError) -> IntegerNetwork {
        try Quantizer(quantization, codebook: codebook).quantize(
            parameters, spec: session.spec,
            windows: session.calibrationWindows(atMost: quantization.windows),
            factored: parametrization as? FactoredWeights)
    }

    /// As the article counts: four bytes a float weight that is not zero, and of quantized weights their bits. Two bytes
    /// a half-precision one.
    var articleBytes: Double {
        let bits: Double =
            switch quantization?.bits {
            case .int8: 8
            case .int4: 4
            case .ternary: 2
            case .binary: 1
            case nil: isHalfPrecision ? 16 : 32
            }
        return Double(ArticleSize.nonZeros(parameters)) * bits / 8
    }
}

extension RecipeStep.Coding {
    /// zlib packs whole sections, whatever the tensors in them: a byte for each weight serves it best.
    var tensorCoding: TensorCoding {
        switch self {
        case .smallest: .smallest
        case .zlib: .plain
        case .packed: .packed
        case .huffman: .huffman
        case .range: .range
        case .tiles: .tiles
        }
    }
}
