import Forecasting
import Foundation
import GRDB
import HubCore

/// How the domain's values lie in columns. What does not read back is `corrupt`: somebody else
/// wrote there.
extension Row {
    func day(_ column: String) -> BusinessDay {
        BusinessDay(daysSince1970: Int32(clamping: self[column] as Int64))
    }

    func dayIfAny(_ column: String) -> BusinessDay? {
        (self[column] as Int64?).map { BusinessDay(daysSince1970: Int32(clamping: $0)) }
    }

    func timestamp(_ column: String) -> Timestamp {
        Timestamp(millisecondsSince1970: self[column])
    }

    func timestampIfAny(_ column: String) -> Timestamp? {
        (self[column] as Int64?).map(Timestamp.init(millisecondsSince1970:))
    }

    func bytes(_ column: String) -> [UInt8] { [UInt8](self[column] as Data) }

    func bytesIfAny(_ column: String) -> [UInt8]? { (self[column] as Data?).map { [UInt8]($0) } }

    func unsigned(_ column: String) -> UInt64 { UInt64(bitPattern: self[column] as Int64) }

    func identifier<Kind>(_ column: String) throws -> Identifier<Kind> {
        let text: String = self[column]
        do {
            return try Identifier(text)
        } catch {
            throw HubStoreError.corrupt(reason: "identifier '\(text)': \(error)")
        }
    }

    func labels(_ column: String) throws -> [DeviceLabel] {
        let text: String = self[column]
        do {
            return try text.split(separator: " ").map { try DeviceLabel(stored: String($0)) }
        } catch {
            throw HubStoreError.corrupt(reason: "labels '\(text)'")
        }
    }

    func value<Value: RawRepresentable<String>>(_ column: String) throws -> Value {
        let text: String = self[column]
        guard let value = Value(rawValue: text) else {
            throw HubStoreError.corrupt(reason: "\(column) '\(text)'")
        }
        return value
    }
}

extension [DeviceLabel] {
    /// One word for each; the parts of a label hold no space.
    var columnText: String { map(\.text).joined(separator: " ") }
}

extension StoreRecord {
    static let sql = "SELECT name, timeZone, revision FROM store"

    init(row: Row) throws {
        self.init(
            id: try row.identifier("name"), timeZone: row["timeZone"],
            revision: row.unsigned("revision"))
    }
}

extension TokenRecord {
    static let sql =
        "SELECT token.*, store.name AS store FROM token JOIN store ON store.id = storeID"

    init(row: Row) throws {
        self.init(
            secretSHA256: row.bytes("secretSHA256"), store: try row.identifier("store"),
            labels: try row.labels("labels"), createdAt: row.timestamp("createdAt"),
            expiresAt: row.timestamp("expiresAt"), usesMax: row["usesMax"],
            approves: row["approves"])
        id = row["id"]
        uses = row["uses"]
        revokedAt = row.timestampIfAny("revokedAt")
    }
}

extension DeviceRecord {
    static let sql =
        "SELECT device.*, store.name AS store FROM device JOIN store ON store.id = storeID"

    init(row: Row) throws {
        self.init(
            id: try row.identifier("name"), store: try row.identifier("store"),
            status: try row.value("status"), labels: try row.labels("labels"),
            token: row["tokenID"], joinedAt: row.timestamp("joinedAt"))
        reportedLabels = try row.labels("reportedLabels")
        lastSeenAt = row.timestampIfAny("lastSeenAt")
        longestGapSeconds = row["longestGapSeconds"]
        if let until = row.timestampIfAny("budgetShrankAt") {
            budgetBefore = BudgetBefore(bytes: row.unsigned("budgetBeforeBytes"), until: until)
        }
        certificateSHA256 = row.bytesIfAny("certificateSHA256")
        certificateExpiresAt = row.timestampIfAny("certificateExpiresAt")
        if let text = row["capabilities"] as String? {
            do {
                capabilities = try JSONDecoder().decode(
                    DeviceCapabilities.self, from: Data(text.utf8))
            } catch {
                throw HubStoreError.corrupt(reason: "capabilities of device \(id.text)")
            }
        }
        if let text = row["contactLine"] as String? {
            do {
                contactLine = try JSONDecoder().decode(ContactLine.self, from: Data(text.utf8))
            } catch {
                throw HubStoreError.corrupt(reason: "contacts of device \(id.text)")
            }
        }
        if let digest = row.bytesIfAny("runningDigest") {
            running = RunningPackage(
                digest: digest, release: row.unsigned("runningRelease"),
                arenaBytes: row.unsigned("runningArenaBytes"))
        }
        activeSince = row.timestampIfAny("activeSince")
        forecastsExpectedAfter = row.dayIfAny("forecastsExpectedAfter")
        throughSequence = row.unsigned("throughSequence")
    }
}

extension FamilyRecord {
    init(row: Row) throws {
        let name: String = row["name"]
        self.init(
            name: name, createdAt: row.timestamp("createdAt"), form: row["form"],
            snapshotDigest: row["snapshotDigest"], seed: row.unsigned("seed"),
            asOf: row.day("asOf"), summary: row["summary"], trained: row.bytes("trained"),
            lineage: try (row["lineage"] as String?).map {
                try SQLiteHubStore.value(of: $0, what: "lineage of family \(name)")
            })
    }
}

extension PackageRecord {
    static let sql = """
        SELECT package.*, store.name AS store FROM package LEFT JOIN store ON store.id = storeID
        """

    init(row: Row) throws {
        self.init(
            digest: row.bytes("digest"), family: row["family"], variant: row["variant"],
            store: (row["store"] as String?) == nil ? nil : try row.identifier("store"),
            release: row.unsigned("release"), packageBytes: row["packageBytes"],
            arenaBytes: row["arenaBytes"], parameterCount: row["parameterCount"],
            requiredFeatures: (row["requiredFeatures"] as String).split(separator: " ")
                .map(String.init),
            wape: row["wape"], mape: row["mape"], bias: row["bias"],
            floatWAPE: row["floatWAPE"], floatMAPE: row["floatMAPE"],
            createdAt: row.timestamp("createdAt"))
    }
}

extension RolloutRecord {
    init(row: Row) throws {
        let text: String = row["selector"]
        let selector: Selector
        do {
            selector = try Selector(stored: text)
        } catch {
            throw HubStoreError.corrupt(reason: "selector '\(text)'")
        }
        let id = row.unsigned("id")
        let policy: RolloutPolicy
        let waves: [RolloutWave]
        do {
            let decoder = JSONDecoder()
            policy =
                try (row["policy"] as String?).map {
                    try decoder.decode(RolloutPolicy.self, from: Data($0.utf8))
                } ?? .atOnce
            waves = try decoder.decode(
                [RolloutWave].self, from: Data((row["waves"] as String).utf8))
        } catch {
            throw HubStoreError.corrupt(reason: "policy or waves of rollout \(id)")
        }
        self.init(
            family: row["family"], release: (row["release"] as Int64?).map(UInt64.init),
            selector: selector, nanosecondsMax: row["nanosecondsMax"], policy: policy,
            createdAt: row.timestamp("createdAt"))
        self.id = id
        self.waves = waves
        state = try row.value("state")
        why = row["why"]
        stateSince = row.timestamp("stateSince")
        revision = row.unsigned("revision")
        meteredBytesMax = row.unsigned("meteredBytesMax")
    }
}

extension RolloutMember {
    static let sql = """
        SELECT rolloutDevice.*, device.name AS device FROM rolloutDevice
        JOIN device ON device.id = deviceID
        """

    init(row: Row) throws {
        self.init(
            rollout: row.unsigned("rolloutID"), device: try row.identifier("device"),
            wave: row["wave"], state: try row.value("state"), digest: row.bytesIfAny("digest"),
            reason: row["reason"], changedAt: row.timestampIfAny("changedAt"))
        isTold = row["told"]
    }
}

extension AssignmentRecord {
    static let sql = """
        SELECT assignment.*, device.name AS device FROM assignment
        JOIN device ON device.id = deviceID
        """

    init(row: Row) throws {
        self.init(
            device: try row.identifier("device"), rollout: row.unsigned("rolloutID"),
            digest: row.bytesIfAny("digest"), reason: row["reason"],
            decidedAt: row.timestamp("decidedAt"))
        if (row["outcome"] as String?) != nil {
            outcome = try row.value("outcome") as PackageOutcome
        }
        outcomeReason = row["outcomeReason"]
        outcomeAt = row.timestampIfAny("outcomeAt")
    }
}
