import AgentCore
import Forecasting

/// Goods that come back, and goods on the shelf.
extension AgentStore {
    /// Items whose stock is followed.
    package static let stockMax = 4_096
    /// A count is forgotten after so many days: the days since are not kept for ever, and nobody trusts it any more.
    static let stockDays = 60
    /// Days on which goods of one item are awaited, and how far ahead they may lie.
    package static let deliveriesMax = 8
    package static let deliveryDaysMax = 60

    /// Takes units that came back off the day's total, as far as there is one; the rest goes back on the shelf alone.
    func takeBack(_ sale: Sale) throws(StoreError) -> SaleOutcome {
        try foldSales()
        // The outbox gets a row that is no sale.
        journal = nil
        let day = Value.integer(Int64(sale.day.daysSince1970))
        let item = Value.text(sale.item.utf8)
        if let reference = sale.reference {
            // No item begins with a blank: so a return is told from a sale.
            let marked = [UInt8(ascii: " ")] + sale.item.utf8
            let known = try database.first(
                "SELECT item, units FROM saleReference WHERE day = ? AND reference = ?",
                [day, .blob(reference)], columns: 2)
            if let known {
                return known[0].bytes == marked && known[1].integer == Int64(sale.units)
                    ? .repeated : .conflict(item: known[0].bytes, units: known[1].integer)
            }
            try database.run(
                "INSERT INTO saleReference (day, reference, item, units) VALUES (?, ?, ?, ?)",
                [day, .blob(reference), .text(marked), .integer(Int64(sale.units))])
        }
        let sold = try ownUnits(of: sale.item, on: sale.day)
        let counted = min(Int64(sale.units), sold)
        if counted > 0 {
            let left = Value.integer(sold - counted)
            if counted == sold {
                try database.run("DELETE FROM ownDay WHERE day = ? AND item = ?", [day, item])
            } else {
                try database.run(
                    "UPDATE ownDay SET units = ?3 WHERE day = ?1 AND item = ?2", [day, item, left])
            }
            let next = try nextSequence()
            try database.run(
                """
                INSERT INTO outbox (sequence, generation, kind, day, item, units, isClosedAllDay)
                VALUES (?, ?, 2, ?, ?, ?, 0)
                """,
                [
                    .integer(next), .integer(try generation()), day, item,
                    .integer(counted),
                ])
            try set(.nextSequence, .integer(next + 1))
        }
        let rest = Int64(sale.units) - counted
        if rest > 0 {
            try database.run(
                "UPDATE stock SET units = min(units + ?2, ?3) WHERE item = ?1",
                [item, .integer(rest), .integer(Int64(StockRequest.unitsMax))])
        }
        return .returned(uncounted: rest)
    }

    func ownUnits(of item: ItemID, on day: BusinessDay) throws(StoreError) -> Int64 {
        try foldSales()
        return try database.first(
            "SELECT units FROM ownDay WHERE day = ? AND item = ?",
            [.integer(Int64(day.daysSince1970)), .text(item.utf8)], columns: 1)?[0].integer ?? 0
    }

    /// - Returns: false when too many items have one.
    func keep(
        _ count: StockRequest, units: Int, of day: BusinessDay
    ) throws(StoreError) -> Bool {
        let known = try database.first(
            "SELECT count(*) FROM stock WHERE item <> ?", [.text(count.item.utf8)], columns: 1)
        guard (known?[0].integer ?? 0) < Int64(Self.stockMax) else { return false }
        func value(_ number: Int?) -> Value { number.map { .integer(Int64($0)) } ?? .null }
        try database.run(
            """
            INSERT INTO stock (item, day, units, soldBefore, leadDays, servicePercent, multiple)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
            ON CONFLICT (item) DO UPDATE SET day = ?2, units = ?3, soldBefore = ?4,
                leadDays = ifnull(?5, leadDays), servicePercent = ifnull(?6, servicePercent),
                multiple = ifnull(?7, multiple)
            """,
            [
                .text(count.item.utf8), .integer(Int64(day.daysSince1970)),
                .integer(Int64(units)), .integer(try ownUnits(of: count.item, on: day)),
                value(count.leadDays), value(count.servicePercent), value(count.multiple),
            ])
        // What was due by then has been counted, or has not come.
        try database.run(
            "DELETE FROM onOrder WHERE item = ? AND due <= ?",
            [.text(count.item.utf8), .integer(Int64(day.daysSince1970))])
        return true
    }

    /// - Returns: false when goods of the item are awaited on too many days.
    func keep(_ delivery: Delivery, of item: ItemID) throws(StoreError) -> Bool {
        let item = Value.text(item.utf8)
        let due = Value.integer(Int64(delivery.due.daysSince1970))
        guard delivery.units > 0 else {
            try database.run("DELETE FROM onOrder WHERE item = ? AND due = ?", [item, due])
            return true
        }
        let others = try database.first(
            "SELECT count(*) FROM onOrder WHERE item = ? AND due <> ?", [item, due], columns: 1)
        guard (others?[0].integer ?? 0) < Int64(Self.deliveriesMax) else { return false }
        try database.run(
            "INSERT OR REPLACE INTO onOrder (item, due, units) VALUES (?, ?, ?)",
            [item, due, .integer(delivery.units)])
        return true
    }

    func forgetStock(before day: BusinessDay) throws(StoreError) {
        try database.run(
            "DELETE FROM stock WHERE day < ?", [.integer(Int64(day.daysSince1970))])
        try database.run("DELETE FROM onOrder WHERE item NOT IN (SELECT item FROM stock)")
    }

    /// Every item's shelf as of now, by item.
    /// - Parameters:
    ///   - today: the first day that nobody has closed.
    func shelves(today: BusinessDay, defaults: OrderRule) throws(StoreError) -> [Shelf] {
        try foldSalesIfPossible()
        let range = try database.first(
            "SELECT min(day), (SELECT max(day) FROM ownDay) FROM stock", columns: 2)
        guard let range, !range[0].isNull else { return [] }
        let first = Self.day(range[0])
        var last = max(today, Self.day(range[1]))
        last = min(last, first.advanced(by: AgentService.bookDaysMax))
        let book = try book(from: first, through: last)
        var shelves: [Shelf] = []
        try database.query(
            """
            SELECT item, day, units, soldBefore, leadDays, servicePercent, multiple FROM stock
            """, columns: 7
        ) { row in
            guard let item = Self.item(row[0]) else { return true }
            var rule = defaults
            if !row[4].isNull { rule.leadDays = Int(row[4].integer) }
            if !row[5].isNull { rule.servicePercent = Int(row[5].integer) }
            if !row[6].isNull { rule.multiple = Int(row[6].integer) }
            let counted = Self.day(row[1])
            var shelf = Shelf(
                item: item, rule: rule, counted: counted, today: today, base: row[2].integer,
                ownShare: book.ownShare)
            var day = counted
            while day <= last {
                let before = day == counted ? row[3].integer : 0
                let own = Int64(book.ownUnits(of: item, on: day)) - before
                if case .store = book.knowledge(of: day) {
                    let total = Int64(book.total(of: item, on: day).units ?? 0)
                    shelf.base -= max(
                        total - Int64(DayBook.scaledUp(Int32(clamping: before), by: book.ownShare)),
                        own)
                } else {
                    shelf.own += own
                    if day == today { shelf.ownToday = own + before }
                }
                day = day.advanced(by: 1)
            }
            shelves.append(shelf)
            return true
        }
        shelves.sort { $0.item < $1.item }
        try database.query("SELECT item, due, units FROM onOrder ORDER BY item, due", columns: 3) {
            row in
            if let item = Self.item(row[0]),
                let at = Shelf.place(of: item, in: shelves)
            {
                shelves[at].expect(Delivery(due: Self.day(row[1]), units: row[2].integer))
            }
            return true
        }
        return shelves
    }
}
