import Foundation
import TestSupport
import Testing

/// A hub that is lost, and goes on from its backup.
@Suite("A backup of the hub")
struct BackupTests {
    /// Nothing of a hub but its programs: moves the data away, and restores.
    private static func lose(_ hub: HubUnderTest, restoring backup: String) throws -> String {
        hub.kill()
        try FileManager.default.moveItem(atPath: hub.data, toPath: hub.data + ".lost")
        return try hub.command("backup", "restore", backup)
    }

    @Test("made while devices upload is whole, and devices go on with the hub that is made of it")
    func life() throws {
        let hub = try HubUnderTest()
        try hub.stock(units: "4,2")
        try hub.serve()
        let device = try DeviceUnderTest(.ordinary, store: "1")
        try device.join(try hub.token(store: "1", uses: 2))
        try hub.command("push", "f", "--all")
        try device.command(["sync"])
        try device.command(["sale", "1", "4", "--day", "2024-07-01"])
        try device.command(["close-day", "2024-07-01"])
        try device.command(["sync"])

        let backup = hub.folder.path + "/backup"
        let made = try hub.command("backup", backup)
        #expect(made.contains("\(backup): made 20"))
        let proved = try Program(path: Binaries.hub).run(["backup", "verify", backup])
        #expect(proved.output.contains("is good"))
        let modes = try Program(path: "/usr/bin/find").run([backup, "-printf", "%m %y\n"]).output
        #expect(Set(modes.split(separator: "\n")) == ["700 d", "600 f"])

        // After it: sales, a new release, two days of signing, a device more.
        try device.command(["sale", "1", "9", "--day", "2024-07-02"])
        try device.command(["close-day", "2024-07-02"])
        try hub.command("package", "build", "f")
        try hub.command("push", "f", "--all", "--at-once")
        try device.command(["sync"])
        #expect(try device.status()["running"]["release"].number == 2)
        let late = try DeviceUnderTest(.ordinary, store: "1")
        try late.join(try hub.token(store: "1"))

        let told = try Self.lose(hub, restoring: backup)
        #expect(told.contains("is the hub again, from the backup made 20"))
        try hub.serve()
        // It keeps its newer package, and its sales are taken from where the hub is.
        try device.command(["sale", "1", "5", "--day", "2024-07-03"])
        try device.command(["close-day", "2024-07-03"])
        try device.command(["sync"])
        try device.command(["sync"])
        let status = try device.status()
        #expect(try status["running"]["release"].number == 2)
        #expect(try status["unsent"].number == 0)
        // What is built and pushed now is newer than all that devices have seen, without the root key.
        try hub.command("package", "build", "f")
        try hub.command("push", "f", "--all", "--at-once")
        try device.command(["sync"])
        #expect(try device.status()["running"]["release"].number > 2)
        // A device that the backup does not know is told what to do, and comes back as one it knows.
        let refused = try late.command(["sync"], expecting: nil)
        #expect(refused.status != 0 && refused.errors.contains("join"), "\(refused.errors)")
        try late.command(["join", try hub.token(store: "1"), "--again"], expecting: nil)
        #expect(try hub.command("audit").contains("restore"))
    }

    @Test("pauses the rollouts that were going on, and says so")
    func rollouts() throws {
        let hub = try HubUnderTest()
        try hub.stock()
        try hub.serve()
        let device = try DeviceUnderTest(.ordinary, store: "1")
        try device.join(try hub.token(store: "1"))
        try hub.command("push", "f", "--all")
        try device.command(["sync"])
        try hub.command("package", "build", "f")
        try hub.command("push", "f", "--all")
        func states() throws -> [String: String] {
            var states: [String: String] = [:]
            for rollout in try hub.json("rollout", "list").list {
                states["\(Int(try rollout["rollout"].number))"] = try rollout["state"].string
            }
            return states
        }
        // Without its server nothing moves.
        hub.kill()
        let before = try states()
        #expect(before["2"] == "running", "\(before)")
        let backup = hub.folder.path + "/backup"
        try hub.command("backup", backup)
        let told = try Self.lose(hub, restoring: backup)
        #expect(told.contains("rollout 2 is paused: see"))
        #expect(try states() == before.mapValues { $0 == "running" ? "paused" : $0 })
        #expect(try hub.command("rollout", "show", "2").contains("restored from a backup"))
    }

    @Test("that was damaged in any file is not restored, and nothing is left behind")
    func damage() throws {
        let hub = try HubUnderTest()
        try hub.stock()
        let backup = hub.folder.path + "/backup"
        try hub.command("backup", "create", backup)
        try FileManager.default.moveItem(atPath: hub.data, toPath: hub.data + ".lost")
        let list = try JSON(try String(contentsOfFile: backup + "/backup.json", encoding: .utf8))
        let files = try list["files"].list.map { try $0["path"].string }
        #expect(files.contains("hub.sqlite") && files.contains { $0.hasPrefix("packages/") })
        for file in files {
            let url = URL(filePath: backup + "/" + file)
            let good = try Data(contentsOf: url)
            for bad in [nil, good.dropLast(), Data(good.reversed())] {
                if let bad {
                    try bad.write(to: url)
                } else {
                    try FileManager.default.removeItem(at: url)
                }
                for command in [["verify"], ["restore"]] {
                    let outcome = try Program(path: Binaries.hub).run(
                        ["backup"] + command + [backup]
                            + (command == ["restore"] ? ["--data", hub.data] : []),
                        expecting: 1)
                    #expect(outcome.errors.contains("the backup's '\(file)' is damaged"))
                }
                #expect(!FileManager.default.fileExists(atPath: hub.data))
                #expect(!FileManager.default.fileExists(atPath: hub.data + ".unfinished"))
            }
            try good.write(to: url)
        }
        try hub.command("backup", "restore", backup)
        #expect(try hub.command("sales", "show").contains("3"))
    }

    @Test("takes nobody's place: not of a backup, not of a hub, not inside its own data")
    func inTheWay() throws {
        let hub = try HubUnderTest()
        let backup = hub.folder.path + "/backup"
        try hub.command("backup", backup)
        func refusal(_ arguments: [String]) throws -> String {
            try Program(path: Binaries.hub).run(
                ["backup"] + arguments + ["--data", hub.data], expecting: 3
            ).errors
        }
        #expect(try refusal([backup]).contains("is there already"))
        #expect(try refusal(["restore", backup]).contains("is there already"))
        #expect(try refusal([hub.data + "/backup"]).contains("belongs elsewhere"))
        #expect(try refusal(["restore", hub.folder.path]).contains("is no backup of a hub"))
        let left = try FileManager.default.contentsOfDirectory(atPath: hub.folder.path).sorted()
        #expect(left == ["backup", "hub"])
    }

    @Test("made into a folder every day leaves as many as are wanted there")
    func daily() throws {
        let hub = try HubUnderTest()
        let folder = hub.folder.path + "/backups"
        for _ in 0..<3 {
            try hub.command("backup", "--into", folder, "--keep", "2")
            // Each is named by its second.
            sleep(1)
        }
        let list = try Program(path: Binaries.hub).run(["backup", "list", folder]).output
        #expect(list.split(separator: "\n").count == 2)
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder).count == 2)
    }
}
