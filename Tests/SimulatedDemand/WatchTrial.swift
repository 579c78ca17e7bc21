import Forecasting
import HubCore
package import Watching

/// What watching many simulated stores comes to: the code as it runs, which learns each store's own scale first.
package struct WatchTrial: Sendable {
    /// Judged days of one model in a run without a shift.
    package static let quietDays = DriftWatch.daysMax - DemandReference.daysMin
    /// A shift comes after so many days, when a store has been learnt for some months.
    package static let daysBefore = 120
    /// A shift is waited for so long.
    package static let delayMax = SignalDelay.daysMax

    package var law: DemandLaw
    package var limits: DriftWatch.Limits

    package init(_ law: DemandLaw, limits: DriftWatch.Limits = DriftWatch.Limits()) {
        self.law = law
        self.limits = limits
    }

    package struct FalseAlarms: Hashable, Sendable {
        package var shifts = 0
        package var spreads = 0
        package var declines = 0
        package var years = 0.0

        package var shiftsPerYear: Double { Double(shifts) / years }
        package var spreadsPerYear: Double { Double(spreads) / years }
        package var declinesPerYear: Double { Double(declines) / years }
    }

    /// Of stores where nothing happens.
    package func falseAlarms(stores: Int, seed: UInt64 = 0) -> FalseAlarms {
        var result = FalseAlarms()
        for number in 0..<UInt64(stores) {
            var store = SimulatedStore(law, seed: seed + number)
            let days = (0..<DriftWatch.daysMax).map { _ in store.next(shift: 0) }
            let judged = days.filter { $0.z != nil }
            guard let watch = DriftWatch(ModelEpochs.split(days), limits: limits) else { continue }
            result.shifts += watch.signals.count
            result.spreads += watch.spreadSignals.count
            result.years += Double(Self.quietDays) / 365
            // A decline stands while the last two weeks are bad: counted where it begins.
            var stands = false
            for end in stride(from: 7, through: judged.count, by: 7) {
                let accuracy = AccuracyWatch(Array(judged.prefix(end)))
                let declines = accuracy.wape != nil || accuracy.valueAdded != nil
                if declines, !stands { result.declines += 1 }
                stands = declines
            }
        }
        return result
    }

    /// Calendar days from a shift, which stays, to the signal, over stores that were quiet until then.
    /// - Parameter sigmas: of the store's own z.
    package func delay(sigmas: Double, stores: Int, seed: UInt64 = 0) -> SignalDelay {
        let shift = sigmas * SimulatedStore.deviation(of: law)
        var delay = SignalDelay()
        for number in 0..<UInt64(stores) {
            var store = SimulatedStore(law, seed: seed + 500_000 + number)
            var days = (0..<Self.daysBefore).map { _ in store.next(shift: 0) }
            let start = days.count
            for _ in 0..<Self.delayMax { days.append(store.next(shift: shift)) }
            let epochs = ModelEpochs.split(days)
            guard let watch = DriftWatch(epochs, limits: limits), let judged = epochs.last,
                let first = days[start...].first
            else { continue }
            let signals = watch.signals.map { judged[$0].day }
            // A false alarm before tells nothing of the delay.
            guard !signals.contains(where: { $0 < first.day }) else { continue }
            delay.add(
                days: signals.first.map { Int($0.daysSince1970 - first.day.daysSince1970) + 1 })
        }
        return delay
    }
}
