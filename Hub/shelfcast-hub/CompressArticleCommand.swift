import ArgumentParser
import Compression
import Forecasting
import Foundation
import HubCore
import HubStore
import Training

struct CompressArticleCommand: HubCommand {
    static let configuration = CommandConfiguration(
        commandName: "article",
        abstract: "Reproduce the published comparison of compressed LSTMs.",
        discussion: """
            LSTM-64, 32 and 16, pruned by 30, 50 and 70 %, and INT8: plain form, window 14, one step
            ahead, mean and standard deviation over seeds. Two sizes: as the article counts (ARTICLE,
            kilobytes of weights), and the file a device receives (FILE, everything in it). The
            published pruned and INT8 sizes are those of a compressed LSTM-32; the same from LSTM-64
            stands below. MAPE is that of the integers in the package.

            With --out, article.csv, article.json and article.svg are written there.

            Example:
              shelfcast-hub compress article --sales store-item-demand.csv.gz --out article
            """)

    @Option(help: ArgumentHelp("A CSV or CSV.gz with date, store, item, sales.", valueName: "file"))
    var sales: String
    @Option(help: "How many seeds, 1 to 20.")
    var seeds = 3
    @Option(help: ArgumentHelp("Learn from the days before, test on the rest.", valueName: "date"))
    var testFrom = BusinessDay(iso8601: Array("2017-01-01".utf8))!
    @Option(help: ArgumentHelp("Where to write the table and the plot.", valueName: "directory"))
    var out: String?
    @Flag(help: "Print CSV instead of a table.")
    var csv = false
    @OptionGroup var json: JSONOption

    func validate() throws {
        guard (1...20).contains(seeds) else { throw ValidationError("--seeds is 1 to 20") }
        guard !csv || !json.isOn else { throw ValidationError("either --csv or --json") }
    }

    private struct Output: Encodable {
        var testFrom: String
        var seeds: Int
        var seconds: Double
        var rows: [ArticleResult]
    }

    func perform() async throws {
        let start = ContinuousClock.now
        let snapshot = try await SalesSnapshot(file: sales)
        if let last = snapshot.series.map({ $0.firstDay.advanced(by: $0.days.count) }).max(),
            testFrom >= last
        {
            throw CommandFailure(
                .refused,
                "--test-from \(testFrom.iso8601) leaves no day to test on: the last known day is "
                    + last.advanced(by: -1).iso8601)
        }
        Interruption.watch()
        let bar = ProgressBar("article")
        let results: [ArticleResult]
        do {
            results = try Article.run(
                series: snapshot.series, testFrom: testFrom, seeds: (1...seeds).map(UInt64.init),
                progress: { bar.update($0, $1) }, isCancelled: { Interruption.hasHappened })
        } catch TrainingError.cancelled {
            bar.abandon()
            Console.error("shelfcast-hub: stopped; nothing was written")
            throw ExitCode(Interruption.exitStatus)
        } catch {
            bar.abandon()
            throw CommandFailure(compression: error)
        }
        let seconds = (ContinuousClock.now - start) / .seconds(1)
        bar.finish("\(results.count) rows, \(ProgressBar.duration(seconds))")
        let output = Output(
            testFrom: testFrom.iso8601, seeds: seeds, seconds: seconds, rows: results)
        if let out {
            try OutputFolder(out).write([
                ("article.csv", Self.csv(results)), ("article.json", try Console.json(output)),
                ("article.svg", Article.plot(results).svg),
            ])
        }
        if json.isOn {
            try Console.printJSON(output)
        } else if csv {
            Console.write(Self.csv(results), to: 1)
        } else {
            Console.print(text(results, seconds: seconds))
        }
    }

    private func text(_ results: [ArticleResult], seconds: Double) -> String {
        var table = TextTable([
            ("NETWORK", .left), ("WEIGHTS", .right), ("ARTICLE_KB", .right),
            ("PUBLISHED_KB", .right), ("FILE", .right), ("RATIO", .right), ("MAPE%", .right),
            ("+-", .right), ("FLOAT%", .right), ("PUBLISHED%", .right), ("CHANGE", .right),
            ("MEETS", .left),
        ])
        for row in results {
            let meets = [row.meetsMAPE, row.meetsSize].compactMap { $0 }
            table.add([
                row.title.replacing(" ", with: "_"), Figure.fixed(row.nonZeros, decimals: 0),
                Figure.fixed(row.articleKilobytes, decimals: 2),
                Figure.fixed(row.publishedKilobytes, decimals: 2),
                Figure.fixed(row.fileBytes, decimals: 0), Figure.fixed(row.ratio, decimals: 1),
                Figure.fixed(row.mape.mean, decimals: 2),
                Figure.fixed(row.mape.deviation, decimals: 2),
                Figure.fixed(row.mapeFloat.mean, decimals: 2),
                Figure.fixed(row.publishedMAPE, decimals: 2),
                (row.delta >= 0.005 ? "+" : "") + Figure.fixed(row.delta, decimals: 2),
                meets.isEmpty ? "" : meets.allSatisfy { $0 } ? "yes" : "no",
            ])
        }
        return """
            plain form, window 14, test days from \(testFrom.iso8601), \(seeds) seeds, \
            \(Figure.fixed(seconds, decimals: 0)) s
            \(table.text)
            ARTICLE_KB counts as the article does: 4 bytes a weight (16,961 x 4 = 66.25 KB), pruned ones left out
            without an index, 1 byte a weight for INT8. The published pruned and INT8 sizes are an LSTM-32's
            (17.13 KB x 0.7, 0.5, 0.3; 4,385 x 1 byte), so that reading stands first. FILE is all a device
            receives: INT8 weights, scales, profiles, items, levels and golden vectors of one store.
            """
    }

    private static func csv(_ results: [ArticleResult]) -> String {
        var lines = [
            "name,recipe,parameters,weights,article_kb,published_kb,file_bytes,ratio,mape,mape_std,"
                + "float_mape,wape,bias,published_mape,mape_change"
        ]
        for row in results {
            lines.append(
                [
                    row.name, row.recipe, "\(row.parameters)",
                    Figure.fixed(row.nonZeros, decimals: 0),
                    Figure.fixed(row.articleKilobytes, decimals: 3),
                    row.publishedKilobytes.map { "\($0)" } ?? "",
                    Figure.fixed(row.fileBytes, decimals: 1), Figure.fixed(row.ratio, decimals: 3),
                    Figure.fixed(row.mape.mean, decimals: 4),
                    Figure.fixed(row.mape.deviation, decimals: 4),
                    Figure.fixed(row.mapeFloat.mean, decimals: 4),
                    Figure.fixed(row.wape.mean, decimals: 4),
                    Figure.fixed(row.bias.mean, decimals: 4),
                    row.publishedMAPE.map { "\($0)" } ?? "",
                    Figure.fixed(row.delta, decimals: 4),
                ].joined(separator: ","))
        }
        return lines.joined(separator: "\n") + "\n"
    }
}
