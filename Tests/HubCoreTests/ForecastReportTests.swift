import Forecasting
import HubCore
import Testing

@Suite("The accuracy report")
struct ForecastReportTests {
    private static let store = try! StoreID("1")
    private static let a = try! DeviceID("a")
    private static let b = try! DeviceID("b")
    private static let x = try! ItemID("x")
    private static let y = try! ItemID("y")
    private static let day0 = BusinessDay(daysSince1970: 17_000)

    private static func device(_ id: DeviceID, activeAfter: BusinessDay?, running: Bool = true)
        -> DeviceRecord
    {
        var device = DeviceRecord(
            id: id, store: store, status: .approved, labels: [], token: 1,
            joinedAt: Timestamp(millisecondsSince1970: 0))
        if running {
            device.running = RunningPackage(
                digest: [UInt8](repeating: 1, count: 32), release: 1, arenaBytes: 100)
            device.activeSince = Timestamp(millisecondsSince1970: 5)
            device.forecastsExpectedAfter = activeAfter
        }
        return device
    }

    private static func observation(
        _ device: DeviceID, _ item: ItemID, _ offset: Int, forecast: Double, actual: Int64?,
        naive: Int64?, imported: Bool = false
    ) -> ForecastObservation {
        ForecastObservation(
            device: device, item: item, day: day0.advanced(by: offset), forecastUnits: forecast,
            actualUnits: actual, seasonalNaiveUnits: naive, release: 1, actualIsImported: imported)
    }

    private static func closes(_ device: DeviceID, _ offsets: Range<Int>) -> [DeviceDay] {
        offsets.map {
            DeviceDay(device: device, day: day0.advanced(by: $0), units: 1, closedAllDay: false)
        }
    }

    private static func report(
        _ observations: [ForecastObservation], closes: [DeviceDay], devices: [DeviceRecord],
        items: [ItemID] = [x, y], days: ClosedRange<Int> = -1000...1000
    ) -> StoreReport {
        StoreReport(
            store: store, observations: observations, deviceDays: closes, devices: devices,
            items: items,
            days: day0.advanced(by: days.lowerBound)...day0.advanced(by: days.upperBound))
    }

    @Test("The figures are those of the definition, worked out by hand")
    func figures() throws {
        let report = Self.report(
            [
                Self.observation(Self.a, Self.x, 0, forecast: 12, actual: 10, naive: 14),
                Self.observation(Self.a, Self.x, 1, forecast: 7, actual: 10, naive: 9),
                Self.observation(Self.a, Self.y, 0, forecast: 1, actual: 0, naive: 2),
                Self.observation(Self.a, Self.y, 1, forecast: 4, actual: 5, naive: nil),
            ], closes: Self.closes(Self.a, 0..<2), devices: [Self.device(Self.a, activeAfter: nil)]
        ).report
        #expect(report.accuracy.count == 4)
        #expect(report.accuracy.zeroActualCount == 1)
        // Errors 2 + 3 + 1 + 1 over 25 sold; (24 − 25) / 25; (0.2 + 0.3 + 0.2) / 3.
        #expect(abs(try #require(report.accuracy.wape) - 28) < 1e-9)
        #expect(abs(try #require(report.accuracy.bias) - -4) < 1e-9)
        #expect(abs(try #require(report.accuracy.mape) - 70.0 / 3) < 1e-9)
        // Where there is a last week: 6 / 20 against (4 + 1 + 2) / 20.
        #expect(abs(try #require(report.valueAdded) - (1 - 6.0 / 7)) < 1e-9)
        #expect(report.coverage == 100)
        #expect(report.firstDay == Self.day0 && report.lastDay == Self.day0.advanced(by: 1))
    }

    @Test(
        "A day that is not final, or has no business, is pending and no error; an import is final")
    func pending() {
        let closes = Self.closes(Self.a, 0..<3) + Self.closes(Self.b, 0..<2)
        let report = Self.report(
            [
                Self.observation(Self.a, Self.x, 1, forecast: 5, actual: 5, naive: nil),
                Self.observation(Self.a, Self.x, 2, forecast: 5, actual: 2, naive: nil),
                Self.observation(
                    Self.a, Self.y, 2, forecast: 5, actual: 6, naive: nil, imported: true),
                Self.observation(Self.a, Self.y, 1, forecast: 5, actual: nil, naive: nil),
            ], closes: closes,
            devices: [
                Self.device(Self.a, activeAfter: nil), Self.device(Self.b, activeAfter: nil),
            ]
        ).report
        #expect(report.accuracy.count == 2)
        #expect(report.pendingForecasts == 2)
        #expect(report.accuracy.absoluteErrorSum == 1)
    }

    @Test("No data is no figure, never a perfect one")
    func noData() {
        let report = Self.report([], closes: [], devices: [Self.device(Self.a, activeAfter: nil)])
            .report
        #expect(report.accuracy.wape == nil)
        #expect(report.accuracy.bias == nil)
        #expect(report.accuracy.mape == nil)
        #expect(report.valueAdded == nil)
        #expect(report.coverage == nil)
    }

    @Test("A forecast is expected of each item on each day closed since a package ran")
    func coverage() throws {
        let closes =
            Self.closes(Self.a, 0..<5) + Self.closes(Self.b, 0..<5) + [
                DeviceDay(
                    device: Self.a, day: Self.day0.advanced(by: 5), units: 0, closedAllDay: true),
                DeviceDay(
                    device: Self.a, day: Self.day0.advanced(by: 6), units: 4, closedAllDay: nil),
            ]
        let observations = [2, 3].map {
            Self.observation(Self.a, Self.x, $0, forecast: 1, actual: 1, naive: nil)
        }
        let report = Self.report(
            observations, closes: closes,
            devices: [
                Self.device(Self.a, activeAfter: Self.day0.advanced(by: 1)),
                Self.device(Self.b, activeAfter: nil, running: false),
            ])
        // Device a: days 2, 3, 4 × 2 items; the closed day, the open day and device b expect none.
        #expect(report.devices.map(\.expected) == [6, 0])
        #expect(report.devices.map(\.missing) == [4, 0])
        #expect(report.report.expectedForecasts == 6)
        #expect(report.report.receivedForecasts == 2)
        #expect(report.report.devicesRunning == 1 && report.report.devices == 2)
        #expect(abs(try #require(report.report.coverage) - 100.0 / 3) < 1e-9)
    }

    @Test("Only the days asked for count, finality looks further back")
    func window() {
        let closes = Self.closes(Self.a, 0..<5) + Self.closes(Self.b, 0..<2)
        let observations = (0..<5).map {
            Self.observation(Self.a, Self.x, $0, forecast: 2, actual: 1, naive: nil)
        }
        let report = Self.report(
            observations, closes: closes,
            devices: [
                Self.device(Self.a, activeAfter: nil), Self.device(Self.b, activeAfter: nil),
            ], items: [Self.x], days: 1...3
        ).report
        // Day 1 is final; on days 2 and 3 device b, seen on day 1, is awaited.
        #expect(report.accuracy.count == 1)
        #expect(report.pendingForecasts == 2)
        #expect(report.expectedForecasts == 4)
    }

    @Test("The chain's figures are those of all its stores' forecasts together")
    func merging() {
        var chain = ForecastReport()
        let one = Self.report(
            [Self.observation(Self.a, Self.x, 0, forecast: 3, actual: 1, naive: 1)],
            closes: Self.closes(Self.a, 0..<1), devices: [Self.device(Self.a, activeAfter: nil)]
        ).report
        let two = Self.report(
            [Self.observation(Self.b, Self.x, 4, forecast: 90, actual: 99, naive: 90)],
            closes: Self.closes(Self.b, 4..<5), devices: [Self.device(Self.b, activeAfter: nil)]
        ).report
        chain.merge(one)
        chain.merge(two)
        #expect(chain.accuracy.wape == 11)
        #expect(chain.devices == 2)
        #expect(chain.firstDay == Self.day0 && chain.lastDay == Self.day0.advanced(by: 4))
    }
}
