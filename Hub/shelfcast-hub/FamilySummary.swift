import Compression
import Forecasting
import Foundation
import HubCore
import Training

/// A training run's result, for people and for `--json`; the store keeps it beside the weights.
struct FamilySummary: Encodable {
    struct Figures: Encodable {
        var name: String
        /// Nil for a baseline.
        @Nullable var units: Int?
        @Nullable var parameters: Int?
        @Nullable var bestEpoch: Int?
        var forecasts: Int
        @Nullable var wapePercent: Double?
        @Nullable var biasPercent: Double?
        @Nullable var mapePercent: Double?
        var excludedZeroActuals: Int
        @Nullable var symmetricMapePercent: Double?
        @Nullable var rootMeanSquareError: Double?

        init(name: String, _ accuracy: Accuracy, _ variant: TrainedVariant? = nil) {
            self.name = name
            units = variant?.units
            parameters = variant?.parameters.shape.parameterCount
            bestEpoch = variant?.bestEpoch
            forecasts = accuracy.count
            wapePercent = accuracy.wape
            biasPercent = accuracy.bias
            mapePercent = accuracy.mape
            excludedZeroActuals = accuracy.zeroActualCount
            symmetricMapePercent = accuracy.symmetricMAPE
            rootMeanSquareError = accuracy.rootMeanSquareError
        }
    }

    var family: String
    var form: String
    var window: Int
    /// What the network sees of a day beside its demand, as recipes name it.
    var inputs: String
    var seed: UInt64
    var stores: Int
    var series: Int
    var seriesDays: Int
    var trainingWindows: Int
    var lastTrainingDay: String
    var evaluatedFrom: String
    var evaluatedDays: Int
    /// "test" or "validation".
    var evaluatedOn: String
    var snapshotDigest: String
    var seconds: Double
    var variants: [Figures]
    var baselines: [Figures]

    init(
        name: String, family: TrainedFamily, snapshot: SalesSnapshot, window: Int, seconds: Double
    ) {
        self.family = name
        form = family.form.name
        self.window = window
        inputs = family.spec.inputs.names
        seed = family.seed
        stores = snapshot.storeCount
        series = snapshot.series.count
        seriesDays = snapshot.dayCount
        trainingWindows = family.trainingWindows
        lastTrainingDay = family.asOf.iso8601
        evaluatedFrom = family.evaluatedFrom.iso8601
        evaluatedDays = family.evaluatedDays
        evaluatedOn = family.variants.contains { $0.test != nil } ? "test" : "validation"
        snapshotDigest = snapshot.digest
        self.seconds = seconds
        variants = family.variants.map {
            Figures(name: $0.name, $0.evaluation, $0)
        }
        baselines = family.baselines.map { Figures(name: $0.name, $0.accuracy) }
    }

    func json() throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        return String(decoding: try encoder.encode(self), as: UTF8.self)
    }

    var text: String {
        var table = TextTable([
            ("FORECASTER", .left), ("PARAMS", .right), ("EPOCH", .right), ("WAPE%", .right),
            ("BIAS%", .right), ("MAPE%", .right), ("ZEROS", .right), ("SMAPE%", .right),
            ("RMSE", .right),
        ])
        for row in variants + baselines {
            table.add([
                row.name.replacing(" ", with: "-"), row.parameters.map { "\($0)" } ?? "",
                row.bestEpoch.map { "\($0)" } ?? "", Figure.fixed(row.wapePercent, decimals: 2),
                Figure.fixed(row.biasPercent, decimals: 2),
                Figure.fixed(row.mapePercent, decimals: 2), "\(row.excludedZeroActuals)",
                Figure.fixed(row.symmetricMapePercent, decimals: 2),
                Figure.fixed(row.rootMeanSquareError, decimals: 3),
            ])
        }
        return """
            family \(family): \(form), \(series) series of \(stores) stores, \
            \(trainingWindows) windows to \(lastTrainingDay), seed \(seed), \
            \(Figure.fixed(seconds, decimals: 1)) s
            inputs beside sales: \(inputs)
            \(evaluatedOn) days: \(evaluatedDays) from \(evaluatedFrom), one day ahead
            \(table.text)
            """
    }
}
