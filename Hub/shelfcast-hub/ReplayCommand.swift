import ArgumentParser
import Crypto
import Forecasting
import Foundation
import HubCore
import HubStore
import HubSync
import ModelPackage

struct ReplayCommand: HubCommand {
    static let configuration = CommandConfiguration(
        commandName: "replay",
        abstract: "Make the devices' forecasts again, and see that they come out the same.",
        discussion: """
            Each uploaded forecast is computed again from the package that made it, the level the device
            states, and the hub's own totals of the days before. It must give the same integer and the
            same units, to the last bit.
              same        it does
              different   it does not: the device computes otherwise, or the record was changed
              impossible  what went in is not known here (any more); WHY says what is missing
            A level that does not follow from the hub's totals is said too: it began before the device
            was told of all days, or is of an item the package does not know.

            Listed are those that are not plainly the same, and all with --all or --json. The exit
            status is 1 when any is different.

            Examples:
              shelfcast-hub replay
              shelfcast-hub replay --device 3f9a --from 2025-01-01 --all
            """)

    @Option(help: "Only forecasts of this store's devices.")
    var store: StoreID?
    @Option(help: "Only forecasts of this device: its id, or the start of it.")
    var device: String?
    @Option(help: ArgumentHelp("Only forecasts of this day on.", valueName: "date"))
    var from: BusinessDay?
    @Option(help: ArgumentHelp("Only forecasts up to this day.", valueName: "date"))
    var to: BusinessDay?
    @Flag(help: "List those that are the same, too.")
    var all = false
    @OptionGroup var json: JSONOption
    @OptionGroup var data: DataOptions

    func validate() throws {
        if let from, let to, from > to { throw ValidationError("--from is after --to") }
    }

    private struct Output: Encodable {
        struct Forecast: Encodable {
            var device: String
            var store: String
            var day: String
            var item: String
            var release: UInt64
            var networkOutput: Int32
            var units: Float
            var result: String
            /// As computed here, where that is something else.
            @Nullable var foundOutput: Int32?
            @Nullable var foundUnits: Float?
            @Nullable var levelFollows: Bool?
            @Nullable var reason: String?
        }
        var forecasts: [Forecast]
        var same: Int
        var different: Int
        var impossible: Int
    }

    func perform() async throws {
        let hub = try data.openStore()
        let chosen = try await device(in: hub)
        let wanted = store ?? chosen?.store
        let stores = try await hub.stores().map(\.id).filter { wanted == nil || $0 == wanted }
        if let wanted, stores.isEmpty {
            throw CommandFailure(.refused, "there is no store \(wanted.text)")
        }
        var output = Output(forecasts: [], same: 0, different: 0, impossible: 0)
        var library = ReplayLibrary(
            packages: try await hub.packages(family: nil),
            files: PackageFiles(dataDirectory: data.directory))
        for store in stores {
            let forecasts = try await hub.uploadedForecasts(store: store, from: from, through: to)
                .filter { chosen == nil || $0.device == chosen?.id }
            guard !forecasts.isEmpty else { continue }
            let replay = ForecastReplay(
                days: try await days(of: store, for: forecasts, in: hub, &library),
                calendar: StoreCalendar(
                    try await hub.calendar(kind: nil, store: store, from: nil, through: nil),
                    store: store))
            for one in forecasts {
                let verdict = library.verdict(one.forecast, of: store, by: replay)
                add(one, of: store, verdict, to: &output)
            }
        }
        if json.isOn {
            try Console.printJSON(output)
        } else {
            show(output)
        }
        if output.different > 0 { throw ExitCode(ExitStatus.failed.rawValue) }
    }

    private func device(in hub: some HubStore) async throws -> DeviceRecord? {
        guard let device else { return nil }
        let record = try await FleetText.device(device, in: hub)
        if let store, record.store != store {
            throw CommandFailure(
                .refused,
                "device \(record.id.text) is of store \(record.store.text), not \(store.text)")
        }
        return record
    }

    /// The store's totals as far back as any of the forecasts looks.
    private func days(
        of store: StoreID, for forecasts: [UploadedForecast], in hub: some HubStore,
        _ library: inout ReplayLibrary
    ) async throws -> StoreDays {
        var first: BusinessDay?
        for one in forecasts {
            // Devices of other releases may look back less: it does no harm to know more.
            var needed = one.forecast.day.advanced(by: -FeatureSpec.windowRange.upperBound)
            for package in library.candidates(release: one.forecast.release, store: store).loaded {
                needed = min(needed, package.asOf.advanced(by: 1))
            }
            first = min(first ?? needed, needed)
        }
        guard let ledger = try await hub.ledger(store: store, from: first) else {
            throw HubStoreError.notFound(what: "store \(store.text)")
        }
        // The totals are the same for every device; only the share is one's own.
        return StoreDays(
            StoreContext.decide(ledger, device: forecasts[0].device, knownRevision: 0))
    }

    private func add(
        _ one: UploadedForecast, of store: StoreID, _ verdict: ReplayVerdict,
        to output: inout Output
    ) {
        var line = Output.Forecast(
            device: one.device.text, store: store.text, day: one.forecast.day.iso8601,
            item: one.forecast.item.text, release: one.forecast.release,
            networkOutput: one.forecast.networkOutput, units: one.forecast.units, result: "",
            foundOutput: nil, foundUnits: nil, levelFollows: nil, reason: nil)
        switch verdict {
        case .same(let levelFollows):
            output.same += 1
            line.result = "same"
            line.levelFollows = levelFollows
            if !levelFollows { line.reason = "its level does not follow from the hub's totals" }
        case .different(let networkOutput, let units):
            output.different += 1
            line.result = "different"
            line.foundOutput = networkOutput
            line.foundUnits = units
            line.reason =
                networkOutput == line.networkOutput
                ? "\(units) units from the same integer" : "\(networkOutput) here, \(units) units"
        case .impossible(let obstacle):
            output.impossible += 1
            line.result = "impossible"
            line.reason = obstacle.text
        }
        output.forecasts.append(line)
    }

    private func show(_ output: Output) {
        let listed = output.forecasts.filter { all || $0.reason != nil }
        if !listed.isEmpty {
            var table = TextTable([
                ("DEVICE", .left), ("STORE", .left), ("DAY", .left), ("ITEM", .left),
                ("RELEASE", .right), ("OUTPUT", .right), ("UNITS", .right), ("RESULT", .left),
                ("WHY", .left),
            ])
            for line in listed {
                table.add([
                    line.device, line.store, line.day, line.item, "\(line.release)",
                    "\(line.networkOutput)", Figure.fixed(Double(line.units), decimals: 2),
                    line.result, line.reason ?? "",
                ])
            }
            Console.print(table.text)
        }
        guard !output.forecasts.isEmpty else {
            return Console.print("no forecast has been sent up for these days yet")
        }
        Console.print(
            "\(FleetText.count(output.forecasts.count, "forecast")): \(output.same) the same, "
                + "\(output.different) different, \(output.impossible) impossible to make again")
    }
}

/// The hub's packages by what a forecast says of them, each loaded once.
private struct ReplayLibrary {
    private struct Key: Hashable {
        var release: UInt64
        var store: StoreID
    }

    struct Candidates {
        var loaded: [ReplayPackage] = []
        /// The first that could not be loaded.
        var unreadable: [UInt8]?
    }

    private let packages: [PackageRecord]
    private let files: PackageFiles
    private var known: [Key: Candidates] = [:]

    init(packages: [PackageRecord], files: PackageFiles) {
        self.packages = packages
        self.files = files
    }

    mutating func candidates(release: UInt64, store: StoreID) -> Candidates {
        let key = Key(release: release, store: store)
        if let found = known[key] { return found }
        var candidates = Candidates()
        for record in packages
        where record.release == release && (record.store == store || record.store == nil) {
            if let package = load(record.digest) {
                candidates.loaded.append(package)
            } else if candidates.unreadable == nil {
                candidates.unreadable = record.digest
            }
        }
        known[key] = candidates
        return candidates
    }

    private func load(_ digest: [UInt8]) -> ReplayPackage? {
        guard
            let content = files.read(
                digest: digest, offset: 0, bytesMax: ModelPackage.fileBytesMax + 1),
            [UInt8](SHA256.hash(data: content)) == digest
        else { return nil }
        // Whatever is wrong with it: it cannot be what a device ran.
        return try? ReplayPackage(file: content, digest: digest)
    }

    mutating func verdict(
        _ forecast: DeviceForecast, of store: StoreID, by replay: ForecastReplay
    ) -> ReplayVerdict {
        let candidates = candidates(release: forecast.release, store: store)
        let verdict = replay.verdict(forecast, candidates: candidates.loaded)
        // What no readable package explains, an unreadable one may.
        if case .impossible(let obstacle) = verdict, obstacle != .inputsNotStated,
            let digest = candidates.unreadable
        {
            return .impossible(.packageUnreadable(digest: digest))
        }
        return verdict
    }
}
