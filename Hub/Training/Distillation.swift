package import Forecasting

/// A trained network that others learn from.
package struct Teacher: Sendable {
    /// What it was trained in: the student's own session, or one of the same series up to the same last training day,
    /// whatever its form, inputs and window.
    package var session: TrainingSession
    package var parameters: NetworkParameters

    package init(session: TrainingSession, parameters: NetworkParameters) {
        self.session = session
        self.parameters = parameters
    }
}

/// Training a small network on what larger ones say, beside the truth. Nothing of it remains in the student: it
/// forecasts as any other network.
///
/// The loss of a sample is `truthWeight` times the loss against what was sold, and the rest the same loss against what
/// the teachers forecast (Hinton, Vinyals and Dean 2015). Teachers forecast in units, so a teacher may have another
/// form than its student; several are an ensemble, whose forecast is their mean. Under the Poisson loss
/// (`Loss.tweedie(power: 1)`) the response loss is the Kullback–Leibler divergence between Poisson distributions of the
/// teachers' and the student's mean, `KL(t‖s) = t·ln(t/s) − t + s`: half the unit deviance of the teachers' forecast.
///
/// A network may be taught by its own earlier weights: born again (Furlanello et al. 2018).
package struct Distillation: Sendable {
    package static let teachersMax = 16
    /// Units of all teachers together, where their hidden states are compared.
    package static let hiddenStatesMax = 512

    package enum Kind: Equatable, Sendable {
        /// What the teachers forecast, no more.
        case response
        /// And, times `weight`, the mean square between the last hidden states of student and teachers (those of an
        /// ensemble side by side). Where there are not as many of the one as of the other, an affine projection of the
        /// student's is learnt along and then forgotten (Romero et al. 2015, "FitNets").
        case features(weight: Float)
        /// And, times `weight`, how samples lie to each other: the Huber loss between the distances of their last
        /// hidden states, each network's divided by their mean, over all pairs of a half batch (Park et al. 2019,
        /// "RKD-D").
        case relations(weight: Float)
    }

    package var teachers: [Teacher]
    /// 0...1: what the true sales count against the teachers' forecasts.
    package var truthWeight: Float
    package var kind: Kind

    package init(teachers: [Teacher], truthWeight: Float = 0.5, kind: Kind = .response) {
        self.teachers = teachers
        self.truthWeight = truthWeight
        self.kind = kind
    }

    func validate() throws {
        guard (1...Self.teachersMax).contains(teachers.count) else {
            throw TrainingError.request(field: "teachers")
        }
        guard truthWeight >= 0, truthWeight <= 1 else {
            throw TrainingError.request(field: "truthWeight")
        }
        switch kind {
        case .response: break
        case .features(let weight), .relations(let weight):
            guard weight >= 0, weight <= 1e6,
                teachers.reduce(0, { $0 + $1.parameters.units }) <= Self.hiddenStatesMax
            else { throw TrainingError.request(field: "kind") }
        }
    }
}

/// What the teachers say of every training sample, made ready once before training.
struct Lesson: Sendable {
    var truthWeight: Float
    var kind: Distillation.Kind
    /// Units forecast, by panel cell; NaN where there is no training sample.
    var units: [Float]
    /// W: the teachers' hidden units, 0 for responses alone.
    var width = 0
    /// `[samples, W]`
    var hidden: [Float] = []
    /// Row of `hidden`, by panel cell.
    var rows: [Int32] = []
}
