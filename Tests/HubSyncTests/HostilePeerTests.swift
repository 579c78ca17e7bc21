import Forecasting
import HubCore
import HubStore
import HubSync
import SyncProtocol
import Testing

@Suite("A hub among hostile peers", .timeLimit(.minutes(1)))
struct HostilePeerTests {
    /// What a peer may send, and the code it is refused with.
    struct Attack: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var bytes: [UInt8]
        var code: RefusalCode
    }

    static let register = encodeFrame(.register(.test()))
    static let attacks: [Attack] = [
        Attack(testDescription: "an unknown kind", bytes: [0, 0, 0, 0, 99], code: .malformed),
        Attack(
            testDescription: "a length of four gigabytes", bytes: [255, 255, 255, 255, 12],
            code: .tooLarge),
        Attack(
            testDescription: "a kind only the hub sends", bytes: encodeFrame(.noted),
            code: .outOfOrder),
        Attack(
            testDescription: "a payload that is no message",
            bytes: [0, 0, 0, 2, 6, 0x0A, 0x7F], code: .malformed),
        Attack(
            testDescription: "an upload of no records",
            bytes: [0, 0, 0, 2, 12, 0x08, 1], code: .malformed),
        Attack(
            testDescription: "a Fetch before Register",
            bytes: encodeFrame(
                .fetch(Fetch(digest: Array(repeating: 1, count: 32), offset: 0, bytesMax: 1))),
            code: .outOfOrder),
        Attack(
            testDescription: "a second Hello",
            bytes: encodeFrame(.hello(Hello(versionMin: 1, versionMax: 1))), code: .outOfOrder),
        Attack(
            testDescription: "an HTTP request", bytes: Array("GET / HTTP/1.1\r\n\r\n".utf8),
            code: .malformed),
    ]

    @Test("Whatever is wrong is refused by its code, and the next device is served")
    func attacks() async throws {
        let hub = try TestHub()
        try await hub.serving { port in
            let device = try await hub.joinedDevice(port: port)
            for attack in Self.attacks {
                let refusal = try await device.connected(port: port) { connection in
                    _ = try await connection.greet()
                    try await connection.send(bytes: attack.bytes)
                    return try await connection.refusal()
                }
                #expect(refusal.code == attack.code, "\(attack.testDescription)")
            }
            _ = try await device.registered(port: port) { _, desired in desired }
        }
    }

    @Test("Without a certificate no frame above 4,096 bytes is taken, and no request but a join")
    func stranger() async throws {
        let hub = try TestHub()
        try await hub.serving { port in
            let stranger = TestDevice(rootDER: try hub.identity.authority.rootDER)
            let rows: [([UInt8], RefusalCode)] = [
                ([0, 0, 0x10, 1, 6], .tooLarge), (Self.register, .noCertificate),
                (encodeFrame(.goodbye), .noCertificate),
            ]
            for (bytes, code) in rows {
                let refusal = try await stranger.connected(port: port) { connection in
                    _ = try await connection.greet()
                    try await connection.send(bytes: bytes)
                    return try await connection.refusal()
                }
                #expect(refusal.code == code)
            }
        }
    }

    @Test("Where the network cuts the bytes does not matter")
    func dribble() async throws {
        let hub = try TestHub()
        try await hub.serving { port in
            let device = try await hub.joinedDevice(port: port)
            try await device.connected(port: port) { connection in
                for byte in encodeFrame(.hello(Hello(versionMin: 1, versionMax: 1))) {
                    try await connection.send(bytes: [byte])
                }
                guard case .welcome? = try await connection.next() else {
                    throw TestFailure("no Welcome")
                }
                // Two frames in one piece are two frames.
                try await connection.send(bytes: Self.register + encodeFrame(.ping))
                guard case .desiredState? = try await connection.next() else {
                    throw TestFailure("no DesiredState")
                }
                try await connection.expect(.pong)
            }
        }
    }

    @Test("A frame cut off by the end of the stream counts for nothing")
    func truncated() async throws {
        let hub = try TestHub()
        try await hub.serving { port in
            let device = try await hub.joinedDevice(port: port)
            let batch = encodeFrame(
                .upload(
                    Upload(
                        firstSequence: 1,
                        records: [.sale(SaleRecord(day: 19_000, item: "5", units: 2))])))
            for bytes in 1..<batch.count {
                try await device.registered(port: port) { connection, _ in
                    try await connection.send(bytes: Array(batch[..<bytes]))
                }
            }
            try await device.registered(port: port) { _, desired in
                #expect(desired.storedThroughSequence == 0)
            }
        }
    }

    @Test("Who opens a connection and says nothing is shown out")
    func silent() async throws {
        var limits = HubServerLimits()
        // Long enough for a handshake on a machine under load: cut off within it, a peer sees a reset.
        limits.openingMilliseconds = 1000
        let hub = try TestHub(limits: limits)
        try await hub.serving { port in
            let stranger = TestDevice(rootDER: try hub.identity.authority.rootDER)
            try await stranger.connected(port: port) { connection in
                try await connection.expect(nil)
            }
        }
    }

    /// A hub with a joined device, served with `limits` that would be too short for joining on a
    /// machine under load.
    private static func withDevice(
        limits: HubServerLimits, _ body: @escaping @Sendable (TestDevice, Int) async throws -> Void
    ) async throws {
        let hub = try TestHub()
        let device = try await hub.serving { port in try await hub.joinedDevice(port: port) }
        try await hub.serving(limits: limits) { port in try await body(device, port) }
    }

    @Test("Who begins a frame and never ends it is shown out")
    func slowFrame() async throws {
        var limits = HubServerLimits()
        limits.idleMilliseconds = 1000
        try await Self.withDevice(limits: limits) { device, port in
            try await device.registered(port: port, .test(contact: .stay)) { connection, _ in
                try await connection.send(bytes: [0, 0, 1])
                // It is pinged, at most, and then it is over.
                while let message = try await connection.next() { #expect(message == .ping) }
            }
        }
    }

    @Test("A stay that is silent is pinged, as long as it answers")
    func pings() async throws {
        var limits = HubServerLimits()
        limits.pingMilliseconds = 1000
        try await Self.withDevice(limits: limits) { device, port in
            try await device.registered(port: port, .test(contact: .stay)) { connection, _ in
                for _ in 0..<2 {
                    try await connection.expect(.ping)
                    try await connection.send(.pong)
                }
            }
        }
    }

    @Test("A stay that is silent for long is closed, a visit sooner")
    func silence() async throws {
        var limits = HubServerLimits()
        limits.idleMilliseconds = 4000
        limits.pingMilliseconds = 4000
        limits.silenceMilliseconds = 8000
        try await Self.withDevice(limits: limits) { device, port in
            try await device.registered(port: port, .test(contact: .stay)) { connection, _ in
                try await connection.expect(.ping)
                try await connection.expect(nil)
            }
            try await device.registered(port: port) { connection, _ in
                try await connection.expect(nil)
            }
        }
    }

    @Test("Beyond its ceiling of connections the hub takes no more, and takes them again later")
    func connectionsMax() async throws {
        var limits = HubServerLimits()
        limits.connectionsMax = 2
        let hub = try TestHub(limits: limits)
        try await hub.serving { port in
            let device = TestDevice(rootDER: try hub.identity.authority.rootDER)
            try await device.connected(port: port) { first in
                _ = try await first.greet()
                try await device.connected(port: port) { second in
                    _ = try await second.greet()
                    await #expect(throws: (any Error).self) {
                        try await device.connected(port: port) { try await $0.greet() }
                    }
                }
                // The place is free again once the hub has seen the second one go, which its next
                // frames follow.
                var attempts = 0
                while true {
                    attempts += 1
                    do {
                        _ = try await device.connected(port: port) { try await $0.greet() }
                        break
                    } catch  where attempts < 1000 {
                        await Task.yield()
                    }
                }
            }
        }
    }

    @Test("Plain TCP gets nowhere")
    func plainTCP() async throws {
        let hub = try TestHub()
        try await hub.serving { port in
            let answer = try await TestDevice.plain(
                port: port, sending: encodeFrame(.hello(Hello(versionMin: 1, versionMax: 1))))
            // A TLS alert at most: nothing of ours in the clear.
            #expect(answer.count < 16)
            _ = try await hub.joinedDevice(port: port)
        }
    }
}
