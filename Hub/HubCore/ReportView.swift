package import Forecasting

/// What the lines of a report are of.
package enum ReportView: String, CaseIterable, Sendable {
    case chain, region, store, item, device, weekday, horizon, family, variant, package, day

    /// What of a forecast's key decides on which line it counts.
    package var parts: Set<ReportQuery.Part> {
        switch self {
        // What devices send up is the forecast that stood when the day closed: all of it one day ahead.
        case .chain, .horizon: []
        case .region, .device: [.device]
        case .store: [.store]
        case .item: [.item]
        case .weekday: [.weekday]
        case .day: [.day]
        case .family: [.release]
        case .variant, .package: [.device, .release]
        }
    }

    /// Whether a series' store and item say on which line it counts.
    package var isOfSeries: Bool {
        switch self {
        case .chain, .horizon, .store, .item: true
        case .region, .device, .weekday, .family, .variant, .package, .day: false
        }
    }
}

/// Which forecasts a report is about.
package struct ReportSelection: Equatable, Sendable {
    package var store: StoreID?
    /// `ReportFleet.region` of the devices.
    package var region: String?
    package var device: DeviceID?
    package var item: ItemID?
    package var first: BusinessDay?
    package var last: BusinessDay?

    package init(
        store: StoreID? = nil, region: String? = nil, device: DeviceID? = nil,
        item: ItemID? = nil, first: BusinessDay? = nil, last: BusinessDay? = nil
    ) {
        self.store = store
        self.region = region
        self.device = device
        self.item = item
        self.first = first
        self.last = last
    }

    package func query(by parts: Set<ReportQuery.Part>) -> ReportQuery {
        ReportQuery(
            store: store, device: device, item: item, first: first, last: last,
            by: region == nil ? parts : parts.union([.device]))
    }
}

/// A package that a device was given by some rollout.
package struct GivenPackage: Hashable, Sendable {
    package var device: DeviceID
    package var digest: [UInt8]

    package init(device: DeviceID, digest: [UInt8]) {
        self.device = device
        self.digest = digest
    }
}

/// What devices and packages are called in a report.
package struct ReportFleet: Sendable {
    /// The key of the label that says a device's region: `token create --label region=north`, or the device's own.
    package static let regionKey = "region"
    package static let weekdays = [
        "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday",
    ]

    private struct Made: Hashable {
        var device: DeviceID
        var release: UInt64
    }

    /// By store, then id; every status.
    package let devices: [DeviceRecord]
    private let records: [DeviceID: DeviceRecord]
    private var byDigest: [[UInt8]: PackageRecord] = [:]
    private var families: [UInt64: String] = [:]
    private var made: [Made: Set<[UInt8]>] = [:]

    package init(devices: [DeviceRecord], packages: [PackageRecord], given: [GivenPackage]) {
        self.devices = devices
        records = Dictionary(devices.map { ($0.id, $0) }, uniquingKeysWith: { $1 })
        for package in packages {
            byDigest[package.digest] = package
            families[package.release] = package.family
        }
        let running = devices.compactMap { device in
            device.running.map { GivenPackage(device: device.id, digest: $0.digest) }
        }
        for one in given + running {
            guard let package = byDigest[one.digest] else { continue }
            made[Made(device: one.device, release: package.release), default: []]
                .insert(one.digest)
        }
    }

    /// Nil: no label says it.
    package func region(of device: DeviceID) -> String? {
        records[device]?.effectiveLabels.first { $0.key == Self.regionKey }?.value
    }

    package var hasRegions: Bool { devices.contains { region(of: $0.id) != nil } }

    package func package(digest: [UInt8]) -> PackageRecord? { byDigest[digest] }

    /// The package of a release that a device forecast with; nil where the device was given several of that release, or
    /// none that is known.
    package func package(of device: DeviceID, release: UInt64) -> PackageRecord? {
        guard let digests = made[Made(device: device, release: release)], digests.count == 1
        else { return nil }
        return digests.first.flatMap { byDigest[$0] }
    }

    /// The line of `view` that a forecast counts on.
    package func name(of key: ReportKey, in view: ReportView) -> String {
        let device = key.device
        let package = device.flatMap { device in
            key.release.flatMap { self.package(of: device, release: $0) }
        }
        let unknown = "not known (release \(key.release ?? 0))"
        return switch view {
        case .chain: "chain"
        case .horizon: "1 day ahead"
        case .region: device.flatMap { region(of: $0) } ?? "no region"
        case .store: key.store?.text ?? ""
        case .item: key.item?.text ?? ""
        case .device: device?.text ?? ""
        case .weekday: key.weekday.map { Self.weekdays[$0] } ?? ""
        case .day: key.day?.iso8601 ?? ""
        case .family: key.release.flatMap { families[$0] } ?? unknown
        case .variant: package.map { $0.family + " " + $0.variant } ?? unknown
        case .package:
            package.map {
                "\($0.family) \($0.variant) release \($0.release) \(Self.short($0.digest))"
            } ?? unknown
        }
    }

    private static func short(_ digest: [UInt8]) -> String {
        digest.prefix(6).map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }
}

/// One line of a report.
package struct ReportLine: Equatable, Sendable {
    package var name: String
    package var sums: ForecastSums
    /// The days of its forecasts, pending or not.
    package var firstDay: BusinessDay
    package var lastDay: BusinessDay
    /// Items of stores that have a seasonal naive beside them; nil where they were not counted.
    package var series: Int?
    /// Of these, the ones with the smaller error.
    package var seriesBetter: Int?

    /// In percent; nil when it is not known.
    package var betterShare: Double? {
        guard let series, let seriesBetter, series > 0 else { return nil }
        return 100 * Double(seriesBetter) / Double(series)
    }
}

/// Puts sums together to the lines of a view.
package struct ReportLines: Sendable {
    private struct Line {
        var line: ReportLine
        /// One that counts on it, for the order.
        var key: ReportKey
        var series: [Series: (own: Double, naive: Double)] = [:]
    }
    private struct Series: Hashable {
        var store: StoreID
        var item: ItemID
    }

    private let view: ReportView
    private let region: String?
    private let fleet: ReportFleet
    private var positions: [String: Int] = [:]
    /// The same by the parts of a key that the view goes by, since names are dear.
    private var keyPositions: [ReportKey: Int] = [:]
    private var found: [Line] = []
    private var countsSeries = false

    package init(_ view: ReportView, of selection: ReportSelection, fleet: ReportFleet) {
        self.view = view
        region = selection.region
        self.fleet = fleet
    }

    /// - Parameter countsSeries: whether the row's store and item are a series of the line.
    package mutating func add(_ row: ReportRow, countsSeries: Bool) {
        if let region {
            guard let device = row.key.device, fleet.region(of: device) == region else { return }
        }
        let position: Int
        if let known = self.position(of: row.key) {
            position = known
            found[position].line.sums.merge(row.sums)
            found[position].line.firstDay = min(found[position].line.firstDay, row.firstDay)
            found[position].line.lastDay = max(found[position].line.lastDay, row.lastDay)
        } else {
            let name = fleet.name(of: row.key, in: view)
            position = found.count
            positions[name] = position
            keyPositions[row.key.of(view.parts)] = position
            found.append(
                Line(
                    line: ReportLine(
                        name: name, sums: row.sums, firstDay: row.firstDay, lastDay: row.lastDay),
                    key: row.key))
        }
        guard countsSeries, let store = row.key.store, let item = row.key.item,
            row.sums.comparable.count > 0
        else { return }
        note(
            Series(store: store, item: item), own: row.sums.comparable.absoluteErrorSum,
            naive: row.sums.seasonalNaive.absoluteErrorSum, at: position)
    }

    /// Of views whose lines a series' store and item decide on.
    package mutating func add(_ errors: SeriesErrors) {
        var key = ReportKey()
        key.store = errors.store
        key.item = errors.item
        guard let position = position(of: key) else { return }
        note(
            Series(store: errors.store, item: errors.item), own: errors.own, naive: errors.naive,
            at: position)
    }

    private mutating func position(of key: ReportKey) -> Int? {
        let own = key.of(view.parts)
        if let known = keyPositions[own] { return known }
        guard let position = positions[fleet.name(of: own, in: view)] else { return nil }
        keyPositions[own] = position
        return position
    }

    private mutating func note(_ series: Series, own: Double, naive: Double, at position: Int) {
        countsSeries = true
        let known = found[position].series[series] ?? (0, 0)
        found[position].series[series] = (known.own + own, known.naive + naive)
    }

    package func lines() -> [ReportLine] {
        let sorted = found.sorted { a, b in
            switch view {
            case .store: (a.key.store ?? b.key.store).map { $0 < (b.key.store ?? $0) } ?? false
            case .item: (a.key.item ?? b.key.item).map { $0 < (b.key.item ?? $0) } ?? false
            case .weekday: (a.key.weekday ?? 0) < (b.key.weekday ?? 0)
            case .chain, .region, .device, .horizon, .family, .variant, .package, .day:
                a.line.name < b.line.name
            }
        }
        return sorted.map { found in
            var line = found.line
            if countsSeries {
                line.series = found.series.count
                line.seriesBetter = found.series.values.count { $0.own < $0.naive }
            }
            return line
        }
    }
}
