import Forecasting
package import ModelPackage

/// How long the device's own code takes on this machine: the least of several repeats, which other work on the machine
/// disturbs least, so that two networks can be compared.
package enum PackageTimer {
    private static let repeats = 15
    /// Each repeat goes on at least so long, far above what a clock can tell.
    private static let repeatNanoseconds = 2_000_000

    /// One forecast, features included.
    /// - Parameter package: with golden vectors: the first one is forecast over and over.
    /// - Returns: at least 1.
    package static func forecastNanoseconds(of package: ModelPackage) throws(EngineError) -> Int {
        var stated = package
        let engine = try Engine(stated.encodeStatingArena(), budgetBytes: .max)
        guard let golden = package.goldenVectors.first else { throw .noGoldenVectors }
        /// Keeps the forecasts from being left out.
        var sum: Int32 = 0
        let least = least {
            sum &+=
                engine.forecast(
                    index: golden.item, level: golden.level, recentDays: golden.recentDays,
                    target: golden.target, targetMarks: golden.targetMarks
                ).networkOutput
        }
        precondition(sum != .min || least > 0)
        return least
    }

    /// Reading a package's file into its arena, decompression and all checks included.
    /// - Returns: at least 1.
    package static func decodeNanoseconds(of file: [UInt8]) throws(EngineError) -> Int {
        var arenaBytes = try Engine(file, budgetBytes: .max).arenaBytes
        let least = least {
            // It was read a moment ago.
            if let engine = try? Engine(file, budgetBytes: .max) {
                arenaBytes &+= engine.arenaBytes
            }
        }
        precondition(arenaBytes != 0)
        return least
    }

    private static func least(_ work: () -> Void) -> Int {
        let clock = ContinuousClock()
        func time(_ count: Int) -> Int {
            let elapsed = clock.measure { for _ in 0..<count { work() } }
            return Int(elapsed / .nanoseconds(1))
        }
        var count = 4
        while count < 1 << 20, time(count) < repeatNanoseconds { count *= 2 }
        let least = (0..<repeats).map { _ in time(count) }.min() ?? 0
        return max(1, least / count)
    }
}
