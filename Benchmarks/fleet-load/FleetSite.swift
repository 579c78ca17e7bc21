import Crypto
import Forecasting
import Foundation
import HubCore
import HubStore
import HubSync
import SwiftASN1
import SyncProtocol
import TestSupport
import X509

/// A hub's data directory with a fleet in it: devices that joined, were approved and run an older package, and a newer
/// one released to all of them at once.
struct FleetSite {
    struct Failure: Error, CustomStringConvertible {
        var description: String
    }

    /// Who a device is, as joining left it there.
    struct Member: Sendable {
        var certificateDER: [UInt8]
        var keyDER: [UInt8]
        var stays: Bool
    }

    static let devicesPerStore = 5
    /// Items that a device sells of on its day.
    static let items = (1...50).map { "\($0)" }
    private static let seedsAtOnce = 128

    let folder: String
    let data: String
    let hub: String
    private(set) var members: [Member] = []
    private(set) var rootDER: [UInt8] = []
    private(set) var older: PackageRecord
    private(set) var newer: PackageRecord
    let store: SQLiteHubStore

    /// - Parameter devices: their number; every second one stays connected.
    init(hub: String, folder: String, devices: Int) async throws {
        self.hub = hub
        self.folder = folder
        data = folder + "/hub"
        try? FileManager.default.removeItem(atPath: folder)  // of a run before
        try FileManager.default.createDirectory(
            atPath: folder, withIntermediateDirectories: true)
        let data = data
        func run(_ arguments: String...) throws {
            let process = try ChildProcess(hub, arguments)
            guard process.wait(secondsMax: 600).status == 0 else {
                throw Failure(
                    description:
                        "\(hub) \(arguments.joined(separator: " ")): \(try process.errors())")
            }
        }
        try run("init", "--data", data)
        let sales = folder + "/sales.csv"
        try run(
            "sales", "sample", "--out", sales, "--stores", "1", "--items", "50", "--from",
            "2024-01-01", "--to", "2024-12-31")
        try run("sales", "import", sales, "--data", data)
        for (seed, family) in ["first", "second"].enumerated() {
            // Some 17 KB: the article's largest network. How good it is makes no difference here.
            try run(
                "train", "--form", "plain", "--units", "64", "--epochs", "1", "--name", family,
                "--seed", "\(seed + 1)", "--data", data)
            try run("package", "build", family, "--data", data)
        }
        let store = try SQLiteHubStore.open(in: data)
        self.store = store
        func package(of family: String) async throws -> PackageRecord {
            guard
                let package = try await store.packages(family: family).first(where: {
                    $0.store == nil
                })
            else { throw Failure(description: "\(family) has no package for any store") }
            return package
        }
        older = try await package(of: "first")
        newer = try await package(of: "second")
        try await join(devices)
        try run("push", "second", "--all", "--at-once", "--data", data)
    }

    /// What every device says of itself.
    func register(stays: Bool, contactNumber: UInt64, runsNewer: Bool) -> Register {
        let running = runsNewer ? newer : older
        return Register(
            architecture: "x86_64", cpuFeatures: ["avx2"], cores: 4, memoryTotalBytes: 1 << 29,
            memoryAvailableBytes: 1 << 28, modelMemoryBudgetBytes: 1 << 20,
            flashFreeBytes: 1 << 30, runtimeFeatures: newer.requiredFeatures,
            powerSource: .mains, contact: stays ? .stay : .visit, agentVersion: "0.2.0",
            running: RunningPackage(
                digest: running.digest, release: running.release,
                arenaBytes: UInt64(running.arenaBytes)), contactNumber: contactNumber)
    }

    private mutating func join(_ count: Int) async throws {
        let identity = try HubIdentity.open(in: data)
        rootDER = try identity.authority.rootDER
        let (store, older) = (store, older)
        let capabilities = DeviceCapabilities(
            register(stays: true, contactNumber: 0, runsNewer: false))
        let visiting = DeviceCapabilities(
            register(stays: false, contactNumber: 0, runsNewer: false))
        let authority = identity.authority
        members = try await withThrowingTaskGroup(of: (Int, Member).self) { group in
            var made = [Member?](repeating: nil, count: count)
            for number in 0..<count {
                if number >= Self.seedsAtOnce, let (index, member) = try await group.next() {
                    made[index] = member
                }
                group.addTask {
                    let home = try StoreID("s\(number / Self.devicesPerStore + 1)")
                    let now = Timestamp(Date())
                    let secret = (0..<16).map { _ in UInt8.random(in: 0...255) }
                    let digest = Array(SHA256.hash(data: secret))
                    _ = try await store.createToken(
                        TokenRecord(
                            secretSHA256: digest, store: home, labels: [], createdAt: now,
                            expiresAt: now.advanced(bySeconds: 3600), usesMax: 1, approves: true))
                    let id = try DeviceID("d\(number + 1)")
                    _ = try await store.joinDevice(id, tokenSecretSHA256: digest, at: now)
                    let stays = number % 2 == 0
                    _ = try await store.registerDevice(
                        id, capabilities: stays ? capabilities : visiting, labels: [],
                        running: HubCore.RunningPackage(
                            digest: older.digest, release: older.release,
                            arenaBytes: UInt64(older.arenaBytes)), at: now)
                    let key = P256.Signing.PrivateKey()
                    let certificate = try authority.issueDevice(
                        deviceID: id.text, signingRequestDER: try Self.request(for: key),
                        now: Date())
                    return (
                        number,
                        Member(
                            certificateDER: certificate, keyDER: Array(key.derRepresentation),
                            stays: stays)
                    )
                }
            }
            for try await (index, member) in group { made[index] = member }
            return made.compactMap { $0 }
        }
    }

    private static func request(for key: P256.Signing.PrivateKey) throws -> [UInt8] {
        let request = try CertificateSigningRequest(
            version: .v1, subject: try DistinguishedName { CommonName("device") },
            privateKey: .init(key), attributes: .init())
        var serializer = DER.Serializer()
        try serializer.serialize(request)
        return serializer.serializedBytes
    }
}
