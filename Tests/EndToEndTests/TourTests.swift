import Foundation
import TestSupport
import Testing

/// The README's tour is a promise: its commands work as printed.
@Suite struct TourTests {
    @Test("Every command of the README's tour works as printed, with the agent as it ships")
    func tour() throws {
        let blocks = try Self.blocks()
        #expect(blocks.count >= 6)
        let folder = try TemporaryFolder()
        let bin = folder.path + "/bin"
        try FileManager.default.createDirectory(
            atPath: bin, withIntermediateDirectories: true)
        for (name, target) in [
            ("shelfcast-hub", Binaries.hub),
            ("shelfcast-agent", try Binaries.Agent.embedded.path),
        ] {
            try FileManager.default.createSymbolicLink(
                atPath: bin + "/" + name, withDestinationPath: target)
        }
        // The first block builds the programs: `make test` has done so. A loaded machine may need
        // longer than the printed second to start the hub.
        let script =
            "set -euo pipefail\nPATH=\(bin):$PATH\ncd \(folder.path)\n"
            + blocks.dropFirst().joined().replacingOccurrences(
                of: "sleep 1\n",
                with: "until (exec 3<>/dev/tcp/127.0.0.1/7420) 2>/dev/null; do sleep 0.1; done\n")
        let outcome = try Program(path: "/bin/bash").run(["-c", script])
        #expect(outcome.output.contains("spring/profile-"), "a package runs on the scanner")
        #expect(outcome.output.contains("256 bytes"), "the sensor says what did not fit")
        #expect(outcome.output.contains("8 forecasts compared"))
        #expect(outcome.output.contains("\"wapePercent\""))
    }

    /// The `sh` blocks, in order.
    private static func blocks() throws -> [String] {
        let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let readme = try String(contentsOf: root.appending(path: "README.md"), encoding: .utf8)
        return readme.components(separatedBy: "```sh\n").dropFirst().map {
            $0.components(separatedBy: "```")[0]
        }
    }
}
