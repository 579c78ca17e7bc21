import Forecasting
import Training

/// Runs the trials of a search on a workbench.
package final class SearchRunner {
    /// What "better" means, in percent on the validation days.
    package enum Measure: String, CaseIterable, Codable, Sendable { case wape, mape }

    private let workbench: Workbench
    private let measure: Measure
    private let seed: UInt64

    package init(workbench: Workbench, measure: Measure, seed: UInt64) {
        self.workbench = workbench
        self.measure = measure
        self.seed = seed
    }

    /// Follows one trial's recipe with the epochs of its rung.
    /// - Throws: `TrainingError.cancelled` alone; what else goes wrong is the trial's failure.
    package func perform(
        _ next: SearchState.Next, in state: inout SearchState,
        progress: (Workbench.Progress) -> Void = { _ in }, isCancelled: () -> Bool = { false }
    ) throws {
        let isLast = next.rung == SearchState.epochShares.count - 1
        do {
            let recipe = try Recipe(parsing: next.recipe)
            let piece = try workbench.follow(
                recipe, seed: seed, epochShare: SearchState.epochShares[next.rung],
                measuring: .never, progress: progress, isCancelled: isCancelled)
            state.record(try figures(piece, recipe: recipe, isLast: isLast), for: next)
        } catch TrainingError.cancelled {
            throw TrainingError.cancelled
        } catch let error as RecipeError {
            state.recordFailure("\(error)", for: next)
        } catch let error as CompressionError {
            state.recordFailure("\(error)", for: next)
        } catch let error as TrainingError {
            state.recordFailure("\(error)", for: next)
        }
    }

    private func figures(
        _ piece: Workpiece, recipe: Recipe, isLast: Bool
    ) throws -> SearchFigures {
        let validation = try workbench.measure(piece, recipe: recipe, days: .validation)
        var figures = SearchFigures(
            parameters: validation.parameters, nonZeros: validation.nonZeros,
            fileBytes: validation.fileBytes, payloadBytes: validation.payloadBytes,
            arenaBytes: validation.arenaBytes, nanoseconds: validation.nanoseconds,
            validationError: (measure == .wape
                ? validation.integer.wape : validation.integer.mape) ?? .infinity)
        guard figures.validationError.isFinite else {
            throw RecipeError(
                step: 0, text: recipe.text,
                problem: "nothing was sold on the validation days: there is no error to search by")
        }
        if isLast {
            let test = try workbench.measure(piece, recipe: recipe, days: .evaluated)
            figures.mape = test.integer.mape
            figures.wape = test.integer.wape
            figures.bias = test.integer.bias
            // The file with the figures of the test days in its manifest is the one to be delivered.
            figures.fileBytes = test.fileBytes
            figures.payloadBytes = test.payloadBytes
        }
        return figures
    }
}
