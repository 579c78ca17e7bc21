package import Forecasting

/// What the hub wants one device to run, with the reason that operator and device both read.
package enum VariantChoice: Hashable, Sendable {
    case run(PackageRecord, reason: String)
    /// Something is assigned, and nothing of it can run on the device: it stays as it is.
    case noFit(reason: String)

    package var reason: String {
        switch self {
        case .run(_, let reason), .noFit(let reason): reason
        }
    }

    /// The most accurate package of `family` that the device can run.
    ///
    /// Considered are, of the family's newest release, the packages for the device's own store;
    /// where the family has none for that store, those for any store. Of these count the ones whose
    /// features the device has, whose arena fits its budget and which are fast enough there, as far as
    /// that is known (`ForecastTime`); among them the least evaluation WAPE, then the smaller arena, then
    /// the lower digest.
    /// - Parameters:
    ///   - releaseMax: newer packages do not count; nil: all do.
    ///   - nanosecondsMax: of one forecast; nil: any.
    package static func choose(
        family: String, releaseMax: UInt64? = nil, store: StoreID,
        capabilities: DeviceCapabilities?, nanosecondsMax: Int? = nil,
        among packages: some Sequence<PackageRecord>
    ) -> VariantChoice {
        guard let capabilities else {
            return .noFit(reason: "the device has not registered yet: its memory budget is unknown")
        }
        let ofFamily = packages.filter {
            $0.family == family && $0.release <= releaseMax ?? .max
        }
        let own = ofFamily.filter { $0.store == store }
        let scope = own.isEmpty ? ofFamily.filter { $0.store == nil } : own
        guard let newest = scope.map(\.release).max() else {
            return .noFit(reason: "family \(family) has no package for store \(store.text)")
        }
        let candidates = scope.filter { $0.release == newest }
        let features = Set(capabilities.runtimeFeatures)
        let runnable = candidates.filter { features.isSuperset(of: $0.requiredFeatures) }
        guard let smallest = runnable.map(\.arenaBytes).min() else {
            let missing = candidates.flatMap(\.requiredFeatures).filter { !features.contains($0) }
            return .noFit(
                reason: "every package of \(family) needs what the device lacks: "
                    + Array(Set(missing)).sorted().joined(separator: ", ")
                    + "; a newer agent may have it")
        }
        let budget = capabilities.modelMemoryBudgetBytes
        let fitting = runnable.filter { UInt64($0.arenaBytes) <= budget }
        guard !fitting.isEmpty else {
            return .noFit(
                reason: "no package of \(family) fits: the smallest arena is \(smallest) bytes, "
                    + "the device's model memory budget is \(budget) bytes")
        }
        let timed = fitting.map { ($0, ForecastTime(of: $0, on: capabilities)) }
        let fast = timed.filter { $0.1.isWithin(nanosecondsMax: nanosecondsMax) }
        let best = fast.min { one, other in
            let (a, b) = (one.0, other.0)
            if a.wape != b.wape { return a.wape < b.wape }
            if a.arenaBytes != b.arenaBytes { return a.arenaBytes < b.arenaBytes }
            return a.digest.lexicographicallyPrecedes(b.digest)
        }
        guard let (best, time) = best else {
            let least = timed.min { ($0.1.nanoseconds ?? 0) < ($1.1.nanoseconds ?? 0) }
            return .noFit(
                reason: "no package of \(family) that fits is fast enough: "
                    + (least.map { "\($0.0.variant) takes \($0.1.text); " } ?? "")
                    + "at most \(Figure.time(nanosecondsMax ?? 0)) a forecast is allowed")
        }
        return .run(
            best,
            reason: "\(best.variant) is the most accurate (WAPE \(Figure.percent(best.wape))) of "
                + "\(fast.count) of \(candidates.count) packages that fit: "
                + "arena \(best.arenaBytes) of \(budget) bytes"
                + (nanosecondsMax.map { "; at most \(Figure.time($0)) a forecast: \(time.basis)" }
                    ?? ""))
    }
}
