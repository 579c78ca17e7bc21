import JSONText
import UpdateTrust

/// A public key of the repository: ECDSA over P-256, the one kind that devices check.
package struct TrustKey: Hashable, Sendable {
    /// SHA-256 of the key's canonical JSON, in hexadecimal (specification 4.2.1).
    package var id: String
    /// SubjectPublicKeyInfo (RFC 5480) in PEM.
    package var pem: String

    /// - Parameter pem: as P256Text reads it.
    /// - Throws: `unreadable`.
    package init(pem: String, sha256: ([UInt8]) -> [UInt8]) throws(RepositoryError) {
        guard P256Text.point(pem: [UInt8](pem.utf8)) != nil else {
            throw .unreadable(role: "root", what: "not a P-256 public key in PEM form")
        }
        self.pem = pem
        id = MetadataText.hexadecimal(sha256(MetadataText.canonical(Self.json(pem))))
    }

    private static func json(_ pem: String) -> JSONValue {
        .object([
            JSONValue.Member("keytype", .string("ecdsa")),
            JSONValue.Member("keyval", .object([JSONValue.Member("public", .string(pem))])),
            JSONValue.Member("scheme", .string("ecdsa-sha2-nistp256")),
        ])
    }

    var json: JSONValue { Self.json(pem) }
}

/// Who signs for a role.
package struct TrustHolders: Hashable, Sendable {
    package var keys: [TrustKey]
    /// How many of them must have signed.
    package var threshold: Int

    package init(keys: [TrustKey], threshold: Int = 1) {
        self.keys = keys
        self.threshold = threshold
    }

    func has(_ id: String) -> Bool { keys.contains { $0.id == id } }

    var roleMembers: [JSONValue.Member] {
        [
            JSONValue.Member("keyids", .array(keys.map { .string($0.id) })),
            JSONValue.Member("threshold", .integer(threshold)),
        ]
    }
}

/// Root metadata (specification 4.3) as the hub edits it, with the signatures it has so far. The same text as a
/// published root, so that any tool of the framework can sign a draft too.
package struct RootDocument: Hashable, Sendable {
    package static let bytesMax = 16_384
    package static let keysPerRoleMax = 16

    package private(set) var version: UInt64
    package private(set) var expires: Timestamp
    private var holders: [TrustRole: TrustHolders]
    package private(set) var signatures: [MetadataSignature]

    package init(version: UInt64, expires: Timestamp, holders: [TrustRole: TrustHolders]) {
        precondition(TrustRole.allCases.allSatisfy { holders[$0] != nil })
        self.version = version
        self.expires = expires
        self.holders = holders
        signatures = []
    }

    package subscript(role: TrustRole) -> TrustHolders {
        guard let holders = holders[role] else { preconditionFailure("every role has holders") }
        return holders
    }

    // MARK: Changes, each a draft of the next version

    /// The next version, unsigned, good for five years from `now`.
    package func next(now: Timestamp) -> RootDocument {
        RootDocument(
            version: version + 1,
            expires: TrustRole.root.expiry(from: now), holders: holders)
    }

    /// In a draft: `key` alone for a role that the hub signs, or in the place of `old`.
    package mutating func replace(_ old: TrustKey?, with key: TrustKey, of role: TrustRole)
        throws(RepositoryError)
    {
        try refuse(key, in: role)
        var changed = self[role]
        if let old {
            changed.keys = changed.keys.map { $0.id == old.id ? key : $0 }
        } else {
            changed = TrustHolders(keys: [key])
        }
        holders[role] = changed
    }

    package mutating func add(_ key: TrustKey, to role: TrustRole) throws(RepositoryError) {
        try refuse(key, in: role)
        guard self[role].keys.count < Self.keysPerRoleMax else {
            throw .rootDoesNotFollow(why: "a role has \(Self.keysPerRoleMax) keys at most")
        }
        holders[role]?.keys.append(key)
    }

    package mutating func remove(keyID: String, from role: TrustRole) throws(RepositoryError) {
        guard self[role].has(keyID) else { throw .keyUnknown(id: keyID) }
        let left = self[role].keys.count - 1
        guard left >= self[role].threshold else {
            throw .thresholdUnmet(threshold: self[role].threshold, keys: left)
        }
        holders[role]?.keys.removeAll { $0.id == keyID }
    }

    package mutating func setThreshold(_ threshold: Int, of role: TrustRole)
        throws(RepositoryError)
    {
        let keys = self[role].keys.count
        guard threshold >= 1, threshold <= keys else {
            throw .thresholdUnmet(threshold: threshold, keys: keys)
        }
        holders[role]?.threshold = threshold
    }

    private func refuse(_ key: TrustKey, in role: TrustRole) throws(RepositoryError) {
        // A key of two roles is one theft for both.
        for other in TrustRole.allCases where self[other].has(key.id) {
            throw .keyThereAlready(id: key.id)
        }
    }

    /// A key of root by the beginning of its id.
    package func rootKey(_ beginning: String) throws(RepositoryError) -> TrustKey {
        let found = self[.root].keys.filter { $0.id.hasPrefix(beginning.lowercased()) }
        guard let key = found.first, !beginning.isEmpty else { throw .keyUnknown(id: beginning) }
        guard found.count == 1 else { throw .keyAmbiguous(text: beginning) }
        return key
    }

    // MARK: Signing

    package mutating func sign(_ keyID: String, _ signer: some MetadataSigner) throws {
        var envelope = MetadataEnvelope(signed: signed, signatures: signatures)
        try envelope.sign(keyID, signer)
        signatures = envelope.signatures
    }

    /// Keys that may sign this document: its own holders', and those of the version before.
    package static func signers(_ draft: RootDocument, after: RootDocument?) -> [TrustKey] {
        var keys = draft[.root].keys
        for key in after?[.root].keys ?? [] where !keys.contains(key) { keys.append(key) }
        return keys
    }

    /// How many signatures it still needs, by its own word and by that of the version before it. Counts names, not
    /// validity: that is for the client's own code to say.
    package func signaturesMissing(after: RootDocument) -> Int {
        func missing(_ holders: TrustHolders) -> Int {
            let have = holders.keys.count { key in signatures.contains { $0.keyID == key.id } }
            return max(0, holders.threshold - have)
        }
        return max(missing(self[.root]), missing(after[.root]))
    }

    // MARK: Its end

    /// From so long before it expires operators are told.
    package static let warningSeconds: Int64 = 60 * 86_400

    package func isEndingSoon(at now: Timestamp) -> Bool {
        now.advanced(bySeconds: Self.warningSeconds) >= expires
    }

    /// For the log and for people.
    package func endingText(at now: Timestamp) -> String {
        let what =
            now < expires
            ? "the root expires on \(MetadataText.moment(expires)): devices accept nothing new after that"
            : "the root expired on \(MetadataText.moment(expires)): devices accept nothing new"
        return what + "; renew it with shelfcast-hub keys root renew --root-key FILE"
    }

    // MARK: Text

    private var signed: JSONValue {
        var keys: [TrustKey] = []
        for role in TrustRole.allCases {
            for key in self[role].keys where !keys.contains(key) { keys.append(key) }
        }
        return MetadataText.object([
            JSONValue.Member("_type", .string("root")),
            JSONValue.Member("consistent_snapshot", .bool(true)),
            JSONValue.Member("expires", .string(MetadataText.moment(expires))),
            JSONValue.Member(
                "keys", MetadataText.object(keys.map { JSONValue.Member($0.id, $0.json) })),
            JSONValue.Member(
                "roles",
                MetadataText.object(
                    TrustRole.allCases.map { role in
                        JSONValue.Member(role.rawValue, .object(self[role].roleMembers))
                    })),
            JSONValue.Member("spec_version", .string(MetadataText.specification)),
            JSONValue.Member("version", .integer(version)),
        ])
    }

    package var bytes: [UInt8] {
        MetadataEnvelope(signed: signed, signatures: signatures).bytes
    }

    package var file: MetadataFile {
        MetadataFile(
            role: TrustRole.root.rawValue, version: version, expires: expires, bytes: bytes)
    }

    /// Reads what `bytes` writes. Fields of others' would be lost when it is written again, so they are refused.
    package init(_ bytes: [UInt8], sha256: ([UInt8]) -> [UInt8]) throws(RepositoryError) {
        func bad(_ what: String) -> RepositoryError { .unreadable(role: "root", what: what) }
        guard bytes.count <= Self.bytesMax else {
            throw bad("\(bytes.count) bytes; at most \(Self.bytesMax) are read")
        }
        let envelope = try MetadataEnvelope(bytes, role: "root")
        let fields = envelope.signed
        guard let type = fields["_type"]?.utf8, type.elementsEqual("root".utf8) else {
            throw bad("it is not root metadata")
        }
        guard case .number(let digits)? = fields["version"],
            let version = UInt64(String(decoding: digits, as: UTF8.self)), version > 0
        else { throw bad("nothing usable in 'version'") }
        guard let expires = fields["expires"]?.utf8.flatMap(UTCTime.seconds) else {
            throw bad("nothing usable in 'expires'")
        }
        var holders: [TrustRole: TrustHolders] = [:]
        for role in TrustRole.allCases {
            guard let stated = fields["roles"]?[role.rawValue],
                case .array(let ids)? = stated["keyids"],
                (1...Self.keysPerRoleMax).contains(ids.count),
                case .number(let digits)? = stated["threshold"],
                let threshold = Int(String(decoding: digits, as: UTF8.self)),
                (1...ids.count).contains(threshold)
            else { throw bad("nothing usable for role \(role.rawValue)") }
            var keys: [TrustKey] = []
            for id in ids {
                guard let id = id.utf8.map({ String(decoding: $0, as: UTF8.self) }),
                    let pem = fields["keys"]?[id]?["keyval"]?["public"]?.utf8
                else { throw bad("a key of role \(role.rawValue) is missing") }
                let key = try TrustKey(pem: String(decoding: pem, as: UTF8.self), sha256: sha256)
                guard key.id == id, !keys.contains(key) else {
                    throw bad("a key of role \(role.rawValue) is not what its id says")
                }
                keys.append(key)
            }
            holders[role] = TrustHolders(keys: keys, threshold: threshold)
        }
        self.version = version
        self.expires = Timestamp(millisecondsSince1970: expires * 1000)
        self.holders = holders
        signatures = envelope.signatures
        // A signature is over these bytes: whoever read anything else here would publish something else.
        guard MetadataText.canonical(signed) == envelope.canonical else {
            throw bad("it has fields that this version does not know")
        }
    }
}
