import Crypto
import FoundationEssentials
import Glibc
package import HubCore

/// A private key of the repository: ECDSA over P-256.
package struct TrustPrivateKey: Sendable {
    fileprivate let key: P256.Signing.PrivateKey
    /// What the root says of it.
    package let publicKey: TrustKey

    private init(_ key: P256.Signing.PrivateKey) throws(HubIdentityError) {
        self.key = key
        do throws(RepositoryError) {
            publicKey = try TrustKey(
                pem: key.publicKey.pemRepresentation, sha256: MetadataKeys.sha256)
        } catch {
            throw .cryptography(reason: "\(error)")
        }
    }

    package static func make() throws(HubIdentityError) -> TrustPrivateKey {
        try TrustPrivateKey(P256.Signing.PrivateKey())
    }

    /// - Throws: `missing`, `unreadable`, `system`.
    package init(file path: String) throws(HubIdentityError) {
        let bytes = try PrivateFile.read(path)
        let key: P256.Signing.PrivateKey
        do {
            key = try P256.Signing.PrivateKey(
                pemRepresentation: String(decoding: bytes, as: UTF8.self))
        } catch {
            throw .unreadable(path: path, reason: "not a P-256 private key in PEM form")
        }
        try self.init(key)
    }

    /// Readable by its owner only. Never over another file.
    package func write(to path: String) throws(HubIdentityError) {
        guard !PrivateFile.exists(path) else {
            throw .unreadable(path: path, reason: "a file is there already; it is not overwritten")
        }
        try PrivateFile.write([UInt8]((key.pemRepresentation + "\n").utf8), to: path)
    }
}

/// Keys at hand, to sign with.
package struct MetadataKeys: MetadataSigner {
    private var keys: [String: P256.Signing.PrivateKey] = [:]

    package init(_ keys: [TrustPrivateKey] = []) { add(keys) }

    package mutating func add(_ more: [TrustPrivateKey]) {
        for key in more { keys[key.publicKey.id] = key.key }
    }

    package static func sha256(_ bytes: [UInt8]) -> [UInt8] { Array(SHA256.hash(data: bytes)) }

    package func sha256(_ bytes: [UInt8]) -> [UInt8] { Self.sha256(bytes) }
    package func has(keyID: String) -> Bool { keys[keyID] != nil }

    package func sign(_ message: [UInt8], keyID: String) throws -> [UInt8] {
        guard let key = keys[keyID] else { throw RepositoryError.keyUnknown(id: keyID) }
        return Array(try key.signature(for: message).derRepresentation)
    }
}

/// The folder `keys` of a data directory: a file for each key, named by role and the beginning of its id. Which of them
/// count is what the root says, so a crash between a new file and the new root leaves a file that nobody uses.
package struct TrustKeyFiles: Sendable {
    package static let folder = "keys"

    package let directory: String

    package init(dataDirectory: String) { directory = dataDirectory + "/" + Self.folder }

    package func path(of key: TrustKey, _ role: TrustRole) -> String {
        directory + "/" + Self.fileName(of: key, role)
    }

    private static func fileName(of key: TrustKey, _ role: TrustRole) -> String {
        "\(role.rawValue)-\(key.id.prefix(16)).pem"
    }

    package func has(_ key: TrustKey, _ role: TrustRole) -> Bool {
        PrivateFile.exists(path(of: key, role))
    }

    package func write(_ key: TrustPrivateKey, _ role: TrustRole) throws(HubIdentityError) {
        guard mkdir(directory, 0o700) == 0 || errno == EEXIST else {
            throw .system(operation: "make", path: directory, code: errno)
        }
        try key.write(to: path(of: key.publicKey, role))
    }

    /// A key that counts no more.
    /// - Parameter file: where it lies, if not here.
    package func remove(_ key: TrustKey, _ role: TrustRole, file: String? = nil) {
        PrivateFile.remove(file ?? path(of: key, role))
    }

    /// The keys of `root` that lie here, but root's own unless asked for.
    package func keys(
        of root: RootDocument, _ roles: [TrustRole] = [.targets, .snapshot, .timestamp]
    ) throws(HubIdentityError) -> MetadataKeys {
        var keys: [TrustPrivateKey] = []
        for role in roles {
            for key in root[role].keys where has(key, role) {
                let held = try TrustPrivateKey(file: path(of: key, role))
                guard held.publicKey == key else {
                    throw .unreadable(
                        path: path(of: key, role), reason: "it is another key than its name says")
                }
                keys.append(held)
            }
        }
        return MetadataKeys(keys)
    }
}
