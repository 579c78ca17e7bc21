import AgentCore
import SyncProtocol

/// How a wanted package comes, beyond its digest (SPEC 8.6).
struct PackageDelivery: Equatable, Sendable {
    /// The delta by which it comes; nil: it comes whole.
    var delta: DeltaOffer?
    /// Why it comes by no delta any more.
    var problem: [UInt8]?
    /// Bytes that were fetched in vain.
    var spentBytes: UInt64 = 0
}

extension AgentStore {
    /// - Parameter target: SHA-256 of the package.
    func delivery(of target: [UInt8]) throws(StoreError) -> PackageDelivery? {
        guard
            let row = try database.first(
                "SELECT digest, bytes, base, problem, spent FROM packageDelta WHERE target = ?",
                [.blob(target)], columns: 5)
        else { return nil }
        var delivery = PackageDelivery(
            problem: row[3].isNull ? nil : row[3].bytes,
            spentBytes: UInt64(clamping: row[4].integer))
        if row[1].integer > 0 {
            delivery.delta = DeltaOffer(
                digest: row[0].bytes, bytes: UInt32(clamping: row[1].integer),
                base: UInt64(bitPattern: row[2].integer))
        }
        return delivery
    }

    /// In the place of what was kept of any other package.
    func save(_ delivery: PackageDelivery, of target: [UInt8]) throws(StoreError) {
        let delta = delivery.delta ?? DeltaOffer()
        try database.run(
            """
            INSERT OR REPLACE INTO packageDelta (id, target, digest, bytes, base, problem, spent)
            VALUES (1, ?, ?, ?, ?, ?, ?)
            """,
            [
                .blob(target), .blob(delta.digest), .integer(Int64(delta.bytes)),
                .integer(Int64(bitPattern: delta.base)),
                delivery.problem.map { .text($0) } ?? .null,
                .integer(Int64(clamping: delivery.spentBytes)),
            ])
    }

    /// Where the package lies that a delta starts from.
    func slot(ofBase base: UInt64) throws(StoreError) -> Slot? {
        var slot: Slot?
        try database.query("SELECT slot, digest FROM packageSlot", columns: 2) { row in
            if DeltaOffer.base(of: row[1].bytes) == base {
                slot = Slot(rawValue: UInt8(clamping: row[0].integer))
            }
            return slot == nil
        }
        return slot
    }

    /// Whether the hub has yet to be told something of the package.
    func hasReport(of digest: [UInt8]) throws(StoreError) -> Bool {
        try database.first(
            "SELECT 1 FROM packageReport WHERE digest = ?", [.blob(digest)], columns: 1) != nil
    }
}
