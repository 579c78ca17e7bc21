package import Forecasting
import Training

extension Architecture {
    /// - Returns: nil when the words do not name a network.
    init?(_ words: inout RecipeWords) throws(RecipeError) {
        guard let named = Self.named(words.name) else { return nil }
        guard let (cell, units) = named.shape else {
            throw words.error("a network has 1 to \(NetworkShape.unitsMax) units")
        }
        self.init(cell: cell, units: units)
        if let text = words.option("form") {
            guard let form = ModelForm(name: text) else {
                throw words.error("'form' is plain, calendar or profile")
            }
            self.form = form
        }
        let range = FeatureSpec.windowRange
        window = try words.integer("window", range)
        if let text = words.option("inputs") {
            guard let inputs = FeatureInputs(names: text) else {
                throw words.error("'inputs' is none, or of \(FeatureInputs.allNames), with commas")
            }
            self.inputs = inputs
        }
        epochs = try words.integer("epochs", 1...1000)
        if let text = words.option("loss") {
            guard let loss = Loss(name: text) else {
                throw words.error("'loss' is one of \(Loss.names.joined(separator: ", "))")
            }
            self.loss = loss
        }
    }

    /// `lstm64`: a known cell and a number.
    private static func named(_ name: String) -> (shape: (CellKind, Int)?, Void)? {
        for cell in CellKind.allCases where name.hasPrefix(cell.name) {
            let digits = name.dropFirst(cell.name.count)
            guard !digits.isEmpty, digits.allSatisfy({ $0.isASCII && $0.isNumber }) else {
                continue
            }
            guard let units = Int(digits), (1...NetworkShape.unitsMax).contains(units) else {
                return (nil, ())
            }
            return ((cell, units), ())
        }
        return nil
    }

    /// `lstm64x3`, or without a count one network.
    static func teachers(_ text: String, _ words: RecipeWords) throws(RecipeError) -> (Self, Int) {
        var (name, count) = (text, 1)
        if let x = text.lastIndex(of: "x"), let number = Int(text[text.index(after: x)...]) {
            guard (1...16).contains(number) else { throw words.error("1 to 16 teachers can teach") }
            (name, count) = (String(text[..<x]), number)
        }
        guard let shape = named(name)?.shape else {
            throw words.error(
                "'from' is self, or a network and how many, such as lstm64x3")
        }
        return (Self(cell: shape.0, units: shape.1), count)
    }

    package var name: String { "\(cell.name)\(units)" }

    var text: String {
        var words = [name]
        if let form { words.append("form=\(form.name)") }
        if let window { words.append("window=\(window)") }
        if let inputs { words.append("inputs=\(inputs.names)") }
        if let epochs { words.append("epochs=\(epochs)") }
        if let loss { words.append("loss=\(loss.name)") }
        return words.joined(separator: " ")
    }
}

extension RecipeStep {
    /// Every step's name, for messages and help.
    package static let names =
        ["prune", "shrink", "finetune", "distill", "codebook", "lowrank", "fold", "fp16"]
        + Bits.allCases.map(\.rawValue) + ["qat"] + Coding.allCases.map(\.rawValue)

    init(_ words: inout RecipeWords) throws(RecipeError) {
        if let bits = Bits(rawValue: words.name) {
            self = .quantize(try Self.quantization(bits, &words))
            return
        }
        if let coding = Coding(rawValue: words.name) {
            self = .code(coding)
            return
        }
        switch words.name {
        case "prune": self = try Self.prune(&words)
        case "shrink":
            let text = try words.value(
                "how far: a share of the units or a number, such as 50% or 16")
            if let units = Int(text) {
                guard (1...NetworkShape.unitsMax).contains(units) else {
                    throw words.error("1 to \(NetworkShape.unitsMax) units can be left")
                }
                self = .shrink(.to(units: units))
            } else {
                self = .shrink(.by(share: try words.share(text, of: "the share of units")))
            }
        case "finetune": self = .finetune(try words.tuning())
        case "distill": self = try Self.distill(&words)
        case "codebook":
            let text = try words.value("the number of entries")
            guard let entries = Int(text), (2...256).contains(entries) else {
                throw words.error("a codebook has 2 to 256 entries")
            }
            self = .codebook(entries: entries, over: try words.word("over", Scope.self) ?? .tensor)
        case "lowrank":
            let text = try words.value("a rank or a share of the energy, such as 4 or 90%")
            let rank: Rank
            if let fixed = Int(text) {
                guard (1...NetworkShape.unitsMax).contains(fixed) else {
                    throw words.error(
                        "a rank is 1 to \(NetworkShape.unitsMax), and below the kernel's own")
                }
                rank = .fixed(fixed)
            } else {
                rank = .energy(try words.share(text, of: "the share of the energy"))
            }
            self = .lowRank(rank, of: try words.word("of", Kernels.self) ?? .both)
        case "fold": self = .fold
        case "fp16": self = .fp16
        case "qat":
            let text = try words.value("the kind of weights, such as int8")
            guard let bits = Bits(rawValue: text) else {
                throw words.error(
                    "weights are " + Bits.allCases.map(\.rawValue).joined(separator: ", "))
            }
            self = .quantizationAware(
                try Self.quantization(bits, &words), try words.tuning())
        default:
            throw words.error(
                "there is no such step; steps are \(Self.names.joined(separator: ", ")), "
                    + "and first a network such as lstm64, gru8 or fastgrnn4")
        }
    }

    private static func prune(_ words: inout RecipeWords) throws(RecipeError) -> RecipeStep {
        let share = try words.share(
            try words.value("the share of weights, such as 50%"), of: "the sparsity")
        return .prune(
            sparsity: share, by: try words.word("by", Saliency.self) ?? .magnitude,
            over: try words.word("over", Scope.self) ?? .tensor,
            rounds: try words.integer("rounds", 1...20) ?? 1, try words.tuning())
    }

    private static func distill(_ words: inout RecipeWords) throws(RecipeError) -> RecipeStep {
        guard let from = words.option("from") else {
            throw words.error("it lacks from=: self, or a network and how many, such as lstm64x3")
        }
        var teacher = Teacher.itself
        if from != "self" {
            var (architecture, count) = try Architecture.teachers(from, words)
            if let text = words.option("form") {
                guard let form = ModelForm(name: text) else {
                    throw words.error("'form' is plain, calendar or profile")
                }
                architecture.form = form
            }
            teacher = .networks(architecture, count: count)
        }
        let lesson = try words.word("lesson", Lesson.self) ?? .response
        var truth = 0.5
        if let text = words.option("truth") {
            guard let value = Double(text), (0...1).contains(value) else {
                throw words.error("'truth' is the weight of what was really sold, 0 to 1")
            }
            truth = value
        }
        return .distill(from: teacher, lesson: lesson, truth: truth, try words.tuning())
    }

    private static func quantization(
        _ bits: Bits, _ words: inout RecipeWords
    ) throws(RecipeError) -> Quantization {
        let allowed = Quantizer.windowsRange
        var windows = 256
        if let text = words.option("windows") {
            guard let value = Int(text), allowed.contains(value) else {
                throw words.error(
                    "a calibration set has \(allowed.lowerBound) to \(allowed.upperBound) windows")
            }
            windows = value
        }
        return Quantization(
            bits: bits, scale: try words.word("scale", Scale.self) ?? .row,
            range: try words.word("range", Range.self) ?? .minmax, windows: windows)
    }

    package var text: String {
        switch self {
        case .prune(let sparsity, let by, let over, let rounds, let tuning):
            "prune \(Self.percent(sparsity))" + Self.option("by", by.rawValue, "magnitude")
                + Self.option("over", over.rawValue, "tensor")
                + Self.option("rounds", "\(rounds)", "1") + tuning.text
        case .shrink(.to(let units)): "shrink \(units)"
        case .shrink(.by(let share)): "shrink \(Self.percent(share))"
        case .finetune(let tuning): "finetune\(tuning.text)"
        case .distill(let teacher, let lesson, let truth, let tuning):
            "distill \(teacher.text)" + Self.option("lesson", lesson.rawValue, "response")
                + Self.option("truth", "\(truth)", "0.5") + tuning.text
        case .codebook(let entries, let over):
            "codebook \(entries)" + Self.option("over", over.rawValue, "tensor")
        case .lowRank(.fixed(let rank), let kernels):
            "lowrank \(rank)" + Self.option("of", kernels.rawValue, "both")
        case .lowRank(.energy(let share), let kernels):
            "lowrank \(Self.percent(share))" + Self.option("of", kernels.rawValue, "both")
        case .fold: "fold"
        case .fp16: "fp16"
        case .quantize(let quantization): quantization.text
        case .quantizationAware(let quantization, let tuning):
            "qat \(quantization.text)\(tuning.text)"
        case .code(let coding): coding.rawValue
        }
    }

    static func option(_ key: String, _ value: String, _ usual: String) -> String {
        value == usual ? "" : " \(key)=\(value)"
    }

    private static func percent(_ share: Double) -> String {
        let percent = (share * 1e6).rounded() / 1e4
        return percent == percent.rounded() ? "\(Int(percent))%" : "\(percent)%"
    }
}

extension RecipeStep.Quantization {
    var text: String {
        bits.rawValue + RecipeStep.option("scale", scale.rawValue, "row")
            + RecipeStep.option("range", range.rawValue, "minmax")
            + RecipeStep.option("windows", "\(windows)", "256")
    }
}

extension RecipeStep.Teacher {
    var text: String {
        switch self {
        case .itself: "from=self"
        case .networks(let architecture, let count):
            "from=\(architecture.name)" + (count > 1 ? "x\(count)" : "")
                + (architecture.form.map { " form=\($0.name)" } ?? "")
        }
    }
}

extension Tuning {
    var text: String {
        (epochs.map { " epochs=\($0)" } ?? "") + (rate.map { " rate=\($0)" } ?? "")
    }
}

extension FeatureInputs {
    private static let named: [(String, FeatureInputs)] = [
        ("weekday", .weekday), ("month", .month), ("year", .yearCircle),
        ("monthday", .monthCircle), ("level", .levelLogarithm),
        ("persistence", .persistence), ("holiday", .holiday), ("promotion", .promotion),
    ]
    package static var allNames: String { named.map(\.0).joined(separator: ", ") }

    /// `weekday,month`, or `none`.
    package var names: String {
        isEmpty
            ? "none"
            : Self.named.filter { contains($0.1) }.map(\.0).joined(separator: ",")
    }

    /// - Returns: nil when a word is no input's name.
    package init?(names: String) {
        self = []
        if names == "none" { return }
        for name in names.split(separator: ",", omittingEmptySubsequences: false) {
            guard let input = Self.named.first(where: { $0.0 == name })?.1 else { return nil }
            insert(input)
        }
    }
}
