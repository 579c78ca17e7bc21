import Foundation
import TestSupport
import Testing

/// The keys that devices trust, with the real program; what it exports is read by the reference client of The Update
/// Framework and by ours.
@Suite("The hub's keys and its repository") struct KeysTests {
    /// The paths under which a data directory's packages are listed, by digest.
    private static func targets(_ hub: HubUnderTest) throws -> [String: String] {
        try hub.json("package", "list").list.reduce(into: [:]) { targets, package in
            let digest = try package["digest"].string
            targets[digest] =
                "packages/\(Int(try package["release"].number))/\(digest.prefix(16))"
        }
    }

    private static func versions(_ hub: HubUnderTest) throws -> [String: Double] {
        try hub.json("keys", "list")["roles"].list.reduce(into: [:]) {
            $0[try $1["role"].string] = try $1["version"].number
        }
    }

    @Test(
        "What is exported, other clients read: at first, after a new package, after every rotation",
        .enabled(if: StockPython.path != nil, StockPython.missing))
    func otherClients() throws {
        let hub = try HubUnderTest()
        try hub.stock(stores: 2, items: 2)
        try hub.command("push", "f", "--all")
        let folder = try TemporaryFolder()
        let export = folder.path + "/export"
        let root = folder.path + "/root.pem"

        func check() throws {
            try hub.command("keys", "export", export)
            let targets = try Self.targets(hub).filter { _, path in
                // What nobody may run any more is not there.
                let listed = FileManager.default.subpaths(atPath: export + "/targets") ?? []
                return listed.contains { $0.contains(String(path.suffix(16))) }
            }
            #expect(targets.count >= 3)
            let python = try StockPython.start(
                "tuf_repository.py",
                [export, folder.path + "/state", Binaries.folder + "shelfcast-tuf-client"]
                    + targets.values)
            let end = python.wait(secondsMax: 60)
            let complaint = try python.errors()
            try #require(end.status == 0, "\(complaint)")
            let told = try JSON(try python.output())
            for (digest, path) in targets {
                #expect(try told["targets"][path].string == digest)
            }
            let versions = try Self.versions(hub)
            for client in ["theirs", "ours"] {
                for (role, version) in versions {
                    #expect(try told[client][role].number == version, "\(client) \(role)")
                }
            }
        }

        try check()
        try hub.command("package", "build", "f")
        try hub.command("push", "f", "--all", "--at-once")
        try check()
        #expect(try Self.versions(hub)["root"] == 1)
        try hub.command("keys", "rotate", "targets", "--why", "a year is over")
        try check()
        try hub.command("keys", "rotate", "snapshot", "timestamp")
        try check()
        try hub.command("keys", "rotate", "root", "--new-root-key", root)
        try check()
        try hub.command("keys", "root", "renew", "--root-key", root)
        try check()
        #expect(try Self.versions(hub)["root"] == 5)
        let audit = try hub.json("audit").list.map { try $0["action"].string }
        #expect(
            audit.filter { $0.contains("key") || $0.contains("root") }
                == ["renew-root", "rotate-keys", "rotate-keys", "rotate-keys", "create-keys"])
    }

    @Test("The root key lies where the operator says, and the hub reminds of it elsewhere")
    func rootKey() throws {
        let folder = try TemporaryFolder()
        let hub = Program(path: Binaries.hub)
        let kept = folder.path + "/kept"
        let told = try hub.run(["init", "--data", kept]).output
        let list = try hub.run(["keys", "list", "--data", kept]).output
        #expect(told.contains("move \(kept)/keys/root-"), "\(told)")
        #expect(told.split(separator: "\n").count == 3, "a minute's affair: \(told)")
        #expect(list.contains("warning: the root key lies in \(kept)/keys/root-"), "\(list)")

        let (away, key) = (folder.path + "/away", folder.path + "/root.pem")
        try hub.run(["init", "--data", away, "--root-key", key])
        let quiet = try hub.run(["keys", "list", "--data", away]).output
        #expect(quiet.contains("elsewhere") && !quiet.contains("warning"), "\(quiet)")
        #expect(
            try FileManager.default.attributesOfItem(atPath: key)[.posixPermissions] as? Int
                == 0o600)
        // Without it nothing is rotated, and with it it is.
        let refused = try hub.run(["keys", "rotate", "targets", "--data", away], expecting: 3)
        #expect(
            refused.errors.contains("1 signature more is needed")
                && refused.errors.contains("nothing was changed"), "\(refused.errors)")
        let wrong = try hub.run(
            [
                "keys", "rotate", "targets", "--data", away, "--root-key",
                away + "/ca-key.pem",
            ], expecting: 3)
        #expect(wrong.errors.contains("does not sign for this root"), "\(wrong.errors)")
        let missing = try hub.run(
            ["keys", "rotate", "targets", "--data", away, "--root-key", folder.path + "/none"],
            expecting: 1)
        #expect(missing.errors.contains("/none' is missing"), "\(missing.errors)")
        let before = try FileManager.default.contentsOfDirectory(atPath: away + "/keys").sorted()
        try hub.run(["keys", "rotate", "targets", "--data", away, "--root-key", key])
        let after = try FileManager.default.contentsOfDirectory(atPath: away + "/keys").sorted()
        #expect(before.count == 3 && after.count == 3 && before != after)
    }

    @Test("Two of three holders change the root together, on machines of their own")
    func holders() throws {
        let folder = try TemporaryFolder()
        let hub = Program(path: Binaries.hub)
        let data = ["--data", folder.path + "/hub"]
        func file(_ name: String) -> String { folder.path + "/" + name }
        try hub.run(["init", "--root-key", file("first")] + data)
        for name in ["second", "third"] {
            try hub.run(["keys", "new", file(name)])
            try hub.run(
                ["keys", "root", "add", file(name) + ".pub", "--root-key", file("first")] + data)
        }
        // Who raises the threshold has to meet it himself.
        let alone = try hub.run(
            ["keys", "root", "threshold", "2", "--root-key", file("first")] + data, expecting: 3)
        #expect(alone.errors.contains("1 signature more is needed"), "\(alone.errors)")
        try hub.run(
            [
                "keys", "root", "threshold", "2", "--root-key", file("first"), "--root-key",
                file("second"),
            ]
                + data)

        let draft = try hub.run(
            ["keys", "rotate", "timestamp", "--root-key", file("second"), "--draft", file("draft")]
                + data)
        #expect(draft.output.contains("needs 1 signature more"), "\(draft.output)")
        let early = try hub.run(["keys", "publish", file("draft")] + data, expecting: 3)
        #expect(early.errors.contains("1 of the 2 signatures"), "\(early.errors)")
        let signed = try hub.run(["keys", "sign", file("draft"), "--root-key", file("third")])
        #expect(signed.output.contains("root 5, good until"), "\(signed.output)")
        try hub.run(["keys", "publish", file("draft"), "--why", "yearly"] + data)
        let twice = try hub.run(["keys", "publish", file("draft")] + data, expecting: 3)
        #expect(twice.errors.contains("the newest is 5"), "\(twice.errors)")
        // One is lost: the others go on without it.
        let list = try JSON(try hub.run(["keys", "list", "--json"] + data).output)
        let ids = try list["roles"].list[0]["keys"].list.map { try $0["id"].string }
        #expect(ids.count == 3)
        try hub.run(
            [
                "keys", "root", "remove", String(ids[0].prefix(8)), "--root-key", file("second"),
                "--root-key", file("third"),
            ] + data)
        let least = try hub.run(
            [
                "keys", "root", "remove", String(ids[1].prefix(8)), "--root-key", file("second"),
                "--root-key", file("third"),
            ] + data, expecting: 3)
        #expect(least.errors.contains("2 signatures cannot come from 1 key"), "\(least.errors)")
    }
}
