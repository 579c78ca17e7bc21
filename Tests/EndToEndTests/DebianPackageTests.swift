import Foundation
import TestSupport
import Testing

/// What `Scripts/package-agent` makes, and what dpkg does with it.
enum DebianPackages {
    static let root = URL(filePath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent().path
    /// Where they lie; `make test` says so.
    static let folder = ProcessInfo.processInfo.environment["SHELFCAST_PACKAGES"]
    static let missing: Comment =
        "no Debian packages: set SHELFCAST_PACKAGES to the folder of Scripts/package-agent, or run `make test`"

    static let native = try? Program(path: "/usr/bin/dpkg").run(["--print-architecture"])
        .output.trimmingCharacters(in: .newlines)

    /// The package for an architecture by Debian's name; nil where none was made.
    static func path(_ architecture: String?) -> String? {
        guard let folder, let architecture else { return nil }
        return names(architecture, in: folder).first { $0.hasSuffix(".deb") }
            .map { folder + "/" + $0 }
    }

    /// The agent's package and archive for an architecture, beside whatever else `make packages` left there.
    static func names(_ architecture: String, in folder: String) -> [String] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        return [".deb", ".tar.gz"].compactMap { suffix in
            names.first {
                $0.hasPrefix("shelfcast-agent_") && $0.hasSuffix("_\(architecture)\(suffix)")
            }
        }
    }

    static func field(_ name: String, of package: String) throws -> String {
        try Program(path: "/usr/bin/dpkg-deb").run(["--field", package, name]).output
            .trimmingCharacters(in: .newlines)
    }
}

@Suite(
    "The Debian package",
    .enabled(if: DebianPackages.path(DebianPackages.native) != nil, DebianPackages.missing))
struct DebianPackageTests {
    let package: String
    let version: String

    init() throws {
        package = try #require(DebianPackages.path(DebianPackages.native))
        version = try DebianPackages.field("Version", of: package)
    }

    @Test("is of the program's own version, and needs the C library that the program asks for")
    func control() throws {
        let told = try Binaries.Agent.embedded.program.run(["--version"]).output
        #expect(told.hasPrefix("shelfcast-agent \(version), state "))
        let depends = try DebianPackages.field("Depends", of: package)
        let asked = try Program(path: "/usr/bin/readelf").run([
            "--version-info", "--wide", try Binaries.Agent.embedded.path,
        ]).output
        let newest = try #require(
            asked.matches(of: #/GLIBC_2\.([0-9]+)/#).compactMap { Int($0.output.1) }.max())
        #expect(depends == "libc6 (>= 2.\(newest)), tzdata, adduser")
        let files = try Program(path: "/usr/bin/dpkg-deb").run(["--contents", package]).output
        for line in files.split(separator: "\n") {
            #expect(line.contains(" root/root "), "\(line)")
            #expect(
                line.hasPrefix("drwxr-xr-x") || line.hasSuffix("/usr/bin/shelfcast-agent")
                    || line.hasPrefix("-rw-r--r--"), "\(line)")
        }
    }

    @Test("has the same bytes whoever makes it, where and when")
    func reproducible() throws {
        let folder = try TemporaryFolder()
        let agent = try Binaries.Agent.embedded.path
        for (name, mask, zone) in [("a", "022", "UTC"), ("b", "077", "Asia/Kathmandu")] {
            try Program(
                path: "/bin/sh",
                environment: ["SOURCE_DATE_EPOCH": "1700000000", "TZ": zone]
            ).run([
                "-ec",
                "umask \(mask); cp \"$1\" \"$2/program\"; cp \"$1-static\" \"$2/program-static\"; exec \"$3\" \"$2/program\" \"$4\" \"$2/\(name)\"",
                "sh", agent, folder.path, DebianPackages.root + "/Scripts/package-agent",
                try #require(DebianPackages.native),
            ])
        }
        let name = "shelfcast-agent_\(version)_\(try #require(DebianPackages.native))"
        for form in [".deb", ".tar.gz"] {
            try Program(path: "/usr/bin/cmp").run([
                folder.path + "/a/" + name + form, folder.path + "/b/" + name + form,
            ])
        }
    }

    @Test(
        "stands beside an archive of the same files, whose program needs no other file of the system"
    )
    func archive() throws {
        let folder = try TemporaryFolder()
        let archive = String(package.dropLast(4)) + ".tar.gz"
        try Program(path: "/bin/tar").run(["-xzf", archive, "-C", folder.path])
        func files(_ arguments: String...) throws -> [String] {
            try Program(path: "/bin/sh").run(["-ec", arguments[0], "sh"] + arguments.dropFirst())
                .output.split(separator: "\n").map(String.init).sorted()
        }
        #expect(
            try files("cd \"$1\" && find . ! -type d", folder.path)
                == files(
                    "dpkg-deb --fsys-tarfile \"$1\" | tar -t | grep -v '/$'", package))
        let owners = try Program(path: "/bin/tar").run(["-tvzf", archive]).output
        #expect(owners.split(separator: "\n").allSatisfy { $0.contains(" root/root ") })

        // A root with this one program in it: no loader, no library.
        let bare = try TemporaryFolder()
        try FileManager.default.copyItem(
            atPath: folder.path + "/usr/bin/shelfcast-agent", toPath: bare.path + "/agent")
        let told = try Program(path: "/usr/bin/unshare").run([
            "--user", "--map-root-user", "/usr/sbin/chroot", bare.path, "/agent", "--version",
        ]).output
        #expect(told == (try Binaries.Agent.embedded.program.run(["--version"]).output))
    }

    @Test("has a unit that systemd understands, and finds little to say against")
    func unit() throws {
        let analyze = "/usr/bin/systemd-analyze"
        guard FileManager.default.isExecutableFile(atPath: analyze) else { return }
        let folder = try TemporaryFolder()
        try Program(path: "/usr/bin/dpkg-deb").run(["--extract", package, folder.path])
        let unit = folder.path + "/usr/lib/systemd/system/shelfcast-agent.service"
        // In tenths of its ten points, of which nothing has none.
        let rated = try Program(path: analyze).run([
            "security", "--offline=true", "--threshold=15", "--no-pager", unit,
        ])
        #expect(rated.output.contains("Overall exposure level"))
        let verified = try Program(path: analyze).run(["verify", "--man=no", unit], expecting: nil)
        let complaints = verified.errors.split(separator: "\n").filter {
            // This machine has not installed it, and its other units are not ours.
            $0.contains("shelfcast") && !$0.contains("/usr/bin/shelfcast-agent is not executable")
        }
        #expect(complaints.isEmpty, "\(verified.errors)")
    }

    @Test(
        "installs, keeps the state over an upgrade, refuses to go back to what cannot read it, and purged leaves nothing",
        .enabled(if: FreshDevice.isAvailable, FreshDevice.missing))
    func life() throws {
        let device = try FreshDevice()
        try Program(path: "/bin/cp").run([package, device.root + "/tmp/own.deb"])
        let older = try device.repacked(package, as: "0.0.2")
        let unable = try device.repacked(package, as: "0.0.1", readable: 0)
        let accounts = try device.shell("cat /etc/passwd /etc/group /etc/shadow /etc/gshadow")
            .output

        // A fresh device.
        try device.shell("dpkg -i \(older)")
        #expect(
            try device.shell("stat -c '%U %G %a' /var/lib/shelfcast").output
                == "shelfcast shelfcast 750\n")
        try device.shell(
            "test -L /etc/systemd/system/multi-user.target.wants/shelfcast-agent.service")
        for file in [
            "man/man1/shelfcast-agent.1.gz", "man/man5/shelfcast-agent.toml.5.gz",
            "bash-completion/completions/shelfcast-agent",
            "zsh/vendor-completions/_shelfcast-agent",
            "fish/vendor_completions.d/shelfcast-agent.fish",
        ] {
            #expect(device.exists("/usr/share/" + file), "\(file)")
        }
        // It keeps something now: 4, it has not joined.
        try device.shell("shelfcast-agent status", expecting: 4)
        try device.shell("test -s /var/lib/shelfcast/agent.sqlite")
        let owners = try device.shell("find /var/lib/shelfcast -printf '%u\\n' | sort -u").output
        #expect(owners == "shelfcast\n")
        // The folder is open to the group, what lies in it is not.
        let modes = try device.shell("find /var/lib/shelfcast -type f -printf '%m\\n' | sort -u")
        #expect(modes.output == "600\n")
        try device.shell("echo 'contact = \"visit\"' >>/etc/shelfcast/agent.toml")
        let kept = "sha256sum /var/lib/shelfcast/agent.sqlite /etc/shelfcast/agent.toml"
        let before = try device.shell(kept).output
        func installed() throws -> String {
            try device.shell("dpkg-query -W -f '${db:Status-Abbrev}${Version}' shelfcast-agent")
                .output
        }

        // Upgrade, and twice the same.
        try device.shell("dpkg -i /tmp/own.deb && dpkg -i /tmp/own.deb")
        #expect(try installed() == "ii " + version)
        #expect(try device.shell(kept).output == before)

        // Back: to an agent that cannot read the state, never; to one that can, with what it keeps.
        let refused = try device.shell("dpkg -i \(unable)", expecting: 1)
        #expect(
            refused.errors.contains(
                "shelfcast-agent \(version) cannot read what a newer agent keeps")
                || refused.errors.contains(
                    "cannot read what a newer agent keeps in /var/lib/shelfcast"),
            "\(refused.errors)")
        #expect(try installed() == "ii " + version)
        #expect(try device.shell(kept).output == before)
        #expect(
            try device.shell("shelfcast-agent --version").output.hasPrefix(
                "shelfcast-agent \(version),"))
        try device.shell("dpkg -i \(older)")
        #expect(try installed() == "ii 0.0.2")
        #expect(try device.shell(kept).output == before)

        // Removed, state and configuration are still there, and guarded.
        try device.shell("dpkg --remove shelfcast-agent")
        #expect(!device.exists("/usr/bin/shelfcast-agent"))
        #expect(try device.shell(kept).output == before)
        try device.shell("dpkg -i \(unable)", expecting: 1)
        #expect(try device.shell(kept).output == before)
        try device.shell("dpkg -i /tmp/own.deb")
        #expect(try device.shell(kept).output == before)

        // A trace of nothing.
        try device.shell("dpkg --purge shelfcast-agent")
        let left = try device.shell(
            "find / -xdev \\( -path /tmp -o -path /proc -o -path /dev \\) -prune -o -iname '*shelfcast*' -print"
        )
        #expect(left.output.isEmpty, "\(left.output)")
        #expect(
            try device.shell("cat /etc/passwd /etc/group /etc/shadow /etc/gshadow").output
                == accounts)
        // And a device as new.
        try device.shell("dpkg -i \(unable) && dpkg --purge shelfcast-agent")
    }
}
