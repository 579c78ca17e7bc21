package import Forecasting
package import HubCore

/// A report's figures as words and digits.
package enum ReportText {
    package struct Column: Sendable {
        /// In the terminal.
        package var title: String
        /// In CSV.
        package var key: String
        /// On a page, and what it means.
        package var heading: String
        package var meaning: String
        package var decimals = 2
        /// In CSV and JSON alone.
        package var isDetail = false
        /// Where a terminal is too narrow for all, those of higher rank go first; 0 always stays.
        package var rank = 0
        package var value: @Sendable (ReportLine) -> Double?
    }

    package static let columns: [Column] = [
        Column(
            title: "FORECASTS", key: "forecasts", heading: "Compared",
            meaning: "Forecasts of final days", decimals: 0
        ) { Double($0.sums.accuracy.count) },
        Column(
            title: "WAPE%", key: "wapePercent", heading: "WAPE %",
            meaning: "Sum of errors over sum of sales"
        ) { $0.sums.accuracy.wape },
        Column(
            title: "BIAS%", key: "biasPercent", heading: "Bias %",
            meaning: "Above 0: too much was forecast"
        ) { $0.sums.accuracy.bias },
        Column(
            title: "MAPE%", key: "mapePercent", heading: "MAPE %",
            meaning: "Mean of error over sales, days without sales left out", rank: 2
        ) { $0.sums.accuracy.mape },
        Column(
            title: "ZEROS", key: "excludedZeroActuals", heading: "Zeros",
            meaning: "Days without sales, which MAPE leaves out", decimals: 0, rank: 2
        ) { Double($0.sums.accuracy.zeroActualCount) },
        Column(
            title: "ADDED%", key: "valueAddedPercent", heading: "Added %",
            meaning: "1 − WAPE over the WAPE of the same weekday last week, on the same days"
        ) { $0.sums.valueAdded.map { $0 * 100 } },
        Column(
            title: "BEAT%", key: "betterSharePercent", heading: "Beat %",
            meaning:
                "Items with a smaller error than last week's, each item of each store being one",
            decimals: 1, rank: 6
        ) { $0.betterShare },
        Column(
            title: "NAIVE%", key: "seasonalNaiveWapePercent", heading: "Naive %",
            meaning: "WAPE of the same weekday last week, on the same days", rank: 8
        ) { $0.sums.seasonalNaive.wape },
        Column(
            title: "SMAPE%", key: "smapePercent", heading: "sMAPE %",
            meaning: "Mean of error over the mean of sales and forecast", rank: 10
        ) { $0.sums.accuracy.symmetricMAPE },
        Column(
            title: "MASE", key: "mase", heading: "MASE",
            meaning: "Error over how much the item moved from week to week before", decimals: 3,
            rank: 9
        ) { $0.sums.scaled.mase7 },
        Column(
            title: "RMSSE", key: "rmsse", heading: "RMSSE",
            meaning: "The same by squares, from day to day", decimals: 3, rank: 12
        ) { $0.sums.scaled.rmsse },
        Column(
            title: "PINB90", key: "p90Pinball", heading: "P90 loss",
            meaning: "Pinball loss of the P90, in units", decimals: 3, rank: 11
        ) { $0.sums.p90.mean },
        Column(
            title: "IN90%", key: "p90CoveragePercent", heading: "In P90 %",
            meaning: "Days that sold no more than the P90: 90 is meant", decimals: 1, rank: 7
        ) { $0.sums.p90.coverage },
        Column(
            title: "PEND", key: "pendingForecasts", heading: "Pending",
            meaning: "Forecasts whose day is not final yet, or had no business", decimals: 0,
            rank: 5
        ) { Double($0.sums.pending) },
        Column(
            title: "COST", key: "compressionCostPoints", heading: "Cost",
            meaning:
                "What compression costs, in points of WAPE: on devices less uncompressed, same forecasts",
            rank: 1
        ) { $0.sums.compression.costPoints },
        Column(
            title: "UNCMP%", key: "uncompressedWapePercent", heading: "Uncompressed %",
            meaning: "WAPE of the uncompressed model, replayed on the hub", rank: 13
        ) { $0.sums.compression.uncompressedWape },
        Column(
            title: "", key: "replayedWapePercent", heading: "", meaning: "", isDetail: true
        ) { $0.sums.compression.deviceWape },
        Column(
            title: "", key: "replayedForecasts", heading: "", meaning: "", decimals: 0,
            isDetail: true
        ) { Double($0.sums.compression.count) },
        Column(
            title: "", key: "unreplayedForecasts", heading: "", meaning: "", decimals: 0,
            isDetail: true
        ) { Double($0.sums.unreplayed) },
    ]

    /// What people are shown.
    package static let shown = columns.filter { !$0.isDetail }

    /// What compression costs, and what of it is not known, in words.
    package static func compression(_ line: ReportLine?) -> String {
        let sums = line?.sums ?? ForecastSums()
        let of = sums.compression
        let missing = [
            (sums.unreplayed, "not yet"),
            (of.networkGone, "never: the uncompressed network is not here any more"),
            (of.inputsUnknown, "never: the hub does not know what the device forecast from"),
        ].filter { $0.0 > 0 }.map { "\($0.0) \($0.1)" }.joined(separator: "; ")
        guard sums.accuracy.count > 0 else {
            return "what compression costs is not known: no forecast can be compared yet"
        }
        guard of.count > 0 else {
            return
                "what compression costs is not known: no forecast was replayed uncompressed (\(missing))"
        }
        guard let cost = of.costPoints else {
            return "what compression costs is not known: nothing was sold on the days replayed"
        }
        let points = Figure.fixed(cost, decimals: 2)
        return "WAPE \(Figure.percent(of.deviceWape)) on devices, "
            + "\(Figure.percent(of.uncompressedWape)) uncompressed: compression costs \(points) points"
            + (missing.isEmpty
                ? ""
                : " (\(of.count) of \(sums.accuracy.count) forecasts replayed uncompressed; \(missing))")
    }

    /// One for each column that is shown; of no line, n/a.
    package static func cells(_ line: ReportLine?) -> [String] {
        shown.map { column in
            guard let line else { return column.decimals == 0 ? "0" : "n/a" }
            return Figure.fixed(column.value(line), decimals: column.decimals)
        }
    }

    /// A row of a table: a line, or the name of what no forecast came of.
    package struct Row: Sendable {
        package var name: String
        package var line: ReportLine?
    }

    package static func rows(_ lines: [ReportLine]) -> [Row] {
        lines.map { Row(name: $0.name, line: $0) }
    }

    /// Of stores: those with a line, and those named, in order.
    package static func rows(_ lines: [ReportLine], and named: [StoreID]) -> [Row] {
        guard !named.isEmpty else { return rows(lines) }
        let byName = Dictionary(lines.map { ($0.name, $0) }, uniquingKeysWith: { $1 })
        return named.sorted().map { Row(name: $0.text, line: byName[$0.text]) }
    }

    /// What a reader of this view must know beside its figures; nil: nothing.
    package static func note(_ view: ReportView, _ fleet: ReportFleet) -> String? {
        switch view {
        case .horizon:
            "devices send up the forecast that stood when the day closed: how good longer ones were"
                + " is not known"
        case .region where !fleet.hasRegions:
            "no device has a label \(ReportFleet.regionKey)=NAME; a join token gives it: token create"
                + " --label \(ReportFleet.regionKey)=north"
        default: nil
        }
    }

    /// RFC 4180. A figure that is not known is empty.
    package static func csv(_ rows: [Row], by view: ReportView) -> String {
        let header = [view.rawValue, "firstDay", "lastDay"] + columns.map(\.key)
        let records = rows.map { row -> [String] in
            [quoted(row.name), row.line?.firstDay.iso8601 ?? "", row.line?.lastDay.iso8601 ?? ""]
                + columns.map { column in
                    guard let line = row.line else { return column.decimals == 0 ? "0" : "" }
                    guard let value = column.value(line) else { return "" }
                    return column.decimals == 0 ? "\(Int(value))" : "\(value)"
                }
        }
        return ([header] + records).map { $0.joined(separator: ",") + "\r\n" }.joined()
    }

    private static func quoted(_ text: String) -> String {
        text.contains { $0 == "," || $0 == "\"" || $0.isNewline }
            ? "\"" + text.replacing("\"", with: "\"\"") + "\"" : text
    }
}
