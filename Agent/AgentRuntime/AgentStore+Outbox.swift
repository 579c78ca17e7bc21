import AgentCore
package import SyncProtocol

extension AgentStore {
    /// The number the next record gets.
    package func nextSequence() throws(StoreError) -> Int64 {
        let last = try database.first("SELECT max(sequence) FROM outbox", columns: 1)?[0]
        return max(try integer(.nextSequence) ?? 1, (last?.integer ?? 0) + 1)
    }

    /// Which database of this device's life this is.
    func generation() throws(StoreError) -> Int64 {
        try integer(.generation) ?? 1
    }

    package func unsentCount() throws(StoreError) -> Int {
        Int(try database.first("SELECT count(*) FROM outbox", columns: 1)?[0].integer ?? 0)
    }

    /// Whether the oldest unsent record may go.
    package func hasUnsent() throws(StoreError) -> Bool {
        let row = try database.first(
            "SELECT kind, day FROM outbox ORDER BY sequence LIMIT 1", columns: 2)
        guard let row else { return false }
        return try mayGo(row[0], row[1])
    }

    /// Where an operator wants totals, a day's sales wait for its close.
    private func mayGo(_ kind: Value, _ day: Value) throws(StoreError) -> Bool {
        guard kind.integer == 1, try sendsTotals() else { return true }
        return try isClosed(Self.day(day))
    }

    package func sendsTotals() throws(StoreError) -> Bool { try integer(.sendsTotals) == 1 }

    /// What the operator chose, kept for every command of this device.
    package func choose(sendsTotals: Bool, outboxBytesMax: Int64) throws(StoreError) {
        try transaction { () throws(StoreError) in
            if try self.sendsTotals() != sendsTotals {
                try set(.sendsTotals, .integer(sendsTotals ? 1 : 0))
            }
            if try integer(.outboxBytesMax) ?? Self.outboxBytesDefault != outboxBytesMax {
                try set(.outboxBytesMax, .integer(outboxBytesMax))
            }
        }
    }

    /// A record takes at most 100 bytes on the wire: 34 to name its item and ten numbers.
    static func recordsMax(frameBytesMax: Int) -> Int {
        min(Limit.recordsCount, max(1, frameBytesMax / 100))
    }

    /// The oldest unsent records, at most `recordsMax` of them and about `bytesMax` in all; nil when there
    /// are none.
    package func nextUpload(bytesMax: Int) throws(StoreError) -> Upload? {
        let recordsMax = Self.recordsMax(frameBytesMax: bytesMax)
        try settle()
        var upload = Upload()
        upload.foldedSales = UInt64(bitPattern: try integer(.foldedSales) ?? 0)
        let totals = try sendsTotals()
        var isOpen: (day: Value, isClosed: Bool) = (.null, true)
        var failure: StoreError?
        try database.query(
            """
            SELECT sequence, kind, day, item, units, isClosedAllDay, forecastUnits, networkOutput,
                release, isComplete, level, inputsDigest, besideUnits, besideDigest
            FROM outbox ORDER BY sequence LIMIT ?
            """, [.integer(Int64(recordsMax))], columns: 14
        ) { row in
            let sequence = UInt64(bitPattern: row[0].integer)
            if upload.records.isEmpty { upload.firstSequence = sequence }
            // Numbers are contiguous; if ever not, the batch ends and reconciling mends it.
            guard sequence == upload.firstSequence + UInt64(upload.records.count) else {
                return false
            }
            if totals, row[1].integer == 1 {
                if isOpen.day != row[2] {
                    do throws(StoreError) {
                        isOpen = (row[2], try isClosed(Self.day(row[2])))
                    } catch {
                        failure = error
                        return false
                    }
                }
                guard isOpen.isClosed else { return false }
            }
            upload.records.append(Self.record(row))
            return true
        }
        if let failure { throw failure }
        guard !upload.records.isEmpty else { return nil }
        let last = Int64(bitPattern: upload.firstSequence) + Int64(upload.records.count) - 1
        if try integer(.sentThrough) ?? 0 < last { try set(.sentThrough, .integer(last)) }
        return upload
    }

    private static func record(_ row: [Value]) -> Record {
        let day = Int32(truncatingIfNeeded: row[2].integer)
        let item = String(decoding: row[3].bytes, as: UTF8.self)
        switch row[1].integer {
        case 1:
            return .sale(
                SaleRecord(day: day, item: item, units: UInt32(clamping: row[4].integer)))
        case 2 where !item.utf8.isEmpty:
            return .returned(
                SaleRecord(day: day, item: item, units: UInt32(clamping: row[4].integer)))
        case 2:
            return .close(CloseRecord(day: day, closedAllDay: row[5].integer == 1))
        default:
            return .forecast(
                ForecastRecord(
                    day: day, item: item, forecastUnits: Float(row[6].real),
                    networkOutput: Int32(truncatingIfNeeded: row[7].integer),
                    release: UInt64(bitPattern: row[8].integer),
                    actualUnits: UInt32(clamping: row[4].integer),
                    inputsComplete: row[9].integer == 1, levelUnits: Float(row[10].real),
                    inputsDigest: UInt32(truncatingIfNeeded: row[11].integer),
                    candidate: UInt64(bitPattern: row[13].integer),
                    candidateUnits: Float(row[12].real)))
        }
    }

    /// The hub has stored everything up to here.
    package func acknowledge(through sequence: UInt64) throws(StoreError) {
        try transaction { () throws(StoreError) in
            try foldSales()
            try set(.nextSequence, .integer(try nextSequence()))
            try database.run(
                "DELETE FROM outbox WHERE sequence <= ?",
                [.integer(Int64(clamping: sequence))])
        }
    }

    /// Brings our numbers together with where the hub stands (`Numbering`). To be called when the hub
    /// has said so and before anything is uploaded.
    /// - Returns: how many unsent records got other numbers.
    package func reconcile(storedThrough stored: UInt64) throws(StoreError) -> Int {
        try transaction { () throws(StoreError) in
            let generation = try generation()
            let confirmed = try integer(.confirmedGeneration) ?? 0
            // The ordinary case, without looking at every row.
            let first = try database.first("SELECT min(sequence) FROM outbox", columns: 1)?[0]
            let next = try nextSequence()
            if confirmed == generation {
                let expected = Int64(clamping: stored) + 1
                let isFirst = first.map { !$0.isNull && $0.integer == expected } ?? false
                let isNone = (first == nil || first == .null) && next == expected
                if isFirst || isNone {
                    if try integer(.sentThrough) ?? 0 != expected - 1 {
                        try set(.sentThrough, .integer(expected - 1))
                    }
                    return 0
                }
            }
            try foldSales()
            journal = nil
            var entries: [Numbering.Entry] = []
            try database.query(
                "SELECT sequence, generation FROM outbox ORDER BY sequence", columns: 2
            ) { row in
                entries.append(
                    Numbering.Entry(
                        sequence: UInt64(bitPattern: row[0].integer),
                        generation: UInt64(bitPattern: row[1].integer)))
                return true
            }
            let plan = Numbering.reconcile(
                unsent: entries, next: UInt64(bitPattern: next),
                confirmedGeneration: UInt64(bitPattern: confirmed), stored: stored)
            for sequence in plan.stored {
                try database.run(
                    "DELETE FROM outbox WHERE sequence = ?",
                    [.integer(Int64(bitPattern: sequence))])
            }
            if !plan.renumbered.isEmpty {
                // Out of each other's way first: the new numbers may be somebody's old ones.
                let aside: Int64 = 1 << 60
                try database.run("UPDATE outbox SET sequence = sequence + ?", [.integer(aside)])
                var moved: [UInt64: UInt64] = [:]
                for move in plan.renumbered { moved[move.from] = move.to }
                let gone = Set(plan.stored)
                for entry in entries where !gone.contains(entry.sequence) {
                    try database.run(
                        "UPDATE outbox SET sequence = ? WHERE sequence = ?",
                        [
                            .integer(Int64(bitPattern: moved[entry.sequence] ?? entry.sequence)),
                            .integer(Int64(bitPattern: entry.sequence) + aside),
                        ])
                }
            }
            try set(.nextSequence, .integer(Int64(bitPattern: plan.next)))
            try set(.foldedThrough, .integer(Int64(bitPattern: plan.next) - 1))
            try set(.sentThrough, .integer(Int64(clamping: stored)))
            // From here on every number is one the hub expects.
            try database.run("UPDATE outbox SET generation = ?", [.integer(generation)])
            try set(.confirmedGeneration, .integer(generation))
            return plan.renumbered.count
        }
    }
}
