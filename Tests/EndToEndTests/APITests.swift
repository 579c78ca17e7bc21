import Foundation
import TestSupport
import Testing

/// The REST API of a real hub, with devices that sold for a week.
@Suite("The REST API", .serialized) struct APITests {
    @Test(
        "Every example of Docs/api.md works as printed, and every view says what report --json says"
    )
    func examples() throws {
        let (hub, address, _) = try Self.hub()
        let bin = hub.folder.path + "/bin"
        try FileManager.default.createDirectory(atPath: bin, withIntermediateDirectories: true)
        try FileManager.default.createSymbolicLink(
            atPath: bin + "/shelfcast-hub", withDestinationPath: Binaries.hub)
        let blocks = try Self.blocks()
        #expect(blocks.count >= 4)
        let script =
            "set -euo pipefail\nexport PATH=\(bin):$PATH SHELFCAST_DATA=\(hub.data)\n"
            + blocks.joined()
            .replacingOccurrences(of: "http://127.0.0.1:8480", with: address)
            .replacingOccurrences(of: "spring", with: "f")
            + "echo \"TOKEN $TOKEN\"\n"
        let outcome = try Program(path: "/bin/bash").run(["-c", script])
        let lines = outcome.output.split(separator: "\n").map(String.init)
        for line in lines where line.hasPrefix("{") { _ = try JSON(line) }
        #expect(lines.contains { $0.contains("\"name\":\"robot\",\"role\":\"operator\"") })
        #expect(!outcome.output.contains("0f3c77d1a5b2e948"), "a key is never shown")
        #expect(try hub.command("audit").contains("user:robot"))
        let last = try #require(lines.last { $0.hasPrefix("TOKEN ") })
        try Self.compareReports(hub, address, token: String(last.dropFirst("TOKEN ".count)))
    }

    @Test(
        "A real hub answers as its document says, whatever is sent",
        .enabled(if: StockPython.path != nil, StockPython.missing))
    func document() throws {
        let (hub, address, token) = try Self.hub()
        let outcome = try Program(path: try #require(StockPython.path)).run(
            [
                "-B", StockPython.root.appending(path: "Tests/Stock/api.py").path, address, token,
            ], expecting: nil, secondsMax: 900)
        #expect(outcome.status == 0, "\(outcome.output)\(outcome.errors)")
        _ = hub
    }

    /// A hub that serves, with two devices that run a package and sold for eight days, one at the door, and an alert.
    private static func hub() throws -> (HubUnderTest, address: String, token: String) {
        let hub = try HubUnderTest()
        try hub.stock(stores: 2, items: 3)
        let address = try hub.servePages()
        let devices = try ["1", "2"].map { try DeviceUnderTest(.ordinary, store: $0) }
        for device in devices {
            try device.join(try hub.token(store: device.store))
            try device.command(["sync"])
        }
        try hub.command("push", "f", "--all")
        for device in devices { try device.command(["sync"]) }
        for number in 1...8 {
            for (index, device) in devices.enumerated() {
                let rows = (1...3).map {
                    "2024-07-0\(number),\($0),\(4 + (number * $0 + index) % 9)\n"
                }
                try device.command(
                    ["sale", "--csv"], input: "day,item,units\n" + rows.joined())
                try device.command(["close-day", "2024-07-0\(number)"])
            }
            for device in devices { try device.command(["sync"]) }
        }
        for device in devices { try device.command(["sync"]) }
        let newcomer = try DeviceUnderTest(.ordinary, store: "2")
        try newcomer.join(try hub.token(store: "2", needsApproval: true))
        try hub.command("user", "add", "tester", "--role", "operator")
        let token = try hub.json("user", "token", "create", "tester")["token"].string
        return (hub, String(address.dropLast()), token)
    }

    /// The `sh` blocks of the page, in order.
    private static func blocks() throws -> [String] {
        let page = try String(
            contentsOf: StockPython.root.appending(path: "Docs/api.md"), encoding: .utf8)
        return page.components(separatedBy: "```sh\n").dropFirst().map {
            $0.components(separatedBy: "```")[0]
        }
    }

    /// Line by line and figure by figure.
    private static func compareReports(
        _ hub: HubUnderTest, _ address: String, token: String
    ) throws {
        let views = [
            "chain", "region", "store", "item", "device", "weekday", "horizon", "family", "variant",
            "package", "day",
        ]
        var compared = 0
        for view in views {
            for selection in [[:], ["store": "1"], ["from": "2024-07-03", "to": "2024-07-06"]] {
                let options = selection.sorted { $0.key < $1.key }
                let command = try Program(path: Binaries.hub).run(
                    ["report", "--by", view, "--json", "--data", hub.data]
                        + options.flatMap { ["--" + $0.key, $0.value] }
                ).output
                let wanted = try #require(object(command))
                let query =
                    (["by=\(view)", "limit=1000"] + options.map { "\($0.key)=\($0.value)" })
                    .joined(separator: "&")
                let asked = try Program(path: "/usr/bin/curl").run([
                    "-fsS", "-H", "Authorization: Bearer \(token)",
                    "\(address)/api/v1/report?\(query)",
                ]).output
                let got = try #require(object(asked))
                func figures(_ value: Any?, without names: [String]) -> NSDictionary {
                    var object = value as? [String: Any] ?? [:]
                    for name in names { object[name] = nil }
                    return object as NSDictionary
                }
                let wantedLines = wanted["lines"] as? [Any] ?? []
                // By store a line of the API is also one of a store from which nothing came.
                let wantedRows = view == "store" ? wanted["stores"] as? [Any] ?? [] : wantedLines
                let gotLines = got["lines"] as? [Any] ?? []
                #expect(gotLines.count == wantedRows.count, "\(view) \(query)")
                for (wanted, got) in zip(wantedRows, gotLines) {
                    var names = ["store"]
                    if view == "store" {
                        let received = (got as? [String: Any])?["received"] as? [String: Any] ?? [:]
                        for (name, value) in received {
                            #expect(
                                (wanted as? [String: Any])?[name] as? NSObject == value
                                    as? NSObject,
                                "\(view) \(name)")
                        }
                        names += received.keys
                    }
                    #expect(
                        figures(wanted, without: names)
                            == figures(got, without: ["received"]), "\(view) \(query)")
                    compared += 1
                }
                #expect(
                    figures(wanted["chain"], without: ["store"])
                        == figures(got["chain"], without: []), "\(view) \(query)")
            }
        }
        #expect(compared > 60)
    }

    private static func object(_ text: String) -> [String: Any]? {
        // What is none is found by the caller.
        try? JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any]
    }
}
