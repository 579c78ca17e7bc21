import CompressionCost
import Forecasting
import Foundation
import HubCore
import HubStore
import TestSupport
import Training

/// The report of a hub with a million series-days: what a store's page and the chain's page are made from, how long it
/// takes to make all sums anew from the raw rows, and to replay all forecasts by an uncompressed network;
/// then the pages themselves, served.
enum ReportGroup {
    private static let hub = ".build/release/shelfcast-hub"
    private static let stores = 100
    private static let items = 100
    private static let days = 100
    /// Of one upload: within `UploadBatch.recordsMax`.
    private static let daysPerUpload = 4
    private static let runs = 7
    private static let firstDay = BusinessDay(year: 2024, month: 1, day: 1)!
    private static let window = 14
    private static let units = 8
    private static let digest = [UInt8](repeating: 9, count: 32)

    /// What somebody opens in the morning, and what that leads to.
    private static let pages = [
        ("overview", "/"), ("stores", "/stores"), ("store", "/stores/17"),
        ("item", "/stores/17/items/item-17"), ("fleet", "/fleet"), ("alerts", "/alerts"),
    ]

    static func run(_ report: inout BenchReport) throws {
        guard FileManager.default.isExecutableFile(atPath: hub) else {
            report.skip("report", because: "there is no \(hub): make hub")
            return
        }
        let folder = try Program.temporaryFolder() + "/report"
        try? FileManager.default.removeItem(atPath: folder)  // of a run before
        try FileManager.default.createDirectory(
            atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }  // only a leftover
        _ = try Program.run(hub, ["init", "--data", folder])
        let measured = try blocking { try await measure(in: folder) }
        report.add("report.store.ms", measured.store, "ms")
        report.add("report.chain.ms", measured.chain, "ms")
        report.add("report.rebuild.seconds", measured.rebuild, "s")
        report.add("report.upload.ms", measured.upload, "ms")
        report.add("report.replay.seconds", measured.replay, "s")
        report.add("report.replay.turn.ms", measured.turn, "ms")
        let pages = try PageTimes(hub: Self.hub, data: folder)
        defer { pages.stop() }
        for (name, path) in Self.pages {
            let time = try pages.time(path)
            report.add("pages.\(name).ms", time.milliseconds, "ms")
            report.add("pages.\(name).kB", Double(time.bytes) / 1_000, "kB")
        }
    }

    private struct Measured: Sendable {
        var store: Double
        var chain: Double
        var rebuild: Double
        /// Of one device's day, beside what is stored of it: the mean over the building of the database.
        var upload: Double
        /// Of all forecasts.
        var replay: Double
        /// The longest.
        var turn: Double
    }

    private static func measure(in folder: String) async throws -> Measured {
        let hub = try SQLiteHubStore.open(in: folder)
        let upload = try await fill(hub)
        try await addFamily(to: hub)
        let (replay, turn) = try await replayAll(hub)
        // As a page does it: what the fleet is, every view that it shows, and what is missing.
        func page(
            _ selection: ReportSelection, full: [ReportView], plain: [ReportView]
        ) async throws -> Double {
            var milliseconds: [Double] = []
            for _ in 0..<runs {
                let started = ContinuousClock.now
                let fleet = try await hub.reportFleet()
                let tables = try await hub.reportTables(
                    full.map { ReportTable($0) }
                        + plain.map { ReportTable($0, countsSeries: false) }, of: selection,
                    fleet: fleet)
                let forecasts = tables[0].reduce(0) { $0 + $1.sums.forecasts }
                let coverage = try await hub.reportCoverage(of: selection, fleet: fleet)
                milliseconds.append((ContinuousClock.now - started) / .milliseconds(1))
                precondition(forecasts > 0 && coverage.missingDays == 0)
            }
            return milliseconds.sorted()[runs / 2]
        }
        let store = try await page(
            ReportSelection(store: try StoreID("17")), full: [.chain, .item],
            plain: [.device, .weekday, .package, .day])
        let chain = try await page(
            ReportSelection(), full: [.chain, .store],
            plain: [.region, .weekday, .family, .variant, .day])
        let started = ContinuousClock.now
        let count = try await hub.rebuildReport()
        precondition(count == stores * items * days)
        return Measured(
            store: store, chain: chain, rebuild: (ContinuousClock.now - started) / .seconds(1),
            upload: upload, replay: replay, turn: turn)
    }

    /// The family whose package the devices ran: an LSTM of 8 units, the profile form.
    private static func addFamily(to hub: SQLiteHubStore) async throws {
        let series = (0..<3).map { item in
            TrainingSeries(
                store: try! StoreID("0"), item: try! ItemID("item-\(item)"),
                firstDay: firstDay.advanced(by: -200),
                days: (0..<200).map { DemandDay(units: Int32(3 + ($0 + item) % 7)) })
        }
        var plan = TrainingPlan(form: .profile, units: [units])
        plan.window = window
        plan.epochs = 1
        let family = try train(series: series, plan: plan)
        let now = Timestamp(millisecondsSince1970: 1_700_000_000_000)
        try await hub.saveFamily(
            FamilyRecord(
                name: "f", createdAt: now, form: "profile", snapshotDigest: "", seed: 1,
                asOf: family.asOf, summary: "{}", trained: [UInt8](try family.encoded())))
        try await hub.savePackages([
            PackageRecord(
                digest: digest, family: "f", variant: family.variants[0].name, store: nil,
                release: 1, packageBytes: 500, arenaBytes: 500, parameterCount: 100,
                requiredFeatures: [], wape: 1, mape: 1, bias: 0, floatWAPE: 1, floatMAPE: 1,
                createdAt: now)
        ])
    }

    private static func replayAll(
        _ hub: SQLiteHubStore
    ) async throws -> (seconds: Double, turnMilliseconds: Double) {
        let replay = UncompressedReplay(hub) { _ in nil }
        let started = ContinuousClock.now
        var longest = Duration.zero
        while true {
            let begun = ContinuousClock.now
            guard case .done = try await replay.turn() else { break }
            longest = max(longest, ContinuousClock.now - begun)
        }
        let seconds = (ContinuousClock.now - started) / .seconds(1)
        let rows = try await hub.forecastSums(ReportQuery())
        precondition(rows[0].sums.compression.count == stores * items * days)
        return (seconds, longest / .milliseconds(1))
    }

    /// What the device says that it forecast from.
    private static func inputs(_ sold: [Int32], level: Float) -> UInt32 {
        let known = sold.suffix(window).map { DemandDay(units: $0) }
        return ForecastInputs.digest(
            package: digest, level: level,
            recentDays: [DemandDay](repeating: .unknown, count: window - known.count) + known,
            targetMarks: [], planned: [])
    }

    /// Sales of every store and day, and a device in each that forecast all of them.
    /// - Returns: milliseconds of a day's upload.
    private static func fill(_ hub: SQLiteHubStore) async throws -> Double {
        let now = Timestamp(millisecondsSince1970: 1_700_000_000_000)
        let names = try (0..<items).map { try ItemID("item-\($0)") }
        var random: UInt64 = 1
        func next(_ count: UInt64) -> UInt64 {
            random = random &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return (random >> 33) % count
        }
        var batches: [UploadBatch] = []
        var totals: [[SalesRow]] = []
        for store in 0..<stores {
            let device = try DeviceID("device-\(store)")
            let secret = [UInt8](repeating: UInt8(store), count: 32)
            _ = try await hub.createToken(
                TokenRecord(
                    secretSHA256: secret, store: try StoreID("\(store)"), labels: [],
                    createdAt: now, expiresAt: now.advanced(bySeconds: 3600), usesMax: 1,
                    approves: true))
            _ = try await hub.joinDevice(device, tokenSecretSHA256: secret, at: now)
            var rows: [SalesRow] = []
            var records: [UploadRecord] = []
            var sequence: UInt64 = 1
            var sold = [[Int32]](repeating: [], count: items)
            for offset in 0..<days {
                let day = firstDay.advanced(by: offset)
                for item in 0..<items {
                    let mean = Double(1 + item % 17)
                    let stated = inputs(sold[item], level: Float(mean))
                    sold[item].append(Int32(next(UInt64(2 * mean))))
                    rows.append(
                        SalesRow(
                            series: Int32(item), daysSince1970: day.daysSince1970,
                            units: sold[item][offset]))
                    records.append(
                        .forecast(
                            DeviceForecast(
                                day: day, item: names[item],
                                units: Float(mean) + Float(next(100)) / 100, networkOutput: 1,
                                release: 1, actualUnits: 1, inputsComplete: true,
                                level: Float(mean), inputsDigest: stated)))
                }
                records.append(.close(day: day, closedAllDay: false))
                guard (offset + 1) % daysPerUpload == 0 else { continue }
                batches.append(
                    UploadBatch(device: device, firstSequence: sequence, records: records))
                sequence += UInt64(records.count)
                records = []
            }
            totals.append(rows)
        }
        let sold = totals
        _ = try await hub.importSales { sink in
            for (store, rows) in sold.enumerated() {
                let series = try names.map {
                    try sink.series(store: try StoreID("\(store)"), item: $0)
                }
                let own = rows.map {
                    SalesRow(
                        series: series[Int($0.series)], daysSince1970: $0.daysSince1970,
                        units: $0.units)
                }
                try own.withUnsafeBufferPointer { try sink.upsert($0) }
            }
        }
        let started = ContinuousClock.now
        for batch in batches {
            guard case .stored = try await hub.storeUpload(batch, at: now) else {
                preconditionFailure("an upload was refused")
            }
        }
        return (ContinuousClock.now - started) / .milliseconds(1) / Double(stores * days)
    }

    /// The groups are measured one after the other, each on the calling thread.
    private static func blocking<Value: Sendable>(
        _ body: @escaping @Sendable () async throws -> Value
    ) throws -> Value {
        let box = ResultBox<Value>()
        let done = DispatchSemaphore(value: 0)
        Task.detached {
            do { box.result = .success(try await body()) } catch { box.result = .failure(error) }
            done.signal()
        }
        done.wait()
        guard let result = box.result else { preconditionFailure("signalled without a result") }
        return try result.get()
    }
}

/// Written before the signal, read after the wait.
private final class ResultBox<Value: Sendable>: @unchecked Sendable {
    var result: Result<Value, any Error>?
}
