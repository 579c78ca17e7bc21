import Forecasting
package import HubCore

/// A table of a report.
package struct ReportTable: Sendable {
    package var view: ReportView
    /// Whether its lines say how many items beat the seasonal naive. Costs little for the chain, stores and items, else the
    /// reading of every forecast.
    package var countsSeries: Bool

    package init(_ view: ReportView, countsSeries: Bool = true) {
        self.view = view
        self.countsSeries = countsSeries
    }
}

/// The report as every reader gets it, command and page alike.
extension HubStore {
    package func reportFleet() async throws -> ReportFleet {
        ReportFleet(
            devices: try await devices(store: nil), packages: try await packages(family: nil),
            given: try await givenPackages())
    }

    /// One view; see `reportTables`.
    package func reportLines(
        _ view: ReportView, of selection: ReportSelection, fleet: ReportFleet
    ) async throws -> [ReportLine] {
        try await reportTables([ReportTable(view)], of: selection, fleet: fleet)[0]
    }

    /// The lines of several views of the same forecasts, in the order of `tables`. What they have in common is read once.
    package func reportTables(
        _ tables: [ReportTable], of selection: ReportSelection, fleet: ReportFleet
    ) async throws -> [[ReportLine]] {
        let isWhole = selection.region == nil && selection.device == nil && selection.item == nil
        var found = tables.map { ReportLines($0.view, of: selection, fleet: fleet) }
        // Whether a table's items are counted from each forecast, not from the errors of their weeks.
        func countsForecasts(_ table: ReportTable) -> Bool {
            table.countsSeries && !(isWhole && table.view.isOfSeries)
        }
        // Days apart: days by all the others would be every row there is.
        let readings: [(ReportTable) -> Bool] = [
            { $0.view != .day && $0.view != .item && !countsForecasts($0) },
            { $0.view == .day && !countsForecasts($0) },
            { $0.view != .day && ($0.view == .item || countsForecasts($0)) },
            { $0.view == .day && countsForecasts($0) },
        ]
        for reads in readings {
            let positions = tables.indices.filter { reads(tables[$0]) }
            guard !positions.isEmpty else { continue }
            var parts: Set<ReportQuery.Part> = []
            for position in positions {
                parts.formUnion(tables[position].view.parts)
                if countsForecasts(tables[position]) { parts.formUnion([.store, .item]) }
            }
            for row in try await forecastSums(selection.query(by: parts)) {
                for position in positions {
                    found[position].add(row, countsSeries: countsForecasts(tables[position]))
                }
            }
        }
        let ofWeeks = tables.indices.filter {
            tables[$0].countsSeries && !countsForecasts(tables[$0])
        }
        if !ofWeeks.isEmpty {
            let errors = try await seriesErrors(
                store: selection.store, from: selection.first, through: selection.last)
            for position in ofWeeks {
                for one in errors { found[position].add(one) }
            }
        }
        return found.map { $0.lines() }
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
        let forecasts = try await forecastCounts(
            store: selection.store, from: selection.first, through: selection.last)
        return ReportCoverage(
            devices: devices, reports: reports, first: selection.first,
            through: reports.compactMap { $0.days.last?.day }.max(), forecasts: forecasts,
            items: try await seriesCounts())
    }
}
