import Foundation
import TestSupport
import Testing

/// Two builds of one family on a device whose link is paid for by the byte, with the real programs.
@Suite("An update over a metered link") struct DeltaTests {
    @Test(
        "waits where it is large and says so, comes when it is allowed, and the next one comes as a delta",
        arguments: Binaries.Agent.native)
    func metered(agent: Binaries.Agent) throws {
        let hub = try HubUnderTest()
        try hub.stock(units: "8")
        try hub.serve()
        let device = try DeviceUnderTest(agent, store: "1")
        try device.join(try hub.token(store: "1"))
        let running = try device.program.start([
            "run", "--state", device.state, "--metered-max", "100",
        ])
        defer { running.kill() }
        /// Asks until `said` contains `text`, for 20 seconds at most.
        func shows(_ text: String, _ said: () throws -> String) throws {
            var last = ""
            for _ in 0..<200 {
                // The agent may not be there yet.
                last = (try? said()) ?? last
                if last.contains(text) { return }
                usleep(100_000)
            }
            Issue.record("'\(text)' is not in: \(last)")
        }
        func rollout() throws -> String { try hub.command("rollout", "show") }
        func status() throws -> String { try device.command(["status"]).output }

        try hub.command("push", "f", "--all")
        try shows("and over a metered link an update may fetch at most 100", rollout)
        try shows("and over a metered link an update may fetch at most 100", status)
        #expect(try device.status()["running"].isNull)
        try hub.command("rollout", "allow-metered", "1", "--bytes", "4KiB", "--why", "the first")
        try shows("release 1", status)
        let bytes = Int(try device.status()["running"]["packageBytes"].number)
        #expect(bytes > 400)

        // Nothing but the release differs: it goes by itself.
        try hub.command("package", "build", "f")
        try hub.command("push", "f", "--all", "--at-once")
        try shows("release 2", status)
        try shows("bytes of a delta for its \(bytes)", rollout)
        let said = try rollout()
        let fetched = try #require(
            said.split(separator: "fetched ").last?.split(separator: " ").first.flatMap { Int($0) })
        #expect(fetched < 30, "\(said)")
        #expect(try hub.command("audit").contains("allow-metered"))
    }
}
