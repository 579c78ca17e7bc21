import Compression
import Forecasting
import TestSupport
import Testing
import Training

@Suite("Pruning")
struct PruningTests {
    @Test(
        "Every kernel loses the same share of its smallest weights, and nothing else changes",
        arguments: CellKind.allCases, [0.001, 0.3, 0.5, 0.7, 0.999])
    func perTensor(cell: CellKind, sparsity: Double) throws {
        let parameters = NetworkParameters.random(
            NetworkShape(cell: cell, inputWidth: 5, units: 6))
        let mask = try Pruning.mask(
            parameters, scores: Pruning.magnitudes(parameters), sparsity: sparsity)
        let pruned = mask.applied(to: parameters)
        for (before, after) in [
            (parameters.inputKernel, pruned.inputKernel),
            (parameters.recurrentKernel, pruned.recurrentKernel),
        ] {
            let gone = after.indices.filter { after[$0] == 0 }
            #expect(
                gone.count == min(Int((sparsity * Double(after.count)).rounded()), after.count - 1))
            let largestGone = gone.map { abs(before[$0]) }.max() ?? 0
            for index in after.indices where after[index] != 0 {
                #expect(after[index] == before[index] && abs(before[index]) >= largestGone)
            }
        }
        #expect(pruned.bias == parameters.bias && pruned.scalars == parameters.scalars)
        #expect(pruned.denseWeight == parameters.denseWeight)
        #expect(pruned.denseBias == parameters.denseBias)
    }

    @Test(
        "One threshold for all prunes away a kernel whose weights happen to be small; one for each does not"
    )
    func globalThreshold() throws {
        let trained = try TrainedNetwork.calendar.get()
        // The same function, its inputs counted in other units: the input kernel is forty times smaller.
        var scaled = trained.parameters
        scaled.inputKernel = scaled.inputKernel.map { $0 / 40 }
        func wape(_ scope: RecipeStep.Scope) throws -> Double {
            let mask = try Pruning.mask(
                scaled, scores: Pruning.magnitudes(scaled), sparsity: 0.7, scope: scope)
            let pruned = mask.applied(to: scaled)
            return trained.wape { window in pruned.output(window: window.map { $0 * 40 }) }
        }
        let whole = trained.wape(trained.parameters)
        #expect(try wape(.tensor) < whole + 4)
        #expect(try wape(.network) > wape(.tensor) + 4)
    }

    @Test("|weight × gradient| finds the weights that matter better than their size does")
    func saliency() throws {
        let trained = try TrainedNetwork.calendar.get()
        let parameters = trained.parameters
        let gradients = Pruning.outputGradients(parameters, windows: trained.windows)
        let saliencies = try Pruning.saliencies(parameters, gradients: gradients)
        func wape(_ scores: [Float], _ sparsity: Double) throws -> Double {
            trained.wape(
                try Pruning.mask(parameters, scores: scores, sparsity: sparsity)
                    .applied(to: parameters))
        }
        for sparsity in [0.3, 0.7] {
            #expect(
                try wape(saliencies, sparsity)
                    < wape(Pruning.magnitudes(parameters), sparsity) - 0.2)
        }
        #expect(try wape(saliencies, 0.3) < trained.wape(parameters) + 0.1)
    }

    @Test(
        "An output's gradient is what a small step of a weight moves it by",
        arguments: CellKind.allCases)
    func gradients(cell: CellKind) {
        let shape = NetworkShape(cell: cell, inputWidth: 3, units: 4)
        let parameters = NetworkParameters.random(shape)
        let window = NetworkParameters.randomWindows(shape, count: 1)[0]
        let gradient = Pruning.outputGradients(parameters, windows: [window])[0]
        for index in stride(from: 0, to: shape.parameterCount, by: 7) {
            func output(_ step: Float) -> Float {
                var flat = parameters.flattened
                flat[index] += step
                return NetworkParameters(shape: shape, flattened: flat).output(window: window)
            }
            #expect(abs((output(0.01) - output(-0.01)) / 0.02 - gradient[index]) < 0.001)
        }
    }

    @Test("What was pruned stays pruned when more is, however it is ranked")
    func iterative() throws {
        let parameters = NetworkParameters.random(NetworkShape(inputWidth: 4, units: 5))
        var numbers = SeededGenerator(seed: 9)
        var pruned = parameters
        var before: [Bool]?
        for sparsity in try Pruning.schedule(to: 0.8, rounds: 4) {
            let scores = pruned.flattened.map { _ in Float.random(in: 0...1, using: &numbers) }
            let mask = try Pruning.mask(pruned, scores: scores, sparsity: sparsity, scope: .network)
            if let before {
                #expect(zip(before, mask.keeps).allSatisfy { $0 || !$1 })
            }
            #expect(abs(mask.sparsity - sparsity) < 0.01)
            before = mask.keeps
            pruned = mask.applied(to: pruned)
        }
        #expect(MaskedWeights(zerosOf: pruned).keeps == before)
    }

    @Test("The schedule rises by a cube, fast at first, to the sparsity asked for")
    func schedule() throws {
        #expect(try Pruning.schedule(to: 0.7, rounds: 1) == [0.7])
        let rounds = try Pruning.schedule(to: 0.8, rounds: 4)
        #expect(zip(rounds, [0.4625, 0.7, 0.7875, 0.8]).allSatisfy { abs($0 - $1) < 1e-12 })
    }

    @Test("Masked weights stay zero whatever training does, and have no gradient")
    func parametrization() throws {
        let parameters = NetworkParameters.random(NetworkShape(inputWidth: 4, units: 3))
        let mask = try Pruning.mask(
            parameters, scores: Pruning.magnitudes(parameters), sparsity: 0.6)
        #expect(mask.latentCount == mask.keeps.count { $0 })
        var latent = mask.latent(nearest: parameters.flattened)
        #expect(mask.weights(latent) == mask.applied(to: parameters).flattened)
        for k in latent.indices { latent[k] += 1 }
        for (index, weight) in mask.weights(latent).enumerated() {
            #expect(weight == (mask.keeps[index] ? parameters.flattened[index] + 1 : 0))
        }
        checkChainRule(mask, at: latent)
    }

    @Test("A sparsity that prunes nothing or all is refused", arguments: [0, 1, -0.1, 1.5, .nan])
    func sparsity(sparsity: Double) throws {
        let parameters = NetworkParameters.random(NetworkShape(inputWidth: 1, units: 1))
        let scores = Pruning.magnitudes(parameters)
        let error = #expect(throws: CompressionError.self) {
            try Pruning.mask(parameters, scores: scores, sparsity: sparsity)
        }
        #expect(error?.description.contains("above 0 % and below 100 %") == true)
        #expect(throws: CompressionError.self) { try Pruning.schedule(to: sparsity, rounds: 3) }
    }

    @Test("Weights and scores that are no numbers, and scores of another network, are named")
    func refusals() throws {
        let parameters = NetworkParameters.random(NetworkShape(inputWidth: 2, units: 2))
        let scores = Pruning.magnitudes(parameters)
        var broken = parameters
        broken.recurrentKernel[1] = .nan
        #expect(throws: CompressionError.parameterNotFinite(index: 17)) {
            try Pruning.mask(broken, scores: scores, sparsity: 0.5)
        }
        #expect(throws: CompressionError.scoreNotFinite(index: 3)) {
            try Pruning.mask(
                parameters, scores: scores.enumerated().map { $0 == 3 ? .infinity : $1 },
                sparsity: 0.5)
        }
        #expect(throws: CompressionError.scores(found: 1, expected: scores.count)) {
            try Pruning.mask(parameters, scores: [1], sparsity: 0.5)
        }
        #expect(throws: CompressionError.scores(found: 2, expected: scores.count)) {
            try Pruning.saliencies(parameters, gradients: [scores, [1, 2]])
        }
    }
}

/// The gradient of a parametrization against finite differences of a loss that is not linear in the weights.
func checkChainRule(
    _ parametrization: some WeightParametrization, at latent: [Float],
    sourceLocation: SourceLocation = #_sourceLocation
) {
    func loss(_ latent: [Float]) -> Double {
        parametrization.weights(latent).enumerated().reduce(0) { sum, pair in
            let weight = Double(pair.element)
            return sum + weight * weight * (1 + 0.1 * Double(pair.offset % 7)) + weight
        }
    }
    let gradient = parametrization.weights(latent).enumerated().map { index, weight in
        2 * weight * (1 + 0.1 * Float(index % 7)) + 1
    }
    let slopes = parametrization.latentGradient(gradient, latent: latent)
    #expect(slopes.count == parametrization.latentCount, sourceLocation: sourceLocation)
    for k in latent.indices {
        var (up, down) = (latent, latent)
        up[k] += 0.01
        down[k] -= 0.01
        let difference = (loss(up) - loss(down)) / Double(up[k] - down[k])
        #expect(
            abs(difference - Double(slopes[k])) <= 0.002 * max(abs(difference), 1),
            "latent \(k)", sourceLocation: sourceLocation)
    }
}
