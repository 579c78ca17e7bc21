import Foundation

/// Error against bytes as a self-contained SVG: bytes on a logarithmic axis, every point with its name, the front as a
/// line. Colours follow the reader's light or dark setting.
package struct FrontierPlot: Sendable {
    package struct Point: Sendable {
        package var name: String
        /// Above 0.
        package var bytes: Double
        package var error: Double
        /// Half the length of the error bar; 0 for none.
        package var spread: Double
        /// Index into `groups`.
        package var group: Int
        package var isOnFront: Bool

        package init(
            name: String, bytes: Double, error: Double, spread: Double = 0, group: Int = 0,
            isOnFront: Bool = false
        ) {
            self.name = name
            self.bytes = bytes
            self.error = error
            self.spread = spread
            self.group = group
            self.isOnFront = isOnFront
        }
    }

    package var title: String
    package var bytesLabel: String
    package var errorLabel: String
    /// At most six are told apart by colour.
    package var groups: [String]
    package var points: [Point]

    package init(
        title: String, bytesLabel: String, errorLabel: String, groups: [String], points: [Point]
    ) {
        self.title = title
        self.bytesLabel = bytesLabel
        self.errorLabel = errorLabel
        self.groups = groups
        self.points = points
    }

    private static let colours = ["#2563a8", "#b5482a", "#3b7d3f", "#7a4fa3", "#8a6d00", "#0f7c80"]
    private static let (width, height) = (880.0, 520.0)
    private static let (left, right, top, bottom) = (72.0, 24.0, 56.0, 64.0)

    /// The document. A plot of nothing says so.
    package var svg: String {
        let drawn = points.filter { $0.bytes > 0 && $0.bytes.isFinite && $0.error.isFinite }
        var lines = [
            """
            <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 \(Self.text(Self.width)) \
            \(Self.text(Self.height))" role="img" aria-label="\(Self.escaped(title))" \
            font-family="system-ui, sans-serif" font-size="12">
            """,
            """
            <style>.ink{fill:#1b1f24}.dim{fill:#5b6470}.line{stroke:#c9cfd6}.paper{fill:#fff}\
            .front{stroke:#5b6470}@media(prefers-color-scheme:dark){.ink{fill:#e6e9ed}\
            .dim{fill:#9aa4b0}.line{stroke:#3a424c}.paper{fill:#14181d}.front{stroke:#9aa4b0}}</style>
            """,
            """
            <rect class="paper" width="\(Self.text(Self.width))" height="\(Self.text(Self.height))"/>
            """,
            """
            <text class="ink" x="\(Self.text(Self.left))" y="26" font-size="16" \
            font-weight="600">\(Self.escaped(title))</text>
            """,
        ]
        if drawn.isEmpty {
            lines.append(
                """
                <text class="dim" x="\(Self.text(Self.left))" y="80">Nothing was measured.</text>
                """)
        } else {
            let axes = Axes(drawn)
            lines += grid(axes) + front(drawn, axes) + marks(drawn, axes) + legend()
        }
        lines.append("</svg>")
        return lines.joined(separator: "\n") + "\n"
    }

    private struct Axes {
        var bytes: ClosedRange<Double>
        var error: ClosedRange<Double>

        init(_ points: [Point]) {
            let low = points.map(\.bytes).min()!
            let high = points.map(\.bytes).max()!
            // From a power of two to a power of two.
            bytes =
                log2(low * 0.9).rounded(
                    .down)...max(
                    log2(high * 1.1).rounded(.up), log2(low * 0.9).rounded(.down) + 1)
            let least = points.map { $0.error - $0.spread }.min()!
            let most = points.map { $0.error + $0.spread }.max()!
            let room = max((most - least) * 0.08, 0.1)
            error = least - room...most + room
        }

        func x(_ bytes: Double) -> Double {
            let share =
                (log2(bytes) - self.bytes.lowerBound)
                / (self.bytes.upperBound - self.bytes.lowerBound)
            return left + share * (width - left - right)
        }

        func y(_ error: Double) -> Double {
            let share =
                (error - self.error.lowerBound) / (self.error.upperBound - self.error.lowerBound)
            return height - bottom - share * (height - top - bottom)
        }
    }

    private func grid(_ axes: Axes) -> [String] {
        var lines: [String] = []
        let base = Self.height - Self.bottom
        let powers = Int(axes.bytes.lowerBound)...Int(axes.bytes.upperBound)
        // Few powers of two leave room for the values half way between.
        let ticks = powers.flatMap { power in
            let value = exp2(Double(power))
            return powers.count <= 4 && power < powers.upperBound ? [value, 1.5 * value] : [value]
        }
        for tick in ticks {
            let x = Self.text(axes.x(tick))
            lines.append(
                """
                <line class="line" x1="\(x)" x2="\(x)" y1="\(Self.text(Self.top))" \
                y2="\(Self.text(base))"/>\
                <text class="dim" x="\(x)" y="\(Self.text(base + 18))" \
                text-anchor="middle">\(Self.bytes(tick))</text>
                """)
        }
        let span = axes.error.upperBound - axes.error.lowerBound
        let step = [0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50].first { span / $0 <= 8 } ?? 100
        var value = (axes.error.lowerBound / step).rounded(.up) * step
        while value <= axes.error.upperBound {
            let y = axes.y(value)
            lines.append(
                """
                <line class="line" x1="\(Self.text(Self.left))" \
                x2="\(Self.text(Self.width - Self.right))" y1="\(Self.text(y))" \
                y2="\(Self.text(y))"/>\
                <text class="dim" x="\(Self.text(Self.left - 8))" y="\(Self.text(y + 4))" \
                text-anchor="end">\(String(format: step < 0.1 ? "%.2f" : "%.1f", value))</text>
                """)
            value += step
        }
        lines.append(
            """
            <text class="dim" x="\(Self.text((Self.left + Self.width - Self.right) / 2))" \
            y="\(Self.text(Self.height - 18))" text-anchor="middle">\
            \(Self.escaped(bytesLabel))</text>\
            <text class="dim" transform="translate(18 \(Self.text((Self.top + base) / 2))) \
            rotate(-90)" text-anchor="middle">\(Self.escaped(errorLabel))</text>
            """)
        return lines
    }

    private func front(_ points: [Point], _ axes: Axes) -> [String] {
        let front = points.filter(\.isOnFront).sorted { $0.bytes < $1.bytes }
        guard front.count > 1 else { return [] }
        let path = front.map { "\(Self.text(axes.x($0.bytes))),\(Self.text(axes.y($0.error)))" }
        return [
            """
            <polyline class="front" points="\(path.joined(separator: " "))" fill="none" \
            stroke-dasharray="4 3"/>
            """
        ]
    }

    /// Marks with their names; a name goes up or down a line where it would lie on another.
    private func marks(_ points: [Point], _ axes: Axes) -> [String] {
        var taken: [(x: Double, y: Double, width: Double)] = points.map {
            (axes.x($0.bytes) - 6, axes.y($0.error) + 4, 12)
        }
        return points.sorted { ($0.bytes, $0.error) < ($1.bytes, $1.error) }.map { point in
            let (x, y) = (axes.x(point.bytes), axes.y(point.error))
            let colour = Self.colours[point.group % Self.colours.count]
            let labelWidth = Double(point.name.count) * 6.4
            let isAtEdge = x + 10 + labelWidth > Self.width - Self.right
            let labelX = isAtEdge ? x - 10 - labelWidth : x + 10
            func isFree(_ y: Double) -> Bool {
                y > Self.top
                    && !taken.contains {
                        abs($0.y - y) < 13 && labelX < $0.x + $0.width && $0.x < labelX + labelWidth
                    }
            }
            let offsets: [Double] = [-9, 19, -22, 32, -35, 45, -48, 58]
            let labelY = offsets.map { y + $0 }.first(where: isFree) ?? y - 9
            taken.append((labelX, labelY, labelWidth))
            var line = ""
            if point.spread > 0 {
                line +=
                    """
                    <line stroke="\(colour)" x1="\(Self.text(x))" x2="\(Self.text(x))" \
                    y1="\(Self.text(axes.y(point.error - point.spread)))" \
                    y2="\(Self.text(axes.y(point.error + point.spread)))"/>
                    """
            }
            let detail = String(format: "%.2f", point.error)
            line +=
                """
                <circle cx="\(Self.text(x))" cy="\(Self.text(y))" r="\(point.isOnFront ? "5.5" : "4")" \
                fill="\(colour)"><title>\(Self.escaped(point.name)): \(Self.bytes(point.bytes)), \
                \(detail)</title></circle>\
                <text class="ink" x="\(Self.text(labelX))" y="\(Self.text(labelY))" \
                font-size="11">\(Self.escaped(point.name))</text>
                """
            return line
        }
    }

    private func legend() -> [String] {
        var x = Self.left
        return groups.enumerated().map { index, name in
            defer { x += 30 + Double(name.count) * 7 }
            return """
                <circle cx="\(Self.text(x + 5))" cy="42" r="4.5" \
                fill="\(Self.colours[index % Self.colours.count])"/>\
                <text class="dim" x="\(Self.text(x + 15))" y="46">\(Self.escaped(name))</text>
                """
        }
    }

    private static func text(_ value: Double) -> String {
        let rounded = (value * 10).rounded() / 10
        return rounded == rounded.rounded() ? "\(Int(rounded))" : "\(rounded)"
    }

    private static func bytes(_ value: Double) -> String {
        value >= 1024
            ? "\(text(value / 1024)) KiB" : "\(Int(value.rounded())) B"
    }

    private static func escaped(_ text: String) -> String {
        text.replacing("&", with: "&amp;").replacing("<", with: "&lt;")
            .replacing(">", with: "&gt;").replacing("\"", with: "&quot;")
    }
}
