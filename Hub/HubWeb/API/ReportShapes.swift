package import Forecasting
package import HubCore
package import JSONText

/// The report in JSON, as `report --json` and the API say it.
package enum ReportShapes {
    /// A line, or nil where no forecast came, under its name; nil: of all that was selected.
    package typealias Named = (line: ReportLine?, name: String?)

    private static func sums(_ named: Named) -> ForecastSums { named.line?.sums ?? ForecastSums() }

    package static let figures = Shape<Named>(
        "Figures", "How good forecasts were. Docs/report.md defines every figure.",
        [
            .textIfAny("name", "What the line is of; null: all that was selected.", "12") {
                $0.name
            },
            .count("forecasts", "Forecasts of final days, which were compared.", 1_204) {
                sums($0).accuracy.count
            },
            .dayIfAny("firstDay", "The first day of forecasts that came, pending or not.") {
                $0.line?.firstDay
            },
            .dayIfAny("lastDay", "The last day of forecasts that came, pending or not.") {
                $0.line?.lastDay
            },
            .number("actualUnits", "Units sold on the compared days.", 30_412) {
                sums($0).accuracy.actualSum
            },
            .number("forecastUnits", "Units forecast for these days.", 30_780.5) {
                sums($0).accuracy.forecastSum
            },
            .numberIfAny("wapePercent", "Sum of errors over sum of sales, in percent.") {
                sums($0).accuracy.wape
            },
            .numberIfAny("biasPercent", "In percent; above 0: too much was forecast.", 1.21) {
                sums($0).accuracy.bias
            },
            .numberIfAny(
                "mapePercent", "Mean of error over sales, in percent, days without sales left out."
            ) { sums($0).accuracy.mape },
            .count("excludedZeroActuals", "Days without sales, which MAPE leaves out.", 31) {
                sums($0).accuracy.zeroActualCount
            },
            .numberIfAny(
                "smapePercent", "Mean of error over the mean of sales and forecast, 0 to 200."
            ) { sums($0).accuracy.symmetricMAPE },
            .numberIfAny(
                "mase", "Error over how much the item moved from week to week before.", 0.81
            ) { sums($0).scaled.mase7 },
            .numberIfAny("rmsse", "The same by squares, from day to day.", 0.74) {
                sums($0).scaled.rmsse
            },
            .numberIfAny("p90Pinball", "Pinball loss of the P90, in units.", 0.62) {
                sums($0).p90.mean
            },
            .numberIfAny(
                "p90CoveragePercent",
                "Days that sold no more than the P90, in percent; 90 is meant.",
                91.2
            ) { sums($0).p90.coverage },
            .numberIfAny(
                "seasonalNaiveWapePercent", "WAPE of the same weekday a week before, in percent.",
                18.77
            ) { sums($0).seasonalNaive.wape },
            .numberIfAny("seasonalNaiveBiasPercent", "Its bias, in percent.", -0.4) {
                sums($0).seasonalNaive.bias
            },
            .numberIfAny(
                "valueAdded",
                "1 - WAPE over the WAPE of the same weekday a week before, a fraction.",
                0.33
            ) { sums($0).valueAdded },
            .countIfAny("series", "Items of stores that were compared with it; null: not counted.")
            {
                $0.line?.series
            },
            .countIfAny("seriesBetterThanNaive", "Of these, those with the smaller error.", 11) {
                $0.line?.seriesBetter
            },
            .numberIfAny("betterSharePercent", "Their share, in percent.", 91.7) {
                $0.line?.betterShare
            },
            .count("pendingForecasts", "Forecasts whose day is not final yet, or had no business.")
            {
                sums($0).pending
            },
            .numberIfAny(
                "replayedWapePercent",
                "Of the devices' forecasts that were replayed uncompressed; the two after are of the same forecasts."
            ) { sums($0).compression.deviceWape },
            .numberIfAny("uncompressedWapePercent", "Of the uncompressed model on these.", 12.58) {
                sums($0).compression.uncompressedWape
            },
            .numberIfAny(
                "compressionCostPoints", "The first less the second, in percent points.", 0.05
            ) {
                sums($0).compression.costPoints
            },
            .count("replayedForecasts", "Forecasts that were replayed.", 1_180) {
                sums($0).compression.count
            },
            .count("unreplayedForecasts", "Compared, and not replayed yet.", 24) {
                sums($0).unreplayed
            },
            .count("uncompressedNetworkGone", "Compared, and never to be replayed.", 0) {
                sums($0).compression.networkGone
            },
            .count(
                "forecastInputsUnknown", "The same: the device did not say what it made them from.",
                0
            ) {
                sums($0).compression.inputsUnknown
            },
        ])

    package struct Covered: Sendable {
        package var named: Named
        package var coverage: ReportCoverage

        package init(_ named: Named, _ coverage: ReportCoverage) {
            self.named = named
            self.coverage = coverage
        }
    }

    static let coverageFields: [Shape<ReportCoverage>.Field] = [
        .count("expectedForecasts", "Forecasts that devices owed.", 1_260) { $0.expectedForecasts },
        .count("receivedForecasts", "Of these, those that came.", 1_232) { $0.receivedForecasts },
        .numberIfAny("coveragePercent", "Their share, in percent.", 97.8) { $0.forecastShare },
        .count("expectedSalesDays", "Days that devices owed.", 84) { $0.expectedDays },
        .count("missingSalesDays", "Of these, those that have not come.", 2) { $0.missingDays },
        .numberIfAny("salesDaysPercent", "The share of those that came, in percent.", 97.6) {
            $0.dayShare
        },
        .count("devices", "Approved devices.", 3) { $0.devices.count },
        .count("devicesRunning", "Of these, those that run a package.", 3) { $0.devicesRunning },
    ]

    /// Figures with what was received of what there should be.
    package static let covered = Shape<Covered>(
        "CoveredFigures", "Figures, with what was received of what there should be.",
        figures.lifted { $0.named } + Shape("", "", coverageFields).lifted { $0.coverage })

    /// Of a store, in `report --json`, under two names.
    package static let store = covered.with(
        "", "", [.textIfAny("store", "The store.", "12") { $0.named.name }])

    package struct Device: Sendable {
        package var coverage: DeviceCoverage
        package var region: String?
        package var package: PackageRecord?
        package var running: RunningPackage?

        package init(_ coverage: DeviceCoverage, _ record: DeviceRecord?, _ fleet: ReportFleet) {
            self.coverage = coverage
            region = fleet.region(of: coverage.device)
            running = record?.running
            self.package = running.flatMap { fleet.package(digest: $0.digest) }
        }

        /// Of every device of a coverage.
        package static func all(
            of coverage: ReportCoverage, fleet: ReportFleet
        ) -> [Device] {
            let records = Dictionary(
                fleet.devices.map { ($0.id, $0) }, uniquingKeysWith: { first, _ in first })
            return coverage.devices.map { Device($0, records[$0.device], fleet) }
        }
    }

    package static let device = Shape<Device>(
        "DeviceCoverage", "What came of one device.",
        [
            .device { $0.coverage.device }, .store { $0.coverage.store },
            .textIfAny("region", "Of its label region=NAME.", "north") { $0.region },
            .textIfAny("variant", "Of the package it runs.", "profile-4") { $0.package?.variant },
            .countIfAny("release", "Of the package it runs.", 3) { $0.running?.release },
            .digestIfAny("digest", "SHA-256 of the package it runs.") { $0.running?.digest },
            .count("expectedForecasts", "Forecasts it owed.", 112) {
                $0.coverage.expectedForecasts
            },
            .count("receivedForecasts", "Of these, those that came.", 108) {
                $0.coverage.receivedForecasts
            },
            .count("missingForecasts", "Those that did not.", 4) { $0.coverage.missingForecasts },
            .count("expectedSalesDays", "Days it owed.", 28) { $0.coverage.expectedDays },
            .texts("missingSalesDays", "Of these, those that have not come.", ["2025-05-03"]) {
                $0.coverage.missingDays.map(\.iso8601)
            },
        ])

    static let coverageText = Shape<ReportCoverage>(
        "CoverageInWords", "What is missing, in words.",
        [
            .text("salesDays", "Of sales.", "2 of 84 sales days are missing") { $0.daysText },
            .text("forecasts", "Of forecasts.", "28 of 1260 forecasts are missing") {
                $0.forecastsText
            },
        ])

    /// All that `report --json` prints.
    package static func whole(
        _ view: ReportView, _ lines: [ReportLine], chain: ReportLine?, _ coverage: ReportCoverage,
        stores: [StoreID], fleet: ReportFleet
    ) -> JSONValue {
        let ofStores =
            view == .store
            ? ReportText.rows(lines, and: stores).map { row in
                store.json(
                    Covered(
                        (row.line, row.name),
                        coverage.of(coverage.devices.filter { $0.store.text == row.name })))
            } : []
        // Every object of figures has both names, of which one may be null.
        func both(_ value: JSONValue) -> JSONValue {
            guard case .object(let members) = value else { return value }
            return .object(members + [JSONValue.Member("store", .null)])
        }
        return .object([
            .init("by", .string(view.rawValue)),
            .init("lines", .array(lines.map { both(figures.json(($0, $0.name))) })),
            .init("stores", .array(ofStores)),
            .init("chain", both(covered.json(Covered((chain, nil), coverage)))),
            .init("devices", .array(Device.all(of: coverage, fleet: fleet).map(device.json))),
            .init("coverage", coverageText.json(coverage)),
            // In words what `chain` has as figures.
            .init("compression", .string(ReportText.compression(chain))),
        ])
    }
}
