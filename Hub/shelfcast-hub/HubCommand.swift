import ArgumentParser
import HubStore
import HubSync

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// A command whose errors become a line on standard error and an `ExitStatus`.
protocol HubCommand: AsyncParsableCommand {
    func perform() async throws
}

extension HubCommand {
    mutating func run() async throws {
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
                case .busy: .busy
                case .alreadyExists, .alreadyInitialised, .notFound: .refused
                case .diskFull, .corrupt, .newerSchema, .constraint, .failed: .failed
                }
            self.init(status, error.description)
        default: self.init(.failed, "\(error)")
        }
    }
}

/// Where the hub's data is.
struct DataOptions: ParsableArguments {
    @Option(
        name: .customLong("data"),
        help: ArgumentHelp(
            "The hub's data directory (default: $SHELFCAST_DATA, else ./shelfcast-data).",
            valueName: "dir"))
    var givenDirectory: String?

    var directory: String {
        givenDirectory ?? ProcessInfo.processInfo.environment["SHELFCAST_DATA"]
            ?? "./shelfcast-data"
    }

    /// - Throws: `HubStoreError.notInitialised` where `init` has not been.
    func openStore() throws -> SQLiteHubStore { try SQLiteHubStore.open(in: directory) }

    func openIdentity() throws -> HubIdentity {
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
