import Forecasting
import HubCore
package import Watching

/// What watching many simulated stores comes to: the code as it runs, which learns each store's own scale first, in chains.
package struct WatchTrial: Sendable {
    /// Judged days of one model in a run without a shift.
    package static let quietDays = DriftWatch.daysMax - DemandReference.daysMin
    /// A shift comes after so many days, when a store has been learnt for some months.
    package static let daysBefore = 120
    /// A shift is waited for so long.
    package static let delayMax = SignalDelay.daysMax

    /// The chain is looked at anew so often in a run without a shift.
    private static let daysBetweenLooks = 28

    package var law: DemandLaw
    /// Stores of the same law that are watched together.
    package var chainStores: Int
    package var limits: DriftWatch.Limits

    package init(
        _ law: DemandLaw, chainStores: Int = 1, limits: DriftWatch.Limits = DriftWatch.Limits()
    ) {
        self.law = law
        self.chainStores = chainStores
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

    /// Of stores where nothing happens. Each day is judged by what the chain was like weeks before.
    package func falseAlarms(stores: Int, seed: UInt64 = 0) -> FalseAlarms {
        var result = FalseAlarms()
        for chain in chains(of: stores) {
            let stores = chain.map { number in
                var store = SimulatedStore(law, seed: seed + number)
                return (0..<DriftWatch.daysMax).map { _ in store.next(shift: 0) }
            }
            var looks = stride(
                from: DemandReference.daysMin, to: DriftWatch.daysMax, by: Self.daysBetweenLooks
            ).map { $0 }
            if chain.count == 1 { looks = [looks[0]] }
            for (look, start) in looks.enumerated() {
                let known = reference(of: stores.map { Array($0[..<start]) })
                let isLast = look == looks.count - 1
                for days in stores {
                    let end = isLast ? days.count : looks[look + 1]
                    let epochs = ModelEpochs.split(Array(days[..<end]))
                    guard let watch = DriftWatch(epochs, chain: known, limits: limits),
                        let judged = epochs.last
                    else { continue }
                    // Those of before were counted, by what was known of the chain then.
                    let first = look == 0 ? days[0].day : days[start].day
                    result.shifts += watch.signals.count { judged[$0].day >= first }
                    result.spreads += watch.spreadSignals.count { judged[$0].day >= first }
                }
            }
            result.years += Double(stores.count) * Double(Self.quietDays) / 365
            for days in stores { result.declines += declines(days) }
        }
        return result
    }

    /// A decline stands while the last two weeks are bad: counted where it begins.
    private func declines(_ days: [WatchedDay]) -> Int {
        let judged = days.filter { $0.z != nil }
        var count = 0
        var stands = false
        for end in stride(from: 7, through: judged.count, by: 7) {
            let accuracy = AccuracyWatch(Array(judged.prefix(end)))
            let declines = accuracy.wape != nil || accuracy.valueAdded != nil
            if declines, !stands { count += 1 }
            stands = declines
        }
        return count
    }

    /// Calendar days from a shift, which stays, to the signal, over stores that were quiet until then.
    /// - Parameter sigmas: of the store's own z.
    package func delay(sigmas: Double, stores: Int, seed: UInt64 = 0) -> SignalDelay {
        var delay = SignalDelay()
        for chain in chains(of: stores) {
            var stores = chain.map { SimulatedStore(law, seed: seed + 500_000 + $0) }
            let before = stores.indices.map { index in
                (0..<Self.daysBefore).map { _ in stores[index].next(shift: 0) }
            }
            let known = reference(of: before)
            for index in stores.indices {
                let shift = sigmas * stores[index].deviation()
                let after = (0..<Self.delayMax).map { _ in stores[index].next(shift: shift) }
                let epochs = ModelEpochs.split(before[index] + after)
                guard let watch = DriftWatch(epochs, chain: known, limits: limits),
                    let judged = epochs.last, let first = after.first
                else { continue }
                let signals = watch.signals.map { judged[$0].day }
                // A false alarm before tells nothing of the delay.
                guard !signals.contains(where: { $0 < first.day }) else { continue }
                delay.add(
                    days: signals.first.map { Int($0.daysSince1970 - first.day.daysSince1970) + 1 })
            }
        }
        return delay
    }

    /// The numbers of the stores, chain by chain.
    private func chains(of stores: Int) -> [Range<UInt64>] {
        stride(from: 0, to: stores, by: chainStores).map {
            UInt64($0)..<UInt64(min(stores, $0 + chainStores))
        }
    }

    private func reference(of stores: [[WatchedDay]]) -> ChainReference? {
        ChainReference(
            stores.compactMap { DriftWatch(ModelEpochs.split($0), limits: limits)?.reference?.own })
    }
}
