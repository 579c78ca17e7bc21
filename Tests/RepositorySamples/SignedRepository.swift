import AgentRuntime
import CTLS
package import SyncProtocol

/// A hub's repository (The Update Framework, specification 1.0.34), signed with the agent's own cryptography: what
/// the tests of a device, and the benchmark of its walk, are given to believe or not.
package struct SignedRepository: Sendable {
    package enum Role: String, CaseIterable, Sendable {
        case root, timestamp, snapshot, targets
    }

    /// A P-256 key that can sign.
    package struct Key: Equatable, Sendable {
        let der: [UInt8]
        let pem: String
        package let id: String

        package init() {
            _ = Crypto.setUp()
            der = Crypto.makeKey() ?? []
            var point = [UInt8](repeating: 0, count: 65)
            _ = shelfcast_p256_point(der, der.count, &point)
            pem = Self.pem(point)
            id = Self.hex(Crypto.sha256(point))
        }

        /// DER of ECDSA over SHA-256.
        package func sign(_ message: [UInt8]) -> [UInt8] {
            var numbers = [UInt8](repeating: 0, count: 64)
            _ = shelfcast_p256_sign(der, der.count, message, message.count, &numbers)
            return Self.der(Array(numbers[..<32]), Array(numbers[32...]))
        }

        var json: String {
            let text = pem.split(separator: "\n", omittingEmptySubsequences: false)
                .joined(separator: #"\n"#)
            return
                #"{"keytype":"ecdsa","keyval":{"public":"\#(text)"},"scheme":"ecdsa-sha2-nistp256"}"#
        }

        /// SubjectPublicKeyInfo (RFC 5480) of an uncompressed point, as RFC 7468 writes it.
        package static func pem(_ point: [UInt8]) -> String {
            let prefix: [UInt8] = [
                0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x02, 0x01, 0x06,
                0x08, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
            ]
            let text = base64(prefix + point)
            return "-----BEGIN PUBLIC KEY-----\n\(text.prefix(64))\n\(text.dropFirst(64))\n"
                + "-----END PUBLIC KEY-----\n"
        }

        private static func base64(_ bytes: [UInt8]) -> String {
            let digits = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
            var out = ""
            for start in stride(from: 0, to: bytes.count, by: 3) {
                let part = bytes[start..<min(bytes.count, start + 3)]
                var bits = part.reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
                bits <<= UInt32(8 * (3 - part.count))
                for index in 0..<4 {
                    out.append(index <= part.count ? digits[Int(bits >> 18 & 63)] : "=")
                    bits <<= 6
                }
            }
            return out
        }

        package static func der(_ r: [UInt8], _ s: [UInt8]) -> [UInt8] {
            func number(_ bytes: [UInt8]) -> [UInt8] {
                let short = Array(bytes.drop { $0 == 0 })
                let value = (short.first ?? 0x80) >= 0x80 ? [0] + short : short
                return [0x02, UInt8(value.count)] + value
            }
            let body = number(r) + number(s)
            return [0x30, UInt8(body.count)] + body
        }

        static func hex(_ bytes: [UInt8]) -> String {
            String(decoding: Hex.text(bytes), as: UTF8.self)
        }
    }

    package struct Target: Sendable {
        package var path: String
        package var length: Int
        package var digest: [UInt8]
        /// As JSON.
        package var custom: String
    }

    package var keys: [Role: Key]
    package var versions: [Role: UInt64] = [:]
    /// ISO 8601, UTC.
    package var expires: [Role: String]
    package private(set) var targets: [Target] = []
    /// Every file there ever was, by role and version.
    package private(set) var files: [Role: [UInt64: [UInt8]]] = [:]

    package init() {
        keys = Role.allCases.reduce(into: [:]) { $0[$1] = Key() }
        expires = Role.allCases.reduce(into: [:]) { $0[$1] = "2040-01-01T00:00:00Z" }
        publishRoot(signedBy: [keys[.root]!])
        publish()
    }

    package subscript(_ role: Role) -> [UInt8] { files[role]![versions[role]!]! }

    /// What a device gets when it joins.
    package var root: [UInt8] { self[.root] }

    /// Lists a package, and publishes.
    /// - Returns: its path.
    @discardableResult
    package mutating func list(
        digest: [UInt8], length: Int, arena: UInt64, release: UInt64, family: String = "f",
        variant: String = "v", store: String = ""
    ) -> String {
        let path = "packages/\(release)/\(Key.hex(digest).prefix(16))"
        let home = store.isEmpty ? "" : #""store":"\#(store)","#
        targets.removeAll { $0.path == path }
        targets.append(
            Target(
                path: path, length: length, digest: digest,
                custom:
                    #"{"arena":\#(arena),"family":"\#(family)","release":\#(release),\#(home)"variant":"\#(variant)"}"#
            ))
        publish()
        return path
    }

    /// The next version of each of these, targets first.
    package mutating func publish(_ roles: [Role] = [.targets, .snapshot, .timestamp]) {
        for role in roles {
            versions[role, default: 0] += 1
            let own: [String: String]
            switch role {
            case .root: preconditionFailure("root is published by publishRoot")
            case .targets:
                let listed = targets.sorted { $0.path < $1.path }.map {
                    #""\#($0.path)":{"custom":\#($0.custom),"hashes":{"sha256":"\#(Key.hex($0.digest))"},"length":\#($0.length)}"#
                }
                own = ["targets": "{\(listed.joined(separator: ","))}"]
            case .snapshot:
                own = ["meta": #"{"targets.json":{"version":\#(versions[.targets]!)}}"#]
            case .timestamp:
                own = ["meta": #"{"snapshot.json":{"version":\#(versions[.snapshot]!)}}"#]
            }
            publish(role, own, signedBy: [keys[role]!])
        }
    }

    /// A new key for a role; root is published, the others as the caller wishes.
    package mutating func rotate(_ role: Role) {
        let former = keys[.root]!
        keys[role] = Key()
        publishRoot(signedBy: role == .root ? [former, keys[.root]!] : [former])
    }

    private mutating func publishRoot(signedBy signers: [Key]) {
        versions[.root, default: 0] += 1
        let listed = Set(keys.values.map(\.id)).sorted().map { id in
            "\"\(id)\":\(keys.values.first { $0.id == id }!.json)"
        }
        let roles = Role.allCases.map(\.rawValue).sorted().map {
            #""\#($0)":{"keyids":["\#(keys[Role(rawValue: $0)!]!.id)"],"threshold":1}"#
        }
        publish(
            .root,
            [
                "consistent_snapshot": "true", "keys": "{\(listed.joined(separator: ","))}",
                "roles": "{\(roles.joined(separator: ","))}",
            ], signedBy: signers)
    }

    private mutating func publish(
        _ role: Role, _ own: [String: String], signedBy signers: [Key]
    ) {
        let version = versions[role]!
        var members = own
        members["_type"] = "\"\(role.rawValue)\""
        members["spec_version"] = "\"1.0.34\""
        members["expires"] = "\"\(expires[role]!)\""
        members["version"] = "\(version)"
        // In the order of their names, and nothing between tokens: canonical as it stands, but for newlines, which
        // canonical JSON has as such.
        let signed =
            "{"
            + members.sorted { $0.key < $1.key }.map { "\"\($0.key)\":\($0.value)" }
            .joined(separator: ",") + "}"
        let canonical = [UInt8](signed.replacing(#"\n"#, with: "\n").utf8)
        let signatures = signers.map {
            #"{"keyid":"\#($0.id)","sig":"\#(Key.hex($0.sign(canonical)))"}"#
        }
        files[role, default: [:]][version] = [UInt8](
            #"{"signatures":[\#(signatures.joined(separator: ","))],"signed":\#(signed)}"#.utf8)
    }

    package func metadata(_ role: Role, _ version: UInt64? = nil) -> Metadata {
        let version = version ?? versions[role]!
        return Metadata(
            role: role.rawValue, version: version, content: files[role]![version]!)
    }

    /// What a hub sends ahead of a DesiredState (SPEC 8.1).
    /// - Parameter needsTargets: a package is wanted that the device does not run.
    package func metadata(newerThan held: HeldMetadata, needsTargets: Bool) -> [Metadata] {
        var frames: [Metadata] = []
        var root = held.root
        while root < versions[.root]! {
            root += 1
            frames.append(metadata(.root, root))
        }
        if versions[.timestamp]! > held.timestamp, held.wantsTimestamp || needsTargets {
            frames.append(metadata(.timestamp))
        }
        if needsTargets {
            if versions[.snapshot]! > held.snapshot { frames.append(metadata(.snapshot)) }
            if versions[.targets]! > held.targets { frames.append(metadata(.targets)) }
        }
        return frames
    }
}
