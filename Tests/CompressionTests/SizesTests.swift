import Compression
import Forecasting
import Testing

@Suite("Sizes and half precision")
struct SizesTests {
    @Test(
        "The published sizes are parameters × 4 bytes, and × 1 byte for INT8",
        arguments: [(64, "66.25"), (32, "17.13"), (16, "4.57")])
    func published(units: Int, kilobytes: String) {
        let shape = NetworkShape(inputWidth: 1, units: units)
        #expect(Self.twoPlaces(ArticleSize.dense(shape)) == kilobytes)
    }

    @Test("The published pruned and INT8 rows are those of LSTM-32")
    func compressed() throws {
        let shape = NetworkShape(inputWidth: 1, units: 32)
        #expect(Self.twoPlaces(ArticleSize.int8(shape)) == "4.28")
        let parameters = NetworkParameters.random(shape)
        for share in [0.7, 0.5, 0.3] {
            let sparsity = try ArticleSize.sparsity(leaving: share, of: shape)
            #expect(sparsity > 1 - share && sparsity < 1 - share + 0.04)
            let pruned = try Pruning.mask(
                parameters, scores: Pruning.magnitudes(parameters), sparsity: sparsity
            ).applied(to: parameters)
            let kilobytes = ArticleSize.pruned(pruned)
            #expect(abs(kilobytes - ArticleSize.dense(shape) * share) < 0.01)
            #expect(ArticleSize.nonZeros(pruned) == Int((kilobytes * 256).rounded()))
        }
        #expect(throws: CompressionError.self) {
            try ArticleSize.sparsity(leaving: 0.01, of: shape)
        }
    }

    @Test("Half precision costs a trained network nothing to speak of")
    func halfPrecision() throws {
        let trained = try TrainedNetwork.calendar.get()
        let rounded = try HalfPrecision.rounded(trained.parameters)
        #expect(rounded != trained.parameters)
        #expect(try HalfPrecision.rounded(rounded) == rounded)
        for (exact, half) in zip(trained.parameters.flattened, rounded.flattened) {
            #expect(abs(exact - half) <= max(abs(exact) * 0x1p-11, 0x1p-25))
        }
        #expect(abs(trained.wape(rounded) - trained.wape(trained.parameters)) < 0.01)
        #expect(HalfPrecision.bytes(trained.parameters.shape) == 2 * rounded.flattened.count)
    }

    @Test("A parameter beyond half precision, or none at all, is named")
    func beyondHalf() {
        var parameters = NetworkParameters.random(NetworkShape(inputWidth: 1, units: 1))
        parameters.recurrentKernel[2] = 65_520
        #expect(throws: CompressionError.parameterBeyondHalf(index: 6)) {
            try HalfPrecision.rounded(parameters)
        }
        parameters.inputKernel[1] = -.infinity
        #expect(throws: CompressionError.parameterNotFinite(index: 1)) {
            try HalfPrecision.rounded(parameters)
        }
    }

    private static func twoPlaces(_ value: Double) -> String {
        let hundredths = Int((value * 100).rounded())
        return "\(hundredths / 100).\(hundredths % 100)"
    }
}
