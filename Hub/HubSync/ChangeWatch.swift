package import Forecasting
package import HubStore

/// Tells which connected devices a change of the database may concern.
package struct ChangeWatch: Sendable {
    package enum Concern: Equatable, Sendable {
        case nobody
        case stores(Set<StoreID>)
        case everybody
    }

    private let store: any HubStore
    private var counter: Int64?

    package init(store: any HubStore) { self.store = store }

    /// What other processes commit (a push, a package built, a device revoked, an import) is made by
    /// hand and rare, so every connected device looks; one that finds nothing new is sent nothing.
    /// What the hub commits itself is frequent, and concerns the store it says.
    /// - Parameter changedHere: stores whose day totals this process has changed.
    package mutating func look(changedHere: Set<StoreID>) async throws -> Concern {
        let counter = try await store.changeCounter()
        defer { self.counter = counter }
        // What was committed between the opening of the listener and the first look is not known.
        guard counter == self.counter else { return .everybody }
        return changedHere.isEmpty ? .nobody : .stores(changedHere)
    }
}
