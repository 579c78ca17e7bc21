/// The roles of The Update Framework that a root names (specification 1.0.34, section 2.1).
package enum TrustRole: String, Hashable, Sendable, CaseIterable {
    /// Says whose keys count for every role; its key is kept away from the hub.
    case root
    /// Says which packages may run where.
    case targets
    /// Says which metadata belongs together.
    case snapshot
    /// Says that this is the newest.
    case timestamp

    /// How long what is signed is good for.
    package var lifetimeSeconds: Int64 {
        switch self {
        case .root: 5 * 365 * 86_400
        case .targets: 365 * 86_400
        case .snapshot, .timestamp: 14 * 86_400
        }
    }

    /// To the second, as it is written.
    package func expiry(from now: Timestamp) -> Timestamp {
        Timestamp(
            millisecondsSince1970: (now.millisecondsSince1970 / 1000 + lifetimeSeconds) * 1000)
    }

    /// What is good for less than this is signed anew, by the hub itself; nil: never by itself. A timestamp's signer sleeps
    /// a day; the others are larger, and stay as they are for half their time.
    var renewalSeconds: Int64? {
        switch self {
        case .root: nil
        case .targets, .snapshot: lifetimeSeconds / 2
        case .timestamp: lifetimeSeconds - 86_400
        }
    }
}

/// A metadata file of the hub's repository, as it is served.
package struct MetadataFile: Hashable, Sendable {
    /// One of `TrustRole`, or a hash bin: `bin-3f`.
    package var role: String
    /// From 1 up, without gaps; never back.
    package var version: UInt64
    package var expires: Timestamp
    package var bytes: [UInt8]

    package init(role: String, version: UInt64, expires: Timestamp, bytes: [UInt8]) {
        self.role = role
        self.version = version
        self.expires = expires
        self.bytes = bytes
    }

    /// Under a consistent snapshot (specification 6.2): every name has its version but the timestamp's.
    package var fileName: String {
        role == TrustRole.timestamp.rawValue ? "timestamp.json" : "\(version).\(role).json"
    }
}

/// Which metadata a device has; 0: none.
package struct HeldVersions: Hashable, Sendable {
    package var root: UInt64
    package var timestamp: UInt64
    package var snapshot: UInt64
    package var targets: UInt64

    package init(
        root: UInt64 = 0, timestamp: UInt64 = 0, snapshot: UInt64 = 0, targets: UInt64 = 0
    ) {
        self.root = root
        self.timestamp = timestamp
        self.snapshot = snapshot
        self.targets = targets
    }
}

/// A package that the repository vouches for, and the file that does.
package struct ListedTarget: Hashable, Sendable {
    package var digest: [UInt8]
    package var path: String
    /// `targets` or a bin.
    package var role: String

    package init(digest: [UInt8], path: String, role: String) {
        self.digest = digest
        self.path = path
        self.role = role
    }
}

/// A line for the audit log.
package struct AuditNote: Hashable, Sendable {
    package var action: String
    package var object: String
    package var why: String

    package init(action: String, object: String, why: String = "") {
        self.action = action
        self.object = object
        self.why = why
    }
}

/// All files of one change to the repository: published together or not at all.
package struct MetadataPublication: Hashable, Sendable {
    /// Each the next version of its role, after `leap` that are left out; a timestamp is always among them.
    package var files: [MetadataFile]
    /// All that is listed from now on; nil: as before.
    package var listed: [ListedTarget]?
    /// Bins that nothing refers to any more.
    package var dropped: [String]
    /// How many versions of each role are left out before the new one.
    package var leap: UInt64
    package var notes: [AuditNote]

    package init(
        files: [MetadataFile], listed: [ListedTarget]? = nil, dropped: [String] = [],
        leap: UInt64 = 0, notes: [AuditNote] = []
    ) {
        self.files = files
        self.listed = listed
        self.dropped = dropped
        self.leap = leap
        self.notes = notes
    }
}

extension PackageRecord {
    /// Where the repository has it, before the digest of a consistent snapshot: `packages/7/0123456789abcdef`.
    package var targetPath: String {
        "packages/\(release)/" + MetadataText.hexadecimal(digest.prefix(8))
    }
}
