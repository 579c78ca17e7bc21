import AgentCore
import AgentRuntime
import Forecasting
import Foundation
import ModelPackage
import SyncProtocol
import Testing
import UpdateTrust

/// One device on a disk that fails when told to, and its hub: an update between the same two releases, taken to any state and from
/// there through whatever may happen to it. Forks of it start from the same files.
final class TransitionBench {
    static let items = (1...10).map { "\($0)" }
    /// 12:00 and 23:00 in Berlin, of a window from 22:00 to 06:00.
    static let noon: Int64 = 1_800_000_000_000 / 86_400_000 * 86_400_000 + 11 * 3_600_000
    static let night = noon + 11 * 3_600_000

    /// What the hub may want: the third is nobody's business but an operator's who changes his mind.
    struct Release: Sendable {
        var number: UInt64
        var content: [UInt8]
        var digest: [UInt8] { Crypto.sha256(content) }
    }

    static func release(
        _ number: UInt64, isWorse: Bool = false, isWrong: Bool = false
    ) throws -> Release {
        var model = try TestPackage.model(
            release: number, items: items, level: isWorse ? 40 : 10,
            levelRate: isWorse ? 0.001 : 0.25)
        if isWrong { model.goldenVectors[0].networkOutput += 1 }
        return Release(number: number, content: model.encode())
    }

    let disk: FailingDisk
    let hub: TestHub
    private(set) var running: AgentService?
    /// Units by "day item", as the tills counted them.
    private var sold: [String: Int] = [:]

    init() throws {
        disk = try FailingDisk()
        hub = TestHub()
        hub.enrol(disk.folder)
        hub.timeMilliseconds = Self.noon
    }

    private init(copyOf other: TransitionBench) throws {
        disk = try FailingDisk()
        hub = TestHub(copyOf: other.hub)
        sold = other.sold
        for name in try FileManager.default.contentsOfDirectory(atPath: other.disk.folder.path) {
            try FileManager.default.copyItem(
                atPath: other.disk.folder.file(name), toPath: disk.folder.file(name))
        }
    }

    /// The same device, hub and history once more. This one's agent ends.
    func fork() throws -> TransitionBench {
        end()
        return try TransitionBench(copyOf: self)
    }

    func end() {
        weak let service = running
        running = nil
        precondition(service == nil, "somebody holds on to an agent that is to end")
    }

    func started() throws -> AgentService {
        if let running { return running }
        let service = try AgentService.start(disk.folder)
        running = service
        return service
    }

    /// What the database says, without starting an agent on it.
    func stored() throws -> Update { try opened().update() }

    private func opened() throws -> AgentStore {
        end()
        return try AgentStore.open(directory: disk.folder.path, checks: false)
    }

    /// From now on the process ends in the midst of forecasts that are written to `table`.
    /// - Parameter condition: in SQL, of the row NEW.
    func endWhileForecasting(into table: String, when condition: String) throws {
        try opened().database.execute(
            """
            CREATE TRIGGER theEnd BEFORE INSERT ON \(table) WHEN \(condition)
            BEGIN SELECT shelfcast_die('\(disk.folder.file("agent.sqlite"))'); END
            """)
    }

    func endNoMore() throws { try opened().database.execute("DROP TRIGGER theEnd") }

    /// Candidates come from here alone.
    func offer(_ release: Release, trialDays: UInt32 = 0, inWindow: Bool = false) throws {
        try hub.offer(release.content, release: release.number)
        hub.desired.trialDays = trialDays
        if inWindow { (hub.desired.windowFrom, hub.desired.windowTo) = (22 * 60, 6 * 60) }
        hub.chunkBytes = (release.content.count + 5) / 6
    }

    /// A conversation with the hub; that the network is cut is nothing the device can help.
    func contact() throws {
        do {
            try hub.visit(started())
        } catch is TestHub.Cut {}
    }

    /// Sells and closes the day after the last closed one, and has the store's total told.
    func liveDay() throws {
        let last = try started().store.lastOwnClose() ?? TestPackage.asOf
        try live(last.advanced(by: 1))
    }

    /// May be done again after it was cut short.
    func live(_ day: BusinessDay) throws {
        let service = try started()
        var total: [ItemDay] = []
        for (at, item) in Self.items.enumerated() {
            let units = UInt32(8 + (at + Int(day.daysSince1970)) % 5)
            total.append(ItemDay(itemIndex: UInt32(at), units: units))
            guard try !service.store.isClosed(day) else { continue }
            try service.sell(units, of: item, on: day, ref: item)
            sold["\(day.daysSince1970) \(item)"] = Int(units)
        }
        _ = try service.close(day, isClosedAllDay: false)
        hub.contexts = [
            Context(
                revision: UInt64(day.daysSince1970), items: Self.items,
                days: [StoreDay(day: day.daysSince1970, final: true, sold: total)])
        ]
        try contact()
    }

    func outcomes(of release: Release) -> [PackageOutcome] {
        hub.reports.filter { $0.digest == release.digest }.map(\.outcome)
    }

    // MARK: What must hold

    /// Where a package runs, its forecasts of the next day are there.
    func expectForecasts(_ place: String) throws {
        let service = try started()
        guard let running = service.running else { return }
        let next = try #require(try service.store.lastForecastDay(), "\(place)")
        let forecasts = try service.store.storedForecasts(of: next)
        #expect(forecasts.count == Self.items.count, "\(place)")
        let row = try service.store.database.first(
            "SELECT count(*) FROM forecast WHERE day = ? AND release <> ?",
            [.integer(Int64(next.daysSince1970)), .integer(Int64(running.release))], columns: 1)
        #expect(row?[0].integer == 0, "\(place)")
    }

    /// Whatever happened: what runs, and that nothing is lost, doubled, or left behind half done.
    /// - Parameters:
    ///   - release: to be running; nil: none.
    ///   - known: those that may lie in a slot, having been active here.
    func check(
        runs release: Release?, known: [Release], mayRepeat: Bool = false, _ place: String
    ) throws {
        let service = try started()
        #expect(service.running?.release == release?.number, "\(place)")
        #expect(service.update.phase == .idle, "\(place)")
        let store = service.store
        #expect(try store.fetchedBytes() == 0, "\(place)")
        let beside = try store.database.first("SELECT count(*) FROM besideForecast", columns: 1)
        #expect(beside?[0].integer == 0, "\(place)")
        for slot in [Slot.first, .second] {
            guard let kept = try store.package(in: slot) else { continue }
            #expect(
                known.contains { $0.digest == kept.candidate.stated.digest }, "\(place): \(slot)")
        }
        try expectForecasts(place)
        #expect(hub.sold == sold, "\(place)")
        #expect(Set(hub.closedDays).count == hub.closedDays.count, "\(place)")
        #expect(try store.unsentCount() == 0, "\(place)")
        #expect(try !store.hasReport(), "\(place)")
        var told: [PackageReport] = []
        for report in hub.reports {
            // Running, and the memory it takes, is as of the moment it is told.
            let key = PackageReport(
                digest: report.digest, outcome: report.outcome, reason: report.reason)
            // Where the acknowledgement is lost, or cannot be written down, the same is told once more.
            if mayRepeat, told.last == key { continue }
            #expect(!told.contains(key), "\(place): \(report.outcome) told twice")
            told.append(key)
        }
        let sound = try store.database.first("PRAGMA integrity_check", columns: 1)
        #expect(sound?[0] == .text([UInt8]("ok".utf8)), "\(place)")
    }
}

extension Update {
    /// Of its state, as the documents call it.
    var name: String {
        switch phase {
        case .idle: "idle"
        case .fetching: "fetching"
        case .verified: "verified"
        case .trial(_, .proving): "proving"
        case .trial(_, .beside): "beside"
        case .trial(_, .due): "due"
        }
    }
}
