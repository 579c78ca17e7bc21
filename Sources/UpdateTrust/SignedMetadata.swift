import JSONText

/// How much of a repository's metadata is read. What is longer is refused before it is buffered.
package struct MetadataLimits: Equatable, Sendable {
    package var rootBytesMax: Int
    package var timestampBytesMax: Int
    package var snapshotBytesMax: Int
    package var targetsBytesMax: Int
    /// New versions of root followed in one update.
    package var rootRotationsMax: Int
    /// Delegated roles visited in the search for one target.
    package var delegationsMax: Int

    package init(
        rootBytesMax: Int, timestampBytesMax: Int, snapshotBytesMax: Int, targetsBytesMax: Int,
        rootRotationsMax: Int, delegationsMax: Int
    ) {
        self.rootBytesMax = rootBytesMax
        self.timestampBytesMax = timestampBytesMax
        self.snapshotBytesMax = snapshotBytesMax
        self.targetsBytesMax = targetsBytesMax
        self.rootRotationsMax = rootRotationsMax
        self.delegationsMax = delegationsMax
    }

    /// For a device: some ten times what a hub's metadata takes.
    package static let device = MetadataLimits(
        rootBytesMax: 32_768, timestampBytesMax: 4_096, snapshotBytesMax: 32_768,
        targetsBytesMax: 65_536, rootRotationsMax: 64, delegationsMax: 8)
    /// For any public repository.
    package static let generous = MetadataLimits(
        rootBytesMax: 512_000, timestampBytesMax: 16_384, snapshotBytesMax: 2_000_000,
        targetsBytesMax: 5_000_000, rootRotationsMax: 256, delegationsMax: 32)

    func bytesMax(_ role: RoleName) -> Int {
        switch role {
        case .root: rootBytesMax
        case .timestamp: timestampBytesMax
        case .snapshot: snapshotBytesMax
        case .targets, .delegated: targetsBytesMax
        }
    }
}

/// The keys of a role and how many of them must have signed.
package struct RoleKeys: Equatable, Sendable {
    static let keysMax = 64

    struct Entry: Equatable, Sendable {
        let id: [UInt8]
        let key: SigningKey
    }
    let entries: [Entry]
    package let threshold: Int

    /// - Parameters:
    ///   - value: an object with `keyids` and `threshold`.
    ///   - keys: the members of the delegator's `keys`.
    ///   - role: whose metadata this stands in.
    init(_ value: JSONValue, keys: [JSONValue.Member], in role: RoleName) throws(MetadataError) {
        guard let threshold = value["threshold"]?.version, threshold <= 1_000_000 else {
            throw .malformed(role, "threshold")
        }
        guard let ids = value["keyids"]?.elements, ids.count <= Self.keysMax else {
            throw .malformed(role, "keyids")
        }
        var entries: [Entry] = []
        var seen: [[UInt8]] = []
        for id in ids {
            guard let id = id.utf8, !seen.contains(id) else { throw .malformed(role, "keyids") }
            seen.append(id)
            for member in keys where member.name == id {
                entries.append(Entry(id: id, key: try SigningKey(member.value, in: role)))
            }
        }
        self.entries = entries
        self.threshold = Int(threshold)
    }
}

extension SigningKey {
    init(_ value: JSONValue, in role: RoleName) throws(MetadataError) {
        guard let type = value["keytype"], type.utf8 != nil, let scheme = value["scheme"],
            scheme.utf8 != nil, let held = value["keyval"], held.members != nil
        else { throw .malformed(role, "keys") }
        // A scheme unknown here may keep its key in some other way.
        let text = held["public"]?.utf8 ?? []
        guard text.count <= Self.textBytesMax else { throw .malformed(role, "keys") }
        if type.isText("ed25519"), scheme.isText("ed25519") {
            self.init(scheme: .ed25519, text: text)
        } else if scheme.isText("ecdsa-sha2-nistp256"),
            type.isText("ecdsa") || type.isText("ecdsa-sha2-nistp256")
        {
            self.init(scheme: .ecdsaP256, text: text)
        } else if type.isText("rsa"), scheme.isText("rsassa-pss-sha256") {
            self.init(scheme: .rsaPSS, text: text)
        } else if type.isText("rsa"), scheme.isText("rsa-pkcs1v15-sha256") {
            self.init(scheme: .rsaPKCS1, text: text)
        } else {
            self.init(scheme: .unknown, text: text)
        }
    }
}

/// One metadata file, read but not yet believed: what is signed, its exact bytes, and the signatures.
struct SignedMetadata {
    static let signaturesMax = 256
    static let depthMax = 24

    struct Signature {
        let keyID: [UInt8]
        /// Empty when it is no hexadecimal text: it counts for nothing, and the others still count.
        let bytes: [UInt8]
    }

    let role: RoleName
    let fields: JSONValue
    let version: UInt64
    /// Seconds since 1970 UTC.
    let expires: Int64
    private let canonical: [UInt8]
    private let signatures: [Signature]

    /// Specification 4.2.1 and 4.3 to 4.6. Fields that nobody here knows stay among what is signed.
    init(_ bytes: [UInt8], role: RoleName, limits: MetadataLimits) throws(MetadataError) {
        self.role = role
        let document: JSONValue
        do throws(JSONError) {
            document = try JSONValue(
                strictly: bytes, bytesMax: limits.bytesMax(role), depthMax: Self.depthMax,
                valuesMax: bytes.count)
        } catch {
            throw .notJSON(role, error)
        }
        guard let signed = document["signed"], signed.members != nil else {
            throw .malformed(role, "signed")
        }
        fields = signed
        do throws(JSONError) {
            canonical = try signed.canonical()
        } catch {
            throw .notJSON(role, error)
        }
        guard let list = document["signatures"]?.elements, list.count <= Self.signaturesMax else {
            throw .malformed(role, "signatures")
        }
        var signatures: [Signature] = []
        for element in list {
            guard let id = element["keyid"]?.utf8, let hex = element["sig"]?.utf8 else {
                throw .malformed(role, "signatures")
            }
            // One key, one signature: whoever repeats one wants it counted twice.
            for known in signatures where known.keyID == id { throw .malformed(role, "signatures") }
            signatures.append(Signature(keyID: id, bytes: Hexadecimal.bytes(hex) ?? []))
        }
        self.signatures = signatures

        let type: String
        switch role {
        case .root: type = "root"
        case .timestamp: type = "timestamp"
        case .snapshot: type = "snapshot"
        case .targets, .delegated: type = "targets"
        }
        guard let named = fields["_type"], named.utf8 != nil else {
            throw .malformed(role, "_type")
        }
        guard named.isText(type) else { throw .wrongType(role) }
        guard let specification = fields["spec_version"]?.utf8 else {
            throw .malformed(role, "spec_version")
        }
        guard specification.starts(with: [UInt8(ascii: "1"), UInt8(ascii: ".")]) else {
            throw .specificationUnknown(role)
        }
        guard let version = fields["version"]?.version else { throw .malformed(role, "version") }
        self.version = version
        guard let expires = fields["expires"]?.utf8.flatMap(UTCTime.seconds) else {
            throw .malformed(role, "expires")
        }
        self.expires = expires
    }

    /// - Throws: `tooFewSignatures`. Counts keys, not their names: a key listed under two ids signs once.
    func verify(_ keys: RoleKeys, _ cryptography: some TrustCryptography) throws(MetadataError) {
        var counted: [SigningKey] = []
        for entry in keys.entries where !counted.contains(entry.key) {
            for signature in signatures where signature.keyID == entry.id {
                let isValid = cryptography.verify(
                    signature: signature.bytes, of: canonical, key: entry.key)
                if isValid { counted.append(entry.key) }
            }
            if counted.count >= keys.threshold { return }
        }
        throw .tooFewSignatures(role, valid: counted.count, threshold: keys.threshold)
    }
}
