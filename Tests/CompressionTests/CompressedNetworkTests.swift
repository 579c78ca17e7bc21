import Compression
import Forecasting
import ModelPackage
import Testing
import Training

/// From a trained network through each technique, with fine-tuning, to the integers a device runs.
@Suite("Compressed networks")
struct CompressedNetworkTests {
    let trained: TrainedNetwork
    let whole: Double

    /// What training through integers may cost, in points of WAPE.
    static let costs: [(WeightScheme, Double)] = [
        (WeightScheme(.integer(bits: 8)), 0.1), (WeightScheme(.integer(bits: 4)), 0.3),
        (WeightScheme(.integer(bits: 4), sharing: .tensor), 0.3), (WeightScheme(.ternary), 1),
        (WeightScheme(.binary), 1.5),
    ]

    init() throws {
        trained = try TrainedNetwork.calendar.get()
        whole = trained.wape(trained.parameters)
    }

    @Test(
        "Pruned 30 % costs little; 70 % at once costs much, fine-tuning brings it back, and masks stay"
    )
    func pruned() throws {
        func pruned(_ parameters: NetworkParameters, _ sparsity: Double) throws -> MaskedWeights {
            try Pruning.mask(
                parameters, scores: Pruning.magnitudes(parameters), sparsity: sparsity)
        }
        let parameters = trained.parameters
        let slight = try pruned(parameters, 0.3)
        #expect(
            trained.wape(try trained.fineTuned(slight.applied(to: parameters), slight))
                < whole + 0.1)
        let strong = try pruned(parameters, 0.7)
        let atOnce = trained.wape(strong.applied(to: parameters))
        #expect(atOnce > whole + 1.5)
        var iterative = parameters
        for sparsity in try Pruning.schedule(to: 0.7, rounds: 3) {
            let mask = try pruned(iterative, sparsity)
            iterative = try trained.fineTuned(mask.applied(to: iterative), mask, epochs: 3)
            #expect(MaskedWeights(zerosOf: iterative) == mask)
        }
        #expect(trained.wape(iterative) < whole + 0.2)
        let network = try integers(iterative)
        // Rounding takes a few small weights more, and brings none back.
        for (weight, integer) in zip(iterative.recurrentKernel, network.recurrentKernel) {
            #expect(weight != 0 || integer == 0)
        }
        #expect(trained.wape(network) < whole + 0.25)
        try runs(network)
    }

    @Test(
        "A codebook's values are fine-tuned, and its size holds in floats and in integers",
        arguments: Codebook.Sharing.allCases)
    func shared(sharing: Codebook.Sharing) throws {
        let shared = try SharedWeights(trained.parameters, entries: 4, sharing: sharing)
        let start = shared.applied(to: trained.parameters)
        let tuned = try trained.fineTuned(start, shared)
        #expect(trained.wape(tuned) < trained.wape(start) - 1.5)
        #expect(trained.wape(tuned) < whole + 0.7)
        let network = try integers(tuned, Quantizer(codebook: sharing))
        #expect(abs(trained.wape(network) - trained.wape(tuned)) < 0.1)
        switch sharing {
        case .gate:
            for block in 0..<4 {
                #expect(Set(network.recurrentKernel[block * 64..<block * 64 + 64]).count <= 4)
                #expect(Set(network.inputKernel[block * 160..<block * 160 + 160]).count <= 4)
            }
        case .tensor:
            #expect(Set(network.recurrentKernel).count <= 4)
            #expect(Set(network.inputKernel).count <= 4)
        case .network:
            #expect(Set(network.recurrentKernel + network.inputKernel).count <= 4)
        }
        try runs(network)
    }

    @Test(
        "Factors are fine-tuned, and the integer kernels are products of integer factors of the rank"
    )
    func factored() throws {
        let factored = try FactoredWeights(
            trained.parameters.shape, inputRank: 3, recurrentRank: 2)
        let start = try factored.applied(to: trained.parameters)
        let tuned = try trained.fineTuned(start, factored)
        #expect(trained.wape(start) > whole + 2)
        #expect(trained.wape(tuned) < whole + 0.4)
        let network = try Quantizer().quantize(
            tuned, spec: trained.spec, windows: trained.windows, factored: factored)
        try network.validate()
        let (input, recurrent) = (
            try #require(network.inputFactors), try #require(network.recurrentFactors)
        )
        #expect(input.rank == 3 && recurrent.rank == 2)
        #expect(input.expanded(rows: 32, columns: 20) == network.inputKernel)
        #expect(recurrent.expanded(rows: 32, columns: 8) == network.recurrentKernel)
        #expect(abs(trained.wape(network) - trained.wape(tuned)) < 0.1)
        try runs(network)
    }

    @Test("Whole units removed leave a smaller network that fine-tuning nearly restores")
    func shrunk() throws {
        let gradient = trained.session.lossGradient(at: trained.parameters).rootMeanSquare
        let smaller = try StructuredPruning.shrunk(
            trained.parameters, to: 6,
            scores: StructuredPruning.saliencies(trained.parameters, gradients: [gradient]),
            means: StructuredPruning.MeanStates(trained.parameters, windows: trained.windows))
        let tuned = try trained.fineTuned(smaller, nil)
        #expect(trained.wape(smaller) > whole + 1)
        #expect(trained.wape(tuned) < whole + 0.2)
        let network = try integers(tuned)
        #expect(abs(trained.wape(network) - trained.wape(tuned)) < 0.1)
        try runs(network)
    }

    @Test(
        "Trained through its integers a network stands few levels: int8 costs 0.1 points at most, int4 0.3",
        arguments: costs)
    func quantizationAware(scheme: WeightScheme, costMax: Double) throws {
        let frozen = try Quantizer(kernels: scheme).frozen(
            trained.parameters, spec: trained.spec, windows: trained.windows)
        let before = trained.wape(try #require(frozen.quantized(trained.parameters)))
        let fitted = try trained.trainedThrough(frozen, from: trained.parameters)
        let network = try #require(fitted.integer)
        try network.validate()
        // What training saw is what a device runs.
        #expect(frozen.quantized(fitted.parameters) == network)
        #expect(frozen.dequantized(network) == fitted.parameters)
        #expect(trained.wape(network) < whole + costMax)
        if scheme.levels == .ternary || scheme.levels == .binary {
            #expect(trained.wape(network) < before - 3)
        }
        try runs(network)
    }

    @Test("Masks and codebooks hold while training goes through integers")
    func restrictedAndQuantized() throws {
        let mask = try Pruning.mask(
            trained.parameters, scores: Pruning.magnitudes(trained.parameters), sparsity: 0.6)
        let pruned = mask.applied(to: trained.parameters)
        // Binary levels have no zero but for what was pruned.
        for levels in [WeightScheme.Levels.integer(bits: 4), .ternary, .binary] {
            let frozen = try Quantizer(kernels: WeightScheme(levels)).frozen(
                pruned, spec: trained.spec, windows: trained.windows)
            let fitted = try trained.trainedThrough(frozen, mask, from: pruned, epochs: 3)
            for (index, weight) in fitted.parameters.flattened.enumerated() where !mask.keeps[index]
            {
                #expect(weight == 0)
            }
        }
        let shared = try SharedWeights(pruned, entries: 8)
        let frozen = try Quantizer(codebook: .tensor).frozen(
            shared.applied(to: pruned), spec: trained.spec, windows: trained.windows)
        let fitted = try trained.trainedThrough(frozen, shared, from: shared.applied(to: pruned))
        let network = try #require(fitted.integer)
        #expect(Set(network.inputKernel).count <= 8 && Set(network.recurrentKernel).count <= 8)
        #expect(trained.wape(network) < whole + 0.4)
        try runs(network)
    }

    @Test("Folded and half-precision networks, and weights of few levels, run on a device too")
    func others() throws {
        try runs(
            try integers(
                GraphOptimization.folded(
                    trained.parameters, spec: trained.spec, windows: trained.windows)))
        try runs(try integers(HalfPrecision.rounded(trained.parameters)))
        for levels in [WeightScheme.Levels.integer(bits: 4), .ternary, .binary] {
            try runs(
                try integers(trained.parameters, Quantizer(kernels: WeightScheme(levels))))
        }
    }

    private func integers(
        _ parameters: NetworkParameters, _ quantizer: Quantizer = Quantizer()
    ) throws -> IntegerNetwork {
        let network = try quantizer.quantize(
            parameters, spec: trained.spec, windows: trained.windows)
        try network.validate()
        return network
    }

    /// Packs the network, and has the agent's engine forecast with what a device would receive.
    private func runs(_ network: IntegerNetwork) throws {
        var family = trained.family
        family.variants[0].integer = network
        let built = try PackageBuilder(
            family: family, name: "f", series: trained.series, lineage: "test"
        ).build(variant: 0, store: nil, release: 1)
        let delivered = try ModelPackage.decode(built.bytes)
        #expect(delivered.network.inputKernel == network.inputKernel)
        #expect(delivered.network.recurrentKernel == network.recurrentKernel)
        let engine = try Engine(built.bytes, budgetBytes: delivered.manifest.arenaBytes)
        try engine.proveGoldenVectors(of: built.bytes)
        let expected = trained.wape(network)
        #expect(abs(try #require(built.accuracy.wape) - expected) < 0.2)
    }
}
