import Compression
import CompressionCost
import Forecasting
import Foundation
import HubCore
import HubStore
import ModelPackage
import Testing
import Training

/// A hub with one store, a family that was trained on its history, and a package of which devices forecast from then on.
struct OneStore {
    static let now = Timestamp(millisecondsSince1970: 1_700_000_000_000)
    static let historyDays = 150
    static let day0 = BusinessDay(daysSince1970: 19_000)
    static let store = try! StoreID("1")
    static let items = ["a", "b", "c"].map { try! ItemID($0) }
    static let release: UInt64 = 5
    static let digest = [UInt8](repeating: 9, count: 32)

    let hub: SQLiteHubStore
    /// As it is saved.
    let family: TrainedFamily
    /// The package that devices run, and its file.
    let engine: ReplayPackage
    let file: [UInt8]

    /// Of business after the history, from 0.
    static func day(_ offset: Int) -> BusinessDay { day0.advanced(by: historyDays + offset) }

    /// Of any day: some items sell more, and weekends do.
    static func sold(_ item: Int, _ offset: Int) -> Int32 {
        let day = day0.advanced(by: offset)
        let weekend = day.weekday >= 5 ? 6 : 0
        let noise = (offset * 7 + item * 3) % 4
        return Int32(4 + 5 * item + weekend + noise)
    }

    /// Of any day: every item has a promotion on some days in a row, if there are any.
    static func isPromoted(_ offset: Int) -> Bool { offset % 9 < 2 }

    /// - Parameters:
    ///   - promotes: the calendar has promotions, and the network sees them.
    ///   - prepare: makes of the trained family what is packed.
    ///   - save: makes of that what the hub has of it later; nil: nothing that can be read.
    init(
        promotes: Bool = false, prepare: (inout TrainedFamily) -> Void = { _ in },
        save: (TrainedFamily) -> TrainedFamily? = { $0 }
    ) async throws {
        hub = try SQLiteHubStore.inMemory()
        let series = Self.items.enumerated().map { index, item in
            TrainingSeries(
                store: Self.store, item: item, firstDay: Self.day0,
                days: (0..<Self.historyDays).map {
                    DemandDay(
                        units: Self.sold(index, $0),
                        marks: promotes && Self.isPromoted($0) ? .promotion : [])
                })
        }
        var plan = TrainingPlan(form: .profile, units: [3])
        plan.epochs = 1
        plan.window = 7
        var trained = try train(series: series, plan: plan)
        prepare(&trained)
        family = trained
        let built = try PackageBuilder(
            family: trained, name: "f", series: series, lineage: ""
        ).build(variant: 0, store: Self.store, release: Self.release)
        file = built.bytes
        engine = try ReplayPackage(file: file, digest: Self.digest)
        _ = try await hub.importSales { sink in
            for (index, item) in Self.items.enumerated() {
                let series = try sink.series(store: Self.store, item: item)
                let rows = (0..<Self.historyDays).map {
                    SalesRow(
                        series: series, daysSince1970: Self.day0.advanced(by: $0).daysSince1970,
                        units: Self.sold(index, $0))
                }
                try rows.withUnsafeBufferPointer { try sink.upsert($0) }
            }
        }
        if promotes {
            _ = try await hub.importCalendar(
                (0..<Self.historyDays + 60).filter(Self.isPromoted).map {
                    CalendarEntry(
                        day: Self.day0.advanced(by: $0), store: Self.store, item: nil,
                        kind: .promotion)
                }, at: Self.now)
        }
        try await hub.saveFamily(
            FamilyRecord(
                name: "f", createdAt: Self.now, form: "profile", snapshotDigest: "",
                seed: trained.seed, asOf: trained.asOf, summary: "{}",
                trained: try save(trained).map { [UInt8](try $0.encoded()) } ?? [1]))
        try await hub.savePackages([
            PackageRecord(
                digest: Self.digest, family: "f", variant: trained.variants[0].name,
                store: Self.store, release: Self.release, packageBytes: file.count,
                arenaBytes: 500, parameterCount: 35, requiredFeatures: [], wape: 1, mape: 1,
                bias: 0, floatWAPE: 1, floatMAPE: 1, createdAt: Self.now)
        ])
    }

    /// The package at work, as on a device.
    func runningEngine() throws -> Engine { try Engine(file, budgetBytes: .max) }

    var replay: UncompressedReplay {
        let file = file
        return UncompressedReplay(hub) { $0 == Self.digest ? file : nil }
    }

    /// Replays all that waits.
    func replayAll() async throws {
        let replay = replay
        for _ in 0..<1_000 {
            if try await replay.turn() == .nothing { return }
        }
        Issue.record("there is no end of it")
    }

    func join(_ name: String, approves: Bool = true) async throws -> Till {
        let secret = Array((name + String(repeating: "#", count: 32)).utf8.prefix(32))
        _ = try await hub.createToken(
            TokenRecord(
                secretSHA256: secret, store: Self.store, labels: [], createdAt: Self.now,
                expiresAt: Self.now.advanced(bySeconds: 3600), usesMax: 1, approves: approves))
        let id = try DeviceID(name)
        _ = try await hub.joinDevice(id, tokenSecretSHA256: secret, at: Self.now)
        return Till(id: id)
    }

    struct Till {
        var id: DeviceID
        var next: UInt64 = 1
    }

    func upload(_ records: [UploadRecord], by till: inout Till) async throws {
        let outcome = try await hub.storeUpload(
            UploadBatch(device: till.id, firstSequence: till.next, records: records),
            at: Self.now)
        guard case .stored(let through, _) = outcome else {
            Issue.record("\(outcome)")
            return
        }
        till.next = through + 1
    }

    /// The store's totals and its calendar as devices are told them.
    func days() async throws -> StoreDays {
        let ledger = try #require(try await hub.ledger(store: Self.store, from: nil))
        let calendar = try await hub.calendar(
            kind: nil, store: Self.store, from: nil, through: nil)
        return StoreDays(
            StoreContext.decide(ledger, device: try DeviceID("any"), knownRevision: 0)
        ).heeding(StoreCalendar(calendar, store: Self.store))
    }

    static func recent(_ item: ItemID, before day: BusinessDay, _ days: StoreDays) -> [DemandDay] {
        (-7..<0).map { days.demand(for: item, on: day.advanced(by: $0)) }
    }

    /// What a device says that forecast `units` from `level` and the totals the hub has.
    /// - Parameter isBrief: leaves the level to the hub.
    func forecast(
        _ item: ItemID, on day: BusinessDay, level: Float, units: Float, _ days: StoreDays,
        isBrief: Bool = false
    ) -> UploadRecord {
        .forecast(
            DeviceForecast(
                day: day, item: item, units: units, networkOutput: 1, release: Self.release,
                actualUnits: 0, inputsComplete: true, level: isBrief ? 0 : level,
                inputsDigest: ForecastInputs.digest(
                    package: Self.digest, level: level,
                    recentDays: Self.recent(item, before: day, days),
                    targetMarks: days.plannedMarks(of: item, on: day),
                    planned: family.spec.inputs.marks)))
    }

    /// Everything that the report's tables hold, in an order.
    func tables() async throws -> [ReportRow] {
        try await hub.forecastSums(ReportQuery(by: [.store, .device, .release, .day])).sorted {
            "\($0.key)" < "\($1.key)"
        }
    }

    func sums() async throws -> ForecastSums {
        var all = ForecastSums()
        for row in try await hub.forecastSums(ReportQuery()) { all.merge(row.sums) }
        return all
    }
}

extension TrainedFamily {
    /// Its network says nothing: the forecast is the level.
    mutating func silence() {
        profiles = [.flat]
        for store in starts.indices {
            for item in starts[store].starts.indices { starts[store].starts[item].profile = 0 }
        }
        variants[0].parameters = NetworkParameters(
            shape: variants[0].parameters.shape,
            flattened: [Float](repeating: 0, count: variants[0].parameters.shape.parameterCount))
    }

    /// Its network says a lot, so that it matters how exactly a device computes it.
    mutating func speakUp() {
        let shape = variants[0].parameters.shape
        variants[0].parameters = NetworkParameters(
            shape: shape,
            flattened: (0..<shape.parameterCount).map { k -> Float in
                let weight = Float((k * 7_919) % 101 - 50) / 50
                return k < shape.denseOffset ? 1.5 * weight * weight * weight : 0.4 * weight
            })
    }
}
