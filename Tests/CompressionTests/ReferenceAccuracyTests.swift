import Compression
import Forecasting
import Kernels
import Testing
import Training

/// What the integers cost beside float arithmetic on the very same rounded numbers.
@Suite(
    "Accuracy on the reference data",
    .enabled(if: ReferenceSales.path != nil, ReferenceSales.missing))
struct ReferenceAccuracyTests {
    /// An epoch or two: trained well or badly, it is the same arithmetic.
    @Test(
        "The integer network is within 0.1 point of MAPE of the fake-quantized one it came from",
        arguments: [(.plain, 32, 1), (.calendar, 4, 2), (.profile, 2, 2)]
            as [(ModelForm, Int, Int)])
    func integerArithmetic(form: ModelForm, units: Int, epochs: Int) throws {
        var plan = TrainingPlan(form: form, units: [units], testFrom: ReferenceSales.testFrom)
        plan.epochs = epochs
        let trained = try TrainedNetwork(series: try ReferenceSales.series(), plan: plan)
        let quantizer = Quantizer()
        let network = try quantizer.quantize(
            trained.parameters, spec: trained.spec, windows: trained.windows)
        let parameters = try quantizer.frozen(
            trained.parameters, spec: trained.spec, windows: trained.windows
        ).dequantized(network)

        let integer = try #require(trained.accuracy(network).mape)
        let fake = try #require(
            trained.accuracy { Self.fakeQuantized(network, parameters, $0) }.mape)
        print("MAPE of \(form) \(units): \(integer) % in integers, \(fake) % fake-quantized")
        #expect(trained.testDays.count == 50 * 365)
        #expect(abs(integer - fake) < 0.1)
        // Not the ruin of either.
        #expect(integer < 25)
    }

    /// The output of float arithmetic on the network's rounded weights, its inputs and hidden states rounded to int8 too
    /// (Jacob et al. 2018). Sums, gates and the cell state are not rounded, and the activations are exact.
    private static func fakeQuantized(
        _ network: IntegerNetwork, _ parameters: NetworkParameters, _ window: [Float]
    ) -> Float {
        let width = network.shape.inputWidth
        let inputs = window.indices.map { k in
            let steps = network.inputSteps[k % width]
            return Float(FixedPoint.quantize(window[k], stepsPerUnit: steps)) / steps
        }
        let hiddenSteps = Float(1 << network.hiddenFractionBits)
        var recurrence = FloatRecurrence(parameters)
        for day in 0..<window.count / width {
            recurrence.step(day: day, of: inputs)
            recurrence.hidden = recurrence.hidden.map {
                Float(FixedPoint.quantize($0, stepsPerUnit: hiddenSteps)) / hiddenSteps
            }
        }
        return recurrence.output
    }
}
