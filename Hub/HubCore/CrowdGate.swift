/// Who of the devices that are there is worked for now, who waits, and when the others are to come back, so that
/// thousands that come in the same second are served one after the other and each to its end, instead of all together and
/// none in time. No clock and no dice: time comes in as milliseconds that do not go back, chance as random bits.
///
/// A connection is known by its ticket. It takes a place with its first request, keeps it while one request follows the
/// other, and gives it up when it has been quiet for a moment or has ended. One that comes back from such a quiet is known
/// and goes before newcomers, so that what was begun is brought to its end; but of four in a row one is a newcomer, so that
/// nobody waits for ever.
package struct CrowdGate: Sendable {
    package typealias Ticket = UInt64

    package struct Limits: Hashable, Sendable {
        /// Connections worked for at a time.
        package var placesMax = 192
        /// Newcomers that wait behind them.
        package var waitingMax = 1_024
        /// Of what is measured, so long a newcomer may be expected to wait; beyond, it is to come back.
        package var expectedMillisecondsMax: Int64 = 8_000
        /// Whoever has waited so long is to come back: a device gives an answer 30 s (SPEC 13).
        package var waitMillisecondsMax: Int64 = 15_000
        /// After an answer a place is held so long for the device's next request.
        package var quietMilliseconds: Int64 = 200
        /// What a device is told to wait, in seconds.
        package var retrySecondsMin: UInt32 = 2
        package var retrySecondsMax: UInt32 = 600
        /// Newcomers served in a second, as long as nothing is measured.
        package var perSecondAssumed = 50.0

        package init() {}
    }

    package enum Verdict: Hashable, Sendable {
        case enter
        /// `turn` will name it.
        case wait
        case comeBack(afterSeconds: UInt32)
    }

    private struct Place {
        var isAtWork: Bool
        var since: Int64
    }

    /// First in, first out; who has left is passed over.
    private struct Line {
        var tickets: [(ticket: Ticket, since: Int64)] = []
        var next = 0

        mutating func append(_ ticket: Ticket, _ now: Int64) { tickets.append((ticket, now)) }

        mutating func dropFirst() {
            next += 1
            // Half of it is behind us: what is moved was paid for by as many that left.
            if next > 64, next * 2 > tickets.count {
                tickets.removeFirst(next)
                next = 0
            }
        }
    }

    package let limits: Limits
    private var places: [Ticket: Place] = [:]
    /// Those waiting, and whether they are newcomers.
    private var waiting: [Ticket: Bool] = [:]
    private var newcomers = Line()
    private var known = Line()
    /// Of the last ones let in from a line, how many in a row were known.
    private var knownInARow = 0
    private var newcomersWaiting = 0
    /// When the latest one that was sent away is expected to have its turn.
    private var bookedUntil: Int64 = 0
    /// Newcomers let in since `windowAt`, a time in which somebody waited all along; nil: nobody waits, or none of them has
    /// had its turn.
    private var windowAt: Int64?
    private var windowCount = 0

    /// Newcomers served in a second while others waited; nil: never measured.
    package private(set) var perSecond: Double?
    /// Since the beginning.
    package private(set) var sentAwayCount = 0

    package init(_ limits: Limits = Limits()) { self.limits = limits }

    package var waitingCount: Int { waiting.count }
    package var placesTaken: Int { places.count }
    /// Places that nobody waits for.
    package var room: Int { waiting.isEmpty ? max(0, limits.placesMax - places.count) : 0 }

    /// A connection has a request.
    /// - Parameters:
    ///   - isNewcomer: it was never let in.
    ///   - random: any 32 random bits.
    package mutating func ask(
        _ ticket: Ticket, isNewcomer: Bool, at now: Int64, random: UInt32
    ) -> Verdict {
        if places[ticket] != nil {
            places[ticket] = Place(isAtWork: true, since: now)
            return .enter
        }
        if places.count >= limits.placesMax { clearQuiet(at: now) }
        let isCrowded = isNewcomer ? !waiting.isEmpty : waiting.count > newcomersWaiting
        if !isCrowded, places.count < limits.placesMax {
            letIn(ticket, isNewcomer: isNewcomer, at: now)
            return .enter
        }
        if isNewcomer {
            guard newcomersWaiting < limits.waitingMax,
                expectedMilliseconds < limits.expectedMillisecondsMax
            else { return sendAway(at: now, random: random) }
            newcomers.append(ticket, now)
            newcomersWaiting += 1
        } else {
            known.append(ticket, now)
        }
        waiting[ticket] = isNewcomer
        return .wait
    }

    /// The hub itself has something to do for a connection: nobody waits for that, but it takes its place.
    package mutating func enterAtOnce(_ ticket: Ticket, at now: Int64) {
        places[ticket] = Place(isAtWork: true, since: now)
    }

    /// Its request is answered; the next one is waited for.
    package mutating func answered(_ ticket: Ticket, at now: Int64) {
        guard places[ticket] != nil else { return }
        places[ticket] = Place(isAtWork: false, since: now)
    }

    /// The connection has ended, or says nothing more. Harmless when it has no place and does not wait.
    package mutating func leave(_ ticket: Ticket) {
        places[ticket] = nil
        if waiting.removeValue(forKey: ticket) == true { newcomersWaiting -= 1 }
    }

    /// To be asked after `answered` and `leave`, and every so often.
    /// - Returns: for those who waited, in this order: `.enter` or `.comeBack`.
    package mutating func turn(
        at now: Int64, random: () -> UInt32
    ) -> [(ticket: Ticket, verdict: Verdict)] {
        measure(at: now)
        clearQuiet(at: now)
        guard !waiting.isEmpty else { return [] }
        var verdicts: [(ticket: Ticket, verdict: Verdict)] = []
        while places.count < limits.placesMax, let ticket = takeNext() {
            letIn(ticket.ticket, isNewcomer: ticket.isNewcomer, at: now)
            // Before the first of the line has its turn, places are only filled, and nothing is to be measured.
            if windowAt == nil, ticket.isNewcomer { (windowAt, windowCount) = (now, 0) }
            verdicts.append((ticket.ticket, .enter))
        }
        for isNewcomer in [false, true] {
            while let first = first(isNewcomer: isNewcomer),
                now - first.since >= limits.waitMillisecondsMax
            {
                remove(first.ticket, isNewcomer: isNewcomer)
                verdicts.append((first.ticket, sendAway(at: now, random: random())))
            }
        }
        return verdicts
    }

    // MARK: Places and lines

    private mutating func letIn(_ ticket: Ticket, isNewcomer: Bool, at now: Int64) {
        places[ticket] = Place(isAtWork: true, since: now)
        if isNewcomer { windowCount += 1 }
    }

    private mutating func clearQuiet(at now: Int64) {
        let quiet = places.filter {
            !$0.value.isAtWork && now - $0.value.since >= limits.quietMilliseconds
        }
        for ticket in quiet.keys { places[ticket] = nil }
    }

    /// The first of a line that still waits.
    private mutating func first(isNewcomer: Bool) -> (ticket: Ticket, since: Int64)? {
        while true {
            let line = isNewcomer ? newcomers : known
            guard line.next < line.tickets.count else { return nil }
            let first = line.tickets[line.next]
            if waiting[first.ticket] == isNewcomer { return first }
            if isNewcomer { newcomers.dropFirst() } else { known.dropFirst() }
        }
    }

    private mutating func takeNext() -> (ticket: Ticket, isNewcomer: Bool)? {
        let (old, new) = (first(isNewcomer: false), first(isNewcomer: true))
        guard let chosen = old ?? new else { return nil }
        guard old != nil, let new, knownInARow >= Self.knownInARowMax else {
            knownInARow = old == nil ? 0 : knownInARow + 1
            remove(chosen.ticket, isNewcomer: old == nil)
            return (chosen.ticket, old == nil)
        }
        knownInARow = 0
        remove(new.ticket, isNewcomer: true)
        return (new.ticket, true)
    }

    private static let knownInARowMax = 3

    private mutating func remove(_ ticket: Ticket, isNewcomer: Bool) {
        waiting[ticket] = nil
        if isNewcomer {
            newcomersWaiting -= 1
            newcomers.dropFirst()
        } else {
            known.dropFirst()
        }
    }

    // MARK: When to come back

    private var rate: Double { max(perSecond ?? limits.perSecondAssumed, 0.5) }

    /// For a newcomer that would come now, by the rate measured. Without one the lines alone are the bound.
    private var expectedMilliseconds: Int64 {
        perSecond == nil ? 0 : Int64(Double(newcomersWaiting) / rate * 1000)
    }

    /// Each is told the time at which all who wait, and all who were sent away before, will have been served, and a
    /// little of chance: so they come at the rate at which they can be served.
    private mutating func sendAway(at now: Int64, random: UInt32) -> Verdict {
        sentAwayCount += 1
        let lineEnds = now + Int64(Double(newcomersWaiting) / rate * 1000)
        // A little faster than measured: a hub that waits for devices loses more than one whose line is never empty.
        let step = Int64((800 / rate).rounded(.up))
        let latest = now + Int64(limits.retrySecondsMax) * 1000
        bookedUntil = min(max(bookedUntil, lineEnds) + step, latest)
        var seconds = UInt32(clamping: (bookedUntil - now + 999) / 1000)
        seconds += random % (seconds / 8 + 2)
        return .comeBack(
            afterSeconds: min(max(seconds, limits.retrySecondsMin), limits.retrySecondsMax))
    }

    /// Counts in windows of a second and more, and only while somebody waits: else the rate would be that at which
    /// devices come, not that at which they are served.
    private mutating func measure(at now: Int64) {
        guard let windowAt else { return }
        let elapsed = now - windowAt
        if elapsed >= 1_000 {
            let measured = Double(windowCount) * 1000 / Double(elapsed)
            perSecond = perSecond.map { ($0 + measured) / 2 } ?? measured
            (self.windowAt, windowCount) = (now, 0)
        }
        if waiting.isEmpty { self.windowAt = nil }
    }
}
