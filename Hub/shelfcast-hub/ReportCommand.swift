import ArgumentParser
import Forecasting
import HubCore
import HubStore
import HubSync

struct ReportCommand: HubCommand {
    static let configuration = CommandConfiguration(
        commandName: "report",
        abstract: "Show how good the forecasts were, store by store.",
        discussion: """
            Every forecast of a device is compared with the ledger's total of its day, once every
            device expected to report that day has done so (or the total was imported).
              WAPE    sum of errors / sum of sales         BIAS   above 0: too much was forecast
              MAPE    mean error / sales, days without sales left out; ZEROS says how many
              ADDED   value added: 1 - WAPE / WAPE of the same weekday last week
              COVER   forecasts received / expected; LACK is what is missing
              PEND    forecasts whose day is not final yet, or had no business

            Examples:
              shelfcast-hub report
              shelfcast-hub report --store 2 --from 2017-12-04 --json
            """)

    @Option(help: "Only this store.")
    var store: StoreID?
    @Option(help: ArgumentHelp("From this day on.", valueName: "date"))
    var from: BusinessDay?
    @Option(help: ArgumentHelp("Up to this day.", valueName: "date"))
    var to: BusinessDay?
    @OptionGroup var json: JSONOption
    @OptionGroup var data: DataOptions

    /// More devices than that are listed only for one store, or as JSON.
    private static let devicesShownMax = 40

    private struct Output: Encodable {
        struct Figures: Encodable {
            @Nullable var store: String?
            var forecasts: Int
            @Nullable var firstDay: String?
            @Nullable var lastDay: String?
            var actualUnits: Double
            var forecastUnits: Double
            @Nullable var wapePercent: Double?
            @Nullable var biasPercent: Double?
            @Nullable var mapePercent: Double?
            var excludedZeroActuals: Int
            @Nullable var seasonalNaiveWapePercent: Double?
            @Nullable var valueAdded: Double?
            var expectedForecasts: Int
            var receivedForecasts: Int
            @Nullable var coveragePercent: Double?
            var pendingForecasts: Int
            var devices: Int
            var devicesRunning: Int
        }
        struct Device: Encodable {
            var device: String
            var store: String
            @Nullable var variant: String?
            @Nullable var release: UInt64?
            @Nullable var digest: String?
            var expectedForecasts: Int
            var receivedForecasts: Int
            var missingForecasts: Int
        }
        var stores: [Figures]
        var chain: Figures
        var devices: [Device]
    }

    func validate() throws {
        if let from, let to, from > to { throw ValidationError("--from is after --to") }
    }

    func perform() async throws {
        let database = try data.openStore()
        let stores = try await database.stores().map(\.id).filter { store == nil || $0 == store }
        if let store, stores.isEmpty {
            throw CommandFailure(.refused, "there is no store \(store.text)")
        }
        var reports: [StoreReport] = []
        var devices: [DeviceRecord] = []
        for store in stores {
            let own = try await database.devices(store: store)
            let first = from ?? BusinessDay(daysSince1970: BusinessDay.storable.lowerBound)
            let last = to ?? BusinessDay(daysSince1970: BusinessDay.storable.upperBound)
            reports.append(
                StoreReport(
                    store: store,
                    observations: try await database.observations(
                        store: store, from: from, through: to),
                    deviceDays: try await database.deviceDays(
                        store: store,
                        from: from?.advanced(by: -StoreContext.expectedWithinDays), through: to),
                    devices: own, items: try await database.items(store: store), days: first...last)
            )
            devices += own
        }
        var chain = ForecastReport()
        for report in reports { chain.merge(report.report) }
        let packages = Dictionary(
            try await database.packages(family: nil).map { ($0.digest, $0) },
            uniquingKeysWith: { first, _ in first })
        if json.isOn {
            try Console.printJSON(output(reports, chain, devices, packages))
        } else {
            show(reports, chain, devices, packages)
        }
    }

    private func output(
        _ reports: [StoreReport], _ chain: ForecastReport, _ devices: [DeviceRecord],
        _ packages: [[UInt8]: PackageRecord]
    ) -> Output {
        let running = Dictionary(uniqueKeysWithValues: devices.map { ($0.id, $0.running) })
        return Output(
            stores: reports.map { Self.figures($0.report, store: $0.store.text) },
            chain: Self.figures(chain, store: nil),
            devices: reports.flatMap { $0.devices }.map { coverage -> Output.Device in
                let package = running[coverage.device] ?? nil
                return Output.Device(
                    device: coverage.device.text, store: coverage.store.text,
                    variant: package.flatMap { packages[$0.digest]?.variant },
                    release: package?.release,
                    digest: package.map { hexadecimal($0.digest) },
                    expectedForecasts: coverage.expected, receivedForecasts: coverage.received,
                    missingForecasts: coverage.missing)
            })
    }

    private static func figures(_ report: ForecastReport, store: String?) -> Output.Figures {
        Output.Figures(
            store: store, forecasts: report.accuracy.count, firstDay: report.firstDay?.iso8601,
            lastDay: report.lastDay?.iso8601, actualUnits: report.accuracy.actualSum,
            forecastUnits: report.accuracy.forecastSum, wapePercent: report.accuracy.wape,
            biasPercent: report.accuracy.bias, mapePercent: report.accuracy.mape,
            excludedZeroActuals: report.accuracy.zeroActualCount,
            seasonalNaiveWapePercent: report.seasonalNaive.wape, valueAdded: report.valueAdded,
            expectedForecasts: report.expectedForecasts,
            receivedForecasts: report.receivedForecasts, coveragePercent: report.coverage,
            pendingForecasts: report.pendingForecasts, devices: report.devices,
            devicesRunning: report.devicesRunning)
    }

    private func show(
        _ reports: [StoreReport], _ chain: ForecastReport, _ devices: [DeviceRecord],
        _ packages: [[UInt8]: PackageRecord]
    ) {
        var table = TextTable([
            ("STORE", .left), ("FORECASTS", .right), ("WAPE%", .right), ("BIAS%", .right),
            ("MAPE%", .right), ("ZEROS", .right), ("ADDED%", .right), ("COVER%", .right),
            ("LACK", .right), ("PEND", .right), ("RUNNING", .right),
        ])
        func add(_ name: String, _ report: ForecastReport) {
            let accuracy = report.accuracy
            table.add([
                name, "\(accuracy.count)", Figure.fixed(accuracy.wape, decimals: 2),
                Figure.fixed(accuracy.bias, decimals: 2), Figure.fixed(accuracy.mape, decimals: 2),
                "\(accuracy.zeroActualCount)",
                Figure.fixed(report.valueAdded.map { $0 * 100 }, decimals: 2),
                Figure.fixed(report.coverage, decimals: 2),
                "\(max(0, report.expectedForecasts - report.receivedForecasts))",
                "\(report.pendingForecasts)", "\(report.devicesRunning)/\(report.devices)",
            ])
        }
        for report in reports { add(report.store.text, report.report) }
        if store == nil { add("chain", chain) }
        Console.print(table.text)
        if let first = chain.firstDay, let last = chain.lastDay {
            Console.print("days compared: \(first.iso8601) to \(last.iso8601)")
        } else {
            Console.print("no forecast can be compared yet: n/a is no data, not no error")
        }
        guard !devices.isEmpty else { return }
        Console.print("")
        let coverages = reports.flatMap(\.devices)
        guard store != nil || coverages.count <= Self.devicesShownMax else {
            let lacking = coverages.count { $0.missing > 0 }
            Console.print(
                "\(coverages.count) devices, \(lacking) of them lack forecasts; "
                    + "list them with --store N or --json")
            return
        }
        let records = Dictionary(uniqueKeysWithValues: devices.map { ($0.id, $0) })
        var deviceTable = TextTable([
            ("DEVICE", .left), ("STORE", .left), ("PACKAGE", .left), ("RELEASE", .right),
            ("ARENA", .right), ("BUDGET", .right), ("EXPECTED", .right), ("LACK", .right),
        ])
        for coverage in coverages {
            let record = records[coverage.device]
            let running = record?.running
            let package = running.map { running in
                packages[running.digest]?.variant ?? "unknown"
            }
            deviceTable.add([
                coverage.device.text, coverage.store.text, package ?? "none",
                running.map { "\($0.release)" } ?? "", running.map { "\($0.arenaBytes)" } ?? "",
                record?.capabilities.map { "\($0.modelMemoryBudgetBytes)" } ?? "",
                "\(coverage.expected)", "\(coverage.missing)",
            ])
        }
        Console.print(deviceTable.text)
    }
}
