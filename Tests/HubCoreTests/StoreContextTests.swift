import Forecasting
import HubCore
import Testing

@Suite("Finality, shares and day totals")
struct StoreContextTests {
    private static let a = try! DeviceID("a")
    private static let b = try! DeviceID("b")
    private static let day0 = BusinessDay(daysSince1970: 17_000)

    /// `a` and `b` sell 30 and 10 units a day and close, on days 0 ..< count.
    private static func history(days count: Int) -> [DeviceDay] {
        (0..<count).flatMap { offset in
            [
                DeviceDay(
                    device: a, day: day0.advanced(by: offset), units: 30, closedAllDay: false),
                DeviceDay(
                    device: b, day: day0.advanced(by: offset), units: 10, closedAllDay: false),
            ]
        }
    }

    @Test("A day is final when every device that closed one of the seven days before has closed it")
    func finality() {
        let today = Self.day0.advanced(by: 10)
        var days = Self.history(days: 10)
        #expect(!DayFinality(deviceDays: days, devices: [Self.a, Self.b]).isFinal(today))
        days.append(DeviceDay(device: Self.a, day: today, units: 33, closedAllDay: false))
        let partial = DayFinality(deviceDays: days, devices: [Self.a, Self.b])
        #expect(!partial.isFinal(today))
        #expect(partial.status(of: today).awaited == [Self.b])
        // A revoked device is not waited for; what it sold stays sold.
        #expect(DayFinality(deviceDays: days, devices: [Self.a]).isFinal(today))
        days.append(DeviceDay(device: Self.b, day: today, units: 5, closedAllDay: nil))
        #expect(!DayFinality(deviceDays: days, devices: [Self.a, Self.b]).isFinal(today))
        days[days.count - 1].closedAllDay = false
        #expect(DayFinality(deviceDays: days, devices: [Self.a, Self.b]).isFinal(today))
    }

    @Test(
        "A device that has been silent for more than seven days is not waited for",
        arguments: 1...12)
    func silence(daysSilent: Int) {
        let last = Self.day0.advanced(by: 19)
        var days = Self.history(days: 20 - daysSilent)
        for offset in (20 - daysSilent)..<20 {
            days.append(
                DeviceDay(
                    device: Self.a, day: Self.day0.advanced(by: offset), units: 30,
                    closedAllDay: false))
        }
        let finality = DayFinality(deviceDays: days, devices: [Self.a, Self.b])
        #expect(finality.isFinal(last) == (daysSilent > 7))
    }

    @Test("A partial day is scaled up by the usual share of the devices that have closed")
    func scaling() {
        let today = Self.day0.advanced(by: 30)
        var days = Self.history(days: 30)
        days.append(DeviceDay(device: Self.a, day: today, units: 60, closedAllDay: false))
        var status = DayFinality(deviceDays: days, devices: [Self.a, Self.b]).status(of: today)
        #expect(abs(status.scale - 4.0 / 3) < 1e-12)
        // What b has sold so far is part of the sum already: 80 expected, 65 known.
        days.append(DeviceDay(device: Self.b, day: today, units: 5, closedAllDay: nil))
        status = DayFinality(deviceDays: days, devices: [Self.a, Self.b]).status(of: today)
        #expect(abs(status.scale - 80.0 / 65) < 1e-12)
        // More sold than expected is never scaled down.
        days[days.count - 1].units = 500
        status = DayFinality(deviceDays: days, devices: [Self.a, Self.b]).status(of: today)
        #expect(status.scale == 1)
    }

    @Test("Without a history the devices count alike")
    func scalingWithoutHistory() {
        let days = [
            DeviceDay(device: Self.a, day: Self.day0, units: 0, closedAllDay: true),
            DeviceDay(device: Self.b, day: Self.day0, units: 0, closedAllDay: true),
            DeviceDay(
                device: Self.a, day: Self.day0.advanced(by: 1), units: 10, closedAllDay: false),
        ]
        let finality = DayFinality(deviceDays: days, devices: [Self.a, Self.b])
        #expect(finality.status(of: Self.day0.advanced(by: 1)).scale == 2)
    }

    @Test("A share is taken over the last 28 final days only")
    func share() {
        var days = Self.history(days: 40)
        for index in days.indices where days[index].day < Self.day0.advanced(by: 12) {
            days[index].units = days[index].device == Self.b ? 1000 : 0
        }
        let finality = DayFinality(deviceDays: days, devices: [Self.a, Self.b])
        let after = Self.day0.advanced(by: 40)
        #expect(finality.share(of: [Self.b], before: after) == 0.25)
        #expect(finality.share(of: [Self.a, Self.b], before: after) == 1)
        #expect(finality.share(of: [Self.b], before: Self.day0) == nil)
    }

    private static func ledger(revision: UInt64 = 9) throws -> StoreLedger {
        let closed = DeviceDay(
            device: a, day: day0.advanced(by: 31), units: 0, closedAllDay: true)
        let partial = DeviceDay(
            device: a, day: day0.advanced(by: 30), units: 60, closedAllDay: false)
        return StoreLedger(
            store: StoreRecord(id: try StoreID("1"), timeZone: "UTC", revision: revision),
            items: [try ItemID("x"), try ItemID("y")],
            days: (0..<30).map { offset in
                LedgerDay(
                    day: day0.advanced(by: offset), revision: 3, isImported: false,
                    sold: [
                        .init(itemIndex: 0, importedUnits: nil, uploadedUnits: 28),
                        .init(itemIndex: 1, importedUnits: nil, uploadedUnits: 12),
                    ])
            } + [
                LedgerDay(
                    day: partial.day, revision: 7, isImported: false,
                    sold: [
                        .init(itemIndex: 0, importedUnits: nil, uploadedUnits: 45),
                        .init(itemIndex: 1, importedUnits: 7, uploadedUnits: 15),
                    ]),
                LedgerDay(day: closed.day, revision: 8, isImported: false, sold: []),
                LedgerDay(
                    day: day0.advanced(by: 32), revision: 9, isImported: true,
                    sold: [.init(itemIndex: 0, importedUnits: 5, uploadedUnits: 99)]),
            ], deviceDays: history(days: 30) + [partial, closed], devices: [a, b])
    }

    @Test("A device gets the days that changed since, imports as they are, partial days scaled")
    func changedDays() throws {
        let context = StoreContext.decide(try Self.ledger(), device: Self.b, knownRevision: 6)
        #expect(context.revision == 9)
        #expect(context.days.map { $0.day - Self.day0 } == [30, 31, 32])
        let partial = context.days[0]
        #expect(!partial.isFinal)
        // 45 × 4/3; what was imported is not scaled.
        #expect(partial.sold == [.init(itemIndex: 0, units: 60), .init(itemIndex: 1, units: 7)])
        #expect(context.days[1].closedAllDay && context.days[1].sold.isEmpty)
        let imported = context.days[2]
        #expect(imported.isFinal && !imported.closedAllDay)
        #expect(imported.sold == [.init(itemIndex: 0, units: 5)])
        #expect(context.ownShare == 0.25)
    }

    @Test(
        "A new device, and one from before the hub was restored from a backup, get everything",
        arguments: [UInt64(0), 10])
    func everything(known: UInt64) throws {
        let context = StoreContext.decide(try Self.ledger(), device: Self.a, knownRevision: known)
        #expect(context.days.count == 33)
        #expect(context.ownShare == 0.75)
    }

    @Test("An item's level is its mean over the latest final open days")
    func levels() throws {
        let context = StoreContext.decide(try Self.ledger(), device: Self.a, knownRevision: 0)
        // Days 5...29 are final, 30 is partial, 31 is closed but b is awaited, 32 is imported: 25 +
        // 1 days.
        #expect(
            context.levels.map(\.day)
                == [BusinessDay](repeating: Self.day0.advanced(by: 32), count: 2))
        #expect(abs(context.levels[0].units - (25 * 28 + 5) / 26) < 1e-4)
        #expect(abs(context.levels[1].units - 25 * 12 / 26) < 1e-4)
    }
}
