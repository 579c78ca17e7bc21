import AgentCore
import AgentRuntime
import JSONText
import ModelPackage
import SyncProtocol
import Testing

@Suite("A package that comes as a delta")
struct DeltaTests {
    let folder = TemporaryFolder()
    let hub = TestHub()
    let base: [UInt8]
    let target: [UInt8]

    init() throws {
        hub.enrol(folder)
        base = try Self.package(release: 1)
        target = try Self.package(release: 2)
    }

    /// Of some 400 bytes, of which a third differs from one release to the next.
    static func package(release: UInt64) throws -> [UInt8] {
        try TestPackage.model(
            release: release, units: 4 + Int(release % 2), items: (1...40).map { "\($0 * 97)" },
            level: Float(10 + release)
        ).encode()
    }

    /// A device that can be switched off and on.
    final class Device {
        let folder: TemporaryFolder
        var thrift = Thrift()
        private var running: AgentService?

        init(_ folder: TemporaryFolder) { self.folder = folder }

        var service: AgentService {
            get throws {
                if let running { return running }
                let started = try AgentService.start(folder)
                try started.be(thrifty: thrift)
                running = started
                return started
            }
        }

        func restart() { running = nil }

        /// - Parameter most: nil: over a link that is not paid for by the byte.
        func metered(_ most: UInt64?) throws {
            thrift = Thrift()
            if let most { (thrift.isMetered, thrift.meteredBytesMax) = (true, most) }
            try service.be(thrifty: thrift)
        }
    }

    var targetDigest: [UInt8] { Crypto.sha256(target) }

    /// A device that runs `base` and is to run `target`.
    func started() throws -> Device {
        let device = Device(folder)
        try hub.offer(base, release: 1)
        try hub.visit(device.service)
        #expect(try device.service.running?.release == 1)
        try hub.offer(target, release: 2)
        return device
    }

    @Test("takes the delta's bytes, is the package that was signed, and says how it came")
    func delta() throws {
        let device = try started()
        let digest = hub.offerDelta(from: base, to: target)
        let bytes = try #require(hub.packages[digest]).count
        #expect(bytes < target.count)
        let service = try device.service
        try hub.visit(service)
        #expect(service.running?.digest == targetDigest)
        #expect(try service.store.package(in: .second)?.content == target)
        #expect(hub.fetched[digest] == bytes && hub.fetched[targetDigest] == nil)
        #expect(
            hub.reports.last?.reason
                == "proved; fetched \(bytes) bytes of a delta for its \(target.count)")
        // Wanted again: nothing to do.
        try hub.visit(service)
        #expect(hub.fetched[digest] == bytes && hub.reports.count == 2)
    }

    @Test("goes on at every byte where it was cut, on another connection and after a restart")
    func resumed() throws {
        let device = try started()
        let digest = hub.offerDelta(from: base, to: target)
        let bytes = try #require(hub.packages[digest]).count
        // Of each visit: Hello, Register, the context, and one byte.
        hub.chunkBytes = 1
        for byte in 1...bytes {
            hub.answersLeft = 4
            #expect(throws: TestHub.Cut.self) { try hub.visit(device.service) }
            #expect(hub.fetched[digest] == byte)
            device.restart()
        }
        #expect(try device.service.running?.digest == targetDigest)
        #expect(hub.fetched[targetDigest] == nil)
        hub.answersLeft = nil
        try hub.visit(device.service)
        #expect(hub.reports.last?.outcome == .active && hub.fetched[digest] == bytes)
    }

    struct Fault: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var says: String
        var spoil: @Sendable (DeltaTests) throws -> Void
    }

    static let faults = [
        Fault(
            testDescription: "whose base is not here",
            says: "the package it starts from is not here"
        ) { $0.hub.offerDelta(from: [1, 2, 3], to: $0.target, [UInt8](repeating: 7, count: 70)) },
        Fault(
            testDescription: "that gives another package",
            says: "it does not give the package that was signed"
        ) {
            var other = $0.target
            other[other.count / 2] ^= 1
            $0.hub.offerDelta(
                from: $0.base, to: $0.target, PackageDelta.make(from: $0.base, to: other))
        },
        Fault(
            testDescription: "that is none",
            says: "it does not give the package that was signed"
        ) { $0.hub.offerDelta(from: $0.base, to: $0.target, [UInt8](repeating: 0xFF, count: 70)) },
        Fault(
            testDescription: "that was changed on its way",
            says: "its SHA-256 is not the one the hub named"
        ) {
            let digest = $0.hub.offerDelta(from: $0.base, to: $0.target)
            $0.hub.packages[digest]?[4] ^= 1
        },
        Fault(
            testDescription: "of another length than was said", says: "the hub's delta has"
        ) {
            let digest = $0.hub.offerDelta(from: $0.base, to: $0.target)
            $0.hub.packages[digest]?.append(0)
        },
    ]

    @Test(
        "is given up for the whole file where it is of no use, and that is told before a byte of it is fetched",
        arguments: faults)
    func useless(fault: Fault) throws {
        let device = try started()
        try fault.spoil(self)
        let before = hub.reports.count
        let service = try device.service
        try hub.visit(service)
        #expect(service.running?.digest == targetDigest)
        let reports = hub.reports[before...]
        #expect(reports.map(\.outcome) == [.fetching, .active])
        let said = try #require(reports.first)
        #expect(said.reason.hasPrefix("its delta was of no use: " + fault.says), "\(said.reason)")
        #expect(said.reason.hasSuffix("; \(target.count) bytes come whole"))
        #expect(said.digest == targetDigest && said.running?.digest == Crypto.sha256(base))
        // Told, fetched, told.
        #expect(hub.order.suffix(3) == [[], targetDigest, []])
    }

    @Test(
        "that is of no use is not fallen back from over a metered link until that is allowed",
        arguments: faults, ["the hub", "the device", "another link"])
    func metered(fault: Fault, ends: String) throws {
        let device = try started()
        try fault.spoil(self)
        let delta = try #require(hub.desired.delta)
        let spent =
            fault.says.contains("is not here") || fault.says.contains("has") ? 0 : delta.bytes
        try device.metered(UInt64(delta.bytes))
        let before = hub.reports.count
        for _ in 0..<2 {
            try hub.visit(device.service)
            #expect(try device.service.running?.release == 1 && hub.fetched[targetDigest] == nil)
        }
        let takes =
            "it takes \(target.count + Int(spent)) bytes, and over a metered link an update may fetch at most \(delta.bytes)"
        // What became of the delta is told with what is waited for, once.
        #expect(hub.reports[before...].map(\.outcome) == [.fetching])
        let said = try #require(hub.reports.last?.reason)
        #expect(said.hasPrefix("its delta was of no use: " + fault.says), "\(said)")
        #expect(said.hasSuffix(takes), "\(said)")
        let waits = try #require(try device.service.status()["waits"]?.utf8)
        #expect(String(decoding: waits, as: UTF8.self) == said)
        // It is remembered over a restart.
        device.restart()
        try hub.visit(device.service)
        #expect(try device.service.running?.release == 1 && hub.fetched[targetDigest] == nil)
        #expect(hub.reports.count == before + 1)
        #expect(hub.fetched[delta.digest] ?? 0 <= Int(delta.bytes) + 1)
        switch ends {
        case "the hub": hub.desired.meteredBytesMax = UInt64(target.count) + UInt64(spent)
        case "the device": try device.metered(UInt64(target.count) + UInt64(spent))
        default: try device.metered(nil)
        }
        try hub.visit(device.service)
        #expect(try device.service.running?.digest == targetDigest)
        #expect(hub.fetched[targetDigest] == target.count)
        #expect(try device.service.status()["waits"] == .null)
    }

    @Test("goes over a metered link that would not carry the whole file")
    func overMetered() throws {
        let device = try started()
        let bytes = UInt64(PackageDelta.make(from: base, to: target).count)
        try device.metered(bytes)
        let service = try device.service
        try hub.visit(service)
        #expect(service.running?.release == 1 && hub.reports.last?.outcome == .fetching)
        hub.offerDelta(from: base, to: target)
        try hub.visit(service)
        #expect(service.running?.digest == targetDigest && hub.fetched[targetDigest] == nil)
    }

    @Test("counts against what the update may fetch, with all that was fetched in vain")
    func budget() throws {
        let device = try started()
        let digest = hub.offerDelta(from: base, to: target, [UInt8](repeating: 1, count: 40))
        hub.desired.bytesMax = UInt64(target.count) + 39
        let service = try device.service
        try hub.visit(service)
        #expect(service.running?.release == 1)
        #expect(hub.fetched[digest] == 40 && hub.fetched[targetDigest] == nil)
        let said = try #require(hub.reports.last)
        #expect(said.outcome == .fetching)
        #expect(
            said.reason.hasSuffix(
                "it takes \(target.count + 40) bytes, and this update may fetch at most \(target.count + 39)"
            ))
        hub.desired.bytesMax += 1
        try hub.visit(service)
        #expect(service.running?.digest == targetDigest)
    }

    /// Fetches so many bytes of what is wanted, one by one, and loses the connection.
    func fetch(_ count: Int, _ service: AgentService) throws {
        (hub.chunkBytes, hub.answersLeft) = (1, count + 3)
        #expect(throws: TestHub.Cut.self) { try hub.visit(service) }
        (hub.chunkBytes, hub.answersLeft) = (300, nil)
    }

    @Test("is left aside where less than it is missing of the whole file, and taken where more is")
    func underway() throws {
        let device = try started()
        let service = try device.service
        let bytes = PackageDelta.make(from: base, to: target).count
        try fetch(target.count - bytes, service)
        let digest = hub.offerDelta(from: base, to: target)
        try hub.visit(service)
        #expect(hub.fetched[digest] == nil && service.running?.digest == targetDigest)
        #expect(hub.fetched[targetDigest] == target.count)

        let next = try Self.package(release: 3)
        try hub.offer(next, release: 3)
        try fetch(9, service)
        let delta = hub.offerDelta(from: target, to: next)
        try hub.visit(service)
        #expect(service.running?.release == 3)
        #expect(hub.fetched[Crypto.sha256(next)] == 9)
        #expect(hub.fetched[delta] == hub.packages[delta]?.count)
    }

    @Test("that is offered no more, or gives way to another package, leaves nothing behind")
    func withdrawn() throws {
        let device = try started()
        let service = try device.service
        let delta = hub.offerDelta(from: base, to: target)
        try fetch(5, service)
        // No longer offered: the whole file, from its beginning.
        hub.desired.delta = nil
        try fetch(7, service)
        #expect(hub.fetched[targetDigest] == 7 && hub.fetched[delta] == 5)
        // Another delta to another package.
        let next = try Self.package(release: 3)
        try hub.offer(next, release: 3)
        hub.offerDelta(from: base, to: next)
        try fetch(3, service)
        // And back to the first.
        try hub.offer(target, release: 2)
        hub.offerDelta(from: base, to: target)
        try hub.visit(service)
        #expect(service.running?.digest == targetDigest)
        #expect(hub.fetched[delta] == 5 + (hub.packages[delta]?.count ?? 0))
    }
}
