/// Why the repository cannot be written, or a change of its root is refused.
package enum RepositoryError: Error, Equatable, Sendable {
    /// The hub does not have enough keys of a role that it signs for.
    case keysMissing(TrustRole, have: Int, needed: Int, ids: [String])
    /// A file that is no metadata of ours, and what is wrong with it.
    case unreadable(role: String, what: String)
    /// More packages than fit what a device reads.
    case tooManyTargets(count: Int)
    /// The root that was to be published does not follow the newest one.
    case rootDoesNotFollow(why: String)
    case keyUnknown(id: String)
    case keyAmbiguous(text: String)
    case keyThereAlready(id: String)
    case thresholdUnmet(threshold: Int, keys: Int)
}

extension RepositoryError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .keysMissing(let role, let have, let needed, let ids):
            "the hub has \(have) of the \(needed) keys that sign \(role.rawValue) (\(list(ids))): restore the folder 'keys'"
                + " of the data directory from its backup, or make a new key with"
                + " shelfcast-hub keys rotate \(role.rawValue) --root-key FILE"
        case .unreadable(let role, let what): "metadata of \(role) cannot be used: \(what)"
        case .tooManyTargets(let count):
            "\(count) packages are more than devices can be told of; abort rollouts that are over,"
                + " or pack fewer variants"
        case .rootDoesNotFollow(let why): "this root was not published: \(why)"
        case .keyUnknown(let id): "there is no key \(id) in the root; see shelfcast-hub keys list"
        case .keyAmbiguous(let text):
            "more than one key begins with \(text); give more of its digits"
        case .keyThereAlready(let id): "key \(id.prefix(8)) is in the root already"
        case .thresholdUnmet(let threshold, let keys):
            "\(threshold) signatures cannot come from \(keys) key\(keys == 1 ? "" : "s"): devices would"
                + " accept no root any more"
        }
    }

    private func list(_ ids: [String]) -> String {
        ids.map { String($0.prefix(8)) }.joined(separator: ", ")
    }
}
