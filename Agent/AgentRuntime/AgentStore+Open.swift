import CPosix

extension AgentStore {
    /// The database of `directory`, created or brought up to date. A damaged one is set aside, what can
    /// still be read of it is taken over, and `openingNote` says so.
    /// - Parameter checks: whether to read the whole file for damage first; worth it once a start.
    package static func open(directory: String, checks: Bool) throws(StoreError) -> AgentStore {
        let path = directory + "/" + fileName
        let isMarked = shelfcast_file_bytes(directory + "/" + damageMark) >= 0
        do {
            let store = try ready(path: path, directory: directory, checks: checks || isMarked)
            if isMarked { _ = shelfcast_remove(directory + "/" + damageMark) }
            return store
        } catch {
            guard error == .corrupt else { throw error }
        }
        let aside = try setAside(path)
        let store = try ready(path: path, directory: directory, checks: false)
        try store.salvage(from: aside)
        _ = shelfcast_remove(directory + "/" + damageMark)
        return store
    }

    /// Its presence makes the next start read the whole database for damage.
    private static let damageMark = "agent.sqlite.damaged"

    package func markDamaged() {
        // If even this cannot be written, `run` looks at every start anyway.
        _ = Files.replace(directory + "/" + Self.damageMark, by: [])
    }

    package static let pageBytes = 512
    /// Pages in the write-ahead log, 1.9 MB, before they go into the database: a page that is written often goes there
    /// once. The log's index takes the same 32 KiB of memory up to 4,062.
    static let logPagesMax = 3_500

    private static func ready(
        path: String, directory: String, checks: Bool
    ) throws(StoreError) -> AgentStore {
        let database = try Database(path: path)
        // A commit writes whole pages: small ones, for rows of some twenty bytes. WAL: one write a commit.
        // FULL: what was acknowledged to a till survives a power cut. EXCLUSIVE: the state directory has one
        // user at a time anyway, and no file of shared memory is written.
        try database.execute(
            """
            PRAGMA page_size = \(pageBytes); PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL;
            PRAGMA synchronous = FULL; PRAGMA cache_size = -512;
            PRAGMA wal_autocheckpoint = \(logPagesMax)
            """)
        database.keepLogFile()
        if checks {
            let verdict = try database.first("PRAGMA quick_check(1)", columns: 1)?[0].bytes ?? []
            guard verdict.elementsEqual("ok".utf8) else { throw .corrupt }
        }
        if try database.first("PRAGMA page_size", columns: 1)?[0].integer != Int64(pageBytes) {
            // Of the first release. Where there is no room for a copy it stays as it is, and works.
            try? database.execute(
                "PRAGMA journal_mode = DELETE; PRAGMA page_size = \(pageBytes); VACUUM")
            try database.execute("PRAGMA journal_mode = WAL")
        }
        let version = Int(try database.first("PRAGMA user_version", columns: 1)?[0].integer ?? 0)
        guard version <= Schema.migrations.count else { throw .newer(version: version) }
        for step in version..<Schema.migrations.count {
            try database.transaction { () throws(StoreError) in
                try database.execute(Schema.migrations[step])
                try database.execute("PRAGMA user_version = \(step + 1)")
            }
        }
        if checks || version < Schema.migrations.count {
            // Into the file itself: who would install an older agent reads the version there. Again at each
            // start, in case power failed just here; a disk that refuses it now is met at the next write.
            do throws(StoreError) {
                try database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            } catch {}
        }
        let store = AgentStore(directory: directory, database: database)
        if try store.integer(.generation) == nil { try store.set(.generation, .integer(1)) }
        store.openingNote = nil
        return store
    }

    /// Moves the damaged file away, with its log, and returns its new path.
    private static func setAside(_ path: String) throws(StoreError) -> String {
        var number = 1
        while number < 9, shelfcast_file_bytes("\(path).corrupt-\(number)") >= 0 { number += 1 }
        let aside = "\(path).corrupt-\(number)"
        for suffix in ["", "-wal", "-shm"] {
            let result = shelfcast_rename(path + suffix, aside + suffix)
            guard result == 0 || (result == shelfcast_error_not_found() && !suffix.utf8.isEmpty)
            else {
                throw .failed(
                    code: result,
                    text: "cannot set the damaged database aside: " + errorText(result))
            }
        }
        return aside
    }

    /// Takes over unsent records, references and own days up to the last good row of each table. The
    /// hub then tells which numbers it has (`reconcile`): nothing is lost that could be read, and
    /// nothing counted twice.
    private func salvage(from aside: String) throws(StoreError) {
        var complete = true
        var generation: Int64 = 1
        var confirmed: Int64 = 0
        var unsent = 0
        var folded: Int64?
        try transaction { () throws(StoreError) in
            do throws(StoreError) {
                let old = try Database(path: aside)
                do throws(StoreError) {
                    let damaged = AgentStore(directory: directory, database: old)
                    generation = try damaged.integer(.generation) ?? 1
                    confirmed = try damaged.integer(.confirmedGeneration) ?? 0
                    if let bound = try damaged.integer(.timeLowerBound) {
                        try set(.timeLowerBound, .integer(bound))
                    }
                    if let next = try damaged.integer(.nextSequence) {
                        try set(.nextSequence, .integer(next))
                    }
                    folded = try damaged.integer(.foldedThrough)
                    for choice in [Setting.sendsTotals, .outboxBytesMax, .foldedSales] {
                        if let chosen = try damaged.integer(choice) {
                            try set(choice, .integer(chosen))
                        }
                    }
                } catch { complete = false }
                for table in Schema.salvaged {
                    var refused: StoreError?
                    do throws(StoreError) {
                        try old.query(table.read, columns: table.columns) { row in
                            do throws(StoreError) {
                                try database.run(table.write, row)
                            } catch {
                                refused = error
                            }
                            return refused == nil
                        }
                    } catch { complete = false }
                    if let refused { throw refused }
                }
            } catch {
                // Not even readable as a database: everything the hub has is safe, the rest is gone.
                guard error == .corrupt else { throw error }
                complete = false
            }
            unsent = try unsentCount()
            let next = try nextSequence()
            try set(.nextSequence, .integer(next))
            // Where that cannot be read, a sale is rather missing from this device's own day than twice in it.
            try set(.foldedThrough, .integer(folded ?? next - 1))
            try foldSales()
            // Any of it may be with the hub.
            try set(.sentThrough, .integer(next - 1))
            // Numbers given from here on are guesses until the hub has said where it is.
            try set(.generation, .integer(generation + 1))
            try set(.confirmedGeneration, .integer(max(confirmed, generation)))
            let note =
                "the database was damaged and set aside as \(aside); \(unsent) unsent records were taken over, "
                + (complete
                    ? "all of it could be read" : "what could not be read is lost on this device")
            try set(.notice, note)
            openingNote = note
        }
    }
}

/// The system's words for a negative result.
func errorText(_ result: Int32) -> String {
    String(cString: shelfcast_error_text(-result))
}
