package import JSONText

/// Why update metadata was not believed, or why an update cannot go on. Every case leaves what was
/// trusted before as it was.
package enum MetadataError: Error, Equatable, Sendable {
    case notJSON(RoleName, JSONError)
    /// A field is missing or is not what the specification says; the field is named.
    case malformed(RoleName, String)
    /// Metadata of another role, however well it is signed.
    case wrongType(RoleName)
    /// Another major version of the specification than 1.
    case specificationUnknown(RoleName)
    case tooFewSignatures(RoleName, valid: Int, threshold: Int)
    /// The freeze attack: somebody keeps showing what was right once.
    case expired(RoleName)
    /// The rollback attack.
    case rolledBack(RoleName, version: UInt64, trusted: UInt64)
    /// Another version than the next one (root) or than the one announced (the others).
    case versionDiffers(RoleName, stated: UInt64, found: UInt64)
    /// A role that the snapshot does not list, or does not list any more.
    case notInSnapshot(RoleName)
    case lengthDiffers(RoleName)
    case digestDiffers(RoleName)
    case tooLarge(RoleName, bytes: UInt64, bytesMax: Int)
    /// The repository does not have what it announced.
    case notFound(RoleName)
    case tooManyDelegations(max: Int)
    /// A call out of turn; nothing a repository can cause.
    case outOfTurn
}

extension MetadataError {
    /// For the operator: what was found, and what to do about it.
    package var explanation: String {
        switch self {
        case .notJSON(let role, let error): role.text + ": " + error.text
        case .malformed(let role, let field): role.text + ": nothing usable in '" + field + "'"
        case .wrongType(let role): role.text + ": this is metadata of another role"
        case .specificationUnknown(let role):
            role.text + ": made for another major version of The Update Framework than 1"
        case .tooFewSignatures(let role, let valid, let threshold):
            role.text + ": \(valid) of the \(threshold) signatures that it needs"
        case .expired(let role): role.text + ": expired; sign it anew, or look at the clock"
        case .rolledBack(let role, let version, let trusted):
            role.text + ": version \(version) after version \(trusted) was trusted"
        case .versionDiffers(let role, let stated, let found):
            role.text + ": version \(found) where version \(stated) must be"
        case .notInSnapshot(let role): role.text + ": missing from the snapshot"
        case .lengthDiffers(let role): role.text + ": not of the length that was signed"
        case .digestDiffers(let role): role.text + ": not the content that was signed"
        case .tooLarge(let role, let bytes, let max):
            role.text + ": \(bytes) bytes; at most \(max) are read"
        case .notFound(let role): role.text + ": the repository does not have it"
        case .tooManyDelegations(let max): "more than \(max) delegations to search"
        case .outOfTurn: "an update step out of turn"
        }
    }
}
