package import Forecasting
package import HubCore

/// What the fleet's records say: who is silent, who closes no days, whose battery, certificate or memory runs low.
package struct FleetSigns: Sendable {
    package struct Limits: Equatable, Sendable {
        /// Of silence: so many times the longest that the device is known for.
        package var gapsMax: Int64 = 2
        package var silentSecondsMin: Int64 = 4 * 3_600
        /// A device that is not known for a week yet may be off over night and on a day without business.
        package var unknownSeconds: Int64 = 60 * 3_600
        /// Business days that a device did not close while others did.
        package var missedDays = 3
        /// Business days in a row without a sale, or without a forecast.
        package var emptyDays = 2
        /// Days of the chain are looked back at so far.
        package var daysBack = 56
        /// The chain's latest day is to be another one within so long.
        package var newDaySeconds: Int64 = 4 * 86_400
        package var batteryWarnPercent = 20
        package var batteryPagePercent = 5
        /// A battery is not low any more from here on.
        package var batteryClearPercent = 25
        package var certificateWarnSeconds: Int64 = 30 * 86_400
        package var certificatePageSeconds: Int64 = 7 * 86_400
        /// After so long less memory is what there is.
        package var budgetSeconds: Int64 = 30 * 86_400

        package init() {}
    }

    /// What the fleet is known by at one moment.
    package struct Facts: Sendable {
        /// Of every status.
        package var devices: [DeviceRecord]
        /// Of `Limits.daysBack`.
        package var activity: [DeviceActivity]
        /// Since when devices can reach the hub: before, none was silent. Nil: nobody knows.
        package var listeningSince: Timestamp?
        /// When the chain's latest day was seen to be another one; nil: never.
        package var newDayAt: Timestamp?
        /// Alerts that stand: what is near its limit stays on the side it is on.
        package var standing: Set<Finding.Key>

        package init(
            devices: [DeviceRecord], activity: [DeviceActivity], listeningSince: Timestamp?,
            newDayAt: Timestamp?, standing: Set<Finding.Key>
        ) {
            self.devices = devices
            self.activity = activity
            self.listeningSince = listeningSince
            self.newDayAt = newDayAt
            self.standing = standing
        }

        /// That any device closed.
        package var newestDay: BusinessDay? { activity.compactMap { $0.days.last?.day }.max() }
    }

    private let facts: Facts
    private let limits: Limits
    private let now: Timestamp
    /// The last moment at which the hub was there for its devices, as far as is known.
    private let heardUntil: Timestamp
    private let activity: [DeviceID: DeviceActivity]

    package init(_ facts: Facts, limits: Limits = Limits(), at now: Timestamp) {
        self.facts = facts
        self.limits = limits
        self.now = now
        let newest = facts.devices.compactMap(\.lastSeenAt).max() ?? now
        heardUntil = facts.listeningSince == nil ? min(now, newest) : now
        activity = Dictionary(
            facts.activity.map { ($0.device, $0) }, uniquingKeysWith: { first, _ in first })
    }

    package var findings: [Finding] {
        let approved = facts.devices.filter { $0.status == .approved }
        var findings: [Finding] = []
        for device in approved {
            findings += [
                silence(of: device), battery(of: device), certificate(of: device),
                budget(of: device),
            ].compactMap { $0 }
        }
        let stores = Dictionary(grouping: approved, by: \.store).sorted { $0.key < $1.key }
        for (store, devices) in stores {
            if let finding = empty(store, devices) { findings.append(finding) }
        }
        if let finding = standstill(approved) { findings.append(finding) }
        return findings
    }

    // MARK: Devices

    private func silence(of device: DeviceRecord) -> Finding? {
        let subject = AlertSubject.device(device.id)
        // Since then it might have come.
        let seen = device.lastSeenAt ?? device.joinedAt
        let from = max(seen, facts.listeningSince ?? seen)
        let silent =
            (heardUntil.millisecondsSince1970 - from.millisecondsSince1970) / 1_000
        let isKnown =
            seen.millisecondsSince1970 - device.joinedAt.millisecondsSince1970
            >= 7 * 86_400_000
        let usual = device.longestGapSeconds
        let allowed = max(
            limits.silentSecondsMin, usual * limits.gapsMax,
            isKnown ? 0 : limits.unknownSeconds)
        if silent > allowed {
            return Finding(
                .deviceSilent, subject, .warn,
                title:
                    "device \(device.id.text) of store \(device.store.text) was last heard of "
                    + "\(Self.span(now.millisecondsSince1970 - seen.millisecondsSince1970)) ago",
                detail: [
                    isKnown
                        ? "its longest silence of late was \(Self.span(usual * 1_000))"
                        : "it is not known for a week yet",
                    power(of: device),
                ].filter { !$0.isEmpty }, stores: [device.store])
        }
        guard let missed = missedDays(of: device) else { return nil }
        return Finding(
            .deviceSilent, subject, .warn,
            title:
                "device \(device.id.text) of store \(device.store.text) has closed no day since "
                + "\(missed.last.iso8601): \(missed.count) missing",
            detail: [
                "other devices of the chain have closed days up to "
                    + missed.newest.iso8601,
                power(of: device),
            ].filter { !$0.isEmpty }, stores: [device.store], since: missed.last.advanced(by: 1))
    }

    private func power(of device: DeviceRecord) -> String {
        guard let can = device.capabilities, can.powerSource == .battery else { return "" }
        return "it runs on a battery"
            + (can.batteryPercent.map { ", at \($0) % when it was last heard of" } ?? "")
    }

    /// Days since its last that it would have closed by its habit, while others of the chain closed theirs.
    private func missedDays(
        of device: DeviceRecord
    ) -> (last: BusinessDay, newest: BusinessDay, count: Int)? {
        guard let own = activity[device.id], let last = own.days.last?.day,
            let newest = facts.newestDay
        else { return nil }
        let weekdays = Set(own.days.map(\.day.weekday))
        var count = 0
        var day = last.advanced(by: 1)
        while day <= newest {
            if weekdays.contains(day.weekday) { count += 1 }
            day = day.advanced(by: 1)
        }
        return count >= limits.missedDays ? (last, newest, count) : nil
    }

    private func battery(of device: DeviceRecord) -> Finding? {
        guard let can = device.capabilities, can.powerSource != .mains,
            let percent = can.batteryPercent
        else { return nil }
        let subject = AlertSubject.device(device.id)
        let stands = facts.standing.contains(.init(kind: .batteryLow, subject: subject))
        guard percent <= limits.batteryWarnPercent || stands && percent < limits.batteryClearPercent
        else { return nil }
        return Finding(
            .batteryLow, subject, percent <= limits.batteryPagePercent ? .page : .warn,
            title: "the battery of device \(device.id.text) of store \(device.store.text) is at "
                + "\(percent) %", stores: [device.store])
    }

    private func certificate(of device: DeviceRecord) -> Finding? {
        guard let end = device.certificateExpiresAt else { return nil }
        let left = (end.millisecondsSince1970 - now.millisecondsSince1970) / 1_000
        guard left < limits.certificateWarnSeconds else { return nil }
        let isOver = left <= 0
        return Finding(
            .certificateExpiring, .device(device.id),
            left < limits.certificatePageSeconds ? .page : .warn,
            title: "the certificate of device \(device.id.text) of store \(device.store.text) "
                + (isOver
                    ? "has expired: it must join again"
                    : "expires in \(max(1, left / 86_400)) \(left < 2 * 86_400 ? "day" : "days")"),
            detail: isOver ? [] : ["a device renews it by itself when it is in touch"],
            stores: [device.store])
    }

    private func budget(of device: DeviceRecord) -> Finding? {
        guard let before = device.budgetBefore,
            let budget = device.capabilities?.modelMemoryBudgetBytes,
            now < before.until.advanced(bySeconds: limits.budgetSeconds)
        else { return nil }
        let needed = device.running?.arenaBytes ?? 0
        let fits = needed <= budget
        return Finding(
            .memoryBudgetShrank, .device(device.id), fits ? .info : .warn,
            title:
                "device \(device.id.text) of store \(device.store.text) allows its model \(budget) "
                + "bytes; it allowed \(before.bytes)",
            detail: [
                needed == 0
                    ? "it runs no package"
                    : "its package needs \(needed)"
                        + (fits ? "" : ": 'fit' says which one the next push would give it")
            ], stores: [device.store])
    }

    // MARK: Stores

    /// Days of business of which nothing is known.
    private func empty(_ store: StoreID, _ devices: [DeviceRecord]) -> Finding? {
        struct Sums {
            var units: Int64 = 0
            var forecasts = 0
        }
        var days: [BusinessDay: Sums] = [:]
        for device in devices {
            for day in activity[device.id]?.days ?? [] where day.isBusiness {
                days[day.day, default: Sums()].units += day.units
                days[day.day, default: Sums()].forecasts += day.forecasts
            }
        }
        let latest = days.sorted { $0.key > $1.key }
        let unsold = latest.prefix { $0.value.units == 0 }
        // A store that never sold has devices that are only tried.
        if unsold.count >= limits.emptyDays, unsold.count < latest.count, let last = unsold.last {
            return Finding(
                .noData, .store(store), .page,
                title:
                    "store \(store.text) has closed \(unsold.count) days of business without a sale",
                detail: ["the first is \(last.key.iso8601): does its till report?"],
                stores: [store], since: last.key)
        }
        // The first days of a package have no forecast yet.
        let runs = devices.contains { device in
            device.running != nil
                && device.activeSince.map {
                    now.millisecondsSince1970 - $0.millisecondsSince1970 >= 0
                } ?? false
        }
        let expectedAfter = devices.compactMap(\.forecastsExpectedAfter).min()
        let without = latest.prefix { $0.value.forecasts == 0 }.filter { day in
            expectedAfter.map { day.key > $0 } ?? true
        }
        guard runs, without.count > limits.emptyDays, let last = without.last else { return nil }
        return Finding(
            .noData, .store(store), .page,
            title:
                "store \(store.text) has closed \(without.count) days of business without a forecast",
            detail: [
                "the first is \(last.key.iso8601): 'device show' says what its devices run"
            ], stores: [store], since: last.key)
    }

    /// No store closes a day any more.
    private func standstill(_ devices: [DeviceRecord]) -> Finding? {
        guard let newest = facts.newestDay, let at = facts.newDayAt else { return nil }
        let from = max(at, facts.listeningSince ?? at)
        let seconds =
            (heardUntil.millisecondsSince1970 - from.millisecondsSince1970) / 1_000
        guard seconds > limits.newDaySeconds else { return nil }
        let stores = Set(devices.map(\.store)).sorted()
        return Finding(
            .noData, .chain, .page,
            title: "no device of the chain has closed a day after \(newest.iso8601)",
            detail: ["since \(Self.span(seconds * 1_000)), although devices can reach the hub"],
            stores: stores, since: newest.advanced(by: 1))
    }

    /// `3 days`, `5 hours`, `20 minutes`.
    private static func span(_ milliseconds: Int64) -> String {
        let minutes = max(0, milliseconds / 60_000)
        let (count, unit) =
            minutes >= 2 * 1_440
            ? (minutes / 1_440, "days")
            : minutes >= 120 ? (minutes / 60, "hours") : (minutes, "minutes")
        return "\(count) \(unit)"
    }
}
