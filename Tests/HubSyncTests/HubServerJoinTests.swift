import Crypto
import Forecasting
import HubCore
import HubStore
import HubSync
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
            #expect(device.reply.caDer == (try hub.identity.authority.rootDER))
            #expect(device.reply.packageKey == hub.identity.packageSigner.publicKey)

            let desired = try await device.registered(port: port) { _, desired in desired }
            #expect(desired.desire == .stayAsYouAre)
            let record = try #require(
                try await hub.operatorStore.device(try DeviceID(device.id)))
            #expect(record.capabilities?.architecture == "x86_64")
            #expect(record.labels == [try DeviceLabel("shelf=cold")])
            #expect(record.certificateSHA256 == Array(SHA256.hash(data: device.certificateDER!)))
        }
    }
}
