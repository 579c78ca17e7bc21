import Foundation
import Glibc

/// Just enough of HTTP/1.1 for a repository on this machine: one GET a connection, no redirects, no chunks. It
/// takes in no byte more than it may and waits no longer than it may, whatever the server does.
enum HTTP {
    static let headBytesMax = 16_384
    /// For a whole answer, however slowly it drips.
    static let secondsMax: Int = 60

    struct Failure: Error, CustomStringConvertible {
        let description: String
        init(_ url: String, _ text: String) { description = url + ": " + text }
    }

    /// - Parameter url: `http://HOST[:PORT]/PATH`, escaped as it is to be asked for.
    /// - Returns: nil when the server says that it does not have it (403, 404).
    static func get(_ url: String, bytesMax: UInt64) throws -> [UInt8]? {
        guard url.hasPrefix("http://"), url.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
            throw Failure(url, "not an http:// address")
        }
        let rest = url.dropFirst(7)
        let authority = rest.prefix { $0 != "/" }
        let parts = authority.split(separator: ":", maxSplits: 1)
        guard let host = parts.first else { throw Failure(url, "no host") }
        let path = rest.dropFirst(authority.count)
        let socket = try connect(url, String(host), parts.count == 2 ? String(parts[1]) : "80")
        defer { close(socket) }
        try send(
            url, socket,
            "GET \(path.isEmpty ? "/" : path) HTTP/1.1\r\nHost: \(authority)\r\nAccept-Encoding: identity\r\n"
                + "Connection: close\r\n\r\n")
        return try answer(url, socket, bytesMax: bytesMax)
    }

    /// A path for `get`: what a URL's path may have in it stays, `%` too, because a target's path is a URL already.
    static func escape(_ path: [UInt8]) -> String {
        let kept = Set("-._~!$&'()*+,;=:@/%".utf8)
        return path.reduce(into: "") { out, byte in
            let scalar = Unicode.Scalar(byte)
            let isPlain =
                byte < 0x80
                && (scalar.properties.isAlphabetic || scalar.properties.numericType != nil)
            out += isPlain || kept.contains(byte) ? String(scalar) : String(format: "%%%02X", byte)
        }
    }

    private static func connect(_ url: String, _ host: String, _ port: String) throws -> Int32 {
        var hints = addrinfo()
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var found: UnsafeMutablePointer<addrinfo>?
        guard getaddrinfo(host, port, &hints, &found) == 0 else {
            throw Failure(url, "unknown host")
        }
        defer { freeaddrinfo(found) }
        var next = found
        while let info = next?.pointee {
            next = info.ai_next
            let descriptor = socket(info.ai_family, info.ai_socktype, info.ai_protocol)
            guard descriptor >= 0 else { continue }
            var patience = timeval(tv_sec: 10, tv_usec: 0)
            let size = socklen_t(MemoryLayout<timeval>.size)
            setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, size)
            setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &patience, size)
            if Glibc.connect(descriptor, info.ai_addr, info.ai_addrlen) == 0 { return descriptor }
            close(descriptor)
        }
        throw Failure(url, "no connection")
    }

    private static func send(_ url: String, _ socket: Int32, _ text: String) throws {
        var bytes = [UInt8](text.utf8)[...]
        while !bytes.isEmpty {
            let sent = bytes.withUnsafeBytes {
                Glibc.send(socket, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            guard sent > 0 else { throw Failure(url, "the connection broke") }
            bytes = bytes.dropFirst(sent)
        }
    }

    private static func answer(_ url: String, _ socket: Int32, bytesMax: UInt64) throws -> [UInt8]?
    {
        let deadline = seconds() + secondsMax
        var received: [UInt8] = []
        /// False at the end of what the server sends.
        func receive(_ countMax: Int) throws -> Bool {
            guard seconds() < deadline else { throw Failure(url, "too slow") }
            var buffer = [UInt8](repeating: 0, count: min(countMax, 65_536))
            let count = recv(socket, &buffer, buffer.count, 0)
            guard count >= 0 else { throw Failure(url, "the connection broke or nothing came") }
            received += buffer.prefix(count)
            return count > 0
        }

        let end: [UInt8] = [13, 10, 13, 10]
        var headBytes: Int?
        while headBytes == nil {
            guard received.count < headBytesMax, try receive(headBytesMax - received.count) else {
                throw Failure(url, "not an answer of HTTP")
            }
            headBytes = received.indices.dropLast(3).first { received[$0...].starts(with: end) }
        }
        let head = received[..<(headBytes ?? 0)]
        received = Array(received.dropFirst(head.count + end.count))
        let lines = String(decoding: head, as: UTF8.self).split(separator: "\r\n")
        let words = lines.first?.split(separator: " ") ?? []
        guard words.count >= 2, words[0].hasPrefix("HTTP/1."), let status = Int(words[1]) else {
            throw Failure(url, "not an answer of HTTP")
        }
        if status == 403 || status == 404 { return nil }
        guard status == 200 else { throw Failure(url, "the server answers \(status)") }
        var length: UInt64?
        for line in lines.dropFirst() {
            let parts = line.split(separator: ":", maxSplits: 1)
            guard parts.count == 2 else { continue }
            switch parts[0].lowercased() {
            case "content-length":
                length = UInt64(parts[1].trimmingCharacters(in: .whitespaces))
                guard length != nil else { throw Failure(url, "not a length") }
            case "transfer-encoding", "content-encoding":
                throw Failure(url, "an encoding that is not read here")
            default: break
            }
        }
        if let length, length > bytesMax {
            throw Failure(url, "\(length) bytes; at most \(bytesMax) are taken")
        }
        // One byte too many is enough to know.
        while UInt64(received.count) < (length ?? .max), UInt64(received.count) <= bytesMax {
            guard try receive(65_536) else { break }
        }
        guard UInt64(received.count) <= bytesMax else {
            throw Failure(url, "more than \(bytesMax) bytes")
        }
        if let length, UInt64(received.count) != length { throw Failure(url, "cut off") }
        return received
    }

    /// Of a clock that nobody sets.
    private static func seconds() -> Int {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return time.tv_sec
    }
}
