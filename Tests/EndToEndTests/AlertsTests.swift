import Foundation
import TestSupport
import Testing

/// Alerts as an operator meets them: by the command line, with the hub serving and without.
@Suite("Alerts")
struct AlertsTests {
    @Test(
        "open about a device that closes no days, reach a command, are acknowledged, silenced, and resolve"
    )
    func life() throws {
        let hub = try HubUnderTest()
        try hub.stock(stores: 2)
        try hub.serve()
        let busy = try DeviceUnderTest(.ordinary, store: "1")
        try busy.join(try hub.token(store: "1"))
        let quiet = try DeviceUnderTest(.ordinary, store: "2")
        try quiet.join(try hub.token(store: "2"))
        func close(_ device: DeviceUnderTest, _ days: ClosedRange<Int>) throws {
            for day in days {
                try device.command(["sale", "1", "3", "--day", "2024-07-\(day)"])
                try device.command(["close-day", "2024-07-\(day)"])
            }
            try device.command(["sync"])
        }
        try close(busy, 10...16)
        try close(quiet, 10...16)
        #expect(try hub.command("alerts").contains("nothing needs anybody"))

        let got = hub.folder.path + "/got"
        let desk = hub.folder.path + "/desk"
        try "#!/bin/sh\ncat >> \(got)\necho >> \(got)\n".write(
            toFile: desk, atomically: false, encoding: .utf8)
        try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: desk)
        try hub.command(
            "alerts", "deliver", "add", "command", "desk", desk, "--severities", "warn,page")
        try hub.command("alerts", "deliver", "test", "desk")
        #expect(try String(contentsOfFile: got, encoding: .utf8).contains("a test"))
        #expect(try hub.command("alerts", "check").contains("nothing has changed"))

        // The same weekdays a week later, of one of them.
        try close(busy, 17...23)
        let opened = try hub.command("alerts", "check", "--send")
        #expect(opened.contains("has closed no day since 2024-07-16"), "\(opened)")
        #expect(try String(contentsOfFile: got, encoding: .utf8).contains("device-silent"))
        let list = try hub.json("alerts", "list").list
        #expect(try list.map { try $0["kind"].string } == ["device-silent"])
        let id = "\(Int(try #require(list.first)["id"].number))"
        try hub.command("alerts", "acknowledge", id, "--why", "it is at the workshop")
        let twice = try hub.command("alerts", "acknowledge", id, expecting: 3)
        #expect(twice.isEmpty)
        try hub.command("alerts", "silence", id, "--for", "2d", "--why", "known")
        #expect(try hub.command("alerts", "silences").contains("device-silent"))
        #expect(try hub.command("alerts", "show", id).contains("it is at the workshop"))
        #expect(try hub.command("alerts", "list", "--store", "2").contains("acknowledged"))

        try close(quiet, 17...23)
        try hub.command("alerts", "check")
        #expect(try hub.command("alerts").contains("nothing needs anybody"))
        #expect(try hub.json("alerts", "show", id)["alert"]["state"].string == "resolved")
        let audit = try hub.command("audit")
        for action in ["add-destination", "acknowledge", "silence"] {
            #expect(audit.contains(action))
        }
    }

    @Test("go nowhere that cannot be reached, and wait there; keys are never shown")
    func deadEnds() throws {
        let hub = try HubUnderTest()
        let key = hub.folder.path + "/key"
        try "a key that nobody should see\n".write(
            toFile: key, atomically: false, encoding: .utf8)
        let added = try hub.command(
            "alerts", "deliver", "add", "webhook", "night", "http://127.0.0.1:1/", "--key-file",
            key)
        let listed = try hub.command("alerts", "deliver", "list", "--json")
        #expect(!(added + listed).contains("nobody should see"))
        #expect(listed.contains("http://127.0.0.1:1/"))
        try hub.command("alerts", "deliver", "test", "night", expecting: 5)
        #expect(try hub.json("alerts", "deliver", "queue").list[0]["attempts"].number == 1)
        try hub.command("alerts", "deliver", "resend", expecting: 3)
        try hub.command(
            "alerts", "deliver", "add", "webhook", "far", "http://example.com/", "--key-file", key,
            expecting: 64)
        try hub.command(
            "alerts", "deliver", "add", "mail", "post", "--host", "example.com", "--security",
            "none",
            "--from", "a@b.test", "--to", "c@d.test", expecting: 64)
        try hub.command(
            "alerts", "deliver", "add", "mail", "post", "--host", "example.com", "--from",
            "a@b.test\r\nBcc: x", "--to", "c@d.test", expecting: 64)
        try hub.command("alerts", "deliver", "remove", "night")
        #expect(try hub.command("alerts", "deliver", "queue").contains("everything has arrived"))
        try hub.command("alerts", "show", "99", expecting: 3)
        try hub.command("alerts", "silence", "--for", "1d", expecting: 64)
    }
}
