import Forecasting
import HTTPTypes
import HubCore
import HubStore
import Hummingbird

/// Which days a page is of: the last so many up to the latest that anything is known of, or from one day to another.
struct DayRange: Sendable {
    static let choices = [7, 28, 91]
    static let standard = 28

    /// As in the address: a count, or "all"; nil: by dates.
    var days: String?
    var first: BusinessDay?
    var last: BusinessDay?
    /// Of forecasts; nil: there is none.
    var latest: BusinessDay?

    /// - Throws: `Refusal` for days that cannot be read.
    init(_ visit: Visit) async throws {
        let query = visit.query
        try await self.init(
            days: query["days"], from: query["from"], to: query["to"], in: visit.store)
    }

    /// - Throws: `Refusal` for days that cannot be read.
    init(days text: String?, from: String?, to: String?, in store: any HubStore) async throws {
        latest = try await store.lastForecastDay()
        if from != nil || to != nil {
            first = try Self.day(from)
            last = try Self.day(to)
            if let first, let last, first > last {
                throw Refusal(.badRequest, "The first of these days is after the last.")
            }
            return
        }
        let text = text ?? "\(Self.standard)"
        days = text
        if text == "all" { return }
        guard let count = Int(text), (1...3_660).contains(count) else {
            throw Refusal(.badRequest, "days is a number from 1 to 3660, or all.")
        }
        first = latest?.advanced(by: 1 - count)
    }

    private static func day(_ text: String?) throws -> BusinessDay? {
        guard let text else { return nil }
        guard let day = BusinessDay(iso8601: Array(text.utf8)) else {
            throw Refusal(.badRequest, "A day is written as 2025-05-03.")
        }
        return day
    }

    /// What links keep.
    var query: [(String, String)] {
        if let days { return days == "\(Self.standard)" ? [] : [("days", days)] }
        return [first.map { ("from", $0.iso8601) }, last.map { ("to", $0.iso8601) }].compactMap {
            $0
        }
    }

    /// As `shelfcast-hub report` takes it.
    var options: String {
        (first.map { " --from \($0.iso8601)" } ?? "") + (last.map { " --to \($0.iso8601)" } ?? "")
    }

    /// Links to other ranges of the same page.
    /// - Parameter kept: the rest of the query.
    func links(_ path: Link, keeping kept: [(String, String)] = []) -> Markup {
        let list: [Markup] = (Self.choices.map { "\($0)" } + ["all"]).map { choice in
            let link = path.with(kept + [("days", choice)])
            let title = choice == "all" ? "all days" : "\(choice) days"
            let current: Markup = choice == days ? " aria-current=\"true\"" : .empty
            return "<a href=\"\(link.text)\"\(current)>\(title)</a>\n"
        }
        return "<nav class=\"ranges\" aria-label=\"Days\">\(list)</nav>"
    }

    /// `2025-04-06 to 2025-05-03`, of what was received.
    static func text(_ line: ReportLine?) -> String {
        line.map { "\($0.firstDay.iso8601) to \($0.lastDay.iso8601)" }
            ?? "no forecast of these days was received"
    }
}
