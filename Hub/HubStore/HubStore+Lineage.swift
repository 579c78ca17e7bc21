package import HubCore

extension HubStore {
    /// Everything from the sales to the devices, of one family.
    /// - Returns: nil: there is no such family.
    package func lineage(family name: String) async throws -> FamilyLineage? {
        let families = try await families()
        guard let family = families.first(where: { $0.name == name }) else { return nil }
        var ancestors: [FamilyRecord] = []
        // A family may stand in its ancestors' place under the same name: never the same twice.
        var next = family.lineage?.parent
        while let parent = next, parent != name, !ancestors.contains(where: { $0.name == parent }),
            let record = families.first(where: { $0.name == parent })
        {
            ancestors.append(record)
            next = record.lineage?.parent
        }
        var run: AutopilotRecord?
        if let id = family.lineage?.autopilotRun { run = try await autopilotRun(id) }
        return FamilyLineage(
            family: family, packages: try await packages(family: name),
            rollouts: try await rollouts().filter { $0.family == name }, run: run,
            ancestors: ancestors)
    }
}
