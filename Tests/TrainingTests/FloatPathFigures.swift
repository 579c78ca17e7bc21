import Forecasting
import Testing
import Training

/// Expects a family's figures, of its first variant on its test days, to be those of forecasts made one by one with the device's
/// float path.
/// - Parameter each: sees every forecast and its day.
/// - Returns: how many forecasts there were.
@discardableResult
func expectFiguresOfFloatPath(
    of family: TrainedFamily, _ series: [TrainingSeries],
    sourceLocation: SourceLocation = #_sourceLocation,
    each: (ReplayDay, Float) -> Void = { _, _ in }
) throws -> Int {
    let replay = try EvaluationReplay(series: series, family: family)
    var accuracy = Accuracy()
    for index in 0..<replay.seriesCount {
        for day in replay.evaluatedDays(series: index) {
            guard let units = day.recordedUnits else { continue }
            let forecast = family.model(variant: 0).forecast(
                state: day.state, profile: UInt16(day.profile), recentDays: day.recentDays,
                target: day.target, targetMarks: day.demand.marks)
            accuracy.add(actual: Double(units), forecast: Double(forecast))
            each(day, forecast)
        }
    }
    let trained = try #require(family.variants[0].test, sourceLocation: sourceLocation)
    #expect(accuracy.count == trained.count, sourceLocation: sourceLocation)
    #expect(
        abs(accuracy.absoluteErrorSum / trained.absoluteErrorSum - 1) < 1e-5,
        sourceLocation: sourceLocation)
    #expect(
        abs(accuracy.forecastSum / trained.forecastSum - 1) < 1e-5, sourceLocation: sourceLocation)
    return accuracy.count
}
