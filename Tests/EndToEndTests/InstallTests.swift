import Foundation
import TestSupport
import Testing

/// The printed line, pasted in a fresh Debian, against a real hub on another machine's network.
@Suite(
    "The line that installs a device", .enabled(if: FreshDevice.isAvailable, FreshDevice.missing))
struct InstallTests {
    /// A hub that a device reaches by a cable, with packages of the agent.
    private final class Shop {
        let hub: HubUnderTest
        let device: FreshDevice
        let packages: TemporaryFolder
        /// The hub's.
        let address: String
        private let network: NetworkNamespace
        private var server: ChildProcess?

        init(address: String = "10.77.0.1", deviceAddress: String = "10.77.0.2") throws {
            self.address = address
            hub = try HubUnderTest()
            device = try FreshDevice()
            packages = try TemporaryFolder()
            network = try NetworkNamespace()
            try NetworkNamespace.connect(network, address, device.network, deviceAddress)
        }

        /// What `make packages` made for this machine's own architecture.
        func stock() throws {
            let built = try #require(DebianPackages.folder, DebianPackages.missing)
            let names = DebianPackages.names(try #require(DebianPackages.native), in: built)
            try #require(names.count == 2, "a package and an archive in \(built), not \(names)")
            for name in names {
                try FileManager.default.copyItem(
                    atPath: built + "/" + name, toPath: packages.path + "/" + name)
            }
        }

        func serve() throws {
            let running = try Program(path: Binaries.hub, launcher: network.launcher(ends: false))
                .start([
                    "serve", "--data", hub.data, "--agent-packages", packages.path, "--host",
                    address,
                ])
            let line = try running.line { $0.hasPrefix("installing on ") }
            let errors = try running.errors()
            _ = try #require(line, "the hub did not start: \(errors)")
            server = running
        }

        func stop() {
            server?.terminate()
            server?.wait()
            server = nil
        }

        /// Makes the same package as another version.
        func restock(as version: String) throws {
            try Program(path: "/bin/sh").run([
                "-ec",
                """
                cd '\(packages.path)'
                dpkg-deb --raw-extract shelfcast-agent_*.deb tree
                sed -i 's/^Version: .*/Version: \(version)/' tree/DEBIAN/control
                architecture=$(dpkg --print-architecture)
                rm shelfcast-agent_*
                dpkg-deb --root-owner-group -Znone --build tree shelfcast-agent_\(version)_$architecture.deb
                rm -r tree
                """,
            ])
        }

        /// The line as `token create` prints it.
        func line(uses: Int = 1) throws -> String {
            let printed = try hub.command(
                "token", "create", "--store", "1", "--host", address, "--uses", "\(uses)")
            let line = try #require(
                printed.split(separator: "\n").first { $0.contains("curl ") }, "\(printed)")
            return line.trimmingCharacters(in: .whitespaces)
        }

        /// A stranger at the hub's address, with a key of its own and a script that leaves a mark.
        func impostor() throws -> ChildProcess {
            let folder = packages.path + "/impostor"
            try FileManager.default.createDirectory(
                atPath: folder, withIntermediateDirectories: true)
            try packages.write("impostor/install", "touch /planted\n")
            try Program(path: "/usr/bin/openssl").run([
                "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                "-keyout", folder + "/key.pem", "-out", folder + "/cert.pem", "-subj",
                "/CN=shelfcast-hub",
            ])
            // -HTTP takes the answer's head from the file as well.
            try packages.write(
                "impostor/install",
                "HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\ntouch /planted\n")
            let running = try Program(
                path: "/bin/sh", launcher: network.launcher(ends: false)
            ).start([
                "-c",
                "cd '\(folder)' && exec openssl s_server -accept 8443 -key key.pem -cert cert.pem -HTTP",
            ])
            let line = try running.line { $0.contains("ACCEPT") }
            let errors = try running.errors()
            _ = try #require(line, "the impostor did not start: \(errors)")
            return running
        }
    }

    @Test("installs, joins, registers and forecasts; a second time it changes nothing")
    func installs() throws {
        let shop = try Shop()
        try shop.stock()
        try shop.hub.stock()
        try shop.serve()
        let device = shop.device
        let line = try shop.line()

        let first = try device.shell(line + " --memory-budget 20KiB --label aisle=dairy").output
        #expect(first.contains("shelfcast: installed shelfcast-agent "), "\(first)")
        #expect(first.contains(" of store 1"), "it says what the device registered as: \(first)")
        let listed = try shop.hub.json("device", "list").list
        #expect(listed.count == 1)
        let name = try #require(listed.first)["id"].string
        #expect(first.contains(name))
        let shown = try shop.hub.command("device", "show", name)
        #expect(shown.contains("aisle=dairy") && shown.contains("20480"), "\(shown)")

        // As it says that this system is to run it.
        let advice = try #require(
            first.split(separator: "\n").first { $0.contains("shelfcast-agent run") })
        let command = advice.drop { $0 != "r" }
        let running = try device.start(String(command))
        let connected = try running.line { $0.contains("connected") }
        let errors = try running.errors()
        _ = try #require(connected, "\(errors)")
        try shop.hub.command("push", "f", "--all")
        try Self.wait(for: device, "\"family\":\"f\"")
        let forecasts = try JSON(try device.shell("shelfcast-agent forecast --json").output)
        #expect(try forecasts["forecasts"].list.count == 3)

        // The token is used up, the agent runs, and all is as it should be.
        let before = try device.snapshot()
        let second = try device.shell(line).output
        #expect(second.contains("is installed already"), "\(second)")
        #expect(second.contains("has joined already"), "\(second)")
        #expect(second.contains("nothing was changed"), "\(second)")
        #expect(second.contains(name), "\(second)")
        #expect(try device.snapshot() == before)
        #expect(running.isRunning)

        // An update of the hub brings one of the agent; an older hub does not take it away.
        try shop.restock(as: "99.1")
        let newer = try device.shell(line).output
        #expect(newer.contains("installed shelfcast-agent 99.1"), "\(newer)")
        #expect(newer.contains(name), "it is the device that it was: \(newer)")
        try shop.restock(as: "99.0")
        let older = try device.shell(line).output
        #expect(older.contains("99.1 is installed, which is newer"), "\(older)")
        #expect(older.contains("nothing was changed"), "\(older)")
        #expect(try shop.hub.json("device", "list").list.count == 1)
    }

    /// The agent takes a push within moments; a loaded machine may take longer.
    private static func wait(for device: FreshDevice, _ text: String) throws {
        var status = ""
        for _ in 0..<300 {
            status = try device.shell("shelfcast-agent status --json").output
            if status.contains(text) { return }
            usleep(200_000)
        }
        Issue.record("the status never said \(text): \(status)")
    }

    @Test("runs nothing of a man in the middle, and nothing but what the hub signed for")
    func hostile() throws {
        let shop = try Shop()
        try shop.serve()
        let device = shop.device
        let line = try shop.line()
        let untouched = try device.snapshot()
        #expect(untouched.contains("/etc/passwd root 644 "))

        // A hub without a package for this device.
        let none = try device.shell(line, expecting: 1)
        #expect(none.errors.contains("has no package of the agent for "), "\(none.errors)")
        #expect(try device.snapshot() == untouched)

        // A key that is not the hub's.
        try shop.stock()
        shop.stop()
        var impostor: ChildProcess? = try shop.impostor()
        let unpinned = try device.shell("curl -fsSk https://\(shop.address):8443/install")
        #expect(unpinned.output.contains("touch /planted"), "the trap is set")
        let caught = try device.shell(line, expecting: nil)
        #expect(caught.errors.contains("pinned"), "\(caught.errors)")
        #expect(!device.exists("/planted"))
        #expect(try device.snapshot() == untouched)
        impostor?.kill()
        impostor?.wait()

        // The same between the script and the package.
        try shop.serve()
        let curl = line.components(separatedBy: " | ")[0]
        let token = line.components(separatedBy: " -- ")[1]
        try device.shell("\(curl) >/tmp/script")
        shop.stop()
        impostor = try shop.impostor()
        let late = try device.shell("sh /tmp/script \(token)", expecting: 1)
        #expect(late.errors.contains("pinned"), "\(late.errors)")
        #expect(late.errors.contains("nothing was changed"), "\(late.errors)")
        impostor?.kill()
        impostor?.wait()

        // A package that is not what the script names.
        for name in try FileManager.default.contentsOfDirectory(atPath: shop.packages.path)
        where name.hasSuffix(".deb") {
            var bytes = try Data(contentsOf: URL(filePath: shop.packages.path + "/" + name))
            bytes[bytes.count / 2] ^= 1
            try bytes.write(to: URL(filePath: shop.packages.path + "/" + name))
        }
        try shop.serve()
        let spoiled = try device.shell("sh /tmp/script \(token)", expecting: 1)
        #expect(spoiled.errors.contains("SHA-256"), "\(spoiled.errors)")
        #expect(try device.snapshot() == untouched)
        #expect(try shop.hub.json("device", "list").list.isEmpty)

        // And by somebody who may not.
        let user = try device.shell(
            "\(curl) | setpriv --reuid 65534 --clear-groups sh -s -- \(token)", expecting: 1)
        #expect(user.errors.contains("needs root"), "\(user.errors)")
    }

    @Test(
        "without dpkg it unpacks the same files; with systemd it starts the service; IPv6 alone will do"
    )
    func otherSystems() throws {
        let shop = try Shop(address: "fd77::1", deviceAddress: "fd77::2")
        try shop.stock()
        try shop.serve()
        let device = shop.device
        // Only that it is there, and what is asked of it.
        try device.shell(
            """
            mkdir -p /run/systemd/system
            printf '#!/bin/sh\\necho "$*" >>/tmp/systemctl\\n' >/usr/bin/systemctl
            chmod 755 /usr/bin/systemctl
            mkdir /tmp/away
            mv /usr/bin/dpkg /usr/bin/dpkg-query /tmp/away
            """)
        let line = try shop.line()
        let first = try device.shell(line).output
        #expect(first.contains("shelfcast: installed shelfcast-agent "), "\(first)")
        #expect(first.contains("the service shelfcast-agent runs"), "\(first)")
        let asked = try device.shell("cat /tmp/systemctl").output
        #expect(
            asked.contains("daemon-reload\n")
                && asked.contains("enable --quiet shelfcast-agent.service\n")
                && asked.contains("restart shelfcast-agent.service\n"), "\(asked)")
        let owner = try device.shell("stat -c '%U %a' /var/lib/shelfcast").output
        #expect(owner == "shelfcast 750\n")
        #expect(device.exists("/usr/lib/systemd/system/shelfcast-agent.service"))
        #expect(try shop.hub.json("device", "list").list.count == 1)

        try device.shell("echo '# mine' >>/etc/shelfcast/agent.toml; rm /tmp/systemctl")
        let second = try device.shell(line).output
        #expect(second.contains("nothing was changed"), "\(second)")
        let askedAgain = try device.shell("cat /tmp/systemctl").output
        #expect(askedAgain == "is-active --quiet shelfcast-agent.service\n")

        // What was removed by hand comes back, and what the operator wrote stays.
        try device.shell("rm /usr/bin/shelfcast-agent")
        let third = try device.shell(line).output
        #expect(third.contains("installed shelfcast-agent"), "\(third)")
        #expect(try device.shell("cat /etc/shelfcast/agent.toml").output.contains("# mine"))
        #expect(try shop.hub.json("device", "list").list.count == 1)
    }
}
