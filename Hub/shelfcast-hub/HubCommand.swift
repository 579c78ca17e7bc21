import ArgumentParser
import Foundation
import Glibc
import HubCore
import HubStore
import HubSync
import HubWeb
import Synchronization

/// A command whose errors become a line on standard error and an `ExitStatus`.
protocol HubCommand: AsyncParsableCommand {
    func perform() async throws
}

extension HubCommand {
    mutating func run() async throws {
        // A limit on a file's size is an error to report, not an end without a word.
        signal(SIGXFSZ, SIG_IGN)
        do {
            try await perform()
        } catch let error as ExitCode {
            throw error
        } catch let error as ValidationError {
            throw error
        } catch {
            let failure = CommandFailure(error)
            Console.error("shelfcast-hub: \(failure.message)")
            throw ExitCode(failure.status.rawValue)
        }
    }
}

/// How a command ends. 64, wrong usage, is argument-parser's own.
enum ExitStatus: Int32 {
    case failed = 1
    /// By a check of ours, or by a peer; nothing was changed.
    case refused = 3
    case notInitialised = 4
    case unreachable = 5
    case busy = 75
}

/// Why a command ended without doing what it was told.
struct CommandFailure: Error {
    var status: ExitStatus
    var message: String

    init(_ status: ExitStatus, _ message: String) {
        self.status = status
        self.message = message
    }

    init(_ error: any Error) {
        switch error {
        case let failure as CommandFailure: self = failure
        case let error as HubStoreError:
            let status: ExitStatus =
                switch error {
                case .notInitialised: .notInitialised
                case .busy, .changedMeanwhile: .busy
                case .alreadyExists, .alreadyInitialised, .notFound, .refused: .refused
                case .databaseMissing, .diskFull, .corrupt, .newerSchema, .constraint, .failed:
                    .failed
                }
            self.init(status, error.description)
        case let error as HubBackupError:
            let status: ExitStatus =
                switch error {
                case .inTheWay, .insideData, .notABackup: .refused
                case .damaged, .system: .failed
                }
            self.init(status, error.description)
        case let error as RepositoryError:
            let status: ExitStatus =
                switch error {
                case .unreadable, .keysMissing: .failed
                case .tooManyTargets, .rootDoesNotFollow, .keyUnknown, .keyAmbiguous,
                    .keyThereAlready, .thresholdUnmet:
                    .refused
                }
            self.init(status, error.description)
        default: self.init(.failed, "\(error)")
        }
    }
}

/// What the system said of a file, in its own words where there are some.
func fileProblem(_ error: any Error) -> String {
    var error = error as NSError
    while error.domain != NSPOSIXErrorDomain,
        let cause = error.userInfo[NSUnderlyingErrorKey] as? any Error
    { error = cause as NSError }
    if error.domain == NSPOSIXErrorDomain { return fileProblem(code: Int32(error.code)) }
    return switch CocoaError.Code(rawValue: error.code) {
    case .fileNoSuchFile, .fileReadNoSuchFile: "there is no such directory"
    case .fileReadNoPermission, .fileWriteNoPermission: fileProblem(code: EACCES)
    case .fileWriteOutOfSpace: "the disk is full"
    case .fileWriteVolumeReadOnly: "the file system is read-only"
    case .fileWriteFileExists: "a file of that name is in the way"
    default: "the file system refused it; is a part of the path no directory?"
    }
}

/// The same by the number that the system gave (errno(3)), and why root may not do there what root may.
func fileProblem(code: Int32) -> String {
    let words = String(cString: strerror(code))
    guard code == EACCES, let explanation = DataOptions.whyNotRoot else { return words }
    return "\(words): \(explanation)"
}

/// Where the hub's data is.
struct DataOptions: ParsableArguments {
    /// Where the Debian package keeps it.
    private static let packaged = "/var/lib/shelfcast-hub"

    @Option(
        name: .customLong("data"),
        help: ArgumentHelp(
            "The hub's data directory (default: $SHELFCAST_DATA, else ./shelfcast-data, else"
                + " /var/lib/shelfcast-hub where the package made one).",
            valueName: "dir"))
    var givenDirectory: String?

    /// For a hub that is made.
    var newDirectory: String {
        givenDirectory ?? ProcessInfo.processInfo.environment["SHELFCAST_DATA"]
            ?? "./shelfcast-data"
    }

    var directory: String {
        let directory = newDirectory
        guard givenDirectory == nil, access(directory, F_OK) != 0,
            ProcessInfo.processInfo.environment["SHELFCAST_DATA"] == nil,
            HubIdentity.exists(in: Self.packaged)
        else { return directory }
        return Self.packaged
    }

    /// Run by root, a command becomes the owner of the data for good, so that whatever it makes there is the service's.
    private func becomeOwner() throws {
        guard geteuid() == 0,
            let attributes = try? FileManager.default.attributesOfItem(atPath: directory),
            let user = attributes[.ownerAccountID] as? NSNumber, user.uint32Value != 0,
            let group = attributes[.groupOwnerAccountID] as? NSNumber
        else { return }
        _ = Self.author
        guard setgroups(0, nil) == 0, setgid(group.uint32Value) == 0, setuid(user.uint32Value) == 0
        else {
            throw CommandFailure(
                .failed,
                "cannot become the owner of \(directory): \(String(cString: strerror(errno)))")
        }
        let name = attributes[.ownerAccountName] as? String ?? "user \(user)"
        Self.explanation.withLock {
            $0 =
                "run by root, this command goes on as \(name), who owns \(directory): name a file that"
                + " \(name) may reach, not one in root's own directory"
        }
    }

    private static let explanation = Mutex<String?>(nil)

    /// Why root may not do here what root may; nil where the command goes on as who ran it.
    static var whyNotRoot: String? { explanation.withLock { $0 } }

    func validate() throws {
        if directory.isEmpty { throw ValidationError("the name of the data directory is empty") }
    }

    /// - Parameter author: of what is changed through it, in the audit log.
    /// - Throws: `HubStoreError.notInitialised` where `init` has not been, `databaseMissing` where it
    ///   has been and the database is gone.
    func openStore(as author: String = Self.author) throws -> SQLiteHubStore {
        try becomeOwner()
        do {
            return try SQLiteHubStore.open(in: directory, author: author)
        } catch HubStoreError.notInitialised where HubIdentity.exists(in: directory) {
            throw HubStoreError.databaseMissing(path: SQLiteHubStore.path(in: directory))
        }
    }

    func repository(of store: any HubStore) -> HubRepository {
        HubRepository(dataDirectory: directory, store: store)
    }

    /// Makes the repository list what is about to be pushed.
    func voucher(for store: any HubStore) -> PackageVoucher {
        let repository = repository(of: store)
        return PackageVoucher { family, release, now in
            try await repository.refresh(at: now, listing: (family, release))
        }
    }

    /// Who is at the command line, as the system knows him.
    static let author: String = {
        let name = getpwuid(geteuid()).map { String(cString: $0.pointee.pw_name) }
        return "os:" + String((name ?? "\(geteuid())").prefix(100))
    }()

    func openIdentity() throws -> HubIdentity {
        try becomeOwner()
        guard HubIdentity.exists(in: directory) else {
            throw HubStoreError.notInitialised(path: directory)
        }
        return try HubIdentity.open(in: directory)
    }
}

/// For every command that prints data.
struct JSONOption: ParsableArguments {
    @Flag(name: .customLong("json"), help: "Print JSON instead of a table.")
    var isOn = false
}
