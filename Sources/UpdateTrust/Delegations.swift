import JSONText

/// A role to look into, and who may sign for it: as its delegator says, not as anybody else does.
struct Visit {
    let role: RoleName
    let keys: RoleKeys
}

/// What a targets role leaves to others (DELEGATIONS of specification 4.5).
enum Delegations {
    struct Role {
        let name: RoleName
        let keys: RoleKeys
        let isTerminating: Bool
        let paths: Paths
    }
    enum Paths {
        case patterns([[UInt8]])
        /// Hexadecimal beginnings of the SHA-256 of a path.
        case digestPrefixes([[UInt8]])
    }
    /// Roles in order of trust.
    case roles([Role])
    /// 2^`bits` roles, each for the paths whose SHA-256 begins with its number (TAP 15).
    case bins(prefix: [UInt8], bits: Int, keys: RoleKeys)

    static let rolesMax = 4_096

    init(_ value: JSONValue?, in delegator: RoleName) throws(MetadataError) {
        guard let value else {
            self = .roles([])
            return
        }
        guard let keys = value["keys"]?.members else { throw .malformed(delegator, "delegations") }
        if let bins = value["succinct_roles"] {
            guard value["roles"] == nil, let bits = bins["bit_length"]?.version, bits <= 32,
                let prefix = bins["name_prefix"]?.utf8, prefix.count < RoleName.bytesMax - 8
            else { throw .malformed(delegator, "succinct_roles") }
            let keys = try RoleKeys(bins, keys: keys, in: delegator)
            self = .bins(prefix: prefix, bits: Int(bits), keys: keys)
            return
        }
        guard let listed = value["roles"]?.elements, listed.count <= Self.rolesMax else {
            throw .malformed(delegator, "delegations")
        }
        var roles: [Role] = []
        for element in listed {
            let role = try Role(element, keys: keys, in: delegator)
            for known in roles where known.name == role.name {
                throw .malformed(delegator, "delegations")
            }
            roles.append(role)
        }
        self = .roles(roles)
    }

    /// The roles to look into for `path`, in their order, and whether the search ends with them.
    /// - Parameter digest: SHA-256 of `path`.
    func visits(for path: [UInt8], digest: [UInt8]) -> (visits: [Visit], isFinal: Bool) {
        switch self {
        case .roles(let roles):
            var visits: [Visit] = []
            for role in roles where role.paths.cover(path, digest: digest) {
                visits.append(Visit(role: role.name, keys: role.keys))
                if role.isTerminating { return (visits, true) }
            }
            return (visits, false)
        case .bins(let prefix, let bits, let keys):
            guard digest.count >= 4 else { return ([], false) }
            var number: UInt32 = 0
            for index in 0..<4 { number = number << 8 | UInt32(digest[index]) }
            number >>= UInt32(32 - bits)
            let hex = Hexadecimal.text((0..<4).map { UInt8(number >> UInt32(24 - 8 * $0) & 255) })
            let name = prefix + [UInt8(ascii: "-")] + hex.suffix((bits + 3) / 4)
            guard let role = RoleName(delegated: name) else { return ([], false) }
            return ([Visit(role: role, keys: keys)], false)
        }
    }
}

extension Delegations.Role {
    init(_ value: JSONValue, keys: [JSONValue.Member], in delegator: RoleName) throws(MetadataError)
    {
        guard let text = value["name"]?.utf8, let name = RoleName(delegated: text) else {
            throw .malformed(delegator, "name")
        }
        guard case .bool(let isTerminating)? = value["terminating"] else {
            throw .malformed(delegator, "terminating")
        }
        self.name = name
        self.isTerminating = isTerminating
        self.keys = try RoleKeys(value, keys: keys, in: delegator)
        func texts(_ value: JSONValue) throws(MetadataError) -> [[UInt8]] {
            var texts: [[UInt8]] = []
            for element in value.elements ?? [.null] {
                guard let text = element.utf8 else { throw .malformed(delegator, "paths") }
                texts.append(text)
            }
            return texts
        }
        switch (value["paths"], value["path_hash_prefixes"]) {
        case (let patterns?, nil): paths = .patterns(try texts(patterns))
        case (nil, let prefixes?): paths = .digestPrefixes(try texts(prefixes))
        case (_?, _?), (nil, nil): throw .malformed(delegator, "paths")
        }
    }
}

extension Delegations.Paths {
    func cover(_ path: [UInt8], digest: [UInt8]) -> Bool {
        switch self {
        case .patterns(let patterns):
            for pattern in patterns where PathPattern.matches(path, pattern) { return true }
        case .digestPrefixes(let prefixes):
            let hex = Hexadecimal.text(digest)
            for prefix in prefixes where hex.starts(with: prefix) { return true }
        }
        return false
    }
}

/// Shell patterns over the paths of targets: `*` for any characters but `/`, `?` for one (specification
/// 4.5, PATHPATTERN). Part by part, so that `*` never reaches into another folder.
enum PathPattern {
    /// O(path · pattern): one place to come back to, that of the last `*`.
    static func matches(_ path: [UInt8], _ pattern: [UInt8]) -> Bool {
        let slash = UInt8(ascii: "/")
        var (at, inPattern) = (0, 0)
        var star: (pattern: Int, path: Int)? = nil
        while at < path.count {
            let wanted = inPattern < pattern.count ? pattern[inPattern] : nil
            if wanted == UInt8(ascii: "*") {
                star = (inPattern, at)
                inPattern += 1
            } else if wanted == UInt8(ascii: "?"), path[at] != slash {
                at = next(at, path)
                inPattern += 1
            } else if wanted == path[at] {
                // A part that has matched is settled: no later part can need it otherwise.
                if path[at] == slash { star = nil }
                at += 1
                inPattern += 1
            } else if let back = star, path[back.path] != slash {
                star = (back.pattern, back.path + 1)
                inPattern = back.pattern + 1
                at = back.path + 1
            } else {
                return false
            }
        }
        while inPattern < pattern.count, pattern[inPattern] == UInt8(ascii: "*") { inPattern += 1 }
        return inPattern == pattern.count
    }

    /// The start of the next character of UTF-8.
    private static func next(_ at: Int, _ path: [UInt8]) -> Int {
        var next = at + 1
        while next < path.count, path[next] & 0xC0 == 0x80 { next += 1 }
        return next
    }
}
