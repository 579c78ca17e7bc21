import SimulatedDemand

/// False alarms and delay of what watches the stores, on simulated ones that it has to learn first; seeds are fixed, so that
/// the figures are the same on every machine. `drift.known` is the charts alone on values whose scale is known; in `alone`
/// a store is judged by its own days, as in a chain of few.
enum DriftGroup {
    private static let quietStores = 2_000
    private static let shiftedStores = 1_000
    private static let chainStores = 50
    /// Other stores than those by which the watch's settings were chosen, whose seeds begin at 0 and at 20,000,000.
    private static let seed: UInt64 = 10_000_000

    static func run(_ report: inout BenchReport) throws {
        report.add(
            "drift.known.falseAlarmsPerStoreYear",
            ChartTrial.falseAlarmsPerYear(years: 20_000), "1/year")
        func add(_ delay: SignalDelay, _ name: String, _ sigmas: Int) {
            let name = "\(name).delayDays.shift\(sigmas)sigma"
            report.add(name, delay.meanDays, "days")
            report.add("\(name).median", delay.medianDays, "days")
        }
        for sigmas in [1, 2] {
            add(ChartTrial.delay(shift: Double(sigmas), runs: 20_000), "drift.known", sigmas)
        }
        for law in DemandLaw.allCases {
            let name = law == .normal ? "drift" : "drift.\(law)"
            for (name, chainStores) in [(name, chainStores), ("\(name).alone", 1)] {
                let trial = WatchTrial(law, chainStores: chainStores)
                let quiet = trial.falseAlarms(stores: quietStores, seed: seed)
                report.add("\(name).falseAlarmsPerStoreYear", quiet.shiftsPerYear, "1/year")
                report.add(
                    "\(name).spread.falseAlarmsPerStoreYear", quiet.spreadsPerYear, "1/year")
                report.add(
                    "\(name).accuracy.falseAlarmsPerStoreYear", quiet.declinesPerYear, "1/year")
                for sigmas in [1, 2] {
                    let delay = trial.delay(
                        sigmas: Double(sigmas), stores: shiftedStores, seed: seed)
                    add(delay, name, sigmas)
                    report.add("\(name).seen.shift\(sigmas)sigma", 100 * delay.seenShare, "%")
                }
            }
        }
    }
}
