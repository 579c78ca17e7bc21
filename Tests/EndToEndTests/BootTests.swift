import Foundation
import TestSupport
import Testing

/// Both packages under the systemd that runs them: the hub as installed, the agent by the printed line.
@Suite(
    "A machine that boots",
    .enabled(
        if: HubPackage.path != nil && DebianPackages.path(DebianPackages.native) != nil,
        HubPackage.missing),
    .enabled(if: BootedMachine.isAvailable, BootedMachine.missing))
struct BootTests {
    /// What the first process's units keep from it: root, new privileges, most system calls.
    private func expectConfined(_ machine: BootedMachine, _ unit: String, user: String) throws {
        let process = try machine.property("MainPID", of: unit)
        let status = try machine.shell("cat /proc/\(process)/status").output
        for line in ["NoNewPrivs:\t1", "CapEff:\t0000000000000000", "Seccomp:\t2"] {
            #expect(status.contains(line), "\(unit): \(status)")
        }
        #expect(
            try machine.shell("stat -c %U /proc/\(process)").output == user + "\n", "\(unit)")
    }

    @Test("runs hub and agent as services that come back after a crash, a hang, and a power cut")
    func services() throws {
        let folder = try TemporaryFolder()
        let root = try BootedMachine.unpacked(into: folder)
        try HubPackage.giveRuntime(to: root)
        let hub = try #require(HubPackage.path)
        let shelf = root + "/usr/share/shelfcast/agent"
        let packages = try #require(DebianPackages.folder)
        try Program(path: "/bin/sh").run([
            "-ec",
            "mkdir -p \"$2\"; cp \"$1\"/*.deb \"$1\"/*.tar.gz \"$2\"; cp \"$3\" \"$4/srv/hub.deb\"; rm -f \"$2\"/shelfcast-hub_*",
            "sh", packages, shelf, hub, root,
        ])

        var machine = try BootedMachine(root: root)
        let answers =
            "curl --fail --silent --insecure --output /dev/null https://127.0.0.1:8443/healthz"
        try machine.shell("dpkg -i /srv/hub.deb")
        try machine.wait(answers)
        try expectConfined(machine, "shelfcast-hub", user: "shelfcast-hub")
        // Whatever was packed can be installed from it.
        let offer = try machine.wait(
            "journalctl --no-pager --unit shelfcast-hub | grep 'agents for'"
        ).output
        for name in try FileManager.default.contentsOfDirectory(atPath: shelf) {
            let architecture = try #require(name.split(separator: "_").last?.prefix { $0 != "." })
            #expect(offer.contains(" \(architecture) "), "\(name): \(offer)")
        }

        // Root's commands are the service's user: a file that root alone may read is none to it.
        let refused = try machine.shell(
            "cd && printf 'date,store,item,sales\\n2026-01-04,1,7,3\\n' >sales.csv && shelfcast-hub sales import sales.csv",
            expecting: 1)
        #expect(refused.errors.contains("goes on as shelfcast-hub"), "\(refused.errors)")
        try machine.shell("cp ~/sales.csv /tmp/ && shelfcast-hub sales import /tmp/sales.csv")

        // The line that an operator pastes.
        let told = try machine.shell("shelfcast-hub token create --store 1 --host 127.0.0.1").output
        let line = try #require(told.split(separator: "\n").first { $0.contains("curl") })
        let installed = try machine.shell(String(line)).output
        #expect(installed.contains("the service shelfcast-agent runs"), "\(installed)")
        let connected =
            "[ \"$(systemctl show --property StatusText --value shelfcast-agent)\" = connected ]"
        try machine.wait(connected)
        try expectConfined(machine, "shelfcast-agent", user: "shelfcast")
        let device = try machine.shell("shelfcast-agent status").output.prefix { $0 != "\n" }
        #expect(
            try machine.shell(
                "shelfcast-agent sale 7 3 --day 2026-01-05 && shelfcast-agent sync"
            )
            .status == 0)

        // A crash of either.
        for (unit, isBack) in [("shelfcast-hub", answers), ("shelfcast-agent", connected)] {
            let before = try machine.property("MainPID", of: unit)
            try machine.shell("kill -KILL \(before)")
            try machine.wait(
                "p=$(systemctl show --property MainPID --value \(unit)); [ $p != 0 ] && [ $p != \(before) ]"
            )
            try machine.wait(isBack)
        }
        // A hang, with less patience than the unit has.
        try machine.shell(
            """
            mkdir -p /run/systemd/system/shelfcast-agent.service.d
            printf '[Service]\\nWatchdogSec=2s\\nRestartSec=0\\n' >/run/systemd/system/shelfcast-agent.service.d/test.conf
            systemctl daemon-reload && systemctl restart shelfcast-agent
            """)
        try machine.wait(connected)
        let hung = try machine.property("MainPID", of: "shelfcast-agent")
        try machine.shell("kill -STOP \(hung)")
        try machine.wait(
            "p=$(systemctl show --property MainPID --value shelfcast-agent); [ $p != 0 ] && [ $p != \(hung) ]"
        )
        #expect(
            try machine.shell("journalctl --no-pager --unit shelfcast-agent").output
                .contains("Watchdog timeout"))

        try machine.shell("systemctl start shelfcast-hub-backup")
        let backups = try machine.shell("ls /var/backups/shelfcast-hub").output
        #expect(backups.split(separator: "\n").count == 1, "\(backups)")
        // What nobody asked for has no place in the journal.
        let journal = try machine.shell("journalctl --no-pager --unit shelfcast-hub --output cat")
            .output
        #expect(!journal.contains("worker thread"), "\(journal)")
        let notices = try machine.shell(
            "journalctl --no-pager --unit shelfcast-hub --output cat --priority notice..notice"
        ).output
        #expect(
            notices.hasPrefix("the root key lies on this machine: move it to a safe place file="),
            "\(notices)")

        // The power fails; both are there again without anybody, the device as the one it was.
        machine.cutPower()
        machine = try BootedMachine(root: root)
        try machine.wait(answers)
        try machine.wait(connected)
        #expect(try machine.shell("shelfcast-agent status").output.prefix { $0 != "\n" } == device)

        for unit in ["shelfcast-agent", "shelfcast-hub"] {
            try machine.shell("systemctl stop \(unit)")
            #expect(try machine.property("Result", of: unit) == "success")
        }
        try machine.shell(
            "DEBIAN_FRONTEND=noninteractive dpkg --purge shelfcast-agent shelfcast-hub")
        #expect(try machine.shell("systemctl --failed --no-legend --no-pager").output.isEmpty)
    }
}
