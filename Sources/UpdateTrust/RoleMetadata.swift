package import JSONText

/// Root (specification 4.3): who signs what.
struct RootMetadata {
    let version: UInt64
    let expires: Int64
    let isConsistent: Bool
    let rootKeys: RoleKeys
    let timestampKeys: RoleKeys
    let snapshotKeys: RoleKeys
    let targetsKeys: RoleKeys

    init(_ signed: SignedMetadata) throws(MetadataError) {
        version = signed.version
        expires = signed.expires
        switch signed.fields["consistent_snapshot"] {
        case nil: isConsistent = false
        case .bool(let value)?: isConsistent = value
        case _?: throw .malformed(.root, "consistent_snapshot")
        }
        guard let keys = signed.fields["keys"]?.members else { throw .malformed(.root, "keys") }
        guard let roles = signed.fields["roles"], roles.members != nil else {
            throw .malformed(.root, "roles")
        }
        func role(_ name: String) throws(MetadataError) -> RoleKeys {
            guard let role = roles[name] else { throw .malformed(.root, "roles") }
            return try RoleKeys(role, keys: keys, in: .root)
        }
        rootKeys = try role("root")
        timestampKeys = try role("timestamp")
        snapshotKeys = try role("snapshot")
        targetsKeys = try role("targets")
    }
}

/// What content must be: some digests that are known here, of at least one algorithm.
package struct ContentDigests: Equatable, Sendable {
    /// Empty when the metadata gives none.
    package let sha256: [UInt8]
    /// Empty when the metadata gives none.
    package let sha512: [UInt8]

    /// - Throws: `malformed`, also when every algorithm is one that nothing here knows.
    init(_ value: JSONValue, in role: RoleName) throws(MetadataError) {
        var sha256: [UInt8] = []
        var sha512: [UInt8] = []
        for member in value.members ?? [] {
            guard let hex = member.value.utf8 else { throw .malformed(role, "hashes") }
            let isShort = member.name.elementsEqual("sha256".utf8)
            guard isShort || member.name.elementsEqual("sha512".utf8) else { continue }
            guard let digest = Hexadecimal.bytes(hex), digest.count == (isShort ? 32 : 64) else {
                throw .malformed(role, "hashes")
            }
            if isShort { sha256 = digest } else { sha512 = digest }
        }
        guard sha256.count + sha512.count > 0 else { throw .malformed(role, "hashes") }
        self.sha256 = sha256
        self.sha512 = sha512
    }

    /// Whether `bytes` have every digest that is given here.
    package func match(_ bytes: [UInt8], _ cryptography: some TrustCryptography) -> Bool {
        (sha256.isEmpty || cryptography.digest(.sha256, of: bytes) == sha256)
            && (sha512.isEmpty || cryptography.digest(.sha512, of: bytes) == sha512)
    }
}

/// What one metadata file says of another: METAFILES of specification 4.4 and 4.5.
struct FileMetadata {
    let version: UInt64
    let length: UInt64?
    let digests: ContentDigests?

    init(_ value: JSONValue, in role: RoleName) throws(MetadataError) {
        guard let version = value["version"]?.version else { throw .malformed(role, "meta") }
        self.version = version
        if let stated = value["length"] {
            guard let stated = stated.wholeNumber else { throw .malformed(role, "length") }
            length = stated
        } else {
            length = nil
        }
        if let stated = value["hashes"] {
            digests = try ContentDigests(stated, in: role)
        } else {
            digests = nil
        }
    }

    /// - Throws: `lengthDiffers` or `digestDiffers`.
    func check(
        _ bytes: [UInt8], of role: RoleName, _ cryptography: some TrustCryptography
    ) throws(MetadataError) {
        if let length, length != UInt64(bytes.count) { throw .lengthDiffers(role) }
        if let digests, !digests.match(bytes, cryptography) { throw .digestDiffers(role) }
    }
}

/// Timestamp (specification 4.6): which snapshot is the newest.
struct TimestampMetadata {
    let version: UInt64
    let expires: Int64
    let snapshot: FileMetadata

    init(_ signed: SignedMetadata) throws(MetadataError) {
        version = signed.version
        expires = signed.expires
        guard let meta = signed.fields["meta"]?["snapshot.json"] else {
            throw .malformed(.timestamp, "meta")
        }
        snapshot = try FileMetadata(meta, in: .timestamp)
    }
}

/// Snapshot (specification 4.4): which versions of the targets roles belong together.
struct SnapshotMetadata {
    struct Entry {
        let fileName: [UInt8]
        let file: FileMetadata
    }
    let version: UInt64
    let expires: Int64
    /// In the order of the names' bytes.
    let entries: [Entry]

    init(_ signed: SignedMetadata) throws(MetadataError) {
        version = signed.version
        expires = signed.expires
        guard let meta = signed.fields["meta"]?.members else { throw .malformed(.snapshot, "meta") }
        var entries: [Entry] = []
        for member in meta {
            entries.append(
                Entry(
                    fileName: member.name, file: try FileMetadata(member.value, in: .snapshot)))
        }
        self.entries = entries
    }

    func file(of role: RoleName) -> FileMetadata? {
        let name = role.utf8 + [UInt8](".json".utf8)
        for entry in entries where entry.fileName == name { return entry.file }
        return nil
    }

    /// - Throws: `notInSnapshot` when `newer` has lost a role, `rolledBack` when one went back.
    func checkFollowed(by newer: SnapshotMetadata) throws(MetadataError) {
        var at = 0
        for entry in entries {
            // Both in one order: what is skipped is new.
            while at < newer.entries.count,
                JSONValue.precedes(newer.entries[at].fileName, entry.fileName)
            {
                at += 1
            }
            let role = Self.role(fileName: entry.fileName)
            guard at < newer.entries.count, newer.entries[at].fileName == entry.fileName else {
                throw .notInSnapshot(role)
            }
            let version = newer.entries[at].file.version
            guard version >= entry.file.version else {
                throw .rolledBack(role, version: version, trusted: entry.file.version)
            }
        }
    }

    private static func role(fileName: [UInt8]) -> RoleName {
        let name = [UInt8](fileName.dropLast(5))
        return RoleName(delegated: name) ?? .targets
    }
}

/// One target file (TARGETS of specification 4.5).
package struct TargetFile: Equatable, Sendable {
    /// Its path in the repository, as the metadata writes it.
    package let path: [UInt8]
    package let length: UInt64
    package let digests: ContentDigests
    /// What the repository says of it besides; nil when nothing.
    package let custom: JSONValue?

    init(path: [UInt8], _ value: JSONValue, in role: RoleName) throws(MetadataError) {
        guard let length = value["length"]?.wholeNumber else { throw .malformed(role, "length") }
        guard let hashes = value["hashes"] else { throw .malformed(role, "hashes") }
        self.path = path
        self.length = length
        digests = try ContentDigests(hashes, in: role)
        custom = value["custom"]
    }

    /// Where a repository keeps it: with its digest before the last part of the path when `isConsistent`
    /// (specification 6.2.2).
    package func location(isConsistent: Bool) -> [UInt8] {
        guard isConsistent else { return path }
        let digest = digests.sha256.isEmpty ? digests.sha512 : digests.sha256
        let slash = path.lastIndex(of: UInt8(ascii: "/")).map { $0 + 1 } ?? 0
        return [UInt8](path[..<slash]) + Hexadecimal.text(digest) + [UInt8(ascii: ".")]
            + path[slash...]
    }
}

/// Targets, top-level or delegated (specification 4.5).
package struct TargetsMetadata {
    package let role: RoleName
    package let version: UInt64
    let expires: Int64
    let files: [JSONValue.Member]
    let delegations: Delegations

    init(_ signed: SignedMetadata) throws(MetadataError) {
        role = signed.role
        version = signed.version
        expires = signed.expires
        guard let files = signed.fields["targets"]?.members else {
            throw .malformed(signed.role, "targets")
        }
        // All of them must be sound, not only the one that somebody asks for later.
        for member in files { _ = try TargetFile(path: member.name, member.value, in: signed.role) }
        self.files = files
        delegations = try Delegations(signed.fields["delegations"], in: signed.role)
    }

    /// The file of exactly that path; nil when this role does not have it.
    package func file(_ path: [UInt8]) throws(MetadataError) -> TargetFile? {
        for member in files where member.name == path {
            return try TargetFile(path: path, member.value, in: role)
        }
        return nil
    }
}
