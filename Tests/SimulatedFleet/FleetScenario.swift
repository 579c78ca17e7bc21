/// What is broken on purpose, to see that the simulation finds it.
package enum FleetMutation: String, CaseIterable, Sendable {
    /// The hub looks at no store's disruption budget.
    case skipsBudget
    /// A device does not remember what it refused.
    case forgetsRefused
    /// A device writes that a package is checked, and the package itself in a second transaction.
    case splitsTransaction
    /// The hub opens the next wave without a look at the one before.
    case opensWavesEarly
    /// The hub tells nobody to go back.
    case takesNothingBack

    /// Of what the simulation says of it.
    package var finding: String {
        switch self {
        case .skipsBudget: "on their way at once"
        case .forgetsRefused: "again"
        case .splitsTransaction: "its candidate is not in its slot"
        case .opensWavesEarly: "is opened"
        case .takesNothingBack: "the hub has"
        }
    }
}

/// One simulated run: everything in it follows from these.
package struct FleetScenario: Sendable {
    package var seed: UInt64
    /// About so many: the last store is filled.
    package var devices: Int
    package var mutation: FleetMutation?

    package init(seed: UInt64, devices: Int = 2_000, mutation: FleetMutation? = nil) {
        self.seed = seed
        self.devices = devices
        self.mutation = mutation
    }
}

/// What must never happen, and did.
package struct FleetViolation: Error, CustomStringConvertible {
    package var description: String
}

/// What a run came to.
package struct FleetOutcome: Sendable, Equatable {
    package var devices = 0
    package var stores = 0
    package var days = 0
    package var events = 0
    package var nature = ""
    package var isBad = false
    /// How the second rollout ended.
    package var second = ""
    package var powerCuts = 0
    package var agentCrashes = 0
    package var databasesLost = 0
    package var hubCrashes = 0
    package var messagesLost = 0
    package var messagesLate = 0
    package var pauses = 0
    package var storesRolledBack = 0
    package var refusals = 0
    package var rolledBack = 0
    /// Devices that hold the last model back for a fault of their own: cut short three times in its trial.
    package var withoutLast = 0
}
