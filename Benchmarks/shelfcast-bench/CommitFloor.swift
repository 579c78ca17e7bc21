import Foundation
import TestSupport

/// The least that a sale can cost which is on the disk before it is answered: a process that reads a line from a Unix
/// socket, writes two sectors past the page cache (`O_DIRECT`, `O_DSYNC`), answers, and waits for the next. No database,
/// no TLS, no forecast. What an agent takes beyond it is its own; the rest is this kernel's and this disk's.
final class CommitFloor {
    /// The word that makes this program the answering one: `commit-floor SOCKET FILE`.
    static let verb = "commit-floor"
    private static let sector = 512
    /// As long as an agent's log becomes before it starts over.
    private static let fileSectors = 3_800
    private static let requestBytesMax = 4_096
    /// `O_DIRECT` of Linux's fcntl.h, which is not the same number everywhere and not in Swift's Glibc.
    #if arch(x86_64) || arch(i386)
        private static let direct: Int32 = 0o40_000
    #else
        private static let direct: Int32 = 0o200_000
    #endif

    private let process: ChildProcess
    private let client: LineSocket
    private let file: String

    /// Starts the answering process; nil where the disk takes no such writes.
    init?(in folder: String) throws {
        let socket = folder + "/floor.sock"
        file = folder + "/floor.log"
        for path in [socket, file] { unlink(path) }
        process = try ChildProcess(CommandLine.arguments[0], [Self.verb, socket, file])
        guard let word = try process.line(where: { !$0.isEmpty }) else {
            throw Program.Failure(description: "\(Self.verb): \(try process.errors())")
        }
        guard word == "ready" else {
            process.wait(secondsMax: 10)
            unlink(file)
            return nil
        }
        client = try LineSocket(path: socket)
    }

    func stop() {
        process.terminate()
        process.wait(secondsMax: 10)
        unlink(file)
    }

    /// - Parameter lines: requests, each sent when the one before is answered.
    /// - Returns: CPU of the answering process, in seconds.
    func cpuSeconds(answering lines: some Sequence<String>) throws -> Double {
        let before = try Self.seconds(of: process.number)
        for line in lines {
            try client.send(line + "\n")
            _ = try client.line()
        }
        return try Self.seconds(of: process.number) - before
    }

    private static func seconds(of process: pid_t) throws -> Double {
        let text = try String(contentsOfFile: "/proc/\(process)/schedstat", encoding: .utf8)
        guard let nanoseconds = text.split(separator: " ").first.flatMap({ Double($0) }) else {
            throw Program.Failure(description: "/proc/PID/schedstat says nothing")
        }
        return nanoseconds / 1e9
    }

    /// The answering process: prints `ready`, or `no` where the file system refuses such writes, serves one client until it
    /// hangs up, and ends.
    static func answer(socket path: String, file: String) -> Never {
        let listener = Glibc.socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8.prefix(107)) }
        let isBound = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(listener, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        guard isBound == 0, listen(listener, 1) == 0 else { fail("cannot listen on \(path)") }
        // The room is on the disk before the first write, so that none changes the file's metadata.
        let zeros = [UInt8](repeating: 0, count: fileSectors * sector)
        let plain = open(file, O_WRONLY | O_CREAT | O_EXCL, 0o600)
        guard plain >= 0, write(plain, zeros, zeros.count) == zeros.count, fsync(plain) == 0 else {
            fail("cannot write \(file)")
        }
        close(plain)
        let log = open(file, O_WRONLY | direct | O_DSYNC)
        let sectors = UnsafeMutableRawPointer.allocate(byteCount: 2 * sector, alignment: 4_096)
        sectors.initializeMemory(as: UInt8.self, repeating: 0x5a, count: 2 * sector)
        guard log >= 0, pwrite(log, sectors, 2 * sector, 0) == 2 * sector else {
            say("no")
            exit(0)
        }
        say("ready")
        let client = accept(listener, nil, nil)
        var request = [UInt8](repeating: 0, count: requestBytesMax)
        let reply = Array(#"{"ok":true,"recorded":1,"repeated":0}"#.utf8) + [UInt8(ascii: "\n")]
        var place = 0
        while true {
            var waiting = pollfd(fd: client, events: Int16(POLLIN), revents: 0)
            poll(&waiting, 1, -1)
            guard read(client, &request, request.count) > 0 else { exit(0) }
            guard pwrite(log, sectors, 2 * sector, off_t(place * sector)) == 2 * sector else {
                fail("cannot write \(file)")
            }
            place = (place + 1) % (fileSectors - 1)
            guard send(client, reply, reply.count, Int32(MSG_NOSIGNAL)) == reply.count else {
                exit(0)
            }
        }
    }

    private static func say(_ word: String) {
        FileHandle.standardOutput.write(Data((word + "\n").utf8))
    }

    private static func fail(_ why: String) -> Never {
        FileHandle.standardError.write(Data("\(verb): \(why)\n".utf8))
        exit(1)
    }
}
