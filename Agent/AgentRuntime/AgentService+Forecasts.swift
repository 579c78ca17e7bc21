import AgentCore
import Forecasting
import JSONText
import UpdateTrust

/// What is expected, how sure that is, and for how many days.
extension AgentService {
    /// How long errors of closed days are looked back at: what lies before has less than a seventh of the weight.
    static let spreadDays = 62
    /// Of one answer.
    static let forecastsMax = 16_384

    /// The first day that nobody has closed, which a horizon starts from.
    func nextDay(of predictor: EnginePredictor) throws(StoreError) -> BusinessDay {
        DayPlan.nextDay(
            lastOwnClose: try store.lastOwnClose(), lastStoreDay: try store.lastStoreDay(),
            asOf: predictor.asOf)
    }

    /// The days whose forecast may still change.
    func openDays(of predictor: EnginePredictor) throws(StoreError) -> [BusinessDay] {
        DayPlan.targets(
            lastOwnClose: try store.lastOwnClose(), lastStoreDay: try store.lastStoreDay(),
            asOf: predictor.asOf, calendar: try store.calendar())
    }

    /// Every item's predictions from the first day not closed on.
    func outlooks(
        of item: ItemID?, days: Int, by predictor: EnginePredictor
    ) throws(StoreError) -> [(item: ItemID, days: [Prediction])] {
        let first = try nextDay(of: predictor)
        return try plan(first: first, through: first.advanced(by: -1), by: predictor)
            .outlooks(of: item, from: first, days: days, by: predictor)
    }

    /// Made from the forecasts and totals that are kept anyway, so a total that comes late corrects it too.
    func spreads(before day: BusinessDay) throws(StoreError) -> [ItemID: DemandSpread] {
        let (first, last) = (day.advanced(by: -Self.spreadDays), day.advanced(by: -1))
        let book = try store.book(from: first, through: last)
        var spreads: [ItemID: DemandSpread] = [:]
        try store.eachForecast(from: first, through: last) { day, item, units in
            guard let sold = book.demand(for: item, on: day).observedUnits else { return }
            spreads[item, default: DemandSpread()].observe(forecast: units, units: sold)
        }
        return spreads
    }

    /// - Parameter days: nil for the stored forecasts alone.
    func reply(toForecastOf item: ItemID?, days: Int?) throws(AgentError) -> JSONValue {
        _ = try joined()
        guard let predictor else {
            throw .refused("no package runs on this device: " + (try whyNoPackage()))
        }
        let list = try stored { () throws(StoreError) in
            try forecasts(of: item, days: days, by: predictor)
        }
        guard let list else {
            throw .refused(
                "\(days ?? 1) days of every item are more than \(Self.forecastsMax) forecasts: name an item, or fewer days"
            )
        }
        let closed = try stored { () throws(StoreError) in
            try closedDays(days: days, by: predictor)
        }
        if let item, list.isEmpty, closed.isEmpty {
            throw .failed("no forecast for item \(item.text): nothing is known of it yet")
        }
        return Self.ok(
            [.init("forecasts", .array(list))]
                + (closed.isEmpty ? [] : [.init("closedDays", .array(closed))])
                + [.init("alerts", try alerts(of: item))])
    }

    /// What subscribers are told when forecasts are made anew: the stored ones; more items than `eventItemsMax` are to be asked
    /// for.
    func forecastEvent() throws(AgentError) -> JSONValue? {
        guard let predictor else { return nil }
        let list = try stored { () throws(StoreError) in
            try forecasts(of: nil, days: nil, by: predictor)
        }
        guard let list, !list.isEmpty else { return nil }
        var members: [JSONValue.Member] = [.init("event", .string("forecasts"))]
        if list.count <= Self.eventForecastsMax { members.append(.init("forecasts", .array(list))) }
        return .object(members)
    }

    /// Some 200 bytes each, well within what may wait for a subscriber.
    private static let eventForecastsMax = 500

    /// - Returns: nil when there would be too many.
    private func forecasts(
        of item: ItemID?, days: Int?, by predictor: EnginePredictor
    ) throws(StoreError) -> [JSONValue]? {
        let targets = try openDays(of: predictor)
        let next = try nextDay(of: predictor)
        let calendar = try store.calendar()
        let spreads = try spreads(before: next)
        let rate = DemandSpread.rate(of: predictor.spec)
        var list: [JSONValue] = []
        func add(
            _ day: BusinessDay, _ item: ItemID, _ prediction: Prediction, release: Int64,
            isComplete: Bool
        ) {
            // Days of business: nothing happens on others.
            let ahead = max(
                1, (0..<max(1, day - next + 1)).count { !calendar.isClosed(next.advanced(by: $0)) })
            let mean = Double(prediction.units)
            let variance = (spreads[item] ?? DemandSpread())
                .variance(of: mean, daysAhead: ahead, rate: rate)
            list.append(
                .object([
                    .init("day", .string(day.iso8601)), .init("item", .text(item.utf8)),
                    .init("units", Self.number(prediction.units, decimals: 6)),
                    .init(
                        "p50",
                        .integer(DemandQuantile.units(0.5, mean: mean, variance: variance))),
                    .init(
                        "p90",
                        .integer(DemandQuantile.units(0.9, mean: mean, variance: variance))),
                    .init("daysAhead", .integer(ahead)),
                    .init("networkOutput", .integer(prediction.networkOutput)),
                    .init("release", .integer(release)),
                    .init("inputsComplete", .bool(isComplete)),
                ]))
        }
        for day in targets {
            for stored in try store.storedForecasts(of: day)
            where item == nil || stored.forecast.item == item {
                add(
                    day, stored.forecast.item, stored.forecast.prediction, release: stored.release,
                    isComplete: stored.forecast.inputsAreComplete)
            }
        }
        guard let days, days > 1 else { return list }
        if item == nil, list.count * days > Self.forecastsMax { return nil }
        let outlooks = try outlooks(of: item, days: days, by: predictor)
        let release = Int64(bitPattern: predictor.candidate.stated.release)
        for ahead in 1..<days {
            let day = next.advanced(by: ahead)
            // Behind a closed day, the next day of business is a stored one.
            guard day > targets[targets.count - 1], !calendar.isClosed(day) else { continue }
            for outlook in outlooks {
                add(
                    day, outlook.item, outlook.days[ahead], release: release, isComplete: false)
            }
        }
        return list
    }

    /// Of the days that an answer speaks of, those that the calendar calls closed.
    private func closedDays(
        days: Int?, by predictor: EnginePredictor
    ) throws(StoreError) -> [JSONValue] {
        let targets = try openDays(of: predictor)
        let calendar = try store.calendar()
        let next = try nextDay(of: predictor)
        let count = max(targets[targets.count - 1] - next + 1, days ?? 1)
        return (0..<count).map { next.advanced(by: $0) }.filter { calendar.isClosed($0) }
            .map { .string($0.iso8601) }
    }

    private func whyNoPackage() throws(AgentError) -> String {
        let reason = try stored { () throws(StoreError) in try store.text(.desireReason) }
        if let reason, !reason.isEmpty { return String(decoding: reason, as: UTF8.self) }
        return "the hub has not assigned one yet"
    }
}
