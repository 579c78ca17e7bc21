import Forecasting
import JSONText

/// What the hub has published and what it should list: all that the next writing is decided from.
package struct RepositoryState: Sendable {
    package var root: RootDocument
    /// The newest file of every other role, bins that are not used any more included.
    package var files: [MetadataFile]
    /// Packages that a device may be told to run.
    package var packages: [PackageRecord]

    package init(root: RootDocument, files: [MetadataFile], packages: [PackageRecord]) {
        self.root = root
        self.files = files
        self.packages = packages
    }
}

/// Decides what of the repository has to be written anew, and writes it. No clock, no disk: `now` and the signer
/// come in, a publication goes out.
package struct RepositoryWriter<Signer: MetadataSigner> {
    private let signer: Signer
    private let now: Timestamp
    private let leap: UInt64

    /// - Parameter leap: above 0 everything but root is signed anew, so many versions on: after a restore from a backup, so
    ///   that no device takes it for an older repository played back to it.
    package init(signer: Signer, now: Timestamp, leap: UInt64 = 0) {
        self.signer = signer
        self.now = now
        self.leap = leap
    }

    /// A file as it would be, but for version, expiry and signatures.
    private struct Draft {
        var role: String
        var kind: TrustRole
        var body: [JSONValue.Member]
    }

    /// - Returns: nil when everything is as it should be.
    /// - Throws: `keysMissing`, `tooManyTargets`, `unreadable`, or what the signer throws.
    package func next(_ state: RepositoryState) throws -> MetadataPublication? {
        var newest: [String: MetadataFile] = [:]
        for file in state.files { newest[file.role] = file }
        var written: [MetadataFile] = []
        /// Decides for one file.
        func publish(_ draft: Draft) throws {
            if let file = try next(draft, after: newest[draft.role], root: state.root) {
                newest[file.role] = file
                written.append(file)
            }
        }

        let (drafts, listed) = try targets(state, current: newest["targets"])
        for draft in drafts { try publish(draft) }
        let areTargetsNew = !written.isEmpty

        // What was in a snapshot stays in the next: a device would take its absence for an attack (5.5.5). Only where
        // snapshot's key is another does a device begin anew (5.3.11).
        var dropped: [String] = []
        if let snapshot = newest["snapshot"], try !isSigned(snapshot, as: .snapshot, state.root) {
            let roles = Set(drafts.map(\.role) + ["snapshot", "timestamp"])
            dropped = newest.keys.filter { !roles.contains($0) }.sorted()
            for role in dropped { newest[role] = nil }
        }
        let meta = newest.values.filter { $0.role != "snapshot" && $0.role != "timestamp" }
        try publish(
            Draft(role: "snapshot", kind: .snapshot, body: [Self.meta(meta.map { $0 })]))
        guard let snapshot = newest["snapshot"] else { preconditionFailure("just written") }
        try publish(Draft(role: "timestamp", kind: .timestamp, body: [Self.meta([snapshot])]))
        guard !written.isEmpty else { return nil }
        return MetadataPublication(
            files: written, listed: areTargetsNew ? listed : nil, dropped: dropped, leap: leap)
    }

    // MARK: Packages

    private func targets(
        _ state: RepositoryState, current: MetadataFile?
    ) throws -> (drafts: [Draft], listed: [ListedTarget]) {
        let entries = state.packages.map { (package: $0, entry: Self.entry($0)) }
            .sorted { JSONValue.precedes($0.entry.name, $1.entry.name) }
        let sizes = entries.map { $0.entry.name.count + $0.entry.value.line.count + 4 }
        let layout = TargetLayout.choose(
            entryBytes: sizes.reduce(0, +), current: try current.map(Self.layout(of:)))
        func draft(_ role: String, _ members: [JSONValue.Member], _ more: [JSONValue.Member] = [])
            -> Draft
        {
            Draft(
                role: role, kind: .targets,
                body: more + [JSONValue.Member("targets", .object(members))])
        }
        guard layout != .inTargets else {
            try checkSize(sizes.reduce(0, +), count: entries.count)
            return (
                [draft("targets", entries.map(\.entry))],
                entries.map {
                    ListedTarget(
                        digest: $0.package.digest, path: $0.package.targetPath, role: "targets")
                }
            )
        }
        var bins = [[JSONValue.Member]](repeating: [], count: layout.binCount)
        var binBytes = [Int](repeating: 0, count: layout.binCount)
        var listed: [ListedTarget] = []
        for (index, (package, entry)) in entries.enumerated() {
            let number = layout.binNumber(digest: signer.sha256(entry.name))
            bins[number].append(entry)
            binBytes[number] += sizes[index]
            listed.append(
                ListedTarget(
                    digest: package.digest, path: package.targetPath, role: layout.bin(number)))
        }
        try checkSize(binBytes.max() ?? 0, count: entries.count)
        let delegations = Self.delegations(layout, state.root[.targets])
        return (
            [draft("targets", [], [delegations])]
                + bins.indices.map { draft(layout.bin($0), bins[$0]) },
            listed
        )
    }

    private func checkSize(_ bytes: Int, count: Int) throws(RepositoryError) {
        guard bytes <= TargetLayout.fileBytesMax else { throw .tooManyTargets(count: count) }
    }

    /// TARGETS of specification 4.5.
    private static func entry(_ package: PackageRecord) -> JSONValue.Member {
        var custom = [
            JSONValue.Member("arena", .integer(package.arenaBytes)),
            JSONValue.Member("family", .string(package.family)),
            JSONValue.Member("release", .integer(package.release)),
        ]
        if let store = package.store {
            custom.append(JSONValue.Member("store", .string(store.text)))
        }
        custom.append(JSONValue.Member("variant", .string(package.variant)))
        return JSONValue.Member(
            package.targetPath,
            .object([
                JSONValue.Member("custom", .object(custom)),
                JSONValue.Member(
                    "hashes",
                    .object([
                        JSONValue.Member(
                            "sha256", .string(MetadataText.hexadecimal(package.digest)))
                    ])),
                JSONValue.Member("length", .integer(package.packageBytes)),
            ]))
    }

    /// The bins' keys are those of `targets`: both lie on the hub, and who has one has the other.
    private static func delegations(
        _ layout: TargetLayout, _ holders: TrustHolders
    ) -> JSONValue.Member {
        JSONValue.Member(
            "delegations",
            .object([
                JSONValue.Member(
                    "keys",
                    MetadataText.object(holders.keys.map { JSONValue.Member($0.id, $0.json) })),
                JSONValue.Member(
                    "succinct_roles",
                    MetadataText.object(
                        holders.roleMembers + [
                            JSONValue.Member("bit_length", .integer(layout.bits)),
                            JSONValue.Member("name_prefix", .string(TargetLayout.binPrefix)),
                        ])),
            ]))
    }

    private static func layout(of targets: MetadataFile) throws(RepositoryError) -> TargetLayout {
        let signed = try MetadataEnvelope(targets.bytes, role: targets.role).signed
        guard let bins = signed["delegations"]?["succinct_roles"] else { return .inTargets }
        guard case .number(let digits)? = bins["bit_length"],
            let bits = Int(String(decoding: digits, as: UTF8.self)),
            (1...TargetLayout.bitsMax).contains(bits)
        else { throw .unreadable(role: targets.role, what: "nothing usable in 'bit_length'") }
        return TargetLayout(bits: bits)
    }

    // MARK: Files

    private static func meta(_ files: [MetadataFile]) -> JSONValue.Member {
        JSONValue.Member(
            "meta",
            MetadataText.object(
                files.map { file in
                    JSONValue.Member(
                        "\(file.role).json",
                        .object([JSONValue.Member("version", .integer(file.version))]))
                }))
    }

    /// Whether `file` is signed by just the keys that sign now.
    private func isSigned(
        _ file: MetadataFile, as kind: TrustRole, _ root: RootDocument
    ) throws -> Bool {
        Set(try MetadataEnvelope(file.bytes, role: file.role).signatures.map(\.keyID))
            == Set(try keys(of: kind, root))
    }

    private func keys(of kind: TrustRole, _ root: RootDocument) throws(RepositoryError) -> [String]
    {
        let holders = root[kind]
        let ids = holders.keys.map(\.id).filter(signer.has(keyID:))
        guard ids.count >= holders.threshold else {
            throw .keysMissing(
                kind, have: ids.count, needed: holders.threshold, ids: holders.keys.map(\.id))
        }
        return ids
    }

    /// The next version, or nil when the one there is says the same, is signed by the same keys and is good for long enough.
    private func next(
        _ draft: Draft, after last: MetadataFile?, root: RootDocument
    ) throws -> MetadataFile? {
        let ids = try keys(of: draft.kind, root)
        if leap == 0, let last, let seconds = draft.kind.renewalSeconds,
            now.advanced(bySeconds: seconds) < last.expires
        {
            let envelope = try MetadataEnvelope(last.bytes, role: last.role)
            let same = Self.signed(draft, version: last.version, expires: last.expires)
            if envelope.signed == same, Set(envelope.signatures.map(\.keyID)) == Set(ids) {
                return nil
            }
        }
        let expires = draft.kind.expiry(from: now)
        let version = (last?.version ?? 0) + 1 + leap
        var envelope = MetadataEnvelope(
            signed: Self.signed(draft, version: version, expires: expires))
        for id in ids { try envelope.sign(id, signer) }
        return MetadataFile(
            role: draft.role, version: version, expires: expires, bytes: envelope.bytes)
    }

    private static func signed(_ draft: Draft, version: UInt64, expires: Timestamp) -> JSONValue {
        MetadataText.object(
            draft.body + [
                JSONValue.Member("_type", .string(draft.kind.rawValue)),
                JSONValue.Member("expires", .string(MetadataText.moment(expires))),
                JSONValue.Member("spec_version", .string(MetadataText.specification)),
                JSONValue.Member("version", .integer(version)),
            ])
    }
}
