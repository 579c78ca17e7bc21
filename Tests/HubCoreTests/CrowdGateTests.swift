import HubCore
import TestSupport
import Testing

@Suite("Who is served when too many come at once")
struct CrowdGateTests {
    typealias Verdict = CrowdGate.Verdict

    private static func limits(
        places: Int = 2, waiting: Int = 3, _ change: (inout CrowdGate.Limits) -> Void = { _ in }
    ) -> CrowdGate.Limits {
        var limits = CrowdGate.Limits()
        limits.placesMax = places
        limits.waitingMax = waiting
        limits.quietMilliseconds = 100
        limits.waitMillisecondsMax = 5_000
        change(&limits)
        return limits
    }

    private static func seconds(_ verdict: Verdict) -> UInt32? {
        if case .comeBack(let seconds) = verdict { return seconds }
        return nil
    }

    @Test("The first ones enter, the next ones wait in order, and the others are told when to come")
    func order() {
        var gate = CrowdGate(Self.limits())
        let verdicts = (1...7).map {
            gate.ask(UInt64($0), isNewcomer: true, at: 0, random: 0)
        }
        #expect(verdicts.prefix(5) == [.enter, .enter, .wait, .wait, .wait])
        #expect(verdicts.suffix(2).allSatisfy { Self.seconds($0) != nil })
        #expect(gate.sentAwayCount == 2 && gate.waitingCount == 3)
        gate.leave(1)
        let called = gate.turn(at: 10) { 0 }
        #expect(called.map(\.ticket) == [3] && called.map(\.verdict) == [.enter])
    }

    @Test(
        "Whoever is at work keeps the place however long it takes, and so does one that asks on at once"
    )
    func servedToTheEnd() {
        var gate = CrowdGate(Self.limits(places: 1))
        #expect(gate.ask(1, isNewcomer: true, at: 0, random: 0) == .enter)
        #expect(gate.ask(2, isNewcomer: true, at: 0, random: 0) == .wait)
        for now in stride(from: Int64(0), to: 4_000, by: 500) {
            #expect(gate.turn(at: now) { 0 }.isEmpty)
            gate.answered(1, at: now + 400)
            #expect(gate.ask(1, isNewcomer: false, at: now + 450, random: 0) == .enter)
        }
    }

    @Test(
        "A place is given up after a moment of quiet, and its device goes before newcomers when it asks again"
    )
    func quiet() {
        var gate = CrowdGate(Self.limits(places: 1))
        _ = gate.ask(1, isNewcomer: true, at: 0, random: 0)
        _ = gate.ask(2, isNewcomer: true, at: 0, random: 0)
        _ = gate.ask(3, isNewcomer: true, at: 0, random: 0)
        gate.answered(1, at: 10)
        #expect(gate.turn(at: 109) { 0 }.isEmpty)
        #expect(gate.turn(at: 110) { 0 }.map(\.ticket) == [2])
        #expect(gate.ask(1, isNewcomer: false, at: 120, random: 0) == .wait)
        gate.leave(2)
        #expect(gate.turn(at: 130) { 0 }.map(\.ticket) == [1])
    }

    @Test("Of four that are let in while known ones wait, one is a newcomer: nobody waits for ever")
    func nobodyStarves() {
        var gate = CrowdGate(Self.limits(places: 1, waiting: 10))
        _ = gate.ask(100, isNewcomer: true, at: 0, random: 0)
        for known in UInt64(1)...6 {
            #expect(gate.ask(known, isNewcomer: false, at: 0, random: 0) == .wait)
        }
        for newcomer in UInt64(11)...12 {
            #expect(gate.ask(newcomer, isNewcomer: true, at: 0, random: 0) == .wait)
        }
        var order: [UInt64] = []
        var leaving: UInt64 = 100
        for now in Int64(1)...8 {
            gate.leave(leaving)
            let called = gate.turn(at: now) { 0 }
            #expect(called.count == 1)
            leaving = called.first?.ticket ?? 0
            order.append(leaving)
        }
        #expect(order == [1, 2, 3, 11, 4, 5, 6, 12])
    }

    @Test("Whoever has waited for the longest time allowed is told to come back, known or not")
    func waitIsBounded() {
        var gate = CrowdGate(Self.limits(places: 1))
        _ = gate.ask(1, isNewcomer: true, at: 0, random: 0)
        _ = gate.ask(2, isNewcomer: true, at: 100, random: 0)
        _ = gate.ask(3, isNewcomer: false, at: 200, random: 0)
        #expect(gate.turn(at: 5_099) { 0 }.isEmpty)
        let called = gate.turn(at: 5_200) { 0 }
        #expect(Set(called.map(\.ticket)) == [2, 3])
        #expect(called.allSatisfy { Self.seconds($0.verdict) != nil })
        #expect(gate.waitingCount == 0)
    }

    @Test(
        "A place comes back whatever way a connection ends: at work, quiet, waiting, or sent away")
    func placesComeBack() {
        var random = SeededGenerator(seed: 7)
        var gate = CrowdGate(Self.limits(places: 5, waiting: 10))
        var open: Set<UInt64> = []
        for step in 0..<5_000 {
            let now = Int64(step) * 13
            let ticket = UInt64(step + 1)
            open.insert(ticket)
            _ = gate.ask(ticket, isNewcomer: true, at: now, random: 0)
            for other in open.sorted().shuffled(using: &random).prefix(2) {
                switch UInt8.random(in: 0...3, using: &random) {
                case 0: gate.answered(other, at: now)
                case 1: _ = gate.ask(other, isNewcomer: false, at: now, random: 0)
                default:
                    gate.leave(other)
                    open.remove(other)
                }
            }
            for called in gate.turn(at: now, random: { 0 }) where called.verdict != .enter {
                open.remove(called.ticket)
                gate.leave(called.ticket)
            }
            #expect(gate.placesTaken <= 5)
        }
        for ticket in open { gate.leave(ticket) }
        #expect(gate.placesTaken == 0 && gate.waitingCount == 0)
    }

    @Test("Those sent away come back as fast as devices are served, one behind the other")
    func appointments() {
        var gate = CrowdGate(Self.limits(places: 10, waiting: 10))
        // Ten a second, while others wait.
        var ticket: UInt64 = 0
        for step in 0..<100 {
            let now = Int64(step) * 100
            if step >= 20 {
                gate.leave(ticket - 19)
                _ = gate.turn(at: now) { 0 }
            }
            ticket += 1
            _ = gate.ask(ticket, isNewcomer: true, at: now, random: 0)
        }
        #expect(gate.sentAwayCount == 0)
        let measured = gate.perSecond ?? 0
        #expect((8...12).contains(measured))
        var waits: [UInt32] = []
        for other in UInt64(1_000)..<1_300 {
            if let wait = Self.seconds(gate.ask(other, isNewcomer: true, at: 10_000, random: 0)) {
                waits.append(wait)
            }
        }
        #expect(waits.count > 280)
        #expect(waits == waits.sorted())
        // 300 of them at ten a second: the last one in some 25 to 35 s.
        #expect((22...38).contains(waits.last ?? 0))
        // About as many for each second as can be served.
        let perSecond = Dictionary(grouping: waits, by: { $0 }).values.map(\.count)
        #expect((perSecond.max() ?? 0) <= 16)
    }

    @Test("Nobody is sent away for longer than the bound, nor for less than the least")
    func retryIsBounded() {
        var gate = CrowdGate(
            Self.limits(places: 1, waiting: 0) {
                $0.retrySecondsMin = 3
                $0.retrySecondsMax = 60
            })
        _ = gate.ask(1, isNewcomer: true, at: 0, random: 0)
        let waits = (2...20_000).compactMap {
            Self.seconds(gate.ask(UInt64($0), isNewcomer: true, at: 0, random: UInt32($0)))
        }
        #expect(waits.count == 19_999)
        #expect(waits.min() == 3 && waits.max() == 60)
    }

    @Test("Once the crowd is over, appointments that were given have no hold on who comes later")
    func crowdEnds() {
        var gate = CrowdGate(Self.limits(places: 1, waiting: 1))
        for ticket in UInt64(1)...500 {
            _ = gate.ask(ticket, isNewcomer: true, at: 0, random: 0)
        }
        gate.leave(1)
        _ = gate.turn(at: 10) { 0 }
        gate.leave(2)
        #expect(gate.ask(1_000, isNewcomer: true, at: 20, random: 0) == .enter)
        #expect(gate.room == 0)
        gate.leave(1_000)
        #expect(gate.room == 1)
    }
}
