import AgentCore
import AgentRuntime
import CPosix
import Foundation
import JSONText
import SyncProtocol
import TestSupport
import Testing

/// Somebody who answers in the hub's place, on the same thread as the agent: each `turn` does what can be done.
private final class Impostor {
    enum Manner: String, CaseIterable {
        case http, noise, endlessRecords, silence, hangsUp
    }

    let port: UInt16
    private let listener: Int32
    private let manner: Manner
    private var peers: [Int32] = []
    private(set) var accepted = 0

    init(_ manner: Manner) throws {
        self.manner = manner
        listener = socket(
            AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue), 0
        )
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var bytes = socklen_t(MemoryLayout<sockaddr_in>.size)
        let descriptor = listener
        let result = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, bytes) | listen(descriptor, 8)
                    | getsockname(descriptor, $0, &bytes)
            }
        }
        try #require(listener >= 0 && result == 0)
        port = UInt16(bigEndian: address.sin_port)
    }

    deinit {
        for peer in peers { close(peer) }
        close(listener)
    }

    func turn() {
        let peer = shelfcast_accept(listener)
        if peer >= 0 {
            accepted += 1
            peers.append(peer)
        }
        var kept: [Int32] = []
        for peer in peers {
            if goOn(with: peer) { kept.append(peer) } else { close(peer) }
        }
        peers = kept
    }

    private func goOn(with peer: Int32) -> Bool {
        var buffer = [UInt8](repeating: 0, count: 4_096)
        let count = recv(peer, &buffer, buffer.count, 0)
        guard count > 0 || (count < 0 && errno == EAGAIN) else { return false }
        switch manner {
        case .silence: return true
        case .hangsUp: return count <= 0
        case .http:
            guard count > 0 else { return true }
            send(
                peer,
                [UInt8](
                    "HTTP/1.1 302 Found\r\nLocation: http://portal.example/login\r\n\r\n".utf8))
            return false
        case .noise: return send(peer, (0..<8_192).map { UInt8(truncatingIfNeeded: $0 &* 89) })
        // Records that TLS 1.3 bids a client to skip.
        case .endlessRecords:
            return send(peer, (0..<1_365).flatMap { _ in [0x14, 3, 3, 0, 1, 1] as [UInt8] })
        }
    }

    @discardableResult
    private func send(_ peer: Int32, _ bytes: [UInt8]) -> Bool {
        Glibc.send(peer, bytes, bytes.count, Int32(MSG_NOSIGNAL)) >= 0 || errno == EAGAIN
    }
}

@Suite("In a bad network", .enabled(if: OpenSSL.path != nil))
struct BadNetworkTests {
    @Test(
        "an agent that somebody answers in the hub's place says so, comes back ever more slowly, and loses nothing",
        arguments: [
            ("http", "what answers does not speak TLS: a captive portal or a proxy"),
            ("noise", "what answers does not speak TLS: a captive portal or a proxy"),
            ("endlessRecords", "does not answer within 10 s"),
            ("silence", "does not answer within 10 s"),
            ("hangsUp", "closed during the TLS handshake"),
        ])
    func impostor(manner: String, says text: String) throws {
        let impostor = try Impostor(try #require(Impostor.Manner(rawValue: manner)))
        let folder = TemporaryFolder()
        let hub = TestHub()
        let openssl = OpenSSL()
        try openssl.makeCA("ca")
        try openssl.makeLeaf("device", by: "ca", dns: "device-1")
        let identity = Identity(
            hubHost: "127.0.0.1", hubPort: impostor.port, deviceID: "device-1", store: "1",
            timeZone: "Europe/Berlin", ca: try openssl.bytes("ca.der"),
            certificate: try openssl.bytes("device.der"),
            key: try openssl.bytes("device-key.der"))
        #expect(identity.save(in: folder.path) == nil)
        let service = try AgentService.start(folder)
        try service.sell(3, of: "1", on: TestPackage.day(1))

        // Twenty minutes of the agent's time, as long as there is something to do.
        let link = HubLink(service, now: 0)
        var now: Int64 = 0
        var idle = 0
        var waits: [Int64] = []
        while now < 1_200_000 {
            let before = (link.stateName, impostor.accepted)
            link.turn(now: now)
            impostor.turn()
            if link.stateName == "disconnected", before.0 != "disconnected" {
                waits.append(link.wakeAt - now)
            }
            idle = before == (link.stateName, impostor.accepted) ? idle + 1 : 0
            // Nothing moves any more: what is waited for is time.
            if link.stateName == "disconnected" || idle > 50 { (now, idle) = (link.wakeAt, 0) }
        }
        #expect(waits.allSatisfy { $0 >= 250 && $0 <= 60_000 })
        #expect(waits.suffix(10).allSatisfy { $0 >= 30_000 })
        #expect((18...60).contains(impostor.accepted), "\(impostor.accepted)")
        #expect(link.lastFailure?.contains(text) == true, "\(link.lastFailure ?? "")")
        let status = String(decoding: service.reply(to: .status).line, as: UTF8.self)
        #expect(status.contains(link.lastFailure ?? "?"))

        try hub.visit(service)
        #expect(hub.sold == ["17001 1": 3])
    }

    /// Whether the machine has IPv6 at all.
    static let hasIPv6: Bool = {
        let descriptor = socket(AF_INET6, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(descriptor) }
        var address = sockaddr_in6()
        address.sin6_family = sa_family_t(AF_INET6)
        address.sin6_addr = in6addr_loopback
        return withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in6>.size)) == 0
            }
        }
    }()

    @Test(
        "an agent joins a hub that has an IPv6 address alone, and its sales arrive",
        .enabled(if: StockPython.path != nil, StockPython.missing),
        .enabled(if: hasIPv6, "this machine has no IPv6"), arguments: StockHub.Form.all,
        ["::1", "[::1]"])
    func onlyIPv6(form: StockHub.Form, address: String) async throws {
        let hub = try await StockHub(form, address: address)
        #expect(try await hub.agent("sale", "1", "4", "--day", "2024-01-05").status == 0)
        let synced = try await hub.agent("sync")
        #expect(synced.status == 0, "\(synced)")
        #expect(try hub.sales() == ["19727 1": 4])
        let status = try await hub.agent("status", "--json")
        #expect(status.output.contains(#""hub":"[::1]:"#), "\(status)")
        hub.stop()
        let alone = try await hub.agent("sync")
        #expect(alone.status == 5)
        #expect(alone.errors.contains("the hub at [::1]:"), "\(alone)")
    }

    @Test(
        "an agent whose connection is cut off at forty places delivers every sale once",
        .enabled(if: StockPython.path != nil, StockPython.missing), arguments: StockHub.Form.all)
    func flapping(form: StockHub.Form) async throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        var random = SeededGenerator(seed: seed)
        let hub = try await StockHub(form)
        var cuts = 0
        for number in 1...40 {
            let sold = try await hub.agent("sale", "1", "\(number)", "--day", "2024-01-05")
            #expect(sold.status == 0, "seed \(seed): \(sold)")
            try hub.behave(wireBytes: Int.random(in: 0...5_000, using: &random))
            let synced = try await hub.agent("sync")
            #expect([0, 1, 3, 5].contains(synced.status), "seed \(seed): \(synced)")
            if synced.status != 0 {
                cuts += 1
                #expect(!synced.errors.isEmpty, "seed \(seed)")
            }
        }
        #expect(cuts > 10)
        try hub.behave()
        let synced = try await hub.agent("sync")
        #expect(synced.status == 0, "seed \(seed): \(synced)")
        #expect(try hub.sales() == ["19727 1": 820], "seed \(seed)")
        let status = try await hub.agent("status", "--json")
        #expect(status.output.contains(#""unsent":0"#), "seed \(seed): \(status)")
    }
}
