import ArgumentParser
import Compression
import Forecasting
import Foundation
import HubCore
import Training

struct CompressCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "compress",
        abstract: "Apply, combine, compare and search compression techniques.",
        discussion: """
            A recipe is a line of steps: lstm64 | prune 50% | finetune | qat int8 | huffman.
              network     lstm64, gru8, fastgrnn4 [form= window= inputs= epochs= loss=]
              smaller     prune 50% [by=gradient over=network rounds=4], shrink 50% (whole units),
                          codebook 16, lowrank 4 or 90% [of=recurrent], fold
              training    finetune [epochs= rate=], distill from=lstm64x3 or self
                          [lesson=features|relations truth=0.5]
              integers    int8, int4, ternary, binary [scale=row|gate|tensor
                          range=minmax|percentile|error windows=256], qat int8; fp16
              coding      smallest (the default), zlib, packed, huffman, range, tiles
            """,
        subcommands: [
            CompressRunCommand.self, CompressArticleCommand.self, CompressSearchCommand.self,
            CompressAdviseCommand.self,
        ])
}

/// A recipe on the command line; what is wrong with it is a usage error that names the step.
struct RecipeArgument: ExpressibleByArgument {
    var text: String

    init(argument: String) { text = argument }

    func parsed() throws -> Recipe {
        do throws(RecipeError) {
            return try Recipe(parsing: text)
        } catch {
            throw ValidationError("--recipe, \(error)")
        }
    }
}

/// Figures of one step or variant, the same everywhere they are shown.
struct StepJSON: Encodable {
    var step: String
    var parameters: Int
    var nonZeros: Int
    var fileBytes: Int
    var payloadBytes: Int
    var arenaBytes: Int
    var articleBytes: Double
    var nanosecondsPerForecast: Int
    var decodeNanoseconds: Int
    var decodeBytes: Int
    @Nullable var mapePercent: Double?
    @Nullable var wapePercent: Double?
    @Nullable var biasPercent: Double?
    @Nullable var floatMapePercent: Double?
    @Nullable var floatWapePercent: Double?
    var remarks: [String]

    init(_ report: StepReport) {
        self.init(step: report.text, report.figures, remarks: report.remarks)
    }

    init(step: String, _ figures: StepFigures, remarks: [String]) {
        self.step = step
        parameters = figures.parameters
        nonZeros = figures.nonZeros
        fileBytes = figures.fileBytes
        payloadBytes = figures.payloadBytes
        arenaBytes = figures.arenaBytes
        articleBytes = figures.articleBytes
        nanosecondsPerForecast = figures.nanoseconds
        decodeNanoseconds = figures.decodeNanoseconds
        decodeBytes = figures.decodeBytes
        mapePercent = figures.integer.mape
        wapePercent = figures.integer.wape
        biasPercent = figures.integer.bias
        floatMapePercent = figures.float.mape
        floatWapePercent = figures.float.wape
        self.remarks = remarks
    }
}

/// The account of a recipe, a line as each step is done: columns have their widths beforehand.
struct StepTable {
    private static let columns: [(title: String, width: Int)] = [
        ("PARAMS", 7), ("NONZERO", 8), ("FILE", 7), ("PAYLOAD", 8), ("ARENA", 7), ("TIME", 8),
        ("DECODE", 8),
        ("MAPE%", 7), ("WAPE%", 7), ("BIAS%", 7), ("dWAPE", 7), ("dFILE", 7),
    ]
    private let stepWidth: Int
    private var before: StepFigures?

    init(recipe: Recipe) {
        let texts = recipe.text.components(separatedBy: " | ")
        stepWidth = min(max(texts.map(\.count).max() ?? 4, 12), 44)
    }

    var header: String {
        line("STEP", Self.columns.map(\.title))
    }

    mutating func row(_ report: StepReport) -> String {
        let figures = report.figures
        var changes = ["-", "-"]
        if let before {
            if let now = figures.integer.wape, let then = before.integer.wape {
                changes[0] = Self.signed(now - then)
            }
            let share = 100 * (Double(figures.fileBytes) / Double(before.fileBytes) - 1)
            changes[1] = (share >= 0.5 ? "+" : "") + Figure.fixed(share, decimals: 0) + "%"
        }
        before = figures
        var text = line(
            report.text,
            [
                "\(figures.parameters)", "\(figures.nonZeros)", "\(figures.fileBytes)",
                "\(figures.payloadBytes)", "\(figures.arenaBytes)",
                LatencyText(nanoseconds: figures.nanoseconds).description,
                LatencyText(nanoseconds: figures.decodeNanoseconds).description,
                Figure.fixed(figures.integer.mape, decimals: 2),
                Figure.fixed(figures.integer.wape, decimals: 2),
                Figure.fixed(figures.integer.bias, decimals: 2),
            ] + changes)
        for remark in report.remarks { text += "\n  ^ \(remark)" }
        return text
    }

    private static func signed(_ value: Double) -> String {
        (value >= 0.005 ? "+" : "") + Figure.fixed(value, decimals: 2)
    }

    private func line(_ step: String, _ cells: [String]) -> String {
        var text = step.padding(toLength: max(stepWidth, step.count), withPad: " ", startingAt: 0)
        for (cell, column) in zip(cells, Self.columns) {
            text += String(repeating: " ", count: max(1, column.width - cell.count)) + cell
        }
        return text
    }
}
