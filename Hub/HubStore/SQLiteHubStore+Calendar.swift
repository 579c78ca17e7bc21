package import Forecasting
import GRDB
package import HubCore

extension SQLiteHubStore {
    static func addCalendar(_ db: Database) throws {
        try db.execute(
            sql: """
                -- By names, not by rows: a calendar may tell of stores and items that have sold nothing yet. Empty: every
                -- one.
                CREATE TABLE calendarEntry (
                    day INTEGER NOT NULL CHECK (day BETWEEN 0 AND 84005),
                    store TEXT NOT NULL CHECK (length(store) <= 32),
                    item TEXT NOT NULL CHECK (length(item) <= 32),
                    kind TEXT NOT NULL CHECK (kind IN ('holiday', 'promotion', 'closed', 'stock-out')),
                    name TEXT NOT NULL CHECK (length(name) <= 64),
                    PRIMARY KEY (day, store, item, kind),
                    CHECK (kind <> 'closed' OR item = '')
                ) STRICT, WITHOUT ROWID;
                """)
    }

    package func importCalendar(
        _ entries: [CalendarEntry], at: Timestamp
    ) async throws -> CalendarOutcome {
        try await write { [self] db in
            var outcome = CalendarOutcome()
            var changed = ChangedCalendar()
            let known = try db.makeStatement(
                sql: """
                    SELECT name FROM calendarEntry
                    WHERE day = ? AND store = ? AND item = ? AND kind = ?
                    """)
            let write = try db.makeStatement(
                sql: """
                    INSERT OR REPLACE INTO calendarEntry (day, store, item, kind, name)
                    VALUES (?, ?, ?, ?, ?)
                    """)
            for entry in entries {
                let key: StatementArguments = [
                    Int64(entry.day.daysSince1970), entry.store?.text ?? "",
                    entry.item?.text ?? "", entry.kind.rawValue,
                ]
                let name = try String.fetchOne(known, arguments: key)
                if name == entry.name {
                    outcome.known += 1
                    continue
                }
                try write.execute(arguments: key + [entry.name])
                if name == nil {
                    outcome.added += 1
                    changed.add(entry)
                } else {
                    outcome.renamed += 1
                }
            }
            if outcome.added + outcome.renamed > 0 {
                try note(
                    db, "import", "calendar",
                    why: "\(outcome.added) entries added, \(outcome.renamed) renamed", at: at)
            }
            try changed.refresh(db)
            outcome.tooOldForDevices = try changed.tooOldForDevices(db)
            return outcome
        }
    }

    package func removeCalendar(
        kind: CalendarEntry.Kind?, store: StoreID?, from first: BusinessDay,
        through last: BusinessDay, at: Timestamp
    ) async throws -> CalendarRemoval {
        try await write { [self] db in
            let rows = try Row.fetchAll(
                db, sql: "SELECT * FROM calendarEntry " + Self.chosen + " ORDER BY day",
                arguments: Self.arguments(kind: kind, store: store, first, last))
            guard !rows.isEmpty else { return CalendarRemoval(removed: 0, tooOldForDevices: 0) }
            var changed = ChangedCalendar()
            for row in rows { changed.add(try CalendarEntry(row: row)) }
            try db.execute(
                sql: "DELETE FROM calendarEntry " + Self.chosen,
                arguments: Self.arguments(kind: kind, store: store, first, last))
            try note(
                db, "remove", "calendar",
                why: "\(rows.count) entries from \(first.iso8601) to \(last.iso8601)", at: at)
            try changed.refresh(db)
            return CalendarRemoval(
                removed: rows.count, tooOldForDevices: try changed.tooOldForDevices(db))
        }
    }

    package func calendar(
        kind: CalendarEntry.Kind?, store: StoreID?, from first: BusinessDay?,
        through last: BusinessDay?
    ) async throws -> [CalendarEntry] {
        try await read { db in
            try Row.fetchAll(
                db,
                sql: """
                    SELECT * FROM calendarEntry
                    WHERE (?1 IS NULL OR kind = ?1) AND (?2 IS NULL OR store IN (?2, ''))
                        AND day BETWEEN ?3 AND ?4 ORDER BY day, store, item, kind
                    """,
                arguments: Self.arguments(
                    kind: kind, store: store,
                    first ?? BusinessDay(daysSince1970: BusinessDay.storable.lowerBound),
                    last ?? BusinessDay(daysSince1970: BusinessDay.storable.upperBound))
            ).map(CalendarEntry.init(row:))
        }
    }

    /// Of a store: its own entries alone, not those of every store.
    private static let chosen = """
        WHERE (?1 IS NULL OR kind = ?1) AND (?2 IS NULL OR store = ?2) AND day BETWEEN ?3 AND ?4
        """

    private static func arguments(
        kind: CalendarEntry.Kind?, store: StoreID?, _ first: BusinessDay, _ last: BusinessDay
    ) -> StatementArguments {
        [
            kind?.rawValue, store?.text, Int64(first.daysSince1970), Int64(last.daysSince1970),
        ]
    }
}

extension CalendarEntry {
    init(row: Row) throws {
        let (store, item): (String, String) = (row["store"], row["item"])
        self.init(
            day: row.day("day"), store: store.isEmpty ? nil : try row.identifier("store"),
            item: item.isEmpty ? nil : try row.identifier("item"), kind: try row.value("kind"),
            name: row["name"])
    }
}

/// The days whose part in the report a change of the calendar touches, by store; "" is every store.
private struct ChangedCalendar {
    private var days: [String: ClosedRange<Int32>] = [:]
    /// One for each entry.
    private var excluded: [(store: String, day: Int32)] = []
    private var stores: Set<String> = []
    private var concernsAll = false

    mutating func add(_ entry: CalendarEntry) {
        if let store = entry.store { stores.insert(store.text) } else { concernsAll = true }
        guard entry.kind.isExcluded else { return }
        let day = entry.day.daysSince1970
        let store = entry.store?.text ?? ""
        let known = days[store] ?? day...day
        days[store] = min(known.lowerBound, day)...max(known.upperBound, day)
        excluded.append((store, day))
    }

    /// Entries that take out days so long ago that they are told to no device of a store that has days.
    func tooOldForDevices(_ db: Database) throws -> Int {
        guard !excluded.isEmpty else { return 0 }
        var told: [String: Int32] = [:]
        for row in try Row.fetchAll(
            db,
            sql: """
                SELECT name, max(day) AS day FROM store
                JOIN storeDay ON storeDay.storeID = store.id GROUP BY store.id
                """)
        {
            told[row["name"]] =
                DeviceCalendar.days(around: row.day("day")).first.daysSince1970
        }
        let earliest = told.values.min()
        return excluded.count { store, day in
            (store.isEmpty ? earliest : told[store]).map { day < $0 } ?? false
        }
    }

    func refresh(_ db: Database) throws {
        // What its devices are told has changed. A store without a day has nothing to tell.
        let names =
            concernsAll ? try String.fetchAll(db, sql: "SELECT name FROM store") : Array(stores)
        for name in names {
            try db.execute(
                sql: "UPDATE store SET revision = revision + 1 WHERE name = ? AND revision > 0",
                arguments: [name])
        }
        guard !days.isEmpty else { return }
        for row in try Row.fetchAll(db, sql: "SELECT id, name FROM store ORDER BY id") {
            let own = [days[""], days[row["name"] as String]].compactMap { $0 }
            guard let low = own.map(\.lowerBound).min(), let high = own.map(\.upperBound).max()
            else { continue }
            try ReportKeeper(db: db, store: row["id"])
                .refresh(changed: low...high, hasReplaced: true)
        }
    }
}
