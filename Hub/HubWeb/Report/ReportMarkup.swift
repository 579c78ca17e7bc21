package import Forecasting
package import HubCore

/// What the pages and the report's file show alike.
package enum ReportMarkup {
    package static func sentence(_ text: String) -> String {
        text.prefix(1).uppercased() + text.dropFirst() + "."
    }

    /// The figures of the report's tables, as columns.
    package static func columns(first heading: String) -> [PageTable.Column] {
        [PageTable.Column(heading, isText: true, sortKey: "name")]
            + ReportText.shown.map {
                PageTable.Column(
                    $0.heading, meaning: $0.meaning, isMain: $0.key == "wapePercent",
                    sortKey: $0.key)
            }
    }

    package static func cells(_ line: ReportLine?) -> [PageTable.Cell] {
        ReportText.cells(line).map { PageTable.Cell($0) }
    }

    package static func table(_ rows: [ReportText.Row], heading: String) -> PageTable {
        var table = PageTable(heading, columns: columns(first: heading))
        for row in rows {
            table.add([PageTable.Cell(row.name)] + cells(row.line))
        }
        return table
    }

    /// - Parameter items: whether the selection is of one item, which coverage is not.
    package static func coverage(
        _ coverage: ReportCoverage, pending: Int, ofOneItem: Bool = false
    ) -> Markup {
        let forecasts = sentence(coverage.forecastsText + (ofOneItem ? " (of every item)" : ""))
        let isWhole = coverage.devices.allSatisfy {
            $0.missingDays.isEmpty && $0.missingForecasts == 0
        }
        let waiting: Markup? =
            pending == 0
            ? nil
            : """
             \(Figure.count(pending, "forecast")) of days that are not final yet, or had no business, \
            \(pending == 1 ? "is" : "are") part of no error.
            """
        return """
            <section class="\(isWhole ? "coverage" : "coverage lacking")" aria-label="What was received">
            <p>\(sentence(coverage.daysText))</p>
            <p>\(forecasts)\(waiting)</p>
            </section>
            """
    }

    /// The figures to look at first.
    /// - Parameter selection: what the line is of.
    package static func tiles(_ line: ReportLine?, of selection: ReportSelection) -> Markup {
        let sums = line?.sums ?? ForecastSums()
        let zeros = sums.accuracy.zeroActualCount
        let bias = sums.accuracy.bias.map {
            $0 == 0
                ? "" : $0 > 0 ? "more was forecast than sold" : "less was forecast than sold"
        }
        let list: [(String, String, String)] = [
            (
                "WAPE", Figure.percent(sums.accuracy.wape),
                "last week's weekday: \(Figure.percent(sums.seasonalNaive.wape))"
            ),
            ("Bias", Figure.percent(sums.accuracy.bias), bias ?? ""),
            (
                "Value added", Figure.percent(sums.valueAdded.map { $0 * 100 }),
                "over last week's weekday, same days"
            ),
            better(line, of: selection),
            (
                "MAPE", Figure.percent(sums.accuracy.mape),
                zeros == 0
                    ? "" : "without \(Figure.count(zeros, "forecast")) of days without sales"
            ),
            ("Within P90", Figure.percent(sums.p90.coverage, decimals: 1), "90 % is meant"),
        ]
        let tiles: [Markup] = list.map { name, value, note in
            "<div><dt>\(name)</dt><dd>\(value)</dd><dd class=\"note\">\(note)</dd></div>"
        }
        return """
            <dl class="tiles">\(tiles)</dl>
            <p class="note compression">\(sentence(ReportText.compression(line)))</p>
            """
    }

    /// What has a smaller error than last week's weekday, and of what that is counted: an item of one store is one.
    private static func better(
        _ line: ReportLine?, of selection: ReportSelection
    ) -> (name: String, value: String, note: String) {
        let share = Figure.percent(line?.betterShare, decimals: 1)
        let isOfOneStore = selection.store != nil || selection.device != nil
        func note(_ what: String) -> String {
            line?.series.map { "\(line?.seriesBetter ?? 0) of \($0) \(what)" } ?? ""
        }
        switch (isOfOneStore, selection.item != nil) {
        case (true, true):
            let beats = (line?.series).map { _ in line?.seriesBetter == 1 ? "yes" : "no" }
            return ("Beats last week's weekday", beats ?? "n/a", "by its error, same days")
        case (true, false):
            let owner = selection.device != nil ? "device" : "store"
            return ("Items that beat last week", share, note("items of this \(owner)"))
        case (false, true): return ("Stores where it beats last week", share, note("stores"))
        case (false, false):
            return (
                "Items that beat last week", share, note("items, counted in each store")
            )
        }
    }

    /// Days that are missing, for a person who looks for them.
    package static func missing(_ days: [BusinessDay]) -> String {
        guard let first = days.first, let last = days.last else { return "" }
        return days.count <= 3
            ? days.map(\.iso8601).joined(separator: ", ")
            : "\(days.count), from \(first.iso8601) to \(last.iso8601)"
    }

    package static func share(_ received: Int, of expected: Int) -> String {
        expected == 0 ? "none expected" : "\(received) of \(expected)"
    }

    package static var definitions: Markup {
        let list: [Markup] = ReportText.shown.map {
            "<div><dt>\($0.heading)</dt><dd>\($0.meaning)</dd></div>"
        }
        return
            "<section class=\"meaning\"><h2>What the figures say</h2><dl>\(list)</dl></section>"
    }
}
