package import Forecasting

/// Which days a device has closed.
package struct ReportedDays: Equatable, Sendable {
    package struct Day: Equatable, Sendable {
        package var day: BusinessDay
        /// The store did no business.
        package var closedAllDay: Bool

        package init(day: BusinessDay, closedAllDay: Bool) {
            self.day = day
            self.closedAllDay = closedAllDay
        }
    }

    package var device: DeviceID
    package var store: StoreID
    /// Ever.
    package var firstDay: BusinessDay
    /// Of the days asked for, ascending.
    package var days: [Day]

    package init(device: DeviceID, store: StoreID, firstDay: BusinessDay, days: [Day]) {
        self.device = device
        self.store = store
        self.firstDay = firstDay
        self.days = days
    }
}

/// What is missing of one device, for a person to look after.
package struct DeviceCoverage: Equatable, Sendable {
    package var device: DeviceID
    package var store: StoreID
    /// Items × days of business it closed since a package ran on it.
    package var expectedForecasts = 0
    package var receivedForecasts = 0
    /// Days whose sales it should have reported, closed with or without business.
    package var expectedDays = 0
    /// Of these, the ones it did not close.
    package var missingDays: [BusinessDay] = []
    package var isRunning: Bool

    package var missingForecasts: Int { max(0, expectedForecasts - receivedForecasts) }
}

/// What was received of what there should be. No data is no figure, and says so.
///
/// A device's sales days are those from the first it ever closed to the latest that any device of the chain has, on the
/// weekdays on which some device of its store has closed a day. Records come without gaps (SPEC 9: the hub takes a
/// device's sequence numbers in order only), so a day that was closed is whole.
package struct ReportCoverage: Equatable, Sendable {
    /// Approved ones, by store, then id.
    package var devices: [DeviceCoverage]

    /// - Parameters:
    ///   - devices: of the selection, every status.
    ///   - reports: of the days asked for, of every device of the stores of these.
    ///   - through: the latest day that any device of the chain has closed within the days asked for; nil: none.
    ///   - first: the first day asked for; nil: from the beginning.
    ///   - forecasts: how many came of each device's days.
    ///   - items: how many series each store has.
    package init(
        devices: [DeviceRecord], reports: [ReportedDays], first: BusinessDay?,
        through: BusinessDay?, forecasts: [DeviceID: [BusinessDay: Int]], items: [StoreID: Int]
    ) {
        let byDevice = Dictionary(
            reports.map { ($0.device, $0) }, uniquingKeysWith: { $1 })
        var weekdays: [StoreID: Set<Int>] = [:]
        for report in reports {
            for day in report.days { weekdays[report.store, default: []].insert(day.day.weekday) }
        }
        self.devices = devices.filter { $0.status == .approved }.map { device in
            var coverage = DeviceCoverage(
                device: device.id, store: device.store, isRunning: device.running != nil)
            guard let report = byDevice[device.id] else { return coverage }
            if device.activeSince != nil {
                let own = items[device.store] ?? 0
                for day in report.days where !day.closedAllDay {
                    if let after = device.forecastsExpectedAfter, day.day <= after { continue }
                    coverage.expectedForecasts += own
                    coverage.receivedForecasts += min(own, forecasts[device.id]?[day.day] ?? 0)
                }
            }
            guard let through else { return coverage }
            let closed = Set(report.days.map(\.day))
            let open = weekdays[device.store] ?? []
            var day = max(report.firstDay, first ?? report.firstDay)
            while day <= through {
                if closed.contains(day) {
                    coverage.expectedDays += 1
                } else if open.contains(day.weekday) {
                    coverage.expectedDays += 1
                    coverage.missingDays.append(day)
                }
                day = day.advanced(by: 1)
            }
            return coverage
        }
    }

    package var expectedForecasts: Int { devices.reduce(0) { $0 + $1.expectedForecasts } }
    package var receivedForecasts: Int { devices.reduce(0) { $0 + $1.receivedForecasts } }
    package var expectedDays: Int { devices.reduce(0) { $0 + $1.expectedDays } }
    package var missingDays: Int { devices.reduce(0) { $0 + $1.missingDays.count } }
    package var devicesRunning: Int { devices.count { $0.isRunning } }

    /// In percent; nil when nothing was expected.
    package var forecastShare: Double? {
        Self.share(receivedForecasts, of: expectedForecasts)
    }
    /// In percent; nil when nothing was expected.
    package var dayShare: Double? { Self.share(expectedDays - missingDays, of: expectedDays) }

    private static func share(_ received: Int, of expected: Int) -> Double? {
        expected > 0 ? 100 * Double(received) / Double(expected) : nil
    }

    /// `99.20 % of sales days received; 14 missing, all 2025-05-03, device 12`.
    package var daysText: String {
        guard let share = dayShare else {
            return "no sales day was expected: no approved device has closed one of these days"
        }
        guard missingDays > 0 else {
            return "100 % of sales days received: all \(expectedDays)"
        }
        // Not a hundred as long as one is missing.
        let shown = min(share, 99.99)
        let lacking = devices.filter { !$0.missingDays.isEmpty }
        let days = lacking.flatMap(\.missingDays)
        guard let first = days.min(), let last = days.max() else { return "" }
        let all = missingDays > 1 ? "all " : ""
        let when =
            first == last
            ? all + first.iso8601 : "from \(first.iso8601) to \(last.iso8601)"
        let who: String
        if lacking.count <= 3 {
            who =
                (lacking.count == 1 ? "device " : "devices ")
                + lacking.map(\.device.text).joined(separator: ", ")
        } else {
            let worst = lacking.max { $0.missingDays.count < $1.missingDays.count }
            who =
                "\(lacking.count) devices, most of them of device \(worst?.device.text ?? "")"
                + " (\(worst?.missingDays.count ?? 0))"
        }
        return "\(Figure.percent(shown)) of sales days received; \(missingDays) missing, \(when), "
            + who
    }

    /// `100 % of forecasts received: all 480`.
    package var forecastsText: String {
        guard let share = forecastShare else {
            return "no forecast was expected: no package ran on a day that was closed"
        }
        let missing = expectedForecasts - receivedForecasts
        return missing == 0
            ? "100 % of forecasts received: all \(expectedForecasts)"
            : "\(Figure.percent(min(share, 99.99))) of forecasts received; \(missing) of "
                + "\(expectedForecasts) missing"
    }
}

extension ReportCoverage {
    private init(devices: [DeviceCoverage]) { self.devices = devices }

    /// Of some of the devices alone.
    package func of(_ devices: [DeviceCoverage]) -> ReportCoverage {
        ReportCoverage(devices: devices)
    }
}
