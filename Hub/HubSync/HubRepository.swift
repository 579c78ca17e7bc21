import FoundationEssentials
package import HubCore
package import HubStore
import UpdateTrust

/// The hub's repository of The Update Framework: the store's metadata, the key files beside it, and what is written when.
/// It holds no keys: they are read when something is signed, so that one that another process has made counts at once.
///
/// Several processes may write: who is overtaken reads again.
package struct HubRepository: Sendable {
    /// How often a writing is tried that another one overtakes.
    private static let attemptsMax = 5

    private let store: any HubStore
    package let keyFiles: TrustKeyFiles
    /// Within this process they wait for each other: a fleet may ask for the same all at once.
    private let turn = OneAtATime()

    package init(dataDirectory: String, store: any HubStore) {
        self.store = store
        keyFiles = TrustKeyFiles(dataDirectory: dataDirectory)
    }

    // MARK: Reading

    package func root() async throws -> RootDocument? {
        try await store.newestMetadata(role: TrustRole.root.rawValue).map {
            try RootDocument($0.bytes, sha256: MetadataKeys.sha256)
        }
    }

    /// What a device begins with when it joins.
    package func newestRoot(at now: Timestamp) async throws -> MetadataFile {
        if let root = try await store.newestMetadata(role: TrustRole.root.rawValue) { return root }
        try await refresh(at: now)
        guard let root = try await store.newestMetadata(role: TrustRole.root.rawValue) else {
            throw HubStoreError.notFound(what: "root metadata")
        }
        return root
    }

    /// The path under which the repository vouches for `package`, which it does from now on if it did not yet.
    package func target(for package: PackageRecord, at now: Timestamp) async throws -> String {
        if let path = try await store.targetPath(of: package.digest) { return path }
        try await turn.take {
            // Whoever was before us may have listed it.
            guard try await store.targetPath(of: package.digest) == nil else { return }
            _ = try await write(
                at: now, listing: (package.family, package.release), rootKeyFile: nil)
        }
        guard let path = try await store.targetPath(of: package.digest) else {
            throw HubStoreError.notFound(what: "package \(hexadecimal(package.digest.prefix(6)))")
        }
        return path
    }

    // MARK: Writing

    /// Writes what is due: keys and version 1 of everything where there is nothing yet, packages that may be run from now on or
    /// not any more, what is good for too short a time. Most of the time that is nothing.
    /// - Parameters:
    ///   - rootKeyFile: where a new root key goes; nil: into the folder of keys.
    ///   - also: packages of a release that is about to be pushed.
    /// - Returns: what was written.
    @discardableResult
    package func refresh(
        at now: Timestamp, listing also: (family: String, release: UInt64)? = nil,
        rootKeyFile: String? = nil
    ) async throws -> [MetadataFile] {
        try await turn.take {
            try await write(at: now, listing: also, rootKeyFile: rootKeyFile)
        }
    }

    /// How many versions a restored hub leaves out: more than were published since its backup, at one a day and some for each
    /// push; a device takes versions up to 2⁵³ (RFC 8259).
    package static let restoreLeap: UInt64 = 1_000_000

    /// Signs everything but root anew, with versions that no device has seen: what a backup holds is older than what devices
    /// know, and they would refuse it.
    /// - Throws: `keysMissing`.
    package func leap(at now: Timestamp) async throws {
        _ = try await turn.take {
            try await write(at: now, listing: nil, rootKeyFile: nil, leap: Self.restoreLeap)
        }
    }

    private func write(
        at now: Timestamp, listing also: (family: String, release: UInt64)?, rootKeyFile: String?,
        leap: UInt64 = 0
    ) async throws -> [MetadataFile] {
        for attempt in 1...Self.attemptsMax {
            do {
                if let facts = try await store.repositoryFacts(besides: also) {
                    let root = try RootDocument(facts.root.bytes, sha256: MetadataKeys.sha256)
                    let writer = RepositoryWriter(
                        signer: try keyFiles.keys(of: root), now: now, leap: leap)
                    guard
                        let publication = try writer.next(
                            RepositoryState(
                                root: root, files: facts.files, packages: facts.packages))
                    else { return [] }
                    try await store.publish(publication, at: now)
                    return publication.files
                }
                try await create(at: now, rootKeyFile: rootKeyFile)
            } catch HubStoreError.changedMeanwhile where attempt < Self.attemptsMax {
                continue
            }
        }
        return []
    }

    /// Key files first: a root that the store has finds its keys.
    private func create(at now: Timestamp, rootKeyFile: String?) async throws {
        var holders: [TrustRole: TrustHolders] = [:]
        var made: [TrustRole: TrustPrivateKey] = [:]
        for role in TrustRole.allCases {
            let key = try TrustPrivateKey.make()
            made[role] = key
            holders[role] = TrustHolders(keys: [key.publicKey])
        }
        if let rootKeyFile, let key = made[.root] { try key.write(to: rootKeyFile) }
        do {
            for (role, key) in made where role != .root || rootKeyFile == nil {
                try keyFiles.write(key, role)
            }
            try await publishFirst(holders, made, at: now)
        } catch {
            // Nobody will ever ask for them; another process may just have made others.
            for (role, key) in made { keyFiles.remove(key.publicKey, role) }
            if let rootKeyFile { PrivateFile.remove(rootKeyFile) }
            throw error
        }
    }

    private func publishFirst(
        _ holders: [TrustRole: TrustHolders], _ made: [TrustRole: TrustPrivateKey],
        at now: Timestamp
    ) async throws {
        let keys = MetadataKeys(Array(made.values))
        var root = RootDocument(
            version: 1, expires: TrustRole.root.expiry(from: now), holders: holders)
        for key in root[.root].keys { try root.sign(key.id, keys) }
        let state = RepositoryState(root: root, files: [], packages: [])
        guard var publication = try RepositoryWriter(signer: keys, now: now).next(state) else {
            preconditionFailure("from nothing, everything is written")
        }
        publication.files.insert(root.file, at: 0)
        publication.notes = [
            AuditNote(action: "create-keys", object: "root 1", why: "a new repository")
        ]
        try await store.publish(publication, at: now)
    }

    /// Publishes a new root and signs anew whatever it gives to another key: one change.
    ///
    /// The devices' own client has to accept the root first.
    /// - Throws: `rootDoesNotFollow`, `keysMissing`.
    package func publish(
        root draft: RootDocument, at now: Timestamp, notes: [AuditNote]
    ) async throws {
        guard let facts = try await store.repositoryFacts(besides: nil) else {
            throw HubStoreError.notFound(what: "repository yet")
        }
        let before = try RootDocument(facts.root.bytes, sha256: MetadataKeys.sha256)
        guard draft.version == before.version + 1 else {
            throw RepositoryError.rootDoesNotFollow(
                why: "it is version \(draft.version), and the newest is \(before.version)")
        }
        do throws(MetadataError) {
            try RootFollows.check(
                draft.bytes, after: facts.root.bytes, now: now.millisecondsSince1970 / 1000)
        } catch {
            throw RepositoryError.rootDoesNotFollow(why: error.explanation)
        }
        let writer = RepositoryWriter(signer: try keyFiles.keys(of: draft), now: now)
        let next = try writer.next(
            RepositoryState(root: draft, files: facts.files, packages: facts.packages))
        // A root alone is a change of its own, and nobody may be overtaken by it without noticing.
        var publication = next ?? MetadataPublication(files: [])
        publication.files.insert(draft.file, at: 0)
        publication.notes = notes
        try await store.publish(publication, at: now)
        for role in TrustRole.allCases {
            for key in before[role].keys where !draft[role].keys.contains(key) {
                keyFiles.remove(key, role)
            }
        }
    }
}

/// Lets one after the other.
actor OneAtATime {
    private var last: Task<Void, Never>?

    func take<Value: Sendable>(
        _ body: @escaping @Sendable () async throws -> Value
    ) async throws -> Value {
        let before = last
        let task = Task {
            await before?.value
            return try await body()
        }
        // How it ends is for whoever asked for it.
        last = Task { _ = await task.result }
        return try await task.value
    }
}

/// Whether a device that trusts one root takes another for the next.
enum RootFollows {
    static func check(_ next: [UInt8], after root: [UInt8], now: Int64) throws(MetadataError) {
        var walk = try UpdateWalk(
            root: root, now: now, limits: .device, cryptography: LibraryTrust())
        guard case .fetch = try walk.next(nil) else { throw .outOfTurn }
        guard case .keep(.root, _) = try walk.next(next) else { throw .outOfTurn }
        // The one after it is not there; then the new one must not have expired.
        guard case .fetch = try walk.next(nil) else { throw .outOfTurn }
        guard case .read(.timestamp) = try walk.next(nil) else { throw .outOfTurn }
    }
}
