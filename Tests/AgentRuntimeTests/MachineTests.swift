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
