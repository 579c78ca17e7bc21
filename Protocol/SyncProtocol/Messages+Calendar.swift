/// What is special about a store's days, for a device of it: replaces whatever the device had (SPEC 10.8).
package struct CalendarOfStore: WireMessage, Equatable, Sendable {
    /// The hub's name for this calendar, which the device gives back; 0 of an empty one.
    package var digest: UInt32 = 0
    package var firstDay: Int32 = 0
    /// How many days it speaks of, from `firstDay` on.
    package var days: UInt32 = 0
    package var items: [String] = []
    /// Gap x 16 + marks of each entry (SPEC 10.9).
    package var entries: [UInt32] = []

    package init() {}

    package init(
        digest: UInt32 = 0, firstDay: Int32 = 0, days: UInt32 = 0, items: [String] = [],
        entries: [UInt32] = []
    ) {
        self.digest = digest
        self.firstDay = firstDay
        self.days = days
        self.items = items
        self.entries = entries
    }

    package func encode(to writer: inout WireWriter) {
        writer.fixed32(1, digest)
        writer.sint32(2, firstDay)
        writer.uint32(3, days)
        writer.repeated(4, items)
        writer.repeated(5, entries)
    }

    package mutating func decode(field: Int, from reader: inout WireReader) throws(WireError) {
        switch field {
        case 1: digest = try reader.fixed32()
        case 2: firstDay = try reader.sint32()
        case 3: days = try reader.uint32()
        case 4:
            try reader.append(
                to: &items, bytesMax: Limit.identifierBytes, countMax: Limit.calendarCount)
        case 5: try reader.append(to: &entries, countMax: Limit.calendarCount)
        default: try reader.skip()
        }
    }
}

extension CalendarOfStore {
    /// One entry as it is meant.
    package struct Entry: Equatable, Sendable {
        /// Days since 1970-01-01.
        package var day: Int32
        /// 0 is every item, others come one behind their place in `items`.
        package var place: UInt32
        /// 1...15: the bits of SPEC 10.9.
        package var marks: UInt8

        package init(day: Int32, place: UInt32, marks: UInt8) {
            self.day = day
            self.place = place
            self.marks = marks
        }
    }

    /// A calendar of `days` days from `firstDay` on, its digest computed; without entries it is empty altogether.
    /// - Parameter entries: within these days and `items`, each day and place once, in any order; at most
    ///   `Limit.calendarCount`.
    package init(firstDay: Int32, days: UInt32, items: [String], entries: [Entry]) {
        precondition(entries.count <= Limit.calendarCount && items.count <= Limit.calendarCount)
        guard !entries.isEmpty else {
            self.init()
            return
        }
        self.init(firstDay: firstDay, days: days, items: items)
        var next: UInt32 = 0
        let ascending = entries.sorted { ($0.place, $0.day) < ($1.place, $1.day) }
        for entry in ascending {
            let position = entry.place * days + UInt32(entry.day - firstDay)
            self.entries.append((position - next) << 4 | UInt32(entry.marks))
            next = position + 1
        }
        var hash: UInt32 = 2_166_136_261
        for byte in encoded() { hash = (hash ^ UInt32(byte)) &* 16_777_619 }
        digest = hash == 0 ? 1 : hash
    }

    /// Calls `each` with every entry, ascending by place, then day.
    /// - Throws: `WireError` of field 8 of Context for an entry that SPEC 10.9 does not allow.
    package func forEachEntry(_ each: (Entry) -> Void) throws(WireError) {
        let end = UInt64(days) * UInt64(items.count + 1)
        var next: UInt64 = 0
        for code in entries {
            let position = next + UInt64(code >> 4)
            guard position < end else { throw .valueInvalid(field: 8, rule: .index) }
            guard code & 15 != 0 else { throw .valueInvalid(field: 8, rule: .range) }
            each(
                Entry(
                    day: firstDay + Int32(position % UInt64(days)),
                    place: UInt32(position / UInt64(days)), marks: UInt8(code & 15)))
            next = position + 1
        }
    }
}
