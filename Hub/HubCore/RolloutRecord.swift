package import Forecasting

/// One wave of a rollout. The wave that is open last is the one the rollout stands at.
package struct RolloutWave: Hashable, Sendable, Codable {
    /// Drawn into it; who comes later is not counted.
    package var devices: Int
    /// nil: its turn has not come.
    package var openedAt: Timestamp?
    /// When it had succeeded; nil: not yet.
    package var soakingSince: Timestamp?
    /// Failures that an operator knew of and went on.
    package var failuresForgiven = 0

    package init(devices: Int, openedAt: Timestamp? = nil) {
        self.devices = devices
        self.openedAt = openedAt
    }
}

package enum RolloutState: String, Hashable, Sendable, CaseIterable {
    case running
    /// Who has the package keeps it; nobody new gets it.
    case paused
    /// Who has the package goes back; nobody gets it. Final.
    case aborted
    /// Every wave has succeeded; who joins later gets it.
    case complete
}

/// `push FAMILY --to SELECTOR`, and how far it has come. Where several match a device, the newest (highest id) that
/// admits it counts.
package struct RolloutRecord: Hashable, Sendable {
    /// Given by the store, from 1 up; 0 in a rollout that is not stored yet.
    package var id: UInt64 = 0
    package var family: String
    /// The packages meant are those of this release, or of an older one where a store has none of it; nil: of the
    /// newest there is.
    package var release: UInt64?
    package var selector: Selector
    /// What one forecast may take on a device; nil: anything.
    package var nanosecondsMax: Int?
    package var policy: RolloutPolicy
    /// What an update to it may fetch over a link that is paid for by the byte; 0: what each device allows itself.
    package var meteredBytesMax: UInt64 = 0
    package var createdAt: Timestamp
    package var state: RolloutState
    /// Why it is in that state.
    package var why: String = ""
    package var stateSince: Timestamp
    /// In their order; those opened come first. Empty: it selected no device when it was pushed.
    package var waves: [RolloutWave]
    /// Grows with every change: who changes it says which one was read.
    package var revision: UInt64 = 0

    /// - Parameter waveSizes: of a `RolloutPlan`: the first wave is open from the start.
    package init(
        family: String, release: UInt64? = nil, selector: Selector, nanosecondsMax: Int? = nil,
        policy: RolloutPolicy = .atOnce, waveSizes: [Int] = [], createdAt: Timestamp
    ) {
        self.family = family
        self.release = release
        self.selector = selector
        self.nanosecondsMax = nanosecondsMax
        self.policy = policy
        self.createdAt = createdAt
        stateSince = createdAt
        waves = waveSizes.map { RolloutWave(devices: $0) }
        if waves.isEmpty {
            state = .complete
            why = "it selected no device when it was pushed"
        } else {
            state = .running
            waves[0].openedAt = createdAt
        }
    }

    /// The wave it stands at; nil without waves.
    package var openWave: Int? { waves.lastIndex { $0.openedAt != nil } }

    package var isLastWaveOpen: Bool { waves.last.map { $0.openedAt != nil } ?? true }

    /// - Parameter wave: nil: of a device that was not drawn, which belongs to the last wave opened.
    package func isOpen(wave: Int?) -> Bool {
        guard let wave, waves.indices.contains(wave) else { return true }
        return waves[wave].openedAt != nil
    }

    /// Whether pushing `other` would change nothing.
    package func isSamePush(as other: RolloutRecord) -> Bool {
        family == other.family && release == other.release && selector == other.selector
            && nanosecondsMax == other.nanosecondsMax && policy == other.policy
    }
}

/// What happens to a rollout.
package enum RolloutEvent: Hashable, Sendable {
    // By an operator.
    case pause(why: String)
    /// - Parameter failures: of each wave so far: they are not held against it again.
    case resume(why: String, failures: [Int])
    case abort(why: String)
    /// Go on to the next wave without waiting.
    case promote(why: String)
    /// From now on so much may go over links that are paid for by the byte; 0: what each device allows itself.
    case allowMetered(bytes: UInt64, why: String)
    // By the engine.
    case soak
    case openNext
    case complete
    case stop(why: String)
}

/// Why an event has no place.
package enum RolloutRefusal: Error, Hashable, Sendable, CustomStringConvertible {
    case notRunning(RolloutState)
    case notPaused(RolloutState)
    /// It is final, or so already.
    case already(RolloutState)
    case isPaused
    case notAllOpen
    case allOpen

    package var description: String {
        switch self {
        case .notRunning(let state): "it is \(state.rawValue), not running"
        case .notPaused(let state): "it is \(state.rawValue), not paused"
        case .already(let state): "it is \(state.rawValue) already"
        case .isPaused: "it is paused: resume it first"
        case .notAllOpen: "not all of its waves are open"
        case .allOpen: "all of its waves are open"
        }
    }
}

extension RolloutRecord {
    /// What becomes of it. Throws where the event has no place; then nothing is changed.
    package mutating func handle(
        _ event: RolloutEvent, at now: Timestamp
    ) throws(RolloutRefusal) {
        switch (event, state) {
        case (.pause(let why), .running), (.pause(let why), .complete), (.stop(let why), .running):
            enter(.paused, why, at: now)
        case (.pause, .paused), (.pause, .aborted): throw .already(state)
        case (.stop, .paused), (.stop, .aborted), (.stop, .complete): throw .notRunning(state)

        case (.resume(let why, let failures), .paused):
            for (wave, count) in zip(waves.indices, failures) {
                waves[wave].failuresForgiven = count
            }
            // Without a wave there is nothing to go on with but whoever comes.
            enter(waves.isEmpty ? .complete : .running, why, at: now)
        case (.resume, .running), (.resume, .aborted), (.resume, .complete):
            throw .notPaused(state)

        case (.abort(let why), .running), (.abort(let why), .paused), (.abort(let why), .complete):
            enter(.aborted, why, at: now)
        case (.abort, .aborted): throw .already(state)

        case (.promote(let why), .running):
            if isLastWaveOpen {
                enter(.complete, why, at: now)
            } else {
                openNextWave(at: now)
            }
        case (.promote, .paused): throw .isPaused
        case (.promote, .aborted), (.promote, .complete): throw .notRunning(state)

        case (.allowMetered(let bytes, _), .running), (.allowMetered(let bytes, _), .paused),
            (.allowMetered(let bytes, _), .complete):
            meteredBytesMax = bytes
        case (.allowMetered, .aborted): throw .already(state)

        case (.soak, .running):
            if let openWave, waves[openWave].soakingSince == nil {
                waves[openWave].soakingSince = now
            }
        case (.openNext, .running):
            guard !isLastWaveOpen else { throw .allOpen }
            openNextWave(at: now)
        case (.complete, .running):
            guard isLastWaveOpen else { throw .notAllOpen }
            enter(.complete, "every wave has succeeded", at: now)
        case (.soak, .paused), (.soak, .aborted), (.soak, .complete), (.openNext, .paused),
            (.openNext, .aborted), (.openNext, .complete), (.complete, .paused),
            (.complete, .aborted), (.complete, .complete):
            throw .notRunning(state)
        }
        revision += 1
    }

    private mutating func enter(_ state: RolloutState, _ why: String, at now: Timestamp) {
        self.state = state
        self.why = why
        stateSince = now
    }

    private mutating func openNextWave(at now: Timestamp) {
        guard let next = waves.firstIndex(where: { $0.openedAt == nil }) else { return }
        waves[next].openedAt = now
    }
}

/// What a device said became of the package it was told to run.
package enum PackageOutcome: String, Hashable, Sendable, CaseIterable {
    case active
    /// Not activated; the device runs on as before.
    case refused
    case rolledBack
    /// Proved, and compared with the active one now. No end yet.
    case trial
    /// On its way: its reason says what it waits for, or why it comes whole. No end, and nothing is told by it but that.
    case fetching
}

/// What the hub wants one device to run, and what became of it. At most one for each device.
package struct AssignmentRecord: Hashable, Sendable {
    package var device: DeviceID
    package var rollout: UInt64
    /// nil: nothing of the family fits.
    package var digest: [UInt8]?
    /// Why this package, or why none.
    package var reason: String
    package var decidedAt: Timestamp
    package var outcome: PackageOutcome?
    package var outcomeReason: String?
    package var outcomeAt: Timestamp?

    package init(
        device: DeviceID, rollout: UInt64, digest: [UInt8]?, reason: String, decidedAt: Timestamp
    ) {
        self.device = device
        self.rollout = rollout
        self.digest = digest
        self.reason = reason
        self.decidedAt = decidedAt
    }
}
