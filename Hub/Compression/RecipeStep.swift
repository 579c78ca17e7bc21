package import Forecasting
package import Training

/// Which network a recipe begins with, trained from scratch.
package struct Architecture: Equatable, Hashable, Sendable {
    package var cell: CellKind
    /// 1...128
    package var units: Int
    /// Nil: as the family or the command has it.
    package var form: ModelForm?
    package var window: Int?
    package var inputs: FeatureInputs?
    package var epochs: Int?
    package var loss: Loss?

    package init(
        cell: CellKind, units: Int, form: ModelForm? = nil, window: Int? = nil,
        inputs: FeatureInputs? = nil, epochs: Int? = nil, loss: Loss? = nil
    ) {
        self.cell = cell
        self.units = units
        self.form = form
        self.window = window
        self.inputs = inputs
        self.epochs = epochs
        self.loss = loss
    }
}

/// How long and how fast a step trains; nil leaves it to the step's own default.
package struct Tuning: Equatable, Hashable, Sendable {
    /// 1...1000
    package var epochs: Int?
    /// Above 0, at most 1.
    package var rate: Float?

    package init(epochs: Int? = nil, rate: Float? = nil) {
        self.epochs = epochs
        self.rate = rate
    }
}

/// One step of a recipe. Raw words and defaults are those of Docs/compression.md.
package enum RecipeStep: Equatable, Hashable, Sendable {
    package enum Saliency: String, CaseIterable, Sendable { case magnitude, gradient }
    /// Whether one threshold or codebook serves each tensor or all of them.
    package enum Scope: String, CaseIterable, Sendable { case tensor, network }
    package enum Kernels: String, CaseIterable, Sendable { case input, recurrent, both }
    package enum Teacher: Equatable, Hashable, Sendable {
        /// The network as the step finds it.
        case itself
        /// So many networks of one architecture, each from another seed.
        case networks(Architecture, count: Int)
    }
    package enum Lesson: String, CaseIterable, Sendable { case response, features, relations }
    package enum Bits: String, CaseIterable, Sendable { case int8, int4, ternary, binary }
    package enum Scale: String, CaseIterable, Sendable { case row, gate, tensor }
    package enum Range: String, CaseIterable, Sendable { case minmax, percentile, error }
    package enum Coding: String, CaseIterable, Sendable {
        case smallest, zlib, packed, huffman, range, tiles
    }
    package enum Rank: Equatable, Hashable, Sendable {
        case fixed(Int)
        /// The least rank that keeps this share of the squared singular values, above 0 and below 1.
        case energy(Double)
    }
    package enum Shrinking: Equatable, Hashable, Sendable {
        case to(units: Int)
        /// Above 0 and below 1.
        case by(share: Double)
    }
    package struct Quantization: Equatable, Hashable, Sendable {
        package var bits: Bits
        package var scale: Scale
        package var range: Range
        /// 100...500
        package var windows: Int

        package init(bits: Bits, scale: Scale = .row, range: Range = .minmax, windows: Int = 256) {
            self.bits = bits
            self.scale = scale
            self.range = range
            self.windows = windows
        }
    }

    /// Weights of least saliency become zero and stay so. With more than one round the share rises to `sparsity`
    /// round by round, with fine-tuning between.
    case prune(
        sparsity: Double, by: Saliency = .magnitude, over: Scope = .tensor, rounds: Int = 1,
        Tuning = Tuning())
    /// Whole hidden units leave.
    case shrink(Shrinking)
    case finetune(Tuning = Tuning())
    /// - Parameter truth: weight of what was really sold beside the teacher, 0...1.
    case distill(
        from: Teacher, lesson: Lesson = .response, truth: Double = 0.5, Tuning = Tuning())
    case codebook(entries: Int, over: Scope = .tensor)
    case lowRank(Rank, of: Kernels = .both)
    case fold
    case fp16
    case quantize(Quantization)
    case quantizationAware(Quantization, Tuning = Tuning())
    case code(Coding)
}
