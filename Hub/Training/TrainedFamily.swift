package import Forecasting

/// One size of a family.
package struct TrainedVariant: Equatable, Sendable {
    package var units: Int
    package var parameters: NetworkParameters
    /// Of the network as float, one day ahead.
    package var validation: Accuracy
    /// Nil when the plan kept no test days.
    package var test: Accuracy?
    /// Per epoch.
    package var trainingLosses: [Float]
    package var validationLosses: [Float]
    /// 1-based; the epoch whose weights these are.
    package var bestEpoch: Int
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

    package var form: ModelForm { spec.form }

    /// - Precondition: `variant` is an index of `variants`.
    package func model(variant: Int) -> ForecastModel {
        ForecastModel(
            spec: spec, parameters: variants[variant].parameters, profiles: profiles)
    }
}

extension TrainedVariant {
    /// Of the test days where there are some.
    package var evaluation: Accuracy { test ?? validation }
}
