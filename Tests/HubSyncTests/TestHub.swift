import Crypto
import Forecasting
import Foundation
import HubCore
import HubStore
import HubSync
import Logging
import ServiceLifecycle
import SyncProtocol
import Synchronization

/// A real hub in a directory of its own, on a free port of the loopback.
///
/// `operatorStore` is a second opening of the same database: what the command line is to `serve`.
final class TestHub: Sendable {
    let directory: String
    let identity: HubIdentity
    let operatorStore: SQLiteHubStore
    private let limits: HubServerLimits
    private let clock: HubClock

    init(limits: HubServerLimits = .init(), clock: HubClock = .system) throws {
        directory =
            FileManager.default.temporaryDirectory.path + "/hubsync-\(UUID().uuidString)"
        try FileManager.default.createDirectory(
            atPath: directory + "/packages", withIntermediateDirectories: true)
        identity = try HubIdentity.create(in: directory)
        operatorStore = try SQLiteHubStore.create(in: directory)
        self.limits = limits
        self.clock = clock
    }

    deinit {
        // What is left behind is a temporary folder.
        try? FileManager.default.removeItem(atPath: directory)
    }

    /// Serves while `body` runs, then shuts down gracefully. May be called again: a restart.
    @discardableResult
    func serving<Value: Sendable>(
        port: Int = 0, limits: HubServerLimits? = nil,
        _ body: @escaping @Sendable (_ port: Int) async throws -> Value
    ) async throws -> Value {
        let (ports, portsFound) = AsyncStream.makeStream(of: Int.self)
        let server = try HubServer(
            host: "127.0.0.1", port: port, dataDirectory: directory,
            identity: HubIdentity.open(in: directory),
            store: SQLiteHubStore.open(in: directory), limits: limits ?? self.limits, clock: clock,
            logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }),
            onListening: { portsFound.yield($0) })
        let group = ServiceGroup(
            configuration: .init(
                services: [.init(service: server)],
                logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })))
        return try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask {
                defer { portsFound.finish() }
                try await group.run()
            }
            var found = ports.makeAsyncIterator()
            guard let port = await found.next() else {
                try await tasks.next()
                throw TestFailure("the server ended before it listened")
            }
            do {
                let value = try await body(port)
                await group.triggerGracefulShutdown()
                try await tasks.waitForAll()
                return value
            } catch {
                await group.triggerGracefulShutdown()
                tasks.cancelAll()
                throw error
            }
        }
    }

    /// Makes a token and gives back its secret.
    func token(
        store: String = "1", uses: Int = 100, expiresInSeconds: Int64 = 3600, approves: Bool = true,
        labels: [String] = []
    ) async throws -> [UInt8] {
        let secret = (0..<16).map { _ in UInt8.random(in: 0...255) }
        let now = clock.now()
        _ = try await operatorStore.createToken(
            TokenRecord(
                secretSHA256: Array(SHA256.hash(data: secret)), store: try StoreID(store),
                labels: try labels.map { try DeviceLabel($0) }, createdAt: now,
                expiresAt: now.advanced(bySeconds: expiresInSeconds), usesMax: uses,
                approves: approves))
        return secret
    }

    /// A device that has joined and is at home again.
    func joinedDevice(
        port: Int, store: String = "1", approves: Bool = true, labels: [String] = []
    ) async throws -> TestDevice {
        let secret = try await token(store: store, approves: approves, labels: labels)
        return try await TestDevice.joining(
            with: secret, rootDER: try identity.authority.rootDER, port: port)
    }

    /// Registers a package, of random content unless it is given, with the database and writes its file.
    @discardableResult
    func addPackage(
        family: String, variant: String, store: String? = nil, release: UInt64 = 1,
        arenaBytes: Int = 1000, wape: Double = 0.1, contentBytes: Int = 100_000,
        content given: [UInt8]? = nil
    ) async throws -> (record: PackageRecord, content: [UInt8]) {
        if try await operatorStore.family(family) == nil {
            try await operatorStore.saveFamily(
                FamilyRecord(
                    name: family, createdAt: clock.now(), form: "profile", snapshotDigest: "",
                    seed: 1, asOf: BusinessDay(daysSince1970: 18_000), summary: "{}", trained: []))
        }
        let content = given ?? (0..<contentBytes).map { _ in UInt8.random(in: 0...255) }
        let digest = Array(SHA256.hash(data: content))
        let record = PackageRecord(
            digest: digest, family: family, variant: variant,
            store: try store.map { try StoreID($0) }, release: release,
            packageBytes: content.count, arenaBytes: arenaBytes, parameterCount: 10,
            requiredFeatures: ["lstm-int8-v2"], wape: wape, mape: wape, bias: 0, floatWAPE: wape,
            floatMAPE: wape, createdAt: clock.now())
        try await operatorStore.savePackages([record])
        try Data(content).write(
            to: URL(fileURLWithPath: directory + "/packages/" + PackageFiles.name(of: digest)))
        return (record, content)
    }

    @discardableResult
    func push(_ family: String, to selector: String = "all") async throws -> RolloutRecord {
        try await operatorStore.push(
            RolloutRecord(
                family: family, selector: try Selector(selector), createdAt: clock.now()), plan: []
        ).rollout
    }
}

struct TestFailure: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}
