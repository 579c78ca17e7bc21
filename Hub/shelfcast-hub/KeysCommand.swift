import ArgumentParser
import Foundation
import HubCore
import HubStore
import HubSync

struct KeysCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "keys",
        abstract:
            "The keys that devices trust: see, renew and replace them, export what they sign.",
        discussion: """
            Devices believe packages by metadata of The Update Framework. Three keys lie on the hub and sign \
            every day: targets (which packages there are), snapshot (which belong together), timestamp (this is \
            the newest). The root key says whose keys those are; it belongs off this machine, and is needed \
            to replace a key and once in five years to renew the root.
            """,
        subcommands: [
            KeysListCommand.self, KeysNewCommand.self, KeysRotateCommand.self, KeysRootCommand.self,
            KeysSignCommand.self, KeysPublishCommand.self, KeysExportCommand.self,
        ])
}

extension TrustRole: ExpressibleByArgument {}

struct KeysListCommand: HubCommand {
    static let configuration = CommandConfiguration(
        commandName: "list",
        abstract: "Show who signs what, how long it is good, and where keys lie.",
        discussion: """
            Example:
              shelfcast-hub keys list
            """)

    @OptionGroup var json: JSONOption
    @OptionGroup var data: DataOptions

    private struct Result: Encodable {
        struct Role: Encodable {
            struct Key: Encodable {
                var id: String
                var isHere: Bool
            }
            var role: String
            var version: UInt64
            var expires: String
            var threshold: Int
            var keys: [Key]
        }
        var roles: [Role]
        var packages: Int
        /// 0: all packages are in targets itself.
        var bins: Int
        var warnings: [String]
    }

    func perform() async throws {
        let store = try data.openStore()
        let repository = data.repository(of: store)
        let now = Timestamp(Date())
        guard let root = try await repository.root() else {
            if json.isOn {
                return try Console.printJSON(Result(roles: [], packages: 0, bins: 0, warnings: []))
            }
            return Console.print(
                "no keys yet; the next shelfcast-hub serve, package build or push makes them")
        }
        let contents = try await store.repositoryContents()
        var roles: [Result.Role] = []
        for role in TrustRole.allCases {
            guard let file = contents.files.last(where: { $0.role == role.rawValue }) else {
                continue
            }
            roles.append(
                Result.Role(
                    role: role.rawValue, version: file.version,
                    expires: MetadataText.moment(file.expires), threshold: root[role].threshold,
                    keys: root[role].keys.map {
                        Result.Role.Key(id: $0.id, isHere: repository.keyFiles.has($0, role))
                    }))
        }
        let result = Result(
            roles: roles, packages: contents.targets.count,
            bins: Set(contents.targets.map(\.role)).subtracting(["targets"]).count,
            warnings: Self.warnings(root, repository.keyFiles, contents.files, at: now))
        if json.isOn { return try Console.printJSON(result) }
        var table = TextTable([
            ("ROLE", .left), ("VERSION", .right), ("GOOD UNTIL", .left), ("NEEDS", .left),
            ("KEY", .left), ("LIES", .left),
        ])
        for role in roles {
            for key in role.keys {
                table.add([
                    role.role, "\(role.version)", role.expires,
                    "\(role.threshold) of \(role.keys.count)", String(key.id.prefix(16)),
                    key.isHere ? "here" : role.role == "root" ? "elsewhere" : "missing",
                ])
            }
        }
        Console.print(table.text)
        Console.print(
            "\(FleetText.count(result.packages, "package")) listed"
                + (result.bins == 0 ? "" : ", spread over \(result.bins) files"))
        for warning in result.warnings { Console.print("warning: \(warning)") }
    }

    private static func warnings(
        _ root: RootDocument, _ keyFiles: TrustKeyFiles, _ files: [MetadataFile], at now: Timestamp
    ) -> [String] {
        var warnings: [String] = []
        for key in root[.root].keys where keyFiles.has(key, .root) {
            warnings.append(
                "the root key lies in \(keyFiles.path(of: key, .root)): whoever takes this machine over has it;"
                    + " move it to a safe place, and a copy to a second one")
        }
        if root.isEndingSoon(at: now) { warnings.append(root.endingText(at: now)) }
        for role in [TrustRole.targets, .snapshot, .timestamp] {
            let file = files.last { $0.role == role.rawValue }
            if let file, file.expires <= now {
                warnings.append(
                    "\(role.rawValue) has expired: devices accept nothing new until shelfcast-hub serve runs"
                        + " and signs it anew")
            }
        }
        return warnings
    }
}

struct KeysNewCommand: HubCommand {
    static let configuration = CommandConfiguration(
        commandName: "new", abstract: "Make a root key for somebody, on a machine of his own.",
        discussion: """
            Needs no hub. The private key goes into FILE and stays with its holder; FILE.pub is for the hub:
            shelfcast-hub keys root add FILE.pub

            Example:
              shelfcast-hub keys new manager-root.pem
            """)

    @Argument(help: "Where the private key goes.")
    var file: String

    func perform() async throws {
        let key = try TrustPrivateKey.make()
        try key.write(to: file)
        try RootSigning.write(Array((key.publicKey.pem + "\n").utf8), to: file + ".pub")
        Console.print("key \(key.publicKey.id.prefix(16)) is in \(file)")
        Console.print("next, at the hub: shelfcast-hub keys root add \(file).pub")
    }
}

struct KeysRotateCommand: HubCommand {
    static let configuration = CommandConfiguration(
        commandName: "rotate",
        abstract: "Replace keys: yearly, or when somebody may have had them.",
        discussion: """
            Makes new keys, a new root that names them, and signs everything anew; devices follow at their next \
            visit. What the old keys sign is believed no more. 'rotate root' replaces the root key \
            that is given with --root-key.

            Examples:
              shelfcast-hub keys rotate targets --root-key /media/stick/root.pem
              shelfcast-hub keys rotate targets snapshot timestamp --root-key /media/stick/root.pem
              shelfcast-hub keys rotate root --root-key old.pem --new-root-key new.pem
            """)

    @Argument(help: "targets, snapshot, timestamp or root; several at once.")
    var roles: [TrustRole]
    @Option(
        help: ArgumentHelp(
            "With 'root': where the new root key goes (default: the data directory).",
            valueName: "file"))
    var newRootKey: String?
    @OptionGroup var signing: RootSigning
    @OptionGroup var data: DataOptions

    func validate() throws {
        guard Set(roles).count == roles.count else { throw ValidationError("a role comes twice") }
        guard newRootKey == nil || roles.contains(.root) else {
            throw ValidationError("--new-root-key goes with 'rotate root'")
        }
    }

    func perform() async throws {
        var change = try await RootChange(data, signing)
        for role in roles {
            let key = try TrustPrivateKey.make()
            guard role == .root else {
                change.made.append((key, role, nil))
                try change.draft.replace(nil, with: key.publicKey, of: role)
                continue
            }
            let have = change.root[.root].keys.filter { change.signers.has(keyID: $0.id) }
            guard have.count == 1, let old = have.first else {
                throw CommandFailure(
                    .refused,
                    "say with one --root-key FILE which root key is replaced; it is one of \(change.holders)"
                )
            }
            change.made.append((key, .root, newRootKey))
            try change.draft.replace(old, with: key.publicKey, of: .root)
        }
        let what = roles.map(\.rawValue).joined(separator: ", ")
        try await change.finish(
            AuditNote(action: "rotate-keys", object: what, why: signing.why),
            done: "new keys for \(what)")
    }
}

struct KeysRootCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "root", abstract: "Renew the root, and say who holds root keys.",
        discussion: """
            With several holders and a threshold, nobody changes the root alone: 'threshold 2' of three keys \
            survives one that is lost and one that is stolen. A change that needs more signatures than \
            there are --root-key files is written with --draft, carried to the holders for \
            'keys sign', and brought back for 'keys publish'.
            """,
        subcommands: [
            KeysRootRenewCommand.self, KeysRootAddCommand.self, KeysRootRemoveCommand.self,
            KeysRootThresholdCommand.self,
        ])
}

struct KeysRootRenewCommand: HubCommand {
    static let configuration = CommandConfiguration(
        commandName: "renew", abstract: "The same root, good for another five years.",
        discussion: """
            Example:
              shelfcast-hub keys root renew --root-key /media/stick/root.pem
            """)

    @OptionGroup var signing: RootSigning
    @OptionGroup var data: DataOptions

    func perform() async throws {
        let change = try await RootChange(data, signing)
        try await change.finish(
            AuditNote(action: "renew-root", object: "root", why: signing.why),
            done: "renewed until \(MetadataText.moment(change.draft.expires))")
    }
}

struct KeysRootAddCommand: HubCommand {
    static let configuration = CommandConfiguration(
        commandName: "add", abstract: "Let another root key sign too.",
        discussion: """
            Example:
              shelfcast-hub keys root add manager-root.pem.pub --root-key /media/stick/root.pem
            """)

    @Argument(help: "The public key, as 'keys new' writes it.")
    var publicKey: String
    @OptionGroup var signing: RootSigning
    @OptionGroup var data: DataOptions

    func perform() async throws {
        var change = try await RootChange(data, signing)
        let text = String(decoding: try RootSigning.read(publicKey), as: UTF8.self)
        let key: TrustKey
        do {
            key = try TrustKey(
                pem: text.trimmingCharacters(in: .whitespacesAndNewlines),
                sha256: MetadataKeys.sha256)
        } catch {
            throw CommandFailure(.refused, "\(publicKey) is not a P-256 public key in PEM form")
        }
        try change.draft.add(key, to: .root)
        try await change.finish(
            AuditNote(action: "add-root-key", object: "key \(key.id.prefix(16))", why: signing.why),
            done: "key \(key.id.prefix(16)) signs for the root too")
    }
}

struct KeysRootRemoveCommand: HubCommand {
    static let configuration = CommandConfiguration(
        commandName: "remove", abstract: "Let a root key sign no more.",
        discussion: """
            Example:
              shelfcast-hub keys root remove c0899397 --root-key /media/stick/root.pem
            """)

    @Argument(help: "The key, by the beginning of its id.")
    var key: String
    @OptionGroup var signing: RootSigning
    @OptionGroup var data: DataOptions

    func perform() async throws {
        var change = try await RootChange(data, signing)
        let id = try change.draft.rootKey(key).id
        try change.draft.remove(keyID: id, from: .root)
        try await change.finish(
            AuditNote(action: "remove-root-key", object: "key \(id.prefix(16))", why: signing.why),
            done: "key \(id.prefix(16)) signs no more")
    }
}

struct KeysRootThresholdCommand: HubCommand {
    static let configuration = CommandConfiguration(
        commandName: "threshold", abstract: "Say how many root keys must sign a root.",
        discussion: """
            Example:
              shelfcast-hub keys root threshold 2 --root-key manager-root.pem --draft root-4.json
            """)

    @Argument(help: "1, or as many as must agree.")
    var count: Int
    @OptionGroup var signing: RootSigning
    @OptionGroup var data: DataOptions

    func perform() async throws {
        var change = try await RootChange(data, signing)
        try change.draft.setThreshold(count, of: .root)
        try await change.finish(
            AuditNote(action: "set-root-threshold", object: "root", why: "\(count) \(signing.why)"),
            done: "\(FleetText.count(count, "signature")) of \(change.draft[.root].keys.count)")
    }
}

struct KeysSignCommand: HubCommand {
    static let configuration = CommandConfiguration(
        commandName: "sign", abstract: "Sign a draft of the root, where a root key lies.",
        discussion: """
            Needs no hub. Shows what the draft says; the signature is added to it.

            Example:
              shelfcast-hub keys sign root-4.json --root-key manager-root.pem
            """)

    @Argument(help: "The draft.")
    var draft: String
    @Option(
        name: .customLong("root-key"), help: ArgumentHelp("A root key.", valueName: "file"))
    var rootKeys: [String] = []

    func validate() throws {
        if rootKeys.isEmpty { throw ValidationError("say with what to sign: --root-key FILE") }
    }

    func perform() async throws {
        var root = try RootSigning.draft(at: draft)
        for file in rootKeys {
            let key = try TrustPrivateKey(file: file)
            try root.sign(key.publicKey.id, MetadataKeys([key]))
            if !root[.root].keys.contains(key.publicKey) {
                Console.error(
                    "shelfcast-hub: key \(key.publicKey.id.prefix(16)) is none of this root's; it counts only if it"
                        + " is one of the root before")
            }
        }
        try RootSigning.write(root.bytes, to: draft)
        Console.print(RootSigning.summary(root))
        Console.print("signed; next, at the hub: shelfcast-hub keys publish \(draft)")
    }
}

struct KeysPublishCommand: HubCommand {
    static let configuration = CommandConfiguration(
        commandName: "publish", abstract: "Publish a draft of the root that has its signatures.",
        discussion: """
            Example:
              shelfcast-hub keys publish root-4.json
            """)

    @Argument(help: "The draft.")
    var draft: String
    @Option(help: "For the audit log.")
    var why = ""
    @OptionGroup var data: DataOptions

    func perform() async throws {
        let root = try RootSigning.draft(at: draft)
        let store = try data.openStore()
        try await data.repository(of: store).publish(
            root: root, at: Timestamp(Date()),
            notes: [AuditNote(action: "publish-root", object: "root \(root.version)", why: why)])
        Console.print(RootSigning.summary(root))
        Console.print("published; devices follow when they are next in touch")
    }
}
