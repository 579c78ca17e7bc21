package import AgentCore
import Forecasting

/// What `AgentStore.record` knows of the outbox without reading it.
struct SaleJournal {
    var next: Int64
    var generation: Int64
    /// Sales behind this number are in the outbox alone.
    var foldedThrough: Int64
    /// Hashes of day and reference of those, ascending.
    var references: [UInt64]

    /// FNV-1a over 64 bits: a stranger's choice of references can make it say "perhaps" too often, never
    /// "no" wrongly.
    static func hash(day: Int32, reference: [UInt8]) -> UInt64 {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        var rest = UInt32(bitPattern: day)
        for _ in 0..<4 {
            hash = (hash ^ UInt64(rest & 0xFF)) &* 0x100_0000_01B3
            rest >>= 8
        }
        for byte in reference { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
        return hash
    }

    func has(_ hash: UInt64) -> Bool {
        let at = place(of: hash)
        return at < references.count && references[at] == hash
    }

    mutating func note(_ hash: UInt64) { references.insert(hash, at: place(of: hash)) }

    private func place(of hash: UInt64) -> Int {
        var (low, high) = (0, references.count)
        while low < high {
            let middle = (low + high) / 2
            if references[middle] < hash { low = middle + 1 } else { high = middle }
        }
        return low
    }
}

/// A sale is one row at the end of one table, so that committing it writes one page. Day totals and
/// references follow when somebody needs them, or when so many sales wait.
extension AgentStore {
    static let unfoldedMax: Int64 = 4_096

    /// Records `sales` in one transaction and queues them for the hub.
    package func record(_ sales: [Sale]) throws(StoreError) -> [SaleOutcome] {
        try settle()
        if sales.count == 1, let outcome = try recordAlone(sales[0]) { return [outcome] }
        return try transaction { () throws(StoreError) in try recordAll(sales) }
    }

    /// A sale that is one row and nothing else is a transaction by itself. Nil, and nothing done, where there is more to do.
    private func recordAlone(_ sale: Sale) throws(StoreError) -> SaleOutcome? {
        guard !sale.isReturn, !database.isInTransaction,
            let unfolded = journal.map({ $0.next - $0.foldedThrough }), unfolded < Self.unfoldedMax
        else { return nil }
        do throws(StoreError) { return try record(sale) } catch {
            journal = nil
            throw error
        }
    }

    private func recordAll(_ sales: [Sale]) throws(StoreError) -> [SaleOutcome] {
        var outcomes: [SaleOutcome] = []
        outcomes.reserveCapacity(sales.count)
        for sale in sales {
            outcomes.append(try sale.isReturn ? takeBack(sale) : record(sale))
        }
        if let journal, journal.next - journal.foldedThrough > Self.unfoldedMax {
            try foldSales()
            try boundOutbox()
        }
        return outcomes
    }

    static let heldSalesMax = 1_000

    /// As `record`, but the commit may wait for `settle`. Until then a power cut takes the sales with it; a
    /// failed commit does not.
    package func hold(_ sales: [Sale]) throws(StoreError) -> [SaleOutcome] {
        // Something else may have committed what was held, or failed to.
        if !database.isHeld || heldSales.count >= Self.heldSalesMax { try settle() }
        do throws(StoreError) {
            let outcomes = try database.hold { () throws(StoreError) in try recordAll(sales) }
            for (sale, outcome) in zip(sales, outcomes) {
                switch outcome {
                case .recorded, .returned: heldSales.append(sale)
                case .repeated, .conflict: break
                }
            }
            return outcomes
        } catch {
            journal = nil
            throw error
        }
    }

    /// Commits what is held.
    package func settle() throws(StoreError) {
        guard database.isHeld || database.hasLostHeld || !heldSales.isEmpty else { return }
        // A commit that fails has lost them, and then they come again.
        do throws(StoreError) { try database.commitHeld() } catch { journal = nil }
        if database.hasLostHeld {
            journal = nil
            _ = try transaction { () throws(StoreError) in try recordAll(heldSales) }
            database.hasLostHeld = false
        }
        heldSales = []
    }

    private func record(_ sale: Sale) throws(StoreError) -> SaleOutcome {
        if let reference = sale.reference, let known = try known(reference, of: sale) {
            return known
        }
        let (next, generation) = try nextRecord()
        try database.run(
            """
            INSERT INTO outbox (sequence, generation, kind, day, item, units, reference)
            VALUES (?, ?, 1, ?, ?, ?, ?)
            """,
            [
                .integer(next), .integer(generation),
                .integer(Int64(sale.day.daysSince1970)), .text(sale.item.utf8),
                .integer(Int64(sale.units)), sale.reference.map { .blob($0) } ?? .null,
            ])
        self.journal?.next += 1
        if let reference = sale.reference {
            self.journal?.note(
                SaleJournal.hash(day: sale.day.daysSince1970, reference: reference))
        }
        return .recorded
    }

    /// What is to be answered to a sale whose reference came before; nil when it did not.
    private func known(
        _ reference: [UInt8], of sale: Sale
    ) throws(StoreError) -> SaleOutcome? {
        let hash = SaleJournal.hash(day: sale.day.daysSince1970, reference: reference)
        // Most likely a repetition: then the index has to know it.
        if try readJournal().has(hash) { try foldSales() }
        let known = try database.first(
            "SELECT item, units FROM saleReference WHERE day = ? AND reference = ?",
            [.integer(Int64(sale.day.daysSince1970)), .blob(reference)], columns: 2)
        guard let known else { return nil }
        return known[0].bytes == sale.item.utf8 && known[1].integer == Int64(sale.units)
            ? .repeated : .conflict(item: known[0].bytes, units: known[1].integer)
    }

    /// The number of the next record, and its generation. Holds on to nothing of the journal, which would have to be copied
    /// to be changed.
    private func nextRecord() throws(StoreError) -> (next: Int64, generation: Int64) {
        let journal = try readJournal()
        return (journal.next, journal.generation)
    }

    private func readJournal() throws(StoreError) -> SaleJournal {
        if let journal { return journal }
        var read = SaleJournal(
            next: try nextSequence(), generation: try generation(),
            foldedThrough: try integer(.foldedThrough) ?? 0, references: [])
        try database.query(
            "SELECT day, reference FROM outbox WHERE sequence > ? AND reference IS NOT NULL",
            [.integer(read.foldedThrough)], columns: 2
        ) { row in
            read.references.append(
                SaleJournal.hash(
                    day: Self.day(row[0]).daysSince1970, reference: row[1].bytes))
            return true
        }
        read.references.sort()
        journal = read
        return read
    }

    /// Takes the sales that are in the outbox alone over into the day's totals and the index of references.
    func foldSales() throws(StoreError) {
        let through = [Value.integer(try integer(.foldedThrough) ?? 0)]
        let last = try nextSequence() - 1
        guard last > through[0].integer else { return }
        try transaction { () throws(StoreError) in
            try database.run(
                """
                INSERT INTO ownDay (day, item, units)
                SELECT day, item, min(sum(units), 2147483647) FROM outbox WHERE sequence > ? AND kind = 1
                GROUP BY day, item
                ON CONFLICT (day, item)
                DO UPDATE SET units = min(units + excluded.units, 2147483647)
                """, through)
            try database.run(
                """
                INSERT OR IGNORE INTO saleReference (day, reference, item, units)
                SELECT day, reference, item, units FROM outbox
                WHERE sequence > ? AND reference IS NOT NULL
                """, through)
            // A sale that comes late for a day said to be without business: it had some after all.
            try database.run(
                """
                UPDATE ownClose SET isClosedAllDay = 0 WHERE isClosedAllDay = 1
                AND day IN (SELECT day FROM outbox WHERE sequence > ? AND kind = 1)
                """, through)
            try set(.foldedThrough, .integer(last))
            if journal != nil {
                journal?.foldedThrough = last
                journal?.references = []
            }
        }
    }

    /// For who only reads: on a disk that takes no writes, what is known without the newest sales is worth having.
    func foldSalesIfPossible() throws(StoreError) {
        do throws(StoreError) { try foldSales() } catch {
            guard error == .full || error == .readOnly, !database.isInTransaction else {
                throw error
            }
        }
    }

    // MARK: Totals in place of sales

    package static let outboxBytesDefault: Int64 = 16 << 20
    package static let outboxBytesRange: ClosedRange<Int64> = 1 << 20...4 << 30

    /// Folds the older half of what waits, when it is more than the operator gives it. Every total, close and
    /// forecast stays; what single sales lose is their singleness.
    func boundOutbox() throws(StoreError) {
        let bytesMax = try integer(.outboxBytesMax) ?? Self.outboxBytesDefault
        let sent = Value.integer(try integer(.sentThrough) ?? 0)
        guard
            let row = try database.first(
                """
                SELECT count(*), sum(28 + ifnull(length(item), 0) + ifnull(length(reference), 0)
                    + (kind = 3) * 36) FROM outbox WHERE sequence > ?
                """, [sent], columns: 2), row[1].integer > bytesMax,
            let middle = try database.first(
                "SELECT sequence FROM outbox WHERE sequence > ? ORDER BY sequence LIMIT 1 OFFSET ?",
                [sent, .integer(row[0].integer / 2)], columns: 1)
        else { return }
        let folded = try foldDetail(through: middle[0].integer, daysThrough: .max)
        try set(.foldedSales, .integer((try integer(.foldedSales) ?? 0) + folded))
    }

    /// Replaces single sales that the hub cannot have yet by totals per day and item. In one transaction; the totals come
    /// first, then what else there is of their days, returns among it, then the later days as they were.
    /// - Parameters:
    ///   - last: records behind this number stay as they are.
    ///   - day: sales of later days stay, in days since 1970.
    /// - Returns: how many sales are part of a total now and were not before.
    func foldDetail(through last: Int64, daysThrough day: Int64) throws(StoreError) -> Int64 {
        try transaction { () throws(StoreError) in
            try foldSales()
            journal = nil
            let sent = try integer(.sentThrough) ?? 0
            let range = [Value.integer(sent), .integer(last)]
            var days: [Value] = []
            try database.query(
                """
                SELECT DISTINCT day FROM outbox
                WHERE sequence > ? AND sequence <= ? AND kind = 1 AND day <= ? ORDER BY day
                """, range + [.integer(day)], columns: 1
            ) { row in
                days.append(row[0])
                return true
            }
            guard !days.isEmpty else { return 0 }
            // Out of the way of all numbers in use.
            let aside: Int64 = 1 << 60
            var placed = aside
            var folded: Int64 = 0
            for day in days {
                folded += try placeTotals(of: day, within: range, at: &placed)
            }
            var rest: [Value] = []
            try database.query(
                "SELECT sequence FROM outbox WHERE sequence > ? AND sequence <= ? ORDER BY day > ?, sequence",
                range + [.integer(day)], columns: 1
            ) { row in
                rest.append(row[0])
                return true
            }
            for sequence in rest {
                try database.run(
                    "UPDATE outbox SET sequence = ? WHERE sequence = ?",
                    [.integer(placed), sequence])
                placed += 1
            }
            let end = sent + placed - aside
            try database.run(
                "UPDATE outbox SET sequence = sequence - ?1 WHERE sequence > ?2 AND sequence < ?3",
                [.integer(last - end), .integer(last), .integer(aside)])
            try database.run(
                "UPDATE outbox SET sequence = sequence - ?1 WHERE sequence >= ?2",
                [.integer(aside - sent - 1), .integer(aside)])
            let highest = try database.first("SELECT max(sequence) FROM outbox", columns: 1)?[0]
            try set(.nextSequence, .integer((highest?.integer ?? end) + 1))
            try set(.foldedThrough, .integer(highest?.integer ?? end))
            return folded
        }
    }

    /// One day of `foldDetail`: its sales go, its totals come, from the number `placed` on.
    private func placeTotals(
        of day: Value, within range: [Value], at placed: inout Int64
    ) throws(StoreError) -> Int64 {
        var totals: [(item: Value, units: Int64, sales: Int64)] = []
        var folded: Int64 = 0
        try database.query(
            """
            SELECT item, sum(units), sum(ifnull(sales, 1)), sum(sales IS NULL), count(*) FROM outbox
            WHERE sequence > ? AND sequence <= ? AND kind = 1 AND day = ? GROUP BY item ORDER BY item
            """, range + [day], columns: 5
        ) { row in
            totals.append((row[0], row[1].integer, row[2].integer))
            if row[4].integer > 1 { folded += row[3].integer }
            return true
        }
        try database.run(
            "DELETE FROM outbox WHERE sequence > ? AND sequence <= ? AND kind = 1 AND day = ?",
            range + [day])
        let generation = Value.integer(try generation())
        for total in totals {
            var (left, sales) = (total.units, total.sales)
            while left > 0 {
                let units = min(left, Int64(Sale.unitsRange.upperBound))
                try database.run(
                    """
                    INSERT INTO outbox (sequence, generation, kind, day, item, units, sales)
                    VALUES (?, ?, 1, ?, ?, ?, ?)
                    """,
                    [
                        .integer(placed), generation, day, total.item, .integer(units),
                        .integer(sales),
                    ])
                placed += 1
                left -= units
                sales = 0
            }
        }
        return folded
    }
}
