import Forecasting
import HubCore
import Testing
import Watching

/// What is found of devices and of stores that report nothing.
@Suite struct FleetSignsTests {
    private static let now = Timestamp(millisecondsSince1970: 1_700_000_000_000)
    private static let today = BusinessDay(daysSince1970: 19_675)

    private static func device(
        _ id: String, store: String = "1", seen secondsAgo: Int64 = 60
    ) throws -> DeviceRecord {
        var device = DeviceRecord(
            id: try DeviceID(id), store: try StoreID(store), status: .approved, labels: [],
            token: 1, joinedAt: now.advanced(bySeconds: -90 * 86_400))
        device.lastSeenAt = now.advanced(bySeconds: -secondsAgo)
        device.longestGapSeconds = 900
        return device
    }

    /// - Parameter days: before today, each with 10 units and 3 forecasts unless told otherwise.
    private static func activity(
        _ device: DeviceRecord, days: some Sequence<Int>, units: Int64 = 10, forecasts: Int = 3,
        isBusiness: Bool = true
    ) -> DeviceActivity {
        DeviceActivity(
            device: device.id, store: device.store,
            days: days.sorted(by: >).map {
                DeviceActivity.Day(
                    day: today.advanced(by: -$0), isBusiness: isBusiness, units: units,
                    forecasts: forecasts)
            })
    }

    private static func titles(
        _ devices: [DeviceRecord], _ activity: [DeviceActivity] = [],
        listeningSince: Timestamp? = now.advanced(bySeconds: -30 * 86_400),
        newDayAt: Timestamp? = nil, standing: Set<Finding.Key> = []
    ) -> [String] {
        FleetSigns(
            FleetSigns.Facts(
                devices: devices, activity: activity, listeningSince: listeningSince,
                newDayAt: newDayAt, standing: standing), at: now
        ).findings.map(\.title)
    }

    @Test("A device is silent after twice its longest silence, four hours at least")
    func silent() throws {
        #expect(Self.titles([try Self.device("d", seen: 4 * 3_600)]).isEmpty)
        #expect(
            Self.titles([try Self.device("d", seen: 5 * 3_600)])
                == ["device d of store 1 was last heard of 5 hours ago"])
        var weekends = try Self.device("d", seen: 80 * 3_600)
        weekends.longestGapSeconds = 60 * 3_600
        #expect(Self.titles([weekends]).isEmpty)
        weekends.longestGapSeconds = 30 * 3_600
        #expect(Self.titles([weekends]) == ["device d of store 1 was last heard of 3 days ago"])
        var revoked = try Self.device("d", seen: 90 * 3_600)
        revoked.status = .revoked
        #expect(Self.titles([revoked]).isEmpty)
    }

    @Test("A hub that was off makes nobody silent")
    func hubWasOff() throws {
        let devices = [
            try Self.device("a", seen: 50 * 3_600), try Self.device("b", seen: 51 * 3_600),
        ]
        #expect(Self.titles(devices, listeningSince: Self.now.advanced(bySeconds: -60)).isEmpty)
        // Without a word of when it listened: the last contact of any tells.
        #expect(Self.titles(devices, listeningSince: nil).isEmpty)
        #expect(
            Self.titles(devices + [try Self.device("c")], listeningSince: nil).count == 2)
    }

    @Test("A device that closes no days while others do is silent, whatever it says")
    func missedDays() throws {
        let busy = try Self.device("busy", store: "2")
        let quiet = try Self.device("quiet")
        let days = Self.activity(busy, days: 0..<50)
        #expect(Self.titles([busy, quiet], [days, Self.activity(quiet, days: 2..<50)]).isEmpty)
        #expect(
            Self.titles([busy, quiet], [days, Self.activity(quiet, days: 3..<50)])
                == ["device quiet of store 1 has closed no day since 2023-11-11: 3 missing"])
        // Not on days of the week that it never closes: here 2023-11-14, a Tuesday, and the two before.
        let tuesdays = (0..<50).filter { $0 > 20 || ![0, 1, 2].contains($0) }
            .filter { ![0, 1, 2].contains($0 % 7) }
        #expect(
            Self.titles([busy, quiet], [days, Self.activity(quiet, days: tuesdays)]).isEmpty)
    }

    @Test(
        "Days of business without a sale or without a forecast are no data; days without business are fine"
    )
    func empty() throws {
        var device = try Self.device("d")
        let known = Self.activity(device, days: 2..<30).days
        func titles(_ last: DeviceActivity) -> [String] {
            var activity = last
            activity.days = known + last.days
            return Self.titles([device], [activity])
        }
        #expect(titles(Self.activity(device, days: 0..<1, units: 0)).isEmpty)
        #expect(
            titles(Self.activity(device, days: 0..<2, units: 0))
                == ["store 1 has closed 2 days of business without a sale"])
        #expect(titles(Self.activity(device, days: 0..<2, units: 0, isBusiness: false)).isEmpty)
        let unforecast = Self.activity(device, days: 0..<5, forecasts: 0)
        #expect(Self.titles([device], [unforecast]).isEmpty)
        device.running = RunningPackage(digest: [1], release: 1, arenaBytes: 100)
        device.activeSince = Self.now.advanced(bySeconds: -86_400)
        #expect(
            Self.titles([device], [unforecast])
                == ["store 1 has closed 5 days of business without a forecast"])
        device.forecastsExpectedAfter = Self.today.advanced(by: -1)
        #expect(Self.titles([device], [unforecast]).isEmpty)
    }

    @Test("A chain that closes no day any more is one alert")
    func standstill() throws {
        let device = try Self.device("d")
        let activity = [Self.activity(device, days: 0..<9)]
        func titles(_ days: Int64) -> [String] {
            Self.titles([device], activity, newDayAt: Self.now.advanced(bySeconds: -days * 86_400))
        }
        #expect(titles(3).isEmpty)
        #expect(titles(5) == ["no device of the chain has closed a day after 2023-11-14"])
    }

    @Test("Battery, certificate and memory are told of before they run out")
    func runningLow() throws {
        var device = try Self.device("d")
        func findings(_ standing: Set<Finding.Key> = []) -> [String] {
            FleetSigns(
                FleetSigns.Facts(
                    devices: [device], activity: [],
                    listeningSince: Self.now, newDayAt: nil, standing: standing), at: Self.now
            ).findings.map { "\($0.severity.rawValue): \($0.title)" }
        }
        var can = DeviceCapabilities()
        can.powerSource = .battery
        can.batteryPercent = 21
        device.capabilities = can
        #expect(findings().isEmpty)
        // Once it was low it is so until it is well above.
        let key = Finding.Key(kind: .batteryLow, subject: .device(device.id))
        #expect(findings([key]) == ["warn: the battery of device d of store 1 is at 21 %"])
        can.batteryPercent = 4
        device.capabilities = can
        #expect(findings() == ["page: the battery of device d of store 1 is at 4 %"])
        can.powerSource = .mains
        can.modelMemoryBudgetBytes = 512
        device.capabilities = can
        device.certificateExpiresAt = Self.now.advanced(bySeconds: 29 * 86_400 + 5)
        #expect(
            findings() == ["warn: the certificate of device d of store 1 expires in 29 days"])
        device.certificateExpiresAt = Self.now.advanced(bySeconds: -1)
        #expect(
            findings()
                == ["page: the certificate of device d of store 1 has expired: it must join again"])
        device.certificateExpiresAt = nil
        device.budgetBefore = .init(bytes: 2_048, until: Self.now.advanced(bySeconds: -60))
        device.running = RunningPackage(digest: [1], release: 1, arenaBytes: 600)
        #expect(
            findings()
                == ["warn: device d of store 1 allows its model 512 bytes; it allowed 2048"])
        device.running?.arenaBytes = 500
        #expect(
            findings()
                == ["info: device d of store 1 allows its model 512 bytes; it allowed 2048"])
        device.budgetBefore?.until = Self.now.advanced(bySeconds: -31 * 86_400)
        #expect(findings().isEmpty)
    }
}
