import Compression
import Forecasting
import Testing

@Suite("A recipe") struct RecipeTests {
    @Test(
        "reads back as it is written",
        arguments: [
            "lstm64 | prune 50% | finetune | distill from=lstm64x3 | qat int8 | huffman",
            "gru8 form=profile window=28 | int8", "fastgrnn4 inputs=weekday,year epochs=7",
            "prune 70% by=gradient over=network rounds=4 epochs=2 rate=0.001",
            "lstm16 | shrink 8 | shrink 25% | fold | finetune epochs=3",
            "lstm16 | codebook 16 over=network | finetune | int8 | range",
            "lstm16 | lowrank 4 of=recurrent | finetune | int8",
            "lstm16 | lowrank 90% | int8 scale=gate range=error windows=100",
            "lstm8 | distill from=self lesson=features truth=0.2 epochs=2 | qat int4 epochs=4",
            "lstm8 | distill from=lstm32 form=calendar lesson=relations | ternary | packed",
            "lstm2 form=profile loss=mape | int8",
            "lstm8 | fp16 | binary scale=tensor range=percentile | zlib", "smallest",
        ])
    func roundTrip(text: String) throws {
        let recipe = try Recipe(parsing: text)
        #expect(recipe.text == text)
        #expect(try Recipe(parsing: recipe.text) == recipe)
    }

    @Test("takes spaces as they come and leaves defaults out")
    func canonical() throws {
        let recipe = try Recipe(
            parsing: "  lstm4|prune  50.0% by=magnitude rounds=1 |qat   int8 scale=row windows=256")
        #expect(recipe.text == "lstm4 | prune 50% | qat int8")
        #expect(recipe.architecture == Architecture(cell: .lstm, units: 4))
        #expect(
            recipe.steps == [
                .prune(sparsity: 0.5), .quantizationAware(RecipeStep.Quantization(bits: .int8)),
            ])
    }

    @Test(
        "that cannot be followed names the step and what to do",
        arguments: [
            ("lstm8 | squash 3", 2, "there is no such step"),
            ("lstm8 | prune 100%", 2, "less than 100%"), ("lstm8 | prune 0%", 2, "more than 0%"),
            ("lstm8 | prune", 2, "lacks the share"), ("lstm8 | lowrank 0", 2, "a rank is 1 to"),
            ("lstm8 | codebook 1", 2, "2 to 256 entries"),
            ("lstm8 | codebook 257", 2, "2 to 256 entries"),
            ("lstm8 | int8 | finetune", 3, "use 'qat'"), ("int8 | lstm8", 2, "as the first step"),
            ("lstm8 | int8 | prune 50%", 3, "before 'int8'"),
            ("lstm8 | int8 | int4", 3, "already"),
            ("lstm8 | codebook 4 | prune 10%", 3, "would undo"),
            ("lstm8 | lowrank 2 | qat int8", 3, "factors are quantized as they are"),
            ("lstm8 | huffman | int8", 3, "put it last"),
            ("lstm8 | int8 windows=99", 2, "100 to 500 windows"),
            ("lstm0", 1, "1 to 128 units"), ("lstm129", 1, "1 to 128 units"),
            ("lstm8 | distill", 2, "lacks from="), ("lstm8 | distill from=cat", 2, "'from' is"),
            ("lstm8 | distill from=lstm8x17", 2, "1 to 16 teachers"),
            ("lstm8 | finetune rate=0", 2, "learning rate above 0"),
            ("lstm8 | finetune epochs=5 epochs=6", 2, "twice"),
            ("lstm8 | finetune speed=2", 2, "no option 'speed'"),
            ("lstm8 | finetune now", 2, "'now' means nothing"), ("lstm8 || int8", 2, "empty"),
            ("lstm8 window=65", 1, "'window' is a whole number from 1 to 64"),
            ("lstm8 loss=hope", 1, "'loss' is one of auto, square, log, mape, poisson"),
            ("lstm8 inputs=moon", 1, "'inputs' is none"), ("", 0, "empty"),
            ("lstm8 | \u{e9}", 0, "printable ASCII"),
        ])
    func refused(text: String, step: Int, problem: String) throws {
        let error = #expect(throws: RecipeError.self) { try Recipe(parsing: text) }
        #expect(error?.step == step)
        #expect(error?.description.contains(problem) == true, "\(error?.description ?? "")")
    }

    @Test("has bounds on its length and steps")
    func bounds() {
        let many = Array(repeating: "fold", count: 17).joined(separator: "|")
        #expect(throws: RecipeError.self) { try Recipe(parsing: many) }
        let long = "lstm8 | finetune" + String(repeating: " ", count: 200)
        #expect(throws: RecipeError.self) { try Recipe(parsing: long) }
    }
}
