import ArgumentParser
import Foundation
import HubCore
import HubStore
import HubSync

struct InitCommand: HubCommand {
    static let configuration = CommandConfiguration(
        commandName: "init",
        abstract: "Make a new hub: data directory, database, certificate authority, signing keys.",
        discussion: """
            Back the directory up: with its keys lost, every device must join again. The root key alone can \
            name other keys; whoever has it decides what runs everywhere. Keep it elsewhere: on a stick in a \
            safe, not on this machine.

            Examples:
              shelfcast-hub init --data /var/lib/shelfcast-hub
              shelfcast-hub init --root-key /media/stick/shelfcast-root.pem
            """)

    @Option(
        name: .customLong("root-key"),
        help: ArgumentHelp(
            "Where the root key goes (default: the data directory, until you take it away).",
            valueName: "file"))
    var rootKeyFile: String?
    @OptionGroup var data: DataOptions

    func perform() async throws {
        let directory = data.newDirectory
        do {
            try FileManager.default.createDirectory(
                atPath: directory + "/packages", withIntermediateDirectories: true,
                attributes: [.posixPermissions: 0o700])
            // A directory that was there before keeps its contents, not its openness.
            try FileManager.default.setAttributes(
                [.posixPermissions: 0o700], ofItemAtPath: directory)
        } catch {
            throw CommandFailure(.failed, "cannot make \(directory): \(fileProblem(error))")
        }
        // The identity is finished last: an interrupted init is simply repeated.
        guard !HubIdentity.exists(in: directory) else {
            _ = try data.openStore()
            throw HubStoreError.alreadyInitialised(path: directory)
        }
        let store: SQLiteHubStore
        do {
            store = try SQLiteHubStore.create(in: directory)
        } catch HubStoreError.alreadyInitialised {
            store = try SQLiteHubStore.open(in: directory)
        }
        let repository = HubRepository(dataDirectory: directory, store: store)
        try await repository.refresh(at: Timestamp(Date()), rootKeyFile: rootKeyFile)
        try HubIdentity.create(in: directory)
        Console.print("made a hub in \(directory)")
        if let key = try await repository.root()?[.root].keys.first {
            let path = repository.keyFiles.path(of: key, .root)
            Console.print(
                repository.keyFiles.has(key, .root)
                    ? "move \(path) off this machine: it decides who signs (see shelfcast-hub keys)"
                    : "the root key is in \(rootKeyFile ?? "your file"): keep it off this machine")
        }
        Console.print(
            "next: shelfcast-hub sales import FILE, or: shelfcast-hub sales sample --help")
    }
}
