package import Watching

/// The level's two charts alone, on independent normal values whose mean and deviation are known: what their published
/// figures are for.
package enum ChartTrial {
    private static func charts(_ limits: DriftWatch.Limits) -> (up: CUSUM, down: CUSUM) {
        let chart = CUSUM(allowance: limits.allowance, limit: limits.limit, headroom: 4)
        return (chart, chart)
    }

    /// Charts begin anew after each signal.
    package static func falseAlarmsPerYear(
        years: Int, limits: DriftWatch.Limits = DriftWatch.Limits(), seed: UInt64 = 1
    ) -> Double {
        var chance = DemandChance(seed: seed)
        var (up, down) = charts(limits)
        var alarms = 0
        for _ in 0..<years * 365 {
            let value = chance.normal()
            up.add(value)
            down.add(-value)
            guard up.isSignalling || down.isSignalling else { continue }
            alarms += 1
            (up, down) = charts(limits)
        }
        return Double(alarms) / Double(years)
    }

    /// Days from a shift, in deviations, to the signal; each run is quiet for 50 days before.
    package static func delay(
        shift: Double, runs: Int, limits: DriftWatch.Limits = DriftWatch.Limits(), seed: UInt64 = 1
    ) -> SignalDelay {
        var chance = DemandChance(seed: seed)
        var delay = SignalDelay()
        for _ in 0..<runs {
            var (up, down) = charts(limits)
            for _ in 0..<50 {
                let value = chance.normal()
                up.add(value)
                down.add(-value)
            }
            var days = 0
            while !up.isSignalling, days < 1_000 {
                up.add(chance.normal() + shift)
                days += 1
            }
            delay.add(days: up.isSignalling ? days : nil)
        }
        return delay
    }
}
