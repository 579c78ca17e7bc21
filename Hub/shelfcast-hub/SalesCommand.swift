import ArgumentParser
import Forecasting
import Foundation
import HubCore
import HubStore

struct SalesCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sales",
        abstract: "Bring sales in and out, make up a sample, see what is there.",
        subcommands: [
            SalesImportCommand.self, SalesExportCommand.self, SalesSampleCommand.self,
            SalesShowCommand.self,
        ])
}

struct SalesImportCommand: HubCommand {
    static let configuration = CommandConfiguration(
        commandName: "import",
        abstract: "Import day totals from a CSV or CSV.gz file.",
        discussion: """
            The first line is a header with date, store, item and sales in any order; other columns
            are skipped. One row is the total of one item in one store on one day, and replaces an
            earlier import's. Dates are YYYY-MM-DD; sales are whole units from 0 up (12.0 is 12).
            Bad rows are skipped, counted and listed; with --strict they refuse the file, and nothing
            is changed. '-' reads standard input.

            Examples:
              shelfcast-hub sales import sales-2017.csv.gz
              shelfcast-hub sales import --strict sales.csv
            """)

    @Argument(help: "The file.", completion: .file(extensions: ["csv", "gz"]))
    var file: String
    @Flag(help: "Refuse the whole file when any row is bad.")
    var strict = false
    @Option(help: ArgumentHelp("List at most so many bad rows.", valueName: "count"))
    var listMax = 20
    @OptionGroup var json: JSONOption
    @OptionGroup var data: DataOptions

    private struct Result: Encodable {
        struct Bad: Encodable {
            var line: Int
            var reason: String
        }
        var rows: Int
        var stores: Int
        var series: Int
        var badRows: Int
        var firstBadRows: [Bad]
        var seconds: Double
    }

    func validate() throws {
        guard (0...SalesCSVReader.badRowsKeptMax).contains(listMax) else {
            throw ValidationError("--list-max is 0 to \(SalesCSVReader.badRowsKeptMax)")
        }
    }

    func perform() async throws {
        let store = try data.openStore()
        let start = ContinuousClock.now
        let source: SalesFile
        do { source = try SalesFile(path: file) } catch {
            throw CommandFailure(.failed, "\(error)")
        }
        let bar = ProgressBar("import")
        let outcome: CSVImportOutcome
        do {
            outcome = try await store.importCSV(isStrict: strict, through: .latest) {
                guard let chunk = try source.nextChunk() else { return nil }
                if source.fileBytes > 0 {
                    bar.update(
                        Double(source.readBytes) / Double(source.fileBytes),
                        "\(source.readBytes >> 10) of \(source.fileBytes >> 10) KiB")
                }
                return chunk
            }
        } catch CSVImportError.badRows(let count, let first) {
            bar.abandon()
            list(first, of: count)
            throw CommandFailure(
                .refused, "\(file): \(count) bad rows; with --strict nothing was imported")
        } catch let error as SalesCSVError {
            bar.abandon()
            throw CommandFailure(.refused, "\(file): \(error); nothing was imported")
        } catch let error as SalesFileError {
            bar.abandon()
            throw CommandFailure(.refused, "\(error); nothing was imported")
        }
        bar.finish("\(outcome.imported.rows) rows")
        let elapsed = (ContinuousClock.now - start) / .seconds(1)
        if json.isOn {
            try Console.printJSON(
                Result(
                    rows: outcome.imported.rows, stores: outcome.imported.stores,
                    series: outcome.imported.series, badRows: outcome.badRowCount,
                    firstBadRows: outcome.badRows.prefix(listMax).map {
                        .init(line: $0.line, reason: $0.reason)
                    }, seconds: elapsed))
            return
        }
        list(outcome.badRows, of: outcome.badRowCount)
        Console.print(
            "imported \(outcome.imported.rows) rows of \(outcome.imported.series) series in "
                + "\(outcome.imported.stores) stores in \(Figure.fixed(elapsed, decimals: 1)) s"
                + (outcome.badRowCount > 0 ? "; skipped \(outcome.badRowCount) bad rows" : ""))
    }

    private func list(_ bad: [BadRow], of count: Int) {
        guard count > 0 else { return }
        for row in bad.prefix(listMax) { Console.error("\(file): \(row)") }
        if count > listMax {
            Console.error("\(file): and \(count - min(listMax, bad.count)) more bad rows")
        }
    }
}

struct SalesSampleCommand: HubCommand {
    static let configuration = CommandConfiguration(
        commandName: "sample",
        abstract: "Write made-up but realistic sales as CSV.",
        discussion: """
            Weekdays, seasons, trend, promotions, closed days (rows with 0), stock-outs, slow movers
            that mostly sell nothing, and every eighth item launched late. The same options give the
            same file on every machine.

            Example:
              shelfcast-hub sales sample --stores 3 --items 12 --days 1095 --seed 7 --out sales.csv
            """)

    @Option(help: ArgumentHelp("The file to write; '-' is standard output.", valueName: "file"))
    var out: String
    @Option(
        help: ArgumentHelp(
            "A file to write closed days, stock-outs and promotions to, for 'calendar import'.",
            valueName: "file"))
    var calendar: String?
    @Option(help: "1 to \(SalesSample.storesRange.upperBound).")
    var stores = 3
    @Option(help: "1 to \(SalesSample.itemsRange.upperBound), the same in every store.")
    var items = 12
    @Option(help: "How many days, when --to is not given (default: 1095).")
    var days: Int?
    @Option(help: ArgumentHelp("The first day.", valueName: "date"))
    var from: BusinessDay = BusinessDay(year: 2022, month: 1, day: 1)!
    @Option(help: ArgumentHelp("The last day.", valueName: "date"))
    var to: BusinessDay?
    @Option(help: "Another seed, other sales.")
    var seed: UInt64 = 1

    private var dayCount: Int { to.map { $0 - from + 1 } ?? days ?? 1095 }

    func validate() throws {
        guard SalesSample.storesRange.contains(stores) else {
            throw ValidationError("--stores is 1 to \(SalesSample.storesRange.upperBound)")
        }
        guard SalesSample.itemsRange.contains(items) else {
            throw ValidationError("--items is 1 to \(SalesSample.itemsRange.upperBound)")
        }
        guard to == nil || days == nil else {
            throw ValidationError("give --days or --to, not both")
        }
        guard SalesSample.daysRange.contains(dayCount),
            BusinessDay.storable.contains(from.advanced(by: dayCount - 1).daysSince1970)
        else {
            throw ValidationError(
                "the days are 1 to \(SalesSample.daysRange.upperBound), up to 2199-12-31")
        }
    }

    func perform() async throws {
        let sample = SalesSample(
            storeCount: stores, itemCount: items, firstDay: from, dayCount: dayCount, seed: seed)
        let isStandardOutput = out == "-"
        // Written beside its place and renamed: an interrupted run leaves no half file.
        let unfinished = out + ".new"
        let handle: FileHandle
        if isStandardOutput {
            handle = .standardOutput
        } else {
            guard FileManager.default.createFile(atPath: unfinished, contents: nil),
                let opened = FileHandle(forWritingAtPath: unfinished)
            else {
                let reason = fileProblem(code: errno)
                throw CommandFailure(.failed, "cannot write \(out): \(reason)")
            }
            handle = opened
        }
        var rows = -1
        let bar = ProgressBar("sample")
        var done = 0
        do {
            try sample.write { lines in
                try handle.write(contentsOf: lines)
                rows += lines.count { $0 == UInt8(ascii: "\n") }
                bar.update(Double(done) / Double(stores * items), "\(rows) rows")
                done += 1
            }
            if !isStandardOutput {
                try handle.close()
                _ = try? FileManager.default.removeItem(atPath: out)  // there may be none
                try FileManager.default.moveItem(atPath: unfinished, toPath: out)
            }
        } catch {
            throw CommandFailure(.failed, "cannot write \(out): \(fileProblem(error))")
        }
        if let calendar { try writeCalendar(sample, to: calendar) }
        if !isStandardOutput {
            bar.finish("\(rows) rows")
            Console.print("wrote \(rows) rows to \(out)")
        }
    }
}

extension SalesSampleCommand {
    private func writeCalendar(_ sample: SalesSample, to path: String) throws {
        var bytes: [UInt8] = []
        sample.writeCalendar { bytes += $0 }
        do { try Data(bytes).write(to: URL(fileURLWithPath: path), options: .atomic) } catch {
            throw CommandFailure(.failed, "cannot write \(path): \(fileProblem(error))")
        }
    }
}

struct SalesShowCommand: HubCommand {
    static let configuration = CommandConfiguration(
        commandName: "show",
        abstract: "Show what is there: stores, items, days, gaps.",
        discussion: """
            Example:
              shelfcast-hub sales show --json
            """)

    @OptionGroup var json: JSONOption
    @OptionGroup var data: DataOptions

    private static let gapsShownMax = 10

    private struct Output: Encodable {
        struct Store: Encodable {
            var store: String
            var items: Int
            var firstDay: String
            var lastDay: String
            var rows: Int
            var units: Int64
            var zeroRows: Int
            var missingDays: Int
            var lateStarts: Int
            var earlyEnds: Int
        }
        struct Gap: Encodable {
            var store: String
            var item: String
            var firstDay: String
            var lastDay: String
            var missingDays: Int
        }
        var stores: [Store]
        var items: Int
        var rows: Int
        var units: Int64
        var gaps: [Gap]
    }

    func perform() async throws {
        let summary = SalesSummary(try await data.openStore().seriesSummaries())
        if json.isOn {
            try Console.printJSON(
                Output(
                    stores: summary.stores.map {
                        .init(
                            store: $0.store.text, items: $0.items, firstDay: $0.first.iso8601,
                            lastDay: $0.last.iso8601, rows: $0.rows, units: $0.units,
                            zeroRows: $0.zeroDays, missingDays: $0.missingDays,
                            lateStarts: $0.lateStarts, earlyEnds: $0.earlyEnds)
                    }, items: summary.itemCount, rows: summary.rows, units: summary.units,
                    gaps: summary.gaps.map {
                        .init(
                            store: $0.store.text, item: $0.item.text, firstDay: $0.first.iso8601,
                            lastDay: $0.last.iso8601, missingDays: $0.missingDays)
                    }))
            return
        }
        guard !summary.stores.isEmpty else {
            Console.print("no sales yet; next: shelfcast-hub sales import FILE")
            return
        }
        var table = TextTable([
            ("STORE", .left), ("ITEMS", .right), ("FIRST", .left), ("LAST", .left),
            ("ROWS", .right), ("UNITS", .right), ("ZERO ROWS", .right), ("MISSING", .right),
            ("LATE", .right), ("ENDED", .right),
        ])
        for store in summary.stores {
            table.add([
                store.store.text, "\(store.items)", store.first.iso8601, store.last.iso8601,
                "\(store.rows)", "\(store.units)", "\(store.zeroDays)", "\(store.missingDays)",
                "\(store.lateStarts)", "\(store.earlyEnds)",
            ])
        }
        Console.print(table.text)
        Console.print(
            "\(summary.stores.count) stores, \(summary.itemCount) items, \(summary.rows) rows, "
                + "\(summary.units) units, \(summary.missingDays) days missing inside series")
        for gap in summary.gaps.prefix(Self.gapsShownMax) {
            Console.print(
                "gap: store \(gap.store.text) item \(gap.item.text) lacks \(gap.missingDays) of "
                    + "\(gap.last - gap.first + 1) days between \(gap.first.iso8601) and "
                    + gap.last.iso8601)
        }
        if summary.gaps.count > Self.gapsShownMax {
            Console.print("and \(summary.gaps.count - Self.gapsShownMax) more series with gaps")
        }
    }
}
