import HubCore

/// How often something may be tried by a name or from an address: so often at once, and once more every so many seconds.
/// The table has a fixed size and slots are shared by chance, which can only make the limit stricter; nobody can fill it.
struct TryLimit: Sendable {
    private static let slotsCount = 4_096

    private struct Slot {
        var tries = 0.0
        var at = Timestamp(millisecondsSince1970: 0)
    }

    let triesMax: Double
    let secondsPerTry: Double
    private var slots = [Slot](repeating: Slot(), count: slotsCount)

    init(triesMax: Double, secondsPerTry: Double) {
        self.triesMax = triesMax
        self.secondsPerTry = secondsPerTry
    }

    /// Seconds until the next try; 0 or less: now.
    func wait(_ key: String, at now: Timestamp) -> Double {
        (tries(Self.slot(key), at: now) + 1 - triesMax) * secondsPerTry
    }

    mutating func count(_ key: String, at now: Timestamp) {
        let slot = Self.slot(key)
        slots[slot] = Slot(tries: tries(slot, at: now) + 1, at: now)
    }

    /// Counts a try.
    /// - Returns: nil: go on; else the seconds to wait, and nothing is counted.
    mutating func admit(_ key: String, at now: Timestamp) -> Int? {
        let wait = wait(key, at: now)
        guard wait <= 0 else { return Int(wait.rounded(.up)) }
        count(key, at: now)
        return nil
    }

    /// Nothing is held against it any more.
    mutating func forget(_ key: String) { slots[Self.slot(key)] = Slot() }

    /// One try is not held against it.
    mutating func forgive(_ key: String) {
        let slot = Self.slot(key)
        slots[slot].tries = max(0, slots[slot].tries - 1)
    }

    /// What is left of the tries at `now`.
    private func tries(_ slot: Int, at now: Timestamp) -> Double {
        let then = slots[slot]
        let seconds =
            Double(max(0, now.millisecondsSince1970 - then.at.millisecondsSince1970)) / 1e3
        return max(0, then.tries - seconds / secondsPerTry)
    }

    /// Swift seeds its hashes anew in every process: nobody can choose names that share a slot.
    private static func slot(_ text: String) -> Int {
        Int(UInt(bitPattern: text.hashValue) % UInt(slotsCount))
    }
}
