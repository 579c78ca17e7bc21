import Compression
import Forecasting
import Training

/// The published comparison of compressed LSTMs, whole: every row, three seeds, real INT8 inference and real files.
enum ArticleGroup {
    static func run(_ report: inout BenchReport) throws {
        guard let series = try ReferenceData.simulated.series(report) else { return }
        let start = ContinuousClock.now
        let results = try Article.run(
            series: series, testFrom: ReferenceData.simulated.testFrom, seeds: [1, 2, 3])
        report.add("article.totalSeconds", (ContinuousClock.now - start) / .seconds(1), "s")
        for row in results {
            report.add("article.\(row.name).mape", row.mape.mean, "%")
            report.add("article.\(row.name).mapeStd", row.mape.deviation, "%")
            report.add("article.\(row.name).fileBytes", row.fileBytes, "B")
            report.add("article.\(row.name).articleBytes", row.articleKilobytes * 1024, "B")
        }
    }
}
