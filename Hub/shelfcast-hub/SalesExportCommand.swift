import ArgumentParser
import Forecasting
import Foundation
import HubCore
import HubStore

struct SalesExportCommand: HubCommand {
    static let configuration = CommandConfiguration(
        commandName: "export",
        abstract: "Write the ledger's day totals as CSV.",
        discussion: """
            Imported totals, and those of devices where there is no import: what training and the
            report use. A day that is still open on every device is left out. The file can be
            imported again.

            Example:
              shelfcast-hub sales export --out ledger.csv --from 2024-12-01
            """)

    @Option(help: ArgumentHelp("The file to write; '-' is standard output.", valueName: "file"))
    var out: String
    @Option(help: "Only this store.")
    var store: StoreID?
    @Option(help: ArgumentHelp("From this day on.", valueName: "date"))
    var from: BusinessDay?
    @Option(help: ArgumentHelp("Up to this day.", valueName: "date"))
    var to: BusinessDay?
    @OptionGroup var data: DataOptions

    func perform() async throws {
        let hub = try data.openStore()
        if let store, try await hub.store(store) == nil {
            throw CommandFailure(
                .failed, "there is no store \(store.text); see: shelfcast-hub sales show")
        }
        var csv = "date,store,item,sales\n"
        var rows = 0
        for known in try await hub.stores() where store == nil || known.id == store {
            for history in try await hub.histories(store: known.id, through: to) {
                for (offset, demand) in history.days.enumerated() {
                    let day = history.firstDay.advanced(by: offset)
                    guard let units = demand.units, from.map({ day >= $0 }) ?? true else {
                        continue
                    }
                    csv += "\(day.iso8601),\(known.id.text),\(history.item.text),\(units)\n"
                    rows += 1
                }
            }
        }
        if out == "-" {
            Console.write(csv, to: STDOUT_FILENO)
            return
        }
        do {
            // Written beside its place and renamed: an interrupted run leaves no half file.
            try Data(csv.utf8).write(to: URL(filePath: out), options: .atomic)
        } catch {
            throw CommandFailure(.failed, "cannot write \(out): \(fileProblem(error))")
        }
        Console.print("wrote \(rows) rows to \(out)")
    }
}
