import Foundation
import TestSupport
import Testing

/// Devices made from one image, with the programs as they ship.
@Suite struct FleetImageTests {
    @Test(
        "A device that has not joined waits, joins with the token that is left for it, and sets it aside",
        arguments: Binaries.Agent.native)
    func firstBoot(agent: Binaries.Agent) throws {
        let hub = try HubUnderTest()
        try hub.serve()
        let device = try DeviceUnderTest(agent, store: "1")
        try FileManager.default.createDirectory(
            atPath: device.state, withIntermediateDirectories: true)
        try Data(try hub.token(store: "1").utf8).write(
            to: URL(filePath: device.state + "/join-token"))
        let running = try device.run()
        let joined = try running.line { $0.contains("joined as") }
        #expect(joined?.contains("of store 1") == true)
        try device.command(["sync"])
        #expect(try device.status()["connection"].string == "connected")
        #expect(try hub.json("device", "list").list.count == 1)
        let files = try FileManager.default.contentsOfDirectory(atPath: device.state)
        #expect(files.contains("join-token.used") && !files.contains("join-token"))
        // Nobody else takes its place.
        let second = try device.command(["run"], expecting: 75)
        #expect(second.errors.contains("is using"), "\(second.errors)")
        running.kill()
        running.wait()
    }

    @Test("Two devices cloned from one that had joined are told apart, and go on as two")
    func clones() throws {
        let hub = try HubUnderTest()
        try hub.serve()
        let one = try DeviceUnderTest(.ordinary, store: "1")
        let other = try DeviceUnderTest(.ordinary, store: "1")
        let token = try hub.token(store: "1", uses: 9)
        try one.join(token)
        try one.command(["sync"])
        // The image keeps the token it was joined with.
        try Data(token.utf8).write(to: URL(filePath: one.state + "/join-token.used"))
        try FileManager.default.copyItem(atPath: one.state, toPath: other.state)

        var contacts = 0
        var refused: Program.Outcome?
        while refused == nil, contacts < 12 {
            let device = contacts.isMultiple(of: 2) ? one : other
            let outcome = try device.command(["sync"], expecting: nil)
            if outcome.status != 0 { refused = outcome }
            contacts += 1
        }
        #expect(contacts <= 5)
        #expect(refused?.status == 3, "\(String(describing: refused))")
        #expect(refused?.errors.contains("as after cloning a disk") == true)
        let listed = try hub.json("device", "list").list
        #expect(try listed.map { try $0["copies"].string } == ["undecided"])
        #expect(try hub.command("device", "list").contains("COPIED: all turned away"))

        // With the image's token both join as devices of their own, and what one sells is its own.
        for device in [one, other] {
            let running = try device.run()
            let line = try running.line { $0.contains("joined as") }
            #expect(line != nil)
            try device.command(["sale", "7", "3", "--day", "2026-11-02"])
            try device.command(["close-day", "2026-11-02"])
            try device.command(["sync"])
            running.kill()
            running.wait()
        }
        let after = try hub.json("device", "list").list
        #expect(after.count == 3)
        #expect(try Set([one, other].map { try $0.status()["device"].string }).count == 2)
        let sold = Ledger(csv: try hub.command("sales", "export", "--out", "-"))
        #expect(sold.sales.values.reduce(0, +) == 6)
    }
}
