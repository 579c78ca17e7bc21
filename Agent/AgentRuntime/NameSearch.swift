import AgentCore
import CPosix

/// Where names are looked up.
package struct NameSources: Sendable {
    package var hosts = "/etc/hosts"
    package var servers = "/etc/resolv.conf"
    package var port: UInt16 = 53
    package var multicastPort: UInt16 = 5353

    package init() {}
}

/// One name being looked up, without waiting: an address as it stands, a line of hosts(5), this machine, or what
/// `NameLookup` finds out.
final class NameSearch {
    private let host: String
    private let sources: NameSources
    private var found: [NetworkAddress]?
    private var lookup: NameLookup?
    /// To be polled for reading; negative: there is none.
    private(set) var descriptor: Int32 = -1
    /// Both ways.
    private(set) var wireBytes: UInt64 = 0
    private static let packetsAtOnceMax = 16

    init(_ host: String, _ sources: NameSources, now: Int64) {
        self.host = host
        self.sources = sources
        let text = [UInt8](host.utf8)
        if let address = NetworkAddress(text: text[...]) {
            found = [address]
            return
        }
        let name = text.map(NameMessage.lower)
        let plain = name.last == UInt8(ascii: ".") ? name.dropLast() : name
        var listed: [NetworkAddress] = []
        Files.lines(sources.hosts) { line in
            if let address = NameServers.address(inHosts: line, of: plain) {
                listed.append(address)
            }
            return listed.count == NameMessage.addressesMax
        }
        // RFC 6761, 6.3: no server is asked for it.
        if listed.isEmpty, plain.elementsEqual("localhost".utf8) {
            let zeros = [UInt8](repeating: 0, count: 15)
            listed = [
                NetworkAddress(bytes: [127, 0, 0, 1]), NetworkAddress(bytes: zeros + [1]),
            ]
        }
        guard listed.isEmpty else {
            found = listed
            return
        }
        var servers = NameServers()
        Files.lines(sources.servers) { line in
            servers.take(line: line)
            return false
        }
        lookup = NameLookup(name, servers: servers, now: now)
    }

    deinit { closeSocket() }

    private func closeSocket() {
        if descriptor >= 0 { _ = shelfcast_close(descriptor) }
        descriptor = -1
    }

    /// When `advance` must be called although nothing came, in steady milliseconds.
    var wakeAt: Int64 { lookup?.deadline ?? 0 }

    /// The addresses, in the order they are to be tried in; nil while answers are awaited.
    func advance(now: Int64) throws(ConnectionError) -> [NetworkAddress]? {
        if let found { return found }
        guard lookup != nil else { throw notFound }
        var step = readAnswers(now: now)
        // Every question that cannot be asked is one less.
        while true {
            switch step {
            case .wait: return nil
            case .ask(let question):
                guard !ask(question) else { return nil }
                step =
                    lookup?.couldNotAsk(now: now, random: Crypto.random32()) ?? .failed(.noAnswer)
            case .found(let addresses):
                closeSocket()
                return addresses
            case .failed(.noSuchName): throw notFound
            case .failed(.noAnswer):
                throw ConnectionError(
                    .unreachable,
                    "no name server says where " + host + " is; look at " + sources.servers)
            }
        }
    }

    private var notFound: ConnectionError {
        ConnectionError(.unreachable, "the hub's name " + host + " cannot be found")
    }

    /// What the packets that have come make of it, or the time.
    private func readAnswers(now: Int64) -> NameLookup.Step {
        guard var lookup else { return .failed(.noAnswer) }
        defer { self.lookup = lookup }
        var buffer = [UInt8](repeating: 0, count: NameMessage.packetBytesMax)
        for _ in 0..<Self.packetsAtOnceMax where descriptor >= 0 {
            let count = shelfcast_read(descriptor, &buffer, buffer.count)
            guard count >= 0 else {
                if Int32(count) == shelfcast_error_again() { break }
                // Nobody listens there.
                return lookup.couldNotAsk(now: now, random: Crypto.random32())
            }
            wireBytes += UInt64(count)
            let step = lookup.take(
                [UInt8](buffer.prefix(Int(count))), now: now, random: Crypto.random32())
            if step != .wait { return step }
        }
        return lookup.goOn(now: now, random: Crypto.random32())
    }

    /// Whether the question went.
    private func ask(_ question: NameLookup.Question) -> Bool {
        closeSocket()
        let (server, zone) = (
            question.server.bytes, String(decoding: question.server.zone, as: UTF8.self)
        )
        let port = question.isMulticast ? sources.multicastPort : sources.port
        descriptor = shelfcast_connect_internet(
            server, server.count, zone, port,
            Int32(question.isMulticast ? SHELFCAST_DATAGRAM_FROM_ANYBODY : SHELFCAST_DATAGRAM))
        guard descriptor >= 0 else { return false }
        for packet in question.packets {
            guard
                shelfcast_send_datagram(
                    descriptor, server, server.count, zone, port, packet, packet.count) == 0
            else { return false }
            wireBytes += UInt64(packet.count)
        }
        return true
    }
}
