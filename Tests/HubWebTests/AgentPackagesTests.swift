import Foundation
import HubWeb
import NIOCore
import TestSupport
import Testing

@Suite("The agent's packages on the hub") struct AgentPackagesTests {
    @Test(
        "A package's name says version, architecture and form",
        arguments: [
            ("shelfcast-agent_0.2.0_amd64.deb", "0.2.0 amd64 deb"),
            ("shelfcast-agent_1.0~rc1+git-2_armel.tar.gz", "1.0~rc1+git-2 armel tar.gz"),
            ("shelfcast-agent_0.2.0_armhf.deb", "0.2.0 armhf deb"),
        ])
    func names(text: String, says: String) throws {
        let name = try #require(AgentPackageName(text))
        #expect("\(name.version) \(name.architecture) \(name.form.rawValue)" == says)
        #expect(name.text == text)
    }

    @Test(
        "Another file is none, above all one whose name a shell would act on",
        arguments: [
            "shelfcast-agent_0.2.0_amd64.deb.new", "shelfcast-agent_0.2.0_mips.deb",
            "shelfcast-agent_v2_amd64.deb", "shelfcast-agent__amd64.deb", "shelfcast-agent.deb",
            "shelfcast-hub_0.2.0_amd64.deb", "shelfcast-agent_1'_amd64.deb",
            "shelfcast-agent_1 2_amd64.deb", "shelfcast-agent_1$(id)_amd64.deb",
            "shelfcast-agent_1/../2_amd64.deb", "shelfcast-agent_1_2_amd64.deb",
            "shelfcast-agent_1\n_amd64.deb", "", ".deb",
            "shelfcast-agent_1" + String(repeating: "0", count: 128) + "_amd64.deb",
        ])
    func otherNames(text: String) { #expect(AgentPackageName(text) == nil) }

    /// As `dpkg --compare-versions` orders them.
    @Test("Versions are ordered as dpkg orders them")
    func versions() {
        let ascending = [
            "0", "0.1.0~rc1", "0.1.0~rc1-1", "0.1.0", "0.1.0-0.1", "0.1.0-1", "0.1.0-2", "0.1.0-10",
            "0.1.0a", "0.1.0b", "0.1.0+b", "0.1.9", "0.1.10", "0.2", "0.2.0", "1~~", "1~~a", "1~",
            "1", "1.0", "1.1-1-1", "1.1-1-2", "9", "10", "20260101", "100000000000000000000000000",
        ]
        for (i, left) in ascending.enumerated() {
            for (j, right) in ascending.enumerated() {
                #expect(
                    AgentPackageName.isVersion(left, before: right) == (i < j), "\(left) \(right)")
            }
        }
        #expect(!AgentPackageName.isVersion("1.01", before: "1.1"))
        #expect(!AgentPackageName.isVersion("1.1", before: "1.01"))
    }

    @Test("The newest of each architecture and form is offered, and a change is seen")
    func newest() throws {
        let folder = try TemporaryFolder()
        let packages = AgentPackages(directory: folder.path)
        #expect(packages.newest.isEmpty)
        try folder.write("shelfcast-agent_0.9.0_amd64.deb", "old")
        try folder.write("shelfcast-agent_0.10.0_amd64.deb", "new")
        try folder.write("shelfcast-agent_0.9.0_arm64.deb", "")
        try folder.write("shelfcast-agent_0.9.0_amd64.tar.gz", "plain")
        try folder.write("README", "no package")
        try FileManager.default.createDirectory(
            atPath: folder.path + "/shelfcast-agent_1_amd64.deb", withIntermediateDirectories: true)
        #expect(
            packages.newest.map(\.name.text) == [
                "shelfcast-agent_0.10.0_amd64.deb", "shelfcast-agent_0.9.0_amd64.tar.gz",
                "shelfcast-agent_0.9.0_arm64.deb",
            ])
        // SHA-256 of "new" and of nothing, by sha256sum.
        #expect(
            packages.newest[0].sha256
                == "11507a0e2f5e69d5dfa40a62a1bd7b6ee57e6bcd85c67c9b8431b36fff21c437")
        #expect(
            packages.newest[2].sha256
                == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
        try folder.write("shelfcast-agent_0.10.0_amd64.deb", "now")
        #expect(String(buffer: packages.newest[0].content) == "now")
        try FileManager.default.removeItem(
            atPath: folder.path + "/shelfcast-agent_0.10.0_amd64.deb")
        #expect(packages.newest[0].name.version == "0.9.0")
    }

    @Test("A directory that is not there has no packages")
    func noDirectory() {
        #expect(AgentPackages(directory: "/nonexistent/shelfcast").newest.isEmpty)
    }
}
