import Forecasting
package import HubCore
package import HubStore

/// What Prometheus is told of the hub: read from the store by the calls that the report and the pages use too, and kept a
/// while, so that whoever asks often asks the database no oftener.
package actor HubFigures {
    /// The accuracy is that of so many days up to the latest.
    static let days = 28
    /// Stores that are told one by one.
    static let storesMax = 5_000
    static let keptSeconds: Int64 = 15
    /// In touch within so many seconds.
    static let silences: [(name: String, seconds: Int64)] = [
        ("1h", 3_600), ("24h", 86_400), ("7d", 604_800),
    ]

    private let store: any HubStore
    private var kept: (text: String, at: Timestamp)?
    /// Those who ask at the same moment share the answer.
    private var running: Task<String, any Error>?

    package init(store: any HubStore) { self.store = store }

    package func text(at now: Timestamp) async throws -> String {
        if let kept, now < kept.at.advanced(bySeconds: Self.keptSeconds), kept.at <= now {
            return kept.text
        }
        if let running { return try await running.value }
        let task = Task { try await Self.read(store, at: now) }
        running = task
        defer { running = nil }
        let text = try await task.value
        kept = (text, now)
        return text
    }

    private static func read(_ store: any HubStore, at now: Timestamp) async throws -> String {
        var metrics = MetricsText()
        let fleet = try await store.reportFleet()
        devices(fleet.devices, at: now, &metrics)
        try await accuracy(store, fleet, &metrics)
        let rollouts = Dictionary(grouping: try await store.rollouts(), by: \.state)
        metrics.gauge(
            "shelfcast_rollouts", "Rollouts by state.", by: ["state"],
            RolloutState.allCases.map { ([$0.rawValue], Double(rollouts[$0]?.count ?? 0)) })
        try await alerts(store, &metrics)
        var expiries: [(values: [String], value: Double?)] = []
        for role in ["root", "targets", "snapshot", "timestamp"] {
            let expires = try await store.newestMetadata(role: role)?.expires
            expiries.append(([role], expires.map { Double($0.millisecondsSince1970) / 1000 }))
        }
        metrics.gauge(
            "shelfcast_metadata_expires_timestamp_seconds",
            "When update metadata is good no more, in seconds since 1970.", by: ["role"], expiries)
        return metrics.text
    }

    private static func devices(
        _ devices: [DeviceRecord], at now: Timestamp, _ metrics: inout MetricsText
    ) {
        let byStatus = Dictionary(grouping: devices, by: \.status)
        metrics.gauge(
            "shelfcast_devices", "Devices by status.", by: ["status"],
            DeviceStatus.allCases.map { ([$0.rawValue], Double(byStatus[$0]?.count ?? 0)) })
        let approved = byStatus[.approved] ?? []
        metrics.gauge(
            "shelfcast_devices_in_touch", "Approved devices that were in touch within a time.",
            by: ["within"],
            silences.map { name, seconds in
                let since = now.advanced(bySeconds: -seconds)
                let count = approved.count { $0.lastSeenAt.map { $0 >= since } ?? false }
                return ([name], Double(count))
            })
        metrics.gauge(
            "shelfcast_devices_running", "Approved devices that run a package.",
            Double(approved.count { $0.running != nil }))
    }

    private static func accuracy(
        _ store: any HubStore, _ fleet: ReportFleet, _ metrics: inout MetricsText
    ) async throws {
        let whole = try await store.reportTables(
            [ReportTable(.chain, countsSeries: false)], of: ReportSelection(), fleet: fleet)
        let latest = whole[0].first?.lastDay
        let selection = ReportSelection(first: latest?.advanced(by: 1 - days), last: latest)
        let tables = try await store.reportTables(
            [ReportTable(.chain, countsSeries: false), ReportTable(.store, countsSeries: false)],
            of: selection, fleet: fleet)
        let of = "over the last \(days) days"
        let figures: [(name: String, help: String, value: (ForecastSums) -> Double?)] = [
            (
                "wape_ratio", "Weighted absolute error, a share of the units sold,",
                { $0.accuracy.wape.map { $0 / 100 } }
            ),
            (
                "bias_ratio", "Bias, a share of the units sold; above 0 too much was forecast,",
                { $0.accuracy.bias.map { $0 / 100 } }
            ),
            (
                "value_added_ratio", "Error saved beside the same weekday a week before,",
                { $0.valueAdded }
            ),
            ("forecasts", "Forecasts that came,", { Double($0.forecasts) }),
        ]
        for (name, help, value) in figures {
            metrics.gauge(
                "shelfcast_chain_\(name)", "\(help) \(of).",
                tables[0].first.flatMap { value($0.sums) })
            metrics.gauge(
                "shelfcast_store_\(name)", "\(help) \(of), by store.", by: ["store"],
                tables[1].prefix(storesMax).map { ([$0.name], value($0.sums)) })
        }
        let coverage = try await store.reportCoverage(of: selection, fleet: fleet)
        metrics.gauge(
            "shelfcast_sales_days_expected", "Days that devices owe \(of).",
            Double(coverage.expectedDays))
        metrics.gauge(
            "shelfcast_sales_days_missing", "Of these, days that have not come.",
            Double(coverage.missingDays))
    }

    private static func alerts(_ store: any HubStore, _ metrics: inout MetricsText) async throws {
        let open = try await store.alerts(AlertQuery(countMax: AlertQuery.countMax))
        metrics.gauge(
            "shelfcast_alerts_open", "Alerts that are not resolved, by severity.",
            by: ["severity"],
            AlertSeverity.allCases.map { severity in
                (["\(severity)"], Double(open.count { $0.severity == severity }))
            })
        var dead: [(values: [String], value: Double?)] = []
        for state in [AlertDelivery.State.waiting, .dead] {
            let count = try await store.deliveries(state, countMax: 10_000).count
            dead.append(([state.rawValue], Double(count)))
        }
        metrics.gauge(
            "shelfcast_alert_deliveries",
            "Notices of alerts that wait to be sent, or were given up.",
            by: ["state"], dead)
    }
}
