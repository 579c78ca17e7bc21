import Foundation
import TestSupport
import Testing

/// Programs for ARM, run here by Debian's user-mode emulator.
enum Emulated {
    private static let environment = ProcessInfo.processInfo.environment

    /// The agent of `make agent-aarch64`; nil where `make test` could not build or run it.
    static let agent: String? = environment["SHELFCAST_AARCH64_AGENT"].flatMap {
        FileManager.default.isExecutableFile(atPath: $0) ? $0 : nil
    }
    static let missing: Comment =
        "no emulated ARM: make test builds it where Scripts/setup-arm can install the emulator, or set SHELFCAST_AARCH64_AGENT to the binary of `make agent-aarch64`"

    static let launcher = [
        URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appending(path: "Scripts/emulate").path, "aarch64",
    ]
}

/// The devices the agent is made for are ARM.
@Suite("The agent for ARM", .enabled(if: Emulated.agent != nil, Emulated.missing))
struct ArmTests {
    @Test("says of itself what the ordinary one says", arguments: ["--version", "--help"])
    func sameWords(argument: String) throws {
        let here = try Binaries.Agent.ordinary.program.run([argument])
        let there = try Binaries.Agent.aarch64.program.run([argument])
        #expect(there.output == here.output)
        #expect(!there.output.isEmpty)
        #expect(there.errors.isEmpty)
    }

    @Test("does the main job, and the report equals a calculation made from the CSV alone")
    func mainJob() throws {
        // Every command starts an emulator: fewer days than the native agents replay.
        try MainJobTests.mainJob(agent: .aarch64, replayDays: 5)
    }

    @Test("tells the hub what it is")
    func architecture() throws {
        let hub = try HubUnderTest()
        try hub.serve()
        let device = try DeviceUnderTest(.aarch64, store: "1")
        try device.join(try hub.token(store: "1"))
        try device.command(["sync"])
        let name = try device.status()["device"].string
        #expect(try hub.command("device", "show", name).contains("aarch64"))
    }
}
