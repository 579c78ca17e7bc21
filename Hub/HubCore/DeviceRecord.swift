package import Forecasting

/// Whether a device may take part.
package enum DeviceStatus: String, Hashable, Sendable, CaseIterable {
    /// Joined with a token that leaves the decision to the operator.
    case pending
    case approved
    /// For good: the device must join again, under a new id.
    case revoked
}

/// What a device said about itself when it last registered (message Register of sync.proto).
package struct DeviceCapabilities: Hashable, Sendable, Codable {
    package enum PowerSource: String, Hashable, Sendable, Codable { case unknown, mains, battery }
    package enum Contact: String, Hashable, Sendable, Codable { case unspecified, stay, visit }

    package var architecture: String = ""
    package var cpuFeatures: [String] = []
    package var cores: Int = 0
    package var memoryTotalBytes: UInt64 = 0
    package var memoryAvailableBytes: UInt64 = 0
    package var modelMemoryBudgetBytes: UInt64 = 0
    package var modelMemoryBudgetSetByOperator = false
    package var flashFreeBytes: UInt64 = 0
    package var runtimeFeatures: [String] = []
    /// One LSTM-16 forecast, measured on the device; 0 when not measured.
    package var int8Microseconds: Int = 0
    package var powerSource = PowerSource.unknown
    /// 1...100; nil: none, or not known.
    package var batteryPercent: Int?
    /// Of the hottest thermal zone; nil: not known.
    package var temperatureCelsius: Int?
    package var contact = Contact.unspecified
    package var agentVersion: String = ""
    /// nil: its agent does not measure.
    package var measured: DeviceMeasurement?

    package init() {}
}

/// The package a device says it runs.
package struct RunningPackage: Hashable, Sendable {
    /// SHA-256 of the package file, 32 bytes.
    package var digest: [UInt8]
    package var release: UInt64
    /// As computed and used on the device.
    package var arenaBytes: UInt64

    package init(digest: [UInt8], release: UInt64, arenaBytes: UInt64) {
        self.digest = digest
        self.release = release
        self.arenaBytes = arenaBytes
    }
}

/// One device of the fleet.
package struct DeviceRecord: Hashable, Sendable {
    package static let gapSecondsMax: Int64 = 7 * 86_400

    package struct BudgetBefore: Hashable, Sendable {
        package var bytes: UInt64
        package var until: Timestamp

        package init(bytes: UInt64, until: Timestamp) {
            self.bytes = bytes
            self.until = until
        }
    }

    package var id: DeviceID
    package var store: StoreID
    package var status: DeviceStatus
    /// From the join token: the operator's.
    package var labels: [DeviceLabel]
    /// From the device's own configuration.
    package var reportedLabels: [DeviceLabel] = []
    /// The token it joined with.
    package var token: Int64
    package var joinedAt: Timestamp
    package var lastSeenAt: Timestamp?
    /// The longest time between two contacts, 0 to `gapSecondsMax`; of an older one a fourteenth of the time since is
    /// forgotten.
    package var longestGapSeconds: Int64 = 0
    /// What its model might use before the device allowed less, and since when it does; nil: it allows as much.
    package var budgetBefore: BudgetBefore?
    package var certificateExpiresAt: Timestamp?
    /// SHA-256 of the DER of its latest certificate, 32 bytes.
    package var certificateSHA256: [UInt8]?
    /// nil until it has registered once.
    package var capabilities: DeviceCapabilities?
    package var running: RunningPackage?
    /// When it first said that a package runs; nil as long as none ever did.
    package var activeSince: Timestamp?
    /// The last day it had closed by then: a forecast is expected for each day it closes later.
    /// nil with `activeSince` set: for all its days.
    package var forecastsExpectedAfter: BusinessDay?
    /// What tells it from its copies.
    package var contactLine = ContactLine()
    /// Every record up to here is stored.
    package var throughSequence: UInt64 = 0

    package init(
        id: DeviceID, store: StoreID, status: DeviceStatus, labels: [DeviceLabel], token: Int64,
        joinedAt: Timestamp
    ) {
        self.id = id
        self.store = store
        self.status = status
        self.labels = labels
        self.token = token
        self.joinedAt = joinedAt
    }

    /// What selectors see: the operator's labels, and of the device's own those with other keys.
    package var effectiveLabels: [DeviceLabel] {
        labels + reportedLabels.filter { own in !labels.contains { $0.key == own.key } }
    }
}

/// A line of a device's bounded history.
package struct DeviceEvent: Hashable, Sendable {
    /// Of each device, the latest this many are kept.
    package static let keptPerDeviceMax = 200
    package static let textBytesMax = 1024

    package var at: Timestamp
    /// One word: "joined", "registered", "assigned", "active", "refused", "rolled-back",
    /// "approved", "revoked"...
    package var kind: String
    package var text: String

    package init(at: Timestamp, kind: String, text: String) {
        self.at = at
        self.kind = kind
        self.text = text
    }
}
