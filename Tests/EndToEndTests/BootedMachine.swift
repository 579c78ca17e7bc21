import Foundation
import TestSupport
import Testing

/// A Debian that its own systemd has started, as on a server or a device, but with this machine's kernel: in namespaces for
/// processes, files, network, and control groups. It ends when this object does.
final class BootedMachine {
    static let missing: Comment =
        "no Debian to boot: make test makes it by Scripts/fresh-debian where it runs as root and may make namespaces and control groups, or name it in SHELFCAST_FRESH_HUB_DEBIAN"

    /// Whether a Debian comes up here at all; where none does, neither can what is tested in one.
    static let isAvailable: Bool = {
        guard HubPackage.isInstallable else { return false }
        do {
            let folder = try TemporaryFolder()
            _ = try BootedMachine(root: try unpacked(into: folder))
            return true
        } catch {
            FileHandle.standardError.write(Data("no Debian boots here: \(error)\n".utf8))
            return false
        }
    }()

    struct NotBooted: Error, CustomStringConvertible {
        var description: String
    }

    /// A fresh Debian in a folder, with nothing of ours in it.
    /// - Returns: its root.
    static func unpacked(into folder: TemporaryFolder) throws -> String {
        try FreshDevice.unpack(HubPackage.image, into: folder, name: "server")
    }

    /// A filter of /proc/mounts: the hierarchies of control groups that systemd needs, one with cgroup2 alone.
    private static let needed =
        #"$3 == "cgroup2" || $3 == "cgroup" && $4 ~ /(^|,)(memory|pids|devices|cpu|name=systemd)(,|$)/"#

    /// Outside: a control group for it in every hierarchy that systemd needs, the namespaces, and what is left of them when it ends.
    private static let outside = """
        name=shelfcast-boot-$$
        hierarchies=$(awk '\(needed) { print $2 }' /proc/mounts)
        clean() { for place in $hierarchies; do find "$place/$name" -depth -type d -exec rmdir {} + 2>/dev/null; done; }
        for place in $hierarchies; do mkdir "$place/$name"; done
        exec 3<&0
        (
            for place in $hierarchies; do echo 0 >"$place/$name/cgroup.procs"; done
            exec unshare --fork --pid --mount --uts --ipc --cgroup --net --kill-child sh -ec "$2" sh "$1" </dev/null
        ) &
        machine=$!
        # Nobody holds the machine any more: the end of it.
        (cat <&3 >/dev/null; kill -KILL $machine) &
        wait $machine || true
        kill $! 2>/dev/null || true
        clean
        """

    /// Inside: what a kernel has ready for its first process, and that process.
    private static let inside = """
        # What the shell reads there is its number outside.
        read -r number rest </proc/self/stat
        mount --make-rprivate /
        hierarchies=$(awk '\(needed) { print $3, $2, $4 }' /proc/mounts)
        mount --bind "$1" "$1"
        cd "$1"
        mount -t proc proc proc
        mount -t sysfs -o ro sysfs sys
        for place in dev run tmp; do mount -t tmpfs -o mode=755 tmpfs $place; done
        chmod 1777 tmp
        mkdir dev/pts dev/shm
        mount -t devpts -o newinstance,ptmxmode=0666 devpts dev/pts
        for device in null zero full random urandom tty; do : >dev/$device; mount --bind /dev/$device dev/$device; done
        ln -s pts/ptmx dev/ptmx
        ln -s /proc/self/fd dev/fd
        case $hierarchies in
        "cgroup2 /sys/fs/cgroup "*) mount -t cgroup2 cgroup2 sys/fs/cgroup ;;
        *)
            mount -t tmpfs -o mode=755 tmpfs sys/fs/cgroup
            echo "$hierarchies" | while read -r type place options; do
                mkdir -p ".$place"
                controllers=$(echo "$options" | tr , '\\n' | grep -E '^(memory|pids|devices|cpu|cpuacct|name=systemd)$' | paste -sd ,)
                case $controllers in name=*) controllers=none,$controllers ;; esac
                mount -t "$type" ${controllers:+-o "$controllers"} "$type" ".$place"
            done
            ;;
        esac
        ip link set lo up
        mkdir old
        pivot_root . old
        echo ready $number
        exec env -i container=lxc PATH=/usr/sbin:/usr/bin:/sbin:/bin sh -c 'cd /; umount -l /old; rmdir /old; exec /lib/systemd/systemd >/dev/null 2>&1'
        """

    private let holder: ChildProcess
    /// The first process, as this machine numbers it.
    private let number: pid_t

    /// Returns when systemd has started all that it starts by itself.
    init(root: String) throws {
        holder = try ChildProcess(
            "/bin/sh", ["-c", Self.outside, "sh", root, Self.inside], input: .lifeline)
        let line = try holder.line { $0.hasPrefix("ready ") }
        guard let word = line?.dropFirst(6), let first = pid_t(word) else {
            throw NotBooted(description: try holder.errors())
        }
        number = first
        let state = try shell(
            "timeout 100 sh -c 'until systemctl is-system-running --wait; do [ \"$(systemctl is-system-running)\" != degraded ] || exit 1; sleep 0.2; done'",
            expecting: nil)
        guard state.status == 0 else {
            let failed = try shell(
                "systemctl --failed --no-pager; journalctl --no-pager -n 30", expecting: nil)
            throw NotBooted(description: state.output + state.errors + failed.output)
        }
    }

    deinit { cutPower() }

    /// Nothing in it runs any more, and nothing was told so.
    func cutPower() {
        if holder.isRunning { kill(number, SIGKILL) }
        holder.wait(secondsMax: 20)
    }

    /// Runs a line as an operator would paste it.
    @discardableResult
    func shell(_ line: String, expecting status: Int32? = 0) throws -> Program.Outcome {
        try Program(
            path: "/bin/sh",
            launcher: [
                "/usr/bin/nsenter", "-t", "\(number)", "-m", "-u", "-i", "-n", "-p", "-C", "-r",
                "-w",
                "/usr/bin/env", "-i", "HOME=/root", "PATH=/usr/sbin:/usr/bin:/sbin:/bin",
            ]
        ).run(["-c", line], expecting: status)
    }

    /// Asks every fifth of a second until `line` succeeds, a minute at most.
    @discardableResult
    func wait(_ line: String) throws -> Program.Outcome {
        try shell("for i in $(seq 300); do if \(line); then exit; fi; sleep 0.2; done; exit 1")
    }

    /// What systemd says of a unit.
    func property(_ name: String, of unit: String) throws -> String {
        try shell("systemctl show --property \(name) --value \(unit)").output
            .trimmingCharacters(in: .newlines)
    }
}
