import AgentCore
import UpdateTrust

/// Why the agent's process is no more.
enum Ending: Error {
    case powerCut
    /// A model took it down.
    case crash
}

/// What a device has written down. As its database: one value, and each change of it whole or not at all.
struct Records {
    var update = Update()
    /// Models' numbers by `Slot.rawValue - 1`; 0: nothing. Negative: it lies there damaged.
    var slots = [0, 0]
    var fetchedChunks = 0
    var refused: [(package: Int, memory: RefusedPackage)] = []
    var reports: [Report] = []
    var accepted: RollbackGuard.Accepted?
    /// The last day it closed.
    var lastClose = -1
    /// Up to here the candidate beside has forecast.
    var besideThrough = -1
    /// Days on which both forecast.
    var pairDays: [Int] = []
    var unsent: [ClosedDay] = []

    func package(in slot: Slot) -> Int { slots[Int(slot.rawValue) - 1] }

    func isRefused(_ package: Int) -> RefusedPackage? {
        refused.first { $0.package == package }?.memory
    }
}

/// A disk whose power may be cut at any of its writes.
struct SimulatedDisk {
    enum Cut {
        /// Nothing of the write is there afterwards.
        case before
        /// It is there, and nothing that was to follow it.
        case after
        /// Neither it nor the one before it, which was taken for written.
        case torn
    }

    private(set) var records = Records()
    private var former = Records()
    private var writesLeft = 0
    private var cut = Cut.before
    private(set) var writes = 0
    /// The last cut took something back that was taken for written.
    private(set) var isTorn = false

    mutating func arm(_ cut: Cut, afterWrites: Int) {
        former = records
        (self.cut, writesLeft) = (cut, afterWrites)
    }

    mutating func disarm() { writesLeft = 0 }

    /// One transaction.
    mutating func write(_ change: (inout Records) -> Void) throws(Ending) {
        writes += 1
        guard writesLeft > 0 else { return change(&records) }
        writesLeft -= 1
        guard writesLeft == 0 else {
            former = records
            return change(&records)
        }
        switch cut {
        case .before: break
        case .after: change(&records)
        case .torn:
            records = former
            isTorn = true
        }
        throw .powerCut
    }

    /// The database is gone, or damaged beyond use: a new one is begun.
    mutating func lose(firstDay: Int) {
        records = Records()
        records.lastClose = firstDay - 1
        disarm()
    }

    /// The bytes in a slot go bad under the database.
    mutating func spoil(_ slot: Slot) {
        let index = Int(slot.rawValue) - 1
        records.slots[index] = -abs(records.slots[index])
    }

    /// What the file beside the database says of the packages accepted.
    mutating func restore(_ accepted: RollbackGuard.Accepted?) { records.accepted = accepted }

    mutating func clearTorn() { isTorn = false }
}
