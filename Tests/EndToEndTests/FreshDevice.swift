import Foundation
import TestSupport
import Testing

/// A place of its own on the network, with processes of its own, which lives as long as this object.
final class NetworkNamespace: Sendable {
    private let holder: ChildProcess
    let processID: String

    /// - Parameter setUp: shell commands, run inside first; `$1`… are `arguments`.
    init(setUp: String = "", _ arguments: [String] = []) throws {
        // It ends when the test does, however that ends, and with it every process in it.
        holder = try ChildProcess(
            "/usr/bin/unshare",
            [
                "--net", "--mount", "--uts", "--pid", "--fork", "--kill-child", "/bin/sh", "-ec",
                // What the shell reads there is its number outside.
                "mount --make-rprivate /; ip link set lo up; \(setUp)\n"
                    + "read -r number rest </proc/self/stat; echo ready $number; exec cat", "sh",
            ] + arguments, input: .lifeline)
        let line = try holder.line { $0.hasPrefix("ready ") }
        let errors = try holder.errors()
        processID = String(try #require(line, "no network namespace: \(errors)").dropFirst(6))
    }

    /// In front of a program and its arguments.
    /// - Parameter ends: the program, and all that it starts, ends with this object; but a signal does not
    ///   reach it, because nsenter stays in front of it.
    func launcher(ends: Bool) -> [String] {
        ["/usr/bin/nsenter", "-t", processID, "-n", "-m", "-u"] + (ends ? ["-p", "--"] : ["--"])
    }

    /// Joins the two by a cable.
    static func connect(
        _ left: NetworkNamespace, _ leftAddress: String, _ right: NetworkNamespace,
        _ rightAddress: String
    ) throws {
        // Seen from outside: that is where the other's number means something.
        try Program(path: "/usr/bin/nsenter").run([
            "-t", left.processID, "-n", "/bin/sh", "-ec",
            """
            ip link add cable type veth peer name cable netns \(right.processID)
            \(configure(leftAddress))
            """,
        ])
        try Program(path: "/bin/sh", launcher: right.launcher(ends: false)).run([
            "-ec", configure(rightAddress),
        ])
    }

    private static func configure(_ address: String) -> String {
        // IPv6 would first ask for a second whether somebody else has the address.
        let rest = address.contains(":") ? "/64 dev cable nodad" : "/24 dev cable"
        return "ip link set cable up; ip address add \(address)\(rest)"
    }
}

/// A device as it comes: a fresh Debian in a network namespace of its own, and nothing of ours in it.
final class FreshDevice: Sendable {
    /// What Scripts/fresh-debian makes; `make test` says where it is.
    private static let image = ProcessInfo.processInfo.environment["SHELFCAST_FRESH_DEBIAN"]
    static var isAvailable: Bool {
        geteuid() == 0 && (image.map { FileManager.default.fileExists(atPath: $0) } ?? false)
    }
    static let missing: Comment =
        "no fresh Debian to install in: make test makes it by Scripts/fresh-debian where it runs as root with debootstrap and network namespaces, or name it in SHELFCAST_FRESH_DEBIAN"

    private let folder: TemporaryFolder
    var root: String { folder.path + "/root" }
    let network: NetworkNamespace

    /// Unpacks a Debian that Scripts/fresh-debian made.
    /// - Parameter name: the machine's own.
    /// - Returns: its root, `root` in the folder.
    static func unpack(
        _ image: String?, into folder: TemporaryFolder, name: String
    ) throws -> String {
        let root = folder.path + "/root"
        try FileManager.default.createDirectory(
            atPath: root, withIntermediateDirectories: true)
        try Program(path: "/bin/tar").run([
            "-xf", try #require(image, Self.missing), "-C", root,
        ])
        try folder.write("root/etc/hostname", "\(name)\n")
        try folder.write("root/etc/hosts", "127.0.0.1 localhost \(name)\n")
        return root
    }

    /// - Parameter image: another Debian than the devices'.
    init(_ image: String? = FreshDevice.image) throws {
        folder = try TemporaryFolder()
        let root = try Self.unpack(image, into: folder, name: "till")
        // Seen by whoever is in the namespace only.
        network = try NetworkNamespace(
            setUp: "mount -t proc proc \"$1/proc\"; mount --rbind /dev \"$1/dev\"; hostname till",
            [root])
    }

    /// What runs a program in it.
    private func inside(_ path: String) -> Program {
        Program(
            path: path,
            launcher: network.launcher(ends: true) + [
                "/usr/sbin/chroot", root, "/usr/bin/env", "-i", "HOME=/root",
                "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            ])
    }

    /// Runs a line as an operator would paste it.
    @discardableResult
    func shell(_ line: String, expecting status: Int32? = 0) throws -> Program.Outcome {
        try inside("/bin/sh").run(["-c", line], expecting: status)
    }

    func start(_ line: String) throws -> ChildProcess {
        try inside("/bin/sh").start(["-c", "exec " + line])
    }

    /// A package as another version, in this machine.
    /// - Parameter readable: the newest state that its program reads; nil: as it says itself.
    /// - Returns: where it lies there.
    func repacked(_ package: String, as version: String, readable: Int? = nil) throws -> String {
        let file = "/tmp/\(version).deb"
        try DebianPackage.repack(package, as: version, readable: readable, to: root + file)
        return file
    }

    func exists(_ path: String) -> Bool {
        FileManager.default.fileExists(atPath: root + path)
    }

    /// Every file with owner, mode, length and time of its last change, but for what belongs to no system.
    func snapshot() throws -> String {
        try shell(
            """
            find / -xdev \\( -path /tmp -o -path /proc -o -path /dev -o -path /var/lib/shelfcast \\) -prune \
            -o -type f -printf '%p %u %m %s %C@\\n' | sort
            """
        ).output
    }
}
