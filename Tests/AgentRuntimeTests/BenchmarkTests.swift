import AgentCore
import AgentRuntime
import Forecasting
import Foundation
import JSONText
import ModelPackage
import SyncProtocol
import Testing

@Suite("The benchmark")
struct BenchmarkTests {
    let folder = TemporaryFolder()
    let hub = TestHub()

    init() { hub.enrol(folder) }

    static let members = ["singleNanoseconds", "batchNanoseconds"]

    /// - Returns: a member as a number; nil where it is none.
    static func number(_ value: JSONValue?, _ name: String) -> UInt64? {
        guard case .number(let digits)? = value?[name] else { return nil }
        return decimal(digits)
    }

    @Test("times the reference networks, and no package where there is none")
    func references() throws {
        let reply = Benchmark.run(content: nil)
        #expect(reply["ok"] == .bool(true))
        #expect(reply["package"] == .null)
        #expect(reply["kernels"] == .string(KernelSet.best.name))
        for network in ["lstm16", "lstm64"] {
            for member in Self.members {
                #expect(try #require(Self.number(reply[network], member)) > 0)
            }
        }
        #expect(try #require(Self.number(reply, "peakMemoryBytes")) > 1 << 20)
    }

    @Test("times a package file and counts its arena")
    func package() throws {
        let package = try SmallPackage.make(release: 1)
        let content = package.encode()
        let timed = try #require(Benchmark.run(content: content)["package"])
        for member in Self.members { #expect(try #require(Self.number(timed, member)) > 0) }
        #expect(Self.number(timed, "arenaBytes") == UInt64(package.arenaBytes()))
        #expect(timed["digest"] == .text(Hex.text(Crypto.sha256(content))))
        #expect(Benchmark.run(content: [0])["ok"] == .bool(false))
    }

    @Test("goes up with the registration, and again once a package was activated")
    func registered() throws {
        let service = try AgentService.start(folder)
        try hub.visit(service)
        let first = try #require(hub.registers.last)
        let references = try #require(first.measured)
        #expect(references.kernels == KernelSet.best.name)
        #expect(references.smallNanoseconds > 0 && references.smallBatchNanoseconds > 0)
        #expect(references.largeNanoseconds > 0 && references.largeBatchNanoseconds > 0)
        #expect(references.packageDigest.isEmpty && references.packageNanoseconds == 0)
        #expect(references.peakMemoryBytes > 1 << 20)
        #expect(first.int8Microseconds == max(1, references.smallNanoseconds / 1000))

        let package = try TestPackage.model(release: 4, store: "1")
        let content = package.encode()
        try hub.offer(content, release: 4, store: "1")
        try hub.visit(service)
        let measured = try #require(hub.registers.last?.measured)
        #expect(measured.packageDigest == Crypto.sha256(content))
        #expect(measured.packageNanoseconds > 0 && measured.packageBatchNanoseconds > 0)
        #expect(measured.arenaBytes == UInt64(package.arenaBytes()))
        #expect(measured.smallNanoseconds == references.smallNanoseconds)
        // Once measured it is no news.
        #expect(!service.registrationChanged)
        let count = hub.registers.count
        try hub.visit(service)
        #expect(hub.registers.count == count + 1)
        var again = try #require(hub.registers.last?.measured)
        again.peakMemoryBytes = measured.peakMemoryBytes
        #expect(again == measured)
    }

    @Test("of an agent times the package at work")
    func ofAgent() throws {
        let service = try AgentService.start(folder)
        #expect(service.reply(to: .benchmark)["package"] == .null)
        let content = try TestPackage.model(release: 4, store: "1").encode()
        try hub.offer(content, release: 4, store: "1")
        try hub.visit(service)
        let timed = try #require(service.reply(to: .benchmark)["package"])
        #expect(timed["digest"] == .text(Hex.text(Crypto.sha256(content))))
        #expect(timed["family"] == .string("f"))
        for member in Self.members { #expect(try #require(Self.number(timed, member)) > 0) }
    }
}

@Suite("Energy")
struct EnergyMeterTests {
    let root = TemporaryFolder()

    func write(_ path: String, _ text: String) throws {
        let file = URL(filePath: root.file(path))
        try FileManager.default.createDirectory(
            at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
        try (text + "\n").write(to: file, atomically: true, encoding: .utf8)
    }

    func zone(_ zone: String, name: String, microjoules: Int, range: Int = 1_000_000) throws {
        try write("powercap/\(zone)/name", name)
        try write("powercap/\(zone)/energy_uj", "\(microjoules)")
        try write("powercap/\(zone)/max_energy_range_uj", "\(range)")
    }

    @Test("is not exposed on a machine without counters and batteries")
    func nothing() {
        var meter = EnergyMeter(root: root.path)
        #expect(meter.source == .notExposed && meter.source.name == nil)
        meter.begin()
        #expect(meter.nanojoules() == nil)
    }

    @Test("is the sum over processors, each once, across the end of a counter")
    func processors() throws {
        try zone("intel-rapl:0", name: "package-0", microjoules: 100)
        try zone("intel-rapl:0:0", name: "core", microjoules: 60)
        try zone("intel-rapl:1", name: "package-1", microjoules: 999_000)
        try zone("intel-rapl:2", name: "psys", microjoules: 5)
        try zone("intel-rapl-mmio:0", name: "package-0", microjoules: 7)
        var meter = EnergyMeter(root: root.path)
        #expect(meter.source.name == "RAPL")
        meter.begin()
        #expect(meter.nanojoules() == 0)
        try zone("intel-rapl:0", name: "package-0", microjoules: 350)
        try zone("intel-rapl:0:0", name: "core", microjoules: 300)
        try zone("intel-rapl:1", name: "package-1", microjoules: 500)
        try zone("intel-rapl:2", name: "psys", microjoules: 9_999)
        // 250, and 1000 up to the end of the range and 500 after it.
        #expect(meter.nanojoules() == 1_750_000)
        // A counter that goes back without a range to go around.
        try zone("intel-rapl:0", name: "package-0", microjoules: 1, range: 0)
        #expect(meter.nanojoules() == nil)
    }

    @Test("is a battery's draw while it is in use")
    func battery() throws {
        try write("power_supply/AC/type", "Mains")
        try write("power_supply/BAT0/type", "Battery")
        try write("power_supply/BAT0/status", "Charging")
        try write("power_supply/BAT0/current_now", "-500000")
        try write("power_supply/BAT0/voltage_now", "4000000")
        #expect(EnergyMeter(root: root.path).source == .notExposed)
        try write("power_supply/BAT0/status", "Discharging")
        var meter = EnergyMeter(root: root.path)
        #expect(meter.source.name == "battery")
        meter.begin()
        let start = AgentClock.steadyMilliseconds()
        while AgentClock.steadyMilliseconds() < start + 20 {}
        // Two watts for at least 19 ms.
        #expect(try #require(meter.nanojoules()) >= 38_000_000)
        try write("power_supply/BAT0/power_now", "nonsense")
        #expect(meter.nanojoules() != nil)
        try write("power_supply/BAT0/voltage_now", "nonsense")
        #expect(meter.nanojoules() == nil)
    }
}
