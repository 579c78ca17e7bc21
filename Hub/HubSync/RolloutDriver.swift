package import HubCore
package import HubStore

/// Lets the rollouts go on: judges each that is not at its end by its facts, and writes what that came to. It keeps
/// nothing, so a hub that was killed goes on where the database stands.
package struct RolloutDriver: Sendable {
    /// Stores whose errors are compared at a time.
    package static let storesPerTurnMax = 64

    private let store: any HubStore
    /// Since when devices can reach the hub.
    private let listeningSince: Timestamp

    package init(store: any HubStore, listeningSince: Timestamp) {
        self.store = store
        self.listeningSince = listeningSince
    }

    /// One look at every rollout.
    /// - Returns: what was done, a line for each step; empty: nothing.
    package func turn(at now: Timestamp) async throws -> [RolloutStep] {
        var steps: [RolloutStep] = []
        let rollouts = try await store.rollouts()
        // One that is complete may still have devices in trial: who joined late, or was off.
        let newest = rollouts.first { $0.state != .aborted }?.id
        for rollout in rollouts {
            switch rollout.state {
            case .aborted: continue
            case .complete where rollout.id != newest: continue
            case .running, .paused, .complete: break
            }
            _ = try await store.judgeStores(of: rollout, countMax: Self.storesPerTurnMax)
            guard
                let (current, facts) = try await store.rolloutFacts(
                    rollout.id, listeningSince: listeningSince, at: now),
                let step = RolloutEngine.step(current, facts, at: now)
            else { continue }
            // Somebody was quicker: the next turn sees what he did.
            if try await store.apply(step, ifStill: current.revision, at: now) {
                steps.append(step)
            }
        }
        return steps
    }
}
