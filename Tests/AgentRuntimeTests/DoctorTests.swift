import AgentCore
import AgentRuntime
import Foundation
import ModelPackage
import TestSupport
import Testing

@Suite("The doctor")
struct DoctorTests {
    let folder = TemporaryFolder()
    let hub = TestHub()

    /// "verdict: text" by name; of a name that comes twice, the last.
    func findings(clock: AgentClock = AgentClock()) -> [String: String] {
        var doctor = Doctor(directory: folder.path, clock: clock)
        doctor.examine()
        var lines: [String: String] = [:]
        for finding in doctor.findings {
            lines[finding.name] = finding.verdict.name + ": " + finding.text
            // What is wrong comes with what to do.
            #expect(finding.verdict == .ok || !finding.advice.isEmpty, "\(finding)")
        }
        #expect(doctor.isWell == !lines.values.contains { $0.hasPrefix("wrong") })
        return lines
    }

    @Test("tells a device that has not joined how to")
    func notJoined() {
        let found = findings()
        #expect(found["hub"] == "wrong: this device has not joined a hub")
        #expect(found["database"] == "ok: none yet")
        #expect(found["agent"]?.hasPrefix("warning: no agent runs on ") == true)
        #expect(found["disk"]?.hasSuffix(" KiB free") == true)
    }

    @Test("proves the active package, within the budget as it is set now")
    func model() throws {
        hub.enrol(folder)
        try hub.visit(try AgentService.start(folder))
        #expect(findings()["model"] == "warning: none runs; the hub says: nothing is assigned")
        try hub.offer(
            try TestPackage.model(release: 4, store: "1").encode(), release: 4, store: "1")
        try hub.visit(try AgentService.start(folder))
        let found = findings()
        #expect(found["model"]?.hasPrefix("ok: f/v gives what it gives elsewhere, in ") == true)
        #expect(found["config"] == "ok: model budget 20000 bytes, set")
        #expect(Configuration(budgetBytes: 10).save(in: folder.path) == nil)
        #expect(
            findings()["model"]?.hasPrefix("wrong: the active package cannot be used: ") == true)
    }

    @Test("finds a damaged database and leaves it where it is")
    func damage() throws {
        hub.enrol(folder)
        do {
            let service = try AgentService.start(folder)
            for item in 0..<400 {
                try service.sell(3, of: "item-\(item)", on: TestPackage.day(1))
            }
        }
        #expect(findings()["database"] == "ok: sound, 400 records wait for the hub")
        let path = folder.file("agent.sqlite")
        var bytes = try Data(contentsOf: URL(filePath: path))
        try #require(bytes.count > 20_000)
        for at in 8192..<16_384 { bytes[at] = 0xA5 }
        try bytes.write(to: URL(filePath: path))
        #expect(findings()["database"]?.hasPrefix("wrong: the database is damaged") == true)
        #expect(try Data(contentsOf: URL(filePath: path)) == bytes)
        #expect(!FileManager.default.fileExists(atPath: path + ".corrupt-1"))
        try Data("not a database, whatever its name says, and long enough to be looked at".utf8)
            .write(to: URL(filePath: path))
        #expect(findings()["database"]?.hasPrefix("wrong: ") == true)
    }

    @Test("finds a configuration that nobody can read, and certificates that are none")
    func files() throws {
        hub.enrol(folder)
        try Data("{\"memoryBudgetBytes\":".utf8).write(
            to: URL(filePath: folder.file("config.json")))
        let found = findings()
        #expect(found["config"]?.hasSuffix("is not JSON: as if nothing were set") == true)
        #expect(found["config"]?.hasPrefix("warning") == true)
        #expect(
            found["certificate"] == "wrong: it cannot be read, or is not for this device's key")
        #expect(found["hub"]?.hasPrefix("wrong: ") == true)
    }

    @Test("finds a clock that stands before what has passed, by the database's word too")
    func clock() throws {
        hub.enrol(folder)
        let wrong = "wrong: it stands before what has certainly passed"
        #expect(findings(clock: AgentClock(fixedMilliseconds: 0))["clock"] == wrong)
        let soon = (AgentClock.floorSeconds + 1000) * 1000
        #expect(
            findings(clock: AgentClock(fixedMilliseconds: soon))["clock"]?.hasPrefix("ok") == true)
        // 2100.
        let far = AgentClock(fixedMilliseconds: 4_102_444_800_000)
        #expect(findings(clock: far)["clock"] == "wrong: it stands at what cannot have come")
        // The hub of these tests says 2027.
        try hub.visit(try AgentService.start(folder))
        #expect(findings(clock: AgentClock(fixedMilliseconds: soon))["clock"] == wrong)
    }
}

/// With the real program, over real TLS.
@Suite(
    "The doctor, at a hub", .enabled(if: StockPython.path != nil, StockPython.missing))
struct DoctorAtHubTests {
    @Test(
        "reaches it, changes no byte on the device, and says by exit code whether all is well",
        arguments: StockHub.Form.all)
    func visit(form: StockHub.Form) async throws {
        let hub = try await StockHub(form)
        let synced = try await hub.agent("sync")
        #expect(synced.status == 0, "\(synced)")
        let visits = try hub.heard().count
        let before = try hub.deviceFiles()
        let well = try await hub.agent("doctor")
        #expect(well.status == 0, "\(well)")
        for line in [
            "hub           ok: ", "certificate   ok: ", "clock         ok: ",
            "database      ok: sound, 0 records", "agent         warning: no agent runs",
        ] {
            #expect(well.output.contains(line), "\(well.output)")
        }
        #expect(try hub.deviceFiles() == before)
        // The hub greeted it, and nothing more.
        #expect(
            try hub.heard().dropFirst(visits).compactMap(\.message).allSatisfy { $0 == "Hello" })

        hub.stop()
        let ill = try await hub.agent("doctor", "--json")
        #expect(ill.status == 1, "\(ill)")
        #expect(ill.output.contains("{\"name\":\"hub\",\"verdict\":\"wrong\""), "\(ill.output)")
        #expect(try hub.deviceFiles() == before)
    }
}
