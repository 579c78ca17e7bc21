import Crypto
import Forecasting
import Foundation
import HubCore
import HubStore
import HubSync
import NIOSSL
import SyncProtocol
import Testing
import X509

@Suite("Joining a real hub over TLS", .timeLimit(.minutes(1)))
struct HubServerJoinTests {
    @Test("A device joins, comes back with its certificate and registers")
    func join() async throws {
        let hub = try TestHub()
        try await hub.serving { port in
            let device = try await hub.joinedDevice(port: port, store: "7", labels: ["shelf=cold"])
            #expect(device.reply.store == "7")
            #expect(device.reply.approved)
            #expect(device.reply.timeZone == "UTC")
            #expect(device.reply.caDer == (try hub.identity.authority.rootDER))
            let root = try await hub.operatorStore.newestMetadata(role: "root")
            #expect(device.reply.root == root?.bytes)

            let desired = try await device.registered(port: port) { _, desired in desired }
            #expect(desired.desire == .stayAsYouAre)
            let record = try #require(
                try await hub.operatorStore.device(try DeviceID(device.id)))
            #expect(record.capabilities?.architecture == "x86_64")
            #expect(record.labels == [try DeviceLabel("shelf=cold")])
            #expect(
                record.certificateSHA256
                    == Array(SHA256.hash(data: try #require(device.certificateDER))))
        }
    }

    /// Joins and gives back the refusal.
    private static func refusal(
        secret: [UInt8], csr: [UInt8]? = nil, of device: TestDevice, port: Int
    ) async throws -> Refusal {
        let request = JoinRequest(secret: secret, csrDer: try csr ?? device.signingRequest())
        return try await device.connected(port: port) { connection in
            _ = try await connection.greet()
            try await connection.send(.joinRequest(request))
            return try await connection.refusal()
        }
    }

    @Test("A wrong, expired, withdrawn or used-up token is refused by its own code")
    func tokens() async throws {
        let hub = try TestHub()
        try await hub.serving { port in
            let device = TestDevice(rootDER: try hub.identity.authority.rootDER)
            let wrong = Array(repeating: UInt8(3), count: 16)
            let expired = try await hub.token(expiresInSeconds: -1)
            let usedUp = try await hub.token(uses: 1)
            _ = try await TestDevice.joining(with: usedUp, rootDER: device.rootDER, port: port)
            let withdrawn = try await hub.token()
            let last = try #require(try await hub.operatorStore.tokens().last)
            _ = try await hub.operatorStore.revokeToken(last.id, at: Timestamp(Date()))

            let rows: [([UInt8], RefusalCode)] = [
                (wrong, .tokenUnknown), (expired, .tokenExpired), (usedUp, .tokenUsedUp),
                (withdrawn, .tokenUnknown),
            ]
            for (secret, code) in rows {
                let refusal = try await Self.refusal(secret: secret, of: device, port: port)
                #expect(refusal.code == code)
                #expect(refusal.message.contains("shelfcast-hub token create"))
                #expect(!refusal.retry)
            }
            #expect(try await hub.operatorStore.devices(store: nil).count == 1)
        }
    }

    @Test("A join whose reply was lost is repeated without using the token up")
    func repeatedJoin() async throws {
        let hub = try TestHub()
        try await hub.serving { port in
            let secret = try await hub.token(uses: 1)
            let device = TestDevice(rootDER: try hub.identity.authority.rootDER)
            var ids: Set<String> = []
            for _ in 0..<3 {
                let request = JoinRequest(secret: secret, csrDer: try device.signingRequest())
                let reply = try await device.connected(port: port) { connection in
                    _ = try await connection.greet()
                    try await connection.send(.joinRequest(request))
                    return try await connection.next()
                }
                guard case .joinReply(let reply) = reply else {
                    Issue.record("no JoinReply but \(String(describing: reply))")
                    return
                }
                ids.insert(reply.deviceId)
            }
            #expect(ids.count == 1)
            #expect(try await hub.operatorStore.tokens().map(\.uses) == [1])
        }
    }

    @Test("A damaged or foreign signing request is refused, and uses no token up")
    func signingRequests() async throws {
        let hub = try TestHub()
        try await hub.serving { port in
            let secret = try await hub.token(uses: 1)
            let device = TestDevice(rootDER: try hub.identity.authority.rootDER)
            var flipped = try device.signingRequest()
            flipped[flipped.count - 1] ^= 1
            let rows: [[UInt8]] = [
                [1, 2, 3], flipped,
                try TestDevice.signingRequest(for: .init(P384.Signing.PrivateKey())),
            ]
            for csr in rows {
                let refusal = try await Self.refusal(
                    secret: secret, csr: csr, of: device, port: port)
                #expect(refusal.code == .csrInvalid)
            }
            #expect(try await hub.operatorStore.tokens().map(\.uses) == [0])
        }
    }

    @Test("A certificate from another CA does not get through the handshake")
    func foreignCertificate() async throws {
        let hub = try TestHub()
        let other = try CertificateAuthority.create(now: Date())
        try await hub.serving { port in
            var device = TestDevice(rootDER: try hub.identity.authority.rootDER)
            device.certificateDER = try other.issueDevice(
                deviceID: "d1", signingRequestDER: try device.signingRequest(), now: Date())
            await #expect(throws: (any Error).self) {
                try await device.connected(port: port) { try await $0.greet() }
            }
            // The hub itself is none the worse for it.
            _ = try await hub.joinedDevice(port: port)
        }
    }

    @Test("A certificate that has expired does not get through the handshake")
    func expiredCertificate() async throws {
        let hub = try TestHub()
        try await hub.serving { port in
            var device = try await hub.joinedDevice(port: port)
            device.certificateDER = try hub.identity.authority.issueDevice(
                deviceID: device.id, signingRequestDER: try device.signingRequest(),
                now: Date(timeIntervalSinceNow: -2 * CertificateAuthority.deviceSeconds))
            let expired = device
            await #expect(throws: (any Error).self) {
                try await expired.connected(port: port) { try await $0.greet() }
            }
        }
    }

    @Test("The listener's own certificate does not open the door to a device")
    func serverCertificateAsClient() async throws {
        let hub = try TestHub()
        try await hub.serving { port in
            let issued = try hub.identity.authority.issueServer(now: Date())
            var device = TestDevice(rootDER: try hub.identity.authority.rootDER)
            device.key = try P256.Signing.PrivateKey(derRepresentation: issued.keyDER)
            device.certificateDER = issued.chainDER[0]
            let impostor = device
            await #expect(throws: (any Error).self) {
                try await impostor.connected(port: port) { try await $0.greet() }
            }
        }
    }

    @Test("A certificate of ours whose device the database does not know is refused")
    func unknownDevice() async throws {
        let hub = try TestHub()
        try await hub.serving { port in
            var device = TestDevice(rootDER: try hub.identity.authority.rootDER)
            device.certificateDER = try hub.identity.authority.issueDevice(
                deviceID: "nobody", signingRequestDER: try device.signingRequest(), now: Date())
            let refusal = try await device.connected(port: port) { connection in
                try await connection.send(.hello(Hello(versionMin: 1, versionMax: 1)))
                return try await connection.refusal()
            }
            #expect(refusal.code == .revoked)
            #expect(refusal.message.contains("join again"))
        }
    }

    @Test("A device that waits for approval is turned away until the operator lets it in")
    func approval() async throws {
        let hub = try TestHub()
        try await hub.serving { port in
            let device = try await hub.joinedDevice(port: port, approves: false)
            #expect(!device.reply.approved)
            let refusal = try await device.connected(port: port) { connection in
                _ = try await connection.greet()
                try await connection.send(.register(.test()))
                return try await connection.refusal()
            }
            #expect(refusal.code == .notApproved)
            #expect(refusal.retry)
            #expect(refusal.message.contains("device approve \(device.id)"))
            let id = try DeviceID(device.id)
            // What it said of itself is known, so that the operator sees whom to let in.
            #expect(try await hub.operatorStore.device(id)?.capabilities?.cores == 2)

            _ = try await hub.operatorStore.setStatus(.approved, of: id, at: Timestamp(Date()))
            let desired = try await device.registered(port: port) { _, desired in desired }
            #expect(desired.desire == .stayAsYouAre)
        }
    }

    @Test("A renewed certificate opens the door, with a new key")
    func renewal() async throws {
        let hub = try TestHub()
        try await hub.serving { port in
            let device = try await hub.joinedDevice(port: port)
            var renewed = device
            renewed.key = P256.Signing.PrivateKey()
            let csr = try renewed.signingRequest()
            renewed.certificateDER = try await device.registered(port: port) { connection, _ in
                try await connection.send(.renewRequest(RenewRequest(csrDer: csr)))
                guard case .renewReply(let reply) = try await connection.next() else {
                    throw TestFailure("no RenewReply")
                }
                return reply.certificateDer
            }
            let desired = try await renewed.registered(port: port) { _, desired in desired }
            #expect(desired.desire == .stayAsYouAre)
            // The old one is good until it expires: the reply may have been lost.
            _ = try await device.registered(port: port) { _, desired in desired }
        }
    }

    @Test("Too many joins at once are told when to come back")
    func joinRate() async throws {
        var limits = HubServerLimits()
        limits.joinsBurstMax = 2
        limits.joinsPerSecond = 1
        // A clock that stands still regains nothing.
        let now = Timestamp(Date())
        let clock = HubClock(now: { now }, random: { $0.lowerBound })
        let hub = try TestHub(limits: limits, clock: clock)
        try await hub.serving { port in
            let secret = Array(repeating: UInt8(3), count: 16)
            let device = TestDevice(rootDER: try hub.identity.authority.rootDER)
            var codes: [RefusalCode] = []
            for _ in 0..<3 {
                codes.append(try await Self.refusal(secret: secret, of: device, port: port).code)
            }
            #expect(codes == [.tokenUnknown, .tokenUnknown, .busy])
        }
    }
}
