import ArgumentParser
import Foundation
import HubCore
import HubStore
import HubSync

/// What every change of the root asks for.
struct RootSigning: ParsableArguments {
    @Option(
        name: .customLong("root-key"),
        help: ArgumentHelp(
            "A root key to sign with; may come several times (default: those that lie in the data directory).",
            valueName: "file"))
    var rootKeys: [String] = []
    @Option(
        name: .customLong("draft"),
        help: ArgumentHelp(
            "Where the change goes when other holders have to sign it too.", valueName: "file"))
    var draftFile: String?
    @Option(help: "For the audit log.")
    var why = ""

    static func read(_ path: String) throws -> [UInt8] {
        do {
            let file = try FileHandle(forReadingFrom: URL(fileURLWithPath: path))
            defer { try? file.close() }  // it was only read
            return [UInt8](try file.read(upToCount: RootDocument.bytesMax + 1) ?? Data())
        } catch {
            throw CommandFailure(.failed, "cannot read \(path): \(fileProblem(error))")
        }
    }

    static func write(_ bytes: [UInt8], to path: String) throws {
        do {
            try Data(bytes).write(to: URL(fileURLWithPath: path), options: .atomic)
        } catch {
            throw CommandFailure(.failed, "cannot write \(path): \(fileProblem(error))")
        }
    }

    static func draft(at path: String) throws -> RootDocument {
        do {
            return try RootDocument(try read(path), sha256: MetadataKeys.sha256)
        } catch let error as RepositoryError {
            throw CommandFailure(.refused, "\(path) is no draft of a root: \(error)")
        }
    }

    /// What a root says, for whoever is about to sign it.
    static func summary(_ root: RootDocument) -> String {
        var lines = ["root \(root.version), good until \(MetadataText.moment(root.expires))"]
        for role in TrustRole.allCases {
            let keys = root[role].keys.map { String($0.id.prefix(16)) }.joined(separator: ", ")
            lines.append("  \(role.rawValue): \(root[role].threshold) of \(keys)")
        }
        return lines.joined(separator: "\n")
    }
}

/// A change of the root on its way: from the newest root to the one after it, signed with what is at hand.
struct RootChange {
    let root: RootDocument
    var draft: RootDocument
    /// Root keys at hand.
    private(set) var signers: MetadataKeys
    /// Keys made for it, and where they go; nil: into the folder of keys.
    var made: [(key: TrustPrivateKey, role: TrustRole, file: String?)] = []
    private let given: [(file: String, key: TrustPrivateKey)]
    private let repository: HubRepository
    private let signing: RootSigning
    private let now: Timestamp

    init(_ data: DataOptions, _ signing: RootSigning) async throws {
        repository = data.repository(of: try data.openStore())
        now = Timestamp(Date())
        try await repository.refresh(at: now)
        guard let root = try await repository.root() else {
            throw HubStoreError.notFound(what: "root yet")
        }
        self.root = root
        self.signing = signing
        draft = root.next(now: now)
        given = try signing.rootKeys.map { ($0, try TrustPrivateKey(file: $0)) }
        signers =
            given.isEmpty
            ? try repository.keyFiles.keys(of: root, [.root]) : MetadataKeys(given.map(\.key))
    }

    /// The root keys, for messages.
    var holders: String {
        root[.root].keys.map { String($0.id.prefix(16)) }.joined(separator: ", ")
    }

    /// Signs, and publishes or writes the draft.
    func finish(_ note: AuditNote, done: String) async throws {
        var (draft, signers) = (draft, signers)
        signers.add(made.filter { $0.role == .root }.map(\.key))
        let wanted = RootDocument.signers(draft, after: root)
        for (file, key) in given where !wanted.contains(key.publicKey) {
            throw CommandFailure(
                .refused,
                "\(file) is key \(key.publicKey.id.prefix(16)), which does not sign for this root (\(holders) do)"
            )
        }
        for key in wanted where signers.has(keyID: key.id) { try draft.sign(key.id, signers) }
        let missing = draft.signaturesMissing(after: root)
        guard missing == 0 || signing.draftFile != nil else {
            throw CommandFailure(
                .refused,
                "\(FleetText.count(missing, "signature")) more \(missing == 1 ? "is" : "are") needed, of the root keys \(holders): give"
                    + " --root-key FILE, or --draft FILE to have it signed elsewhere; nothing was changed"
            )
        }
        var written: [(key: TrustKey, role: TrustRole, file: String?)] = []
        do {
            for (key, role, file) in made {
                if let file {
                    try key.write(to: file)
                } else {
                    try repository.keyFiles.write(key, role)
                }
                written.append((key.publicKey, role, file))
            }
            guard missing == 0, signing.draftFile == nil else {
                try leave(draft, missing: missing)
                return
            }
            try await repository.publish(root: draft, at: now, notes: [note])
        } catch {
            for (key, role, file) in written { repository.keyFiles.remove(key, role, file: file) }
            throw error
        }
        Console.print("root \(draft.version) is published: \(done)")
        for (key, role, file) in written where role == .root {
            Console.print(
                "the new root key is in \(file ?? repository.keyFiles.path(of: key, role)): keep it off this machine"
            )
        }
        Console.print("devices follow when they are next in touch")
    }

    private func leave(_ draft: RootDocument, missing: Int) throws {
        guard let file = signing.draftFile else { return }
        try RootSigning.write(draft.bytes, to: file)
        Console.print(RootSigning.summary(draft))
        if missing == 0 {
            Console.print("the draft is in \(file) and has its signatures")
        } else {
            Console.print(
                "the draft is in \(file) and needs \(FleetText.count(missing, "signature")) more")
            Console.print(
                "next, where a root key lies: shelfcast-hub keys sign \(file) --root-key KEY")
        }
        Console.print("then, here: shelfcast-hub keys publish \(file)")
    }
}
