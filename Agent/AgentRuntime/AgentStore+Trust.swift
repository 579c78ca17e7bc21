package import AgentCore
import SyncProtocol
package import UpdateTrust

extension AgentStore {
    /// What is kept of a role's metadata, beside root's, which is a file of its own.
    package func metadata(_ role: RoleName) throws(StoreError) -> [UInt8]? {
        try database.first(
            "SELECT content FROM metadata WHERE role = ?", [.blob(role.utf8)], columns: 1)?[0].bytes
    }

    /// Of the roles that targets delegates to only the last one is kept: what a hub sends for another package brings
    /// its own.
    func keep(_ content: [UInt8], of role: RoleName) throws(StoreError) {
        if case .delegated = role {
            try database.run(
                "DELETE FROM metadata WHERE role NOT IN (?, ?, ?)",
                [
                    .blob(RoleName.timestamp.utf8), .blob(RoleName.snapshot.utf8),
                    .blob(RoleName.targets.utf8),
                ])
        }
        try database.run(
            "INSERT INTO metadata (role, content) VALUES (?1, ?2) ON CONFLICT (role) DO UPDATE SET content = ?2",
            [.blob(role.utf8), .blob(content)])
    }

    package func trustState() throws(StoreError) -> TrustState {
        guard
            let row = try database.first(
                """
                SELECT root, timestamp, snapshot, targets, rootExpires, timestampExpires, timestampSince, proven
                FROM trustState
                """, columns: 8)
        else { throw .corrupt }
        var state = TrustState()
        state.root = UInt64(clamping: row[0].integer)
        state.timestamp = UInt64(clamping: row[1].integer)
        state.snapshot = UInt64(clamping: row[2].integer)
        state.targets = UInt64(clamping: row[3].integer)
        state.rootExpires = row[4].integer
        state.timestampExpires = row[5].integer
        state.timestampSince = row[6].integer
        state.proven = row[7].integer
        return state
    }

    func save(_ state: TrustState) throws(StoreError) {
        try database.run(
            """
            UPDATE trustState SET root = ?, timestamp = ?, snapshot = ?, targets = ?, rootExpires = ?,
                timestampExpires = ?, timestampSince = ?, proven = ?
            """,
            [
                .integer(Int64(clamping: state.root)), .integer(Int64(clamping: state.timestamp)),
                .integer(Int64(clamping: state.snapshot)),
                .integer(Int64(clamping: state.targets)), .integer(state.rootExpires),
                .integer(state.timestampExpires), .integer(state.timestampSince),
                .integer(state.proven),
            ])
    }
}

/// What was signed of a package, as a device keeps it beside the package.
struct KeptPackage: WireMessage, Equatable, Sendable {
    var digest: [UInt8] = []
    var packageBytes: UInt64 = 0
    var arenaBytes: UInt64 = 0
    var release: UInt64 = 0
    var family = ""
    var variant = ""
    /// Empty: for any store.
    var store = ""

    init() {}

    init(_ stated: StatedPackage) {
        digest = stated.digest
        packageBytes = stated.packageBytes
        arenaBytes = stated.arenaBytes
        release = stated.release
        family = stated.family
        variant = stated.variant
        store = stated.store ?? ""
    }

    func encode(to writer: inout WireWriter) {
        writer.bytes(1, digest)
        writer.uint64(2, packageBytes)
        writer.uint64(3, arenaBytes)
        writer.uint64(4, release)
        writer.string(5, family)
        writer.string(6, variant)
        writer.string(7, store)
    }

    mutating func decode(field: Int, from reader: inout WireReader) throws(WireError) {
        switch field {
        case 1: digest = try reader.bytes(bytesMax: Limit.digestBytes)
        case 2: packageBytes = try reader.uint64()
        case 3: arenaBytes = try reader.uint64()
        case 4: release = try reader.uint64()
        case 5: family = try reader.string(bytesMax: Limit.nameBytes)
        case 6: variant = try reader.string(bytesMax: Limit.nameBytes)
        case 7: store = try reader.string(bytesMax: Limit.nameBytes)
        default: try reader.skip()
        }
    }
}

extension Candidate {
    /// As kept; nil when that is damaged.
    init?(kept bytes: [UInt8]) {
        guard let kept = try? KeptPackage(decoding: bytes) else { return nil }
        let stated = try? StatedPackage(
            digest: kept.digest, packageBytes: kept.packageBytes, arenaBytes: kept.arenaBytes,
            release: kept.release, family: kept.family, variant: kept.variant, store: kept.store)
        guard let stated else { return nil }
        self.init(stated: stated)
    }

    var kept: [UInt8] { KeptPackage(stated).encoded() }
}
