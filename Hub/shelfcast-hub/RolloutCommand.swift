import ArgumentParser
import Forecasting
import Foundation
import HubCore
import HubStore
import HubSync

struct RolloutCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rollout", abstract: "See how far pushes have come, and steer them.",
        subcommands: [
            RolloutListCommand.self, RolloutShowCommand.self, RolloutWatchCommand.self,
            RolloutPauseCommand.self, RolloutResumeCommand.self, RolloutAbortCommand.self,
            RolloutPromoteCommand.self, RolloutAllowMeteredCommand.self,
        ])
}

/// A rollout and where each of its devices stands, read from the store in one go.
private struct RolloutView {
    var rollout: RolloutRecord
    var facts: RolloutFacts
    var progress: RolloutProgress
    var stores: [RolloutStoreRecord]

    /// - Parameter number: nil for the newest.
    init(_ number: UInt64?, in hub: some HubStore) async throws {
        let rollouts = try await hub.rollouts()
        let now = Timestamp(Date())
        // Since when 'serve' listens only that knows: who is silent is seen when it has judged so.
        guard
            let id = number.map({ n in rollouts.first { $0.id == n }?.id }) ?? rollouts.first?.id,
            let (rollout, facts) = try await hub.rolloutFacts(id, listeningSince: now, at: now)
        else {
            throw CommandFailure(
                .refused,
                number.map { "there is no rollout \($0)" }
                    ?? "nothing was pushed yet; see shelfcast-hub push --help")
        }
        self.rollout = rollout
        self.facts = facts
        progress = RolloutProgress(
            of: rollout, devices: try await hub.devices(store: nil),
            members: try await hub.members(rollout: id))
        stores = try await hub.rolloutStores(id)
    }

    var title: String {
        "rollout \(rollout.id): \(rollout.family)"
            + (rollout.release.map { " (release \($0))" } ?? "") + " to \(rollout.selector.text)"
            + (rollout.nanosecondsMax.map { ", at most \(Figure.time($0)) a forecast" } ?? "")
            + ", pushed \(FleetText.moment(rollout.createdAt))"
    }

    var isStopped: Bool { rollout.state == .paused || rollout.state == .aborted }

    var standing: String { RolloutEngine.standing(rollout, facts) }

    /// `3 active, 1 no-fit`.
    var summary: String {
        let parts = RolloutProgress.State.allCases.compactMap { state in
            let count = progress.count(state)
            return count == 0 ? nil : "\(count) \(state.rawValue)"
        }
        return parts.isEmpty ? "it selects no device" : parts.joined(separator: ", ")
    }

    var waveTable: String {
        var table = TextTable([
            ("WAVE", .right), ("DEVICES", .right), ("OPENED", .left), ("SUCCEEDED", .left),
            ("TRIAL", .right), ("ACTIVE", .right), ("FAILED", .right),
        ])
        for (index, wave) in rollout.waves.enumerated() {
            let facts = facts.waves[index]
            table.add([
                "\(index + 1)", "\(wave.devices)", FleetText.moment(wave.openedAt),
                FleetText.moment(wave.soakingSince), "\(facts.trial)", "\(facts.active)",
                "\(facts.failures)",
            ])
        }
        return table.text
    }

    var storeTable: String {
        var table = TextTable([("STORE", .left), ("ROLLED BACK", .left), ("ERROR", .left)])
        for store in stores {
            table.add([
                store.store.text, FleetText.moment(store.rolledBackAt),
                store.verdict.isEmpty ? store.why : store.verdict,
            ])
        }
        return table.text
    }
}

struct RolloutListCommand: HubCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "List rollouts, newest first, and where each stands.")

    @OptionGroup var json: JSONOption
    @OptionGroup var data: DataOptions

    private struct Line: Encodable {
        var rollout: UInt64
        var family: String
        var release: UInt64?
        var selector: String
        var state: String
        var why: String
        var since: String
        /// From 1 up; left out: it selected no device.
        var wave: Int?
        var waves: Int
    }

    func perform() async throws {
        let rollouts = try await data.openStore().rollouts()
        if json.isOn {
            return try Console.printJSON(
                rollouts.map {
                    Line(
                        rollout: $0.id, family: $0.family, release: $0.release,
                        selector: $0.selector.text, state: $0.state.rawValue, why: $0.why,
                        since: FleetText.moment($0.stateSince),
                        wave: $0.openWave.map { $0 + 1 }, waves: $0.waves.count)
                })
        }
        guard !rollouts.isEmpty else {
            return Console.print("nothing was pushed yet; see shelfcast-hub push --help")
        }
        var table = TextTable([
            ("ROLLOUT", .right), ("FAMILY", .left), ("TO", .left), ("STATE", .left),
            ("WAVE", .left), ("SINCE", .left), ("WHY", .left),
        ])
        for rollout in rollouts {
            table.add([
                "\(rollout.id)", rollout.family, rollout.selector.text, rollout.state.rawValue,
                rollout.openWave.map { "\($0 + 1) of \(rollout.waves.count)" } ?? "",
                FleetText.moment(rollout.stateSince), rollout.why,
            ])
        }
        Console.print(table.text)
    }
}

struct RolloutShowCommand: HubCommand {
    static let configuration = CommandConfiguration(
        commandName: "show",
        abstract:
            "Show where a rollout stands and why, wave by wave, store by store, device by device.",
        discussion: """
            A device is waiting, assigned (told and not heard of since), in trial beside what it runs, \
            active, refused, going-back, rolled-back, no-fit or superseded by a newer rollout. A store's \
            error is that of its devices in trial, beside the error of what runs there, on the same days.

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
            /// From 1 up; left out: it came after the draw.
            var wave: Int?
            var digest: String?
            var reason: String
        }
        struct Wave: Encodable {
            var devices: Int
            var openedAt: String?
            var succeededAt: String?
            var trial: Int
            var active: Int
            var failed: Int
        }
        struct Store: Encodable {
            var store: String
            var rolledBackAt: String?
            var why: String
            var error: String
        }
        var rollout: UInt64
        var family: String
        var release: UInt64?
        var state: String
        /// Why it stands where it stands.
        var standing: String
        var policy: RolloutPolicy
        var waves: [Wave]
        var stores: [Store]
        var selector: String
        /// Of one forecast; left out: any.
        var nanosecondsMax: Int?
        /// 0: what each device allows itself.
        var meteredBytesMax: UInt64
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
                    release: view.rollout.release, state: view.rollout.state.rawValue,
                    standing: view.standing, policy: view.rollout.policy,
                    waves: zip(view.rollout.waves, view.facts.waves).map { wave, facts in
                        Result.Wave(
                            devices: wave.devices, openedAt: wave.openedAt.map(FleetText.moment),
                            succeededAt: wave.soakingSince.map(FleetText.moment),
                            trial: facts.trial, active: facts.active, failed: facts.failures)
                    },
                    stores: view.stores.map {
                        Result.Store(
                            store: $0.store.text,
                            rolledBackAt: $0.rolledBackAt.map(FleetText.moment), why: $0.why,
                            error: $0.verdict)
                    },
                    selector: view.rollout.selector.text,
                    nanosecondsMax: view.rollout.nanosecondsMax,
                    meteredBytesMax: view.rollout.meteredBytesMax,
                    createdAt: FleetText.moment(view.rollout.createdAt),
                    isSettled: view.progress.isSettled,
                    devices: view.progress.lines.map {
                        Result.Device(
                            device: $0.device.text, store: $0.store.text,
                            state: $0.state.rawValue, wave: $0.wave.map { $0 + 1 },
                            digest: $0.digest.map { hexadecimal($0) },
                            reason: $0.reason)
                    }))
        }
        Console.print(view.title)
        Console.print(view.rollout.policy.summary)
        Console.print(view.standing)
        if view.rollout.meteredBytesMax > 0 {
            Console.print("over metered links at most \(view.rollout.meteredBytesMax) bytes")
        }
        if view.rollout.waves.count > 1 { Console.print(view.waveTable) }
        if !view.stores.isEmpty { Console.print(view.storeTable) }
        if !view.progress.lines.isEmpty {
            var table = TextTable([
                ("DEVICE", .left), ("STORE", .left), ("WAVE", .right), ("STATE", .left),
                ("WHY", .left),
            ])
            for line in view.progress.lines {
                table.add([
                    line.device.text, line.store.text, line.wave.map { "\($0 + 1)" } ?? "",
                    line.state.rawValue, line.reason,
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
        abstract: "Follow a rollout until every device has reported, or it is paused or aborted.",
        discussion: """
            Prints a line whenever the rollout goes on or stops, with the reason, whenever a store's error \
            is known better, and whenever a device's state changes. Ends with 0 when every device is active \
            or nothing fits it, 3 when one refused its package or rolled it back or the rollout was stopped, \
            1 after --timeout. A trial takes days: watch again whenever you like.

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
        var standing = ""
        var stores: [StoreID: RolloutStoreRecord] = [:]
        var counter = try await hub.changeCounter()
        let deadline = ContinuousClock.now + .seconds(timeout.seconds)
        while true {
            for line in view.progress.lines where printed[line.device] != line {
                printed[line.device] = line
                Console.print(
                    "\(line.device.text)  store \(line.store.text)  \(line.state.rawValue)  "
                        + line.reason)
            }
            for store in view.stores where stores[store.store] != store {
                stores[store.store] = store
                Console.print(
                    "store \(store.store.text)  "
                        + (store.rolledBackAt == nil ? "in trial" : "rolled-back") + "  "
                        + (store.verdict.isEmpty ? store.why : store.verdict))
            }
            if view.standing != standing {
                standing = view.standing
                Console.print(standing)
            }
            if view.progress.isSettled || view.isStopped { break }
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
        guard !view.isStopped else {
            throw CommandFailure(
                .refused, "rollout \(view.rollout.id) is \(view.rollout.state.rawValue): see above")
        }
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

/// What the commands that steer a rollout have in common.
private protocol RolloutVerb: HubCommand {
    var number: UInt64 { get }
    var why: String { get }
    var data: DataOptions { get }
}

extension RolloutVerb {
    /// - Parameter event: made of what the rollout stands at.
    fileprivate func steer(
        _ event: (RolloutFacts) -> RolloutEvent
    ) async throws -> RolloutRecord {
        guard !why.isEmpty else {
            throw ValidationError("--why is for whoever reads the audit log: say something")
        }
        let hub = try data.openStore()
        let now = Timestamp(Date())
        guard
            let (rollout, facts) = try await hub.rolloutFacts(number, listeningSince: now, at: now)
        else { throw CommandFailure(.refused, "there is no rollout \(number)") }
        return try await hub.change(
            rollout: number, by: event(facts), ifStill: rollout.revision, at: now)
    }
}

struct RolloutPauseCommand: RolloutVerb {
    static let configuration = CommandConfiguration(
        commandName: "pause",
        abstract: "Who has the package keeps it; nobody new gets it.",
        discussion: """
            Example:
              shelfcast-hub rollout pause 4 --why 'complaints from store 12'
            """)

    @Argument(help: "The rollout's number.")
    var number: UInt64
    @Option(help: "For the audit log.")
    var why: String
    @OptionGroup var data: DataOptions

    func perform() async throws {
        _ = try await steer { _ in .pause(why: why) }
        Console.print("rollout \(number) is paused: who has the package keeps it")
    }
}

struct RolloutResumeCommand: RolloutVerb {
    static let configuration = CommandConfiguration(
        commandName: "resume",
        abstract: "Let a paused rollout go on; failures until now are not held against it again.")

    @Argument(help: "The rollout's number.")
    var number: UInt64
    @Option(help: "For the audit log.")
    var why: String
    @OptionGroup var data: DataOptions

    func perform() async throws {
        _ = try await steer { .resume(why: why, failures: $0.failures) }
        Console.print("rollout \(number) goes on")
    }
}

struct RolloutAbortCommand: RolloutVerb {
    static let configuration = CommandConfiguration(
        commandName: "abort",
        abstract: "Take a package back: whoever has it goes back to what ran before. Final.",
        discussion: """
            Devices go back when they are next in touch, and do not take that package again.

            Example:
              shelfcast-hub rollout abort 4 --why 'forecasts of store 12 are far off'
            """)

    @Argument(help: "The rollout's number.")
    var number: UInt64
    @Option(help: "For the audit log.")
    var why: String
    @OptionGroup var data: DataOptions

    func perform() async throws {
        _ = try await steer { _ in .abort(why: why) }
        Console.print("rollout \(number) is aborted: whoever has the package goes back")
        Console.print("next: shelfcast-hub rollout show \(number)")
    }
}

struct RolloutPromoteCommand: RolloutVerb {
    static let configuration = CommandConfiguration(
        commandName: "promote",
        abstract: "Open the next wave without waiting; after the last, call the rollout complete.",
        discussion: """
            Trials on the devices go on as they are.

            Example:
              shelfcast-hub rollout promote 4 --why 'three good days are enough'
            """)

    @Argument(help: "The rollout's number.")
    var number: UInt64
    @Option(help: "For the audit log.")
    var why: String
    @OptionGroup var data: DataOptions

    func perform() async throws {
        let rollout = try await steer { _ in .promote(why: why) }
        Console.print(
            rollout.state == .complete
                ? "rollout \(number) is complete"
                : "wave \((rollout.openWave ?? 0) + 1) of \(rollout.waves.count) is open")
    }
}

struct RolloutAllowMeteredCommand: RolloutVerb {
    static let configuration = CommandConfiguration(
        commandName: "allow-metered",
        abstract: "Let devices on links that are paid for by the byte fetch a rollout's package.",
        discussion: """
            A device that runs with 'metered' fetches no update of more than 8 KiB (or its own 'metered-max') by \
            itself: it stays as it is, and 'rollout show' says what it waits for. Connected devices hear of this \
            at once, the others at their next visit. Without --bytes it is left to each device again.

            Example:
              shelfcast-hub rollout allow-metered 4 --bytes 20KiB --why 'worth it for these stores'
            """)

    @Argument(help: "The rollout's number.")
    var number: UInt64
    @Option(help: ArgumentHelp("What one device's update may take.", valueName: "bytes"))
    var bytes: ByteCountText?
    @Option(help: "For the audit log.")
    var why: String
    @OptionGroup var data: DataOptions

    func perform() async throws {
        let most = UInt64(bytes?.bytes ?? 0)
        let rollout = try await steer { _ in .allowMetered(bytes: most, why: why) }
        Console.print(
            rollout.meteredBytesMax == 0
                ? "rollout \(number): over metered links as much as each device allows itself"
                : "rollout \(number): over metered links at most \(rollout.meteredBytesMax) bytes a device"
        )
    }
}
