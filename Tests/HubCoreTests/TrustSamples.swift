import Forecasting
import Foundation
import HubCore
import UpdateTrust

/// Stands in for P-256 and SHA-256: every bit of what goes in decides every byte of what comes out. The real ones are
/// tried where they live (HubSyncTests).
struct SampleSigner: MetadataSigner {
    var keyTexts: [String: String] = [:]

    init(_ keys: [TrustKey]) { for key in keys { keyTexts[key.id] = key.pem } }

    static func mix(_ bytes: [UInt8], count: Int) -> [UInt8] {
        var state: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in bytes { state = (state ^ UInt64(byte)) &* 0x100_0000_01B3 }
        return (0..<count).map { _ in
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return UInt8(truncatingIfNeeded: (state ^ state >> 29) >> 33)
        }
    }

    func sha256(_ bytes: [UInt8]) -> [UInt8] { Self.mix(bytes, count: 32) }
    func has(keyID: String) -> Bool { keyTexts[keyID] != nil }
    func sign(_ message: [UInt8], keyID: String) throws -> [UInt8] {
        guard let text = keyTexts[keyID] else { throw RepositoryError.keyUnknown(id: keyID) }
        return Self.mix([UInt8](text.utf8) + message, count: 70)
    }
}

struct SampleTrust: TrustCryptography {
    func digest(_ algorithm: DigestAlgorithm, of bytes: [UInt8]) -> [UInt8]? {
        SampleSigner.mix(bytes, count: algorithm.bytes)
    }
    func verify(signature: [UInt8], of message: [UInt8], key: SigningKey) -> Bool {
        key.scheme == .ecdsaP256 && signature == SampleSigner.mix(key.text + message, count: 70)
    }
}

extension TrustKey {
    /// Of the right form; no point of the curve.
    static func sample(_ number: Int) throws -> TrustKey {
        let head: [UInt8] = [
            0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x02, 0x01, 0x06,
            0x08, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00, 0x04,
        ]
        let der = head + SampleSigner.mix([UInt8(number & 255), UInt8(number >> 8)], count: 64)
        let base64 = Data(der).base64EncodedString()
        let lines = [base64.prefix(64), base64.dropFirst(64)].joined(separator: "\n")
        return try TrustKey(
            pem: "-----BEGIN PUBLIC KEY-----\n\(lines)\n-----END PUBLIC KEY-----",
            sha256: { SampleSigner.mix($0, count: 32) })
    }
}

/// A hub's repository as its database keeps it, and everything that was ever published.
struct SampleHub {
    /// 2026-01-01T00:00:00Z.
    static let start = Timestamp(millisecondsSince1970: 1_767_225_600_000)

    var now = Self.start
    var roots: [RootDocument] = []
    var files: [String: MetadataFile] = [:]
    var packages: [PackageRecord] = []
    var listed: [ListedTarget] = []
    private(set) var keys: [TrustKey] = []

    init(packages: Int = 0) throws {
        var holders: [TrustRole: TrustHolders] = [:]
        for role in TrustRole.allCases { holders[role] = TrustHolders(keys: [try newKey()]) }
        var root = RootDocument(
            version: 1, expires: TrustRole.root.expiry(from: now), holders: holders)
        try root.sign(root[.root].keys[0].id, signer)
        roots = [root]
        for number in 0..<packages { self.packages.append(try Self.package(number)) }
        try write()
    }

    var root: RootDocument { roots[roots.count - 1] }
    var signer: SampleSigner { SampleSigner(keys) }

    mutating func newKey() throws -> TrustKey {
        let key = try TrustKey.sample(keys.count + 1)
        keys.append(key)
        return key
    }

    static func package(_ number: Int, release: UInt64 = 7) throws -> PackageRecord {
        PackageRecord(
            digest: SampleSigner.mix([UInt8](("package \(number)").utf8), count: 32),
            family: "spring", variant: "profile-\(number % 3)",
            store: number % 4 == 0 ? nil : try StoreID("store-\(number % 50)"), release: release,
            packageBytes: 300 + number, arenaBytes: 500 + number, parameterCount: 10,
            requiredFeatures: [], wape: 1, mape: 1, bias: 0, floatWAPE: 1, floatMAPE: 1,
            createdAt: start)
    }

    /// - Returns: the roles written.
    @discardableResult
    mutating func write(signer: SampleSigner? = nil, leap: UInt64 = 0) throws -> [String] {
        let writer = RepositoryWriter(signer: signer ?? self.signer, now: now, leap: leap)
        let state = RepositoryState(root: root, files: Array(files.values), packages: packages)
        guard let publication = try writer.next(state) else { return [] }
        for file in publication.files {
            precondition(file.version == (files[file.role]?.version ?? 0) + 1 + leap)
            files[file.role] = file
        }
        for role in publication.dropped { files[role] = nil }
        if let listed = publication.listed { self.listed = listed }
        return publication.files.map(\.role)
    }

    mutating func rotate(_ role: TrustRole) throws -> [String] {
        var draft = root.next(now: now)
        let old = role == .root ? root[.root].keys[0] : nil
        try draft.replace(old, with: try newKey(), of: role)
        for key in RootDocument.signers(draft, after: root) { try draft.sign(key.id, signer) }
        roots.append(draft)
        return try write()
    }

    mutating func pass(days: Int64) { now = now.advanced(bySeconds: days * 86_400) }
}

/// A device that walks over what the hub has, and keeps what it comes to trust.
struct SampleDevice {
    private(set) var kept: [String: [UInt8]]
    /// Bytes fetched in the last walk.
    private(set) var bytesFetched = 0

    init(_ hub: SampleHub) { kept = ["root": hub.root.bytes] }

    /// - Parameter package: nil: only the walk to what is current.
    mutating func update(from hub: SampleHub, to package: PackageRecord?) throws -> TargetFile? {
        bytesFetched = 0
        var walk = try UpdateWalk(
            root: kept["root"] ?? [], now: hub.now.millisecondsSince1970 / 1000, limits: .device,
            cryptography: SampleTrust())
        var step = try walk.next(nil)
        while true {
            switch step {
            case .read(let role): step = try walk.next(kept[name(role)])
            case .keep(let role, let bytes):
                kept[name(role)] = bytes
                step = try walk.next(nil)
            case .fetch(let request):
                let bytes = Self.answer(hub, name(request.role), request.version)
                bytesFetched += bytes?.count ?? 0
                step = try walk.next(bytes.flatMap { $0.count > request.bytesMax ? nil : $0 })
            case .current:
                guard let package else { return nil }
                step = try walk.find([UInt8](package.targetPath.utf8))
            case .found(let file): return file
            case .absent: return nil
            }
        }
    }

    private func name(_ role: RoleName) -> String { String(decoding: role.utf8, as: UTF8.self) }

    private static func answer(_ hub: SampleHub, _ role: String, _ version: UInt64?) -> [UInt8]? {
        if role == "root" { return hub.roots.first { $0.version == version }?.bytes }
        guard let file = hub.files[role] else { return nil }
        return version == nil || version == file.version ? file.bytes : nil
    }
}
