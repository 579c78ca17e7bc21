import Foundation
import TestSupport

/// A hub with one store and two packed families, and its listener.
final class BenchSite {
    let folder: String
    private let hub: String
    private let data: String
    private var server: ChildProcess?
    private var port = ""
    private var dayNumber = 0
    private var random: UInt64 = 1
    /// The business day that `sales` was last asked for.
    private(set) var day = ""

    init(hub: String) throws {
        self.hub = hub
        folder = try Program.temporaryFolder() + "/site"
        data = folder + "/hub"
        try? FileManager.default.removeItem(atPath: folder)  // of a run before
        try FileManager.default.createDirectory(
            atPath: folder, withIntermediateDirectories: true)
        try run("init")
        _ = try Program.run(
            hub,
            [
                "sales", "sample", "--out", folder + "/sales.csv", "--stores", "1", "--items",
                "\(AgentGroup.items)", "--from", "2023-01-01", "--to", "2024-12-31",
            ])
        try run("sales", "import", folder + "/sales.csv")
        for (index, name) in ["first", "second"].enumerated() { try pack(name, seed: index + 1) }
        let server = try ChildProcess(
            hub,
            [
                "serve", "--data", data, "--host", "127.0.0.1", "--port", "0", "--no-web",
                "--no-pages",
            ])
        self.server = server
        guard let line = try server.line(where: { $0.contains("127.0.0.1:") }) else {
            throw Program.Failure(description: "the hub does not listen: \(try server.errors())")
        }
        port = String(
            line.split(separator: "127.0.0.1:", maxSplits: 1)[1].prefix { $0.isNumber })
        try push("first")
    }

    func stop() {
        server?.terminate()
        server?.wait(secondsMax: 20)
        try? FileManager.default.removeItem(atPath: folder)  // only a leftover
    }

    @discardableResult
    private func run(_ arguments: String...) throws -> String {
        try Program.run(hub, arguments + ["--data", data]).output
    }

    /// A family, trained and packed.
    func pack(_ family: String, seed: Int) throws {
        try run(
            "train", "--form", "profile", "--units", "4", "--name", family, "--seed", "\(seed)")
        try run("package", "build", family)
    }

    /// The command that pushes, just started.
    func pushing(_ family: String) throws -> ChildProcess {
        try ChildProcess(hub, ["push", family, "--all", "--at-once", "--data", data])
    }

    func push(_ family: String) throws { try run("push", family, "--all", "--at-once") }

    /// A state directory of a device that has joined and runs the first family.
    func device(_ agent: String) throws -> String {
        let state = folder + "/device"
        let token = try run(
            "token", "create", "--store", "1", "--host", "127.0.0.1", "--port", port, "--plain")
        _ = try Program.run(
            agent,
            [
                "join", token.trimmingCharacters(in: .whitespacesAndNewlines), "--state", state,
                "--memory-budget", "16KiB",
            ])
        _ = try Program.run(agent, ["sync", "--state", state])
        return state
    }

    /// The next business day, from the day after the last one trained on.
    func nextDay() -> String {
        let first = DateComponents(
            calendar: Calendar(identifier: .iso8601), timeZone: .gmt, year: 2025
        ).date!
        day = first.addingTimeInterval(Double(dayNumber) * 86_400).formatted(
            Date.ISO8601FormatStyle(timeZone: .gmt).year().month().day())
        dayNumber += 1
        return day
    }

    /// Requests to record so many sales of 1 to 4 units.
    func sales(of day: String, count: Int) -> [String] {
        (0..<count).map { _ in
            random = random &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            let item = (random >> 33) % UInt64(AgentGroup.items) + 1
            let units = (random >> 50) % 4 + 1
            return "{\"do\":\"sale\",\"day\":\"\(day)\",\"item\":\"\(item)\",\"units\":\(units)}"
        }
    }
}
