package import UpdateTrust

/// Which of the two places a package lies in.
package enum Slot: UInt8, Equatable, Sendable {
    case first = 1
    case second = 2

    package var other: Slot { self == .first ? .second : .first }
}

/// A package the hub wants here: what its statement says, checked (`SignedStatement`), and the statement
/// itself for keeping.
package struct Candidate: Equatable, Sendable {
    package var stated: StatedPackage
    package var statement: [UInt8]
    package var signature: [UInt8]

    package init(stated: StatedPackage, statement: [UInt8], signature: [UInt8]) {
        self.stated = stated
        self.statement = statement
        self.signature = signature
    }
}

/// Why a package does not become the active one.
package enum RefusalReason: Equatable, Sendable {
    /// What arrived is not what the digest names. Tried again a few times: the copy may have been bad.
    case download(String)
    /// Does not fit this device's memory budget; another budget may change that.
    case budget(String)
    /// The package itself. Never tried again.
    case package(String)

    package var text: String {
        switch self {
        case .download(let text), .budget(let text), .package(let text): text
        }
    }
}

/// Where a device stands between the package it runs and the one it should run.
///
/// The caller writes the new state and what the action leaves behind in one transaction before it acts,
/// and after a restart feeds `.restarted`: every action is safe to repeat.
package struct Update: Equatable, Sendable {
    /// How often a trial may be cut short (by a crash or a power cut) before the package is blamed.
    package static let trialsMax = 3

    package enum Phase: Equatable, Sendable {
        case idle
        /// Its bytes are arriving; those received are kept.
        case fetching(Candidate)
        /// All its bytes lie in the inactive slot, and are those the statement names.
        case verified(Candidate)
        /// It is being proved: golden vectors and memory. `attempts` counts the starts.
        case trial(Candidate, attempts: Int)
    }

    package enum Event: Equatable, Sendable {
        case offered(Candidate)
        /// The hub wants nothing else any more.
        case withdrawn
        case fetched
        case checked
        case proved
        case failed(RefusalReason)
        /// The active package no longer loads. The other slot holds one that may, or not.
        case activeBroken(String, otherSlotIsUsable: Bool)
        case restarted
    }

    package enum Action: Equatable, Sendable {
        case nothing
        /// Ask the hub for its bytes from where they end.
        case fetch(Candidate)
        /// Forget what was fetched.
        case discard
        /// Compare all bytes with the statement and move them to the inactive slot.
        case check(Candidate)
        /// Load it from the inactive slot and prove its golden vectors.
        case prove(Candidate)
        /// It is the active one now: report it.
        case activated(Candidate, in: Slot)
        /// It is not to be tried again: remember and report it.
        case refuse(Candidate, RefusalReason)
        /// The other slot's package is active again, or none is: report it.
        case rolledBack(to: Slot?, reason: String)
    }

    package var phase: Phase
    package var active: Slot?

    package init(phase: Phase = .idle, active: Slot? = nil) {
        self.phase = phase
        self.active = active
    }

    /// The slot a candidate goes to.
    package var spare: Slot { active?.other ?? .first }

    package mutating func handle(_ event: Event) -> Action {
        switch (phase, event) {
        case (.idle, .offered(let candidate)):
            phase = .fetching(candidate)
            return .fetch(candidate)
        case (.fetching(let current), .offered(let candidate)),
            (.verified(let current), .offered(let candidate)),
            (.trial(let current, _), .offered(let candidate)):
            // The same again: it is on its way. Another one: the old is of no use any more.
            guard current.stated.digest != candidate.stated.digest else { return .nothing }
            phase = .fetching(candidate)
            return .discard
        case (.fetching, .withdrawn), (.verified, .withdrawn), (.trial, .withdrawn):
            phase = .idle
            return .discard

        case (.fetching(let candidate), .fetched):
            return .check(candidate)
        case (.fetching(let candidate), .checked):
            phase = .verified(candidate)
            return .nothing
        case (.verified(let candidate), .restarted):
            phase = .trial(candidate, attempts: 1)
            return .prove(candidate)
        case (.trial(let candidate, let attempts), .restarted):
            guard attempts < Self.trialsMax else {
                phase = .idle
                return .refuse(
                    candidate,
                    .package("its trial was cut short \(attempts) times: it may crash the agent"))
            }
            phase = .trial(candidate, attempts: attempts + 1)
            return .prove(candidate)
        case (.trial(let candidate, _), .proved):
            let slot = spare
            phase = .idle
            active = slot
            return .activated(candidate, in: slot)
        case (.fetching(let candidate), .failed(let reason)),
            (.verified(let candidate), .failed(let reason)),
            (.trial(let candidate, _), .failed(let reason)):
            phase = .idle
            return .refuse(candidate, reason)
        case (.fetching(let candidate), .restarted):
            return .fetch(candidate)

        case (_, .activeBroken(let reason, let otherSlotIsUsable)):
            // A candidate may be written over the slot we would go back to: it wins only once proved.
            let target = otherSlotIsUsable ? active?.other : nil
            active = target
            return .rolledBack(to: target, reason: reason)

        // Stale or repeated. Named, not `default`, so that a new state fails to compile here.
        case (.idle, .withdrawn), (.idle, .fetched), (.idle, .checked), (.idle, .proved),
            (.idle, .failed), (.idle, .restarted), (.fetching, .proved), (.verified, .fetched),
            (.verified, .checked), (.verified, .proved), (.trial, .fetched), (.trial, .checked):
            return .nothing
        }
    }
}

/// What this device remembers of packages it refused.
package struct RefusedPackage: Equatable, Sendable {
    /// How many bad downloads of one package are tried in all.
    package static let downloadsMax = 3

    package var reason: [UInt8]
    /// Refused under this memory budget, and worth another look under a larger one.
    package var budgetBytes: Int?
    package var downloads: Int

    package init(reason: [UInt8], budgetBytes: Int?, downloads: Int) {
        self.reason = reason
        self.budgetBytes = budgetBytes
        self.downloads = downloads
    }

    /// Whether the package may be tried once more.
    package func mayBeRetried(budgetBytes now: Int) -> Bool {
        if let budgetBytes { return now > budgetBytes }
        return downloads > 0 && downloads < Self.downloadsMax
    }
}
