import AgentRuntime
import Foundation
import Testing

@Suite("A token left for a device")
struct TokenSourceTests {
    let root = TemporaryFolder()
    var state: String { root.file("state") }

    func write(_ path: String, _ text: String) throws {
        let file = URL(filePath: root.file(path))
        try FileManager.default.createDirectory(
            at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
        try text.write(to: file, atomically: true, encoding: .utf8)
    }

    func found(alsoUsed: Bool = false) -> String? {
        TokenSource(directory: state, root: root.path, alsoUsed: alsoUsed)?.token
    }

    @Test("is found in its places, one after the other")
    func places() throws {
        #expect(found() == nil)
        try write("sys/class/dmi/id/chassis_asset_tag", "shelfcast.token=shelfcast1.Tag_1-x\n")
        #expect(found() == "shelfcast1.Tag_1-x")
        try write("proc/cmdline", "quiet shelfcast.token=shelfcast1.Line root=/dev/mmcblk0p2\n")
        #expect(found() == "shelfcast1.Line")
        try write("etc/shelfcast/token", "# for store 12\n  shelfcast1.Etc  \n")
        #expect(found() == "shelfcast1.Etc")
        try write("state/join-token", "shelfcast1.State")
        #expect(found() == "shelfcast1.State")
    }

    @Test(
        "is nothing else", arguments: ["", "shelfcast", "shelfcast.token=", "token=shelfcast1.x"])
    func others(text: String) throws {
        try write("proc/cmdline", text)
        try write("state/join-token", text.replacingOccurrences(of: "shelfcast1", with: "other"))
        #expect(found() == nil)
        try write("state/join-token", String(repeating: "x", count: 5000) + "shelfcast1.x")
        #expect(found() == nil, "a file that long is no token's")
    }

    @Test("is set aside once it has served, where only a copy still finds it")
    func used() throws {
        try write("state/join-token", "shelfcast1.State")
        let source = try #require(TokenSource(directory: state, root: root.path))
        source.setAside()
        #expect(found() == nil)
        #expect(found(alsoUsed: true) == "shelfcast1.State")
        try #require(TokenSource(directory: state, root: root.path, alsoUsed: true)).setAside()
        #expect(found(alsoUsed: true) == "shelfcast1.State")
        try write("state/join-token", "shelfcast1.New")
        #expect(found(alsoUsed: true) == "shelfcast1.New")
    }
}
