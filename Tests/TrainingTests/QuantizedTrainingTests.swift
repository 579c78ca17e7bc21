import Forecasting
import Kernels
import Testing
import Training

@Suite("Training on a device's integers")
struct QuantizedTrainingTests {
    /// A network trained as float, and what quantising it would do.
    private struct Trained {
        var session: TrainingSession
        var float: FittedNetwork
        var request: FitRequest

        init(_ cell: CellKind = .lstm, quantization: any WeightQuantization) throws {
            var plan = TrainingSessionTests.plan(.calendar)
            plan.epochs = 6
            session = try TrainingSession(series: SalesFixture().series, plan: plan)
            float = try session.fit(
                FitRequest(shape: session.shape(cell: cell, units: 5), plan: session.plan))
            request = FitRequest(start: float.parameters, plan: session.plan)
            request.learningRate = 0.003
            request.quantization = quantization
        }
    }

    @Test(
        "Wins back much of what coarse weights cost, and its figures are the device's",
        arguments: CellKind.allCases)
    func coarse(cell: CellKind) throws {
        let coarse = CoarseQuantization(levels: 1)
        let trained = try Trained(cell, quantization: coarse)
        var request = trained.request
        request.epochs = 0
        let before = try trained.session.fit(request)
        #expect(before.integer == coarse.quantized(trained.float.parameters))
        #expect(before.parameters == coarse.dequantized(try #require(before.integer)))
        let cost = try #require(before.validation.wape) - #require(trained.float.validation.wape)
        #expect(cost > 0.5)

        request = trained.request
        let tuned = try trained.session.fit(request)
        let left = try #require(tuned.validation.wape) - #require(trained.float.validation.wape)
        #expect(left < 0.7 * cost)
        let integer = try #require(tuned.integer)
        #expect(integer.inputKernel.allSatisfy { (-1...1).contains($0) })
        #expect(tuned.parameters == coarse.dequantized(integer))
        let again = trained.session.evaluate(integer)
        #expect(again.validation == tuned.validation && again.test == tuned.test)
        #expect(try trained.session.fit(request) == tuned)

        // One forecast after the other in a device's arena.
        let spec = trained.session.spec
        let counts = ArenaLayout.Counts(
            shape: request.shape, window: spec.window, profiles: 0, starts: 0, identifierBytes: 0)
        let device = IntegerRecurrence(integer, in: Arena(ArenaLayout(counts)))
        var accuracy = Accuracy()
        let replay = trained.session.replay
        for series in 0..<replay.seriesCount {
            for day in replay.evaluatedDays(series: series) {
                guard let units = day.recordedUnits else { continue }
                let window = day.window(spec: spec, profiles: trained.session.profiles)
                device.load(window: window)
                let output = Float(device.run()) * integer.outputScale
                let forecast = spec.units(networkOutput: output, state: day.state, factor: 1)
                accuracy.add(actual: Double(units), forecast: Double(forecast))
            }
        }
        #expect(accuracy == tuned.test)
        #expect(
            TrainedVariant(name: "q", recipe: "lstm5 | qat int8", tuned).integer == integer)
    }

    @Test("Pruned weights stay zero among the integers, and a teacher may help")
    func combined() throws {
        var trained = try Trained(quantization: CoarseQuantization(levels: 7))
        trained.request.parametrization = EveryThirdZero(
            count: trained.request.shape.parameterCount)
        trained.request.distillation = Distillation(
            teachers: [Teacher(session: trained.session, parameters: trained.float.parameters)],
            kind: .features(weight: 0.5))
        let tuned = try trained.session.fit(trained.request)
        let integer = try #require(tuned.integer)
        #expect(tuned.bestEpoch > 0)
        for k in stride(from: 0, to: integer.inputKernel.count, by: 3) {
            #expect(integer.inputKernel[k] == 0 && tuned.parameters.inputKernel[k] == 0)
        }
        #expect(Set(integer.inputKernel).count > 5)
        #expect(try #require(tuned.teacherDistances.last) < tuned.teacherDistances[0])
    }

    @Test("Weights that integers cannot say are refused at the start and a divergence later")
    func beyondIntegers() throws {
        var trained = try Trained(quantization: CoarseQuantization(levels: 2, biasMax: 0.25))
        #expect(throws: TrainingError.request(field: "quantization")) {
            try trained.session.fit(trained.request)
        }
        var still = NetworkParameters(
            shape: trained.request.shape,
            flattened: [Float](repeating: 0, count: trained.request.shape.parameterCount))
        still.denseWeight = still.denseWeight.map { _ in 0.5 }
        trained.request.start = still
        trained.request.learningRate = 0.1
        #expect(throws: TrainingError.diverged(units: 5, epoch: 1)) {
            try trained.session.fit(trained.request)
        }
    }
}

/// At most so many levels on either side of 0, a scale for each row.
private struct CoarseQuantization: WeightQuantization {
    var levels: Double
    /// What a gate's bias may be at most.
    var biasMax = 100.0

    private static let gateUnit = 4096.0
    private static let hiddenUnit = 128.0

    func quantized(_ parameters: NetworkParameters) -> IntegerNetwork? {
        let (shape, I, H) = (parameters.shape, parameters.inputWidth, parameters.units)
        var network = IntegerNetwork(shape: shape)
        network.inputSteps[0] = 127 / 4
        func row(_ exact: [Double]) -> ([Int8], RowMultiplier)? {
            let largest = exact.map(abs).max() ?? 0
            guard let multiplier = RowMultiplier(atLeast: largest / levels) else { return nil }
            return (exact.map { Int8(($0 / multiplier.value).rounded()) }, multiplier)
        }
        for r in 0..<shape.kernelRows {
            let input = (0..<I).map {
                Double(parameters.inputKernel[r * I + $0]) * Self.gateUnit
                    / Double(network.inputSteps[$0])
            }
            let state = (0..<H).map {
                Double(parameters.recurrentKernel[r * H + $0]) * Self.gateUnit / Self.hiddenUnit
            }
            guard let (a, inputMultiplier) = row(input), let (b, stateMultiplier) = row(state)
            else { return nil }
            network.inputKernel.replaceSubrange(r * I..<(r + 1) * I, with: a)
            network.recurrentKernel.replaceSubrange(r * H..<(r + 1) * H, with: b)
            network.inputMultipliers[r] = inputMultiplier
            network.recurrentMultipliers[r] = stateMultiplier
        }
        for (k, bias) in parameters.bias.enumerated() {
            guard Double(abs(bias)) <= biasMax else { return nil }
            network.bias[k] = Int32((Double(bias) * Self.gateUnit).rounded())
        }
        network.scalars = parameters.scalars.map { UInt16(min($0 * 32_768, 32_767)) }
        let largest = parameters.denseWeight.map { Double(abs($0)) }.max() ?? 0
        guard largest > 0 else { return nil }
        network.denseKernel = parameters.denseWeight.map {
            Int8((Double($0) / largest * 127).rounded())
        }
        network.outputScale = Float(largest / 127 / Self.hiddenUnit)
        network.denseBias = Int32(parameters.denseBias / network.outputScale)
        return network
    }

    func dequantized(_ network: IntegerNetwork) -> NetworkParameters {
        let (shape, I, H) = (network.shape, network.shape.inputWidth, network.shape.units)
        let input = network.inputKernel.indices.map {
            Float(
                Double(network.inputKernel[$0]) * network.inputMultipliers[$0 / I].value
                    / Self.gateUnit * Double(network.inputSteps[$0 % I]))
        }
        let state = network.recurrentKernel.indices.map {
            Float(
                Double(network.recurrentKernel[$0]) * network.recurrentMultipliers[$0 / H].value
                    / Self.gateUnit * Self.hiddenUnit)
        }
        let scale = network.outputScale
        return NetworkParameters(
            shape: shape,
            flattened: input + state + network.bias.map { Float($0) / Float(Self.gateUnit) }
                + network.scalars.map { Float($0) / 32_768 }
                + network.denseKernel.map { Float($0) * scale * Float(Self.hiddenUnit) }
                + [Float(network.denseBias) * scale])
    }
}

/// A mask over every parameter.
private struct EveryThirdZero: WeightParametrization {
    var count: Int

    var latentCount: Int { count }
    func latent(nearest weights: [Float]) -> [Float] { masked(weights) }
    func weights(_ latent: [Float]) -> [Float] { masked(latent) }
    func latentGradient(_ gradient: [Float], latent: [Float]) -> [Float] { masked(gradient) }

    private func masked(_ values: [Float]) -> [Float] {
        values.enumerated().map { $0.isMultiple(of: 3) ? 0 : $1 }
    }
}
