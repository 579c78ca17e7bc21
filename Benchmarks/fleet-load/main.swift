// A whole fleet that comes back in the same second, over real sockets: prepares a hub's data directory, starts the real
// hub on it, and lets every device dial in at once. Prints a line for each figure: NAME VALUE UNIT.
//
//   fleet-load HUB FOLDER DEVICES [SECONDS-MAX]

import Forecasting
import Foundation
import HubCore
import HubStore
import NIOCore
import NIOPosix
import NIOSSL
import SyncProtocol
import TestSupport

/// Of a running process, from the kernel.
struct ProcessFigures {
    var number: Int32

    /// `VmHWM` and `VmRSS` in MB (10⁶ bytes).
    func megabytes(_ name: String) throws -> Double {
        let text = try String(contentsOfFile: "/proc/\(number)/status", encoding: .utf8)
        for line in text.split(separator: "\n") where line.hasPrefix(name + ":") {
            let words = line.split { $0 == " " || $0 == "\t" }
            if words.count > 1, let kilobytes = Double(words[1]) { return kilobytes * 1024 / 1e6 }
        }
        throw FleetSite.Failure(description: "/proc/PID/status has no \(name)")
    }

    func cpuSeconds() throws -> Double {
        let text = try String(contentsOfFile: "/proc/\(number)/stat", encoding: .utf8)
        // Behind the name, which may hold anything: state is the first field there, utime the 12th.
        let fields = text.split(separator: ")").last?.split(separator: " ") ?? []
        guard fields.count > 13, let user = Double(fields[11]), let system = Double(fields[12])
        else { throw FleetSite.Failure(description: "/proc/PID/stat says nothing") }
        return (user + system) / Double(sysconf(Int32(_SC_CLK_TCK)))
    }
}

/// A day as a device sends it: each item's sales, the close, and what had been forecast of it.
func dayRecords(release: UInt64) -> [Record] {
    let day = Int32(Date().timeIntervalSince1970 / 86_400) - 1
    let items = FleetSite.items
    return items.map { .sale(SaleRecord(day: day, item: $0, units: 3)) }
        + [.close(CloseRecord(day: day))]
        + items.map {
            .forecast(
                ForecastRecord(
                    day: day, item: $0, forecastUnits: 3.5, networkOutput: 117, release: release,
                    actualUnits: 3, inputsComplete: true, levelUnits: 3.25, inputsDigest: 1))
        }
}

func say(_ name: String, _ value: Double, _ unit: String) {
    print("\(name) \(String(format: "%.3f", value)) \(unit)")
}

/// Every device and the hub's process share one limit each.
func raiseFileLimit() {
    var limit = rlimit()
    guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return }
    limit.rlim_cur = limit.rlim_max
    _ = setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
}

func measure(hub: String, folder: String, devices count: Int, secondsMax: Double) async throws {
    raiseFileLimit()
    let site = try await FleetSite(hub: hub, folder: folder, devices: count)
    let log = folder + "/hub.log"
    let server = try ChildProcess(
        hub,
        [
            "serve", "--data", site.data, "--host", "127.0.0.1", "--port", "0", "--no-web",
            "--no-pages",
            "--connections-max", "\(max(10_000, count))", "--log-level", "warning",
        ])
    defer {
        server.terminate()
        server.wait(secondsMax: 20)
        try? server.errors().write(toFile: log, atomically: true, encoding: .utf8)  // for a look
    }
    guard let line = try server.line(where: { $0.hasPrefix("listening on ") }),
        let port = line.split(separator: ":").last.flatMap({ Int($0) })
    else {
        throw FleetSite.Failure(description: "the hub does not listen: \(try server.errors())")
    }
    let figures = ProcessFigures(number: server.number)
    let (restMegabytes, restCPU) = (try figures.megabytes("VmRSS"), try figures.cpuSeconds())

    let loops = MultiThreadedEventLoopGroup(numberOfThreads: 2)
    let settled = FleetCount()
    let ground = FleetGround(
        port: port, root: try NIOSSLCertificate(bytes: site.rootDER, format: .der),
        register: { site.register(stays: $0, contactNumber: $1, runsNewer: $2) },
        packageDigest: site.newer.digest, packageBytes: site.newer.packageBytes,
        release: site.newer.release, records: dayRecords(release: site.older.release),
        settled: settled)
    let devices = site.members.map { FleetDevice($0, on: loops.next(), ground) }
    let start = ContinuousClock.now
    for device in devices { device.start() }
    var seconds = 0.0
    var told = 0.0
    while settled.value < count {
        try await Task.sleep(for: .milliseconds(50))
        seconds = (ContinuousClock.now - start) / .seconds(1)
        if seconds >= told + 5 {
            told = seconds
            let text = String(
                format: "  %5.0f s: %d of %d, hub %.0f MB, %.0f s of CPU\n", seconds,
                settled.value, count, try figures.megabytes("VmRSS"),
                try figures.cpuSeconds() - restCPU)
            FileHandle.standardError.write(Data(text.utf8))
        }
        guard seconds < secondsMax, server.isRunning else {
            throw FleetSite.Failure(
                description: "\(settled.value) of \(count) devices are current after"
                    + " \(Int(seconds)) s: \(String(try server.errors().suffix(500)))")
        }
    }
    seconds = (ContinuousClock.now - start) / .seconds(1)
    // Noted is said after the commit: what every device was told, the database has.
    let rollout = try await site.store.rollouts().first
    let members = try await site.store.members(rollout: rollout?.id ?? 0)
    guard members.count(where: { $0.state == .active }) == count else {
        throw FleetSite.Failure(
            description: "the hub knows of \(members.count(where: { $0.state == .active })) only")
    }
    var tally = FleetTally()
    for device in devices { tally.add(try await device.counted().get()) }
    let peak = try figures.megabytes("VmHWM")
    say("devices", Double(count), "")
    say("seconds", seconds, "s")
    say("hub.peakMB", peak, "MB")
    say("hub.restMB", restMegabytes, "MB")
    say("hub.cpuSeconds", try figures.cpuSeconds() - restCPU, "s")
    say("attemptsPerDevice", Double(tally.attempts) / Double(count), "")
    say("attemptsMax", Double(tally.attemptsMaxOfOne), "")
    say("refusals", Double(tally.refusals), "")
    say("retryAfterMax", Double(tally.retrySecondsMax), "s")
    say("handshakes", Double(tally.handshakes), "")
    say("handshakesWasted", Double(tally.handshakes - tally.served), "")
    say("notOpened", Double(tally.notOpened), "")
    say("notAnswered", Double(tally.notAnswered), "")
    say("broken", Double(tally.broken), "")
}

let words = CommandLine.arguments
guard words.count >= 4, let devices = Int(words[3]), (1...18_000).contains(devices) else {
    FileHandle.standardError.write(
        Data("usage: fleet-load HUB FOLDER DEVICES [SECONDS-MAX]\n".utf8))
    exit(2)
}
do {
    try await measure(
        hub: words[1], folder: words[2], devices: devices,
        secondsMax: words.count > 4 ? Double(words[4]) ?? 900 : 900)
    exit(0)
} catch {
    FileHandle.standardError.write(Data("fleet-load: \(error)\n".utf8))
    exit(1)
}
