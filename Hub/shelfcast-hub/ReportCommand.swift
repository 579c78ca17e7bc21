import ArgumentParser
import CompressionCost
import Forecasting
import Foundation
import HubCore
import HubStore
import HubSync
import HubWeb

struct ReportCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "report",
        abstract: "Show how good the forecasts were, and what is missing.",
        discussion: """
            'report' alone is 'report show' and takes its options, --by and --html among
            them: 'shelfcast-hub report show --help' lists them.
            """,
        subcommands: [
            ReportShowCommand.self, ReportReplayCommand.self, ReportRebuildCommand.self,
        ],
        defaultSubcommand: ReportShowCommand.self)
}

/// What `--by` takes.
extension ReportView: ExpressibleByArgument {}

struct ReportShowCommand: HubCommand {
    static let configuration = CommandConfiguration(
        commandName: "show",
        abstract: "Show how good the forecasts were (this is what 'report' alone does).",
        discussion: """
            Every forecast of a device is compared with the ledger's total of its day, once
            every device expected to report that day has done so, or the total was imported.
              WAPE    sum of errors / sum of sales
              BIAS    above 0: too much was forecast
              MAPE    mean error / sales, without days without sales: ZEROS of them
              ADDED   1 - WAPE / WAPE of the same weekday last week, on the same days
              BEAT    share of items with a smaller error than last week's; an item is one in each store
              NAIVE   WAPE of the same weekday last week
              SMAPE   mean error / mean of sales and forecast
              MASE    error / how much the item moved from week to week before
              RMSSE   the same by squares, from day to day
              PINB90  pinball loss of the P90, in units
              IN90    share of days that sold no more than the P90: 90 is meant
              PEND    forecasts whose day is not final yet, or had no business
              COST    what compression costs: WAPE on devices less UNCMP, on the same forecasts
              UNCMP   WAPE of the uncompressed model, replayed on the hub ('report replay')
              COVER   forecasts received / expected; LACK: how many are missing
            Columns that the terminal has no room for are left out, and named; COLUMNS=200 in the
            environment shows them where the width is not known.

            n/a is not known: no data, not no error. Docs/report.md defines every figure.

            A region is what a device's label says: token create --label region=north.

            Examples:
              shelfcast-hub report
              shelfcast-hub report --by item --store 2 --from 2017-12-04 --json
              shelfcast-hub report --html report.html
            """)

    @Option(
        help: ArgumentHelp(
            "What each line is of.", valueName: "view"))
    var by: ReportView = .store
    @Option(help: "Only this store.")
    var store: StoreID?
    @Option(help: "Only devices with the label region=NAME.")
    var region: String?
    @Option(help: "Only this device: its id, or the start of it.")
    var device: String?
    @Option(help: "Only this item.")
    var item: ItemID?
    @Option(help: ArgumentHelp("From this day on.", valueName: "date"))
    var from: BusinessDay?
    @Option(help: ArgumentHelp("Up to this day.", valueName: "date"))
    var to: BusinessDay?
    @OptionGroup var json: JSONOption
    @Flag(help: "Print the lines as CSV.")
    var csv = false
    @Option(
        help: ArgumentHelp(
            "Write every view into one HTML file; '-' is standard output.", valueName: "file"))
    var html: String?
    @OptionGroup var data: DataOptions

    /// Of COVER, LACK and RUNNING, beside `ReportText.Column.rank`.
    private static let coverRanks = [0, 3, 4]
    /// More devices than that are listed only for one store, or as JSON.
    private static let devicesShownMax = 40

    func validate() throws {
        if let from, let to, from > to { throw ValidationError("--from is after --to") }
        if [json.isOn, csv, html != nil].count(where: { $0 }) > 1 {
            throw ValidationError("give one of --json, --csv and --html")
        }
    }

    func perform() async throws {
        let hub = try data.openStore()
        let fleet = try await hub.reportFleet()
        let selection = try await selection(in: hub, fleet: fleet)
        if let html {
            let page = try await ReportPage(
                of: selection, fleet: fleet, in: hub, at: Timestamp(Date()))
            return try write(page.html, to: html)
        }
        let lines = try await hub.reportLines(by, of: selection, fleet: fleet)
        let stores = try await Self.storesNamed(selection, in: hub)
        if csv {
            let rows = by == .store ? ReportText.rows(lines, and: stores) : ReportText.rows(lines)
            return Console.write(ReportText.csv(rows, by: by), to: STDOUT_FILENO)
        }
        let chain =
            by == .chain
            ? lines : try await hub.reportLines(.chain, of: selection, fleet: fleet)
        let coverage = try await hub.reportCoverage(of: selection, fleet: fleet)
        if json.isOn {
            try Console.printJSON(
                ReportShapes.whole(
                    by, lines, chain: chain.first, coverage, stores: stores, fleet: fleet))
        } else {
            show(lines, chain: chain.first, coverage, stores: stores, fleet)
        }
    }

    private func selection(
        in hub: some HubStore, fleet: ReportFleet
    ) async throws -> ReportSelection {
        if let store, try await hub.store(store) == nil {
            throw CommandFailure(.refused, "there is no store \(store.text)")
        }
        if let region, !fleet.devices.contains(where: { fleet.region(of: $0.id) == region }) {
            throw CommandFailure(
                .refused,
                "no device has the label \(ReportFleet.regionKey)=\(region); see device list")
        }
        if let item { try await refuseUnknown(item, in: hub) }
        var only: DeviceID?
        if let device { only = try await FleetText.device(device, in: hub).id }
        return ReportSelection(
            store: store, region: region, device: only, item: item, first: from, last: to)
    }

    private func refuseUnknown(_ item: ItemID, in hub: some HubStore) async throws {
        let stores = try await hub.stores().map(\.id).filter { store == nil || $0 == store }
        for store in stores where try await hub.items(store: store).contains(item) { return }
        throw CommandFailure(
            .refused,
            store.map { "store \($0.text) has no item \(item.text)" }
                ?? "no store has an item \(item.text)")
    }

    /// The ones a line is due to even where nothing came.
    static func storesNamed(
        _ selection: ReportSelection, in hub: some HubStore
    ) async throws -> [StoreID] {
        guard selection.region == nil, selection.device == nil else { return [] }
        return try await hub.stores().map(\.id).filter {
            selection.store == nil || $0 == selection.store
        }
    }

    private func write(_ page: String, to path: String) throws {
        if path == "-" { return Console.write(page, to: STDOUT_FILENO) }
        do {
            try Data(page.utf8).write(to: URL(fileURLWithPath: path), options: .atomic)
        } catch {
            throw CommandFailure(.failed, "cannot write \(path): \(fileProblem(error))")
        }
        Console.print("wrote \(path)")
    }

    private func show(
        _ lines: [ReportLine], chain: ReportLine?, _ coverage: ReportCoverage,
        stores: [StoreID], _ fleet: ReportFleet
    ) {
        var table = TextTable(
            [(by.rawValue.uppercased(), .left)]
                + ReportText.shown.map { ($0.title, .right) }
                + (by == .store ? [("COVER%", .right), ("LACK", .right), ("RUNNING", .right)] : []))
        func add(_ name: String, _ line: ReportLine?, _ devices: [DeviceCoverage]) {
            var cells = [name] + ReportText.cells(line)
            if by == .store {
                let own = coverage.of(devices)
                cells += [
                    Figure.fixed(own.forecastShare, decimals: 2),
                    "\(own.expectedForecasts - own.receivedForecasts)",
                    "\(own.devicesRunning)/\(own.devices.count)",
                ]
            }
            table.add(cells)
        }
        if by == .store {
            for row in ReportText.rows(lines, and: stores) {
                add(row.name, row.line, coverage.devices.filter { $0.store.text == row.name })
            }
        } else {
            for line in lines { add(line.name, line, []) }
        }
        if by != .chain, by != .day, store == nil || by != .store {
            let isWhole = store == nil && region == nil && device == nil && item == nil
            add(isWhole ? "chain" : "all", chain, coverage.devices)
        }
        let left = table.fit(
            width: Console.width,
            ranks: [0] + ReportText.shown.map(\.rank) + (by == .store ? Self.coverRanks : []))
        Console.print(table.text)
        if !left.isEmpty {
            Console.print(
                "left out for width: \(left.joined(separator: ", ")); --json and --csv have all")
        }
        if let chain, chain.sums.accuracy.count > 0 {
            Console.print("days: \(chain.firstDay.iso8601) to \(chain.lastDay.iso8601)")
        } else {
            Console.print("no forecast can be compared yet: n/a is no data, not no error")
        }
        Console.print(ReportText.compression(chain))
        if let chain, chain.sums.unreplayed > 0 {
            Console.print(
                "a hub that serves replays the rest by itself, 'shelfcast-hub report replay' at once"
            )
        }
        Console.print(coverage.daysText)
        Console.print(coverage.forecastsText + (item == nil ? "" : " (of every item)"))
        if let note = ReportText.note(by, fleet) { Console.print(note) }
        if by == .store { showDevices(coverage, fleet) }
    }

    private func showDevices(_ coverage: ReportCoverage, _ fleet: ReportFleet) {
        let devices = coverage.devices
        guard !devices.isEmpty else { return }
        Console.print("")
        guard store != nil || devices.count <= Self.devicesShownMax else {
            let lacking = devices.count {
                $0.missingForecasts > 0 || !$0.missingDays.isEmpty
            }
            Console.print(
                "\(devices.count) devices, \(lacking) of them lack something; "
                    + "list them with --store N or --json")
            return
        }
        let records = Dictionary(uniqueKeysWithValues: fleet.devices.map { ($0.id, $0) })
        var table = TextTable([
            ("DEVICE", .left), ("STORE", .left), ("PACKAGE", .left), ("RELEASE", .right),
            ("ARENA", .right), ("BUDGET", .right), ("EXPECTED", .right), ("LACK", .right),
            ("DAYS LACKING", .right),
        ])
        for one in devices {
            let record = records[one.device]
            let running = record?.running
            table.add([
                one.device.text, one.store.text,
                running.map { fleet.package(digest: $0.digest)?.variant ?? "unknown" } ?? "none",
                running.map { "\($0.release)" } ?? "", running.map { "\($0.arenaBytes)" } ?? "",
                record?.capabilities.map { "\($0.modelMemoryBudgetBytes)" } ?? "",
                "\(one.expectedForecasts)", "\(one.missingForecasts)",
                "\(one.missingDays.count)",
            ])
        }
        Console.print(table.text)
    }
}

struct ReportRebuildCommand: HubCommand {
    static let configuration = CommandConfiguration(
        commandName: "rebuild",
        abstract: "Make the report's sums anew from the raw records.",
        discussion: """
            The report is read from daily sums that every upload, import and approval keeps up to date.
            This makes them anew from what the devices sent and what was imported; the figures come out
            the same to the last bit. It is of use after damage to the database, and to be sure. What
            compression costs is replayed anew too, as 'report replay' does it.

            Example:
              shelfcast-hub report rebuild
            """)

    @OptionGroup var json: JSONOption
    @OptionGroup var data: DataOptions

    private struct Output: Encodable {
        var forecasts: Int
        var seconds: Double
        var replayedForecasts: Int
        var replaySeconds: Double
    }

    func perform() async throws {
        let hub = try data.openStore()
        let start = ContinuousClock.now
        let forecasts = try await hub.rebuildReport()
        let summed = ContinuousClock.now
        let replayed = try await UncompressedReplay(hub, dataDirectory: data.directory).finish()
        let output = Output(
            forecasts: forecasts, seconds: (summed - start) / .seconds(1),
            replayedForecasts: replayed, replaySeconds: (ContinuousClock.now - summed) / .seconds(1)
        )
        if json.isOn {
            try Console.printJSON(output)
        } else {
            Console.print(
                "summed up \(FleetText.count(forecasts, "forecast")) anew in "
                    + "\(Figure.fixed(output.seconds, decimals: 1)) s, replayed "
                    + "\(replayed) uncompressed in \(Figure.fixed(output.replaySeconds, decimals: 1)) s"
            )
        }
    }
}

struct ReportReplayCommand: HubCommand {
    static let configuration = CommandConfiguration(
        commandName: "replay",
        abstract: "Replay the devices' forecasts by the uncompressed models now.",
        discussion: """
            What compression costs is the error of the devices' forecasts beside the error of their
            packages' uncompressed models, made from the same level and the same days. A hub that
            serves replays the forecasts of final days by itself, some thousands at a time; this
            replays all that wait.

            Example:
              shelfcast-hub report replay
            """)

    @OptionGroup var json: JSONOption
    @OptionGroup var data: DataOptions

    private struct Output: Encodable {
        var forecasts: Int
        var seconds: Double
        var compression: String
    }

    func perform() async throws {
        let hub = try data.openStore()
        let start = ContinuousClock.now
        let count = try await UncompressedReplay(hub, dataDirectory: data.directory).finish()
        let seconds = (ContinuousClock.now - start) / .seconds(1)
        let chain = try await hub.reportLines(
            .chain, of: ReportSelection(), fleet: try await hub.reportFleet())
        let text = ReportText.compression(chain.first)
        if json.isOn {
            try Console.printJSON(Output(forecasts: count, seconds: seconds, compression: text))
        } else {
            Console.print(
                "replayed \(FleetText.count(count, "forecast")) in "
                    + "\(Figure.fixed(seconds, decimals: 1)) s")
            Console.print(text)
        }
    }
}
