import Foundation
import TestSupport
import Testing

/// What `Scripts/package-hub` makes, and where it is installed.
enum HubPackage {
    private static let folder = ProcessInfo.processInfo.environment["SHELFCAST_HUB_PACKAGES"]
    static let image = ProcessInfo.processInfo.environment["SHELFCAST_FRESH_HUB_DEBIAN"]
    static var isInstallable: Bool {
        geteuid() == 0 && (image.map { FileManager.default.fileExists(atPath: $0) } ?? false)
    }
    static let missing: Comment =
        "no package of the hub: set SHELFCAST_HUB_PACKAGES to the folder of Scripts/package-hub, or run `make test`"

    static var path: String? {
        guard let folder,
            let names = try? FileManager.default.contentsOfDirectory(atPath: folder)
        else { return nil }
        return names.first { $0.hasPrefix("shelfcast-hub_") && $0.hasSuffix(".deb") }
            .map { folder + "/" + $0 }
    }

    /// The toolchain's libraries that the program under test is linked with, at their own paths under `root`.
    static func giveRuntime(to root: String) throws {
        let libraries = try Program(path: "/usr/bin/ldd").run([Binaries.hub]).output
            .matches(of: #/=> (\S*/swift/linux/\S+)/#).map { String($0.output.1) }
        for path in libraries {
            try Program(path: "/bin/sh").run([
                "-ec", "mkdir -p \"$2$(dirname \"$1\")\"; cp -L \"$1\" \"$2$1\"", "sh", path, root,
            ])
        }
    }
}

/// The hub's Debian package in a fresh Debian: the hub under test, not optimised, with the Swift runtime of the toolchain that
/// built it put where it looks for it.
@Suite(
    "The hub's Debian package",
    .enabled(if: HubPackage.path != nil, HubPackage.missing))
struct HubPackageTests {
    let package: String

    init() throws { package = try #require(HubPackage.path) }

    @Test("names the Debian packages that its program asks for, and every file is root's")
    func control() throws {
        let depends = try DebianPackages.field("Depends", of: package)
        for name in ["libopenblas0", "libsqlite3-0", "adduser", "tzdata", "libc6"] {
            #expect(depends.contains(name), "\(depends)")
        }
        let files = try Program(path: "/usr/bin/dpkg-deb").run(["--contents", package]).output
        #expect(
            files.split(separator: "\n").allSatisfy { $0.contains(" root/root ") }, "\(files)")
        let version = try Program(path: Binaries.hub).run(["--version"]).output
        #expect(
            version.hasPrefix(
                "shelfcast-hub \(try DebianPackages.field("Version", of: package)), state "))
    }

    @Test("has units that systemd understands, and finds little to say against")
    func units() throws {
        let analyze = "/usr/bin/systemd-analyze"
        guard FileManager.default.isExecutableFile(atPath: analyze) else { return }
        let folder = try TemporaryFolder()
        try Program(path: "/usr/bin/dpkg-deb").run(["--extract", package, folder.path])
        let units = folder.path + "/usr/lib/systemd/system/"
        for name in [
            "shelfcast-hub.service", "shelfcast-hub-backup.service", "shelfcast-hub-backup.timer",
        ] {
            // In tenths of its ten points, of which nothing has none.
            if name.hasSuffix(".service") {
                try Program(path: analyze).run([
                    "security", "--offline=true", "--threshold=15", "--no-pager", units + name,
                ])
            }
            let verified = try Program(path: analyze).run(
                ["verify", "--man=no", units + name], expecting: nil)
            let complaints = verified.errors.split(separator: "\n").filter {
                $0.contains("shelfcast")
                    && !$0.contains("/usr/bin/shelfcast-hub is not executable")
            }
            #expect(complaints.isEmpty, "\(verified.errors)")
        }
    }

    @Test(
        "makes a hub that serves, keeps it and a backup of it over an upgrade, refuses to go back, and leaves backups alone",
        .enabled(if: HubPackage.isInstallable, FreshDevice.missing))
    func life() throws {
        let machine = try FreshDevice(HubPackage.image)
        try HubPackage.giveRuntime(to: machine.root)
        try Program(path: "/bin/cp").run([package, machine.root + "/tmp/own.deb"])
        let newer = try machine.repacked(package, as: "99.0")
        let unable = try machine.repacked(package, as: "0.0.1", readable: 0)

        let told = try machine.shell("dpkg -i /tmp/own.deb")
        #expect(told.output.contains("made a hub in /var/lib/shelfcast-hub"))
        #expect(told.output.contains("off this machine"))
        let owners =
            "find /var/lib/shelfcast-hub /var/backups/shelfcast-hub -printf '%u %y %m\\n' | sort -u"
        #expect(
            try machine.shell(owners).output
                == "shelfcast-hub d 700\nshelfcast-hub f 600\n")
        for unit in [
            "multi-user.target.wants/shelfcast-hub.service",
            "timers.target.wants/shelfcast-hub-backup.timer",
        ] {
            try machine.shell("test -L /etc/systemd/system/\(unit)")
        }

        // As its unit starts it; root's commands find it and leave what they make to its user.
        let serving = try machine.start(
            "runuser -u shelfcast-hub -- /usr/bin/shelfcast-hub serve --data /var/lib/shelfcast-hub"
        )
        let line = try serving.line { $0.contains("listening on") }
        let errors = try serving.errors()
        _ = try #require(line, "\(errors)")
        try machine.shell("cd / && shelfcast-hub token create --store 1 --host till.example")
        try machine.shell("cd / && shelfcast-hub backup --into /var/backups/shelfcast-hub")
        #expect(
            try machine.shell(owners).output
                == "shelfcast-hub d 700\nshelfcast-hub f 600\n")
        #expect(try machine.shell("cd / && shelfcast-hub audit").output.contains("os:root"))
        // A signal to what stands in front of it would not reach it.
        try machine.shell("kill -TERM $(pidof shelfcast-hub)")
        #expect(serving.wait(secondsMax: 20).status == 0)

        let keys = "cd /var/lib/shelfcast-hub && sha256sum ca.pem ca-key.pem keys/*"
        let before = try machine.shell(keys).output
        let tokens = try machine.shell("cd / && shelfcast-hub token list").output
        func installed() throws -> String {
            try machine.shell("dpkg-query -W -f '${db:Status-Abbrev}${Version}' shelfcast-hub")
                .output
        }
        func backups() throws -> [Substring] {
            try machine.shell("ls /var/backups/shelfcast-hub").output.split(separator: "\n")
        }
        let count = try backups().count
        try machine.shell("sleep 1; dpkg -i \(newer)")
        #expect(try installed() == "ii 99.0")
        #expect(try backups().count == count + 1)
        #expect(try machine.shell(keys).output == before)
        #expect(try machine.shell("cd / && shelfcast-hub token list").output == tokens)

        let refused = try machine.shell("dpkg -i \(unable)", expecting: 1)
        #expect(refused.errors.contains("cannot read what a newer hub keeps"), "\(refused.errors)")
        #expect(try installed() == "ii 99.0")

        // An upgrade without room for a backup is none.
        try machine.shell(
            "mv /var/backups/shelfcast-hub /tmp/kept && touch /var/backups/shelfcast-hub")
        let blocked = try machine.shell("dpkg -i /tmp/own.deb", expecting: 1)
        #expect(blocked.errors.contains("was not upgraded"), "\(blocked.errors)")
        #expect(try installed() == "ii 99.0")
        try machine.shell(
            "rm /var/backups/shelfcast-hub && mv /tmp/kept /var/backups/shelfcast-hub")

        // The newest backup makes a hub again, elsewhere.
        let newest = try #require(try backups().last)
        try machine.shell(
            "shelfcast-hub backup restore /var/backups/shelfcast-hub/\(newest) --data /tmp/again"
                + " && shelfcast-hub token list --data /tmp/again")

        try machine.shell("dpkg --remove shelfcast-hub")
        #expect(try machine.shell(keys).output == before)
        let kept = try backups().count
        try machine.shell("dpkg --purge shelfcast-hub")
        #expect(!machine.exists("/var/lib/shelfcast-hub"))
        #expect(!machine.exists("/etc/default/shelfcast-hub"))
        #expect(try backups().count == kept)
        #expect(try machine.shell("getent passwd shelfcast-hub", expecting: 2).output.isEmpty)
    }
}
