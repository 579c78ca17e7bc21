import Foundation
import TestSupport
import Testing

/// What goes wrong in a chain on an ordinary bad day, with the real programs: a clear error, no crash, and nothing
/// lost.
@Suite("On a bad day") struct BadDaysTests {
    /// Runs a hub command that must fail.
    private static func refusal(
        _ hub: HubUnderTest, _ arguments: String..., status: Int32, says text: String
    ) throws {
        let outcome = try Program(path: Binaries.hub).run(
            arguments + ["--data", hub.data], expecting: status)
        #expect(outcome.errors.contains(text), "\(arguments): \(outcome.errors)")
        #expect(!outcome.errors.contains("Fatal error"))
    }

    private static func total(_ hub: HubUnderTest) throws -> Int {
        Ledger(csv: try hub.command("sales", "export", "--out", "-")).sales.values.reduce(0, +)
    }

    @Test(
        "a bad row is named by line and reason; strict reading refuses the file and changes nothing",
        arguments: [
            ("2024-02-01,1,7,-3", "line 3: sales '-3' are negative"),
            ("2024-02-01,1,7,2.5", "line 3: sales '2.5' are not whole units"),
            ("2024-02-30,1,7,3", "line 3: date '2024-02-30' does not exist"),
            ("2062-02-01,1,7,3", "line 3: date '2062-02-01' is in the future"),
            ("2024-01-01,1,7,9", "line 3: second row for 2024-01-01, store 1, item 7"),
            (String(repeating: "9", count: 100_000), "line 3: the line has more than 4096 bytes"),
        ])
    func badRow(row: String, reason: String) throws {
        let hub = try HubUnderTest()
        let folder = try TemporaryFolder()
        // As some spreadsheets write it: a byte order mark, and CRLF.
        try folder.write(
            "x.csv",
            "\u{FEFF}date,store,item,sales\r\n2024-01-01,1,7,5\r\n\(row)\r\n2024-01-02,1,7,6\r\n")
        let file = folder.path + "/x.csv"
        try Self.refusal(hub, "sales", "import", file, "--strict", status: 3, says: reason)
        try Self.refusal(
            hub, "sales", "import", file, "--strict", status: 3, says: "nothing was imported")
        #expect(try Self.total(hub) == 0)
        let lenient = try Program(path: Binaries.hub).run([
            "sales", "import", file, "--data", hub.data,
        ])
        #expect(lenient.errors.contains(reason))
        #expect(lenient.output.contains("skipped 1 bad rows"))
        #expect(try Self.total(hub) == 11)
    }

    @Test(
        "a file that is no sales is refused whole",
        arguments: [
            ("", "the file is empty"), ("date,store,item\n2024-01-01,1,7\n", "missing: sales"),
            ("2024-01-01,1,7,5\n", "line 1 must be a header"),
            (String(repeating: "a", count: 100_000), "line 1 has more than 4096 bytes"),
        ])
    func badFile(text: String, reason: String) throws {
        let hub = try HubUnderTest()
        let folder = try TemporaryFolder()
        try folder.write("x.csv", text)
        try Self.refusal(hub, "sales", "import", folder.path + "/x.csv", status: 3, says: reason)
        try Self.refusal(
            hub, "sales", "import", folder.path + "/none.csv", status: 1, says: "No such file")
        #expect(try Self.total(hub) == 0)
    }

    @Test("commands say what must come first")
    func tooEarly() throws {
        let folder = try TemporaryFolder()
        let hub = Program(path: Binaries.hub)
        for command in [
            ["sales", "show"], ["train"], ["package", "build", "f"], ["push", "f", "--all"],
            ["report"],
            ["serve"], ["token", "create", "--store", "1"], ["device", "list"],
            ["rollout", "show"],
        ] {
            let outcome = try hub.run(command + ["--data", folder.path + "/hub"], expecting: 4)
            #expect(outcome.errors.contains("shelfcast-hub init"), "\(command): \(outcome.errors)")
        }
        let device = try DeviceUnderTest(.ordinary, store: "1")
        for command in [
            ["sync"], ["sale", "7", "1"], ["close-day"], ["forecast"], ["status"],
        ] {
            let outcome = try device.command(command, expecting: 4)
            #expect(
                outcome.errors.contains("shelfcast-agent join TOKEN"),
                "\(command): \(outcome.errors)")
        }
        #expect(!FileManager.default.fileExists(atPath: folder.path + "/hub"))
        #expect(!FileManager.default.fileExists(atPath: device.state))
    }

    @Test("a lost hub database is not covered up by a new one")
    func lostDatabase() throws {
        let hub = try HubUnderTest()
        for name in try FileManager.default.contentsOfDirectory(atPath: hub.data)
        where name.hasPrefix("hub.sqlite") {
            try FileManager.default.removeItem(atPath: hub.data + "/" + name)
        }
        try Self.refusal(hub, "report", status: 1, says: "restore it from a backup")
        try Self.refusal(hub, "init", status: 1, says: "restore it from a backup")
    }

    @Test("a second server and a second agent are turned away, and disturb nobody")
    func twice() throws {
        let hub = try HubUnderTest()
        try hub.serve()
        try Self.refusal(
            hub, "serve", "--host", "127.0.0.1", "--port", "\(hub.port)", "--no-web", "--no-pages",
            status: 75,
            says: "is in use")
        let device = try DeviceUnderTest(.ordinary, store: "1")
        try device.join(try hub.token(store: "1"))
        let running = try device.run()
        _ = try #require(try running.line { $0.contains("connected") }, "never connected")
        let second = try device.command(["run"], expecting: 75)
        #expect(second.errors.contains("another process is using"))
        let again = try device.command(
            ["join", try hub.token(store: "1"), "--again"], expecting: 75)
        #expect(again.errors.contains("another process is using"))
        #expect(running.isRunning)
        try device.command(["sale", "7", "3", "--day", "2024-01-01"])
        try device.command(["close-day", "2024-01-01"])
        try device.command(["sync"])
        #expect(try Self.total(hub) == 3)
    }

    @Test("tokens that are no good say why, and leave the device as it was")
    func tokens() throws {
        let hub = try HubUnderTest()
        try hub.serve()
        let token = try hub.token(store: "1")
        try DeviceUnderTest(.ordinary, store: "1").join(token)
        let device = try DeviceUnderTest(.ordinary, store: "1")
        for (text, status, reason) in [
            (token, 3, "is used up"), (String(token.dropLast(9)), 2, "is damaged"),
            ("milk", 2, "not a join token"),
        ] as [(String, Int32, String)] {
            let outcome = try device.command(["join", text], expecting: status)
            #expect(outcome.errors.contains(reason), "\(outcome.errors)")
            #expect(!outcome.errors.contains(token.suffix(20)), "a secret is not repeated")
        }
        // Another hub where the first one was: neither its token's device nor a joined one trusts it.
        let other = try HubUnderTest()
        let joined = try DeviceUnderTest(.ordinary, store: "1")
        try joined.join(try hub.token(store: "1"))
        let spare = try hub.token(store: "1")
        hub.kill()
        try other.serve(port: hub.port)
        try joined.command(["sale", "7", "3", "--day", "2024-01-01"])
        try joined.command(["close-day", "2024-01-01"])
        let stranger = try joined.command(["sync"], expecting: 3)
        #expect(stranger.errors.contains("this is not our hub"))
        let join = try device.command(["join", spare], expecting: 3)
        #expect(join.errors.contains("this is not the hub the token names"))
        #expect(try Self.total(other) == 0)
        other.kill()
        let absent = try joined.command(["sync"], expecting: 5)
        #expect(absent.errors.contains("cannot be reached"))
        // Nothing was lost meanwhile.
        try hub.serve()
        try joined.command(["sync"])
        #expect(try Self.total(hub) == 3)
        try device.join(spare)
    }

    @Test(
        "a package changed on the hub's disk is refused, what ran before runs on, and both sides say why"
    )
    func flippedPackage() throws {
        let hub = try HubUnderTest()
        try hub.stock(units: "4,2")
        try hub.serve()
        let device = try DeviceUnderTest(.ordinary, store: "1")
        try device.join(try hub.token(store: "1"))
        try device.command(["sync"])
        try hub.command("push", "f", "--all")
        try device.command(["sync"])
        let before = try device.status()["running"]["digest"].string
        let forecasts = try device.command(["forecast", "--json"]).output

        let old = Set(try FileManager.default.contentsOfDirectory(atPath: hub.data + "/packages"))
        try hub.command("package", "build", "f")
        for name in try FileManager.default.contentsOfDirectory(atPath: hub.data + "/packages")
        where !old.contains(name) {
            let path = hub.data + "/packages/" + name
            var bytes = try Data(contentsOf: URL(filePath: path))
            bytes[bytes.count / 2] ^= 0x10
            try bytes.write(to: URL(filePath: path))
        }
        try hub.command("push", "f", "--all", "--at-once")
        let visit = try device.command(["sync"], expecting: nil)
        #expect(visit.signal == 0)
        let after = try device.status()
        #expect(try after["running"]["digest"].string == before)
        #expect(try device.command(["forecast", "--json"]).output == forecasts)
        let reason = "the package's SHA-256 is not the one that was signed"
        #expect(
            try after["refused"].list.map { try $0["reason"].string } == [reason],
            "the device says why")
        // A bad copy may be the network's: it is fetched again before the hub is told.
        for _ in 0..<2 { try device.command(["sync"], expecting: nil) }
        let name = try after["device"].string
        #expect(try hub.command("device", "show", name).contains(reason), "the hub says why")
        #expect(try hub.command("rollout", "show").contains(reason))
        // Its sales are taken as ever.
        try device.command(["sale", "1", "4", "--day", "2024-07-01"])
        try device.command(["close-day", "2024-07-01"])
        try device.command(["sync"], expecting: nil)
        #expect(try device.status()["unsent"].number == 0)
        // A whole package is taken.
        try hub.command("package", "build", "f")
        try hub.command("push", "f", "--all", "--at-once")
        try device.command(["sync"])
        #expect(try device.status()["running"]["release"].number == 3)
    }

    @Test("a hub restored from before the last release brings no device back to an older package")
    func rollback() throws {
        let hub = try HubUnderTest()
        try hub.stock(units: "4,2")
        try hub.serve()
        let device = try DeviceUnderTest(.ordinary, store: "1")
        try device.join(try hub.token(store: "1"))
        try hub.command("push", "f", "--all")
        hub.kill()
        let backup = hub.folder.path + "/backup"
        try FileManager.default.copyItem(atPath: hub.data, toPath: backup)
        try hub.serve()
        try hub.command("package", "build", "f")
        try hub.command("push", "f", "--all", "--at-once")
        try device.command(["sync"])
        #expect(try device.status()["running"]["release"].number == 2)
        let forecasts = try device.command(["forecast", "--json"]).output

        hub.kill()
        try FileManager.default.removeItem(atPath: hub.data)
        try FileManager.default.moveItem(atPath: backup, toPath: hub.data)
        try hub.serve()
        try device.command(["sync"])
        let status = try device.status()
        #expect(try status["running"]["release"].number == 2)
        #expect(try device.command(["forecast", "--json"]).output == forecasts)
        let reason = try #require(try status["refused"].list.first)["reason"].string
        #expect(reason.contains("older"), "\(reason)")
        #expect(try hub.command("device", "show", try status["device"].string).contains(reason))
    }

    @Test(
        "the hub killed and started again in the middle of everything leaves the device with what it is due"
    )
    func killedHub() throws {
        let hub = try HubUnderTest()
        try hub.stock(units: "4,2")
        try hub.serve()
        let device = try DeviceUnderTest(.ordinary, store: "1")
        try device.join(try hub.token(store: "1"))
        let running = try device.run()
        _ = try #require(try running.line { $0.contains("connected") }, "never connected")
        let sold = try Self.total(hub)
        try device.command(["sale", "1", "4", "--day", "2024-07-01"])
        try hub.command("push", "f", "--all")
        hub.kill()
        try device.command(["close-day", "2024-07-01"])
        try hub.serve()
        try device.command(["sync"])
        #expect(try device.status()["running"]["family"].string == "f")
        #expect(try Self.total(hub) == sold + 4)
    }

    @Test("a budget of exactly the arena is enough, and a byte less is not")
    func exactBudget() throws {
        let hub = try HubUnderTest()
        try hub.stock(units: "4,2")
        try hub.serve()
        let probe = try DeviceUnderTest(.ordinary, store: "1")
        try probe.join(try hub.token(store: "1"))
        try hub.command("push", "f", "--all")
        try probe.command(["sync"])
        // A package for the store says so; one for any store names none, and is not for this one.
        let arenas = try hub.json("package", "list").list.filter {
            (try? $0["store"].string) == "1"
        }
        .map { try Int($0["arenaBytes"].number) }
        let smallest = try #require(arenas.min())
        try probe.command(["sync", "--memory-budget", "\(smallest)"])
        #expect(try Int(probe.status()["running"]["arenaBytes"].number) == smallest)

        let starved = try DeviceUnderTest(.ordinary, store: "1", budget: "\(smallest - 1)")
        try starved.join(try hub.token(store: "1"))
        try starved.command(["sync"])
        let status = try starved.status()
        #expect(try status["running"].isNull)
        #expect(try status["desireReason"].string.contains("\(smallest - 1) bytes"))
    }

    @Test(
        "a disk without room is said to be full; what was acknowledged stays, and the rest goes in later"
    )
    func fullDisk() throws {
        let hub = try HubUnderTest()
        try hub.serve()
        let device = try DeviceUnderTest(.embedded, store: "1")
        try device.join(try hub.token(store: "1"))
        try device.command(["sale", "first", "5", "--day", "2024-01-01", "--ref", "a"])
        // A limit on the size of files is what a user without root can have of a full disk.
        let cramped = Program(path: "/bin/bash")
        let shell = "ulimit -f 16; exec \"$@\""
        var csv = "day,item,units,ref\n"
        for number in 0..<2_000 { csv += "2024-01-01,item-\(number),1,ref-\(number)\n" }
        let outcome = try cramped.run(
            ["-c", shell, "bash", device.program.path, "sale", "--csv", "--state", device.state],
            input: csv, expecting: nil)
        #expect(outcome.signal == 0)
        #expect(outcome.status == 1, "\(outcome.errors)")
        #expect(outcome.errors.contains("the disk is full"), "\(outcome.errors)")
        // Room again: the till repeats everything, and each sale counts once.
        try device.command(["sale", "--csv"], input: csv)
        try device.command(["close-day", "2024-01-01"])
        try device.command(["sync"])
        #expect(try Self.total(hub) == 2_005)
    }

    @Test(
        "a database that was damaged between two runs is said to be; what the hub has is not doubled"
    )
    func corruptDatabase() throws {
        let hub = try HubUnderTest()
        try hub.serve()
        let device = try DeviceUnderTest(.embedded, store: "1")
        try device.join(try hub.token(store: "1"))
        try device.command(["sale", "milk", "5", "--day", "2024-01-01", "--ref", "a"])
        try device.command(["close-day", "2024-01-01"])
        try device.command(["sync"])
        let path = device.state + "/agent.sqlite"
        let handle = try #require(FileHandle(forWritingAtPath: path))
        try handle.write(contentsOf: Data(repeating: 0x5A, count: 8_192))
        try handle.close()
        try device.command(["sync"], expecting: nil)
        let sale = try device.command(
            ["sale", "milk", "7", "--day", "2024-01-02", "--ref", "b"], expecting: nil)
        #expect(sale.signal == 0)
        if sale.status != 0 {
            try device.command(["sale", "milk", "7", "--day", "2024-01-02", "--ref", "b"])
        }
        #expect(
            try FileManager.default.contentsOfDirectory(atPath: device.state).contains(
                "agent.sqlite.corrupt-1"))
        try device.command(["close-day", "2024-01-02"])
        try device.command(["sync"])
        #expect(try Self.total(hub) == 12)
        #expect(try device.status()["unsent"].number == 0)
    }
}
