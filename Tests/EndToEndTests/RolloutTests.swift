import Foundation
import TestSupport
import Testing

/// A second package of a family, with the real programs: one device first, taken back, and at once.
@Suite("Rolling a second package out") struct RolloutTests {
    private static func states(_ hub: HubUnderTest) throws -> [String] {
        try hub.json("rollout", "show").list(of: "devices").map { try $0["state"].string }
    }

    @Test("comes to one device first, is taken back from it, and comes to all when that is wanted")
    func secondPackage() throws {
        let folder = try TemporaryFolder()
        try Program(path: Binaries.hub).run([
            "sales", "sample", "--out", folder.path + "/sales.csv", "--stores", "1", "--items", "3",
            "--seed", "5", "--from", "2023-06-01", "--to", "2024-06-30",
        ])
        let hub = try HubUnderTest()
        try hub.command("sales", "import", folder.path + "/sales.csv", "--strict")
        try hub.command(
            "train", "--form", "profile", "--units", "2", "--epochs", "1", "--name", "f")
        try hub.command("package", "build", "f")
        try hub.serve()
        let devices = try (0..<2).map { _ in try DeviceUnderTest(.ordinary, store: "1") }
        for device in devices { try device.join(try hub.token(store: "1")) }
        func releases() throws -> [Double] {
            try devices.map { try Double($0.status()["running"]["release"].number) }
        }
        func sync() throws { for device in devices { try device.command(["sync"]) } }

        // Nothing runs yet: there is nothing to wait for.
        #expect(try hub.command("push", "f", "--all").contains("run nothing yet"))
        try sync()
        #expect(try releases() == [1, 1])
        #expect(try hub.command("push", "f", "--all").contains("nothing was changed: rollout 1"))

        // What is built moves nobody; what is pushed is one device's first.
        try hub.command("package", "build", "f")
        try sync()
        #expect(try releases() == [1, 1])
        let plan = try hub.json("push", "f", "--all", "--dry-run")
        #expect(try plan.list(of: "waves").map { try $0.number } == [1, 1])
        #expect(try hub.json("rollout", "list").list.count == 1)
        #expect(try hub.command("push", "f", "--all").contains("trial 7 business days"))
        try sync()
        try sync()
        let states = try Self.states(hub)
        #expect(states.filter { $0 == "trial" || $0 == "assigned" }.count == 1, "\(states)")
        #expect(states.filter { $0 == "waiting" }.count == 1, "\(states)")
        #expect(try releases() == [1, 1])

        try hub.command("rollout", "abort", "2", "--why", "far off")
        try sync()
        try sync()
        let after = try Self.states(hub)
        #expect(!after.contains("trial") && !after.contains("assigned"), "\(after)")
        #expect(try releases() == [1, 1])
        #expect(try hub.command("rollout", "show").contains("aborted: far off"))

        try hub.command("package", "build", "f")
        try hub.command("push", "f", "--all", "--at-once")
        try sync()
        #expect(try releases() == [3, 3])
        let audit = try hub.json("audit").list.map {
            "\(try $0["action"].string) \(try $0["object"].string)"
        }
        #expect(
            audit.filter { $0.contains("rollout") && !$0.hasPrefix("complete") }
                == ["push rollout 3", "abort rollout 2", "push rollout 2", "push rollout 1"])
    }
}

extension JSON {
    fileprivate func list(of key: String) throws -> [JSON] { try self[key].list }
}
