package import Forecasting
package import HubCore

/// What the autopilot goes by, as every reader gets it, command and page alike.
extension HubStore {
    /// Of each store the package that most of its approved devices run, by store. Stores where nothing runs, or nothing
    /// that this hub knows, are left out.
    package func runningPackages() async throws -> [(store: StoreID, package: PackageRecord)] {
        let known = Dictionary(
            try await packages(family: nil).map { ($0.digest, $0) },
            uniquingKeysWith: { first, _ in first })
        var counts: [StoreID: [[UInt8]: Int]] = [:]
        for device in try await devices(store: nil) where device.status == .approved {
            guard let digest = device.running?.digest, known[digest] != nil else { continue }
            counts[device.store, default: [:]][digest, default: 0] += 1
        }
        return counts.compactMap { store, digests in
            let most = digests.max { a, b in
                a.value != b.value ? a.value < b.value : b.key.lexicographicallyPrecedes(a.key)
            }
            return most.flatMap { known[$0.key] }.map { (store, $0) }
        }.sorted { $0.store < $1.store }
    }

    /// Stores whose demand has shifted, by the alerts that stand, by store.
    package func driftingStores() async throws -> [StoreDrift] {
        var query = AlertQuery(states: [.open, .acknowledged], countMax: AlertQuery.countMax)
        query.kind = .demandShift
        return try await alerts(query).compactMap { alert in
            guard case .store(let id) = alert.subject, let since = alert.since else { return nil }
            return StoreDrift(store: id, since: since)
        }.sorted { $0.store < $1.store }
    }

    /// Why the autopilot would run by itself now.
    /// - Returns: nil: nothing is due.
    package func dueAutopilotCause(at now: Timestamp) async throws -> AutopilotCause? {
        let settings = try await autopilotSettings()
        guard settings.mode != .off else { return nil }
        var counts: [String: Int] = [:]
        for one in try await runningPackages() { counts[one.package.family, default: 0] += 1 }
        let most = counts.values.max()
        // Of the family that runs in most stores.
        let trainedThrough = try await families().filter { counts[$0.name] == most && most != nil }
            .map(\.asOf).max()
        var last: BusinessDay?
        for record in try await stores() {
            guard let day = try await lastKnownDay(store: record.id) else { continue }
            last = max(last ?? day, day)
        }
        return AutopilotSchedule.cause(
            settings, runs: try await autopilotRuns(countMax: AutopilotSchedule.runsMax),
            drifts: try await driftingStores(), trainedThrough: trainedThrough, lastDay: last,
            at: now)
    }

    /// Follows the runs whose process has done its part to the end of their rollouts; what the hub itself has paused is
    /// aborted, and ends at the next look. To be called as the autopilot (`acting(as:)`).
    /// - Returns: the runs that have ended with this look.
    @discardableResult
    package func followAutopilotRuns(at now: Timestamp) async throws -> [AutopilotRecord] {
        var ended: [AutopilotRecord] = []
        for var run in try await autopilotRuns(countMax: AutopilotSchedule.runsMax)
        where run.stage == .rollingOut {
            let id = run.rollout ?? 0
            let rollout = try await rollouts().first { $0.id == id }
            let isPausedByHub = rollout?.state == .paused ? try await isPausedByHub(id) : false
            switch AutopilotRecord.followUp(
                rollout, stores: try await rolloutStores(id), isPausedByHub: isPausedByHub)
            {
            case .wait: break
            case .abort(let why):
                guard let rollout else { break }
                do {
                    _ = try await change(
                        rollout: id, by: .abort(why: why), ifStill: rollout.revision, at: now)
                } catch HubStoreError.changedMeanwhile {
                    // Somebody was quicker: the next look sees what he did.
                }
            case .end(let outcome, let why, let realised):
                run.realised = realised
                run.end(outcome, why: why, at: now)
                try await updateAutopilotRun(run, at: now)
                ended.append(run)
            }
        }
        return ended
    }

    /// Whoever paused it last.
    private func isPausedByHub(_ rollout: UInt64) async throws -> Bool {
        // A rollout that stays paused while so much else is done waits for a person.
        try await audit(countMax: 20_000).first {
            $0.object == "rollout \(rollout)" && $0.action == "pause"
        }?.author == "hub"
    }

    /// Ends what was cut off. What was pushed before goes on as a rollout; nothing else of it is used.
    ///
    /// To be called as the autopilot, and only by who makes sure that no process is at work on a run.
    package func endCutOffAutopilotRuns(at now: Timestamp) async throws {
        for var run in try await autopilotRuns(countMax: AutopilotSchedule.runsMax)
        where run.stage.isOfProcess {
            if let family = run.family,
                let rollout = try await rollouts().first(where: { $0.family == family })
            {
                run.stage = .rollingOut
                run.rollout = rollout.id
            } else {
                run.end(
                    .cutOff,
                    why: "its process ended while it was \(run.stage.text); nothing of it is used",
                    at: now)
            }
            try await updateAutopilotRun(run, at: now)
        }
    }
}
