import ArgumentParser
import Compression
import Forecasting
import Foundation
import HubCore
import HubStore
import Training

struct CompressSearchCommand: HubCommand {
    static let configuration = CommandConfiguration(
        commandName: "search",
        abstract: "Search for the best model under a device's limits.",
        discussion: """
            Tries networks and recipes by successive halving: many with few epochs, the best third
            with more. Selection is by the validation days alone; the test days, from --test-from on,
            are only reported. Ctrl-C stops at any time; the same command goes on from there (--restart
            begins anew), also after --time is up. Afterwards: the front (nothing smaller is better),
            and the chosen point with the reason. Limits that nothing keeps get the nearest point and
            what stands in the way.

            Examples:
              shelfcast-hub compress search --max-file 512B --max-arena 2KiB --time 5m
              shelfcast-hub compress search --max-latency 50us --min-accuracy 60% --save sensor --out front
            """)

    @Option(help: ArgumentHelp("Bytes of the package file, such as 512B.", valueName: "bytes"))
    var maxFile: ByteCountText?
    @Option(help: ArgumentHelp("Bytes of memory to forecast in, such as 2KiB.", valueName: "bytes"))
    var maxArena: ByteCountText?
    @Option(help: ArgumentHelp("Of one forecast on this machine, such as 50us.", valueName: "time"))
    var maxLatency: LatencyText?
    @Option(
        help: ArgumentHelp("100 % less the error on the validation days.", valueName: "percent"))
    var minAccuracy: PercentText?
    @Option(help: "The error to make small: wape or mape.")
    var measure: SearchRunner.Measure = .wape
    @Option(help: ArgumentHelp("How long to search, such as 10m.", valueName: "time"))
    var time = DurationText(seconds: 600)
    @Option(help: ArgumentHelp("Only this form (default: all three).", valueName: "form"))
    var form: FormArgument?
    @Option(help: ArgumentHelp("Learn from the days before, test on the rest.", valueName: "date"))
    var testFrom: BusinessDay?
    @Option(help: "Another seed, another search.")
    var seed: UInt64 = 1
    @Option(help: "The search's name: what it goes on from is kept under it.")
    var name = "search"
    @Flag(help: "Forget what the search of this name found so far.")
    var restart = false
    @Option(help: ArgumentHelp("Keep the chosen model as a family.", valueName: "family"))
    var save: String?
    @Option(help: ArgumentHelp("Where to write front.json and front.svg.", valueName: "directory"))
    var out: String?
    @OptionGroup var json: JSONOption
    @OptionGroup var data: DataOptions

    func validate() throws {
        for (option, name) in [("--name", name), ("--save", save ?? "a")]
        where !FamilyName.isValid(name) {
            throw ValidationError(
                "\(option) is 1 to 64 letters, digits, '.', '_' and '-', beginning with a letter or digit"
            )
        }
        guard (1...7 * 86_400).contains(time.seconds) else {
            throw ValidationError("--time is 1s to 7d")
        }
    }

    func perform() async throws {
        let store = try data.openStore()
        if let save, try await store.family(save) != nil {
            throw HubStoreError.alreadyExists(what: "family \(save)")
        }
        let snapshot = try await SalesSnapshot(store, through: nil)
        guard !snapshot.series.isEmpty else {
            throw CommandFailure(
                .refused, "there are no sales to learn from; first: shelfcast-hub sales import FILE"
            )
        }
        if let testFrom,
            let end = snapshot.series.map({ $0.firstDay.advanced(by: $0.days.count) }).max(),
            testFrom >= end
        {
            throw CommandFailure(
                .refused,
                "--test-from \(testFrom.iso8601) leaves no day to test on: the last known day is "
                    + end.advanced(by: -1).iso8601)
        }
        let limits = ModelLimits(
            fileBytesMax: maxFile?.bytes, arenaBytesMax: maxArena?.bytes,
            nanosecondsMax: maxLatency?.nanoseconds,
            errorMax: minAccuracy.map { 100 - $0.percent })
        let file = SearchFile(name: name, dataDirectory: data.directory)
        let question = SearchFile.Question(
            snapshotDigest: snapshot.digest, testFrom: testFrom?.iso8601, measure: measure,
            form: form?.rawValue, seed: seed)
        var state = restart ? nil : try file.read(expecting: question)
        let known = state?.trials.count ?? 0
        // Limits may be tightened as one goes: what was measured stays true.
        state?.limits = limits
        var search = state ?? SearchState(limits: limits, seed: seed)
        if known > 0 { Console.error("search: going on from \(known) trials") }
        try explore(&search, snapshot: snapshot, file: file, question: question)
        let outcome = SearchOutcome(search, measure: measure)
        if let out {
            try OutputFolder(out).write([
                ("front.json", try Console.json(outcome.json)), ("front.svg", outcome.plot.svg),
            ])
        }
        if json.isOn {
            try Console.printJSON(outcome.json)
        } else {
            Console.print(outcome.text)
        }
        guard let chosen = outcome.chosenRecipe else { return }
        guard let save else {
            if !json.isOn { Console.print("--save NAME keeps the chosen model as a family") }
            return
        }
        try await keep(chosen, as: save, snapshot: snapshot, store: store)
    }

    private var setup: Workbench.Setup {
        // What is searched by is also what is trained for.
        Workbench.Setup(
            form: form?.form ?? .profile, testFrom: testFrom,
            loss: measure == .mape ? .absolutePercentage : .automatic)
    }

    /// Until the time is up, the space exhausted or Ctrl-C pressed; the file always holds all finished trials.
    private func explore(
        _ state: inout SearchState, snapshot: SalesSnapshot, file: SearchFile,
        question: SearchFile.Question
    ) throws {
        let runner = SearchRunner(
            workbench: Workbench(series: snapshot.series, setup: setup), measure: measure,
            seed: seed)
        let space = form.map { SearchSpace(forms: [$0.form]) } ?? SearchSpace()
        let start = ContinuousClock.now
        let bar = ProgressBar("search")
        Interruption.watch()
        func elapsed() -> Double { (ContinuousClock.now - start) / .seconds(1) }
        let seconds = Double(time.seconds)
        var isStopped = false
        while !isStopped, elapsed() < seconds, let next = state.next(in: space) {
            let best = SearchOutcome.best(of: state, measure: measure)
            let number = state.trials.count
            do {
                try runner.perform(
                    next, in: &state,
                    progress: { step in
                        let left = ProgressBar.duration(max(0, seconds - elapsed()))
                        bar.update(
                            elapsed() / seconds,
                            "\(number) trials, \(left) left\(best); now \(next.recipe): \(step.line)"
                        )
                    },
                    // A trial that runs over the time by much is given up.
                    isCancelled: { Interruption.hasHappened || elapsed() > seconds * 1.1 + 5 })
            } catch TrainingError.cancelled {
                isStopped = true
            }
            if Interruption.hasHappened { isStopped = true }
            try file.write(state, question: question)
        }
        if Interruption.hasHappened {
            bar.abandon()
            Console.error("shelfcast-hub: stopped; the same command goes on from here")
        } else {
            bar.finish(
                "\(state.trials.count) trials\(SearchOutcome.best(of: state, measure: measure))")
        }
    }

    private func keep(
        _ recipe: String, as name: String, snapshot: SalesSnapshot, store: SQLiteHubStore
    ) async throws {
        let parsed = try Recipe(parsing: recipe)
        let bar = ProgressBar("train")
        let piece: Workpiece
        do {
            piece = try Workbench(series: snapshot.series, setup: setup).follow(
                parsed, seed: seed, measuring: .never,
                progress: { bar.update($0.share, $0.line) },
                isCancelled: { Interruption.hasHappened })
        } catch TrainingError.cancelled {
            bar.abandon()
            Console.error("shelfcast-hub: stopped; no family was saved")
            throw ExitCode(Interruption.exitStatus)
        } catch {
            bar.abandon()
            throw CommandFailure(compression: error)
        }
        bar.finish(recipe)
        let family = piece.session.family([try piece.variant(name: name, recipe: parsed)])
        try await store.saveFamily(
            try family.record(
                like: FamilyRecord(
                    name: name, createdAt: .now, form: family.form.name,
                    snapshotDigest: snapshot.digest, seed: seed, asOf: family.asOf, summary: "",
                    trained: [],
                    lineage: snapshot.data.map { data in
                        Lineage(
                            origin: .search, data: data,
                            networks: family.variants.map {
                                Lineage.Network(
                                    variant: $0.name, recipe: $0.recipe, seed: seed,
                                    origin: .search, madeAt: .now)
                            })
                    }), snapshot: snapshot))
        Console.print("next: shelfcast-hub package build \(name)")
    }
}

extension SearchRunner.Measure: ExpressibleByArgument {}

/// Where a search is kept between two runs of its command: one file, replaced whole.
struct SearchFile {
    /// What a search's trials are answers to; another question is another search.
    struct Question: Codable, Equatable {
        var snapshotDigest: String
        var testFrom: String?
        var measure: SearchRunner.Measure
        var form: String?
        var seed: UInt64
    }

    private struct Content: Codable {
        var version: Int
        var question: Question
        var state: SearchState
    }

    private static let version = 1
    private static let bytesMax = 64 << 20
    let name: String
    let dataDirectory: String

    private var path: String { dataDirectory + "/searches/\(name).json" }

    /// - Returns: nil when there is none yet.
    func read(expecting question: Question) throws -> SearchState? {
        guard let bytes = FileManager.default.contents(atPath: path) else { return nil }
        guard bytes.count <= Self.bytesMax,
            let content = try? JSONDecoder().decode(Content.self, from: bytes),
            content.version == Self.version
        else {
            // Not ours to repair: a damaged file costs the trials in it and no more.
            throw CommandFailure(
                .refused, "\(path) is no search of this version; --restart begins anew")
        }
        guard content.question == question else {
            throw CommandFailure(
                .refused,
                "search \(name) was made on other sales or with another --test-from, --measure, --form or "
                    + "--seed; give another --name, or --restart to begin anew")
        }
        return content.state
    }

    func write(_ state: SearchState, question: Question) throws {
        let folder = URL(fileURLWithPath: path).deletingLastPathComponent()
        do {
            try FileManager.default.createDirectory(
                at: folder, withIntermediateDirectories: true,
                attributes: [.posixPermissions: 0o700])
            try JSONEncoder().encode(
                Content(version: Self.version, question: question, state: state)
            ).write(to: URL(fileURLWithPath: path), options: .atomic)
        } catch {
            throw CommandFailure(.failed, "cannot write \(path): \(fileProblem(error))")
        }
    }
}

/// What a search found, for people, programs and the eye.
struct SearchOutcome {
    private let state: SearchState
    private let measure: SearchRunner.Measure

    init(_ state: SearchState, measure: SearchRunner.Measure) {
        self.state = state
        self.measure = measure
    }

    private var front: [Trial] { state.front.map { state.trials[$0] } }

    private var chosen: Trial? {
        switch state.choice {
        case .best(let trial), .nearest(let trial, _): state.trials[trial]
        case nil: nil
        }
    }

    /// Nil also when nothing keeps the limits: then nothing is worth keeping.
    var chosenRecipe: String? {
        guard case .best(let trial)? = state.choice else { return nil }
        return state.trials[trial].recipe
    }

    static func best(of state: SearchState, measure: SearchRunner.Measure) -> String {
        guard case .best(let trial)? = state.choice, let figures = state.trials[trial].figures.last
        else { return "" }
        return ", best \(Figure.fixed(figures.validationError, decimals: 2)) % in "
            + "\(figures.fileBytes) bytes"
    }

    var reason: String {
        switch state.choice {
        case nil:
            return "no trial was followed to its end; give it more --time"
        case .best(let trial):
            let figures = state.trials[trial].figures.last!
            let last = SearchState.epochShares.count - 1
            let count = state.trials.count { $0.figures.count > last }
            return
                "chosen for the least validation \(measure.rawValue.uppercased()) "
                + "(\(Figure.fixed(figures.validationError, decimals: 2)) %) of all that keep the limits, "
                + "of \(count) followed to the end and \(state.trials.count) tried"
        case .nearest(let trial, let broken):
            let figures = state.trials[trial].figures.last!
            let limits = state.limits
            let words = broken.map { limit in
                switch limit {
                case .file: "file \(figures.fileBytes) bytes of \(limits.fileBytesMax ?? 0)"
                case .arena: "arena \(figures.arenaBytes) bytes of \(limits.arenaBytesMax ?? 0)"
                case .latency:
                    "\(LatencyText(nanoseconds: figures.nanoseconds)) a forecast of "
                        + "\(LatencyText(nanoseconds: limits.nanosecondsMax ?? 0))"
                case .error:
                    "error \(Figure.fixed(figures.validationError, decimals: 2)) % of "
                        + "\(Figure.fixed(limits.errorMax, decimals: 2)) %"
                }
            }
            return "nothing found keeps the limits; the nearest breaks "
                + words.joined(separator: ", ")
        }
    }

    var text: String {
        var table = TextTable([
            ("FILE", .right), ("PAYLOAD", .right), ("ARENA", .right), ("TIME", .right),
            ("VALID%", .right), ("WAPE%", .right), ("MAPE%", .right), ("BIAS%", .right),
            ("RECIPE", .left),
        ])
        for trial in front {
            guard let figures = trial.figures.last else { continue }
            table.add([
                "\(figures.fileBytes)", "\(figures.payloadBytes)", "\(figures.arenaBytes)",
                LatencyText(nanoseconds: figures.nanoseconds).description,
                Figure.fixed(figures.validationError, decimals: 2),
                Figure.fixed(figures.wape, decimals: 2), Figure.fixed(figures.mape, decimals: 2),
                Figure.fixed(figures.bias, decimals: 2),
                (trial == chosen ? "* " : "") + trial.recipe,
            ])
        }
        return (front.isEmpty ? "" : table.text + "\n") + reason
    }

    struct Output: Encodable {
        struct Point: Encodable {
            var recipe: String
            var isOnFront: Bool
            var figures: SearchFigures
        }
        var measure: String
        var limits: ModelLimits
        var trials: Int
        var points: [Point]
        @Nullable var chosen: String?
        var keepsLimits: Bool
        var reason: String
    }

    var json: Output {
        let last = SearchState.epochShares.count - 1
        let onFront = Set(state.front.map { state.trials[$0].recipe })
        return Output(
            measure: measure.rawValue, limits: state.limits, trials: state.trials.count,
            points: state.trials.filter { $0.figures.count > last }.map {
                Output.Point(
                    recipe: $0.recipe, isOnFront: onFront.contains($0.recipe),
                    figures: $0.figures[last])
            }, chosen: chosen?.recipe, keepsLimits: chosenRecipe != nil, reason: reason)
    }

    var plot: FrontierPlot {
        let onFront = Set(state.front.map { state.trials[$0].recipe })
        let groups = ModelForm.allCases.map(\.name)
        let last = SearchState.epochShares.count - 1
        return FrontierPlot(
            title: "Search: validation \(measure.rawValue.uppercased()) against file bytes",
            bytesLabel: "bytes of the package file",
            errorLabel: "validation \(measure.rawValue.uppercased()), %", groups: groups,
            points: state.trials.filter { $0.figures.count > last }.map { trial in
                let figures = trial.figures[last]
                let isOnFront = onFront.contains(trial.recipe)
                return FrontierPlot.Point(
                    name: isOnFront ? String(trial.recipe.prefix { $0 != " " }) : "",
                    bytes: Double(figures.fileBytes), error: figures.validationError,
                    group: groups.firstIndex { trial.recipe.contains("form=\($0)") } ?? 0,
                    isOnFront: isOnFront)
            })
    }
}
