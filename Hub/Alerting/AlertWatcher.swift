import Forecasting
package import HubCore
package import HubStore
package import Watching

/// Looks at the fleet and at the stores whose days changed, and writes what became of alerts. What it keeps spares work and is
/// made anew by another process: a hub that was killed goes on where the database stands.
package actor AlertWatcher {
    private let store: any HubStore
    private let policy: AlertPolicy
    private let limits: FleetSigns.Limits
    /// Since when devices can reach the hub; nil: nobody knows.
    private let listeningSince: Timestamp?

    private struct Known {
        var revision: Int64
        var signs: StoreSigns
    }

    /// What a store's own days say of it, under its model.
    private struct Own {
        var release: UInt64
        var reference: ChainReference.Store
    }

    private var known: [StoreID: Known] = [:]
    private var own: [StoreID: Own] = [:]
    private var newestDay: BusinessDay?
    private var newDayAt: Timestamp?

    package init(
        store: any HubStore, listeningSince: Timestamp?, policy: AlertPolicy = AlertPolicy(),
        limits: FleetSigns.Limits = FleetSigns.Limits()
    ) {
        self.store = store
        self.listeningSince = listeningSince
        self.policy = policy
        self.limits = limits
    }

    /// Whether a day of any store is not as it was looked at.
    package func hasNews() async throws -> Bool {
        let revisions = try await store.watchedStores()
        return revisions.contains { known[$0.key]?.revision != $0.value }
    }

    /// - Returns: the alerts that changed, as they are now.
    @discardableResult
    package func look(at now: Timestamp) async throws -> [AlertRecord] {
        try await judgeStores()
        let standing = try await store.alerts(AlertQuery(countMax: AlertQuery.countMax))
        var recent = AlertQuery(states: [.resolved], countMax: AlertQuery.countMax)
        recent.changedSince = now.advanced(bySeconds: -policy.coolDownSeconds)
        let resolved = try await store.alerts(recent)
        let devices = try await store.devices(store: nil)
        let facts = FleetSigns.Facts(
            devices: devices,
            activity: try await store.deviceActivity(lastDays: limits.daysBack),
            listeningSince: listeningSince, newDayAt: newDayAt,
            standing: Set(standing.map { .init(kind: $0.kind, subject: $0.subject) }))
        if facts.newestDay != newestDay {
            newestDay = facts.newestDay
            newDayAt = now
        }
        let approved = Set(devices.filter { $0.status == .approved }.map(\.store))
        // A store without devices is nobody's concern any more.
        let ofStores = known.filter { approved.contains($0.key) }.values.flatMap(\.signs.findings)
        var book = AlertBook(
            policy: policy, standing: standing, resolved: resolved,
            silences: try await store.silences(at: now), at: now)
        let changes = book.step(
            FleetSigns(facts, limits: limits, at: now).findings + ofStores,
            storeCount: approved.count, endings: endings(of: standing))
        return try await store.apply(changes, at: now)
    }

    /// Stores whose days changed since they were looked at: all of them for what they say of the chain, then each beside it.
    private func judgeStores() async throws {
        let changed = try await store.watchedStores().filter { known[$0.key]?.revision != $0.value }
            .sorted { $0.key < $1.key }
        for (id, _) in changed {
            let epochs = ModelEpochs.split(try await watchedDays(of: id))
            own[id] = DriftWatch(epochs).flatMap { watch in
                watch.reference.map { Own(release: watch.release, reference: $0.own) }
            }
        }
        let chains = Dictionary(grouping: own.values, by: \.release)
            .mapValues { ChainReference($0.map(\.reference)) }
        for (id, revision) in changed {
            // Read again: of all stores at once they would take much memory.
            let days = try await watchedDays(of: id)
            let chain = own[id].flatMap { chains[$0.release] ?? nil }
            var signs = StoreSigns(store: id, days: days, chain: chain)
            for index in signs.findings.indices
            where signs.findings[index].key.kind == .demandShift {
                guard let since = signs.findings[index].since else { continue }
                let lines = DriftExplanation.lines(
                    try await store.observations(
                        store: id, from: since.advanced(by: -56),
                        through: since.advanced(by: 55)), since: since)
                signs.explain(index, lines)
            }
            known[id] = Known(revision: revision, signs: signs)
        }
    }

    private func watchedDays(of id: StoreID) async throws -> [WatchedDay] {
        let last = try await store.lastKnownDay(store: id)
        return try await store.watchedDays(
            store: id, from: last?.advanced(by: -DriftWatch.daysMax))
    }

    /// Why alerts about a store's forecasts end, where its model changed after they began.
    private func endings(of standing: [AlertRecord]) -> [Finding.Key: String] {
        var endings: [Finding.Key: String] = [:]
        for alert in standing where alert.kind.endsWithModel {
            guard case .store(let id) = alert.subject, let model = known[id]?.signs.model,
                let since = alert.since, since < model.since
            else { continue }
            endings[.init(kind: alert.kind, subject: alert.subject)] =
                "the store's model changed: release \(model.release) since \(model.since.iso8601)"
        }
        return endings
    }
}
