package import Forecasting
import ModelPackage
package import Training

/// Follows recipes: trains, compresses and measures networks on one set of sales.
///
/// What recipes have in common is done once: sessions, and networks trained from scratch. Not for two threads at once.
package final class Workbench {
    /// What every network is trained with unless its recipe says otherwise.
    package struct Setup: Equatable, Sendable {
        package var form: ModelForm
        package var window: Int
        /// Nil: as the form has them.
        package var inputs: FeatureInputs?
        package var testFrom: BusinessDay?
        package var loss: Loss
        /// Nil: as the form has them.
        package var epochs: Int?
        /// See `TrainingPlan.levelRestarts`.
        package var levelRestarts: [StoreID: BusinessDay]

        package init(
            form: ModelForm, window: Int = 14, inputs: FeatureInputs? = nil,
            testFrom: BusinessDay? = nil, loss: Loss = .automatic, epochs: Int? = nil,
            levelRestarts: [StoreID: BusinessDay] = [:]
        ) {
            self.form = form
            self.window = window
            self.inputs = inputs
            self.testFrom = testFrom
            self.loss = loss
            self.epochs = epochs
            self.levelRestarts = levelRestarts
        }
    }

    /// How far a recipe has come.
    package struct Progress: Sendable {
        /// 0-based, of `steps`.
        package var step: Int
        package var steps: Int
        package var text: String
        /// Nil while something else than training goes on.
        package var training: FitProgress?
    }

    /// How often a recipe's result is measured.
    package enum Measuring: Sendable { case everyStep, lastStep, never }

    /// Which days a network is measured on.
    package enum Days: Sendable {
        /// Test days, or validation days where there are no test days.
        case evaluated
        /// The last days before the test days, which decide when training stops.
        case validation
    }

    let series: [TrainingSeries]
    package let setup: Setup
    private var sessions: [Setup: TrainingSession] = [:]
    private var trained: [TrainedKey: NetworkParameters] = [:]

    private struct TrainedKey: Hashable {
        /// With its form, window, inputs and loss; the workbench keeps it.
        var session: ObjectIdentifier
        var shape: NetworkShape
        var seed: UInt64
        var epochs: Int
    }

    package init(series: [TrainingSeries], setup: Setup) {
        self.series = series
        self.setup = setup
    }

    /// The data made ready as an architecture wants it.
    /// - Throws: `TrainingError`.
    package func session(for architecture: Architecture?) throws -> TrainingSession {
        var own = setup
        if let form = architecture?.form, form != setup.form {
            own.form = form
            own.inputs = nil
            // What an operator is measured by is the same in every form.
            if setup.loss != .absolutePercentage { own.loss = .automatic }
            own.epochs = nil
        }
        own.window = architecture?.window ?? own.window
        own.inputs = architecture?.inputs ?? own.inputs
        own.loss = architecture?.loss ?? own.loss
        own.epochs = nil
        if let session = sessions[own] { return session }
        let session = try TrainingSession(series: series, plan: plan(own))
        sessions[own] = session
        return session
    }

    private func plan(_ setup: Setup) -> TrainingPlan {
        var plan = TrainingPlan(form: setup.form, units: [1], testFrom: setup.testFrom)
        plan.window = setup.window
        if let inputs = setup.inputs { plan.inputs = inputs }
        plan.loss = setup.loss
        plan.levelRestarts = setup.levelRestarts
        return plan
    }

    /// Follows a recipe.
    /// - Parameters:
    ///   - start: where a recipe without an architecture begins; it must fit the setup's form.
    ///   - warmStart: weights that the recipe's first network begins with where it has their shape; they must mean the same in
    ///     the session. It then trains half as long and at half the rate, and keeps them where nothing is better.
    ///   - epochShare: of every step's epochs, for a quick look: above 0, at most 1.
    ///   - onStep: called after each measured step.
    /// - Throws: `RecipeError` naming the step that cannot be done on this network; `TrainingError`; `CompressionError`.
    package func follow(
        _ recipe: Recipe, from start: NetworkParameters? = nil,
        warmStart: NetworkParameters? = nil, seed: UInt64 = 1, epochShare: Double = 1,
        measuring: Measuring = .everyStep,
        progress: (Progress) -> Void = { _ in }, isCancelled: () -> Bool = { false },
        onStep: (StepReport) -> Void = { _ in }
    ) throws -> Workpiece {
        try withoutActuallyEscaping(progress) { progress in
            try withoutActuallyEscaping(isCancelled) { isCancelled in
                try follow(
                    recipe, from: start, warmStart: warmStart, seed: seed,
                    epochShare: epochShare, measuring: measuring,
                    reporting: progress, cancelling: isCancelled, onStep: onStep)
            }
        }
    }

    private func follow(
        _ recipe: Recipe, from start: NetworkParameters?, warmStart: NetworkParameters?,
        seed: UInt64, epochShare: Double, measuring: Measuring,
        reporting progress: @escaping (Progress) -> Void,
        cancelling isCancelled: @escaping () -> Bool, onStep: (StepReport) -> Void
    ) throws -> Workpiece {
        let count = recipe.steps.count + (recipe.architecture == nil ? 0 : 1)
        var texts: [String] = []
        func report(_ training: FitProgress?) {
            progress(
                Progress(
                    step: texts.count - 1, steps: count, text: texts[texts.count - 1],
                    training: training))
        }
        let session = try session(for: recipe.architecture)
        let runner = RecipeRunner(
            workbench: self, session: session, seed: seed, epochShare: epochShare,
            warmStart: warmStart, progress: { report($0) }, isCancelled: isCancelled)
        var piece: Workpiece
        var last: StepFigures?
        func measured(_ piece: inout Workpiece, _ text: String, isLast: Bool) throws {
            guard measuring == .everyStep || isLast && measuring == .lastStep else { return }
            let figures = try measure(piece, recipe: recipe)
            piece.figures = figures
            onStep(
                StepReport(text: text, figures: figures, remarks: figures.remarks(after: last)))
            last = figures
        }
        if let architecture = recipe.architecture {
            texts.append(architecture.text)
            report(nil)
            piece = Workpiece(
                session: session, seed: seed,
                parameters: try runner.train(architecture, session: session, setup: setup))
            piece.isWarmStarted = runner.startsWarm(architecture, session: session)
            try measured(&piece, architecture.text, isLast: recipe.steps.isEmpty)
        } else {
            guard let start else {
                throw RecipeError(
                    step: 0, text: recipe.text,
                    problem: "it begins with no network; put one first, such as lstm8")
            }
            piece = Workpiece(session: session, seed: seed, parameters: start)
        }
        for (index, step) in recipe.steps.enumerated() {
            if isCancelled() { throw TrainingError.cancelled }
            texts.append(step.text)
            report(nil)
            do {
                try runner.take(step, on: &piece)
            } catch let error as CompressionError {
                throw RecipeError(
                    step: index + (recipe.architecture == nil ? 1 : 2), text: step.text,
                    problem: "\(error)")
            } catch TrainingError.diverged(_, let epoch) {
                throw RecipeError(
                    step: index + (recipe.architecture == nil ? 1 : 2), text: step.text,
                    problem:
                        "training diverged in epoch \(epoch): the loss is no number any more; try a smaller rate="
                )
            }
            try measured(&piece, step.text, isLast: index == recipe.steps.count - 1)
        }
        return piece
    }

    /// The network an architecture gives from a seed; trained once and kept.
    func trainedNetwork(
        _ architecture: Architecture, session: TrainingSession, seed: UInt64, epochs: Int,
        train: () throws -> NetworkParameters
    ) rethrows -> NetworkParameters {
        let shape = NetworkShape(
            cell: architecture.cell, inputWidth: session.spec.inputWidth, units: architecture.units)
        let key = TrainedKey(
            session: ObjectIdentifier(session), shape: shape, seed: seed, epochs: epochs)
        if let parameters = trained[key] { return parameters }
        let parameters = try train()
        trained[key] = parameters
        return parameters
    }
}

extension Workbench.Setup: Hashable {}
