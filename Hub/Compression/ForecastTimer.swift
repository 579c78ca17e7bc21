import Forecasting
package import ModelPackage

/// How long the device's engine takes for one forecast, features included, on this machine.
package enum ForecastTimer {
    private static let repeats = 7
    /// Each repeat goes on at least so long, far above what a clock can tell.
    private static let repeatNanoseconds = 2_000_000

    /// - Parameter package: with golden vectors: the first one is forecast over and over.
    /// - Returns: the median of several repeats, at least 1.
    package static func nanoseconds(of package: ModelPackage) throws(EngineError) -> Int {
        let engine = try Engine(package, budgetBytes: .max)
        guard let golden = package.goldenVectors.first else { throw .noGoldenVectors }
        let clock = ContinuousClock()
        /// Keeps the forecasts from being left out.
        var sum: Int32 = 0
        func time(_ count: Int) -> Int {
            let elapsed = clock.measure {
                for _ in 0..<count {
                    sum &+=
                        engine.forecast(
                            index: golden.item, level: golden.level, recentDays: golden.recentDays,
                            target: golden.target
                        ).networkOutput
                }
            }
            return Int(elapsed / .nanoseconds(1))
        }
        var count = 16
        while count < 1 << 20, time(count) < repeatNanoseconds { count *= 2 }
        let times = (0..<repeats).map { _ in time(count) }.sorted()
        precondition(sum != .min || times[0] > 0)
        return max(1, times[repeats / 2] / count)
    }
}
