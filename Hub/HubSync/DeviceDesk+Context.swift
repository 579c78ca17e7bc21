import Forecasting
import HubCore
import HubStore
import SyncProtocol

extension DeviceDesk {
    /// The store's day totals that changed after the revision the device has.
    func context(
        of device: DeviceID, _ request: ContextRequest
    ) async throws -> DeviceSession.Answer {
        guard let record = try await store.home(of: device) else {
            return .refused(.unknown(device))
        }
        guard record.status == .approved else {
            return .refused(record.status == .revoked ? .revoked(device) : .pending(device))
        }
        guard let home = try await store.store(record.store),
            let lastDay = try await store.lastKnownDay(store: record.store)
        else { return .context([Context()]) }
        // A device that has more than there is knew the hub before it was restored from a backup.
        let known = request.knownRevision > home.revision ? 0 : request.knownRevision
        let first = StoreContext.firstDay(knownRevision: known, lastKnownDay: lastDay)
        guard let ledger = try await store.ledger(store: record.store, from: first) else {
            return .context([Context()])
        }
        let context = StoreContext.decide(ledger, device: device, knownRevision: known)
        // One Context speaks of at most so many items; a store with more keeps the first ones by id.
        let itemCount = min(context.items.count, Limit.itemsCount)
        // A new device may know nothing of the days that it told us of in a former life.
        let knowsItsOwn =
            request.takesColumns && !request.inFull && known > 0
            && itemCount == context.items.count
        let levels =
            request.takesColumns ? [] : context.levels.filter { $0.itemIndex < itemCount }
        var calendar: CalendarOfStore?
        if request.takesCalendar {
            let current = try await self.calendar(
                of: record.store, items: context.items, around: lastDay)
            if current.digest != request.calendarDigest { calendar = current }
        }
        return .context(
            ContextFrames.pack(
                items: context.items.prefix(itemCount).map(\.text),
                days: context.days.map {
                    knowsItsOwn && $0.isAllOwn
                        ? StoreDay(own: $0, items: context.items)
                        : StoreDay($0, itemCount: itemCount)
                },
                levels: levels.map(ItemLevel.init),
                ownShare: context.ownShare, knownRevision: known, revision: context.revision,
                calendar: calendar))
    }

    private func calendar(
        of home: StoreID, items: [ItemID], around lastDay: BusinessDay
    ) async throws -> CalendarOfStore {
        let days = DeviceCalendar.days(around: lastDay)
        let entries = try await store.calendar(
            kind: nil, store: home, from: days.first, through: days.last)
        return CalendarOfStore(
            DeviceCalendar(
                StoreCalendar(entries, store: home), items: items, around: lastDay,
                countMax: Limit.calendarCount))
    }
}

extension CalendarOfStore {
    fileprivate init(_ calendar: DeviceCalendar) {
        var items: [String] = []
        var places: [ItemID: UInt32] = [:]
        var entries: [Entry] = []
        for entry in calendar.entries {
            var place: UInt32 = 0
            if let item = entry.item {
                if let known = places[item] {
                    place = known
                } else {
                    items.append(item.text)
                    place = UInt32(items.count)
                    places[item] = place
                }
            }
            entries.append(
                Entry(
                    day: entry.day.daysSince1970, place: place, marks: entry.marks.rawValue))
        }
        self.init(
            firstDay: calendar.firstDay.daysSince1970,
            days: UInt32(calendar.lastDay - calendar.firstDay + 1), items: items, entries: entries)
    }
}

extension StoreDay {
    /// In the device's own words (SPEC 10.6).
    fileprivate init(own day: StoreContext.Day, items: [ItemID]) {
        var digest = TotalsDigest()
        // Not the order of items for people, which counts: of bytes.
        let sold = day.sold.map { (item: items[$0.itemIndex].utf8, units: $0.units) }
        for (item, units) in sold.sorted(by: { $0.item.lexicographicallyPrecedes($1.item) }) {
            digest.add(item, units: units)
        }
        self.init(
            day: day.day.daysSince1970, final: day.isFinal, ownItems: digest.itemCount,
            ownDigest: digest.value)
    }

    fileprivate init(_ day: StoreContext.Day, itemCount: Int) {
        self.init(
            day: day.day.daysSince1970, closedAllDay: day.closedAllDay, final: day.isFinal,
            sold: day.sold.filter { $0.itemIndex < itemCount }.map {
                ItemDay(itemIndex: UInt32($0.itemIndex), units: $0.units)
            })
    }
}

extension ItemLevel {
    fileprivate init(_ level: StoreContext.Level) {
        self.init(
            itemIndex: UInt32(level.itemIndex), levelUnits: level.units,
            day: level.day.daysSince1970)
    }
}
