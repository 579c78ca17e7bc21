import AgentCore
import AgentRuntime
import Forecasting
import JSONText
import ModelPackage
import SyncProtocol
import Testing
import UpdateTrust

@Suite("A package from the hub")
struct PackageTests {
    let folder = TemporaryFolder()
    let hub = TestHub()

    init() { hub.enrol(folder) }

    /// What a device says of an offer after one visit.
    func outcome(_ service: AgentService) throws -> String {
        let before = hub.reports.count
        try hub.visit(service)
        guard hub.reports.count == before + 1, let report = hub.reports.last else {
            return "\(hub.reports.count - before) reports"
        }
        switch report.outcome {
        case .active: return "active"
        case .refused: return report.reason
        default: return "\(report.outcome)"
        }
    }

    @Test("is activated, reported with its memory, and survives a restart")
    func activated() throws {
        let package = try TestPackage.model(release: 4, store: "1")
        try hub.offer(package.encode(), release: 4, store: "1")
        do {
            let service = try AgentService.start(folder)
            #expect(try outcome(service) == "active")
            let report = try #require(hub.reports.last)
            #expect(report.running?.arenaBytes == UInt64(package.arenaBytes()))
            #expect(try service.store.storedForecasts(of: TestPackage.day(1)).count == 3)
        }
        let service = try AgentService.start(folder)
        #expect(service.running?.release == 4)
        // Wanted again: nothing to do, nothing to say.
        #expect(try outcome(service) == "0 reports")
    }

    @Test("with a flipped bit is refused, and fetched again only a few times")
    func flippedBit() throws {
        let service = try AgentService.start(folder)
        let content = try TestPackage.model(release: 1).encode()
        var flipped = content
        flipped[flipped.count / 2] ^= 4
        let digest = Crypto.sha256(content)
        try hub.offer(content, release: 1)
        hub.packages[digest] = flipped
        // A copy that is fetched again is no answer yet.
        for _ in 0..<2 { #expect(try outcome(service) == "0 reports") }
        #expect(try outcome(service) == "the package's SHA-256 is not the one that was signed")
        #expect(try outcome(service) == "0 reports")
        #expect(service.running == nil)
    }

    @Test("of another length than stated is refused")
    func length() throws {
        let service = try AgentService.start(folder)
        let content = try TestPackage.model(release: 1).encode()
        try hub.offer(content, release: 1)
        hub.packages[Crypto.sha256(content)] = content + [0]
        for _ in 0..<2 { #expect(try outcome(service) == "0 reports") }
        #expect(
            try outcome(service)
                == "the hub's file has \(content.count + 1) bytes; its metadata says \(content.count)"
        )
    }

    @Test("that is no package, or not the one stated, is refused for good")
    func content() throws {
        let service = try AgentService.start(folder)
        try hub.offer([UInt8](repeating: 7, count: 500), release: 1)
        let reason = try outcome(service)
        #expect(reason.contains("package"))
        #expect(try outcome(service) == "0 reports")
        try hub.offer(try TestPackage.model(release: 2).encode(), release: 3)
        #expect(
            try outcome(service)
                == "the package's manifest and its signed metadata differ in release")
        try hub.offer(try TestPackage.model(release: 4).encode(), release: 4, arenaBytes: 999)
        #expect(
            try outcome(service)
                == "the package's manifest and its signed metadata differ in arena bytes")
        try hub.offer(
            try TestPackage.model(release: 5, store: "2").encode(), release: 5, store: "2")
        #expect(
            try outcome(service) == "the package is for store 2 and this device belongs to store 1")
        #expect(service.running == nil)
    }

    @Test("whose manifest lies about its memory, or whose golden vectors fail, is refused")
    func proof() throws {
        let service = try AgentService.start(folder)
        var lying = try TestPackage.model(release: 1)
        lying.manifest.arenaBytes -= 8
        try hub.offer(
            lying.encode(), release: 1, arenaBytes: UInt64(lying.manifest.arenaBytes))
        let lie = try outcome(service)
        #expect(lie.contains("states an arena of"))
        var wrong = try TestPackage.model(release: 2)
        wrong.goldenVectors[0].networkOutput += 1
        try hub.offer(wrong.encode(), release: 2)
        let proof = try outcome(service)
        #expect(proof.contains("golden vector 0 gave"))
        #expect(service.running == nil)
        let status = service.reply(to: .status)
        guard case .array(let refused)? = status["refused"] else {
            Issue.record("status must list what was refused")
            return
        }
        #expect(refused.count == 2)
    }

    @Test("above the memory budget is refused, and taken once the budget allows it")
    func budget() throws {
        let service = try AgentService.start(folder)
        try service.set(configuration: Configuration(budgetBytes: 100))
        let package = try TestPackage.model(release: 1)
        let arena = package.arenaBytes()
        try hub.offer(package.encode(), release: 1)
        #expect(
            try outcome(service)
                == "the package needs \(arena) bytes of arena and the model memory budget is 100")
        #expect(try outcome(service) == "0 reports")
        try service.set(configuration: Configuration(budgetBytes: UInt64(arena)))
        #expect(try outcome(service) == "active")
    }

    @Test("of an older release is refused, another size of the same release is not")
    func releases() throws {
        let service = try AgentService.start(folder)
        try hub.offer(try TestPackage.model(release: 5).encode(), release: 5)
        #expect(try outcome(service) == "active")
        try hub.offer(try TestPackage.model(release: 4).encode(), release: 4)
        #expect(try outcome(service).contains("older than release 5"))
        try hub.offer(
            try TestPackage.model(release: 5, variant: "small", units: 1).encode(), release: 5,
            variant: "small")
        #expect(try outcome(service) == "active")
        #expect(service.predictor?.candidate.stated.variant == "small")
        try hub.offer(
            try TestPackage.model(release: 5, variant: "small", units: 3).encode(), release: 5,
            variant: "small")
        #expect(try outcome(service).contains("known here with other content"))
    }

    @Test("that does not fit anybody is explained, and what runs goes on")
    func noFit() throws {
        let service = try AgentService.start(folder)
        try hub.offer(try TestPackage.model(release: 1).encode(), release: 1)
        try hub.visit(service)
        hub.desired = DesiredState(desire: .noFit, reason: "the smallest needs 400 bytes")
        try hub.visit(service)
        #expect(service.running?.release == 1)
        let status = service.reply(to: .status)
        #expect(status["desire"] == .string("no-fit"))
        #expect(status["desireReason"] == .string("the smallest needs 400 bytes"))
    }

    @Test("damaged in its slot gives way to the one before it, and the hub hears of it")
    func rollBack() throws {
        do {
            let service = try AgentService.start(folder)
            try hub.offer(try TestPackage.model(release: 1).encode(), release: 1)
            try hub.visit(service)
            try hub.offer(try TestPackage.model(release: 2).encode(), release: 2)
            try hub.visit(service)
            #expect(service.running?.release == 2)
            try service.store.database.execute(
                "UPDATE packageSlot SET content = zeroblob(length(content)) WHERE slot = 2")
        }
        do {
            let service = try AgentService.start(folder)
            #expect(service.running?.release == 1)
            hub.desired = DesiredState(desire: .stayAsYouAre)
            try hub.visit(service)
            #expect(hub.reports.last?.outcome == .rolledBack)
            #expect(hub.reports.last?.running?.release == 1)
            // And when neither is left, the device goes on without a model.
            try service.store.database.execute("UPDATE packageSlot SET content = zeroblob(9)")
        }
        let bare = try AgentService.start(folder)
        #expect(bare.running == nil)
        try bare.sell(1, of: "1", on: TestPackage.day(1))
        #expect(try bare.close(TestPackage.day(1), isClosedAllDay: false).nextForecasts == 0)
    }

    /// What a device may hold from before an update of its program.
    static let earlier: [(name: String, says: String)] = [
        ("format version 1", "has format version 1 and this program reads version 2"),
        ("the integers of 0.1.0", "needs the runtime feature lstm-int8-v1"),
    ]

    @Test(
        "of an earlier program stops no device: it says why, keeps selling, and takes the next",
        arguments: earlier.indices)
    func earlierProgram(row: Int) throws {
        var old = try TestPackage.model(release: 3)
        old.manifest.requiredFeatures = ["lstm-int8-v1"]
        var content = old.encode()
        if row == 0 { content[4] = 1 }
        try hub.offer(content, release: 3)
        let old3 = hub.desired
        do {
            // As the earlier program left it: active, proved, and the last accepted one.
            let store = try AgentStore.open(directory: folder.path, checks: false)
            let candidate = Candidate(
                stated: try StatedPackage(
                    digest: old3.digest, packageBytes: UInt64(content.count),
                    arenaBytes: UInt64(old.arenaBytes()), release: 3, family: "f", variant: "v",
                    store: ""))
            try store.put(candidate, content: content, in: .first)
            try store.save(Update(active: .first))
            var rollback = RollbackGuard()
            try rollback.accept(candidate.stated)
            try store.save(try #require(rollback.accepted))
        }
        do {
            let service = try AgentService.start(folder)
            #expect(service.running == nil)
            let notice = String(
                decoding: service.reply(to: .status)["notice"]?.utf8 ?? [], as: UTF8.self)
            #expect(notice.contains("could not be loaded"))
            #expect(notice.contains(Self.earlier[row].says), "\(notice)")
            try service.sell(4, of: "1", on: TestPackage.day(1))
            #expect(try service.close(TestPackage.day(1), isClosedAllDay: false).nextForecasts == 0)
            // The hub hears of it, and a hub that goes on wanting the old one is told once.
            hub.desired = DesiredState(desire: .stayAsYouAre)
            try hub.visit(service)
            hub.desired = old3
            try hub.visit(service)
            #expect(hub.reports.map(\.outcome) == [.rolledBack, .refused])
            #expect(hub.reports.allSatisfy { $0.reason.contains(Self.earlier[row].says) })
            #expect(hub.sold["\(TestPackage.day(1).daysSince1970) 1"] == 4)
            #expect(try outcome(service) == "0 reports")
            try hub.offer(try TestPackage.model(release: 4).encode(), release: 4)
            #expect(try outcome(service) == "active")
            #expect(service.reply(to: .status)["notice"] == .null)
        }
        let service = try AgentService.start(folder)
        #expect(service.running?.release == 4)
        #expect(try service.close(TestPackage.day(2), isClosedAllDay: false).nextForecasts == 3)
    }

    @Test("may come in pieces of any size", arguments: [1, 7, 64, 49_152])
    func pieces(_ bytes: Int) throws {
        let service = try AgentService.start(folder)
        hub.chunkBytes = bytes
        try hub.offer(try TestPackage.model(release: 1).encode(), release: 1)
        #expect(try outcome(service) == "active")
    }
}
