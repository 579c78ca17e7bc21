package import Forecasting
package import ModelPackage
package import Training

extension ModelPackage {
    /// The accuracy of a store's package by how its series sold on the training days, forecast by a device's engine as
    /// `PackageBuilder` does. Classes without a series are left out.
    /// - Parameter replay: of the family the package was made of.
    /// - Throws: when the package cannot run.
    package func accuracyByClass(
        _ replay: EvaluationReplay
    ) throws(EngineError) -> [DemandClass: Accuracy] {
        var stated = self
        let engine = try Engine(
            stated.encodeStatingArena(coding: .plain), budgetBytes: .max)
        var accuracies: [DemandClass: Accuracy] = [:]
        for series in 0..<replay.seriesCount {
            let days = replay.evaluatedDays(series: series)
            guard let first = days.first, first.store == manifest.store,
                let demandClass = replay.demandClass(series: series)
            else { continue }
            let index = engine.index(of: first.item)
            var level = first.state.level
            for day in days {
                if let units = day.recordedUnits {
                    let forecast = engine.forecast(
                        index: index, level: level, recentDays: day.recentDays, target: day.target,
                        targetMarks: day.demand.marks)
                    accuracies[demandClass, default: Accuracy()].add(
                        actual: Double(units), forecast: Double(forecast.units))
                }
                level = engine.level(level, index: index, after: day.demand, on: day.target)
            }
        }
        return accuracies
    }
}
