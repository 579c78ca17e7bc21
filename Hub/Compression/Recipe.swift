/// What is done to a network, step by step, as text: `lstm64 | prune 50% | finetune | qat int8 | huffman`.
///
/// The first step may name an architecture; without one a recipe goes on from a network there is. Docs/compression.md
/// lists the steps and their options.
package struct Recipe: Equatable, Hashable, Sendable {
    package static let textBytesMax = 200
    package static let stepsMax = 16

    package var architecture: Architecture?
    package var steps: [RecipeStep]

    package init(architecture: Architecture?, steps: [RecipeStep]) {
        self.architecture = architecture
        self.steps = steps
    }

    /// - Throws: `RecipeError`, naming the step.
    package init(parsing text: String) throws(RecipeError) {
        guard !text.isEmpty, text.utf8.allSatisfy({ (0x20...0x7E).contains($0) }) else {
            throw RecipeError(
                step: 0, text: text, problem: "it is empty, or not printable ASCII on one line")
        }
        guard text.utf8.count <= Self.textBytesMax else {
            throw RecipeError(
                step: 0, text: text,
                problem:
                    "it has \(text.utf8.count) characters, at most \(Self.textBytesMax) fit a package"
            )
        }
        let parts = text.split(separator: "|", omittingEmptySubsequences: false)
        guard parts.count <= Self.stepsMax else {
            throw RecipeError(
                step: 0, text: text,
                problem: "it has \(parts.count) steps, at most \(Self.stepsMax) are followed")
        }
        architecture = nil
        steps = []
        var order = RecipeOrder()
        for (index, part) in parts.enumerated() {
            var words = try RecipeWords(part, step: index + 1)
            if let architecture = try Architecture(&words) {
                try words.end()
                guard index == 0 else {
                    throw words.error(
                        "a network is trained from scratch only as the first step; begin the recipe with it"
                    )
                }
                self.architecture = architecture
                continue
            }
            let step = try RecipeStep(&words)
            try words.end()
            try order.accept(step, words)
            steps.append(step)
        }
    }

    /// The recipe as a package states it: every option that is not the default.
    package var text: String {
        ((architecture.map { [$0.text] } ?? []) + steps.map(\.text)).joined(separator: " | ")
    }
}

/// Which steps may follow which.
private struct RecipeOrder {
    private var quantized: String?
    private var coded: String?
    private var restricted: String?
    private var isFactored = false

    mutating func accept(_ step: RecipeStep, _ words: RecipeWords) throws(RecipeError) {
        if let coded { throw words.error("nothing follows the coding '\(coded)': put it last") }
        switch step {
        case .code: coded = words.text
        case .quantize, .quantizationAware, .fp16:
            if let quantized {
                throw words.error("the weights are quantized by '\(quantized)' already")
            }
            if case .quantizationAware = step, isFactored {
                throw words.error(
                    "factors are quantized as they are: put 'finetune' before and plain "
                        + "int8, int4, ternary or binary here")
            }
            if step != .fp16 { quantized = words.text }
        case .finetune, .distill:
            if let quantized {
                throw words.error(
                    "training comes before quantization ('\(quantized)'); to train quantized weights use 'qat'"
                )
            }
        case .prune, .shrink, .fold, .codebook, .lowRank:
            if let quantized {
                throw words.error("it works on float weights: put it before '\(quantized)'")
            }
            if let restricted {
                throw words.error("it would undo '\(restricted)': put it before that step")
            }
            switch step {
            case .codebook: restricted = words.text
            case .lowRank: (restricted, isFactored) = (words.text, true)
            default: break
            }
        }
    }
}

/// One step's words: its name, its values and its `key=value` options, each to be taken once.
struct RecipeWords {
    let step: Int
    let text: String
    private(set) var name: String
    private var values: [String] = []
    private var options: [(key: String, value: String)] = []

    init(_ part: Substring, step: Int) throws(RecipeError) {
        self.step = step
        let words = part.split(separator: " ").map(String.init)
        text = words.joined(separator: " ")
        name = words.first ?? ""
        guard !name.isEmpty else { throw error("it is empty; steps are separated by one '|'") }
        for word in words.dropFirst() {
            guard let equals = word.firstIndex(of: "=") else {
                values.append(word)
                continue
            }
            let key = String(word[..<equals])
            guard !options.contains(where: { $0.key == key }) else {
                throw error("'\(key)' is given twice")
            }
            options.append((key, String(word[word.index(after: equals)...])))
        }
    }

    func error(_ problem: String) -> RecipeError {
        RecipeError(step: step, text: text, problem: problem)
    }

    mutating func value(_ what: String) throws(RecipeError) -> String {
        guard !values.isEmpty else { throw error("it lacks \(what)") }
        return values.removeFirst()
    }

    mutating func option(_ key: String) -> String? {
        guard let index = options.firstIndex(where: { $0.key == key }) else { return nil }
        return options.remove(at: index).value
    }

    mutating func integer(
        _ key: String, _ range: ClosedRange<Int>
    ) throws(RecipeError) -> Int? {
        guard let text = option(key) else { return nil }
        guard let value = Int(text), range.contains(value) else {
            throw error(
                "'\(key)' is a whole number from \(range.lowerBound) to \(range.upperBound)")
        }
        return value
    }

    mutating func word<Word: RawRepresentable & CaseIterable>(
        _ key: String, _ type: Word.Type
    ) throws(RecipeError) -> Word? where Word.RawValue == String {
        guard let text = option(key) else { return nil }
        guard let value = Word(rawValue: text) else {
            throw error(
                "'\(key)' is one of " + Word.allCases.map(\.rawValue).joined(separator: ", "))
        }
        return value
    }

    mutating func tuning() throws(RecipeError) -> Tuning {
        let epochs = try integer("epochs", 1...1000)
        guard let text = option("rate") else { return Tuning(epochs: epochs) }
        guard let rate = Float(text), rate > 0, rate <= 1 else {
            throw error("'rate' is a learning rate above 0 and at most 1, such as 1e-4")
        }
        return Tuning(epochs: epochs, rate: rate)
    }

    /// A share of more than 0 % and less than 100 %, as a fraction.
    func share(_ text: String, of what: String) throws(RecipeError) -> Double {
        guard text.hasSuffix("%"), let percent = Double(text.dropLast()), percent > 0, percent < 100
        else { throw error("\(what) is more than 0% and less than 100%, such as 50%") }
        return percent / 100
    }

    /// To be called when all that is known has been taken.
    func end() throws(RecipeError) {
        if let value = values.first { throw error("'\(value)' means nothing here") }
        if let option = options.first { throw error("it has no option '\(option.key)'") }
    }
}
