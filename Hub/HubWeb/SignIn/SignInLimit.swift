package import HubCore

/// How often passwords may be tried: so many wrong ones of a user's name and from a peer's address at once, and one more
/// every so often. Names that are nobody's count as users' do.
package struct SignInLimit: Sendable {
    /// Wrong tries at once: of a name, from an address.
    package static let triesMax = (name: 10.0, peer: 40.0)
    /// Until one more is granted.
    package static let secondsPerTry = (name: 60.0, peer: 15.0)

    private var names = TryLimit(triesMax: triesMax.name, secondsPerTry: secondsPerTry.name)
    private var peers = TryLimit(triesMax: triesMax.peer, secondsPerTry: secondsPerTry.peer)

    package init() {}

    /// Counts a try before it is made.
    /// - Returns: nil: go on; else the seconds to wait, and nothing is counted.
    package mutating func admit(name: String, peer: String, at now: Timestamp) -> Int? {
        let wait = max(names.wait(name, at: now), peers.wait(peer, at: now))
        guard wait <= 0 else { return Int(wait.rounded(.up)) }
        names.count(name, at: now)
        peers.count(peer, at: now)
        return nil
    }

    /// The password was right: neither the name nor the address is held against anybody.
    package mutating func succeeded(name: String, peer: String) {
        names.forget(name)
        peers.forgive(peer)
    }
}
