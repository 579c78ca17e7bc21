import ArgumentParser
import Forecasting
import Foundation
import HubCore
import HubStore
import HubSync

struct RolloutCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rollout", abstract: "See how far a push has come.",
        subcommands: [RolloutShowCommand.self, RolloutWatchCommand.self])
}

/// A rollout and where each of its devices stands, read from the store in one go.
private struct RolloutView {
    var rollout: RolloutRecord
    var progress: RolloutProgress

    /// - Parameter number: nil for the newest.
    init(_ number: UInt64?, in hub: some HubStore) async throws {
        let rollouts = try await hub.rollouts()
        guard let rollout = number.map({ n in rollouts.first { $0.id == n } }) ?? rollouts.first
        else {
            throw CommandFailure(
                .refused,
                number.map { "there is no rollout \($0)" }
                    ?? "nothing was pushed yet; see shelfcast-hub push --help")
        }
        self.rollout = rollout
        progress = RolloutProgress(
            of: rollout, devices: try await hub.devices(store: nil), rollouts: rollouts,
            assignments: try await hub.assignments(rollout: nil))
    }

    var title: String {
        "rollout \(rollout.id): \(rollout.family) to \(rollout.selector.text)"
            + (rollout.nanosecondsMax.map { ", at most \(Figure.time($0)) a forecast" } ?? "")
            + ", pushed \(FleetText.moment(rollout.createdAt))"
    }

    /// `3 active, 1 no-fit`.
    var summary: String {
        let parts = RolloutProgress.State.allCases.compactMap { state in
            let count = progress.count(state)
            return count == 0 ? nil : "\(count) \(state.rawValue)"
        }
        return parts.isEmpty ? "it selects no device" : parts.joined(separator: ", ")
    }
}

struct RolloutShowCommand: HubCommand {
    static let configuration = CommandConfiguration(
        commandName: "show",
        abstract: "Show each device of a rollout: waiting, assigned, active, refused, no-fit.",
        discussion: """
            Examples:
              shelfcast-hub rollout show
              shelfcast-hub rollout show 2 --json
            """)

    @Argument(help: "The rollout's number (default: the newest).")
    var number: UInt64?
    @OptionGroup var json: JSONOption
    @OptionGroup var data: DataOptions

    private struct Result: Encodable {
        struct Device: Encodable {
            var device: String
            var store: String
            var state: String
            var digest: String?
            var reason: String
        }
        var rollout: UInt64
        var family: String
        var selector: String
        /// Of one forecast; left out: any.
        var nanosecondsMax: Int?
        var createdAt: String
        var isSettled: Bool
        var devices: [Device]
    }

    func perform() async throws {
        let view = try await RolloutView(number, in: try data.openStore())
        if json.isOn {
            return try Console.printJSON(
                Result(
                    rollout: view.rollout.id, family: view.rollout.family,
                    selector: view.rollout.selector.text,
                    nanosecondsMax: view.rollout.nanosecondsMax,
                    createdAt: FleetText.moment(view.rollout.createdAt),
                    isSettled: view.progress.isSettled,
                    devices: view.progress.lines.map {
                        Result.Device(
                            device: $0.device.text, store: $0.store.text,
                            state: $0.state.rawValue, digest: $0.digest.map { hexadecimal($0) },
                            reason: $0.reason)
                    }))
        }
        Console.print(view.title)
        if !view.progress.lines.isEmpty {
            var table = TextTable([
                ("DEVICE", .left), ("STORE", .left), ("STATE", .left), ("WHY", .left),
            ])
            for line in view.progress.lines {
                table.add([
                    line.device.text, line.store.text, line.state.rawValue, line.reason,
                ])
            }
            Console.print(table.text)
        }
        Console.print(view.summary)
    }
}

struct RolloutWatchCommand: HubCommand {
    static let configuration = CommandConfiguration(
        commandName: "watch",
        abstract: "Follow a rollout until every device has reported.",
        discussion: """
            Prints a line whenever a device's state changes. Ends with 0 when every device is active \
            or nothing fits it, 3 when one refused its package or rolled it back, 1 after --timeout.

            Example:
              shelfcast-hub rollout watch 2 --timeout 5m
            """)

    @Argument(help: "The rollout's number (default: the newest).")
    var number: UInt64?
    @Option(help: ArgumentHelp("Give up after so long.", valueName: "duration"))
    var timeout = DurationText(seconds: 600)
    @OptionGroup var data: DataOptions

    /// How often the store is asked whether something changed.
    private static let pollMilliseconds: Int64 = 250

    func perform() async throws {
        let hub = try data.openStore()
        var view = try await RolloutView(number, in: hub)
        Console.print(view.title)
        var printed: [DeviceID: RolloutProgress.Line] = [:]
        var counter = try await hub.changeCounter()
        let deadline = ContinuousClock.now + .seconds(timeout.seconds)
        while true {
            for line in view.progress.lines where printed[line.device] != line {
                printed[line.device] = line
                Console.print(
                    "\(line.device.text)  store \(line.store.text)  \(line.state.rawValue)  "
                        + line.reason)
            }
            if view.progress.isSettled { break }
            repeat {
                guard ContinuousClock.now < deadline else {
                    Console.print(view.summary)
                    throw CommandFailure(
                        .failed,
                        "not every device has reported within \(timeout); visiting ones come at"
                            + " their own time")
                }
                try await Task.sleep(for: .milliseconds(Self.pollMilliseconds))
            } while try await !moved(&counter, in: hub)
            view = try await RolloutView(view.rollout.id, in: hub)
        }
        Console.print(view.summary)
        let failed = view.progress.count(.refused) + view.progress.count(.rolledBack)
        guard failed == 0 else {
            throw CommandFailure(
                .refused,
                "\(FleetText.count(failed, "device")) did not keep the package: see above")
        }
    }

    private func moved(_ counter: inout Int64, in hub: some HubStore) async throws -> Bool {
        let now = try await hub.changeCounter()
        defer { counter = now }
        return now != counter
    }
}
