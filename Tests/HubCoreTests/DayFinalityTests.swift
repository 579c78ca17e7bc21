import Forecasting
import HubCore
import TestSupport
import Testing

@Suite("Who is waited for")
struct DayFinalityTests {
    private static let day0 = BusinessDay(daysSince1970: 19_000)
    private static let names = ["a", "b", "c"].map { try! DeviceID($0) }  // valid as written
    private static let store = try! StoreID("1")  // valid as written
    private static let items = ["x", "y"].map { try! ItemID($0) }  // valid as written

    /// Devices that close most days, stay away for some, and begin late.
    private static func ledger(
        devices: [DeviceID], days: Int, using random: inout SeededGenerator
    ) -> (ledger: StoreLedger, approved: [DeviceID]) {
        var deviceDays: [DeviceDay] = []
        for (index, device) in devices.enumerated() {
            let begins = Int.random(in: 0..<days / 3, using: &random) * index
            var awayUntil = 0
            for offset in begins..<max(begins, days) {
                if Int.random(in: 0..<25, using: &random) == 0 {
                    awayUntil = offset + .random(in: 1...20, using: &random)
                }
                guard offset >= awayUntil else { continue }
                let isOpen = Int.random(in: 0..<12, using: &random) == 0
                deviceDays.append(
                    DeviceDay(
                        device: device, day: day0.advanced(by: offset),
                        units: .random(in: 0...30, using: &random),
                        closedAllDay: isOpen ? nil : false))
            }
        }
        let ledgerDays = (0..<days).map { offset -> LedgerDay in
            let day = day0.advanced(by: offset)
            let units = deviceDays.filter { $0.day == day }.reduce(0) { $0 + $1.units }
            return LedgerDay(
                day: day, revision: 1, isImported: offset % 17 == 5,
                sold: [.init(itemIndex: 0, importedUnits: nil, uploadedUnits: units)])
        }
        let approved = devices.filter { _ in Bool.random(using: &random) }
        return (
            StoreLedger(
                store: StoreRecord(id: store, timeZone: "UTC", revision: 1),
                items: items, days: ledgerDays, deviceDays: deviceDays, devices: approved), approved
        )
    }

    @Test(
        "Every day that is told otherwise with other devices approved is named, whatever they reported",
        arguments: 1...40)
    func namesEveryDay(seed: Int) {
        var random = SeededGenerator(seed: UInt64(seed))
        let days = Int.random(in: 30...160, using: &random)
        let (ledger, before) = Self.ledger(devices: Self.names, days: days, using: &random)
        let changed = Self.names[Int.random(in: 0..<3, using: &random)]
        let after =
            before.contains(changed)
            ? before.filter { $0 != changed } : (before + [changed]).sorted()
        let named = Set(
            DayFinality(deviceDays: ledger.deviceDays, devices: after).days(
                unlike: DayFinality(deviceDays: ledger.deviceDays, devices: before)))
        // As whoever asks from some day on is told, too: with fewer days behind it the shares are others.
        for from in [0, days / 4, days / 2] {
            let first = Self.day0.advanced(by: from)
            var part = ledger
            part.days.removeAll { $0.day < first }
            part.deviceDays.removeAll {
                $0.day < first.advanced(by: -StoreContext.lookBackDays)
            }
            func told(_ devices: [DeviceID]) -> [StoreContext.Day] {
                var asked = part
                asked.devices = devices
                return StoreContext.decide(asked, device: Self.names[0], knownRevision: 0).days
            }
            for (one, other) in zip(told(before), told(after)) where one != other {
                #expect(named.contains(one.day), "\(one) \(other); seed \(seed)")
            }
        }
    }

    @Test(
        "Nothing changes where nobody waited for the device: it never closed a day, or closed all that others did"
    )
    func namesNoOthers() {
        let days = (0..<100).map { Self.day0.advanced(by: $0) }
        let both = days.flatMap { day in
            Self.names.prefix(2).map {
                DeviceDay(device: $0, day: day, units: 5, closedAllDay: false)
            }
        }
        func unlike(_ one: [DeviceID], _ other: [DeviceID], _ reports: [DeviceDay]) -> [BusinessDay]
        {
            DayFinality(deviceDays: reports, devices: one).days(
                unlike: DayFinality(deviceDays: reports, devices: other))
        }
        #expect(unlike(Self.names, Array(Self.names.prefix(2)), both) == [])
        #expect(unlike([Self.names[0]], Array(Self.names.prefix(2)), both) == [])
        // One that fell silent for the last three days held up these.
        let silent = both.filter { $0.device == Self.names[0] || $0.day < days[97] }
        #expect(
            unlike([Self.names[0]], Array(Self.names.prefix(2)), silent) == Array(days.suffix(3)))
        #expect(
            unlike(Array(Self.names.prefix(2)), [Self.names[0]], silent) == Array(days.suffix(3)))
    }
}
