package import Forecasting

/// `push FAMILY --to SELECTOR`. Where several match a device, the newest (highest id) counts.
package struct RolloutRecord: Hashable, Sendable {
    /// Given by the store, from 1 up; 0 in a rollout that is not stored yet.
    package var id: UInt64 = 0
    package var family: String
    package var selector: Selector
    /// What one forecast may take on a device; nil: anything.
    package var nanosecondsMax: Int?
    package var createdAt: Timestamp

    package init(
        family: String, selector: Selector, nanosecondsMax: Int? = nil, createdAt: Timestamp
    ) {
        self.family = family
        self.selector = selector
        self.nanosecondsMax = nanosecondsMax
        self.createdAt = createdAt
    }
}

/// What a device said became of the package it was told to run.
package enum PackageOutcome: String, Hashable, Sendable, CaseIterable {
    case active
    /// Not activated; the device runs on as before.
    case refused
    case rolledBack
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
