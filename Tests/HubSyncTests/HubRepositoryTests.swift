import Crypto
import Forecasting
import Foundation
import GRDB
import HubCore
import HubStore
import HubSync
import Synchronization
import Testing
import UpdateTrust

/// A hub's directory and database without a hub.
private final class RepositoryFolder {
    /// 2026-01-01T00:00:00Z.
    static let start = Timestamp(millisecondsSince1970: 1_767_225_600_000)

    let path = FileManager.default.temporaryDirectory.path + "/repository-\(UUID().uuidString)"
    let store: SQLiteHubStore
    let repository: HubRepository

    init() throws {
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        store = try SQLiteHubStore.create(in: path)
        repository = HubRepository(dataDirectory: path, store: store)
    }

    deinit {
        // What is left behind is a temporary folder.
        try? FileManager.default.removeItem(atPath: path)
    }

    func addPackages(_ count: Int, release: UInt64, family: String = "spring") async throws
        -> [PackageRecord]
    {
        if try await store.family(family) == nil {
            try await store.saveFamily(
                FamilyRecord(
                    name: family, createdAt: Self.start, form: "profile", snapshotDigest: "",
                    seed: 1, asOf: BusinessDay(daysSince1970: 20_000), summary: "{}", trained: []))
        }
        let packages = (0..<count).map { number in
            PackageRecord(
                digest: Array(SHA256.hash(data: Data("\(family) \(release) \(number)".utf8))),
                family: family, variant: "v\(number)", store: nil, release: release,
                packageBytes: 300, arenaBytes: 500, parameterCount: 10, requiredFeatures: [],
                wape: 1, mape: 1, bias: 0, floatWAPE: 1, floatMAPE: 1,
                createdAt: Self.start)
        }
        try await store.savePackages(packages)
        return packages
    }

    func push(_ family: String, release: UInt64) async throws {
        _ = try await store.push(
            RolloutRecord(
                family: family, release: release, selector: .all, createdAt: Self.start), plan: [])
    }

    var keyFiles: [String] {
        get throws {
            try FileManager.default.contentsOfDirectory(atPath: path + "/keys").sorted()
        }
    }

    /// Replaces the keys of these roles, with the root key that lies here.
    func rotate(_ roles: TrustRole..., at now: Timestamp = RepositoryFolder.start) async throws {
        let root = try #require(try await repository.root())
        var draft = root.next(now: now)
        var signers = try repository.keyFiles.keys(of: root, [.root])
        for role in roles {
            let key = try TrustPrivateKey.make()
            try repository.keyFiles.write(key, role)
            if role == .root { signers.add([key]) }
            try draft.replace(
                role == .root ? root[.root].keys[0] : nil, with: key.publicKey, of: role)
        }
        for key in RootDocument.signers(draft, after: root) where signers.has(keyID: key.id) {
            try draft.sign(key.id, signers)
        }
        try await repository.publish(
            root: draft, at: now,
            notes: [AuditNote(action: "rotate-keys", object: "\(roles)", why: "a test")])
    }
}

/// What a device keeps, and its walk over what the hub sends: frames that it cannot ask for twice.
private struct WalkingDevice {
    private var kept: [String: [UInt8]] = [:]

    init(root: MetadataFile) { kept["root"] = root.bytes }

    func version(_ role: String) -> UInt64 {
        guard let bytes = kept[role],
            let object = try? JSONSerialization.jsonObject(with: Data(bytes)) as? [String: Any],
            let signed = object["signed"] as? [String: Any]
        else { return 0 }  // it holds none
        return (signed["version"] as? NSNumber)?.uint64Value ?? 0
    }

    mutating func find(
        _ package: PackageRecord, in store: some HubStore, path: String,
        at now: Timestamp = RepositoryFolder.start
    ) async throws -> TargetFile? {
        let files = try await store.metadata(
            newerThan: HeldVersions(
                root: version("root"), timestamp: version("timestamp"),
                snapshot: version("snapshot"), targets: version("targets")),
            target: package.digest, rootsMax: 8)
        var walk = try UpdateWalk(
            root: kept["root"] ?? [], now: now.millisecondsSince1970 / 1000, limits: .device,
            cryptography: LibraryTrust())
        var step = try walk.next(nil)
        while true {
            switch step {
            case .read(let role): step = try walk.next(kept[role.text])
            case .keep(let role, let bytes):
                kept[role.text] = bytes
                step = try walk.next(nil)
            case .fetch(let request):
                let file = files.first {
                    $0.role == request.role.text
                        && (request.version == nil || $0.version == request.version)
                }
                // Nothing newer was sent: then what it has is the newest.
                step = try walk.next(
                    file?.bytes ?? (request.role == .timestamp ? kept["timestamp"] : nil))
            case .current: step = try walk.find([UInt8](path.utf8))
            case .found(let file): return file
            case .absent: return nil
            }
        }
    }
}

@Suite("The hub's repository")
struct HubRepositoryTests {
    private static let start = RepositoryFolder.start

    @Test("It is made once, with a key a role, readable by their owner only")
    func create() async throws {
        let folder = try RepositoryFolder()
        let files = try await folder.repository.refresh(at: Self.start)
        #expect(files.isEmpty, "made first, and then nothing was due")
        let root = try #require(try await folder.repository.root())
        #expect(root.version == 1 && root.expires > Self.start)
        #expect(
            try folder.keyFiles.map { String($0.prefix { $0 != "-" }) }
                == ["root", "snapshot", "targets", "timestamp"])
        for name in try folder.keyFiles {
            let mode = try FileManager.default.attributesOfItem(
                atPath: folder.path + "/keys/" + name)[.posixPermissions]
            #expect(mode as? Int == 0o600, "\(name)")
        }
        let again = HubRepository(dataDirectory: folder.path, store: folder.store)
        _ = try await again.refresh(at: Self.start)
        #expect(try await again.root() == root)
        #expect(try await folder.store.audit(countMax: 9).map(\.action) == ["create-keys"])
    }

    @Test("The root key goes where it is told to, and never over a file")
    func rootKeyFile() async throws {
        let folder = try RepositoryFolder()
        let path = folder.path + "/stick.pem"
        _ = try await folder.repository.refresh(at: Self.start, rootKeyFile: path)
        let root = try #require(try await folder.repository.root())
        #expect(try TrustPrivateKey(file: path).publicKey == root[.root].keys[0])
        #expect(try folder.keyFiles.allSatisfy { !$0.hasPrefix("root") })
        #expect(throws: HubIdentityError.self) { try TrustPrivateKey.make().write(to: path) }
        #expect(try TrustPrivateKey(file: path).publicKey == root[.root].keys[0])
    }

    @Test("A device finds what is pushed, and what it is told to run is listed before")
    func listing() async throws {
        let folder = try RepositoryFolder()
        let old = try await folder.addPackages(3, release: 1)
        var device = WalkingDevice(root: try await folder.repository.newestRoot(at: Self.start))
        _ = try await folder.repository.refresh(at: Self.start)
        #expect(try await folder.store.targetPath(of: old[0].digest) == nil, "nobody may run it")
        let path = try await folder.repository.target(for: old[0], at: Self.start)
        #expect(path == old[0].targetPath)
        let found = try await device.find(old[0], in: folder.store, path: path)
        #expect(found?.digests.sha256 == old[0].digest)

        let new = try await folder.addPackages(40, release: 2)
        try await folder.push("spring", release: 2)
        _ = try await folder.repository.refresh(at: Self.start)
        for package in new {
            let path = try #require(try await folder.store.targetPath(of: package.digest))
            #expect(try await device.find(package, in: folder.store, path: path) != nil)
        }
        #expect(try await folder.store.targetPath(of: old[0].digest) == nil)
        // Nothing is sent twice.
        let held = HeldVersions(
            root: device.version("root"), timestamp: device.version("timestamp"),
            snapshot: device.version("snapshot"), targets: device.version("targets"))
        let again = try await folder.store.metadata(newerThan: held, target: nil, rootsMax: 8)
        #expect(again == [])
        let bin = try await folder.store.metadata(
            newerThan: held, target: new[0].digest, rootsMax: 8)
        #expect(bin.map { $0.role.prefix(4) } == ["bin-"])
    }

    @Test("A device follows a rotation of each key, and several missed ones")
    func rotations() async throws {
        let folder = try RepositoryFolder()
        let packages = try await folder.addPackages(40, release: 1)
        try await folder.push("spring", release: 1)
        let root = try await folder.repository.newestRoot(at: Self.start)
        var (diligent, late) = (WalkingDevice(root: root), WalkingDevice(root: root))
        _ = try await folder.repository.refresh(at: Self.start)
        let path = packages[0].targetPath
        #expect(try await diligent.find(packages[0], in: folder.store, path: path) != nil)
        for role in TrustRole.allCases {
            let before = try folder.keyFiles
            try await folder.rotate(role)
            #expect(try folder.keyFiles.count == 4)
            #expect(Set(try folder.keyFiles).symmetricDifference(before).count == 2, "\(role)")
            #expect(try await diligent.find(packages[0], in: folder.store, path: path) != nil)
        }
        try await folder.rotate(.targets, .snapshot, .timestamp)
        #expect(
            try await late.find(packages[1], in: folder.store, path: packages[1].targetPath) != nil)
        #expect(late.version("root") == 6)
        #expect(try await folder.store.rootMetadata().map(\.version) == Array(1...6))
        let audit = try await folder.store.audit(countMax: 99).map(\.action)
        #expect(audit.filter { $0 == "rotate-keys" }.count == 5)
    }

    @Test("A root that devices would refuse is not published")
    func refusedRoot() async throws {
        let folder = try RepositoryFolder()
        _ = try await folder.repository.refresh(at: Self.start)
        let root = try #require(try await folder.repository.root())
        let keys = try folder.repository.keyFiles.keys(of: root, [.root])
        func refusal(_ draft: RootDocument) async -> String {
            do {
                try await folder.repository.publish(root: draft, at: Self.start, notes: [])
                return "published"
            } catch { return "\(error)" }
        }
        let unsigned = root.next(now: Self.start)
        #expect(await refusal(unsigned).contains("0 of the 1 signatures"))
        var skipping = unsigned.next(now: Self.start)
        try skipping.sign(root[.root].keys[0].id, keys)
        #expect(await refusal(skipping).contains("it is version 3, and the newest is 1"))
        var expired = root.next(now: Self.start.advanced(bySeconds: -6 * 365 * 86_400))
        try expired.sign(root[.root].keys[0].id, keys)
        #expect(await refusal(expired).contains("expired"))
        var stranger = root.next(now: Self.start)
        let other = try TrustPrivateKey.make()
        try stranger.replace(root[.root].keys[0], with: other.publicKey, of: .root)
        try stranger.sign(other.publicKey.id, MetadataKeys([other]))
        #expect(await refusal(stranger).contains("0 of the 1 signatures"))
        // The hub has no such key: nothing would be signed any more.
        var keyless = root.next(now: Self.start)
        try keyless.replace(nil, with: other.publicKey, of: .timestamp)
        try keyless.sign(root[.root].keys[0].id, keys)
        #expect(await refusal(keyless).contains("0 of the 1 keys that sign timestamp"))
        #expect(try await folder.repository.root() == root)
    }

    @Test("Killed at any write, a hub has the whole of one repository", arguments: 1...9)
    func crash(at write: Int) async throws {
        let folder = try RepositoryFolder()
        let packages = try await folder.addPackages(4, release: 1)
        try await folder.push("spring", release: 1)
        var device = WalkingDevice(root: try await folder.repository.newestRoot(at: Self.start))
        _ = try await folder.repository.refresh(at: Self.start)
        let before = try await folder.store.repositoryContents()
        let more = try await folder.addPackages(3, release: 2)
        try await folder.push("spring", release: 2)
        let connection = try DatabaseQueue(path: SQLiteHubStore.path(in: folder.path))
        try await connection.write { db in
            try db.execute(
                sql: """
                    CREATE TABLE failure (occurrence INTEGER);
                    INSERT INTO failure VALUES (0);
                    CREATE TRIGGER cutFile BEFORE INSERT ON metadata BEGIN
                        UPDATE failure SET occurrence = occurrence + 1;
                        SELECT RAISE(ABORT, 'power cut') WHERE
                            (SELECT occurrence FROM failure) = \(write);
                    END;
                    CREATE TRIGGER cutTarget BEFORE INSERT ON target BEGIN
                        UPDATE failure SET occurrence = occurrence + 1;
                        SELECT RAISE(ABORT, 'power cut') WHERE
                            (SELECT occurrence FROM failure) = \(write);
                    END
                    """)
        }
        await #expect(throws: HubStoreError.self) {
            try await folder.repository.refresh(at: Self.start)
        }
        let after = try await folder.store.repositoryContents()
        #expect(after.files == before.files && after.targets == before.targets)
        #expect(
            try await device.find(packages[0], in: folder.store, path: packages[0].targetPath)
                != nil)
        try await connection.write { db in
            try db.execute(sql: "DROP TRIGGER cutFile; DROP TRIGGER cutTarget; DROP TABLE failure")
        }
        _ = try await folder.repository.refresh(at: Self.start)
        #expect(
            try await device.find(more[0], in: folder.store, path: more[0].targetPath) != nil)
    }

    @Test("A rotation that fails leaves the old keys at work, and can be repeated")
    func crashedRotation() async throws {
        let folder = try RepositoryFolder()
        _ = try await folder.repository.refresh(at: Self.start)
        let connection = try DatabaseQueue(path: SQLiteHubStore.path(in: folder.path))
        try await connection.write { db in
            try db.execute(
                sql: """
                    CREATE TRIGGER cut BEFORE INSERT ON audit BEGIN
                        SELECT RAISE(ABORT, 'power cut');
                    END
                    """)
        }
        await #expect(throws: HubStoreError.self) { try await folder.rotate(.targets) }
        #expect(try await folder.repository.root()?.version == 1)
        // The file of the key that never came to be is used by nobody.
        #expect(try folder.keyFiles.count == 5)
        try await connection.write { try $0.execute(sql: "DROP TRIGGER cut") }
        let later = Self.start.advanced(bySeconds: 2 * 86_400)
        #expect(try await folder.repository.refresh(at: later).map(\.role) == ["timestamp"])
        try await folder.rotate(.targets)
        #expect(try await folder.repository.root()?.version == 2)
    }

    @Test("Processes that write at the same time come one after the other")
    func together() async throws {
        let folder = try RepositoryFolder()
        let packages = try await folder.addPackages(60, release: 1)
        let repositories = try (0..<4).map { _ in
            HubRepository(
                dataDirectory: folder.path, store: try SQLiteHubStore.open(in: folder.path))
        }
        _ = try await folder.repository.refresh(at: Self.start)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for (index, package) in packages.enumerated() {
                let repository = repositories[index % 4]
                group.addTask { _ = try await repository.target(for: package, at: Self.start) }
            }
            try await group.waitForAll()
        }
        var device = WalkingDevice(root: try await folder.repository.newestRoot(at: Self.start))
        for package in packages.prefix(5) {
            #expect(
                try await device.find(package, in: folder.store, path: package.targetPath) != nil)
        }
    }

    @Test("Without its folder of keys the hub says which is missing and what to do")
    func lostKeys() async throws {
        let folder = try RepositoryFolder()
        _ = try await folder.repository.refresh(at: Self.start)
        try FileManager.default.removeItem(atPath: folder.path + "/keys")
        let later = Self.start.advanced(bySeconds: 2 * 86_400)
        let error = await #expect(throws: RepositoryError.self) {
            try await folder.repository.refresh(at: later)
        }
        #expect(error?.description.contains("0 of the 1 keys that sign") == true)
        #expect(error?.description.contains("shelfcast-hub keys rotate") == true)
    }

    @Test("A hub that serves makes it, and signs anew by itself before devices would doubt it")
    func renewal() async throws {
        let time = TimeOfDay(Self.start)
        var limits = HubServerLimits()
        limits.metadataPollMilliseconds = 20
        var clock = HubClock.system
        clock.now = { time.now }
        let hub = try TestHub(limits: limits, clock: clock)
        try await hub.serving { _ in
            for day in 1...30 {
                let timestamp = try await hub.timestamp(version: UInt64(day))
                #expect(timestamp.expires >= time.now.advanced(bySeconds: 12 * 86_400))
                time.go(seconds: 86_400 + 60)
            }
        }
    }
}

/// A clock that stands until it is moved.
private final class TimeOfDay: Sendable {
    private let moment: Mutex<Timestamp>

    init(_ moment: Timestamp) { self.moment = Mutex(moment) }

    var now: Timestamp { moment.withLock { $0 } }

    func go(seconds: Int64) { moment.withLock { $0 = $0.advanced(bySeconds: seconds) } }
}

extension TestHub {
    /// Waits until it is published.
    fileprivate func timestamp(version: UInt64) async throws -> MetadataFile {
        for _ in 0..<3_000 {
            if let file = try await operatorStore.newestMetadata(role: "timestamp"),
                file.version == version
            {
                return file
            }
            try await Task.sleep(for: .milliseconds(10))
        }
        throw TestFailure("no timestamp of version \(version)")
    }
}
