package import Forecasting

/// One network of a family.
package struct TrainedVariant: Equatable, Sendable {
    package static let nameBytesMax = 64
    package static let recipeBytesMax = 200

    /// Unique in the family, such as "profile-8": what its packages are called by, `nameBytesMax` printable ASCII
    /// characters at most.
    package var name: String
    /// The recipe that made it, such as "lstm8": at most `recipeBytesMax` printable ASCII characters.
    package var recipe: String
    package var parameters: NetworkParameters
    /// The network before the first step of its recipe that took something from it; nil: `parameters`, or it was not kept
    /// (see Compression's `uncompressedNetwork`).
    package var uncompressed: NetworkParameters? = nil
    /// What the recipe made of the parameters; nil: they are quantised when packed.
    package var integer: IntegerNetwork?
    /// The name of the entropy coding its packages have to use; nil: whichever is smallest.
    package var coding: String?
    /// One day ahead, of the network its recipe made: in integers where the recipe trained those, else as float.
    package var validation: Accuracy
    /// Nil when the plan kept no test days.
    package var test: Accuracy?
    /// Per epoch.
    package var trainingLosses: [Float]
    package var validationLosses: [Float]
    /// 1-based; the epoch whose weights these are, 0 for the start of a fine-tuning.
    package var bestEpoch: Int

    package var units: Int { parameters.units }

    /// - Returns: `wanted`, or where that is taken with the first number behind it that is not.
    package static func freeName(_ wanted: String, taken: [String]) -> String {
        var (name, number) = (wanted, 2)
        while taken.contains(name) {
            name = "\(wanted)-\(number)"
            number += 1
        }
        return name
    }
}

/// A named way to forecast and what it reached.
package struct NamedAccuracy: Equatable, Sendable {
    package var name: String
    package var accuracy: Accuracy
}

/// The items of one store.
package struct StoreStarts: Equatable, Sendable {
    package var store: StoreID
    package var starts: [SeriesStart]
}

/// What one training run leaves.
package struct TrainedFamily: Equatable, Sendable {
    package var spec: FeatureSpec
    package var profiles: [SeasonalProfile]
    /// The last day known to training; the starts are as of its end.
    package var asOf: BusinessDay
    /// Sorted by store, then item.
    package var starts: [StoreStarts]
    package var variants: [TrainedVariant]
    /// On the days of the variants' `test`, or of `validation` when there are no test days.
    package var baselines: [NamedAccuracy]
    /// The evaluated days: test days, or else validation days. Closed days whose units are recorded count.
    package var evaluatedFrom: BusinessDay
    package var evaluatedDays: Int
    /// As resolved for the data; never `.automatic`.
    package var loss: Loss
    package var seed: UInt64
    package var trainingWindows: Int
    /// See `TrainingPlan.levelRestarts`.
    package var levelRestarts: [StoreID: BusinessDay] = [:]

    package var form: ModelForm { spec.form }

    /// The scale of items that have no start, as the share of the level that is usual.
    package var newItemScale: Float {
        let shares = starts.flatMap(\.starts).map { SeriesState($0) }
            .map { $0.scale / $0.level }.sorted()
        return shares.isEmpty ? 1 : shares[shares.count / 2]
    }

    /// The profiles' indexes, those that most of the starts use first: the first is also what new items get. Stable: among
    /// equally common ones the family's order.
    /// - Parameter starts: of one store, or of all.
    package func profiles(mostUsedBy starts: [SeriesStart]) -> (order: [Int], used: Int) {
        var uses = [Int](repeating: 0, count: profiles.count)
        for start in starts where Int(start.profile) < uses.count { uses[Int(start.profile)] += 1 }
        return (
            uses.indices.sorted { (uses[$1], $0) < (uses[$0], $1) }, uses.count { $0 > 0 }
        )
    }

    /// - Precondition: `variant` is an index of `variants`.
    package func model(variant: Int) -> ForecastModel {
        ForecastModel(
            spec: spec, parameters: variants[variant].parameters, profiles: profiles)
    }
}

extension TrainedVariant {
    package init(name: String, recipe: String, _ fitted: FittedNetwork, coding: String? = nil) {
        self.init(
            name: name, recipe: recipe, parameters: fitted.parameters,
            integer: fitted.integer, coding: coding, validation: fitted.validation,
            test: fitted.test,
            trainingLosses: fitted.trainingLosses, validationLosses: fitted.validationLosses,
            bestEpoch: fitted.bestEpoch)
    }

    /// A variant that a recipe made, with what its float network reaches.
    package init(
        name: String, recipe: String, parameters: NetworkParameters, integer: IntegerNetwork?,
        coding: String?, accuracies: (validation: Accuracy, test: Accuracy?)
    ) {
        self.init(
            name: name, recipe: recipe, parameters: parameters, integer: integer, coding: coding,
            validation: accuracies.validation, test: accuracies.test, trainingLosses: [],
            validationLosses: [], bestEpoch: 0)
    }

    /// Of the test days where there are some.
    package var evaluation: Accuracy { test ?? validation }
}
