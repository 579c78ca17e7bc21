/// 14, device to hub. Answered by one or more Context frames; the last has more = false.
package struct ContextRequest: WireMessage, Equatable, Sendable {
    /// 0: a new device, send everything.
    package var knownRevision: UInt64 = 0
    /// The device takes days as columns, and as its own, and needs no levels (SPEC 10.5 to 10.7).
    package var takesColumns: Bool = false
    /// A day that was said to be the device's own was not.
    package var inFull: Bool = false
    /// The device heeds the store's calendar (SPEC 10.8).
    package var takesCalendar: Bool = false
    /// Of the calendar that the device has; 0: none.
    package var calendarDigest: UInt32 = 0

    package init() {}

    package init(
        knownRevision: UInt64 = 0, takesColumns: Bool = false, inFull: Bool = false,
        takesCalendar: Bool = false, calendarDigest: UInt32 = 0
    ) {
        self.knownRevision = knownRevision
        self.takesColumns = takesColumns
        self.inFull = inFull
        self.takesCalendar = takesCalendar
        self.calendarDigest = calendarDigest
    }

    package func encode(to writer: inout WireWriter) {
        writer.uint64(1, knownRevision)
        writer.bool(2, takesColumns)
        writer.bool(3, inFull)
        writer.bool(4, takesCalendar)
        writer.fixed32(5, calendarDigest)
    }

    package mutating func decode(field: Int, from reader: inout WireReader) throws(WireError) {
        switch field {
        case 1: knownRevision = try reader.uint64()
        case 2: takesColumns = try reader.bool()
        case 3: inFull = try reader.bool()
        case 4: takesCalendar = try reader.bool()
        case 5: calendarDigest = try reader.fixed32()
        default: try reader.skip()
        }
    }
}

/// 22, hub to device, on a connection that stays: ask for context from your revision.
package struct ContextNotice: WireMessage, Equatable, Sendable {
    package var revision: UInt64 = 0

    package init() {}

    package init(
        revision: UInt64 = 0
    ) {
        self.revision = revision
    }

    package func encode(to writer: inout WireWriter) {
        writer.uint64(1, revision)
    }

    package mutating func decode(field: Int, from reader: inout WireReader) throws(WireError) {
        switch field {
        case 1: revision = try reader.uint64()
        default: try reader.skip()
        }
    }
}

package struct ItemDay: WireMessage, Equatable, Sendable {
    /// Into Context.items.
    package var itemIndex: UInt32 = 0
    package var units: UInt32 = 0

    package init() {}

    package init(
        itemIndex: UInt32 = 0, units: UInt32 = 0
    ) {
        self.itemIndex = itemIndex
        self.units = units
    }

    package func encode(to writer: inout WireWriter) {
        writer.uint32(1, itemIndex)
        writer.uint32(2, units)
    }

    package mutating func decode(field: Int, from reader: inout WireReader) throws(WireError) {
        switch field {
        case 1: itemIndex = try reader.uint32()
        case 2: units = try reader.uint32()
        default: try reader.skip()
        }
    }
}

package struct StoreDay: WireMessage, Equatable, Sendable {
    package var day: Int32 = 0
    package var closedAllDay: Bool = false
    /// Every device of the store that is expected has closed it.
    package var final: Bool = false
    /// Items left out sold nothing.
    package var sold: [ItemDay] = []
    // Instead of `sold`, for a device that takes columns (SPEC 10.5, 10.6).
    /// Of items named on this connection.
    package var units: [UInt32] = []
    /// Of each of `units`, how many items of that list lie between its item and the one before; empty: none.
    package var itemGaps: [UInt32] = []
    /// The day's totals are those of the device's own records: of so many items.
    package var ownItems: UInt32 = 0
    /// `TotalsDigest` of them.
    package var ownDigest: UInt32 = 0

    package init() {}

    package init(
        day: Int32 = 0, closedAllDay: Bool = false, final: Bool = false, sold: [ItemDay] = [],
        units: [UInt32] = [], itemGaps: [UInt32] = [], ownItems: UInt32 = 0, ownDigest: UInt32 = 0
    ) {
        self.day = day
        self.closedAllDay = closedAllDay
        self.final = final
        self.sold = sold
        self.units = units
        self.itemGaps = itemGaps
        self.ownItems = ownItems
        self.ownDigest = ownDigest
    }

    package func encode(to writer: inout WireWriter) {
        writer.sint32(1, day)
        writer.bool(2, closedAllDay)
        writer.bool(3, final)
        writer.repeated(4, sold)
        writer.repeated(5, units)
        writer.repeated(6, itemGaps)
        writer.uint32(7, ownItems)
        writer.fixed32(8, ownDigest)
    }

    package mutating func decode(field: Int, from reader: inout WireReader) throws(WireError) {
        switch field {
        case 1: day = try reader.sint32()
        case 2: closedAllDay = try reader.bool()
        case 3: final = try reader.bool()
        case 4: try reader.append(to: &sold, countMax: Limit.itemsCount)
        case 5: try reader.append(to: &units, countMax: Limit.itemsCount)
        case 6: try reader.append(to: &itemGaps, countMax: Limit.itemsCount)
        case 7: ownItems = try reader.uint32()
        case 8: ownDigest = try reader.fixed32()
        default: try reader.skip()
        }
    }
}

package struct ItemLevel: WireMessage, Equatable, Sendable {
    package var itemIndex: UInt32 = 0
    /// Usual units a day on `day`, its profile divided out: where an item without a package entry starts.
    package var levelUnits: Float = 0
    package var day: Int32 = 0

    package init() {}

    package init(
        itemIndex: UInt32 = 0, levelUnits: Float = 0, day: Int32 = 0
    ) {
        self.itemIndex = itemIndex
        self.levelUnits = levelUnits
        self.day = day
    }

    package func encode(to writer: inout WireWriter) {
        writer.uint32(1, itemIndex)
        writer.float(2, levelUnits)
        writer.sint32(3, day)
    }

    package mutating func decode(field: Int, from reader: inout WireReader) throws(WireError) {
        switch field {
        case 1: itemIndex = try reader.uint32()
        case 2: levelUnits = try reader.float()
        case 3: day = try reader.sint32()
        default: try reader.skip()
        }
    }
}

/// 15, hub to device: the store's day totals. A later StoreDay for a day replaces the earlier one.
package struct Context: WireMessage, Equatable, Sendable {
    package var revision: UInt64 = 0
    package var items: [String] = []
    package var days: [StoreDay] = []
    package var levels: [ItemLevel] = []
    /// Of the store's units, what this device usually sees; 0 when unknown.
    package var ownShare: Float = 0
    package var more: Bool = false
    /// Added to the items named on this connection before the days of this frame are read.
    package var namedItems: [String] = []
    /// In place of the one that the device has; absent: it has the right one, or heeds none.
    package var calendar: CalendarOfStore?

    package init() {}

    package init(
        revision: UInt64 = 0, items: [String] = [], days: [StoreDay] = [], levels: [ItemLevel] = [],
        ownShare: Float = 0, more: Bool = false, namedItems: [String] = [],
        calendar: CalendarOfStore? = nil
    ) {
        self.revision = revision
        self.items = items
        self.days = days
        self.levels = levels
        self.ownShare = ownShare
        self.more = more
        self.namedItems = namedItems
        self.calendar = calendar
    }

    package func encode(to writer: inout WireWriter) {
        writer.uint64(1, revision)
        writer.repeated(2, items)
        writer.repeated(3, days)
        writer.repeated(4, levels)
        writer.float(5, ownShare)
        writer.bool(6, more)
        writer.repeated(7, namedItems)
        writer.message(8, calendar)
    }

    package mutating func decode(field: Int, from reader: inout WireReader) throws(WireError) {
        switch field {
        case 1: revision = try reader.uint64()
        case 2:
            try reader.append(
                to: &items, bytesMax: Limit.identifierBytes, countMax: Limit.itemsCount)
        case 3: try reader.append(to: &days, countMax: Limit.daysCount)
        case 4: try reader.append(to: &levels, countMax: Limit.itemsCount)
        case 5: ownShare = try reader.float()
        case 6: more = try reader.bool()
        case 7:
            try reader.append(
                to: &namedItems, bytesMax: Limit.identifierBytes, countMax: Limit.itemsCount)
        case 8: try reader.merge(into: &calendar)
        default: try reader.skip()
        }
    }
}
