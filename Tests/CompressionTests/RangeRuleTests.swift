import Compression
import Forecasting
import Testing

@Suite("Calibration ranges")
struct RangeRuleTests {
    @Test("One odd day widens the range of the largest value, and a percentile's hardly")
    func outlier() throws {
        let trained = try TrainedNetwork.calendar.get()
        var windows = trained.windows
        windows[7][3 * trained.spec.inputWidth] = 4
        func network(_ rule: RangeRule) throws -> IntegerNetwork {
            try Quantizer(range: rule).quantize(
                trained.parameters, spec: trained.spec, windows: windows)
        }
        let (largest, percentile) = (try network(.largest), try network(.share(0.999)))
        #expect(largest.inputSteps[0] <= 127.0 / 4)
        #expect(percentile.inputSteps[0] > 3 * largest.inputSteps[0])
        #expect(abs(trained.wape(percentile) - trained.wape(trained.parameters)) < 0.05)
    }

    @Test("The range of least error has the least error")
    func leastSquares() throws {
        let trained = try TrainedNetwork.calendar.get()
        func steps(_ rule: RangeRule) throws -> Double {
            Double(
                try Quantizer(range: rule).frozen(
                    trained.parameters, spec: trained.spec, windows: trained.windows
                ).quantized(trained.parameters)!.inputSteps[0])
        }
        func error(_ steps: Double) -> Double {
            trained.windows.joined().enumerated().reduce(0) { sum, pair in
                guard pair.offset % trained.spec.inputWidth == 0 else { return sum }
                let value = Double(pair.element)
                let rounded = max(-127, min(127, (value * steps).rounded())) / steps
                return sum + (rounded - value) * (rounded - value)
            }
        }
        let best = error(try steps(.leastSquares))
        // Steps are rounded to 8 bits and were searched on a grid: near enough is within a tenth.
        #expect(best <= error(try steps(.largest)) * 1.1)
        #expect(best < error(try steps(.share(0.9))))
        #expect(best < error(try steps(.largest) / 2))
    }

    @Test(
        "A demand column that never changes, or is always 0, is quantised too",
        arguments: [0, 0.3, -2] as [Float])
    func constant(value: Float) throws {
        let trained = try TrainedNetwork.calendar.get()
        let windows = trained.windows.map { window in
            window.indices.map { $0 % trained.spec.inputWidth == 0 ? value : window[$0] }
        }
        for rule in [RangeRule.largest, .share(0.99), .leastSquares] {
            let network = try Quantizer(range: rule).quantize(
                trained.parameters, spec: trained.spec, windows: windows)
            try network.validate()
            // The constant itself is among the steps.
            let steps = (value * network.inputSteps[0]).rounded()
            #expect(abs(steps) <= 127 && abs(steps / network.inputSteps[0] - value) < 0.02)
        }
    }

    @Test("Hidden states that are always 0 have the finest steps")
    func silentStates() throws {
        let trained = try TrainedNetwork.calendar.get()
        let flat = [Float](repeating: 0, count: trained.parameters.shape.parameterCount)
        let parameters = NetworkParameters(shape: trained.parameters.shape, flattened: flat)
        for rule in [RangeRule.largest, .share(0.99)] {
            let network = try Quantizer(range: rule).quantize(
                parameters, spec: trained.spec, windows: trained.windows)
            #expect(network.hiddenFractionBits == 11)
        }
    }

    @Test("A recipe's words mean these rules")
    func words() {
        #expect(RangeRule(.minmax) == .largest && RangeRule(.error) == .leastSquares)
        #expect(RangeRule(.percentile) == .share(0.999))
        let quantizer = Quantizer(
            RecipeStep.Quantization(bits: .int4, scale: .gate, range: .error), codebook: .tensor)
        #expect(
            quantizer
                == Quantizer(
                    kernels: WeightScheme(.integer(bits: 4), sharing: .gate), range: .leastSquares,
                    codebook: .tensor))
    }
}
