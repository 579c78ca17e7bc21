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

        // Who was never given it has nothing to say of it.
        case (.waiting, .reported), (.noFit, .reported): self
        case (_, .reported(.active)): self == .already ? .already : .active
        case (_, .reported(.refused)): .refused
        case (_, .reported(.rolledBack)): .rolledBack
        // A late word after an end changes nothing.
        case (.assigned, .reported(.trial)): .trial
        case (_, .reported(.trial)): self

        case (.assigned, .takenBack), (.trial, .takenBack), (.active, .takenBack): .goingBack
        case (_, .takenBack): self

        case (.waiting, .superseded), (.assigned, .superseded), (.trial, .superseded): .superseded
        case (_, .superseded): self
        case (_, .wentBack): self
        }
    }

    /// On its way to the package: what a store's disruption budget counts.
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
