import Forecasting
import HubCore
import HubSync
import HubWeb

/// The report as JSON.
struct ReportOutput: Encodable {
    struct Figures: Encodable {
        /// Of the line; in `stores` also as `store`.
        @Nullable var name: String?
        @Nullable var store: String?
        var forecasts: Int
        @Nullable var firstDay: String?
        @Nullable var lastDay: String?
        var actualUnits: Double
        var forecastUnits: Double
        @Nullable var wapePercent: Double?
        @Nullable var biasPercent: Double?
        @Nullable var mapePercent: Double?
        var excludedZeroActuals: Int
        @Nullable var smapePercent: Double?
        @Nullable var mase: Double?
        @Nullable var rmsse: Double?
        @Nullable var p90Pinball: Double?
        @Nullable var p90CoveragePercent: Double?
        @Nullable var seasonalNaiveWapePercent: Double?
        @Nullable var seasonalNaiveBiasPercent: Double?
        @Nullable var valueAdded: Double?
        @Nullable var series: Int?
        @Nullable var seriesBetterThanNaive: Int?
        @Nullable var betterSharePercent: Double?
        var pendingForecasts: Int
        /// Of the devices' forecasts that were replayed uncompressed; the two after are of the same forecasts.
        @Nullable var replayedWapePercent: Double?
        @Nullable var uncompressedWapePercent: Double?
        @Nullable var compressionCostPoints: Double?
        var replayedForecasts: Int
        /// Compared, and not replayed yet.
        var unreplayedForecasts: Int
        /// Compared, and never to be replayed.
        var uncompressedNetworkGone: Int
        var forecastInputsUnknown: Int

        init(_ line: ReportLine?, name: String?) {
            let sums = line?.sums ?? ForecastSums()
            self.name = name
            store = nil
            forecasts = sums.accuracy.count
            firstDay = line?.firstDay.iso8601
            lastDay = line?.lastDay.iso8601
            actualUnits = sums.accuracy.actualSum
            forecastUnits = sums.accuracy.forecastSum
            wapePercent = sums.accuracy.wape
            biasPercent = sums.accuracy.bias
            mapePercent = sums.accuracy.mape
            excludedZeroActuals = sums.accuracy.zeroActualCount
            smapePercent = sums.accuracy.symmetricMAPE
            mase = sums.scaled.mase7
            rmsse = sums.scaled.rmsse
            p90Pinball = sums.p90.mean
            p90CoveragePercent = sums.p90.coverage
            seasonalNaiveWapePercent = sums.seasonalNaive.wape
            seasonalNaiveBiasPercent = sums.seasonalNaive.bias
            valueAdded = sums.valueAdded
            series = line?.series
            seriesBetterThanNaive = line?.seriesBetter
            betterSharePercent = line?.betterShare
            pendingForecasts = sums.pending
            replayedWapePercent = sums.compression.deviceWape
            uncompressedWapePercent = sums.compression.uncompressedWape
            compressionCostPoints = sums.compression.costPoints
            replayedForecasts = sums.compression.count
            unreplayedForecasts = sums.unreplayed
            uncompressedNetworkGone = sums.compression.networkGone
            forecastInputsUnknown = sums.compression.inputsUnknown
        }
    }

    /// Figures with what was received of what there should be.
    struct Covered: Encodable {
        var figures: Figures
        var coverage: ReportCoverage

        private enum Key: String, CodingKey {
            case expectedForecasts, receivedForecasts, coveragePercent, expectedSalesDays,
                missingSalesDays, salesDaysPercent, devices, devicesRunning
        }

        func encode(to encoder: any Encoder) throws {
            try figures.encode(to: encoder)
            var container = encoder.container(keyedBy: Key.self)
            try container.encode(coverage.expectedForecasts, forKey: .expectedForecasts)
            try container.encode(coverage.receivedForecasts, forKey: .receivedForecasts)
            try container.encode(coverage.forecastShare, forKey: .coveragePercent)
            try container.encode(coverage.expectedDays, forKey: .expectedSalesDays)
            try container.encode(coverage.missingDays, forKey: .missingSalesDays)
            try container.encode(coverage.dayShare, forKey: .salesDaysPercent)
            try container.encode(coverage.devices.count, forKey: .devices)
            try container.encode(coverage.devicesRunning, forKey: .devicesRunning)
        }
    }

    struct Device: Encodable {
        var device: String
        var store: String
        @Nullable var region: String?
        @Nullable var variant: String?
        @Nullable var release: UInt64?
        @Nullable var digest: String?
        var expectedForecasts: Int
        var receivedForecasts: Int
        var missingForecasts: Int
        var expectedSalesDays: Int
        var missingSalesDays: [String]
    }

    struct Coverage: Encodable {
        var salesDays: String
        var forecasts: String
    }

    /// In words what `chain` has as figures.
    var compression: String

    var by: String
    var lines: [Figures]
    /// By store alone.
    var stores: [Covered]
    /// All of the selection together.
    var chain: Covered
    var devices: [Device]
    var coverage: Coverage

    init(
        _ view: ReportView, _ lines: [ReportLine], chain: ReportLine?, _ coverage: ReportCoverage,
        selection: ReportSelection, stores: [StoreID], fleet: ReportFleet
    ) {
        by = view.rawValue
        compression = ReportText.compression(chain)
        self.lines = lines.map { Figures($0, name: $0.name) }
        self.chain = Covered(figures: Figures(chain, name: nil), coverage: coverage)
        self.stores =
            view == .store
            ? ReportText.rows(lines, and: stores).map { row in
                var figures = Figures(row.line, name: row.name)
                figures.store = row.name
                return Covered(
                    figures: figures,
                    coverage: coverage.of(coverage.devices.filter { $0.store.text == row.name }))
            } : []
        let running = Dictionary(
            uniqueKeysWithValues: fleet.devices.map { ($0.id, $0.running) })
        devices = coverage.devices.map { one in
            let package = running[one.device] ?? nil
            return Device(
                device: one.device.text, store: one.store.text,
                region: fleet.region(of: one.device),
                variant: package.flatMap { fleet.package(digest: $0.digest)?.variant },
                release: package?.release, digest: package.map { hexadecimal($0.digest) },
                expectedForecasts: one.expectedForecasts,
                receivedForecasts: one.receivedForecasts,
                missingForecasts: one.missingForecasts, expectedSalesDays: one.expectedDays,
                missingSalesDays: one.missingDays.map(\.iso8601))
        }
        self.coverage = Coverage(
            salesDays: coverage.daysText, forecasts: coverage.forecastsText)
    }
}
