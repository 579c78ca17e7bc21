import Forecasting
import ModelPackage
import Training

extension Workbench {
    /// Everything about a piece as it is now, from real packages and the device's own engine.
    /// - Throws: `CompressionError`, `TrainingError`.
    package func measure(
        _ piece: Workpiece, recipe: Recipe, days: Days = .evaluated
    ) throws -> StepFigures {
        let variant = try piece.variant(name: "trial", recipe: recipe)
        var family = piece.session.family([variant])
        if days == .validation {
            let validation = piece.session.validationDays
            family.evaluatedFrom = validation.lowerBound
            family.evaluatedDays = validation.upperBound - validation.lowerBound
        }
        let builder = try PackageBuilder(
            family: family, name: "trial", series: series, lineage: "")
        var integer = Accuracy()
        var largest: BuiltPackage?
        for store in family.starts {
            let built = try builder.build(variant: 0, store: store.store, release: 0)
            integer.merge(built.accuracy)
            if built.bytes.count > largest?.bytes.count ?? 0 { largest = built }
        }
        guard let largest else { throw TrainingError.noSales }
        return StepFigures(
            parameters: piece.parameters.shape.parameterCount,
            nonZeros: variant.integer?.nonZeroCount ?? ArticleSize.nonZeros(piece.parameters),
            isQuantized: piece.integer != nil, articleBytes: piece.articleBytes,
            fileBytes: largest.bytes.count,
            payloadBytes: try PackageBytes(of: largest.bytes).payload,
            arenaBytes: largest.memoryBytes,
            nanoseconds: try PackageTimer.forecastNanoseconds(of: largest.package),
            decodeNanoseconds: try PackageTimer.decodeNanoseconds(of: largest.bytes),
            decodeBytes: try PackageBytes(of: largest.bytes).arena,
            float: family.variants[0].evaluation, integer: integer)
    }
}

extension IntegerNetwork {
    /// Parameters that are not zero, scales aside.
    var nonZeroCount: Int {
        (inputKernel + recurrentKernel + denseKernel).count { $0 != 0 } + bias.count + scalars.count
            + 1
    }
}
