import Foundation
import TestSupport

/// A shipped agent that runs, and what the kernel says of it.
final class RunningAgent {
    let process: ChildProcess
    private let socket: LineSocket

    init(_ agent: String, state: String, _ options: [String] = []) throws {
        process = try ChildProcess(agent, ["run", "--state", state] + options)
        let path = state + "/agent.sock"
        var opened: LineSocket?
        for _ in 0..<500 where opened == nil {
            opened = try? LineSocket(path: path)
            if opened == nil { usleep(20_000) }
        }
        guard let opened else {
            throw Program.Failure(
                description: "\(agent) opens no socket: \(try process.errors())")
        }
        socket = opened
    }

    /// Ends it, so that everything it holds is on the disk.
    func stop() {
        process.terminate()
        process.wait(secondsMax: 10)
    }

    /// The answer to one request.
    func ask(_ line: String) throws -> [String: Any] {
        try socket.send(line + "\n")
        let reply = try socket.line()
        guard
            let object = try JSONSerialization.jsonObject(with: Data(reply.utf8)) as? [String: Any],
            object["ok"] as? Bool == true
        else { throw Program.Failure(description: "\(line.prefix(120)): \(reply)") }
        return object
    }

    /// Sends every line before it reads the first answer of `lines.count`.
    func pipeline(_ lines: [String]) throws {
        let batch = 200
        for start in stride(from: 0, to: lines.count, by: batch) {
            let some = lines[start..<min(start + batch, lines.count)]
            try socket.send(some.joined(separator: "\n") + "\n")
            for _ in some where !(try socket.line().contains("\"ok\":true")) {
                throw Program.Failure(description: "a sale was not taken")
            }
        }
    }

    /// Asks until the answer `is` so, a minute at most.
    func wait(
        _ what: String, everyMicroseconds step: UInt32 = 100_000,
        until isSo: ([String: Any]) -> Bool
    ) throws -> [String: Any] {
        for _ in 0..<(60_000_000 / step) {
            let status = try ask("{\"do\":\"status\"}")
            if isSo(status) { return status }
            usleep(step)
        }
        throw Program.Failure(description: "the agent is not \(what) after a minute")
    }

    // MARK: The kernel's figures

    private func lines(of file: String) throws -> [Substring] {
        try String(contentsOfFile: "/proc/\(process.number)/\(file)", encoding: .utf8)
            .split(separator: "\n")
    }

    /// The first number behind `name:`.
    private func number(_ name: String, of file: String) throws -> Double {
        for line in try lines(of: file) where line.hasPrefix(name + ":") {
            let words = line.dropFirst(name.count + 1).split { $0 == " " || $0 == "\t" }
            if let number = words.first.flatMap({ Double($0) }) { return number }
        }
        throw Program.Failure(description: "/proc/PID/\(file) has no \(name)")
    }

    /// In KiB.
    func residentKB() throws -> Double { try number("VmRSS", of: "status") }
    func privateDirtyKB() throws -> Double { try number("Private_Dirty", of: "smaps_rollup") }
    func peakKB() throws -> Double { try number("VmHWM", of: "status") }

    /// The peak counts from here on.
    func forgetPeak() throws {
        try "5".write(
            toFile: "/proc/\(process.number)/clear_refs", atomically: false, encoding: .utf8)
    }

    /// How often it has given the CPU up of itself: once for each time it woke.
    func wakeups() throws -> Double { try number("voluntary_ctxt_switches", of: "status") }
    /// Handed to the storage so far.
    func writtenBytes() throws -> Double { try number("write_bytes", of: "io") }

    func cpuSeconds() throws -> Double {
        let text = try lines(of: "schedstat").first?.split(separator: " ").first
        guard let nanoseconds = text.flatMap({ Double($0) }) else {
            throw Program.Failure(description: "/proc/PID/schedstat says nothing")
        }
        return nanoseconds / 1e9
    }
}

/// A Unix socket that speaks in lines.
final class LineSocket {
    private let descriptor: Int32
    private var buffered: [UInt8] = []
    private var next = 0

    init(path: String) throws {
        descriptor = Glibc.socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let bytes = Array(path.utf8)
        guard bytes.count < MemoryLayout.size(ofValue: address.sun_path) else {
            throw Program.Failure(description: "\(path) is too long for a socket")
        }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
        let result = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        guard result == 0 else {
            close(descriptor)
            throw Program.Failure(description: "cannot connect to \(path)")
        }
        var limit = timeval(tv_sec: 60, tv_usec: 0)
        setsockopt(
            descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    }

    deinit { close(descriptor) }

    func send(_ text: String) throws {
        let bytes = Array(text.utf8)
        var sent = 0
        while sent < bytes.count {
            let count = bytes[sent...].withUnsafeBytes {
                Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { throw Program.Failure(description: "the agent hung up") }
            sent += count
        }
    }

    func line() throws -> String {
        while true {
            if let end = buffered[next...].firstIndex(of: UInt8(ascii: "\n")) {
                defer { next = end + 1 }
                return String(decoding: buffered[next..<end], as: UTF8.self)
            }
            buffered.removeFirst(next)
            next = 0
            var chunk = [UInt8](repeating: 0, count: 65_536)
            let count = recv(descriptor, &chunk, chunk.count, 0)
            guard count > 0 else {
                throw Program.Failure(
                    description: "the agent hung up, or said nothing for a minute")
            }
            buffered += chunk.prefix(count)
        }
    }
}
