import Forecasting
import HTTPTypes
import HubCore
import HubStore
import Hummingbird

/// One item of one store: what was sold beside what was forecast, the P90, the error, and when the model changed.
enum ItemPage {
    static func add(to pages: PageRoutes, _ visits: Visits) {
        pages.page("stores/:store/items/:item", visits) { try await page($0) }
    }

    private static func page(_ visit: Visit) async throws -> Page {
        let store: StoreID = try visit.identifier("store")
        let item: ItemID = try visit.identifier("item")
        guard try await visit.store.items(store: store).contains(item) else {
            throw Refusal(.notFound, "Store \(store.text) has no item \(item.text).")
        }
        let range = try await DayRange(visit)
        let fleet = try await visit.store.reportFleet()
        let forecasts = try await visit.store.seriesForecasts(
            store: store, item: item, from: range.first, through: range.last)
        let selection = ReportSelection(
            store: store, item: item, first: range.first, last: range.last)
        let line = try await visit.store.reportLines(.chain, of: selection, fleet: fleet).first
        let path = Link("stores", store.text, "items", item.text)
        var page = Page("Item \(item.text)", in: .stores)
        page.crumbs = [
            ("Stores", Link("stores", query: range.query)),
            ("Store \(store.text)", Link("stores", store.text, query: range.query)),
        ]
        page.scope = "In store \(store.text), \(DayRange.text(line))"
        page.command =
            "shelfcast-hub report --by day --store \(store.text) --item \(item.text)\(range.options)"
        let byDevice = Dictionary(grouping: forecasts, by: \.device)
        let devices = byDevice.keys.sorted()
        // The one that says most, unless the address says another.
        let shown =
            visit.query["device"].flatMap { name in devices.first { $0.text == name } }
            ?? devices.max { byDevice[$0]?.count ?? 0 < byDevice[$1]?.count ?? 0 }
        page.body = """
            \(range.links(path))
            \(ReportMarkup.tiles(line, of: selection))
            <section><h2>Sold and forecast</h2>
            \(choice(devices, shown, path, range))
            \(series(shown.flatMap { byDevice[$0] } ?? [], of: shown, fleet))
            </section>
            """
        return page
    }

    private static func choice(
        _ devices: [DeviceID], _ shown: DeviceID?, _ path: Link, _ range: DayRange
    ) -> Markup {
        guard let shown else { return .empty }
        let name = Link("fleet", shown.text).to(shown.text)
        guard devices.count > 1 else { return "<p class=\"note\">As device \(name) forecast.</p>" }
        let links: [Markup] = devices.map { device in
            let link = path.with(range.query + [("device", device.text)])
            let current: Markup = device == shown ? " aria-current=\"true\"" : .empty
            return "<a href=\"\(link.text)\"\(current)>\(device.text)</a>\n"
        }
        return """
            <p class="note">As device \(name) forecast; each device of a store forecasts by itself.</p>
            <nav class="ranges" aria-label="Devices">\(links)</nav>
            """
    }

    private static func series(
        _ forecasts: [SeriesForecast], of device: DeviceID?, _ fleet: ReportFleet
    ) -> Markup {
        guard let device, !forecasts.isEmpty else {
            return "<p class=\"note\">No forecast of these days was received.</p>"
        }
        func name(_ release: UInt64) -> String {
            fleet.modelName(release: release, on: device)
        }
        var changes: [(day: BusinessDay, name: String)] = []
        for (before, after) in zip(forecasts, forecasts.dropFirst())
        where before.release != after.release {
            changes.append((after.day, name(after.release)))
        }
        var table = PageTable(
            "Every day as figures",
            columns: [
                .init("Day", isText: true), .init("Sold"), .init("Forecast"), .init("P90"),
                .init("Error"), .init("Last week's weekday"), .init("Model", isText: true),
            ])
        for forecast in forecasts.reversed() {
            let pair = forecast.pair
            let actual = pair.actualUnits.map(Double.init)
            table.add([
                .init(forecast.day.iso8601),
                actual == nil
                    ? .init("pending", isUnknown: true)
                    : .init(Figure.fixed(actual, decimals: 0)),
                .init(Figure.fixed(pair.forecastUnits, decimals: 2)),
                .init(Figure.fixed(pair.p90Units.map(Double.init), decimals: 0)),
                .init(Figure.fixed(actual.map { pair.forecastUnits - $0 }, decimals: 2)),
                .init(Figure.fixed(pair.seasonalNaiveUnits.map(Double.init), decimals: 0)),
                .init(name(forecast.release)),
            ])
        }
        let list: [Markup] = changes.map {
            "<li>\($0.day.iso8601): \($0.name)</li>\n"
        }
        let models: Markup =
            changes.isEmpty
            ? "<p class=\"note\">All by \(name(forecasts[0].release)).</p>"
            : """
            <p class="note">The first by \(name(forecasts[0].release)); the model changed on:</p><ul>\(list)</ul>
            """
        return """
            \(SeriesPlot.markup(forecasts, changes: changes.map(\.day)))
            \(models)
            <details open><summary>Every day as figures</summary>\(table.markup)</details>
            """
    }
}

/// What was sold as dots, what was forecast as a line, up to the P90 as a band, changes of the model as upright lines.
enum SeriesPlot {
    /// - Parameter forecasts: of one device, ascending by day.
    static func markup(_ forecasts: [SeriesForecast], changes: [BusinessDay]) -> Markup {
        let own = forecasts.map { (day: $0.day, value: Optional($0.pair.forecastUnits)) }
        let sold = forecasts.map { (day: $0.day, value: $0.pair.actualUnits.map(Double.init)) }
        let band = forecasts.map { (day: $0.day, value: $0.pair.p90Units.map(Double.init)) }
        guard
            let scale = PlotFrame.Scale(
                days: forecasts.map(\.day), values: (own + sold + band).compactMap(\.value),
                topMin: 1)
        else { return .empty }
        let drawings: [Markup] = PlotFrame.both.map { frame in
            let marks = frame.uprights(changes, scale)
            let radius = forecasts.count > 120 ? "1.6" : "2.6"
            let dots: [Markup] = sold.compactMap { point in
                point.value.map { value in
                    """
                    <circle class="actual" cx="\(PlotFrame.text(frame.x(point.day, scale)))" cy="\(PlotFrame.text(frame.y(value, scale)))" r="\(radius)"/>
                    """
                }
            }
            return frame.drawing(
                scale, label: "Units sold and forecast by day; the figures are in the table",
                """
                <path class="band" d="\(frame.area(band, scale))"/>\(marks)\
                <path class="own" d="\(frame.path(own, scale))"/>\(dots)
                """)
        }
        let change: Markup? =
            changes.isEmpty
            ? nil : "<span><span class=\"key change\"></span>another model</span>"
        return """
            <p class="legend"><span><span class="key actual"></span>units sold</span> \
            <span><span class="key own"></span>forecast the evening before</span> \
            <span><span class="key band"></span>up to the P90</span> \(change)</p>
            \(drawings)
            """
    }
}
