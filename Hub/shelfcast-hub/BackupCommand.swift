import ArgumentParser
import Foundation
import HubCore
import HubStore
import HubSync

struct BackupCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "backup",
        abstract: "Copy all that the hub is, prove a copy, and go on from one.",
        subcommands: [
            BackupCreateCommand.self, BackupListCommand.self, BackupVerifyCommand.self,
            BackupRestoreCommand.self,
        ], defaultSubcommand: BackupCreateCommand.self)
}

extension HubBackup {
    /// "made 2026-11-21T08:30:00Z: 14 files, 4.2 MB"
    var summary: String {
        let megabytes = (Double(bytes) / 1e5).rounded() / 10
        return "made \(MetadataText.moment(madeAt)): \(FleetText.count(files.count, "file")),"
            + " \(megabytes) MB"
    }
}

struct BackupCreateCommand: HubCommand {
    static let configuration = CommandConfiguration(
        commandName: "create", abstract: "Back the hub up, while it runs.",
        discussion: """
            Into a folder of its own: the database as of one moment, certificate authority, keys and \
            packages, and a list of what each file hashes to. Whoever has it can be the hub: keep it as \
            safe as the hub. What devices send after it is not in it: back up at least daily, on another \
            machine or disk.

            Examples:
              shelfcast-hub backup /mnt/backups/shelfcast-before-upgrade
              shelfcast-hub backup --into /mnt/backups/shelfcast --keep 14
            """)

    @Argument(help: "The backup, a folder that is not there yet.")
    var path: String?
    @Option(
        help: ArgumentHelp(
            "Instead: a folder of backups, each named by its time; made if it is not there.",
            valueName: "dir"))
    var into: String?
    @Option(
        help: ArgumentHelp(
            "With --into: remove the oldest backups there, so that so many stay (1 to 10000).",
            valueName: "count"))
    var keep: Int?
    @OptionGroup var data: DataOptions

    func validate() throws {
        guard (path == nil) != (into == nil) else {
            throw ValidationError("name the backup, or with --into the folder it goes to")
        }
        if let keep {
            guard into != nil else { throw ValidationError("--keep goes with --into") }
            guard (1...10_000).contains(keep) else {
                throw ValidationError("--keep is 1 to 10000")
            }
        }
    }

    func perform() async throws {
        let store = try data.openStore()
        let now = Timestamp(Date())
        if let into {
            do {
                try FileManager.default.createDirectory(
                    atPath: into, withIntermediateDirectories: true,
                    attributes: [.posixPermissions: 0o700])
            } catch { throw CommandFailure(.failed, "cannot make \(into): \(fileProblem(error))") }
        }
        let name = MetadataText.moment(now).replacing(":", with: "")
        let path = path ?? "\(into ?? ".")/shelfcast-hub-\(name)"
        let backup = try await HubBackup.make(of: data.directory, store: store, to: path, at: now)
        Console.print("\(path): \(backup.summary)")
        if let into, let keep {
            for path in try HubBackup.prune(into, keeping: keep) {
                Console.print("removed \(path)")
            }
        }
    }
}

struct BackupListCommand: HubCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "Show the backups in a folder, the oldest first.")

    @Argument(help: "A folder of backups, as --into makes it.")
    var folder: String

    func perform() async throws {
        let all = HubBackup.all(in: folder)
        guard !all.isEmpty else {
            throw CommandFailure(.refused, "there are no backups in \(folder)")
        }
        for (path, backup) in all { Console.print("\(path): \(backup.summary)") }
    }
}

struct BackupVerifyCommand: HubCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify",
        abstract: "Read a whole backup and prove that it is what was backed up.")

    @Argument(help: "The backup.")
    var path: String

    func perform() async throws {
        let backup = try HubBackup.verify(path)
        Console.print("\(path) is good, \(backup.summary)")
    }
}

struct BackupRestoreCommand: HubCommand {
    static let configuration = CommandConfiguration(
        commandName: "restore", abstract: "Make a data directory of a backup.",
        discussion: """
            Into a data directory that is not there yet, whole or not at all; an old one is first moved away. \
            The former hub must not serve any more: two with the same keys would each take a part of the \
            sales. Devices follow by themselves. What they had sent after the backup is \
            missing; 'report' says which days, of the weekdays \
            on which it knew a store to be open. Import those sales from the tills. Rollouts that were going \
            on are paused, devices that joined after the backup join again, and everybody signs in anew.

            Example:
              mv shelfcast-data shelfcast-data.broken
              shelfcast-hub backup restore /mnt/backups/shelfcast/shelfcast-hub-2026-11-21T030000Z
            """)

    @Argument(help: "The backup.")
    var path: String
    @OptionGroup var data: DataOptions

    func perform() async throws {
        let (backup, paused) = try await HubBackup.restore(
            path, to: data.newDirectory, as: DataOptions.author, at: Timestamp(Date()))
        Console.print("\(data.newDirectory) is the hub again, from the backup \(backup.summary)")
        for rollout in paused {
            Console.print(
                "rollout \(rollout) is paused: see 'rollout show \(rollout)', then 'rollout resume' or 'rollout abort'"
            )
        }
        Console.print("next: shelfcast-hub serve; then 'report' says which sales are missing")
    }
}
