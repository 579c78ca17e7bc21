import AgentCore
import Testing
import UpdateTrust

@Suite("An update")
struct UpdateTests {
    static func candidate(_ number: UInt8) -> Candidate {
        // Every field is there, so this cannot throw.
        let stated = try! StatedPackage(
            digest: [UInt8](repeating: number, count: 32), packageBytes: 100, arenaBytes: 1000,
            release: UInt64(number), family: "f", variant: "v", store: "")
        return Candidate(stated: stated, statement: [number], signature: [number])
    }

    static let a = candidate(1)
    static let b = candidate(2)
    static let bad = RefusalReason.package("its golden vectors fail")

    struct Row: Sendable {
        var phase: Update.Phase
        var event: Update.Event
        var next: Update.Phase
        var action: Update.Action
        init(
            _ phase: Update.Phase, _ event: Update.Event, _ next: Update.Phase,
            _ action: Update.Action
        ) {
            (self.phase, self.event, self.next, self.action) = (phase, event, next, action)
        }
    }

    /// With the first slot active.
    static let rows: [Row] = [
        Row(.idle, .offered(a), .fetching(a), .fetch(a)),
        Row(.idle, .restarted, .idle, .nothing),
        Row(.idle, .proved, .idle, .nothing),
        Row(.idle, .failed(bad), .idle, .nothing),
        Row(.idle, .withdrawn, .idle, .nothing),
        Row(.fetching(a), .offered(a), .fetching(a), .nothing),
        Row(.fetching(a), .offered(b), .fetching(b), .discard),
        Row(.fetching(a), .withdrawn, .idle, .discard),
        Row(.fetching(a), .fetched, .fetching(a), .check(a)),
        Row(.fetching(a), .checked, .verified(a), .nothing),
        Row(.fetching(a), .failed(.download("x")), .idle, .refuse(a, .download("x"))),
        Row(.fetching(a), .restarted, .fetching(a), .fetch(a)),
        Row(.fetching(a), .proved, .fetching(a), .nothing),
        Row(.verified(a), .restarted, .trial(a, attempts: 1), .prove(a)),
        Row(.verified(a), .offered(b), .fetching(b), .discard),
        Row(.verified(a), .failed(bad), .idle, .refuse(a, bad)),
        Row(.verified(a), .withdrawn, .idle, .discard),
        Row(.trial(a, attempts: 1), .proved, .idle, .activated(a, in: .second)),
        Row(.trial(a, attempts: 1), .failed(bad), .idle, .refuse(a, bad)),
        Row(.trial(a, attempts: 1), .restarted, .trial(a, attempts: 2), .prove(a)),
        Row(.trial(a, attempts: 2), .restarted, .trial(a, attempts: 3), .prove(a)),
        Row(
            .trial(a, attempts: 3), .restarted, .idle,
            .refuse(a, .package("its trial was cut short 3 times: it may crash the agent"))),
        Row(.trial(a, attempts: 1), .offered(b), .fetching(b), .discard),
        Row(.trial(a, attempts: 1), .offered(a), .trial(a, attempts: 1), .nothing),
    ]

    @Test("does in each state what its table says", arguments: rows.indices)
    func table(_ index: Int) {
        let row = Self.rows[index]
        var update = Update(phase: row.phase, active: .first)
        let action = update.handle(row.event)
        #expect(action == row.action)
        #expect(update.phase == row.next)
        if case .activated(_, let slot) = action {
            #expect(update.active == slot)
        } else {
            #expect(update.active == .first)
        }
    }

    @Test("killed after any step is taken up again and ends active")
    func killedAnywhere() {
        // What the caller does of its own accord after each step; a kill repeats `.restarted` instead.
        for killAfter in 0..<6 {
            var update = Update(active: .first)
            var steps = 0
            var events: [Update.Event] = [.offered(Self.a)]
            var activated = 0
            while let event = events.popLast() {
                let action = update.handle(event)
                steps += 1
                if steps == killAfter {
                    // Only the stored state is left.
                    events = [.restarted]
                    if case .idle = update.phase {} else { continue }
                }
                switch action {
                case .fetch: events.append(.fetched)
                case .check:
                    _ = update.handle(.checked)
                    events.append(.restarted)
                case .prove: events.append(.proved)
                case .activated: activated += 1
                case .nothing, .discard, .refuse, .rolledBack: break
                }
            }
            #expect(update == Update(phase: .idle, active: .second), "killed after \(killAfter)")
            #expect(activated == 1, "killed after \(killAfter)")
        }
    }

    @Test("goes back to the other slot when the active package breaks")
    func rollBack() {
        var update = Update(active: .second)
        let first = update.handle(.activeBroken("x", otherSlotIsUsable: true))
        #expect(first == .rolledBack(to: .first, reason: "x"))
        #expect(update.active == .first)
        let second = update.handle(.activeBroken("y", otherSlotIsUsable: false))
        #expect(second == .rolledBack(to: nil, reason: "y"))
        #expect(update.active == nil)
    }

    @Test("tries a refused package again only when something can have changed")
    func retries() {
        #expect(
            !RefusedPackage(reason: [], budgetBytes: nil, downloads: 0).mayBeRetried(budgetBytes: 1)
        )
        #expect(
            !RefusedPackage(reason: [], budgetBytes: 10, downloads: 0).mayBeRetried(budgetBytes: 10)
        )
        #expect(
            RefusedPackage(reason: [], budgetBytes: 10, downloads: 0).mayBeRetried(budgetBytes: 11))
        #expect(
            RefusedPackage(reason: [], budgetBytes: nil, downloads: 2).mayBeRetried(budgetBytes: 1))
        #expect(
            !RefusedPackage(reason: [], budgetBytes: nil, downloads: 3).mayBeRetried(budgetBytes: 1)
        )
    }
}
