import Forecasting
import HubCore
import HubStore

extension ReportFleet {
    /// `spring/profile-8, release 3`; where the package is not known, the family alone.
    func modelName(release: UInt64, on device: DeviceID?) -> String {
        if let package = device.flatMap({ self.package(of: $0, release: release) }) {
            return "\(package.family)/\(package.variant), release \(release)"
        }
        var key = ReportKey()
        key.release = release
        let family = name(of: key, in: .family)
        return family.hasPrefix("not known") ? family : "\(family), release \(release)"
    }
}

/// What happened in a store, for its time line: the days on which most of its forecasts came to be another release's,
/// and those on which alerts began.
struct StoreMarks {
    var marks: [ErrorPlot.Mark] = []
    /// Open or acknowledged.
    var alerts: [AlertRecord] = []

    init(
        _ store: StoreID, from first: BusinessDay?, through last: BusinessDay?,
        fleet: ReportFleet, in hub: any HubStore
    ) async throws {
        let rows = try await hub.forecastSums(
            ReportQuery(store: store, first: first, last: last, by: [.day, .release]))
        var most: [BusinessDay: (release: UInt64, forecasts: Int)] = [:]
        for row in rows {
            guard let day = row.key.day, let release = row.key.release else { continue }
            let known = most[day]
            // The newer one where both are alike.
            if known.map({ ($0.forecasts, $0.release) < (row.sums.forecasts, release) }) ?? true {
                most[day] = (release, row.sums.forecasts)
            }
        }
        var before: UInt64?
        for (day, release) in most.mapValues(\.release).sorted(by: { $0.key < $1.key }) {
            if let before, before != release {
                let name = fleet.modelName(release: release, on: nil)
                marks.append(.init(day: day, text: "most forecasts are by \(name)"))
            }
            before = release
        }
        var query = AlertQuery(states: Set(AlertRecord.State.allCases), countMax: 100)
        query.store = store
        for alert in AlertsPage.sorted(try await hub.alerts(query)) {
            if alert.state != .resolved { alerts.append(alert) }
            guard let since = alert.since else { continue }
            let resolved: Markup? = alert.state == .resolved ? ", resolved since" : nil
            marks.append(
                .init(
                    day: since,
                    text:
                        "\(Link("alerts", "\(alert.id)").to(alert.title))\(resolved)"))
        }
    }
}
