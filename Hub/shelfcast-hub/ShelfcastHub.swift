import ArgumentParser
import HubStore

/// The hub's one command line. Commands print what they found on standard output and what went
/// wrong on standard error; `ExitStatus` says how they end.
@main
struct ShelfcastHub: AsyncParsableCommand {
    /// As the changelog has it.
    static let version = "0.1.0"

    static let configuration = CommandConfiguration(
        commandName: "shelfcast-hub",
        abstract: "Learns demand from a chain's sales and keeps a forecaster alive on its devices.",
        discussion: """
            A first walk through it:
              shelfcast-hub init
              shelfcast-hub sales sample --out sales.csv && shelfcast-hub sales import sales.csv
              shelfcast-hub train --form profile --units 8,4,2 --name first
              shelfcast-hub package build first
              shelfcast-hub serve

            The data directory is ./shelfcast-data, or $SHELFCAST_DATA, or --data DIR.
            Exit status: 0 done, 1 failed, 3 refused, 4 not initialised, 5 unreachable,
            64 wrong usage, 75 busy (try again).
            """,
        version: "shelfcast-hub \(Self.version), state \(SQLiteHubStore.stateVersion)",
        subcommands: [
            InitCommand.self, SalesCommand.self, TrainCommand.self, CompressCommand.self,
            ModelCommand.self, PackageCommand.self, ServeCommand.self, TokenCommand.self,
            DeviceCommand.self, FitCommand.self, PushCommand.self, RolloutCommand.self,
            ReportCommand.self, ReplayCommand.self, AuditCommand.self, UserCommand.self,
            KeysCommand.self, BackupCommand.self, AutopilotCommand.self, CalendarCommand.self,
            AlertsCommand.self,
        ])
}
