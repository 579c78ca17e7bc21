package import Forecasting
package import ModelPackage

/// A forecast as a device sent it up.
package struct UploadedForecast: Hashable, Sendable {
    package var device: DeviceID
    package var forecast: DeviceForecast

    package init(device: DeviceID, forecast: DeviceForecast) {
        self.device = device
        self.forecast = forecast
    }
}

/// What came of making an uploaded forecast again.
package enum ReplayVerdict: Equatable, Sendable {
    /// The same integer and the same units, to the last bit. `levelFollows`: the level that the device says it started
    /// from is also what the hub's own totals since the package's as-of day give.
    case same(levelFollows: Bool)
    /// From what the device says it had, this hub gets something else.
    case different(networkOutput: Int32, units: Float)
    case impossible(ReplayObstacle)
}

/// Why a forecast cannot be made again.
package enum ReplayObstacle: Hashable, Sendable {
    /// The agent was too old to say what it forecast from.
    case inputsNotStated
    /// No package of that release that the device's store could have is here.
    case packageUnknown(release: UInt64)
    /// Its file is missing or damaged.
    case packageUnreadable(digest: [UInt8])
    /// It was made before the whole store's totals of the days before were there; what stood in for them is not known here.
    case inputsIncomplete
    /// The hub has no total of a day that the forecast looks back on.
    case dayUnknown(BusinessDay)
    /// The store's totals of the days before, or what its calendar says of them, are not those it was made from any more.
    case inputsChanged

    package var text: String {
        switch self {
        case .inputsNotStated: "the device's agent does not say what it forecast from: update it"
        case .packageUnknown(let release):
            "no package of release \(release) for its store is here any more"
        case .packageUnreadable(let digest):
            "the file of package \(digest.prefix(6).map { Self.hexadecimal($0) }.joined()) is missing or damaged"
        case .inputsIncomplete:
            "the device forecast before it knew the whole store's totals of the days before"
        case .dayUnknown(let day): "the hub has no total of \(day.iso8601)"
        case .inputsChanged:
            "the store's totals or its calendar of the days before have changed since the device forecast"
        }
    }

    private static func hexadecimal(_ byte: UInt8) -> String {
        (byte < 16 ? "0" : "") + String(byte, radix: 16)
    }
}

/// A package at work on the hub, to make its devices' forecasts again.
package final class ReplayPackage {
    package let digest: [UInt8]
    fileprivate let engine: Engine

    /// - Parameters:
    ///   - file: the package as its devices got it.
    ///   - digest: SHA-256 of it.
    package init(file: [UInt8], digest: [UInt8]) throws(EngineError) {
        self.digest = digest
        engine = try Engine(file, budgetBytes: .max)
    }

    package var asOf: BusinessDay { engine.asOf }
    package var window: Int { engine.spec.window }

    /// The level that the store's totals since the package's as-of day give, as a device computes it that was told all
    /// of them; nil for an item the package does not know, whose level begins on the device.
    package func level(
        of item: ItemID, before target: BusinessDay, days: StoreDays
    ) -> Float? {
        guard let index = engine.index(of: item) else { return nil }
        var level = engine.startLevel(index: index)
        var day = asOf.advanced(by: 1)
        while day < target {
            level = engine.level(
                level, index: index, after: days.demand(for: item, on: day), on: day)
            day = day.advanced(by: 1)
        }
        return level
    }

    fileprivate func recentDays(
        of item: ItemID, before target: BusinessDay, days: StoreDays
    ) -> [DemandDay] {
        (0..<window).map { days.demand(for: item, on: target.advanced(by: $0 - window)) }
    }
}

/// A store's day totals as its devices are told them.
package struct StoreDays: Sendable {
    private var indexes: [ItemID: Int] = [:]
    private var days: [BusinessDay: (isClosed: Bool, units: [Int: UInt32])] = [:]
    private var calendar = StoreCalendar()

    /// - Parameter context: of all days that are to be known (`StoreContext.decide` with revision 0).
    package init(_ context: StoreContext) {
        for (index, item) in context.items.enumerated() { indexes[item] = index }
        for day in context.days {
            days[day.day] = (
                day.closedAllDay,
                Dictionary(
                    day.sold.map { ($0.itemIndex, $0.units) }, uniquingKeysWith: { $1 })
            )
        }
    }

    /// The same days read through the store's calendar, as devices that know it read them.
    package func heeding(_ calendar: StoreCalendar) -> StoreDays {
        var heeding = self
        heeding.calendar = calendar
        return heeding
    }

    package func isKnown(_ day: BusinessDay) -> Bool {
        calendar.isClosed(day) || days[day] != nil
    }

    package func demand(for item: ItemID, on day: BusinessDay) -> DemandDay {
        calendar.demand(total(of: item, on: day), of: item, on: day)
    }

    /// What was planned for `day`, as far as the calendar is heeded.
    package func plannedMarks(of item: ItemID, on day: BusinessDay) -> DayMarks {
        calendar.marks(of: item, on: day).intersection(.planned)
    }

    private func total(of item: ItemID, on day: BusinessDay) -> DemandDay {
        guard let known = days[day] else { return .unknown }
        guard !known.isClosed else { return .closed }
        let units = indexes[item].flatMap { known.units[$0] } ?? 0
        return DemandDay(units: Int32(clamping: units))
    }
}

/// Makes the forecasts of one store's devices again (SPEC 9.6).
package struct ForecastReplay {
    /// As devices see them: heeding the calendar, and as those do that know nothing of it.
    private let views: [StoreDays]

    /// - Parameter calendar: the store's.
    package init(days: StoreDays, calendar: StoreCalendar = StoreCalendar()) {
        views = calendar.isEmpty ? [days] : [days.heeding(calendar), days]
    }

    /// - Parameter candidates: the packages of the forecast's release that the device can have had.
    package func verdict(
        _ forecast: DeviceForecast, candidates: [ReplayPackage]
    ) -> ReplayVerdict {
        guard forecast.inputsDigest != 0 else { return .impossible(.inputsNotStated) }
        guard !candidates.isEmpty else {
            return .impossible(.packageUnknown(release: forecast.release))
        }
        for (candidate, days) in candidates.flatMap({ one in views.map { (one, $0) } }) {
            let recent = candidate.recentDays(
                of: forecast.item, before: forecast.day, days: days)
            let marks = days.plannedMarks(of: forecast.item, on: forecast.day)
            let followed = candidate.level(of: forecast.item, before: forecast.day, days: days)
            // A device that must be brief leaves the level to be followed here.
            let level = forecast.level == 0 ? followed ?? 0 : forecast.level
            let digest = ForecastInputs.digest(
                package: candidate.digest, level: level, recentDays: recent,
                targetMarks: marks, planned: candidate.engine.spec.inputs.marks)
            guard digest == forecast.inputsDigest else { continue }
            let found = candidate.engine.forecast(
                item: forecast.item, level: level, recentDays: recent,
                target: forecast.day, targetMarks: marks)
            guard found.networkOutput == forecast.networkOutput,
                found.units.bitPattern == forecast.units.bitPattern
            else {
                return .different(networkOutput: found.networkOutput, units: found.units)
            }
            return .same(levelFollows: followed?.bitPattern == level.bitPattern)
        }
        return .impossible(obstacle(forecast, window: candidates.map(\.window).max() ?? 0))
    }

    private func obstacle(_ forecast: DeviceForecast, window: Int) -> ReplayObstacle {
        guard forecast.inputsComplete else { return .inputsIncomplete }
        let unknown = (1...max(1, window)).map { forecast.day.advanced(by: -$0) }
            .last { !views[0].isKnown($0) }
        return unknown.map { .dayUnknown($0) } ?? .inputsChanged
    }
}
