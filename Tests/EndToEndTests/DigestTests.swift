import Foundation
import TestSupport
import Testing

/// Every architecture and every kernel set computes the same integers: what `shelfcast-agent selftest` shows of them is
/// equal wherever it runs.
@Suite("The engine's digest")
struct DigestTests {
    struct KernelDigest {
        var kernels: String
        var digest: String
    }

    /// - Returns: what each kernel set of that agent's CPU comes to.
    func digests(_ program: Program) throws -> [KernelDigest] {
        let folder = try TemporaryFolder()
        let reply = try JSON(
            try program.run([
                "selftest", "--kernels", "all", "--json", "--state", folder.path + "/none",
            ]).output)
        let architecture = try reply["architecture"].string
        return try reply["kernels"].list.map { one in
            let digest = KernelDigest(
                kernels: try one["name"].string, digest: try one["digest"].string)
            print("digest of \(architecture) \(digest.kernels): \(digest.digest)")
            return digest
        }
    }

    /// Of the plain version, on this machine.
    func expected() throws -> String {
        let digests = try digests(try Binaries.Agent.ordinary.program)
        return try #require(digests.first { $0.kernels == "plain" }).digest
    }

    @Test("is the same with every kernel set this CPU has", arguments: Binaries.Agent.native)
    func native(agent: Binaries.Agent) throws {
        let expected = try expected()
        let digests = try digests(try agent.program)
        for one in digests { #expect(one.digest == expected, "\(one.kernels)") }
        let cpu = try String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8)
        if cpu.contains(" avx2 ") { #expect(digests.contains { $0.kernels == "avx2" }) }
    }

    /// An emulated CPU and the kernel sets it must have.
    struct CPU: Sendable, CustomTestStringConvertible {
        var architecture: Emulated
        /// The emulator's name for it; nil is its own, which has everything.
        var name: String?
        var kernels: [String]

        var testDescription: String { "\(architecture) \(name ?? "with every extension")" }

        /// Those of ARM as sold, without the dot product of bytes and with it.
        static let wide = [
            CPU(architecture: .aarch64, kernels: ["plain", "neon", "neon-dot"]),
            CPU(architecture: .aarch64, name: "cortex-a53", kernels: ["plain", "neon"]),
            CPU(
                architecture: .aarch64, name: "cortex-a76", kernels: ["plain", "neon", "neon-dot"]),
        ]
        /// Integers of the machine's own size have 32 bits here.
        static let narrow = [
            CPU(architecture: .armv7, kernels: ["plain"]),
            CPU(architecture: .armv7, name: "cortex-a8", kernels: ["plain"]),
        ]
    }

    @Test(
        "is the same on an emulated ARM", .enabled(if: Emulated.aarch64.isBuilt, Emulated.missing),
        arguments: CPU.wide)
    func emulated(cpu: CPU) throws { try compare(cpu) }

    @Test(
        "is the same on an emulated ARM of 32 bits",
        .enabled(if: Emulated.armv7.isBuilt, Emulated.missing), arguments: CPU.narrow)
    func narrow(cpu: CPU) throws { try compare(cpu) }

    private func compare(_ cpu: CPU) throws {
        let expected = try expected()
        var program = try cpu.architecture.program("shelfcast-agent")
        if let name = cpu.name { program.environment["QEMU_CPU"] = name }
        let digests = try digests(program)
        #expect(digests.map(\.kernels) == cpu.kernels)
        for one in digests { #expect(one.digest == expected, "\(one.kernels)") }
    }

    /// Packages of every form with their golden vectors, and some with damage anywhere: decoding counts in integers of the
    /// machine's own size too.
    @Test(
        "goes with the same answer to every package, whole or damaged",
        .enabled(if: !Emulated.built.isEmpty, Emulated.missing), arguments: Emulated.built)
    func packages(architecture: Emulated) throws {
        let folder = try TemporaryFolder()
        try Program(path: Binaries.hub).run([
            "sales", "sample", "--out", folder.path + "/sales.csv", "--stores", "1", "--items", "4",
            "--seed", "5", "--from", "2024-01-01", "--to", "2024-12-31",
        ])
        let hub = try HubUnderTest()
        try hub.command("sales", "import", folder.path + "/sales.csv", "--strict")
        for form in ["plain", "calendar", "profile"] {
            try hub.command(
                "train", "--form", form, "--units", "3", "--epochs", "1", "--name", form)
            try hub.command("package", "build", form)
        }
        let packages = URL(filePath: hub.data + "/packages")
        let files = try FileManager.default.contentsOfDirectory(atPath: packages.path).sorted()
            .map { try Data(contentsOf: packages.appending(path: $0)) }
        #expect(files.count >= 6)

        let emulated = try architecture.program("shelfcast-agent")
        let path = folder.path + "/package"
        func answer(_ program: Program) throws -> String {
            let outcome = try program.run(
                [
                    "selftest", "--kernels", "plain", "--json", "--state", folder.path + "/none",
                    "--package", path,
                ], expecting: nil)
            #expect(outcome.signal == 0)
            // What it says of the package comes last; of the processor it was said before.
            let package = try #require(outcome.output.range(of: "\"package\":"))
            return "\(outcome.status) \(outcome.output[package.lowerBound...])\(outcome.errors)"
        }
        for file in files {
            try file.write(to: URL(filePath: path))
            let here = try answer(try Binaries.Agent.ordinary.program)
            let there = try answer(emulated)
            #expect(here.hasPrefix("0 "))
            #expect(there == here)
        }
        var numbers = SeededGenerator(seed: 9)
        for _ in 0..<20 {
            var file = try #require(files.randomElement(using: &numbers))
            let at = Int.random(in: 5..<file.count - 4, using: &numbers)
            if Bool.random(using: &numbers) {
                file[at] = .random(in: 0...255, using: &numbers)
            } else {
                file.replaceSubrange(at..<at + 4, with: [255, 255, 255, 255])
            }
            try file.write(to: URL(filePath: path))
            let here = try answer(try Binaries.Agent.ordinary.program)
            let there = try answer(emulated)
            #expect(there == here)
        }
    }
}
