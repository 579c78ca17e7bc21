import Forecasting
import Training

/// Speed and memory of training: LSTM-64 on 72,450 windows of 14 × 1, batch 128, as the peers are measured.
enum TrainGroup {
    private static let windows = 72_450
    private static let epochs = 5

    static func run(_ report: inout BenchReport) throws {
        guard let series = try ReferenceData.simulated.series(report) else { return }
        // Targets up to 2017-01-02 train, 28 days validate.
        var plan = TrainingPlan(
            form: .plain, units: [64], testFrom: BusinessDay(year: 2017, month: 1, day: 31)!)
        plan.validationDays = 28
        plan.epochs = epochs
        plan.patience = epochs
        plan.batch = 128

        // From the end of one epoch to the end of the next, its validation included.
        var ends: [(wall: ContinuousClock.Instant, cpu: Double)] = []
        let family = try train(series: series, plan: plan) { progress in
            if progress.epochFraction == 1 {
                ends.append((.now, BenchReport.cpuSeconds()))
            }
        }
        precondition(family.trainingWindows == windows)
        let pairs = zip(ends, ends.dropFirst())
        let wall = pairs.map { $0.wall.duration(to: $1.wall) / .seconds(1) }
        let cpu = pairs.map { $1.cpu - $0.cpu }
        report.add("train.lstm64.epochSeconds", median(wall), "s")
        report.add("train.lstm64.epochCPUSeconds", median(cpu), "s")
        report.add("train.peakMB", BenchReport.peakMegabytes(), "MB")
    }

    private static func median(_ values: [Double]) -> Double {
        values.sorted()[values.count / 2]
    }
}
