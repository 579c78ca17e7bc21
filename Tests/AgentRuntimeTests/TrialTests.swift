import AgentCore
import AgentRuntime
import CPosix
import Forecasting
import JSONText
import ModelPackage
import SyncProtocol
import Testing
import UpdateTrust

@Suite("A package on trial beside the active one")
struct TrialTests {
    let folder = TemporaryFolder()
    let hub = TestHub()
    let items = (1...10).map { "\($0)" }

    init() { hub.enrol(folder) }

    /// Release 1, which forecasts what is sold, active; release 2 offered for a trial of so many days.
    func onTrial(
        days: UInt32, isBad: Bool = false
    ) throws -> (device: RestartableDevice, candidate: [UInt8]) {
        let device = try RestartableDevice(folder)
        let service = device.service
        try hub.offer(
            try TestPackage.model(release: 1, items: items).encode(), release: 1)
        try hub.visit(service)
        #expect(service.running?.release == 1)
        // Its level is far off and hardly moves.
        let second = try TestPackage.model(
            release: 2, items: items, level: isBad ? 40 : 10, levelRate: isBad ? 0.001 : 0.25
        ).encode()
        try hub.offer(second, release: 2)
        hub.desired.trialDays = days
        try hub.visit(service)
        return (device, Crypto.sha256(second))
    }

    /// Sells, closes, and lets the hub tell the store's final total.
    func liveThrough(_ day: Int, _ service: AgentService, isFinal: Bool = true) throws {
        let date = TestPackage.day(day)
        for (at, item) in items.enumerated() {
            try service.sell(UInt32(8 + (at + day) % 5), of: item, on: date)
        }
        _ = try service.close(date, isClosedAllDay: false)
        if isFinal {
            hub.contexts = [
                Context(
                    revision: UInt64(day + 1), items: items,
                    days: [
                        StoreDay(
                            day: date.daysSince1970, final: true,
                            sold: items.indices.map {
                                ItemDay(itemIndex: UInt32($0), units: UInt32(8 + ($0 + day) % 5))
                            })
                    ])
            ]
        }
        try hub.visit(service)
    }

    func outcomes(of digest: [UInt8]) -> [PackageOutcome] {
        hub.reports.filter { $0.digest == digest }.map(\.outcome)
    }

    @Test("forecasts the same days, is compared on each, and takes over when its days are over")
    func good() throws {
        let (device, candidate) = try onTrial(days: 3)
        let service = device.service
        #expect(outcomes(of: candidate) == [.trial])
        for day in 1...3 {
            #expect(service.running?.release == 1, "before day \(day)")
            try liveThrough(day, service)
        }
        #expect(outcomes(of: candidate) == [.trial, .active])
        #expect(hub.reports.last?.reason == "no worse on 3 compared days")
        #expect(service.running?.release == 2)
        // The hub has both forecasts of every day of the trial, and of no other.
        try liveThrough(4, service)
        let prefix = candidate.prefix(8).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        for forecast in hub.forecasts {
            let isOfTrial = forecast.day <= TestPackage.day(3).daysSince1970
            #expect(forecast.candidate == (isOfTrial ? prefix : 0))
            #expect((forecast.candidateUnits > 0) == isOfTrial)
        }
        #expect(hub.forecasts.count == 4 * items.count)
    }

    @Test(
        "that is worse is refused with the figures and never tried again; what ran runs on",
        arguments: [false, true])
    func bad(restarts: Bool) throws {
        let (device, candidate) = try onTrial(days: 7, isBad: true)
        var day = 1
        while case .trial = device.service.update.phase, day < 8 {
            try liveThrough(day, device.service)
            day += 1
            if restarts { try device.restart() }
        }
        #expect(day <= 3, "found out on day \(day - 1)")
        #expect(outcomes(of: candidate) == [.trial, .refused])
        let reason = try #require(hub.reports.last?.reason)
        #expect(reason.hasPrefix("beside the active package it was worse: its error (WAPE) is "))
        #expect(reason.hasSuffix("of 10 items on the same days"))
        #expect(device.service.running?.release == 1)
        let before = hub.reports.count
        try hub.visit(device.service)
        try device.restart()
        try hub.visit(device.service)
        #expect(hub.reports.count == before && device.service.update.phase == .idle)
    }

    @Test("is judged by what this device saw where the store's total does not come")
    func withoutTotals() throws {
        let (device, candidate) = try onTrial(days: 2)
        let service = device.service
        for day in 1...3 { try liveThrough(day, service, isFinal: false) }
        #expect(outcomes(of: candidate) == [.trial])
        try liveThrough(4, service, isFinal: false)
        #expect(outcomes(of: candidate) == [.trial, .active])
    }

    @Test("ends at once when the hub shortens it, and when the hub takes it back")
    func terms() throws {
        let (device, candidate) = try onTrial(days: 20)
        let service = device.service
        try liveThrough(1, service)
        hub.desired.trialDays = 1
        try hub.visit(service)
        #expect(outcomes(of: candidate) == [.trial, .active])

        let third = try TestPackage.model(release: 3, items: items).encode()
        try hub.offer(third, release: 3)
        hub.desired.trialDays = 20
        try hub.visit(service)
        #expect(outcomes(of: Crypto.sha256(third)) == [.trial])
        hub.desired = DesiredState(
            desire: .goBack, reason: "paused: 2 of 3 canaries refused it",
            digest: Crypto.sha256(third))
        try hub.visit(service)
        #expect(outcomes(of: Crypto.sha256(third)) == [.trial, .refused])
        #expect(service.running?.release == 2)
    }

    @Test(
        "that became active goes when the hub takes it back, to what ran before, and never returns")
    func goBack() throws {
        let (device, candidate) = try onTrial(days: 0)
        #expect(outcomes(of: candidate) == [.active])
        let offer = hub.desired
        hub.desired = DesiredState(
            desire: .goBack, reason: "its error in store 1 is worse", digest: candidate)
        try hub.visit(device.service)
        #expect(outcomes(of: candidate) == [.active, .rolledBack])
        #expect(
            hub.reports.last?.reason
                == "the former package runs: its error in store 1 is worse")
        #expect(device.service.running?.release == 1)
        // Said again, and offered again: nothing happens.
        try hub.visit(device.service)
        hub.desired = offer
        try hub.visit(device.service)
        #expect(device.service.running?.release == 1 && device.service.update.phase == .idle)
        // The other one lost its place: there is nowhere to go back to.
        let first = try #require(device.service.running?.digest)
        hub.desired = DesiredState(desire: .goBack, reason: "that too", digest: first)
        try hub.visit(device.service)
        #expect(device.service.running?.release == 1)
        #expect(
            device.service.reply(to: .status)["lastError"]?.utf8.map {
                String(decoding: $0, as: UTF8.self)
            }
                == "the hub takes its package back, and there is no former one here to go back to: that too"
        )
        try device.restart()
        #expect(device.service.running?.release == 1)
    }

    @Test("takes over in its window of the day only, also after a restart")
    func window() throws {
        // 12:00 in Berlin.
        let noon: Int64 = 1_800_000_000_000 / 86_400_000 * 86_400_000 + 11 * 3_600_000
        hub.timeMilliseconds = noon
        let device = try RestartableDevice(folder)
        try hub.offer(try TestPackage.model(release: 1, items: items).encode(), release: 1)
        hub.desired.windowFrom = 22 * 60
        hub.desired.windowTo = 6 * 60
        try hub.visit(device.service)
        #expect(device.service.running?.release == 1, "there was nothing to disturb")
        try hub.offer(try TestPackage.model(release: 2, items: items).encode(), release: 2)
        hub.desired.windowFrom = 22 * 60
        hub.desired.windowTo = 6 * 60
        try hub.visit(device.service)
        #expect(device.service.running?.release == 1)
        #expect(device.service.millisecondsToWindow == Int64(36_000_000))
        try device.restart()
        try device.service.lookAtWindow()
        #expect(device.service.running?.release == 1)
        hub.timeMilliseconds = noon + 11 * 3_600_000
        try hub.visit(device.service)
        try device.service.lookAtWindow()
        #expect(device.service.running?.release == 2 && device.service.millisecondsToWindow == nil)
        #expect(device.service.update.phase == .idle)
    }

    @Test("of more bytes than an update may fetch is not fetched, and is as soon as it may")
    func fetchLimit() throws {
        let service = try AgentService.start(folder)
        let content = try TestPackage.model(release: 1, items: items).encode()
        try hub.offer(content, release: 1)
        hub.desired.bytesMax = UInt64(content.count) - 1
        try hub.visit(service)
        let waits =
            "it takes \(content.count) bytes, and this update may fetch at most \(content.count - 1)"
        #expect(service.running == nil && hub.fetched.isEmpty)
        #expect(hub.reports.map(\.outcome) == [.fetching] && hub.reports[0].reason == waits)
        #expect(try service.status()["waits"] == .string(waits))
        // Nothing has changed, so nothing is said again.
        try hub.visit(service)
        #expect(hub.reports.count == 1 && hub.fetched.isEmpty)
        hub.desired.bytesMax += 1
        try hub.visit(service)
        #expect(service.running?.release == 1)
    }

    @Test("that takes longer than it may here is refused")
    func latency() throws {
        let service = try AgentService.start(folder)
        try hub.offer(try TestPackage.model(release: 1, items: items).encode(), release: 1)
        hub.desired.latencyMaxNs = 1
        try hub.visit(service)
        #expect(service.running == nil)
        #expect(hub.reports.last?.reason.hasPrefix("one forecast takes ") == true)
    }

    @Test("takes over from an active one that broke")
    func activeBreaks() throws {
        do {
            let (device, _) = try onTrial(days: 7)
            try liveThrough(1, device.service)
            try device.service.store.database.run(
                "UPDATE packageSlot SET content = zeroblob(100) WHERE slot = ?", [.integer(1)])
        }
        let service = try AgentService.start(folder)
        #expect(service.running?.release == 2)
        #expect(service.update.phase == .idle && service.update.active == .second)
    }

    @Test(
        "and a start that ends in a package three times in a row takes its place away",
        arguments: [false, true])
    func crashLoop(onTrial isOnTrial: Bool) throws {
        var candidate: [UInt8] = []
        do {
            let (_, second) = try onTrial(days: isOnTrial ? 7 : 0)
            candidate = second
        }
        /// What a process leaves behind that ended while a package was at work in it.
        func leave(crashes: Int64) throws {
            let store = try AgentStore.open(directory: folder.path, checks: false)
            try store.database.run("UPDATE updateState SET crashes = ?", [.integer(crashes)])
            (isOnTrial ? AtWork.candidate : .active).mark(in: folder.path)
        }
        try leave(crashes: 1)
        do {
            let service = try AgentService.start(folder)
            #expect(service.running?.release == (isOnTrial ? 1 : 2))
            #expect((service.update.candidate != nil) == isOnTrial)
            try liveThrough(1, service)
            #expect(service.update.crashes == 0, "it went well")
        }
        try leave(crashes: 2)
        do {
            let service = try AgentService.start(folder)
            #expect(service.running?.release == 1 && service.update.phase == .idle)
        }
        let service = try AgentService.start(folder)
        try hub.visit(service)
        #expect(outcomes(of: candidate).last == (isOnTrial ? .refused : .rolledBack))
        #expect(hub.reports.last?.reason.contains("the agent ended 3 times in a row") == true)
    }
}

/// A device whose agent is started again on the same folder.
final class RestartableDevice {
    private let folder: TemporaryFolder
    private var running: AgentService?

    init(_ folder: TemporaryFolder) throws {
        self.folder = folder
        running = try AgentService.start(folder)
    }

    var service: AgentService {
        guard let running else { preconditionFailure("the agent did not start again") }
        return running
    }

    func restart() throws {
        running = nil
        running = try AgentService.start(folder)
    }
}
