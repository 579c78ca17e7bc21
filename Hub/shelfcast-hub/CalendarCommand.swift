import ArgumentParser
import Forecasting
import Foundation
import HubCore
import HubStore

struct CalendarCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "calendar",
        abstract: "Tell the hub of holidays, promotions, closed days and stock-outs.",
        discussion: """
            Closed days and stock-outs are part of no training and no error: what was sold then says nothing of demand, or
            of a forecast. Holidays and promotions are inputs of the models that are trained from then on.
            """,
        subcommands: [
            CalendarImportCommand.self, CalendarShowCommand.self, CalendarRemoveCommand.self,
        ])
}

extension CalendarEntry.Kind: ExpressibleByArgument {}

struct CalendarImportCommand: HubCommand {
    static let configuration = CommandConfiguration(
        commandName: "import",
        abstract: "Import entries from a CSV or CSV.gz file.",
        discussion: """
            The first line is a header with date, store, item and kind, and name if there are names, in any order; other
            columns are skipped. Dates are YYYY-MM-DD; store and item are their names, or * for every one; kind is
            holiday, promotion, closed or stock-out. Closed days and stock-outs of more than 120 days ago change the report
            and what is trained; devices, which have no such days any more, keep their levels. A bad row refuses the file, with its line and column, and nothing is
            changed. The same file again changes nothing; another name for the same day, store, item and kind replaces it.
            '-' reads standard input.

              date,store,item,kind,name
              2025-04-21,*,*,holiday,Easter Monday
              2025-04-22,2,*,closed,stocktaking
              2025-04-23,2,milk,stock-out,
              2025-04-24,*,milk,promotion,spring

            Example:
              shelfcast-hub calendar import 2025.csv
            """)

    @Argument(help: "The file.", completion: .file(extensions: ["csv", "gz"]))
    var file: String
    @OptionGroup var json: JSONOption
    @OptionGroup var data: DataOptions

    private struct Output: Encodable {
        var added: Int
        var renamed: Int
        var known: Int
        var tooOldForDevices: Int
    }

    func perform() async throws {
        let store = try data.openStore()
        let entries: [CalendarEntry]
        do {
            let source = try SalesFile(path: file)
            var bytes: [UInt8] = []
            while bytes.count <= CalendarCSVReader.fileBytesMax,
                let chunk = try source.nextChunk()
            {
                bytes += chunk
            }
            entries = try CalendarCSVReader.entries(of: bytes)
        } catch let error as CalendarCSVError {
            throw CommandFailure(.refused, "\(file): \(error); nothing was imported")
        } catch let error as SalesFileError {
            throw CommandFailure(.refused, "\(error); nothing was imported")
        }
        let outcome = try await store.importCalendar(entries, at: .now)
        if json.isOn {
            return try Console.printJSON(
                Output(
                    added: outcome.added, renamed: outcome.renamed, known: outcome.known,
                    tooOldForDevices: outcome.tooOldForDevices))
        }
        Console.print(
            "\(outcome.added) entries added, \(outcome.renamed) renamed, \(outcome.known) known already"
        )
        CalendarText.say(tooOldForDevices: outcome.tooOldForDevices)
    }
}

enum CalendarText {
    static func say(tooOldForDevices count: Int) {
        guard count > 0 else { return }
        Console.print(
            "\(count) of them \(count == 1 ? "takes" : "take") out days of more than"
                + " \(DeviceCalendar.excludedDaysBack) days ago: the report and training change, devices"
                + " keep their levels")
    }
}

struct CalendarShowCommand: HubCommand {
    static let configuration = CommandConfiguration(
        commandName: "show",
        abstract: "List the calendar's entries.",
        discussion: """
            With --store, what holds for that store, be it for every store.

            Example:
              shelfcast-hub calendar show --kind closed --store 2 --from 2025-01-01
            """)

    @Option(help: "holiday, promotion, closed or stock-out.")
    var kind: CalendarEntry.Kind?
    @Option(help: "What holds for this store.")
    var store: StoreID?
    @Option(help: ArgumentHelp("Only from this day on.", valueName: "date"))
    var from: BusinessDay?
    @Option(help: ArgumentHelp("Only up to this day.", valueName: "date"))
    var to: BusinessDay?
    @OptionGroup var json: JSONOption
    @OptionGroup var data: DataOptions

    private struct Output: Encodable {
        var date: String
        /// `*`: every one; below too.
        var store: String
        var item: String
        var kind: String
        var name: String
    }

    func validate() throws {
        if let from, let to, from > to { throw ValidationError("--from is after --to") }
    }

    func perform() async throws {
        let entries = try await data.openStore().calendar(
            kind: kind, store: store, from: from, through: to
        ).map {
            Output(
                date: $0.day.iso8601, store: $0.store?.text ?? "*", item: $0.item?.text ?? "*",
                kind: $0.kind.rawValue, name: $0.name)
        }
        if json.isOn { return try Console.printJSON(entries) }
        guard !entries.isEmpty else {
            return Console.print("no entries; shelfcast-hub calendar import FILE brings some in")
        }
        var table = TextTable([
            ("DATE", .left), ("STORE", .left), ("ITEM", .left), ("KIND", .left), ("NAME", .left),
        ])
        for entry in entries {
            table.add([entry.date, entry.store, entry.item, entry.kind, entry.name])
        }
        Console.print(table.text)
    }
}

struct CalendarRemoveCommand: HubCommand {
    static let configuration = CommandConfiguration(
        commandName: "remove",
        abstract: "Remove entries of some days.",
        discussion: """
            With --store, that store's own entries; those of every store stay.

            Example:
              shelfcast-hub calendar remove --kind closed --store 2 --from 2025-04-22 --to 2025-04-22
            """)

    @Option(help: "holiday, promotion, closed or stock-out (default: every kind).")
    var kind: CalendarEntry.Kind?
    @Option(help: "This store's own.")
    var store: StoreID?
    @Option(help: ArgumentHelp("The first day.", valueName: "date"))
    var from: BusinessDay
    @Option(help: ArgumentHelp("The last day.", valueName: "date"))
    var to: BusinessDay
    @OptionGroup var data: DataOptions

    func validate() throws {
        if from > to { throw ValidationError("--from is after --to") }
    }

    func perform() async throws {
        let outcome = try await data.openStore().removeCalendar(
            kind: kind, store: store, from: from, through: to, at: .now)
        Console.print("\(outcome.removed) entries removed")
        CalendarText.say(tooOldForDevices: outcome.tooOldForDevices)
    }
}
