import AgentCore
import AgentRuntime
import CFailingDisk
import Forecasting
import Foundation
import JSONText
import ModelPackage
import SyncProtocol
import TestSupport
import Testing

/// A folder whose database meets a disk that fails when told to.
final class FailingDisk {
    let folder = TemporaryFolder()
    private let disk: OpaquePointer

    init() throws { disk = try #require(shelfcast_disk_make(folder.path)) }

    deinit { shelfcast_disk_free(disk) }

    /// The `first`-th write from now on fails, and all behind it when `lasts`.
    func fail(at first: Int, with error: Int32, lasts: Bool = true) {
        shelfcast_disk_fail(disk, Int64(first), error, lasts ? 1 : 0)
    }

    /// What was at work at the first failure.
    var mark: AtWork? { AtWork(rawValue: shelfcast_disk_mark(disk)) }

    func mend() { fail(at: 0, with: 0) }
    var failures: Int { Int(shelfcast_disk_failures(disk)) }
    var writes: Int { Int(shelfcast_disk_writes(disk)) }

    /// What a power cut leaves of what was not synced.
    func lose(seed: UInt64) throws {
        try #require(shelfcast_disk_lose(disk, seed) == 0)
    }
}

/// What fails here are SQLite's writes, syncs, truncations and new files, one after the other.
@Suite("A disk that fails")
struct FailingDiskTests {
    /// A device's life from its first start, in steps that can be taken again.
    final class Life {
        let disk: FailingDisk
        let hub = TestHub()
        private var service: AgentService?
        private let packages: [[UInt8]]

        init(packages: [[UInt8]]) throws {
            disk = try FailingDisk()
            self.packages = packages
            hub.enrol(disk.folder)
        }

        func end() { service = nil }

        func started() throws -> AgentService {
            if let service { return service }
            let started: AgentService
            do {
                started = try AgentService.start(disk.folder, checks: true)
            } catch let error as StoreError { throw AgentError.store(error) }
            // Whatever failed: nothing was damaged, and nothing is set aside.
            #expect(started.store.openingNote == nil)
            service = started
            return started
        }

        private func sell(on day: BusinessDay) throws {
            let service = try started()
            _ = try service.record(
                (1...3).map {
                    Sale(
                        day: day, item: try ItemID("\($0)"), units: UInt32($0),
                        reference: [UInt8]("s\($0)".utf8))
                })
        }

        /// From the first start to an active package.
        var firstUpdate: [() throws -> Void] { [() throws -> Void](steps.prefix(3)) }

        var steps: [() throws -> Void] {
            let days = (1...2).map { TestPackage.day($0) }
            return [
                { _ = try self.started() },
                { try self.hub.offer(self.packages[0], release: 1) },
                { try self.hub.visit(self.started()) },
                { try self.sell(on: days[0]) },
                {
                    let back = Sale(
                        day: days[0], item: try ItemID("3"), units: 2, reference: [0x72],
                        isReturn: true)
                    _ = try self.started().record([back])
                },
                { try self.say(#"{"do":"stock","item":"1","units":9,"day":"2016-07-19"}"#) },
                { try self.say(#"{"do":"ordered","item":"1","units":6,"due":"2016-08-19"}"#) },
                { _ = try self.started().close(days[0], isClosedAllDay: false) },
                { try self.hub.visit(self.started()) },
                { try self.hub.offer(self.packages[1], release: 2) },
                { try self.hub.visit(self.started()) },
                { try self.sell(on: days[1]) },
                { _ = try self.started().close(days[1], isClosedAllDay: false) },
                { try self.hub.visit(self.started()) },
                { try self.hub.visit(self.started()) },
            ]
        }

        /// Of the steps, the visits that bring a package.
        static let updates = [2, 10]

        private func say(_ line: String) throws {
            let reply = try started().reply(to: LocalRequest(line: [UInt8](line.utf8)))
            if reply["ok"] != .bool(true) { throw Said(reply: reply) }
        }

        func check() throws {
            let service = try started()
            #expect(
                hub.sold == [
                    "17001 1": 1, "17001 2": 2, "17001 3": 3, "17002 1": 1, "17002 2": 2,
                    "17002 3": 3,
                ])
            let returns = hub.records.count { if case .returned = $0 { true } else { false } }
            #expect(returns == 1)
            #expect(hub.closedDays == [17_001, 17_002])
            #expect(service.running?.release == 2)
            #expect(hub.reports.last?.outcome == .active)
            #expect(try service.store.unsentCount() == 0)
            let own = try service.store.ownUnits(of: TestPackage.day(1))
            #expect(own == [try ItemID("1"): 1, try ItemID("2"): 2, try ItemID("3"): 1])
            let shelf = service.reply(
                to: try LocalRequest(line: [UInt8](#"{"do":"stock","item":"1"}"#.utf8)))
            #expect(
                shelf["onOrder"]
                    == .array([
                        .object([.init("units", .integer(6)), .init("due", .string("2016-08-19"))])
                    ]))
            let verdict = try service.store.database.first("PRAGMA integrity_check", columns: 1)
            #expect(verdict?[0] == .text([UInt8]("ok".utf8)))
        }
    }

    /// An answer that is no success.
    struct Said: Error { var reply: JSONValue }

    struct Way: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var error: Int32
        var lasts = true
        var restarts = false
        var says: StoreError
    }

    static let ways = [
        Way(testDescription: "full until there is room", error: ENOSPC, says: .full),
        Way(testDescription: "full for one write", error: ENOSPC, lasts: false, says: .full),
        Way(
            testDescription: "full, and the device is started again", error: ENOSPC, restarts: true,
            says: .full),
        Way(testDescription: "turned read-only", error: EROFS, says: .readOnly),
        Way(
            testDescription: "turned read-only, and mounted anew", error: EROFS, restarts: true,
            says: .readOnly),
    ]

    /// Takes the step again and again, each time with another write of it failing: the first, the second, …, until
    /// none is left to fail. `failed` is called with what it threw.
    static func sweep(
        _ life: Life, _ place: String, _ way: Way, _ step: () throws -> Void,
        failed: (any Error) throws -> Void
    ) throws {
        for write in 1...1_000 {
            let before = life.disk.failures
            life.disk.fail(at: write, with: way.error, lasts: way.lasts)
            do {
                try step()
                life.disk.mend()
                return
            } catch {
                // It is tried again only because the disk failed.
                try #require(life.disk.failures > before, "\(place), write \(write): \(error)")
                try failed(error)
                if way.restarts { life.end() }
                life.disk.mend()
            }
        }
        Issue.record("\(place) never comes to an end")
    }

    static func packages() throws -> [[UInt8]] {
        try (1...2).map { try TestPackage.model(release: UInt64($0)).encode() }
    }

    /// What a till or an operator is told when the disk fails in a step.
    static func checkWords(_ error: any Error, _ index: Int, _ way: Way) throws {
        switch error {
        // A disk that had room again at once: SQLite may have asked it for something else since.
        case AgentError.store(.failed(_, let text)) where index == 0 && !way.lasts:
            #expect(text == "disk I/O error")
        case let error as AgentError: #expect(error == .store(way.says), "step \(index)")
        case let said as Said:
            #expect(said.reply["error"] == .string(way.says.text), "step \(index)")
        default: throw error
        }
    }

    @Test(
        "at any write of a sale, a close, a visit and an update is said to, and all goes on when it is mended",
        arguments: ways.filter(\.lasts))
    func everyWrite(way: Way) throws {
        let life = try Life(packages: Self.packages())
        for (index, step) in life.steps.enumerated() {
            try Self.sweep(life, "step \(index)", way, step) { error in
                try Self.checkWords(error, index, way)
            }
        }
        #expect(life.disk.failures > 150)
        try life.check()
    }

    /// A failure that passes leaves what was committed before it in the step, so that a sweep along one life would skip
    /// writes: each gets a life of its own, and the last one has none left to fail.
    @Test(
        "at one write alone, each of a life in its turn, is said to, and all goes on",
        arguments: [ways[1], cut])
    func eachWrite(way: Way) throws {
        let packages = try Self.packages()
        var random = SeededGenerator(seed: 34)
        for write in 1...1_000 {
            let life = try Life(packages: packages)
            life.disk.fail(at: write, with: way.error, lasts: way.lasts)
            for (index, step) in life.steps.enumerated() {
                let before = life.disk.failures
                do { try step() } catch {
                    try #require(
                        life.disk.failures > before, "write \(write), step \(index): \(error)")
                    if way.restarts {
                        life.end()
                        try life.disk.lose(seed: random.next())
                    } else {
                        try Self.checkWords(error, index, way)
                    }
                    life.disk.mend()
                    try step()
                }
                // Some may fail without a word, as what makes room in the log: nothing is lost by it.
                if life.disk.failures > before { life.disk.mend() }
            }
            try life.check()
            guard life.disk.failures > 0 else {
                // Every write was seen to fail: as many as this life has made.
                #expect(life.disk.writes < write && write > 100)
                return
            }
        }
        Issue.record("a life never comes to an end")
    }

    static let cut = Way(testDescription: "power cut", error: EIO, restarts: true, says: .cut)

    @Test(
        "with its power at any write keeps what was acknowledged, whatever of the rest it kept",
        arguments: [0, 0xCAFE_F00D] as [UInt64])
    func powerCut(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        func lose(_ life: Life) throws {
            life.end()
            try life.disk.lose(seed: seed == 0 ? 0 : random.next())
        }
        let packages = try Self.packages()
        let life = try Life(packages: packages)
        for (index, step) in life.steps.enumerated() {
            guard !Life.updates.contains(index) else {
                try step()
                continue
            }
            try Self.sweep(life, "step \(index)", Self.cut, step) { _ in try lose(life) }
        }
        #expect(life.disk.failures > 100)
        try life.check()
        // A package whose trial power cuts short again and again is given up: so each time another device.
        for write in 1... {
            let life = try Life(packages: packages)
            life.disk.fail(at: 0, with: 0)
            try life.firstUpdate[0]()
            try life.firstUpdate[1]()
            life.disk.fail(at: write, with: EIO)
            do { try life.firstUpdate[2]() } catch { try lose(life) }
            life.disk.mend()
            try life.firstUpdate[2]()
            #expect(try life.started().running?.release == 1, "write \(write)")
            #expect(life.hub.reports.last?.outcome == .active, "write \(write)")
            guard life.disk.failures > 0 else { break }
        }
    }

    @Test(
        "at any write of an update that comes as a delta ends with the new package, byte for byte",
        arguments: [(ways[0], 7), (ways[1], 7), (cut, 40), (cut, 7)])
    func delta(way: Way, chunkBytes: Int) throws {
        let packages = try [1, 2].map {
            try TestPackage.model(release: $0, level: Float(10 + $0)).encode()
        }
        var random = SeededGenerator(seed: 4)
        for write in 1...400 {
            let life = try Life(packages: packages)
            for step in life.firstUpdate { try step() }
            life.hub.chunkBytes = chunkBytes
            try life.hub.offer(packages[1], release: 2)
            let digest = life.hub.offerDelta(from: packages[0], to: packages[1])
            life.disk.fail(at: write, with: way.error, lasts: way.lasts)
            do { try life.hub.visit(life.started()) } catch {
                try #require(life.disk.failures > 0, "write \(write): \(error)")
                if way.restarts {
                    life.end()
                    try life.disk.lose(seed: random.next())
                }
            }
            let hasFailed = life.disk.failures > 0
            life.disk.mend()
            try life.hub.visit(life.started())
            let service = try life.started()
            #expect(service.running?.release == 2, "write \(write)")
            #expect(life.hub.reports.last?.outcome == .active, "write \(write)")
            #expect(try service.store.package(in: .second)?.content == packages[1])
            // What was fetched twice was lost with its power, and the whole file was never asked for.
            #expect(life.hub.fetched[Crypto.sha256(packages[1])] == nil, "write \(write)")
            #expect(life.hub.fetched[digest, default: 0] > 0)
            guard hasFailed else { return }
        }
        Issue.record("the update never comes to an end")
    }

    /// A second release goes on trial for two days, becomes active, and is taken back.
    static func trialSteps(_ life: Life, _ packages: [[UInt8]]) -> [() throws -> Void] {
        func day(_ offset: Int) -> () throws -> Void {
            {
                let service = try life.started()
                let day = TestPackage.day(offset)
                _ = try service.record(
                    (1...3).map {
                        Sale(
                            day: day, item: try ItemID("\($0)"), units: 9,
                            reference: [UInt8]("s\($0)".utf8))
                    })
                _ = try service.close(day, isClosedAllDay: false)
                try life.hub.visit(service)
            }
        }
        return [
            {
                try life.hub.offer(packages[1], release: 2)
                life.hub.desired.trialDays = 2
                try life.hub.visit(life.started())
            }, day(1), day(2), day(3), day(4), day(5),
            {
                life.hub.desired = DesiredState(
                    desire: .goBack, reason: "worse", digest: Crypto.sha256(packages[1]))
                try life.hub.visit(life.started())
            },
        ]
    }

    @Test(
        "at any write of a trial, or cut from its power there, always has a package, and the trial comes to its end",
        arguments: [(Self.ways[0], 1), (Self.ways[1], 2), (Self.cut, 3)])
    func trial(way: Way, first: Int) throws {
        let packages = try Self.packages()
        var random = SeededGenerator(seed: 21)
        // Every third write of each way, other ones for each.
        for write in stride(from: first, to: 400, by: 3) {
            let life = try Life(packages: packages)
            for step in life.firstUpdate { try step() }
            life.disk.fail(at: write, with: way.error, lasts: way.lasts)
            for (index, step) in Self.trialSteps(life, packages).enumerated() {
                do { try step() } catch {
                    try #require(life.disk.failures > 0, "write \(write), step \(index): \(error)")
                    if way.restarts {
                        life.end()
                        try life.disk.lose(seed: random.next())
                    }
                    life.disk.mend()
                    try step()
                }
                // What failed inside a trial fails nothing else, and is taken up again.
                if life.disk.failures > 0 { life.disk.mend() }
                let running = try life.started().running?.release
                #expect(running == 1 || running == 2, "write \(write), step \(index)")
            }
            let service = try life.started()
            #expect(service.running?.release == 1, "write \(write)")
            #expect(service.update.phase == .idle, "write \(write)")
            let outcomes = life.hub.reports.filter { $0.digest == Crypto.sha256(packages[1]) }
                .map(\.outcome)
            #expect(outcomes.last == .rolledBack, "write \(write): \(outcomes)")
            #expect(life.hub.closedDays == (1...5).map { TestPackage.day($0).daysSince1970 })
            guard life.disk.failures > 0 else { return }
        }
        Issue.record("the trial never comes to an end")
    }

    @Test("is told to tills and in status while it lasts, and no longer", arguments: ways[0...3])
    func running(way: Way) throws {
        let disk = try FailingDisk()
        let hub = TestHub()
        hub.enrol(disk.folder)
        let service = try AgentService.start(disk.folder)
        let runner = try Runner(service, closingTime: nil) { _ in }
        let till = LocalSocketTests.Till(disk.folder)
        func ask(_ line: String) throws -> String {
            till.send(line)
            for _ in 0..<4 { _ = try runner.turn(waitMax: 0) }
            return till.answers().joined(separator: "\n")
        }
        let status = #"{"do":"status"}"# + "\n"
        #expect(try ask(LocalSocketTests.sale).contains(#""ok":true"#))
        disk.fail(at: 1, with: way.error)
        for _ in 0..<3 {
            let refused = try ask(LocalSocketTests.sale)
            #expect(refused.contains(#""ok":false"#) && refused.contains(way.says.text))
            #expect(try ask(status).contains(#""disk":""# + way.says.text))
        }
        disk.mend()
        #expect(try ask(LocalSocketTests.sale).contains(#""ok":true"#))
        #expect(try ask(status).contains(#""disk":null"#))
        #expect(try service.store.unsentCount() == 2)
    }

    static let mayMount: Bool = {
        let probe = try? ChildProcess("/usr/bin/env", ["unshare", "-Urm", "true"])
        return probe?.wait().status == 0
    }()

    @Test(
        "of real memory: mounted read-only it stops a start with what to do, full it stops no start and loses nothing",
        .enabled(if: mayMount, "no mount namespace of one's own here: unshare -Urm"),
        arguments: StockHub.Form.all)
    func mounted(form: StockHub.Form) throws {
        let folder = TemporaryFolder()
        TestHub().enrol(folder)
        let script = """
            agent=$1 from=$2 state=$2/mounted sale='--day 2016-07-19'
            say() { echo "$1: $?"; }
            mkdir $state && mount -t tmpfs -o size=1m none $state && cp $from/*.* $state || exit 1
            $agent sale 7 1 $sale --state $state; say sold
            mount -o remount,ro $state
            $agent run --state $state; say run
            $agent sale 7 1 $sale --state $state; say sale
            $agent doctor --state $state; say doctor
            # Without the space that the log has, which takes sales on a full disk too.
            mount -o remount,rw $state && rm $state/agent.sqlite-wal
            dd if=/dev/zero of=$state/filler bs=1024 2>&1 | grep -o 'No space'
            for n in 1 2 3 4 5 6 7 8; do
                $agent sale $n 1 --ref a$n $sale --state $state || break
            done
            $agent doctor --state $state
            $agent run --state $state --contact visit & running=$!
            for n in $(seq 1200); do test -S $state/agent.sock && break; sleep 0.05; done
            $agent status --state $state; say status
            rm $state/filler
            for n in 1 2 3 4 5 6 7 8; do
                $agent sale $n 1 --ref a$n $sale --state $state
            done; say room
            $agent status --json --state $state
            kill $running; wait $running; say end
            """
        let process = try ChildProcess(
            "/usr/bin/env",
            ["unshare", "-Urm", "sh", "-c", script, "sh", form.program.path, folder.path],
            environment: ["SHELFCAST_CONFIG": "/dev/null"])
        process.wait()
        let (said, errors) = (try process.output(), try process.errors())
        for text in [
            "sold: 0", "run: 1", "sale: 1", "doctor: 1",
            "cannot be written: Read-only file system\n              -> mount it writable",
            "No space", "wrong: 0 KiB free\n              -> free some space", "status: 0",
            "disk          the disk is full: nothing was recorded; free some space and repeat",
            "room: 0", #""unsent":9,"#, #""disk":null"#, "end: 0",
        ] {
            #expect(said.contains(text), "\(text): \(said)\(errors)")
        }
        let readOnly = errors.split(separator: "\n").filter {
            $0.contains("Read-only file system; mount it writable")
        }
        #expect(readOnly.count == 2, "\(errors)")
        #expect(errors.contains("the disk is full: nothing was recorded"), "\(errors)")
    }
}
