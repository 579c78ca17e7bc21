package import Forecasting

/// A store whose forecasts are off since a day: its level has moved, say.
package struct StoreDrift: Hashable, Sendable, Codable {
    package var store: StoreID
    /// The first day that is not as the days before.
    package var since: BusinessDay

    package init(store: StoreID, since: BusinessDay) {
        self.store = store
        self.since = since
    }
}

/// Why the autopilot runs.
package struct AutopilotCause: Hashable, Sendable, Codable {
    package enum Trigger: String, Hashable, Sendable, Codable, CaseIterable {
        /// Somebody asked for it.
        case demand
        case schedule
        /// Stores drift.
        case drift
    }

    package var trigger: Trigger
    /// In words.
    package var reason: String
    /// By store; empty unless stores drift.
    package var drifts: [StoreDrift]

    package init(trigger: Trigger, reason: String, drifts: [StoreDrift] = []) {
        self.trigger = trigger
        self.reason = reason
        self.drifts = drifts.sorted { $0.store < $1.store }
    }
}

/// When the autopilot runs by itself.
package enum AutopilotSchedule {
    /// Days after a drift began before it is worth training: what comes after it has to be learnt from and tested on.
    package static let driftDaysMin = 10
    /// Runs that are looked at, the newest first.
    package static let runsMax = 100
    /// Days between two runs for the same drift: what the first one pushed has to be tried.
    package static let driftPauseDays = 14

    /// - Parameters:
    ///   - runs: newest first.
    ///   - drifts: those that are open now.
    ///   - trainedThrough: the last day that what runs now has learnt from; nil: nothing runs.
    ///   - lastDay: the last known day of the chain.
    /// - Returns: nil: nothing is due.
    package static func cause(
        _ settings: AutopilotSettings, runs: [AutopilotRecord], drifts: [StoreDrift],
        trainedThrough: BusinessDay?, lastDay: BusinessDay?, at now: Timestamp
    ) -> AutopilotCause? {
        guard settings.mode != .off, let trainedThrough, let lastDay,
            // One change at a time: what a second one does could not be told apart.
            !runs.contains(where: { $0.stage != .ended })
        else { return nil }
        let ripe = drifts.filter { drift in
            lastDay - drift.since + 1 >= driftDaysMin
                && !runs.contains { run in
                    run.cause.drifts.contains { $0.store == drift.store }
                        && days(from: run.startedAt, to: now) < driftPauseDays
                }
        }
        if !ripe.isEmpty {
            let stores = ripe.map(\.store).sorted().map(\.text).joined(separator: ", ")
            let since = ripe.map(\.since).min()?.iso8601 ?? ""
            return AutopilotCause(
                trigger: .drift,
                reason: ripe.count == 1
                    ? "store \(stores) drifts since \(since)"
                    : "\(ripe.count) stores drift, the first since \(since): \(stores)",
                drifts: ripe)
        }
        let age = lastDay - trainedThrough
        guard age >= settings.everyDays,
            runs.first.map({ days(from: $0.startedAt, to: now) >= settings.everyDays }) ?? true
        else { return nil }
        return AutopilotCause(
            trigger: .schedule,
            reason:
                "what runs has learnt from days up to \(trainedThrough.iso8601), \(age) days ago;"
                + " every \(settings.everyDays) days is asked for")
    }

    private static func days(from then: Timestamp, to now: Timestamp) -> Int {
        Int((now.millisecondsSince1970 - then.millisecondsSince1970) / 86_400_000)
    }
}
