package import Forecasting

/// What was, or will be, special about a day: for a store or all, an item or all.
package struct CalendarEntry: Hashable, Sendable, Codable {
    package enum Kind: String, Hashable, Sendable, Codable, CaseIterable {
        case holiday, promotion
        /// The store does no business: for all of its items.
        case closed
        /// Nothing to sell of the item: what was sold says nothing about demand.
        case stockOut = "stock-out"

        /// Whether such a day is part of no training and of no error.
        package var isExcluded: Bool { self == .closed || self == .stockOut }
    }

    package static let nameBytesMax = 64

    package var day: BusinessDay
    /// nil: every store.
    package var store: StoreID?
    /// nil: every item. Always nil of a closed day.
    package var item: ItemID?
    package var kind: Kind
    /// Such as "Easter Monday": printable, `nameBytesMax` bytes at most; may be empty.
    package var name: String

    package init(
        day: BusinessDay, store: StoreID?, item: ItemID?, kind: Kind, name: String = ""
    ) {
        self.day = day
        self.store = store
        self.item = item
        self.kind = kind
        self.name = name
    }
}

/// What an import of a calendar changed.
package struct CalendarOutcome: Equatable, Sendable {
    package var added = 0
    /// Those that have another name now.
    package var renamed = 0
    /// Those that were there already.
    package var known = 0
    /// Of those added, the ones that take out a day of which no device is told any more (`DeviceCalendar`): the report and
    /// training change, levels on devices stay as they are.
    package var tooOldForDevices = 0

    package init() {}
}

/// What was taken away from a calendar.
package struct CalendarRemoval: Equatable, Sendable {
    package var removed: Int
    /// As `CalendarOutcome.tooOldForDevices`.
    package var tooOldForDevices: Int

    package init(removed: Int, tooOldForDevices: Int) {
        self.removed = removed
        self.tooOldForDevices = tooOldForDevices
    }
}

extension CalendarEntry.Kind {
    package var mark: DayMarks {
        switch self {
        case .holiday: .holiday
        case .promotion: .promotion
        case .closed: .closed
        case .stockOut: .stockOut
        }
    }
}

extension StoreCalendar {
    /// - Parameter entries: of any store; those of others are passed over.
    package init(_ entries: some Sequence<CalendarEntry>, store: StoreID) {
        self.init(
            entries.filter { $0.store == nil || $0.store == store }.map {
                Entry(day: $0.day, item: $0.item, marks: $0.kind.mark)
            })
    }
}
