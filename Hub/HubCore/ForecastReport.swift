package import Forecasting

/// How good the forecasts were, for one store or for the chain, on the days that are known for
/// good.
///
/// Errors are taken over (device, item, day): every forecast of a device whose day is final or
/// imported. Value added compares WAPE with the seasonal naive's (the ledger's total of the day a
/// week before) on those of them that have one.
package struct ForecastReport: Equatable, Sendable {
    package var accuracy = Accuracy()
    /// The forecasts that have a seasonal naive beside them, and that one on the same days.
    package var comparable = Accuracy()
    package var seasonalNaive = Accuracy()
    /// Devices with an active package × items × days they closed since.
    package var expectedForecasts = 0
    /// Of these, the ones received.
    package var receivedForecasts = 0
    /// Forecasts whose day is not final yet, or had no business: no part of any error.
    package var pendingForecasts = 0
    /// Approved.
    package var devices = 0
    /// Of them, with a package that runs.
    package var devicesRunning = 0
    package var firstDay: BusinessDay?
    package var lastDay: BusinessDay?

    package init() {}

    /// In percent; nil when nothing was expected.
    package var coverage: Double? {
        expectedForecasts > 0
            ? 100 * Double(receivedForecasts) / Double(expectedForecasts) : nil
    }

    /// A fraction, 1 at best; nil when there is nothing to compare with.
    package var valueAdded: Double? { comparable.valueAdded(over: seasonalNaive) }

    package mutating func merge(_ other: ForecastReport) {
        accuracy.merge(other.accuracy)
        comparable.merge(other.comparable)
        seasonalNaive.merge(other.seasonalNaive)
        expectedForecasts += other.expectedForecasts
        receivedForecasts += other.receivedForecasts
        pendingForecasts += other.pendingForecasts
        devices += other.devices
        devicesRunning += other.devicesRunning
        firstDay = [firstDay, other.firstDay].compactMap { $0 }.min()
        lastDay = [lastDay, other.lastDay].compactMap { $0 }.max()
    }
}

/// What is missing of one device, for a person to look after.
package struct DeviceCoverage: Equatable, Sendable {
    package var device: DeviceID
    package var store: StoreID
    package var expected: Int
    package var received: Int
    package var isRunning: Bool

    package var missing: Int { max(0, expected - received) }
}

/// One store's report from what the store holds.
package struct StoreReport: Equatable, Sendable {
    package var store: StoreID
    package var report: ForecastReport
    /// By device.
    package var devices: [DeviceCoverage]

    /// - Parameters:
    ///   - observations: of the days asked for.
    ///   - deviceDays: of the days asked for and the `StoreContext.expectedWithinDays` before.
    ///   - days: the days asked for.
    ///   - devices: of the store, every status.
    package init(
        store: StoreID, observations: [ForecastObservation], deviceDays: [DeviceDay],
        devices: [DeviceRecord], items: [ItemID], days: ClosedRange<BusinessDay>
    ) {
        self.store = store
        let approved = devices.filter { $0.status == .approved }
        let finality = DayFinality(deviceDays: deviceDays, devices: approved.map(\.id))
        var report = ForecastReport()
        var finalDays: [BusinessDay: Bool] = [:]
        struct Key: Hashable {
            var device: DeviceID
            var item: ItemID
            var day: BusinessDay
        }
        var received: Set<Key> = []
        for one in observations where days.contains(one.day) {
            received.insert(Key(device: one.device, item: one.item, day: one.day))
            let isFinal = finalDays[one.day] ?? finality.isFinal(one.day)
            finalDays[one.day] = isFinal
            guard let actual = one.actualUnits, isFinal || one.actualIsImported else {
                report.pendingForecasts += 1
                continue
            }
            report.accuracy.add(actual: Double(actual), forecast: one.forecastUnits)
            if let naive = one.seasonalNaiveUnits {
                report.comparable.add(actual: Double(actual), forecast: one.forecastUnits)
                report.seasonalNaive.add(actual: Double(actual), forecast: Double(naive))
            }
            report.firstDay = min(report.firstDay ?? one.day, one.day)
            report.lastDay = max(report.lastDay ?? one.day, one.day)
        }
        var closed: [DeviceID: [BusinessDay]] = [:]
        for day in deviceDays where days.contains(day.day) && day.closedAllDay == false {
            closed[day.device, default: []].append(day.day)
        }
        self.devices = approved.map { device in
            var coverage = DeviceCoverage(
                device: device.id, store: store, expected: 0, received: 0,
                isRunning: device.running != nil)
            guard device.activeSince != nil else { return coverage }
            let expectedDays = (closed[device.id] ?? []).filter { day in
                device.forecastsExpectedAfter.map { day > $0 } ?? true
            }
            coverage.expected = expectedDays.count * items.count
            for day in expectedDays {
                for item in items
                where received.contains(Key(device: device.id, item: item, day: day)) {
                    coverage.received += 1
                }
            }
            return coverage
        }
        report.devices = approved.count
        report.devicesRunning = self.devices.count { $0.isRunning }
        report.expectedForecasts = self.devices.reduce(0) { $0 + $1.expected }
        report.receivedForecasts = self.devices.reduce(0) { $0 + $1.received }
        self.report = report
    }
}
