import Forecasting
import HubCore
import Testing

@Suite("What the report says is missing, and what its lines are of")
struct ReportCoverageTests {
    private static let store = try! StoreID("1")
    private static let a = try! DeviceID("a")
    private static let b = try! DeviceID("b")
    /// A Thursday.
    private static func day(_ offset: Int) -> BusinessDay {
        BusinessDay(daysSince1970: 17_500 + Int32(offset))
    }

    private static func device(
        _ id: DeviceID, after: BusinessDay? = nil, running: Bool = true, region: String? = nil,
        status: DeviceStatus = .approved
    ) throws -> DeviceRecord {
        var device = DeviceRecord(
            id: id, store: store, status: status,
            labels: try region.map { [try DeviceLabel("region=" + $0)] } ?? [], token: 1,
            joinedAt: Timestamp(millisecondsSince1970: 0))
        if running {
            device.running = RunningPackage(
                digest: [UInt8](repeating: 1, count: 32), release: 1, arenaBytes: 100)
            device.activeSince = Timestamp(millisecondsSince1970: 5)
            device.forecastsExpectedAfter = after
        }
        return device
    }

    private static func closed(
        _ device: DeviceID, _ offsets: [Int], allDay: Set<Int> = []
    ) -> ReportedDays {
        ReportedDays(
            device: device, store: store, firstDay: day(offsets.min() ?? 0),
            days: offsets.map { .init(day: day($0), closedAllDay: allDay.contains($0)) })
    }

    private static func coverage(
        _ devices: [DeviceRecord], _ reports: [ReportedDays], through: Int?,
        forecasts: [DeviceID: [BusinessDay: Int]] = [:]
    ) -> ReportCoverage {
        ReportCoverage(
            devices: devices, reports: reports, first: nil, through: through.map { day($0) },
            forecasts: forecasts, items: [store: 2])
    }

    @Test("A missing day is told with its date and its device")
    func words() throws {
        let both = [try Self.device(Self.a), try Self.device(Self.b)]
        func text(_ a: [Int], _ b: [Int]) -> String {
            Self.coverage(both, [Self.closed(Self.a, a), Self.closed(Self.b, b)], through: 13)
                .daysText
        }
        let all = Array(0...13)
        #expect(text(all, all) == "100 % of sales days received: all 28")
        #expect(
            text(all, all.filter { $0 != 4 })
                == "96.43 % of sales days received; 1 missing, \(Self.day(4).iso8601), device b")
        #expect(
            text(all.filter { $0 != 4 }, all.filter { $0 != 4 })
                == "92.86 % of sales days received; 2 missing, all \(Self.day(4).iso8601), devices a, b"
        )
        // Silent for good: every day since is missing, not only a week's.
        #expect(
            text(all, [0, 1])
                == "57.14 % of sales days received; 12 missing, from \(Self.day(2).iso8601) to "
                + "\(Self.day(13).iso8601), device b")
    }

    @Test("A weekday on which the store never speaks is no missing day")
    func closedWeekdays() throws {
        let open = (0...20).filter { Self.day($0).weekday != 6 }
        let found = Self.coverage(
            [try Self.device(Self.a)], [Self.closed(Self.a, open)], through: 20)
        #expect(found.missingDays == 0 && found.expectedDays == 18)
    }

    @Test("Nothing expected is no figure and says why")
    func nothing() throws {
        let none = Self.coverage([try Self.device(Self.a)], [], through: nil)
        #expect(none.dayShare == nil && none.forecastShare == nil)
        #expect(none.daysText.hasPrefix("no sales day was expected"))
        #expect(none.forecastsText.hasPrefix("no forecast was expected"))
        let revoked = Self.coverage(
            [try Self.device(Self.a, status: .revoked)], [Self.closed(Self.a, [0])], through: 3)
        #expect(revoked.devices.isEmpty && revoked.dayShare == nil)
    }

    @Test("A forecast is expected of each item on each day of business since a package ran")
    func forecasts() throws {
        let devices = [
            try Self.device(Self.a, after: Self.day(1)), try Self.device(Self.b, running: false),
        ]
        let found = Self.coverage(
            devices,
            [Self.closed(Self.a, [0, 1, 2, 3, 4, 5], allDay: [5]), Self.closed(Self.b, [0, 1])],
            through: 5,
            forecasts: [Self.a: [Self.day(0): 2, Self.day(2): 1, Self.day(3): 1, Self.day(5): 2]])
        // Days 2, 3, 4 × 2 items; the day without business and device b expect none.
        #expect(found.devices.map(\.expectedForecasts) == [6, 0])
        #expect(found.receivedForecasts == 2 && found.devices[0].missingForecasts == 4)
        #expect(found.forecastsText == "33.33 % of forecasts received; 4 of 6 missing")
        #expect(found.devicesRunning == 1)
    }

    @Test("No data is no figure, never a perfect one")
    func noData() {
        let sums = ForecastSums()
        #expect(sums.accuracy.wape == nil && sums.accuracy.bias == nil && sums.valueAdded == nil)
        #expect(sums.scaled.mase7 == nil && sums.p90.coverage == nil)
    }

    @Test("Sums come back from their numbers, and impossible numbers do not")
    func numbers() throws {
        var sums = ForecastSums()
        let scale = SeriesScale(seasonalAbsolute: 2, naiveSquared: 3)
        sums.add(
            ForecastPair(
                forecastUnits: 5.5, actualUnits: 4, seasonalNaiveUnits: 7, p90Units: 9),
            scale: scale)
        sums.add(ForecastPair(forecastUnits: 1), scale: scale)
        var numbers = [Double](repeating: -1, count: ForecastSums.numberCount)
        sums.eachNumber { numbers[$0] = $1 }
        #expect(ForecastSums { numbers[$0] } == sums)
        for position in numbers.indices {
            var broken = numbers
            broken[position] = -1
            #expect(ForecastSums { broken[$0] } == nil, "number \(position)")
        }
    }

    @Test("A forecast counts on the line of its device's region, family, variant and package")
    func names() throws {
        func package(_ variant: String, _ release: UInt64, _ seed: UInt8) -> PackageRecord {
            PackageRecord(
                digest: [UInt8](repeating: seed, count: 32), family: "spring", variant: variant,
                store: nil, release: release, packageBytes: 1, arenaBytes: 1, parameterCount: 1,
                requiredFeatures: [], wape: 1, mape: 1, bias: 1, floatWAPE: 1, floatMAPE: 1,
                createdAt: Timestamp(millisecondsSince1970: 0))
        }
        let packages = [package("lstm4", 1, 1), package("lstm2", 1, 2), package("lstm2", 2, 3)]
        let fleet = ReportFleet(
            devices: [
                try Self.device(Self.a, region: "north"), try Self.device(Self.b, running: false),
            ], packages: packages,
            given: [
                GivenPackage(device: Self.b, digest: packages[0].digest),
                GivenPackage(device: Self.b, digest: packages[1].digest),
                GivenPackage(device: Self.b, digest: packages[2].digest),
            ])
        func names(_ device: DeviceID, _ release: UInt64) -> [String] {
            var key = ReportKey()
            key.device = device
            key.release = release
            return [.region, .family, .variant, .package].map { fleet.name(of: key, in: $0) }
        }
        #expect(
            names(Self.a, 1)
                == ["north", "spring", "spring lstm4", "spring lstm4 release 1 010101010101"])
        // It was given two packages of release 1: which one forecast is not known, and not guessed.
        #expect(
            names(Self.b, 1)
                == ["no region", "spring", "not known (release 1)", "not known (release 1)"])
        #expect(names(Self.b, 2)[2] == "spring lstm2")
        #expect(names(Self.b, 9)[1] == "not known (release 9)")
    }
}
