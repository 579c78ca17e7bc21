import Foundation
import TestSupport
import Testing

/// The pages in a real browser, against a hub with devices that sold for a month.
@Suite struct PagesTests {
    private static let days = 24

    @Test("Every page of a hub with a fleet reads well in Chromium, and does what it says")
    func pages() throws {
        let hub = try HubUnderTest()
        try hub.stock(stores: 2, items: 4, units: "4,2")
        let address = try hub.servePages()
        let devices = try Self.fleet(of: hub)
        try hub.command("push", "f", "--all")
        for device in devices { try device.command(["sync"]) }
        try Self.sell(on: devices)
        // A second family on its way, wave by wave, and one device at the door.
        try hub.command(
            "train", "--form", "profile", "--units", "3", "--epochs", "1", "--name", "second")
        try hub.command("package", "build", "second")
        try hub.command("push", "second", "--all")
        let newcomer = try DeviceUnderTest(.ordinary, store: "2")
        try newcomer.join(try hub.token(store: "2", needsApproval: true))
        // An alert to look at.
        try devices[0].command(["sync", "--memory-budget", "60KiB"])
        try hub.command("alerts", "check")
        let alerts = try hub.command("alerts")
        #expect(alerts.contains("memory-budget-shrank"), "\(alerts)")

        try hub.command("user", "add", "manager", "--role", "operator")
        for (name, password) in [("manager", "too short"), ("eve", "correct horse battery")] {
            try Program(path: Binaries.hub).run(
                ["user", "password", name, "--data", hub.data], input: password + "\n",
                expecting: 3)
        }
        try Program(path: Binaries.hub).run(
            ["user", "password", "manager", "--data", hub.data], input: "correct horse battery\n")
        // It needs nothing beyond Python itself.
        let looked = try Program(path: "/usr/bin/env").run(
            ["python3", "-B", Self.script, address, "manager", "correct horse battery"],
            expecting: nil, secondsMax: 400)
        #expect(looked.status == 0, "\(looked.output)\(looked.errors)")
        #expect(looked.output.contains(" hold\n"), "\(looked.output)\(looked.errors)")
    }

    private static var script: String {
        URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .appending(path: "Browser/pages.py").path(percentEncoded: false)
    }

    /// Two devices in a store and one in another, all of them in touch.
    private static func fleet(of hub: HubUnderTest) throws -> [DeviceUnderTest] {
        let devices = try ["1", "1", "2"].map { try DeviceUnderTest(.ordinary, store: $0) }
        for device in devices {
            try device.join(try hub.token(store: device.store))
            try device.command(["sync"])
        }
        return devices
    }

    /// From the day after what was imported on; every seventh is closed.
    private static func sell(on devices: [DeviceUnderTest]) throws {
        for number in 1...days {
            let day = number <= 31 ? String(format: "2024-07-%02d", number) : ""
            for (index, device) in devices.enumerated() {
                guard number % 7 != 0 else {
                    try device.command(["close-day", day, "--closed"])
                    continue
                }
                let rows = (1...4).map { item in
                    "\(day),\(item),\(3 + (number * 5 + item * 7 + index * 3) % 19)\n"
                }.joined()
                try device.command(["sale", "--csv"], input: "day,item,units\n" + rows)
                try device.command(["close-day", day])
            }
            for device in devices { try device.command(["sync"]) }
        }
        for device in devices { try device.command(["sync"]) }
    }
}
