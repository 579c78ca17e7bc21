import AgentCore
import AgentRuntime
import Foundation
import SyncProtocol
import Testing

/// Folders as the kernel lays them out under `/sys/class`.
@Suite("The machine")
struct MachineTests {
    let root = TemporaryFolder()
    let hub = TestHub()

    func write(_ path: String, _ text: String) throws {
        let file = URL(filePath: root.file(path))
        try FileManager.default.createDirectory(
            at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
        try (text + "\n").write(to: file, atomically: true, encoding: .utf8)
    }

    func power() -> (source: PowerSource, batteryPercent: UInt32) {
        Machine.power(in: root.file("power_supply"))
    }

    @Test("runs on battery, at its emptiest one's percentage, until a supply is connected")
    func battery() throws {
        #expect(power() == (.unknown, 0))
        try write("power_supply/BAT0/type", "Battery")
        #expect(power() == (.battery, 0), "a battery that does not say how full it is")
        try write("power_supply/BAT0/capacity", "80")
        try write("power_supply/BAT1/type", "Battery")
        try write("power_supply/BAT1/capacity", "0")
        #expect(power() == (.battery, 1), "an empty battery is not one that says nothing")
        try write("power_supply/BAT1/capacity", "130")
        try write("power_supply/hid-mouse/type", "Battery")
        try write("power_supply/hid-mouse/scope", "Device")
        try write("power_supply/hid-mouse/capacity", "3")
        try write("power_supply/AC/type", "Mains")
        try write("power_supply/AC/online", "0")
        #expect(power() == (.battery, 80))
        try write("power_supply/AC/online", "1")
        #expect(power() == (.mains, 80))
        try write("power_supply/BAT0/capacity", "n/a")
        #expect(power() == (.mains, 100))
    }

    @Test("is as warm as its hottest zone that has a sensor")
    func temperature() throws {
        func kelvin() -> UInt32 { Machine.temperature(in: root.file("thermal")) }
        #expect(kelvin() == 0)
        try write("thermal/thermal_zone0/temp", "-18400")
        try write("thermal/cooling_device0/temp", "50000")
        #expect(kelvin() == 255)
        try write("thermal/thermal_zone1/temp", "-274000")
        try write("thermal/thermal_zone2/temp", "")
        #expect(kelvin() == 255)
        try write("thermal/thermal_zone10/temp", "41600")
        #expect(kelvin() == 315)
    }

    @Test(
        "tells of a battery or a temperature that moved by ten, not of every percent or degree",
        arguments: [
            (0, 0, false), (0, 1, true), (50, 0, true), (50, 59, false), (50, 41, false),
            (50, 60, true), (50, 40, true),
        ] as [(UInt32, UInt32, Bool)])
    func moved(last: UInt32, now: UInt32, isNews: Bool) {
        #expect(Capabilities.hasMoved(last, now) == isNews)
    }

    @Test("is told from others by its serial number and the addresses it was made with")
    func hardware() throws {
        func hardware() -> [UInt8] { Machine.hardware(in: root.path) }
        #expect(hardware().isEmpty)
        func interface(_ name: String, _ address: String, kind: String = "0", real: Bool = true)
            throws
        {
            try write("sys/class/net/\(name)/address", address)
            try write("sys/class/net/\(name)/addr_assign_type", kind)
            if real { try write("sys/class/net/\(name)/device/uevent", "") }
        }
        try interface("lo", "00:00:00:00:00:00", real: false)
        try interface("wlan0", "02:11:22:33:44:55", kind: "3")
        #expect(hardware().isEmpty, "an address that was drawn tells nothing")
        try interface("eth0", "b8:27:eb:00:00:01")
        let one = hardware()
        #expect(one.count == 8)
        try interface("wlan0", "02:99:99:99:99:99", kind: "3")
        #expect(hardware() == one)
        try interface("eth0", "b8:27:eb:00:00:02")
        let other = hardware()
        #expect(other != one)
        try write("proc/device-tree/serial-number", "10000000abcdef01")
        #expect(hardware() != other && hardware().count == 8)
    }

    @Test(
        "keeps the number of its contact, and says it at the next; a lost answer leaves the one before"
    )
    func contactNumber() throws {
        let folder = TemporaryFolder()
        hub.enrol(folder)
        // Each a start of its own: what is kept is on the disk.
        try hub.visit(try AgentService.start(folder))
        try hub.visit(try AgentService.start(folder))
        #expect(hub.registers.map(\.contactNumber) == [0, 1])
        // Greeted, and cut off before the answer to Register.
        (hub.answersLeft, hub.cutsAnswers) = (2, true)
        #expect(throws: TestHub.Cut.self) { try hub.visit(try AgentService.start(folder)) }
        (hub.answersLeft, hub.cutsAnswers) = (nil, false)
        try hub.visit(try AgentService.start(folder))
        #expect(hub.registers.map(\.contactNumber) == [0, 1, 2, 2])
        #expect(hub.registers.map(\.hardware) == Array(repeating: Machine.hardware(), count: 4))
        // A database begun anew has none.
        for name in ["agent.sqlite", "agent.sqlite-wal", "agent.sqlite-shm"] {
            try? FileManager.default.removeItem(atPath: folder.file(name))  // the log may be gone
        }
        try hub.visit(try AgentService.start(folder))
        #expect(hub.registers.last?.contactNumber == 0)
    }

    @Test("registers again on a connection that stays when its labels or its budget change")
    func news() throws {
        let folder = TemporaryFolder()
        hub.enrol(folder)
        let service = try AgentService.start(folder)
        try hub.visit(service)
        #expect(try !service.work().registrationChanged)
        var configuration = service.configuration
        configuration.labels = ["aisle=9"]
        try service.set(configuration: configuration)
        #expect(try service.work().registrationChanged)
        try hub.visit(service)
        #expect(hub.registers.last?.labels == ["aisle=9"])
        #expect(try !service.work().registrationChanged)
        configuration.budgetBytes = 12_345
        try service.set(configuration: configuration)
        #expect(try service.work().registrationChanged)
    }
}
