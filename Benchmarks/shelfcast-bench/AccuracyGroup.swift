import Compression
import Forecasting
import Training

/// How good forecasts are, one day ahead on days that training never saw: mean of three seeds, as float
/// and as the integer networks that devices run.
enum AccuracyGroup {
    private static let seeds: ClosedRange<UInt64> = 1...3

    static func run(_ report: inout BenchReport) throws {
        if let series = try ReferenceData.simulated.series(report) {
            let testFrom = ReferenceData.simulated.testFrom
            try measure(
                "accuracy.plain64", .plain, units: 64, series, testFrom, &report)
            try measure(
                "accuracy.plain32", .plain, units: 32, series, testFrom, &report)
            try measure(
                "accuracy.calendar", .calendar, units: 4, series, testFrom, &report)
            try measure(
                "accuracy.profile", .profile, units: 2, series, testFrom, &report)
        }
        if let series = try ReferenceData.real.series(report) {
            try measure(
                "accuracy.real.profile", .profile, units: 6, series, ReferenceData.real.testFrom,
                &report)
        }
    }

    private static func measure(
        _ name: String, _ form: ModelForm, units: Int, _ series: [TrainingSeries],
        _ testFrom: BusinessDay, _ report: inout BenchReport
    ) throws {
        var float = Means()
        var integer = Means()
        var packageBytes = 0
        var parameters = 0
        for seed in seeds {
            let family = try train(
                series: series,
                plan: TrainingPlan(form: form, units: [units], seed: seed, testFrom: testFrom))
            float.add(family.variants[0].evaluation)
            parameters = family.variants[0].parameters.shape.parameterCount
            let builder = try PackageBuilder(
                family: family, name: "bench", series: series, lineage: "")
            var accuracy = Accuracy()
            for store in family.starts {
                let built = try builder.build(variant: 0, store: store.store, release: 1)
                accuracy.merge(built.accuracy)
                packageBytes = max(packageBytes, built.bytes.count)
            }
            integer.add(accuracy)
        }
        float.report(name, &report)
        integer.report(name + ".int8", &report)
        report.add(name + ".parameters", Double(parameters), "")
        report.add(name + ".packageBytes", Double(packageBytes), "B")
    }

    private struct Means {
        private var sums = (mape: 0.0, wape: 0.0, bias: 0.0)
        private var count = 0.0

        mutating func add(_ accuracy: Accuracy) {
            guard let mape = accuracy.mape, let wape = accuracy.wape, let bias = accuracy.bias
            else { preconditionFailure("the reference data has sales on its test days") }
            sums = (sums.mape + mape, sums.wape + wape, sums.bias + bias)
            count += 1
        }

        func report(_ name: String, _ report: inout BenchReport) {
            report.add(name + ".mape", sums.mape / count, "%")
            report.add(name + ".wape", sums.wape / count, "%")
            report.add(name + ".bias", sums.bias / count, "%")
        }
    }
}
