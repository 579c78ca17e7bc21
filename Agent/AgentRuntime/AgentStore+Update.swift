package import AgentCore
import Forecasting
import ModelPackage
package import SyncProtocol
package import UpdateTrust

/// A package as it lies in a slot.
package struct StoredPackage: Equatable, Sendable {
    package var candidate: Candidate
    package var content: [UInt8]
}

extension AgentStore {
    /// What this device takes as one package file.
    package static let packageBytesMax = UInt64(ModelPackage.fileBytesMax)

    /// Where the update stands. What is kept was signed, so it decodes.
    package func update() throws(StoreError) -> Update {
        guard
            let row = try database.first(
                """
                SELECT phase, activeSlot, candidate, attempts, stage, comparedDays, besideSince, besideThrough,
                    trialDays, nanosecondsMax, fetchBytesMax, windowFrom, windowUntil, crashes,
                    meteredBytesMax
                FROM updateState
                """, columns: 15)
        else { throw .corrupt }
        var update = Update(
            active: row[1].isNull ? nil : Slot(rawValue: UInt8(clamping: row[1].integer)),
            terms: UpdateTerms(
                trialDays: Int(row[8].integer), nanosecondsMax: UInt64(clamping: row[9].integer),
                fetchBytesMax: UInt64(clamping: row[10].integer),
                meteredBytesMax: UInt64(clamping: row[14].integer),
                window: row[11].isNull
                    ? nil : DayWindow(from: Int(row[11].integer), until: Int(row[12].integer))),
            crashes: Int(row[13].integer))
        guard row[0].integer != 0 else { return update }
        guard let candidate = Candidate(kept: row[2].bytes) else { throw .corrupt }
        update.phase =
            switch (row[0].integer, row[4].integer) {
            case (1, _): .fetching(candidate)
            case (2, _): .verified(candidate)
            case (_, 0): .trial(candidate, .proving(attempts: Int(row[3].integer)))
            case (_, 1):
                .trial(
                    candidate,
                    .beside(
                        compared: Int(row[5].integer), since: Self.day(row[6]),
                        through: Self.day(row[7])))
            case (_, _): .trial(candidate, .due)
            }
        return update
    }

    package func save(_ update: Update) throws(StoreError) {
        var (phase, stage, attempts, compared): (Int64, Int64, Int, Int) = (0, 0, 0, 0)
        var (since, through) = (BusinessDay(daysSince1970: 0), BusinessDay(daysSince1970: 0))
        var candidate: Candidate?
        switch update.phase {
        case .idle: break
        case .fetching(let wanted): (phase, candidate) = (1, wanted)
        case .verified(let wanted): (phase, candidate) = (2, wanted)
        case .trial(let wanted, .proving(let count)):
            (phase, candidate, attempts) = (3, wanted, count)
        case .trial(let wanted, .beside(let days, let first, let last)):
            (phase, candidate, stage, compared, since, through) = (3, wanted, 1, days, first, last)
        case .trial(let wanted, .due): (phase, candidate, stage) = (3, wanted, 2)
        }
        let terms = update.terms
        try database.run(
            """
            UPDATE updateState SET phase = ?, activeSlot = ?, digest = ?, candidate = ?, attempts = ?,
                stage = ?, comparedDays = ?, besideSince = ?, besideThrough = ?, trialDays = ?,
                nanosecondsMax = ?, fetchBytesMax = ?, windowFrom = ?, windowUntil = ?, crashes = ?,
                meteredBytesMax = ?
            """,
            [
                .integer(phase), update.active.map { .integer(Int64($0.rawValue)) } ?? .null,
                candidate.map { .blob($0.stated.digest) } ?? .null,
                candidate.map { .blob($0.kept) } ?? .null, .integer(Int64(attempts)),
                .integer(stage), .integer(Int64(compared)),
                .integer(Int64(since.daysSince1970)), .integer(Int64(through.daysSince1970)),
                .integer(Int64(terms.trialDays)), .integer(Int64(clamping: terms.nanosecondsMax)),
                .integer(Int64(clamping: terms.fetchBytesMax)),
                terms.window.map { .integer(Int64($0.from)) } ?? .null,
                terms.window.map { .integer(Int64($0.until)) } ?? .null,
                .integer(Int64(update.crashes)), .integer(Int64(clamping: terms.meteredBytesMax)),
            ])
        if stage != 1 { try database.run("DELETE FROM besideForecast") }
    }

    // MARK: Bytes on their way

    /// How many bytes of the wanted package are here.
    package func fetchedBytes() throws(StoreError) -> UInt64 {
        let row = try database.first(
            "SELECT coalesce(max(offset + length(content)), 0) FROM packageChunk", columns: 1)
        return UInt64(clamping: row?[0].integer ?? 0)
    }

    package func append(chunk content: [UInt8], at offset: UInt64) throws(StoreError) {
        try database.run(
            "INSERT INTO packageChunk (offset, content) VALUES (?, ?)",
            [.integer(Int64(clamping: offset)), .blob(content)])
    }

    package func fetchedContent() throws(StoreError) -> [UInt8] {
        var content: [UInt8] = []
        try database.query("SELECT content FROM packageChunk ORDER BY offset", columns: 1) { row in
            content += row[0].bytes
            return true
        }
        return content
    }

    package func discardFetched() throws(StoreError) {
        try database.run("DELETE FROM packageChunk")
    }

    // MARK: Slots

    package func package(in slot: Slot) throws(StoreError) -> StoredPackage? {
        guard
            let row = try database.first(
                "SELECT candidate, content FROM packageSlot WHERE slot = ?",
                [.integer(Int64(slot.rawValue))], columns: 2),
            let candidate = Candidate(kept: row[0].bytes)
        else { return nil }
        return StoredPackage(candidate: candidate, content: row[1].bytes)
    }

    package func put(
        _ candidate: Candidate, content: [UInt8], in slot: Slot
    ) throws(StoreError) {
        try database.run(
            "DELETE FROM packageSlot WHERE slot = ? OR digest = ?",
            [.integer(Int64(slot.rawValue)), .blob(candidate.stated.digest)])
        try database.run(
            "INSERT INTO packageSlot (slot, digest, candidate, content) VALUES (?, ?, ?, ?)",
            [
                .integer(Int64(slot.rawValue)), .blob(candidate.stated.digest),
                .blob(candidate.kept), .blob(content),
            ])
    }

    package func empty(_ slot: Slot) throws(StoreError) {
        try database.run(
            "DELETE FROM packageSlot WHERE slot = ?", [.integer(Int64(slot.rawValue))])
    }

    package func rollbackGuard() throws(StoreError) -> RollbackGuard {
        guard let release = try integer(.acceptedRelease), let digest = try text(.acceptedDigest)
        else { return RollbackGuard() }
        return RollbackGuard(
            accepted: RollbackGuard.Accepted(
                release: UInt64(bitPattern: release), digest: digest,
                family: String(decoding: try text(.acceptedFamily) ?? [], as: UTF8.self),
                variant: String(decoding: try text(.acceptedVariant) ?? [], as: UTF8.self)))
    }

    package func save(_ accepted: RollbackGuard.Accepted) throws(StoreError) {
        try set(.acceptedRelease, .integer(Int64(bitPattern: accepted.release)))
        try set(.acceptedDigest, .blob(accepted.digest))
        try set(.acceptedFamily, accepted.family)
        try set(.acceptedVariant, accepted.variant)
    }

    // MARK: Refusals and reports

    package func refused(_ digest: [UInt8]) throws(StoreError) -> RefusedPackage? {
        guard
            let row = try database.first(
                "SELECT reason, budgetBytes, downloads FROM refusedPackage WHERE digest = ?",
                [.blob(digest)], columns: 3)
        else { return nil }
        return RefusedPackage(
            reason: row[0].bytes, budgetBytes: row[1].isNull ? nil : Int(row[1].integer),
            downloads: Int(row[2].integer))
    }

    package func remember(
        refusalOf digest: [UInt8], reason: RefusalReason, budgetBytes: Int
    ) throws(StoreError) {
        let budget: Value
        let downloads: Int64
        switch reason {
        case .download: (budget, downloads) = (.null, 1)
        case .budget: (budget, downloads) = (.integer(Int64(budgetBytes)), 0)
        case .package: (budget, downloads) = (.null, 0)
        }
        try database.run(
            """
            INSERT INTO refusedPackage (digest, reason, budgetBytes, downloads) VALUES (?1, ?2, ?3, ?4)
            ON CONFLICT (digest) DO UPDATE
                SET reason = ?2, budgetBytes = ?3, downloads = min(downloads + ?4, 1000)
            """,
            [.blob(digest), .text([UInt8](reason.text.utf8)), budget, .integer(downloads)])
    }

    package func queueReport(
        digest: [UInt8], outcome: PackageOutcome, reason: String, arenaBytes: UInt64
    ) throws(StoreError) {
        try database.run(
            """
            INSERT INTO packageReport (digest, outcome, reason, arenaBytes) VALUES (?1, ?2, ?3, ?4)
            ON CONFLICT (digest) DO UPDATE SET outcome = ?2, reason = ?3, arenaBytes = ?4
            """,
            [
                .blob(digest), .integer(Int64(outcome.rawValue)), .text([UInt8](reason.utf8)),
                .integer(Int64(clamping: arenaBytes)),
            ])
    }

    package func hasReport() throws(StoreError) -> Bool {
        try database.first("SELECT 1 FROM packageReport LIMIT 1", columns: 1) != nil
    }

    /// The next report to send, without `running`.
    package func nextReport() throws(StoreError) -> PackageReport? {
        guard
            let row = try database.first(
                "SELECT digest, outcome, reason, arenaBytes FROM packageReport LIMIT 1", columns: 4)
        else { return nil }
        return PackageReport(
            digest: row[0].bytes,
            outcome: PackageOutcome(rawValue: Int32(truncatingIfNeeded: row[1].integer)),
            reason: String(decoding: row[2].bytes, as: UTF8.self),
            arenaBytes: UInt64(clamping: row[3].integer), running: nil)
    }

    /// The hub has it. One that came in its place meanwhile stays.
    package func drop(_ report: PackageReport) throws(StoreError) {
        try database.run(
            "DELETE FROM packageReport WHERE digest = ? AND outcome = ? AND reason = ?",
            [
                .blob(report.digest), .integer(Int64(report.outcome.rawValue)),
                .text([UInt8](report.reason.utf8)),
            ])
    }
}

extension AgentStore {
    /// Forgets everything another hub said or was owed the numbering of; sales not yet sent stay, to be
    /// numbered by where the new hub says it is.
    package func forgetHub() throws(StoreError) {
        try transaction { () throws(StoreError) in
            try database.run("DELETE FROM storeDay")
            try database.run("DELETE FROM storeItemDay")
            try database.run("DELETE FROM levelCheckpoint")
            try database.run("DELETE FROM forecast")
            try database.run("DELETE FROM packageReport")
            try database.run("DELETE FROM refusedPackage")
            try database.run("DELETE FROM packageChunk")
            try database.run("DELETE FROM packageDelta")
            try database.run("DELETE FROM packageSlot")
            try database.run("DELETE FROM metadata")
            try save(TrustState())
            try save(Update())
            for name in [
                Setting.contextRevision, .ownShareBits, .confirmedGeneration, .acceptedRelease,
                .acceptedDigest, .acceptedFamily, .acceptedVariant, .desire, .desireReason,
                .lastContact, .lastError, .contactNumber, .trustProblem, .toldHold,
                .subjectPutOff, .calendar,
            ] {
                try clear(name)
            }
        }
    }
}
