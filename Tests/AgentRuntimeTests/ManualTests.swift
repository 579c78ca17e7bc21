import Foundation
import TestSupport
import Testing

/// Manual pages and shell completions, made by Scripts/agent-manuals of what the program says of itself.
@Suite("The agent's manual pages and completions")
struct ManualTests {
    static let script = URL(filePath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent()
        .appending(path: "Scripts/agent-manuals").path

    let folder = TemporaryFolder()

    static func run(_ path: String, _ arguments: [String]) throws -> String {
        let process = try ChildProcess(path, arguments)
        let end = process.wait()
        let output = try process.output()
        let errors = try process.errors()
        try #require(end.status == 0, "\(path) \(arguments): \(output)\(errors)")
        #expect(errors.isEmpty, "\(path): \(errors)")
        return output
    }

    func texts() throws -> [String: String] {
        _ = try Self.run(
            "/usr/bin/python3", [Self.script, StockHub.Form.all[0].program.path, folder.path])
        var texts: [String: String] = [:]
        for name in try FileManager.default.contentsOfDirectory(atPath: folder.path) {
            texts[name] = try String(contentsOfFile: folder.file(name), encoding: .utf8)
        }
        return texts
    }

    /// Commands in the overview, and every option each one's help names.
    static func help() throws -> [(command: String, options: Set<String>)] {
        let program = StockHub.Form.all[0].program.path
        let overview = try run(program, ["--help"]).split(
            separator: "\n", omittingEmptySubsequences: false)
        let start = try #require(overview.firstIndex(of: "COMMANDS"))
        return try overview[(start + 1)...].prefix { !$0.isEmpty }.filter { !$0.hasPrefix("   ") }
            .map { line in
                let command = String(try #require(line.split(separator: " ").first))
                let help = try run(program, [command, "--help"])
                // What an example or a sentence names is somebody's option too, but perhaps not this command's.
                let own = help.split(separator: "\n").filter { line in
                    line.hasPrefix("  shelfcast-agent \(command) [") || line.hasPrefix("  --")
                }
                let words = own.joined(separator: " ").matches(of: #/--[a-z][a-z-]*/#)
                return (command, Set(words.map { String($0.output) }))
            }
    }

    @Test("name every command and every option that the program names")
    func complete() throws {
        let texts = try texts()
        let page = try #require(texts["shelfcast-agent.1"]).replacing("\\-", with: "-")
        let bash = try #require(texts["shelfcast-agent.bash"])
        let zsh = try #require(texts["_shelfcast-agent"])
        let fish = try #require(texts["shelfcast-agent.fish"])
        let help = try Self.help()
        #expect(help.count > 8)
        for (command, options) in help {
            let section = page.components(separatedBy: "\n.SS ").first {
                $0.hasPrefix(command + "\n") || $0.hasPrefix(command + " ")
            }
            #expect(section != nil, "no section on \(command)")
            let ofBash = bash.split(separator: "\n").first {
                $0.hasPrefix("    \(command)) mapfile")
            }
            let ofZsh = zsh.split(separator: "\n").first { $0.hasPrefix("\(command)) _arguments") }
            for option in options {
                #expect(section?.contains(option) == true, "\(option) of \(command) in the page")
                #expect(ofBash?.contains(option) == true, "\(option) of \(command) in bash")
                #expect(ofZsh?.contains(option) == true, "\(option) of \(command) in zsh")
                #expect(
                    fish.contains("from \(command)' -l \(option.dropFirst(2))")
                        || fish.contains("shelfcast-agent -l \(option.dropFirst(2))"),
                    "\(option) of \(command) in fish")
            }
        }
    }

    @Test("of the configuration file name exactly the keys that it may have")
    func keys() throws {
        let page = try #require(try texts()["shelfcast-agent.toml.5"])
        let keys = try #require(page.components(separatedBy: "\n.SH KEYS\n").last)
            .components(separatedBy: "\n.SH ")[0].replacing("\\-", with: "-")
            .split(separator: "\n").filter { $0.hasPrefix(".B ") }
            .map { String($0.dropFirst(3).prefix { $0 != " " }) }
        let file = folder.file("agent.toml")
        try "x = 1".write(toFile: file, atomically: false, encoding: .utf8)
        let program = try ChildProcess(
            StockHub.Form.all[0].program.path, ["run", "--config", file])
        program.wait()
        let told = try #require(
            try program.errors().components(separatedBy: "there are: ").last?
                .trimmingCharacters(in: .newlines))
        #expect(keys.sorted() == told.components(separatedBy: ", ").sorted())
    }

    @Test("are what man and bash read without a complaint")
    func wellFormed() throws {
        _ = try texts()
        _ = try Self.run("/bin/bash", ["-n", folder.file("shelfcast-agent.bash")])
        let proposed = try Self.run(
            "/bin/bash",
            [
                "-c",
                """
                . "$1"
                try() { COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _shelfcast_agent; echo "${COMPREPLY[*]}"; }
                try shelfcast-agent ru
                try shelfcast-agent run --contact ""
                try shelfcast-agent run --contact visit --clo
                """, "bash", folder.file("shelfcast-agent.bash"),
            ])
        #expect(proposed == "run\nstay visit\n--close-at\n")
        let groff = "/usr/bin/groff"
        if FileManager.default.isExecutableFile(atPath: groff) {
            for page in ["shelfcast-agent.1", "shelfcast-agent.toml.5"] {
                _ = try Self.run(groff, ["-man", "-ww", "-z", "-Tutf8", folder.file(page)])
            }
        }
    }
}
