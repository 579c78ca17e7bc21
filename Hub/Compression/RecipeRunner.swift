import Forecasting
import ModelPackage
import Training

/// Takes single steps on a workpiece. Defaults that the steps leave open are here.
struct RecipeRunner {
    let workbench: Workbench
    let session: TrainingSession
    let seed: UInt64
    let epochShare: Double
    let warmStart: NetworkParameters?
    let progress: (FitProgress) -> Void
    let isCancelled: () -> Bool

    private static let finetuneEpochs = 5
    private static let roundEpochs = 2
    private static let awareEpochs = 6
    /// Of the rate that trained the network: what is taken from it must be made good by whole steps, which ordinary
    /// fine-tuning is too slow for.
    private static let repairRateShare: Float = 0.5
    private static let calibrationWindows = 256
    /// Of rate and epochs, where training begins with weights that were good.
    private static let warmRateShare: Float = 0.5
    private static let warmEpochShare = 0.5

    private func scaled(_ epochs: Int) -> Int {
        max(1, Int((Double(epochs) * epochShare).rounded(.up)))
    }

    func train(
        _ architecture: Architecture, session: TrainingSession, setup: Workbench.Setup
    ) throws -> NetworkParameters {
        let sameForm = architecture.form == nil || architecture.form == setup.form
        let epochs = scaled(
            architecture.epochs ?? (sameForm ? setup.epochs : nil) ?? session.plan.epochs)
        if let warmStart, startsWarm(architecture, session: session) {
            var request = FitRequest(start: warmStart, plan: session.plan)
            request.seed = seed
            request.epochs = max(1, Int((Double(epochs) * Self.warmEpochShare).rounded()))
            request.learningRate = session.plan.learningRate * Self.warmRateShare
            return try session.fit(request, progress: progress, isCancelled: isCancelled)
                .parameters
        }
        return try trained(architecture, session: session, seed: seed, epochs: epochs)
    }

    func startsWarm(_ architecture: Architecture, session: TrainingSession) -> Bool {
        warmStart?.shape
            == NetworkShape(
                cell: architecture.cell, inputWidth: session.spec.inputWidth,
                units: architecture.units)
    }

    private func trained(
        _ architecture: Architecture, session: TrainingSession, seed: UInt64, epochs: Int
    ) throws -> NetworkParameters {
        try workbench.trainedNetwork(
            architecture, session: session, seed: seed, epochs: epochs
        ) {
            var request = FitRequest(
                shape: NetworkShape(
                    cell: architecture.cell, inputWidth: session.spec.inputWidth,
                    units: architecture.units), plan: session.plan)
            request.seed = seed
            request.epochs = epochs
            return try session.fit(request, progress: progress, isCancelled: isCancelled)
                .parameters
        }
    }

    /// Fine-tunes the piece as it is, under what its steps have settled.
    private func fit(
        _ piece: inout Workpiece, epochs: Int, rate: Float, distillation: Distillation? = nil
    ) throws {
        var request = FitRequest(start: piece.parameters, plan: session.plan)
        request.seed = seed
        request.epochs = epochs
        request.learningRate = rate
        request.parametrization = piece.parametrization
        request.distillation = distillation
        piece.parameters = try session.fit(
            request, progress: progress, isCancelled: isCancelled
        ).parameters
    }

    func take(_ step: RecipeStep, on piece: inout Workpiece) throws {
        if step.takesFromWeights, piece.uncompressed == nil {
            piece.uncompressed = piece.parameters
        }
        switch step {
        case .prune(let sparsity, let by, let scope, let rounds, let tuning):
            for share in try Pruning.schedule(to: sparsity, rounds: rounds) {
                let mask = try Pruning.mask(
                    piece.parameters, scores: try scores(by, piece.parameters), sparsity: share,
                    scope: scope)
                piece.parametrization = mask
                piece.parameters = mask.applied(to: piece.parameters)
                guard rounds > 1 else { break }
                try fit(
                    &piece, epochs: scaled(tuning.epochs ?? Self.roundEpochs),
                    rate: tuning.rate ?? session.plan.learningRate * Self.repairRateShare)
            }
        case .shrink(let shrinking):
            let units =
                switch shrinking {
                case .to(let units): units
                case .by(let share):
                    max(1, Int((Double(piece.parameters.units) * (1 - share)).rounded()))
                }
            let windows = session.calibrationWindows(atMost: Self.calibrationWindows)
            piece.parameters = try StructuredPruning.shrunk(
                piece.parameters, to: units, scores: StructuredPruning.norms(piece.parameters),
                means: StructuredPruning.MeanStates(piece.parameters, windows: windows))
            // A mask of the larger network means nothing for the smaller one, its zeros do.
            if piece.parametrization != nil {
                piece.parametrization = MaskedWeights(zerosOf: piece.parameters)
            }
        case .finetune(let tuning):
            try fit(
                &piece, epochs: scaled(tuning.epochs ?? Self.finetuneEpochs),
                rate: tuning.rate ?? FitRequest.fineTuningRate)
        case .distill(let from, let lesson, let truth, let tuning):
            try distill(&piece, from: from, lesson: lesson, truth: truth, tuning: tuning)
        case .codebook(let entries, let scope):
            let sharing: Codebook.Sharing = scope == .tensor ? .tensor : .network
            let shared = try SharedWeights(
                piece.parameters, entries: entries, sharing: sharing)
            piece.codebook = sharing
            piece.parametrization = shared
            piece.parameters = shared.applied(to: piece.parameters)
        case .lowRank(let rank, let kernels):
            let factored = try FactoredWeights(
                piece.parameters.shape,
                inputRank: kernels == .recurrent
                    ? nil : try self.rank(rank, of: .inputKernel, piece.parameters),
                recurrentRank: kernels == .input
                    ? nil : try self.rank(rank, of: .recurrentKernel, piece.parameters))
            piece.parametrization = factored
            piece.parameters = try factored.applied(to: piece.parameters)
        case .fold:
            piece.parameters = try GraphOptimization.folded(
                piece.parameters, spec: session.spec,
                windows: session.calibrationWindows(atMost: Self.calibrationWindows))
            if piece.parametrization != nil {
                piece.parametrization = MaskedWeights(zerosOf: piece.parameters)
            }
        case .fp16:
            piece.parameters = try HalfPrecision.rounded(piece.parameters)
            piece.isHalfPrecision = true
        case .quantize(let quantization):
            piece.integer = try piece.quantized(quantization)
            piece.quantization = quantization
        case .quantizationAware(let quantization, let tuning):
            try quantizeAware(&piece, quantization, tuning)
        case .code(let coding): piece.coding = coding
        }
    }

    private func scores(
        _ saliency: RecipeStep.Saliency, _ parameters: NetworkParameters
    ) throws -> [Float] {
        switch saliency {
        case .magnitude: Pruning.magnitudes(parameters)
        case .gradient:
            try Pruning.saliencies(
                parameters,
                gradients: [session.lossGradient(at: parameters).rootMeanSquare])
        }
    }

    /// Nil where the kernel has no rank to lose: with one input column, or one unit.
    private func rank(
        _ rank: RecipeStep.Rank, of tensor: IntegerTensor, _ parameters: NetworkParameters
    ) throws -> Int? {
        switch rank {
        case .fixed(let rank): return rank
        case .energy(let share):
            let rank = try LowRank.rank(of: tensor, in: parameters, keeping: share)
            return rank < LowRank.fullRank(of: tensor, parameters.shape) ? rank : nil
        }
    }

    private func distill(
        _ piece: inout Workpiece, from: RecipeStep.Teacher, lesson: RecipeStep.Lesson,
        truth: Double, tuning: Tuning
    ) throws {
        var teachers: [Teacher] = []
        switch from {
        case .itself: teachers = [Teacher(session: session, parameters: piece.parameters)]
        case .networks(var architecture, let count):
            if architecture.form == nil { architecture.form = session.spec.form }
            architecture.window = session.spec.window
            let own = try workbench.session(for: architecture)
            for index in 0..<count {
                teachers.append(
                    Teacher(
                        session: own,
                        parameters: try trained(
                            architecture, session: own, seed: seed &+ UInt64(index),
                            epochs: scaled(own.plan.epochs))))
            }
        }
        let kind: Distillation.Kind =
            switch lesson {
            case .response: .response
            case .features: .features(weight: 1)
            case .relations: .relations(weight: 1)
            }
        try fit(
            &piece, epochs: scaled(tuning.epochs ?? session.plan.epochs),
            rate: tuning.rate ?? session.plan.learningRate / 4,
            distillation: Distillation(
                teachers: teachers, truthWeight: Float(truth), kind: kind))
    }

    private func quantizeAware(
        _ piece: inout Workpiece, _ quantization: RecipeStep.Quantization, _ tuning: Tuning
    ) throws {
        var request = FitRequest(start: piece.parameters, plan: session.plan)
        request.seed = seed
        request.epochs = scaled(tuning.epochs ?? Self.awareEpochs)
        request.learningRate = tuning.rate ?? session.plan.learningRate * Self.repairRateShare
        request.dropout = 0
        request.parametrization = piece.parametrization
        request.quantization = try Quantizer(quantization, codebook: piece.codebook).frozen(
            piece.parameters, spec: session.spec,
            windows: session.calibrationWindows(atMost: quantization.windows))
        let fitted = try session.fit(request, progress: progress, isCancelled: isCancelled)
        piece.parameters = fitted.parameters
        piece.integer = fitted.integer
        piece.quantization = quantization
    }
}
