package import AgentCore
import CPosix
import CSQLite
package import Forecasting
package import SyncProtocol
import UpdateTrust

/// What became of a sale that was handed in.
package enum SaleOutcome: Equatable, Sendable {
    case recorded
    /// Units came back; so many of them are on the shelf again without being taken off the day's total.
    case returned(uncounted: Int64)
    /// The same day and reference came before: nothing changed.
    case repeated
    /// The reference is taken by another sale of that day.
    case conflict(item: [UInt8], units: Int64)
}

/// Everything a device remembers between two moments, in one SQLite file. One process at a time; every
/// method is one transaction or part of the caller's, and throws without leaving half of anything.
package final class AgentStore {
    package static let fileName = "agent.sqlite"

    package let directory: String
    package let database: Database
    /// What opening had to say: a database that was set aside.
    package internal(set) var openingNote: String?
    /// What recording a sale needs to know, kept between two of them; nil: to be read anew.
    var journal: SaleJournal?
    /// Taken, and to be recorded again should the database let go of them before their commit.
    var heldSales: [Sale] = []

    init(directory: String, database: Database) {
        self.directory = directory
        self.database = database
    }

    package func transaction<T>(_ body: () throws(StoreError) -> T) throws(StoreError) -> T {
        do throws(StoreError) { return try database.transaction(body) } catch {
            journal = nil
            throw error
        }
    }

    // MARK: Settings

    package func text(_ name: Setting) throws(StoreError) -> [UInt8]? {
        try database.first(
            "SELECT value FROM setting WHERE name = ?", [.text([UInt8](name.rawValue.utf8))],
            columns: 1)?[0].bytes
    }

    package func integer(_ name: Setting) throws(StoreError) -> Int64? {
        try database.first(
            "SELECT value FROM setting WHERE name = ?", [.text([UInt8](name.rawValue.utf8))],
            columns: 1)?[0].integer
    }

    package func set(_ name: Setting, _ value: Value) throws(StoreError) {
        try database.run(
            "INSERT INTO setting (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = ?2",
            [.text([UInt8](name.rawValue.utf8)), value])
    }

    package func clear(_ name: Setting) throws(StoreError) {
        try database.run(
            "DELETE FROM setting WHERE name = ?", [.text([UInt8](name.rawValue.utf8))])
    }

    package func set(_ name: Setting, _ text: String) throws(StoreError) {
        try set(name, .text([UInt8](text.utf8)))
    }

    // MARK: Days

    package func isClosed(_ day: BusinessDay) throws(StoreError) -> Bool {
        try database.first(
            "SELECT 1 FROM ownClose WHERE day = ?", [.integer(Int64(day.daysSince1970))],
            columns: 1) != nil
    }

    package func hasSales(on day: BusinessDay) throws(StoreError) -> Bool {
        try foldSales()
        return try database.first(
            "SELECT 1 FROM ownDay WHERE day = ? LIMIT 1", [.integer(Int64(day.daysSince1970))],
            columns: 1) != nil
    }

    package func lastOwnClose() throws(StoreError) -> BusinessDay? {
        try lastDay("SELECT max(day) FROM ownClose")
    }

    package func lastStoreDay() throws(StoreError) -> BusinessDay? {
        try lastDay("SELECT max(day) FROM storeDay")
    }

    private func lastDay(_ sql: StaticString) throws(StoreError) -> BusinessDay? {
        guard let row = try database.first(sql, columns: 1), !row[0].isNull else { return nil }
        return BusinessDay(daysSince1970: Int32(truncatingIfNeeded: row[0].integer))
    }

    /// Notes the day as closed and queues that and the day's forecasts beside what was sold.
    /// - Parameter actual: an item's total of the day as the device knows it.
    package func close(
        _ day: BusinessDay, isClosedAllDay: Bool, actual: (ItemID) -> UInt32
    ) throws(StoreError) {
        try transaction { () throws(StoreError) in
            let dayValue = Value.integer(Int64(day.daysSince1970))
            try foldSales()
            journal = nil
            try database.run(
                "INSERT INTO ownClose (day, isClosedAllDay) VALUES (?, ?)",
                [dayValue, .integer(isClosedAllDay ? 1 : 0)])
            var next = try nextSequence()
            let generation = Value.integer(try generation())
            let candidate = try update().candidateBeside
            let beside = try besideForecasts(of: day)
            for forecast in try storedForecasts(of: day) {
                var trial: [Value] = [.null, .null]
                if let candidate, let units = beside[forecast.forecast.item] {
                    trial = [
                        .real(Double(units)),
                        .integer(Int64(bitPattern: candidate.stated.digestPrefix)),
                    ]
                }
                try database.run(
                    """
                    INSERT INTO outbox (sequence, generation, kind, day, item, units, forecastUnits,
                        networkOutput, release, isComplete, level, inputsDigest, besideUnits,
                        besideDigest)
                    VALUES (?, ?, 3, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                    """,
                    [
                        .integer(next), generation, dayValue, .text(forecast.forecast.item.utf8),
                        .integer(Int64(actual(forecast.forecast.item))),
                        .real(Double(forecast.forecast.prediction.units)),
                        .integer(Int64(forecast.forecast.prediction.networkOutput)),
                        .integer(forecast.release),
                        .integer(forecast.forecast.inputsAreComplete ? 1 : 0),
                    ] + Self.values(forecast.forecast.basis) + trial)
                next += 1
            }
            // Last: when the hub has the close, it has everything of the day.
            try database.run(
                "INSERT INTO outbox (sequence, generation, kind, day, isClosedAllDay) VALUES (?, ?, 2, ?, ?)",
                [.integer(next), generation, dayValue, .integer(isClosedAllDay ? 1 : 0)])
            if try sendsTotals() {
                // Sales of a day before that came late go with it; those of later days wait for their own close.
                _ = try foldDetail(through: next, daysThrough: Int64(day.daysSince1970))
            }
            try boundOutbox()
        }
    }

    /// What is known of the days from `first` through `last`.
    package func book(from first: BusinessDay, through last: BusinessDay) throws(StoreError)
        -> DayBook
    {
        try foldSalesIfPossible()
        let range = [
            Value.integer(Int64(first.daysSince1970)), .integer(Int64(last.daysSince1970)),
        ]
        var book = DayBook(
            first: first, through: last, ownShare: try ownShare(), calendar: try calendar())
        try database.query(
            "SELECT day, isClosedAllDay, isFinal FROM storeDay WHERE day BETWEEN ? AND ?", range,
            columns: 3
        ) { row in
            book.note(
                day: Self.day(row[0]),
                .store(isClosedAllDay: row[1].integer == 1, isFinal: row[2].integer == 1))
            return true
        }
        try database.query(
            "SELECT day, isClosedAllDay FROM ownClose WHERE day BETWEEN ? AND ?", range, columns: 2
        ) { row in
            book.note(day: Self.day(row[0]), .own(isClosedAllDay: row[1].integer == 1))
            return true
        }
        try database.query(
            "SELECT day, item, units FROM storeItemDay WHERE day BETWEEN ? AND ?", range, columns: 3
        ) { row in
            if let item = Self.item(row[1]) {
                book.noteStore(day: Self.day(row[0]), item: item, units: Self.units(row[2]))
            }
            return true
        }
        try database.query(
            "SELECT day, item, units FROM ownDay WHERE day BETWEEN ? AND ?", range, columns: 3
        ) { row in
            if let item = Self.item(row[1]) {
                book.noteOwn(day: Self.day(row[0]), item: item, units: Self.units(row[2]))
            }
            return true
        }
        return book
    }

    /// Own units of `day`, by item.
    package func ownUnits(of day: BusinessDay) throws(StoreError) -> [ItemID: Int32] {
        try foldSales()
        var units: [ItemID: Int32] = [:]
        try database.query(
            "SELECT item, units FROM ownDay WHERE day = ?", [.integer(Int64(day.daysSince1970))],
            columns: 2
        ) { row in
            if let item = Self.item(row[0]) { units[item] = Self.units(row[1]) }
            return true
        }
        return units
    }

    package func ownShare() throws(StoreError) -> Float {
        Float(bitPattern: UInt32(truncatingIfNeeded: try integer(.ownShareBits) ?? 0))
    }

    /// So many references are kept, in whole days: about 10 MB of them.
    static let referencesMax: Int64 = 200_000

    /// Drops days before `day`: nothing computes from them any more.
    package func prune(before day: BusinessDay) throws(StoreError) {
        let limit = [Value.integer(Int64(day.daysSince1970))]
        try transaction { () throws(StoreError) in
            try database.run("DELETE FROM ownDay WHERE day < ?", limit)
            try database.run("DELETE FROM ownClose WHERE day < ?", limit)
            try database.run("DELETE FROM storeDay WHERE day < ?", limit)
            try database.run("DELETE FROM storeItemDay WHERE day < ?", limit)
            try database.run("DELETE FROM forecast WHERE day < ?", limit)
            // A till may repeat a sale long after: references stay a year longer, as far as there is room.
            try database.run("DELETE FROM saleReference WHERE day < ? - 366", limit)
            try database.run(
                """
                DELETE FROM saleReference WHERE day <= (
                    SELECT day FROM saleReference ORDER BY day DESC, reference DESC LIMIT 1 OFFSET ?)
                """, [.integer(Self.referencesMax)])
        }
    }

    // MARK: What the hub says

    /// Takes one Context frame, its days as lists of items: the hub's totals replace what it said of these days
    /// before.
    /// - Parameter isWhole: every frame of this answer so far was taken whole.
    /// - Returns: whether this one was, too; a day that is not this device's own as the frame says stays as it was,
    ///   and the revision is not taken over.
    @discardableResult
    package func take(_ context: Context, isWhole: Bool = true) throws(StoreError) -> Bool {
        try transaction { () throws(StoreError) in
            var isWhole = isWhole
            for day in context.days {
                let dayValue = Value.integer(Int64(day.day))
                if day.ownItems > 0, try !hasOwn(day) {
                    isWhole = false
                    continue
                }
                try database.run(
                    """
                    INSERT INTO storeDay (day, isClosedAllDay, isFinal) VALUES (?1, ?2, ?3)
                    ON CONFLICT (day) DO UPDATE SET isClosedAllDay = ?2, isFinal = ?3
                    """,
                    [
                        dayValue, .integer(day.closedAllDay ? 1 : 0),
                        .integer(day.final ? 1 : 0),
                    ])
                try database.run("DELETE FROM storeItemDay WHERE day = ?", [dayValue])
                if day.ownItems > 0 {
                    try database.run(
                        """
                        INSERT INTO storeItemDay (day, item, units)
                        SELECT day, item, units FROM ownDay WHERE day = ?
                        """, [dayValue])
                }
                for sold in day.sold where sold.units > 0 {
                    guard Int(sold.itemIndex) < context.items.count else { continue }
                    try database.run(
                        """
                        INSERT INTO storeItemDay (day, item, units) VALUES (?1, ?2, ?3)
                        ON CONFLICT (day, item) DO UPDATE SET units = ?3
                        """,
                        [
                            dayValue, .text([UInt8](context.items[Int(sold.itemIndex)].utf8)),
                            .integer(Int64(sold.units)),
                        ])
                }
            }
            if let calendar = context.calendar { try keep(calendar) }
            let share = context.ownShare
            if share.isFinite, share >= 0, share <= 1, try ownShare() != share {
                try set(.ownShareBits, .integer(Int64(share.bitPattern)))
            }
            // Only the last frame completes a revision: a cut in between asks for all of it again.
            if !context.more, isWhole {
                try set(.contextRevision, .integer(Int64(bitPattern: context.revision)))
            }
            return isWhole
        }
    }

    /// Whether this device's own sales of a day are what the hub takes them for.
    private func hasOwn(_ day: StoreDay) throws(StoreError) -> Bool {
        try foldSales()
        var digest = TotalsDigest()
        try database.query(
            "SELECT item, units FROM ownDay WHERE day = ? ORDER BY item",
            [.integer(Int64(day.day))], columns: 2
        ) { row in
            digest.add(row[0].bytes, units: UInt32(clamping: row[1].integer))
            return true
        }
        return digest.itemCount == day.ownItems && digest.value == day.ownDigest
    }

    package func contextRevision() throws(StoreError) -> UInt64 {
        UInt64(bitPattern: try integer(.contextRevision) ?? 0)
    }

    package func checkpoints(release: UInt64) throws(StoreError) -> [ItemID: LevelPoint] {
        var points: [ItemID: LevelPoint] = [:]
        try database.query(
            "SELECT item, level, day FROM levelCheckpoint WHERE release = ?",
            [.integer(Int64(bitPattern: release))], columns: 3
        ) { row in
            if let item = Self.item(row[0]) {
                points[item] = LevelPoint(level: Float(row[1].real), day: Self.day(row[2]))
            }
            return true
        }
        return points
    }

    package func keep(
        checkpoints: [ItemID: LevelPoint], release: UInt64
    ) throws(StoreError) {
        for (item, point) in checkpoints {
            try database.run(
                """
                INSERT INTO levelCheckpoint (item, release, day, level) VALUES (?1, ?2, ?3, ?4)
                ON CONFLICT (item) DO UPDATE SET release = ?2, day = ?3, level = ?4
                """,
                [
                    .text(item.utf8), .integer(Int64(bitPattern: release)),
                    .integer(Int64(point.day.daysSince1970)), .real(Double(point.level)),
                ])
        }
    }

    // MARK: Forecasts

    package struct StoredForecast: Equatable, Sendable {
        package var forecast: DayForecast
        package var release: Int64
    }

    package func replace(
        forecastsOf day: BusinessDay, by forecasts: [DayForecast], release: UInt64
    ) throws(StoreError) {
        // The hub's answer to an upload often changes nothing of them, and comes every quarter of an hour.
        let release64 = Int64(bitPattern: release)
        let stored = try storedForecasts(of: day)
        let isSame =
            stored.count == forecasts.count
            && zip(stored, forecasts.sorted { $0.item < $1.item }).allSatisfy {
                $0.release == release64 && $0.forecast == $1
            }
        guard !isSame else { return }
        let dayValue = Value.integer(Int64(day.daysSince1970))
        try database.run("DELETE FROM forecast WHERE day = ?", [dayValue])
        for forecast in forecasts {
            try database.run(
                """
                INSERT INTO forecast (day, item, units, networkOutput, release, isComplete, level,
                    inputsDigest) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
                """,
                [
                    dayValue, .text(forecast.item.utf8), .real(Double(forecast.prediction.units)),
                    .integer(Int64(forecast.prediction.networkOutput)),
                    .integer(release64),
                    .integer(forecast.inputsAreComplete ? 1 : 0),
                ] + Self.values(forecast.basis))
        }
    }

    private static func values(_ basis: ForecastBasis?) -> [Value] {
        guard let basis else { return [.null, .null] }
        return [.real(Double(basis.level)), .integer(Int64(basis.inputsDigest))]
    }

    /// By item.
    package func storedForecasts(of day: BusinessDay) throws(StoreError) -> [StoredForecast] {
        var forecasts: [StoredForecast] = []
        try database.query(
            """
            SELECT item, units, networkOutput, release, isComplete, level, inputsDigest
            FROM forecast WHERE day = ?
            """, [.integer(Int64(day.daysSince1970))], columns: 7
        ) { row in
            if let item = Self.item(row[0]) {
                let prediction = Prediction(
                    units: Float(row[1].real),
                    networkOutput: Int32(truncatingIfNeeded: row[2].integer))
                let basis =
                    row[6].isNull
                    ? nil
                    : ForecastBasis(
                        level: Float(row[5].real),
                        inputsDigest: UInt32(truncatingIfNeeded: row[6].integer))
                forecasts.append(
                    StoredForecast(
                        forecast: DayForecast(
                            day: day, item: item, prediction: prediction,
                            inputsAreComplete: row[4].integer == 1, basis: basis),
                        release: row[3].integer))
            }
            return true
        }
        return forecasts.sorted { $0.forecast.item < $1.forecast.item }
    }

    /// Forecasts of these days in their order, as they were made before each.
    func eachForecast(
        from first: BusinessDay, through last: BusinessDay,
        _ each: (BusinessDay, ItemID, Float) -> Void
    ) throws(StoreError) {
        try database.query(
            "SELECT day, item, units FROM forecast WHERE day BETWEEN ? AND ? ORDER BY day",
            [.integer(Int64(first.daysSince1970)), .integer(Int64(last.daysSince1970))], columns: 3
        ) { row in
            if let item = Self.item(row[1]) { each(Self.day(row[0]), item, Float(row[2].real)) }
            return true
        }
    }

    package func lastForecastDay() throws(StoreError) -> BusinessDay? {
        try lastDay("SELECT max(day) FROM forecast")
    }

    static func day(_ value: Value) -> BusinessDay {
        BusinessDay(daysSince1970: Int32(truncatingIfNeeded: value.integer))
    }

    static func units(_ value: Value) -> Int32 {
        Int32(clamping: value.integer)
    }

    /// Nil for what no checked path can have written: a row of a damaged database.
    static func item(_ value: Value) -> ItemID? {
        try? ItemID(utf8: value.bytes)
    }
}
