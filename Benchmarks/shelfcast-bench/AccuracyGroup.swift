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
            try measure(
                "accuracy.real.profile", .profile, 6, series, ReferenceData.real.testFrom, &report)
        }
    }

    private static func measure(
        _ name: String, _ form: ModelForm, _ units: Int, loss: Loss = .automatic,
        _ series: [TrainingSeries], _ testFrom: BusinessDay, _ report: inout BenchReport
    ) throws {
        var float = Means()
        var integer = Means()
        var (packageBytes, payloadBytes) = (0, 0)
        var parameters = 0
        for seed in seeds {
            var plan = TrainingPlan(form: form, units: [units], seed: seed, testFrom: testFrom)
            plan.loss = loss
            let family = try train(series: series, plan: plan)
            float.add(family.variants[0].evaluation)
            parameters = family.variants[0].parameters.shape.parameterCount
            let builder = try PackageBuilder(
                family: family, name: "bench", series: series, lineage: "")
            var accuracy = Accuracy()
            for store in family.starts {
                let built = try builder.build(variant: 0, store: store.store, release: 1)
                accuracy.merge(built.accuracy)
                packageBytes = max(packageBytes, built.bytes.count)
                payloadBytes = max(payloadBytes, Self.payloadBytes(built.bytes))
            }
            integer.add(accuracy)
        }
        if name.hasPrefix("frontier") {
            // A point of the frontier is a package that a device runs, nothing else.
            integer.report(name, &report)
            report.add(name + ".fileBytes", Double(packageBytes), "B")
        } else {
            float.report(name, &report)
            integer.report(name + ".int8", &report)
            report.add(name + ".packageBytes", Double(packageBytes), "B")
        }
        report.add(name + ".parameters", Double(parameters), "")
        report.add(name + ".payloadBytes", Double(payloadBytes), "B")
    }

    /// Of a package file, the sections network, profiles and starts as they are stored, their heads included: what is
    /// left without the manifest and the forecasts that prove the rest.
    private static func payloadBytes(_ file: [UInt8]) -> Int {
        var at = 5
        func length() -> Int {
            var (value, shift) = (0, 0)
            repeat {
                value |= Int(file[at] & 0x7F) << shift
                shift += 7
                at += 1
            } while file[at - 1] >= 0x80
            return value
        }
        var sum = 0
        while at < file.count {
            let (start, section) = (at, PackageSection(rawValue: file[at]))
            // Packing 0: as is, and then there is one length.
            let isStored = file[at + 1] == 0
            at += 2
            var content = length()
            if !isStored { content = length() }
            at += content
            switch section {
            case .network, .profiles, .starts: sum += at - start
            case .manifest, .goldenVectors, nil: break
            }
        }
        return sum
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
