package import HubCore
package import HubStore

/// Sends what waits in the outbox. What was sent is noted after it arrived: a process that ends between the two sends it again,
/// with the same id.
package struct AlertDeliverer: Sendable {
    /// Of one destination, before the others get their turn again.
    package static let perTurnMax = 8

    package struct Failure: Hashable, Sendable {
        package var destination: String
        package var notice: Int64
        package var problem: String
    }

    private let store: any HubStore
    private let limits: SendLimits

    package init(store: any HubStore, limits: SendLimits = SendLimits()) {
        self.store = store
        self.limits = limits
    }

    /// Tries what is due: all destinations at once, each one's notices in order, until one fails.
    /// - Returns: what failed.
    package func turn(now: @escaping @Sendable () -> Timestamp) async throws -> [Failure] {
        let due = try await store.dueDeliveries(at: now(), countMax: Self.perTurnMax)
        guard !due.isEmpty else { return [] }
        let destinations = Dictionary(
            try await store.alertDestinations().map { ($0.name, $0) },
            uniquingKeysWith: { first, _ in first })
        return try await withThrowingTaskGroup(of: [Failure].self) { group in
            for (name, deliveries) in Dictionary(grouping: due, by: \.destination) {
                guard let destination = destinations[name] else { continue }
                group.addTask { try await send(deliveries, to: destination, now: now) }
            }
            var failures: [Failure] = []
            for try await some in group { failures += some }
            return failures
        }
    }

    private func send(
        _ deliveries: [AlertDelivery], to destination: AlertDestination,
        now: @Sendable () -> Timestamp
    ) async throws -> [Failure] {
        for delivery in deliveries {
            do {
                try await AlertSender.send(delivery, to: destination, limits: limits, at: now())
                try await store.noteDelivery(delivery, problem: nil, at: now())
            } catch let error as SendError {
                try await store.noteDelivery(delivery, problem: error.description, at: now())
                return [
                    Failure(
                        destination: destination.name, notice: delivery.notice,
                        problem: error.description)
                ]
            }
        }
        return []
    }
}
