package import Forecasting
package import Training

extension RecipeStep {
    /// Whether the float weights are less, or other, than training made them: then the ones before are kept. Integers after
    /// training leave the floats as they are, folding changes no output, and the rest is training.
    var takesFromWeights: Bool {
        switch self {
        case .prune, .shrink, .codebook, .lowRank, .fp16, .quantizationAware: true
        case .finetune, .distill, .fold, .quantize, .code: false
        }
    }
}

extension TrainedVariant {
    /// The float network as it was before its recipe took anything from it: what its compression is measured against.
    /// Nil: it was not kept, in families made before it was.
    package var uncompressedNetwork: NetworkParameters? {
        if let uncompressed { return uncompressed }
        // A text that is no recipe says where a float network was read from.
        let steps = (try? Recipe(parsing: recipe))?.steps ?? []
        return steps.contains(where: \.takesFromWeights) ? nil : parameters
    }
}
