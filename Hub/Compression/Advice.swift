import Forecasting
import Training

/// Which technique pays on a family's own sales: each is tried by itself against the plainest INT8 of the same network.
package enum Advice {
    package struct Technique: Equatable, Sendable {
        package var name: String
        package var recipe: String
    }

    package struct Finding: Sendable {
        package var technique: Technique
        package var figures: StepFigures
        package var remarks: [String]
        package var verdict: Verdict
    }

    /// In the order in which an engineer should consider them.
    package enum Verdict: Int, Comparable, Sendable {
        case base
        /// Smaller, and no worse than noise.
        case take
        /// Less error at no more bytes than a tenth above.
        case better
        /// Smaller, and worse.
        case trade
        /// Not smaller in practice, and no better.
        case leave

        package static func < (a: Self, b: Self) -> Bool { a.rawValue < b.rawValue }
    }

    /// Differences in WAPE below this are seed and rounding: points.
    package static let noise = 0.05

    /// - Parameter network: what the others are compared with, in the family's own form.
    package static func techniques(for network: Architecture) -> [Technique] {
        let name = network.name
        let half = max(1, network.units / 2)
        var techniques = [
            Technique(name: "plain INT8", recipe: "\(name) | int8"),
            Technique(name: "a scale for each gate", recipe: "\(name) | int8 scale=gate"),
            Technique(name: "quantization-aware INT8", recipe: "\(name) | qat int8"),
            Technique(name: "INT4", recipe: "\(name) | int4 range=error"),
            Technique(name: "quantization-aware INT4", recipe: "\(name) | qat int4"),
            Technique(name: "quantization-aware ternary", recipe: "\(name) | qat ternary"),
            Technique(name: "30 % pruned", recipe: "\(name) | prune 30% | finetune | int8"),
            Technique(
                name: "70 % pruned, in rounds",
                recipe: "\(name) | prune 70% rounds=5 | finetune | int8"),
            Technique(
                name: "codebook of 16", recipe: "\(name) | codebook 16 | finetune | int8"),
            Technique(name: "graph folded", recipe: "\(name) | fold | int8"),
            Technique(name: "Huffman coded", recipe: "\(name) | int8 | huffman"),
            Technique(name: "range coded", recipe: "\(name) | int8 | range"),
        ]
        if half < network.units {
            techniques += [
                Technique(
                    name: "half the units, from scratch",
                    recipe: "\(network.cell.name)\(half) | int8"),
                Technique(
                    name: "half the units, pruned away",
                    recipe: "\(name) | shrink \(half) | finetune epochs=10 rate=0.003 | int8"),
                Technique(
                    name: "half the units, taught",
                    recipe: "\(network.cell.name)\(half) | distill from=\(name)x3 | int8"),
            ]
        }
        if network.units >= 4 {
            techniques.append(
                Technique(
                    name: "low rank",
                    recipe: "\(name) | lowrank \(half / 2) of=recurrent | finetune | int8"))
        }
        for cell in CellKind.allCases where cell != network.cell {
            techniques.append(
                Technique(
                    name: "\(cell.name) instead", recipe: "\(cell.name)\(network.units) | int8"))
        }
        return techniques
    }

    /// - Parameters:
    ///   - onFinding: called as each technique has been tried.
    /// - Returns: all that could be tried, what to consider first in front.
    /// - Throws: `TrainingError`. A technique that this network is too small for is left out.
    package static func findings(
        workbench: Workbench, network: Architecture, seed: UInt64,
        progress: (Double, String) -> Void = { _, _ in }, isCancelled: () -> Bool = { false },
        onFinding: (Finding) -> Void = { _ in }
    ) throws -> [Finding] {
        let techniques = techniques(for: network)
        var findings: [Finding] = []
        for (index, technique) in techniques.enumerated() {
            let figures: StepFigures
            do {
                let piece = try workbench.follow(
                    try Recipe(parsing: technique.recipe), seed: seed, measuring: .lastStep,
                    progress: { step in
                        let done = Double(step.step) + (step.training?.share ?? 0)
                        progress(
                            (Double(index) + done / Double(step.steps)) / Double(techniques.count),
                            "\(technique.name): \(step.text)")
                    }, isCancelled: isCancelled)
                guard let measured = piece.figures else { continue }
                figures = measured
            } catch is RecipeError {
                continue
            }
            let base = findings.first?.figures
            let finding = Finding(
                technique: technique, figures: figures, remarks: figures.remarks(after: base),
                verdict: verdict(figures, against: base))
            findings.append(finding)
            onFinding(finding)
        }
        return findings.enumerated().sorted {
            ($0.element.verdict, $0.element.figures.payloadBytes, $0.offset)
                < ($1.element.verdict, $1.element.figures.payloadBytes, $1.offset)
        }.map(\.element)
    }

    static func verdict(_ figures: StepFigures, against base: StepFigures?) -> Verdict {
        guard let base else { return .base }
        let change = (figures.integer.wape ?? .infinity) - (base.integer.wape ?? 0)
        // The rest of a file, its recipe's own text above all, says nothing about the technique.
        let isSmaller = figures.payloadBytes < base.payloadBytes
        if isSmaller, change <= noise { return .take }
        if change < -noise, figures.payloadBytes * 10 <= base.payloadBytes * 11 { return .better }
        return isSmaller ? .trade : .leave
    }
}
