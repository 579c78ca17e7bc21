import ArgumentParser
import Compression
import Forecasting
import Foundation
import HubCore
import HubStore
import Training

struct CompressRunCommand: HubCommand {
    static let configuration = CommandConfiguration(
        commandName: "run",
        abstract: "Follow a recipe on a family's sales, and show what each step costs and saves.",
        discussion: """
            After each step the network is packed as a device would get it (before a quantization step
            as its plainest INT8), proved, and measured: bytes of the largest store's file, of what in
            it forecasting needs, of the arena; time of one forecast and of reading the file here (--json
            adds the memory that takes); MAPE, WAPE and bias of the
            integers on the family's evaluated days. dWAPE and dFILE are the change against the step
            before. 'compress --help' lists the steps.

            A recipe that begins with a step instead of a network goes on from --variant.
            With --save, the result joins the family as a variant for 'package build'; a recipe of
            another form, window or inputs makes a family of that name. Ctrl-C leaves everything as it was.

            Examples:
              shelfcast-hub compress run spring --recipe 'lstm8 | prune 50% | finetune | qat int8'
              shelfcast-hub compress run spring --recipe 'gru4 | qat int4' --save tiny
            """)

    @Argument(help: "The family, as 'train' has named it.")
    var family: String
    @Option(help: ArgumentHelp("The steps, separated by '|'.", valueName: "steps"))
    var recipe: RecipeArgument
    @Option(help: "Where a recipe without a network begins (default: the family's first variant).")
    var variant: String?
    @Option(help: "Another seed, other weights (default: the family's).")
    var seed: UInt64?
    @Option(help: ArgumentHelp("Keep the result under this name.", valueName: "name"))
    var save: String?
    @OptionGroup var json: JSONOption
    @OptionGroup var data: DataOptions

    func validate() throws {
        _ = try recipe.parsed()
        if let save, !FamilyName.isValid(save) {
            throw ValidationError(
                "--save is 1 to 64 letters, digits, '.', '_' and '-', beginning with a letter or digit"
            )
        }
    }

    private struct Output: Encodable {
        var family: String
        var recipe: String
        var evaluatedFrom: String
        var evaluatedDays: Int
        var steps: [StepJSON]
        var saved: String?
    }

    func perform() async throws {
        let recipe = try recipe.parsed()
        let bench = try await FamilyWorkbench(family, in: try data.openStore())
        let start =
            recipe.architecture == nil
            ? try bench.variant(named: variant).parameters : nil
        if let save { try await bench.checkFree(save, for: recipe) }
        Interruption.watch()
        let bar = ProgressBar("compress")
        var table = StepTable(recipe: recipe)
        var reports: [StepReport] = []
        if !json.isOn {
            Console.print(
                "family \(family), evaluated on \(bench.trained.evaluatedDays) days from "
                    + bench.trained.evaluatedFrom.iso8601)
            Console.print(table.header)
        }
        let piece: Workpiece
        do {
            try bench.checkInputs(of: recipe)
            piece = try bench.workbench.follow(
                recipe, from: start, seed: seed ?? bench.trained.seed,
                progress: { bar.update($0.share, $0.line) },
                isCancelled: { Interruption.hasHappened },
                onStep: { report in
                    reports.append(report)
                    bar.clear()
                    if !json.isOn { Console.print(table.row(report)) }
                })
        } catch TrainingError.cancelled {
            bar.abandon()
            Console.error("shelfcast-hub: stopped; nothing was saved")
            throw ExitCode(Interruption.exitStatus)
        } catch {
            bar.abandon()
            throw CommandFailure(compression: error)
        }
        let saved = try await save.asyncMap {
            try await bench.save(piece, recipe: recipe, from: variant, as: $0)
        }
        if json.isOn {
            return try Console.printJSON(
                Output(
                    family: family, recipe: recipe.text,
                    evaluatedFrom: bench.trained.evaluatedFrom.iso8601,
                    evaluatedDays: bench.trained.evaluatedDays, steps: reports.map(StepJSON.init),
                    saved: saved))
        }
        if let saved {
            Console.print("next: shelfcast-hub package build \(saved)")
        } else {
            Console.print("not kept; add --save NAME to keep it")
        }
    }
}

/// A family with the sales it was trained on, ready for recipes.
struct FamilyWorkbench {
    let store: SQLiteHubStore
    let record: FamilyRecord
    let trained: TrainedFamily
    let snapshot: SalesSnapshot
    let workbench: Workbench

    init(_ name: String, in store: SQLiteHubStore) async throws {
        guard let record = try await store.family(name) else {
            throw HubStoreError.notFound(what: "family \(name)")
        }
        self.store = store
        self.record = record
        trained = try TrainedFamily(encoded: Data(record.trained))
        let last = trained.evaluatedFrom.advanced(by: trained.evaluatedDays - 1)
        snapshot = try await SalesSnapshot(store, through: last)
        if snapshot.digest != record.snapshotDigest {
            Console.error(
                "shelfcast-hub: the sales up to \(last.iso8601) have changed since \(name) was "
                    + "trained; figures are on them as they are now")
        }
        let hasTest = trained.variants.contains { $0.test != nil }
        workbench = Workbench(
            series: snapshot.series,
            setup: Workbench.Setup(
                form: trained.form, window: trained.spec.window, inputs: trained.spec.inputs,
                testFrom: hasTest ? trained.evaluatedFrom : nil, loss: trained.loss))
    }

    func variant(named name: String?) throws -> TrainedVariant {
        guard let name else { return trained.variants[0] }
        guard let variant = trained.variants.first(where: { $0.name == name }) else {
            throw CommandFailure(
                .refused,
                "family \(record.name) has no variant \(name); it has "
                    + trained.variants.map(\.name).joined(separator: ", "))
        }
        return variant
    }

    /// Whether a recipe's network belongs to this family: the same features in.
    private func belongs(_ recipe: Recipe) -> Bool {
        guard let network = recipe.architecture else { return true }
        return (network.form ?? trained.form) == trained.form
            && (network.window ?? trained.spec.window) == trained.spec.window
            && (network.inputs ?? trained.spec.inputs) == trained.spec.inputs
    }

    /// Before hours of work are spent on sales that do not tell any more what the family's networks see.
    func checkInputs(of recipe: Recipe) throws {
        guard belongs(recipe) else { return }
        let told = try workbench.session(for: recipe.architecture).spec.inputs
        let missing = trained.spec.inputs.subtracting(told)
        guard missing.isEmpty else {
            throw CommandFailure(
                .refused,
                "the networks of \(record.name) see \(missing.names), of which its sales and their calendar tell "
                    + "nothing any more: import the calendar again, or train anew")
        }
    }

    /// Before hours of work are spent on a name that is taken.
    func checkFree(_ name: String, for recipe: Recipe) async throws {
        if belongs(recipe) {
            guard !trained.variants.contains(where: { $0.name == name }) else {
                throw HubStoreError.alreadyExists(what: "variant \(name) of \(record.name)")
            }
            guard trained.variants.count < TrainingPlan.variantsMax else {
                throw CommandFailure(
                    .refused,
                    "family \(record.name) has \(TrainingPlan.variantsMax) variants, the most there can be"
                )
            }
        } else if try await store.family(name) != nil {
            throw HubStoreError.alreadyExists(what: "family \(name)")
        }
    }

    private func network(
        _ variant: TrainedVariant, seed: UInt64, from start: String?, recipe: Recipe
    ) -> Lineage.Network {
        Lineage.Network(
            variant: variant.name, recipe: variant.recipe, seed: seed, origin: .compress,
            madeAt: .now,
            parent: recipe.architecture == nil
                ? "\(record.name) \(start ?? trained.variants[0].name)" : nil)
    }

    /// - Parameter start: the variant that a recipe without a network began with; nil: the first.
    /// - Returns: the family the result is in.
    func save(
        _ piece: Workpiece, recipe: Recipe, from start: String?, as name: String
    ) async throws -> String {
        var variant = try piece.variant(name: name, recipe: recipe)
        if recipe.architecture == nil, let before = try self.variant(named: start).uncompressed {
            // What it began with was compressed already.
            variant.uncompressed = before
        }
        if belongs(recipe) {
            // As it is now: another command may have added one meanwhile.
            guard let now = try await store.family(record.name) else {
                throw HubStoreError.notFound(what: "family \(record.name)")
            }
            var family = try TrainedFamily(encoded: Data(now.trained))
            family.variants.append(variant)
            var grown = try family.record(like: now, snapshot: snapshot)
            grown.lineage?.networks.append(
                network(variant, seed: piece.seed, from: start, recipe: recipe))
            try await store.replaceFamily(grown, ifStill: now.trained)
            return record.name
        }
        let family = piece.session.family([variant])
        var fresh = record
        fresh.name = name
        fresh.createdAt = .now
        fresh.form = family.form.name
        fresh.snapshotDigest = snapshot.digest
        fresh.seed = piece.seed
        fresh.lineage = snapshot.data.map { data in
            Lineage(
                origin: .compress, data: data,
                networks: [network(variant, seed: piece.seed, from: start, recipe: recipe)],
                parent: record.name)
        }
        try await store.saveFamily(try family.record(like: fresh, snapshot: snapshot))
        return name
    }
}

extension TrainedFamily {
    /// The stored form of a family that takes the place of `record`.
    func record(like record: FamilyRecord, snapshot: SalesSnapshot) throws -> FamilyRecord {
        var record = record
        let summary = FamilySummary(
            name: record.name, family: self, snapshot: snapshot, window: spec.window, seconds: 0)
        record.asOf = asOf
        record.summary = try summary.json()
        record.trained = [UInt8](try encoded())
        return record
    }
}

extension Optional {
    fileprivate func asyncMap<Mapped>(
        _ transform: (Wrapped) async throws -> Mapped
    ) async rethrows -> Mapped? {
        guard let self else { return nil }
        return try await transform(self)
    }
}

extension Workbench.Progress {
    /// Of the whole recipe, 0...1.
    var share: Double { (Double(step) + (training?.share ?? 0)) / Double(max(steps, 1)) }

    var line: String {
        guard let training else { return text }
        let validation = training.validationLoss.map { " val \(Figure.fixed($0, decimals: 5))" }
        return "\(text): epoch \(training.epoch)/\(training.epochs) loss "
            + Figure.fixed(training.loss, decimals: 5) + (validation ?? "")
    }
}

extension CommandFailure {
    /// What the workbench threw.
    init(compression error: any Error) {
        switch error {
        case let error as RecipeError: self.init(.refused, "\(error)")
        case let error as TrainingError: self.init(.refused, error.explanation)
        case let error as CompressionError: self.init(.refused, "\(error)")
        default: self.init(error)
        }
    }
}
