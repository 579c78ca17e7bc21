import Forecasting
import ModelPackage
import Training

extension Workbench {
    /// Everything about a piece as it is now, from real packages and the device's own engine.
    package func measure(
        _ piece: Workpiece, recipe: Recipe, days: Days = .evaluated
    ) throws -> StepFigures {
        let variant = piece.variant(name: "trial", recipe: recipe)
        let builder = try PackageBuilder(
            family: piece.session.family([variant]), name: "trial", series: series, lineage: "")
        let accuracies = try builder.accuracies(variant: 0)
        guard let largest = accuracies.largest else { throw TrainingError.noSales }
        let network = largest.package.network
        return StepFigures(
            parameters: piece.parameters.shape.parameterCount,
            nonZeros: piece.integer == nil
                ? ArticleSize.nonZeros(piece.parameters) : network.nonZeroCount,
            articleBytes: piece.articleBytes, fileBytes: largest.bytes.count,
            payloadBytes: largest.payloadBytes,
            arenaBytes: largest.package.manifest.arenaBytes,
            nanoseconds: try ForecastTimer.nanoseconds(of: largest.package),
            float: accuracies.float, integer: accuracies.integer)
    }
}
