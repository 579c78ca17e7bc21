package import AgentCore
package import Forecasting
package import SyncProtocol

/// The store's calendar, one value of one row, and the levels that are read through it.
extension AgentStore {
    /// What the hub sent last; nil: nothing, or what cannot be read any more and is asked for again.
    package func keptCalendar() throws(StoreError) -> CalendarOfStore? {
        guard let bytes = try text(.calendar) else { return nil }
        return try? CalendarOfStore(decoding: bytes)
    }

    func keep(_ calendar: CalendarOfStore) throws(StoreError) {
        if calendar.entries.isEmpty {
            try clear(.calendar)
        } else {
            try set(.calendar, .blob(calendar.encoded()))
        }
    }

    package func calendar() throws(StoreError) -> StoreCalendar {
        guard let kept = try keptCalendar() else { return StoreCalendar() }
        // Checked when they came, as everything of a frame.
        let items = kept.items.map { try? ItemID($0) }
        var entries: [StoreCalendar.Entry] = []
        entries.reserveCapacity(kept.entries.count)
        try? kept.forEachEntry { entry in
            let item = entry.place == 0 ? nil : items[Int(entry.place) - 1]
            guard entry.place == 0 || item != nil else { return }
            entries.append(
                StoreCalendar.Entry(
                    day: BusinessDay(daysSince1970: entry.day), item: item,
                    marks: DayMarks(rawValue: entry.marks)))
        }
        return StoreCalendar(entries)
    }

    // As the hub computes levels for devices that do not (HubCore, StoreContext).
    static let levelDays: Int64 = 28
    static let levelDaysMin = 7
    static let levelItemDays: Int64 = 56

    /// Where items start that the package does not know: their mean over the open ones of the latest final days, on the
    /// last of these (SPEC 10.7), without the days that the calendar takes out. Empty while there are few.
    package func levels() throws(StoreError) -> [ItemID: LevelPoint] {
        guard
            let last = try database.first(
                "SELECT max(day) FROM storeDay WHERE isFinal = 1", columns: 1)?[0], !last.isNull
        else { return [:] }
        let first = Value.integer(last.integer - Self.levelDays + 1)
        var open: [BusinessDay] = []
        try database.query(
            "SELECT day FROM storeDay WHERE isFinal = 1 AND isClosedAllDay = 0 AND day >= ?",
            [first], columns: 1
        ) { row in
            open.append(Self.day(row[0]))
            return true
        }
        guard open.count >= Self.levelDaysMin else { return [:] }
        var sums: [ItemID: Int64] = [:]
        try database.query(
            """
            SELECT item, sum(units * (isFinal = 1 AND isClosedAllDay = 0 AND storeDay.day >= ?))
            FROM storeDay JOIN storeItemDay ON storeItemDay.day = storeDay.day
            WHERE storeDay.day > ? GROUP BY item
            """, [first, .integer(last.integer - Self.levelItemDays)], columns: 2
        ) { row in
            if let item = Self.item(row[0]) { sums[item] = row[1].integer }
            return true
        }
        let daysOut = try takeOut(of: &sums, open: &open)
        var levels: [ItemID: LevelPoint] = [:]
        for (item, sum) in sums {
            let count = open.count - (daysOut[item] ?? 0)
            guard count >= Self.levelDaysMin else { continue }
            levels[item] = LevelPoint(
                level: Float(Double(sum) / Double(count)), day: Self.day(last))
        }
        return levels
    }

    /// Takes what was sold on days that the calendar takes out off `sums`, and days that it takes out for every item off
    /// `open`.
    /// - Returns: how many of the days that are left it takes out for single items.
    private func takeOut(
        of sums: inout [ItemID: Int64], open: inout [BusinessDay]
    ) throws(StoreError) -> [ItemID: Int] {
        var daysOut: [ItemID: Int] = [:]
        // What holds for every item comes first of its day.
        for entry in try calendar().entries where !entry.marks.isDisjoint(with: .excluded) {
            guard let at = open.firstIndex(of: entry.day) else { continue }
            if let item = entry.item {
                daysOut[item, default: 0] += 1
            } else {
                open.remove(at: at)
            }
            try database.query(
                "SELECT item, units FROM storeItemDay WHERE day = ?",
                [.integer(Int64(entry.day.daysSince1970))], columns: 2
            ) { row in
                if let item = Self.item(row[0]), entry.item == nil || entry.item == item {
                    sums[item]? -= row[1].integer
                }
                return true
            }
        }
        return daysOut
    }
}
