import Foundation
import TestSupport
import Testing

/// An architecture of devices whose programs are built here and run by Debian's user-mode emulator.
enum Emulated: String, CaseIterable, Sendable, CustomTestStringConvertible {
    case aarch64, armv7

    /// Those the agent was built for: `make test` builds where Scripts/setup-arm can install the emulator.
    static let built = allCases.filter { $0.isBuilt }
    static let missing: Comment =
        "no agent for ARM: make test builds it where Scripts/setup-arm can install the emulator, or name the folder of `make agent-aarch64` or `make agent-armv7` in SHELFCAST_CROSS_BUILT"

    var isBuilt: Bool { binary("shelfcast-agent") != nil }

    /// A product of `make cross-ARCHITECTURE`; nil where there is none.
    func binary(_ product: String) -> String? {
        guard let folder = ProcessInfo.processInfo.environment["SHELFCAST_CROSS_BUILT"] else {
            return nil
        }
        let path = folder + "/\(product)-\(rawValue)"
        return FileManager.default.isExecutableFile(atPath: path) ? path : nil
    }

    /// The agent is the one in its Debian package, where there is one.
    func program(_ product: String) throws -> Program {
        var path = try #require(binary(product), Self.missing)
        if product == "shelfcast-agent", let packaged = try Self.packaged[rawValue]?.get() {
            path = packaged
        }
        return Program(path: path, launcher: [Self.script, rawValue])
    }

    /// Debian's name.
    var debian: String {
        switch self {
        case .aarch64: "arm64"
        case .armv7: "armel"
        }
    }

    /// Agents out of the packages for these architectures, unpacked once beside the packages.
    private static let packaged: [String: Result<String, any Error>] = {
        var programs: [String: Result<String, any Error>] = [:]
        for architecture in allCases {
            guard let package = DebianPackages.path(architecture.debian) else { continue }
            programs[architecture.rawValue] = Result {
                let folder = try #require(DebianPackages.folder) + "/" + architecture.debian
                try Program(path: "/usr/bin/dpkg-deb").run(["--extract", package, folder])
                return folder + "/usr/bin/shelfcast-agent"
            }
        }
        return programs
    }()

    private static let script = URL(filePath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent()
        .appending(path: "Scripts/emulate").path

    var testDescription: String { rawValue }
}

/// The devices the agent is made for are ARM.
@Suite("The agent for ARM, emulated", .enabled(if: !Emulated.built.isEmpty, Emulated.missing))
struct ArmTests {
    @Test(
        "says of itself what the ordinary one says", arguments: Emulated.built,
        ["--version", "--help"])
    func sameWords(architecture: Emulated, argument: String) throws {
        let there = try architecture.program("shelfcast-agent").run([argument])
        let here = try Binaries.Agent.ordinary.program.run([argument])
        #expect(there.output == here.output)
        #expect(!there.output.isEmpty)
        #expect(there.errors.isEmpty)
    }

    @Test(
        "does the main job, and the report equals a calculation made from the CSV alone",
        arguments: Emulated.built)
    func mainJob(architecture: Emulated) throws {
        // Every command starts an emulator: fewer days than the native agents replay.
        try MainJobTests.mainJob(agent: .emulated(architecture), replayDays: 5)
    }

    @Test(
        "linked with its C library needs none of the device's, and computes the same",
        arguments: Emulated.built)
    func linkedStatically(architecture: Emulated) throws {
        let folder = try #require(ProcessInfo.processInfo.environment["SHELFCAST_CROSS_BUILT"])
        let path = folder + "/shelfcast-agent-\(architecture.rawValue)-static"
        let headers = try Program(path: "/usr/bin/readelf").run(["--program-headers", path]).output
        #expect(headers.contains("LOAD") && !headers.contains("INTERP"))
        var program = try architecture.program("shelfcast-agent")
        let (shared, arguments) = (program, ["selftest", "--json"])
        program.path = path
        #expect(try program.run(arguments).output == shared.run(arguments).output)
    }

    @Test(
        "goes to Debian's hard-float systems in a package that needs no C library of theirs",
        .enabled(if: Emulated.armv7.isBuilt, Emulated.missing))
    func hardFloat() throws {
        let package = try #require(DebianPackages.path("armhf"), DebianPackages.missing)
        #expect(try DebianPackages.field("Architecture", of: package) == "armhf")
        #expect(try DebianPackages.field("Depends", of: package) == "tzdata, adduser")
        let folder = try TemporaryFolder()
        try Program(path: "/usr/bin/dpkg-deb").run(["--extract", package, folder.path])
        let built = try #require(ProcessInfo.processInfo.environment["SHELFCAST_CROSS_BUILT"])
        try Program(path: "/usr/bin/cmp").run([
            folder.path + "/usr/bin/shelfcast-agent", built + "/shelfcast-agent-armv7-static",
        ])
    }

    @Test("is what its Debian package has in it", arguments: Emulated.built)
    func packaged(architecture: Emulated) throws {
        let package = try #require(
            DebianPackages.path(architecture.debian), DebianPackages.missing)
        let program = try architecture.program("shelfcast-agent").path
        #expect(program.hasSuffix("/\(architecture.debian)/usr/bin/shelfcast-agent"))
        try Program(path: "/usr/bin/cmp").run([
            program, try #require(architecture.binary("shelfcast-agent")),
        ])
        #expect(
            try DebianPackages.field("Architecture", of: package) == architecture.debian)
        #expect(
            try DebianPackages.field("Depends", of: package).hasPrefix("libc6 (>= 2."))
    }

    @Test("tells the hub what it is", arguments: Emulated.built)
    func architecture(architecture: Emulated) throws {
        let hub = try HubUnderTest()
        try hub.serve()
        let device = try DeviceUnderTest(.emulated(architecture), store: "1")
        try device.join(try hub.token(store: "1"))
        try device.command(["sync"])
        let name = try device.status()["device"].string
        let shown = try hub.command("device", "show", name)
        #expect(shown.contains(architecture == .aarch64 ? "aarch64," : "armv7l,"), "\(shown)")
    }
}
