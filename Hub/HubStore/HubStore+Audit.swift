package import HubCore

extension HubStore {
    /// Newest first.
    package func audit(countMax: Int) async throws -> [AuditRecord] {
        try await audit(before: nil, countMax: countMax)
    }
}
