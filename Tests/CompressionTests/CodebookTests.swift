import Compression
import Forecasting
import TestSupport
import Testing

@Suite("Shared weights")
struct CodebookTests {
    @Test(
        "No kernel, gate or network has more values than its codebook has entries",
        arguments: Codebook.Sharing.allCases, [2, 3, 16, 200])
    func entries(sharing: Codebook.Sharing, entries: Int) throws {
        for cell in CellKind.allCases {
            let parameters = NetworkParameters.random(
                NetworkShape(cell: cell, inputWidth: 6, units: 5))
            for start in [Codebook.Start.linear, .plusPlus(seed: 3)] {
                let shared = try SharedWeights(
                    parameters, entries: entries, sharing: sharing, start: start
                ).applied(to: parameters)
                let blocks = cell.kernelBlocks
                let groups: [[Float]] =
                    switch sharing {
                    case .network: [shared.inputKernel + shared.recurrentKernel]
                    case .tensor: [shared.inputKernel, shared.recurrentKernel]
                    case .gate:
                        [shared.inputKernel, shared.recurrentKernel].flatMap { kernel in
                            (0..<blocks).map { block in
                                Array(
                                    kernel[
                                        block * kernel.count / blocks..<(block + 1) * kernel.count
                                            / blocks])
                            }
                        }
                    }
                for group in groups { #expect(Set(group).count <= entries) }
                #expect(Set(groups[0]).count == min(entries, groups[0].count))
                #expect(shared.bias == parameters.bias && shared.scalars == parameters.scalars)
                #expect(shared.denseWeight == parameters.denseWeight)
            }
        }
    }

    @Test("Sixteen values serve a trained network nearly as well as all; two do not")
    func effect() throws {
        let trained = try TrainedNetwork.calendar.get()
        let parameters = trained.parameters
        func wape(_ entries: Int) throws -> Double {
            trained.wape(try SharedWeights(parameters, entries: entries).applied(to: parameters))
        }
        let whole = trained.wape(parameters)
        #expect(try wape(16) < whole + 0.5)
        #expect(try wape(64) < whole + 0.1)
        #expect(try wape(2) > whole + 5)
    }

    @Test("Pruned weights stay zero, and the zero is one of the entries")
    func pruned() throws {
        let trained = try TrainedNetwork.calendar.get()
        let mask = try Pruning.mask(
            trained.parameters, scores: Pruning.magnitudes(trained.parameters), sparsity: 0.4)
        let pruned = mask.applied(to: trained.parameters)
        let shared = try SharedWeights(pruned, entries: 8)
        let result = shared.applied(to: pruned)
        #expect(zip(result.flattened, pruned.flattened).allSatisfy { ($0 == 0) == ($1 == 0) })
        #expect(Set(result.inputKernel).count == 8 && Set(result.recurrentKernel).count == 8)
        let moved = shared.weights([Float](repeating: 2, count: shared.latentCount))
        #expect(zip(moved, mask.keeps).allSatisfy { $0 == ($1 ? 2 : 0) })
    }

    @Test("A value is the mean of its weights and moves by the sum of their gradients")
    func parametrization() throws {
        let parameters = NetworkParameters.random(NetworkShape(cell: .gru, inputWidth: 3, units: 4))
        let shared = try SharedWeights(parameters, entries: 4)
        let latent = shared.latent(nearest: parameters.flattened)
        let weights = shared.weights(latent)
        #expect(shared.latent(nearest: weights) == latent)
        checkChainRule(shared, at: latent)
        // Least squares: no weight is nearer to another value of its kernel.
        for (range, values) in [
            (parameters.inputKernel, Set(weights[..<36])),
            (parameters.recurrentKernel, Set(weights[36..<84])),
        ] {
            for weight in range {
                let index = parameters.flattened.firstIndex(of: weight)!
                let error = abs(weights[index] - weight)
                #expect(values.allSatisfy { abs($0 - weight) >= error - 1e-6 })
            }
        }
    }

    @Test("Weights that have fewer values than entries keep them all exactly")
    func few() throws {
        let codebook = Codebook([3, -1, 3, 0.5, -1], entries: 7)
        #expect(codebook.values == [-1, 0.5, 3])
        #expect(Codebook([2, 2, 2], entries: 1).values == [2])
        #expect(
            [-9, -0.3, -0.2, 1.7, 1.8, 99].map { codebook.index(of: $0) } == [0, 0, 1, 1, 2, 2])
    }

    @Test("Clusters that are there are found, from either start", arguments: 1...20)
    func clusters(seed: UInt64) {
        var numbers = SeededGenerator(seed: seed)
        let centres: [Float] = [-8, -1, 0.5, 30]
        let weights = (0..<200).map { centres[$0 % 4] + .random(in: -0.1...0.1, using: &numbers) }
        for start in [Codebook.Start.linear, .plusPlus(seed: seed)] {
            let values = Codebook(weights, entries: 4, start: start).values
            #expect(zip(values, centres).allSatisfy { abs($0 - $1) < 0.05 }, "seed \(seed)")
        }
    }

    @Test("A codebook of one entry, of none and of too many is refused", arguments: [0, 1, 257])
    func refusals(entries: Int) {
        let parameters = NetworkParameters.random(NetworkShape(inputWidth: 1, units: 1))
        #expect(throws: CompressionError.codebookEntries(entries)) {
            try SharedWeights(parameters, entries: entries)
        }
    }

    @Test("A weight that is no number is named")
    func notFinite() {
        var parameters = NetworkParameters.random(NetworkShape(inputWidth: 1, units: 1))
        parameters.bias[0] = .nan
        #expect(throws: CompressionError.parameterNotFinite(index: 8)) {
            try SharedWeights(parameters, entries: 4)
        }
    }
}
