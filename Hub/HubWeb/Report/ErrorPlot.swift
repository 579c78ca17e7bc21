package import Forecasting
package import HubCore

/// WAPE by day beside that of the same weekday last week; the figures stand in a table of days.
package enum ErrorPlot {
    /// Something that happened on a day: an upright line in the plot, and a line of words below it.
    package struct Mark: Sendable {
        package var day: BusinessDay
        package var text: Markup

        package init(day: BusinessDay, text: Markup) {
            self.day = day
            self.text = text
        }
    }

    /// - Parameter days: lines of `ReportView.day`, ascending.
    /// - Returns: empty where there is nothing to draw.
    package static func markup(_ days: [ReportLine], marks: [Mark] = []) -> Markup {
        let own = days.map { (day: $0.firstDay, value: $0.sums.accuracy.wape) }
        let naive = days.map { (day: $0.firstDay, value: $0.sums.seasonalNaive.wape) }
        guard
            let scale = PlotFrame.Scale(
                days: days.map(\.firstDay), values: (own + naive).compactMap(\.value), topMin: 10)
        else { return .empty }
        let shown = marks.filter { scale.first <= $0.day && $0.day <= scale.last }
        let drawings: [Markup] = PlotFrame.both.map { frame in
            frame.drawing(
                scale, label: "WAPE by day; the figures are in the table of days",
                """
                \(frame.uprights(shown.map(\.day), scale))\
                <path class="naive" d="\(frame.path(naive, scale))"/>\
                <path class="own" d="\(frame.path(own, scale))"/>
                """)
        }
        return """
            <p class="legend"><span><span class="key own"></span>WAPE of the forecasts,</span> \
            <span><span class="key naive"></span>of the same weekday last week, in percent</span></p>
            \(drawings)\(list(shown))
            """
    }

    private static func list(_ marks: [Mark]) -> Markup {
        guard !marks.isEmpty else { return .empty }
        let items: [Markup] = marks.sorted { $0.day < $1.day }.map {
            "<li><span class=\"key change\"></span>\($0.day.iso8601): \($0.text)</li>\n"
        }
        return "<ul class=\"marks\">\(items)</ul>"
    }
}
