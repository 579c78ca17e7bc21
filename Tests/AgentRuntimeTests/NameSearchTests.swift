import AgentRuntime
import CPosix
import Foundation
import Glibc
import Testing

/// A name server on a port of the loopback, on the same thread as whoever asks: what it was asked waits until its turn.
final class StockNames {
    let descriptor: Int32
    let port: UInt16
    /// The addresses (4 or 16 bytes) of a name; nil: there is no such name.
    var names: [String: [[UInt8]]?] = [:]
    private(set) var asked: [String] = []

    /// - Parameter onLink: hears what is asked of 224.0.0.251, on the interface that multicast goes out of.
    init(onLink: Bool = false) throws {
        descriptor = socket(AF_INET, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = onLink ? 0 : UInt32(0x7F00_0001).bigEndian
        if onLink { try #require(Self.listensOnLink(descriptor)) }
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let descriptor = descriptor
        let result = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, length) == 0 ? getsockname(descriptor, $0, &length) : -1
            }
        }
        try #require(result == 0)
        port = UInt16(bigEndian: address.sin_port)
    }

    deinit { close(descriptor) }

    private static func listensOnLink(_ descriptor: Int32) -> Bool {
        var group = ip_mreq(
            imr_multiaddr: in_addr(s_addr: UInt32(0xE000_00FB).bigEndian),
            imr_interface: in_addr(s_addr: 0))
        return setsockopt(
            descriptor, Int32(IPPROTO_IP), IP_ADD_MEMBERSHIP, &group,
            socklen_t(MemoryLayout<ip_mreq>.size)) == 0
    }

    /// Whether multicast leads anywhere from here.
    static let isOnLink: Bool = {
        let descriptor = socket(AF_INET, Int32(SOCK_DGRAM.rawValue), 0)
        defer { close(descriptor) }
        return listensOnLink(descriptor)
    }()

    /// Answers what has been asked so far.
    func turn() {
        while true {
            var buffer = [UInt8](repeating: 0, count: 600)
            var from = sockaddr_in()
            var length = socklen_t(MemoryLayout<sockaddr_in>.size)
            let count = withUnsafeMutablePointer(to: &from) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    recvfrom(descriptor, &buffer, buffer.count, 0, $0, &length)
                }
            }
            guard count > 12 else { return }
            let reply = answer([UInt8](buffer.prefix(count)))
            _ = withUnsafePointer(to: &from) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    sendto(descriptor, reply, reply.count, 0, $0, length)
                }
            }
        }
    }

    private func answer(_ question: [UInt8]) -> [UInt8] {
        var (labels, at): ([String], Int) = ([], 12)
        while question[at] != 0 {
            let end = at + Int(question[at])
            labels.append(String(decoding: question[at + 1...end], as: UTF8.self))
            at = end + 1
        }
        let name = labels.joined(separator: ".")
        let type = question[at + 2]
        asked.append("\(name) \(type)")
        var reply = question
        (reply[2], reply[3]) = (0x81, 0x80)
        guard let list = names[name] ?? nil else {
            reply[3] |= 3
            return reply
        }
        for address in list where address.count == (type == 1 ? 4 : 16) {
            reply[7] += 1
            reply += [0xC0, 12, 0, type, 0, 1, 0, 0, 0, 9, 0, UInt8(address.count)] + address
        }
        return reply
    }
}

/// Takes connections on a port of the loopback, and never says a word.
final class DeafHub {
    let descriptor: Int32
    let port: UInt16

    init() throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let descriptor = descriptor
        let result = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, length) == 0 && listen(descriptor, 8) == 0
                    ? getsockname(descriptor, $0, &length) : -1
            }
        }
        try #require(result == 0)
        port = UInt16(bigEndian: address.sin_port)
    }

    deinit { close(descriptor) }
}

@Suite("The hub's name")
struct NameSearchTests {
    let folder = TemporaryFolder()
    let server: StockNames
    let hub: DeafHub

    init() throws {
        #expect(Crypto.setUp())
        (server, hub) = (try StockNames(), try DeafHub())
    }

    func connection(
        to host: String, hosts: String = "", servers: String = "nameserver 127.0.0.1\n",
        port: UInt16? = nil, multicastPort: UInt16 = 1
    ) throws -> SecureConnection {
        var names = NameSources()
        names.hosts = folder.file("hosts")
        names.servers = folder.file("resolv.conf")
        names.port = port ?? server.port
        names.multicastPort = multicastPort
        try hosts.write(toFile: names.hosts, atomically: true, encoding: .utf8)
        try servers.write(toFile: names.servers, atomically: true, encoding: .utf8)
        return SecureConnection(
            host: host, port: hub.port, trust: Trust(anchor: .pinned([])), names: names, now: 0)
    }

    /// Goes on as the poll loop would, the server answering between, until somebody took the connection: "connected", or
    /// why it did not come to that. The clock stands but where nothing is ready.
    func outcome(_ connection: SecureConnection, onLink: StockNames? = nil) -> String {
        var now: Int64 = 0
        for _ in 0..<50 {
            do {
                let progress = try connection.advance(now: now)
                server.turn()
                onLink?.turn()
                var entries = [
                    shelfcast_poll_entry(
                        descriptor: hub.descriptor, wanted: UInt8(SHELFCAST_POLL_READ), ready: 0),
                    shelfcast_poll_entry(
                        descriptor: connection.descriptor,
                        wanted: UInt8(
                            progress == .waitToRead ? SHELFCAST_POLL_READ : SHELFCAST_POLL_WRITE),
                        ready: 0),
                ]
                _ = shelfcast_poll(&entries, entries.count, 100)
                if entries[0].ready != 0 { return "connected" }
                if entries[1].ready == 0 { now = max(now, connection.wakeAt) }
            } catch { return error.text }
        }
        return "nothing in fifty steps"
    }

    @Test("may be an address, and then nobody is asked")
    func literal() throws {
        #expect(outcome(try connection(to: "127.0.0.1")) == "connected")
        #expect(server.asked.isEmpty)
    }

    @Test("is looked for in the list of hosts first, and there alone where it stands")
    func hosts() throws {
        let long = "# " + String(repeating: "x", count: 9_000) + "\n"
        #expect(
            outcome(
                try connection(to: "Hub.Shop", hosts: long + "127.0.0.1 hub hub.shop"))
                == "connected")
        #expect(server.asked.isEmpty)
    }

    @Test("is this machine's where it is localhost, listed or not")
    func localhost() throws {
        #expect(outcome(try connection(to: "localhost")) == "connected")
        #expect(server.asked.isEmpty)
    }

    @Test("is asked of the name server, and the addresses are tried until one answers")
    func lookedUp() throws {
        // Nobody listens at the first two.
        let loopback6 = [UInt8](repeating: 0, count: 15) + [1]
        server.names["hub.example"] = [loopback6, [127, 0, 0, 9], [127, 0, 0, 1]]
        let connection = try connection(to: "hub.example")
        #expect(outcome(connection) == "connected")
        #expect(server.asked == ["hub.example 28", "hub.example 1"])
        #expect(connection.wireBytes > 100, "what a lookup takes counts")
    }

    @Test("is completed by the search list")
    func search() throws {
        server.names["hub.shop.example"] = [[127, 0, 0, 1]]
        #expect(
            outcome(
                try connection(
                    to: "hub", servers: "search shop.example\nnameserver 127.0.0.1\n"))
                == "connected")
    }

    @Test(
        "is asked of whoever is on the link where it ends in .local",
        .enabled(if: StockNames.isOnLink, "multicast leads nowhere from this machine"))
    func onLink() throws {
        let neighbour = try StockNames(onLink: true)
        neighbour.names["hub.local"] = [[127, 0, 0, 1]]
        let connection = try connection(to: "hub.local", multicastPort: neighbour.port)
        #expect(outcome(connection, onLink: neighbour) == "connected")
        #expect(neighbour.asked == ["hub.local 28", "hub.local 1"])
        #expect(server.asked.isEmpty)
    }

    @Test("that nobody knows is reported as such")
    func unknown() throws {
        #expect(
            outcome(try connection(to: "no-such-host.invalid"))
                == "the hub's name no-such-host.invalid cannot be found")
        #expect(
            outcome(try connection(to: "what is this"))
                == "the hub's name what is this cannot be found")
    }

    @Test("of which no server says anything is reported with where to look")
    func noServer() throws {
        let said = "no name server says where hub.example is; look at \(folder.file("resolv.conf"))"
        // Port 1 of the loopback: nobody listens there, and the kernel says so.
        #expect(outcome(try connection(to: "hub.example", port: 1)) == said)
        let deaf = try StockNames()
        #expect(outcome(try connection(to: "hub.example", port: deaf.port)) == said)
        #expect(
            outcome(try connection(to: "hub.example", servers: "nameserver fe80::1%nolink0\n"))
                == said)
    }

    @Test("whose addresses do not answer is reported with what the last said")
    func unreachable() throws {
        server.names["hub.example"] = [[127, 0, 0, 9], [127, 0, 0, 8]]
        #expect(
            outcome(try connection(to: "hub.example"))
                == "the hub at hub.example:\(hub.port) cannot be reached: Connection refused")
    }
}
