import Foundation
import HubWeb
import TestSupport
import Testing

@Suite("The install script") struct InstallScriptTests {
    @Test(
        "A Host header is a name or an address with or without a port",
        arguments: [
            "hub", "hub.example.org", "hub.example.org:8443", "192.0.2.7:8443", "[2001:db8::7]",
            "[2001:db8::7]:8443", "[::ffff:192.0.2.7]:1", String(repeating: "h", count: 255),
        ])
    func authorities(text: String) { #expect(InstallScript.isAuthority(text)) }

    @Test(
        "Anything else is refused: it would stand in a shell script",
        arguments: [
            "", ":", ":8443", "hub:", "hub:84430000", "hub:port", "hub:8443:1", "-hub", "hub'",
            "a b",
            "$(id)", "`id`", "hub\n", "hub/path", "user@hub", "[::1", "[]", "[]:8443",
            "[g::1]:8443",
            "::1", "hub%20", "hüb", "hub;id", "[::1]x", String(repeating: "h", count: 262),
        ])
    func otherAuthorities(text: String) { #expect(!InstallScript.isAuthority(text)) }

    @Test("names the hub, its key, and each package with its digest")
    func text() throws {
        let folder = try TemporaryFolder()
        try folder.write("shelfcast-agent_0.2.0_arm64.deb", "")
        let script = InstallScript.text(
            authority: "hub:8443", pin: "sha256//x",
            packages: AgentPackages(directory: folder.path).newest)
        #expect(script.contains("hub='https://hub:8443'\n"))
        #expect(script.contains("pin='sha256//x'\n"))
        #expect(
            script.contains(
                "packages='arm64 deb 0.2.0 shelfcast-agent_0.2.0_arm64.deb"
                    + " e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'\n"))
        #expect(!script.contains("@HUB@") && !script.contains("@PIN@"))
        #expect(!script.contains("@PACKAGES@"))
    }

    /// A system in which every program the script might run only leaves a trace.
    private final class Tripwires {
        let folder: TemporaryFolder

        init() throws {
            folder = try TemporaryFolder()
            for name in [
                "id", "uname", "curl", "sha256sum", "mktemp", "dpkg", "dpkg-query", "apt-get",
                "systemctl", "runuser", "su", "tar", "rm", "shelfcast-agent", "cat", "grep",
            ] {
                try folder.write(name, "#!/bin/sh\necho \(name) >>\(folder.path)/ran\n")
                try FileManager.default.setAttributes(
                    [.posixPermissions: 0o755], ofItemAtPath: folder.path + "/" + name)
            }
        }

        /// What ran, in order; empty: nothing.
        func run(_ script: String) throws -> [String] {
            let trace = folder.path + "/ran"
            // Nothing has run yet the first time.
            try? FileManager.default.removeItem(atPath: trace)
            try ChildProcess(
                "/bin/sh", ["-s", "--", "TOKEN"], environment: ["PATH": folder.path],
                input: .text(script)
            ).wait()
            guard FileManager.default.fileExists(atPath: trace) else { return [] }
            return try folder.read("ran").split(separator: "\n").map(String.init)
        }
    }

    @Test("A download that was cut off anywhere runs nothing")
    func cut() throws {
        let tripwires = try Tripwires()
        let script = Array(
            InstallScript.text(authority: "hub:8443", pin: "sha256//x", packages: []).utf8)
        #expect(try tripwires.run(String(decoding: script, as: UTF8.self)) == ["id"])
        let lineEnds = script.indices.filter { script[$0] == UInt8(ascii: "\n") }
        // Its last byte is the end of the line that starts it.
        let cuts = Set(lineEnds.dropLast()).union(stride(from: 1, to: script.count - 2, by: 101))
            .union((script.count - 60)..<(script.count - 1))
        for end in cuts.sorted() {
            let ran = try tripwires.run(String(decoding: script[..<end], as: UTF8.self))
            #expect(ran.isEmpty, "cut to \(end) of \(script.count) bytes it ran \(ran)")
        }
    }
}
