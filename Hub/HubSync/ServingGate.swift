import HubCore
import NIOCore
import Synchronization

/// The `CrowdGate` of all connections: makes the ones wait that it says, and lets them go on. Safe to call from anywhere.
final class ServingGate: Sendable {
    typealias Ticket = CrowdGate.Ticket

    /// For the log, and for those who look.
    struct Report: Equatable {
        var atWork: Int
        var waiting: Int
        /// Since the beginning.
        var sentAway: Int
        /// Newcomers served in a second while others waited.
        var perSecond: Double?
    }

    private struct State {
        var gate: CrowdGate
        var waiting: [Ticket: CheckedContinuation<UInt32?, Never>] = [:]
        var nextTicket: Ticket = 0
        var isStopping = false
    }

    private let state: Mutex<State>

    init(_ limits: CrowdGate.Limits) { state = Mutex(State(gate: CrowdGate(limits))) }

    /// For a new connection.
    func ticket() -> Ticket {
        state.withLock { state in
            state.nextTicket += 1
            return state.nextTicket
        }
    }

    /// Returns when the connection's request may be worked on.
    /// - Returns: nil, or after how many seconds the device is to come back instead.
    func enter(_ ticket: Ticket, isNewcomer: Bool) async -> UInt32? {
        await withCheckedContinuation { continuation in
            let verdict = state.withLock { state in
                guard !state.isStopping else {
                    return CrowdGate.Verdict.comeBack(
                        afterSeconds: state.gate.limits.retrySecondsMin)
                }
                let verdict = state.gate.ask(
                    ticket, isNewcomer: isNewcomer, at: Self.now, random: Self.random())
                if verdict == .wait { state.waiting[ticket] = continuation }
                return verdict
            }
            switch verdict {
            case .enter: continuation.resume(returning: nil)
            case .wait: break
            case .comeBack(let seconds): continuation.resume(returning: seconds)
            }
        }
    }

    /// For what the hub itself has to do with a connection.
    func enterAtOnce(_ ticket: Ticket) {
        state.withLock { $0.gate.enterAtOnce(ticket, at: Self.now) }
    }

    func answered(_ ticket: Ticket) {
        state.withLock { $0.gate.answered(ticket, at: Self.now) }
    }

    /// The connection has ended, or has nothing to ask any more. Harmless when repeated.
    func leave(_ ticket: Ticket) {
        let waiter = state.withLock { state in
            state.gate.leave(ticket)
            return state.waiting.removeValue(forKey: ticket)
        }
        // Nobody hears it: the connection is gone.
        waiter?.resume(returning: 0)
        turn()
    }

    /// Lets in whoever may enter by now, and sends away who has waited too long.
    func turn() {
        let called = state.withLock { state in
            state.gate.turn(at: Self.now, random: Self.random).compactMap { called in
                state.waiting.removeValue(forKey: called.ticket).map { ($0, called.verdict) }
            }
        }
        for (waiter, verdict) in called {
            if case .comeBack(let seconds) = verdict {
                waiter.resume(returning: seconds)
            } else {
                waiter.resume(returning: nil)
            }
        }
    }

    /// The hub is going down: whoever waits is told so, and nobody is let in any more.
    func stop() {
        let waiters = state.withLock { state in
            state.isStopping = true
            defer { state.waiting = [:] }
            return state.waiting
        }
        for (ticket, waiter) in waiters {
            waiter.resume(returning: UInt32(clamping: 2 + ticket % UInt64(waiters.count)))
        }
    }

    /// Places that nobody waits for.
    var room: Int { state.withLock { $0.gate.room } }

    var report: Report {
        state.withLock {
            Report(
                atWork: $0.gate.placesTaken, waiting: $0.gate.waitingCount,
                sentAway: $0.gate.sentAwayCount, perSecond: $0.gate.perSecond)
        }
    }

    private static var now: Int64 { Int64(NIODeadline.now().uptimeNanoseconds / 1_000_000) }
    @Sendable private static func random() -> UInt32 { .random(in: .min ... .max) }
}
