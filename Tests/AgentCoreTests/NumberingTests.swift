import AgentCore
import Testing

@Suite("Numbers of unsent records")
struct NumberingTests {
    static func entries(_ sequences: [UInt64], _ generation: UInt64 = 1) -> [Numbering.Entry] {
        sequences.map { Numbering.Entry(sequence: $0, generation: generation) }
    }

    @Test("stay when the hub stands where we think")
    func agreement() {
        let plan = Numbering.reconcile(
            unsent: Self.entries([5, 6]), next: 7, confirmedGeneration: 1, stored: 4)
        #expect(plan == Numbering.Plan(stored: [], renumbered: [], next: 7))
    }

    @Test("whose acknowledgement was lost are not sent again")
    func lostAcknowledgement() {
        let plan = Numbering.reconcile(
            unsent: Self.entries([5, 6, 7]), next: 8, confirmedGeneration: 1, stored: 6)
        #expect(plan == Numbering.Plan(stored: [5, 6], renumbered: [], next: 8))
    }

    @Test("of a new database follow the hub's, and none counts as stored")
    func newDatabase() {
        let plan = Numbering.reconcile(
            unsent: Self.entries([1, 2], 2), next: 3, confirmedGeneration: 1, stored: 100)
        #expect(
            plan == Numbering.Plan(stored: [], renumbered: [(1, 101), (2, 102)], next: 103))
    }

    @Test("taken over from a damaged database are told from those given since")
    func salvaged() {
        let plan = Numbering.reconcile(
            unsent: Self.entries([98, 99, 103]) + Self.entries([104, 105], 2), next: 106,
            confirmedGeneration: 1, stored: 99)
        #expect(
            plan
                == Numbering.Plan(
                    stored: [98, 99], renumbered: [(103, 100), (104, 101), (105, 102)], next: 103))
    }

    @Test("go back when the hub was restored from an older copy")
    func restoredHub() {
        let plan = Numbering.reconcile(
            unsent: Self.entries([50]), next: 51, confirmedGeneration: 1, stored: 30)
        #expect(plan == Numbering.Plan(stored: [], renumbered: [(50, 31)], next: 32))
    }
}

@Suite("The wait before the next try")
struct BackoffTests {
    @Test("doubles, is spread, and is bounded")
    func bounds() {
        var backoff = Backoff()
        var shortest = Backoff()
        for step in 0..<40 {
            let doubled = min(500 << Int64(min(step, 20)), 60_000)
            let (longestWait, shortestWait) = (
                backoff.failed(random: .max), shortest.failed(random: 0)
            )
            #expect(longestWait == doubled)
            #expect(shortestWait == doubled / 2)
        }
        backoff.succeeded()
        let wait = backoff.failed(random: .max)
        #expect(wait == 500)
    }

    @Test("the hub asked for is kept, and at most a tenth longer")
    func asked() {
        #expect(Backoff.asked(milliseconds: 60_000, random: 0) == 60_000)
        #expect(Backoff.asked(milliseconds: 60_000, random: .max) == 66_000)
        #expect(Backoff.asked(milliseconds: 0, random: .max) == 0)
    }

    @Test("After a hub's refusal the longer of its wait and the device's own counts")
    func askedWait() {
        var backoff = Backoff()
        #expect(backoff.failed(askedMilliseconds: 20_000, random: 0) == 20_000)
        #expect(backoff.failed(askedMilliseconds: 20_000, random: .max) == 22_000)
        for _ in 0..<10 { _ = backoff.failed(random: 0) }
        #expect(backoff.failed(askedMilliseconds: 2_000, random: 0) == 30_000)
    }

    @Test("A fleet that loses its hub in one second spreads its first tries over eight")
    func lost() {
        let waits = (UInt32(0)..<65_536).map { random in
            var backoff = Backoff()
            return backoff.lost(random: random)
        }
        #expect(
            waits.min() == Backoff.millisecondsMin && waits.max() == Backoff.lostMillisecondsMax)
        for second in Int64(1)..<8 {
            let share = waits.count { $0 / 1000 == second }
            #expect((65_536 / 9...65_536 / 7).contains(share))
        }
        var backoff = Backoff()
        _ = backoff.lost(random: 0)
        #expect(backoff.failed(random: .max) == 2 * Backoff.millisecondsMin)
    }
}

@Suite("What a machine says of itself")
struct CapabilitiesTests {
    @Test("is read from cpuinfo of either architecture")
    func features() {
        let x86 = "processor : 0\nflags\t\t: fpu sse4_1 avx2 avx512_vnni\nflags\t\t: fpu\n"
        let arm = "Features\t: fp asimd asimddp i8mm\n"
        #expect(
            Capabilities.cpuFeatures(cpuinfo: [UInt8](x86.utf8)) == [
                "sse4.1", "avx2", "avx512vnni",
            ])
        #expect(
            Capabilities.cpuFeatures(cpuinfo: [UInt8](arm.utf8)) == ["neon", "dotprod", "i8mm"])
        #expect(Capabilities.cpuFeatures(cpuinfo: []) == [])
        let meminfo = "MemTotal:  100 kB\nMemAvailable:     24684 kB\n"
        #expect(Capabilities.memoryAvailable(meminfo: [UInt8](meminfo.utf8)) == 24684 * 1024)
    }

    static let budgets: [(String, UInt64?)] = [
        ("20480", 20_480), ("20KiB", 20_480), ("1MiB", 1 << 20), ("0", 0), ("1024MiB", 1 << 30),
        ("", nil), ("KiB", nil), ("20kb", nil), ("-1", nil), ("1.5KiB", nil), ("1025MiB", nil),
        ("99999999999999999999", nil), ("20 KiB", nil),
    ]

    @Test("and its operator's budget is a number of bytes, KiB or MiB", arguments: budgets.indices)
    func budget(_ index: Int) {
        let (text, expected) = Self.budgets[index]
        #expect(Capabilities.budget(text: [UInt8](text.utf8)) == expected)
    }

    @Test("and its labels are key=value")
    func labels() {
        for good in ["a=b", "aisle=dairy", "k=v=w"] {
            #expect(Capabilities.isLabel([UInt8](good.utf8)))
        }
        for bad in ["", "a", "=b", "a=", "a b=c", "a=b,c", "a=ü"] {
            #expect(!Capabilities.isLabel([UInt8](bad.utf8)))
        }
    }

    @Test("without a word of the operator, a budget of a thousandth of the memory within bounds")
    func derived() {
        #expect(Capabilities.derivedBudget(memoryTotalBytes: 64 << 20) == 67_108)
        #expect(Capabilities.derivedBudget(memoryTotalBytes: 1 << 20) == 4096)
        #expect(Capabilities.derivedBudget(memoryTotalBytes: 64 << 30) == 1 << 20)
    }
}
