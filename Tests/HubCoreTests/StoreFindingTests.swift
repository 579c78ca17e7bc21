import Forecasting
import HubCore
import Testing

@Suite("What a store's figures say") struct StoreFindingTests {
    private static let day0 = BusinessDay(daysSince1970: 20_000)

    /// Forty days that sold 10 each.
    private static func line(
        _ name: String = "1", forecast: Double = 10.5, naive: Int64 = 13,
        p90: (Int) -> Int32 = { $0 % 10 == 0 ? 9 : 14 },
        actual: Int64 = 10
    ) -> ReportLine {
        var sums = ForecastSums()
        for day in 0..<40 {
            sums.add(
                ForecastPair(
                    forecastUnits: forecast, actualUnits: actual, seasonalNaiveUnits: naive,
                    p90Units: p90(day)), scale: nil)
        }
        return named(name, sums)
    }

    /// A line of that name.
    private static func named(_ name: String, _ sums: ForecastSums) -> ReportLine {
        var key = ReportKey()
        // Made of letters and digits here.
        key.item = try! ItemID(name)
        var lines = ReportLines(
            .item, of: ReportSelection(), fleet: ReportFleet(devices: [], packages: [], given: []))
        lines.add(
            ReportRow(key: key, sums: sums, firstDay: day0, lastDay: day0.advanced(by: 39)),
            countsSeries: false)
        return lines.lines()[0]
    }

    private static func device(
        _ name: String, status: DeviceStatus = .approved, runs: Bool = true
    ) throws -> DeviceRecord {
        var device = DeviceRecord(
            id: try DeviceID(name), store: try StoreID("1"), status: status, labels: [], token: 1,
            joinedAt: Timestamp(millisecondsSince1970: 0))
        if runs {
            device.running = RunningPackage(
                digest: [UInt8](repeating: 1, count: 32), release: 1, arenaBytes: 100)
            device.activeSince = device.joinedAt
        }
        return device
    }

    /// - Parameter forecasts: that came of each of the forty days, of two items.
    private static func coverage(
        _ devices: [DeviceRecord], closing days: Int = 40, forecasts: Int = 2
    ) -> ReportCoverage {
        let reports = devices.map { device in
            ReportedDays(
                device: device.id, store: device.store, firstDay: day0,
                days: (0..<days).map { .init(day: day0.advanced(by: $0), closedAllDay: false) })
        }
        let counts = Dictionary(
            uniqueKeysWithValues: devices.map { device in
                (
                    device.id,
                    Dictionary(
                        uniqueKeysWithValues: (0..<days).map {
                            (day0.advanced(by: $0), forecasts)
                        })
                )
            })
        return ReportCoverage(
            devices: devices, reports: reports, first: nil, through: day0.advanced(by: 39),
            forecasts: counts,
            items: Dictionary(uniqueKeysWithValues: devices.map { ($0.store, 2) }))
    }

    private static func finding(
        _ line: ReportLine?, items: [ReportLine] = [], devices: [DeviceRecord]? = nil,
        coverage: ReportCoverage? = nil
    ) throws -> StoreFinding {
        let devices = try devices ?? [device("d-1")]
        return StoreFinding(
            store: try StoreID("1"), line: line, items: items, devices: devices,
            coverage: coverage ?? self.coverage(devices))
    }

    @Test("A store that meets the rule forecasts well, without a word more")
    func good() throws {
        let found = try Self.finding(Self.line())
        #expect(found.standing == .good)
        #expect(found.reasons.isEmpty)
    }

    @Test("What breaks the rule is said, with its figure")
    func poor() throws {
        let rows: [(ReportLine, String)] = [
            (
                Self.line(forecast: 13.5, naive: 13),
                "its error is larger than last week's weekday's: 35.00 % against 30.00 %"
            ),
            (Self.line(forecast: 8.5), "it forecasts 15.0 % less than was sold"),
            (Self.line(forecast: 11.5), "it forecasts 15.0 % more than was sold"),
            (
                Self.line(p90: { $0 % 2 == 0 ? 9 : 14 }),
                "50.0 % of days sold no more than the P90, 90 % is meant"
            ),
            (
                Self.line(p90: { _ in 14 }),
                "100.0 % of days sold no more than the P90, 90 % is meant"
            ),
        ]
        for (line, reason) in rows {
            let found = try Self.finding(line)
            #expect(found.standing == .poor)
            #expect(found.reasons.contains(reason), "\(found.reasons)")
        }
    }

    @Test("What is missing counts: no data is not no error")
    func missing() throws {
        let devices = [try Self.device("d-1")]
        let few = try Self.finding(
            Self.line(), devices: devices, coverage: Self.coverage(devices, forecasts: 1))
        #expect(few.standing == .poor)
        #expect(few.reasons == ["40 of 80 forecasts are missing"])
        let short = try Self.finding(
            Self.line(), devices: devices, coverage: Self.coverage(devices, closing: 30))
        #expect(short.reasons == ["10 sales days are missing"])
    }

    @Test("Without a figure a store is not good, and the reason is the nearest one")
    func unknown() throws {
        var pending = ForecastSums()
        pending.add(ForecastPair(forecastUnits: 3), scale: nil)
        let waiting = Self.named("1", pending)
        let rows: [(ReportLine?, [DeviceRecord], String)] = [
            (nil, [], "no device has joined"),
            (
                nil, [try Self.device("d", status: .pending, runs: false)],
                "none of its devices is approved"
            ),
            (nil, [try Self.device("d", status: .revoked)], "none of its devices is approved"),
            (nil, [try Self.device("d", runs: false)], "no package runs on its 1 device"),
            (nil, [try Self.device("d")], "no forecast of these days was received"),
            (waiting, [try Self.device("d")], "1 forecast of days that are not final yet"),
        ]
        for (line, devices, reason) in rows {
            let found = try Self.finding(line, devices: devices)
            #expect(found.standing == .unknown)
            #expect(found.reasons == [reason])
        }
    }

    @Test(
        "One item with much of the error and little of the sales is named, where the store does not forecast well"
    )
    func outstanding() throws {
        let items = [
            Self.line("a"), Self.line("b"), Self.line("c", forecast: 9, actual: 2),
        ]
        let poor = try Self.finding(Self.line(forecast: 11.5), items: items)
        #expect(poor.reasons.last == "item c makes 88 % of the error and 9 % of the sales")
        #expect(try Self.finding(Self.line(), items: items).reasons.isEmpty)
        let even = [Self.line("a"), Self.line("b"), Self.line("c")]
        #expect(try Self.finding(Self.line(forecast: 11.5), items: even).reasons.count == 1)
    }
}
