package import Forecasting

/// What a store's figures say to somebody with a minute: whether it forecasts well, and what stands out where it does not.
/// Nothing here is a guess: each reason is a figure of the report, put into words.
package struct StoreFinding: Equatable, Sendable {
    package enum Standing: Int, Equatable, Sendable {
        case poor, unknown, good
    }

    /// Days that sell no more than the P90, in percent: 90 is meant.
    package static let coveredRange = 80.0...97.0
    /// In percent, either way.
    package static let biasMax = 10.0
    /// In percent of the forecasts expected.
    package static let receivedMin = 95.0
    /// Of a share of days there must be as many as this to say anything.
    package static let comparedMin = 28

    /// The rule, for whoever reads the findings.
    package static let rule =
        "well: a smaller error than last week's weekday, a bias within \(Int(biasMax)) %,"
        + " \(Int(coveredRange.lowerBound)) to \(Int(coveredRange.upperBound)) % of days within P90,"
        + " \(Int(receivedMin)) % of forecasts received"

    package var store: StoreID
    package var standing: Standing
    /// The weightiest first; empty where it forecasts well.
    package var reasons: [String]

    /// - Parameters:
    ///   - line: of the store; nil: no forecast of these days was received.
    ///   - items: lines of its items; empty: not looked at.
    ///   - devices: of the store.
    ///   - coverage: of the store's devices.
    package init(
        store: StoreID, line: ReportLine?, items: [ReportLine], devices: [DeviceRecord],
        coverage: ReportCoverage
    ) {
        self.store = store
        guard let line, line.sums.accuracy.count > 0 else {
            standing = .unknown
            reasons = [Self.silence(line, devices)]
            return
        }
        reasons = Self.shortcomings(line.sums) + Self.gaps(coverage)
        standing = reasons.isEmpty ? .good : .poor
        if !reasons.isEmpty, let item = Self.outstanding(items) { reasons.append(item) }
    }

    /// Why there is no figure.
    private static func silence(_ line: ReportLine?, _ devices: [DeviceRecord]) -> String {
        let approved = devices.filter { $0.status == .approved }
        if let line, line.sums.pending > 0 {
            return "\(Figure.count(line.sums.pending, "forecast")) of days that are not final yet"
        }
        if devices.isEmpty { return "no device has joined" }
        if approved.isEmpty { return "none of its devices is approved" }
        if !approved.contains(where: { $0.running != nil }) {
            return "no package runs on its \(Figure.count(approved.count, "device"))"
        }
        return "no forecast of these days was received"
    }

    private static func shortcomings(_ sums: ForecastSums) -> [String] {
        var found: [String] = []
        if let added = sums.valueAdded, added < 0 {
            found.append(
                "its error is larger than last week's weekday's:"
                    + " \(Figure.percent(sums.comparable.wape)) against"
                    + " \(Figure.percent(sums.seasonalNaive.wape))")
        }
        if let bias = sums.accuracy.bias, abs(bias) > biasMax {
            found.append(
                "it forecasts \(Figure.percent(abs(bias), decimals: 1))"
                    + " \(bias > 0 ? "more" : "less") than was sold")
        }
        if let covered = sums.p90.coverage, sums.p90.count >= comparedMin,
            !coveredRange.contains(covered)
        {
            found.append(
                "\(Figure.percent(covered, decimals: 1)) of days sold no more than the P90,"
                    + " 90 % is meant")
        }
        return found
    }

    private static func gaps(_ coverage: ReportCoverage) -> [String] {
        var found: [String] = []
        if let share = coverage.forecastShare, share < receivedMin {
            found.append(
                "\(coverage.expectedForecasts - coverage.receivedForecasts) of"
                    + " \(coverage.expectedForecasts) forecasts are missing")
        }
        if coverage.missingDays > 0, let share = coverage.dayShare, share < receivedMin {
            found.append("\(Figure.count(coverage.missingDays, "sales day")) are missing")
        }
        return found
    }

    /// One item whose share of the error is far above its share of the sales.
    private static func outstanding(_ items: [ReportLine]) -> String? {
        let errors = items.reduce(0) { $0 + $1.sums.accuracy.absoluteErrorSum }
        let sales = items.reduce(0) { $0 + $1.sums.accuracy.actualSum }
        guard items.count > 2, errors > 0, sales > 0,
            let worst = items.max(by: {
                $0.sums.accuracy.absoluteErrorSum < $1.sums.accuracy.absoluteErrorSum
            })
        else { return nil }
        let ofError = worst.sums.accuracy.absoluteErrorSum / errors
        let ofSales = worst.sums.accuracy.actualSum / sales
        guard ofError >= 0.25, ofError >= 1.5 * ofSales else { return nil }
        return
            "item \(worst.name) makes \(Figure.percent(100 * ofError, decimals: 0)) of the error and"
            + " \(Figure.percent(100 * ofSales, decimals: 0)) of the sales"
    }
}
