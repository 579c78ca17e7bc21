package import Forecasting
package import Training

/// What a row of the comparison reached over all seeds.
package struct ArticleResult: Equatable, Codable, Sendable {
    package var name: String
    package var title: String
    package var recipe: String
    package var parameters: Int
    /// Of the weights that are left, mean over seeds.
    package var nonZeros: Double
    /// %, of the float network before it was quantized.
    package var mapeFloat: Spread
    /// %, of the integers in the package.
    package var mape: Spread
    /// %
    package var wape: Spread
    /// %
    package var bias: Spread
    /// Kilobytes of 1,024 bytes, counted as the article counts.
    package var articleKilobytes: Double
    /// Of the file a device receives, mean over seeds.
    package var fileBytes: Double
    /// How many times smaller the file is than that of LSTM-64.
    package var ratio: Double
    /// Points of MAPE above LSTM-64.
    package var delta: Double
    package var publishedMAPE: Double?
    package var publishedKilobytes: Double?

    /// At or below the published MAPE; nil where nothing was published.
    package var meetsMAPE: Bool? { publishedMAPE.map { mape.mean <= $0 } }
    /// Real file bytes at or below the published size; nil where nothing was published.
    package var meetsSize: Bool? { publishedKilobytes.map { fileBytes <= $0 * 1024 } }
}

extension Article {
    /// Runs the comparison: every row with every seed, each from a network trained once for the seed.
    /// - Parameters:
    ///   - epochShare: of every step's epochs, for a quick look: above 0, at most 1.
    ///   - progress: called often with the share done, 0...1, and what is being done.
    /// - Throws: what `Workbench.follow` throws.
    package static func run(
        series: [TrainingSeries], testFrom: BusinessDay, seeds: [UInt64], epochShare: Double = 1,
        progress: (Double, String) -> Void = { _, _ in }, isCancelled: () -> Bool = { false }
    ) throws -> [ArticleResult] {
        precondition(!seeds.isEmpty)
        let workbench = Workbench(
            series: series, setup: Workbench.Setup(form: .plain, testFrom: testFrom))
        var figures = [[Made]](repeating: [], count: rows.count)
        for (number, seed) in seeds.enumerated() {
            // Rows that are made alike are made once.
            var made: [String: Made] = [:]
            for (index, row) in rows.enumerated() {
                if let known = made[row.recipe] {
                    figures[index].append(known)
                    continue
                }
                let recipe = try Recipe(parsing: row.recipe)
                let piece = try workbench.follow(
                    recipe, seed: seed, epochShare: epochShare, measuring: .lastStep,
                    progress: { step in
                        let within =
                            (Double(step.step) + (step.training?.share ?? 0)) / Double(step.steps)
                        progress(
                            (Double(number) + (Double(index) + within) / Double(rows.count))
                                / Double(seeds.count),
                            "seed \(seed), \(row.title): \(step.text)")
                    }, isCancelled: isCancelled)
                guard let measured = piece.figures else { continue }
                let one = Made(
                    figures: measured, nonZeroKilobytes: ArticleSize.pruned(piece.parameters))
                made[row.recipe] = one
                figures[index].append(one)
            }
        }
        return results(rows, figures)
    }

    /// One row of one seed.
    private struct Made {
        var figures: StepFigures
        /// As the article counts pruned networks.
        var nonZeroKilobytes: Double
    }

    private static func results(_ rows: [Row], _ made: [[Made]]) -> [ArticleResult] {
        func mean(_ made: [Made], _ value: (Made) -> Double) -> Double {
            Spread(made.map(value)).mean
        }
        func spread(_ made: [Made], _ value: (StepFigures) -> Double?) -> Spread {
            Spread(made.map { value($0.figures) ?? .nan })
        }
        let baseFile = mean(made[0]) { Double($0.figures.fileBytes) }
        let baseMAPE = spread(made[0]) { $0.integer.mape }.mean
        return zip(rows, made).map { row, made in
            let file = mean(made) { Double($0.figures.fileBytes) }
            let mape = spread(made) { $0.integer.mape }
            let parameters = made[0].figures.parameters
            return ArticleResult(
                name: row.name, title: row.title, recipe: row.recipe, parameters: parameters,
                nonZeros: mean(made) { $0.nonZeroKilobytes * 256 },
                mapeFloat: spread(made) { $0.float.mape }, mape: mape,
                wape: spread(made) { $0.integer.wape }, bias: spread(made) { $0.integer.bias },
                articleKilobytes: row.counting == .nonZeros
                    ? mean(made, \.nonZeroKilobytes)
                    : Double(parameters) * (row.counting == .bytes ? 1 : 4) / 1024,
                fileBytes: file, ratio: baseFile / file, delta: mape.mean - baseMAPE,
                publishedMAPE: row.published?.mape,
                publishedKilobytes: row.published?.kilobytes)
        }
    }

    /// The results as a plot: error against the bytes of the file.
    package static func plot(_ results: [ArticleResult]) -> FrontierPlot {
        var points: [FrontierPlot.Point] = []
        for result in results {
            let isBeaten = results.contains {
                $0.fileBytes <= result.fileBytes && $0.mape.mean <= result.mape.mean
                    && ($0.fileBytes < result.fileBytes || $0.mape.mean < result.mape.mean)
            }
            points.append(
                FrontierPlot.Point(
                    name: result.title, bytes: result.fileBytes, error: result.mape.mean,
                    spread: result.mape.deviation, isOnFront: !isBeaten))
            if let mape = result.publishedMAPE, let kilobytes = result.publishedKilobytes {
                points.append(
                    FrontierPlot.Point(
                        name: result.title, bytes: kilobytes * 1024, error: mape, group: 1))
            }
        }
        return FrontierPlot(
            title: "Compressed LSTMs: MAPE on the test days against size",
            bytesLabel: "bytes: ours the file a device receives, the published ones as published",
            errorLabel: "MAPE, %", groups: ["measured here", "published"], points: points)
    }
}

extension FitProgress {
    /// Of all epochs, 0...1.
    package var share: Double { (Double(epoch - 1) + epochFraction) / Double(max(epochs, 1)) }
}
