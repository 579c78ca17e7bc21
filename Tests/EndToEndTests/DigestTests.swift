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
        static let all = [
            CPU(architecture: .aarch64, kernels: ["plain", "neon", "neon-dot"]),
            CPU(architecture: .aarch64, name: "cortex-a53", kernels: ["plain", "neon"]),
            CPU(
                architecture: .aarch64, name: "cortex-a76", kernels: ["plain", "neon", "neon-dot"]),
            CPU(architecture: .armv7, kernels: ["plain"]),
        ]
    }

    @Test(
        "is the same on an emulated ARM", .enabled(if: !Emulated.built.isEmpty, Emulated.missing),
        arguments: CPU.all.filter { Emulated.built.contains($0.architecture) })
    func emulated(cpu: CPU) throws {
        let expected = try expected()
        var program = try cpu.architecture.program("shelfcast-agent")
        if let name = cpu.name { program.environment["QEMU_CPU"] = name }
        let digests = try digests(program)
        #expect(digests.map(\.kernels) == cpu.kernels)
        for one in digests { #expect(one.digest == expected, "\(one.kernels)") }
    }
}
