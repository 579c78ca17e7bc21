package import Forecasting

/// Where a device stands in one rollout.
package enum MemberState: String, Hashable, Sendable, CaseIterable {
    /// Drawn, and not given the package yet.
    case waiting
    /// Told to run it, and not heard of since.
    case assigned
    /// It forecasts there beside the active one.
    case trial
    case active
    /// It ran there before it was pushed: nothing changed, and nothing is taken back.
    case already
    /// The device did not activate it.
    case refused
    /// The device is told to go back.
    case goingBack
    case rolledBack
    /// Nothing of the family can run there.
    case noFit
    /// A newer rollout decides for it.
    case superseded

    package enum Event: Hashable, Sendable {
        /// - Parameter runs: it runs this package as it is told to.
        case assigned(runs: Bool)
        case noFit
        case reported(PackageOutcome)
        /// The rollout was aborted, or its store rolled back.
        case takenBack
        /// It was told to go back from what it does not run.
        case wentBack
        /// It was away, and its place in its store was given on.
        case yielded
        case superseded
    }

    package func after(_ event: Event) -> MemberState {
        switch (self, event) {
        // To go back is final until the device says it did.
        case (.goingBack, .reported(.rolledBack)), (.goingBack, .wentBack): .rolledBack
        case (.goingBack, .reported(.refused)): .refused
        case (.goingBack, _): .goingBack

        case (_, .assigned(let runs)): runs ? .already : .assigned
        case (_, .noFit): .noFit

        // Who was never given it has nothing to say of it; who was, and gave its place up, may not have heard of that.
        case (.waiting, .reported(.trial)), (.noFit, .reported): self
        case (_, .reported(.active)): self == .already ? .already : .active
        case (_, .reported(.refused)): .refused
        case (_, .reported(.rolledBack)): .rolledBack
        // A late word after an end changes nothing.
        case (.assigned, .reported(.trial)): .trial
        case (_, .reported(.trial)), (_, .reported(.fetching)): self

        case (.assigned, .takenBack), (.trial, .takenBack), (.active, .takenBack): .goingBack
        case (_, .takenBack): self

        case (.assigned, .yielded), (.trial, .yielded), (.active, .yielded), (.already, .yielded):
            .waiting
        case (_, .yielded): self

        case (.waiting, .superseded), (.assigned, .superseded), (.trial, .superseded): .superseded
        case (_, .superseded): self
        case (_, .wentBack): self
        }
    }

    /// On its way to the package.
    package var isUnderway: Bool { self == .assigned || self == .trial }

    /// It was given the package once and nobody has taken it back.
    package var hasIt: Bool {
        switch self {
        case .assigned, .trial, .active, .already, .refused, .rolledBack, .noFit: true
        case .waiting, .goingBack, .superseded: false
        }
    }

    package var isFailure: Bool {
        switch self {
        case .refused, .goingBack, .rolledBack: true
        case .waiting, .assigned, .trial, .active, .already, .noFit, .superseded: false
        }
    }
}

/// A device in a rollout.
package struct RolloutMember: Hashable, Sendable {
    package var rollout: UInt64
    package var device: DeviceID
    /// From 0 up.
    package var wave: Int
    package var state: MemberState
    /// Of the package it was given; nil: none.
    package var digest: [UInt8]?
    /// Why it stands there.
    package var reason: String
    /// When it came to stand there; nil: since it was drawn.
    package var changedAt: Timestamp?
    /// It was told to go back once already.
    package var isTold = false

    package init(
        rollout: UInt64, device: DeviceID, wave: Int, state: MemberState = .waiting,
        digest: [UInt8]? = nil, reason: String = "", changedAt: Timestamp? = nil
    ) {
        self.rollout = rollout
        self.device = device
        self.wave = wave
        self.state = state
        self.digest = digest
        self.reason = reason
        self.changedAt = changedAt
    }
}

extension RolloutMember {
    /// So long a device that is on its way to a package may be silent before its place in its store is given on, in seconds.
    package static let placeKeptSeconds: Int64 = 3 * 86_400

    /// Whether what is noted does not hold (any more) of a device that is to run `digest`.
    /// - Parameters:
    ///   - digest: nil: nothing fits.
    ///   - running: what it says it runs.
    package func isStale(digest: [UInt8]?, running: [UInt8]?) -> Bool {
        guard self.digest == digest, state.hasIt else { return true }
        guard let digest else { return false }
        switch state {
        // It lost it: its copy went bad, or its database.
        case .active, .already: return running != digest
        case .assigned, .trial, .refused, .rolledBack: return running == digest
        case .waiting, .goingBack, .noFit, .superseded: return false
        }
    }

    /// Where it stands once it is told to run `digest`; nil: nothing fits.
    package func assigned(digest: [UInt8]?, running: [UInt8]?) -> MemberState {
        guard let digest else { return state.after(.noFit) }
        // What this rollout gave it once is not what it ran before.
        if running == digest, self.digest == digest { return state.after(.reported(.active)) }
        return state.after(.assigned(runs: running == digest))
    }

    /// Whether a device that runs something is on its way to another package, as far as can be known: what a store's
    /// disruption budget counts. What it was told last it may not have heard, until it is heard of again.
    /// - Parameter decides: it is this rollout's package that it was told to run last.
    package func isUnderway(
        running: [UInt8], decides: Bool, seenAt: Timestamp, now: Timestamp
    ) -> Bool {
        guard seenAt >= now.advanced(bySeconds: -Self.placeKeptSeconds) else { return false }
        switch state {
        case .assigned, .trial: return true
        case .active, .already: return decides && running != digest
        case .goingBack where !isTold: return true
        case .waiting, .noFit, .superseded, .goingBack, .rolledBack:
            return changedAt.map { seenAt < $0 } ?? false
        case .refused: return false
        }
    }
}
