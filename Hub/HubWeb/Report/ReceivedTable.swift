import Forecasting
package import HubCore

/// What came of what there should be, device by device, those that lack something first.
package struct ReceivedTable {
    private var table: PageTable

    /// - Parameter isLinked: to the pages of devices and stores.
    package init(_ coverage: ReportCoverage, fleet: ReportFleet, isLinked: Bool) {
        let running = Dictionary(
            fleet.devices.map { ($0.id, $0.running) }, uniquingKeysWith: { $1 })
        table = PageTable(
            "What was received",
            columns: [
                .init("Device", isText: true), .init("Store", isText: true),
                .init("Runs", isText: true), .init("Sales days"),
                .init("Missing days", isText: true), .init("Forecasts"),
            ])
        table.isNamed = true
        let sorted = coverage.devices.enumerated().sorted { a, b in
            let (x, y) = (a.element, b.element)
            return (y.missingDays.count, y.missingForecasts, a.offset)
                < (x.missingDays.count, x.missingForecasts, b.offset)
        }.map(\.element)
        func name(_ text: String, _ page: String) -> PageTable.Cell {
            isLinked ? .init(Link(page, text).to(text)) : .init(text)
        }
        for device in sorted {
            let runs = running[device.device] ?? nil
            table.add([
                name(device.device.text, "fleet"), name(device.store.text, "stores"),
                .init(
                    runs.map { fleet.package(digest: $0.digest)?.variant ?? "unknown" } ?? "none"),
                .init(
                    ReportMarkup.share(
                        device.expectedDays - device.missingDays.count, of: device.expectedDays)),
                .init(ReportMarkup.missing(device.missingDays)),
                .init(
                    ReportMarkup.share(
                        device.receivedForecasts, of: device.expectedForecasts)),
            ])
        }
    }

    package var markup: Markup {
        table.rows.isEmpty
            ? """
            <section><h2>What was received</h2><p class="note">No approved device is here.</p></section>
            """
            : "<section><h2>What was received</h2>\(table.markup)</section>"
    }
}
