import Forecasting
import HubCore
import HubStore
import Testing

@Suite("The repository as a store keeps it")
struct RepositoryContractTests {
    private static func file(_ role: String, _ version: UInt64) -> MetadataFile {
        MetadataFile(
            role: role, version: version, expires: Sample.now,
            bytes: [UInt8]("\(role) \(version)".utf8))
    }

    private static func publish(
        _ store: any HubStore, _ files: [(String, UInt64)], listed: [ListedTarget]? = nil,
        dropped: [String] = []
    ) async throws {
        try await store.publish(
            MetadataPublication(
                files: files.map { file($0.0, $0.1) }, listed: listed, dropped: dropped,
                notes: [AuditNote(action: "sign", object: "all", why: "a test")]),
            at: Sample.now)
    }

    @Test(
        "Each file is the next version of its role, or nothing is changed",
        arguments: StoreUnderTest.allCases)
    func order(kind: StoreUnderTest) async throws {
        try await kind.run { store in
            #expect(try await store.repositoryFacts(besides: nil)?.root == nil)
            #expect(try await store.newestMetadata(role: "root") == nil)
            for first: UInt64 in [0, 2] {
                await #expect(throws: HubStoreError.changedMeanwhile(what: "the repository")) {
                    try await Self.publish(store, [("root", 1), ("timestamp", first)])
                }
            }
            #expect(try await store.rootMetadata() == [])
            #expect(try await store.audit(countMax: 9) == [])
            for version: UInt64 in 1...4 {
                try await Self.publish(store, [("root", version), ("timestamp", version)])
            }
            await #expect(throws: HubStoreError.changedMeanwhile(what: "the repository")) {
                try await Self.publish(store, [("snapshot", 1), ("timestamp", 4)])
            }
            #expect(try await store.newestMetadata(role: "snapshot") == nil)
            #expect(try await store.newestMetadata(role: "timestamp") == Self.file("timestamp", 4))
            #expect(try await store.rootMetadata() == (1...4).map { Self.file("root", $0) })
            #expect(
                try await store.audit(countMax: 9).map(\.action)
                    == Array(repeating: "sign", count: 4))
        }
    }

    @Test(
        "A device gets what is newer, in the order in which it asks, and the bin of its package",
        arguments: StoreUnderTest.allCases)
    func newer(kind: StoreUnderTest) async throws {
        try await kind.run { store in
            try await store.saveFamily(Sample.family("f"))
            let packages = try [UInt8](1...3).map {
                try Sample.package("v\($0)", family: "f", release: 1, seed: $0)
            }
            try await store.savePackages(packages)
            let listed = [
                ListedTarget(digest: packages[0].digest, path: "p/1", role: "bin-0"),
                ListedTarget(digest: packages[1].digest, path: "p/2", role: "targets"),
            ]
            let all: [(String, UInt64)] = [
                ("root", 1), ("targets", 1), ("bin-0", 1), ("bin-1", 1), ("snapshot", 1),
                ("timestamp", 1),
            ]
            try await Self.publish(store, all, listed: listed)
            try await Self.publish(store, [("root", 2), ("bin-0", 2), ("timestamp", 2)])
            try await Self.publish(store, [("root", 3), ("snapshot", 2), ("timestamp", 3)])
            func names(
                _ held: HeldVersions, _ target: [UInt8]?, rootsMax: Int = 8
            ) async throws -> [String] {
                try await store.metadata(newerThan: held, target: target, rootsMax: rootsMax)
                    .map(\.fileName)
            }
            #expect(
                try await names(HeldVersions(), packages[0].digest) == [
                    "1.root.json", "2.root.json", "3.root.json", "timestamp.json",
                    "2.snapshot.json", "1.targets.json", "2.bin-0.json",
                ])
            #expect(try await names(HeldVersions(root: 1), nil, rootsMax: 1).first == "2.root.json")
            let held = HeldVersions(root: 3, timestamp: 2, snapshot: 2, targets: 1)
            #expect(try await names(held, packages[1].digest) == ["timestamp.json"])
            #expect(try await names(held, packages[2].digest) == ["timestamp.json"])
            let ahead = HeldVersions(root: .max, timestamp: .max, snapshot: .max, targets: .max)
            #expect(try await names(ahead, packages[0].digest) == ["2.bin-0.json"])
            #expect(try await store.targetPath(of: packages[0].digest) == "p/1")
            #expect(try await store.targetPath(of: packages[2].digest) == nil)

            try await Self.publish(store, [("timestamp", 4)], listed: [], dropped: ["bin-0"])
            #expect(try await names(ahead, packages[0].digest) == [])
            let contents = try await store.repositoryContents()
            #expect(
                contents.files.map(\.fileName) == [
                    "1.root.json", "2.root.json", "3.root.json", "1.bin-1.json",
                    "2.snapshot.json", "1.targets.json", "timestamp.json",
                ])
            #expect(contents.targets == [])
        }
    }

    @Test(
        "Listed is what a device may be told to run: pushed, assigned, running",
        arguments: StoreUnderTest.allCases)
    func runnable(kind: StoreUnderTest) async throws {
        try await kind.run { store in
            for family in ["f", "g"] { try await store.saveFamily(Sample.family(family)) }
            for release: UInt64 in 1...5 {
                try await store.savePackages([
                    try Sample.package(
                        "v", family: release < 5 ? "f" : "g", release: release,
                        seed: UInt8(release))
                ])
            }
            try await Self.publish(store, [("root", 1), ("timestamp", 1)])
            func releases(_ also: (family: String, release: UInt64)? = nil) async throws -> [UInt64]
            {
                try #require(try await store.repositoryFacts(besides: also)).packages
                    .map(\.release).sorted()
            }
            func push(_ family: String, _ release: UInt64?) async throws -> RolloutRecord {
                try await store.push(
                    RolloutRecord(
                        family: family, release: release, selector: .all, createdAt: Sample.now),
                    plan: []
                ).rollout
            }
            #expect(try await releases() == [])
            #expect(try await releases(("g", 5)) == [5])
            let first = try await push("f", 1)
            #expect(try await releases() == [1])
            let second = try await push("f", 2)
            let third = try await push("f", 3)
            // All three are complete at once: the newest and the one before it.
            #expect(try await releases() == [2, 3])
            #expect(try await releases(("f", 1)) == [1, 2, 3])
            for rollout in [first, second, third] {
                _ = try await store.change(
                    rollout: rollout.id, by: .abort(why: "x"), ifStill: rollout.revision,
                    at: Sample.now)
            }
            #expect(try await releases() == [])
            _ = try await push("g", nil)
            #expect(try await releases() == [5])

            let device = try await Sample.join(store, device: "d")
            let running = RunningPackage(
                digest: [UInt8](repeating: 4, count: 32), release: 4, arenaBytes: 500)
            _ = try await store.registerDevice(
                device, capabilities: DeviceCapabilities(), labels: [], running: running,
                at: Sample.now)
            #expect(try await releases() == [4, 5])
            let fourth = try await push("f", 1)
            _ = try await store.assign(
                AssignmentRecord(
                    device: device, rollout: fourth.id,
                    digest: [UInt8](repeating: 1, count: 32), reason: "fits",
                    decidedAt: Sample.now),
                ifStill: fourth, wave: 0)
            _ = try await store.change(
                rollout: fourth.id, by: .abort(why: "x"), ifStill: fourth.revision, at: Sample.now)
            #expect(try await releases() == [1, 4, 5])
            _ = try await store.setStatus(.revoked, of: device, at: Sample.now)
            #expect(try await releases().contains(4) == false)
        }
    }
}
