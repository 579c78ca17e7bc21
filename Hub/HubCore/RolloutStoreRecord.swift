package import Forecasting

/// How a rollout does in one store.
package struct RolloutStoreRecord: Hashable, Sendable {
    package var store: StoreID
    /// nil: it was not rolled back there.
    package var rolledBackAt: Timestamp?
    package var why: String
    /// What the errors of its devices in trial say so far; empty: nothing yet.
    package var verdict: String

    package init(store: StoreID, rolledBackAt: Timestamp?, why: String, verdict: String) {
        self.store = store
        self.rolledBackAt = rolledBackAt
        self.why = why
        self.verdict = verdict
    }
}
