import ArgumentParser
import Compression
import Forecasting
import Foundation
import HubCore
import HubStore
import HubWeb
import Training

struct AutopilotCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "autopilot",
        abstract: "Train models anew, promote what is better, take back what is not.",
        discussion: """
            A run trains a challenger on everything that was uploaded and imported, back-tests it by rolling origin beside
            what runs and last week's weekday, and refuses it unless it is better beyond chance. What is better is packed,
            signed and pushed in waves, and kept or taken back by the errors it makes then. Each run is one entry.

            'serve' runs it by itself when the mode is on or advise: when stores drift, or every so many days.
            """,
        subcommands: [
            AutopilotModeCommand.self, AutopilotRunCommand.self, AutopilotListCommand.self,
            AutopilotShowCommand.self,
        ])
}

extension AutopilotMode: ExpressibleByArgument {}

struct AutopilotModeCommand: HubCommand {
    static let configuration = CommandConfiguration(
        commandName: "mode",
        abstract: "Say whether it runs by itself, and how; without a mode, show it.",
        discussion: """
            off     it runs on demand alone ('autopilot run')
            advise  it runs by itself, packs what is better, and says which push would bring it out
            on      it pushes, too, in waves; the options of 'push' say how

            Options that are left out stay as they are, those of the push all together.

            Examples:
              shelfcast-hub autopilot mode
              shelfcast-hub autopilot mode advise --every 14d
              shelfcast-hub autopilot mode on --waves 3,10%,all --trial-days 5
            """)

    @Argument(help: "off, advise or on.")
    var mode: AutopilotMode?
    @Option(help: ArgumentHelp("From one run to the next, 1d to 365d.", valueName: "duration"))
    var every: DurationText?
    @Option(
        help: ArgumentHelp("What one run may take, 1m to 24h.", valueName: "duration"))
    var timeMax: DurationText?
    @OptionGroup var policy: PolicyOptions
    @OptionGroup var json: JSONOption
    @OptionGroup var data: DataOptions

    private struct Output: Encodable {
        var mode: String
        var everyDays: Int
        var minutesMax: Int
        var policy: RolloutPolicy
    }

    func validate() throws {
        if let every,
            every.seconds % 86_400 != 0
                || !AutopilotSettings.everyDaysRange.contains(Int(every.seconds / 86_400))
        {
            throw ValidationError("--every is 1d to 365d, in whole days")
        }
        if let timeMax,
            timeMax.seconds % 60 != 0
                || !AutopilotSettings.minutesRange.contains(Int(timeMax.seconds / 60))
        {
            throw ValidationError("--time-max is 1m to 24h, in whole minutes")
        }
    }

    func perform() async throws {
        let store = try data.openStore()
        var settings = try await store.autopilotSettings()
        let before = settings
        if let mode { settings.mode = mode }
        if let every { settings.everyDays = Int(every.seconds / 86_400) }
        if let timeMax { settings.minutesMax = Int(timeMax.seconds / 60) }
        if policy.isGiven { settings.policy = policy.policy }
        if settings != before { try await store.setAutopilotSettings(settings, at: .now) }
        if json.isOn {
            return try Console.printJSON(
                Output(
                    mode: settings.mode.rawValue, everyDays: settings.everyDays,
                    minutesMax: settings.minutesMax, policy: settings.policy))
        }
        Console.print(
            "mode \(settings.mode.rawValue); every \(FleetText.count(settings.everyDays, "day")),"
                + " and when stores drift; at most \(FleetText.count(settings.minutesMax, "minute")) a run"
        )
        Console.print("pushes: \(settings.policy.summary)")
    }
}

/// `STORE=DATE`.
struct DriftText: ExpressibleByArgument {
    var drift: StoreDrift

    init?(argument: String) {
        guard let equals = argument.lastIndex(of: "="),
            let store = try? StoreID(String(argument[..<equals])),
            let since = BusinessDay(
                iso8601: Array(argument[argument.index(after: equals)...].utf8))
        else { return nil }
        drift = StoreDrift(store: store, since: since)
    }
}

struct AutopilotRunCommand: HubCommand {
    static let configuration = CommandConfiguration(
        commandName: "run",
        abstract: "Run it once, now: train, back-test, and promote what is better.",
        discussion: """
            In mode on what is better is pushed; in every other mode it is packed, and the push that would bring it out is
            shown. The seed and the recipes are those of what runs, unless --recipe or --search says otherwise; networks begin with the
            weights that run where they fit.

            --drift says that a store's demand is another one since a day: its level is learnt anew from there, its
            comparison counts from there, and a challenger that is better only there is pushed only there. Stores with
            an open alert of a demand shift need no --drift.

            One run at a time: it is refused while the rollout of the run before is on its way. Ctrl-C stops it; nothing of
            it is used then. --if-due runs only when a run of its own would be due, and quietly ends otherwise.

            A refused challenger is a run that has done its work: the exit status is 0.

            Examples:
              shelfcast-hub autopilot run
              shelfcast-hub autopilot run --drift 2=2025-03-03 --drift 5=2025-03-03
              shelfcast-hub autopilot run --mode advise --recipe 'lstm4 | prune 50% | finetune | qat int8'
            """)

    @Option(help: "advise or on, for this run (default: on where the mode is on, else advise).")
    var mode: AutopilotMode?
    @Option(help: ArgumentHelp("A store that drifts, and since when.", valueName: "store=date"))
    var drift: [DriftText] = []
    @Option(
        help: ArgumentHelp(
            "One network by this recipe instead of those that run.", valueName: "steps"))
    var recipe: RecipeArgument?
    @Option(
        help: ArgumentHelp(
            "Search for a recipe first, so long, within what the largest package that runs takes.",
            valueName: "time"))
    var search: DurationText?
    @Option(help: "Another seed, other weights (default: that of what runs).")
    var seed: UInt64?
    @Flag(help: "Only when it is due; at a low priority.")
    var ifDue = false
    @OptionGroup var policy: PolicyOptions
    @OptionGroup var json: JSONOption
    @OptionGroup var data: DataOptions

    func validate() throws {
        if mode == .off { throw ValidationError("--mode is advise or on") }
        if let recipe, try recipe.parsed().architecture == nil {
            throw ValidationError("--recipe has to begin with a network, such as lstm8")
        }
        if let search, !(1...86_400).contains(search.seconds) {
            throw ValidationError("--search is 1s to 24h")
        }
        if search != nil, recipe != nil {
            throw ValidationError(
                "--search finds a recipe, --recipe gives one: leave one of them out")
        }
        if ifDue, mode != nil || !drift.isEmpty {
            throw ValidationError("--if-due decides by itself: leave --mode and --drift out")
        }
    }

    func perform() async throws {
        let hub = try data.openStore()
        let store = hub.acting(as: "autopilot")
        guard let lock = try AutopilotLock(dataDirectory: data.directory) else {
            if ifDue { return }
            throw CommandFailure(
                .busy, "another run of the autopilot is at work; see autopilot list")
        }
        defer { withExtendedLifetime(lock) {} }
        try await store.endCutOffAutopilotRuns(at: .now)
        try await store.followAutopilotRuns(at: .now)
        let settings = try await store.autopilotSettings()
        guard let cause = try await cause(store) else { return }
        if let going = try await store.autopilotRuns(countMax: 100)
            .first(where: { $0.stage != .ended })
        {
            throw CommandFailure(
                .refused,
                "rollout \(going.rollout ?? 0) of run \(going.id) is on its way: what a second one does could"
                    + " not be told apart; wait, or: shelfcast-hub rollout abort \(going.rollout ?? 0)"
            )
        }
        if ifDue { Background.enter() }
        let mode = mode ?? (settings.mode == .on ? .on : .advise)
        let run = try await perform(
            cause, mode: mode, policy: policy.isGiven ? policy.policy : settings.policy,
            minutesMax: settings.minutesMax, store)
        if json.isOn {
            try Console.printJSON(AutopilotShapes.run.json(run))
        } else if ifDue {
            // A line for whoever reads a log.
            Console.print(
                "autopilot run \(run.id), \(run.cause.reason): \(AutopilotText.outcome(run)): \(run.why)"
            )
        } else {
            Console.print(AutopilotText.show(run))
        }
    }

    private func cause(_ store: any HubStore) async throws -> AutopilotCause? {
        if ifDue { return try await store.dueAutopilotCause(at: .now) }
        var drifts = drift.map(\.drift)
        let known = Set(drifts.map(\.store))
        drifts += try await store.driftingStores().filter { !known.contains($0.store) }
        for drift in drifts {
            guard try await store.store(drift.store) != nil else {
                throw CommandFailure(.refused, "--drift: there is no store \(drift.store.text)")
            }
        }
        return AutopilotCause(trigger: .demand, reason: "asked for", drifts: drifts)
    }

    private func perform(
        _ cause: AutopilotCause, mode: AutopilotMode, policy: RolloutPolicy, minutesMax: Int,
        _ store: any HubStore
    ) async throws -> AutopilotRecord {
        Interruption.watch()
        let bar = ProgressBar("autopilot")
        let end = ContinuousClock.now + .seconds(60 * minutesMax)
        let runner = AutopilotRunner(
            store: store, data: data, policy: policy, rule: PromotionRule(),
            recipe: try recipe?.parsed(), searchSeconds: search.map { Int($0.seconds) },
            seed: seed,
            progress: { bar.update($1, $0.text) },
            isCancelled: { Interruption.hasHappened || ContinuousClock.now > end })
        do {
            let run = try await runner.run(cause: cause, mode: mode)
            bar.finish(run.outcome?.rawValue ?? "pushed")
            return run
        } catch TrainingError.cancelled {
            bar.abandon()
            guard Interruption.hasHappened else {
                throw CommandFailure(
                    .failed,
                    "it took more than \(FleetText.count(minutesMax, "minute")); nothing was changed."
                        + " 'autopilot mode --time-max' allows more")
            }
            Console.error("shelfcast-hub: stopped; nothing was changed")
            throw ExitCode(Interruption.exitStatus)
        } catch {
            bar.abandon()
            throw error
        }
    }
}

struct AutopilotListCommand: HubCommand {
    static let configuration = CommandConfiguration(
        commandName: "list",
        abstract: "List its runs, newest first.",
        discussion: """
            OUTCOME is refused, advised, kept, undone, failed, cut-off, or how far the run has come.

            Example:
              shelfcast-hub autopilot list --json
            """)

    @Option(help: "How many.")
    var last = 50
    @OptionGroup var json: JSONOption
    @OptionGroup var data: DataOptions

    func validate() throws {
        guard (1...10_000).contains(last) else { throw ValidationError("--last is 1 to 10000") }
    }

    func perform() async throws {
        let store = try data.openStore()
        try await AutopilotUpkeep.settle(store, dataDirectory: data.directory)
        let runs = try await store.autopilotRuns(countMax: last)
        if json.isOn { return try Console.printJSON(runs.map(AutopilotShapes.run.json)) }
        guard !runs.isEmpty else {
            return Console.print("it has not run yet; next: shelfcast-hub autopilot run")
        }
        Console.print(AutopilotText.list(runs))
    }
}

struct AutopilotShowCommand: HubCommand {
    static let configuration = CommandConfiguration(
        commandName: "show",
        abstract:
            "Show one run whole: why, from what, the back-test, the verdict, what became of it.",
        discussion: """
            Example:
              shelfcast-hub autopilot show 3
            """)

    @Argument(help: "The run's number (default: the newest).")
    var run: Int64?
    @OptionGroup var json: JSONOption
    @OptionGroup var data: DataOptions

    func perform() async throws {
        let store = try data.openStore()
        try await AutopilotUpkeep.settle(store, dataDirectory: data.directory)
        let found =
            if let run { try await store.autopilotRun(run) } else {
                try await store.autopilotRuns(countMax: 1).first
            }
        guard let found else {
            throw CommandFailure(
                .refused,
                run.map { "there is no run \($0); see shelfcast-hub autopilot list" }
                    ?? "it has not run yet")
        }
        if json.isOn { return try Console.printJSON(AutopilotShapes.run.json(found)) }
        Console.print(AutopilotText.show(found))
    }
}
