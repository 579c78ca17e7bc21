import AgentCore
import AgentRuntime
import CPosix
import Foundation
import ModelPackage
import RepositorySamples
import SyncProtocol
import Testing

/// What a device keeps beside its database: who it is, whom it believes. Each step of writing such a file fails in its turn:
/// making it, writing, syncing, renaming, syncing the folder.
@Suite("A small file on a disk that fails", .enabled(if: OpenSSL.path != nil))
struct SmallFileTests {
    struct Way: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var error: Int32
    }

    static let ways = [
        Way(testDescription: "full", error: ENOSPC),
        Way(testDescription: "turned read-only", error: EROFS),
        Way(testDescription: "failing", error: EIO),
    ]

    /// Does the same with the first, the second, … step failing, and all behind it, each time in a state of its own, until
    /// none is left to fail.
    /// - Parameter stepsMin: of the files that are written; each is five.
    private func sweep(
        _ way: Way, stepsMin: Int,
        _ prepare: () throws -> (write: () throws -> Void, check: (Bool) throws -> Void)
    ) throws {
        for step in 1...100 {
            let (write, check) = try prepare()
            shelfcast_fail_files(Int64(step), way.error)
            defer { shelfcast_fail_files(0, 0) }
            do {
                try write()
                let failures = shelfcast_file_failures()
                shelfcast_fail_files(0, 0)
                #expect(failures == 0, "step \(step) failed without a word")
                try check(true)
                #expect(step > stepsMin)
                return
            } catch let error as AgentError {
                shelfcast_fail_files(0, 0)
                guard case .failed(let text) = error else { throw error }
                #expect(text.hasPrefix("cannot write /"), "step \(step)")
                #expect(text.hasSuffix(String(cString: strerror(way.error))), "step \(step)")
                try check(false)
                try write()
                try check(true)
            }
        }
        Issue.record("it never comes to an end")
    }

    private func names(_ folder: TemporaryFolder) -> [String] { Files.names(in: folder.path) }

    @Test(
        "leaves a device that joins not joined, or joined as a whole, and joining is repeated",
        arguments: ways)
    func joining(way: Way) throws {
        try sweep(way, stepsMin: 30) {
            let (folder, hub) = (TemporaryFolder(), TestHub())
            hub.enrol(folder, device: "former")
            let service = try AgentService.start(folder)
            let identity = Identity(
                hubHost: "hub.example", hubPort: 7420, deviceID: "new", store: "2", timeZone: "UTC",
                ca: [3], certificate: [4], key: Crypto.makeKey() ?? [])
            let configuration = Configuration(budgetBytes: 4_096, labels: ["aisle=bread"])
            return (
                {
                    try service.adopt(
                        identity, root: hub.repository.root, configuration: configuration)
                },
                { isDone in
                    let kept = Identity(in: folder.path)
                    #expect(kept == nil || kept == identity)
                    if isDone {
                        #expect(kept == identity)
                        #expect(Configuration(in: folder.path) == configuration)
                        #expect(service.identity == identity)
                    }
                    #expect(!names(folder).contains { $0.hasSuffix(".new") })
                }
            )
        }
    }

    @Test(
        "leaves a device the certificate it had, or the new one, and one of them is good",
        arguments: ways)
    func renewal(way: Way) throws {
        let openssl = OpenSSL()
        try openssl.makeCA("ca")
        try openssl.makeLeaf("device", by: "ca")
        let key = try openssl.bytes("device-key.der")
        let new = try openssl.bytes("device.der")
        try sweep(way, stepsMin: 4) {
            let folder = TemporaryFolder()
            TestHub().enrol(folder)
            var identity = try #require(Identity(in: folder.path))
            (identity.key, identity.certificate) = (key, [2])
            try #require(identity.save(in: folder.path) == nil)
            let service = try AgentService.start(folder)
            return (
                { try service.renewed(new) },
                { isDone in
                    let kept = try #require(Identity(in: folder.path))
                    #expect(kept.certificate == new || kept.certificate == [2] && !isDone)
                    #expect(service.identity?.certificate == (isDone ? new : [2]))
                    #expect(!names(folder).contains { $0.hasSuffix(".new") })
                }
            )
        }
    }

    @Test(
        "leaves a device that follows a new root the old one or the new, and the next visit ends it",
        arguments: ways)
    func root(way: Way) throws {
        try sweep(way, stepsMin: 4) {
            let (folder, hub) = (TemporaryFolder(), TestHub())
            hub.enrol(folder)
            let service = try AgentService.start(folder)
            let former = hub.repository.root
            hub.repository.rotate(.timestamp)
            hub.repository.publish()
            return (
                { try hub.visit(service) },
                { isDone in
                    let path = folder.file(AgentService.rootFile)
                    let kept = Files.read(path, bytesMax: 100_000)
                    #expect(kept == hub.repository.root || kept == former && !isDone)
                }
            )
        }
    }

    @Test(
        "that only speeds things up, or guards what the database has too, fails without harm",
        arguments: ways)
    func remembered(way: Way) throws {
        let (folder, hub) = (TemporaryFolder(), TestHub())
        hub.enrol(folder)
        let service = try AgentService.start(folder)
        try hub.offer(try TestPackage.model(release: 1).encode(), release: 1)
        try hub.visit(service)
        try hub.offer(try TestPackage.model(release: 2).encode(), release: 2)
        shelfcast_fail_files(1, way.error)
        defer { shelfcast_fail_files(0, 0) }
        try hub.visit(service)
        #expect(shelfcast_file_failures() > 0)
        #expect(service.running?.release == 2)
    }
}
