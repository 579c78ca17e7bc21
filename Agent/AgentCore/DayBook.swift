package import Forecasting

/// What a device knows of a stretch of days: the store's totals where the hub has sent them, its own
/// sales where it has closed the day itself, nothing otherwise.
package struct DayBook: Sendable {
    package enum Knowledge: Equatable, Sendable {
        case unknown
        /// Closed here; other devices' sales are not in it.
        case own(isClosedAllDay: Bool)
        /// The store's total, from the hub.
        case store(isClosedAllDay: Bool, isFinal: Bool)
    }

    /// The days covered, oldest first.
    package let first: BusinessDay
    package let count: Int
    /// Of the store's units, what this device usually sees; 0 when unknown.
    package let ownShare: Float
    /// What is special about the store's days.
    package let calendar: StoreCalendar
    package private(set) var items: [ItemID] = []

    private var indexes: [ItemID: Int] = [:]
    private var knowledge: [Knowledge]
    /// `[item][day]`; days without an entry sold nothing.
    private var ownUnits: [[Int32]] = []
    private var storeUnits: [[Int32]] = []

    /// - Parameter last: the last day covered; before `first` gives an empty book.
    package init(
        first: BusinessDay, through last: BusinessDay, ownShare: Float,
        calendar: StoreCalendar = StoreCalendar()
    ) {
        self.first = first
        self.calendar = calendar
        count = max(0, last - first + 1)
        self.ownShare = ownShare
        knowledge = [Knowledge](repeating: .unknown, count: count)
    }

    /// Days outside the book are ignored, here and below. The store's word stands over our own.
    package mutating func note(day: BusinessDay, _ known: Knowledge) {
        guard let at = position(day) else { return }
        if case .store = knowledge[at], case .own = known { return }
        knowledge[at] = known
    }

    package mutating func noteOwn(day: BusinessDay, item: ItemID, units: Int32) {
        guard let at = position(day) else { return }
        ownUnits[index(of: item)][at] = units
    }

    package mutating func noteStore(day: BusinessDay, item: ItemID, units: Int32) {
        guard let at = position(day) else { return }
        storeUnits[index(of: item)][at] = units
    }

    /// What `day` says about the demand for `item`: nothing, where the calendar calls it closed or the item out of stock.
    package func demand(for item: ItemID, on day: BusinessDay) -> DemandDay {
        calendar.demand(total(of: item, on: day), of: item, on: day)
    }

    /// What is known to have been sold, whatever the calendar says.
    package func total(of item: ItemID, on day: BusinessDay) -> DemandDay {
        guard let at = position(day) else { return .unknown }
        let row = indexes[item]
        switch knowledge[at] {
        case .unknown: return .unknown
        case .own(true), .store(true, _): return .closed
        case .own(false):
            return DemandDay(units: Self.scaledUp(row.map { ownUnits[$0][at] } ?? 0, by: ownShare))
        case .store(false, _): return DemandDay(units: row.map { storeUnits[$0][at] } ?? 0)
        }
    }

    /// What this device itself saw, closed or not; 0 outside the book.
    package func ownUnits(of item: ItemID, on day: BusinessDay) -> Int32 {
        guard let at = position(day), let row = indexes[item] else { return 0 }
        return ownUnits[row][at]
    }

    /// Whether the hub has said all of `day`: the whole store's final total, or that it is closed.
    package func isComplete(_ day: BusinessDay) -> Bool {
        if calendar.isClosed(day) { return true }
        guard let at = position(day), case .store(_, true) = knowledge[at] else { return false }
        return true
    }

    package func knowledge(of day: BusinessDay) -> Knowledge {
        position(day).map { knowledge[$0] } ?? .unknown
    }

    /// The first day on which `item` is known to have sold, and that says something of its demand.
    package func firstSale(of item: ItemID) -> BusinessDay? {
        guard let row = indexes[item] else { return nil }
        for at in 0..<count {
            let sold =
                switch knowledge[at] {
                case .unknown: false
                case .own: ownUnits[row][at] > 0
                case .store: storeUnits[row][at] > 0
                }
            let day = first.advanced(by: at)
            if sold, calendar.marks(of: item, on: day).isDisjoint(with: .excluded) { return day }
        }
        return nil
    }

    /// Own units as the store's: divided by the share this device usually sees.
    package static func scaledUp(_ units: Int32, by ownShare: Float) -> Int32 {
        guard ownShare > 0, ownShare < 1, ownShare.isFinite else { return units }
        let scaled = (Float(units) / ownShare).rounded()
        return scaled < 1e9 ? Int32(scaled) : 1_000_000_000
    }

    private func position(_ day: BusinessDay) -> Int? {
        let at = day - first
        return at >= 0 && at < count ? at : nil
    }

    private mutating func index(of item: ItemID) -> Int {
        if let index = indexes[item] { return index }
        let index = items.count
        indexes[item] = index
        items.append(item)
        ownUnits.append([Int32](repeating: 0, count: count))
        storeUnits.append([Int32](repeating: 0, count: count))
        return index
    }
}
