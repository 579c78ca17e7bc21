import Forecasting
import Foundation
import HubCore
import HubStore

/// Every implementation of `HubStore`: the contract's tests run against each.
enum StoreUnderTest: CaseIterable, CustomStringConvertible {
    case sqliteFile, sqliteMemory

    var description: String {
        switch self {
        case .sqliteFile: "SQLite file"
        case .sqliteMemory: "SQLite in memory"
        }
    }

    /// A new empty store for `body`, gone afterwards.
    func run(_ body: (any HubStore) async throws -> Void) async throws {
        switch self {
        case .sqliteFile:
            try await withDirectory { directory in
                try await body(try SQLiteHubStore.create(in: directory))
            }
        case .sqliteMemory: try await body(try SQLiteHubStore.inMemory())
        }
    }
}

func withDirectory<Value>(_ body: (String) async throws -> Value) async throws -> Value {
    let directory = NSTemporaryDirectory() + "/hubstore-\(UUID().uuidString)"
    try FileManager.default.createDirectory(
        atPath: directory, withIntermediateDirectories: true)
    defer {
        // A leftover is harmless, and the test's own error says more.
        try? FileManager.default.removeItem(atPath: directory)
    }
    return try await body(directory)
}

/// Words for tests.
enum Sample {
    static let now = Timestamp(millisecondsSince1970: 1_700_000_000_000)
    static let secret = [UInt8](repeating: 7, count: 32)
    static let day0 = BusinessDay(daysSince1970: 17_000)

    static func day(_ offset: Int) -> BusinessDay { day0.advanced(by: offset) }

    static func token(
        store: String = "1", uses: Int = 100, secret: [UInt8] = secret, approves: Bool = true,
        expiresIn seconds: Int64 = 3600, labels: [String] = []
    ) throws -> TokenRecord {
        TokenRecord(
            secretSHA256: secret, store: try StoreID(store),
            labels: try labels.map { try DeviceLabel($0) }, createdAt: now,
            expiresAt: now.advanced(bySeconds: seconds), usesMax: uses, approves: approves)
    }

    /// Makes a token for `store` where there is none yet, and joins an approved device.
    @discardableResult
    static func join(
        _ store: any HubStore, device: String, at storeID: String = "1"
    ) async throws -> DeviceID {
        let secret = Array((storeID + String(repeating: "#", count: 32)).utf8.prefix(32))
        if try await !store.tokens().contains(where: { $0.secretSHA256 == secret }) {
            _ = try await store.createToken(try token(store: storeID, secret: secret))
        }
        let id = try DeviceID(device)
        guard case .joined = try await store.joinDevice(id, tokenSecretSHA256: secret, at: now)
        else { throw HubStoreError.failed(reason: "could not join") }
        return id
    }

    static func sale(_ offset: Int, _ item: String, _ units: Int32) throws -> UploadRecord {
        .sale(day: day(offset), item: try ItemID(item), units: units)
    }

    static func returned(_ offset: Int, _ item: String, _ units: Int32) throws -> UploadRecord {
        .returned(day: day(offset), item: try ItemID(item), units: units)
    }

    static func close(_ offset: Int, allDay: Bool = false) -> UploadRecord {
        .close(day: day(offset), closedAllDay: allDay)
    }

    static func forecast(_ offset: Int, _ item: String, _ units: Float) throws -> UploadRecord {
        .forecast(
            DeviceForecast(
                day: day(offset), item: try ItemID(item), units: units, networkOutput: -5,
                release: 1, actualUnits: 3, inputsComplete: true))
    }

    @discardableResult
    static func upload(
        _ store: any HubStore, _ device: DeviceID, from first: UInt64, _ records: [UploadRecord]
    ) async throws -> UploadOutcome {
        try await store.storeUpload(
            UploadBatch(device: device, firstSequence: first, records: records), at: now)
    }

    /// Imports rows of "store item day-offset units".
    @discardableResult
    static func importRows(
        _ store: any HubStore, _ rows: [(String, String, Int, Int32)]
    ) async throws -> ImportOutcome {
        try await store.importSales { sink in
            for (storeID, item, offset, units) in rows {
                let series = try sink.series(store: try StoreID(storeID), item: try ItemID(item))
                let row = SalesRow(
                    series: series, daysSince1970: day(offset).daysSince1970, units: units)
                try [row].withUnsafeBufferPointer { try sink.upsert($0) }
            }
        }
    }

    static func package(
        _ variant: String, family: String, store: String? = nil, release: UInt64, seed: UInt8
    ) throws -> PackageRecord {
        PackageRecord(
            digest: [UInt8](repeating: seed, count: 32), family: family, variant: variant,
            store: try store.map { try StoreID($0) }, release: release, packageBytes: 1000,
            arenaBytes: 500, parameterCount: 35, requiredFeatures: ["lstm-int8-v2", "other"],
            wape: 12.5, mape: 13.25, bias: -0.5, floatWAPE: 12.4, floatMAPE: 13.2,
            createdAt: now)
    }

    static func family(_ name: String) -> FamilyRecord {
        FamilyRecord(
            name: name, createdAt: now, form: "profile", snapshotDigest: "abcd", seed: .max,
            asOf: day0, summary: "{}", trained: [0, 255, 1])
    }
}
