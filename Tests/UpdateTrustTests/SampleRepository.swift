import JSONText
import UpdateTrust

/// Stands in for Ed25519 and SHA-2: every bit of what goes in decides every byte of what comes out. The real
/// ones are tested where they live and against the reference implementation's repositories.
struct MixingCryptography: TrustCryptography {
    static func mix(_ bytes: [UInt8], count: Int) -> [UInt8] {
        var state: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in bytes { state = (state ^ UInt64(byte)) &* 0x100_0000_01B3 }
        return (0..<count).map { _ in
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return UInt8(truncatingIfNeeded: state >> 56)
        }
    }

    func digest(_ algorithm: DigestAlgorithm, of bytes: [UInt8]) -> [UInt8]? {
        Self.mix(bytes, count: algorithm.bytes)
    }

    func verify(signature: [UInt8], of message: [UInt8], key: SigningKey) -> Bool {
        key.scheme == .ed25519 && signature == Self.mix(key.text + message, count: 64)
    }
}

extension [UInt8] {
    var hex: String {
        map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }
}

/// A key that can sign: its id in the metadata, and what it is.
struct SampleKey: Equatable {
    var id: String
    var text: String
    var scheme = "ed25519"

    init(_ id: String, text: String? = nil, scheme: String = "ed25519") {
        self.id = id
        self.text = text ?? "secret of \(id)"
        self.scheme = scheme
    }

    var json: String {
        #"{"keytype":"ed25519","scheme":"\#(scheme)","keyval":{"public":"\#(text)"}}"#
    }
}

/// A role as a repository publishes it.
struct SampleRole {
    var version = 1
    var expires = "2030-01-01T00:00:00Z"
    /// Who may sign, and who does.
    var keys: [SampleKey]
    var signers: [SampleKey]
    var threshold = 1
    var type: String
    /// More of what is signed, each with a comma before it.
    var extra = ""

    init(_ type: String, _ keys: [SampleKey]) {
        self.type = type
        self.keys = keys
        signers = keys
    }

    var rights: String {
        let ids = keys.map { "\"\($0.id)\"" }.joined(separator: ",")
        return #""keyids":[\#(ids)],"threshold":\#(threshold)"#
    }

    /// - Parameter body: what this role has beside the common fields.
    func signed(_ body: String) -> [UInt8] {
        let text =
            #"{"_type":"\#(type)","spec_version":"1.0.34","version":\#(version),"#
            + #""expires":"\#(expires)",\#(body)\#(extra)}"#
        return Self.sign(text, by: signers)
    }

    static func sign(_ text: String, by signers: [SampleKey]) -> [UInt8] {
        let bytes = [UInt8](text.utf8)
        // A text that is wrong on purpose may have no canonical form.
        let canonical =
            (try? JSONValue(
                strictly: bytes, bytesMax: 10_000_000, depthMax: 64, valuesMax: 1_000_000
            ).canonical()) ?? bytes
        let signatures = signers.map { key in
            let signature = MixingCryptography.mix([UInt8](key.text.utf8) + canonical, count: 64)
            return #"{"keyid":"\#(key.id)","sig":"\#(signature.hex)"}"#
        }
        return [UInt8](
            #"{ "signed": \#(text), "signatures": [\#(signatures.joined(separator: ", "))] }"#.utf8)
    }
}

/// A delegation in some role's metadata.
struct SampleDelegation {
    var name: String
    var isTerminating = false
    var paths = #""paths":["*"]"#
}

/// A repository and the device that updates from it, both in memory.
struct SampleRepository {
    /// 2026-01-01T00:00:00Z.
    static let now: Int64 = 1_767_225_600

    var roles: [String: SampleRole] = [
        "root": SampleRole("root", [SampleKey("r1")]),
        "timestamp": SampleRole("timestamp", [SampleKey("t1")]),
        "snapshot": SampleRole("snapshot", [SampleKey("s1")]),
        "targets": SampleRole("targets", [SampleKey("g1")]),
    ]
    var isConsistent = true
    /// path and content, by role
    var files: [String: [(path: String, content: String)]] = [:]
    var delegations: [String: [SampleDelegation]] = [:]
    /// In place of `delegations` where given.
    var delegationText: [String: String] = [:]
    var hasMetaDigests = false
    /// What the snapshot lists besides `targets` and the delegated roles.
    var snapshotExtra = ""
    /// By file name, as published.
    var published: [String: [UInt8]] = [:]
    /// What the device keeps, by role name.
    var kept: [String: [UInt8]] = [:]
    /// What the device asked for, by file name.
    var requests: [String] = []
    var clock = Self.now
    var limits = MetadataLimits.generous

    init() {
        publish()
        kept["root"] = published["1.root.json"]
    }

    subscript(_ role: String) -> SampleRole {
        get { roles[role]! }
        set { roles[role] = newValue }
    }

    /// Signs all roles but root as they stand now, and root.
    mutating func publish() {
        publishRoot()
        publishOthers()
    }

    mutating func publishRoot() {
        let top = ["root", "timestamp", "snapshot", "targets"]
        var keys: [String: String] = [:]
        for role in top { for key in self[role].keys { keys[key.id] = key.json } }
        let keyText = keys.sorted { $0.key < $1.key }.map { "\"\($0.key)\":\($0.value)" }
        let roleText = top.map { "\"\($0)\":{\(self[$0].rights)}" }
        published["\(self["root"].version).root.json"] = self["root"].signed(
            #""consistent_snapshot":\#(isConsistent),"keys":{\#(keyText.joined(separator: ","))},"#
                + #""roles":{\#(roleText.joined(separator: ","))}"#)
    }

    mutating func publishOthers() {
        var meta: [String] = []
        for name in roles.keys.sorted() where self[name].type == "targets" {
            let bytes = self[name].signed(targetsBody(name))
            put(name, bytes)
            meta.append("\"\(name).json\":{\(describe(self[name].version, bytes))}")
        }
        let snapshot = self["snapshot"].signed(
            #""meta":{\#(meta.joined(separator: ","))\#(snapshotExtra)}"#)
        put("snapshot", snapshot)
        published["timestamp.json"] = self["timestamp"].signed(
            #""meta":{"snapshot.json":{\#(describe(self["snapshot"].version, snapshot))}}"#)
    }

    /// One version further in each of these, and published.
    mutating func bump(_ names: String...) {
        for name in names { self[name].version += 1 }
        if names.contains("root") { publishRoot() }
        publishOthers()
    }

    private func describe(_ version: Int, _ bytes: [UInt8]) -> String {
        guard hasMetaDigests else { return #""version":\#(version)"# }
        let digest = MixingCryptography.mix(bytes, count: 32).hex
        return #""version":\#(version),"length":\#(bytes.count),"hashes":{"sha256":"\#(digest)"}"#
    }

    private mutating func put(_ role: String, _ bytes: [UInt8]) {
        published["\(escaped(role)).json"] = bytes
        published["\(self[role].version).\(escaped(role)).json"] = bytes
    }

    private func escaped(_ name: String) -> String {
        String(decoding: RoleName.escape([UInt8](name.utf8)), as: UTF8.self)
    }

    static func entry(_ path: String, _ content: String) -> String {
        let digest = MixingCryptography.mix([UInt8](content.utf8), count: 32).hex
        return
            #""\#(path)":{"length":\#(content.utf8.count),"hashes":{"sha256":"\#(digest)"}}"#
    }

    private func targetsBody(_ name: String) -> String {
        let files = (files[name] ?? []).map { Self.entry($0.path, $0.content) }
        var body = #""targets":{\#(files.joined(separator: ","))}"#
        if let text = delegationText[name] {
            body += #","delegations":\#(text)"#
        } else if let delegated = delegations[name] {
            var keys: [String: String] = [:]
            for role in delegated { for key in self[role.name].keys { keys[key.id] = key.json } }
            let keyText = keys.map { "\"\($0.key)\":\($0.value)" }.joined(separator: ",")
            let roles = delegated.map {
                #"{"name":"\#($0.name)","terminating":\#($0.isTerminating),\#($0.paths),\#(self[$0.name].rights)}"#
            }.joined(separator: ",")
            body += #","delegations":{"keys":{\#(keyText)},"roles":[\#(roles)]}"#
        }
        return body
    }

    /// Adds the role if it is new, and a delegation to it.
    mutating func delegate(_ from: String, to delegation: SampleDelegation) {
        if roles[delegation.name] == nil {
            roles[delegation.name] = SampleRole(
                "targets",
                [SampleKey("key of \(delegation.name.utf8.count) \(delegation.name.utf8.first!)")])
        }
        delegations[from, default: []].append(delegation)
    }

    func begin() throws(MetadataError) -> UpdateWalk<MixingCryptography> {
        try UpdateWalk(
            root: kept["root"] ?? [], now: clock, limits: limits, cryptography: MixingCryptography()
        )
    }

    /// Walks until the walk has an answer. `requests` and `kept` tell afterwards what happened.
    mutating func run(
        _ walk: inout UpdateWalk<MixingCryptography>,
        from first: UpdateWalk<MixingCryptography>.Step
    ) throws(MetadataError) -> UpdateWalk<MixingCryptography>.Step {
        var step = first
        for _ in 0..<2_000 {
            switch step {
            case .read(let role):
                step = try walk.next(kept[String(decoding: role.utf8, as: UTF8.self)])
            case .fetch(let request):
                let name = String(decoding: request.fileName, as: UTF8.self)
                requests.append(name)
                // A byte too many never reaches the parser.
                step = try walk.next(
                    published[name].flatMap { $0.count > request.bytesMax ? nil : $0 })
            case .keep(let role, let bytes):
                kept[String(decoding: role.utf8, as: UTF8.self)] = bytes
                step = try walk.next(nil)
            case .current, .found, .absent:
                return step
            }
        }
        throw .outOfTurn
    }

    mutating func refresh() throws(MetadataError) {
        requests = []
        var walk = try begin()
        let step = try run(&walk, from: try walk.next(nil))
        guard step == .current else { throw .outOfTurn }
    }

    /// - Returns: nil when nobody has it.
    mutating func find(_ path: String) throws(MetadataError) -> TargetFile? {
        requests = []
        var walk = try begin()
        _ = try run(&walk, from: try walk.next(nil))
        requests = []
        guard case .found(let file) = try run(&walk, from: try walk.find([UInt8](path.utf8))) else {
            return nil
        }
        return file
    }

    /// The version that the device trusts, nil when it trusts none.
    func version(_ role: String) -> Int? {
        guard let bytes = kept[role],
            let document = try? JSONValue(
                strictly: bytes, bytesMax: 10_000_000, depthMax: 64, valuesMax: 1_000_000),
            case .number(let digits)? = document["signed"]?["version"]
        else { return nil }
        return Int(String(decoding: digits, as: UTF8.self))
    }

    var trusted: [String: Int] { kept.keys.reduce(into: [:]) { $0[$1] = version($1) } }
}
