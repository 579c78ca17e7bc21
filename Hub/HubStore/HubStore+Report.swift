import Forecasting
package import HubCore

/// The report as every reader gets it, command and page alike.
extension HubStore {
    package func reportFleet() async throws -> ReportFleet {
        ReportFleet(
            devices: try await devices(store: nil), packages: try await packages(family: nil),
            given: try await givenPackages())
    }

    /// - Parameter countsSeries: whether the lines say how many items beat the seasonal naive. Costs little for the chain,
    ///   stores and items, else the reading of every forecast.
    package func reportLines(
        _ view: ReportView, of selection: ReportSelection, fleet: ReportFleet,
        countsSeries: Bool = true
    ) async throws -> [ReportLine] {
        var lines = ReportLines(view, of: selection, fleet: fleet)
        let isWhole = selection.region == nil && selection.device == nil && selection.item == nil
        let isOfSeries = view == .chain || view == .horizon || view == .store || view == .item
        var parts = view.parts
        if countsSeries, !(isWhole && isOfSeries) { parts.formUnion([.store, .item]) }
        for row in try await forecastSums(selection.query(by: parts)) { lines.add(row) }
        if countsSeries, isWhole, isOfSeries {
            let errors = try await seriesErrors(
                store: selection.store, from: selection.first, through: selection.last)
            for one in errors { lines.add(one) }
        }
        return lines.lines()
    }

    /// What came of each approved device of the selection; an item makes no difference.
    package func reportCoverage(
        of selection: ReportSelection, fleet: ReportFleet
    ) async throws -> ReportCoverage {
        let devices = fleet.devices.filter { device in
            (selection.store == nil || device.store == selection.store)
                && (selection.device == nil || device.id == selection.device)
                && (selection.region == nil || fleet.region(of: device.id) == selection.region)
        }
        let reports = try await reportedDays(
            store: nil, from: selection.first, through: selection.last)
        var query = selection.query(by: [.device, .day])
        query.item = nil
        var forecasts: [DeviceID: [BusinessDay: Int]] = [:]
        for row in try await forecastSums(query) {
            guard let device = row.key.device, let day = row.key.day else { continue }
            forecasts[device, default: [:]][day] = row.sums.forecasts
        }
        return ReportCoverage(
            devices: devices, reports: reports, first: selection.first,
            through: reports.compactMap { $0.days.last?.day }.max(), forecasts: forecasts,
            items: try await seriesCounts())
    }
}
