/// The addresses of a host's name, asked of the servers that resolv.conf(5) names, and for `NAME.local` of whoever is on the
/// link (RFC 6762, 5.1). Holds no socket and no clock: whoever has them does what a `Step` says, and tells how it went.
package struct NameLookup: Sendable {
    package enum Failure: Error, Equatable, Sendable {
        /// The servers know no such name, or no address of it.
        case noSuchName
        /// No server answered, or none could say.
        case noAnswer
    }

    package struct Question: Equatable, Sendable {
        package var server: NetworkAddress
        /// Answers then come from whom they please.
        package var isMulticast: Bool
        /// For IPv6 and IPv4.
        package var packets: [[UInt8]]
    }

    package enum Step: Equatable, Sendable {
        /// Send these, from a new socket whose port nobody can guess, and wait until `deadline`.
        case ask(Question)
        case wait
        /// The first that answers is the one. Both kinds take turns (RFC 8305, 4).
        case found([NetworkAddress])
        case failed(Failure)
    }

    /// For all of it.
    package static let millisecondsMax: Int64 = 10_000
    /// One kind of address is there; the other gets so long (RFC 8305, 3, "resolution delay"; longer, for slow links).
    static let otherKindMilliseconds: Int64 = 300
    static let multicastMilliseconds: Int64 = 1_000
    static let multicastAttempts = 2
    package static let multicastAddress = NetworkAddress(bytes: [224, 0, 0, 251])

    private struct Candidate {
        var name: [UInt8]
        var isMulticast = false
    }

    /// Of a question of one kind.
    private struct Open {
        var kind: NameMessage.Kind
        var id: UInt16
        /// Nil until the server has answered.
        var answer: NameMessage.Answer?
    }

    private let servers: NameServers
    private var candidates: [Candidate] = []
    private var round = 0
    private var open: [Open] = []
    private var wasAnswered = false
    private let end: Int64
    /// When `goOn` is due, in the milliseconds that it is told.
    package private(set) var deadline: Int64

    /// - Parameter name: nil comes back where it cannot be one.
    package init?(_ name: [UInt8], servers: NameServers, now: Int64) {
        let dot = UInt8(ascii: ".")
        guard let plain = NameMessage.wire(name[...]) else { return nil }
        self.servers = servers
        (end, deadline) = (now + Self.millisecondsMax, now)
        let isWhole = name.last == dot
        let dots = name.count { $0 == dot }
        let inSearch =
            isWhole
            ? []
            : servers.search.compactMap {
                NameMessage.wire((name + [dot] + $0)[...]).map { Candidate(name: $0) }
            }
        if dots == 1, plain.suffix(7).elementsEqual([5] + Array("local".utf8) + [0]) {
            candidates.append(Candidate(name: plain, isMulticast: true))
        }
        if dots < servers.dots, !isWhole {
            candidates += inSearch + [Candidate(name: plain)]
        } else {
            candidates += [Candidate(name: plain)] + inSearch
        }
    }

    /// Asks, or asks the next one where the time of the last is over.
    /// - Parameter random: not to be guessed.
    package mutating func goOn(now: Int64, random: UInt32) -> Step {
        guard now >= deadline else { return .wait }
        if let found { return found }
        if open.contains(where: { $0.answer == .noSuchName }) {
            return nextName(now: now, random: random)
        }
        if !open.isEmpty { round += 1 }
        return ask(now: now, random: random)
    }

    /// The question could not be sent, or nobody listens there.
    package mutating func couldNotAsk(now: Int64, random: UInt32) -> Step {
        if let found { return found }
        round += 1
        return ask(now: now, random: random)
    }

    /// A packet that came to the socket of the last question.
    package mutating func take(_ packet: [UInt8], now: Int64, random: UInt32) -> Step {
        guard let name = candidates.first?.name,
            let index = open.firstIndex(where: { one in
                one.answer == nil
                    && NameMessage.answer(in: packet, to: name, one.kind, id: one.id) != nil
            })
        else { return .wait }
        open[index].answer = NameMessage.answer(
            in: packet, to: name, open[index].kind, id: open[index].id)
        if open[index].answer != .refused { wasAnswered = true }
        if open.contains(where: { $0.answer == nil }) {
            if found != nil { deadline = min(deadline, now + Self.otherKindMilliseconds) }
            return .wait
        }
        if let found { return found }
        guard open.contains(where: { $0.answer == .refused }) else {
            return nextName(now: now, random: random)
        }
        round += 1
        return ask(now: now, random: random)
    }

    /// What has been found so far, the kinds in turn.
    private var found: Step? {
        var lists: [[NetworkAddress]] = []
        for one in open { if case .addresses(let list)? = one.answer { lists.append(list) } }
        var all: [NetworkAddress] = []
        for at in 0..<NameMessage.addressesMax {
            for list in lists where at < list.count { all.append(list[at]) }
        }
        return all.isEmpty ? nil : .found(all)
    }

    private mutating func nextName(now: Int64, random: UInt32) -> Step {
        candidates.removeFirst()
        round = 0
        return ask(now: now, random: random)
    }

    private mutating func ask(now: Int64, random: UInt32) -> Step {
        open = []
        guard let candidate = candidates.first, now < end else {
            return .failed(wasAnswered ? .noSuchName : .noAnswer)
        }
        let asked = candidate.isMulticast ? [Self.multicastAddress] : servers.asked
        let attempts = candidate.isMulticast ? Self.multicastAttempts : servers.attempts
        guard round < attempts * asked.count else {
            // Servers that do not answer to one name do not to another.
            guard candidate.isMulticast || wasAnswered else { return .failed(.noAnswer) }
            return nextName(now: now, random: random)
        }
        let patience =
            candidate.isMulticast ? Self.multicastMilliseconds : servers.milliseconds
        deadline = min(now + patience, end)
        open = [
            Open(kind: .ipv6, id: UInt16(random >> 16)),
            Open(kind: .ipv4, id: UInt16(random & 0xFFFF)),
        ]
        return .ask(
            Question(
                server: asked[round % asked.count], isMulticast: candidate.isMulticast,
                packets: open.map { NameMessage.question(candidate.name, $0.kind, id: $0.id) }))
    }
}
