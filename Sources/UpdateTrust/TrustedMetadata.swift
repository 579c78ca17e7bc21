/// What a client of The Update Framework trusts at one moment (specification 1.0.34, section 5). Holds no
/// clock, file or socket: bytes come in and are believed, or an error says why not.
///
/// One value serves one update: root first, then timestamp, snapshot and targets. Metadata kept from an
/// earlier update passes through the same checks, so a key that was replaced meanwhile takes with it what it
/// signed (5.3.11, recovery from a fast-forward attack).
struct TrustedMetadata<Cryptography: TrustCryptography> {
    private(set) var root: RootMetadata
    private(set) var timestamp: TimestampMetadata?
    private(set) var snapshot: SnapshotMetadata?
    private(set) var targets: TargetsMetadata?
    /// When the update began, seconds since 1970 UTC: one moment for all of it (5.1).
    let now: Int64
    let limits: MetadataLimits
    let cryptography: Cryptography

    /// - Parameter bytes: root metadata that is trusted already: shipped, or kept from the last update. May have
    ///   expired.
    init(
        root bytes: [UInt8], now: Int64, limits: MetadataLimits, cryptography: Cryptography
    ) throws(MetadataError) {
        let signed = try SignedMetadata(bytes, role: .root, limits: limits)
        let root = try RootMetadata(signed)
        try signed.verify(root.rootKeys, cryptography)
        self.root = root
        self.now = now
        self.limits = limits
        self.cryptography = cryptography
    }

    /// 5.3: the next version, signed by the keys of the one before and by its own. May have expired: only the
    /// last one must not.
    mutating func updateRoot(_ bytes: [UInt8]) throws(MetadataError) {
        guard timestamp == nil else { throw .outOfTurn }
        let signed = try SignedMetadata(bytes, role: .root, limits: limits)
        try signed.verify(root.rootKeys, cryptography)
        guard signed.version == root.version + 1 else {
            throw .versionDiffers(.root, stated: root.version + 1, found: signed.version)
        }
        let new = try RootMetadata(signed)
        try signed.verify(new.rootKeys, cryptography)
        root = new
    }

    func checkRootIsCurrent() throws(MetadataError) {
        guard now < root.expires else { throw .expired(.root) }
    }

    /// 5.4. An expired timestamp throws `expired` and still counts against rollback from then on.
    /// - Returns: whether it is newer than the trusted one; one of the same version changes nothing.
    mutating func updateTimestamp(_ bytes: [UInt8]) throws(MetadataError) -> Bool {
        guard snapshot == nil else { throw .outOfTurn }
        try checkRootIsCurrent()
        let signed = try SignedMetadata(bytes, role: .timestamp, limits: limits)
        try signed.verify(root.timestampKeys, cryptography)
        let new = try TimestampMetadata(signed)
        if let old = timestamp {
            guard new.version >= old.version else {
                throw .rolledBack(.timestamp, version: new.version, trusted: old.version)
            }
            if new.version == old.version { return false }
            guard new.snapshot.version >= old.snapshot.version else {
                throw .rolledBack(
                    .snapshot, version: new.snapshot.version, trusted: old.snapshot.version)
            }
        }
        timestamp = new
        try checkTimestampIsCurrent()
        return true
    }

    func checkTimestampIsCurrent() throws(MetadataError) {
        guard let timestamp else { throw .outOfTurn }
        guard now < timestamp.expires else { throw .expired(.timestamp) }
    }

    /// 5.5. One that has expired, or is not the one that the timestamp announces, throws and still counts
    /// against rollback from then on.
    /// - Parameter isKept: it was trusted once; then the timestamp's digest of the new one says nothing about it.
    mutating func updateSnapshot(_ bytes: [UInt8], isKept: Bool) throws(MetadataError) {
        guard let timestamp, targets == nil else { throw .outOfTurn }
        try checkTimestampIsCurrent()
        if !isKept { try timestamp.snapshot.check(bytes, of: .snapshot, cryptography) }
        let signed = try SignedMetadata(bytes, role: .snapshot, limits: limits)
        try signed.verify(root.snapshotKeys, cryptography)
        let new = try SnapshotMetadata(signed)
        if let snapshot { try snapshot.checkFollowed(by: new) }
        snapshot = new
        try checkSnapshotIsCurrent()
    }

    private func checkSnapshotIsCurrent() throws(MetadataError) {
        guard let timestamp, let snapshot else { throw .outOfTurn }
        guard now < snapshot.expires else { throw .expired(.snapshot) }
        guard snapshot.version == timestamp.snapshot.version else {
            throw .versionDiffers(
                .snapshot, stated: timestamp.snapshot.version, found: snapshot.version)
        }
    }

    /// 5.6: `role`'s metadata as the snapshot announces it, signed as its delegator says.
    mutating func updateTargets(_ bytes: [UInt8], _ visit: Visit) throws(MetadataError)
        -> TargetsMetadata
    {
        try checkSnapshotIsCurrent()
        let role = visit.role
        let file = try announced(role)
        try file.check(bytes, of: role, cryptography)
        let signed = try SignedMetadata(bytes, role: role, limits: limits)
        try signed.verify(visit.keys, cryptography)
        guard signed.version == file.version else {
            throw .versionDiffers(role, stated: file.version, found: signed.version)
        }
        let new = try TargetsMetadata(signed)
        guard now < new.expires else { throw .expired(role) }
        if role == .targets { targets = new }
        return new
    }

    /// What the snapshot says of a targets role.
    func announced(_ role: RoleName) throws(MetadataError) -> FileMetadata {
        guard let file = snapshot?.file(of: role) else { throw .notInSnapshot(role) }
        return file
    }
}
