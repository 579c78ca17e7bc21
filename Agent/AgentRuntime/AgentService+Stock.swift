package import AgentCore
import Forecasting
import JSONText

/// Stock on hand, and when to order.
extension AgentService {
    /// Every shelf whose stock is known, with what awaits it and what has to be done. Made anew after days, totals, packages or counts
    /// changed; sales change it in place.
    package func currentShelves() throws(AgentError) -> [Shelf] {
        guard shelvesAreStale else { return shelves }
        let before = shelves
        shelves = try stored { () throws(StoreError) in
            let known = [try store.lastOwnClose(), try store.lastStoreDay(), predictor?.asOf]
            let last = known.compactMap { $0 }.max() ?? BusinessDay(daysSince1970: 0)
            var all = try store.shelves(today: last.advanced(by: 1), defaults: orderDefaults)
            if let predictor, !all.isEmpty {
                let spreads = try spreads(before: last.advanced(by: 1))
                let outlooks = try outlooks(
                    of: nil, days: DayPlan.horizonDaysMax, by: predictor)
                let rate = DemandSpread.rate(of: predictor.spec)
                for outlook in outlooks {
                    guard let at = Shelf.place(of: outlook.item, in: all) else { continue }
                    all[at].expect(
                        outlook.days.map { $0.units },
                        spread: spreads[outlook.item] ?? DemandSpread(), rate: rate)
                }
            }
            return all
        }
        shelvesAreStale = false
        for at in shelves.indices {
            if let old = Shelf.place(of: shelves[at].item, in: before) {
                shelves[at].carry(before[old].alert)
            }
            if shelves[at].decide() { note(shelves[at]) }
        }
        // One whose count was forgotten.
        for shelf in before
        where shelf.alert != nil && Shelf.place(of: shelf.item, in: shelves) == nil {
            var gone = shelf
            gone.carry(nil)
            note(gone)
        }
        return shelves
    }

    /// Sales and returns that were recorded just now.
    func noteSold(_ sale: Sale, counted: Int64, uncounted: Int64 = 0) {
        guard !shelvesAreStale, let at = Shelf.place(of: sale.item, in: shelves) else { return }
        // A day that the store's total accounts for, or one before the count: rare, so looked up.
        guard shelves[at].sell(counted, on: sale.day) else {
            shelvesAreStale = true
            return
        }
        shelves[at].base += uncounted
        if shelves[at].decide() { note(shelves[at]) }
    }

    /// Takes a count of the shelf.
    func reply(toStock request: StockRequest) throws(AgentError) -> JSONValue {
        _ = try joined()
        if let units = request.units {
            let day = if let day = request.day { day } else { try today().day }
            if let problem = problem(with: day) { throw .refused(problem) }
            let kept = try stored { () throws(StoreError) in
                try store.transaction { () throws(StoreError) in
                    try store.keep(request, units: units, of: day)
                }
            }
            guard kept else {
                throw .refused(
                    "the stock of \(AgentStore.stockMax) items is followed; there is no room for another"
                )
            }
            shelvesAreStale = true
        }
        return Self.ok(Self.members(of: try shelf(of: request.item)))
    }

    /// Takes note of goods that have been ordered.
    func reply(toOrder request: OrderRequest) throws(AgentError) -> JSONValue {
        _ = try joined()
        let shelf = try shelf(of: request.item)
        // As alerts reckon it: no clock is needed.
        let today = max(shelf.today, shelf.counted)
        let due = request.due ?? today.advanced(by: shelf.rule.leadDays)
        guard due > shelf.counted else {
            throw .refused(
                "the count of " + shelf.counted.iso8601 + " has in it what was due by then: "
                    + (request.due == nil
                        ? "say when the goods come, or count again when they have"
                        : "count again, or name a later day"))
        }
        guard due <= today.advanced(by: AgentStore.deliveryDaysMax) else {
            throw .refused(
                due.iso8601
                    + " is more than \(AgentStore.deliveryDaysMax) days ahead: say so when it is nearer"
            )
        }
        let kept = try stored { () throws(StoreError) in
            try store.transaction { () throws(StoreError) in
                try store.keep(
                    Delivery(due: due, units: Int64(request.units)), of: request.item)
            }
        }
        guard kept else {
            throw .refused(
                "deliveries of item \(request.item.text) on \(AgentStore.deliveriesMax) days are followed: count what has come, or put orders together"
            )
        }
        shelvesAreStale = true
        return Self.ok(Self.members(of: try self.shelf(of: request.item)))
    }

    private func shelf(of item: ItemID) throws(AgentError) -> Shelf {
        let shelves = try currentShelves()
        guard let at = Shelf.place(of: item, in: shelves) else {
            throw .failed(
                "the stock of item \(item.text) has not been counted in the last \(AgentStore.stockDays) days: say how many units there are"
            )
        }
        return shelves[at]
    }

    /// Of `item`, or of every item.
    func alerts(of item: ItemID? = nil) throws(AgentError) -> JSONValue {
        var alerts: [JSONValue] = []
        for shelf in try currentShelves()
        where shelf.alert != nil && (item == nil || shelf.item == item) {
            alerts.append(.object(Self.members(of: shelf)))
        }
        return .array(alerts)
    }

    /// An alert that came, or went.
    static func event(_ shelf: Shelf) -> JSONValue {
        var event: [JSONValue.Member] = [
            .init("event", .string(shelf.alert == nil ? "alert-over" : "alert"))
        ]
        event += members(of: shelf)
        if shelf.alert == nil { event.append(.init("text", .string(text(shelf)))) }
        return .object(event)
    }

    static func members(of shelf: Shelf) -> [JSONValue.Member] {
        var members: [JSONValue.Member] = [
            .init("item", .text(shelf.item.utf8)), .init("onHand", .integer(shelf.onHand)),
            .init("leadDays", .integer(shelf.rule.leadDays)),
            .init("servicePercent", .integer(shelf.rule.servicePercent)),
            .init("multiple", .integer(shelf.rule.multiple)),
        ]
        if !shelf.onOrder.isEmpty {
            let deliveries = shelf.onOrder.map { delivery in
                JSONValue.object([
                    .init("units", .integer(delivery.units)),
                    .init("due", .string(delivery.due.iso8601)),
                ])
            }
            members.append(.init("onOrder", .array(deliveries)))
        }
        if let alert = shelf.alert {
            members += [
                .init("reason", .string(alert.reason.name)), .init("order", .integer(alert.units)),
                .init("by", .string(alert.by.iso8601)), .init("text", .string(text(shelf))),
            ]
        }
        return members
    }

    /// "order 24 of item 7 by Thursday, 2026-11-26".
    package static func text(_ shelf: Shelf) -> String {
        guard let alert = shelf.alert else {
            return "item " + shelf.item.text
                + (shelf.onOrder.isEmpty ? " has stock again" : " has enough on its way")
        }
        let weekday =
            switch alert.by.weekday {
            case 0: "Monday"
            case 1: "Tuesday"
            case 2: "Wednesday"
            case 3: "Thursday"
            case 4: "Friday"
            case 5: "Saturday"
            default: "Sunday"
            }
        return "order \(alert.units) of item " + shelf.item.text + " by " + weekday + ", "
            + alert.by.iso8601
            + (alert.reason == .runOut ? ": it may run out before goods ordered now come" : "")
    }

    private func note(_ shelf: Shelf) {
        // A command that records a file of sales has nobody to tell.
        if news.count < AgentStore.stockMax { news.append(.alert(shelf)) }
    }
}

/// What subscribers and the log are told, in the order in which it happened.
package enum News: Equatable, Sendable {
    case alert(Shelf)
    /// The forecasts have been made anew.
    case forecasts
}
