import HubCore

/// Figures in Prometheus' text format, version 0.0.4
/// (https://prometheus.io/docs/instrumenting/exposition_formats/).
package struct MetricsText: Sendable {
    static let type = "text/plain; version=0.0.4; charset=utf-8"

    package private(set) var text = ""

    package init() {}

    /// - Parameters:
    ///   - name: `[a-zA-Z_:][a-zA-Z0-9_:]*`, the unit in it.
    ///   - samples: label values in the order of `labels`; those without a value, or one that is no number, are left out,
    ///     because no data is not 0.
    package mutating func gauge(
        _ name: String, _ help: String, by labels: [String] = [],
        _ samples: [(values: [String], value: Double?)]
    ) {
        text += "# HELP \(name) \(help)\n# TYPE \(name) gauge\n"
        for (values, value) in samples {
            guard let value, value.isFinite else { continue }
            let pairs = zip(labels, values).map { "\($0)=\"\(Self.escaped($1))\"" }
            text += name + (pairs.isEmpty ? "" : "{\(pairs.joined(separator: ","))}") + " "
            text +=
                value == value.rounded() && abs(value) < 1e15 ? "\(Int64(value))\n" : "\(value)\n"
        }
    }

    package mutating func gauge(_ name: String, _ help: String, _ value: Double?) {
        gauge(name, help, [([], value)])
    }

    package static func escaped(_ value: String) -> String {
        value.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"")
            .replacing("\n", with: "\\n")
    }
}
