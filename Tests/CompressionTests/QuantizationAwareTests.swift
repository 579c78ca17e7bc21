import Compression
import Forecasting
import Testing
import Training

@Suite("Quantization-aware training")
struct QuantizationAwareTests {
    @Test(
        "Costs INT8 and INT4 next to nothing, and wins back most of what ternary weights cost",
        arguments: [RecipeStep.Bits.int8, .int4, .ternary])
    func winsBack(bits: RecipeStep.Bits) throws {
        let trained = try TrainedNetwork.calendar.get()
        let (session, float) = (trained.session, trained.wape(trained.parameters))
        let quantizer = try Quantizer(RecipeStep.Quantization(bits: bits)).frozen(
            trained.parameters, spec: session.spec, windows: trained.windows)
        var request = FitRequest(start: trained.parameters, plan: session.plan)
        request.quantization = quantizer
        request.learningRate = 0.002
        request.epochs = 0
        let before = try session.fit(request)
        request.epochs = 8
        let tuned = try session.fit(request)
        let integer = try #require(tuned.integer)
        #expect(quantizer.quantized(quantizer.dequantized(integer)) == integer)
        #expect(tuned.parameters == quantizer.dequantized(integer))

        // On a device's engine, and on days never trained on.
        let cost = trained.wape(try #require(before.integer)) - float
        let left = trained.wape(integer) - float
        switch bits {
        case .ternary: #expect(cost > 1 && left < 0.3 * cost, "cost \(cost), left \(left)")
        default: #expect(left < 0.1, "cost \(cost), left \(left)")
        }
    }
}
