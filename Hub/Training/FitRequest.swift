package import Forecasting

/// One network to be trained, and how. What a request does not say comes from the session's plan.
package struct FitRequest: Sendable {
    /// Of fine-tuning, unless something else is asked for.
    package static let fineTuningRate: Float = 1e-4

    package var shape: NetworkShape
    /// Where training starts; nil: the initial weights of `seed`. A start competes with every epoch: it is what is
    /// kept when no epoch has a lower validation loss.
    package var start: NetworkParameters?
    /// Of the initial weights, the order of the windows and dropout.
    package var seed: UInt64
    /// 0...`TrainingPlan.epochsMax`. 0 moves nothing: the start itself, or the weights nearest to it that the
    /// parametrization can make.
    package var epochs: Int
    package var batch: Int
    /// 0...1; falls in a straight line over the epochs.
    package var learningRate: Float
    /// Of the last hidden state.
    package var dropout: Float
    /// Epochs without a better validation loss before training stops.
    package var patience: Int
    /// Nil: every weight moves by itself.
    package var parametrization: (any WeightParametrization)?
    /// Nil: the network is trained to run in floats. Otherwise every batch runs on the integers the weights of the moment
    /// give, bit for bit as a device would, and the gradient goes straight through the rounding to the floats behind
    /// (Jacob et al. 2018); validation and what is kept are the integers of the averaged weights.
    package var quantization: (any WeightQuantization)?
    package var distillation: Distillation?

    /// From scratch, as the plan trains its variants.
    package init(shape: NetworkShape, plan: TrainingPlan) {
        self.shape = shape
        seed = plan.seed
        epochs = plan.epochs
        batch = plan.batch
        learningRate = plan.learningRate
        dropout = plan.dropout
        patience = plan.patience
    }

    /// Fine-tuning, at `fineTuningRate`.
    package init(start: NetworkParameters, plan: TrainingPlan) {
        self.init(shape: start.shape, plan: plan)
        self.start = start
        learningRate = Self.fineTuningRate
    }

    func validate(inputWidth: Int) throws {
        guard shape.inputWidth == inputWidth else { throw TrainingError.request(field: "shape") }
        if let start {
            guard start.shape == shape, start.flattened.allSatisfy(\.isFinite) else {
                throw TrainingError.request(field: "start")
            }
        }
        guard (0...TrainingPlan.epochsMax).contains(epochs) else {
            throw TrainingError.request(field: "epochs")
        }
        guard TrainingPlan.batchRange.contains(batch) else {
            throw TrainingError.request(field: "batch")
        }
        guard learningRate > 0, learningRate <= 1 else {
            throw TrainingError.request(field: "learningRate")
        }
        guard dropout >= 0, dropout < 1 else { throw TrainingError.request(field: "dropout") }
        guard patience >= 1 else { throw TrainingError.request(field: "patience") }
        if let parametrization {
            guard parametrization.latentCount > 0,
                parametrization.weights([Float](repeating: 0, count: parametrization.latentCount))
                    .count == shape.parameterCount
            else { throw TrainingError.request(field: "parametrization") }
        }
        try distillation?.validate()
    }
}

/// How far the training of one network has come.
package struct FitProgress: Equatable, Sendable {
    /// 1-based, of at most `epochs`.
    package var epoch: Int
    package var epochs: Int
    /// 0...1
    package var epochFraction: Double
    /// Mean training loss of this epoch so far.
    package var loss: Double
    /// Validation loss after the epoch before; nil in the first.
    package var validationLoss: Double?
}

/// What training one network leaves.
package struct FittedNetwork: Equatable, Sendable {
    /// The weights the integers stand for where there are some.
    package var parameters: NetworkParameters
    /// Nil without a quantization.
    package var integer: IntegerNetwork?
    /// One day ahead, of the integers where there are some.
    package var validation: Accuracy
    /// Nil when the plan kept no test days.
    package var test: Accuracy?
    /// Per epoch; of what was made small, a teacher's part included.
    package var trainingLosses: [Float]
    /// Per epoch; of the true sales alone, whoever taught.
    package var validationLosses: [Float]
    /// Per epoch, of the distillation's own term before its weight: how far student and teachers are apart. Empty
    /// without teachers.
    package var teacherDistances: [Float]
    /// 1-based; 0 when the start was kept.
    package var bestEpoch: Int
}
