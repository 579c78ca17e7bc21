package import Forecasting

/// What one device is told of its store: the day totals it could not see by itself (message
/// Context).
package struct StoreContext: Hashable, Sendable {
    /// A device is expected on a day when it closed one of this many calendar days before, or the
    /// day itself.
    package static let expectedWithinDays = 7
    /// Usual shares are taken over as many of the latest final days.
    package static let shareDays = 28
    /// How much of the device's own days is needed before the first day that is decided.
    package static let lookBackDays = expectedWithinDays + shareDays
    /// What a new device gets.
    package static let historyDays = 56
    /// What a device that was away gets at most.
    package static let catchUpDays = 120
    /// A partial day is never scaled up beyond this.
    package static let scaleMax = 10.0
    /// An item's level needs as many open days, and is their mean over at most `shareDays` days.
    package static let levelDaysMin = 7

    package struct Day: Hashable, Sendable {
        package struct Sold: Hashable, Sendable {
            package var itemIndex: Int
            package var units: UInt32

            package init(itemIndex: Int, units: UInt32) {
                self.itemIndex = itemIndex
                self.units = units
            }
        }

        package var day: BusinessDay
        package var closedAllDay: Bool
        package var isFinal: Bool
        /// Items left out sold nothing.
        package var sold: [Sold]
        /// All of it is what the device itself has reported: final, of no other device, not imported and not scaled.
        package var isAllOwn: Bool
    }

    package struct Level: Hashable, Sendable {
        package var itemIndex: Int
        package var units: Float
        package var day: BusinessDay
    }

    package var revision: UInt64
    package var items: [ItemID]
    /// Those that changed after the device's revision, ascending.
    package var days: [Day]
    package var levels: [Level]
    /// Of the store's units, what the device usually sees; 0 when unknown.
    package var ownShare: Float

    /// From which day on the ledger is needed.
    package static func firstDay(knownRevision: UInt64, lastKnownDay: BusinessDay) -> BusinessDay {
        lastKnownDay.advanced(by: -(knownRevision == 0 ? historyDays : catchUpDays) + 1)
    }

    /// - Parameters:
    ///   - ledger: from `firstDay(knownRevision:lastKnownDay:)` on.
    ///   - knownRevision: what the device has; 0 for a new one. One higher than the store's own
    ///     (the hub was restored from a backup) counts as 0.
    package static func decide(
        _ ledger: StoreLedger, device: DeviceID, knownRevision: UInt64
    ) -> StoreContext {
        let finality = DayFinality(deviceDays: ledger.deviceDays, devices: ledger.devices)
        let known = knownRevision > ledger.store.revision ? 0 : knownRevision
        let all = ledger.days.map { decide($0, finality, for: device) }
        let changed = zip(ledger.days, all).filter { $0.0.revision > known }.map(\.1)
        return StoreContext(
            revision: ledger.store.revision, items: ledger.items, days: changed,
            levels: levels(of: all, itemCount: ledger.items.count),
            ownShare: all.last.map {
                Float(finality.share(of: [device], before: $0.day.advanced(by: 1)) ?? 0)
            } ?? 0)
    }

    private static func decide(
        _ day: LedgerDay, _ finality: DayFinality, for device: DeviceID
    ) -> Day {
        let status = finality.status(of: day.day)
        let isFinal = day.isImported || status.isFinal
        let factor = isFinal ? 1 : status.scale
        var sold: [Day.Sold] = []
        var (isUploaded, uploaded): (Bool, Int64) = (!day.isImported, 0)
        for row in day.sold {
            let units =
                if let imported = row.importedUnits {
                    imported
                } else {
                    Int64((Double(row.uploadedUnits ?? 0) * factor).rounded())
                }
            uploaded += row.uploadedUnits ?? 0
            if row.importedUnits != nil { isUploaded = false }
            if units > 0 {
                sold.append(Day.Sold(itemIndex: row.itemIndex, units: UInt32(clamping: units)))
            }
        }
        return Day(
            day: day.day, closedAllDay: sold.isEmpty && (day.isImported || status.noBusiness),
            isFinal: isFinal, sold: sold,
            isAllOwn: isFinal && isUploaded && uploaded > 0
                && finality.ownUnits(of: device, on: day.day) == uploaded)
    }

    private static func levels(of days: [Day], itemCount: Int) -> [Level] {
        guard let last = days.last(where: \.isFinal)?.day else { return [] }
        let open = days.filter { $0.isFinal && !$0.closedAllDay && last - $0.day < shareDays }
        guard open.count >= levelDaysMin else { return [] }
        var sums = [Double](repeating: 0, count: itemCount)
        for day in open {
            for sold in day.sold { sums[sold.itemIndex] += Double(sold.units) }
        }
        return sums.enumerated().map {
            Level(itemIndex: $0.offset, units: Float($0.element / Double(open.count)), day: last)
        }
    }
}

/// Which of a store's devices have spoken for a day, and which are still awaited.
package struct DayFinality: Sendable {
    package struct Status: Hashable, Sendable {
        /// Some device has closed the day, and none is awaited.
        package var isFinal: Bool
        /// Expected and not heard of, by id.
        package var awaited: [DeviceID]
        /// Every device that closed the day says that the store did no business.
        package var noBusiness: Bool
        /// What the units known so far are multiplied by to guess the day's total: 1 to
        /// `StoreContext.scaleMax`.
        package var scale: Double
    }

    private let devices: Set<DeviceID>
    private var byDay: [BusinessDay: [DeviceDay]] = [:]
    private var firstDay: BusinessDay?

    /// - Parameter devices: the ones approved; the days of others count as sales, but they are
    ///   never awaited.
    package init(deviceDays: [DeviceDay], devices: [DeviceID]) {
        self.devices = Set(devices)
        for deviceDay in deviceDays { byDay[deviceDay.day, default: []].append(deviceDay) }
        firstDay = deviceDays.map(\.day).min()
    }

    package func isFinal(_ day: BusinessDay) -> Bool {
        let closers = closers(of: day)
        return !closers.isEmpty && expected(on: day).isSubset(of: closers)
    }

    package func status(of day: BusinessDay) -> Status {
        let closers = closers(of: day)
        let awaited = expected(on: day).subtracting(closers)
        let reports = byDay[day] ?? []
        let isFinal = !closers.isEmpty && awaited.isEmpty
        return Status(
            isFinal: isFinal, awaited: awaited.sorted(),
            noBusiness: !closers.isEmpty
                && reports.allSatisfy { $0.closedAllDay != false && $0.units == 0 },
            scale: isFinal ? 1 : scale(day, reports: reports, closers: closers, awaited: awaited))
    }

    /// What `device` sold on a day on which no other device sold anything; nil when one did, or nobody.
    package func ownUnits(of device: DeviceID, on day: BusinessDay) -> Int64? {
        var own: Int64?
        for report in byDay[day] ?? [] {
            if report.device == device {
                own = report.units
            } else if report.units != 0 {
                return nil
            }
        }
        return own
    }

    /// The part of the store's units that `devices` sold over the last `StoreContext.shareDays`
    /// final days before `day`. Nil when these days had none.
    package func share(of devices: Set<DeviceID>, before day: BusinessDay) -> Double? {
        guard let firstDay else { return nil }
        var finalDays = 0
        var own: Int64 = 0
        var total: Int64 = 0
        var candidate = day.advanced(by: -1)
        while candidate >= firstDay, finalDays < StoreContext.shareDays {
            if isFinal(candidate) {
                finalDays += 1
                for report in byDay[candidate] ?? [] {
                    total += report.units
                    if devices.contains(report.device) { own += report.units }
                }
            }
            candidate = candidate.advanced(by: -1)
        }
        return total > 0 ? Double(own) / Double(total) : nil
    }

    /// Days of which other devices are awaited than by `other`, which knows the same reports, so that what the store sold
    /// on them is told otherwise: final or not, or scaled up otherwise. Some may be among them that are told the same.
    /// - Returns: ascending.
    /// - Complexity: proportional to the reports.
    package func days(unlike other: DayFinality) -> [BusinessDay] {
        var days: [BusinessDay] = []
        // Final days since one that is final by one of the two alone. After enough of them it is in no share any more.
        var finalSince = StoreContext.shareDays
        for day in byDay.keys.sorted() {
            let closers = closers(of: day)
            // Nobody has closed it: it is final for nobody, and not scaled.
            guard !closers.isEmpty else { continue }
            let awaited = expected(on: day).subtracting(closers)
            let others = other.expected(on: day).subtracting(closers)
            let isShareSame = finalSince >= StoreContext.shareDays
            if awaited != others || !awaited.isEmpty && !isShareSame { days.append(day) }
            if awaited.isEmpty != others.isEmpty {
                finalSince = 0
            } else if awaited.isEmpty {
                finalSince += 1
            }
        }
        return days
    }

    /// Devices whose close of `day` is waited for: approved, and seen to close one of the days
    /// before, or this.
    private func expected(on day: BusinessDay) -> Set<DeviceID> {
        var expected: Set<DeviceID> = []
        for back in 0...StoreContext.expectedWithinDays {
            expected.formUnion(closers(of: day.advanced(by: -back)))
        }
        return expected.intersection(devices)
    }

    private func closers(of day: BusinessDay) -> Set<DeviceID> {
        Set((byDay[day] ?? []).filter { $0.closedAllDay != nil }.map(\.device))
    }

    private func scale(
        _ day: BusinessDay, reports: [DeviceDay], closers: Set<DeviceID>, awaited: Set<DeviceID>
    ) -> Double {
        guard !closers.isEmpty else { return 1 }
        let share =
            share(of: closers, before: day)
            ?? Double(closers.count) / Double(closers.count + awaited.count)
        let soldByClosers = reports.filter { closers.contains($0.device) }.reduce(0) {
            $0 + $1.units
        }
        // What a device sold that is still open is part of the known sum already.
        let soldSoFar = reports.reduce(0) { $0 + $1.units }
        guard share > 0, soldSoFar > 0 else { return 1 }
        let estimate = Double(soldByClosers) / share
        return min(max(estimate / Double(soldSoFar), 1), StoreContext.scaleMax)
    }
}
