import Forecasting
import Testing
import Training

@Suite("A training session")
struct TrainingSessionTests {
    static func plan(_ form: ModelForm = .profile, testFrom: Int? = 740) -> TrainingPlan {
        var plan = TrainingPlan(form: form, units: [], testFrom: testFrom.map(SalesFixture.day))
        plan.epochs = 3
        return plan
    }

    @Test("Trains what a family's own run trains, however often", arguments: ModelForm.allCases)
    func sameAsTrain(form: ModelForm) throws {
        let series = SalesFixture().series
        var plan = Self.plan(form)
        let session = try TrainingSession(series: series, plan: plan)
        plan.units = [3, 8]
        let family = try train(series: series, plan: plan)
        let request = FitRequest(shape: session.shape(units: 8), plan: session.plan)
        _ = try session.fit(request)
        let fitted = try session.fit(request)
        #expect(fitted.parameters == family.variants[1].parameters)
        #expect(family.variants[1].name == "\(form.name)-8" && family.variants[1].recipe == "lstm8")
        #expect(
            session.family([
                family.variants[0],
                TrainedVariant(name: "\(form.name)-8", recipe: "lstm8", fitted),
            ]) == family)
        var other = request
        other.seed = 2
        #expect(try session.fit(other).parameters != fitted.parameters)
    }

    @Test(
        "Trains every cell, and never leaves it worse than it started", arguments: CellKind.allCases
    )
    func cells(cell: CellKind) throws {
        let session = try TrainingSession(series: SalesFixture().series, plan: Self.plan(.calendar))
        let request = FitRequest(shape: session.shape(cell: cell, units: 4), plan: session.plan)
        let fitted = try session.fit(request)
        #expect(fitted.parameters.shape.cell == cell)
        var still = request
        still.epochs = 0
        let untrained = try session.fit(still)
        #expect(untrained.bestEpoch == 0 && untrained.trainingLosses.isEmpty)
        let before = try #require(untrained.test?.wape)
        #expect(try #require(fitted.test?.wape) < before)
        #expect(session.evaluate(fitted.parameters).test == fitted.test)
        #expect(session.evaluate(fitted.parameters).validation == fitted.validation)
    }

    @Test("Fine-tuning starts where it is told, and gets better or stays")
    func fineTuning() throws {
        let session = try TrainingSession(series: SalesFixture().series, plan: Self.plan(.plain))
        let plan = session.plan
        let first = try session.fit(FitRequest(shape: session.shape(units: 6), plan: plan))
        var request = FitRequest(start: first.parameters, plan: plan)
        #expect(request.learningRate == 1e-4 && request.epochs == plan.epochs)
        request.epochs = 0
        #expect(try session.fit(request).parameters == first.parameters)

        request.epochs = 2
        request.learningRate = 1e-7
        let barely = try session.fit(request).parameters
        for (now, before) in zip(barely.flattened, first.parameters.flattened) {
            #expect(abs(now - before) < 1e-4)
        }

        (request.epochs, request.learningRate) = (12, 5e-3)
        let further = try session.fit(request)
        #expect(further.parameters != first.parameters)
        #expect(
            try #require(further.validationLosses.min()) < #require(first.validationLosses.min()))
        #expect(further.bestEpoch > 0)

        // Steps that only do harm: the start is better than any epoch.
        request.start = further.parameters
        (request.epochs, request.learningRate) = (2, 1)
        let harmed = try session.fit(request)
        #expect(harmed.parameters == further.parameters && harmed.bestEpoch == 0)
        #expect(harmed.validation == further.validation && harmed.validationLosses.count == 2)
    }

    @Test("A mask's zeros stay zero and the other weights move", arguments: CellKind.allCases)
    func mask(cell: CellKind) throws {
        let session = try TrainingSession(series: SalesFixture().series, plan: Self.plan(.calendar))
        let first = try session.fit(
            FitRequest(shape: session.shape(cell: cell, units: 5), plan: session.plan))
        var request = FitRequest(start: first.parameters, plan: session.plan)
        let kept = (0..<request.shape.recurrentOffset).map { !$0.isMultiple(of: 3) }
        let mask = Mask(kept: kept, count: request.shape.parameterCount)
        request.parametrization = mask
        request.learningRate = 0.003
        let tuned = try session.fit(request)
        #expect(tuned.bestEpoch > 0)
        for (k, value) in tuned.parameters.inputKernel.enumerated() {
            #expect((value == 0) == (k.isMultiple(of: 3)))
        }
        #expect(tuned.parameters.inputKernel[1] != first.parameters.inputKernel[1])
        // The zeros cost accuracy, which tuning the rest wins back.
        request.epochs = 0
        let cut = try session.fit(request)
        #expect(try #require(tuned.validation.wape) < #require(cut.validation.wape))
    }

    @Test("Weights that share a value share it to the end")
    func sharedWeights() throws {
        let session = try TrainingSession(series: SalesFixture().series, plan: Self.plan(.calendar))
        let first = try session.fit(
            FitRequest(shape: session.shape(units: 5), plan: session.plan))
        var request = FitRequest(start: first.parameters, plan: session.plan)
        let count = request.shape.recurrentOffset
        request.parametrization = Shared(
            count: request.shape.parameterCount, first: count, values: 27)
        request.learningRate = 0.003
        let tuned = try session.fit(request).parameters
        #expect(Set(tuned.inputKernel).count == 27)
        for k in 27..<count { #expect(tuned.inputKernel[k] == tuned.inputKernel[k % 27]) }
        request.epochs = 0
        let start = try session.fit(request).parameters
        #expect(start.inputKernel != tuned.inputKernel && Set(start.inputKernel).count == 27)
    }

    @Test("The loss's gradient is that of finite differences", arguments: ModelForm.allCases)
    func lossGradient(form: ModelForm) throws {
        var plan = Self.plan(form)
        plan.dropout = 0
        if form == .profile { plan.loss = .tweedie(power: 1) }
        let session = try TrainingSession(
            series: SalesFixture(days: 300, stores: 1).series, plan: plan)
        var request = FitRequest(shape: session.shape(units: 3), plan: plan)
        request.epochs = 0
        let parameters = try session.fit(request).parameters
        let gradient = session.lossGradient(at: parameters)
        // One epoch of steps too small to change the loss shows the mean loss.
        func loss(_ k: Int, _ move: Float) throws -> Double {
            var flat = parameters.flattened
            flat[k] += move
            var request = FitRequest(
                start: NetworkParameters(shape: parameters.shape, flattened: flat), plan: plan)
            (request.epochs, request.learningRate) = (1, 1e-12)
            return Double(try session.fit(request).trainingLosses[0])
        }
        let step: Float = 0.02
        for k in [0, request.shape.recurrentOffset + 4, request.shape.parameterCount - 1] {
            let slope = try (loss(k, step) - loss(k, -step)) / Double(2 * step)
            #expect(
                abs(slope - Double(gradient.mean[k])) < 0.002 + 0.03 * abs(slope), "weight \(k)")
        }
        for (mean, size) in zip(gradient.mean, gradient.rootMeanSquare) {
            #expect(abs(mean) <= size * 1.001 + 1e-7)
        }
    }

    @Test("Calibration windows are those of the family's replay", arguments: ModelForm.allCases)
    func calibration(form: ModelForm) throws {
        let series = SalesFixture().series
        let session = try TrainingSession(series: series, plan: Self.plan(form))
        let replay = try EvaluationReplay(series: series, family: session.family([]))
        let windows = session.calibrationWindows(atMost: 100)
        #expect(
            windows.count == 100 && windows.allSatisfy { $0.count == session.spec.windowValues })
        #expect(
            windows
                == replay.learntDays(atMost: 100).map {
                    $0.window(spec: session.spec, profiles: session.profiles)
                })
        #expect(Set(session.replay.learntDays(atMost: 100).map(\.store)).count == 2)
    }

    @Test("Progress goes forward and a cancelled fit stops before its next batch")
    func cancel() throws {
        let session = try TrainingSession(series: SalesFixture().series, plan: Self.plan())
        let request = FitRequest(shape: session.shape(units: 2), plan: session.plan)
        var last = (epoch: 1, fraction: 0.0)
        _ = try session.fit(
            request,
            progress: {
                #expect(last < ($0.epoch, $0.epochFraction) && $0.epochs == 3)
                last = ($0.epoch, $0.epochFraction)
            })
        #expect(last == (3, 1))
        var asked = 0
        #expect(throws: TrainingError.cancelled) {
            try session.fit(
                request,
                isCancelled: {
                    asked += 1
                    return asked > 5
                })
        }
        #expect(asked == 6)
    }

    private static let refusals: [(field: String, change: @Sendable (inout FitRequest) -> Void)] = [
        ("shape", { $0.shape = NetworkShape(inputWidth: 9, units: 2) }),
        ("start", { $0.shape.units = 3 }), ("start", { $0.start?.bias[0] = .nan }),
        ("epochs", { $0.epochs = -1 }), ("epochs", { $0.epochs = 1001 }),
        ("batch", { $0.batch = 0 }), ("learningRate", { $0.learningRate = 0 }),
        ("learningRate", { $0.learningRate = 1.5 }), ("dropout", { $0.dropout = 1 }),
        ("patience", { $0.patience = 0 }),
        ("parametrization", { $0.parametrization = Mask(kept: [], count: 3) }),
    ]

    @Test("A request that cannot work is refused by field", arguments: refusals.indices)
    func refused(row: Int) throws {
        let session = try TrainingSession(
            series: SalesFixture(days: 200, stores: 1).series, plan: Self.plan(testFrom: nil))
        let shape = session.shape(units: 2)
        var request = FitRequest(
            start: NetworkParameters(
                shape: shape, flattened: [Float](repeating: 0, count: shape.parameterCount)),
            plan: session.plan)
        let (field, change) = Self.refusals[row]
        change(&request)
        #expect(throws: TrainingError.request(field: field)) { try session.fit(request) }
    }

    @Test("Too few windows are refused with how many there are and how many it takes")
    func tooFew() throws {
        let series = SalesFixture(days: 200, stores: 1, items: 1).series
        var plan = Self.plan(testFrom: nil)
        plan.batch = 100
        let session = try TrainingSession(series: series, plan: plan)
        #expect(session.trainingWindows == 200 - 40 - 14)
        var request = FitRequest(shape: session.shape(units: 2), plan: plan)
        request.batch = 147
        #expect(throws: TrainingError.tooFewWindows(146, needed: 147)) {
            try session.fit(request)
        }
        plan.window = 64
        #expect(throws: TrainingError.tooFewWindows(96, needed: 100)) {
            try TrainingSession(series: series, plan: plan)
        }
    }

    @Test("Weights that have left all bounds are a divergence, named by units and epoch")
    func diverged() throws {
        let session = try TrainingSession(
            series: SalesFixture(days: 200, stores: 1).series,
            plan: Self.plan(.plain, testFrom: nil))
        let shape = session.shape(units: 7)
        var start = NetworkParameters(
            shape: shape, flattened: [Float](repeating: 1, count: shape.parameterCount))
        start.denseBias = 3e38
        #expect(throws: TrainingError.diverged(units: 7, epoch: 1)) {
            try session.fit(FitRequest(start: start, plan: session.plan))
        }
    }
}

/// Weights in front that stay zero.
private struct Mask: WeightParametrization {
    var kept: [Bool]
    var count: Int

    var latentCount: Int { count }
    func latent(nearest weights: [Float]) -> [Float] { masked(weights) }
    func weights(_ latent: [Float]) -> [Float] { masked(latent) }
    func latentGradient(_ gradient: [Float], latent: [Float]) -> [Float] { masked(gradient) }

    private func masked(_ values: [Float]) -> [Float] {
        values.enumerated().map { $0 >= kept.count || kept[$0] ? $1 : 0 }
    }
}

/// Weights in front that have so few values among them, taking turns.
private struct Shared: WeightParametrization {
    var count: Int
    var first: Int
    var values: Int

    var latentCount: Int { values + count - first }

    func latent(nearest weights: [Float]) -> [Float] {
        var sums = [Float](repeating: 0, count: values)
        for k in 0..<first { sums[k % values] += weights[k] * Float(values) / Float(first) }
        return sums + weights[first...]
    }

    func weights(_ latent: [Float]) -> [Float] {
        (0..<first).map { latent[$0 % values] } + latent[values...]
    }

    func latentGradient(_ gradient: [Float], latent: [Float]) -> [Float] {
        var sums = [Float](repeating: 0, count: values)
        for k in 0..<first { sums[k % values] += gradient[k] }
        return sums + gradient[first...]
    }
}
