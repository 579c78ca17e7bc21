import ArgumentParser
import Foundation
import HubStore
import HubSync

struct InitCommand: HubCommand {
    static let configuration = CommandConfiguration(
        commandName: "init",
        abstract: "Make a new hub: data directory, database, certificate authority, signing key.",
        discussion: """
            Back the directory up: with its keys lost, every device must join again.

            Example:
              shelfcast-hub init --data /var/lib/shelfcast-hub
            """)

    @OptionGroup var data: DataOptions

    func perform() async throws {
        let directory = data.directory
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
        do {
            try SQLiteHubStore.create(in: directory)
        } catch HubStoreError.alreadyInitialised {
            _ = try SQLiteHubStore.open(in: directory)
        }
        try HubIdentity.create(in: directory)
        Console.print("made a hub in \(directory)")
        Console.print(
            "next: shelfcast-hub sales import FILE, or: shelfcast-hub sales sample --help")
    }
}
