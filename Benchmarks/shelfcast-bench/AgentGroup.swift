import Foundation
import TestSupport

/// What the shipped agent takes of a device: memory, disk, CPU, wake-ups and bytes on the wire, from the kernel's own
/// counters, on a real connection to a hub. One store, 50 series; a day is 5,000 sales.
enum AgentGroup {
    private static let hub = ".build/release/shelfcast-hub"
    private static let agent = ".build/agent/shelfcast-agent"
    private static let statically = ".build/agent/shelfcast-agent-static"
    static let items = 50
    static let salesADay = 5_000
    /// What the agent takes before the process beside it has its turn.
    private static let salesATurn = 250
    private static let daysMeasured = 5
    private static let pipelinedSales = 20_000

    static func run(_ report: inout BenchReport) throws {
        for program in [hub, agent] where !FileManager.default.isExecutableFile(atPath: program) {
            report.skip("agent", because: "there is no \(program): make hub agent")
            return
        }
        let site = try BenchSite(hub: hub)
        defer { site.stop() }
        var figures = AgentFigures()
        figures.fileBytes = try bytes(of: agent)
        report.add("agent.file.bytes", figures.fileBytes, "B")

        let state = try site.device(agent)
        try idle(agent, state, &figures, &report)
        try update(state, site, &figures, &report)
        try days(state, site, &figures, &report)
        figures.batched = try day(state, ["--commit-every", "60s"], site)
        figures.batched.add(".commitEveryMinute", to: &report)
        try hours(state, site, &figures, &report)
        figures.daily = try day(state, ["--sales", "daily"], site)
        figures.daily.add(".daily", to: &report)
        try rate(state, site, &figures, &report)
        try asleep(state, &figures, &report)
        if FileManager.default.isExecutableFile(atPath: statically) {
            figures.staticFileBytes = try bytes(of: statically)
            report.add("agent.static.file.bytes", figures.staticFileBytes, "B")
            let running = try settled(statically, state)
            defer { running.stop() }
            figures.staticResidentKB = try running.residentKB()
            report.add("agent.static.idle.rssKB", figures.staticResidentKB, "KiB")
        } else {
            report.skip("agent.static", because: "there is no \(statically): make agent-static")
        }
        figures.table()
    }

    private static func bytes(of path: String) throws -> Double {
        let size = try FileManager.default.attributesOfItem(atPath: path)[.size] as? NSNumber
        return size?.doubleValue ?? 0
    }

    /// A running agent that has nothing to do any more.
    private static func settled(_ agent: String, _ state: String, _ options: [String] = []) throws
        -> RunningAgent
    {
        // What was just built counts as changed memory until it is on the disk.
        sync()
        let running = try RunningAgent(agent, state: state, options)
        _ = try running.wait("connected") { $0["connection"] as? String == "connected" }
        // Long enough for it to have come to rest.
        sleep(8)
        return running
    }

    private static func idle(
        _ agent: String, _ state: String, _ figures: inout AgentFigures, _ report: inout BenchReport
    ) throws {
        let running = try settled(agent, state)
        defer { running.stop() }
        figures.residentKB = try running.residentKB()
        figures.privateDirtyKB = try running.privateDirtyKB()
        report.add("agent.idle.rssKB", figures.residentKB, "KiB")
        report.add("agent.idle.privateDirtyKB", figures.privateDirtyKB, "KiB")
        // The first ping after a start wakes it oftener than the others; then three of those.
        sleep(85)
        let (seconds, before) = (225.0, try running.wakeups())
        sleep(UInt32(seconds))
        figures.wakeupsPerMinute = (try running.wakeups() - before) * 60 / seconds
        report.add("agent.wakeupsPerMinute", figures.wakeupsPerMinute, "")
    }

    /// A new package and the close of a day with sales, and the most memory meanwhile.
    private static func update(
        _ state: String, _ site: BenchSite, _ figures: inout AgentFigures,
        _ report: inout BenchReport
    ) throws {
        let running = try settled(agent, state)
        defer { running.stop() }
        try running.forgetPeak()
        try site.push("second")
        _ = try running.wait("updated") { status in
            "\(status["running"] ?? "")".contains("second")
        }
        try running.pipeline(site.sales(of: site.nextDay(), count: 500))
        _ = try running.ask("{\"do\":\"close-day\",\"day\":\"\(site.day)\"}")
        _ = try running.ask("{\"do\":\"sync\"}")
        figures.peakKB = try running.peakKB()
        report.add("agent.peak.rssKB", figures.peakKB, "KiB")
    }

    /// A store day: every sale on its own, each answered before the next. Sales go up 400 at a time; spread over twelve
    /// hours they would every quarter of an hour, with some 30 bytes more for each of 35 further uploads.
    ///
    /// - Parameter floor: answers the same requests in turns with the agent, so that both meet the same disk.
    private static func day(
        _ state: String, _ options: [String], _ site: BenchSite, beside floor: CommitFloor? = nil
    ) throws -> AgentFigures.Day {
        let running = try settled(agent, state, options)
        defer { running.stop() }
        let sales = site.sales(of: site.nextDay(), count: salesADay)
        let carried = try running.ask("{\"do\":\"status\"}")["connectionBytes"] as? Double ?? 0
        let (cpu, written) = (try running.cpuSeconds(), try running.writtenBytes())
        var figures = AgentFigures.Day()
        for start in stride(from: 0, to: salesADay, by: salesATurn) {
            let turn = sales[start..<min(start + salesATurn, salesADay)]
            for sale in turn { _ = try running.ask(sale) }
            figures.floorCPUSeconds += try floor?.cpuSeconds(answering: turn) ?? 0
        }
        _ = try running.ask("{\"do\":\"close-day\",\"day\":\"\(site.day)\"}")
        // The close goes up at once, and what waits goes with it.
        _ = try running.wait("at rest") { $0["unsent"] as? Int == 0 }
        sleep(2)
        figures.cpuSeconds = try running.cpuSeconds() - cpu
        figures.diskBytes = try running.writtenBytes() - written
        let after = try running.ask("{\"do\":\"status\"}")["connectionBytes"] as? Double ?? 0
        figures.wireBytes = after - carried
        return figures
    }

    /// Days with every sale committed on its own, in turns with a process that only writes: the medians. What a write costs
    /// the kernel changes by the minute; how much more than the bare write the agent takes does not.
    private static func days(
        _ state: String, _ site: BenchSite, _ figures: inout AgentFigures,
        _ report: inout BenchReport
    ) throws {
        let floor = try CommitFloor(in: site.folder)
        defer { floor?.stop() }
        let days = try (0..<daysMeasured).map { _ in try day(state, [], site, beside: floor) }
        func median(_ figure: (AgentFigures.Day) -> Double) -> Double {
            days.map(figure).sorted()[daysMeasured / 2]
        }
        figures.day.cpuSeconds = median(\.cpuSeconds)
        figures.day.diskBytes = median(\.diskBytes)
        figures.day.wireBytes = median(\.wireBytes)
        figures.day.floorCPUSeconds = median(\.floorCPUSeconds)
        figures.day.add("", to: &report)
        guard floor != nil else {
            report.skip(
                "agent.day.floor", because: "the disk takes no writes past the page cache")
            return
        }
        figures.floorRatio = median { $0.cpuSeconds / $0.floorCPUSeconds }
        report.add("agent.day.floor.cpuSeconds", figures.day.floorCPUSeconds, "s")
        report.add("agent.day.floor.ratio", figures.floorRatio, "")
    }

    /// A day of twelve hours with a commit a minute, a minute being a second: three of the hours, with an upload in each
    /// quarter, count four times, and the close once.
    private static func hours(
        _ state: String, _ site: BenchSite, _ figures: inout AgentFigures,
        _ report: inout BenchReport
    ) throws {
        let running = try settled(agent, state, ["--commit-every", "1s"])
        defer { running.stop() }
        let (minutes, salesAMinute) = (180, 7)
        let sales = site.sales(of: site.nextDay(), count: minutes * salesAMinute)
        let before = try running.writtenBytes()
        for minute in 0..<minutes {
            for sale in sales[minute * salesAMinute..<(minute + 1) * salesAMinute] {
                _ = try running.ask(sale)
                usleep(UInt32(1_000_000 / salesAMinute))
            }
            if minute % 15 == 14 { _ = try running.ask("{\"do\":\"sync\"}") }
        }
        let open = try running.writtenBytes()
        _ = try running.ask("{\"do\":\"close-day\",\"day\":\"\(site.day)\"}")
        _ = try running.wait("at rest") { $0["unsent"] as? Int == 0 }
        sleep(2)
        figures.hoursDiskBytes = 4 * (open - before) + (try running.writtenBytes() - open)
        report.add("agent.hours.commitEveryMinute.diskBytes", figures.hoursDiskBytes, "B")
    }

    private static func rate(
        _ state: String, _ site: BenchSite, _ figures: inout AgentFigures,
        _ report: inout BenchReport
    ) throws {
        let running = try settled(agent, state)
        defer { running.stop() }
        let sales = site.sales(of: site.nextDay(), count: pipelinedSales)
        let start = BenchReport.clockSeconds()
        try running.pipeline(sales)
        figures.salesPerSecond = Double(pipelinedSales) / (BenchReport.clockSeconds() - start)
        report.add("agent.sales.perSecond", figures.salesPerSecond, "1/s")
    }

    private static func asleep(
        _ state: String, _ figures: inout AgentFigures, _ report: inout BenchReport
    ) throws {
        sync()
        let running = try RunningAgent(agent, state: state, ["--contact", "visit"])
        defer { running.stop() }
        _ = try running.ask("{\"do\":\"sync\"}")
        _ = try running.wait("back from its visit") {
            $0["connection"] as? String == "disconnected"
        }
        sleep(12)
        figures.asleepKB = try running.residentKB()
        report.add("agent.asleep.rssKB", figures.asleepKB, "KiB")
        let before = try running.wakeups()
        sleep(60)
        figures.asleepWakeups = try running.wakeups() - before
        report.add("agent.asleep.wakeupsPerMinute", figures.asleepWakeups, "")
    }
}

/// What was measured, beside what it should be at most.
struct AgentFigures {
    struct Day {
        var (cpuSeconds, diskBytes, wireBytes) = (0.0, 0.0, 0.0)
        /// Of the process that only writes, for as many sales.
        var floorCPUSeconds = 0.0

        func add(_ name: String, to report: inout BenchReport) {
            report.add("agent.day\(name).cpuSeconds", cpuSeconds, "s")
            report.add("agent.day\(name).diskBytes", diskBytes, "B")
            report.add("agent.day\(name).wireBytes", wireBytes, "B")
        }
    }

    var (fileBytes, residentKB, privateDirtyKB, peakKB) = (0.0, 0.0, 0.0, 0.0)
    var (asleepKB, asleepWakeups, wakeupsPerMinute) = (0.0, 0.0, 0.0)
    var (staticFileBytes, staticResidentKB, salesPerSecond) = (0.0, 0.0, 0.0)
    var (day, batched, daily) = (Day(), Day(), Day())
    var (hoursDiskBytes, floorRatio) = (0.0, 0.0)

    func table() {
        func row(_ what: String, _ value: Double, _ aim: String, _ isMet: Bool?) {
            let name = what.padding(toLength: 48, withPad: " ", startingAt: 0)
            let figure = String(format: "%10.2f", value)
            guard let isMet else { return print("  \(name) \(figure)") }
            let bound = aim.padding(toLength: 10, withPad: " ", startingAt: 0)
            print("  \(name) \(figure)   \(bound) \(isMet ? "met" : "MISSED")")
        }
        func most(_ what: String, _ value: Double, _ limit: Double) {
            row(what, value, "<= \(limit.formatted(.number.grouping(.never)))", value <= limit)
        }
        print("")
        most("file, MB", fileBytes / 1e6, 3)
        most("connected over TLS 1.3, resident, MB", residentKB * 1024 / 1e6, 5)
        most("  of it private and changed, MB", privateDirtyKB * 1024 / 1e6, 0.9)
        most("asleep between visits, resident, MB", asleepKB * 1024 / 1e6, 3.5)
        most(
            "peak of an update and a close, above idle, MB", (peakKB - residentKB) * 1024 / 1e6, 0.8
        )
        if staticFileBytes > 0 {
            most("linked statically: file, MB", staticFileBytes / 1e6, 4.5)
            most("  connected, resident, MB", staticResidentKB * 1024 / 1e6, 4.5)
        }
        most("wake-ups a minute, connected", wakeupsPerMinute, 2)
        most("  between visits", asleepWakeups, 0)
        most("a store day: CPU, s", day.cpuSeconds, 0.3)
        if floorRatio > 0 {
            row("  a bare write and answer for each sale, s", day.floorCPUSeconds, "", nil)
            row("  the day beside that, times", floorRatio, "", nil)
        }
        most("  CPU with a commit a minute, s", batched.cpuSeconds, 0.3)
        most("  written, every sale committed alone, MB", day.diskBytes / 1e6, 24)
        most("  written, a commit a minute, fed in seconds, MB", batched.diskBytes / 1e6, 2)
        most("  written, a commit a minute, twelve hours, MB", hoursDiskBytes / 1e6, 2)
        most("  on the wire beside TLS, every sale, KB", day.wireBytes / 1000, 12)
        most("  on the wire beside TLS, day totals, KB", daily.wireBytes / 1000, 1)
        row(
            "sales a second, acknowledged after commit", salesPerSecond, ">= 2000",
            salesPerSecond >= 2000)
    }
}
