package import Forecasting

/// What an epoch tries to make small.
package enum Loss: Hashable, Sendable {
    /// Where more than one observed day in twenty is a zero, Poisson's deviance for the profile form and the mean
    /// square for the others; else the square in the logarithm, but for the plain form the mean square again.
    case automatic
    /// Mean square of the error in units, each series' divided by its scale (plain form) or by the square root of its
    /// level (calendar form). In the profile form the same as `logarithmicSquare`.
    case meanSquare
    /// Mean square of ln(forecast / units): even-handed between slow and fast items, below the mean by about half a unit
    /// where demand is Poisson's, and by much where it is lumpy. Not for the plain form, whose output may be negative.
    case logarithmicSquare
    /// Mean of |forecast − units| / units, days without sales left out, as MAPE counts them: for an operator who is
    /// measured by MAPE. Best below the mean by about a unit where demand is Poisson's, so that the sum of forecasts is
    /// too low; where most days are empty it means little.
    case absolutePercentage
    /// The deviance of a Tweedie distribution in units, variance ∝ meanᵖᵒʷᵉʳ: 1 is Poisson. Forecasts the
    /// mean, so that the sum of forecasts is right even where most days are zero. For the profile form.
    case tweedie(power: Float)

    func resolved(for form: ModelForm, zeroShare: Double) -> Loss {
        guard self == .automatic else { return self }
        switch form {
        case .plain: return .meanSquare
        case .calendar: return zeroShare > 0.05 ? .meanSquare : .logarithmicSquare
        case .profile: return zeroShare > 0.05 ? .tweedie(power: 1) : .meanSquare
        }
    }
}

/// One training run.
package struct TrainingPlan: Equatable, Sendable {
    package static let epochsMax = 1000
    package static let variantsMax = 16
    static let batchRange = 1...65_536

    package var form: ModelForm
    /// One variant is trained for each entry.
    package var units: [Int]
    package var window = 14
    /// Which context columns the calendar and profile forms get. Persistence is left out where the items do not differ
    /// in it, holidays and promotions where the training days have none.
    package var inputs: FeatureInputs
    package var epochs: Int
    package var seed: UInt64 = 1
    /// Days from here on are used for nothing but the final evaluation. Nil: there are none, and the
    /// evaluation is that of the validation days.
    package var testFrom: BusinessDay?
    package var batch: Int
    package var learningRate: Float
    /// Of the last hidden state. Networks of a few units, which the calendar and profile forms need, are
    /// too small to be thinned further.
    package var dropout: Float
    package var loss: Loss = .automatic
    /// The last days before the test days decide when to stop; weights never see them.
    package var validationDays = 56
    /// Epochs without a better validation loss before training stops.
    package var patience: Int
    /// At most so many seasonal profiles are kept.
    package var profilesMax = 12
    /// Stores whose demand is another one since a day: from there on their levels are learnt anew, as the mean of the days
    /// since, the level before counting as one of them, until that moves no faster than ever.
    package var levelRestarts: [StoreID: BusinessDay] = [:]

    /// The settings that the reference figures were reached with.
    package init(form: ModelForm, units: [Int], seed: UInt64 = 1, testFrom: BusinessDay? = nil) {
        self.form = form
        self.units = units
        self.seed = seed
        self.testFrom = testFrom
        switch form {
        case .plain:
            inputs = []
            (epochs, batch, learningRate, dropout, patience) = (8, 128, 0.008, 0.1, 4)
        case .calendar:
            inputs = [.weekday, .month, .planned]
            (epochs, batch, learningRate, dropout, patience) = (24, 128, 0.01, 0, 12)
        case .profile:
            inputs = [.persistence, .planned]
            (epochs, batch, learningRate, dropout, patience) = (20, 128, 0.007, 0, 8)
        }
    }

    func validateUnits() throws {
        guard !units.isEmpty, units.count <= Self.variantsMax,
            units.allSatisfy({ (1...NetworkShape.unitsMax).contains($0) })
        else { throw TrainingError.plan(field: "units") }
    }

    /// All but `units`.
    func validate() throws {
        guard FeatureSpec.windowRange.contains(window) else {
            throw TrainingError.plan(field: "window")
        }
        guard inputs.isSubset(of: .all), form != .plain || inputs.isEmpty else {
            throw TrainingError.plan(field: "inputs")
        }
        guard (1...Self.epochsMax).contains(epochs) else {
            throw TrainingError.plan(field: "epochs")
        }
        guard Self.batchRange.contains(batch) else { throw TrainingError.plan(field: "batch") }
        guard learningRate > 0, learningRate <= 1 else {
            throw TrainingError.plan(field: "learningRate")
        }
        guard dropout >= 0, dropout < 1 else { throw TrainingError.plan(field: "dropout") }
        guard (1...3650).contains(validationDays) else {
            throw TrainingError.plan(field: "validationDays")
        }
        guard patience >= 1 else { throw TrainingError.plan(field: "patience") }
        guard (1...256).contains(profilesMax) else {
            throw TrainingError.plan(field: "profilesMax")
        }
        switch loss {
        case .automatic, .meanSquare, .absolutePercentage: break
        case .logarithmicSquare:
            guard form != .plain else { throw TrainingError.plan(field: "loss") }
        case .tweedie(let power):
            guard form == .profile, power >= 1, power < 2 else {
                throw TrainingError.plan(field: "loss")
            }
        }
    }
}
