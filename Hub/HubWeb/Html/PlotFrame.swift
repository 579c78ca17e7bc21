import Forecasting
import HubCore

/// The frame of a plot over days: where a day and a value lie, the grid, the dates. Each plot is drawn twice, for a desk and
/// for a phone, so that neither has its words shrunk.
struct PlotFrame: Sendable {
    /// Which of the drawings a screen shows: a class of the stylesheet.
    var shownOn: String
    /// In CSS pixels.
    var width: Double
    var height: Double

    static let both = [
        PlotFrame(shownOn: "wide", width: 1180, height: 260),
        PlotFrame(shownOn: "narrow", width: 360, height: 220),
    ]

    private static let (left, right, top, bottom) = (40.0, 8.0, 8.0, 26.0)

    /// Days and values that a plot shows; what is above `top` runs out at the top.
    struct Scale: Sendable {
        var first: BusinessDay
        var last: BusinessDay
        var top: Double

        /// - Parameter values: all there are; one wild one does not flatten all others.
        /// - Returns: nil where there is nothing to draw: fewer than two days, or no value.
        init?(days: [BusinessDay], values: [Double], topMin: Double) {
            guard let first = days.min(), let last = days.max(), last > first, !values.isEmpty
            else { return nil }
            let sorted = values.sorted()
            (self.first, self.last) = (first, last)
            top = max(topMin, sorted[(sorted.count - 1) * 97 / 100] * 1.15)
        }
    }

    func x(_ day: BusinessDay, _ scale: Scale) -> Double {
        Self.left
            + (width - Self.left - Self.right) * Double(day - scale.first)
            / Double(scale.last - scale.first)
    }

    func y(_ value: Double, _ scale: Scale) -> Double {
        Self.top
            + (height - Self.bottom - Self.top) * (1 - min(max(0, value), scale.top) / scale.top)
    }

    static func text(_ value: Double) -> String { Figure.fixed(value, decimals: 1) }

    /// A line through the days that have a value; a day without one is a gap, not a straight line over it.
    func path(_ points: [(day: BusinessDay, value: Double?)], _ scale: Scale) -> String {
        var path = ""
        var previous: BusinessDay?
        for point in points {
            guard let value = point.value else { continue }
            let joins = previous.map { point.day - $0 == 1 } ?? false
            path += "\(joins ? "L" : "M")\(Self.text(x(point.day, scale)))"
            path += " \(Self.text(y(value, scale)))"
            if !joins { path += "h0.1" }
            previous = point.day
        }
        return path
    }

    /// Upright lines at days on which something changed.
    func uprights(_ days: [BusinessDay], _ scale: Scale) -> [Markup] {
        days.map { day in
            let x = Self.text(x(day, scale))
            return """
                <line class="change" x1="\(x)" x2="\(x)" y1="\(Self.text(Self.top))" y2="\(Self.text(y(0, scale)))"/>
                """
        }
    }

    /// The areas between nought and the values of days that follow one another.
    func area(_ points: [(day: BusinessDay, value: Double?)], _ scale: Scale) -> String {
        var path = ""
        var run: [(day: BusinessDay, value: Double)] = []
        func close() {
            guard let first = run.first, let last = run.last, run.count > 1 else {
                run = []
                return
            }
            let base = Self.text(y(0, scale))
            path += "M\(Self.text(x(first.day, scale))) \(base)"
            for point in run {
                path += "L\(Self.text(x(point.day, scale))) \(Self.text(y(point.value, scale)))"
            }
            path += "L\(Self.text(x(last.day, scale))) \(base)Z"
            run = []
        }
        for point in points {
            guard let value = point.value else { continue }
            if let last = run.last, point.day - last.day != 1 { close() }
            run.append((point.day, value))
        }
        close()
        return path
    }

    /// - Parameters:
    ///   - label: read to who cannot see it.
    ///   - content: drawn over the grid.
    func drawing(_ scale: Scale, label: String, _ content: Markup) -> Markup {
        let step = Self.step(scale.top)
        let lines: [Markup] = stride(from: 0, through: scale.top, by: step).map { value in
            let height = Self.text(y(value, scale))
            return """
                <line class="grid" x1="\(Self.text(Self.left))" x2="\(Self.text(width - Self.right))" y1="\(height)" y2="\(height)"/>\
                <text x="\(Self.text(Self.left - 8))" y="\(Self.text(y(value, scale) + 4))" text-anchor="end">\(Self.label(value, step))</text>
                """
        }
        let foot = Self.text(height - 4)
        return """
            <svg class="\(shownOn)" viewBox="0 0 \(Self.text(width)) \(Self.text(height))" role="img" aria-label="\(label)">
            \(lines)
            \(content)
            <text x="\(Self.text(Self.left))" y="\(foot)">\(scale.first.iso8601)</text>
            <text x="\(Self.text(width - Self.right))" y="\(foot)" text-anchor="end">\(scale.last.iso8601)</text>
            </svg>
            """
    }

    /// Some four to eight lines: 1, 2 or 5 times a power of ten apart.
    private static func step(_ top: Double) -> Double {
        var power = 0.001
        while power < 1e9 {
            for factor in [1.0, 2, 5] where top / (power * factor) <= 8 { return power * factor }
            power *= 10
        }
        return top
    }

    private static func label(_ value: Double, _ step: Double) -> String {
        Figure.fixed(value, decimals: step >= 1 ? 0 : step >= 0.1 ? 1 : 3)
    }
}
