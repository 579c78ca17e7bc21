import AgentCore
import AgentRuntime
import Foundation
import JSONText
import ModelPackage
import RepositorySamples
import SyncProtocol
import Testing

/// The whole of a device below its sockets, with real keys: what it makes of metadata that comes ahead of a
/// DesiredState.
@Suite("Update metadata on a device")
struct UpdateMetadataTests {
    let folder = TemporaryFolder()
    let hub = TestHub()

    init() { hub.enrol(folder) }

    static let day: Int64 = 86_400_000

    func offer(_ release: UInt64) throws {
        try hub.offer(try TestPackage.model(release: release).encode(), release: release)
    }

    func trusted(_ service: AgentService) -> [String: Int] {
        let metadata = service.reply(to: .status)["metadata"]
        var versions: [String: Int] = [:]
        for role in ["root", "timestamp", "snapshot", "targets"] {
            guard case .number(let digits)? = metadata?[role] else { continue }
            versions[role] = Int(String(decoding: digits, as: UTF8.self))
        }
        return versions
    }

    func problem(_ service: AgentService) -> String? {
        service.reply(to: .status)["metadata"]?["problem"]?.utf8.map {
            String(decoding: $0, as: UTF8.self)
        }
    }

    @Test("is asked for once, and then only what is newer")
    func incremental() throws {
        do {
            let service = try AgentService.start(folder)
            try hub.visit(service)
            // Nothing is wanted: a timestamp is enough.
            #expect(trusted(service) == ["root": 1, "timestamp": 1, "snapshot": 0, "targets": 0])
            try offer(1)
            try hub.visit(service)
            #expect(service.running?.release == 1)
            #expect(trusted(service) == ["root": 1, "timestamp": 2, "snapshot": 2, "targets": 2])
            let bytes = hub.metadataBytes
            try hub.visit(service)
            #expect(hub.metadataBytes == bytes)
            let held = try #require(hub.registers.last?.held)
            #expect(held == HeldMetadata(root: 1, timestamp: 2, snapshot: 2, targets: 2))
        }
        // And a restart forgets nothing.
        let again = try AgentService.start(folder)
        #expect(trusted(again) == ["root": 1, "timestamp": 2, "snapshot": 2, "targets": 2])
    }

    @Test("outlives a damaged database: root as a file, the rest where it can be read")
    func damage() throws {
        do {
            let service = try AgentService.start(folder)
            hub.repository.rotate(.timestamp)
            hub.repository.publish([.timestamp])
            try offer(1)
            try hub.visit(service)
            #expect(trusted(service)["root"] == 2)
        }
        let path = folder.file("agent.sqlite")
        for suffix in ["-wal", "-shm"] {
            try? FileManager.default.removeItem(atPath: path + suffix)
        }
        try Data("nothing of it can be read".utf8).write(to: URL(filePath: path))
        let service = try AgentService.start(folder)
        #expect(service.running == nil)
        #expect(trusted(service) == ["root": 2, "timestamp": 0, "snapshot": 0, "targets": 0])
        try hub.visit(service)
        #expect(service.running?.release == 1)
    }

    @Test("is followed through fifteen rotations of root in a row, and through all keys at once")
    func rotations() throws {
        let service = try AgentService.start(folder)
        try offer(1)
        try hub.visit(service)
        for _ in 0..<15 { hub.repository.rotate(.root) }
        for role in SignedRepository.Role.allCases { hub.repository.rotate(role) }
        hub.repository.publish()
        try offer(2)
        try hub.visit(service)
        #expect(service.running?.release == 2)
        #expect(trusted(service)["root"] == 20)
        #expect(problem(service) == nil)
    }

    @Test(
        "of a stolen timestamp or snapshot key is forgotten with that key: versions begin where the hub's are"
    )
    func fastForward() throws {
        let service = try AgentService.start(folder)
        try offer(1)
        try hub.visit(service)
        var thief = hub.repository
        thief.versions[.timestamp] = 1_000_000
        thief.versions[.snapshot] = 2_000_000
        thief.publish([.snapshot, .timestamp])
        hub.metadata = { _ in [thief.metadata(.timestamp), thief.metadata(.snapshot)] }
        try offer(2)
        // The thief has no key of targets: nothing comes of it but high numbers.
        try hub.visit(service)
        #expect(service.running?.release == 1)
        #expect(trusted(service)["timestamp"] == 1_000_001)
        hub.metadata = nil
        hub.repository.rotate(.timestamp)
        hub.repository.rotate(.snapshot)
        hub.repository.publish([.snapshot, .timestamp])
        try hub.visit(service)
        try hub.visit(service)
        try hub.visit(service)
        #expect(service.running?.release == 2)
        #expect(problem(service) == nil)
    }

    @Test("that expires stops new packages, not the device, and is said everywhere")
    func freeze() throws {
        let start = hub.timeMilliseconds
        hub.repository.expires[.timestamp] = "2027-01-29T08:00:00Z"  // a fortnight
        do {
            let service = try AgentService.start(
                folder, clock: AgentClock(fixedMilliseconds: start))
            try offer(1)
            try hub.visit(service)
            #expect(service.running?.release == 1)
            #expect(hub.registers.first?.held?.wantsTimestamp == true)  // it had none
            #expect(hub.registers.last?.held?.wantsTimestamp == false)
            #expect(!service.registrationChanged)
        }
        do {
            // Half of its life later it wants a newer one, and says so again on a connection that stays.
            let service = try AgentService.start(
                folder, clock: AgentClock(fixedMilliseconds: start + 8 * Self.day))
            hub.timeMilliseconds = start + 8 * Self.day
            try hub.visit(service)
            #expect(hub.registers.last?.held?.wantsTimestamp == true)
        }
        // The hub is frozen: it shows its old word, and even an old time.
        hub.timeMilliseconds = start
        let frozen = hub.repository.metadata(newerThan: HeldMetadata(), needsTargets: true)
        try offer(2)
        hub.metadata = { _ in frozen }
        let late = start + 15 * Self.day
        do {
            let service = try AgentService.start(folder, clock: AgentClock(fixedMilliseconds: late))
            try hub.visit(service)
            try hub.visit(service)
            #expect(service.running?.release == 1)
            #expect(hub.reports.count == 2, "told once")
            let told = try #require(hub.reports.last)
            #expect(told.outcome == .untrusted && told.digest == hub.desired.digest)
            #expect(told.reason.hasPrefix("update metadata expired on 2027-01-29: the hub"))
            #expect(problem(service)?.hasPrefix("update metadata expired on 2027-01-29") == true)
        }
        var doctor = Doctor(directory: folder.path, clock: AgentClock(fixedMilliseconds: late))
        doctor.examine()
        let finding = try #require(doctor.findings.first { $0.name == "metadata" })
        #expect(finding.verdict == .wrong && finding.text.contains("expired on 2027-01-29"))
        let service = try AgentService.start(folder, clock: AgentClock(fixedMilliseconds: late))
        // It goes on forecasting, and once the hub shows something newer, all is well.
        try service.sell(3, of: "1", on: TestPackage.day(1))
        #expect(try service.close(TestPackage.day(1), isClosedAllDay: false).nextForecasts == 3)
        hub.repository.expires[.timestamp] = "2027-02-28T08:00:00Z"
        hub.repository.publish([.timestamp])
        hub.metadata = nil
        try hub.visit(service)
        #expect(service.running?.release == 2)
        #expect(problem(service) == nil)
    }

    @Test("is not expired for ever by a hub that names a time to come")
    func wrongTime() throws {
        let start = hub.timeMilliseconds
        let service = try AgentService.start(
            folder, clock: AgentClock(fixedMilliseconds: start))
        try offer(1)
        hub.timeMilliseconds = start + 20 * 365 * Self.day
        try hub.visit(service)
        #expect(service.running == nil)
        #expect(problem(service)?.contains("expired") == true)
        hub.timeMilliseconds = start
        try hub.visit(service)
        #expect(service.running?.release == 1)
        #expect(problem(service) == nil)
    }

    struct Deceit: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var because: String
        /// Of a hub that has listed releases 1 to 3, of which the device runs the second.
        var frames: @Sendable (SignedRepository) -> [Metadata]
    }

    static let deceits: [Deceit] = [
        Deceit(testDescription: "nothing", because: "lists this package") { _ in [] },
        Deceit(testDescription: "old targets as the newest", because: "version 3 where version 4") {
            [
                $0.metadata(.timestamp), $0.metadata(.snapshot),
                Metadata(role: "targets", version: 4, content: $0.files[.targets]![3]!),
            ]
        },
        Deceit(
            testDescription: "an old snapshot as the newest", because: "version 3 where version 4"
        ) {
            [
                $0.metadata(.timestamp),
                Metadata(role: "snapshot", version: 4, content: $0.files[.snapshot]![3]!),
                $0.metadata(.targets),
            ]
        },
        Deceit(testDescription: "the first timestamp", because: "version 1 after version 3") {
            [$0.metadata(.timestamp, 1), $0.metadata(.snapshot, 1), $0.metadata(.targets, 1)]
        },
        Deceit(testDescription: "a snapshot left out", because: "does not have it") {
            [$0.metadata(.timestamp), $0.metadata(.targets)]
        },
        Deceit(testDescription: "all of it under other keys", because: "0 of the 1 signatures") {
            var own = $0
            for role in [SignedRepository.Role.targets, .snapshot, .timestamp] {
                own.keys[role] = SignedRepository.Key()
            }
            own.publish()
            return [own.metadata(.timestamp), own.metadata(.snapshot), own.metadata(.targets)]
        },
        Deceit(
            testDescription: "targets under another key", because: "targets: 0 of the 1 signatures"
        ) {
            var own = $0
            own.keys[.targets] = SignedRepository.Key()
            own.versions[.targets] = 3
            own.publish([.targets])
            return [own.metadata(.timestamp), own.metadata(.snapshot), own.metadata(.targets)]
        },
        Deceit(testDescription: "a root of its own", because: "root: 0 of the 1 signatures") {
            var own = $0
            own.keys[.root] = SignedRepository.Key()
            own.rotate(.targets)
            own.publish()
            return [
                own.metadata(.root), own.metadata(.timestamp), own.metadata(.snapshot),
                own.metadata(.targets),
            ]
        },
        Deceit(testDescription: "a root two versions on", because: "lists this package") {
            var own = $0
            own.rotate(.root)
            own.rotate(.root)
            return [own.metadata(.root)]
        },
        Deceit(testDescription: "no JSON", because: "timestamp: ") {
            [
                Metadata(
                    role: "timestamp", version: $0.versions[.timestamp]!,
                    content: [UInt8](repeating: 0x5B, count: 4_000))
            ]
        },
        Deceit(testDescription: "the timestamp under another role's name", because: "another role")
        {
            [
                $0.metadata(.timestamp),
                Metadata(role: "snapshot", version: 4, content: $0[.timestamp]),
            ]
        },
    ]

    @Test("that deceives is refused, named, and costs the device nothing", arguments: deceits)
    func deceit(_ deceit: Deceit) throws {
        let service = try AgentService.start(folder)
        try offer(1)
        try hub.visit(service)
        try offer(2)
        try hub.visit(service)
        #expect(service.running?.release == 2)
        try offer(3)
        let frames = deceit.frames(hub.repository)
        hub.metadata = { _ in frames }
        try hub.visit(service)
        #expect(service.running?.release == 2)
        let told = try #require(hub.reports.last)
        #expect(told.outcome == .untrusted)
        #expect(told.reason.contains(deceit.because), "\(told.reason)")
        #expect(told.running?.release == 2)
        #expect(problem(service) == told.reason)
        // Nothing of it is held against the package.
        hub.metadata = nil
        try hub.visit(service)
        #expect(service.running?.release == 3)
        #expect(problem(service) == nil)
    }

    @Test("and the digest that the hub names have to agree")
    func otherDigest() throws {
        let service = try AgentService.start(folder)
        try offer(1)
        hub.desired.digest[0] ^= 1
        try hub.visit(service)
        #expect(service.running == nil)
        #expect(problem(service) == "the hub names another package than its metadata")
        hub.desired.digest[0] ^= 1
        try hub.visit(service)
        #expect(service.running?.release == 1)
    }

    @Test("that nobody asked for is bounded, and gone with its connection")
    func bounds() throws {
        let service = try AgentService.start(folder)
        let small = Metadata(role: "root", version: 9, content: [1])
        for _ in 0..<Limit.metadataFilesCount { try service.perform(.takeMetadata(small)) }
        #expect(throws: AgentError.self) { try service.perform(.takeMetadata(small)) }
        let large = Metadata(
            role: "targets", version: 9, content: [UInt8](repeating: 1, count: 49_152))
        for _ in 0..<5 { try service.perform(.takeMetadata(large)) }
        #expect(throws: AgentError.self) { try service.perform(.takeMetadata(large)) }
        try offer(1)
        try hub.visit(service)
        #expect(service.running?.release == 1)
    }

    @Test("of a device that joined a hub of the first release is asked for by joining again")
    func noRoot() throws {
        try FileManager.default.removeItem(atPath: folder.file(AgentService.rootFile))
        let service = try AgentService.start(folder)
        try offer(1)
        try hub.visit(service)
        #expect(service.running == nil)
        #expect(hub.reports.last?.outcome == .untrusted)
        #expect(problem(service)?.contains("join again") == true)
    }
}
