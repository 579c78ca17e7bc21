package import Compression
package import Forecasting
package import Training

/// A network to be trained anew: which recipe, under which name, from whose weights.
package struct ChallengerNetwork: Sendable {
    package var name: String
    package var recipe: Recipe
    /// Of the champion's variant; nil: from scratch.
    package var start: NetworkParameters?

    package init(name: String, recipe: Recipe, start: NetworkParameters?) {
        self.name = name
        self.recipe = recipe
        self.start = start
    }

    /// The same again: a variant's own recipe, from its own weights.
    package init(like variant: TrainedVariant) {
        self.init(
            name: variant.name, recipe: Self.recipe(of: variant), start: variant.parameters)
    }

    /// A variant's recipe with a network at its beginning. What was read from a file, or began with another variant, gets
    /// a network of its own shape there.
    private static func recipe(of variant: TrainedVariant) -> Recipe {
        let shape = variant.parameters.shape
        let network = Architecture(cell: shape.cell, units: shape.units)
        // A text that is no recipe says where a network came from.
        guard let known = try? Recipe(parsing: variant.recipe) else {
            return Recipe(architecture: network, steps: [])
        }
        guard known.architecture == nil else { return known }
        let whole = Recipe(architecture: network, steps: known.steps)
        return whole.text.utf8.count <= Recipe.textBytesMax
            ? whole : Recipe(architecture: network, steps: [])
    }
}

/// Trains challengers on some sales.
package struct ChallengerTraining {
    package struct Trained {
        package var family: TrainedFamily
        /// By variant: whether it began with the champion's weights.
        package var isWarmStarted: [Bool]
    }

    private let workbench: Workbench
    private let champion: TrainedFamily
    private let seed: UInt64

    /// - Parameters:
    ///   - series: all that may be known, test days included.
    ///   - champion: whose form, window, inputs and loss are taken over.
    ///   - testFrom: the first day that is not learnt from; nil: none.
    ///   - levelRestarts: stores whose levels begin anew, see `Champion.levelRestarts`.
    package init(
        series: [TrainingSeries], champion: TrainedFamily, testFrom: BusinessDay?,
        levelRestarts: [StoreID: BusinessDay], seed: UInt64
    ) {
        self.champion = champion
        self.seed = seed
        workbench = Workbench(
            series: series,
            setup: Workbench.Setup(
                form: champion.form, window: champion.spec.window,
                inputs: champion.challengerInputs, testFrom: testFrom, loss: champion.loss,
                levelRestarts: levelRestarts))
    }

    /// - Parameters:
    ///   - networks: not empty, of different names.
    ///   - progress: which network, and how much of it is done, 0...1.
    /// - Throws: `TrainingError`, `RecipeError`, `CompressionError`.
    package func train(
        _ networks: [ChallengerNetwork], progress: (_ network: Int, _ share: Double) -> Void,
        isCancelled: () -> Bool
    ) throws -> Trained {
        var variants: [TrainedVariant] = []
        var warm: [Bool] = []
        var session: TrainingSession?
        for (index, network) in networks.enumerated() {
            let own = try workbench.session(for: network.recipe.architecture)
            if let session, session.spec != own.spec {
                throw RecipeError(
                    step: 1, text: network.recipe.text,
                    problem: "its network sees other days or inputs than the others of the family")
            }
            session = session ?? own
            let piece = try workbench.follow(
                network.recipe, warmStart: start(network.start, in: own.spec), seed: seed,
                measuring: .never,
                progress: { step in
                    progress(
                        index,
                        (Double(step.step) + (step.training?.share ?? 0))
                            / Double(max(step.steps, 1)))
                }, isCancelled: isCancelled)
            variants.append(try piece.variant(name: network.name, recipe: network.recipe))
            warm.append(piece.isWarmStarted)
        }
        guard let session else { throw TrainingError.plan(field: "units") }
        var family = session.family(variants)
        family.seed = seed
        return Trained(family: family, isWarmStarted: warm)
    }

    /// The champion's weights as they mean the same here: with zeros for holidays and promotions where it knows none, so that
    /// it begins with the champion's own forecasts.
    /// - Returns: nil where they mean something else.
    private func start(
        _ parameters: NetworkParameters?, in spec: FeatureSpec
    ) -> NetworkParameters? {
        let former = champion.spec
        guard let parameters, spec.form == former.form, spec.window == former.window,
            spec.output == former.output,
            spec.inputs.subtracting(.planned) == former.inputs.subtracting(.planned),
            former.inputs.isSubset(of: spec.inputs)
        else { return nil }
        // Holiday, then promotion, behind all others.
        var columns = Array(0..<1 + former.inputs.subtracting(.planned).columns).map(Optional.init)
        var next = columns.count
        for input in [FeatureInputs.holiday, .promotion] where spec.inputs.contains(input) {
            columns.append(former.inputs.contains(input) ? next : nil)
            if former.inputs.contains(input) { next += 1 }
        }
        return parameters.withInputs(columns)
    }
}

extension TrainedFamily {
    /// What the networks that challenge this family's are to see: with what the calendar has to tell by now, of which training
    /// takes what is there, unless a recipe of the family says what its network sees.
    var challengerInputs: FeatureInputs {
        let isSaid = variants.contains { variant in
            // A text that is no recipe says where a network came from.
            (try? Recipe(parsing: variant.recipe))?.architecture?.inputs != nil
        }
        return form == .plain || isSaid ? spec.inputs : spec.inputs.union(.planned)
    }
}

extension FitProgress {
    /// 0...1
    fileprivate var share: Double { (Double(epoch - 1) + epochFraction) / Double(max(epochs, 1)) }
}
