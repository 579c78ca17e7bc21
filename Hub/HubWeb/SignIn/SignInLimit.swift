package import HubCore

/// How often passwords may be tried: so many wrong ones of a user's name and from a peer's address at once, and one more
/// every so often. The tables have a fixed size and slots are shared by chance, which can only make the limit stricter;
/// nobody can fill them. Names that are nobody's count as users' do.
package struct SignInLimit: Sendable {
    /// Wrong tries at once: of a name, from an address.
    package static let triesMax = (name: 10.0, peer: 40.0)
    /// Until one more is granted.
    package static let secondsPerTry = (name: 60.0, peer: 15.0)
    private static let slotsCount = 4_096

    private struct Slot {
        var tries = 0.0
        var at = Timestamp(millisecondsSince1970: 0)

        /// What is left of the tries at `now`.
        func tries(at now: Timestamp, secondsPerTry: Double) -> Double {
            let seconds = Double(max(0, now.millisecondsSince1970 - at.millisecondsSince1970)) / 1e3
            return max(0, tries - seconds / secondsPerTry)
        }
    }

    private var names = [Slot](repeating: Slot(), count: slotsCount)
    private var peers = [Slot](repeating: Slot(), count: slotsCount)

    package init() {}

    /// Counts a try before it is made.
    /// - Returns: nil: go on; else the seconds to wait, and nothing is counted.
    package mutating func admit(name: String, peer: String, at now: Timestamp) -> Int? {
        let (ofName, ofPeer) = (Self.slot(name), Self.slot(peer))
        let nameTries = names[ofName].tries(at: now, secondsPerTry: Self.secondsPerTry.name)
        let peerTries = peers[ofPeer].tries(at: now, secondsPerTry: Self.secondsPerTry.peer)
        let wait = max(
            (nameTries + 1 - Self.triesMax.name) * Self.secondsPerTry.name,
            (peerTries + 1 - Self.triesMax.peer) * Self.secondsPerTry.peer)
        guard wait <= 0 else { return Int(wait.rounded(.up)) }
        names[ofName] = Slot(tries: nameTries + 1, at: now)
        peers[ofPeer] = Slot(tries: peerTries + 1, at: now)
        return nil
    }

    /// The password was right: neither the name nor the address is held against anybody.
    package mutating func succeeded(name: String, peer: String) {
        names[Self.slot(name)] = Slot()
        let peer = Self.slot(peer)
        peers[peer].tries = max(0, peers[peer].tries - 1)
    }

    /// Swift seeds its hashes anew in every process: nobody can choose names that share a slot.
    private static func slot(_ text: String) -> Int {
        Int(UInt(bitPattern: text.hashValue) % UInt(slotsCount))
    }
}
