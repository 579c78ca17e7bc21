import Forecasting
import Foundation
import HubCore
import TestSupport

/// What a push to 10,000 devices of 2,000 stores computes before it is stored: which of a family's packages each device
/// gets, and in which wave.
enum RolloutGroup {
    private static let stores = 2_000
    private static let devicesPerStore = 5
    private static let runs = 5

    static func run(_ report: inout BenchReport) throws {
        let devices = try fleet()
        let packages = try packages()
        let release = packages.map(\.release).max() ?? 1
        var milliseconds: [Double] = []
        for _ in 0..<runs {
            let started = ContinuousClock.now
            let plan = RolloutPlan(
                .careful,
                devices: devices.map {
                    .init(id: $0.id, store: $0.store, isRunning: $0.running != nil)
                }, key: RolloutPlan.key(family: "f", release: release, selector: .all))
            let fit = FleetFit(family: "f", devices: devices, among: packages)
            milliseconds.append((ContinuousClock.now - started) / .milliseconds(1))
            precondition(
                plan.waves.map(\.count) == [100, 900, 4_000, 5_000] && fit.without.isEmpty)
        }
        report.add("rollout.plan10k.ms", milliseconds.sorted()[runs / 2], "ms")
        try pushToRunning(&report)
        try reconnect(&report)
    }

    private static func fleet() throws -> [DeviceRecord] {
        let now = Timestamp(millisecondsSince1970: 0)
        return try (0..<stores).flatMap { store in
            try (0..<devicesPerStore).map { number in
                var device = DeviceRecord(
                    id: try DeviceID("device-\(store)-\(number)"), store: try StoreID("\(store)"),
                    status: .approved, labels: [], token: 1, joinedAt: now)
                var capabilities = DeviceCapabilities()
                capabilities.modelMemoryBudgetBytes = UInt64(1_000 << number)
                device.capabilities = capabilities
                return device
            }
        }
    }

    /// Four sizes for each store, the larger the better.
    private static func packages() throws -> [PackageRecord] {
        try (0..<stores * 4).map { number in
            let size = number % 4
            return PackageRecord(
                digest: [UInt8(number >> 8), UInt8(number & 255)]
                    + [UInt8](repeating: 0, count: 30), family: "f",
                variant: "v\(size)", store: try StoreID("\(number / 4)"), release: 1,
                packageBytes: 300 << size,
                arenaBytes: 500 << size, parameterCount: 10, requiredFeatures: [],
                wape: 14 - Double(size) / 10, mape: 14, bias: 0, floatWAPE: 14, floatMAPE: 14,
                createdAt: Timestamp(millisecondsSince1970: 0))
        }
    }
}

// What it takes until devices run what was pushed: one that stays connected, and ten thousand that come back at once.
// Both with the programs as they ship, over real sockets.
extension RolloutGroup {
    private static let hub = ".build/release/shelfcast-hub"
    private static let agent = ".build/agent/shelfcast-agent"
    private static let load = ".build/release/fleet-load"
    private static let pushes = 5
    private static let fleetMax = 10_000
    private static let fleetMin = 2_000

    static func isMissing(_ program: String) -> Bool {
        !FileManager.default.isExecutableFile(atPath: program)
    }

    /// From the start of the `push` command to the device that says it runs the package, and until it has the hub's
    /// word that it knows.
    static func pushToRunning(_ report: inout BenchReport) throws {
        for program in [hub, agent] where isMissing(program) {
            report.skip(
                "rollout.pushToRunning", because: "there is no \(program): make hub agent")
            return
        }
        let site = try BenchSite(hub: hub)
        defer { site.stop() }
        for number in 1...pushes { try site.pack("push-\(number)", seed: number + 2) }
        let running = try RunningAgent(agent, state: try site.device(agent))
        defer { running.stop() }
        var (toRunning, toKnown) = ([Double](), [Double]())
        for number in 1...pushes {
            _ = try running.wait("connected") { $0["connection"] as? String == "connected" }
            // So that nothing of the push before is on its way any more.
            sleep(2)
            let start = BenchReport.clockSeconds()
            let push = try site.pushing("push-\(number)")
            func seconds(_ isSo: ([String: Any]) -> Bool) throws -> Double {
                _ = try running.wait(
                    "running push-\(number)", everyMicroseconds: 5_000, until: isSo)
                return BenchReport.clockSeconds() - start
            }
            toRunning.append(try seconds { "\($0["running"] ?? "")".contains("push-\(number)") })
            // Its report is answered, so the hub has committed it.
            toKnown.append(try seconds { $0["connection"] as? String == "connected" })
            push.wait(secondsMax: 60)
        }
        report.add("rollout.pushToRunning.ms", toRunning.sorted()[pushes / 2] * 1000, "ms")
        report.add("rollout.pushToRunning.max.ms", (toRunning.max() ?? 0) * 1000, "ms")
        report.add("rollout.pushToKnown.ms", toKnown.sorted()[pushes / 2] * 1000, "ms")
    }

    /// Every device of a fleet dials in at the same moment, half of them stay.
    static func reconnect(_ report: inout BenchReport) throws {
        for program in [hub, load] where isMissing(program) {
            report.skip("rollout.reconnect10k", because: "there is no \(program): make bench")
            return
        }
        var limit = rlimit()
        getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        // Beside its connections a process has some hundred files.
        let devices = min(fleetMax, Int(clamping: limit.rlim_max) - 512)
        guard devices >= fleetMin else {
            report.skip(
                "rollout.reconnect10k", because: "this system allows \(limit.rlim_max) open files")
            return
        }
        let folder = try Program.temporaryFolder() + "/fleet"
        defer { try? FileManager.default.removeItem(atPath: folder) }  // only a leftover
        let lines = try Program.run(load, [hub, folder, "\(devices)"]).output.split(separator: "\n")
        for line in lines {
            let words = line.split(separator: " ")
            guard words.count >= 2, let value = Double(words[1]) else { continue }
            report.add(
                "rollout.reconnect10k.\(words[0])", value, words.count > 2 ? "\(words[2])" : "")
        }
    }
}
