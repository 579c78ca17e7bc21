import Compression
import Forecasting
import ModelPackage
import Training

/// How good forecasts are, one day ahead on days that training never saw: mean of three seeds, as float
/// and as the integer networks that devices run.
enum AccuracyGroup {
    private static let seeds: ClosedRange<UInt64> = 1...3

    static func run(_ report: inout BenchReport) throws {
        if let series = try ReferenceData.simulated.series(report) {
            let testFrom = ReferenceData.simulated.testFrom
            for units in [64, 32, 16] {
                try measure("accuracy.plain\(units)", .plain, units, series, testFrom, &report)
            }
            try measure("accuracy.calendar", .calendar, 4, series, testFrom, &report)
            try measure("accuracy.profile", .profile, 2, series, testFrom, &report)
            // The fewest bytes for an operator who is measured by MAPE.
            let loss = Loss.absolutePercentage
            try measure("frontier.calendar", .calendar, 3, loss: loss, series, testFrom, &report)
            try measure(
                "frontier.calendarSmall", .calendar, 2, loss: loss, series, testFrom, &report)
            try measure("frontier.profile", .profile, 1, loss: loss, series, testFrom, &report)
        }
        if let series = try ReferenceData.real.series(report) {
            let testFrom = ReferenceData.real.testFrom
            try measure("accuracy.real.profile", .profile, 6, series, testFrom, &report)
            try measure("frontier.real", .profile, 4, series, testFrom, &report)
        }
    }

    private static func measure(
        _ name: String, _ form: ModelForm, _ units: Int, loss: Loss = .automatic,
        _ series: [TrainingSeries], _ testFrom: BusinessDay, _ report: inout BenchReport
    ) throws {
        var float = Means()
        var integer = Means()
        var alone = Means()
        var (packageBytes, payloadBytes) = (0, 0)
        var classes: [DemandClass: Means] = [:]
        var parameters = 0
        for seed in seeds {
            var plan = TrainingPlan(form: form, units: [units], seed: seed, testFrom: testFrom)
            plan.loss = loss
            let family = try train(series: series, plan: plan)
            float.add(family.variants[0].evaluation)
            parameters = family.variants[0].parameters.shape.parameterCount
            let builder = try PackageBuilder(
                family: family, name: "bench", series: series, lineage: "")
            let replay = try EvaluationReplay(series: series, family: family)
            var accuracy = Accuracy()
            var byClass: [DemandClass: Accuracy] = [:]
            for store in family.starts {
                let built = try builder.build(variant: 0, store: store.store, release: 1)
                accuracy.merge(built.accuracy)
                packageBytes = max(packageBytes, built.bytes.count)
                payloadBytes = max(
                    payloadBytes, try PackageBytes(of: built.bytes).payload)
                for (kind, part) in try built.package.accuracyByClass(replay) {
                    byClass[kind, default: Accuracy()].merge(part)
                }
            }
            integer.add(accuracy)
            if let profile = family.baselines.first(where: { $0.name == "smoothed profile" }) {
                alone.add(profile.accuracy)
            }
            for (kind, part) in byClass { classes[kind, default: Means()].add(part) }
        }
        if name.hasPrefix("frontier") {
            // A point of the frontier is a package that a device runs, nothing else.
            integer.report(name, &report)
            report.add(name + ".fileBytes", Double(packageBytes), "B")
        } else {
            float.report(name, &report)
            integer.report(name + ".int8", &report)
            report.add(name + ".packageBytes", Double(packageBytes), "B")
            if form == .profile { alone.report(name + ".alone", &report) }
        }
        if classes.count > 1 {
            for kind in DemandClass.allCases {
                classes[kind]?.report("\(name).\(kind.name)", &report)
            }
        }
        report.add(name + ".parameters", Double(parameters), "")
        report.add(name + ".payloadBytes", Double(payloadBytes), "B")
    }

    private struct Means {
        private var sums = (mape: 0.0, wape: 0.0, bias: 0.0, error: 0.0)
        private var count = 0.0

        mutating func add(_ accuracy: Accuracy) {
            guard let mape = accuracy.mape, let wape = accuracy.wape, let bias = accuracy.bias,
                let error = accuracy.rootMeanSquareError
            else { preconditionFailure("the reference data has sales on its test days") }
            sums = (
                sums.mape + mape, sums.wape + wape, sums.bias + bias, sums.error + error
            )
            count += 1
        }

        func report(_ name: String, _ report: inout BenchReport) {
            report.add(name + ".mape", sums.mape / count, "%")
            report.add(name + ".wape", sums.wape / count, "%")
            report.add(name + ".bias", sums.bias / count, "%")
            report.add(name + ".rmse", sums.error / count, "units")
        }
    }
}
