import Forecasting
import Foundation
import HubCore
import HubStore
import HubSync
import ModelPackage
import SyncProtocol
import Testing

@Suite("Deltas from the hub", .timeLimit(.minutes(1)))
struct DeltaTests {
    /// The newer of two packages of a family, and the older, which differs from it in a few bytes.
    static func packages(
        _ hub: TestHub, bytes: Int = 5_000
    ) async throws -> (old: PackageRecord, new: PackageRecord, content: [UInt8], base: [UInt8]) {
        let (old, base) = try await hub.addPackage(
            family: "f", variant: "v", contentBytes: bytes)
        var content = base
        content[bytes / 2] ^= 1
        content.insert(9, at: bytes / 3)
        let new = try await hub.addPackage(
            family: "f", variant: "v", release: 2, content: content)
        return (old, new.record, content, base)
    }

    static func running(_ package: PackageRecord) -> Register {
        .test(
            running: SyncProtocol.RunningPackage(
                digest: package.digest, release: package.release))
    }

    @Test("are offered for what a device runs, fetched at any byte, and the same after a restart")
    func offered() async throws {
        let hub = try TestHub()
        let offers = try await hub.serving { port in
            let (old, new, content, base) = try await Self.packages(hub)
            try await hub.push("f")
            let device = try await hub.joinedDevice(port: port)
            let offer = try await device.registered(port: port, Self.running(old)) {
                connection, desired in
                #expect(desired.digest == new.digest)
                let offer = try #require(desired.delta)
                #expect(offer.base == DeltaOffer.base(of: old.digest) && offer.bytes < 40)
                var delta: [UInt8] = []
                while delta.count < Int(offer.bytes) {
                    try await connection.send(
                        .fetch(
                            Fetch(
                                digest: offer.digest, offset: UInt64(delta.count), bytesMax: 7)))
                    guard case .chunk(let chunk)? = try await connection.next() else {
                        throw TestFailure("no Chunk")
                    }
                    #expect(chunk.offset == UInt64(delta.count))
                    #expect(chunk.packageBytes == UInt64(offer.bytes))
                    delta += chunk.content
                }
                #expect(
                    PackageDelta.apply(delta, to: base, targetBytes: content.count) == content)
                // The whole file is there as ever.
                try await connection.send(
                    .fetch(Fetch(digest: new.digest, offset: 100, bytesMax: 5)))
                try await connection.expect(
                    .chunk(
                        Chunk(
                            digest: new.digest, offset: 100, content: Array(content[100..<105]),
                            packageBytes: UInt64(content.count))))
                return offer
            }
            return (offer, device, old)
        }
        try await hub.serving { port in
            let (offer, device, old) = offers
            let again = try await device.registered(port: port, Self.running(old)) { $1.delta }
            #expect(again == offer)
            let rows: [(Register, Fetch, RefusalCode)] = [
                (
                    Self.running(old),
                    Fetch(digest: offer.digest, offset: UInt64(offer.bytes) + 1, bytesMax: 1),
                    .outOfOrder
                ),
                // To a device that runs nothing, none is.
                (.test(), Fetch(digest: offer.digest, offset: 0, bytesMax: 1), .notFound),
            ]
            for (register, fetch, code) in rows {
                let refusal = try await device.registered(port: port, register) {
                    connection, _ in
                    try await connection.send(.fetch(fetch))
                    return try await connection.refusal()
                }
                #expect(refusal.code == code)
            }
        }
    }

    @Test("are not offered where they would save little, or a file is missing or damaged")
    func notOffered() async throws {
        let hub = try TestHub()
        try await hub.serving { port in
            let (old, new, _, base) = try await Self.packages(hub, bytes: 60)
            let device = try await hub.joinedDevice(port: port)
            try await hub.push("f")
            func offer(_ running: PackageRecord) async throws -> DeltaOffer? {
                try await device.registered(port: port, Self.running(running)) { $1.delta }
            }
            // The offer itself counts.
            #expect(PackageDelta.make(from: base, to: base).count < 10)
            #expect(try await offer(old) == nil)
            // It runs what it should.
            #expect(try await offer(new) == nil)
            let other = try await hub.addPackage(family: "g", variant: "v").record
            #expect(try await offer(other) == nil)
            var gone = other
            gone.digest = [UInt8](repeating: 3, count: 32)
            #expect(try await offer(gone) == nil)
        }
    }

    @Test("are kept within bounds, and made again alike")
    func bounds() async throws {
        let hub = try TestHub()
        let (old, new, _, base) = try await Self.packages(hub)
        let files = PackageFiles(dataDirectory: hub.directory)
        let shelf = DeltaShelf(files, pairsMax: 2)
        let first = try #require(await shelf.delta(from: old.digest, to: new.digest))
        let back = try #require(await shelf.delta(from: new.digest, to: old.digest))
        for byte in 0..<5 as Range<UInt8> {
            let (third, _) = try await hub.addPackage(
                family: "f", variant: "v", release: 3, content: base + [byte])
            #expect(await shelf.delta(from: old.digest, to: third.digest) != nil)
            #expect(await shelf.pairs == 2)
        }
        #expect(await shelf.delta(from: old.digest, to: new.digest) == first)
        #expect(await shelf.delta(from: new.digest, to: old.digest) == back)
        let small = DeltaShelf(files, bytesMax: first.content.count)
        _ = await small.delta(from: old.digest, to: new.digest)
        _ = await small.delta(from: new.digest, to: old.digest)
        #expect(await small.pairs == 1)
        // A file that is not what its name says gives none.
        try Data([1, 2, 3]).write(
            to: URL(
                fileURLWithPath: hub.directory + "/packages/" + PackageFiles.name(of: old.digest)))
        #expect(
            await DeltaShelf(files).delta(from: old.digest, to: new.digest) == nil)
    }

    @Test(
        "What a device waits for is seen on the hub, and what may go over its link reaches it at once"
    )
    func waiting() async throws {
        let hub = try TestHub()
        try await hub.serving { port in
            let package = try await hub.addPackage(family: "f", variant: "v").record
            let rollout = try await hub.push("f")
            let device = try await hub.joinedDevice(port: port)
            let id = try DeviceID(device.id)
            try await device.registered(port: port, .test(contact: .stay)) { connection, desired in
                #expect(desired.meteredBytesMax == 0)
                try await connection.send(
                    .packageReport(
                        PackageReport(
                            digest: package.digest, outcome: .fetching, reason: "it takes 9")))
                try await connection.expect(.noted)
                let noted = try #require(try await hub.operatorStore.assignment(of: id))
                #expect(noted.outcome == nil && noted.outcomeReason == "it takes 9")
                let member = try await hub.operatorStore.members(rollout: rollout.id)[0]
                #expect(member.state == .assigned && member.reason == "it takes 9")
                let said = try await hub.operatorStore.events(of: id, countMax: 1)
                #expect(said.map(\.kind) == ["fetching"])

                let now = try await hub.operatorStore.rollouts()[0]
                _ = try await hub.operatorStore.change(
                    rollout: rollout.id, by: .allowMetered(bytes: 9, why: "go"),
                    ifStill: now.revision, at: Timestamp(Date()))
                guard case .desiredState(let pushed)? = try await connection.next() else {
                    throw TestFailure("no DesiredState was pushed")
                }
                #expect(pushed.meteredBytesMax == 9 && pushed.digest == package.digest)
                let line = try await hub.operatorStore.audit(countMax: 1)[0]
                #expect(line.action == "allow-metered" && line.why == "9 bytes: go")
            }
        }
    }
}
