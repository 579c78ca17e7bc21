package import Forecasting
package import HubCore

/// What a store's own days say: demand that left its forecasts, errors that scatter, accuracy that got worse.
package struct StoreSigns: Sendable {
    package private(set) var findings: [Finding] = []
    /// The release that the store's latest days are of, and the first of them; nil: none yet.
    package private(set) var model: (release: UInt64, since: BusinessDay)?

    /// - Parameters:
    ///   - days: of the last `DriftWatch.daysMax`, ascending.
    ///   - chain: of the model that the latest days are of; nil: not known.
    package init(store: StoreID, days: [WatchedDay], chain: ChainReference? = nil) {
        let epochs = ModelEpochs.split(days)
        guard let watch = DriftWatch(epochs, chain: chain), let current = epochs.last else {
            return
        }
        model = current.first.map { (watch.release, $0.day) }
        let subject = AlertSubject.store(store)
        if let shift = watch.shift, abs(shift.share) >= DriftWatch.shareMin {
            let share = DriftExplanation.share(shift.share)
            var detail = [
                "cumulative sum \(Figure.fixed(shift.sum, decimals: 1)) of "
                    + "\(Figure.fixed(DriftWatch.Limits().limit, decimals: 0)) at which it opens"
            ]
            if let reference = watch.reference {
                detail.append(
                    "judged by \(reference.days) days of release \(watch.release)"
                        + (chain.map { " and by \($0.stores) stores under it" } ?? "") + ": level "
                        + "\(Figure.fixed(reference.level, decimals: 2)), deviation "
                        + "\(Figure.fixed(reference.deviation, decimals: 2)), correlation of "
                        + "neighbours \(Figure.fixed(reference.persistence, decimals: 2)), dispersion "
                        + Figure.fixed(reference.dispersion, decimals: 4))
            } else {
                detail.append(
                    "judged by the deviation under the release before: the model is \(watch.days) days"
                        + " old, of \(DemandReference.daysMin) that it takes to know its own")
            }
            findings.append(
                Finding(
                    .demandShift, subject, .page,
                    title:
                        "store \(store.text) sells \(shift.isUpwards ? "more" : "less") than is forecast since "
                        + "\(shift.since.iso8601): \(share)",
                    detail: detail, stores: [store], since: shift.since))
        }
        if let spread = watch.spread {
            findings.append(
                Finding(
                    .errorSpread, subject, .warn,
                    title:
                        "errors of store \(store.text) scatter "
                        + "\(Figure.fixed(spread.ratio, decimals: 1)) times as much as before since "
                        + spread.since.iso8601,
                    stores: [store], since: spread.since))
        }
        let accuracy = AccuracyWatch(current)
        if let decline = accuracy.wape ?? accuracy.valueAdded {
            func weeks(_ decline: AccuracyWatch.Decline, _ name: String) -> String {
                let figures = decline.weeks.map { Figure.percent(100 * $0, decimals: 1) }
                return
                    "\(name) \(figures.joined(separator: " and ")), usually "
                    + Figure.percent(100 * decline.usual, decimals: 1)
            }
            let lines = [
                accuracy.wape.map { weeks($0, "WAPE") },
                accuracy.valueAdded.map { weeks($0, "value added") },
            ].compactMap { $0 }
            findings.append(
                Finding(
                    .accuracyWorse, subject, .warn,
                    title: "forecasts of store \(store.text) got worse, two weeks in a row: "
                        + lines[0],
                    detail: Array(lines.dropFirst()), stores: [store], since: decline.since))
        }
    }
}

extension StoreSigns {
    /// Adds lines to what is said of a finding.
    package mutating func explain(_ index: Int, _ lines: [String]) {
        findings[index].detail = ([findings[index].detail] + lines).joined(separator: "\n")
    }
}
