import AgentCore
import Testing

@Suite("A watchdog")
struct WatchdogTests {
    @Test("is told of a long sleep before it, and that the sleep ended early")
    func longSleep() {
        var watchdog = Watchdog(intervalMilliseconds: 180_000, now: 0)
        #expect(watchdog.isTold(now: 0, pause: 900_000) == 1_080_000)
        #expect(watchdog.isTold(now: 900_000, pause: 0) == nil)
        #expect(watchdog.isTold(now: 900_100, pause: 900_000) == 1_080_000)
        // A till woke it: what hangs now is noticed after one interval.
        #expect(watchdog.isTold(now: 1_000_000, pause: 0) == 180_000)
    }

    @Test("of a busy agent is told every half interval, not at every turn")
    func busy() {
        var watchdog = Watchdog(intervalMilliseconds: 180_000, now: 0)
        var told: [Int64] = []
        for now in stride(from: Int64(0), through: 600_000, by: 1_000) {
            if watchdog.isTold(now: now, pause: 500) != nil { told.append(now) }
            if watchdog.isTold(now: now + 500, pause: 0) != nil { told.append(now + 500) }
        }
        #expect(told == [90_000, 181_000, 272_000, 363_000, 454_000, 545_000])
    }

    @Test("never strikes while pauses last as long as announced and work half an interval")
    func neverStrikes() {
        var watchdog = Watchdog(intervalMilliseconds: 10_000, now: 0)
        var strikesAt: Int64 = 10_000
        var now: Int64 = 0
        for round in 0..<1_000 {
            let pause = Int64(round * 7919 % 100_000)
            if let allowed = watchdog.isTold(now: now, pause: pause) { strikesAt = now + allowed }
            now += pause
            #expect(now < strikesAt, "asleep in round \(round)")
            if let allowed = watchdog.isTold(now: now, pause: 0) { strikesAt = now + allowed }
            now += 4_900
            #expect(now < strikesAt, "at work in round \(round)")
        }
    }
}
