import Compression
import Forecasting
import ModelPackage
import Testing
import Training

/// Recipes followed on a trained network: what comes out is what a device's engine runs.
@Suite("A recipe followed") struct WorkbenchTests {
    static let series = TrainedNetwork.sales(days: 760)
    static let testFrom = TrainedNetwork.firstDay.advanced(by: 670)
    static var bench: Workbench {
        Workbench(
            series: Self.series,
            setup: Workbench.Setup(form: .profile, window: 14, testFrom: Self.testFrom))
    }

    static func follow(
        _ text: String, from start: NetworkParameters? = nil,
        onStep: (StepReport) -> Void = { _ in }
    ) throws -> Workpiece {
        try bench.follow(try Recipe(parsing: text), from: start, onStep: onStep)
    }

    @Test(
        "gives a package that the engine loads, proves and runs, whatever the technique",
        arguments: [
            "lstm6 epochs=2 | int8", "gru6 epochs=2 | int8", "fastgrnn6 epochs=2 | int8",
            "lstm6 epochs=2 window=7 | int8", "lstm6 epochs=12 form=plain | int8",
            "lstm6 epochs=2 form=calendar inputs=weekday,year | int8",
            "lstm6 epochs=2 | prune 50% | finetune epochs=1 | int8",
            "lstm6 epochs=2 | prune 50% by=gradient over=network | int8",
            "lstm6 epochs=2 | prune 70% rounds=3 epochs=1 | qat int8 epochs=1",
            "lstm6 epochs=2 | shrink 50% | finetune epochs=1 | int8",
            "lstm6 epochs=2 | codebook 4 | finetune epochs=1 | int8 | packed",
            "gru6 epochs=2 | codebook 8 over=network | int8",
            "lstm6 epochs=2 | lowrank 2 of=recurrent | finetune epochs=1 | int8",
            "lstm6 epochs=2 form=calendar | lowrank 80% | int8",
            "lstm6 epochs=2 form=calendar | fold | int8", "lstm6 epochs=2 | fp16 | int8",
            "lstm6 epochs=2 | int8 scale=tensor range=percentile",
            "lstm6 epochs=2 | int4 scale=gate range=error", "lstm6 epochs=2 | ternary",
            "lstm6 epochs=2 | binary | packed", "lstm6 epochs=2 | int8 | tiles",
            "gru6 epochs=2 | qat int4 epochs=1 | huffman",
            "fastgrnn6 epochs=2 | qat ternary epochs=1 | range",
            "lstm3 epochs=2 | distill from=lstm6x2 epochs=1 | int8 | zlib",
            "lstm3 epochs=2 | distill from=lstm6 lesson=features epochs=1 | int8",
            "lstm3 epochs=2 | distill from=self lesson=relations epochs=1 | int8",
        ])
    func runs(text: String) throws {
        let recipe = try Recipe(parsing: text)
        let piece = try Self.follow(text)
        let family = piece.session.family([try piece.variant(name: "v", recipe: recipe)])
        let builder = try PackageBuilder(
            family: family, name: "f", series: Self.series, lineage: "")
        let built = try builder.build(
            variant: 0, store: family.starts[0].store, release: 1)
        #expect(built.package.manifest.recipe == recipe.text)
        let engine = try Engine(
            built.bytes, budgetBytes: try PackageBytes(of: built.bytes).memory)
        try engine.proveGoldenVectors(of: built.bytes)
        // The network is the recipe's, and it forecasts.
        let integer = try #require(piece.integer)
        #expect(
            try ModelPackage.decode(built.bytes).network == integer,
            "another network than the recipe's")
        let wape = try #require(built.accuracy.wape)
        let naive = try #require(
            family.baselines.first { $0.name == "seasonal naive" }?.accuracy.wape)
        #expect(wape < 1.5 * naive, "\(wape) of \(naive)")
        let figures = try #require(piece.figures)
        #expect(figures.fileBytes > figures.payloadBytes && figures.nanoseconds > 0)
    }

    @Test("settles what its steps made: zeros stay, values stay few, ranks stay low")
    func settled() throws {
        let pruned = try Self.follow(
            "lstm6 epochs=2 | prune 60% | finetune epochs=2 rate=0.01 | qat int8 epochs=1")
        let kernels = try #require(pruned.integer)
        let weights = kernels.inputKernel + kernels.recurrentKernel + kernels.denseKernel
        // To the nearest whole weight of each tensor, and never a tensor's last one.
        #expect(Double(weights.count { $0 == 0 }) >= 0.57 * Double(weights.count))

        let shared = try Self.follow(
            "lstm6 epochs=2 | codebook 4 | finetune epochs=2 rate=0.01 | int8")
        #expect(Set(try #require(shared.integer).recurrentKernel).count <= 4)

        let factored = try Self.follow(
            "lstm6 epochs=2 | lowrank 2 of=recurrent | finetune epochs=2 rate=0.01 | int8")
        #expect(try #require(factored.integer).recurrentFactors?.rank == 2)
    }

    @Test("trained for integers forecasts in integers no worse than rounded afterwards")
    func aware() throws {
        var rounded = 0.0
        var aware = 0.0
        for cell in ["lstm", "gru"] {
            let start = "\(cell)6 form=calendar epochs=3"
            rounded += try #require(Self.follow("\(start) | ternary").figures?.integer.wape)
            aware += try #require(Self.follow("\(start) | qat ternary").figures?.integer.wape)
        }
        #expect(aware < rounded, "\(aware) against \(rounded)")
    }

    @Test("reports every step in order, with the change in what is counted")
    func reports() throws {
        var reports: [StepReport] = []
        _ = try Self.follow("lstm6 epochs=2 | prune 50% | int4 | packed") { reports.append($0) }
        #expect(reports.map(\.text) == ["lstm6 epochs=2", "prune 50%", "int4", "packed"])
        let figures = reports.map(\.figures)
        #expect(figures[1].nonZeros < figures[0].nonZeros)
        #expect(figures[1].articleBytes < figures[0].articleBytes)
        #expect(figures[2].articleBytes * 7 < figures[1].articleBytes)
        // Weights of four bits run as they are.
        #expect(figures[1].arenaBytes == figures[0].arenaBytes)
        #expect(figures[2].arenaBytes < figures[1].arenaBytes)
        #expect(figures[3].arenaBytes == figures[2].arenaBytes)
    }

    @Test("goes on from a network there is, and refuses to begin with none")
    func start() throws {
        let first = try Self.follow("lstm4 epochs=2")
        let next = try Self.follow("shrink 2 | int8", from: first.parameters)
        #expect(next.parameters.units == 2)
        let error = #expect(throws: RecipeError.self) { try Self.follow("shrink 2") }
        #expect(error?.description.contains("begins with no network") == true)
    }

    @Test(
        "names the step that this network cannot take",
        arguments: [
            ("lstm4 epochs=1 | lowrank 4", 2), ("lstm4 epochs=1 | shrink 4", 2),
            ("lstm4 epochs=1 | int8 | shrink 2", 0),
        ])
    func refused(text: String, step: Int) throws {
        let error = #expect(throws: RecipeError.self) { try Self.follow(text) }
        if step > 0 { #expect(error?.step == step, "\(error?.description ?? "")") }
    }

    @Test("stops when told to, and gives the same result for the same seed")
    func cancelledAndRepeated() throws {
        #expect(throws: TrainingError.cancelled) {
            try Self.bench.follow(
                try Recipe(parsing: "lstm7 epochs=2 | int8"), isCancelled: { true })
        }
        let text = "lstm5 epochs=2 | prune 40% | finetune epochs=1 | qat int4 epochs=1"
        let one = try Self.follow(text)
        let bench = Workbench(series: Self.series, setup: Self.bench.setup)
        let other = try bench.follow(try Recipe(parsing: text))
        #expect(one.integer == other.integer)
        #expect(one.parameters == other.parameters)
    }

    @Test("trains a network anew for another loss, however alike the rest is")
    func losses() throws {
        let bench = Self.bench
        let square = try bench.follow(try Recipe(parsing: "lstm3 epochs=2 loss=square"))
        let percentage = try bench.follow(try Recipe(parsing: "lstm3 epochs=2 loss=mape"))
        #expect(square.parameters != percentage.parameters)
        let again = try bench.follow(try Recipe(parsing: "lstm3 epochs=2 loss=square"))
        #expect(again.parameters == square.parameters)
    }

    @Test("measured on the validation days is something else than on the test days")
    func days() throws {
        let recipe = try Recipe(parsing: "lstm4 epochs=2 | int8")
        let piece = try Self.bench.follow(recipe)
        let validation = try Self.bench.measure(piece, recipe: recipe, days: .validation)
        let test = try Self.bench.measure(piece, recipe: recipe, days: .evaluated)
        #expect(validation.integer.count != test.integer.count)
        let known = piece.session.validationDays
        #expect(validation.integer.count <= 6 * (known.upperBound - known.lowerBound))
    }
}

@Suite("The published comparison") struct ArticleTests {
    @Test("states the sizes that the published columns count")
    func sizes() {
        func kilobytes(_ units: Int) -> Double {
            ArticleSize.dense(NetworkShape(inputWidth: 1, units: units))
        }
        for row in Article.rows {
            guard let published = row.published else { continue }
            let units = row.title.contains("64") ? 64 : row.title.contains("16") ? 16 : 32
            let expected =
                switch row.name {
                case "prune30": kilobytes(32) * 0.7
                case "prune50": kilobytes(32) * 0.5
                case "prune70": kilobytes(32) * 0.3
                case "int8": kilobytes(32) / 4
                default: kilobytes(units)
                }
            #expect(abs(published.kilobytes - expected) < 0.01, "\(row.name)")
        }
    }

    @Test("gives every row with every seed, and a plot of all")
    func run() throws {
        var seen: Set<String> = []
        let results = try Article.run(
            series: WorkbenchTests.series, testFrom: WorkbenchTests.testFrom,
            seeds: [1], epochShare: 0.1, progress: { _, text in seen.insert(text) })
        #expect(results.map(\.name) == Article.rows.map(\.name))
        #expect(!seen.isEmpty)
        for row in results {
            #expect(row.mape.mean.isFinite && row.fileBytes > 300)
            #expect(row.mape.deviation == 0)
        }
        let pruned = try #require(results.first { $0.name == "prune50" })
        let dense = try #require(results.first { $0.name == "lstm32" })
        #expect(pruned.articleKilobytes < 0.6 * dense.articleKilobytes)
        #expect(Article.plot(results).svg.contains("LSTM-32, 50 % pruned"))
    }
}
