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
        try transaction { () throws(StoreError) in
            var outcomes: [SaleOutcome] = []
            outcomes.reserveCapacity(sales.count)
            for sale in sales {
                outcomes.append(try sale.isReturn ? takeBack(sale) : record(sale))
            }
            if let journal, journal.next - journal.foldedThrough > Self.unfoldedMax {
                try foldSales()
            }
            return outcomes
        }
    }

    private func record(_ sale: Sale) throws(StoreError) -> SaleOutcome {
        if let reference = sale.reference, let known = try known(reference, of: sale) {
            return known
        }
        let journal = try readJournal()
        try database.run(
            """
            INSERT INTO outbox (sequence, generation, kind, day, item, units, reference)
            VALUES (?, ?, 1, ?, ?, ?, ?)
            """,
            [
                .integer(journal.next), .integer(journal.generation),
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
}
