import HubCore
import HubStore

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// What is on its way, brought up to date.
enum AutopilotUpkeep {
    /// Brings what is listed up to date: rollouts that have ended, runs that were cut off.
    static func settle(_ store: any HubStore, dataDirectory: String) async throws {
        let store = store.acting(as: "autopilot")
        // Without one that seems to go on the lock stays free for whoever begins one now.
        let seemsToGoOn = try await store.autopilotRuns(countMax: AutopilotSchedule.runsMax)
            .contains { $0.stage.isOfProcess }
        if seemsToGoOn, let lock = try AutopilotLock(dataDirectory: dataDirectory) {
            try await store.endCutOffAutopilotRuns(at: .now)
            withExtendedLifetime(lock) {}
        }
        try await store.followAutopilotRuns(at: .now)
    }
}

/// Work that gives way to everything else on the machine.
enum Background {
    private static let niceness: Int32 = 10

    /// This process from now on. Where the system refuses it goes on as it is.
    static func enter() { _ = nice(niceness) }
}
