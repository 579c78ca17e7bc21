import Compression
import Forecasting
import TestSupport
import Testing

@Suite("Low rank")
struct LowRankTests {
    @Test(
        "The kernels have the rank asked for, whatever training does", arguments: CellKind.allCases)
    func rank(cell: CellKind) throws {
        let shape = NetworkShape(cell: cell, inputWidth: 5, units: 6)
        let parameters = NetworkParameters.random(shape)
        let factored = try FactoredWeights(shape, inputRank: 2, recurrentRank: 3)
        var latent = factored.latent(nearest: parameters.flattened)
        var numbers = SeededGenerator(seed: 5)
        for _ in 0..<3 {
            let weights = factored.weights(latent)
            let network = NetworkParameters(shape: shape, flattened: weights)
            // All but so much of the energy, which rounding to single precision leaves, is in the first values.
            #expect(
                try LowRank.rank(of: .inputKernel, in: network, keeping: 1 - 1e-9) <= 2)
            #expect(
                try LowRank.rank(of: .recurrentKernel, in: network, keeping: 1 - 1e-9) <= 3)
            for k in latent.indices { latent[k] += .random(in: -0.3...0.3, using: &numbers) }
        }
        #expect(
            factored.latentCount == 2 * (shape.kernelRows + 5) + 3 * (shape.kernelRows + 6)
                + shape.biasCount + cell.scalarCount + 7)
        checkChainRule(factored, at: latent)
    }

    @Test(
        "Truncation is the nearest of its rank: the error is the energy left out", arguments: 1...5)
    func truncation(rank: Int) throws {
        let shape = NetworkShape(inputWidth: 6, units: 6)
        let parameters = NetworkParameters.random(shape, seed: UInt64(rank))
        let near = try FactoredWeights(shape, inputRank: nil, recurrentRank: rank)
            .applied(to: parameters)
        #expect(near.inputKernel == parameters.inputKernel && near.bias == parameters.bias)
        func energy(_ weights: [Float]) -> Double {
            weights.reduce(0) { $0 + Double($1) * Double($1) }
        }
        let left = energy(zip(near.recurrentKernel, parameters.recurrentKernel).map { $0 - $1 })
        let whole = energy(parameters.recurrentKernel)
        // Keeping a little less than this rank does needs this rank, and a little more needs another.
        let share = 1 - left / whole
        #expect(
            try LowRank.rank(of: .recurrentKernel, in: parameters, keeping: share - 1e-5) == rank)
        #expect(
            try LowRank.rank(of: .recurrentKernel, in: parameters, keeping: share + 1e-5)
                == rank + 1)
        // A truncated kernel is its own truncation.
        let again = try FactoredWeights(shape, inputRank: nil, recurrentRank: rank)
            .applied(to: near)
        #expect(zip(again.recurrentKernel, near.recurrentKernel).allSatisfy { abs($0 - $1) < 1e-6 })
    }

    @Test("Kernels wider than tall, with equal columns or with nothing in them are factored too")
    func oddKernels() throws {
        let wide = NetworkShape(cell: .fastGRNN, inputWidth: 24, units: 3)
        let parameters = NetworkParameters.random(wide)
        let near = try FactoredWeights(wide, inputRank: 2, recurrentRank: nil).applied(
            to: parameters)
        #expect(try LowRank.rank(of: .inputKernel, in: near, keeping: 1 - 1e-9) == 2)
        var flat = parameters
        flat.inputKernel = [Float](repeating: 0.5, count: flat.inputKernel.count)
        let rankOne = try FactoredWeights(wide, inputRank: 1, recurrentRank: nil).applied(to: flat)
        #expect(rankOne.inputKernel.allSatisfy { abs($0 - 0.5) < 1e-6 })
        flat.inputKernel = flat.inputKernel.map { _ in 0 }
        #expect(
            try FactoredWeights(wide, inputRank: 1, recurrentRank: nil).applied(to: flat) == flat)
        #expect(try LowRank.rank(of: .inputKernel, in: flat, keeping: 0.9) == 1)
    }

    @Test("A trained network stands some truncation, more as the rank rises")
    func effect() throws {
        let trained = try TrainedNetwork.calendar.get()
        let parameters = trained.parameters
        func wape(_ rank: Int) throws -> Double {
            trained.wape(
                try FactoredWeights(parameters.shape, inputRank: nil, recurrentRank: rank)
                    .applied(to: parameters))
        }
        #expect(try wape(7) < trained.wape(parameters) + 0.2)
        #expect(try wape(1) > wape(4) + 2 && wape(4) > wape(7) + 0.5)
        let rank = try LowRank.rank(of: .recurrentKernel, in: parameters, keeping: 0.9)
        #expect((2...7).contains(rank))
    }

    @Test("The factors can be had by themselves")
    func factors() throws {
        let shape = NetworkShape(inputWidth: 3, units: 4)
        let factored = try FactoredWeights(shape, inputRank: nil, recurrentRank: 2)
        let latent = factored.latent(nearest: NetworkParameters.random(shape).flattened)
        #expect(factored.factors(of: .inputKernel, latent: latent) == nil)
        let (left, right, rank) = try #require(
            factored.factors(of: .recurrentKernel, latent: latent))
        #expect(rank == 2 && left.count == 32 && right.count == 8)
        let kernel = factored.weights(latent)[shape.recurrentOffset..<shape.biasOffset]
        for (k, weight) in kernel.enumerated() {
            let (row, column) = (k / 4, k % 4)
            let product = left[row * 2] * right[column] + left[row * 2 + 1] * right[4 + column]
            #expect(abs(product - weight) < 1e-6)
        }
    }

    @Test("Factors pay while rank × (rows + columns) is below rows × columns")
    func pays() {
        let shape = NetworkShape(inputWidth: 1, units: 32)
        #expect(LowRank.isSmaller(rank: 25, of: .recurrentKernel, shape))
        #expect(!LowRank.isSmaller(rank: 26, of: .recurrentKernel, shape))
        #expect(!LowRank.isSmaller(rank: 1, of: .inputKernel, shape))
    }

    @Test("Rank 0, a full rank and more, and shares of nothing or all are refused")
    func refusals() throws {
        let shape = NetworkShape(inputWidth: 3, units: 4)
        for rank in [0, -1, 3, 99] {
            #expect(throws: CompressionError.rank(rank, of: .inputKernel, full: 3)) {
                try FactoredWeights(shape, inputRank: rank, recurrentRank: nil)
            }
        }
        #expect(throws: CompressionError.rank(4, of: .recurrentKernel, full: 4)) {
            try FactoredWeights(shape, inputRank: nil, recurrentRank: 4)
        }
        let parameters = NetworkParameters.random(shape)
        for share in [0, 1, -0.5, 1.1, .nan] {
            #expect(throws: CompressionError.self) {
                try LowRank.rank(of: .inputKernel, in: parameters, keeping: share)
            }
        }
    }
}
